//! The audit trail as auditors see it (R-AUDIT-1): across subjects, in their regions, personal data masked (R-PRIVACY-1).
//!
//! What does not belong here: making events (`events`) and anchors (`jobs`).

use super::App;
use super::access::Caller;
use super::error::AppResult;
use crate::workflow::erasures::known_of;
use callout_storage::audit_anchors::AuditAnchor;
use callout_storage::complaints::Complaint;
use callout_storage::event_search::EventFilter;
use callout_storage::events::{Event, SubjectKind};
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{ComplaintId, EventId, WorkOrderId};
use std::collections::HashMap;
use uuid::Uuid;

impl App {
    /// Events about what lies in the caller's regions, newest first. A reason that names the customer has the name masked.
    pub fn audit_event_list(
        &self,
        caller: &Caller,
        filter: &EventFilter,
        page: &Page<EventId>,
    ) -> AppResult<Vec<Event>> {
        self.storage.read("audit_event_list", |tx| {
            let mut filter = filter.clone();
            filter.scope = filter.scope.and(self.caller_scope(tx, caller)?);
            let mut events = tx.event_search(&filter, page)?;
            let mut customers: HashMap<Uuid, Option<Complaint>> = HashMap::new();
            for event in &mut events {
                let Some(reason) = &mut event.reason else { continue };
                let customer = match customers.get(&event.subject_id) {
                    Some(customer) => customer,
                    None => {
                        let found = customer_of(tx, event.subject_kind, event.subject_id)?;
                        customers.entry(event.subject_id).or_insert(found)
                    }
                };
                if let Some(complaint) = customer {
                    *reason = masked(reason, complaint);
                }
            }
            Ok(events)
        })
    }

    /// The anchors after a number, oldest first. They tell nothing of what happened, so they are the same for every auditor.
    pub fn audit_anchor_list(&self, caller: &Caller, after: u64, limit: u32) -> AppResult<Vec<AuditAnchor>> {
        self.storage.read("audit_anchor_list", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(tx.audit_anchor_list(after, limit)?)
        })
    }
}

fn customer_of(tx: &mut Tx, kind: SubjectKind, id: Uuid) -> AppResult<Option<Complaint>> {
    Ok(match kind {
        SubjectKind::Complaint => tx.complaint_by_id(ComplaintId::from(id))?,
        SubjectKind::WorkOrder => tx.work_order_with_complaint(WorkOrderId::from(id))?.map(|(_, complaint)| complaint),
        _ => None,
    })
}

fn masked(reason: &str, complaint: &Complaint) -> String {
    let known = known_of(&complaint.customer_name, &complaint.customer_phone, &complaint.address);
    known.iter().fold(reason.to_owned(), |text, known| text.replace(known, "***"))
}
