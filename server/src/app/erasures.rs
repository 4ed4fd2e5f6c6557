//! Erasing a customer's data (R-PRIVACY-1): on demand, and when the time for which it is kept is over.
//!
//! The case stays, with its places in time and region, its states, scores and measurements: no figure changes. The trail stays
//! and holds (R-AUDIT-1). The bytes of photos go by a job after the unit of work that lets go of them. What does not belong here:
//! what goes (`workflow::erasures`), and where it stands (`storage::erasures`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::jobs::ERASED_OBJECTS_DELETE;
use crate::workflow::erasures::{Eraser, ErasureOptions, RetentionPolicy, StaffWords, erasure_reason_check, known_of};
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::Tx;
use callout_storage::clocks::ClockOutcome;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::erasures::{ERASED_MARK, ErasedWords, Erasure, WordsErasure};
use callout_storage::events::CUSTOMER_ERASED;
use callout_storage::feeds::FeedEntryKind;
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{CommandId, ComplaintId, WorkOrderId};
use callout_sync_protocol::photos::PhotoHash;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why the retention period's end is the reason, in both languages.
const RETENTION_REASON: &str = "the retention period is over 保存期限已满";
/// How many erasures one job does at most before others have their turn.
const RETENTION_BATCH: u32 = 200;

/// How much an erasure took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCounts {
    /// Texts of desks: reviews, handoffs, replies, revisits, the ladder.
    pub texts: u64,
    /// Contents of commands, those in quarantine with them.
    pub commands: u64,
    /// Findings and submissions of tests.
    pub field_tests: u64,
    /// Photos.
    pub photos: u64,
    /// Reasons on the trail.
    pub event_reasons: u64,
}

/// Objects of one photo that may be deleted once no row names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErasedObjects {
    /// The photo's content.
    pub hash: PhotoHash,
    /// Its keys, and those of pieces.
    pub keys: Vec<String>,
}

