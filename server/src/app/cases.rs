//! The case library (R-KNOW-1): a draft is made by itself on the day a hard case is solved; a lead edits and publishes it; later orders
//! like it are offered it. No personal data enters it.
//!
//! What does not belong here: which cases are hard, and which are alike (`workflow::cases`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::bounded_text;
use crate::workflow::cases::{
    CaseFacts, PlaceKind, case_is_hard, case_likeness, cases_offered, folded, place_kind, without_personal_data,
};
use crate::workflow::intakes::phone_normalised;
use crate::workflow::ladder::{Ladder, StepOutcome};
use crate::workflow::required_text;
use callout_storage::cases::{Case, CaseFilter, CaseState};
use callout_storage::complaints::Complaint;
use callout_storage::ladder_steps::LadderStep;
use callout_storage::reviews::ReviewDecision;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{CaseId, WorkOrderId};
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use serde_json::{Value, json};

/// How many cases an order is offered.
const MAX_OFFERED: usize = 10;
/// How many published ones of a symptom are looked at for it.
const MAX_COMPARED: u32 = 200;
/// Longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// What a lead writes.
#[derive(Clone, Debug)]
pub struct CaseDraft {
    /// In one line.
    pub title: String,
    /// What the customer suffered from.
    pub symptom: Symptom,
    /// Which network generation.
    pub generation: Option<NetworkGeneration>,
    /// What kind of place.
    pub place_kind: PlaceKind,
    /// Why it was so.
    pub cause: String,
    /// What solved it.
    pub what_was_done: String,
    /// Whether it is offered.
    pub state: CaseState,
}

impl CaseDraft {
    fn check(&self) -> AppResult<()> {
        required_text("title", &self.title)?;
        if self.title.chars().count() > MAX_TITLE_CHARS {
            return Err(AppError::invalid("title", &format!("must not have more than {MAX_TITLE_CHARS} characters")));
        }
        // A draft may be unfinished; what is offered to others says why it was so and what solved it.
        match self.state {
            CaseState::Published => {
                required_text("cause", &self.cause)?;
                required_text("what_was_done", &self.what_was_done)?;
            }
            CaseState::Draft | CaseState::Withdrawn => {
                bounded_text("cause", &self.cause)?;
                bounded_text("what_was_done", &self.what_was_done)?;
            }
        }
        Ok(())
    }

    fn apply(&self, case: &mut Case) {
        // Whoever writes may forget it: a number that calls somebody is nobody's knowledge (R-PRIVACY-1).
        let clean = |text: &str| without_personal_data(text.trim(), &[]);
        case.title = clean(&self.title);
        case.symptom = self.symptom;
        case.generation = self.generation;
        case.place_kind = self.place_kind.as_str().into();
        case.cause = clean(&self.cause);
        case.what_was_done = clean(&self.what_was_done);
        case.state = self.state;
        case.searched = searched(case);
    }
}

/// Everything that is searched of a case.
fn searched(case: &Case) -> String {
    let place = case.place_kind.parse::<PlaceKind>().map_or("", PlaceKind::name_zh);
    let generation = case.generation.map_or("", |generation| generation.as_str());
    folded(&format!(
        "{} {} {} {generation} {} {place} {} {}",
        case.title,
        case.symptom,
        case.symptom.name_zh(),
        case.place_kind,
        case.cause,
        case.what_was_done
    ))
}

fn may_manage(caller: &Caller) -> bool {
    caller.roles.has_any(&[Role::RegionalLead, Role::QualityControl])
}

