//! What a tester's phone asks for: status changes, idempotent by id, accepted or rejected one by one.
//!
//! Facts (samples, photo bytes) are not commands; commands only cite them. The rules that judge a command are in
//! `field_workflow`, the same code on phone and server.

use crate::ids::{CommandId, FieldTestId, PhotoId, WorkOrderId};
use crate::operators::Operator;
use crate::photos::PhotoManifest;
use crate::samples::{BlockHash, Position};
use crate::time::Timestamp;
use crate::version::{MAX_LIST_ITEMS, MAX_TEXT_CHARS};
use crate::volte_walkthrough::VolteWalkthrough;
use crate::work_orders::UnknownName;
use crate::work_orders::{NetworkGeneration, TimeWindow, wire_enum};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One command. Sent again with the same id, it has no further effect and gets the same outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Made by the phone; the key of idempotency.
    #[n(0)]
    pub id: CommandId,
    /// The order that it is about.
    #[n(1)]
    pub work_order_id: WorkOrderId,
    /// When the tester did it, by the phone's clock.
    #[n(2)]
    pub captured_at: Timestamp,
    /// What the tester did.
    #[n(3)]
    pub body: CommandBody,
}

/// What the tester did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandBody {
    /// Takes the order.
    #[n(0)]
    Accept {},
    /// Does not take it, and says why; T1 dispatches anew.
    #[n(1)]
    Decline {
        /// Why.
        #[n(0)]
        reason: String,
    },
    /// Reached, or tried to reach, the customer (R-CONTACT-1).
    #[n(2)]
    Contact {
        /// How it went.
        #[n(0)]
        outcome: ContactOutcome,
        /// The visit agreed on; required when the customer was reached.
        #[n(1)]
        appointment: Option<TimeWindow>,
        /// Why the customer was contacted in the hours of rest; required then.
        #[n(2)]
        emergency_reason: Option<String>,
        /// What was said.
        #[n(3)]
        note: Option<String>,
    },
    /// Stands at the place (R-VISIT-1).
    #[n(3)]
    Arrive {
        /// Where the phone was.
        #[n(0)]
        position: Position,
    },
    /// Asked the customer whether photos may be taken (R-VISIT-2).
    #[n(4)]
    PhotoConsent {
        /// The answer.
        #[n(0)]
        granted: bool,
    },
    /// Starts measuring; ties the test to its order.
    #[n(5)]
    TestBegin {
        /// The test, made by the phone.
        #[n(0)]
        field_test_id: FieldTestId,
    },
    /// Records the findings, replacing earlier ones of the same test (R-TEST-2).
    #[n(6)]
    FindingsRecord {
        /// The test.
        #[n(0)]
        field_test_id: FieldTestId,
        /// All findings.
        #[n(1)]
        findings: Findings,
    },
    /// Announces a photo; its bytes follow by resumable upload, maybe days later.
    #[n(7)]
    PhotoAttach {
        /// What it is.
        #[n(0)]
        manifest: PhotoManifest,
    },
    /// Hands the test in for review.
    #[n(8)]
    TestSubmit {
        /// The test.
        #[n(0)]
        field_test_id: FieldTestId,
        /// Every sealed block of the test.
        #[n(1)]
        blocks: Vec<BlockCitation>,
        /// Every photo of the test.
        #[n(2)]
        photos: Vec<PhotoId>,
        /// Why an operator's network was not tested (R-TEST-1).
        #[n(3)]
        missing_operators: Vec<MissingOperator>,
    },
}

impl CommandBody {
    /// The name of the kind in API, database and code.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accept {} => "accept",
            Self::Decline { .. } => "decline",
            Self::Contact { .. } => "contact",
            Self::Arrive { .. } => "arrive",
            Self::PhotoConsent { .. } => "photo_consent",
            Self::TestBegin { .. } => "test_begin",
            Self::FindingsRecord { .. } => "findings_record",
            Self::PhotoAttach { .. } => "photo_attach",
            Self::TestSubmit { .. } => "test_submit",
        }
    }
}

wire_enum! {
    /// How an attempt to reach the customer went.
    ContactOutcome {
        /// Reached; an appointment stands.
        0 Reached = "reached" / "已联系上",
        /// Nobody answered.
        1 NoAnswer = "no_answer" / "无人接听",
        /// The customer does not want a visit.
        2 VisitRefused = "visit_refused" / "客户拒绝上门",
    }
}

/// A block that a test consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct BlockCitation {
    /// Whose network it measured.
    #[n(0)]
    pub operator: Operator,
    /// Its number within test and operator, from 0.
    #[n(1)]
    pub sequence: u32,
    /// Its content address.
    #[n(2)]
    pub hash: BlockHash,
    /// How many samples it holds.
    #[n(3)]
    pub sample_count: u32,
}

/// Why an operator's network was not tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct MissingOperator {
    /// Whose.
    #[n(0)]
    pub operator: Operator,
    /// Why.
    #[n(1)]
    pub reason: String,
}

wire_enum! {
    /// Which service fails.
    AffectedService {
        /// Calls.
        0 Voice = "voice" / "语音",
        /// Data.
        1 Data = "data" / "数据",
        /// Both.
        2 Both = "both" / "语音和数据",
    }
}

