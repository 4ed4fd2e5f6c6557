//! Complaints: taken once however often they are pushed (R-INTAKE-1), classified by T1 (R-INTAKE-2).
//!
//! A network complaint gets its work order in the same transaction as its class. What does not belong here: what happens to the
//! order afterwards (`work_orders`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use callout_storage::complaints::{Channel, Complaint, ComplaintClass, ComplaintFilter, ComplaintState};
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, RegionScope, Tx};
use callout_sync_protocol::ids::{ComplaintId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MAX_TEXT_CHARS;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, Urgency, WorkOrderState};
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::fmt;

/// What customer service pushes in. Its serialised form is what "the same content" means.
#[derive(Serialize)]
pub struct ComplaintNew {
    /// The caller's own number for it; unique for the caller.
    pub reference: String,
    /// How it arrived.
    pub channel: Channel,
    /// When it arrived; now, if absent.
    pub received_at: Option<Timestamp>,
    /// The customer's name.
    pub customer_name: String,
    /// The number to call.
    pub customer_phone: String,
    /// The customer's words.
    pub description: String,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// Which network generation, if known.
    pub generation: Option<NetworkGeneration>,
    /// Where, as far as known.
    pub address: Option<String>,
    /// Where on the map, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// When it appears.
    pub occurs: Option<String>,
    /// Whether people nearby suffer too (R-LOCATE-2).
    pub neighbours_affected: Option<bool>,
}

impl fmt::Debug for ComplaintNew {
    /// Personal data stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComplaintNew({}, redacted)", self.reference)
    }
}

/// A complaint with its order, as a caller may see it.
pub struct ComplaintSeen {
    /// The complaint.
    pub complaint: Complaint,
    /// Its order, if it is a network complaint.
    pub work_order_id: Option<WorkOrderId>,
    /// Whether this caller may see who the customer is.
    pub shows_contact: bool,
}

/// How T1 classifies a complaint.
#[derive(Clone, Debug)]
pub struct Classification {
    /// The class.
    pub class: ComplaintClass,
    /// The answer to customer service; needed unless it is a network complaint.
    pub answer: Option<String>,
    /// How pressing the order is.
    pub urgency: Option<Urgency>,
}

fn required(field: &str, value: &str, max_chars: usize) -> AppResult<String> {
    let value = value.trim();
    if value.is_empty() {
        return Err(AppError::invalid(field, "must not be empty"));
    }
    bounded(field, value, max_chars)?;
    Ok(value.to_owned())
}

fn bounded(field: &str, value: &str, max_chars: usize) -> AppResult<()> {
    if value.chars().count() > max_chars {
        return Err(AppError::invalid(field, &format!("must not have more than {max_chars} characters")));
    }
    if value.contains('\0') {
        return Err(AppError::invalid(field, "must not contain a zero character"));
    }
    Ok(())
}

fn optional(field: &str, value: Option<&str>, max_chars: usize) -> AppResult<String> {
    let value = value.unwrap_or_default().trim();
    bounded(field, value, max_chars)?;
    Ok(value.to_owned())
}

/// A number that can be dialled: digits, with the signs that people write between them.
fn phone_number(field: &str, value: &str) -> AppResult<String> {
    let value = required(field, value, 32)?;
    let is_dialled = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')' | '#' | '*');
    if !value.chars().all(is_dialled) || value.chars().filter(char::is_ascii_digit).count() < 3 {
        return Err(AppError::invalid(field, "must be a telephone number"));
    }
    Ok(value)
}

/// Who needs the customer's contact for an order in hand (R-PRIVACY-1): the desks that talk to the customer, and whoever pushed it in.
pub fn contact_needed(caller: &Caller, complaint: &Complaint) -> bool {
    let talks = caller.roles.has_any(&[Role::CustomerServiceAgent, Role::T1Dispatcher]);
    talks && !complaint.state.is_final() || complaint.source_id == caller.user_id
}

/// Another system sees what it pushed in itself, and nothing else.
fn is_only_integration(caller: &Caller) -> bool {
    caller.roles.iter().all(|role| role == Role::IntegrationClient)
}

