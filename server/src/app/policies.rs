//! Policies: what an administrator sets instead of a programmer. Versions are kept, and each setting is on record.
//!
//! A rule's type becomes a policy by `impl Policy` beside the rule and one line in [`policies!`] here. What does not belong here:
//! what the documents mean (`workflow`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::appointments::ArrivalPolicy;
use crate::workflow::build_demands::BuildDemandPolicy;
use crate::workflow::calendar::WorkCalendar;
use crate::workflow::candidates::CandidatePolicy;
use crate::workflow::contacts::ContactPolicy;
use crate::workflow::dispatches::DispatchPolicy;
use crate::workflow::evidence_templates::EvidenceTemplates;
use crate::workflow::field_tests::FindingPolicy;
use crate::workflow::ladder::LadderPolicy;
use crate::workflow::limits::LimitPolicy;
use crate::workflow::policies::Policy;
use crate::workflow::replies::ForbiddenExpressions;
use crate::workflow::reviews::ReviewTemplate;
use crate::workflow::revisits::{FalseReturnPolicy, RevisitPolicy};
use crate::workflow::supervision::SupervisionPolicy;
use crate::workflow::warnings::WarningPolicy;
use callout_storage::policies::PolicyVersion;
use callout_storage::{Page, StorageError, Tx};
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::ids::{PolicyId, RegionId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// A kind of policy, without its type.
struct PolicyKind {
    name: &'static str,
    is_per_region: bool,
    default: fn() -> AppResult<Value>,
    /// The document as the rules will read it, with what was left out filled in.
    checked: fn(Value) -> AppResult<Value>,
}

fn document<T: Policy>(policy: &T) -> AppResult<Value> {
    serde_json::to_value(policy).map_err(AppError::internal)
}

fn checked<T: Policy>(given: Value) -> AppResult<Value> {
    let policy: T = serde_json::from_value(given)
        .map_err(|error| AppError::new(ProblemType::InvalidField, format!("document: {error}")))?;
    policy.check()?;
    document(&policy)
}

macro_rules! policies {
    ($($policy:ty),+ $(,)?) => {
        /// All kinds, in the order of the documentation.
        const KINDS: &[PolicyKind] = &[$(PolicyKind {
            name: <$policy as Policy>::KIND,
            is_per_region: <$policy as Policy>::PER_REGION,
            default: || document(&<$policy>::default()),
            checked: checked::<$policy>,
        }),+];
    };
}

policies! {
    ArrivalPolicy,
    CandidatePolicy,
    ContactPolicy,
    ContactWords,
    DispatchPolicy,
    FalseReturnPolicy,
    ForbiddenExpressions,
    LimitPolicy,
    RevisitPolicy,
    BuildDemandPolicy,
    WorkCalendar,
    EvidenceTemplates,
    FindingPolicy,
    LadderPolicy,
    ReviewTemplate,
    SupervisionPolicy,
    WarningPolicy,
}

/// The names of all kinds.
pub fn policy_kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// What stands in the trail for all versions of a kind and region: the same on every server without asking anybody.
fn subject_id(kind: &str, region_id: Option<RegionId>) -> Uuid {
    let place = region_id.map_or_else(String::new, |id| id.to_string());
    let hash = blake3::hash(format!("callout policy\n{kind}\n{place}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn kind_named(name: &str) -> AppResult<&'static PolicyKind> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| AppError::not_found("kind of policy"))
}

/// A policy as it holds somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySeen {
    /// The kind's name.
    pub kind: &'static str,
    /// The version in force; absent while nobody set one and the default holds.
    pub current: Option<PolicyVersion>,
    /// What the rules go by.
    pub document: Value,
    /// What they went by if nobody had set anything.
    pub default_document: Value,
}

impl App {
    /// The policy that holds in a region: the region's own, else the one for all, else the default.
    ///
    /// # Errors
    /// When the stored document is not one that this version of the program can read.
    pub fn policy<T: Policy>(&self, tx: &mut Tx, region_id: Option<RegionId>) -> AppResult<T> {
        match policy_in_force(tx, T::KIND, region_id)? {
            Some(version) => serde_json::from_value(version.document).map_err(AppError::internal),
            None => Ok(T::default()),
        }
    }

    /// All kinds as they hold in a region, or where a region has none of its own.
    pub fn policy_list(&self, caller: &Caller, region_id: Option<RegionId>) -> AppResult<Vec<PolicySeen>> {
        self.storage.read("policy_list", |tx| {
            self.caller_scope(tx, caller)?;
            KINDS.iter().map(|kind| policy_seen(tx, kind, region_id)).collect()
        })
    }

    /// One kind as it holds in a region, or where a region has none of its own.
    pub fn policy_show(&self, caller: &Caller, kind: &str, region_id: Option<RegionId>) -> AppResult<PolicySeen> {
        let kind = kind_named(kind)?;
        self.storage.read("policy_show", |tx| {
            self.caller_scope(tx, caller)?;
            policy_seen(tx, kind, region_id)
        })
    }

    /// The versions that were set for exactly this region (or for all), newest first.
    pub fn policy_history(
        &self,
        caller: &Caller,
        kind: &str,
        region_id: Option<RegionId>,
        page: Page<PolicyId>,
    ) -> AppResult<Vec<PolicyVersion>> {
        let kind = kind_named(kind)?;
        self.storage.read("policy_history", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(tx.policy_list(Some(subject_id(kind.name, region_id)), &page)?)
        })
    }

    /// Sets a policy, for one region or for all that have none of their own. What is already running keeps its limits unless the
    /// rule says otherwise.
    ///
    /// # Errors
    /// `invalid-field` that names the document's field; `version-conflict` if somebody else set it at the same time.
    pub fn policy_set(
        &self,
        caller: &Caller,
        kind: &str,
        region_id: Option<RegionId>,
        given: Value,
        reason: &str,
    ) -> AppResult<PolicySeen> {
        let kind = kind_named(kind)?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
            return Err(AppError::invalid("reason", "must have 1 to 1000 characters"));
        }
        if region_id.is_some() && !kind.is_per_region {
            return Err(AppError::invalid("region_id", "this kind of policy is the same for all regions"));
        }
        let document = (kind.checked)(given)?;
        self.storage.write("policy_set", |tx| {
            self.caller_scope(tx, caller)?;
            if let Some(id) = region_id
                && tx.region_by_id(id)?.is_none()
            {
                return Err(AppError::invalid("region_id", "there is no such region"));
            }
            let subject = subject_id(kind.name, region_id);
            let before = tx.policy_current(subject)?;
            let policy = PolicyVersion {
                id: self.env.id(),
                subject_id: subject,
                kind: kind.name.to_owned(),
                region_id,
                version: before.map_or(1, |before| before.version + 1),
                document: document.clone(),
                reason: reason.to_owned(),
                created_by: caller.user_id,
                created_at: self.env.now(),
            };
            tx.policy_insert(&policy).map_err(|error| match error {
                StorageError::UniqueViolation { .. } => StorageError::Conflict { what: "policy" }.into(),
                other => AppError::from(other),
            })?;
            let draft = EventDraft::new(Subject::Policy(subject), "policy_set").by(caller).reason(reason);
            self.event_append(
                tx,
                draft.detail(json!({
                    "kind": kind.name, "region_id": region_id, "version": policy.version, "document": document,
                })),
            )?;
            policy_seen(tx, kind, region_id)
        })
    }
}

fn policy_in_force(tx: &mut Tx, kind: &str, region_id: Option<RegionId>) -> AppResult<Option<PolicyVersion>> {
    if let Some(id) = region_id
        && let Some(version) = tx.policy_current(subject_id(kind, Some(id)))?
    {
        return Ok(Some(version));
    }
    Ok(tx.policy_current(subject_id(kind, None))?)
}

fn policy_seen(tx: &mut Tx, kind: &PolicyKind, region_id: Option<RegionId>) -> AppResult<PolicySeen> {
    let current = policy_in_force(tx, kind.name, region_id)?;
    let default_document = (kind.default)()?;
    let document = current.as_ref().map_or_else(|| default_document.clone(), |version| version.document.clone());
    Ok(PolicySeen { kind: kind.name, current, document, default_document })
}
