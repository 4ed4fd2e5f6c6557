//! Breaches: who used the time of a clock, and what made it late (R-KPI-1).
//!
//! Between its events an order is in one stage, and each stage has one owner; the counted time of a clock is divided among the
//! stages, and the stage that used most suggests the cause. What does not belong here: the clock itself (`clocks`).

use crate::workflow::clocks::ClockSpan;
use crate::workflow::handoffs::HandoffRecipient;
use crate::workflow::policies::Policy;
use crate::workflow::tracking_tickets::TrackingTicketState;
use crate::workflow::work_orders::{WorkOrderOwner, work_order_owner};
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MAX_LIST_ITEMS;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

named_enum! {
    /// What was being done while a clock ran.
    ClockStage {
        /// The complaint is yet to be classified.
        Triage = "triage" / "受理分类",
        /// The place is yet to be found out.
        Location = "location" / "定位核实",
        /// A tester is yet to be sent.
        Dispatch = "dispatch" / "派单",
        /// The order is with its tester.
        Field = "field" / "现场测试",
        /// The test is yet to be reviewed.
        Review = "review" / "测试审核",
        /// The plan is yet to be carried out or passed on.
        Plan = "plan" / "方案落实",
        /// The branch has it.
        Branch = "branch" / "分公司处理",
        /// Maintenance has it.
        Maintenance = "maintenance" / "维护处理",
        /// The answer of the branch or of maintenance is yet to be passed on.
        Reply = "reply" / "答复回单",
        /// The customer is asked whether service is back.
        Revisit = "revisit" / "客户回访",
        /// The tracking ticket is open.
        Tracking = "tracking" / "跟踪处理",
        /// Nothing is to be done any more.
        Ended = "ended" / "已结束",
    }
}

impl ClockStage {
    /// The stage of an order in this state; `recipient` is whom it was handed to last.
    pub fn of_order(state: WorkOrderState, recipient: Option<HandoffRecipient>) -> Self {
        use WorkOrderState as S;
        match state {
            S::Received => Self::Location,
            S::Located => Self::Dispatch,
            S::Dispatched | S::Accepted | S::Contacted | S::OnSite | S::SentBack => Self::Field,
            S::Submitted => Self::Review,
            S::Approved => Self::Plan,
            S::HandedOver => match recipient {
                Some(HandoffRecipient::Branch) | None => Self::Branch,
                Some(HandoffRecipient::Maintenance) => Self::Maintenance,
            },
            S::HandoffAnswered => Self::Reply,
            S::AwaitingRevisit => Self::Revisit,
            S::Unresolved => Self::Tracking,
            S::Resolved | S::Withdrawn => Self::Ended,
        }
    }

    /// The stage of a tracking ticket in this state.
    pub fn of_ticket(state: TrackingTicketState) -> Self {
        match state {
            TrackingTicketState::Open => Self::Tracking,
            TrackingTicketState::AwaitingRevisit => Self::Revisit,
            TrackingTicketState::Closed => Self::Ended,
        }
    }

    /// Who has to act in it.
    pub fn owner(self) -> Option<WorkOrderOwner> {
        use WorkOrderState as S;
        match self {
            Self::Triage => Some(WorkOrderOwner::T1Dispatcher),
            Self::Location => work_order_owner(S::Received),
            Self::Dispatch => work_order_owner(S::Located),
            Self::Field => work_order_owner(S::Accepted),
            Self::Review => work_order_owner(S::Submitted),
            Self::Plan => work_order_owner(S::Approved),
            Self::Branch | Self::Maintenance => work_order_owner(S::HandedOver),
            Self::Reply => work_order_owner(S::HandoffAnswered),
            Self::Revisit => work_order_owner(S::AwaitingRevisit),
            Self::Tracking => Some(WorkOrderOwner::RegionalLead),
            Self::Ended => None,
        }
    }
}

/// Since when an order (or, before it, its complaint) was in which stage; oldest first.
pub type StageHistory = Vec<(Timestamp, ClockStage)>;

/// Divides the counted time of a clock among the stages. What lies before the first entry is triage.
pub fn time_by_stage(spans: &[ClockSpan], stages: &[(Timestamp, ClockStage)]) -> BTreeMap<ClockStage, i64> {
    let mut times = BTreeMap::new();
    for span in spans.iter().filter(|span| span.counted_micros() > 0) {
        let mut from = span.from;
        let mut stage = ClockStage::Triage;
        for (since, next) in stages {
            let until = (*since).clamp(from, span.until);
            *times.entry(stage).or_insert(0) += until.micros_since(from);
            (from, stage) = (until, *next);
        }
        *times.entry(stage).or_insert(0) += span.until.micros_since(from);
    }
    times.retain(|_, micros| *micros > 0);
    times
}

