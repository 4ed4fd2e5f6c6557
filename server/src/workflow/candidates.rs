//! Whom to send: testers ranked as a dispatcher would, each factor with its points and its reason in both languages.
//!
//! The order is a proposal: any tester of the region may be sent (the manual choice always wins). The same input gives the same
//! ranking, whatever the order in which testers are handed in. What does not belong here: loading (`app::candidates`), whether a
//! dispatch is possible at all (`work_orders`).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::shifts::{ShiftStanding, Shifts};
use crate::workflow::{MINUTE_MICROS, refuse};
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, TimeWindow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

named_enum! {
    /// What a tester is trained for.
    Skill {
        /// VoLTE calls: registration, access, drop, MOS, fallback (R-TEST-4).
        Volte = "volte" / "VoLTE 语音",
        /// 5G.
        Nr = "nr" / "5G",
        /// Tests inside buildings.
        Indoor = "indoor" / "室内测试",
        /// Throughput and data services.
        Data = "data" / "数据业务",
    }
}

named_enum! {
    /// What a ranking looks at.
    CandidateFactorKind {
        /// Works in this region, and in how many others.
        Region = "region" / "区域",
        /// From the last known place, else from the usual start.
        Distance = "distance" / "距离",
        /// Trained for what the complaint needs.
        Skill = "skill" / "技能",
        /// Orders in hand against the daily capacity.
        Load = "load" / "负荷",
        /// On shift when the visit is.
        Shift = "shift" / "班次",
        /// Free at the time of the appointment.
        Appointment = "appointment" / "预约",
    }
}

/// How much each factor counts, and where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidatePolicy {
    /// Most points for the region.
    pub region_points: u16,
    /// Most points for being near.
    pub distance_points: u16,
    /// Most points for the skills.
    pub skill_points: u16,
    /// Most points for free capacity.
    pub load_points: u16,
    /// Most points for being on shift.
    pub shift_points: u16,
    /// Most points for being free at the appointment.
    pub appointment_points: u16,
    /// Metres at which being near is worth nothing any more.
    pub far_m: u32,
    /// Minutes for which an arrival tells where a tester is; the usual start does afterwards.
    pub position_fresh_minutes: u16,
    /// Minutes to keep free between two appointments.
    pub travel_minutes: u16,
    /// Words in complaint or address that mean a visit inside a building.
    pub indoor_words: Vec<String>,
}

impl Default for CandidatePolicy {
    fn default() -> Self {
        let words = [
            "室内",
            "屋里",
            "家里",
            "在家",
            "房间",
            "地下",
            "车库",
            "电梯",
            "楼道",
            "办公室",
            "商场",
            "indoor",
            "inside",
            "at home",
            "basement",
            "garage",
            "elevator",
            "lift",
            "office",
        ];
        Self {
            region_points: 50,
            distance_points: 300,
            skill_points: 250,
            load_points: 150,
            shift_points: 150,
            appointment_points: 100,
            far_m: 30_000,
            position_fresh_minutes: 720,
            travel_minutes: 30,
            indoor_words: words.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Policy for CandidatePolicy {
    const KIND: &'static str = "candidates";

    fn check(&self) -> Result<(), Rejection> {
        let points = [
            self.region_points,
            self.distance_points,
            self.skill_points,
            self.load_points,
            self.shift_points,
            self.appointment_points,
        ];
        if points.iter().all(|points| *points == 0) {
            return refuse(ProblemType::InvalidField, "distance_points: at least one factor must count");
        }
        if self.far_m == 0 {
            return refuse(ProblemType::InvalidField, "far_m: must be greater than 0");
        }
        if self.indoor_words.len() > 256 || self.indoor_words.iter().any(|word| word.trim().is_empty()) {
            return refuse(ProblemType::InvalidField, "indoor_words: at most 256 words, none of them blank");
        }
        Ok(())
    }
}

/// The skills that a complaint needs.
pub fn skills_needed(
    symptom: Symptom,
    generation: Option<NetworkGeneration>,
    texts: &[&str],
    policy: &CandidatePolicy,
) -> BTreeSet<Skill> {
    let mut needed = BTreeSet::new();
    let has_volte = match generation {
        None | Some(NetworkGeneration::Lte | NetworkGeneration::Nr) => true,
        Some(NetworkGeneration::Gsm | NetworkGeneration::Umts) => false,
    };
    match symptom {
        Symptom::CallDrop | Symptom::CallSetup | Symptom::VoiceQuality => {
            needed.extend(has_volte.then_some(Skill::Volte));
        }
        Symptom::SlowData | Symptom::NoData => {
            needed.insert(Skill::Data);
        }
        Symptom::NoSignal | Symptom::WeakSignal | Symptom::Other => {}
    }
    needed.extend((generation == Some(NetworkGeneration::Nr)).then_some(Skill::Nr));
    let is_indoor = texts.iter().any(|text| {
        let text = text.to_lowercase();
        policy.indoor_words.iter().any(|word| text.contains(&word.to_lowercase()))
    });
    needed.extend(is_indoor.then_some(Skill::Indoor));
    needed
}

/// What the ranking must know of the order.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateOrder {
    /// Where the visit is.
    pub place: Option<Position>,
    /// Minutes that the place's local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// What the visit needs.
    pub skills: BTreeSet<Skill>,
    /// The appointment that stands, if one does.
    pub appointment: Option<TimeWindow>,
    /// Now.
    pub now: Timestamp,
}

/// What the ranking must know of a tester of the order's region.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateTester {
    /// Who.
    pub id: UserId,
    /// In how many regions the tester works, this one included.
    pub region_count: u32,
    /// Trained for.
    pub skills: BTreeSet<Skill>,
    /// When the tester works.
    pub shifts: Shifts,
    /// Where the tester usually starts.
    pub home: Option<Position>,
    /// Where the tester arrived last, and when.
    pub last_arrival: Option<(Position, Timestamp)>,
    /// Orders in hand that are not handed in.
    pub orders_in_hand: u32,
    /// How many orders a day at most.
    pub daily_capacity: u16,
    /// The appointments of the other orders in hand.
    pub appointments: Vec<TimeWindow>,
    /// The tester declined this very order.
    pub has_declined: bool,
}

/// One factor's contribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CandidateFactor {
    /// Which.
    pub factor: CandidateFactorKind,
    /// Points given.
    pub points: u32,
    /// Most points that it could give.
    pub most: u32,
    /// Why, in Chinese.
    pub reason_zh: String,
    /// Why, in English.
    pub reason: String,
}