impl App {
    /// The order's problem is solved and the customer says so: a hard one becomes a draft of the library today (R-KNOW-1). Solved
    /// again after it was reopened, its draft is written anew; what a lead published stays the lead's.
    pub(crate) fn case_offer(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<()> {
        let complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        let (ladder, steps) = self.ladder_of(tx, order)?;
        let tried = steps.iter().filter(|step| step.outcome != StepOutcome::Skipped.as_str()).count();
        let facts = CaseFacts {
            had_tracking_ticket: tx.tracking_ticket_by_work_order(order.id)?.is_some(),
            reopened_count: order.reopened_count,
            ladder_steps: u32::try_from(tried).unwrap_or(u32::MAX),
            was_handed_over: !tx.handoff_list_by_work_order(order.id)?.is_empty(),
            was_escalated: !tx.escalation_list_by_complaint(complaint.id)?.is_empty()
                || tx.major_case_open_by_complaint(complaint.id)?.is_some(),
        };
        if !case_is_hard(&facts, &self.intake_policy(tx, &complaint)?) {
            return Ok(());
        }
        let now = self.env.now();
        let known = tx.case_by_work_order(order.id)?;
        if known.as_ref().is_some_and(|known| known.state != CaseState::Draft) {
            return Ok(());
        }
        let (cause, what_was_done) = self.case_words(tx, order, &complaint, &steps)?;
        let kind = place_kind(&order.address);
        let mut case = known.unwrap_or_else(|| Case {
            id: self.env.id(),
            state: CaseState::Draft,
            work_order_id: Some(order.id),
            title: String::new(),
            symptom: complaint.symptom,
            generation: None,
            place_kind: String::new(),
            cause: String::new(),
            what_was_done: String::new(),
            ladder_steps: Value::Null,
            searched: String::new(),
            created_by: None,
            created_at: now,
            published_by: None,
            published_at: None,
            updated_at: now,
            version: 0,
        });
        case.title = format!("{} · {} ({})", complaint.symptom.name_zh(), kind.name_zh(), complaint.symptom);
        case.symptom = complaint.symptom;
        case.generation = complaint.generation;
        case.place_kind = kind.as_str().into();
        case.cause = cause;
        case.what_was_done = what_was_done;
        case.ladder_steps = ladder_told(&ladder, &complaint, order, &steps);
        case.updated_at = now;
        case.searched = searched(&case);
        if case.version == 0 {
            case.version = 1;
            tx.case_insert(&case)?;
        } else {
            tx.case_update(&mut case)?;
        }
        let detail = json!({ "case_id": case.id, "work_order_id": order.id });
        self.event_append(tx, EventDraft::new(Subject::Case(case.id), "case_drafted").detail(detail.clone()))?;
        self.event_append(tx, EventDraft::new(Subject::WorkOrder(order.id), "case_drafted").detail(detail))
    }

    /// What the records say of why it was so and what solved it, without who the customer is.
    fn case_words(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        complaint: &Complaint,
        steps: &[LadderStep],
    ) -> AppResult<(String, String)> {
        let test = match order.field_test_id {
            Some(id) => tx.field_test_by_id(id)?,
            None => None,
        };
        let mut causes: Vec<String> =
            test.and_then(|test| test.findings).map(|findings| findings.problem).into_iter().collect();
        let handoffs = tx.handoff_list_by_work_order(order.id)?;
        causes.extend(handoffs.iter().filter_map(|handoff| handoff.answer.clone()));
        let mut done = Vec::new();
        for review in tx.review_list_by_work_order(order.id)? {
            if review.decision == ReviewDecision::Approve {
                done.extend(review.quick_relief);
                done.extend(review.cure);
            }
        }
        done.extend(
            steps.iter().filter(|step| step.outcome == StepOutcome::Solved.as_str()).map(|step| step.reason.clone()),
        );
        done.extend(tx.revisit_list_by_work_order(order.id)?.into_iter().filter_map(|revisit| revisit.what_was_done));
        Ok((told(&causes, order, complaint), told(&done, order, complaint)))
    }

    fn case_event(&self, tx: &mut Tx, caller: &Caller, case: &Case, action: &str) -> AppResult<()> {
        let detail = json!({ "state": case.state.as_str(), "title": case.title, "version": case.version });
        self.event_append(tx, EventDraft::new(Subject::Case(case.id), action).by(caller).detail(detail))
    }

    /// A lead writes a case.
    pub fn case_create(&self, caller: &Caller, draft: &CaseDraft) -> AppResult<Case> {
        draft.check()?;
        let now = self.env.now();
        let is_published = draft.state == CaseState::Published;
        let mut case = Case {
            id: self.env.id(),
            state: draft.state,
            work_order_id: None,
            title: String::new(),
            symptom: draft.symptom,
            generation: draft.generation,
            place_kind: String::new(),
            cause: String::new(),
            what_was_done: String::new(),
            ladder_steps: json!([]),
            searched: String::new(),
            created_by: Some(caller.user_id),
            created_at: now,
            published_by: is_published.then_some(caller.user_id),
            published_at: is_published.then_some(now),
            updated_at: now,
            version: 1,
        };
        draft.apply(&mut case);
        self.storage.write("case_create", |tx| {
            self.caller_scope(tx, caller)?;
            tx.case_insert(&case)?;
            self.case_event(tx, caller, &case, "case_created")?;
            Ok(case.clone())
        })
    }

    /// A lead edits a case, publishes it or takes it down. One that was made from an order is that order's region's.
    ///
    /// # Errors
    /// `not-found`; `invalid-field`.
    pub fn case_change(&self, caller: &Caller, id: CaseId, draft: &CaseDraft) -> AppResult<Case> {
        draft.check()?;
        let now = self.env.now();
        self.storage.write("case_change", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut case = tx.case_lock(id)?.ok_or_else(|| AppError::not_found("case"))?;
            if let Some(order_id) = case.work_order_id
                && !tx.work_order_by_id(order_id)?.is_some_and(|order| scope.contains(order.region_id))
            {
                return Err(AppError::not_found("case"));
            }
            draft.apply(&mut case);
            if draft.state == CaseState::Published && case.published_at.is_none() {
                case.published_at = Some(now);
                case.published_by = Some(caller.user_id);
            }
            case.updated_at = now;
            tx.case_update(&mut case)?;
            self.case_event(tx, caller, &case, "case_changed")?;
            Ok(case)
        })
    }

