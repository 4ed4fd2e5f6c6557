//! Where a complaint is: whether an address is exact enough to send somebody there (R-LOCATE-1), and distances.
//!
//! What does not belong here: which region a place lies in (`regions`).

use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use geo::{Distance, Haversine, Point};
use serde::{Deserialize, Serialize};

/// Where a complaint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Road and number, or village and team.
    pub address: String,
    /// WGS-84.
    pub position: Position,
}

/// Great-circle distance in metres on a sphere of the Earth's mean radius; at the distances of one city, good to half a percent.
pub fn distance_m(a: Position, b: Position) -> f64 {
    Haversine.distance(Point::new(a.longitude(), a.latitude()), Point::new(b.longitude(), b.latitude()))
}

// What tells a road, a village, a team and a number's mark; English words in lower case.
const ROADS_ZH: [char; 8] = ['路', '街', '道', '巷', '弄', '胡', '里', '线'];
const VILLAGES_ZH: [char; 7] = ['村', '屯', '寨', '庄', '嘎', '湾', '坊'];
const TEAMS_ZH: [char; 3] = ['队', '组', '社'];
const NUMBER_MARKS_ZH: [char; 4] = ['号', '幢', '栋', '弄'];
const ROADS_EN: [&str; 12] =
    ["road", "rd", "street", "st", "avenue", "ave", "lane", "alley", "highway", "boulevard", "drive", "way"];
const VILLAGES_EN: [&str; 2] = ["village", "hamlet"];
const TEAMS_EN: [&str; 3] = ["team", "group", "brigade"];

fn is_number(c: char) -> bool {
    c.is_ascii_digit() || ('０'..='９').contains(&c) || "零〇一二三四五六七八九十百甲乙丙丁".contains(c)
}

/// Whether somebody can be sent to this address without asking the customer again: a road with a number (XX路XX号), or a
/// village with a team (哪个村几队). In English, `12 Station Road` or `Hexi village, team 3`.
pub fn address_is_exact(address: &str) -> bool {
    road_and_number_zh(address) || village_and_team_zh(address) || exact_in_english(address)
}

/// A road's word, and later in the address a number with its mark: 人民路12号, 解放东街甲3-2号.
fn road_and_number_zh(address: &str) -> bool {
    let chars: Vec<char> = address.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(road) = chars.iter().position(|c| ROADS_ZH.contains(c)) else { return false };
    // A road has a name: 路12号 names none.
    road > 0 && chars[road..].windows(2).any(|pair| is_number(pair[0]) && NUMBER_MARKS_ZH.contains(&pair[1]))
}

/// A village's word, and later a number with the team's word: 河西村三队, 新庄5组.
fn village_and_team_zh(address: &str) -> bool {
    let chars: Vec<char> = address.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(village) = chars.iter().position(|c| VILLAGES_ZH.contains(c)) else { return false };
    village > 0 && chars[village..].windows(2).any(|pair| is_number(pair[0]) && TEAMS_ZH.contains(&pair[1]))
}

fn exact_in_english(address: &str) -> bool {
    let lower = address.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(w));
    let has_number = words.iter().any(|w| w.starts_with(|c: char| c.is_ascii_digit()));
    has_number && ((has(&ROADS_EN) && words.len() > 2) || (has(&VILLAGES_EN) && has(&TEAMS_EN)))
}

/// Checks that the place is exact enough (R-LOCATE-1).
///
/// # Errors
/// `location-missing` with what to ask the customer, `invalid-field` for a blank address or coordinates out of range.
pub fn place_check(place: &Place) -> Result<(), Rejection> {
    required_text("address", &place.address)?;
    if place.position.validate().is_err() {
        return refuse(ProblemType::InvalidField, "position: must lie within ±90° of latitude and ±180° of longitude");
    }
    if !address_is_exact(&place.address) {
        return refuse(
            ProblemType::LocationMissing,
            "address: ask the customer for road and number, or village and team (R-LOCATE-1)",
        );
    }
    Ok(())
}
