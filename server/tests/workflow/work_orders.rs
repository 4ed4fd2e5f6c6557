//! Work orders at the desks, rule by rule.

use crate::workflow::support::{
    answer, at, desk_commands, facts, field_commands, field_facts, place, plan, region, reply, user,
};
use callout_server::workflow::handoffs::{HandoffOutcome, HandoffRecipient};
use callout_server::workflow::replies::{ReplyKind, ReplyText};
use callout_server::workflow::reviews::PlanKind;
use callout_server::workflow::work_orders::{
    WorkOrderCommand as C, WorkOrderEffect as E, WorkOrderFacts, WorkOrderPolicy, work_order_owner,
    work_order_transition,
};
use callout_sync_protocol::field_workflow::field_transition;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{LeftReason, Urgency, WorkOrderState as S};
use std::collections::BTreeSet;

fn judge(state: S, command: &C, facts: &WorkOrderFacts) -> Result<(S, Vec<E>), ProblemType> {
    work_order_transition(state, command, facts, &WorkOrderPolicy::default())
        .map(|transition| (transition.state, transition.effects))
        .map_err(|rejection| rejection.problem)
}

const WITH_TESTER: [S; 5] = [S::Dispatched, S::Accepted, S::Contacted, S::OnSite, S::SentBack];
const ENDED: [S; 3] = [S::Unresolved, S::Resolved, S::Withdrawn];

/// Where each command leads from where; from everywhere else it is refused.
#[test]
fn every_desk_command_in_every_state() {
    let desks = [S::Located, S::Approved, S::HandoffAnswered];
    let open: Vec<S> = S::ALL.iter().copied().filter(|s| !ENDED.contains(s)).collect();
    let stays = |states: &[S]| states.iter().map(|s| (*s, *s)).collect::<Vec<_>>();
    let leads = |states: &[S], to: S| states.iter().map(|s| (*s, to)).collect::<Vec<_>>();
    for (variant, command) in desk_commands() {
        let possible: Vec<(S, S)> = match &command {
            C::Locate(_) => [leads(&[S::Received, S::Located], S::Located), stays(&WITH_TESTER)].concat(),
            C::AskCustomer { .. } | C::CustomerAnswered { .. } => {
                stays(&[S::Received, S::Located, S::Approved, S::HandoffAnswered])
            }
            C::Dispatch { .. } => leads(&desks, S::Dispatched),
            C::SetAppointment(_) => stays(&[&desks[..], &WITH_TESTER[..]].concat()),
            C::DispatchCheck { approved: true, .. } => leads(&desks, S::Dispatched),
            C::DispatchCheck { approved: false, .. } => stays(&desks),
            C::Reassign { .. } => leads(&WITH_TESTER, S::Dispatched),
            C::Withdraw { .. } => leads(&[open.clone(), vec![S::Withdrawn]].concat(), S::Withdrawn),
            C::Chase { .. } | C::RaiseToCoordination { .. } | C::StageReply(_) => stays(&open),
            C::ReviewApprove(_) => leads(&[S::Submitted], S::Approved),
            C::ReviewSendBack { .. } => leads(&[S::Submitted], S::SentBack),
            C::HandOver { .. } => leads(&desks, S::HandedOver),
            C::HandoffAnswer { .. } => leads(&[S::HandedOver], S::HandoffAnswered),
            C::FinalReplyUnresolved(_) => leads(&[S::Approved, S::HandoffAnswered, S::AwaitingRevisit], S::Unresolved),
            C::HoldSolved { .. } => leads(&[S::Approved, S::HandoffAnswered], S::AwaitingRevisit),
            C::RevisitAgain => stays(&[S::AwaitingRevisit]),
            C::RevisitAnswered(answer) if answer.solved => leads(&[S::AwaitingRevisit], S::Resolved),
            C::RevisitAnswered(_) => leads(&[S::AwaitingRevisit], S::Approved),
            C::ComplainedAgain => leads(&[S::AwaitingRevisit, S::Resolved], S::Approved),
        };
        let facts = WorkOrderFacts { proposed_tester: Some(user(2)), ..facts() };
        for state in S::ALL {
            let outcome = judge(*state, &command, &facts).map(|(to, _)| to);
            let expected = possible.iter().find(|(from, _)| from == state).map(|(_, to)| *to);
            match (outcome, expected) {
                (Ok(to), Some(expected)) => assert_eq!(to, expected, "{} {variant} in {state}", command.kind()),
                (Err(problem), None) => assert!(
                    matches!(problem, ProblemType::IllegalTransition | ProblemType::LocationMissing),
                    "{} {variant} in {state}: {problem}",
                    command.kind()
                ),
                (outcome, expected) => {
                    panic!("{} {variant} in {state}: {outcome:?}, expected {expected:?}", command.kind())
                }
            }
        }
    }
}

