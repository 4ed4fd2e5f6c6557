//! Work orders at the desks: one executor for every desk command, and what the desks see.
//!
//! [`App::work_order_command`] asks the pure `workflow::work_orders`, performs the effects and leaves the trail; the other nouns
//! (reviews, handoffs, replies, revisits) call it too and add their own record. What does not belong here: the rules, and the
//! tester's commands (`sync`).

use super::App;
use super::access::Caller;
use super::complaints::contact_needed;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::dispatches::{DispatchPolicy, DispatchState};
use crate::workflow::handoffs::HandoffState;
use crate::workflow::places::Place;
use crate::workflow::tracking_tickets::TrackingTicketState;
use crate::workflow::work_orders::{
    WorkOrderCommand, WorkOrderEffect, WorkOrderFacts, WorkOrderPolicy, work_order_transition,
};
use callout_storage::arrivals::Arrival;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::dispatches::Dispatch;
use callout_storage::events::Event;
use callout_storage::reviews::ReviewDecision;
use callout_storage::tracking_tickets::TrackingTicket;
use callout_storage::work_orders::{WorkOrder, WorkOrderFilter};
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{RegionId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, NetworkGeneration, WorkOrderState};
use serde_json::{Value, json};
use std::collections::HashMap;

/// An order with what belongs to it, as a caller may see it.
#[derive(Clone, Debug)]
pub struct WorkOrderSeen {
    /// The order.
    pub order: WorkOrder,
    /// Its complaint.
    pub complaint: Complaint,
    /// Its tracking ticket, if one opened.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// Whether this caller may see who the customer is.
    pub shows_contact: bool,
    /// How the visit stands.
    pub visit: VisitStanding,
}

/// How an order's visit stands beside the order's own state.
#[derive(Clone, Debug, Default)]
pub struct VisitStanding {
    /// A junior's dispatch that waits for a senior's check (R-ROUTE-5).
    pub proposal: Option<Dispatch>,
    /// The last dispatch, when its tester declined it and nobody was sent since.
    pub declined: Option<Dispatch>,
    /// The last arrival (R-VISIT-1).
    pub arrival: Option<Arrival>,
}

/// What T1 found out about the place and the problem (R-LOCATE-1, R-LOCATE-2).
#[derive(Clone, Debug)]
pub struct Location {
    /// Exact address and coordinates.
    pub place: Place,
    /// Which network generation, if known now.
    pub generation: Option<NetworkGeneration>,
    /// When it appears, if known now.
    pub occurs: Option<String>,
    /// Whether people nearby suffer too, if known now.
    pub neighbours_affected: Option<bool>,
}

impl App {
    /// Loads and locks an order that the caller may work on.
    ///
    /// # Errors
    /// `not-found` for what does not exist and for what lies outside the caller's regions alike.
    pub(crate) fn work_order_for(&self, tx: &mut Tx, caller: &Caller, id: WorkOrderId) -> AppResult<WorkOrder> {
        let scope = self.caller_scope(tx, caller)?;
        tx.work_order_lock(id)?
            .filter(|order| scope.contains(order.region_id))
            .ok_or_else(|| AppError::not_found("work order"))
    }

