//! When clocks start, pause, go on and end: at intake, with the class, and by the effects of the orders' and tickets' rules.

use super::{ClockRules, ClockSubject, HeldClock};
use crate::app::App;
use crate::app::error::AppResult;
use crate::workflow::clocks::{ClockEvent, ClockKind, ClockStanding};
use crate::workflow::complaints::ComplaintClass;
use crate::workflow::handoffs::HandoffRecipient;
use crate::workflow::limits::LimitClass;
use crate::workflow::reviews::PlanKind;
use crate::workflow::tracking_tickets::TrackingTicketEffect;
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderEffect};
use callout_storage::Tx;
use callout_storage::clocks::ClockOutcome;
use callout_storage::complaints::Complaint;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::ComplaintId;
use callout_sync_protocol::work_orders::WorkOrderState;

const ANSWERED: &str = "the customer was answered 已答复客户";
const WITHDRAWN: &str = "withdrawn 已退单";
const PASSED_ON: &str = "passed on 已转派";

impl App {
    /// Starts what is owed from the moment of intake: the first response (R-INTAKE-5), and the answer through a higher door
    /// (R-INTAKE-9).
    pub(crate) fn clock_intake(&self, tx: &mut Tx, complaint: &Complaint) -> AppResult<()> {
        let subject = ClockSubject {
            complaint_id: complaint.id,
            work_order_id: None,
            region_id: complaint.region_id,
            utc_offset_minutes: self.utc_offset_of(tx, complaint.region_id)?,
        };
        let rules = self.clock_rules(tx, complaint.region_id)?;
        let first = rules.limits.first_response_clock(complaint.received_at);
        self.clock_start(tx, subject, (ClockKind::FirstResponse, ""), false, first, &rules)?;
        let channel = complaint.channel.as_str().parse().map_err(crate::app::error::AppError::internal)?;
        if let Some(clock) = rules.limits.higher_door_clock(channel, complaint.received_at) {
            self.clock_start(tx, subject, (ClockKind::HigherDoor, channel.as_str()), false, clock, &rules)?;
        }
        Ok(())
    }

    /// Starts the handling limit, counted from the complaint's reception, once the class is known (R-LIMIT-1); `limit_class` is
    /// given where it is known better than by the class. The complaint's earlier clocks become the order's too.
    pub(crate) fn clock_classified(
        &self,
        tx: &mut Tx,
        complaint: &Complaint,
        limit_class: Option<LimitClass>,
        order: Option<&WorkOrder>,
    ) -> AppResult<()> {
        let mut clocks = self.clocks_hold(tx, complaint.id)?;
        let subject = match order {
            Some(order) => ClockSubject::from(order),
            None => ClockSubject {
                complaint_id: complaint.id,
                work_order_id: None,
                region_id: complaint.region_id,
                utc_offset_minutes: self.utc_offset_of(tx, complaint.region_id)?,
            },
        };
        for held in clocks.iter_mut().filter(|held| held.record.work_order_id != subject.work_order_id) {
            held.record.work_order_id = subject.work_order_id;
            tx.clock_update(&mut held.record)?;
        }
        if clocks.iter().any(|held| held.kind == ClockKind::Handling) {
            return Ok(());
        }
        let class = match (limit_class, complaint.class) {
            (Some(class), _) => class,
            (None, Some(class)) => {
                let class: ComplaintClass = class.as_str().parse().map_err(crate::app::error::AppError::internal)?;
                LimitClass::of_complaint(class)
            }
            (None, None) => LimitClass::Other,
        };
        let is_major = Self::is_major(&clocks);
        let rules = self.clock_rules(tx, subject.region_id)?;
        let clock = rules.limits.handling_clock(class, is_major, complaint.received_at);
        self.clock_start(tx, subject, (ClockKind::Handling, class.as_str()), is_major, clock, &rules)?;
        Ok(())
    }

