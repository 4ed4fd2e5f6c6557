//! The judge of the desks' commands: every command in every state, no wildcards, effects returned and never performed.

use super::{WorkOrderCommand, WorkOrderEffect, WorkOrderFacts, WorkOrderPolicy, WorkOrderTransition};
use crate::workflow::appointments::appointment_check;
use crate::workflow::handoffs::HandoffOutcome;
use crate::workflow::places::place_check;
use crate::workflow::replies::{ReplyKind, customer_text_check, reply_check};
use crate::workflow::reviews::review_plan_check;
use crate::workflow::revisits::{revisit_answer_check, revisit_needs_follow_up};
use crate::workflow::{refuse, required_text, required_texts};
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};

// The states in which an order is with its tester, and those in which it has ended: together with the others named one by one in
// each arm, so that a new state does not compile before every command has an answer for it.
macro_rules! with_tester {
    () => {
        WorkOrderState::Dispatched
            | WorkOrderState::Accepted
            | WorkOrderState::Contacted
            | WorkOrderState::OnSite
            | WorkOrderState::SentBack
    };
}
macro_rules! ended {
    () => {
        WorkOrderState::Unresolved | WorkOrderState::Resolved | WorkOrderState::Withdrawn
    };
}

/// The state to which an order returns when the customer denies that it is solved: to the lead where a test was approved, else to
/// T1, as after the handoff's answer.
fn reopened_state(facts: &WorkOrderFacts) -> WorkOrderState {
    if facts.has_approved_test { WorkOrderState::Approved } else { WorkOrderState::HandoffAnswered }
}