/// Desks and field together: every state can be reached from the first, every open one has a way on and an owner.
#[test]
fn desks_and_field_together_cover_every_state() {
    let onward = |state: S| -> BTreeSet<S> {
        let desks = desk_commands().into_iter().filter_map(|(_, c)| judge(state, &c, &facts()).ok().map(|(to, _)| to));
        let field = field_commands()
            .into_iter()
            .filter_map(|(_, body)| field_transition(state, &body, &field_facts()).ok().map(|t| t.state));
        desks.chain(field).filter(|to| *to != state).collect()
    };
    let mut reached = BTreeSet::from([S::Received]);
    let mut queue = vec![S::Received];
    while let Some(state) = queue.pop() {
        for to in onward(state) {
            if reached.insert(to) {
                queue.push(to);
            }
        }
    }
    assert_eq!(reached, S::ALL.iter().copied().collect());
    for state in S::ALL {
        assert_eq!(work_order_owner(*state).is_none(), state.is_final(), "{state} has an owner while it is open");
        if !state.is_final() {
            assert!(!onward(*state).is_empty(), "{state} has a way on");
        }
    }
}

#[test]
fn r_locate_1_no_dispatch_without_an_exact_place() {
    assert_eq!(judge(S::Received, &C::Dispatch { tester: user(2) }, &facts()), Err(ProblemType::LocationMissing));
    let mut vague = place();
    vague.address = "武昌区人民路".into();
    assert_eq!(judge(S::Received, &C::Locate(vague), &facts()), Err(ProblemType::LocationMissing));
    let nowhere = WorkOrderFacts { place_region_id: None, ..facts() };
    assert_eq!(judge(S::Received, &C::Locate(place()), &nowhere), Err(ProblemType::InvalidField));
    // A correction while the tester has it must not carry it into another region.
    let elsewhere = WorkOrderFacts { place_region_id: Some(region(2)), ..facts() };
    assert_eq!(judge(S::Accepted, &C::Locate(place()), &elsewhere), Err(ProblemType::InvalidField));
    assert_eq!(judge(S::Located, &C::Locate(place()), &elsewhere), Ok((S::Located, vec![E::PlaceSet])));
}

#[test]
fn r_locate_1_the_customer_is_asked_and_the_clock_waits() {
    let ask = C::AskCustomer { question: "几号楼？".into() };
    assert_eq!(judge(S::Received, &ask, &facts()), Ok((S::Received, vec![E::CustomerAsked, E::ClockPaused])));
    let waiting = WorkOrderFacts { waits_for_customer: true, ..facts() };
    assert_eq!(judge(S::Received, &ask, &waiting), Ok((S::Received, vec![E::CustomerAsked])), "paused once");
    let answered = C::CustomerAnswered { answer: "12号".into() };
    assert_eq!(
        judge(S::Received, &answered, &waiting),
        Ok((S::Received, vec![E::CustomerAnswerRecorded, E::ClockResumed]))
    );
    // Going on without the answer ends the pause too.
    assert_eq!(judge(S::Received, &C::Locate(place()), &waiting), Ok((S::Located, vec![E::PlaceSet, E::ClockResumed])));
    assert_eq!(
        judge(S::Located, &C::Dispatch { tester: user(2) }, &waiting),
        Ok((S::Dispatched, vec![E::Assigned(user(2)), E::ClockResumed]))
    );
    // A chase is not the customer's answer.
    let chase = C::Chase { urgency: None, note: Some("again".into()) };
    assert_eq!(judge(S::Received, &chase, &waiting), Ok((S::Received, vec![E::ChaseRecorded])));
}

#[test]
fn a_tester_of_another_region_is_refused() {
    let facts = WorkOrderFacts { tester_in_region: false, ..facts() };
    assert_eq!(judge(S::Located, &C::Dispatch { tester: user(2) }, &facts), Err(ProblemType::InvalidField));
    let reassign = C::Reassign { tester: user(2), reason: "ill".into(), was_wrong: false };
    assert_eq!(judge(S::Accepted, &reassign, &facts), Err(ProblemType::InvalidField));
}

