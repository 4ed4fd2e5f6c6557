//! Complaints as they come in: class, channel, what relation they have to earlier ones, and the handling that each deserves
//! (R-INTAKE-1…4, 8, 9; R-CLASS-1, R-CLASS-2; R-RETURN-4, R-RETURN-5).
//!
//! What does not belong here: finding the candidates among millions of past complaints (`storage`), time limits (`limits`).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::{DAY_MICROS, refuse, required_text};
use callout_sync_protocol::ids::{ComplaintId, UserId};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{Symptom, Urgency};
use serde::{Deserialize, Serialize};

named_enum! {
    /// What a complaint is about (R-INTAKE-2).
    ComplaintClass {
        /// Tariffs, billing, products.
        Business = "business" / "业务类",
        /// How the customer was served.
        Service = "service" / "服务类",
        /// The network; the only class that becomes a field work order.
        Network = "network" / "网络类",
    }
}

named_enum! {
    /// By which door a complaint came (R-INTAKE-1, R-INTAKE-9).
    ComplaintChannel {
        /// The customer-service number.
        Phone = "phone" / "电话",
        /// The app.
        App = "app" / "手机应用",
        /// The web site.
        Web = "web" / "网站",
        /// E-mail.
        Email = "email" / "电子邮件",
        /// A shop.
        Shop = "shop" / "营业厅",
        /// The operator's order system.
        Eoms = "eoms" / "电子运维系统",
        /// The company's group hotline (10080).
        GroupHotline = "group_hotline" / "集团热线 10080",
        /// The regulator (12300).
        Regulator = "regulator" / "通信管理局 12300",
    }
}

impl ComplaintChannel {
    /// A door above customer service (R-INTAKE-9).
    pub fn is_higher_door(self) -> bool {
        match self {
            Self::GroupHotline | Self::Regulator => true,
            Self::Phone | Self::App | Self::Web | Self::Email | Self::Shop | Self::Eoms => false,
        }
    }
}

/// A complaint as it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingComplaint {
    /// When it came.
    pub received_at: Timestamp,
    /// By which door.
    pub channel: ComplaintChannel,
    /// What it is about.
    pub class: ComplaintClass,
    /// Whatever identifies the customer in both complaints, such as a keyed hash of the number; never shown.
    pub customer_key: String,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// Where, if known.
    pub position: Option<Position>,
    /// The agent's judgement that it tells something new of an open complaint; absent where nobody judged.
    pub adds_facts: Option<bool>,
    /// The customer is a key account (大用户, R-INTAKE-4).
    pub is_key_account: bool,
    /// Judged sensitive, for instance by the press taking interest (R-RETURN-5).
    pub is_sensitive: bool,
}

/// Where a past complaint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastStanding {
    /// Not ended; due then, if its clock runs.
    Open {
        /// When its limit ends; absent while the clock is paused.
        due_at: Option<Timestamp>,
    },
    /// Ended.
    Closed {
        /// When.
        closed_at: Timestamp,
        /// The order was returned as resolved.
        was_resolved: bool,
        /// What the customer said of it at the revisit: satisfied or not, if asked.
        was_satisfied: Option<bool>,
    },
}

/// A past complaint that might be the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct PastComplaint {
    /// Its id.
    pub id: ComplaintId,
    /// See [`IncomingComplaint::customer_key`].
    pub customer_key: String,
    /// What the customer suffered from.
    pub symptom: Symptom,
    /// Where, if known.
    pub position: Option<Position>,
    /// When it came.
    pub received_at: Timestamp,
    /// By which door.
    pub channel: ComplaintChannel,
    /// Where it stands.
    pub standing: PastStanding,
}

