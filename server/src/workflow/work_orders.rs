//! The desks' part of a work order's life: one pure function judges every desk command in every state.
//!
//! The tester's part (`accept` … `test_submit`) is `callout_sync_protocol::field_workflow`. What does not belong here: what follows
//! the final reply `unresolved` (`tracking_tickets`), the handoff's own life (`handoffs`), the ladder (`ladder`).

use crate::workflow::appointments::ArrivalPolicy;
use crate::workflow::handoffs::{HandoffOutcome, HandoffRecipient};
use crate::workflow::places::Place;
use crate::workflow::replies::{ForbiddenExpressions, ReplyKind, ReplyText};
use crate::workflow::reviews::{PlanKind, ReviewPlan};
use crate::workflow::revisits::{FalseReturnPolicy, RevisitAnswer, RevisitPolicy};
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, TimeWindow, Urgency, WorkOrderState};

mod transition;

pub use transition::work_order_transition;

/// What a desk asks for. Texts that the decision does not need (notes, titles) stay with `app`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkOrderCommand {
    /// Names the exact place (R-LOCATE-1), or corrects it while the order is with its tester.
    Locate(Place),
    /// Asks the customer for what is missing; the clock pauses meanwhile.
    AskCustomer {
        /// The question.
        question: String,
    },
    /// The customer answered.
    CustomerAnswered {
        /// The answer.
        answer: String,
    },
    /// Sends a tester.
    Dispatch {
        /// Whom.
        tester: UserId,
    },
    /// Agrees on a visit with the customer, or on another time for it (R-VISIT-1).
    SetAppointment(TimeWindow),
    /// A senior lets a junior's dispatch go, or stops it (R-ROUTE-5).
    DispatchCheck {
        /// It may go.
        approved: bool,
        /// Why not; required when it is stopped.
        reason: Option<String>,
    },
    /// Gives the order to another tester.
    Reassign {
        /// To whom.
        tester: UserId,
        /// Why.
        reason: String,
        /// The first dispatch was wrong; counts in the appraisal (R-ROUTE-5).
        was_wrong: bool,
    },
    /// Customer service takes the order back (退单, R-ROUTE-4).
    Withdraw {
        /// Why.
        reason: String,
    },
    /// Customer service adds urgency or facts (追单, R-ROUTE-4).
    Chase {
        /// The new urgency, if it rises.
        urgency: Option<Urgency>,
        /// The new facts, if any.
        note: Option<String>,
    },
    /// Hard, sensitive, or from several channels: raised to coordination at once (R-RETURN-5).
    RaiseToCoordination {
        /// Why.
        reason: String,
    },
    /// The lead approves the test and names the plan (R-REVIEW-1).
    ReviewApprove(ReviewPlan),
    /// The lead sends the test back (R-REVIEW-1).
    ReviewSendBack {
        /// Why, one entry a reason.
        reasons: Vec<String>,
    },
    /// T1 hands the order over inside the system (R-ROUTE-1, R-ROUTE-2).
    HandOver {
        /// To whom.
        recipient: HandoffRecipient,
        /// What is demanded.
        demand: String,
    },
    /// The branch or maintenance answers.
    HandoffAnswer {
        /// The outcome.
        outcome: HandoffOutcome,
    },
    /// Tells customer service of progress (R-RETURN-1).
    StageReply(ReplyText),
    /// Returns the order as unresolved (R-RETURN-1, R-RETURN-2).
    FinalReplyUnresolved(ReplyText),
    /// Holds the problem to be solved; the customer is asked (R-RETURN-3).
    HoldSolved {
        /// What was done.
        what_was_done: String,
    },
    /// The customer did not answer; the revisit is tried again with a new link or call.
    RevisitAgain,
    /// The customer's word at the revisit (R-RETURN-3, R-RETURN-4, R-REVISIT-1).
    RevisitAnswered(RevisitAnswer),
    /// The customer complains of the same thing again (R-RETURN-4).
    ComplainedAgain,
}

impl WorkOrderCommand {
    /// The name of the kind in messages, events and the generated table.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Locate(_) => "locate",
            Self::AskCustomer { .. } => "ask_customer",
            Self::CustomerAnswered { .. } => "customer_answered",
            Self::Dispatch { .. } => "dispatch",
            Self::SetAppointment(_) => "set_appointment",
            Self::DispatchCheck { .. } => "dispatch_check",
            Self::Reassign { .. } => "reassign",
            Self::Withdraw { .. } => "withdraw",
            Self::Chase { .. } => "chase",
            Self::RaiseToCoordination { .. } => "raise_to_coordination",
            Self::ReviewApprove(_) => "review_approve",
            Self::ReviewSendBack { .. } => "review_send_back",
            Self::HandOver { .. } => "hand_over",
            Self::HandoffAnswer { .. } => "handoff_answer",
            Self::StageReply(_) => "stage_reply",
            Self::FinalReplyUnresolved(_) => "final_reply_unresolved",
            Self::HoldSolved { .. } => "hold_solved",
            Self::RevisitAgain => "revisit_again",
            Self::RevisitAnswered(_) => "revisit_answered",
            Self::ComplainedAgain => "complained_again",
        }
    }
}

