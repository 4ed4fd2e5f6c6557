//! The words of what the server finds by itself in a submitted test: code, both languages, figures (R-REVIEW-1).
//!
//! What does not belong here: finding it (`field_tests`).

use crate::workflow::field_tests::TestFinding;

/// A finding as a reader gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingTitle {
    /// Names it; never changes its meaning.
    pub code: &'static str,
    /// What it is, in English.
    pub title_en: &'static str,
    /// What it is, in Chinese.
    pub title_zh: &'static str,
}

impl TestFinding {
    /// Its code and title.
    pub fn title(&self) -> FindingTitle {
        let (code, title_en, title_zh) = match self {
            Self::OperatorMissing { .. } => ("operator_missing", "A network was not tested", "缺少运营商测试"),
            Self::TooFewSamples { .. } => ("too_few_samples", "Too few samples", "采样点过少"),
            Self::NoPositions { .. } => ("no_positions", "No sample has a position", "采样点均无位置"),
            Self::OutOfArea { .. } => {
                ("out_of_area", "Measured away from the complaint's place", "测试位置偏离投诉地点")
            }
            Self::MockedPositions { .. } => ("mocked_positions", "Positions are mocked", "位置为模拟定位"),
            Self::ImpossibleMovement { .. } => {
                ("impossible_movement", "Faster than anything on the ground", "移动速度异常")
            }
            Self::PhotoTimeOff { .. } => ("photo_time_off", "A photo is of another time", "照片时间异常"),
            Self::PhotoPlaceOff { .. } => ("photo_place_off", "A photo is of another place", "照片地点异常"),
            Self::PhotoMocked { .. } => ("photo_mocked", "A photo's position is mocked", "照片位置为模拟定位"),
            Self::CameraTimeOff { .. } => {
                ("camera_time_off", "The camera's own time is of another visit", "照片 EXIF 时间异常")
            }
            Self::CameraPlaceOff { .. } => {
                ("camera_place_off", "The camera's own position is elsewhere", "照片 EXIF 位置异常")
            }
            Self::PhotoUsedElsewhere { .. } => {
                ("photo_used_elsewhere", "The same picture belongs to another order", "照片与其他工单重复")
            }
        };
        FindingTitle { code, title_en, title_zh }
    }

    /// What was found with its figures, in English.
    pub fn text_en(&self) -> String {
        match self {
            Self::OperatorMissing { operator, is_excused: true } => {
                format!("{operator} was not tested; the tester said why")
            }
            Self::OperatorMissing { operator, is_excused: false } => format!("{operator} was not tested"),
            Self::TooFewSamples { operator, samples, minimum } => {
                format!("{operator} has {samples} samples; {minimum} are needed to judge a network")
            }
            Self::NoPositions { operator } => format!("no sample of {operator} has a position"),
            Self::OutOfArea { operator, inside_percent, farthest_m } => format!(
                "{inside_percent} % of the samples of {operator} lie at the complaint's place, the farthest {farthest_m} m away"
            ),
            Self::MockedPositions { operator, samples } => {
                format!("{samples} samples of {operator} have a position that the phone calls mocked")
            }
            Self::ImpossibleMovement { operator, speed_kmh } => {
                format!("the samples of {operator} move at {speed_kmh} km/h")
            }
            Self::PhotoTimeOff { minutes, .. } => format!("the photo was taken {minutes} minutes outside the visit"),
            Self::PhotoPlaceOff { distance_m, .. } => {
                format!("the photo was taken {distance_m} m from the complaint's place")
            }
            Self::PhotoMocked { .. } => "the photo's position is one that the phone calls mocked".to_owned(),
            Self::CameraTimeOff { minutes, .. } => {
                format!("the camera wrote a time {minutes} minutes outside the visit into the photo")
            }
            Self::CameraPlaceOff { distance_m, .. } => {
                format!("the camera wrote a position {distance_m} m from the complaint's place into the photo")
            }
            Self::PhotoUsedElsewhere { differing_bits, .. } => format!(
                "a photo of another order shows the same picture ({differing_bits} of 64 bits of its outline differ)"
            ),
        }
    }

    /// What was found with its figures, in Chinese.
    pub fn text_zh(&self) -> String {
        match self {
            Self::OperatorMissing { operator, is_excused: true } => {
                format!("未测试{}，测试人员已说明原因", operator.name_zh())
            }
            Self::OperatorMissing { operator, is_excused: false } => format!("未测试{}", operator.name_zh()),
            Self::TooFewSamples { operator, samples, minimum } => {
                format!("{}采样点 {samples} 个，至少需要 {minimum} 个", operator.name_zh())
            }
            Self::NoPositions { operator } => format!("{}采样点均无位置信息", operator.name_zh()),
            Self::OutOfArea { operator, inside_percent, farthest_m } => {
                format!("{}采样点仅 {inside_percent}% 位于投诉地点范围内，最远 {farthest_m} 米", operator.name_zh())
            }
            Self::MockedPositions { operator, samples } => {
                format!("{}有 {samples} 个采样点为模拟定位", operator.name_zh())
            }
            Self::ImpossibleMovement { operator, speed_kmh } => {
                format!("{}采样点移动速度达 {speed_kmh} 公里/小时", operator.name_zh())
            }
            Self::PhotoTimeOff { minutes, .. } => format!("照片拍摄时间超出上门时段 {minutes} 分钟"),
            Self::PhotoPlaceOff { distance_m, .. } => format!("照片拍摄地点距投诉地点 {distance_m} 米"),
            Self::PhotoMocked { .. } => "照片位置为模拟定位".to_owned(),
            Self::CameraTimeOff { minutes, .. } => format!("照片 EXIF 时间超出上门时段 {minutes} 分钟"),
            Self::CameraPlaceOff { distance_m, .. } => format!("照片 EXIF 位置距投诉地点 {distance_m} 米"),
            Self::PhotoUsedElsewhere { differing_bits, .. } => {
                format!("与其他工单照片为同一画面（感知哈希相差 {differing_bits}/64 位）")
            }
        }
    }
}
