//! Which evidence a test must have, by symptom and generation, as data (R-TEST-1, R-TEST-2, R-TEST-4).
//!
//! What does not belong here: comparing a test with its template (`callout_sync_protocol::evidence`, which the phone asks too).

use crate::workflow::policies::Policy;
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::evidence::{EvidenceItem, EvidenceTemplate, PhotoRequirement};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most templates of a region.
const MAX_TEMPLATES: usize = 64;
/// Most photos that a template may ask for, of one purpose.
const MAX_PHOTOS: u32 = 100;
/// Most samples of an operator that a template may ask for: a day at one a second.
const MAX_SAMPLES: u32 = 86_400;

/// A template, and the complaints that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRule {
    /// For these symptoms; none means all.
    #[serde(default)]
    pub symptoms: Vec<Symptom>,
    /// For these generations, where the complaint says which; none means all, also where it does not say.
    #[serde(default)]
    pub generations: Vec<NetworkGeneration>,
    /// The template's name in English.
    pub name_en: String,
    /// The template's name in Chinese.
    pub name_zh: String,
    /// What a test must have.
    pub requires: EvidenceTemplate,
}

/// The templates of a region; the first that fits a complaint is its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceTemplates {
    /// In the order in which they are tried.
    pub templates: Vec<TemplateRule>,
}

impl Default for EvidenceTemplates {
    /// Choices: all three networks with twenty samples each (what is below the sixty of `FindingPolicy` is remarked besides), and
    /// one photo of whatever the customer allows; for voice on 4G and 5G the VoLTE walk with three test calls.
    fn default() -> Self {
        let requires = |code: &str, is_volte: bool| EvidenceTemplate {
            code: code.to_owned(),
            operators: Operator::REQUIRED.to_vec(),
            samples_per_operator: 20,
            photos: vec![PhotoRequirement { purpose: None, at_least: 1 }],
            needs_volte_walkthrough: is_volte,
            test_calls: if is_volte { 3 } else { 0 },
        };
        let rule = |symptoms: &[Symptom], generations: &[NetworkGeneration], name_en: &str, name_zh: &str, requires| {
            TemplateRule {
                symptoms: symptoms.to_vec(),
                generations: generations.to_vec(),
                name_en: name_en.to_owned(),
                name_zh: name_zh.to_owned(),
                requires,
            }
        };
        let voice = [Symptom::CallDrop, Symptom::CallSetup, Symptom::VoiceQuality];
        let volte = [NetworkGeneration::Lte, NetworkGeneration::Nr];
        Self {
            templates: vec![
                rule(
                    &voice,
                    &volte,
                    "Voice on 4G and 5G (VoLTE, VoNR)",
                    "4G/5G 语音（VoLTE、VoNR）",
                    requires("volte", true),
                ),
                rule(&[], &[], "Standard test", "标准测试", requires("standard", false)),
            ],
        }
    }
}

impl Policy for EvidenceTemplates {
    const KIND: &'static str = "evidence_templates";

    fn check(&self) -> Result<(), Rejection> {
        let invalid = |detail: String| refuse(ProblemType::InvalidField, detail);
        if self.templates.len() > MAX_TEMPLATES {
            return invalid(format!("templates: must not have more than {MAX_TEMPLATES} entries"));
        }
        let mut codes = BTreeSet::new();
        for TemplateRule { name_en, name_zh, requires, .. } in &self.templates {
            required_text("templates.name_en", name_en)?;
            required_text("templates.name_zh", name_zh)?;
            required_text("templates.requires.code", &requires.code)?;
            let code = &requires.code;
            if code.chars().count() > 64 || !codes.insert(code) {
                return invalid(format!(
                    "templates.requires.code: '{code}' stands twice, or is longer than 64 characters"
                ));
            }
            let operators: BTreeSet<Operator> = requires.operators.iter().copied().collect();
            if operators.len() != requires.operators.len() {
                return invalid(format!("templates.requires.operators: an operator stands twice in '{code}'"));
            }
            // R-TEST-1 is not for a template to weaken: every test covers the three.
            if !Operator::REQUIRED.iter().all(|operator| operators.contains(operator)) {
                return invalid(format!(
                    "templates.requires.operators: '{code}' must name China Mobile, China Unicom and China Telecom (R-TEST-1)"
                ));
            }
            if requires.samples_per_operator == 0 || requires.samples_per_operator > MAX_SAMPLES {
                return invalid(format!(
                    "templates.requires.samples_per_operator: must be 1 to {MAX_SAMPLES} in '{code}'"
                ));
            }
            if requires.photos.len() > 16 || requires.photos.iter().any(|photo| photo.at_least > MAX_PHOTOS) {
                return invalid(format!("templates.requires.photos: too many in '{code}'"));
            }
            if requires.test_calls > 0 && !requires.needs_volte_walkthrough {
                return invalid(format!(
                    "templates.requires.test_calls: calls are counted in the VoLTE walk, which '{code}' does not ask for"
                ));
            }
        }
        Ok(())
    }
}

impl EvidenceTemplates {
    /// The template of a complaint: the first that fits. None fits where an administrator left a gap; nothing is required then.
    pub fn template_of(&self, symptom: Symptom, generation: Option<NetworkGeneration>) -> Option<&TemplateRule> {
        self.templates.iter().find(|rule| {
            (rule.symptoms.is_empty() || rule.symptoms.contains(&symptom))
                && (rule.generations.is_empty() || generation.is_some_and(|known| rule.generations.contains(&known)))
        })
    }
}

/// Whether a test may be approved: nothing is lacking, or the lead says why it is good enough.
///
/// # Errors
/// `evidence-missing` with what is lacking.
pub fn evidence_accepted(items: &[EvidenceItem], accepted_because: Option<&str>) -> Result<(), Rejection> {
    let lacking: Vec<String> = items.iter().filter(|item| !item.is_met()).map(EvidenceItem::text_en).collect();
    match accepted_because {
        Some(reason) => required_text("evidence_accepted_because", reason),
        None if lacking.is_empty() => Ok(()),
        None => refuse(
            ProblemType::EvidenceMissing,
            format!(
                "evidence_accepted_because: the test lacks evidence ({}); send it back, or say why it is good enough",
                lacking.join("; ")
            ),
        ),
    }
}