/// What makes two complaints one, and a complaint a major one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakePolicy {
    /// Metres within which two places are the same (a choice: 500).
    pub same_place_m: u32,
    /// Days after its end in which a closed complaint can be repeated (a choice: 90).
    pub repeat_days: u16,
    /// Days after the final reply in which a repeat makes it a false return (R-RETURN-4: 30).
    pub false_return_days: u16,
    /// Unsuccessful handlings that are "several" (R-CLASS-1; a choice: 3).
    pub major_failed_handlings: u32,
    /// Customers who complain jointly (R-CLASS-1: 3).
    pub major_joint_customers: u32,
    /// Doors by which one problem came that are "several channels" (R-RETURN-5; a choice: 2).
    pub several_channels: u32,
    /// Metres within which a past complaint is shown as a similar one (R-INTAKE-7; a choice: 1000).
    pub similar_place_m: u32,
    /// Customers with one symptom at one place that show a common cause with wide reach (R-CLASS-1; a choice: 10).
    pub wide_reach_customers: u32,
    /// Days in which they must have complained (a choice: 7).
    pub wide_reach_days: u16,
    /// Hours after which those answerable for a major complaint are told again that it is open (R-CLASS-2; a choice: 24).
    pub major_reminder_hours: u16,
    /// Steps of the ladder after which a case is a hard one (R-KNOW-1; a choice: 3).
    pub hard_case_steps: u32,
}

impl Policy for IntakePolicy {
    const KIND: &'static str = "intake";

    fn check(&self) -> Result<(), Rejection> {
        let within = |field: &str, value: u32, lowest: u32, highest: u32| {
            if (lowest..=highest).contains(&value) {
                Ok(())
            } else {
                refuse(ProblemType::InvalidField, format!("{field}: must be from {lowest} to {highest}"))
            }
        };
        within("same_place_m", self.same_place_m, 1, 5_000)?;
        within("repeat_days", self.repeat_days.into(), 1, 3_650)?;
        within("false_return_days", self.false_return_days.into(), 1, 3_650)?;
        within("major_failed_handlings", self.major_failed_handlings, 1, 100)?;
        within("major_joint_customers", self.major_joint_customers, 2, 10_000)?;
        within("several_channels", self.several_channels, 2, 8)?;
        within("similar_place_m", self.similar_place_m, 1, 5_000)?;
        within("wide_reach_customers", self.wide_reach_customers, 2, 100)?;
        within("wide_reach_days", self.wide_reach_days.into(), 1, 365)?;
        within("major_reminder_hours", self.major_reminder_hours.into(), 1, 720)?;
        within("hard_case_steps", self.hard_case_steps, 1, 12)
    }
}

impl Default for IntakePolicy {
    fn default() -> Self {
        Self {
            same_place_m: 500,
            repeat_days: 90,
            false_return_days: 30,
            major_failed_handlings: 3,
            major_joint_customers: 3,
            several_channels: 2,
            similar_place_m: 1_000,
            wide_reach_customers: 10,
            wide_reach_days: 7,
            major_reminder_hours: 24,
            hard_case_steps: 3,
        }
    }
}

named_enum! {
    /// The name of a complaint's relation to those before it (R-INTAKE-3).
    RelationKind {
        /// No earlier one is the same.
        New = "new" / "新投诉",
        /// Same customer, same problem.
        Repeat = "repeat" / "重复投诉",
        /// Adds facts to an open one.
        Supplementary = "supplementary" / "补充投诉",
    }
}

/// How a complaint relates to those before it (R-INTAKE-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplaintRelation {
    /// No earlier one is the same.
    New,
    /// Same customer, same problem.
    Repeat {
        /// The first one that it repeats.
        of: ComplaintId,
    },
    /// Adds facts to an open one.
    Supplementary {
        /// The one that it adds to.
        of: ComplaintId,
    },
}

impl ComplaintRelation {
    /// Its name.
    pub fn kind(self) -> RelationKind {
        match self {
            Self::New => RelationKind::New,
            Self::Repeat { .. } => RelationKind::Repeat,
            Self::Supplementary { .. } => RelationKind::Supplementary,
        }
    }

    /// The earlier one.
    pub fn of(self) -> Option<ComplaintId> {
        match self {
            Self::New => None,
            Self::Repeat { of } | Self::Supplementary { of } => Some(of),
        }
    }
}