/// A tester with rank and reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Who.
    pub tester_id: UserId,
    /// From 1.
    pub rank: u32,
    /// The sum of the factors' points.
    pub score: u32,
    /// Nothing speaks against it: on shift as far as known, free, below capacity, and did not decline this order.
    pub is_available: bool,
    /// Metres from the order's place, if both are known.
    pub distance_m: Option<u32>,
    /// The contributions, in a fixed order.
    pub factors: Vec<CandidateFactor>,
}

/// A factor before it is weighed: how much of its points it gives, in thousandths, and why.
struct Share {
    permille: u32,
    reason_zh: String,
    reason: String,
}

impl Share {
    fn new(permille: u32, reason_zh: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { permille: permille.min(1_000), reason_zh: reason_zh.into(), reason: reason.into() }
    }
}

fn region_share(tester: &CandidateTester) -> Share {
    match tester.region_count {
        0 | 1 => Share::new(1_000, "只负责本区域", "works in this region only"),
        count => Share::new(1_000 / count, format!("负责 {count} 个区域"), format!("works in {count} regions")),
    }
}

/// Where the tester is, as far as known: a fresh arrival, else the usual start.
fn whereabouts(tester: &CandidateTester, now: Timestamp, policy: &CandidatePolicy) -> Option<(Position, bool)> {
    let fresh_micros = i64::from(policy.position_fresh_minutes) * MINUTE_MICROS;
    let arrival = tester.last_arrival.filter(|(_, at)| now.micros_since(*at) <= fresh_micros);
    arrival.map(|(position, _)| (position, true)).or(tester.home.map(|home| (home, false)))
}

fn distance_share(order: &CandidateOrder, tester: &CandidateTester, policy: &CandidatePolicy) -> (Share, Option<u32>) {
    let Some(place) = order.place else {
        return (Share::new(0, "工单位置未知", "the order's place is not known"), None);
    };
    let Some((from, is_arrival)) = whereabouts(tester, order.now, policy) else {
        return (Share::new(0, "人员位置未知", "the tester's place is not known"), None);
    };
    // Half the Earth's circumference in metres fits.
    let metres = distance_m(from, place).round() as u32;
    let left = u64::from(policy.far_m.saturating_sub(metres));
    let permille = u32::try_from(left * 1_000 / u64::from(policy.far_m.max(1))).unwrap_or(1_000);
    let kilometres = f64::from(metres) / 1_000.0;
    let (zh, en) =
        if is_arrival { ("最近到达位置", "the last arrival") } else { ("常驻点", "the usual start") };
    let share = Share::new(permille, format!("距{zh} {kilometres:.1} 公里"), format!("{kilometres:.1} km from {en}"));
    (share, Some(metres))
}

fn names(skills: impl Iterator<Item = Skill>) -> (String, String) {
    let (zh, en): (Vec<_>, Vec<_>) = skills.map(|skill| (skill.name_zh(), skill.as_str())).unzip();
    (zh.join("、"), en.join(", "))
}

