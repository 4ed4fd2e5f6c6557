//! Clocks for complaints from before there were clocks, made from what is on record: the instants are those of the replies,
//! reviews, handoffs, tickets and revisits, so that a breach that happened then is found now.

use super::{ClockSubject, HeldClock};
use crate::app::App;
use crate::app::error::{AppError, AppResult};
use crate::workflow::clocks::{Clock, ClockEvent, ClockKind};
use crate::workflow::complaints::ComplaintClass;
use crate::workflow::limits::LimitClass;
use crate::workflow::replies::ReplyKind;
use crate::workflow::reviews::PlanKind;
use crate::workflow::tracking_tickets::TrackingTicketState;
use callout_storage::Tx;
use callout_storage::clocks::ClockOutcome;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::handoffs::Handoff;
use callout_storage::reviews::ReviewDecision;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::ComplaintId;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;

const FROM_RECORD: &str = "as on record 据历史记录补记";

/// What a clock went through before it was kept.
#[derive(Clone, Copy)]
struct Past {
    paused_at: Option<Timestamp>,
    stopped: Option<(Timestamp, ClockOutcome)>,
}

impl App {
    /// Makes a complaint's clocks from its record. The caller has found that it has none.
    pub(super) fn clock_back_fill(&self, tx: &mut Tx, id: ComplaintId) -> AppResult<()> {
        let Some(complaint) = tx.complaint_by_id(id)? else { return Ok(()) };
        let order = tx.work_order_by_complaint(id)?;
        let subject = match &order {
            Some(order) => ClockSubject::from(order),
            None => ClockSubject {
                complaint_id: id,
                work_order_id: None,
                region_id: complaint.region_id,
                utc_offset_minutes: self.utc_offset_of(tx, complaint.region_id)?,
            },
        };
        self.back_fill_answers(tx, &complaint, subject)?;
        self.back_fill_handling(tx, &complaint, order.as_ref(), subject)?;
        match order {
            Some(order) => self.back_fill_steps(tx, &order),
            None => Ok(()),
        }
    }

    fn back_filled(
        &self,
        tx: &mut Tx,
        subject: ClockSubject,
        (kind, key): (ClockKind, &str),
        mut clock: Clock,
        past: Past,
    ) -> AppResult<()> {
        if let Some(at) = past.paused_at {
            clock.record(at, ClockEvent::Paused, FROM_RECORD)?;
        }
        if let Some((at, _)) = past.stopped {
            clock.record(at, ClockEvent::Stopped, FROM_RECORD)?;
        }
        let rules = self.clock_rules(tx, subject.region_id)?;
        let mut held: HeldClock = self.clock_start(tx, subject, (kind, key), false, clock, &rules)?;
        if let Some((_, outcome)) = past.stopped {
            held.record.outcome = Some(outcome);
            held.record.time_by_stage = self.clock_time_by_stage(tx, &held, &rules)?;
        }
        self.clock_save(tx, &mut held, &rules)
    }

    fn back_fill_answers(&self, tx: &mut Tx, complaint: &Complaint, subject: ClockSubject) -> AppResult<()> {
        let first_reply = tx.reply_list_by_complaint(complaint.id)?.first().map(|reply| reply.created_at);
        let stopped = match (first_reply, complaint.state) {
            (Some(at), _) => Some((at, ClockOutcome::Met)),
            (
                None,
                ComplaintState::Received
                | ComplaintState::InProgress
                | ComplaintState::Linked
                | ComplaintState::Contested,
            ) => None,
            (None, ComplaintState::Withdrawn) => Some((complaint.updated_at, ClockOutcome::Moot)),
            (
                None,
                ComplaintState::Answered
                | ComplaintState::Refused
                | ComplaintState::Resolved
                | ComplaintState::Unresolved,
            ) => Some((complaint.updated_at, ClockOutcome::Met)),
        };
        let past = Past { paused_at: None, stopped };
        let limits = self.clock_rules(tx, subject.region_id)?.limits;
        let first = limits.first_response_clock(complaint.received_at);
        self.back_filled(tx, subject, (ClockKind::FirstResponse, ""), first, past)?;
        let channel = complaint.channel.as_str().parse().map_err(AppError::internal)?;
        match limits.higher_door_clock(channel, complaint.received_at) {
            Some(clock) => self.back_filled(tx, subject, (ClockKind::HigherDoor, channel.as_str()), clock, past),
            None => Ok(()),
        }
    }