impl App {
    /// Erases the customer of a complaint. Asked again, it tells what was erased then. An order that has not ended is withdrawn,
    /// and so leaves the phones.
    ///
    /// # Errors
    /// `illegal-transition` while a tracking ticket is open; `invalid-field` when the reason names the customer.
    pub fn customer_erase(
        &self,
        caller: &Caller,
        id: ComplaintId,
        reason: &str,
        options: Option<&ErasureOptions>,
    ) -> AppResult<Erasure> {
        self.storage.write("customer_erase", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            tx.complaint_by_id(id)?
                .filter(|complaint| scope.contains(complaint.region_id))
                .ok_or_else(|| AppError::not_found("complaint"))?;
            let options = match options {
                Some(options) => options.clone(),
                None => self.policy::<RetentionPolicy>(tx, None)?.options,
            };
            self.customer_erase_in(tx, Some(caller), id, reason, &options)
        })
    }

    /// What was erased of a complaint's customer.
    pub fn erasure_show(&self, caller: &Caller, id: ComplaintId) -> AppResult<Erasure> {
        self.storage.read("erasure_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            tx.complaint_by_id(id)?
                .filter(|complaint| scope.contains(complaint.region_id))
                .ok_or_else(|| AppError::not_found("complaint"))?;
            tx.erasure_by_complaint(id)?.ok_or_else(|| AppError::not_found("erasure"))
        })
    }

    /// Erases what was kept long enough. Returns whether more waits.
    pub(crate) fn retention_run(&self) -> AppResult<bool> {
        let now = self.env.now();
        let (options, due) = self.storage.read("retention_due", |tx| {
            let policy: RetentionPolicy = self.policy(tx, None)?;
            let due = match policy.due_before(now) {
                Some(before) => tx.erasure_list_due(before, RETENTION_BATCH)?,
                None => Vec::new(),
            };
            Ok::<_, AppError>((policy.options, due))
        })?;
        for id in &due {
            self.storage.write("retention_erase", |tx| {
                self.customer_erase_in(tx, None, *id, RETENTION_REASON, &options).map(drop)
            })?;
        }
        Ok(due.len() >= RETENTION_BATCH as usize)
    }

    fn customer_erase_in(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        id: ComplaintId,
        reason: &str,
        options: &ErasureOptions,
    ) -> AppResult<Erasure> {
        let now = self.env.now();
        // The order's lock comes first.
        let order_id = tx.work_order_by_complaint(id)?.map(|order| order.id);
        let order = match order_id {
            Some(order_id) => tx.work_order_lock(order_id)?,
            None => None,
        };
        let complaint = tx.complaint_lock(id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        if let Some(erasure) = tx.erasure_by_complaint(id)? {
            return Ok(erasure);
        }
        let known = self.customer_known(&complaint, order.as_ref());
        if caller.is_some() {
            erasure_reason_check(reason, &known)?;
        }
        let eraser = Eraser { known, staff_words: options.staff_words, mark: ERASED_MARK };
        if let Some(order) = &order {
            self.order_end_for_erasure(tx, caller, order.clone(), reason)?;
        }
        let mut counts = ErasureCounts::default();
        self.complaint_clear(tx, id, &eraser, now)?;
        tx.intake_customer_forget(id)?;
        let mut objects = Vec::new();
        if let Some(order_id) = order_id {
            self.order_clear(tx, order_id, &eraser, now)?;
            self.evidence_clear(tx, order_id, &eraser, &mut counts)?;
            objects = self.photos_clear(tx, order_id, options, &mut counts)?;
            self.order_leaves_phones(tx, order_id, now)?;
        }
        let removes: &[ErasedWords] = match (options.staff_words, options.revisit_words) {
            (StaffWords::Remove, true) => &[ErasedWords::Customer, ErasedWords::Staff, ErasedWords::Revisit],
            (StaffWords::Remove, false) => &[ErasedWords::Customer, ErasedWords::Staff],
            (StaffWords::Redact, true) => &[ErasedWords::Customer, ErasedWords::Revisit],
            (StaffWords::Redact, false) => &[ErasedWords::Customer],
        };
        let words = WordsErasure { complaint_id: id, work_order_id: order_id, removes, known: &eraser.known };
        counts.texts = tx.erasure_of_words(&words)?;
        let subjects: Vec<Subject> =
            [Some(Subject::Complaint(id)), order_id.map(Subject::WorkOrder)].into_iter().flatten().collect();
        for subject in &subjects {
            let is_erased = |reason: &str| eraser.is_reason_erased(reason);
            counts.event_reasons += tx.event_reasons_erase(subject.kind(), subject.id(), &is_erased)?;
        }
        let erasure = Erasure {
            complaint_id: id,
            erased_by: caller.map(|caller| caller.user_id),
            reason: reason.trim().to_owned(),
            options: serde_json::to_value(options).map_err(AppError::internal)?,
            counts: serde_json::to_value(counts).map_err(AppError::internal)?,
            created_at: now,
        };
        tx.erasure_insert(&erasure)?;
        for subject in subjects {
            let draft = EventDraft::new(subject, CUSTOMER_ERASED)
                .detail(json!({ "options": erasure.options, "counts": erasure.counts }))
                .reason(&erasure.reason);
            self.event_append(tx, caller.into_iter().fold(draft, EventDraft::by))?;
        }
        let payload = serde_json::to_value(&objects).map_err(AppError::internal)?;
        self.job_enqueue(tx, ERASED_OBJECTS_DELETE, id, now, payload)?;
        Ok(erasure)
    }

    fn customer_known(&self, complaint: &Complaint, order: Option<&WorkOrder>) -> Vec<String> {
        let mut known = known_of(&complaint.customer_name, &complaint.customer_phone, &complaint.address);
        known.extend(order.map(|order| known_of("", "", &order.address)).unwrap_or_default());
        known.sort_by_key(|text| (std::cmp::Reverse(text.len()), text.clone()));
        known.dedup();
        known
    }

    /// Nobody can be asked any more whether the problem is gone: what still runs is withdrawn.
    fn order_end_for_erasure(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        mut order: WorkOrder,
        reason: &str,
    ) -> AppResult<()> {
        match order.state {
            WorkOrderState::Resolved | WorkOrderState::Withdrawn => Ok(()),
            WorkOrderState::Unresolved => match tx.tracking_ticket_by_work_order(order.id)? {
                Some(ticket) if ticket.closed_at.is_none() => Err(AppError::new(
                    ProblemType::IllegalTransition,
                    "the tracking ticket is open; it must be closed before its customer can be erased",
                )),
                _ => Ok(()),
            },
            _ => {
                let facts = self.work_order_facts(tx, &order)?;
                let command = WorkOrderCommand::Withdraw { reason: reason.to_owned() };
                self.work_order_command(tx, caller, &mut order, &command, &facts, Value::Null)?;
                Ok(())
            }
        }
    }

    fn complaint_clear(&self, tx: &mut Tx, id: ComplaintId, eraser: &Eraser, now: Timestamp) -> AppResult<()> {
        let mut complaint = tx.complaint_by_id(id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        complaint.customer_name = String::new();
        complaint.customer_phone = String::new();
        complaint.description = ERASED_MARK.to_owned();
        complaint.address = String::new();
        complaint.occurs = String::new();
        complaint.answer = complaint.answer.as_deref().map(|answer| eraser.staff_text(answer));
        if matches!(complaint.state, ComplaintState::Received | ComplaintState::Contested) {
            complaint.state = ComplaintState::Withdrawn;
            self.clock_complaint_end(tx, id, ClockOutcome::Moot, "the customer was erased 客户信息已删除")?;
            self.major_end(tx, id)?;
        }
        complaint.updated_at = now;
        tx.complaint_update(&mut complaint)?;
        self.kpi_touch(tx, id)?;
        Ok(())
    }

    fn order_clear(&self, tx: &mut Tx, id: WorkOrderId, eraser: &Eraser, now: Timestamp) -> AppResult<()> {
        let mut order = tx.work_order_by_id(id)?.ok_or_else(|| AppError::not_found("work order"))?;
        order.address = String::new();
        order.return_reasons = order.return_reasons.iter().map(|reason| eraser.staff_text(reason)).collect();
        order.updated_at = now;
        tx.work_order_update(&mut order)?;
        Ok(())
    }

    fn evidence_clear(
        &self,
        tx: &mut Tx,
        order: WorkOrderId,
        eraser: &Eraser,
        counts: &mut ErasureCounts,
    ) -> AppResult<()> {
        for mut test in tx.field_test_list_by_work_order(order)? {
            test.findings = test.findings.as_ref().map(|findings| eraser.findings(findings));
            if let Some(submission) = &mut test.submission {
                submission.missing_operators = eraser.missing_operators(&submission.missing_operators);
            }
            tx.field_test_update(&mut test)?;
            counts.field_tests += 1;
        }
        let mut after = CommandId::NIL;
        loop {
            let page = tx.command_receipt_contents(order, after)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (id, body) in &page {
                let erased = eraser.command(body);
                if erased != *body {
                    tx.command_receipt_content_set(*id, &erased)?;
                    counts.commands += 1;
                }
            }
        }
    }

    /// Lets go of photos; what there is of them outside the database is returned.
    fn photos_clear(
        &self,
        tx: &mut Tx,
        order: WorkOrderId,
        options: &ErasureOptions,
        counts: &mut ErasureCounts,
    ) -> AppResult<Vec<ErasedObjects>> {
        let mut objects = Vec::new();
        for id in tx.photo_ids_of_purposes(order, &options.photo_purposes)? {
            let mut photo: Photo = tx.photo_lock(id)?.ok_or_else(|| AppError::not_found("photo"))?;
            let mut keys: Vec<String> =
                [photo.object_key.take(), photo.thumbnail_key.take()].into_iter().flatten().collect();
            if let Some(upload) = tx.photo_upload_lock(photo.id)? {
                keys.extend(upload.parts.into_iter().map(|part| part.object_key));
                tx.photo_upload_delete(photo.id)?;
            }
            photo.state = PhotoState::Refused;
            // A phone that still has it is told so, and does not send it.
            photo.refusal = Some(Rejection::new(
                ProblemType::ConsentMissing,
                "the customer's data was erased; this photo is not kept",
            ));
            photo.exif = None;
            tx.photo_update(&photo)?;
            tx.photo_look_forget(id)?;
            counts.photos += 1;
            objects.push(ErasedObjects { hash: photo.hash, keys });
        }
        Ok(objects)
    }

    /// An order that has ended is on no phone; should a feed say otherwise, it leaves now.
    fn order_leaves_phones(&self, tx: &mut Tx, order: WorkOrderId, now: Timestamp) -> AppResult<()> {
        for entry in tx.feed_entry_list_by_work_order(order)? {
            if entry.kind == FeedEntryKind::Changed {
                tx.feed_append(entry.tester_id, order, Some(LeftReason::Withdrawn), now)?;
                self.push_owe(tx, entry.tester_id)?;
            }
        }
        Ok(())
    }

    /// Which of a photo's objects no row names any more: the same content may be another order's evidence.
    pub(crate) fn erased_objects_unnamed(&self, objects: &[ErasedObjects]) -> AppResult<Vec<String>> {
        self.storage.read("erased_objects_unnamed", |tx| {
            let mut unnamed = Vec::new();
            for photo in objects {
                let others = tx.photo_list_by_hash(&photo.hash)?;
                let is_named = |key: &String| {
                    others.iter().any(|other| {
                        other.object_key.as_ref() == Some(key) || other.thumbnail_key.as_ref() == Some(key)
                    })
                };
                unnamed.extend(photo.keys.iter().filter(|key| !is_named(key)).cloned());
            }
            Ok(unnamed)
        })
    }

    /// After an erasure, SQLite's journal may still hold the pages of before.
    pub(crate) fn journal_empty(&self) -> AppResult<()> {
        Ok(self.storage.journal_empty()?)
    }
}
