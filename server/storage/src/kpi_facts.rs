//! What each complaint contributes to the figures now, which of them must be counted anew, and what that is read from (R-KPI-1).
//! What does not belong here: the contribution's rules (`workflow`), the sums (`kpi_cells`).

use crate::complaints::{ComplaintClass, ComplaintState};
use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::names::Standing;
use crate::schema::{complaints, field_tests, kpi_dirty, kpi_facts, regions, replies, revisits, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use diesel::prelude::*;
use std::collections::HashMap;
use uuid::Uuid;

/// Rows of one statement; with a fact's columns well below either database's bind limit.
const CHUNK: usize = 500;

/// One complaint's figures.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KpiFact {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Its order, if it has one.
    pub work_order_id: Option<WorkOrderId>,
    /// The region, once known.
    pub region_id: Option<RegionId>,
    /// The class's name, or `unclassified`.
    pub class: String,
    /// Minutes that local time is ahead of UTC; days are local.
    pub utc_offset_minutes: i16,
    /// When the customer complained.
    pub received_at: Timestamp,
    /// Who took it and stays answerable for it (R-INTAKE-6).
    pub taken_by: Option<UserId>,
    /// That person's team.
    pub taken_team: String,
    /// The first response (R-INTAKE-5).
    pub responded_at: Option<Timestamp>,
    /// The customer had complained of the same before.
    pub is_repeat: bool,
    /// When its handling ended; absent while it goes on.
    pub closed_at: Option<Timestamp>,
    /// Whether it ended inside its limit; absent while it goes on, or without a limit.
    pub is_on_time: Option<bool>,
    /// Visits whose tests were handed in.
    pub visit_count: u32,
    /// Solved with one visit, never reopened.
    pub is_solved_at_first_visit: bool,
    /// Who visited last.
    pub tester_id: Option<UserId>,
    /// That person's team.
    pub tester_team: String,
    /// How often it was held solved and the customer answered.
    pub return_count: u32,
    /// How often that was not so (R-RETURN-4).
    pub false_return_count: u32,
    /// When the customer answered last.
    pub returned_at: Option<Timestamp>,
    /// Who held it solved then.
    pub returned_by: Option<UserId>,
    /// That person's team.
    pub returned_team: String,
    /// The customer's last score.
    pub score: Option<i16>,
    /// When it went beyond its limit.
    pub overdue_at: Option<Timestamp>,
    /// Why.
    pub overdue_cause: Option<String>,
    /// Its contribution is in the cells.
    pub is_counted: bool,
}

/// A reply as the figures read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiReply {
    /// `stage`, `final_unresolved` or `final_resolved`.
    pub kind: String,
    /// When.
    pub created_at: Timestamp,
}

/// An answered revisit as the figures read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiRevisit {
    /// Who held it solved.
    pub created_by: UserId,
    /// When the customer answered.
    pub answered_at: Timestamp,
    /// The customer's score.
    pub score: Option<i16>,
}

/// The order's part of what a complaint's figures are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiOrder {
    /// The order.
    pub id: WorkOrderId,
    /// Where it stands.
    pub state: WorkOrderState,
    /// Its region.
    pub region_id: Option<RegionId>,
    /// Who has it.
    pub assigned_to: Option<UserId>,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// How often it was opened again.
    pub reopened_count: u32,
    /// How often it was returned as resolved although it was not.
    pub false_return_count: u32,
    /// Visits whose tests count and were handed in, oldest first: who, and when the last time.
    pub visits: Vec<(UserId, Timestamp)>,
    /// Answered revisits, oldest first.
    pub revisits: Vec<KpiRevisit>,
}

/// What a complaint's figures are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiSource {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Who pushed it.
    pub source_id: UserId,
    /// Its class, once classified.
    pub class: Option<ComplaintClass>,
    /// Where it stands.
    pub state: ComplaintState,
    /// When the customer complained.
    pub received_at: Timestamp,
    /// Its region, if known.
    pub region_id: Option<RegionId>,
    /// That region's local time.
    pub region_offset_minutes: Option<i16>,
    /// When it was last changed: for one that is answered without an order, when it was answered.
    pub updated_at: Timestamp,
    /// Replies, oldest first.
    pub replies: Vec<KpiReply>,
    /// Its order.
    pub order: Option<KpiOrder>,
}

macro_rules! fact_values {
    ($fact:expr) => {
        row_values!(
            kpi_facts,
            $fact,
            complaint_id,
            work_order_id,
            region_id,
            class,
            utc_offset_minutes,
            received_at,
            taken_by,
            taken_team,
            responded_at,
            is_repeat,
            closed_at,
            is_on_time,
            visit_count,
            is_solved_at_first_visit,
            tester_id,
            tester_team,
            return_count,
            false_return_count,
            returned_at,
            returned_by,
            returned_team,
            score,
            overdue_at,
            overdue_cause,
            is_counted
        )
    };
}

