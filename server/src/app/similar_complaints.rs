//! Past complaints like one in hand, with how they ended, so that work is not repeated (R-INTAKE-7): near, by the same serving cell, or
//! the same customer's.
//!
//! Candidates come from three indexes (squares of the map with symptom, cells, customer), each read newest first and no further than
//! a limit, so that a crowded place costs no more than a quiet one; then they are ranked by exact distance and what else agrees.

use super::App;
use super::access::Caller;
use super::error::AppResult;
use crate::workflow::complaints::IntakePolicy;
use crate::workflow::intakes::{Likeness, box_around, complaints_apart_m, is_like, likeness_order};
use callout_storage::Tx;
use callout_storage::complaints::Complaint;
use callout_storage::intakes::{Intake, grid_cells_around};
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{CaseId, ComplaintId, FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{SampleColumns, block_open_into};
use callout_sync_protocol::work_orders::Symptom;
use std::collections::{BTreeSet, HashMap, HashSet};

/// How many of a square, a cell and a customer are looked at.
const MAX_EACH: u32 = 60;
/// Most that are shown.
pub const MAX_SIMILAR: u32 = 50;
/// Most cells that are noted of one test.
const MAX_CELLS: usize = 16;

/// How a past complaint ended, as far as it did.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The words of the last final reply.
    pub final_reply: Option<String>,
    /// What the desk held to have solved it.
    pub what_was_done: Option<String>,
    /// What the lead planned: relief now, and the cure.
    pub plan: Option<(String, String)>,
    /// The case in the library that was made from it.
    pub case_id: Option<CaseId>,
}

/// A past complaint like the one in hand.
#[derive(Clone, Debug)]
pub struct Similar {
    /// The complaint.
    pub complaint: Complaint,
    /// Its order, if it had one.
    pub order: Option<WorkOrder>,
    /// What it has in common.
    pub likeness: Likeness,
    /// How it ended.
    pub ending: Ending,
}

impl App {
    /// Past complaints like one in hand, the most alike first.
    pub fn similar_complaint_list(&self, caller: &Caller, id: ComplaintId, limit: u32) -> AppResult<Vec<Similar>> {
        self.storage.read("similar_complaint_list", |tx| {
            let complaint = self.complaint_readable(tx, caller, id)?;
            let Some(intake) = tx.intake_by_complaint(id)? else { return Ok(Vec::new()) };
            let policy = self.intake_policy(tx, &complaint)?;
            let cells = tx.complaint_cells_list(id)?;
            let (candidates, same_cell) = candidates(tx, &intake, &cells, &policy)?;
            let mut ranked: Vec<(Likeness, Intake)> = candidates
                .into_iter()
                .map(|other| (likeness(&intake, &other, same_cell.contains(&other.complaint_id)), other))
                .filter(|(likeness, _)| is_like(likeness, &policy))
                .collect();
            ranked.sort_by(|(a, _), (b, _)| likeness_order(a, b, &policy));
            // Some of them may be outside the caller's regions.
            ranked.truncate(2 * MAX_SIMILAR as usize);
            let ids: Vec<ComplaintId> = ranked.iter().map(|(_, other)| other.complaint_id).collect();
            let scope = self.caller_scope(tx, caller)?;
            let mut complaints: HashMap<ComplaintId, Complaint> = tx
                .complaint_list_by_ids(&ids)?
                .into_iter()
                .filter(|complaint| Self::complaint_visible(caller, &scope, complaint))
                .map(|complaint| (complaint.id, complaint))
                .collect();
            let shown: Vec<(Likeness, Complaint)> = ranked
                .into_iter()
                .filter_map(|(likeness, other)| Some((likeness, complaints.remove(&other.complaint_id)?)))
                .take(limit.clamp(1, MAX_SIMILAR) as usize)
                .collect();
            with_endings(tx, shown)
        })
    }

    /// Notes which cells served the place of a test that was approved (R-INTAKE-7); a job.
    pub(crate) fn serving_cells_note(&self, id: FieldTestId) -> AppResult<()> {
        let found = self.storage.read("serving_cells_read", |tx| -> AppResult<_> {
            let Some(test) = tx.field_test_by_id(id)? else { return Ok(None) };
            let Some(order) = tx.work_order_by_id(test.work_order_id)? else { return Ok(None) };
            let mut cells: BTreeSet<u64> = BTreeSet::new();
            let mut columns = SampleColumns::new();
            // The customer is the home operator's; its cells are the ones that others complain of.
            for block in tx.sample_block_list_by_test(id)? {
                let counts = block.standing == callout_storage::Standing::Accepted;
                if !counts || block.operator != Operator::ChinaMobile || cells.len() >= MAX_CELLS {
                    continue;
                }
                let bytes = tx.sample_block_bytes(&block.hash)?.unwrap_or_default();
                if block_open_into(&bytes, &mut columns).is_ok() {
                    cells.extend(columns.cells().iter().filter_map(|(_, cell)| cell.cell_identity));
                }
            }
            Ok(Some((order.complaint_id, cells)))
        })?;
        let Some((complaint_id, cells)) = found else { return Ok(()) };
        let cells: Vec<u64> = cells.into_iter().take(MAX_CELLS).collect();
        self.storage.write("serving_cells_note", |tx| {
            if let Some(complaint) = tx.complaint_by_id(complaint_id)? {
                tx.complaint_cells_add(complaint.id, complaint.received_at, &cells)?;
            }
            Ok(())
        })
    }
}