#[test]
fn r_route_5_a_juniors_dispatch_waits_for_a_senior() {
    let policy = WorkOrderPolicy { checks_junior_dispatch: true, ..WorkOrderPolicy::default() };
    let judge = |command: &C, facts: &WorkOrderFacts| {
        work_order_transition(S::Located, command, facts, &policy)
            .map(|t| (t.state, t.effects))
            .map_err(|rejection| rejection.problem)
    };
    let junior = WorkOrderFacts { actor_is_junior: true, ..facts() };
    let dispatch = C::Dispatch { tester: user(2) };
    assert_eq!(judge(&dispatch, &junior), Ok((S::Located, vec![E::DispatchProposed(user(2))])));
    assert_eq!(judge(&dispatch, &facts()), Ok((S::Dispatched, vec![E::Assigned(user(2))])), "a senior needs no check");
    let go = C::DispatchCheck { approved: true, reason: None };
    let stop = C::DispatchCheck { approved: false, reason: Some("too far".into()) };
    assert_eq!(judge(&go, &facts()), Err(ProblemType::IllegalTransition), "nothing waits");
    let waiting = WorkOrderFacts { proposed_tester: Some(user(2)), ..facts() };
    let by_junior = WorkOrderFacts { actor_is_junior: true, ..waiting.clone() };
    assert_eq!(judge(&go, &by_junior), Err(ProblemType::Forbidden), "nobody checks as a junior");
    assert_eq!(judge(&go, &waiting), Ok((S::Dispatched, vec![E::DispatchProposalDropped, E::Assigned(user(2))])));
    assert_eq!(judge(&stop, &waiting), Ok((S::Located, vec![E::DispatchProposalDropped, E::WrongDispatchCounted])));
    assert_eq!(
        judge(&C::DispatchCheck { approved: false, reason: None }, &waiting),
        Err(ProblemType::InvalidField),
        "a stop has a reason"
    );
}

#[test]
fn a_reassigned_order_leaves_the_first_phone_and_keeps_what_was_captured() {
    let with_test = WorkOrderFacts { has_current_test: true, ..facts() };
    let reassign = |to, was_wrong| C::Reassign { tester: user(to), reason: "ill".into(), was_wrong };
    assert_eq!(
        judge(S::OnSite, &reassign(2, false), &with_test),
        Ok((S::Dispatched, vec![E::Unassigned(LeftReason::Reassigned), E::CurrentTestReleased, E::Assigned(user(2))]))
    );
    assert_eq!(judge(S::OnSite, &reassign(1, false), &with_test), Err(ProblemType::InvalidField), "to the same one");
    // R-ROUTE-5: a wrong dispatch counts.
    let effects = judge(S::Dispatched, &reassign(2, true), &facts()).unwrap().1;
    assert!(effects.contains(&E::WrongDispatchCounted));
}

#[test]
fn r_route_1_and_2_an_order_goes_to_its_owner_without_customer_service() {
    for (recipient, outcome) in [
        (HandoffRecipient::Branch, HandoffOutcome::Planned),
        (HandoffRecipient::Maintenance, HandoffOutcome::NotPossible),
    ] {
        // Straight from the analysis, no field test needed.
        let hand_over = C::HandOver { recipient, demand: "the cell is down".into() };
        assert_eq!(judge(S::Located, &hand_over, &facts()), Ok((S::HandedOver, vec![E::HandoffOpened(recipient)])));
        assert_eq!(
            judge(S::HandedOver, &C::HandoffAnswer { outcome }, &facts()),
            Ok((S::HandoffAnswered, vec![E::HandoffClosed]))
        );
    }
    let wrong = C::HandoffAnswer { outcome: HandoffOutcome::WrongAddressee };
    assert_eq!(
        judge(S::HandedOver, &wrong, &facts()),
        Ok((S::HandoffAnswered, vec![E::HandoffClosed, E::WrongDispatchCounted]))
    );
}

