//! Tracking tickets (投诉跟踪单): what lives on after a final reply `unresolved`, until the problem is solved and returned (R-RETURN-2).
//!
//! A ticket keeps its order's ladder, plan and evidence and climbs on from there. It closes only by the customer's confirmation
//! (R-RETURN-3), and opens again by a denial or a repeated complaint (R-RETURN-4).

use crate::workflow::replies::{ForbiddenExpressions, ReplyKind, ReplyText, reply_check};
use crate::workflow::revisits::{
    FalseReturnPolicy, RevisitAnswer, RevisitPolicy, revisit_answer_check, revisit_needs_follow_up,
};
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;

named_enum! {
    /// Where a tracking ticket stands. It opens by itself (R-RETURN-2).
    TrackingTicketState {
        /// The problem is worked on.
        Open = "open" / "跟踪中",
        /// Held to be solved; the customer has yet to confirm it.
        AwaitingRevisit = "awaiting_revisit" / "待回访",
        /// The customer confirmed; returned as resolved.
        Closed = "closed" / "已闭环",
    }
}

/// What happens to a tracking ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackingTicketCommand {
    /// Customer service adds urgency or facts (R-ROUTE-4).
    Chase {
        /// The words.
        note: String,
    },
    /// Tells customer service of progress (R-RETURN-1).
    StageReply(ReplyText),
    /// Holds the problem to be solved; the customer is asked.
    HoldSolved {
        /// What was done.
        what_was_done: String,
    },
    /// The customer did not answer; the revisit is tried again with a new link or call.
    RevisitAgain,
    /// The customer's word at the revisit.
    RevisitAnswered(RevisitAnswer),
    /// The customer complains of the same thing again.
    ComplainedAgain,
}

impl TrackingTicketCommand {
    /// The name of the kind in messages, events and the generated table.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Chase { .. } => "chase",
            Self::StageReply(_) => "stage_reply",
            Self::HoldSolved { .. } => "hold_solved",
            Self::RevisitAgain => "revisit_again",
            Self::RevisitAnswered(_) => "revisit_answered",
            Self::ComplainedAgain => "complained_again",
        }
    }
}

/// What the judge must know beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackingTicketFacts {
    /// Now, by the server's clock.
    pub now: Timestamp,
    /// When the ticket closed, if it did.
    pub closed_at: Option<Timestamp>,
}

/// What an administrator may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingTicketPolicy {
    /// When a repeated complaint makes a return false (R-RETURN-4).
    pub false_return: FalseReturnPolicy,
    /// Score and words of a revisit.
    pub revisit: RevisitPolicy,
    /// What must not reach a customer (R-CONTACT-2).
    pub forbidden_expressions: ForbiddenExpressions,
}

/// One thing that changes beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackingTicketEffect {
    /// The chase is on record.
    ChaseRecorded,
    /// A reply goes to customer service.
    ReplySent(ReplyKind),
    /// The customer is to be asked whether service is back.
    RevisitDue,
    /// Pending revisits and their links are taken back.
    RevisitsRevoked,
    /// The ticket's clock pauses for the customer's word.
    ClockPaused,
    /// The old clock goes on, and says that the ticket was reopened.
    ClockReopened,
    /// The ticket's clock ends.
    ClockStopped,
    /// Counts against who returned it as solved (R-RETURN-4).
    FalseReturnCounted,
    /// A low score is followed up (R-REVISIT-1).
    FollowUpOpened,
    /// How this hard case was solved enters the case library today (R-KNOW-1).
    CaseLibraryOffered,
    /// The complaint is linked to the ticket, which is open anyway.
    RepeatLinked,
}

/// The state afterwards and the effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingTicketTransition {
    /// The state afterwards.
    pub state: TrackingTicketState,
    /// What else changes, in this order.
    pub effects: Vec<TrackingTicketEffect>,
}

/// Judges what happens to a tracking ticket (R-RETURN-1…4, R-REVISIT-1, R-KNOW-1).
///
/// # Errors
/// `illegal-transition`, or `invalid-field`.
pub fn tracking_ticket_transition(
    state: TrackingTicketState,
    command: &TrackingTicketCommand,
    facts: &TrackingTicketFacts,
    policy: &TrackingTicketPolicy,
) -> Result<TrackingTicketTransition, Rejection> {
    use TrackingTicketCommand as C;
    use TrackingTicketEffect as E;
    use TrackingTicketState as S;
    let to = |state, effects: Vec<E>| Ok(TrackingTicketTransition { state, effects });
    let illegal = || {
        refuse(
            ProblemType::IllegalTransition,
            format!("'{}' is not possible while the tracking ticket is '{state}'", command.kind()),
        )
    };
    match (state, command) {
        (S::Open | S::AwaitingRevisit, C::Chase { note }) => {
            required_text("note", note)?;
            to(state, vec![E::ChaseRecorded])
        }
        (S::Closed, C::Chase { .. }) => illegal(),
        (S::Open | S::AwaitingRevisit, C::StageReply(reply)) => {
            reply_check(ReplyKind::Stage, reply, &policy.forbidden_expressions)?;
            to(state, vec![E::ReplySent(ReplyKind::Stage)])
        }
        (S::Closed, C::StageReply(_)) => illegal(),
        (S::Open, C::HoldSolved { what_was_done }) => {
            required_text("what_was_done", what_was_done)?;
            to(S::AwaitingRevisit, vec![E::RevisitDue, E::ClockPaused])
        }
        (S::AwaitingRevisit | S::Closed, C::HoldSolved { .. }) => illegal(),
        (S::AwaitingRevisit, C::RevisitAgain) => to(S::AwaitingRevisit, vec![E::RevisitsRevoked, E::RevisitDue]),
        (S::Open | S::Closed, C::RevisitAgain) => illegal(),
        (S::AwaitingRevisit, C::RevisitAnswered(answer)) => {
            revisit_answer_check(answer, &policy.revisit)?;
            let follow_up = revisit_needs_follow_up(answer, &policy.revisit).then_some(E::FollowUpOpened);
            let (state, effects) = if answer.solved {
                (S::Closed, vec![E::ReplySent(ReplyKind::FinalResolved), E::ClockStopped, E::CaseLibraryOffered])
            } else {
                (S::Open, vec![E::FalseReturnCounted, E::ClockReopened])
            };
            to(state, effects.into_iter().chain(follow_up).collect())
        }
        (S::Open | S::Closed, C::RevisitAnswered(_)) => refuse(ProblemType::IllegalTransition, "no revisit is due"),
        (S::Open, C::ComplainedAgain) => to(S::Open, vec![E::RepeatLinked]),
        (S::AwaitingRevisit, C::ComplainedAgain) => {
            to(S::Open, vec![E::RepeatLinked, E::RevisitsRevoked, E::FalseReturnCounted, E::ClockReopened])
        }
        (S::Closed, C::ComplainedAgain) => match facts.closed_at {
            Some(closed_at) if policy.false_return.is_false_return(closed_at, facts.now) => {
                to(S::Open, vec![E::RepeatLinked, E::FalseReturnCounted, E::ClockReopened])
            }
            Some(_) | None => refuse(
                ProblemType::IllegalTransition,
                "the ticket closed too long ago to be reopened; take a new complaint (R-RETURN-4)",
            ),
        },
    }
}
