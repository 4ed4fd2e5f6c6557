//! Handoffs: an order (or a tracking ticket) with the branch (T2) or maintenance, from the demand to the answer (R-ROUTE-1…3).
//!
//! There is no way back to customer service: T1 hands over inside the system and takes the answer there (R-ROUTE-2).

use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};

named_enum! {
    /// Who takes over.
    HandoffRecipient {
        /// The branch's desk (T2): construction, property access.
        Branch = "branch" / "分公司",
        /// Maintenance room and its contractor: faults.
        Maintenance = "maintenance" / "维护室",
    }
}

named_enum! {
    /// What the analysis found to be the matter (R-ROUTE-1).
    RouteCause {
        /// Something is broken.
        Fault = "fault" / "故障",
        /// Something must be built, or a property entered.
        Construction = "construction" / "建设",
        /// It takes a measurement on the spot to know.
        FieldTest = "field_test" / "现场测试",
    }
}

named_enum! {
    /// The one owner that an order goes to.
    RouteOwner {
        /// The maintenance contractor.
        Maintenance = "maintenance" / "代维单位",
        /// The branch (T2).
        Branch = "branch" / "分公司",
        /// A field tester.
        FieldTester = "field_tester" / "现场测试人员",
    }
}

/// Where an order goes, and what is owed beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The one owner.
    pub owner: RouteOwner,
    /// Customer service is owed a stage reply inside the limit.
    pub owes_stage_reply: bool,
}

/// The one owner for each cause (R-ROUTE-1).
pub fn route(cause: RouteCause) -> Route {
    match cause {
        RouteCause::Fault => Route { owner: RouteOwner::Maintenance, owes_stage_reply: false },
        RouteCause::Construction => Route { owner: RouteOwner::Branch, owes_stage_reply: false },
        RouteCause::FieldTest => Route { owner: RouteOwner::FieldTester, owes_stage_reply: true },
    }
}

named_enum! {
    /// Where a handoff stands.
    HandoffState {
        /// Waits for the answer.
        Open = "open" / "待答复",
        /// Answered.
        Answered = "answered" / "已答复",
        /// Taken back with its order.
        Cancelled = "cancelled" / "已撤销",
    }
}

named_enum! {
    /// What the branch or maintenance answers.
    HandoffOutcome {
        /// What was demanded is done.
        Done = "done" / "已完成",
        /// It is planned; the answer says for when.
        Planned = "planned" / "已列入计划",
        /// It cannot be done; the answer says why.
        NotPossible = "not_possible" / "无法实施",
        /// It is not theirs; counts as a wrong dispatch (R-ROUTE-5).
        WrongAddressee = "wrong_addressee" / "转派有误",
    }
}

/// What happens to a handoff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoffCommand {
    /// Customer service or T1 asks the branch directly (R-ROUTE-3).
    Ask {
        /// The question.
        question: String,
    },
    /// The branch answers such a question without closing the handoff.
    Reply {
        /// The words.
        text: String,
    },
    /// The branch or maintenance answers the demand.
    Answer {
        /// The outcome.
        outcome: HandoffOutcome,
        /// The words.
        text: String,
    },
    /// Its order was withdrawn.
    Cancel,
}

/// What an accepted command changes beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffEffect {
    /// Question and answer stay on the order (R-ROUTE-3).
    QuestionRecorded,
    /// The same, for the reply.
    ReplyRecorded,
    /// The answer is recorded; the order moves to `handoff_answered`.
    AnswerRecorded,
    /// Counts in the appraisal of who handed over (R-ROUTE-5).
    WrongDispatchCounted,
}

/// The state afterwards and the effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffTransition {
    /// The state afterwards.
    pub state: HandoffState,
    /// What else changes.
    pub effects: Vec<HandoffEffect>,
}

/// Judges what happens to a handoff (R-ROUTE-2, R-ROUTE-3, R-ROUTE-5).
///
/// # Errors
/// `illegal-transition`, or `invalid-field` for blank words.
pub fn handoff_transition(
    state: HandoffState,
    recipient: HandoffRecipient,
    command: &HandoffCommand,
) -> Result<HandoffTransition, Rejection> {
    use HandoffCommand as C;
    use HandoffEffect as E;
    use HandoffState as S;
    let to = |state, effects: &[E]| Ok(HandoffTransition { state, effects: effects.to_vec() });
    let illegal = |what: &str| {
        refuse(ProblemType::IllegalTransition, format!("'{what}' is not possible while the handoff is '{state}'"))
    };
    match (state, command) {
        // An unclear answer may be asked about too.
        (S::Open | S::Answered, C::Ask { question }) => match recipient {
            HandoffRecipient::Branch => {
                required_text("question", question)?;
                to(state, &[E::QuestionRecorded])
            }
            HandoffRecipient::Maintenance => refuse(
                ProblemType::IllegalTransition,
                "only the branch is asked directly; quality control urges maintenance (R-ROUTE-3)",
            ),
        },
        (S::Open | S::Answered, C::Reply { text }) => {
            required_text("text", text)?;
            to(state, &[E::ReplyRecorded])
        }
        (S::Open, C::Answer { outcome, text }) => {
            required_text("text", text)?;
            match outcome {
                HandoffOutcome::Done | HandoffOutcome::Planned | HandoffOutcome::NotPossible => {
                    to(S::Answered, &[E::AnswerRecorded])
                }
                HandoffOutcome::WrongAddressee => to(S::Answered, &[E::AnswerRecorded, E::WrongDispatchCounted]),
            }
        }
        (S::Open, C::Cancel) => to(S::Cancelled, &[]),
        // Withdrawing is idempotent (R-ROUTE-4).
        (S::Cancelled, C::Cancel) => to(S::Cancelled, &[]),
        (S::Answered, C::Answer { .. }) => illegal("answer"),
        (S::Answered, C::Cancel) => to(S::Answered, &[]),
        (S::Cancelled, C::Ask { .. }) => illegal("ask"),
        (S::Cancelled, C::Reply { .. }) => illegal("reply"),
        (S::Cancelled, C::Answer { .. }) => illegal("answer"),
    }
}