/// What the judge must know of the world beside the state. `WorkOrderFacts::at` knows nothing but the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkOrderFacts {
    /// Now, by the server's clock.
    pub now: Timestamp,
    /// The order's region, once located.
    pub region_id: Option<RegionId>,
    /// For `locate`: the region in which the named place lies.
    pub place_region_id: Option<RegionId>,
    /// The tester who has the order.
    pub assignee: Option<UserId>,
    /// For `dispatch`, `dispatch_check`, `reassign`: the tester works in the order's region.
    pub tester_in_region: bool,
    /// Who commands is a junior whose dispatches are checked (R-ROUTE-5).
    pub actor_is_junior: bool,
    /// The tester whom a junior proposed, while a senior has yet to check.
    pub proposed_tester: Option<UserId>,
    /// The order has a current field test.
    pub has_current_test: bool,
    /// Every block and photo that the submitted test cites has arrived and was verified.
    pub evidence_arrived: bool,
    /// A test of the order was approved before.
    pub has_approved_test: bool,
    /// For `chase`: a chase of the same reference is on record.
    pub is_known_chase: bool,
    /// The order's urgency.
    pub urgency: Urgency,
    /// The order's clock is paused because the customer was asked.
    pub waits_for_customer: bool,
    /// When the order was returned as resolved.
    pub resolved_at: Option<Timestamp>,
}

impl WorkOrderFacts {
    /// Nothing is known but the time.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            region_id: None,
            place_region_id: None,
            assignee: None,
            tester_in_region: false,
            actor_is_junior: false,
            proposed_tester: None,
            has_current_test: false,
            evidence_arrived: false,
            has_approved_test: false,
            is_known_chase: false,
            urgency: Urgency::Normal,
            waits_for_customer: false,
            resolved_at: None,
        }
    }
}

/// What an administrator may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkOrderPolicy {
    /// A junior's dispatch waits for a senior (R-ROUTE-5).
    pub checks_junior_dispatch: bool,
    /// How long an appointment's window may be (R-VISIT-1).
    pub appointments: ArrivalPolicy,
    /// When a repeated complaint makes a return false (R-RETURN-4).
    pub false_return: FalseReturnPolicy,
    /// Score and words of a revisit.
    pub revisit: RevisitPolicy,
    /// What must not reach a customer (R-CONTACT-2).
    pub forbidden_expressions: ForbiddenExpressions,
}

/// One thing that changes beside the state. Whoever asked performs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkOrderEffect {
    /// Address, position and region are those of the command.
    PlaceSet,
    /// The question to the customer is on record.
    CustomerAsked,
    /// The customer's answer is on record.
    CustomerAnswerRecorded,
    /// The order's clock stops running, with the reason.
    ClockPaused,
    /// The order's clock runs again.
    ClockResumed,
    /// The old clock goes on, and says that the order was reopened.
    ClockReopened,
    /// The order's clock ends.
    ClockStopped,
    /// The command's appointment stands (R-VISIT-1).
    AppointmentSet,
    /// A dispatch waits for a senior's check (R-ROUTE-5).
    DispatchProposed(UserId),
    /// The waiting dispatch is gone.
    DispatchProposalDropped,
    /// Counts in the appraisal of who made the dispatch or handed over (R-ROUTE-5).
    WrongDispatchCounted,
    /// The order enters this tester's phone.
    Assigned(UserId),
    /// The order leaves the phone of who had it; what was captured stays on record.
    Unassigned(LeftReason),
    /// The current test is no longer the order's; it is kept, and the next visit begins its own.
    CurrentTestReleased,
    /// The chase is on record.
    ChaseRecorded,
    /// The order is more pressing now.
    UrgencyRaised(Urgency),
    /// Coordination is told (R-RETURN-5).
    CoordinationRaised,
    /// The review is on record.
    ReviewRecorded,
    /// The deadline of this kind of plan begins (R-LIMIT-2).
    PlanDeadlineStarted(PlanKind),
    /// A handoff opens.
    HandoffOpened(HandoffRecipient),
    /// The open handoff has its answer.
    HandoffClosed,
    /// The open handoff is taken back.
    HandoffCancelled,
    /// A reply goes to customer service.
    ReplySent(ReplyKind),
    /// A tracking ticket opens by itself and carries everything over (R-RETURN-2).
    TrackingTicketOpened,
    /// The customer is to be asked whether service is back.
    RevisitDue,
    /// Pending revisits and their links are taken back.
    RevisitsRevoked,
    /// A low score is followed up (R-REVISIT-1).
    FollowUpOpened,
    /// The order was open, ended or waited for the customer, and is open again (R-RETURN-4).
    Reopened,
    /// Counts against who returned the order as solved (R-RETURN-4).
    FalseReturnCounted,
    /// How the case was solved is offered to the case library today (R-KNOW-1).
    CaseLibraryOffered,
}

/// What an accepted command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkOrderTransition {
    /// The state afterwards; may be the same.
    pub state: WorkOrderState,
    /// What else changes, in this order.
    pub effects: Vec<WorkOrderEffect>,
}

named_enum! {
    /// Who has to do something next. Every open order has exactly one.
    WorkOrderOwner {
        /// Locates, dispatches, replies.
        T1Dispatcher = "t1_dispatcher" / "T1 业务部门",
        /// Visits and tests.
        FieldTester = "field_tester" / "现场测试人员",
        /// Reviews, decides on the ladder.
        RegionalLead = "regional_lead" / "区域负责人",
        /// The branch or maintenance, whichever the open handoff names.
        HandoffRecipient = "handoff_recipient" / "转派单位",
    }
}

/// Who has to do something next; none once the order ended (its tracking ticket may have one).
pub fn work_order_owner(state: WorkOrderState) -> Option<WorkOrderOwner> {
    use WorkOrderState as S;
    match state {
        S::Received | S::Located | S::HandoffAnswered | S::AwaitingRevisit => Some(WorkOrderOwner::T1Dispatcher),
        S::Dispatched | S::Accepted | S::Contacted | S::OnSite | S::SentBack => Some(WorkOrderOwner::FieldTester),
        S::Submitted | S::Approved => Some(WorkOrderOwner::RegionalLead),
        S::HandedOver => Some(WorkOrderOwner::HandoffRecipient),
        S::Unresolved | S::Resolved | S::Withdrawn => None,
    }
}
