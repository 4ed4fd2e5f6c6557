//! The escalation ladder (先优化、次整改/技改、再提站): twelve steps as data, and what may be recorded of them (R-LADDER-1…3).
//!
//! Records are appended, never edited; the last one of a step counts. What does not belong here: the default steps
//! (`ladder_defaults`), deadlines (`limits`).

use crate::workflow::ladder_defaults::default_ladder;
use crate::workflow::policies::Policy;
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::ids::{FieldTestId, PhotoId};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{Position, Technology};
use callout_sync_protocol::version::MAX_LIST_ITEMS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

named_enum! {
    /// A rung of the ladder, lowest first.
    Rung {
        /// Change what is there.
        Optimise = "optimise" / "优化",
        /// Add to what is there.
        Retrofit = "retrofit" / "整改、技改",
        /// Assess resources, and build.
        Build = "build" / "资源评估与建设",
    }
}

/// How many steps a ladder has, and how many of them come before building (R-LADDER-1).
pub const LADDER_STEPS: usize = 12;
/// See [`LADDER_STEPS`].
pub const STEPS_BEFORE_BUILDING: usize = 9;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderStep {
    /// Names it in API and records; never changes its meaning.
    pub key: String,
    /// The rung on which it stands.
    pub rung: Rung,
    /// The name in English.
    pub name_en: String,
    /// The name in Chinese.
    pub name_zh: String,
    /// What must show how it came out (R-LADDER-2).
    #[serde(default)]
    pub evidence: EvidenceRequirement,
}

named_enum! {
    /// A kind of evidence for a step.
    LadderEvidenceKind {
        /// A field test of the order.
        FieldTest = "field_test" / "现场测试",
        /// A photo of the order.
        Photo = "photo" / "照片",
        /// A document or change request elsewhere.
        Reference = "reference" / "单据或变更编号",
    }
}

/// What must show how a step came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceRequirement {
    /// The kinds that count; others may stand beside them.
    pub kinds: Vec<LadderEvidenceKind>,
    /// How many pieces of these kinds there must be.
    pub at_least: u8,
}

impl Default for EvidenceRequirement {
    /// One piece, of any kind.
    fn default() -> Self {
        Self { kinds: LadderEvidenceKind::ALL.to_vec(), at_least: 1 }
    }
}

/// Most pieces of evidence that a ladder may ask for.
const MAX_EVIDENCE_REQUIRED: u8 = 10;

impl EvidenceRequirement {
    fn is_met(&self, evidence: &[LadderEvidence]) -> bool {
        let counting = evidence.iter().filter(|evidence| self.kinds.contains(&evidence.kind())).count();
        counting >= usize::from(self.at_least)
    }
}

/// The steps of one technology, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// For which technology.
    pub technology: Technology,
    /// Twelve steps: nine of optimisation and retrofit, then three of resources and building.
    pub steps: Vec<LadderStep>,
}

/// What is wrong with a ladder that an administrator sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// Not twelve.
    #[error("steps: a ladder has {LADDER_STEPS} steps, not {0}")]
    WrongLength(usize),
    /// Two of the same key.
    #[error("steps: the key '{0}' stands twice")]
    DuplicateKey(String),
    /// A blank key or name.
    #[error("steps: step {0} lacks its key or a name")]
    Blank(usize),
    /// The rungs are out of order, or building begins at another step than the tenth.
    #[error("steps: step {0} stands on the wrong rung; nine optimise or retrofit, in this order, then three build")]
    WrongRung(usize),
    /// A step that nothing could show, or that asks for too much.
    #[error(
        "steps: step {0} must name kinds of evidence, and ask for 1 to {MAX_EVIDENCE_REQUIRED} pieces (R-LADDER-2)"
    )]
    WrongEvidence(usize),
}

