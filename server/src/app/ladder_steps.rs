//! The escalation ladder of an order, which goes on in its tracking ticket (R-LADDER-1, R-LADDER-2).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::ladder::{
    Ladder, LadderEffect, LadderEvidence, LadderPolicy, LadderRecord, LadderStep, StepOutcome, ladder_record, next_step,
};
use crate::workflow::ladder_defaults::default_ladder;
use callout_storage::Tx;
use callout_storage::ladder_steps::LadderStep as LadderStepRecord;
use callout_storage::order_ladders::OrderLadder;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::work_orders::{NetworkGeneration, WorkOrderState};
use serde_json::json;

/// One step with what was recorded of it.
#[derive(Clone, Debug)]
pub struct LadderRow {
    /// Its number, 1 to 12.
    pub number: u8,
    /// What it is.
    pub step: LadderStep,
    /// What was recorded of it last.
    pub record: Option<LadderStepRecord>,
}

/// An order's ladder.
#[derive(Clone, Debug)]
pub struct LadderSeen {
    /// For which technology.
    pub technology: Technology,
    /// The twelve steps, lowest first.
    pub rows: Vec<LadderRow>,
    /// The key of what comes next, if anything.
    pub next: Option<String>,
}

/// What a lead records of a step.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// How it came out.
    pub outcome: StepOutcome,
    /// What shows it.
    pub evidence: Vec<LadderEvidence>,
    /// What was done, why it was ruled out or skipped.
    pub reason: String,
}