type OrderRow = (ComplaintId, WorkOrderId, WorkOrderState, Option<RegionId>, Option<UserId>, i16, u32, u32);
type ComplaintRow =
    (ComplaintId, UserId, Option<ComplaintClass>, ComplaintState, Timestamp, Option<RegionId>, Timestamp, Option<i16>);

impl Tx {
    /// Says that these complaints' figures must be counted anew; each mark has an id of its own. Adds rows and touches nothing else,
    /// so that nobody waits.
    pub fn kpi_dirty_mark(&mut self, marks: &[(Uuid, ComplaintId)], now: Timestamp) -> Result<(), StorageError> {
        for chunk in marks.chunks(CHUNK) {
            self.run(|c| {
                let values: Vec<_> = chunk
                    .iter()
                    .map(|(id, complaint_id)| {
                        (
                            kpi_dirty::id.eq(bind(id)),
                            kpi_dirty::complaint_id.eq(bind(complaint_id)),
                            kpi_dirty::marked_at.eq(bind(&now)),
                        )
                    })
                    .collect();
                each_backend!(c, |c| diesel::insert_into(kpi_dirty::table).values(values).execute(c))
            })?;
        }
        Ok(())
    }

    /// The oldest marks, at most `at_most`.
    pub fn kpi_dirty_list(&mut self, at_most: u32) -> Result<Vec<(Uuid, ComplaintId)>, StorageError> {
        self.run(|c| {
            kpi_dirty::table
                .order(kpi_dirty::id)
                .limit(i64::from(at_most))
                .select((kpi_dirty::id, kpi_dirty::complaint_id))
                .load(c)
        })
    }

    /// Removes marks whose complaints were counted anew.
    pub fn kpi_dirty_delete(&mut self, ids: &[Uuid]) -> Result<(), StorageError> {
        for chunk in ids.chunks(CHUNK) {
            self.run(|c| {
                diesel::delete(kpi_dirty::table.filter(kpi_dirty::id.eq_any(chunk.iter().map(bind)))).execute(c)
            })?;
        }
        Ok(())
    }

    /// How many marks wait.
    pub fn kpi_dirty_count(&mut self) -> Result<u64, StorageError> {
        let count: i64 = self.run(|c| kpi_dirty::table.count().get_result(c))?;
        Ok(count.unsigned_abs())
    }

    /// Ids of complaints in their order, after one.
    pub fn complaint_ids_after(&mut self, after: ComplaintId, at_most: u32) -> Result<Vec<ComplaintId>, StorageError> {
        self.run(|c| {
            complaints::table
                .filter(complaints::id.gt(bind(&after)))
                .order(complaints::id)
                .limit(i64::from(at_most))
                .select(complaints::id)
                .load(c)
        })
    }

