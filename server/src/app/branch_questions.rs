//! Questions of customer service straight to the branch that owns an order; question and answer stay on the order (R-ROUTE-3).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::branch_questions::{branch_question_answer, branch_question_ask};
use crate::workflow::handoffs::HandoffState;
use callout_storage::Page;
use callout_storage::branch_questions::BranchQuestion;
use callout_sync_protocol::ids::{BranchQuestionId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;

impl App {
    /// Asks the branch.
    ///
    /// # Errors
    /// `illegal-transition` when the branch does not own the order.
    pub fn branch_question_create(
        &self,
        caller: &Caller,
        order_id: WorkOrderId,
        question: &str,
    ) -> AppResult<BranchQuestion> {
        self.storage.write("branch_question_create", |tx| {
            let order = self.work_order_for(tx, caller, order_id)?;
            let handoffs = tx.handoff_list_by_work_order(order_id)?;
            let open = handoffs.iter().rev().find(|handoff| handoff.state == HandoffState::Open.as_str());
            let standing = match open {
                Some(handoff) => Some((
                    handoff.target.parse().map_err(AppError::internal)?,
                    handoff.state.parse().map_err(AppError::internal)?,
                )),
                None => None,
            };
            branch_question_ask(standing, question)?;
            let handoff = open.ok_or_else(|| AppError::not_found("handoff"))?;
            let asked = BranchQuestion {
                id: self.env.id(),
                work_order_id: order_id,
                handoff_id: handoff.id,
                region_id: order.region_id,
                question: question.trim().to_owned(),
                asked_by: caller.user_id,
                asked_at: self.env.now(),
                answer: None,
                answered_by: None,
                answered_at: None,
            };
            tx.branch_question_insert(&asked)?;
            let draft = EventDraft::new(Subject::WorkOrder(order_id), "branch_question_asked").by(caller);
            self.event_append(
                tx,
                draft.detail(json!({ "branch_question_id": asked.id, "handoff_id": asked.handoff_id })),
            )?;
            Ok(asked)
        })
    }

    /// Answers for the branch.
    ///
    /// # Errors
    /// `illegal-transition` when it has its answer.
    pub fn branch_question_answer(
        &self,
        caller: &Caller,
        id: BranchQuestionId,
        answer: &str,
    ) -> AppResult<BranchQuestion> {
        self.storage.write("branch_question_answer", |tx| {
            let not_found = || AppError::not_found("question to the branch");
            let order_id = tx.branch_question_by_id(id)?.ok_or_else(not_found)?.work_order_id;
            self.work_order_for(tx, caller, order_id).map_err(|error| match error.problem {
                ProblemType::NotFound => not_found(),
                _ => error,
            })?;
            // Read again under the order's lock.
            let mut question = tx.branch_question_by_id(id)?.ok_or_else(not_found)?;
            branch_question_answer(question.answered_at.is_some(), answer)?;
            question.answer = Some(answer.trim().to_owned());
            question.answered_by = Some(caller.user_id);
            question.answered_at = Some(self.env.now());
            tx.branch_question_answer(&question)?;
            let draft = EventDraft::new(Subject::WorkOrder(order_id), "branch_question_answered").by(caller);
            self.event_append(tx, draft.detail(json!({ "branch_question_id": id })))?;
            Ok(question)
        })
    }

    /// An order's questions to the branch, oldest first.
    pub fn branch_question_list(&self, caller: &Caller, order_id: WorkOrderId) -> AppResult<Vec<BranchQuestion>> {
        self.storage.read("branch_question_list", |tx| {
            self.work_order_visible(tx, caller, order_id)?;
            Ok(tx.branch_question_list_by_work_order(order_id)?)
        })
    }

    /// Questions of the caller's regions that wait for an answer, newest first.
    pub fn branch_question_list_open(
        &self,
        caller: &Caller,
        page: Page<BranchQuestionId>,
    ) -> AppResult<Vec<BranchQuestion>> {
        self.storage.read("branch_question_list_open", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            Ok(tx.branch_question_list_open(&scope, &page)?)
        })
    }
}