/// What the tester found at the place (R-TEST-2, R-VISIT-3). Every text is free; empty lists mean "none found".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// The customer's problem as found.
    #[n(0)]
    pub problem: String,
    /// Which network generation suffers.
    #[n(1)]
    pub generation: NetworkGeneration,
    /// Which service fails.
    #[n(2)]
    pub service: AffectedService,
    /// When it appears, in the customer's words.
    #[n(3)]
    pub occurs: String,
    /// The exact address of the test.
    #[n(4)]
    pub address: String,
    /// The exact place of the test.
    #[n(5)]
    pub position: Option<Position>,
    /// How the competitors cover the place.
    #[n(6)]
    #[serde(default)]
    pub competitor_coverage: String,
    /// Sites that serve the place.
    #[n(7)]
    #[serde(default)]
    pub serving_sites: Vec<String>,
    /// Planned sites nearby.
    #[n(8)]
    #[serde(default)]
    pub planned_sites: Vec<String>,
    /// Competitors' and the tower company's resources that could be used.
    #[n(9)]
    #[serde(default)]
    pub shareable_resources: Vec<String>,
    /// The customer's most pressing need (R-VISIT-3).
    #[n(10)]
    #[serde(default)]
    pub pressing_need: String,
    /// A direct contact was left with the customer (R-VISIT-3).
    #[n(11)]
    #[serde(default)]
    pub contact_left: bool,
    /// The customer was told that a revisit call may come, scored out of ten (R-VISIT-3).
    #[n(12)]
    #[serde(default)]
    pub revisit_announced: bool,
    /// The VoLTE walk, where one was made (R-TEST-4).
    #[n(13)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volte: Option<VolteWalkthrough>,
}

/// A command's field that is too long or empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldProblem {
    /// The field's name as in the API.
    pub field: &'static str,
    /// What is wrong with it, in the reader's words.
    pub problem: &'static str,
}

fn text(field: &'static str, value: &str, required: bool) -> Result<(), FieldProblem> {
    if required && value.trim().is_empty() {
        return Err(FieldProblem { field, problem: "must not be empty" });
    }
    if value.chars().count() > MAX_TEXT_CHARS {
        return Err(FieldProblem { field, problem: "must not be longer than 4000 characters" });
    }
    if value.chars().any(|c| c == '\0') {
        return Err(FieldProblem { field, problem: "must not contain a zero character" });
    }
    Ok(())
}

fn list<T>(field: &'static str, values: &[T]) -> Result<(), FieldProblem> {
    if values.len() > MAX_LIST_ITEMS {
        return Err(FieldProblem { field, problem: "must not have more than 256 entries" });
    }
    Ok(())
}

fn texts(field: &'static str, values: &[String]) -> Result<(), FieldProblem> {
    list(field, values)?;
    values.iter().try_for_each(|value| text(field, value, true))
}

fn position(field: &'static str, value: &Position) -> Result<(), FieldProblem> {
    value
        .validate()
        .map_err(|_| FieldProblem { field, problem: "must lie within ±90° of latitude and ±180° of longitude" })
}

impl Findings {
    /// Checks lengths and ranges; says nothing of the workflow.
    pub fn validate(&self) -> Result<(), FieldProblem> {
        text("problem", &self.problem, true)?;
        text("occurs", &self.occurs, false)?;
        text("address", &self.address, true)?;
        if let Some(p) = &self.position {
            position("position", p)?;
        }
        text("competitor_coverage", &self.competitor_coverage, false)?;
        texts("serving_sites", &self.serving_sites)?;
        texts("planned_sites", &self.planned_sites)?;
        texts("shareable_resources", &self.shareable_resources)?;
        text("pressing_need", &self.pressing_need, false)?;
        self.volte.as_ref().map_or(Ok(()), VolteWalkthrough::validate)
    }
}

impl Command {
    /// Checks what can be checked without knowing the order: lengths, ranges, lists. The first problem is the error.
    pub fn validate(&self) -> Result<(), FieldProblem> {
        match &self.body {
            CommandBody::Accept {} | CommandBody::PhotoConsent { .. } | CommandBody::TestBegin { .. } => Ok(()),
            CommandBody::Decline { reason } => text("reason", reason, true),
            CommandBody::Contact { appointment, emergency_reason, note, .. } => {
                if let Some(window) = appointment
                    && window.from >= window.until
                {
                    return Err(FieldProblem { field: "appointment", problem: "must begin before it ends" });
                }
                if let Some(reason) = emergency_reason {
                    text("emergency_reason", reason, true)?;
                }
                note.as_deref().map_or(Ok(()), |note| text("note", note, false))
            }
            CommandBody::Arrive { position: p } => position("position", p),
            CommandBody::FindingsRecord { findings, .. } => findings.validate(),
            CommandBody::PhotoAttach { manifest } => manifest.validate(),
            CommandBody::TestSubmit { blocks, photos, missing_operators, .. } => {
                // A long test has many blocks, so this bound is the request's, not the list's.
                if blocks.len() > 16 * MAX_LIST_ITEMS {
                    return Err(FieldProblem { field: "blocks", problem: "must not have more than 4096 entries" });
                }
                list("photos", photos)?;
                list("missing_operators", missing_operators)?;
                missing_operators.iter().try_for_each(|m| text("missing_operators", &m.reason, true))
            }
        }
    }
}
