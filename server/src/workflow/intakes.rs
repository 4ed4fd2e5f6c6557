//! What is shown and done at intake beside the decision itself: why a relation was found, who the customer is, which past complaints
//! are like a new one and in which order (R-INTAKE-3, R-INTAKE-4, R-INTAKE-7).
//!
//! What does not belong here: the decision (`complaints`), finding candidates (`storage`).

use crate::workflow::complaints::{ComplaintRelation, IncomingComplaint, IntakePolicy, PastComplaint, PastStanding};
use crate::workflow::places::distance_m;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Symptom;
use std::cmp::Ordering;

named_enum! {
    /// Why a complaint relates to an earlier one as it does (R-INTAKE-3).
    RelationReason {
        /// Nothing of this customer's is the same problem.
        NothingEarlier = "nothing_earlier" / "该客户没有相同问题的投诉",
        /// The same customer complained before.
        SameCustomer = "same_customer" / "同一客户",
        /// Of the same symptom.
        SameSymptom = "same_symptom" / "现象相同",
        /// One of the two symptoms is "other", which may be the same.
        UnclearSymptom = "unclear_symptom" / "现象不明确，视为相同",
        /// At the same place.
        SamePlace = "same_place" / "地点相同",
        /// One of the two places is not known.
        UnknownPlace = "unknown_place" / "地点未知，视为相同",
        /// The earlier one is open.
        StillOpen = "still_open" / "原投诉未结束",
        /// The earlier one is open, and its limit is over.
        BeyondLimit = "beyond_limit" / "原投诉已超时限",
        /// The earlier one ended not long ago.
        ClosedRecently = "closed_recently" / "原投诉结束不久",
        /// The earlier one was returned as resolved so recently that the return was a false one (R-RETURN-4).
        FalseReturn = "false_return" / "回单后重复投诉，属虚假回单",
        /// The agent says that it adds facts.
        AgentSaysFacts = "agent_says_facts" / "客服判断有新情况",
        /// It brings the place that the earlier one lacks.
        BringsPlace = "brings_place" / "补充了地点",
        /// A person corrected it.
        Corrected = "corrected" / "人工更正",
    }
}

/// The reasons for a relation that [`complaint_relation`](crate::workflow::complaints::complaint_relation) found.
pub fn relation_reasons(
    incoming: &IncomingComplaint,
    past: Option<&PastComplaint>,
    relation: ComplaintRelation,
    is_false_return: bool,
) -> Vec<RelationReason> {
    use RelationReason as R;
    let Some(past) = past else { return vec![R::NothingEarlier] };
    let mut reasons = vec![R::SameCustomer];
    reasons.push(if incoming.symptom == past.symptom { R::SameSymptom } else { R::UnclearSymptom });
    reasons.push(match (incoming.position, past.position) {
        (Some(_), Some(_)) => R::SamePlace,
        (None, _) | (_, None) => R::UnknownPlace,
    });
    reasons.push(match past.standing {
        PastStanding::Open { due_at: Some(due_at) } if incoming.received_at > due_at => R::BeyondLimit,
        PastStanding::Open { .. } => R::StillOpen,
        PastStanding::Closed { .. } => R::ClosedRecently,
    });
    if is_false_return {
        reasons.push(R::FalseReturn);
    }
    match relation {
        ComplaintRelation::Supplementary { .. } if incoming.adds_facts == Some(true) => reasons.push(R::AgentSaysFacts),
        ComplaintRelation::Supplementary { .. } => reasons.push(R::BringsPlace),
        ComplaintRelation::New | ComplaintRelation::Repeat { .. } => {}
    }
    reasons
}

/// A telephone number as it is compared: digits only, without China's country code in front of a whole number.
pub fn phone_normalised(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    for prefix in ["0086", "86"] {
        if let Some(rest) = digits.strip_prefix(prefix)
            && rest.len() >= 10
        {
            // 010… behind the country code is written without its nought.
            return if rest.starts_with('1') && rest.len() == 11 { rest.to_owned() } else { format!("0{rest}") };
        }
    }
    digits
}

/// The operator's own number of a customer as it is compared.
pub fn customer_number_normalised(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// What a past complaint has in common with the one in hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// How far apart they are, in metres, where both places are known.
    pub distance_m: Option<f64>,
    /// The same symptom.
    pub same_symptom: bool,
    /// A cell that serves the one serves the other.
    pub same_cell: bool,
    /// The same customer.
    pub same_customer: bool,
    /// When the past one came.
    pub received_at: Timestamp,
}

/// Whether a past complaint is like the one in hand at all (R-INTAKE-7): near, by the same cell, or the same customer's.
pub fn is_like(likeness: &Likeness, policy: &IntakePolicy) -> bool {
    likeness.distance_m.is_some_and(|m| m <= f64::from(policy.similar_place_m))
        || likeness.same_cell
        || likeness.same_customer
}

/// How much a past complaint has in common: points for symptom, cell and customer, and up to three for nearness.
fn points(likeness: &Likeness, policy: &IntakePolicy) -> f64 {
    let near = likeness.distance_m.map_or(0.0, |m| (1.0 - m / f64::from(policy.similar_place_m.max(1))).max(0.0));
    3.0 * near
        + 2.0 * f64::from(u8::from(likeness.same_symptom))
        + 2.0 * f64::from(u8::from(likeness.same_cell))
        + f64::from(u8::from(likeness.same_customer))
}

/// The order in which similar complaints are shown: most in common first, then the newest.
pub fn likeness_order(a: &Likeness, b: &Likeness, policy: &IntakePolicy) -> Ordering {
    points(b, policy).total_cmp(&points(a, policy)).then(b.received_at.cmp(&a.received_at))
}

/// Half the height and width, in 1e-6 degrees, of a box around a place that holds every place within so many metres.
pub fn box_around(latitude_e6: i32, metres: u32) -> (i32, i32) {
    // A degree of latitude has 111.19 km on the sphere by which distances are measured; one of longitude shrinks to the poles.
    const METRES_PER_DEGREE: f64 = 111_195.0;
    let latitude = f64::from(metres) / METRES_PER_DEGREE * 1e6;
    let shrink = (f64::from(latitude_e6) / 1e6).to_radians().cos().max(0.01);
    (latitude.ceil() as i32, (latitude / shrink).ceil().min(180e6) as i32)
}

/// Whether two symptoms may be the same one.
pub fn symptoms_agree(a: Symptom, b: Symptom) -> bool {
    a == b || a == Symptom::Other || b == Symptom::Other
}

/// How far apart two complaints are, where both places are known.
pub fn complaints_apart_m(
    a: Option<callout_sync_protocol::samples::Position>,
    b: Option<callout_sync_protocol::samples::Position>,
) -> Option<f64> {
    a.zip(b).map(|(a, b)| distance_m(a, b))
}