impl Ladder {
    /// Checks a ladder that an administrator sends (R-LADDER-1).
    ///
    /// # Errors
    /// The first thing that is wrong, with the step's number from 1.
    pub fn validate(&self) -> Result<(), LadderError> {
        if self.steps.len() != LADDER_STEPS {
            return Err(LadderError::WrongLength(self.steps.len()));
        }
        let mut keys = BTreeSet::new();
        let mut highest = Rung::Optimise;
        for (index, step) in self.steps.iter().enumerate() {
            let number = index + 1;
            if [&step.key, &step.name_en, &step.name_zh].iter().any(|text| text.trim().is_empty()) {
                return Err(LadderError::Blank(number));
            }
            if !keys.insert(&step.key) {
                return Err(LadderError::DuplicateKey(step.key.clone()));
            }
            let must_build = index >= STEPS_BEFORE_BUILDING;
            if step.rung < highest || (step.rung == Rung::Build) != must_build {
                return Err(LadderError::WrongRung(number));
            }
            highest = step.rung;
            let is_askable = (1..=MAX_EVIDENCE_REQUIRED).contains(&step.evidence.at_least);
            if step.evidence.kinds.is_empty() || !is_askable {
                return Err(LadderError::WrongEvidence(number));
            }
        }
        Ok(())
    }

    /// The step of this key.
    pub fn step(&self, key: &str) -> Option<&LadderStep> {
        self.steps.iter().find(|step| step.key == key)
    }
}

/// The ladders that a region climbs, one a technology; the default one where none is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderPolicy {
    /// At most one a technology.
    pub ladders: Vec<Ladder>,
}

impl Default for LadderPolicy {
    fn default() -> Self {
        Self { ladders: Technology::ALL.map(default_ladder).to_vec() }
    }
}

impl Policy for LadderPolicy {
    const KIND: &'static str = "ladder";

    fn check(&self) -> Result<(), Rejection> {
        let mut technologies = BTreeSet::new();
        for (ladder, place) in self.ladders.iter().zip(1..) {
            ladder
                .validate()
                .map_err(|error| Rejection::new(ProblemType::InvalidField, format!("ladders ({place}).{error}")))?;
            if !technologies.insert(ladder.technology) {
                return refuse(
                    ProblemType::InvalidField,
                    format!("ladders ({place}): the technology has a ladder already"),
                );
            }
        }
        Ok(())
    }
}

impl LadderPolicy {
    /// The ladder of a technology.
    pub fn ladder_of(&self, technology: Technology) -> Ladder {
        let given = self.ladders.iter().find(|ladder| ladder.technology == technology);
        given.cloned().unwrap_or_else(|| default_ladder(technology))
    }
}

named_enum! {
    /// How a step came out.
    StepOutcome {
        /// Done, and it improved the problem enough.
        Solved = "solved" / "实施后有效解决",
        /// Done, and it did not improve the problem enough.
        NotEnough = "not_enough" / "实施后仍未有效改善",
        /// Examined, and not possible or not useful here.
        RuledOut = "ruled_out" / "评估后排除",
        /// Passed over with a recorded reason. Opens the retrofit rung, never the building one.
        Skipped = "skipped" / "跳过（已记录原因）",
    }
}

impl StepOutcome {
    /// The step was tried or ruled out, with evidence (R-LADDER-2).
    pub fn is_spent(self) -> bool {
        match self {
            Self::NotEnough | Self::RuledOut => true,
            Self::Solved | Self::Skipped => false,
        }
    }
}

/// What shows that a step was tried or ruled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum LadderEvidence {
    /// A field test of the order.
    FieldTest(FieldTestId),
    /// A photo of the order.
    Photo(PhotoId),
    /// A document or change request elsewhere, by its number or words.
    Reference(String),
}

impl LadderEvidence {
    /// What kind it is.
    pub fn kind(&self) -> LadderEvidenceKind {
        match self {
            Self::FieldTest(_) => LadderEvidenceKind::FieldTest,
            Self::Photo(_) => LadderEvidenceKind::Photo,
            Self::Reference(_) => LadderEvidenceKind::Reference,
        }
    }
}

