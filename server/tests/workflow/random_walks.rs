//! Random commands of desks and tester, in any order: what must never happen does not.

use crate::workflow::support::{CHINA, desk_commands, facts, field_commands, field_facts};
use callout_server::workflow::calendar::WorkCalendar;
use callout_server::workflow::clocks::{Clock, ClockEvent, ClockStanding, TimeMeasure};
use callout_server::workflow::replies::ReplyKind;
use callout_server::workflow::work_orders::{
    WorkOrderCommand as C, WorkOrderEffect as E, WorkOrderFacts, WorkOrderPolicy, work_order_owner,
    work_order_transition,
};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::field_workflow::{FieldEffect, FieldFacts, field_transition};
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::work_orders::WorkOrderState as S;
use proptest::prelude::*;
use std::sync::LazyLock;

static POLICY: LazyLock<WorkOrderPolicy> =
    LazyLock::new(|| WorkOrderPolicy { checks_junior_dispatch: true, ..WorkOrderPolicy::default() });

/// An order as the server would keep it, as far as the rules can tell.
struct Order {
    state: S,
    assignee: Option<UserId>,
    proposed: Option<UserId>,
    has_test: bool,
    has_findings: bool,
    has_approved_test: bool,
    handoff_open: bool,
    clock: Clock,
    tickets: u32,
    resolved_replies: u32,
    confirmations: u32,
}

impl Order {
    fn new() -> Self {
        let clock = Clock::started(facts().now, TimeMeasure::WorkingDays, 1, "received");
        Self {
            state: S::Received,
            assignee: None,
            proposed: None,
            has_test: false,
            has_findings: false,
            has_approved_test: false,
            handoff_open: false,
            clock,
            tickets: 0,
            resolved_replies: 0,
            confirmations: 0,
        }
    }

    fn clock(&mut self, event: ClockEvent) {
        let now = facts().now.plus_seconds(self.clock.history.len() as i64);
        // An effect that the clock cannot perform would be a flaw of the rules.
        self.clock.record(now, event, "command").unwrap();
    }

    fn desk(&mut self, command: &C, is_junior: bool) {
        let facts = WorkOrderFacts {
            assignee: self.assignee,
            proposed_tester: self.proposed,
            has_current_test: self.has_test,
            has_approved_test: self.has_approved_test,
            actor_is_junior: is_junior,
            waits_for_customer: self.clock.standing() == ClockStanding::Paused,
            ..facts()
        };
        let before = self.state;
        let Ok(transition) = work_order_transition(before, command, &facts, &POLICY) else { return };
        self.state = transition.state;
        for effect in transition.effects {
            match effect {
                E::Assigned(tester) => {
                    assert_eq!(self.assignee, None, "an order has one tester at most");
                    self.assignee = Some(tester);
                }
                E::Unassigned(_) => assert!(self.assignee.take().is_some(), "somebody had it"),
                E::DispatchProposed(tester) => self.proposed = Some(tester),
                E::DispatchProposalDropped => assert!(self.proposed.take().is_some(), "something was proposed"),
                E::CurrentTestReleased => {
                    assert!(self.has_test);
                    (self.has_test, self.has_findings) = (false, false);
                }
                E::PlanDeadlineStarted(_) => {
                    assert!(self.has_test && self.has_findings, "what is approved was tested");
                    self.has_approved_test = true;
                }
                E::HandoffOpened(_) => {
                    assert!(!self.handoff_open);
                    self.handoff_open = true;
                }
                E::HandoffClosed | E::HandoffCancelled => {
                    assert!(self.handoff_open);
                    self.handoff_open = false;
                }
                E::ClockPaused => self.clock(ClockEvent::Paused),
                E::ClockResumed => self.clock(ClockEvent::Resumed),
                E::ClockReopened => self.clock(ClockEvent::Reopened),
                E::ClockStopped => self.clock(ClockEvent::Stopped),
                E::TrackingTicketOpened => self.tickets += 1,
                E::ReplySent(ReplyKind::FinalResolved) => {
                    assert!(
                        matches!(command, C::RevisitAnswered(answer) if answer.solved),
                        "R-RETURN-3: only after the customer confirmed"
                    );
                    assert_eq!(before, S::AwaitingRevisit);
                    self.resolved_replies += 1;
                    self.confirmations += 1;
                }
                E::PlaceSet
                | E::CustomerAsked
                | E::AppointmentSet
                | E::CustomerAnswerRecorded
                | E::WrongDispatchCounted
                | E::ChaseRecorded
                | E::UrgencyRaised(_)
                | E::CoordinationRaised
                | E::ReviewRecorded
                | E::ReplySent(ReplyKind::Stage | ReplyKind::FinalUnresolved)
                | E::RevisitDue
                | E::RevisitsRevoked
                | E::FollowUpOpened
                | E::Reopened
                | E::FalseReturnCounted
                | E::CaseLibraryOffered => {}
            }
        }
    }