fn skill_share(order: &CandidateOrder, tester: &CandidateTester) -> Share {
    if order.skills.is_empty() {
        return Share::new(1_000, "无特殊技能要求", "no special skill needed");
    }
    let missing: Vec<Skill> = order.skills.difference(&tester.skills).copied().collect();
    let needed = order.skills.len();
    let permille = u32::try_from((needed - missing.len()) * 1_000 / needed).unwrap_or(0);
    if missing.is_empty() {
        let (zh, en) = names(order.skills.iter().copied());
        return Share::new(permille, format!("具备 {zh}"), format!("has {en}"));
    }
    let (zh, en) = names(missing.into_iter());
    Share::new(permille, format!("缺少 {zh}"), format!("lacks {en}"))
}

fn load_share(tester: &CandidateTester) -> Share {
    let capacity = u32::from(tester.daily_capacity);
    let (in_hand, free) = (tester.orders_in_hand, capacity.saturating_sub(tester.orders_in_hand));
    let permille = (free * 1_000).checked_div(capacity).unwrap_or(0);
    Share::new(
        permille,
        format!("在手 {in_hand} 单，日容量 {capacity} 单"),
        format!("{in_hand} orders in hand of {capacity} a day"),
    )
}

fn shift_share(order: &CandidateOrder, tester: &CandidateTester) -> (Share, ShiftStanding) {
    let at = order.appointment.map_or(order.now, |window| window.from);
    let (when_zh, when) =
        if order.appointment.is_some() { ("预约时", "at the appointment") } else { ("当前", "now") };
    let standing = tester.shifts.standing(at, order.utc_offset_minutes);
    let share = match standing {
        ShiftStanding::On => Share::new(1_000, format!("{when_zh}当班"), format!("on shift {when}")),
        ShiftStanding::Unknown => Share::new(500, "无排班信息", "no shifts on record"),
        ShiftStanding::Off => Share::new(0, format!("{when_zh}不当班"), format!("off shift {when}")),
        ShiftStanding::Leave => Share::new(0, format!("{when_zh}休假"), format!("on leave {when}")),
    };
    (share, standing)
}

fn appointment_share(order: &CandidateOrder, tester: &CandidateTester, policy: &CandidatePolicy) -> (Share, bool) {
    let Some(window) = order.appointment else {
        return (Share::new(1_000, "尚无预约", "no appointment yet"), false);
    };
    let travel_seconds = 60 * i64::from(policy.travel_minutes);
    let is_in_the_way = |other: &&TimeWindow| {
        window.from < other.until.plus_seconds(travel_seconds) && other.from < window.until.plus_seconds(travel_seconds)
    };
    match tester.appointments.iter().find(is_in_the_way) {
        Some(_) => (Share::new(0, "与其他预约冲突", "has another appointment too close to it"), true),
        None => (Share::new(1_000, "预约时段空闲", "free at the appointment"), false),
    }
}

fn candidate(order: &CandidateOrder, tester: &CandidateTester, policy: &CandidatePolicy) -> Candidate {
    use CandidateFactorKind as K;
    let (distance, distance_m) = distance_share(order, tester, policy);
    let (shift, standing) = shift_share(order, tester);
    let (appointment, conflicts) = appointment_share(order, tester, policy);
    let factors: Vec<CandidateFactor> = [
        (K::Region, policy.region_points, region_share(tester)),
        (K::Distance, policy.distance_points, distance),
        (K::Skill, policy.skill_points, skill_share(order, tester)),
        (K::Load, policy.load_points, load_share(tester)),
        (K::Shift, policy.shift_points, shift),
        (K::Appointment, policy.appointment_points, appointment),
    ]
    .into_iter()
    .map(|(factor, most, share)| CandidateFactor {
        factor,
        points: u32::from(most) * share.permille / 1_000,
        most: u32::from(most),
        reason_zh: share.reason_zh,
        reason: share.reason,
    })
    .collect();
    let is_there = match standing {
        ShiftStanding::On | ShiftStanding::Unknown => true,
        ShiftStanding::Off | ShiftStanding::Leave => false,
    };
    Candidate {
        tester_id: tester.id,
        rank: 0,
        score: factors.iter().map(|factor| factor.points).sum(),
        is_available: is_there
            && !conflicts
            && !tester.has_declined
            && tester.orders_in_hand < u32::from(tester.daily_capacity),
        distance_m,
        factors,
    }
}

/// Ranks testers: who is available before who is not, then by score, then the nearer one, then by id.
pub fn candidates_rank(
    order: &CandidateOrder,
    testers: &[CandidateTester],
    policy: &CandidatePolicy,
) -> Vec<Candidate> {
    let mut ranked: Vec<Candidate> = testers.iter().map(|tester| candidate(order, tester, policy)).collect();
    ranked.sort_by_key(|c| (!c.is_available, u32::MAX - c.score, c.distance_m.unwrap_or(u32::MAX), c.tester_id));
    for (place, candidate) in ranked.iter_mut().enumerate() {
        candidate.rank = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }
    ranked
}