#[test]
fn r_route_4_chase_and_withdraw_are_idempotent() {
    let chase = |urgency, note: Option<&str>| C::Chase { urgency, note: note.map(str::to_owned) };
    assert_eq!(
        judge(S::Submitted, &chase(Some(Urgency::Critical), Some("again")), &facts()),
        Ok((S::Submitted, vec![E::ChaseRecorded, E::UrgencyRaised(Urgency::Critical)]))
    );
    let known = WorkOrderFacts { is_known_chase: true, ..facts() };
    assert_eq!(judge(S::Submitted, &chase(Some(Urgency::Critical), None), &known), Ok((S::Submitted, vec![])));
    // Urgency never falls by a chase.
    let critical = WorkOrderFacts { urgency: Urgency::Critical, ..facts() };
    assert_eq!(
        judge(S::Located, &chase(Some(Urgency::Urgent), None), &critical),
        Ok((S::Located, vec![E::ChaseRecorded]))
    );
    assert_eq!(judge(S::Located, &chase(None, None), &facts()), Err(ProblemType::InvalidField), "adds nothing");

    let withdraw = C::Withdraw { reason: "customer gave up".into() };
    assert_eq!(judge(S::Withdrawn, &withdraw, &facts()), Ok((S::Withdrawn, vec![])));
    for (state, first) in [
        (S::OnSite, Some(E::Unassigned(LeftReason::Withdrawn))),
        (S::Submitted, Some(E::Unassigned(LeftReason::Withdrawn))),
        (S::HandedOver, Some(E::HandoffCancelled)),
        (S::AwaitingRevisit, Some(E::RevisitsRevoked)),
        (S::Approved, None),
    ] {
        let effects: Vec<E> = first.into_iter().chain([E::ClockStopped]).collect();
        assert_eq!(judge(state, &withdraw, &facts()), Ok((S::Withdrawn, effects)), "{state}");
    }
}

#[test]
fn r_review_1_approval_names_the_plan_sending_back_the_reasons() {
    for kind in PlanKind::ALL {
        assert_eq!(
            judge(S::Submitted, &C::ReviewApprove(plan(*kind)), &facts()),
            Ok((
                S::Approved,
                vec![E::ReviewRecorded, E::Unassigned(LeftReason::Finished), E::PlanDeadlineStarted(*kind)]
            ))
        );
    }
    let mut no_cure = plan(PlanKind::Optimise);
    no_cure.cure = " ".into();
    assert_eq!(judge(S::Submitted, &C::ReviewApprove(no_cure), &facts()), Err(ProblemType::InvalidField));
    let mut no_relief = plan(PlanKind::Optimise);
    no_relief.quick_relief = String::new();
    assert_eq!(judge(S::Submitted, &C::ReviewApprove(no_relief), &facts()), Err(ProblemType::InvalidField));
    // R-TEST-5: what has not arrived cannot be approved; it can be sent back.
    let missing = WorkOrderFacts { evidence_arrived: false, ..facts() };
    assert_eq!(
        judge(S::Submitted, &C::ReviewApprove(plan(PlanKind::Optimise)), &missing),
        Err(ProblemType::EvidenceMissing)
    );
    for reasons in [vec![], vec![" ".to_owned()]] {
        assert_eq!(judge(S::Submitted, &C::ReviewSendBack { reasons }, &missing), Err(ProblemType::InvalidField));
    }
    assert_eq!(
        judge(S::Submitted, &C::ReviewSendBack { reasons: vec!["no samples indoors".into()] }, &missing),
        Ok((S::SentBack, vec![E::ReviewRecorded]))
    );
}

#[test]
fn r_return_1_a_stage_reply_says_what_happens_next() {
    assert_eq!(
        judge(S::OnSite, &C::StageReply(reply()), &facts()),
        Ok((S::OnSite, vec![E::ReplySent(ReplyKind::Stage)]))
    );
    let no_next = ReplyText { text: "测试已完成".into(), next_step: None };
    assert_eq!(judge(S::OnSite, &C::StageReply(no_next.clone()), &facts()), Err(ProblemType::InvalidField));
    // A final one need not.
    assert!(judge(S::Approved, &C::FinalReplyUnresolved(no_next), &facts()).is_ok());
    // R-CONTACT-2
    let rude = ReplyText { text: "网络就是这样爱用不用".into(), next_step: Some("无".into()) };
    assert_eq!(judge(S::Approved, &C::FinalReplyUnresolved(rude.clone()), &facts()), Err(ProblemType::InvalidField));
    assert_eq!(judge(S::Approved, &C::StageReply(rude), &facts()), Err(ProblemType::InvalidField));
}

#[test]
fn r_return_2_unresolved_opens_a_tracking_ticket_by_itself() {
    assert_eq!(
        judge(S::Approved, &C::FinalReplyUnresolved(reply()), &facts()),
        Ok((S::Unresolved, vec![E::ReplySent(ReplyKind::FinalUnresolved), E::TrackingTicketOpened, E::ClockStopped]))
    );
    let chase = C::Chase { urgency: None, note: Some("again".into()) };
    assert_eq!(judge(S::Unresolved, &chase, &facts()), Err(ProblemType::IllegalTransition));
}

