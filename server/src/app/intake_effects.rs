//! What follows of an intake's decision: linking to the open case, chasing or reopening it, escalating (R-INTAKE-3, R-INTAKE-9, R-RETURN-4,
//! R-RETURN-5); and how those that are dealt with under a complaint follow it.
//!
//! What does not belong here: the decision (`intakes`, `workflow::complaints`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::intakes::{Decided, Past};
use crate::workflow::complaints::{ComplaintRelation, IntakeDecision, PastStanding};
use crate::workflow::escalations::{EscalationCause, EscalationLevel, intake_escalations};
use crate::workflow::tracking_tickets::{TrackingTicketCommand, TrackingTicketState};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderFacts};
use callout_storage::Tx;
use callout_storage::chases::Chase;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::intakes::Intake;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{ComplaintId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{Urgency, WorkOrderState};
use serde_json::json;

impl App {
    /// Does what was decided: links the complaint to the case that is open for it, chases or reopens that case, opens escalations.
    pub(crate) fn intake_apply(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        complaint: &mut Complaint,
        intake: &mut Intake,
        decided: &Decided,
    ) -> AppResult<()> {
        let decision = &decided.decision;
        let (mut coordinated, mut failed_handlings) = (false, 0);
        if let Some(related) = &decided.related {
            let mut order = match related.order_id {
                Some(id) => tx.work_order_lock(id)?,
                None => None,
            };
            let mut is_open = matches!(related.past.standing, PastStanding::Open { .. });
            if let Some(order) = &mut order {
                is_open = self.complained_again(tx, caller, order, complaint.id, decision.is_false_return)?;
                // A ticket counts on a copy of its own.
                failed_handlings = tx.work_order_by_id(order.id)?.map_or(0, |order| order.false_return_count);
            }
            if is_open {
                self.complaint_link(tx, complaint, intake, related)?;
                self.case_chase(tx, caller, complaint, related, order.as_mut(), decision)?;
                if let Some(order) =
                    order.as_mut().filter(|order| !order.state.is_final() && decision.needs_coordination)
                {
                    coordinated = self.order_coordinate(tx, caller, order, decided)?;
                }
            }
        }
        for (level, cause) in intake_escalations(&decided.incoming, decision) {
            if !(coordinated && level == EscalationLevel::Coordination) {
                self.escalation_open(tx, None, complaint.id, (level, cause), "")?;
            }
        }
        let policy = self.intake_policy(tx, complaint)?;
        let lead = intake.handled_under_id.unwrap_or(complaint.id);
        self.major_detect(tx, caller, lead, failed_handlings, intake, &policy)
    }

    /// The customer of an order complains of the same thing again (R-RETURN-4). Says whether the case is open afterwards.
    fn complained_again(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        order: &mut WorkOrder,
        by: ComplaintId,
        is_false_return: bool,
    ) -> AppResult<bool> {
        let detail = json!({ "complaint_id": by });
        let reopens = match order.state {
            WorkOrderState::Resolved => is_false_return,
            // The customer answers the revisit by complaining.
            WorkOrderState::AwaitingRevisit => true,
            WorkOrderState::Unresolved => {
                let Some(ticket) = tx.tracking_ticket_by_work_order(order.id)? else { return Ok(false) };
                if ticket.state == TrackingTicketState::Closed.as_str() && !is_false_return {
                    return Ok(false);
                }
                self.tracking_ticket_command(tx, Some(caller), order, ticket, &TrackingTicketCommand::ComplainedAgain)?;
                return Ok(true);
            }
            WorkOrderState::Withdrawn => return Ok(false),
            _ => return Ok(true),
        };
        if reopens {
            let resolved_at = self.resolved_at(tx, order)?;
            let facts = WorkOrderFacts { resolved_at, ..self.work_order_facts(tx, order)? };
            self.work_order_command(tx, Some(caller), order, &WorkOrderCommand::ComplainedAgain, &facts, detail)?;
        }
        Ok(reopens)
    }

    fn complaint_link(
        &self,
        tx: &mut Tx,
        complaint: &mut Complaint,
        intake: &mut Intake,
        related: &Past,
    ) -> AppResult<()> {
        if complaint.state != ComplaintState::Received {
            // T1 made an order of its own of it before; the relation is told, the order stays.
            return Ok(());
        }
        let lead = tx.complaint_by_id(related.lead.id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        intake.handled_under_id = Some(lead.id);
        tx.intake_update(intake)?;
        complaint.state = ComplaintState::Linked;
        complaint.class = lead.class;
        complaint.region_id = lead.region_id.or(complaint.region_id);
        complaint.updated_at = self.env.now();
        tx.complaint_update(complaint)?;
        self.kpi_touch(tx, complaint.id)?;
        Ok(())
    }

    /// A supplementary complaint chases the open case and brings it what it lacks; a higher door raises its urgency (R-ROUTE-4,
    /// R-INTAKE-9).
    fn case_chase(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        complaint: &Complaint,
        related: &Past,
        order: Option<&mut WorkOrder>,
        decision: &IntakeDecision,
    ) -> AppResult<()> {
        let adds = matches!(decision.relation, ComplaintRelation::Supplementary { .. });
        if adds {
            self.facts_bring(tx, complaint, related.lead.id)?;
        }
        let wanted = if adds { decision.urgency.max(Urgency::Urgent) } else { decision.urgency };
        match order {
            Some(order) if !order.state.is_final() => {
                if adds || wanted > order.urgency {
                    let detail = json!({ "complaint_id": complaint.id, "channel": complaint.channel.as_str(), "adds_facts": adds });
                    let note = adds.then(|| complaint.description.clone());
                    if let Some(note) = &note {
                        self.chase_note(tx, caller, complaint, order.id, wanted, note)?;
                    }
                    let command = WorkOrderCommand::Chase { urgency: Some(wanted), note };
                    let facts = self.work_order_facts(tx, order)?;
                    self.work_order_command(tx, Some(caller), order, &command, &facts, detail)?;
                }
            }
            Some(order) => {
                if adds && let Some(ticket) = tx.tracking_ticket_by_work_order(order.id)? {
                    let note = format!("supplemented by complaint {}", complaint.reference);
                    self.tracking_ticket_command(
                        tx,
                        Some(caller),
                        order,
                        ticket,
                        &TrackingTicketCommand::Chase { note },
                    )?;
                }
            }
            None => {
                if let Some(mut lead) = tx.intake_lock(related.lead.id)?.filter(|lead| lead.urgency < wanted) {
                    lead.urgency = wanted;
                    tx.intake_update(&mut lead)?;
                }
            }
        }
        Ok(())
    }

    /// The words of a supplementary complaint stand with the order's chases, which travel to its tester's phone.
    fn chase_note(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        complaint: &Complaint,
        order_id: WorkOrderId,
        urgency: Urgency,
        note: &str,
    ) -> AppResult<()> {
        tx.chase_insert(&Chase {
            id: self.env.id(),
            work_order_id: order_id,
            tracking_ticket_id: None,
            source_id: caller.user_id,
            reference: format!("complaint {}", complaint.id),
            content_digest: complaint.content_digest,
            urgency: Some(urgency),
            note: Some(note.to_owned()),
            created_at: self.env.now(),
        })?;
        Ok(())
    }

    /// What a supplementary complaint tells and the open one lacks goes to the open one; what that one has stays as it was said.
    fn facts_bring(&self, tx: &mut Tx, complaint: &Complaint, lead_id: ComplaintId) -> AppResult<()> {
        let mut lead = tx.complaint_lock(lead_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        let mut brought: Vec<&str> = Vec::new();
        if lead.position().is_none() && complaint.position().is_some() {
            lead.latitude_e6 = complaint.latitude_e6;
            lead.longitude_e6 = complaint.longitude_e6;
            brought.push("position");
            if let Some(mut intake) = tx.intake_lock(lead_id)? {
                intake.place(lead.latitude_e6, lead.longitude_e6);
                tx.intake_update(&mut intake)?;
            }
        }
        for (name, to, from) in
            [("address", &mut lead.address, &complaint.address), ("occurs", &mut lead.occurs, &complaint.occurs)]
        {
            if to.is_empty() && !from.is_empty() {
                to.clone_from(from);
                brought.push(name);
            }
        }
        if lead.generation.is_none() && complaint.generation.is_some() {
            lead.generation = complaint.generation;
            brought.push("generation");
        }
        if lead.neighbours_affected.is_none() && complaint.neighbours_affected.is_some() {
            lead.neighbours_affected = complaint.neighbours_affected;
            brought.push("neighbours_affected");
        }
        if !brought.is_empty() {
            lead.updated_at = self.env.now();
            tx.complaint_update(&mut lead)?;
            self.kpi_touch(tx, lead.id)?;
        }
        let draft = EventDraft::new(Subject::Complaint(lead_id), "complaint_supplemented");
        self.event_append(tx, draft.detail(json!({ "by_complaint_id": complaint.id, "brought": brought })))
    }

    /// Raises the order to coordination at once (R-RETURN-5), unless somebody coordinates it already.
    fn order_coordinate(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        order: &mut WorkOrder,
        decided: &Decided,
    ) -> AppResult<bool> {
        let cause = intake_escalations(&decided.incoming, &decided.decision)
            .into_iter()
            .find(|(level, _)| *level == EscalationLevel::Coordination)
            .map_or(EscalationCause::SeveralChannels, |(_, cause)| cause);
        let known = tx.escalation_list_by_complaint(order.complaint_id)?;
        let level = EscalationLevel::Coordination;
        if known.iter().any(|known| known.closed_at.is_none() && known.level == level.as_str()) {
            return Ok(true);
        }
        let command = WorkOrderCommand::RaiseToCoordination { reason: cause.name_zh().to_owned() };
        let facts = self.work_order_facts(tx, order)?;
        self.work_order_command(tx, Some(caller), order, &command, &facts, json!({ "cause": cause }))?;
        self.escalation_open(tx, None, order.complaint_id, (level, cause), "")?;
        Ok(true)
    }

    /// The complaint's place became better known (R-LOCATE-1).
    pub(crate) fn intake_place(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<()> {
        if let Some(mut intake) = tx.intake_lock(order.complaint_id)? {
            intake.place(order.latitude_e6, order.longitude_e6);
            tx.intake_update(&mut intake)?;
        }
        Ok(())
    }

    /// Those that are dealt with under a complaint follow it: they end with it, are open again with it, and stand alone again when
    /// customer service takes its order back.
    pub(crate) fn linked_follow(&self, tx: &mut Tx, lead: &Complaint, now: Timestamp) -> AppResult<()> {
        let state = match lead.state {
            ComplaintState::Resolved | ComplaintState::Unresolved => lead.state,
            ComplaintState::Withdrawn => ComplaintState::Received,
            _ => ComplaintState::Linked,
        };
        for mut linked in tx.complaint_list_handled_under(lead.id)? {
            if state == ComplaintState::Received
                && let Some(mut intake) = tx.intake_lock(linked.id)?
            {
                intake.handled_under_id = None;
                tx.intake_update(&mut intake)?;
                linked.class = None;
            }
            linked.state = state;
            linked.region_id = lead.region_id.or(linked.region_id);
            linked.updated_at = now;
            tx.complaint_update(&mut linked)?;
            self.kpi_touch(tx, linked.id)?;
        }
        Ok(())
    }
}