/// A cause that a breach may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachCause {
    /// Its key, such as `late_review`.
    pub key: String,
    /// Its English name.
    pub name: String,
    /// Its Chinese name.
    pub name_zh: String,
    /// The stages that suggest it when they used most of the time.
    #[serde(default)]
    pub stages: Vec<ClockStage>,
    /// Whoever names it must say more.
    #[serde(default)]
    pub needs_note: bool,
}

/// The causes to choose from, for the Pareto chart of overdue causes (R-KPI-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreachCausePolicy {
    /// The list, in the order in which it is shown.
    pub causes: Vec<BreachCause>,
}

type CauseRow = (&'static str, &'static str, &'static str, &'static [ClockStage], bool);

const DEFAULT_CAUSES: &[CauseRow] = &[
    (
        "late_triage",
        "Classified or located late",
        "受理分类、定位不及时",
        &[ClockStage::Triage, ClockStage::Location],
        false,
    ),
    ("late_dispatch", "Dispatched late", "派单不及时", &[ClockStage::Dispatch], false),
    ("late_field_test", "Field test late", "现场测试不及时", &[ClockStage::Field], false),
    ("late_review", "Review late", "测试审核不及时", &[ClockStage::Review], false),
    ("late_plan", "Plan not carried out in time", "方案落实不及时", &[ClockStage::Plan, ClockStage::Tracking], false),
    ("branch_overdue", "Branch took too long", "分公司处理超时", &[ClockStage::Branch], false),
    ("maintenance_overdue", "Maintenance took too long", "维护（代维）处理超时", &[ClockStage::Maintenance], false),
    ("late_reply", "Answer passed on late", "回单不及时", &[ClockStage::Reply], false),
    ("late_revisit", "Revisit late", "回访不及时", &[ClockStage::Revisit], false),
    ("wrong_dispatch", "Sent to the wrong place first", "派单有误", &[], false),
    ("property_access", "No access to the property", "物业协调困难", &[], false),
    ("construction_period", "Construction takes its time", "建设周期长", &[], false),
    ("customer", "The customer could not be reached or had no time", "客户原因", &[], false),
    ("system_fault", "Fault of a system", "系统故障", &[], false),
    ("other", "Another cause", "其他原因", &[], true),
];

impl Default for BreachCausePolicy {
    fn default() -> Self {
        let causes = DEFAULT_CAUSES.iter().map(|(key, name, name_zh, stages, needs_note)| BreachCause {
            key: (*key).to_owned(),
            name: (*name).to_owned(),
            name_zh: (*name_zh).to_owned(),
            stages: stages.to_vec(),
            needs_note: *needs_note,
        });
        Self { causes: causes.collect() }
    }
}

impl BreachCausePolicy {
    /// The cause of a key.
    pub fn cause(&self, key: &str) -> Option<&BreachCause> {
        self.causes.iter().find(|cause| cause.key == key)
    }

    /// The cause that the time used suggests: that of the stage that used most.
    pub fn suggestion(&self, times: &BTreeMap<ClockStage, i64>) -> Option<&BreachCause> {
        let (stage, _) = times.iter().max_by_key(|(stage, micros)| (**micros, std::cmp::Reverse(**stage)))?;
        self.causes.iter().find(|cause| cause.stages.contains(stage))
    }

    /// Checks the cause that a person names.
    ///
    /// # Errors
    /// `invalid-field` for a cause that is not in the list, or for a missing note.
    pub fn check_named(&self, key: &str, note: Option<&str>) -> Result<(), Rejection> {
        let Some(cause) = self.cause(key) else {
            return refuse(ProblemType::InvalidField, "cause: is not in the list of breach causes");
        };
        match note {
            None if cause.needs_note => refuse(ProblemType::InvalidField, "note: this cause needs a note"),
            None => Ok(()),
            Some(note) => required_text("note", note),
        }
    }
}

impl Policy for BreachCausePolicy {
    const KIND: &'static str = "breach_causes";

    fn check(&self) -> Result<(), Rejection> {
        if self.causes.is_empty() || self.causes.len() > MAX_LIST_ITEMS {
            return refuse(ProblemType::InvalidField, format!("causes: must have 1 to {MAX_LIST_ITEMS} entries"));
        }
        let mut keys = BTreeSet::new();
        for cause in &self.causes {
            required_text("causes.key", &cause.key)?;
            required_text("causes.name", &cause.name)?;
            required_text("causes.name_zh", &cause.name_zh)?;
            if !keys.insert(&cause.key) {
                return refuse(ProblemType::InvalidField, format!("causes.key: '{}' stands there twice", cause.key));
            }
        }
        Ok(())
    }
}