impl App {
    /// Takes a complaint; the second value says whether it is new.
    ///
    /// # Errors
    /// `idempotency-conflict` when the reference was used for another content; `invalid-field`.
    pub fn complaint_create(&self, caller: &Caller, new: &ComplaintNew) -> AppResult<(ComplaintSeen, bool)> {
        let now = self.env.now();
        let digest = blake3::hash(&serde_json::to_vec(new).map_err(AppError::internal)?);
        if new.received_at.is_some_and(|at| at > now.plus_seconds(300)) {
            return Err(AppError::invalid("received_at", "must not lie in the future"));
        }
        let complaint = Complaint {
            id: self.env.id(),
            source_id: caller.user_id,
            reference: required("reference", &new.reference, 128)?,
            content_digest: *digest.as_bytes(),
            channel: new.channel,
            class: None,
            state: ComplaintState::Received,
            received_at: new.received_at.unwrap_or(now),
            customer_name: required("customer.name", &new.customer_name, 128)?,
            customer_phone: phone_number("customer.phone", &new.customer_phone)?,
            description: required("description", &new.description, MAX_TEXT_CHARS)?,
            symptom: new.symptom,
            generation: new.generation,
            address: optional("address", new.address.as_deref(), 512)?,
            occurs: optional("occurs", new.occurs.as_deref(), MAX_TEXT_CHARS)?,
            neighbours_affected: new.neighbours_affected,
            latitude_e6: new.position.map(|position| position.latitude_e6),
            longitude_e6: new.position.map(|position| position.longitude_e6),
            region_id: None,
            answer: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.storage.write("complaint_create", |tx| {
            self.caller_scope(tx, caller)?;
            if let Some(known) = tx.complaint_by_reference(caller.user_id, &complaint.reference)? {
                if known.content_digest != complaint.content_digest {
                    return Err(AppError::new(
                        ProblemType::IdempotencyConflict,
                        "reference: this reference was used for a complaint of other content",
                    ));
                }
                let seen = self.complaint_seen(tx, caller, known)?;
                return Ok((seen, false));
            }
            let mut complaint = complaint.clone();
            if let Some(position) = complaint.position() {
                complaint.region_id = self.region_at(tx, position)?.map(|region| region.id);
            }
            tx.complaint_insert(&complaint)?;
            self.kpi_touch(tx, complaint.id)?;
            self.event_append(
                tx,
                EventDraft::new(Subject::Complaint(complaint.id), "complaint_received").by(caller).detail(json!({
                    "channel": complaint.channel.as_str(), "symptom": complaint.symptom, "region_id": complaint.region_id,
                })),
            )?;
            let seen = self.complaint_seen(tx, caller, complaint)?;
            Ok((seen, true))
        })
    }

    fn complaint_seen(&self, tx: &mut Tx, caller: &Caller, complaint: Complaint) -> AppResult<ComplaintSeen> {
        let work_order_id = tx.work_order_by_complaint(complaint.id)?.map(|order| order.id);
        Ok(ComplaintSeen { shows_contact: contact_needed(caller, &complaint), complaint, work_order_id })
    }

    /// Whether a caller may see a complaint: in the regions; a system only what it pushed in itself.
    fn complaint_visible(caller: &Caller, scope: &RegionScope, complaint: &Complaint) -> bool {
        complaint.source_id == caller.user_id || (!is_only_integration(caller) && scope.contains(complaint.region_id))
    }

    /// A complaint.
    pub fn complaint_show(&self, caller: &Caller, id: ComplaintId) -> AppResult<ComplaintSeen> {
        self.storage.read("complaint_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let complaint = tx
                .complaint_by_id(id)?
                .filter(|complaint| Self::complaint_visible(caller, &scope, complaint))
                .ok_or_else(|| AppError::not_found("complaint"))?;
            self.complaint_seen(tx, caller, complaint)
        })
    }

