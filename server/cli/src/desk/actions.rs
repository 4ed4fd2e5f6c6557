//! What a desk can do, one function an endpoint, named as the server's own functions are.

use super::views::{Ladder, List};
use super::{
    Complaint, Desk, DeskResult, FieldTest, Handoff, LadderStep, Quarantined, Reply, Revisit, TimelineEntry,
    TrackingTicket, User, WorkOrder,
};
use serde_json::{Value, json};
use uuid::Uuid;

impl Desk {
    /// Makes a user.
    ///
    /// # Errors
    /// Any [`super::DeskError`]; so for all functions here.
    pub fn user_create(
        &self,
        name: &str,
        password: &str,
        roles: &[&str],
        regions: Option<&[Uuid]>,
    ) -> DeskResult<User> {
        self.post(
            "/v1/users",
            &json!({
                "user_name": name, "display_name": name, "password": password, "roles": roles,
                "all_regions": regions.is_none(), "region_ids": regions.unwrap_or_default(),
            }),
        )
    }

    /// Makes a region and says its id.
    pub fn region_create(&self, name: &str, utc_offset_minutes: i16, polygon: &Value) -> DeskResult<Uuid> {
        #[derive(serde::Deserialize)]
        struct Feature {
            id: Uuid,
        }
        let feature: Feature = self.post(
            "/v1/regions",
            &json!({
                "type": "Feature",
                "geometry": polygon,
                "properties": { "name": name, "utc_offset_minutes": utc_offset_minutes },
            }),
        )?;
        Ok(feature.id)
    }

    /// Pushes a complaint in; sent again with the same reference, it is the same complaint.
    pub fn complaint_create(&self, complaint: &Value) -> DeskResult<Complaint> {
        self.post("/v1/complaints", complaint)
    }

    /// One complaint.
    pub fn complaint_show(&self, id: Uuid) -> DeskResult<Complaint> {
        self.get(&format!("/v1/complaints/{id}"))
    }

    /// A network complaint: makes the work order.
    pub fn complaint_classify_network(&self, id: Uuid) -> DeskResult<Complaint> {
        self.post(&format!("/v1/complaints/{id}/classify"), &json!({ "class": "network" }))
    }

    /// A business complaint: answered at once, no order.
    pub fn complaint_answer_business(&self, id: Uuid, answer: &str) -> DeskResult<Complaint> {
        self.post(&format!("/v1/complaints/{id}/classify"), &json!({ "class": "business", "answer": answer }))
    }

    /// Gives the order its exact place; coordinates in degrees.
    pub fn work_order_locate(&self, id: Uuid, address: &str, latitude: f64, longitude: f64) -> DeskResult<WorkOrder> {
        self.post(
            &format!("/v1/work-orders/{id}/locate"),
            &json!({ "address": address, "position": { "latitude": latitude, "longitude": longitude } }),
        )
    }

    /// Sends the order to a tester.
    pub fn work_order_dispatch(&self, id: Uuid, tester: Uuid) -> DeskResult<WorkOrder> {
        self.post(&format!("/v1/work-orders/{id}/dispatch"), &json!({ "tester_id": tester }))
    }

    /// Gives the order to another tester.
    pub fn work_order_reassign(&self, id: Uuid, tester: Uuid, reason: &str) -> DeskResult<WorkOrder> {
        self.post(&format!("/v1/work-orders/{id}/reassign"), &json!({ "tester_id": tester, "reason": reason }))
    }

    /// Takes the order back.
    pub fn work_order_withdraw(&self, id: Uuid, reason: &str) -> DeskResult<WorkOrder> {
        self.post(&format!("/v1/work-orders/{id}/withdraw"), &json!({ "reason": reason }))
    }

    /// One order.
    pub fn work_order_show(&self, id: Uuid) -> DeskResult<WorkOrder> {
        self.get(&format!("/v1/work-orders/{id}"))
    }

    /// All orders in the desk's regions.
    pub fn work_order_list(&self) -> DeskResult<Vec<WorkOrder>> {
        self.get_all("/v1/work-orders")
    }

    /// Everything that happened to an order, oldest first.
    pub fn work_order_timeline(&self, id: Uuid) -> DeskResult<Vec<TimelineEntry>> {
        self.get_all(&format!("/v1/work-orders/{id}/timeline"))
    }

    /// The order's tests, quarantined ones included.
    pub fn field_test_list(&self, order: Uuid) -> DeskResult<Vec<FieldTest>> {
        let list: List<FieldTest> = self.get(&format!("/v1/work-orders/{order}/field-tests"))?;
        Ok(list.items)
    }

    /// One test.
    pub fn field_test_show(&self, id: Uuid) -> DeskResult<FieldTest> {
        self.get(&format!("/v1/field-tests/{id}"))
    }

