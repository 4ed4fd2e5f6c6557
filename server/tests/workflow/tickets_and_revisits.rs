//! Tracking tickets, revisits and handoffs (R-RETURN-2…4, R-REVISIT-1, R-ROUTE-1…3, R-ROUTE-5, R-KNOW-1).

use crate::workflow::support::{answer, at, reply};
use callout_server::workflow::handoffs::{
    HandoffCommand, HandoffEffect, HandoffOutcome, HandoffRecipient, HandoffState, Route, RouteCause, RouteOwner,
    handoff_transition, route,
};
use callout_server::workflow::replies::ReplyKind;
use callout_server::workflow::revisits::{
    RevisitChannel, RevisitCommand, RevisitEffect, RevisitFacts, RevisitPolicy, RevisitState, revisit_link_expires_at,
    revisit_transition,
};
use callout_server::workflow::tracking_tickets::{
    TrackingTicketCommand as T, TrackingTicketEffect as E, TrackingTicketFacts, TrackingTicketPolicy,
    TrackingTicketState as S, tracking_ticket_transition,
};
use callout_sync_protocol::problem::ProblemType;

fn ticket(state: S, command: &T, closed_at: Option<&str>) -> Result<(S, Vec<E>), ProblemType> {
    let facts = TrackingTicketFacts { now: at("2026-11-23T02:00:00Z"), closed_at: closed_at.map(at) };
    tracking_ticket_transition(state, command, &facts, &TrackingTicketPolicy::default())
        .map(|t| (t.state, t.effects))
        .map_err(|rejection| rejection.problem)
}

#[test]
fn r_return_2_a_ticket_lives_until_the_customer_confirms() {
    let hold = T::HoldSolved { what_was_done: "small cell on air".into() };
    assert_eq!(ticket(S::Open, &hold, None), Ok((S::AwaitingRevisit, vec![E::RevisitDue, E::ClockPaused])));
    assert_eq!(ticket(S::AwaitingRevisit, &hold, None), Err(ProblemType::IllegalTransition));
    // R-RETURN-3, R-KNOW-1
    assert_eq!(
        ticket(S::AwaitingRevisit, &T::RevisitAnswered(answer(true, 10)), None),
        Ok((S::Closed, vec![E::ReplySent(ReplyKind::FinalResolved), E::ClockStopped, E::CaseLibraryOffered]))
    );
    // R-RETURN-4, R-REVISIT-1
    assert_eq!(
        ticket(S::AwaitingRevisit, &T::RevisitAnswered(answer(false, 3)), None),
        Ok((S::Open, vec![E::FalseReturnCounted, E::ClockReopened, E::FollowUpOpened]))
    );
    for state in [S::Open, S::Closed] {
        assert_eq!(
            ticket(state, &T::RevisitAnswered(answer(true, 10)), None),
            Err(ProblemType::IllegalTransition),
            "{state}: nobody asked the customer"
        );
    }
    assert_eq!(
        ticket(S::AwaitingRevisit, &T::RevisitAgain, None),
        Ok((S::AwaitingRevisit, vec![E::RevisitsRevoked, E::RevisitDue]))
    );
    assert_eq!(ticket(S::Open, &T::RevisitAgain, None), Err(ProblemType::IllegalTransition));
    for (command, effect) in [
        (T::Chase { note: "again".into() }, E::ChaseRecorded),
        (T::StageReply(reply()), E::ReplySent(ReplyKind::Stage)),
    ] {
        for state in [S::Open, S::AwaitingRevisit] {
            assert_eq!(ticket(state, &command, None), Ok((state, vec![effect])));
        }
        assert_eq!(ticket(S::Closed, &command, None), Err(ProblemType::IllegalTransition));
    }
}

#[test]
fn r_return_4_the_same_complaint_reopens_a_ticket() {
    assert_eq!(ticket(S::Open, &T::ComplainedAgain, None), Ok((S::Open, vec![E::RepeatLinked])));
    assert_eq!(
        ticket(S::AwaitingRevisit, &T::ComplainedAgain, None),
        Ok((S::Open, vec![E::RepeatLinked, E::RevisitsRevoked, E::FalseReturnCounted, E::ClockReopened]))
    );
    assert_eq!(
        ticket(S::Closed, &T::ComplainedAgain, Some("2026-10-25T02:00:00Z")),
        Ok((S::Open, vec![E::RepeatLinked, E::FalseReturnCounted, E::ClockReopened]))
    );
    assert_eq!(
        ticket(S::Closed, &T::ComplainedAgain, Some("2026-10-23T02:00:00Z")),
        Err(ProblemType::IllegalTransition)
    );
}

const CREATED: &str = "2026-11-20T02:00:00Z";

fn revisit(
    state: RevisitState,
    command: &RevisitCommand,
    now: &str,
) -> Result<(RevisitState, Vec<RevisitEffect>), ProblemType> {
    let facts = RevisitFacts { now: at(now), created_at: at(CREATED) };
    revisit_transition(state, command, &facts, &RevisitPolicy::default())
        .map(|t| (t.state, t.effects))
        .map_err(|rejection| rejection.problem)
}

fn by(channel: RevisitChannel, solved: bool) -> RevisitCommand {
    RevisitCommand::Answer { channel, answer: answer(solved, 8) }
}

