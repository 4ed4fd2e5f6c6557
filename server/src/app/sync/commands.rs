//! A tester's commands: repeated ones are answered again, new ones are judged by `field_workflow` and performed.
//!
//! Whatever becomes of a command, its content is kept (R-TEST-5). What does not belong here: the rules themselves, saving (`unit`),
//! the words of the audit trail (`events`).

use super::unit::{HeldTest, SyncUnit};
use crate::app::error::{AppError, AppResult};
use crate::workflow::appointments::{ArrivalPolicy, ArrivalVerdict, arrival_compare};
use crate::workflow::contacts::ContactPolicy;
use callout_storage::command_receipts::CommandReceipt;
use callout_storage::field_tests::{FieldTest, FieldTestState, Submission};
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Standing, Tx};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::field_workflow::{FieldEffect, FieldFacts, RestHours, field_transition};
use callout_sync_protocol::ids::{CommandId, FieldTestId, WorkOrderId};
use callout_sync_protocol::photos::PhotoManifest;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::sync::{CommandOutcome, CommandResult};
use callout_sync_protocol::work_orders::LeftReason;
use serde_json::Value;
use uuid::Uuid;

/// Two requests with the same new thing in them at the same instant; the second finds it when it comes again.
pub(super) fn came_twice_at_once() -> AppError {
    AppError {
        retry_after_seconds: Some(1),
        ..AppError::new(ProblemType::Unavailable, "the same thing arrived twice at once; please send it again")
    }
}

/// Tells a repetition from another command under the same id. Over CBOR, where a field that a later version adds and nobody
/// fills leaves no trace.
fn command_digest(command: &Command) -> AppResult<[u8; 32]> {
    let bytes = minicbor::to_vec(command).map_err(AppError::internal)?;
    Ok(*blake3::hash(&bytes).as_bytes())
}

/// The id under which a command is kept whose own id was used for another one: made of its content (UUIDv8), so that it is kept
/// once however often it comes.
fn conflict_id(digest: &[u8; 32]) -> CommandId {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *digest;
    let bytes = [a, b, c, d, e, f, g & 0x0F | 0x80, h, i & 0x3F | 0x80, j, k, l, m, n, o, p];
    CommandId::from(Uuid::from_bytes(bytes))
}

