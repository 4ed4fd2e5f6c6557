//! Escalations: to whom a complaint goes above the desk that took it, why, and how that one may end it (R-INTAKE-3, R-INTAKE-4,
//! R-INTAKE-8, R-RETURN-5).
//!
//! What does not belong here: what a complaint deserves at intake (`complaints`), who has which role (`app`).

use crate::workflow::complaints::{ComplaintHandling, ComplaintRelation, IncomingComplaint, IntakeDecision};
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};

named_enum! {
    /// To whom a complaint is escalated, lowest first.
    EscalationLevel {
        /// A senior agent.
        Senior = "senior" / "高级话务员",
        /// The manager.
        Manager = "manager" / "经理",
        /// Coordination between departments (R-RETURN-5).
        Coordination = "coordination" / "协调",
        /// All departments concerned together.
        Joint = "joint" / "联合会商",
    }
}

impl EscalationLevel {
    /// The next higher one.
    pub fn above(self) -> Option<Self> {
        match self {
            Self::Senior => Some(Self::Manager),
            Self::Manager => Some(Self::Coordination),
            Self::Coordination => Some(Self::Joint),
            Self::Joint => None,
        }
    }
}

named_enum! {
    /// What opened an escalation.
    EscalationCause {
        /// The customer is a key account (R-INTAKE-4).
        KeyAccount = "key_account" / "大用户投诉",
        /// Repeated beyond the open one's limit (R-INTAKE-3).
        BeyondLimit = "beyond_limit" / "超过处理时限的重复投诉",
        /// Repeats a closed one that the customer had not called satisfactory (R-INTAKE-3).
        ClosedNotSatisfied = "closed_not_satisfied" / "原投诉处理客户不满意",
        /// Compared with the record, the customer is no longer satisfied (R-INTAKE-3).
        RecordDisputed = "record_disputed" / "客户对满意度记录有异议",
        /// The customer does not accept the refusal (R-INTAKE-8).
        RefusalContested = "refusal_contested" / "客户不接受拒绝",
        /// Sensitive (R-RETURN-5).
        Sensitive = "sensitive" / "敏感投诉",
        /// The same problem came by several doors (R-RETURN-5).
        SeveralChannels = "several_channels" / "多渠道投诉",
        /// A person raised it.
        Raised = "raised" / "人工上报",
        /// Somebody lower could not settle it.
        RaisedFurther = "raised_further" / "继续升级",
    }
}

named_enum! {
    /// How an escalation ended.
    EscalationOutcome {
        /// The customer has been answered; the complaint goes on as it is.
        Answered = "answered" / "已答复客户",
        /// The refusal stands (R-INTAKE-8).
        Upheld = "upheld" / "维持原处理",
        /// A contested refusal is taken back; the complaint is taken up (R-INTAKE-8).
        TakenUp = "taken_up" / "重新受理",
        /// Given to the next higher level.
        Raised = "raised" / "已升级",
    }
}

/// The escalations that open by themselves at intake.
pub fn intake_escalations(
    incoming: &IncomingComplaint,
    decision: &IntakeDecision,
) -> Vec<(EscalationLevel, EscalationCause)> {
    use {EscalationCause as C, EscalationLevel as L};
    let mut opened = Vec::new();
    match decision.handling {
        ComplaintHandling::Senior if incoming.is_key_account => opened.push((L::Senior, C::KeyAccount)),
        ComplaintHandling::Senior => opened.push((L::Senior, C::ClosedNotSatisfied)),
        ComplaintHandling::Manager => opened.push((L::Manager, C::BeyondLimit)),
        ComplaintHandling::WorkOrder
        | ComplaintHandling::AnswerOrPassOn
        | ComplaintHandling::TellProgress
        | ComplaintHandling::CompareWithRecord
        | ComplaintHandling::AddToOpen
        | ComplaintHandling::Reopen => {}
    }
    if decision.needs_coordination {
        let from_several = decision.relation != ComplaintRelation::New && !incoming.is_sensitive;
        opened.push((L::Coordination, if from_several { C::SeveralChannels } else { C::Sensitive }));
    }
    opened
}

/// Judges how an open escalation is to end.
///
/// # Errors
/// `invalid-field` without words, or for an outcome that does not answer its cause; `illegal-transition` at the highest level.
pub fn escalation_close_check(
    level: EscalationLevel,
    cause: EscalationCause,
    outcome: EscalationOutcome,
    words: &str,
) -> Result<(), Rejection> {
    required_text("words", words)?;
    match (outcome, cause) {
        (EscalationOutcome::Raised, _) => match level.above() {
            Some(_) => Ok(()),
            None => refuse(ProblemType::IllegalTransition, "there is nobody above the joint meeting"),
        },
        (EscalationOutcome::Answered, EscalationCause::RefusalContested) => refuse(
            ProblemType::InvalidField,
            "outcome: a contested refusal is upheld, or the complaint is taken up (R-INTAKE-8)",
        ),
        (EscalationOutcome::Upheld | EscalationOutcome::TakenUp, EscalationCause::RefusalContested) => Ok(()),
        (EscalationOutcome::Upheld | EscalationOutcome::TakenUp, _) => {
            refuse(ProblemType::InvalidField, "outcome: nothing was refused here")
        }
        (EscalationOutcome::Answered, _) => Ok(()),
    }
}
