//! How complaints relate, as people see and correct it: the chain of one problem, T1's correction, the comparison with the record
//! (R-INTAKE-3, R-INTAKE-9).
//!
//! What does not belong here: finding the relation (`intakes`), what follows from it (`intake_effects`).

use super::App;
use super::access::Caller;
use super::complaints::ComplaintSeen;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::intakes::{Decided, intake_note};
use crate::workflow::complaints::{
    ComplaintHandling, ComplaintRelation, PastComplaint, PastStanding, RelationKind, comparison_handling,
    complaint_handling_as,
};
use crate::workflow::escalations::{EscalationCause, EscalationLevel};
use crate::workflow::intakes::RelationReason;
use crate::workflow::required_text;
use callout_storage::complaints::ComplaintState;
use callout_sync_protocol::ids::ComplaintId;
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;

/// How T1 corrects a relation.
#[derive(Clone, Debug)]
pub struct RelationCorrection {
    /// What it is.
    pub relation: RelationKind,
    /// Of which complaint; for `new`, of none.
    pub of: Option<ComplaintId>,
    /// Why.
    pub reason: String,
}

impl App {
    /// T1 corrects how a complaint relates to earlier ones; what follows from the corrected relation is done at once.
    ///
    /// # Errors
    /// `illegal-transition` when the complaint has ended or others are dealt with under it; `invalid-field`.
    pub fn complaint_relation_correct(
        &self,
        caller: &Caller,
        id: ComplaintId,
        correction: &RelationCorrection,
    ) -> AppResult<ComplaintSeen> {
        required_text("reason", &correction.reason)?;
        let now = self.env.now();
        let relation = match (correction.relation, correction.of) {
            (RelationKind::New, None) => ComplaintRelation::New,
            (RelationKind::New, Some(_)) => return Err(AppError::invalid("of", "a new complaint relates to none")),
            (_, None) => return Err(AppError::invalid("of", "name the complaint that it repeats or adds to")),
            (_, Some(of)) if of == id => return Err(AppError::invalid("of", "is the complaint itself")),
            (RelationKind::Repeat, Some(of)) => ComplaintRelation::Repeat { of },
            (RelationKind::Supplementary, Some(of)) => ComplaintRelation::Supplementary { of },
        };
        self.storage.write("complaint_relation_correct", |tx| {
            let mut complaint = self.complaint_in_scope(tx, caller, id)?;
            match complaint.state {
                ComplaintState::Received | ComplaintState::Linked | ComplaintState::InProgress => {}
                state => {
                    return Err(AppError::new(
                        ProblemType::IllegalTransition,
                        format!("the relation is corrected while the complaint is open; it is '{state}'"),
                    ));
                }
            }
            let mut intake = tx.intake_lock(id)?.ok_or_else(|| AppError::not_found("complaint"))?;
            let mut incoming = self.incoming_of(&complaint, intake.key_account_id.is_some(), intake.is_sensitive)?;
            incoming.adds_facts = Some(correction.relation == RelationKind::Supplementary);
            let related = match relation.of() {
                None => None,
                Some(of) => {
                    self.complaint_in_scope(tx, caller, of)
                        .map_err(|_| AppError::invalid("of", "there is no such complaint"))?;
                    let past = tx.intake_by_complaint(of)?;
                    let past = past.map(|past| self.past_of(tx, &past, &incoming.customer_key)).transpose()?.flatten();
                    let past = past.ok_or_else(|| AppError::invalid("of", "there is no such complaint"))?;
                    if past.lead.id == id {
                        return Err(AppError::new(
                            ProblemType::IllegalTransition,
                            "of: that complaint is dealt with under this one; correct that one first",
                        ));
                    }
                    Some(past)
                }
            };
            if !matches!(relation, ComplaintRelation::New) && !tx.complaint_list_handled_under(id)?.is_empty() {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    "other complaints are dealt with under this one; correct those first",
                ));
            }
            if matches!(
                (&relation, related.as_ref().map(|past| past.past.standing)),
                (ComplaintRelation::Supplementary { .. }, Some(PastStanding::Closed { .. }))
            ) {
                return Err(AppError::invalid("relation", "nothing can be added to a complaint that has ended"));
            }
            let policy = self.intake_policy(tx, &complaint)?;
            let candidates: Vec<PastComplaint> = related.iter().map(|past| past.past.clone()).collect();
            let decision = complaint_handling_as(&incoming, &candidates, relation, &policy);
            let mut reasons = vec![RelationReason::Corrected];
            if decision.is_false_return {
                reasons.push(RelationReason::FalseReturn);
            }
            let decided = Decided { incoming, decision, related, reasons, key_account_id: intake.key_account_id };
            if complaint.state == ComplaintState::Linked {
                complaint.state = ComplaintState::Received;
                complaint.class = None;
                complaint.updated_at = now;
                tx.complaint_update(&mut complaint)?;
            }
            let before = (intake.relation.clone(), intake.related_id);
            intake.handled_under_id = None;
            intake.decided_by = Some(caller.user_id);
            intake.decided_at = Some(now);
            intake.decision_reason = Some(correction.reason.trim().to_owned());
            intake_note(&mut intake, &decided);
            tx.intake_update(&mut intake)?;
            self.kpi_touch(tx, id)?;
            self.event_append(
                tx,
                EventDraft::new(Subject::Complaint(id), "complaint_relation_corrected")
                    .by(caller)
                    .reason(correction.reason.trim())
                    .detail(json!({
                        "from": before.0, "from_complaint_id": before.1,
                        "to": intake.relation, "to_complaint_id": intake.related_id, "handling": intake.handling,
                    })),
            )?;
            self.intake_apply(tx, caller, &mut complaint, &mut intake, &decided)?;
            self.complaint_seen(tx, caller, complaint)
        })
    }

    /// What came of comparing a repeated complaint with the customer's word at the revisit (R-INTAKE-3): a customer who stands by it is
    /// told so, one who does not goes to the manager.
    ///
    /// # Errors
    /// `illegal-transition` unless it is to be compared; `invalid-field` without words.
    pub fn complaint_compare(
        &self,
        caller: &Caller,
        id: ComplaintId,
        customer_agrees: bool,
        words: &str,
    ) -> AppResult<ComplaintSeen> {
        required_text("words", words)?;
        let now = self.env.now();
        self.storage.write("complaint_compare", |tx| {
            let mut complaint = self.complaint_in_scope(tx, caller, id)?;
            let mut intake = tx.intake_lock(id)?.ok_or_else(|| AppError::not_found("complaint"))?;
            if intake.handling != ComplaintHandling::CompareWithRecord.as_str() || complaint.state.is_final() {
                return Err(AppError::new(ProblemType::IllegalTransition, "there is no record to compare it with now"));
            }
            let handling = comparison_handling(customer_agrees);
            intake.handling = handling.as_str().into();
            tx.intake_update(&mut intake)?;
            // The customer is content after all, and nothing was reopened: it is answered.
            if customer_agrees && complaint.state == ComplaintState::Received {
                complaint.state = ComplaintState::Answered;
                complaint.answer = Some(words.trim().to_owned());
                complaint.updated_at = now;
                self.clock_complaint_answered(tx, id)?;
                self.kpi_touch(tx, id)?;
                tx.complaint_update(&mut complaint)?;
            }
            self.event_append(
                tx,
                EventDraft::new(Subject::Complaint(id), "complaint_compared")
                    .by(caller)
                    .reason(words.trim())
                    .detail(json!({ "customer_agrees": customer_agrees, "handling": handling })),
            )?;
            if !customer_agrees {
                let what = (EscalationLevel::Manager, EscalationCause::RecordDisputed);
                self.escalation_open(tx, Some(caller), id, what, words)?;
            }
            self.complaint_seen(tx, caller, complaint)
        })
    }

    /// All complaints of the chain to which one belongs, oldest first: the same customer's same problem (R-INTAKE-9).
    pub fn complaint_chain(&self, caller: &Caller, id: ComplaintId) -> AppResult<Vec<ComplaintSeen>> {
        self.storage.read("complaint_chain", |tx| {
            let complaint = self.complaint_readable(tx, caller, id)?;
            let first = tx.intake_by_complaint(id)?.and_then(|intake| intake.first_id).unwrap_or(complaint.id);
            let ids: Vec<ComplaintId> = std::iter::once(first)
                .chain(tx.intake_list_by_first(first)?.iter().map(|intake| intake.complaint_id))
                .collect();
            let mut complaints = tx.complaint_list_by_ids(&ids)?;
            complaints.sort_by_key(|complaint| (complaint.received_at, complaint.id));
            let scope = self.caller_scope(tx, caller)?;
            complaints.retain(|complaint| Self::complaint_visible(caller, &scope, complaint));
            complaints.into_iter().map(|complaint| self.complaint_seen(tx, caller, complaint)).collect()
        })
    }
}
