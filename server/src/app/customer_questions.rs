//! Asking the customer while an order cannot go on, and the answer; the order's clock pauses meanwhile (R-LOCATE-1).
//!
//! The words stay here: the trail only tells that a question was asked and answered (R-PRIVACY-1). What does not belong here: when
//! that is possible, and what it does to the clock (`workflow::work_orders`, `clocks`).

use super::App;
use super::access::Caller;
use super::error::AppResult;
use super::work_orders::WorkOrderSeen;
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::customer_questions::CustomerQuestion;
use callout_sync_protocol::ids::WorkOrderId;
use serde_json::{Value, json};

impl App {
    /// Asks the customer, not in the hours of rest (R-CONTACT-1) nor in words that no customer should hear (R-CONTACT-2).
    ///
    /// # Errors
    /// `illegal-transition` while the order is with its tester, handed over, awaits a revisit or has ended; `customer-rest-hours` without
    /// an emergency's reason; `invalid-field` that names the words.
    pub fn work_order_ask_customer(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        question: &str,
        emergency_reason: Option<&str>,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_ask_customer", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let is_emergency = self.contact_allowed(tx, &order, emergency_reason)?;
            let facts = self.work_order_facts(tx, &order)?;
            let asked = CustomerQuestion {
                id: self.env.id(),
                work_order_id: id,
                question: question.trim().to_owned(),
                asked_by: caller.user_id,
                asked_at: self.env.now(),
                answer: None,
                answered_by: None,
                answered_at: None,
            };
            let command = WorkOrderCommand::AskCustomer { question: question.to_owned() };
            let reason = emergency_reason.filter(|_| is_emergency).map(str::trim);
            let detail = json!({ "question_id": asked.id, "is_emergency": is_emergency, "reason": reason });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            tx.customer_question_insert(&asked)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// Records the customer's answer, to every question that was open.
    ///
    /// # Errors
    /// `illegal-transition`, as for asking.
    pub fn work_order_customer_answered(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        answer: &str,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_customer_answered", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let facts = self.work_order_facts(tx, &order)?;
            let command = WorkOrderCommand::CustomerAnswered { answer: answer.to_owned() };
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, Value::Null)?;
            tx.customer_question_answer(id, answer.trim(), caller.user_id, self.env.now())?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// What the customer was asked about an order, oldest first.
    pub fn customer_question_list(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<CustomerQuestion>> {
        self.storage.read("customer_question_list", |tx| {
            self.work_order_visible(tx, caller, id)?;
            Ok(tx.customer_question_list(id)?)
        })
    }
}
