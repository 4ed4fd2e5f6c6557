//! Reviews: the regional lead approves a test with a plan, or sends it back with reasons (R-REVIEW-1).
//!
//! What does not belong here: when that is possible (`workflow::work_orders`), what the lead looks at (`field_tests`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::field_tests::{FieldTestSeen, evidence_standing};
use crate::jobs::SERVING_CELLS;
use crate::workflow::evidence_templates::evidence_accepted;
use crate::workflow::reviews::{ReturnReasons, ReviewPlan, ReviewTemplate};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderFacts};
use callout_storage::Standing;
use callout_storage::field_tests::FieldTestState;
use callout_storage::reviews::{Review, ReviewDecision};
use callout_sync_protocol::evidence::EvidenceItem;
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::problem::ProblemType;
use serde_json::{Value, json};

/// What a lead decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewVerdict {
    /// The test is good; this is the plan.
    Approve(ReviewPlan),
    /// The test is not; these are the reasons, for the tester to read.
    SendBack(ReturnReasons),
}

impl App {
    /// Reviews the order's current test on the region's template.
    ///
    /// # Errors
    /// `illegal-transition` when the test does not wait for a review, `evidence-missing` when something that it cites has not
    /// arrived or does not count and it is to be approved, or when it lacks what its template asks for and nobody says why that is
    /// good enough; nothing has changed then.
    pub fn field_test_review(
        &self,
        caller: &Caller,
        id: FieldTestId,
        verdict: &ReviewVerdict,
    ) -> AppResult<FieldTestSeen> {
        let not_found = || AppError::not_found("field test");
        self.storage.write("field_test_review", |tx| {
            let work_order_id = tx.field_test_by_id(id)?.ok_or_else(not_found)?.work_order_id;
            let mut order = self.work_order_for(tx, caller, work_order_id).map_err(|error| match error.problem {
                ProblemType::NotFound => not_found(),
                _ => error,
            })?;
            let mut test = tx.field_test_lock(id)?.ok_or_else(not_found)?;
            if order.field_test_id != Some(id) || test.standing != Standing::Accepted {
                return Err(AppError::new(ProblemType::IllegalTransition, "the test is not the order's current one"));
            }
            let blocks = tx.sample_block_list_by_test(id)?;
            let photos = tx.photo_list_by_test(id)?;
            let evidence_arrived = test
                .submission
                .as_ref()
                .is_some_and(|submission| evidence_standing(submission, &blocks, &photos).is_complete);
            let checklist = self.evidence_checklist_of(tx, &order, &test, &blocks, &photos)?;
            let template: ReviewTemplate = self.policy(tx, order.region_id)?;
            let facts = WorkOrderFacts { evidence_arrived, ..self.work_order_facts(tx, &order)? };
            let review = Review {
                id: self.env.id(),
                field_test_id: id,
                work_order_id,
                reviewer_id: caller.user_id,
                decision: ReviewDecision::SendBack,
                reasons: Vec::new(),
                quick_relief: None,
                cure: None,
                rung: None,
                submission_number: test.submission_count,
                created_at: self.env.now(),
                reason_codes: Vec::new(),
                sections: json!([]),
                evidence: serde_json::to_value(&checklist).map_err(AppError::internal)?,
                evidence_accepted_because: None,
                ladder_step: None,
            };
            let (command, review) = match verdict {
                ReviewVerdict::Approve(plan) => {
                    template.sections_check(&plan.sections)?;
                    if let Some(step) = &plan.ladder_step {
                        self.ladder_step_check(tx, &order, step)?;
                    }
                    let because = plan.evidence_accepted_because.as_deref();
                    // What has not arrived is told first: it may be all that is lacking.
                    if test.state == FieldTestState::Submitted && evidence_arrived {
                        evidence_accepted(&checklist, because)?;
                    }
                    let review = Review {
                        decision: ReviewDecision::Approve,
                        quick_relief: Some(plan.quick_relief.clone()),
                        cure: Some(plan.cure.clone()),
                        rung: Some(plan.kind.as_str().to_owned()),
                        sections: serde_json::to_value(&plan.sections).map_err(AppError::internal)?,
                        evidence_accepted_because: because.map(|because| because.trim().to_owned()),
                        ladder_step: plan.ladder_step.clone(),
                        ..review
                    };
                    (WorkOrderCommand::ReviewApprove(plan.clone()), review)
                }
                ReviewVerdict::SendBack(given) => {
                    let (codes, texts) = template.return_texts(given)?;
                    let review = Review { reasons: texts.clone(), reason_codes: codes, ..review };
                    (WorkOrderCommand::ReviewSendBack { reasons: texts }, review)
                }
            };
            let lacking: Vec<&EvidenceItem> = checklist.iter().filter(|item| !item.is_met()).collect();
            let detail = json!({
                "field_test_id": id, "review_id": review.id, "submission_number": review.submission_number,
                "kind": review.rung, "ladder_step": review.ladder_step, "reason_codes": review.reason_codes,
                "lacking_evidence": lacking, "reason": review.evidence_accepted_because,
            });
            // The test before the command, which tells the tester's feed: the order of the locks.
            test.state = match review.decision {
                ReviewDecision::Approve => FieldTestState::Approved,
                ReviewDecision::SendBack => FieldTestState::SentBack,
            };
            tx.field_test_update(&mut test)?;
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            tx.review_insert(&review)?;
            if review.decision == ReviewDecision::Approve {
                // The blocks are opened outside this unit of work.
                self.job_enqueue(tx, SERVING_CELLS, id, self.env.now(), Value::Null)?;
            }
            Ok::<_, AppError>(())
        })?;
        self.field_test_show(caller, id)
    }
}