/// What was recorded of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderRecord {
    /// The step's key.
    pub step: String,
    /// How it came out.
    pub outcome: StepOutcome,
    /// What shows it.
    pub evidence: Vec<LadderEvidence>,
    /// Why it was ruled out or skipped; what was done, where it was tried.
    pub reason: String,
}

/// The outcome that counts for a step: the last one recorded.
pub fn step_outcome(records: &[LadderRecord], key: &str) -> Option<StepOutcome> {
    records.iter().rev().find(|record| record.step == key).map(|record| record.outcome)
}

/// The steps below a rung that are not tried or ruled out (`for_building`), or not even passed over with a reason.
fn steps_in_the_way<'a>(ladder: &'a Ladder, records: &[LadderRecord], rung: Rung) -> Vec<&'a LadderStep> {
    ladder
        .steps
        .iter()
        .filter(|step| step.rung < rung)
        .filter(|step| match (step_outcome(records, &step.key), rung) {
            (None, _) => true,
            (Some(outcome), Rung::Build) => !outcome.is_spent(),
            (
                Some(StepOutcome::NotEnough | StepOutcome::RuledOut | StepOutcome::Skipped),
                Rung::Optimise | Rung::Retrofit,
            ) => false,
            // What solved the problem leaves nothing to climb for, until the customer denies it and the outcome is recorded anew.
            (Some(StepOutcome::Solved), Rung::Optimise | Rung::Retrofit) => true,
        })
        .collect()
}

/// Whether the rung is open (R-LADDER-2).
pub fn rung_is_open(ladder: &Ladder, records: &[LadderRecord], rung: Rung) -> bool {
    steps_in_the_way(ladder, records, rung).is_empty()
}

/// The first step without a record on an open rung: what comes next. None when the ladder is climbed, or the problem solved.
pub fn next_step<'a>(ladder: &'a Ladder, records: &[LadderRecord]) -> Option<&'a LadderStep> {
    ladder
        .steps
        .iter()
        .filter(|step| rung_is_open(ladder, records, step.rung))
        .find(|step| step_outcome(records, &step.key).is_none())
}

/// One thing that follows from a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LadderEffect {
    /// The record is appended.
    Recorded(LadderRecord),
    /// This rung opens with it.
    RungOpened(Rung),
    /// All nine steps before building are spent: a build demand may be made (R-LADDER-2, R-LADDER-3).
    BuildAllowed,
}