/// Same customer, and nothing says that it is another problem: the symptoms agree (or one is "other"), the places agree where
/// both are known.
fn is_same_problem(incoming: &IncomingComplaint, past: &PastComplaint, policy: &IntakePolicy) -> bool {
    let same_symptom =
        incoming.symptom == past.symptom || incoming.symptom == Symptom::Other || past.symptom == Symptom::Other;
    let same_place = match (incoming.position, past.position) {
        (Some(a), Some(b)) => distance_m(a, b) <= f64::from(policy.same_place_m),
        (None, _) | (_, None) => true,
    };
    incoming.customer_key == past.customer_key && same_symptom && same_place
}

/// The past complaint that this one is the same as: an open one before a closed one, the later before the earlier.
fn same_complaint<'a>(
    incoming: &IncomingComplaint,
    candidates: &'a [PastComplaint],
    policy: &IntakePolicy,
) -> Option<&'a PastComplaint> {
    candidates
        .iter()
        .filter(|past| is_same_problem(incoming, past, policy))
        .filter(|past| match past.standing {
            PastStanding::Open { .. } => true,
            PastStanding::Closed { closed_at, .. } => {
                incoming.received_at.micros_since(closed_at) <= i64::from(policy.repeat_days) * DAY_MICROS
            }
        })
        .max_by_key(|past| (matches!(past.standing, PastStanding::Open { .. }), past.received_at, past.id))
}

/// New, repeat or supplementary (R-INTAKE-3). Where the agent did not say whether facts were added, a place that the open one
/// lacks is such a fact.
pub fn complaint_relation(
    incoming: &IncomingComplaint,
    candidates: &[PastComplaint],
    policy: &IntakePolicy,
) -> ComplaintRelation {
    let Some(past) = same_complaint(incoming, candidates, policy) else { return ComplaintRelation::New };
    match past.standing {
        PastStanding::Open { .. } => {
            let brings_place = incoming.position.is_some() && past.position.is_none();
            if incoming.adds_facts.unwrap_or(brings_place) {
                ComplaintRelation::Supplementary { of: past.id }
            } else {
                ComplaintRelation::Repeat { of: past.id }
            }
        }
        PastStanding::Closed { .. } => ComplaintRelation::Repeat { of: past.id },
    }
}

named_enum! {
    /// What a complaint deserves (R-INTAKE-2…4, R-INTAKE-8).
    ComplaintHandling {
        /// A network complaint: becomes a work order.
        WorkOrder = "work_order" / "生成现场工单",
        /// A business or service complaint: answered at once, or passed on.
        AnswerOrPassOn = "answer_or_pass_on" / "答复或转派相关部门",
        /// A key account: to a senior at once (R-INTAKE-4).
        Senior = "senior" / "转高级话务员",
        /// A repeat inside the limit: the customer hears of the progress.
        TellProgress = "tell_progress" / "告知处理进展",
        /// A repeat beyond the limit: straight to the manager.
        Manager = "manager" / "转经理热线",
        /// A repeat of one that the customer had called satisfactory: compared with that record.
        CompareWithRecord = "compare_with_record" / "与满意度记录核对",
        /// Adds its facts to the open one, as a chase (R-ROUTE-4).
        AddToOpen = "add_to_open" / "追单补充",
        /// A network problem that was returned as solved and is not: the order reopens (R-RETURN-4).
        Reopen = "reopen" / "重新打开工单",
    }
}

/// What a complaint deserves, decided at intake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeDecision {
    /// New, repeat or supplementary.
    pub relation: ComplaintRelation,
    /// The handling.
    pub handling: ComplaintHandling,
    /// How pressing.
    pub urgency: Urgency,
    /// The first one of the same problem, to which this one is linked (R-INTAKE-9).
    pub linked_to: Option<ComplaintId>,
    /// The earlier return as resolved was false: it reopens and counts (R-RETURN-4).
    pub is_false_return: bool,
    /// The door by which the answer is owed (R-INTAKE-9).
    pub answer_by: ComplaintChannel,
    /// Raised to coordination at once: sensitive, or from several channels (R-RETURN-5).
    pub needs_coordination: bool,
}

