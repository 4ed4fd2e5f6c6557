//! What desks try to do with an order.

use super::{Step, TESTERS, Town, Verb};
use crate::city::office::json_of;
use callout_sync_protocol::ids::WorkOrderId;
use serde_json::json;

impl Town {
    pub(super) fn desk(&mut self, step: &Step, order: WorkOrderId, region: usize) -> Option<bool> {
        let desk = self.name(step, region);
        let home = self.orders.iter().find(|(id, _)| *id == order).map_or(0, |(_, region)| *region);
        let tester = self.office.user(&format!("tester-{home}-{}", usize::from(step.choice) % TESTERS));
        let place = self.office.place(home, 100 + u64::from(step.choice), 500);
        let on_order = |what: &str| format!("/v1/work-orders/{order}/{what}");
        let latest_revisit =
            self.office.look(|tx| tx.revisit_list_by_work_order(order)).pop().map(|revisit| revisit.id);
        let open_handoff = self.office.look(|tx| tx.handoff_list_by_work_order(order)).pop().map(|handoff| handoff.id);
        let row = self.office.look(|tx| tx.work_order_by_id(order))?;
        let score = 1 + step.choice % 10;
        let (method, path, body) = match step.verb {
            Verb::Locate => (
                "POST",
                on_order("locate"),
                json!({
                    "address": format!("湖滨路{}号", step.choice),
                    "position": { "latitude": place.latitude(), "longitude": place.longitude() },
                }),
            ),
            Verb::Dispatch => ("POST", on_order("dispatch"), json!({ "tester_id": tester })),
            Verb::Reassign => ("POST", on_order("reassign"), json!({ "tester_id": tester, "reason": "nearer" })),
            // Most orders shall live on.
            Verb::Withdraw if !step.choice.is_multiple_of(4) => return None,
            Verb::Withdraw => ("POST", on_order("withdraw"), json!({ "reason": "the customer moved" })),
            Verb::Approve => (
                "POST",
                format!("/v1/field-tests/{}/review", row.field_test_id?),
                json!({
                    "decision": "approve", "quick_relief": "Wi-Fi calling", "cure": "tilt the antenna",
                "evidence_accepted_because": "the case is clear",
                    "kind": (["optimise", "fault", "retrofit", "build"][usize::from(step.choice) % 4]),
                }),
            ),
            Verb::SendBack => (
                "POST",
                format!("/v1/field-tests/{}/review", row.field_test_id?),
                json!({
                    "decision": "send_back", "reasons": ["test the bedroom, too"],
                }),
            ),
            Verb::HandOver => (
                "POST",
                on_order("handoffs"),
                json!({
                    "target": (if step.choice.is_multiple_of(2) { "branch" } else { "maintenance" }), "demand": "access to the roof",
                }),
            ),
            Verb::HandoffAnswer => (
                "POST",
                format!("/v1/handoffs/{}/answer", open_handoff?),
                json!({
                    "outcome": (["done", "planned", "not_possible", "wrong_addressee"][usize::from(step.choice) % 4]),
                    "answer": "it is looked at",
                }),
            ),
            Verb::Ladder => {
                let next = self.office.look(|tx| tx.ladder_step_list(order)).len() + 1;
                // Now and then a step that is not the next.
                let number =
                    if step.choice.is_multiple_of(5) { 1 + usize::from(step.target) % 12 } else { next.min(12) };
                let outcome =
                    ["not_enough", "ruled_out", "skipped", "not_enough", "solved"][usize::from(step.choice) % 5];
                (
                    "PUT",
                    on_order(&format!("ladder/{number}")),
                    json!({
                        "outcome": outcome, "reason": "tried", "evidence": [{ "kind": "reference", "value": "CR-1" }],
                    }),
                )
            }
            Verb::StageReply => (
                "POST",
                on_order("replies"),
                json!({
                    "kind": "stage", "body": "a tester was there", "next_step": "the antenna is turned on Friday",
                }),
            ),
            Verb::FinalUnresolved if !step.choice.is_multiple_of(3) => return None,
            Verb::FinalUnresolved => (
                "POST",
                on_order("replies"),
                json!({
                    "kind": "final", "outcome": "unresolved", "body": "a new site is planned",
                }),
            ),
            Verb::HoldSolved => ("POST", on_order("revisits"), json!({ "what_was_done": "the antenna was turned" })),
            Verb::RevisitYes => (
                "POST",
                format!("/v1/revisits/{}/answer", latest_revisit?),
                json!({
                    "solved": true, "score": score,
                }),
            ),
            Verb::RevisitNo => (
                "POST",
                format!("/v1/revisits/{}/answer", latest_revisit?),
                json!({
                    "solved": false, "score": 1 + score % 4,
                }),
            ),
            Verb::LinkYes => return self.link(step),
            Verb::Chase => (
                "POST",
                on_order("chase"),
                json!({
                    "reference": format!("C-{}", step.target), "urgency": "urgent", "note": "asks again",
                }),
            ),
            Verb::AskBranch => (
                "POST",
                on_order("branch-questions"),
                json!({
                    "question": "when?",
                }),
            ),
            Verb::AskCustomer => (
                "POST",
                on_order("ask-customer"),
                json!({
                    "question": "which house?",
                }),
            ),
            Verb::CustomerAnswered => ("POST", on_order("customer-answered"), json!({ "answer": "number 7" })),
            Verb::Raise => ("POST", on_order("raise-to-coordination"), json!({ "reason": "several channels" })),
            Verb::BuildDemand => (
                "POST",
                on_order("build-demands"),
                json!({
                    "demand": "a small cell", "position": { "latitude": place.latitude(), "longitude": place.longitude() },
                    "field_tests": row.field_test_id.into_iter().collect::<Vec<_>>(), "shareable_resources": "tower 17",
                }),
            ),
            Verb::Erase => {
                ("POST", format!("/v1/complaints/{}/erase-customer", row.complaint_id), json!({ "reason": "asked" }))
            }
            Verb::Complain | Verb::Classify | Verb::Visit | Verb::Decline | Verb::Wait => return None,
        };
        let response = self.office.ask(&desk, method, &path, &body);
        if step.verb == Verb::HoldSolved
            && let Some(url) = json_of(&response)["url"].as_str()
            && let Some(place) = url.find("/r/")
        {
            self.links.push(url[place..].to_owned());
        }
        Some(self.note(&response))
    }
}