    /// A case; drafts and withdrawn ones only for those who edit them.
    pub fn case_show(&self, caller: &Caller, id: CaseId) -> AppResult<Case> {
        self.storage.read("case_show", |tx| {
            self.caller_scope(tx, caller)?;
            tx.case_by_id(id)?
                .filter(|case| case.state == CaseState::Published || may_manage(caller))
                .ok_or_else(|| AppError::not_found("case"))
        })
    }

    /// Cases with all of the words, newest first.
    pub fn case_list(
        &self,
        caller: &Caller,
        state: Option<CaseState>,
        symptom: Option<Symptom>,
        words: &str,
        page: Page<CaseId>,
    ) -> AppResult<Vec<Case>> {
        bounded_text("words", words)?;
        let state = if may_manage(caller) { state } else { Some(CaseState::Published) };
        let words = folded(words).split_whitespace().map(str::to_owned).collect();
        let filter = CaseFilter { state, symptom, words };
        self.storage.read("case_list", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(tx.case_list(&filter, &page)?)
        })
    }

    /// The published cases that an order may learn from, the most alike first (R-KNOW-1).
    pub fn case_list_for_work_order(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<Case>> {
        self.storage.read("case_list_for_work_order", |tx| {
            let order = self.work_order_visible(tx, caller, id)?;
            let complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
            let of_order = (complaint.generation, place_kind(&order.address));
            let cases = tx.case_list_published(complaint.symptom, MAX_COMPARED)?;
            let compared = cases
                .into_iter()
                .filter(|case| case.work_order_id != Some(id))
                .map(|case| {
                    let kind = case.place_kind.parse().unwrap_or(PlaceKind::Unknown);
                    (case_likeness((case.generation, kind), of_order), case)
                })
                .collect();
            Ok(cases_offered(compared, MAX_OFFERED))
        })
    }
}

/// Several records as one text, each once, without who the customer is and where exactly.
fn told(texts: &[String], order: &WorkOrder, complaint: &Complaint) -> String {
    let phone = phone_normalised(&complaint.customer_phone);
    let mut secrets: Vec<&str> =
        vec![&complaint.customer_name, &complaint.customer_phone, &phone, &order.address, &complaint.address];
    // Part of a name tells who it is as well as the whole.
    secrets.extend(complaint.customer_name.split(['·', '•', '・', ' ']));
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let line = without_personal_data(text.trim(), &secrets);
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    // Each record is bounded; a hundred of them together would not be.
    lines.join("\n").chars().take(callout_sync_protocol::version::MAX_TEXT_CHARS).collect()
}

/// What was tried on the order's ladder, by key and in both languages.
fn ladder_told(ladder: &Ladder, complaint: &Complaint, order: &WorkOrder, steps: &[LadderStep]) -> Value {
    let told: Vec<Value> = steps
        .iter()
        .map(|step| {
            let known = usize::try_from(step.step).ok().and_then(|number| ladder.steps.get(number.wrapping_sub(1)));
            json!({
                "step": step.step, "key": known.map(|known| &known.key),
                "name": known.map(|known| &known.name_en), "name_zh": known.map(|known| &known.name_zh),
                "outcome": step.outcome, "reason": told(std::slice::from_ref(&step.reason), order, complaint),
            })
        })
        .collect();
    Value::Array(told)
}