/// Judges what is to be recorded of a step (R-LADDER-2): no rung skipped, evidence for what was tried or ruled out, a reason for
/// what was ruled out or passed over.
///
/// # Errors
/// `not-found` for a step that the ladder lacks; `rung-skipped` with the steps in the way; `ladder-evidence-missing`;
/// `invalid-field`.
pub fn ladder_record(
    ladder: &Ladder,
    records: &[LadderRecord],
    record: LadderRecord,
) -> Result<Vec<LadderEffect>, Rejection> {
    let Some(step) = ladder.step(&record.step) else {
        return refuse(ProblemType::NotFound, format!("step: the ladder has no step '{}'", record.step));
    };
    let in_the_way = steps_in_the_way(ladder, records, step.rung);
    if !in_the_way.is_empty() {
        let keys: Vec<&str> = in_the_way.iter().map(|step| step.key.as_str()).collect();
        return refuse(
            ProblemType::RungSkipped,
            format!("step: '{}' opens after {} (R-LADDER-2)", step.key, keys.join(", ")),
        );
    }
    if record.evidence.len() > MAX_LIST_ITEMS {
        return refuse(
            ProblemType::InvalidField,
            format!("evidence: must not have more than {MAX_LIST_ITEMS} entries"),
        );
    }
    for evidence in &record.evidence {
        match evidence {
            LadderEvidence::Reference(text) => required_text("evidence", text)?,
            LadderEvidence::FieldTest(_) | LadderEvidence::Photo(_) => {}
        }
    }
    match record.outcome {
        StepOutcome::Solved | StepOutcome::NotEnough | StepOutcome::RuledOut => {
            if !step.evidence.is_met(&record.evidence) {
                let kinds: Vec<&str> = step.evidence.kinds.iter().map(|kind| kind.as_str()).collect();
                return refuse(
                    ProblemType::LadderEvidenceMissing,
                    format!(
                        "evidence: name what shows it, at least {} of {} (R-LADDER-2)",
                        step.evidence.at_least,
                        kinds.join(", ")
                    ),
                );
            }
            required_text("reason", &record.reason)?;
        }
        StepOutcome::Skipped => {
            required_text("reason", &record.reason)?;
            if step.rung == Rung::Build {
                return refuse(
                    ProblemType::InvalidField,
                    "outcome: a building step cannot be passed over; rule it out",
                );
            }
            if step_outcome(records, &step.key).is_some_and(|outcome| outcome != StepOutcome::Skipped) {
                return refuse(
                    ProblemType::IllegalTransition,
                    "outcome: the step has been tried or ruled out already; that stays",
                );
            }
        }
    }
    let mut after = records.to_vec();
    after.push(record.clone());
    let mut effects = vec![LadderEffect::Recorded(record)];
    for rung in [Rung::Retrofit, Rung::Build] {
        if rung_is_open(ladder, &after, rung) && !rung_is_open(ladder, records, rung) {
            effects.push(LadderEffect::RungOpened(rung));
            if rung == Rung::Build {
                effects.push(LadderEffect::BuildAllowed);
            }
        }
    }
    Ok(effects)
}

/// A demand to the resource review board (R-LADDER-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildDemand {
    /// Where.
    pub position: Position,
    /// The approved tests that show the need.
    pub field_tests: Vec<FieldTestId>,
    /// Competitors' and the tower company's resources that could be used; "none" is an answer.
    pub shareable_resources: String,
    /// How many customers suffer.
    pub affected_customers: u32,
}

/// Judges a build demand: all nine earlier steps spent, the complaint's handling ended, and everything on board that the board
/// must see (R-LADDER-2, R-LADDER-3).
///
/// # Errors
/// `rung-skipped` with the steps in the way, `ladder-evidence-missing` without an approved test, `illegal-transition` while the
/// complaint is still handled, `invalid-field`.
pub fn build_demand_check(
    ladder: &Ladder,
    records: &[LadderRecord],
    demand: &BuildDemand,
    handling_ended: bool,
) -> Result<(), Rejection> {
    let in_the_way = steps_in_the_way(ladder, records, Rung::Build);
    if !in_the_way.is_empty() {
        let keys: Vec<&str> = in_the_way.iter().map(|step| step.key.as_str()).collect();
        return refuse(
            ProblemType::RungSkipped,
            format!("building is proposed only when these are tried or ruled out: {} (R-LADDER-2)", keys.join(", ")),
        );
    }
    if demand.position.validate().is_err() {
        return refuse(ProblemType::InvalidField, "position: must lie within ±90° of latitude and ±180° of longitude");
    }
    if demand.field_tests.is_empty() {
        return refuse(
            ProblemType::LadderEvidenceMissing,
            "field_tests: a demand carries the tests that show the need (R-LADDER-3)",
        );
    }
    required_text("shareable_resources", &demand.shareable_resources)?;
    if demand.affected_customers == 0 {
        return refuse(ProblemType::InvalidField, "affected_customers: at least the one who complained");
    }
    if !handling_ended {
        return refuse(
            ProblemType::IllegalTransition,
            "the demand goes to the board after the complaint's handling ends (R-LADDER-3)",
        );
    }
    Ok(())
}
