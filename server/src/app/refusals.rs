//! Refusing a complaint as unreasonable, with an explanation that is on record; a customer who does not accept it goes to the manager
//! (R-INTAKE-8).

use super::App;
use super::access::Caller;
use super::complaints::ComplaintSeen;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::complaints::complaint_refuse;
use crate::workflow::escalations::{EscalationCause, EscalationLevel};
use crate::workflow::replies::{ForbiddenExpressions, customer_text_check};
use crate::workflow::required_text;
use callout_storage::Tx;
use callout_storage::clocks::ClockOutcome;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_sync_protocol::ids::ComplaintId;
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;

impl App {
    /// Refuses a complaint. The explanation is what the customer is told, so that it must not hold forbidden expressions (R-CONTACT-2).
    ///
    /// # Errors
    /// `illegal-transition` unless it is received and not yet classified; `invalid-field` that names the words.
    pub fn complaint_refuse(
        &self,
        caller: &Caller,
        id: ComplaintId,
        explanation: &str,
        customer_accepts: bool,
    ) -> AppResult<ComplaintSeen> {
        let refusal = complaint_refuse(explanation.trim(), customer_accepts)?;
        self.storage.write("complaint_refuse", |tx| {
            let mut complaint = self.complaint_in_scope(tx, caller, id)?;
            if complaint.state != ComplaintState::Received {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    format!("only what is not yet classified can be refused; the complaint is '{}'", complaint.state),
                ));
            }
            let list: ForbiddenExpressions = self.policy(tx, complaint.region_id)?;
            customer_text_check("explanation", explanation, &list)?;
            complaint.answer = Some(refusal.explanation.clone());
            complaint.state = ComplaintState::Refused;
            complaint.updated_at = self.env.now();
            tx.complaint_update(&mut complaint)?;
            self.kpi_touch(tx, id)?;
            self.clock_complaint_end(tx, id, ClockOutcome::Met, "refused with an explanation 已说明并拒绝")?;
            self.event_append(
                tx,
                EventDraft::new(Subject::Complaint(id), "complaint_refused")
                    .by(caller)
                    .reason(&refusal.explanation)
                    .detail(json!({ "customer_accepts": customer_accepts })),
            )?;
            if refusal.goes_to.is_some() {
                self.refusal_contested(tx, caller, &mut complaint, "the customer did not accept the refusal")?;
            }
            self.complaint_seen(tx, caller, complaint)
        })
    }

    /// The customer does not accept the refusal: the manager looks into it.
    ///
    /// # Errors
    /// `illegal-transition` unless it is refused.
    pub fn complaint_refusal_rejected(
        &self,
        caller: &Caller,
        id: ComplaintId,
        reason: &str,
    ) -> AppResult<ComplaintSeen> {
        required_text("reason", reason)?;
        self.storage.write("complaint_refusal_rejected", |tx| {
            let mut complaint = self.complaint_in_scope(tx, caller, id)?;
            if complaint.state != ComplaintState::Refused {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    format!("the complaint is not refused; it is '{}'", complaint.state),
                ));
            }
            self.refusal_contested(tx, caller, &mut complaint, reason)?;
            self.complaint_seen(tx, caller, complaint)
        })
    }

    fn refusal_contested(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        complaint: &mut Complaint,
        reason: &str,
    ) -> AppResult<()> {
        complaint.state = ComplaintState::Contested;
        complaint.updated_at = self.env.now();
        tx.complaint_update(complaint)?;
        self.kpi_touch(tx, complaint.id)?;
        self.clock_complaint_reopen(tx, complaint.id, "the customer does not accept the refusal 客户不接受拒绝")?;
        self.event_append(
            tx,
            EventDraft::new(Subject::Complaint(complaint.id), "complaint_refusal_rejected").by(caller).reason(reason),
        )?;
        let what = (EscalationLevel::Manager, EscalationCause::RefusalContested);
        self.escalation_open(tx, Some(caller), complaint.id, what, reason)?;
        Ok(())
    }
}
