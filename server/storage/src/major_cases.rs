//! Major escalated complaints (重大升级投诉) with their temporary teams (R-CLASS-1, R-CLASS-2). What does not belong here: what makes a
//! complaint a major one (`workflow`), the notices (`notices`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::{complaints, major_case_members, major_cases};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A major complaint.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct MajorCase {
    /// Its id.
    pub id: MajorCaseId,
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// `open` or `ended`.
    pub state: String,
    /// Why it is a major one, in the words of the rules (`joint` …).
    pub reasons: Vec<String>,
    /// What whoever declared it said.
    pub explanation: String,
    /// Who leads the team, once named.
    pub leader_id: Option<UserId>,
    /// Who declared it; nobody where the rules found it.
    pub declared_by: Option<UserId>,
    /// Since when.
    pub opened_at: Timestamp,
    /// Who ended it; nobody where the complaint's end did.
    pub closed_by: Option<UserId>,
    /// When.
    pub closed_at: Option<Timestamp>,
    /// What was said then.
    pub closing_words: Option<String>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// The word of [`MajorCase::state`] while it lasts.
pub const MAJOR_CASE_OPEN: &str = "open";
/// The word of [`MajorCase::state`] afterwards.
pub const MAJOR_CASE_ENDED: &str = "ended";

/// A member of a team.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct MajorCaseMember {
    /// The case.
    pub major_case_id: MajorCaseId,
    /// Who.
    pub user_id: UserId,
    /// For what.
    pub duty: String,
}

impl Tx {
    /// Records a major complaint.
    pub fn major_case_insert(&mut self, case: &MajorCase) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(major_cases::table)
                .values(row_values!(
                    major_cases,
                    case,
                    id,
                    complaint_id,
                    state,
                    reasons,
                    explanation,
                    leader_id,
                    declared_by,
                    opened_at,
                    closed_by,
                    closed_at,
                    closing_words,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a major complaint that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn major_case_update(&mut self, case: &mut MajorCase) -> Result<(), StorageError> {
        let next = MajorCase { version: case.version + 1, ..case.clone() };
        let rows = self.run(|c| {
            diesel::update(major_cases::table.find(bind(&case.id)).filter(major_cases::version.eq(bind(&case.version))))
                .set(row_values!(
                    major_cases,
                    next,
                    state,
                    reasons,
                    explanation,
                    leader_id,
                    closed_by,
                    closed_at,
                    closing_words,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "major complaint")?;
        *case = next;
        Ok(())
    }

    /// The major complaint of an id.
    pub fn major_case_by_id(&mut self, id: MajorCaseId) -> Result<Option<MajorCase>, StorageError> {
        self.run(|c| major_cases::table.find(bind(&id)).first(c).optional())
    }

    /// The major complaint of an id, locked until the unit of work ends.
    pub fn major_case_lock(&mut self, id: MajorCaseId) -> Result<Option<MajorCase>, StorageError> {
        self.run(|c| locked!(c, major_cases::table.find(bind(&id))))
    }

    /// The one that is open for a complaint.
    pub fn major_case_open_by_complaint(&mut self, id: ComplaintId) -> Result<Option<MajorCase>, StorageError> {
        self.run(|c| {
            major_cases::table
                .filter(major_cases::complaint_id.eq(bind(&id)))
                .filter(major_cases::state.eq(bind(MAJOR_CASE_OPEN)))
                .order(major_cases::opened_at.desc())
                .first(c)
                .optional()
        })
    }

    /// Major complaints, newest first; each where its complaint is now.
    pub fn major_case_list(
        &mut self,
        scope: &RegionScope,
        is_open: Option<bool>,
        page: &Page<MajorCaseId>,
    ) -> Result<Vec<MajorCase>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = major_cases::table
                .inner_join(complaints::table.on(complaints::id.eq(major_cases::complaint_id)))
                .select(major_cases::all_columns)
                .into_boxed();
            let mut query = in_scope!(joined, complaints::region_id, scope, regions);
            if let Some(is_open) = is_open {
                let state = if is_open { MAJOR_CASE_OPEN } else { MAJOR_CASE_ENDED };
                query = query.filter(major_cases::state.eq(bind(state)));
            }
            keyset!(query, major_cases, opened_at, id, page).load(c)
        })
    }

    /// The team of a major complaint.
    pub fn major_case_member_list(&mut self, id: MajorCaseId) -> Result<Vec<MajorCaseMember>, StorageError> {
        self.run(|c| {
            major_case_members::table
                .filter(major_case_members::major_case_id.eq(bind(&id)))
                .order(major_case_members::user_id)
                .load(c)
        })
    }

    /// The team consists of exactly these.
    pub fn major_case_members_replace(
        &mut self,
        id: MajorCaseId,
        members: &[MajorCaseMember],
    ) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::delete(major_case_members::table.filter(major_case_members::major_case_id.eq(bind(&id)))).execute(c)
        })?;
        for member in members {
            self.run(|c| {
                diesel::insert_into(major_case_members::table)
                    .values(row_values!(major_case_members, member, major_case_id, user_id, duty))
                    .execute(c)
            })?;
        }
        Ok(())
    }
}