/// The same command with every zero character replaced: no database can keep one, and the rest is worth keeping.
fn storable(body: &CommandBody) -> AppResult<CommandBody> {
    fn replace(value: &mut Value) {
        match value {
            Value::String(text) => *text = text.replace('\0', "\u{FFFD}"),
            Value::Array(items) => items.iter_mut().for_each(replace),
            Value::Object(fields) => fields.values_mut().for_each(replace),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(body).map_err(AppError::internal)?;
    replace(&mut value);
    serde_json::from_value(value).map_err(AppError::internal)
}

impl SyncUnit<'_> {
    /// Judges the commands in their order, each on what the ones before it left.
    pub fn commands_judge(&mut self, tx: &mut Tx, commands: &[Command]) -> AppResult<Vec<CommandOutcome>> {
        commands
            .iter()
            .map(|command| Ok(CommandOutcome { id: command.id, result: self.command_judge(tx, command)? }))
            .collect()
    }

    fn command_judge(&mut self, tx: &mut Tx, command: &Command) -> AppResult<CommandResult> {
        let digest = command_digest(command)?;
        let earlier = || self.judged.iter().find(|receipt| receipt.command_id == command.id);
        if let Some(receipt) = self.receipts.get(&command.id).or_else(earlier) {
            if receipt.digest == digest && receipt.tester_id == self.caller.user_id {
                return Ok(receipt.outcome.clone().into());
            }
            let rejection = Rejection::new(
                ProblemType::IdempotencyConflict,
                format!("id: {} was used for another command; this one is kept, send it with a new id", command.id),
            );
            let result = CommandResult::Rejected { rejection };
            // Kept once; a repetition finds it there.
            tx.command_receipt_insert(&self.receipt(conflict_id(&digest), command, digest, &result)?)?;
            return Ok(result);
        }
        let result = match self.command_apply(tx, command)? {
            Ok(()) => match self.orders.get(&command.work_order_id) {
                Some(held) => CommandResult::Accepted { state: held.order.state, version: held.version_afterwards() },
                None => return Err(AppError::internal("a command was applied to no order")),
            },
            Err(rejection) => {
                self.command_reject(tx, command, &rejection)?;
                CommandResult::Rejected { rejection }
            }
        };
        self.judged.push(self.receipt(command.id, command, digest, &result)?);
        Ok(result)
    }

    fn receipt(
        &self,
        id: CommandId,
        command: &Command,
        digest: [u8; 32],
        result: &CommandResult,
    ) -> AppResult<CommandReceipt> {
        let is_accepted = matches!(result, CommandResult::Accepted { .. });
        Ok(CommandReceipt {
            command_id: id,
            work_order_id: command.work_order_id,
            tester_id: self.caller.user_id,
            device_id: self.caller.device_id,
            kind: command.body.kind().to_owned(),
            body: if is_accepted { command.body.clone() } else { storable(&command.body)? },
            digest,
            captured_at: command.captured_at,
            received_at: self.now,
            is_accepted,
            outcome: result.clone().into(),
        })
    }

    /// Judges a command and performs it in memory. A rejected one has changed nothing.
    fn command_apply(&mut self, tx: &mut Tx, command: &Command) -> AppResult<Result<(), Rejection>> {
        if let Err(problem) = command.validate() {
            return Ok(Err(Rejection::new(ProblemType::InvalidField, problem.to_string())));
        }
        let Some(held) = self.orders.get(&command.work_order_id) else {
            return Ok(Err(Rejection::new(
                ProblemType::NotFound,
                "work_order_id: there is no such order; what you captured is kept",
            )));
        };
        if let CommandBody::PhotoAttach { manifest } = &command.body
            && manifest.work_order_id != command.work_order_id
        {
            return Ok(Err(Rejection::new(
                ProblemType::InvalidField,
                "manifest.work_order_id: must be the command's order",
            )));
        }
        let order = &held.order;
        let region_id = order.region_id;
        let rest_hours = match &command.body {
            CommandBody::Contact { .. } => self.app.policy::<ContactPolicy>(tx, region_id)?.rest_hours(),
            _ => RestHours::default(),
        };
        let facts = FieldFacts {
            is_assignee: order.assigned_to == Some(self.caller.user_id),
            captured_at: command.captured_at,
            utc_offset_minutes: order.utc_offset_minutes,
            photo_consent: order.photo_consent,
            field_test_id: order.field_test_id,
            has_findings: order
                .field_test_id
                .and_then(|id| self.tests.get(&id))
                .is_some_and(|held| held.test.findings.is_some()),
            rest_hours,
        };
        let before = order.clone();
        let transition = match field_transition(order.state, &command.body, &facts) {
            Ok(transition) => transition,
            Err(rejection) => return Ok(Err(rejection)),
        };
        for effect in &transition.effects {
            // What can still be refused is the only effect of its transition, so nothing is half done.
            if let Err(rejection) = self.effect_perform(tx, command, *effect)? {
                return Ok(Err(rejection));
            }
        }
        if let Some(held) = self.orders.get_mut(&command.work_order_id) {
            held.order.state = transition.state;
            held.is_changed |= held.order != before;
        }
        let arrival = match &command.body {
            CommandBody::Arrive { position } => Some(self.arrival_judge(tx, command, &before, *position)?),
            _ => None,
        };
        self.command_tell(command, &before, &transition, arrival.as_ref());
        Ok(Ok(()))
    }

    /// Compares an arrival with what was agreed, and puts it on record (R-VISIT-1).
    fn arrival_judge(
        &self,
        tx: &mut Tx,
        command: &Command,
        before: &WorkOrder,
        position: Position,
    ) -> AppResult<ArrivalVerdict> {
        let policy: ArrivalPolicy = self.app.policy(tx, before.region_id)?;
        let at = command.captured_at;
        let verdict = arrival_compare(before.appointment(), at, position, before.position(), &policy);
        self.app.arrival_record(tx, before, self.caller.user_id, position, &verdict, at)?;
        Ok(verdict)
    }

    fn effect_perform(
        &mut self,
        tx: &mut Tx,
        command: &Command,
        effect: FieldEffect,
    ) -> AppResult<Result<(), Rejection>> {
        match (effect, &command.body) {
            (FieldEffect::TestBegun, CommandBody::TestBegin { field_test_id }) => {
                if let Err(rejection) = self.test_begin(tx, command, *field_test_id)? {
                    return Ok(Err(rejection));
                }
            }
            (FieldEffect::PhotoAdded, CommandBody::PhotoAttach { manifest }) => {
                return self.photo_announce(tx, manifest);
            }
            (FieldEffect::FindingsReplaced, CommandBody::FindingsRecord { field_test_id, findings }) => {
                if let Some(held) = self.tests.get_mut(field_test_id) {
                    held.test.findings = Some(findings.clone());
                    held.is_changed = true;
                }
            }
            (
                FieldEffect::TestHandedIn,
                CommandBody::TestSubmit { field_test_id, blocks, photos, missing_operators },
            ) => {
                let template = match self.orders.get(&command.work_order_id) {
                    Some(held) => self.app.evidence_template_of(tx, &held.order)?,
                    None => None,
                };
                if self.app.is_opened_by_a_job(blocks.iter().map(|block| u64::from(block.sample_count)).sum()) {
                    self.app.field_test_tracks_ask(tx, *field_test_id)?;
                }
                if let Some(held) = self.tests.get_mut(field_test_id) {
                    held.test.evidence_template = template;
                    held.test.submission = Some(Submission {
                        blocks: blocks.clone(),
                        photos: photos.clone(),
                        missing_operators: missing_operators.clone(),
                    });
                    held.test.state = FieldTestState::Submitted;
                    held.test.submitted_at = Some(command.captured_at);
                    held.test.submission_count += 1;
                    held.is_changed = true;
                }
            }
            _ => {}
        }
        let Some(held) = self.orders.get_mut(&command.work_order_id) else { return Ok(Ok(())) };
        let order = &mut held.order;
        match effect {
            FieldEffect::Unassign => {
                // A desk's appointment stands: it is the customer's, whoever goes.
                order.assigned_to = None;
                order.assigned_at = None;
                order.field_test_id = None;
                if let CommandBody::Decline { reason } = &command.body {
                    self.app.dispatch_declined(tx, order.id, reason)?;
                }
                held.left = Some(LeftReason::Declined);
            }
            FieldEffect::AppointmentSet => {
                if let CommandBody::Contact { appointment: Some(window), .. } = &command.body {
                    order.appointment_from = Some(window.from);
                    order.appointment_until = Some(window.until);
                }
            }
            FieldEffect::PhotoConsentSet(granted) => order.photo_consent = Some(granted),
            FieldEffect::TestBegun => {
                if let CommandBody::TestBegin { field_test_id } = &command.body {
                    order.field_test_id = Some(*field_test_id);
                }
            }
            // The reasons of the last review are answered.
            FieldEffect::TestHandedIn => {
                order.return_reasons = Vec::new();
                held.is_handed_in = true;
            }
            // Told by the event, which has the position and the reason.
            FieldEffect::EmergencyContactRecorded | FieldEffect::ArrivalRecorded => {}
            // Kept with the test.
            FieldEffect::FindingsReplaced | FieldEffect::PhotoAdded => {}
        }
        Ok(Ok(()))
    }

    /// Begins a test; or lets one count whose samples came before its beginning was known.
    fn test_begin(&mut self, tx: &mut Tx, command: &Command, id: FieldTestId) -> AppResult<Result<(), Rejection>> {
        let Some(held) = self.tests.get_mut(&id) else {
            let test = self.test_new(id, command.work_order_id, command.captured_at, None);
            self.tests.insert(id, HeldTest { test, is_new: true, is_changed: true });
            return Ok(Ok(()));
        };
        let test = &mut held.test;
        if test.tester_id != self.caller.user_id
            || test.work_order_id != command.work_order_id
            || test.state != FieldTestState::Begun
        {
            return Ok(Err(Rejection::new(
                ProblemType::IdempotencyConflict,
                "field_test_id: belongs to another test; begin one with a new id",
            )));
        }
        if test.standing == Standing::Quarantined {
            test.standing = Standing::Accepted;
            test.standing_reason = None;
            test.begun_at = command.captured_at;
            held.is_changed = true;
            self.blocks_release(tx, id, command.work_order_id)?;
        }
        Ok(Ok(()))
    }

    /// A test of this tester and phone; `quarantined` says why it does not count.
    pub(super) fn test_new(
        &self,
        id: FieldTestId,
        work_order_id: WorkOrderId,
        begun_at: callout_sync_protocol::time::Timestamp,
        quarantined: Option<Rejection>,
    ) -> FieldTest {
        FieldTest {
            id,
            work_order_id,
            tester_id: self.caller.user_id,
            device_id: self.caller.device_id,
            standing: if quarantined.is_some() { Standing::Quarantined } else { Standing::Accepted },
            standing_reason: quarantined,
            state: FieldTestState::Begun,
            begun_at,
            findings: None,
            submission: None,
            submitted_at: None,
            submission_count: 0,
            version: 1,
            evidence_template: None,
        }
    }

    /// Puts a photo's manifest on record; one that was only kept before counts from now on.
    fn photo_announce(&mut self, tx: &mut Tx, manifest: &PhotoManifest) -> AppResult<Result<(), Rejection>> {
        let photo = self.photo_new(manifest, None);
        if tx.photo_insert(&photo)? {
            return Ok(Ok(()));
        }
        let same = |found: &Photo| {
            (found.tester_id, found.work_order_id, found.field_test_id, found.hash, found.byte_length)
                == (photo.tester_id, photo.work_order_id, photo.field_test_id, photo.hash, photo.byte_length)
        };
        match tx.photo_lock(manifest.id)? {
            Some(mut found) if same(&found) => {
                if found.standing == Standing::Quarantined {
                    found.standing = Standing::Accepted;
                    found.standing_reason = None;
                    tx.photo_update(&found)?;
                }
                Ok(Ok(()))
            }
            Some(_) | None => Ok(Err(Rejection::new(
                ProblemType::IdempotencyConflict,
                "manifest.id: was used for another photo; announce this one with a new id",
            ))),
        }
    }

    fn photo_new(&self, manifest: &PhotoManifest, quarantined: Option<Rejection>) -> Photo {
        let position = manifest.position;
        Photo {
            id: manifest.id,
            field_test_id: manifest.field_test_id,
            work_order_id: manifest.work_order_id,
            tester_id: self.caller.user_id,
            device_id: self.caller.device_id,
            hash: manifest.hash,
            byte_length: manifest.byte_length,
            media_type: manifest.media_type,
            purpose: manifest.purpose,
            captured_at: manifest.captured_at,
            latitude_e6: position.map(|position| position.latitude_e6),
            longitude_e6: position.map(|position| position.longitude_e6),
            accuracy_m: position.and_then(|position| position.accuracy_m).map(i32::from),
            is_mock: position.is_some_and(|position| position.is_mock),
            state: PhotoState::Announced,
            refusal: None,
            standing: if quarantined.is_some() { Standing::Quarantined } else { Standing::Accepted },
            standing_reason: quarantined,
            object_key: None,
            thumbnail_key: None,
            width: None,
            height: None,
            exif: None,
            announced_at: self.now,
            stored_at: None,
        }
    }

    /// Keeps what a rejected command brought: a photo of work that is somebody else's now may still come, and be seen, but is no
    /// evidence. A photo that the customer did not consent to does not come at all (R-VISIT-2).
    fn command_reject(&mut self, tx: &mut Tx, command: &Command, rejection: &Rejection) -> AppResult<()> {
        let is_kept = matches!(
            rejection.problem,
            ProblemType::NotAssigned | ProblemType::NotFound | ProblemType::IllegalTransition
        );
        if let CommandBody::PhotoAttach { manifest } = &command.body
            && is_kept
        {
            // A photo of this id that is here already stays as it is.
            tx.photo_insert(&self.photo_new(manifest, Some(rejection.clone())))?;
        }
        self.rejection_tell(command, rejection);
        Ok(())
    }
}