impl App {
    /// The order's ladder: the one with which its climb began, else the one that is set now (R-LADDER-1).
    pub(super) fn ladder_of(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<(Ladder, Vec<LadderStepRecord>)> {
        let generation = tx.complaint_by_id(order.complaint_id)?.and_then(|complaint| complaint.generation);
        let technology = match generation {
            Some(NetworkGeneration::Gsm) => Technology::Gsm,
            Some(NetworkGeneration::Umts) => Technology::Umts,
            Some(NetworkGeneration::Lte) | None => Technology::Lte,
            Some(NetworkGeneration::Nr) => Technology::Nr,
        };
        let rows = tx.ladder_step_list(order.id)?;
        let ladder = match tx.order_ladder_by_work_order(order.id)? {
            Some(kept) => serde_json::from_value(kept.ladder).map_err(AppError::internal)?,
            // Begun before ladders could be set: there was only the default one.
            None if !rows.is_empty() => default_ladder(technology),
            None => self.policy::<LadderPolicy>(tx, order.region_id)?.ladder_of(technology),
        };
        Ok((ladder, rows))
    }

    /// Refuses a step that the order's ladder lacks.
    pub(super) fn ladder_step_check(&self, tx: &mut Tx, order: &WorkOrder, key: &str) -> AppResult<()> {
        match self.ladder_of(tx, order)?.0.step(key) {
            Some(_) => Ok(()),
            None => Err(AppError::invalid("ladder_step", "must be the key of a step of the order's ladder")),
        }
    }

    pub(super) fn ladder_records(ladder: &Ladder, rows: &[LadderStepRecord]) -> AppResult<Vec<LadderRecord>> {
        rows.iter()
            .map(|row| {
                let step = ladder
                    .steps
                    .get(usize::try_from(row.step).unwrap_or_default().wrapping_sub(1))
                    .ok_or_else(|| AppError::internal("a recorded step that the ladder lacks"))?;
                Ok(LadderRecord {
                    step: step.key.clone(),
                    outcome: row.outcome.parse().map_err(AppError::internal)?,
                    evidence: serde_json::from_value(row.evidence.clone()).map_err(AppError::internal)?,
                    reason: row.reason.clone(),
                })
            })
            .collect()
    }

    fn ladder_seen(ladder: &Ladder, rows: Vec<LadderStepRecord>) -> AppResult<LadderSeen> {
        let records = Self::ladder_records(ladder, &rows)?;
        let next = next_step(ladder, &records).map(|step| step.key.clone());
        let rows = ladder
            .steps
            .iter()
            .zip(1u8..)
            .map(|(step, number)| LadderRow {
                number,
                step: step.clone(),
                record: rows.iter().find(|row| row.step == i16::from(number)).cloned(),
            })
            .collect();
        Ok(LadderSeen { technology: ladder.technology, rows, next })
    }

    /// An order's ladder.
    pub fn ladder_show(&self, caller: &Caller, id: WorkOrderId) -> AppResult<LadderSeen> {
        self.storage.read("ladder_show", |tx| {
            let order = self.work_order_visible(tx, caller, id)?;
            let (ladder, rows) = self.ladder_of(tx, &order)?;
            Self::ladder_seen(&ladder, rows)
        })
    }

    /// Records how a step came out (R-LADDER-2).
    ///
    /// # Errors
    /// `rung-skipped` with the steps in the way, `ladder-evidence-missing`, or `illegal-transition` while nothing is approved yet
    /// or everything has ended.
    pub fn ladder_record(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        number: u8,
        record: &StepRecord,
    ) -> AppResult<LadderSeen> {
        let now = self.env.now();
        self.storage.write("ladder_record", |tx| {
            let order = self.work_order_for(tx, caller, id)?;
            if !self.ladder_may_be_climbed(tx, &order)? {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    format!(
                        "the ladder is climbed between the test's approval and the case's end; the order is '{}'",
                        order.state
                    ),
                ));
            }
            self.ladder_evidence_check(tx, &order, &record.evidence)?;
            let (ladder, rows) = self.ladder_of(tx, &order)?;
            let step = usize::from(number)
                .checked_sub(1)
                .and_then(|index| ladder.steps.get(index))
                .ok_or_else(|| AppError::new(ProblemType::NotFound, "step: must be from 1 to 12"))?;
            let new = LadderRecord {
                step: step.key.clone(),
                outcome: record.outcome,
                evidence: record.evidence.clone(),
                reason: record.reason.clone(),
            };
            let effects = ladder_record(&ladder, &Self::ladder_records(&ladder, &rows)?, new)?;
            let opened: Vec<String> = effects
                .iter()
                .filter_map(|effect| match effect {
                    LadderEffect::RungOpened(rung) => Some(rung.to_string()),
                    LadderEffect::Recorded(_) | LadderEffect::BuildAllowed => None,
                })
                .collect();
            tx.order_ladder_insert(&OrderLadder {
                work_order_id: id,
                ladder: serde_json::to_value(&ladder).map_err(AppError::internal)?,
                begun_at: now,
            })?;
            tx.ladder_step_upsert(&LadderStepRecord {
                work_order_id: id,
                step: i16::from(number),
                outcome: record.outcome.as_str().into(),
                evidence: serde_json::to_value(&record.evidence).map_err(AppError::internal)?,
                reason: record.reason.trim().to_owned(),
                recorded_by: caller.user_id,
                recorded_at: now,
            })?;
            self.event_append(
                tx,
                EventDraft::new(Subject::WorkOrder(id), "ladder_recorded").by(caller).reason(&record.reason).detail(
                    json!({
                        "step": step.key, "number": number, "outcome": record.outcome, "evidence": record.evidence,
                        "rungs_opened": opened,
                    }),
                ),
            )?;
            let rows = tx.ladder_step_list(id)?;
            Self::ladder_seen(&ladder, rows)
        })
    }

    /// From the approval until the customer confirmed; after a final reply 'unresolved', as long as the tracking ticket is open.
    fn ladder_may_be_climbed(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<bool> {
        Ok(match order.state {
            WorkOrderState::Approved | WorkOrderState::HandedOver | WorkOrderState::HandoffAnswered => true,
            WorkOrderState::Unresolved => {
                tx.tracking_ticket_by_work_order(order.id)?.is_some_and(|ticket| ticket.state == "open")
            }
            WorkOrderState::Received
            | WorkOrderState::Located
            | WorkOrderState::Dispatched
            | WorkOrderState::Accepted
            | WorkOrderState::Contacted
            | WorkOrderState::OnSite
            | WorkOrderState::Submitted
            | WorkOrderState::SentBack
            | WorkOrderState::AwaitingRevisit
            | WorkOrderState::Resolved
            | WorkOrderState::Withdrawn => false,
        })
    }

    /// Evidence must be the order's own.
    fn ladder_evidence_check(&self, tx: &mut Tx, order: &WorkOrder, evidence: &[LadderEvidence]) -> AppResult<()> {
        for item in evidence {
            let owner = match item {
                LadderEvidence::FieldTest(id) => tx.field_test_by_id(*id)?.map(|test| test.work_order_id),
                LadderEvidence::Photo(id) => tx.photo_by_id(*id)?.map(|photo| photo.work_order_id),
                LadderEvidence::Reference(_) => Some(order.id),
            };
            if owner != Some(order.id) {
                return Err(AppError::invalid("evidence", "names a test or photo that is not this order's"));
            }
        }
        Ok(())
    }
}
