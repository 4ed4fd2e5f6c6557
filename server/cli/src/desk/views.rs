//! What the API answers, as far as a desk looks at it; fields that it does not know are passed over.

use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use uuid::Uuid;

/// Problem details (RFC 9457).
#[derive(Clone, Debug, Deserialize)]
pub struct Problem {
    /// `urn:callout:problem:…`
    #[serde(rename = "type")]
    pub kind: String,
    /// The title in English.
    pub title: String,
    /// The title in Chinese.
    pub title_zh: String,
    /// The status.
    pub status: u16,
    /// What exactly.
    #[serde(default)]
    pub detail: String,
}

impl Problem {
    /// The last part of the URI, such as `not-found`.
    pub fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.title, self.name(), self.detail)
    }
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub items: Vec<T>,
    #[serde(default)]
    pub next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
    pub user: Account,
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub id: Uuid,
}

/// A user.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// The id.
    pub id: Uuid,
    /// The name to sign in with.
    pub user_name: String,
    /// The roles.
    pub roles: Vec<String>,
}

/// Whoever complained; masked for those who need not know.
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    /// The name.
    pub name: String,
    /// The number.
    pub phone: String,
}

/// A complaint.
#[derive(Clone, Debug, Deserialize)]
pub struct Complaint {
    /// The id.
    pub id: Uuid,
    /// The caller's reference.
    pub reference: String,
    /// Where it stands.
    pub state: String,
    /// Who complained.
    pub customer: Customer,
    /// The order, once there is one.
    #[serde(default)]
    pub work_order_id: Option<Uuid>,
}

/// A work order.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkOrder {
    /// The id.
    pub id: Uuid,
    /// The number that people say.
    pub number: String,
    /// Where it stands.
    pub state: String,
    /// Its region, once located.
    #[serde(default)]
    pub region_id: Option<Uuid>,
    /// Its tester.
    #[serde(default)]
    pub assigned_to: Option<Uuid>,
    /// Its current test.
    #[serde(default)]
    pub field_test_id: Option<Uuid>,
    /// Its tracking ticket.
    #[serde(default)]
    pub tracking_ticket_id: Option<Uuid>,
    /// Grows with every change.
    pub version: u64,
    /// How often it was reopened.
    #[serde(default)]
    pub reopened_count: u32,
    /// How many false returns it has had.
    #[serde(default)]
    pub false_return_count: u32,
}

/// An event of an order's timeline.
#[derive(Clone, Debug, Deserialize)]
pub struct TimelineEntry {
    /// Its number within the order.
    pub number: u64,
    /// When the server took it.
    pub happened_at: String,
    /// When the phone did it.
    #[serde(default)]
    pub captured_at: Option<String>,
    /// Who, as roles with commas between them.
    #[serde(default)]
    pub actor_roles: String,
    /// What.
    pub action: String,
    /// Details.
    #[serde(default)]
    pub detail: Value,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A sealed block of a test.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockView {
    /// Its content address.
    pub hash: String,
    /// Whose network.
    pub operator: String,
    /// Its number within test and operator.
    pub sequence: u32,
    /// How many samples.
    pub sample_count: u64,
    /// How many bytes.
    pub byte_length: u64,
    /// Whether it counts.
    pub standing: String,
    /// Why it does not.
    #[serde(default)]
    pub standing_reason: Option<Value>,
}

/// A photo of a test.
#[derive(Clone, Debug, Deserialize)]
pub struct PhotoView {
    /// The id.
    pub id: Uuid,
    /// Whether its bytes are there.
    pub state: String,
    /// How many bytes.
    pub byte_length: u64,
}

/// One operator's figures.
#[derive(Clone, Debug, Deserialize)]
pub struct OperatorKpi {
    /// Whose network.
    pub operator: String,
    /// The figures.
    pub kpi: Kpis,
}

/// The figures as the API gives them.
pub type Kpis = Value;

/// A field test.
#[derive(Clone, Debug, Deserialize)]
pub struct FieldTest {
    /// The id.
    pub id: Uuid,
    /// Its order.
    pub work_order_id: Uuid,
    /// Whether it counts.
    pub standing: String,
    /// Where it stands.
    pub state: String,
    /// Its blocks.
    pub blocks: Vec<BlockView>,
    /// Cited blocks that have not arrived.
    #[serde(default)]
    pub missing_blocks: Vec<String>,
    /// Its photos.
    pub photos: Vec<PhotoView>,
    /// Its figures, operator by operator.
    pub operators: Vec<OperatorKpi>,
    /// What it must have, and whether it has it.
    #[serde(default)]
    pub evidence: Vec<EvidenceView>,
    /// Reviews, oldest first.
    #[serde(default)]
    pub reviews: Vec<Value>,
}

/// An item of a test's checklist.
#[derive(Clone, Debug, Deserialize)]
pub struct EvidenceView {
    /// `samples`, `photos`, `volte_walkthrough` or `test_calls`.
    pub kind: String,
    /// There is enough, or the tester said why not.
    pub is_met: bool,
}

/// A handoff.
#[derive(Clone, Debug, Deserialize)]
pub struct Handoff {
    /// The id.
    pub id: Uuid,
    /// Where it stands.
    pub state: String,
}

/// A step of the ladder.
#[derive(Clone, Debug, Deserialize)]
pub struct LadderStep {
    /// Its number, from 1.
    pub step: u32,
    /// Its key.
    pub key: String,
    /// Its rung.
    pub rung: String,
    /// Its name in English.
    pub name: String,
    /// Its name in Chinese.
    pub name_zh: String,
    /// What came of it.
    #[serde(default)]
    pub outcome: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Ladder {
    pub steps: Vec<LadderStep>,
}

/// A reply to customer service.
#[derive(Clone, Debug, Deserialize)]
pub struct Reply {
    /// The id.
    pub id: Uuid,
    /// The ticket that it opened.
    #[serde(default)]
    pub tracking_ticket_id: Option<Uuid>,
}

/// A revisit.
#[derive(Clone, Debug, Deserialize)]
pub struct Revisit {
    /// The id.
    pub id: Uuid,
    /// The one-time link, shown once.
    #[serde(default)]
    pub url: Option<String>,
}

/// A tracking ticket.
#[derive(Clone, Debug, Deserialize)]
pub struct TrackingTicket {
    /// The id.
    pub id: Uuid,
    /// Where it stands.
    pub state: String,
    /// Its order.
    pub work_order_id: Uuid,
}

/// Something that is kept but does not count.
#[derive(Clone, Debug, Deserialize)]
pub struct Quarantined {
    /// What kind of thing.
    pub kind: String,
    /// Its order.
    #[serde(default)]
    pub work_order_id: Option<Uuid>,
    /// All of it.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}
