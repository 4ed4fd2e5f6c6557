//! Findings as they are being written: every field may be missing still.
//!
//! What does not belong here: judging them (`sync_protocol::commands::Findings::validate`, `field_workflow`).

use callout_sync_protocol::commands::{AffectedService, Findings};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::volte_walkthrough::{VolteAnswer, VolteWalkthrough};
use callout_sync_protocol::work_orders::NetworkGeneration;
use serde::{Deserialize, Serialize};

/// What the tester wrote so far (R-TEST-2, R-VISIT-3).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindingsDraft {
    /// The customer's problem as found.
    pub problem: Option<String>,
    /// Which network generation suffers.
    pub generation: Option<NetworkGeneration>,
    /// Which service fails.
    pub service: Option<AffectedService>,
    /// When it appears, in the customer's words.
    pub occurs: Option<String>,
    /// The exact address of the test.
    pub address: Option<String>,
    /// The exact place of the test.
    pub position: Option<Position>,
    /// How the competitors cover the place.
    pub competitor_coverage: Option<String>,
    /// Sites that serve the place.
    pub serving_sites: Vec<String>,
    /// Planned sites nearby.
    pub planned_sites: Vec<String>,
    /// Competitors' and the tower company's resources that could be used.
    pub shareable_resources: Vec<String>,
    /// The customer's most pressing need.
    pub pressing_need: Option<String>,
    /// A direct contact was left with the customer.
    pub contact_left: Option<bool>,
    /// The customer was told that a revisit call may come.
    pub revisit_announced: Option<bool>,
    /// The answers of the VoLTE walk so far (R-TEST-4).
    pub volte: Vec<VolteAnswer>,
}

impl FindingsDraft {
    /// Lays `newer` over this draft: what it says replaces what stood here, what it leaves open stays.
    #[must_use]
    pub fn merged(self, newer: Self) -> Self {
        let list = |old: Vec<String>, new: Vec<String>| if new.is_empty() { old } else { new };
        Self {
            problem: newer.problem.or(self.problem),
            generation: newer.generation.or(self.generation),
            service: newer.service.or(self.service),
            occurs: newer.occurs.or(self.occurs),
            address: newer.address.or(self.address),
            position: newer.position.or(self.position),
            competitor_coverage: newer.competitor_coverage.or(self.competitor_coverage),
            serving_sites: list(self.serving_sites, newer.serving_sites),
            planned_sites: list(self.planned_sites, newer.planned_sites),
            shareable_resources: list(self.shareable_resources, newer.shareable_resources),
            pressing_need: newer.pressing_need.or(self.pressing_need),
            contact_left: newer.contact_left.or(self.contact_left),
            revisit_announced: newer.revisit_announced.or(self.revisit_announced),
            volte: if newer.volte.is_empty() { self.volte } else { newer.volte },
        }
    }

    /// The names of the fields without which there are no findings yet.
    pub fn missing(&self) -> Vec<&'static str> {
        [
            ("problem", self.problem.is_none()),
            ("generation", self.generation.is_none()),
            ("service", self.service.is_none()),
            ("address", self.address.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect()
    }

    /// The VoLTE walk so far, once begun. Answers that were not given in order never get into a draft.
    pub fn volte_walkthrough(&self) -> Option<VolteWalkthrough> {
        (!self.volte.is_empty()).then(|| VolteWalkthrough::of(self.volte.clone()).ok()).flatten()
    }

    /// The findings, if nothing is missing.
    pub fn complete(&self) -> Option<Findings> {
        let draft = self.clone();
        Some(Findings {
            problem: draft.problem?,
            generation: draft.generation?,
            service: draft.service?,
            occurs: draft.occurs.unwrap_or_default(),
            address: draft.address?,
            position: draft.position,
            competitor_coverage: draft.competitor_coverage.unwrap_or_default(),
            serving_sites: draft.serving_sites,
            planned_sites: draft.planned_sites,
            shareable_resources: draft.shareable_resources,
            pressing_need: draft.pressing_need.unwrap_or_default(),
            contact_left: draft.contact_left.unwrap_or(false),
            revisit_announced: draft.revisit_announced.unwrap_or(false),
            volte: self.volte_walkthrough(),
        })
    }
}

impl From<Findings> for FindingsDraft {
    /// A draft that lacks nothing.
    fn from(findings: Findings) -> Self {
        Self {
            problem: Some(findings.problem),
            generation: Some(findings.generation),
            service: Some(findings.service),
            occurs: Some(findings.occurs),
            address: Some(findings.address),
            position: findings.position,
            competitor_coverage: Some(findings.competitor_coverage),
            serving_sites: findings.serving_sites,
            planned_sites: findings.planned_sites,
            shareable_resources: findings.shareable_resources,
            pressing_need: Some(findings.pressing_need),
            contact_left: Some(findings.contact_left),
            revisit_announced: Some(findings.revisit_announced),
            volte: findings.volte.map(|walk| walk.answers).unwrap_or_default(),
        }
    }
}