    /// Ends everything that a complaint without an order still owes: it was answered (`met`), or fell away (`moot`).
    pub(crate) fn clock_complaint_end(
        &self,
        tx: &mut Tx,
        complaint_id: ComplaintId,
        outcome: ClockOutcome,
        reason: &str,
    ) -> AppResult<()> {
        for mut held in self.clocks_hold(tx, complaint_id)? {
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_stop(tx, &mut held, outcome, reason, &rules)?;
        }
        Ok(())
    }

    /// The answer that a complaint without an order was given.
    pub(crate) fn clock_complaint_answered(&self, tx: &mut Tx, complaint_id: ComplaintId) -> AppResult<()> {
        self.clock_complaint_end(tx, complaint_id, ClockOutcome::Met, ANSWERED)
    }

    /// The customer does not accept a refusal, or the manager takes the complaint up after all: what was owed is owed again, on the
    /// old clocks (R-INTAKE-8).
    pub(crate) fn clock_complaint_reopen(&self, tx: &mut Tx, complaint_id: ComplaintId, reason: &str) -> AppResult<()> {
        for mut held in self.clocks_hold(tx, complaint_id)? {
            if !held.is_live() && matches!(held.kind, ClockKind::FirstResponse | ClockKind::HigherDoor) {
                let rules = self.clock_rules(tx, held.record.region_id)?;
                self.clock_record(tx, &mut held, ClockEvent::Reopened, reason, &rules)?;
            }
        }
        Ok(())
    }

    /// A plan was passed on by another way than a handoff: the demand went to the board (R-LIMIT-2, R-LADDER-3).
    pub(crate) fn clock_plan_met(&self, tx: &mut Tx, order: &WorkOrder, kind: PlanKind, reason: &str) -> AppResult<()> {
        for mut held in self.clocks_hold(tx, order.complaint_id)? {
            if held.kind == ClockKind::Plan && held.record.limit_key == kind.as_str() {
                let rules = self.clock_rules(tx, held.record.region_id)?;
                self.clock_stop(tx, &mut held, ClockOutcome::Met, reason, &rules)?;
            }
        }
        Ok(())
    }