    /// One operator's samples of a test as CSV, decoded by the server from the stored blocks.
    pub fn field_test_samples(&self, id: Uuid, operator: &str) -> DeskResult<String> {
        let answer = self.send("GET", &format!("/v1/field-tests/{id}/samples?operator={operator}"), &[], &[])?;
        Ok(answer.accepted()?.text())
    }

    /// Approves a test, with the plan; `kind` is that of the cure: `optimise`, `fault`, `retrofit` or `build`.
    pub fn field_test_approve(&self, id: Uuid, quick_relief: &str, cure: &str, kind: &str) -> DeskResult<FieldTest> {
        self.post(
            &format!("/v1/field-tests/{id}/review"),
            &json!({ "decision": "approve", "quick_relief": quick_relief, "cure": cure, "kind": kind }),
        )
    }

    /// Approves a test that lacks evidence, and says why it is good enough.
    pub fn field_test_approve_lacking(
        &self,
        id: Uuid,
        quick_relief: &str,
        cure: &str,
        kind: &str,
        because: &str,
    ) -> DeskResult<FieldTest> {
        self.post(
            &format!("/v1/field-tests/{id}/review"),
            &json!({
                "decision": "approve", "quick_relief": quick_relief, "cure": cure, "kind": kind,
                "evidence_accepted_because": because,
            }),
        )
    }

    /// Sends a test back.
    pub fn field_test_send_back(&self, id: Uuid, reasons: &[&str]) -> DeskResult<FieldTest> {
        self.post(&format!("/v1/field-tests/{id}/review"), &json!({ "decision": "send_back", "reasons": reasons }))
    }

    /// Hands an order over to the branch (`branch`) or to maintenance (`maintenance`).
    pub fn handoff_create(&self, order: Uuid, target: &str, demand: &str) -> DeskResult<Handoff> {
        self.post(&format!("/v1/work-orders/{order}/handoffs"), &json!({ "target": target, "demand": demand }))
    }

    /// Answers a handoff; `outcome` is `done`, `planned`, `not_possible` or `wrong_addressee`.
    pub fn handoff_answer(&self, id: Uuid, outcome: &str, answer: &str) -> DeskResult<Handoff> {
        self.post(&format!("/v1/handoffs/{id}/answer"), &json!({ "outcome": outcome, "answer": answer }))
    }

    /// The twelve steps of an order's ladder.
    pub fn ladder_show(&self, order: Uuid) -> DeskResult<Vec<LadderStep>> {
        let ladder: Ladder = self.get(&format!("/v1/work-orders/{order}/ladder"))?;
        Ok(ladder.steps)
    }

    /// Records what came of a step; the evidence is a document's number or words.
    pub fn ladder_record(
        &self,
        order: Uuid,
        step: u32,
        outcome: &str,
        evidence: &str,
        reason: &str,
    ) -> DeskResult<Vec<LadderStep>> {
        let body = json!({
            "outcome": outcome, "evidence": [{ "kind": "reference", "value": evidence }], "reason": reason,
        });
        let answer = self.try_json("PUT", &format!("/v1/work-orders/{order}/ladder/{step}"), &body)?;
        Ok(answer.read::<Ladder>()?.steps)
    }

    /// A stage reply to customer service.
    pub fn reply_stage(&self, order: Uuid, body: &str, next_step: &str) -> DeskResult<Reply> {
        self.post(
            &format!("/v1/work-orders/{order}/replies"),
            &json!({ "kind": "stage", "body": body, "next_step": next_step }),
        )
    }

    /// The final reply that the problem is not solved; opens the tracking ticket.
    pub fn reply_unresolved(&self, order: Uuid, body: &str) -> DeskResult<Reply> {
        self.post(
            &format!("/v1/work-orders/{order}/replies"),
            &json!({ "kind": "final", "outcome": "unresolved", "body": body }),
        )
    }

    /// Holds an order (or its open tracking ticket) to be solved, and asks the customer.
    pub fn revisit_create(&self, order: Uuid, what_was_done: &str) -> DeskResult<Revisit> {
        self.post(&format!("/v1/work-orders/{order}/revisits"), &json!({ "what_was_done": what_was_done }))
    }

    /// Records a revisit by phone.
    pub fn revisit_record(&self, id: Uuid, solved: bool, score: u8, words: &str) -> DeskResult<Revisit> {
        self.post(&format!("/v1/revisits/{id}/answer"), &json!({ "solved": solved, "score": score, "words": words }))
    }

    /// One tracking ticket.
    pub fn tracking_ticket_show(&self, id: Uuid) -> DeskResult<TrackingTicket> {
        self.get(&format!("/v1/tracking-tickets/{id}"))
    }

    /// All tracking tickets in the desk's regions.
    pub fn tracking_ticket_list(&self) -> DeskResult<Vec<TrackingTicket>> {
        self.get_all("/v1/tracking-tickets")
    }

    /// What is kept but does not count.
    pub fn quarantine_list(&self) -> DeskResult<Vec<Quarantined>> {
        self.get_all("/v1/quarantine")
    }
}