#[test]
fn r_revisit_1_a_link_works_once_and_not_for_ever() {
    use RevisitState as R;
    let (fresh, last, late) = ("2026-11-20T03:00:00Z", "2026-11-23T01:59:59Z", "2026-11-23T02:00:00Z");
    assert_eq!(revisit_link_expires_at(at(CREATED), &RevisitPolicy::default()), at(late));
    let told = vec![RevisitEffect::LinkUsedUp, RevisitEffect::AnswerTold];
    let link = by(RevisitChannel::Link, true);
    assert_eq!(revisit(R::Pending, &link, fresh), Ok((R::Confirmed, told.clone())));
    assert_eq!(revisit(R::Pending, &by(RevisitChannel::Link, false), last), Ok((R::Denied, told.clone())));
    assert_eq!(revisit(R::Pending, &link, late), Err(ProblemType::LinkExpired), "even before the timer ran");
    for used in [R::Confirmed, R::Denied, R::Expired, R::Revoked] {
        assert_eq!(revisit(used, &link, fresh), Err(ProblemType::LinkExpired), "{used}");
    }
    // The agent can still record a call, once.
    let phone = by(RevisitChannel::Phone, true);
    assert_eq!(revisit(R::Pending, &phone, late), Ok((R::Confirmed, told.clone())));
    assert_eq!(revisit(R::Expired, &phone, late), Ok((R::Confirmed, told)));
    for done in [R::Confirmed, R::Denied, R::Revoked] {
        assert_eq!(revisit(done, &phone, fresh), Err(ProblemType::IllegalTransition), "{done}");
    }
}

#[test]
fn a_revisits_timer_may_fire_early_twice_or_late() {
    use RevisitState as R;
    let expire = RevisitCommand::Expire;
    assert_eq!(revisit(R::Pending, &expire, "2026-11-20T03:00:00Z"), Ok((R::Pending, vec![])));
    assert_eq!(revisit(R::Pending, &expire, "2026-11-23T02:00:00Z"), Ok((R::Expired, vec![RevisitEffect::LinkUsedUp])));
    for done in [R::Confirmed, R::Denied, R::Expired, R::Revoked] {
        assert_eq!(revisit(done, &expire, "2026-11-23T02:00:00Z"), Ok((done, vec![])));
    }
    assert_eq!(
        revisit(R::Pending, &RevisitCommand::Revoke, CREATED),
        Ok((R::Revoked, vec![RevisitEffect::LinkUsedUp]))
    );
    assert_eq!(revisit(R::Confirmed, &RevisitCommand::Revoke, CREATED), Err(ProblemType::IllegalTransition));
}

#[test]
fn r_revisit_1_the_answer_is_checked() {
    for score in [0, 11] {
        let command = RevisitCommand::Answer { channel: RevisitChannel::Link, answer: answer(true, score) };
        assert_eq!(revisit(RevisitState::Pending, &command, CREATED), Err(ProblemType::InvalidField));
    }
    for (words, is_fine) in [("好".repeat(1_000), true), ("好".repeat(1_001), false), ("a\0b".to_owned(), false)] {
        let mut said = answer(true, 10);
        said.words = Some(words);
        let command = RevisitCommand::Answer { channel: RevisitChannel::Phone, answer: said };
        assert_eq!(revisit(RevisitState::Pending, &command, CREATED).is_ok(), is_fine);
    }
}

#[test]
fn r_route_1_one_owner_for_each_cause() {
    for (cause, owner, owes_stage_reply) in [
        (RouteCause::Fault, RouteOwner::Maintenance, false),
        (RouteCause::Construction, RouteOwner::Branch, false),
        (RouteCause::FieldTest, RouteOwner::FieldTester, true),
    ] {
        assert_eq!(route(cause), Route { owner, owes_stage_reply });
    }
}

#[test]
fn r_route_2_3_and_5_handoffs() {
    use HandoffCommand as C;
    use HandoffState as H;
    let judge = |state, recipient, command: &C| {
        handoff_transition(state, recipient, command).map(|t| (t.state, t.effects)).map_err(|r| r.problem)
    };
    let (branch, maintenance) = (HandoffRecipient::Branch, HandoffRecipient::Maintenance);
    let ask = C::Ask { question: "when?".into() };
    let answered = |outcome| C::Answer { outcome, text: "in March".into() };
    // R-ROUTE-3: silent or unclear, the branch may be asked; the question stays on the order.
    for state in [H::Open, H::Answered] {
        assert_eq!(judge(state, branch, &ask), Ok((state, vec![HandoffEffect::QuestionRecorded])));
        assert_eq!(judge(state, maintenance, &ask), Err(ProblemType::IllegalTransition));
        let said = C::Reply { text: "next week".into() };
        assert_eq!(judge(state, branch, &said), Ok((state, vec![HandoffEffect::ReplyRecorded])));
    }
    for outcome in HandoffOutcome::ALL {
        let mut effects = vec![HandoffEffect::AnswerRecorded];
        // R-ROUTE-5
        effects.extend((*outcome == HandoffOutcome::WrongAddressee).then_some(HandoffEffect::WrongDispatchCounted));
        assert_eq!(judge(H::Open, branch, &answered(*outcome)), Ok((H::Answered, effects)));
    }
    assert_eq!(judge(H::Answered, branch, &answered(HandoffOutcome::Done)), Err(ProblemType::IllegalTransition));
    let blank = C::Answer { outcome: HandoffOutcome::Done, text: " ".into() };
    assert_eq!(judge(H::Open, branch, &blank), Err(ProblemType::InvalidField));
    assert_eq!(judge(H::Open, branch, &C::Cancel), Ok((H::Cancelled, vec![])));
    assert_eq!(judge(H::Cancelled, branch, &C::Cancel), Ok((H::Cancelled, vec![])), "idempotent");
    for command in [ask, answered(HandoffOutcome::Done), C::Reply { text: "x".into() }] {
        assert_eq!(judge(H::Cancelled, branch, &command), Err(ProblemType::IllegalTransition));
    }
}
