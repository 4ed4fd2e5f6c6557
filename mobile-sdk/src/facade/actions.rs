//! What the tester does with an order: each act becomes a command in the outbox, judged here first.

use super::{Phone, PhoneError};
use crate::capture::seal::field_test_seal;
use crate::capture::{CaptureError, CaptureSession, Source};
use crate::env::{Env, uuid_new};
use crate::findings::FindingsDraft;
use crate::local_order::{LocalOrder, local_order_get};
use crate::store::Connection;
use crate::store::blocks::block_citation_list;
use crate::store::captures::field_test_ensure;
use crate::store::commands::command_insert;
use crate::store::findings_drafts::{findings_draft_get, findings_draft_put};
use crate::store::photos::photo_id_list;
use callout_sync_protocol::commands::{Command, CommandBody, ContactOutcome, Findings, MissingOperator};
use callout_sync_protocol::ids::{CommandId, FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{Position, Sample};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::TimeWindow;

/// Judges an act as the server would and queues it; inside a transaction of the caller.
pub(super) fn command_give(
    connection: &Connection,
    env: &dyn Env,
    order: WorkOrderId,
    body: CommandBody,
) -> Result<CommandId, PhoneError> {
    command_give_at(connection, env, order, env.now(), body)
}

/// As [`command_give`], for what the tester did at another time.
pub(super) fn command_give_at(
    connection: &Connection,
    env: &dyn Env,
    order: WorkOrderId,
    captured_at: Timestamp,
    body: CommandBody,
) -> Result<CommandId, PhoneError> {
    let local = local_order(connection, order)?;
    let command = Command { id: CommandId(uuid_new(env)), work_order_id: order, captured_at, body };
    command.validate().map_err(|problem| Rejection::new(ProblemType::InvalidField, problem.to_string()))?;
    local.judge(&command)?;
    command_insert(connection, &command)?;
    Ok(command.id)
}

pub(super) fn local_order(connection: &Connection, order: WorkOrderId) -> Result<LocalOrder, PhoneError> {
    local_order_get(connection, order)?.ok_or_else(|| PhoneError::OrderUnknown(order.to_string()))
}

/// The order's current test; begun if there is none yet. Refused where samples may not be added now.
pub(super) fn field_test_current(
    connection: &Connection,
    env: &dyn Env,
    order: WorkOrderId,
) -> Result<FieldTestId, PhoneError> {
    let local = local_order(connection, order)?;
    let field_test_id = match local.view.field_test_id {
        Some(id) => {
            // Asks whether it may go on; the command itself is not needed, the test has begun.
            let body = CommandBody::TestBegin { field_test_id: id };
            local.judge(&Command { id: CommandId::NIL, work_order_id: order, captured_at: env.now(), body })?;
            id
        }
        None => {
            let id = FieldTestId(uuid_new(env));
            command_give(connection, env, order, CommandBody::TestBegin { field_test_id: id })?;
            id
        }
    };
    field_test_ensure(connection, field_test_id, order, env.now())?;
    Ok(field_test_id)
}

impl Phone {
    fn give(&mut self, order: WorkOrderId, body: CommandBody) -> Result<LocalOrder, PhoneError> {
        let env = self.env.clone();
        self.store.write(|connection| {
            command_give(connection, env.as_ref(), order, body)?;
            local_order(connection, order)
        })
    }

    /// Takes the order.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn accept(&mut self, order: WorkOrderId) -> Result<LocalOrder, PhoneError> {
        self.give(order, CommandBody::Accept {})
    }

    /// Gives the order back, and says why.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn decline(&mut self, order: WorkOrderId, reason: &str) -> Result<LocalOrder, PhoneError> {
        self.give(order, CommandBody::Decline { reason: reason.to_owned() })
    }

    /// Records a contact with the customer, or an attempt at one (R-CONTACT-1).
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn contact(
        &mut self,
        order: WorkOrderId,
        outcome: ContactOutcome,
        appointment: Option<TimeWindow>,
        emergency_reason: Option<String>,
        note: Option<String>,
    ) -> Result<LocalOrder, PhoneError> {
        self.give(order, CommandBody::Contact { outcome, appointment, emergency_reason, note })
    }

    /// Records the arrival (R-VISIT-1).
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn arrive(&mut self, order: WorkOrderId, position: Position) -> Result<LocalOrder, PhoneError> {
        self.give(order, CommandBody::Arrive { position })
    }

    /// Records the customer's answer about photos (R-VISIT-2).
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn photo_consent(&mut self, order: WorkOrderId, granted: bool) -> Result<LocalOrder, PhoneError> {
        self.give(order, CommandBody::PhotoConsent { granted })
    }

    /// Begins a capture of one operator's samples, or goes on with that of the same log; begins the order's test if needed.
    /// Several may run at once.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`] where samples may not be added now.
    pub fn capture_begin(
        &mut self,
        order: WorkOrderId,
        operator: Operator,
        source: &Source,
    ) -> Result<CaptureSession, PhoneError> {
        let env = self.env.clone();
        let field_test_id = self.store.write(|connection| field_test_current(connection, env.as_ref(), order))?;
        Ok(CaptureSession::begin(&mut self.store, field_test_id, operator, source, env.now())?)
    }

    /// Takes a sample; see [`CaptureSession::push`]. Says whether samples were made safe by it.
    ///
    /// # Errors
    /// [`CaptureError`]. A sample is taken even if its order has meanwhile left: facts are never refused.
    pub fn capture_push(&mut self, session: &mut CaptureSession, sample: &Sample) -> Result<bool, CaptureError> {
        session.push(&mut self.store, sample, self.env.now())
    }

    /// Makes everything that a session has taken safe; call it when the capture pauses or ends.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn capture_flush(&mut self, session: &mut CaptureSession) -> Result<(), CaptureError> {
        session.flush(&mut self.store)
    }

    /// The findings being written, or those last recorded on this phone.
    ///
    /// # Errors
    /// [`PhoneError::Store`], [`PhoneError::DeviceRevoked`].
    pub fn findings_draft(&self, order: WorkOrderId) -> Result<Option<FindingsDraft>, PhoneError> {
        if self.revoked_at()?.is_some() {
            return Err(PhoneError::DeviceRevoked);
        }
        Ok(findings_draft_get(self.store.connection(), order)?)
    }

    /// Lays `newer` over the draft and keeps it. Once nothing is missing the findings are recorded (R-TEST-2), replacing earlier ones.
    ///
    /// # Errors
    /// [`PhoneError::FindingsIncomplete`] (the draft is kept), [`PhoneError::Rejected`].
    pub fn findings_write(&mut self, order: WorkOrderId, newer: FindingsDraft) -> Result<LocalOrder, PhoneError> {
        let draft = findings_draft_get(self.store.connection(), order)?.unwrap_or_default().merged(newer);
        self.store.write(|connection| {
            local_order(connection, order)?;
            Ok::<_, PhoneError>(findings_draft_put(connection, order, &draft)?)
        })?;
        match draft.complete() {
            Some(findings) => self.findings_record(order, findings),
            None => Err(PhoneError::FindingsIncomplete(draft.missing())),
        }
    }

    /// Records the findings (R-TEST-2), replacing earlier ones.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`].
    pub fn findings_record(&mut self, order: WorkOrderId, mut findings: Findings) -> Result<LocalOrder, PhoneError> {
        let env = self.env.clone();
        if findings.volte.is_none() {
            // The walk is made apart from the form (`volte_answer`) and belongs to the findings all the same.
            findings.volte = self.findings_draft(order)?.and_then(|draft| draft.volte_walkthrough());
        }
        self.store.write(|connection| {
            let field_test_id = field_test_current(connection, env.as_ref(), order)?;
            let body = CommandBody::FindingsRecord { field_test_id, findings };
            command_give(connection, env.as_ref(), order, body)?;
            local_order(connection, order)
        })
    }

    /// Seals what was captured and hands the test in (R-TEST-1, R-TEST-2). All of it happens or none of it.
    ///
    /// # Errors
    /// [`PhoneError::Rejected`]; capturing may then go on.
    pub fn submit(
        &mut self,
        order: WorkOrderId,
        missing_operators: Vec<MissingOperator>,
    ) -> Result<LocalOrder, PhoneError> {
        let env = self.env.clone();
        let device = self.device.clone();
        self.store.write(|connection| {
            let field_test_id = local_order(connection, order)?.view.field_test_id.unwrap_or(FieldTestId::NIL);
            field_test_seal(connection, &device, field_test_id, env.now())?;
            let body = CommandBody::TestSubmit {
                field_test_id,
                blocks: block_citation_list(connection, field_test_id)?,
                photos: photo_id_list(connection, field_test_id)?,
                missing_operators,
            };
            command_give(connection, env.as_ref(), order, body)?;
            local_order(connection, order)
        })
    }

    /// Seals an order's samples without handing the test in, so that the next sync carries them. Says how many blocks that made.
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`], [`PhoneError::Store`].
    pub fn capture_seal(&mut self, order: WorkOrderId) -> Result<usize, PhoneError> {
        let (env, device) = (self.env.clone(), self.device.clone());
        self.store.write(|connection| match local_order(connection, order)?.view.field_test_id {
            Some(test) => Ok(field_test_seal(connection, &device, test, env.now())?),
            None => Ok::<_, PhoneError>(0),
        })
    }
}