    fn back_fill_handling(
        &self,
        tx: &mut Tx,
        complaint: &Complaint,
        order: Option<&WorkOrder>,
        subject: ClockSubject,
    ) -> AppResult<()> {
        let Some(class) = complaint.class else { return Ok(()) };
        let class: ComplaintClass = class.as_str().parse().map_err(AppError::internal)?;
        let class = LimitClass::of_complaint(class);
        let replies = tx.reply_list_by_complaint(complaint.id)?;
        let replied_at = |kind: ReplyKind| replies.iter().rev().find(|r| r.kind == kind.as_str()).map(|r| r.created_at);
        let past = match order {
            None => Past { paused_at: None, stopped: Some((complaint.updated_at, ClockOutcome::Met)) },
            Some(order) => match order.state {
                WorkOrderState::AwaitingRevisit => {
                    let asked = tx.revisit_list_by_work_order(order.id)?;
                    let at = asked.last().map_or(order.updated_at, |revisit| revisit.created_at);
                    Past { paused_at: Some(at), stopped: None }
                }
                WorkOrderState::Resolved => {
                    let at = replied_at(ReplyKind::FinalResolved).unwrap_or(order.updated_at);
                    Past { paused_at: None, stopped: Some((at, ClockOutcome::Met)) }
                }
                WorkOrderState::Unresolved => {
                    let at = replied_at(ReplyKind::FinalUnresolved).unwrap_or(order.updated_at);
                    Past { paused_at: None, stopped: Some((at, ClockOutcome::Met)) }
                }
                WorkOrderState::Withdrawn => {
                    Past { paused_at: None, stopped: Some((order.updated_at, ClockOutcome::Moot)) }
                }
                _ => Past { paused_at: None, stopped: None },
            },
        };
        let limits = self.clock_rules(tx, subject.region_id)?.limits;
        let clock = limits.handling_clock(class, false, complaint.received_at);
        self.back_filled(tx, subject, (ClockKind::Handling, class.as_str()), clock, past)
    }

    /// The review that is due, the plan of the last approval, the tracking ticket.
    fn back_fill_steps(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<()> {
        let subject = ClockSubject::from(order);
        let rules = self.clock_rules(tx, order.region_id)?;
        if order.state == WorkOrderState::Submitted {
            let clock = rules.limits.review_clock(order.updated_at, false);
            self.back_filled(tx, subject, (ClockKind::Review, ""), clock, Past { paused_at: None, stopped: None })?;
        }
        let reviews = tx.review_list_by_work_order(order.id)?;
        let approval = reviews.iter().rev().find(|review| review.decision == ReviewDecision::Approve);
        let plan = approval.and_then(|review| Some((review, review.rung.as_deref()?.parse::<PlanKind>().ok()?)));
        if let Some((review, kind)) = plan {
            let offset = order.utc_offset_minutes;
            let handoffs = tx.handoff_list_by_work_order(order.id)?;
            let passed_on = handoffs.iter().find(|handoff: &&Handoff| handoff.created_at >= review.created_at);
            let stopped = match (passed_on, order.state) {
                (Some(handoff), _) => Some((handoff.created_at, ClockOutcome::Met)),
                (None, WorkOrderState::Resolved | WorkOrderState::Withdrawn) => {
                    Some((order.updated_at, ClockOutcome::Moot))
                }
                (None, _) => None,
            };
            if let Some(clock) = rules.limits.plan_clock(kind, false, review.created_at, &rules.calendar, offset) {
                let past = Past { paused_at: None, stopped };
                self.back_filled(tx, subject, (ClockKind::Plan, kind.as_str()), clock, past)?;
            }
        }
        let Some(ticket) = tx.tracking_ticket_by_work_order(order.id)? else { return Ok(()) };
        let state: TrackingTicketState = ticket.state.parse().map_err(AppError::internal)?;
        let past = match state {
            TrackingTicketState::Open => Past { paused_at: None, stopped: None },
            TrackingTicketState::AwaitingRevisit => Past { paused_at: Some(ticket.updated_at), stopped: None },
            TrackingTicketState::Closed => Past {
                paused_at: None,
                stopped: Some((ticket.closed_at.unwrap_or(ticket.updated_at), ClockOutcome::Met)),
            },
        };
        let clock = rules.limits.tracking_clock(ticket.opened_at, false);
        self.back_filled(tx, subject, (ClockKind::Tracking, ""), clock, past)
    }
}
