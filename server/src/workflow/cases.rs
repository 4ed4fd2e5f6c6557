//! The case library (R-KNOW-1): which cases are hard enough to be told, what kind of place one was, what must not be told, and which
//! cases are offered to an order.
//!
//! What does not belong here: gathering what was done (`app`), searching (`storage`).

use crate::workflow::complaints::IntakePolicy;
use callout_sync_protocol::work_orders::NetworkGeneration;
use std::cmp::Reverse;

named_enum! {
    /// What kind of place it was.
    PlaceKind {
        /// Below ground: car parks, cellars, the underground.
        Underground = "underground" / "地下空间",
        /// A high floor.
        HighRise = "high_rise" / "高层",
        /// Inside a building.
        Building = "building" / "楼宇",
        /// A village.
        Village = "village" / "农村",
        /// A road.
        Road = "road" / "道路",
        /// None of these, or not known.
        Unknown = "unknown" / "未知",
    }
}

/// What kind of place an address tells of.
pub fn place_kind(address: &str) -> PlaceKind {
    let address = address.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| address.contains(word));
    if has(&[
        "地下",
        "车库",
        "负一",
        "负二",
        "b1",
        "b2",
        "隧道",
        "地铁",
        "basement",
        "underground",
        "garage",
        "tunnel",
        "metro",
    ]) {
        PlaceKind::Underground
    } else if floors(&address).is_some_and(|floor| floor >= 10) {
        PlaceKind::HighRise
    } else if has(&[
        "楼", "栋", "幢", "单元", "大厦", "室", "商场", "酒店", "医院", "小区", "building", "tower", "floor", "room",
        "hotel", "mall",
    ]) {
        PlaceKind::Building
    } else if has(&["村", "屯", "寨", "队", "village"]) {
        PlaceKind::Village
    } else if has(&["路", "街", "道", "巷", "高速", "road", "street", "avenue", "highway"]) {
        PlaceKind::Road
    } else {
        PlaceKind::Unknown
    }
}

/// The floor that an address names: 12层, 12楼, floor 12.
fn floors(address: &str) -> Option<u32> {
    let number_before = |mark: &str| {
        let before = &address[..address.find(mark)?];
        let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
        digits.chars().rev().collect::<String>().parse::<u32>().ok()
    };
    let number_after = |mark: &str| {
        let after = address[address.find(mark)? + mark.len()..].trim_start();
        after.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok()
    };
    number_before("层").or_else(|| number_before("楼")).or_else(|| number_after("floor"))
}

/// What made a case hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaseFacts {
    /// It came back as unresolved once, and a tracking ticket lived on.
    pub had_tracking_ticket: bool,
    /// How often it was opened again.
    pub reopened_count: u32,
    /// How many steps of the ladder were tried or ruled out.
    pub ladder_steps: u32,
    /// It was handed to the branch or to maintenance.
    pub was_handed_over: bool,
    /// It was escalated to somebody higher, or a major complaint.
    pub was_escalated: bool,
}

/// Whether a case is hard enough for the library: it took more than one visit and one word.
pub fn case_is_hard(facts: &CaseFacts, policy: &IntakePolicy) -> bool {
    facts.had_tracking_ticket
        || facts.reopened_count > 0
        || facts.ladder_steps >= policy.hard_case_steps.max(1)
        || facts.was_handed_over && facts.was_escalated
}

/// A text without what tells who the customer is: the name, the numbers, anything that looks like a number to call.
pub fn without_personal_data(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.chars().count() >= 2) {
        text = text.replace(secret, "***");
    }
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    let flush = |digits: &mut String, out: &mut String| {
        let count = digits.chars().filter(char::is_ascii_digit).count();
        // Seven digits call somebody; a trailing separator belongs to what follows.
        if count >= 7 {
            let kept: String = digits.chars().rev().take_while(|c| !c.is_ascii_digit()).collect();
            out.push_str("***");
            out.extend(kept.chars().rev());
        } else {
            out.push_str(digits);
        }
        digits.clear();
    };
    for c in text.chars() {
        if c.is_ascii_digit() || (!digits.is_empty() && matches!(c, '-' | ' ')) {
            digits.push(c);
        } else {
            flush(&mut digits, &mut out);
            out.push(c);
        }
    }
    flush(&mut digits, &mut out);
    out
}

/// What a case and an order, which have the symptom in common, have in common beside it: the better, the higher.
pub fn case_likeness(
    of_case: (Option<NetworkGeneration>, PlaceKind),
    of_order: (Option<NetworkGeneration>, PlaceKind),
) -> u8 {
    let same_generation = of_case.0.is_some() && of_case.0 == of_order.0;
    let same_place = of_case.1 == of_order.1 && of_case.1 != PlaceKind::Unknown;
    2 * u8::from(same_generation) + 2 * u8::from(same_place)
}

/// The cases in the order in which they are offered: the most alike first, then as they stand.
pub fn cases_offered<T>(mut cases: Vec<(u8, T)>, at_most: usize) -> Vec<T> {
    cases.sort_by_key(|(likeness, _)| Reverse(*likeness));
    cases.into_iter().take(at_most).map(|(_, case)| case).collect()
}

/// Text as it is searched: lower case, one space between words.
pub fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
