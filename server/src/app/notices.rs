//! Notices: what a user must see, about a major complaint or an early warning (R-CLASS-2, R-WARN-1).
//!
//! Notices are rows that their recipients read; nothing is sent. What does not belong here: who is told, and when.

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::notices::NoticeKind;
use callout_storage::notices::Notice;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, NoticeId, UserId, WarningId};
use callout_sync_protocol::time::Timestamp;
use serde_json::Value;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeAbout {
    /// A major complaint.
    MajorCase {
        /// Which one.
        id: MajorCaseId,
        /// The complaint.
        complaint_id: ComplaintId,
    },
    /// An early warning.
    Warning(WarningId),
}

impl App {
    /// Leaves a user a notice. The detail never holds personal data (R-PRIVACY-1).
    pub(crate) fn notice_tell(
        &self,
        tx: &mut Tx,
        recipient_id: UserId,
        kind: NoticeKind,
        about: NoticeAbout,
        detail: Value,
    ) -> AppResult<()> {
        let (complaint_id, major_case_id, warning_id) = match about {
            NoticeAbout::MajorCase { id, complaint_id } => (Some(complaint_id), Some(id), None),
            NoticeAbout::Warning(id) => (None, None, Some(id)),
        };
        tx.notice_insert(&Notice {
            id: self.env.id(),
            recipient_id,
            kind: kind.as_str().to_owned(),
            complaint_id,
            major_case_id,
            detail,
            created_at: self.env.now(),
            read_at: None,
            warning_id,
        })?;
        Ok(())
    }

    /// The caller's own notices, newest first.
    pub fn notice_list(&self, caller: &Caller, unread_only: bool, page: Page<NoticeId>) -> AppResult<Vec<Notice>> {
        self.storage.read("notice_list", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(tx.notice_list(caller.user_id, unread_only, &page)?)
        })
    }

    /// The caller has read a notice.
    pub fn notice_read(&self, caller: &Caller, id: NoticeId) -> AppResult<()> {
        let now: Timestamp = self.env.now();
        self.storage.write("notice_read", |tx| {
            self.caller_scope(tx, caller)?;
            if tx.notice_read(id, caller.user_id, now)? { Ok(()) } else { Err(AppError::not_found("notice")) }
        })
    }
}