    /// Complaints of the caller's regions, newest first; a system sees its own.
    pub fn complaint_list(
        &self,
        caller: &Caller,
        states: Vec<ComplaintState>,
        page: Page<ComplaintId>,
    ) -> AppResult<Vec<ComplaintSeen>> {
        self.storage.read("complaint_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let (scope, source_id) =
                if is_only_integration(caller) { (RegionScope::All, Some(caller.user_id)) } else { (scope, None) };
            let filter = ComplaintFilter { scope, source_id, states: states.clone() };
            let complaints = tx.complaint_list(&filter, &page)?;
            let ids: Vec<ComplaintId> = complaints.iter().map(|complaint| complaint.id).collect();
            let orders: HashMap<ComplaintId, WorkOrderId> =
                tx.work_order_ids_by_complaints(&ids)?.into_iter().collect();
            Ok(complaints
                .into_iter()
                .map(|complaint| ComplaintSeen {
                    work_order_id: orders.get(&complaint.id).copied(),
                    shows_contact: contact_needed(caller, &complaint),
                    complaint,
                })
                .collect())
        })
    }

    /// Classifies a complaint (R-INTAKE-2): a network complaint becomes a work order, any other is answered.
    ///
    /// # Errors
    /// `illegal-transition` when it was classified before; `invalid-field` when an answer is missing.
    pub fn complaint_classify(
        &self,
        caller: &Caller,
        id: ComplaintId,
        classification: &Classification,
    ) -> AppResult<ComplaintSeen> {
        let now = self.env.now();
        let answer = match (classification.class, &classification.answer) {
            (ComplaintClass::Network, Some(_)) => {
                return Err(AppError::invalid("answer", "a network complaint is answered by replies"));
            }
            (ComplaintClass::Network, None) => None,
            (_, answer) => Some(required("answer", answer.as_deref().unwrap_or_default(), MAX_TEXT_CHARS)?),
        };
        self.storage.write("complaint_classify", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut complaint = tx
                .complaint_by_id(id)?
                .filter(|complaint| scope.contains(complaint.region_id))
                .ok_or_else(|| AppError::not_found("complaint"))?;
            if complaint.state != ComplaintState::Received {
                return Err(AppError::new(ProblemType::IllegalTransition, "the complaint is classified already"));
            }
            complaint.class = Some(classification.class);
            complaint.answer.clone_from(&answer);
            complaint.updated_at = now;
            let mut draft = EventDraft::new(Subject::Complaint(id), "complaint_classified")
                .by(caller)
                .detail(json!({ "class": classification.class.as_str() }));
            if classification.class == ComplaintClass::Network {
                complaint.state = ComplaintState::InProgress;
                let order =
                    self.work_order_open(tx, caller, &complaint, classification.urgency.unwrap_or(Urgency::Normal))?;
                draft = draft.detail(json!({ "class": classification.class.as_str(), "work_order_id": order.id }));
            } else {
                complaint.state = ComplaintState::Answered;
            }
            tx.complaint_update(&mut complaint)?;
            self.kpi_touch(tx, id)?;
            self.event_append(tx, draft)?;
            self.complaint_seen(tx, caller, complaint)
        })
    }

    fn work_order_open(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        complaint: &Complaint,
        urgency: Urgency,
    ) -> AppResult<WorkOrder> {
        let now = self.env.now();
        let number = self.number_next(tx, "WO", now)?;
        let offset = match complaint.region_id {
            Some(region) => {
                tx.region_by_id(region)?.map_or(DEFAULT_UTC_OFFSET_MINUTES, |region| region.utc_offset_minutes)
            }
            None => DEFAULT_UTC_OFFSET_MINUTES,
        };
        let order = WorkOrder {
            id: self.env.id(),
            complaint_id: complaint.id,
            number,
            state: WorkOrderState::Received,
            urgency,
            region_id: complaint.region_id,
            assigned_to: None,
            assigned_at: None,
            appointment_from: None,
            appointment_until: None,
            due_at: None,
            field_test_id: None,
            photo_consent: None,
            return_reasons: vec![],
            utc_offset_minutes: offset,
            address: complaint.address.clone(),
            latitude_e6: complaint.latitude_e6,
            longitude_e6: complaint.longitude_e6,
            reopened_count: 0,
            false_return_count: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        tx.work_order_insert(&order)?;
        self.event_append(
            tx,
            EventDraft::new(Subject::WorkOrder(order.id), "work_order_opened")
                .by(caller)
                .detail(json!({ "number": order.number, "complaint_id": complaint.id, "urgency": urgency })),
        )?;
        Ok(order)
    }
}

/// China's one time zone, until the order's region is known.
pub const DEFAULT_UTC_OFFSET_MINUTES: i16 = 8 * 60;
