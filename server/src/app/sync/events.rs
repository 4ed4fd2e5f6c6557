//! What the audit trail tells of a tester's commands and blocks (R-AUDIT-1): who, when by both clocks, from which phone, and why.
//!
//! Free texts stay with the commands' receipts; a reason that a rule asks for is the event's reason.

use super::unit::SyncUnit;
use crate::app::events::{EventDraft, Subject};
use crate::workflow::appointments::ArrivalVerdict;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::field_workflow::FieldTransition;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::Rejection;
use serde_json::{Value, json};

/// What exactly a command did.
fn command_facts(body: &CommandBody, arrival: Option<&ArrivalVerdict>) -> Value {
    match body {
        CommandBody::Accept {} | CommandBody::Decline { .. } => Value::Null,
        CommandBody::Contact { outcome, appointment, .. } => json!({ "outcome": outcome, "appointment": appointment }),
        CommandBody::Arrive { position } => {
            json!({ "position": position, "arrival": arrival })
        }
        CommandBody::PhotoConsent { granted } => json!({ "granted": granted }),
        CommandBody::TestBegin { field_test_id } | CommandBody::FindingsRecord { field_test_id, .. } => {
            json!({ "field_test_id": field_test_id })
        }
        CommandBody::PhotoAttach { manifest } => json!({
            "field_test_id": manifest.field_test_id, "photo_id": manifest.id, "purpose": manifest.purpose,
            "byte_length": manifest.byte_length, "hash": manifest.hash,
        }),
        CommandBody::TestSubmit { field_test_id, blocks, photos, missing_operators } => {
            let samples: u64 = blocks.iter().map(|block| u64::from(block.sample_count)).sum();
            json!({
                "field_test_id": field_test_id, "blocks": blocks.len(), "samples": samples, "photos": photos.len(),
                "missing_operators": missing_operators.iter().map(|missing| missing.operator).collect::<Vec<_>>(),
            })
        }
    }
}

/// The reason that the tester gave, where a rule asks for one.
fn command_reason(body: &CommandBody) -> Option<&str> {
    match body {
        CommandBody::Decline { reason } => Some(reason),
        CommandBody::Contact { emergency_reason, .. } => emergency_reason.as_deref(),
        CommandBody::Accept {}
        | CommandBody::Arrive { .. }
        | CommandBody::PhotoConsent { .. }
        | CommandBody::TestBegin { .. }
        | CommandBody::FindingsRecord { .. }
        | CommandBody::PhotoAttach { .. }
        | CommandBody::TestSubmit { .. } => None,
    }
}

impl SyncUnit<'_> {
    fn event_add(&mut self, order: WorkOrderId, draft: EventDraft) {
        self.events.entry(order).or_default().push(draft);
    }

    fn draft(&self, order: WorkOrderId, action: &str, mut detail: Value) -> EventDraft {
        if let (Some(ahead_ms), Some(fields)) = (self.clock_ahead_ms, detail.as_object_mut()) {
            fields.insert("phone_clock_ahead_ms".into(), ahead_ms.into());
        }
        EventDraft::new(Subject::WorkOrder(order), action).by(self.caller).detail(detail)
    }

    /// Tells of an accepted command; `before` is the order as it was.
    pub(super) fn command_tell(
        &mut self,
        command: &Command,
        before: &WorkOrder,
        transition: &FieldTransition,
        arrival: Option<&ArrivalVerdict>,
    ) {
        let effects: Vec<String> = transition.effects.iter().map(|effect| format!("{effect:?}")).collect();
        let detail = json!({
            "command_id": command.id, "from": before.state, "to": transition.state, "effects": effects,
            "facts": command_facts(&command.body, arrival),
        });
        let draft = self.draft(before.id, command.body.kind(), detail).captured_at(command.captured_at);
        let draft = match command_reason(&command.body) {
            Some(reason) => draft.reason(reason),
            None => draft,
        };
        self.event_add(before.id, draft);
    }

    /// Tells of a rejected command, on the trail of its order, if there is such an order.
    pub(super) fn rejection_tell(&mut self, command: &Command, rejection: &Rejection) {
        if !self.orders.contains_key(&command.work_order_id) {
            return;
        }
        let detail = json!({ "command_id": command.id, "kind": command.body.kind(), "problem": rejection.problem });
        let draft = self
            .draft(command.work_order_id, "command_rejected", detail)
            .captured_at(command.captured_at)
            .reason(&rejection.detail);
        self.event_add(command.work_order_id, draft);
    }

    /// Tells of the blocks that arrived, with their hashes: the trail then proves what was there when.
    pub(super) fn arrivals_tell(&mut self) {
        for ((order, test), arrival) in std::mem::take(&mut self.arrivals) {
            if self.orders.contains_key(&order) {
                let detail = json!({
                    "field_test_id": test, "samples": arrival.samples, "accepted": arrival.accepted,
                    "quarantined": arrival.quarantined,
                });
                let draft = self.draft(order, "samples_received", detail);
                self.event_add(order, draft);
            }
        }
    }
}
