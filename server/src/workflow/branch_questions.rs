//! Questions of customer service straight to the branch: when they may be asked and answered (R-ROUTE-3).
//!
//! What does not belong here: the handoff by which the branch owns an order (`handoffs`).

use crate::workflow::handoffs::{HandoffRecipient, HandoffState};
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};

/// Whether customer service may ask the branch: it owns the order.
///
/// # Errors
/// `illegal-transition` when the branch does not own the order; `invalid-field` for a blank question.
pub fn branch_question_ask(handoff: Option<(HandoffRecipient, HandoffState)>, question: &str) -> Result<(), Rejection> {
    match handoff {
        Some((HandoffRecipient::Branch, HandoffState::Open)) => required_text("question", question),
        Some((HandoffRecipient::Branch, HandoffState::Answered | HandoffState::Cancelled))
        | Some((
            HandoffRecipient::Maintenance,
            HandoffState::Open | HandoffState::Answered | HandoffState::Cancelled,
        ))
        | None => refuse(
            ProblemType::IllegalTransition,
            "the branch does not own the order now; ask T1 for its progress (R-ROUTE-3)",
        ),
    }
}

/// Whether the branch may answer: once, and also after it no longer owns the order, so that no question stays open.
///
/// # Errors
/// `illegal-transition` when it has its answer; `invalid-field` for a blank one.
pub fn branch_question_answer(is_answered: bool, answer: &str) -> Result<(), Rejection> {
    if is_answered {
        return refuse(ProblemType::IllegalTransition, "the question has its answer; ask another one");
    }
    required_text("answer", answer)
}
