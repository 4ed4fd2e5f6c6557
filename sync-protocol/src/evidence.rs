//! What evidence a test of some kind of complaint must have, as a checklist (R-TEST-1, R-TEST-4).
//!
//! The template travels with the order, so that a phone without network can show what is still lacking; the server judges with
//! the same function at the review. A lacking item refuses no submission: the lead sends the test back, or says why it is good
//! enough. What does not belong here: which template is for which order (the server's policy).

use crate::operators::Operator;
use crate::photos::PhotoPurpose;
use crate::work_orders::{UnknownName, wire_enum};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// So many photos, of one purpose or of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct PhotoRequirement {
    /// What they show; absent: anything.
    #[n(0)]
    #[serde(default)]
    pub purpose: Option<PhotoPurpose>,
    /// How many at least.
    #[n(1)]
    pub at_least: u32,
}

/// What a test must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct EvidenceTemplate {
    /// Names it among the administrator's templates.
    #[n(0)]
    pub code: String,
    /// The networks to be measured.
    #[n(1)]
    pub operators: Vec<Operator>,
    /// Fewest samples of each.
    #[n(2)]
    pub samples_per_operator: u32,
    /// The photos to be taken.
    #[n(3)]
    #[serde(default)]
    pub photos: Vec<PhotoRequirement>,
    /// The VoLTE walk must be finished (R-TEST-4).
    #[n(4)]
    #[serde(default)]
    pub needs_volte_walkthrough: bool,
    /// Fewest test calls, counted in the VoLTE walk. A walk that ended before a call could be made needs none.
    #[n(5)]
    #[serde(default)]
    pub test_calls: u32,
}

wire_enum! {
    /// A kind of evidence.
    EvidenceKind {
        /// Samples of an operator's network.
        0 Samples = "samples" / "测试采样点",
        /// Photos of a purpose.
        1 Photos = "photos" / "照片",
        /// The finished VoLTE walk.
        2 VolteWalkthrough = "volte_walkthrough" / "VoLTE 引导排查",
        /// Test calls.
        3 TestCalls = "test_calls" / "语音拨测",
    }
}

/// An item of the checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceItem {
    /// What.
    pub kind: EvidenceKind,
    /// Of whose network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// Showing what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PhotoPurpose>,
    /// How much there must be.
    pub required: u64,
    /// How much there is.
    pub present: u64,
    /// Why it is lacking, in the tester's words (R-TEST-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excuse: Option<String>,
}

impl EvidenceItem {
    /// There is enough, or the tester said why not.
    pub fn is_met(&self) -> bool {
        self.present >= self.required || self.excuse.is_some()
    }

    /// What is required, in English.
    pub fn text_en(&self) -> String {
        let Self { required, present, .. } = self;
        match (self.kind, self.operator, self.purpose) {
            (EvidenceKind::Samples, Some(operator), _) => format!("{present} of {required} samples of {operator}"),
            (EvidenceKind::Photos, _, Some(purpose)) => format!("{present} of {required} photos showing {purpose}"),
            (EvidenceKind::VolteWalkthrough, _, _) => match present {
                0 => "the VoLTE walk is not finished".to_owned(),
                _ => "the VoLTE walk is finished".to_owned(),
            },
            (EvidenceKind::TestCalls, _, _) => format!("{present} of {required} test calls"),
            (EvidenceKind::Samples, None, _) => format!("{present} of {required} samples"),
            (EvidenceKind::Photos, _, None) => format!("{present} of {required} photos"),
        }
    }

    /// What is required, in Chinese.
    pub fn text_zh(&self) -> String {
        let Self { required, present, .. } = self;
        match (self.kind, self.operator, self.purpose) {
            (EvidenceKind::Samples, Some(operator), _) => {
                format!("{}采样点 {present}/{required}", operator.name_zh())
            }
            (EvidenceKind::Photos, _, Some(purpose)) => format!("{}照片 {present}/{required}", purpose.name_zh()),
            (EvidenceKind::VolteWalkthrough, _, _) => match present {
                0 => "VoLTE 引导排查未完成".to_owned(),
                _ => "VoLTE 引导排查已完成".to_owned(),
            },
            (EvidenceKind::TestCalls, _, _) => format!("语音拨测 {present}/{required}"),
            (EvidenceKind::Samples, None, _) => format!("采样点 {present}/{required}"),
            (EvidenceKind::Photos, _, None) => format!("照片 {present}/{required}"),
        }
    }
}

/// What a test has, as far as it is known where the question is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidencePresent {
    /// Samples that count, by operator.
    pub samples: Vec<(Operator, u64)>,
    /// Photos that count: what each shows.
    pub photos: Vec<PhotoPurpose>,
    /// Networks that were not tested, and why (R-TEST-1).
    pub excuses: Vec<(Operator, String)>,
    /// The VoLTE walk was finished.
    pub is_volte_walked: bool,
    /// Test calls made in it; absent when it ended before a call could be made.
    pub test_calls: Option<u32>,
}

/// The checklist of a template: what is required, what is there.
pub fn evidence_checklist(template: &EvidenceTemplate, present: &EvidencePresent) -> Vec<EvidenceItem> {
    let item = |kind, required: u64, present: u64| EvidenceItem {
        kind,
        operator: None,
        purpose: None,
        required,
        present,
        excuse: None,
    };
    let mut items = Vec::new();
    for operator in &template.operators {
        let samples = present.samples.iter().filter(|(of, _)| of == operator).map(|(_, samples)| samples).sum();
        let excuse = present.excuses.iter().find(|(of, _)| of == operator).map(|(_, reason)| reason.clone());
        items.push(EvidenceItem {
            operator: Some(*operator),
            // Only a network without samples can be excused; few of them are few.
            excuse: excuse.filter(|_| samples == 0),
            ..item(EvidenceKind::Samples, u64::from(template.samples_per_operator), samples)
        });
    }
    for PhotoRequirement { purpose, at_least } in &template.photos {
        let photos = present.photos.iter().filter(|of| purpose.is_none_or(|purpose| **of == purpose)).count() as u64;
        items.push(EvidenceItem { purpose: *purpose, ..item(EvidenceKind::Photos, u64::from(*at_least), photos) });
    }
    if template.needs_volte_walkthrough {
        items.push(item(EvidenceKind::VolteWalkthrough, 1, u64::from(present.is_volte_walked)));
    }
    // Who cannot register cannot call.
    let is_cut_short = present.is_volte_walked && present.test_calls.is_none();
    if template.test_calls > 0 && !is_cut_short {
        let calls = u64::from(present.test_calls.unwrap_or(0));
        items.push(item(EvidenceKind::TestCalls, u64::from(template.test_calls), calls));
    }
    items
}