    /// What the judge must know of an order; the caller of it adds what the command needs.
    pub(crate) fn work_order_facts(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<WorkOrderFacts> {
        let has_approved_test =
            tx.review_list_by_work_order(order.id)?.iter().any(|review| review.decision == ReviewDecision::Approve);
        Ok(WorkOrderFacts {
            region_id: order.region_id,
            assignee: order.assigned_to,
            has_current_test: order.field_test_id.is_some(),
            has_approved_test,
            proposed_tester: self.proposed_tester(tx, order.id)?,
            urgency: order.urgency,
            waits_for_customer: self.clock_waits_for_customer(tx, order)?,
            resolved_at: self.work_order_resolved_at(tx, order)?,
            ..WorkOrderFacts::at(self.env.now())
        })
    }

    /// Judges a desk's command, performs its effects on the order, saves, and appends the event. `detail` goes into the event; its
    /// field `reason`, if there is one, is a person's words and becomes the event's reason, which can be erased (R-PRIVACY-1).
    ///
    /// # Errors
    /// The rejection of the rules; nothing has changed then.
    pub(crate) fn work_order_command(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        order: &mut WorkOrder,
        command: &WorkOrderCommand,
        facts: &WorkOrderFacts,
        mut detail: Value,
    ) -> AppResult<Vec<WorkOrderEffect>> {
        let given_reason = match detail.as_object_mut().and_then(|fields| fields.remove("reason")) {
            Some(Value::String(reason)) => Some(reason),
            _ => None,
        };
        let before = order.clone();
        let policy = self.work_order_policy(tx, order.region_id, command)?;
        let transition = work_order_transition(order.state, command, facts, &policy)?;
        let now = self.env.now();
        for effect in &transition.effects {
            self.work_order_effect(tx, order, effect, command, now)?;
        }
        self.clocks_follow(tx, order, command, &transition.effects, transition.state)?;
        order.state = transition.state;
        order.updated_at = now;
        tx.work_order_update(order)?;
        self.complaint_follow(tx, order, now)?;
        self.dispatch_follow(tx, caller, order, command, &transition.effects)?;
        self.consequences_follow(tx, caller, order, command, &transition.effects)?;
        self.kpi_touch(tx, order.complaint_id)?;
        self.work_order_feed(tx, &before, order, &transition.effects, now)?;
        let effects: Vec<String> = transition.effects.iter().map(|effect| format!("{effect:?}")).collect();
        let draft = EventDraft::new(Subject::WorkOrder(order.id), command.kind()).detail(json!({
            "from": before.state, "to": order.state, "effects": effects, "facts": detail,
        }));
        let draft = match caller {
            Some(caller) => draft.by(caller),
            None => draft,
        };
        let draft = match command {
            WorkOrderCommand::Reassign { reason, .. }
            | WorkOrderCommand::Withdraw { reason }
            | WorkOrderCommand::RaiseToCoordination { reason } => draft.reason(reason),
            WorkOrderCommand::ReviewSendBack { reasons } => draft.reason(reasons.join("; ")),
            WorkOrderCommand::DispatchCheck { reason: Some(reason), .. } => draft.reason(reason),
            _ => draft,
        };
        let draft = given_reason.into_iter().fold(draft, EventDraft::reason);
        self.event_append(tx, draft)?;
        if before.state != order.state {
            let moved = json!({ "command": command.kind(), "from": before.state, "to": order.state });
            self.major_tell(tx, order.complaint_id, moved)?;
        }
        Ok(transition.effects)
    }

    fn work_order_effect(
        &self,
        tx: &mut Tx,
        order: &mut WorkOrder,
        effect: &WorkOrderEffect,
        command: &WorkOrderCommand,
        now: Timestamp,
    ) -> AppResult<()> {
        use WorkOrderEffect as E;
        match effect {
            E::PlaceSet => {
                if let WorkOrderCommand::Locate(place) = command {
                    order.address = place.address.trim().to_owned();
                    order.latitude_e6 = Some(place.position.latitude_e6);
                    order.longitude_e6 = Some(place.position.longitude_e6);
                    if let Some(region) = self.region_at(tx, place.position)? {
                        order.region_id = Some(region.id);
                        order.utc_offset_minutes = region.utc_offset_minutes;
                    }
                }
            }
            E::Assigned(tester) => {
                order.assigned_to = Some(*tester);
                order.assigned_at = Some(now);
                // What was promised to the customer stands, whoever goes; what is over is over.
                if order.appointment_until.is_some_and(|until| until <= now) {
                    order.appointment_from = None;
                    order.appointment_until = None;
                }
                order.photo_consent = None;
                order.return_reasons = vec![];
            }
            E::Unassigned(_) => {
                order.assigned_to = None;
                order.assigned_at = None;
            }
            E::CurrentTestReleased => order.field_test_id = None,
            E::AppointmentSet => {
                if let WorkOrderCommand::SetAppointment(window) = command {
                    order.appointment_from = Some(window.from);
                    order.appointment_until = Some(window.until);
                }
            }
            E::UrgencyRaised(urgency) => order.urgency = *urgency,
            E::Reopened => order.reopened_count += 1,
            E::FalseReturnCounted => order.false_return_count += 1,
            E::ReviewRecorded => {
                order.return_reasons = match command {
                    WorkOrderCommand::ReviewSendBack { reasons } => reasons.clone(),
                    _ => vec![],
                };
            }
            E::TrackingTicketOpened => self.tracking_ticket_open(tx, order, now)?,
            E::RevisitsRevoked => self.revisits_revoke(tx, order.id)?,
            E::CaseLibraryOffered => self.case_offer(tx, order)?,
            E::HandoffCancelled => {
                tx.handoff_cancel_open(order.id, HandoffState::Open.as_str(), HandoffState::Cancelled.as_str())?;
            }
            // `clocks_follow` moves the clocks, all effects at once.
            E::ClockPaused | E::ClockResumed | E::ClockReopened | E::ClockStopped | E::PlanDeadlineStarted(_) => {}
            // Written by the noun that commands it, which has the words; or only told by the event.
            E::CustomerAsked
            | E::CustomerAnswerRecorded
            | E::DispatchProposed(_)
            | E::DispatchProposalDropped
            | E::WrongDispatchCounted
            | E::ChaseRecorded
            | E::CoordinationRaised
            | E::HandoffOpened(_)
            | E::HandoffClosed
            | E::ReplySent(_)
            | E::RevisitDue
            | E::FollowUpOpened => {}
        }
        Ok(())
    }

    /// What the rules leave to be set, as far as the command asks for it, as it holds in the order's region.
    fn work_order_policy(
        &self,
        tx: &mut Tx,
        region_id: Option<RegionId>,
        command: &WorkOrderCommand,
    ) -> AppResult<WorkOrderPolicy> {
        use WorkOrderCommand as C;
        let mut policy = WorkOrderPolicy::default();
        match command {
            C::Dispatch { .. } | C::DispatchCheck { .. } | C::Reassign { .. } => {
                policy.checks_junior_dispatch = self.policy::<DispatchPolicy>(tx, region_id)?.checks_junior_dispatch;
            }
            C::SetAppointment(_) => policy.appointments = self.policy(tx, region_id)?,
            C::AskCustomer { .. } | C::StageReply(_) | C::FinalReplyUnresolved(_) => {
                policy.forbidden_expressions = self.policy(tx, region_id)?
            }
            C::RevisitAnswered(_) => policy.revisit = self.policy(tx, region_id)?,
            C::ComplainedAgain => policy.false_return = self.policy(tx, region_id)?,
            C::Locate(_)
            | C::CustomerAnswered { .. }
            | C::Withdraw { .. }
            | C::Chase { .. }
            | C::RaiseToCoordination { .. }
            | C::ReviewApprove(_)
            | C::ReviewSendBack { .. }
            | C::HandOver { .. }
            | C::HandoffAnswer { .. }
            | C::HoldSolved { .. }
            | C::RevisitAgain => {}
        }
        Ok(policy)
    }

    /// What follows for people: a false return counts (R-RETURN-4), a low score is followed up (R-REVISIT-1).
    fn consequences_follow(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        order: &WorkOrder,
        command: &WorkOrderCommand,
        effects: &[WorkOrderEffect],
    ) -> AppResult<()> {
        if effects.contains(&WorkOrderEffect::FalseReturnCounted) {
            let has_answered = matches!(command, WorkOrderCommand::RevisitAnswered(_));
            self.appraisal_false_return(tx, caller, order, None, has_answered)?;
        }
        if effects.contains(&WorkOrderEffect::FollowUpOpened) {
            self.follow_up_open(tx, order, None)?;
        }
        Ok(())
    }

    fn tracking_ticket_open(&self, tx: &mut Tx, order: &WorkOrder, now: Timestamp) -> AppResult<()> {
        let number = self.number_next(tx, "TT", now)?;
        tx.tracking_ticket_insert(&TrackingTicket {
            id: self.env.id(),
            work_order_id: order.id,
            number,
            state: TrackingTicketState::Open.as_str().into(),
            region_id: order.region_id,
            opened_at: now,
            closed_at: None,
            version: 1,
            updated_at: now,
        })?;
        Ok(())
    }

    /// The next number that people say on the telephone: `WO-20261121-00042`.
    pub(crate) fn number_next(&self, tx: &mut Tx, prefix: &str, now: Timestamp) -> AppResult<String> {
        let day: String = now.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
        let count = tx.counter_next(&format!("{prefix}/{day}"))?;
        Ok(format!("{prefix}-{day}-{count:05}"))
    }

    /// A complaint follows its order's end.
    fn complaint_follow(&self, tx: &mut Tx, order: &WorkOrder, now: Timestamp) -> AppResult<()> {
        let state = match order.state {
            WorkOrderState::Withdrawn => ComplaintState::Withdrawn,
            WorkOrderState::Resolved => ComplaintState::Resolved,
            WorkOrderState::Unresolved => ComplaintState::Unresolved,
            _ => ComplaintState::InProgress,
        };
        let Some(mut complaint) = tx.complaint_by_id(order.complaint_id)? else { return Ok(()) };
        if complaint.state != state || complaint.region_id != order.region_id {
            complaint.state = state;
            complaint.region_id = order.region_id;
            complaint.updated_at = now;
            tx.complaint_update(&mut complaint)?;
            self.linked_follow(tx, &complaint, now)?;
            if complaint.state.is_final() {
                self.major_end(tx, complaint.id)?;
            }
        }
        Ok(())
    }

    /// Tells the phones concerned: the one that had the order, and the one that has it. Feed rows are locked in the testers' order.
    fn work_order_feed(
        &self,
        tx: &mut Tx,
        before: &WorkOrder,
        after: &WorkOrder,
        effects: &[WorkOrderEffect],
        now: Timestamp,
    ) -> AppResult<()> {
        let left = effects.iter().find_map(|effect| match effect {
            WorkOrderEffect::Unassigned(reason) => Some(*reason),
            _ => None,
        });
        let mut entries: Vec<(UserId, Option<LeftReason>)> = Vec::new();
        if let (Some(tester), Some(reason)) = (before.assigned_to, left) {
            entries.push((tester, Some(reason)));
        }
        if let Some(tester) = after.assigned_to {
            entries.push((tester, None));
        }
        entries.sort_by_key(|(tester, _)| *tester);
        for (tester, left) in entries {
            tx.feed_append(tester, after.id, left, now)?;
            self.push_owe(tx, tester)?;
        }
        Ok(())
    }

    /// How the visits of these orders stand; two queries for all.
    fn visit_standings(&self, tx: &mut Tx, ids: &[WorkOrderId]) -> AppResult<HashMap<WorkOrderId, VisitStanding>> {
        let mut standings: HashMap<WorkOrderId, VisitStanding> = HashMap::new();
        // Oldest first: a later dispatch takes the place of an earlier one.
        for dispatch in tx.dispatch_list_by_work_orders(ids)? {
            let standing = standings.entry(dispatch.work_order_id).or_default();
            (standing.proposal, standing.declined) = (None, None);
            if dispatch.state == DispatchState::Proposed.as_str() {
                standing.proposal = Some(dispatch);
            } else if dispatch.state == DispatchState::Declined.as_str() {
                standing.declined = Some(dispatch);
            }
        }
        for arrival in tx.arrival_list_by_work_orders(ids)? {
            let standing = standings.entry(arrival.work_order_id).or_default();
            standing.arrival = Some(arrival);
        }
        Ok(standings)
    }

    pub(super) fn work_order_seen(&self, tx: &mut Tx, caller: &Caller, order: WorkOrder) -> AppResult<WorkOrderSeen> {
        let complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        let tracking_ticket_id = tx.tracking_ticket_by_work_order(order.id)?.map(|ticket| ticket.id);
        let shows_contact = contact_needed(caller, &complaint);
        let visit = self.visit_standings(tx, &[order.id])?.remove(&order.id).unwrap_or_default();
        Ok(WorkOrderSeen { order, complaint, tracking_ticket_id, shows_contact, visit })
    }

    /// An order of the caller's regions.
    pub fn work_order_show(&self, caller: &Caller, id: WorkOrderId) -> AppResult<WorkOrderSeen> {
        self.storage.read("work_order_show", |tx| {
            let order = self.work_order_visible(tx, caller, id)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// Loads an order that the caller may read, without locking it.
    pub(crate) fn work_order_visible(&self, tx: &mut Tx, caller: &Caller, id: WorkOrderId) -> AppResult<WorkOrder> {
        let scope = self.caller_scope(tx, caller)?;
        tx.work_order_by_id(id)?
            .filter(|order| scope.contains(order.region_id))
            .ok_or_else(|| AppError::not_found("work order"))
    }

    /// Orders of the caller's regions, newest first.
    pub fn work_order_list(
        &self,
        caller: &Caller,
        mut filter: WorkOrderFilter,
        page: Page<WorkOrderId>,
    ) -> AppResult<Vec<WorkOrderSeen>> {
        self.storage.read("work_order_list", |tx| {
            filter.scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            let orders = tx.work_order_list(&filter, &page)?;
            let ids: Vec<WorkOrderId> = orders.iter().map(|(order, _)| order.id).collect();
            let tickets: HashMap<WorkOrderId, TrackingTicketId> =
                tx.tracking_ticket_ids_by_work_orders(&ids)?.into_iter().collect();
            let mut visits = self.visit_standings(tx, &ids)?;
            Ok(orders
                .into_iter()
                .map(|(order, complaint)| WorkOrderSeen {
                    visit: visits.remove(&order.id).unwrap_or_default(),
                    tracking_ticket_id: tickets.get(&order.id).copied(),
                    shows_contact: contact_needed(caller, &complaint),
                    order,
                    complaint,
                })
                .collect())
        })
    }

    /// Everything that happened to an order, oldest first (R-AUDIT-1).
    pub fn work_order_timeline(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        after: u64,
        limit: u32,
    ) -> AppResult<Vec<Event>> {
        self.storage.read("work_order_timeline", |tx| {
            self.work_order_visible(tx, caller, id)?;
            Ok(tx.event_list(Subject::WorkOrder(id).kind(), id.into(), after, limit)?)
        })
    }

    /// Names the exact place (R-LOCATE-1); finds the region (by the coordinates) and what else T1 learnt (R-LOCATE-2).
    pub fn work_order_locate(&self, caller: &Caller, id: WorkOrderId, location: &Location) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_locate", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let region = self.region_at(tx, location.place.position)?;
            let scope = self.caller_scope(tx, caller)?;
            if region.as_ref().is_some_and(|region| !scope.contains(Some(region.id))) {
                return Err(AppError::forbidden("position: lies in a region that is not yours"));
            }
            let facts = WorkOrderFacts {
                place_region_id: region.map(|region| region.id),
                ..self.work_order_facts(tx, &order)?
            };
            let command = WorkOrderCommand::Locate(location.place.clone());
            let detail =
                json!({ "region_id": facts.place_region_id, "neighbours_affected": location.neighbours_affected });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            self.complaint_enrich(tx, &order, location)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    fn complaint_enrich(&self, tx: &mut Tx, order: &WorkOrder, location: &Location) -> AppResult<()> {
        let mut complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        complaint.generation = location.generation.or(complaint.generation);
        complaint.neighbours_affected = location.neighbours_affected.or(complaint.neighbours_affected);
        if let Some(occurs) = &location.occurs {
            complaint.occurs.clone_from(occurs);
        }
        complaint.region_id = order.region_id;
        complaint.updated_at = self.env.now();
        tx.complaint_update(&mut complaint)?;
        self.intake_place(tx, order)
    }

    /// Takes the order back (R-ROUTE-4); doing it twice is as good as once.
    pub fn work_order_withdraw(&self, caller: &Caller, id: WorkOrderId, reason: &str) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_withdraw", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            if order.state != WorkOrderState::Withdrawn {
                let facts = self.work_order_facts(tx, &order)?;
                let command = WorkOrderCommand::Withdraw { reason: reason.to_owned() };
                self.work_order_command(tx, Some(caller), &mut order, &command, &facts, Value::Null)?;
            }
            self.work_order_seen(tx, caller, order)
        })
    }
}