#[test]
fn r_return_3_and_4_only_the_customer_resolves() {
    let hold = C::HoldSolved { what_was_done: "antenna tilted".into() };
    assert_eq!(judge(S::Approved, &hold, &facts()), Ok((S::AwaitingRevisit, vec![E::RevisitDue, E::ClockPaused])));
    let waiting = WorkOrderFacts { waits_for_customer: true, ..facts() };
    assert_eq!(
        judge(S::AwaitingRevisit, &C::RevisitAnswered(answer(true, 9)), &waiting),
        Ok((S::Resolved, vec![E::ReplySent(ReplyKind::FinalResolved), E::ClockStopped, E::CaseLibraryOffered]))
    );
    assert_eq!(
        judge(S::AwaitingRevisit, &C::RevisitAnswered(answer(false, 9)), &waiting),
        Ok((S::Approved, vec![E::Reopened, E::FalseReturnCounted, E::ClockReopened]))
    );
    // An order that was never tested goes back to T1, not to a lead who never saw a test.
    let untested = WorkOrderFacts { has_approved_test: false, ..waiting };
    assert_eq!(
        judge(S::AwaitingRevisit, &C::RevisitAnswered(answer(false, 9)), &untested).unwrap().0,
        S::HandoffAnswered
    );
}

#[test]
fn r_return_3_a_customer_who_never_answers_has_not_confirmed() {
    let waiting = WorkOrderFacts { waits_for_customer: true, ..facts() };
    assert_eq!(
        judge(S::AwaitingRevisit, &C::RevisitAgain, &waiting),
        Ok((S::AwaitingRevisit, vec![E::RevisitsRevoked, E::RevisitDue]))
    );
    assert_eq!(
        judge(S::AwaitingRevisit, &C::FinalReplyUnresolved(reply()), &waiting),
        Ok((
            S::Unresolved,
            vec![
                E::RevisitsRevoked,
                E::ReplySent(ReplyKind::FinalUnresolved),
                E::TrackingTicketOpened,
                E::ClockStopped
            ]
        ))
    );
}

#[test]
fn r_revisit_1_a_low_score_opens_a_follow_up() {
    for (score, follows_up) in [(1, true), (6, true), (7, false), (10, false)] {
        for solved in [true, false] {
            let effects = judge(S::AwaitingRevisit, &C::RevisitAnswered(answer(solved, score)), &facts()).unwrap().1;
            assert_eq!(effects.contains(&E::FollowUpOpened), follows_up, "{score} {solved}");
        }
    }
    for score in [0, 11, 255] {
        assert_eq!(
            judge(S::AwaitingRevisit, &C::RevisitAnswered(answer(true, score)), &facts()),
            Err(ProblemType::InvalidField)
        );
    }
}

#[test]
fn r_return_4_the_same_complaint_within_thirty_days_reopens_and_counts() {
    let resolved_at = at("2026-10-01T02:00:00Z");
    for (now, reopens) in [
        ("2026-10-01T02:00:00Z", true),
        ("2026-10-31T02:00:00Z", true),
        ("2026-10-31T02:00:01Z", false),
        ("2027-01-01T00:00:00Z", false),
    ] {
        let facts = WorkOrderFacts { now: at(now), resolved_at: Some(resolved_at), ..facts() };
        let outcome = judge(S::Resolved, &C::ComplainedAgain, &facts);
        if reopens {
            assert_eq!(outcome, Ok((S::Approved, vec![E::Reopened, E::FalseReturnCounted, E::ClockReopened])), "{now}");
        } else {
            assert_eq!(outcome, Err(ProblemType::IllegalTransition), "{now}");
        }
    }
    assert_eq!(
        judge(S::AwaitingRevisit, &C::ComplainedAgain, &facts()),
        Ok((S::Approved, vec![E::RevisitsRevoked, E::Reopened, E::FalseReturnCounted, E::ClockReopened])),
        "complaining again answers the revisit"
    );
}

#[test]
fn r_return_5_coordination_is_raised_at_once() {
    let raise = C::RaiseToCoordination { reason: "three channels".into() };
    assert_eq!(judge(S::Received, &raise, &facts()), Ok((S::Received, vec![E::CoordinationRaised])));
    let blank = C::RaiseToCoordination { reason: " ".into() };
    assert_eq!(judge(S::Received, &blank, &facts()), Err(ProblemType::InvalidField));
}

#[test]
fn a_second_visit_begins_its_own_test() {
    let tested = WorkOrderFacts { has_current_test: true, ..facts() };
    assert_eq!(
        judge(S::Approved, &C::Dispatch { tester: user(2) }, &tested),
        Ok((S::Dispatched, vec![E::CurrentTestReleased, E::Assigned(user(2))]))
    );
}
