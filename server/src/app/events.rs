//! The audit trail: every decision, reply and change, with who, when, from where and why (R-AUDIT-1).
//!
//! A draft says what happened; appending it, in the same transaction as the change, gives it its place in its subject's chain.
//! Details never hold personal data in clear text (R-PRIVACY-1).

use super::App;
use super::access::{Caller, RoleSet};
use super::error::AppResult;
use callout_storage::Tx;
use callout_storage::events::{NewEvent, SubjectKind};
use callout_sync_protocol::ids::{
    ComplaintId, DeviceId, RegionId, SiteId, SupervisionEntryId, UserId, WarningId, WorkOrderId,
};
use callout_sync_protocol::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// What an event is about; each subject has its own chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A complaint.
    Complaint(ComplaintId),
    /// A work order, and all that belongs to it.
    WorkOrder(WorkOrderId),
    /// A user, the user's devices and sessions.
    User(UserId),
    /// A region.
    Region(RegionId),
    /// A policy of a kind and region.
    Policy(Uuid),
    /// A site, and its outages.
    Site(SiteId),
    /// An entry of the supervision list.
    SupervisionEntry(SupervisionEntryId),
    /// An early warning.
    Warning(WarningId),
}

impl Subject {
    /// The kind of subject.
    pub fn kind(self) -> SubjectKind {
        match self {
            Self::Complaint(_) => SubjectKind::Complaint,
            Self::WorkOrder(_) => SubjectKind::WorkOrder,
            Self::User(_) => SubjectKind::User,
            Self::Region(_) => SubjectKind::Region,
            Self::Policy(_) => SubjectKind::Policy,
            Self::Site(_) => SubjectKind::Site,
            Self::SupervisionEntry(_) => SubjectKind::SupervisionEntry,
            Self::Warning(_) => SubjectKind::Warning,
        }
    }

    /// The subject's id.
    pub fn id(self) -> Uuid {
        match self {
            Self::Complaint(id) => id.into(),
            Self::WorkOrder(id) => id.into(),
            Self::User(id) => id.into(),
            Self::Region(id) => id.into(),
            Self::Policy(id) => id,
            Self::Site(id) => id.into(),
            Self::SupervisionEntry(id) => id.into(),
            Self::Warning(id) => id.into(),
        }
    }
}

/// An event before it has its place in the chain.
#[derive(Clone, Debug)]
pub struct EventDraft {
    subject: Subject,
    action: String,
    actor_id: Option<UserId>,
    actor_roles: RoleSet,
    device_id: Option<DeviceId>,
    captured_at: Option<Timestamp>,
    detail: Value,
    reason: Option<String>,
}

impl EventDraft {
    /// Something happened to a subject, by nobody in particular yet.
    pub fn new(subject: Subject, action: impl Into<String>) -> Self {
        Self {
            subject,
            action: action.into(),
            actor_id: None,
            actor_roles: RoleSet::default(),
            device_id: None,
            captured_at: None,
            detail: Value::Null,
            reason: None,
        }
    }

    /// By this caller, from the caller's device.
    #[must_use]
    pub fn by(self, caller: &Caller) -> Self {
        self.by_user(caller.user_id, caller.roles).device(caller.device_id)
    }

    /// By this user.
    #[must_use]
    pub fn by_user(mut self, user: UserId, roles: RoleSet) -> Self {
        self.actor_id = Some(user);
        self.actor_roles = roles;
        self
    }

    /// From this device.
    #[must_use]
    pub fn device(mut self, device: DeviceId) -> Self {
        self.device_id = Some(device);
        self
    }

    /// At this instant by the phone's clock.
    #[must_use]
    pub fn captured_at(mut self, at: Timestamp) -> Self {
        self.captured_at = Some(at);
        self
    }

    /// With these facts; never personal data.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// For this reason, in the actor's words.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl App {
    /// Appends an event to its subject's chain.
    pub fn event_append(&self, tx: &mut Tx, draft: EventDraft) -> AppResult<()> {
        tx.event_append(&self.event_new(draft))?;
        Ok(())
    }

    /// Appends several events in their order; those of one subject that follow each other cost hardly more than one.
    pub fn event_append_all(&self, tx: &mut Tx, drafts: impl IntoIterator<Item = EventDraft>) -> AppResult<()> {
        let events: Vec<NewEvent> = drafts.into_iter().map(|draft| self.event_new(draft)).collect();
        tx.event_append_all(&events)?;
        Ok(())
    }

    fn event_new(&self, draft: EventDraft) -> NewEvent {
        let roles: Vec<&str> = draft.actor_roles.iter().map(|role| role.as_str()).collect();
        NewEvent {
            id: self.env.id(),
            subject_kind: draft.subject.kind(),
            subject_id: draft.subject.id(),
            happened_at: self.env.now(),
            captured_at: draft.captured_at,
            actor_id: draft.actor_id,
            actor_roles: roles.join(","),
            device_id: draft.device_id,
            action: draft.action,
            detail: draft.detail,
            reason: draft.reason,
        }
    }
}