    /// A test was submitted: the lead's limit begins (R-REVIEW-1). Every submission has its own.
    pub(crate) fn clock_review_start(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<()> {
        let mut clocks = self.clocks_hold(tx, order.complaint_id)?;
        // None is open, unless the order came out of a review by a way that told no clock.
        self.clocks_stop(tx, &mut clocks, &[ClockKind::Review], ClockOutcome::Replaced, "submitted anew 重新提交")?;
        let is_major = Self::is_major(&clocks);
        let rules = self.clock_rules(tx, order.region_id)?;
        let clock = rules.limits.review_clock(self.env.now(), is_major);
        self.clock_start(tx, order.into(), (ClockKind::Review, ""), is_major, clock, &rules)?;
        Ok(())
    }

    /// Moves an order's clocks on by what a desk's command did to it. Called before the order is saved.
    pub(crate) fn clocks_follow(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        command: &WorkOrderCommand,
        effects: &[WorkOrderEffect],
        state: WorkOrderState,
    ) -> AppResult<()> {
        use WorkOrderEffect as E;
        if !effects.iter().any(concerns_clocks) {
            return Ok(());
        }
        let mut clocks = self.clocks_hold(tx, order.complaint_id)?;
        for effect in effects {
            match effect {
                E::PlaceSet => self.clocks_relocate(tx, order, &mut clocks)?,
                E::ClockPaused => self.clocks_pause(tx, &mut clocks, command)?,
                E::ClockResumed => {
                    let reason = match command {
                        WorkOrderCommand::CustomerAnswered { .. } => "the customer answered 客户已答复",
                        _ => "work goes on without the customer's answer 未等客户答复，继续处理",
                    };
                    self.clocks_go_on(tx, &mut clocks, &[ClockKind::Handling], ClockEvent::Resumed, reason)?;
                }
                E::ClockReopened => {
                    let reason = match command {
                        WorkOrderCommand::ComplainedAgain => {
                            "reopened, the customer complained again 客户再次投诉，重新打开"
                        }
                        _ => "reopened, the customer denied that it is solved 客户否认已解决，重新打开",
                    };
                    let kinds = [ClockKind::Handling, ClockKind::Plan];
                    self.clocks_go_on(tx, &mut clocks, &kinds, ClockEvent::Reopened, reason)?;
                }
                E::ClockStopped => self.clocks_end(tx, &mut clocks, state)?,
                E::ReviewRecorded => {
                    let reason = "reviewed 已审核";
                    self.clocks_stop(tx, &mut clocks, &[ClockKind::Review], ClockOutcome::Met, reason)?;
                }
                E::PlanDeadlineStarted(kind) => self.clock_plan_start(tx, order, *kind, &mut clocks)?,
                E::HandoffOpened(recipient) => self.clock_plan_passed_on(tx, &mut clocks, *recipient)?,
                E::ReplySent(_) => self.clocks_stop(
                    tx,
                    &mut clocks,
                    &[ClockKind::FirstResponse, ClockKind::HigherDoor],
                    ClockOutcome::Met,
                    ANSWERED,
                )?,
                E::TrackingTicketOpened => {
                    let is_major = Self::is_major(&clocks);
                    let rules = self.clock_rules(tx, order.region_id)?;
                    let clock = rules.limits.tracking_clock(self.env.now(), is_major);
                    self.clock_start(tx, order.into(), (ClockKind::Tracking, ""), is_major, clock, &rules)?;
                }
                E::CustomerAsked
                | E::CustomerAnswerRecorded
                | E::DispatchProposed(_)
                | E::DispatchProposalDropped
                | E::WrongDispatchCounted
                | E::Assigned(_)
                | E::Unassigned(_)
                | E::CurrentTestReleased
                | E::AppointmentSet
                | E::ChaseRecorded
                | E::UrgencyRaised(_)
                | E::CoordinationRaised
                | E::HandoffClosed
                | E::HandoffCancelled
                | E::RevisitDue
                | E::RevisitsRevoked
                | E::FollowUpOpened
                | E::Reopened
                | E::FalseReturnCounted
                | E::CaseLibraryOffered => {}
            }
        }
        Ok(())
    }

    /// Moves the clock of an order's tracking ticket on (R-RETURN-2).
    pub(crate) fn clocks_follow_ticket(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        effects: &[TrackingTicketEffect],
    ) -> AppResult<()> {
        use TrackingTicketEffect as E;
        let mut clocks = self.clocks_hold(tx, order.complaint_id)?;
        for effect in effects {
            match effect {
                E::ClockPaused => {
                    let reason = "the customer is asked whether service is back 等待客户回访确认";
                    self.clocks_record(tx, &mut clocks, &[ClockKind::Tracking], ClockEvent::Paused, reason)?;
                }
                E::ClockReopened => {
                    let reason = "the ticket goes on, the customer denied that it is solved 客户否认已解决，跟踪单继续";
                    self.clocks_go_on(tx, &mut clocks, &[ClockKind::Tracking], ClockEvent::Reopened, reason)?;
                }
                E::ClockStopped => {
                    let reason = "the customer confirmed 客户确认已解决";
                    self.clocks_stop(tx, &mut clocks, &[ClockKind::Tracking], ClockOutcome::Met, reason)?;
                    self.clocks_stop(tx, &mut clocks, ClockKind::ALL, ClockOutcome::Moot, reason)?;
                }
                E::ReplySent(_) => self.clocks_stop(
                    tx,
                    &mut clocks,
                    &[ClockKind::FirstResponse, ClockKind::HigherDoor],
                    ClockOutcome::Met,
                    ANSWERED,
                )?,
                E::ChaseRecorded
                | E::RevisitDue
                | E::RevisitsRevoked
                | E::FalseReturnCounted
                | E::FollowUpOpened
                | E::CaseLibraryOffered
                | E::RepeatLinked => {}
            }
        }
        Ok(())
    }

    fn clocks_record(
        &self,
        tx: &mut Tx,
        clocks: &mut [HeldClock],
        kinds: &[ClockKind],
        event: ClockEvent,
        reason: &str,
    ) -> AppResult<()> {
        let running =
            |held: &&mut HeldClock| kinds.contains(&held.kind) && held.clock.standing() == ClockStanding::Running;
        for held in clocks.iter_mut().filter(running) {
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_record(tx, held, event, reason, &rules)?;
        }
        Ok(())
    }

    fn clocks_stop(
        &self,
        tx: &mut Tx,
        clocks: &mut [HeldClock],
        kinds: &[ClockKind],
        outcome: ClockOutcome,
        reason: &str,
    ) -> AppResult<()> {
        for held in clocks.iter_mut().filter(|held| kinds.contains(&held.kind) && held.is_live()) {
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_stop(tx, held, outcome, reason, &rules)?;
        }
        Ok(())
    }

    /// The customer's answer to a desk's question holds up the handling; the customer's word on the cure holds up the plan, too.
    fn clocks_pause(&self, tx: &mut Tx, clocks: &mut [HeldClock], command: &WorkOrderCommand) -> AppResult<()> {
        let (kinds, reason): (&[ClockKind], _) = match command {
            WorkOrderCommand::HoldSolved { .. } => (
                &[ClockKind::Handling, ClockKind::Plan],
                "the customer is asked whether service is back 等待客户回访确认",
            ),
            _ => (&[ClockKind::Handling], "the customer was asked 等待客户答复"),
        };
        self.clocks_record(tx, clocks, kinds, ClockEvent::Paused, reason)
    }

    /// Lets paused clocks go on; reopening lets ended ones go on too, unless what they waited for was done.
    fn clocks_go_on(
        &self,
        tx: &mut Tx,
        clocks: &mut [HeldClock],
        kinds: &[ClockKind],
        event: ClockEvent,
        reason: &str,
    ) -> AppResult<()> {
        for held in clocks.iter_mut().filter(|held| kinds.contains(&held.kind)) {
            let goes_on = match held.clock.standing() {
                ClockStanding::Running => false,
                ClockStanding::Paused => true,
                ClockStanding::Stopped => {
                    let is_over = held.kind == ClockKind::Plan && held.record.outcome != Some(ClockOutcome::Moot);
                    event == ClockEvent::Reopened && !is_over
                }
            };
            if !goes_on {
                continue;
            }
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_record(tx, held, event, reason, &rules)?;
            self.clock_meeting_follow(tx, held, &rules)?;
        }
        Ok(())
    }

    /// A demand that goes on after a pause goes to the next meeting from now (R-LADDER-3).
    fn clock_meeting_follow(&self, tx: &mut Tx, held: &mut HeldClock, rules: &ClockRules) -> AppResult<()> {
        if held.kind != ClockKind::Plan || held.record.limit_key != PlanKind::Build.as_str() {
            return Ok(());
        }
        let (now, offset) = (self.env.now(), held.record.utc_offset_minutes);
        let meeting = rules.limits.review_meeting_after(now, &rules.calendar, offset);
        let budget = held.clock.used_micros(now, &rules.calendar, offset) + meeting.micros_since(now);
        self.clock_limit_change(tx, held, budget, "the next review meeting 下次资源评审会", rules)
    }

    /// The order ended: `Withdrawn` makes everything moot; with `Unresolved` the plan goes on in the tracking ticket.
    fn clocks_end(&self, tx: &mut Tx, clocks: &mut [HeldClock], state: WorkOrderState) -> AppResult<()> {
        match state {
            WorkOrderState::Withdrawn => self.clocks_stop(tx, clocks, ClockKind::ALL, ClockOutcome::Moot, WITHDRAWN),
            WorkOrderState::Unresolved => {
                let reason = "returned as unresolved, a tracking ticket lives on 已回复未解决，转跟踪单";
                self.clocks_stop(tx, clocks, &[ClockKind::Handling], ClockOutcome::Met, reason)
            }
            _ => {
                let reason = "the customer confirmed 客户确认已解决";
                self.clocks_stop(tx, clocks, &[ClockKind::Handling], ClockOutcome::Met, reason)?;
                self.clocks_stop(tx, clocks, ClockKind::ALL, ClockOutcome::Moot, "the order ended 工单已结束")
            }
        }
    }

    fn clock_plan_start(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        kind: PlanKind,
        clocks: &mut [HeldClock],
    ) -> AppResult<()> {
        self.clocks_stop(tx, clocks, &[ClockKind::Plan], ClockOutcome::Replaced, "another plan was made 已改用新方案")?;
        let is_major = Self::is_major(clocks);
        let rules = self.clock_rules(tx, order.region_id)?;
        let offset = order.utc_offset_minutes;
        if let Some(clock) = rules.limits.plan_clock(kind, is_major, self.env.now(), &rules.calendar, offset) {
            self.clock_start(tx, order.into(), (ClockKind::Plan, kind.as_str()), is_major, clock, &rules)?;
        }
        Ok(())
    }

    /// A fault is passed on when maintenance has it, a retrofit with either; building, when its demand is filed.
    fn clock_plan_passed_on(
        &self,
        tx: &mut Tx,
        clocks: &mut [HeldClock],
        recipient: HandoffRecipient,
    ) -> AppResult<()> {
        let kinds: &[PlanKind] = match recipient {
            HandoffRecipient::Maintenance => &[PlanKind::Fault, PlanKind::Retrofit],
            HandoffRecipient::Branch => &[PlanKind::Retrofit],
        };
        let passed_on = |held: &&mut HeldClock| {
            held.kind == ClockKind::Plan && kinds.iter().any(|kind| kind.as_str() == held.record.limit_key)
        };
        for held in clocks.iter_mut().filter(passed_on) {
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_stop(tx, held, ClockOutcome::Met, PASSED_ON, &rules)?;
        }
        Ok(())
    }

    /// The order's region became known, or another one: its offset, its calendar and its limits hold from now on.
    fn clocks_relocate(&self, tx: &mut Tx, order: &WorkOrder, clocks: &mut [HeldClock]) -> AppResult<()> {
        for held in clocks.iter_mut().filter(|held| held.record.region_id != order.region_id) {
            let before = self.clock_rules(tx, held.record.region_id)?.limits;
            let rules = self.clock_rules(tx, order.region_id)?;
            held.record.region_id = order.region_id;
            held.record.utc_offset_minutes = order.utc_offset_minutes;
            if !held.is_live() {
                tx.clock_update(&mut held.record)?;
                continue;
            }
            let full = |limits: &crate::workflow::limits::LimitPolicy| {
                limits.budget_micros(held.kind, &held.record.limit_key, held.record.is_major)
            };
            // A limit that was changed for this one complaint stays.
            match full(&rules.limits) {
                Some(budget) if Some(held.clock.budget_micros) == full(&before) && Some(budget) != full(&before) => {
                    let offset = held.record.utc_offset_minutes;
                    let used = held.clock.used_micros(self.env.now(), &rules.calendar, offset);
                    let reason = "the limit of the order's region 按工单所属区域时限";
                    self.clock_limit_change(tx, held, budget.max(used), reason, &rules)?;
                }
                Some(_) | None => self.clock_save(tx, held, &rules)?,
            }
        }
        Ok(())
    }
}

fn concerns_clocks(effect: &WorkOrderEffect) -> bool {
    use WorkOrderEffect as E;
    matches!(
        effect,
        E::PlaceSet
            | E::ClockPaused
            | E::ClockResumed
            | E::ClockReopened
            | E::ClockStopped
            | E::ReviewRecorded
            | E::PlanDeadlineStarted(_)
            | E::HandoffOpened(_)
            | E::ReplySent(_)
            | E::TrackingTicketOpened
    )
}