/// Decides what a complaint deserves. An unreasonable one is refused before this by [`complaint_refuse`].
pub fn complaint_handling(
    incoming: &IncomingComplaint,
    candidates: &[PastComplaint],
    policy: &IntakePolicy,
) -> IntakeDecision {
    complaint_handling_as(incoming, candidates, complaint_relation(incoming, candidates, policy), policy)
}

/// Decides what a complaint deserves whose relation a person named.
pub fn complaint_handling_as(
    incoming: &IncomingComplaint,
    candidates: &[PastComplaint],
    relation: ComplaintRelation,
    policy: &IntakePolicy,
) -> IntakeDecision {
    let past = relation.of().and_then(|of| candidates.iter().find(|past| past.id == of));
    let is_false_return = past.is_some_and(|past| match past.standing {
        PastStanding::Open { .. } => false,
        PastStanding::Closed { closed_at, was_resolved, .. } => {
            was_resolved
                && incoming.received_at.micros_since(closed_at) <= i64::from(policy.false_return_days) * DAY_MICROS
        }
    });
    let handling = handling_of(incoming, relation, past, is_false_return);
    let urgency = if incoming.channel.is_higher_door() {
        Urgency::Critical
    } else if incoming.is_key_account {
        Urgency::Urgent
    } else {
        Urgency::Normal
    };
    // One problem by several doors, this one among them.
    let mut doors: Vec<ComplaintChannel> = candidates
        .iter()
        .filter(|past| is_same_problem(incoming, past, policy))
        .filter(|past| matches!(past.standing, PastStanding::Open { .. }))
        .map(|past| past.channel)
        .collect();
    doors.push(incoming.channel);
    doors.sort_unstable();
    doors.dedup();
    let from_several = doors.len() as u64 >= u64::from(policy.several_channels.max(2));
    // The first one of the chain, so that every repeat points to the same beginning.
    let linked_to = past.map(|past| {
        candidates
            .iter()
            .filter(|other| is_same_problem(incoming, other, policy) && other.received_at <= past.received_at)
            .min_by_key(|other| (other.received_at, other.id))
            .map_or(past.id, |first| first.id)
    });
    IntakeDecision {
        relation,
        handling,
        urgency,
        linked_to,
        is_false_return,
        answer_by: incoming.channel,
        needs_coordination: incoming.is_sensitive || from_several,
    }
}

fn handling_of(
    incoming: &IncomingComplaint,
    relation: ComplaintRelation,
    past: Option<&PastComplaint>,
    is_false_return: bool,
) -> ComplaintHandling {
    use ComplaintHandling as H;
    if incoming.is_key_account {
        return H::Senior;
    }
    let ordinary = match incoming.class {
        ComplaintClass::Network => H::WorkOrder,
        ComplaintClass::Business | ComplaintClass::Service => H::AnswerOrPassOn,
    };
    match (relation, past.map(|past| past.standing)) {
        (ComplaintRelation::New, _) | (_, None) => ordinary,
        (ComplaintRelation::Supplementary { .. }, Some(_)) => H::AddToOpen,
        (ComplaintRelation::Repeat { .. }, Some(PastStanding::Open { due_at })) => match due_at {
            Some(due_at) if incoming.received_at > due_at => H::Manager,
            Some(_) | None => H::TellProgress,
        },
        (ComplaintRelation::Repeat { .. }, Some(PastStanding::Closed { was_satisfied, .. })) => match was_satisfied {
            Some(true) => H::CompareWithRecord,
            Some(false) | None if is_false_return && incoming.class == ComplaintClass::Network => H::Reopen,
            Some(false) | None => H::Senior,
        },
    }
}

/// What follows the comparison with the record of a customer who had been satisfied (R-INTAKE-3): where the customer still says
/// so, the record is told; where not, the manager looks into it.
pub fn comparison_handling(customer_agrees_with_record: bool) -> ComplaintHandling {
    if customer_agrees_with_record { ComplaintHandling::TellProgress } else { ComplaintHandling::Manager }
}