/// Judges a desk's command: R-LOCATE-1, R-ROUTE-1…5, R-REVIEW-1, R-RETURN-1…5, R-REVISIT-1.
///
/// # Errors
/// A [`Rejection`] that says what is missing or in the way. Nothing has changed then.
pub fn work_order_transition(
    state: WorkOrderState,
    command: &WorkOrderCommand,
    facts: &WorkOrderFacts,
    policy: &WorkOrderPolicy,
) -> Result<WorkOrderTransition, Rejection> {
    use WorkOrderCommand as C;
    use WorkOrderEffect as E;
    use WorkOrderState as S;
    let to = |state: S, effects: Vec<E>| Ok(WorkOrderTransition { state, effects });
    let illegal = || {
        refuse(
            ProblemType::IllegalTransition,
            format!("'{}' is not possible while the order is '{state}'", command.kind()),
        )
    };
    let mut transition = match command {
        C::Locate(place) => match state {
            S::Received | S::Located => {
                place_check(place)?;
                if facts.place_region_id.is_none() {
                    return refuse(ProblemType::InvalidField, "position: lies in no region");
                }
                to(S::Located, vec![E::PlaceSet])
            }
            with_tester!() => {
                place_check(place)?;
                if facts.place_region_id.is_none() || facts.place_region_id != facts.region_id {
                    return refuse(
                        ProblemType::InvalidField,
                        "position: lies in another region than the order's; withdraw it from the tester's region first",
                    );
                }
                to(state, vec![E::PlaceSet])
            }
            S::Submitted | S::Approved | S::HandedOver | S::HandoffAnswered | S::AwaitingRevisit | ended!() => {
                illegal()
            }
        },
        C::AskCustomer { question } => match state {
            // While the field works on it, the tester talks with the customer; a desk's question pauses nothing then.
            S::Received | S::Located | S::Approved | S::HandoffAnswered => {
                required_text("question", question)?;
                customer_text_check("question", question, &policy.forbidden_expressions)?;
                let pause = (!facts.waits_for_customer).then_some(E::ClockPaused);
                to(state, std::iter::once(E::CustomerAsked).chain(pause).collect())
            }
            with_tester!() | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::CustomerAnswered { answer } => match state {
            S::Received | S::Located | S::Approved | S::HandoffAnswered => {
                required_text("answer", answer)?;
                let resume = facts.waits_for_customer.then_some(E::ClockResumed);
                to(state, std::iter::once(E::CustomerAnswerRecorded).chain(resume).collect())
            }
            with_tester!() | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::Dispatch { tester } => match state {
            S::Received => refuse(
                ProblemType::LocationMissing,
                "the place is not exact yet; ask the customer and locate the order first (R-LOCATE-1)",
            ),
            S::Located | S::Approved | S::HandoffAnswered => {
                tester_check(facts)?;
                if policy.checks_junior_dispatch && facts.actor_is_junior {
                    to(state, vec![E::DispatchProposed(*tester)])
                } else {
                    to(S::Dispatched, dispatched(*tester, facts))
                }
            }
            with_tester!() | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::SetAppointment(window) => match state {
            S::Located | with_tester!() | S::Approved | S::HandoffAnswered => {
                appointment_check(*window, facts.now, &policy.appointments)?;
                to(state, vec![E::AppointmentSet])
            }
            S::Received | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::DispatchCheck { approved, reason } => match state {
            S::Located | S::Approved | S::HandoffAnswered => {
                let Some(tester) = facts.proposed_tester else {
                    return refuse(ProblemType::IllegalTransition, "no dispatch waits for a check");
                };
                if facts.actor_is_junior {
                    return refuse(ProblemType::Forbidden, "a senior checks a junior's dispatch (R-ROUTE-5)");
                }
                if *approved {
                    tester_check(facts)?;
                    to(S::Dispatched, dispatched(tester, facts))
                } else {
                    required_text("reason", reason.as_deref().unwrap_or_default())?;
                    to(state, vec![E::DispatchProposalDropped, E::WrongDispatchCounted])
                }
            }
            S::Received | with_tester!() | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::Reassign { tester, reason, was_wrong } => match state {
            with_tester!() => {
                required_text("reason", reason)?;
                if policy.checks_junior_dispatch && facts.actor_is_junior {
                    return refuse(
                        ProblemType::Forbidden,
                        "a junior's dispatches are checked here; ask a senior to reassign (R-ROUTE-5)",
                    );
                }
                if facts.assignee == Some(*tester) {
                    return refuse(ProblemType::InvalidField, "tester: has the order already");
                }
                tester_check(facts)?;
                let mut effects = vec![E::Unassigned(LeftReason::Reassigned)];
                effects.extend(facts.has_current_test.then_some(E::CurrentTestReleased));
                effects.push(E::Assigned(*tester));
                effects.extend(was_wrong.then_some(E::WrongDispatchCounted));
                to(S::Dispatched, effects)
            }
            S::Received
            | S::Located
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit
            | ended!() => illegal(),
        },
        C::Withdraw { reason } => match state {
            S::Received | S::Located | S::Approved | S::HandoffAnswered => {
                required_text("reason", reason)?;
                let dropped = facts.proposed_tester.map(|_| E::DispatchProposalDropped);
                to(S::Withdrawn, dropped.into_iter().chain([E::ClockStopped]).collect())
            }
            with_tester!() | S::Submitted => {
                required_text("reason", reason)?;
                to(S::Withdrawn, vec![E::Unassigned(LeftReason::Withdrawn), E::ClockStopped])
            }
            S::HandedOver => {
                required_text("reason", reason)?;
                to(S::Withdrawn, vec![E::HandoffCancelled, E::ClockStopped])
            }
            S::AwaitingRevisit => {
                required_text("reason", reason)?;
                to(S::Withdrawn, vec![E::RevisitsRevoked, E::ClockStopped])
            }
            // Idempotent (R-ROUTE-4).
            S::Withdrawn => to(S::Withdrawn, vec![]),
            S::Unresolved | S::Resolved => illegal(),
        },
        C::Chase { urgency, note } => match state {
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit => {
                if facts.is_known_chase {
                    // Idempotent (R-ROUTE-4).
                    return to(state, vec![]);
                }
                if urgency.is_none() || note.is_some() {
                    required_text("note", note.as_deref().unwrap_or_default())?;
                }
                let raised = urgency.filter(|u| *u > facts.urgency).map(E::UrgencyRaised);
                to(state, std::iter::once(E::ChaseRecorded).chain(raised).collect())
            }
            S::Unresolved => refuse(
                ProblemType::IllegalTransition,
                "the order was returned as unresolved; chase its tracking ticket (R-RETURN-2)",
            ),
            S::Resolved | S::Withdrawn => illegal(),
        },
        C::RaiseToCoordination { reason } => match state {
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit => {
                required_text("reason", reason)?;
                to(state, vec![E::CoordinationRaised])
            }
            ended!() => illegal(),
        },
        C::ReviewApprove(plan) => match state {
            S::Submitted => {
                review_plan_check(plan)?;
                if !facts.evidence_arrived {
                    return refuse(
                        ProblemType::EvidenceMissing,
                        "samples or photos that the test cites have not arrived; they cannot be judged yet",
                    );
                }
                to(
                    S::Approved,
                    vec![E::ReviewRecorded, E::Unassigned(LeftReason::Finished), E::PlanDeadlineStarted(plan.kind)],
                )
            }
            S::Received
            | S::Located
            | with_tester!()
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit
            | ended!() => illegal(),
        },
        C::ReviewSendBack { reasons } => match state {
            S::Submitted => {
                required_texts("reasons", reasons)?;
                to(S::SentBack, vec![E::ReviewRecorded])
            }
            S::Received
            | S::Located
            | with_tester!()
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit
            | ended!() => illegal(),
        },
        C::HandOver { recipient, demand } => match state {
            S::Located | S::Approved | S::HandoffAnswered => {
                required_text("demand", demand)?;
                let dropped = facts.proposed_tester.map(|_| E::DispatchProposalDropped);
                to(S::HandedOver, dropped.into_iter().chain([E::HandoffOpened(*recipient)]).collect())
            }
            S::Received | with_tester!() | S::Submitted | S::HandedOver | S::AwaitingRevisit | ended!() => illegal(),
        },
        C::HandoffAnswer { outcome } => match state {
            S::HandedOver => {
                let is_wrong = match outcome {
                    HandoffOutcome::WrongAddressee => true,
                    HandoffOutcome::Done | HandoffOutcome::Planned | HandoffOutcome::NotPossible => false,
                };
                let counted = is_wrong.then_some(E::WrongDispatchCounted);
                to(S::HandoffAnswered, std::iter::once(E::HandoffClosed).chain(counted).collect())
            }
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandoffAnswered
            | S::AwaitingRevisit
            | ended!() => illegal(),
        },
        C::StageReply(reply) => match state {
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::AwaitingRevisit => {
                reply_check(ReplyKind::Stage, reply, &policy.forbidden_expressions)?;
                to(state, vec![E::ReplySent(ReplyKind::Stage)])
            }
            ended!() => illegal(),
        },
        C::FinalReplyUnresolved(reply) => match state {
            // A customer who never answers the revisit has not confirmed: the order cannot be returned as anything else.
            S::Approved | S::HandoffAnswered | S::AwaitingRevisit => {
                reply_check(ReplyKind::FinalUnresolved, reply, &policy.forbidden_expressions)?;
                let mut effects = vec![];
                effects.extend(facts.proposed_tester.map(|_| E::DispatchProposalDropped));
                effects.extend((state == S::AwaitingRevisit).then_some(E::RevisitsRevoked));
                effects.extend([E::ReplySent(ReplyKind::FinalUnresolved), E::TrackingTicketOpened, E::ClockStopped]);
                to(S::Unresolved, effects)
            }
            S::Received | S::Located | with_tester!() | S::Submitted | S::HandedOver | ended!() => illegal(),
        },
        C::HoldSolved { what_was_done } => match state {
            S::Approved | S::HandoffAnswered => {
                required_text("what_was_done", what_was_done)?;
                let mut effects = vec![];
                effects.extend(facts.proposed_tester.map(|_| E::DispatchProposalDropped));
                effects.push(E::RevisitDue);
                // Waiting for the customer's word is not the desk's time.
                effects.extend((!facts.waits_for_customer).then_some(E::ClockPaused));
                // Returned here, so that the pause for an open question goes on as the pause for the revisit.
                return to(S::AwaitingRevisit, effects);
            }
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::HandedOver
            | S::AwaitingRevisit
            | ended!() => illegal(),
        },
        C::RevisitAgain => match state {
            S::AwaitingRevisit => to(S::AwaitingRevisit, vec![E::RevisitsRevoked, E::RevisitDue]),
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | ended!() => illegal(),
        },
        C::RevisitAnswered(answer) => match state {
            S::AwaitingRevisit => {
                revisit_answer_check(answer, &policy.revisit)?;
                let follow_up = revisit_needs_follow_up(answer, &policy.revisit).then_some(E::FollowUpOpened);
                let (state, effects) = if answer.solved {
                    let effects = vec![E::ReplySent(ReplyKind::FinalResolved), E::ClockStopped, E::CaseLibraryOffered];
                    (S::Resolved, effects)
                } else {
                    (reopened_state(facts), vec![E::Reopened, E::FalseReturnCounted, E::ClockReopened])
                };
                return to(state, effects.into_iter().chain(follow_up).collect());
            }
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | ended!() => refuse(ProblemType::IllegalTransition, "no revisit is due"),
        },
        C::ComplainedAgain => match state {
            S::Resolved => match facts.resolved_at {
                Some(resolved_at) if policy.false_return.is_false_return(resolved_at, facts.now) => {
                    to(reopened_state(facts), vec![E::Reopened, E::FalseReturnCounted, E::ClockReopened])
                }
                Some(_) | None => refuse(
                    ProblemType::IllegalTransition,
                    "the order was resolved too long ago to be reopened; take a new complaint (R-RETURN-4)",
                ),
            },
            // The customer answers by complaining: as good as a denial.
            S::AwaitingRevisit => to(
                reopened_state(facts),
                vec![E::RevisitsRevoked, E::Reopened, E::FalseReturnCounted, E::ClockReopened],
            ),
            S::Received
            | S::Located
            | with_tester!()
            | S::Submitted
            | S::Approved
            | S::HandedOver
            | S::HandoffAnswered
            | S::Unresolved
            | S::Withdrawn => illegal(),
        },
    }?;
    // Work goes on without the customer's answer: the pause ends with it, or an order could wait for ever unexplained.
    let has_moved = transition.state != state || transition.effects.contains(&E::PlaceSet);
    let clock_goes_on = [E::ClockResumed, E::ClockReopened, E::ClockStopped];
    if facts.waits_for_customer && has_moved && !transition.effects.iter().any(|e| clock_goes_on.contains(e)) {
        transition.effects.push(E::ClockResumed);
    }
    Ok(transition)
}

fn tester_check(facts: &WorkOrderFacts) -> Result<(), Rejection> {
    if facts.tester_in_region {
        Ok(())
    } else {
        refuse(ProblemType::InvalidField, "tester: is not a field tester of the order's region")
    }
}

/// A dispatch takes effect; a second visit begins its own test.
fn dispatched(tester: UserId, facts: &WorkOrderFacts) -> Vec<WorkOrderEffect> {
    let mut effects = Vec::new();
    effects.extend(facts.proposed_tester.map(|_| WorkOrderEffect::DispatchProposalDropped));
    effects.extend(facts.has_current_test.then_some(WorkOrderEffect::CurrentTestReleased));
    effects.push(WorkOrderEffect::Assigned(tester));
    effects
}