/// All that may be like it, each once, and which of them a cell of its serves.
fn candidates(
    tx: &mut Tx,
    intake: &Intake,
    cells: &[u64],
    policy: &IntakePolicy,
) -> AppResult<(Vec<Intake>, HashSet<ComplaintId>)> {
    let mut found = tx.intake_list_by_customer(&intake.customer_digest, MAX_EACH)?;
    if let Some(position) = intake.position() {
        let half = box_around(position.latitude_e6, policy.similar_place_m);
        let squares = grid_cells_around((position.latitude_e6, position.longitude_e6), half);
        if intake.symptom == Symptom::Other {
            // It may be anything: a few of each.
            for symptom in Symptom::ALL {
                found.extend(tx.intake_list_in_squares(&squares, *symptom, MAX_EACH / 6)?);
            }
        } else {
            found.extend(tx.intake_list_in_squares(&squares, intake.symptom, MAX_EACH)?);
        }
    }
    let by_cell: HashSet<ComplaintId> = tx.complaint_ids_by_cells(cells, MAX_EACH)?.into_iter().collect();
    let known: HashSet<ComplaintId> = found.iter().map(|other| other.complaint_id).collect();
    let missing: Vec<ComplaintId> = by_cell.difference(&known).copied().take(500).collect();
    found.extend(tx.intake_list_by_complaints(&missing)?);
    let mut seen = HashSet::from([intake.complaint_id]);
    found.retain(|other| seen.insert(other.complaint_id));
    Ok((found, by_cell))
}

fn likeness(intake: &Intake, other: &Intake, same_cell: bool) -> Likeness {
    Likeness {
        distance_m: complaints_apart_m(intake.position(), other.position()),
        same_symptom: intake.symptom == other.symptom,
        same_cell,
        same_customer: intake.customer_digest == other.customer_digest,
        received_at: other.received_at,
    }
}

/// Adds how each ended; one query a kind of record, whatever their number.
fn with_endings(tx: &mut Tx, shown: Vec<(Likeness, Complaint)>) -> AppResult<Vec<Similar>> {
    let complaint_ids: Vec<ComplaintId> = shown.iter().map(|(_, complaint)| complaint.id).collect();
    let mut orders: HashMap<ComplaintId, WorkOrder> = tx
        .work_order_list_by_complaints(&complaint_ids)?
        .into_iter()
        .map(|order| (order.complaint_id, order))
        .collect();
    let order_ids: Vec<WorkOrderId> = orders.values().map(|order| order.id).collect();
    let mut endings: HashMap<WorkOrderId, Ending> = HashMap::new();
    // Oldest first: the last one written stays.
    for reply in tx.reply_list_by_work_orders(&order_ids)? {
        if let Some(order_id) = reply.work_order_id.filter(|_| reply.kind.starts_with("final")) {
            endings.entry(order_id).or_default().final_reply = Some(reply.body);
        }
    }
    for revisit in tx.revisit_list_by_work_orders(&order_ids)? {
        if revisit.what_was_done.is_some() {
            endings.entry(revisit.work_order_id).or_default().what_was_done = revisit.what_was_done;
        }
    }
    for review in tx.review_list_by_work_orders(&order_ids)? {
        if let (Some(relief), Some(cure)) = (review.quick_relief, review.cure) {
            endings.entry(review.work_order_id).or_default().plan = Some((relief, cure));
        }
    }
    for (order_id, case_id) in tx.case_ids_by_work_orders(&order_ids)? {
        endings.entry(order_id).or_default().case_id = Some(case_id);
    }
    Ok(shown
        .into_iter()
        .map(|(likeness, complaint)| {
            let order = orders.remove(&complaint.id);
            let ending = order.as_ref().and_then(|order| endings.remove(&order.id)).unwrap_or_default();
            Similar { complaint, order, likeness, ending }
        })
        .collect())
}