/// A complaint refused as unreasonable, on record (R-INTAKE-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplaintRefusal {
    /// What the customer was told.
    pub explanation: String,
    /// Where it goes when the customer does not accept that.
    pub goes_to: Option<ComplaintHandling>,
}

/// Refuses an unreasonable complaint with an explanation; a customer who does not accept it goes to the manager (R-INTAKE-8).
///
/// # Errors
/// `invalid-field` without an explanation.
pub fn complaint_refuse(explanation: &str, customer_accepts: bool) -> Result<ComplaintRefusal, Rejection> {
    required_text("explanation", explanation)?;
    let goes_to = (!customer_accepts).then_some(ComplaintHandling::Manager);
    Ok(ComplaintRefusal { explanation: explanation.to_owned(), goes_to })
}

named_enum! {
    /// Why a complaint is a major escalated one (重大升级投诉, R-CLASS-1).
    MajorReason {
        /// Shows a serious gap in service or management that cannot be closed soon.
        SeriousGap = "serious_gap" / "服务或管理严重不足，短期无法解决",
        /// Handled several times without success, still rising, disturbing normal business.
        StillRising = "still_rising" / "多次处理未果，有继续升级倾向，影响正常营业",
        /// A common cause with wide reach.
        WideReach = "wide_reach" / "原因普遍，影响面广",
        /// Several customers complain jointly.
        Joint = "joint" / "客户联名集体投诉",
    }
}

/// What is known of a complaint's weight (R-CLASS-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComplaintWeight {
    /// It shows a serious gap in service or management.
    pub shows_serious_gap: bool,
    /// That gap can be closed soon.
    pub gap_closes_soon: bool,
    /// How often it was handled without success.
    pub failed_handlings: u32,
    /// It is still rising.
    pub is_rising: bool,
    /// It disturbs normal business.
    pub disturbs_business: bool,
    /// It has a common cause with wide reach.
    pub has_wide_reach: bool,
    /// How many customers complain jointly, this one among them.
    pub joint_customers: u32,
}

/// Every reason that makes the complaint a major escalated one; none if it is not (R-CLASS-1).
pub fn major_reasons(weight: &ComplaintWeight, policy: &IntakePolicy) -> Vec<MajorReason> {
    let several = weight.failed_handlings >= policy.major_failed_handlings;
    [
        (weight.shows_serious_gap && !weight.gap_closes_soon, MajorReason::SeriousGap),
        (several && weight.is_rising && weight.disturbs_business, MajorReason::StillRising),
        (weight.has_wide_reach, MajorReason::WideReach),
        (weight.joint_customers >= policy.major_joint_customers, MajorReason::Joint),
    ]
    .into_iter()
    .filter_map(|(holds, reason)| holds.then_some(reason))
    .collect()
}

/// Most members of a temporary team.
pub const MAX_TEAM: usize = 50;

/// The temporary team of a major complaint (R-CLASS-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MajorTeam {
    /// Who leads it.
    pub leader: UserId,
    /// Who else belongs to it, and for what; those answerable get the notices until the complaint ends.
    pub members: Vec<(UserId, String)>,
}

/// Checks that a major complaint's team is named (R-CLASS-2): a leader and at least one more, nobody twice, each for something.
///
/// # Errors
/// `invalid-field` that names the field.
pub fn major_team_check(team: &MajorTeam) -> Result<(), Rejection> {
    if team.members.is_empty() || team.members.len() > MAX_TEAM {
        return refuse(
            ProblemType::InvalidField,
            format!("members: a major complaint gets a named team of 1 to {MAX_TEAM} beside its leader (R-CLASS-2)"),
        );
    }
    let mut all: Vec<UserId> = team.members.iter().map(|(user, _)| *user).chain([team.leader]).collect();
    all.sort_unstable();
    if all.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse(ProblemType::InvalidField, "members: names somebody twice");
    }
    team.members.iter().try_for_each(|(_, duty)| required_text("members.duty", duty))
}
