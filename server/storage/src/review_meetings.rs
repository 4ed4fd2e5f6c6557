//! The weekly resource review meetings (R-LADDER-3). What does not belong here: when they are (`workflow`), their agenda
//! (`build_demands`).

use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::review_meetings;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{RegionId, ReviewMeetingId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A meeting of a region's board.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct ReviewMeeting {
    /// Its id.
    pub id: ReviewMeetingId,
    /// Whose board.
    pub region_id: RegionId,
    /// Where it stands, in the word of the rules (`planned` …).
    pub state: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When its agenda is drawn up.
    pub agenda_at: Timestamp,
    /// What was said, once closed.
    pub minutes: Option<String>,
    /// Who closed it.
    pub closed_by: Option<UserId>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it was first needed.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Adds a meeting unless the region has one at that instant. Returns whether it was added.
    pub fn review_meeting_insert(&mut self, meeting: &ReviewMeeting) -> Result<bool, StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(review_meetings::table)
                .values(row_values!(
                    review_meetings,
                    meeting,
                    id,
                    region_id,
                    state,
                    starts_at,
                    agenda_at,
                    minutes,
                    closed_by,
                    closed_at,
                    created_at,
                    version
                ))
                .on_conflict_do_nothing()
                .execute(c))
        })
        .map(|rows| rows > 0)
    }

    /// Saves a meeting that was read before, and raises its version. Region and instants never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn review_meeting_update(&mut self, meeting: &mut ReviewMeeting) -> Result<(), StorageError> {
        let version = meeting.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                review_meetings::table
                    .find(bind(&meeting.id))
                    .filter(review_meetings::version.eq(bind(&meeting.version))),
            )
            .set((
                row_values!(review_meetings, meeting, state, minutes, closed_by, closed_at),
                review_meetings::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "review meeting")?;
        meeting.version = version;
        Ok(())
    }

    /// The meeting of an id.
    pub fn review_meeting_by_id(&mut self, id: ReviewMeetingId) -> Result<Option<ReviewMeeting>, StorageError> {
        self.run(|c| review_meetings::table.find(bind(&id)).first(c).optional())
    }

    /// The meeting of an id, locked until the unit of work ends.
    pub fn review_meeting_lock(&mut self, id: ReviewMeetingId) -> Result<Option<ReviewMeeting>, StorageError> {
        self.run(|c| locked!(c, review_meetings::table.find(bind(&id))))
    }

    /// The region's meeting at an instant.
    pub fn review_meeting_at(
        &mut self,
        region_id: RegionId,
        starts_at: Timestamp,
    ) -> Result<Option<ReviewMeeting>, StorageError> {
        self.run(|c| {
            review_meetings::table
                .filter(review_meetings::region_id.eq(bind(&region_id)))
                .filter(review_meetings::starts_at.eq(bind(&starts_at)))
                .first(c)
                .optional()
        })
    }

    /// Meetings of the scope, the latest first.
    pub fn review_meeting_list(
        &mut self,
        scope: &RegionScope,
        page: &Page<ReviewMeetingId>,
    ) -> Result<Vec<ReviewMeeting>, StorageError> {
        self.run(|c| {
            let regions;
            let query =
                in_scope!(review_meetings::table.into_boxed(), review_meetings::region_id.nullable(), scope, regions);
            keyset!(query, review_meetings, starts_at, id, page).load(c)
        })
    }
}
