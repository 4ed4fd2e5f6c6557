//! What a test still lacks, and the guided VoLTE walk: both without any network (R-TEST-1, R-TEST-4).
//!
//! What does not belong here: the template (it comes with the order), the walk's questions (`sync-protocol`).

use super::{Phone, PhoneError};
use crate::findings::FindingsDraft;
use crate::local_order::{LocalOrder, local_order_get};
use crate::store::blocks::block_citation_list;
use crate::store::captures::segment_list;
use crate::store::findings_drafts::{findings_draft_get, findings_draft_put};
use crate::store::photos::{photo_get, photo_id_list};
use crate::store::{Connection, StoreError};
use callout_sync_protocol::evidence::{EvidenceItem, EvidencePresent, evidence_checklist};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::volte_walkthrough::{VolteAnswer, VolteQuestion, VolteStep, volte_next};

/// What the phone has of a test, sealed or not.
fn evidence_present(connection: &Connection, test: Option<FieldTestId>) -> Result<EvidencePresent, StoreError> {
    let mut present = EvidencePresent::default();
    let Some(test) = test else { return Ok(present) };
    let sealed = block_citation_list(connection, test)?;
    for operator in Operator::ALL {
        let in_blocks: u64 =
            sealed.iter().filter(|block| block.operator == operator).map(|block| u64::from(block.sample_count)).sum();
        let in_segments: u64 =
            segment_list(connection, test, operator)?.iter().map(|segment| segment.sample_count).sum();
        present.samples.push((operator, in_blocks + in_segments));
    }
    for id in photo_id_list(connection, test)? {
        present.photos.extend(photo_get(connection, id)?.map(|photo| photo.manifest.purpose));
    }
    Ok(present)
}

impl Phone {
    /// What the order's test must have, and what of it this phone has. Empty where the server sent no template.
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`].
    pub fn evidence_checklist(&self, order: WorkOrderId) -> Result<Vec<EvidenceItem>, PhoneError> {
        let view = self.order(order)?.view;
        let Some(template) = view.evidence_template else { return Ok(Vec::new()) };
        let mut present = evidence_present(self.store.connection(), view.field_test_id)?;
        let walk = self.findings_draft(order)?.and_then(|draft| draft.volte_walkthrough()).unwrap_or_default();
        present.is_volte_walked = walk.conclusion.is_some();
        present.test_calls = walk.calls_attempted();
        Ok(evidence_checklist(&template, &present))
    }

    /// What to ask next in the order's VoLTE walk, or what it concluded (R-TEST-4).
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`].
    pub fn volte_next(&self, order: WorkOrderId) -> Result<VolteStep, PhoneError> {
        self.order(order)?;
        Ok(volte_next(&self.volte_answers(order)?).map_err(out_of_order)?)
    }

    /// Answers the question that the walk asks next: 0 or 1 for no and yes, else the number. Kept with the findings' draft, and
    /// recorded with the findings; says what comes after it.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`] for an answer out of order or out of range; nothing is kept then.
    pub fn volte_answer(
        &mut self,
        order: WorkOrderId,
        question: VolteQuestion,
        value: u32,
    ) -> Result<VolteStep, PhoneError> {
        let mut answers = self.volte_answers(order)?;
        answers.push(VolteAnswer { question, value });
        self.volte_keep(order, answers)
    }

    /// Takes the last answer back, to correct it. Says what is asked then.
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`].
    pub fn volte_back(&mut self, order: WorkOrderId) -> Result<VolteStep, PhoneError> {
        let mut answers = self.volte_answers(order)?;
        answers.pop();
        self.volte_keep(order, answers)
    }

    fn volte_answers(&self, order: WorkOrderId) -> Result<Vec<VolteAnswer>, PhoneError> {
        Ok(findings_draft_get(self.store.connection(), order)?.map(|draft| draft.volte).unwrap_or_default())
    }

    fn volte_keep(&mut self, order: WorkOrderId, answers: Vec<VolteAnswer>) -> Result<VolteStep, PhoneError> {
        let step = volte_next(&answers).map_err(out_of_order)?;
        let draft = self.store.write(|connection| {
            known(connection, order)?;
            let draft = findings_draft_get(connection, order)?.unwrap_or_default();
            let draft = FindingsDraft { volte: answers, ..draft };
            findings_draft_put(connection, order, &draft)?;
            Ok::<_, PhoneError>(draft)
        })?;
        // Findings that are complete are recorded anew whenever the walk ends, so that what is handed in has the whole walk.
        if matches!(step, VolteStep::Concluded(_))
            && let Some(findings) = draft.complete()
        {
            self.findings_record(order, findings)?;
        }
        Ok(step)
    }
}

fn known(connection: &Connection, order: WorkOrderId) -> Result<LocalOrder, PhoneError> {
    local_order_get(connection, order)?.ok_or_else(|| PhoneError::OrderUnknown(order.to_string()))
}

fn out_of_order(problem: callout_sync_protocol::commands::FieldProblem) -> Rejection {
    Rejection::new(ProblemType::InvalidField, problem.to_string())
}