    /// The facts of these complaints.
    pub fn kpi_fact_list(&mut self, ids: &[ComplaintId]) -> Result<Vec<KpiFact>, StorageError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            found.extend(self.run(|c| {
                kpi_facts::table.filter(kpi_facts::complaint_id.eq_any(chunk.iter().map(bind))).load::<KpiFact>(c)
            })?);
        }
        Ok(found)
    }

    /// Puts these facts in the place of those of the same complaints.
    pub fn kpi_fact_replace(&mut self, facts: &[KpiFact]) -> Result<(), StorageError> {
        for chunk in facts.chunks(CHUNK) {
            self.run(|c| {
                diesel::delete(
                    kpi_facts::table
                        .filter(kpi_facts::complaint_id.eq_any(chunk.iter().map(|fact| bind(&fact.complaint_id)))),
                )
                .execute(c)?;
                let values: Vec<_> = chunk.iter().map(|fact| fact_values!(fact)).collect();
                each_backend!(c, |c| diesel::insert_into(kpi_facts::table).values(values).execute(c))
            })?;
        }
        Ok(())
    }

    /// Says of all facts that their contributions are in no cell.
    pub fn kpi_fact_uncount_all(&mut self) -> Result<(), StorageError> {
        self.run(|c| diesel::update(kpi_facts::table).set(kpi_facts::is_counted.eq(false)).execute(c))?;
        Ok(())
    }

    /// What the figures of these complaints are read from, in no particular order: a few queries for 500 complaints.
    pub fn kpi_source_list(&mut self, ids: &[ComplaintId]) -> Result<Vec<KpiSource>, StorageError> {
        let mut sources = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            self.kpi_source_chunk(chunk, &mut sources)?;
        }
        Ok(sources)
    }

    fn kpi_source_chunk(&mut self, ids: &[ComplaintId], sources: &mut Vec<KpiSource>) -> Result<(), StorageError> {
        let complaint_rows: Vec<ComplaintRow> = self.run(|c| {
            complaints::table
                .left_join(regions::table.on(complaints::region_id.eq(regions::id.nullable())))
                .filter(complaints::id.eq_any(ids.iter().map(bind)))
                .select((
                    complaints::id,
                    complaints::source_id,
                    complaints::class,
                    complaints::state,
                    complaints::received_at,
                    complaints::region_id,
                    complaints::updated_at,
                    regions::utc_offset_minutes.nullable(),
                ))
                .load(c)
        })?;
        let order_rows: Vec<OrderRow> = self.run(|c| {
            work_orders::table
                .filter(work_orders::complaint_id.eq_any(ids.iter().map(bind)))
                .select((
                    work_orders::complaint_id,
                    work_orders::id,
                    work_orders::state,
                    work_orders::region_id,
                    work_orders::assigned_to,
                    work_orders::utc_offset_minutes,
                    work_orders::reopened_count,
                    work_orders::false_return_count,
                ))
                .load(c)
        })?;
        let reply_rows: Vec<(ComplaintId, String, Timestamp)> = self.run(|c| {
            replies::table
                .filter(replies::complaint_id.eq_any(ids.iter().map(bind)))
                .order((replies::created_at, replies::id))
                .select((replies::complaint_id, replies::kind, replies::created_at))
                .load(c)
        })?;
        let order_ids: Vec<WorkOrderId> = order_rows.iter().map(|row| row.1).collect();
        let revisit_rows: Vec<(WorkOrderId, UserId, Option<Timestamp>, Option<i16>)> = self.run(|c| {
            revisits::table
                .filter(revisits::work_order_id.eq_any(order_ids.iter().map(bind)))
                .filter(revisits::answered_at.is_not_null())
                .order((revisits::answered_at, revisits::id))
                .select((revisits::work_order_id, revisits::created_by, revisits::answered_at, revisits::score))
                .load(c)
        })?;
        let visit_rows: Vec<(WorkOrderId, UserId, Option<Timestamp>)> = self.run(|c| {
            field_tests::table
                .filter(field_tests::work_order_id.eq_any(order_ids.iter().map(bind)))
                .filter(field_tests::standing.eq(bind(&Standing::Accepted)))
                .filter(field_tests::submitted_at.is_not_null())
                .order((field_tests::submitted_at, field_tests::id))
                .select((field_tests::work_order_id, field_tests::tester_id, field_tests::submitted_at))
                .load(c)
        })?;
        let mut orders: HashMap<ComplaintId, KpiOrder> = HashMap::new();
        let mut owners: HashMap<WorkOrderId, ComplaintId> = HashMap::new();
        for (complaint, id, state, region_id, assigned_to, utc_offset_minutes, reopened_count, false_return_count) in
            order_rows
        {
            owners.insert(id, complaint);
            let order = KpiOrder {
                id,
                state,
                region_id,
                assigned_to,
                utc_offset_minutes,
                reopened_count,
                false_return_count,
                visits: Vec::new(),
                revisits: Vec::new(),
            };
            orders.insert(complaint, order);
        }
        for (order, created_by, answered_at, score) in revisit_rows {
            if let (Some(held), Some(answered_at)) =
                (owners.get(&order).and_then(|owner| orders.get_mut(owner)), answered_at)
            {
                held.revisits.push(KpiRevisit { created_by, answered_at, score });
            }
        }
        for (order, tester, submitted_at) in visit_rows {
            if let (Some(held), Some(at)) = (owners.get(&order).and_then(|owner| orders.get_mut(owner)), submitted_at) {
                held.visits.push((tester, at));
            }
        }
        let mut answers: HashMap<ComplaintId, Vec<KpiReply>> = HashMap::new();
        for (complaint, kind, created_at) in reply_rows {
            answers.entry(complaint).or_default().push(KpiReply { kind, created_at });
        }
        sources.extend(complaint_rows.into_iter().map(
            |(complaint_id, source_id, class, state, received_at, region_id, updated_at, region_offset_minutes)| {
                KpiSource {
                    complaint_id,
                    source_id,
                    class,
                    state,
                    received_at,
                    region_id,
                    region_offset_minutes,
                    updated_at,
                    replies: answers.remove(&complaint_id).unwrap_or_default(),
                    order: orders.remove(&complaint_id),
                }
            },
        ));
        Ok(())
    }
}