    fn field(&mut self, body: &CommandBody) {
        let defaults = field_facts();
        let facts = FieldFacts {
            is_assignee: self.assignee.is_some(),
            field_test_id: if self.has_test { defaults.field_test_id } else { None },
            has_findings: self.has_findings,
            ..defaults
        };
        let Ok(transition) = field_transition(self.state, body, &facts) else { return };
        self.state = transition.state;
        for effect in transition.effects {
            match effect {
                FieldEffect::Unassign => {
                    assert!(self.assignee.take().is_some());
                    (self.has_test, self.has_findings) = (false, false);
                }
                FieldEffect::TestBegun => self.has_test = true,
                FieldEffect::FindingsReplaced => self.has_findings = true,
                FieldEffect::AppointmentSet
                | FieldEffect::EmergencyContactRecorded
                | FieldEffect::ArrivalRecorded
                | FieldEffect::PhotoConsentSet(_)
                | FieldEffect::PhotoAdded
                | FieldEffect::TestHandedIn => {}
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.assignee.is_some(), self.state.is_in_field(), "{}: with a tester or not", self.state);
        assert_eq!(self.handoff_open, self.state == S::HandedOver, "{}", self.state);
        assert_eq!(work_order_owner(self.state).is_some(), !self.state.is_final(), "an open order has an owner");
        let standing = self.clock.standing();
        match standing {
            ClockStanding::Stopped => assert!(self.state.is_final(), "{}: an open order has a clock", self.state),
            ClockStanding::Running => assert!(!self.state.is_final(), "{}: an ended order has none", self.state),
            ClockStanding::Paused => assert!(
                matches!(self.state, S::Received | S::Located | S::Approved | S::HandoffAnswered | S::AwaitingRevisit),
                "{}: nobody waits for the customer here",
                self.state
            ),
        }
        if self.state == S::AwaitingRevisit {
            assert_eq!(standing, ClockStanding::Paused);
        }
        if self.state == S::Resolved {
            assert!(self.confirmations > 0, "R-RETURN-3");
        }
        assert_eq!(self.resolved_replies, self.confirmations);
        assert_eq!(self.tickets, u32::from(self.state == S::Unresolved), "R-RETURN-2: one ticket, and it lives on");
        if self.state == S::Approved {
            assert!(self.has_approved_test, "R-REVIEW-1");
        }
        if self.proposed.is_some() {
            assert!(matches!(self.state, S::Located | S::Approved | S::HandoffAnswered), "{}", self.state);
        }
    }

    /// Whatever happened, the clock can be explained.
    fn check_clock(&self) {
        let now = facts().now.plus_seconds(1_000_000);
        let spans = self.clock.explain(now, &WorkCalendar::default(), CHINA);
        assert_eq!(spans[0].from, facts().now);
        assert_eq!(spans[spans.len() - 1].until, now);
    }
}

/// Which command, and whether a junior gives it. Commands of the happy path come often enough to reach every state.
fn step() -> impl Strategy<Value = (bool, usize, bool)> {
    (any::<bool>(), 0usize..1_000, prop::bool::weighted(0.1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn r_return_3_random_commands_never_break_an_order(steps in prop::collection::vec(step(), 0..120)) {
        // The commands that end an order are left out of most draws, or every walk would be short.
        let (desk, field) = (desk_commands(), field_commands());
        let mut order = Order::new();
        for (by_desk, index, is_junior) in steps {
            if by_desk {
                let (_, command) = &desk[index % desk.len()];
                let ends = matches!(command, C::Withdraw { .. } | C::FinalReplyUnresolved(_));
                if !ends || index < 100 {
                    order.desk(command, is_junior);
                }
            } else {
                order.field(&field[index % field.len()].1);
            }
            order.check();
        }
        order.check_clock();
    }
}

/// The walks above reach every state, or they would prove little.
#[test]
fn the_random_walks_get_everywhere() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (desk, field) = (desk_commands(), field_commands());
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let mut order = Order::new();
        for _ in 0..120 {
            let (by_desk, index, is_junior) = step().new_tree(&mut runner).unwrap().current();
            if by_desk {
                order.desk(&desk[index % desk.len()].1, is_junior);
            } else {
                order.field(&field[index % field.len()].1);
            }
            reached.insert(order.state);
        }
    }
    let missing: Vec<&S> = S::ALL.iter().filter(|state| !reached.contains(state)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
