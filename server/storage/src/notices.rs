//! Notices: what a desk must see, kept until it was read and after (R-CLASS-2, R-WARN-1). What does not belong here: who is told what (`app`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{Page, keyset};
use crate::schema::notices;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, NoticeId, UserId, WarningId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One notice to one user.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// To whom.
    pub recipient_id: UserId,
    /// Of what, in the word of the rules (`major_opened` …).
    pub kind: String,
    /// About which complaint, if it is about one.
    pub complaint_id: Option<ComplaintId>,
    /// About which major complaint, if it is about one.
    pub major_case_id: Option<MajorCaseId>,
    /// The facts; never personal data.
    pub detail: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// About which early warning, if it is about one.
    pub warning_id: Option<WarningId>,
}

impl Tx {
    /// Adds a notice.
    pub fn notice_insert(&mut self, notice: &Notice) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(notices::table)
                .values(row_values!(
                    notices,
                    notice,
                    id,
                    recipient_id,
                    kind,
                    complaint_id,
                    major_case_id,
                    detail,
                    created_at,
                    read_at,
                    warning_id
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// A user's notices, newest first; unread ones only, if asked.
    pub fn notice_list(
        &mut self,
        recipient_id: UserId,
        unread_only: bool,
        page: &Page<NoticeId>,
    ) -> Result<Vec<Notice>, StorageError> {
        self.run(|c| {
            let mut query = notices::table.filter(notices::recipient_id.eq(bind(&recipient_id))).into_boxed();
            if unread_only {
                query = query.filter(notices::read_at.is_null());
            }
            keyset!(query, notices, created_at, id, page).load(c)
        })
    }

    /// Notes that a user read a notice. Returns whether the user has such a notice; the first reading counts.
    pub fn notice_read(&mut self, id: NoticeId, recipient_id: UserId, now: Timestamp) -> Result<bool, StorageError> {
        let mine = || notices::table.find(bind(&id)).filter(notices::recipient_id.eq(bind(&recipient_id)));
        let rows = self.run(|c| {
            diesel::update(mine().filter(notices::read_at.is_null()))
                .set(notices::read_at.eq(bind(&Some(now))))
                .execute(c)
        })?;
        if rows > 0 {
            return Ok(true);
        }
        let found: Option<NoticeId> = self.run(|c| mine().select(notices::id).first(c).optional())?;
        Ok(found.is_some())
    }
}
