//! Clocks: the running limits of complaints, with their history. What does not belong here: how long a limit is, which days are
//! worked, when a clock is due (`server`, `workflow`).

use crate::connection::{Tx, each_backend, locked, locked_all};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, limit, text_enum, updated};
use crate::schema::{clock_entries, clocks, complaints};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ClockId, ComplaintId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::dsl::{exists, not};
use diesel::prelude::*;

text_enum! {
    /// How a clock ended.
    ClockOutcome {
        /// What it waited for was done.
        Met = "met" / "已完成",
        /// What it waited for is no longer owed.
        Moot = "moot" / "不再需要",
        /// Another clock took its place.
        Replaced = "replaced" / "已被替代",
    }
}

/// A clock as it is kept. Words that belong to the rules stand as texts.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct ClockRecord {
    /// Its id.
    pub id: ClockId,
    /// Which limit it counts, in the word of the rules (`handling` …).
    pub kind: String,
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Its order, once there is one.
    pub work_order_id: Option<WorkOrderId>,
    /// The region, once found.
    pub region_id: Option<RegionId>,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// What it counts, in the word of the rules (`working_days`, `all_hours`).
    pub measure: String,
    /// How much of it there is now.
    pub budget_micros: i64,
    /// What the budget follows from beside the kind (`quality`, `build` …); empty where the kind says it all.
    pub limit_key: String,
    /// On the fast track of a major complaint (R-CLASS-2).
    pub is_major: bool,
    /// What it does, in the word of the rules (`running`, `paused`, `stopped`).
    pub standing: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The deadline; of a clock that does not run, what it was when it last ran.
    pub due_at: Timestamp,
    /// When to warn.
    pub warn_at: Timestamp,
    /// When the warning was given.
    pub warned_at: Option<Timestamp>,
    /// The instant of the breach itself.
    pub breached_at: Option<Timestamp>,
    /// When the breach was written down.
    pub breach_recorded_at: Option<Timestamp>,
    /// The cause that the history suggests, by its key.
    pub suggested_cause: Option<String>,
    /// The cause that a person named, by its key.
    pub breach_cause: Option<String>,
    /// What that person added.
    pub breach_note: Option<String>,
    /// Who named it.
    pub cause_named_by: Option<UserId>,
    /// When.
    pub cause_named_at: Option<Timestamp>,
    /// When it ended; absent while it may go on.
    pub stopped_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<ClockOutcome>,
    /// What was used, as of the last entry, the breach or the end.
    pub used_micros: i64,
    /// Microseconds that counted, by the stage in which the order was then; as of the breach or the end.
    pub time_by_stage: serde_json::Value,
    /// Grows with every change.
    pub version: u64,
}

/// One entry of a clock's history.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct ClockEntryRecord {
    /// The clock.
    pub clock_id: ClockId,
    /// Its place in the history, from 1.
    pub number: u64,
    /// When, by the server's clock.
    pub happened_at: Timestamp,
    /// What, in the word of the rules (`started` …).
    pub event: String,
    /// Why.
    pub reason: String,
    /// The budget in force from here on.
    pub budget_micros: i64,
}

/// Which clocks a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// What they do; absent means anything.
    pub standing: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Due before this instant only.
    pub due_before: Option<Timestamp>,
    /// Only breached ones, or only those that are not.
    pub is_breached: Option<bool>,
}

impl ClockFilter {
    /// All clocks of a scope.
    pub fn of(scope: RegionScope) -> Self {
        Self { scope, standing: None, kind: None, due_before: None, is_breached: None }
    }
}

impl Tx {
    /// Adds a clock with its history so far.
    pub fn clock_insert(&mut self, clock: &ClockRecord, entries: &[ClockEntryRecord]) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(clocks::table)
                .values(row_values!(
                    clocks,
                    clock,
                    id,
                    kind,
                    complaint_id,
                    work_order_id,
                    region_id,
                    utc_offset_minutes,
                    measure,
                    budget_micros,
                    limit_key,
                    is_major,
                    standing,
                    started_at,
                    due_at,
                    warn_at,
                    warned_at,
                    breached_at,
                    breach_recorded_at,
                    suggested_cause,
                    breach_cause,
                    breach_note,
                    cause_named_by,
                    cause_named_at,
                    stopped_at,
                    outcome,
                    used_micros,
                    time_by_stage,
                    version
                ))
                .execute(c)
        })?;
        entries.iter().try_for_each(|entry| self.clock_entry_insert(entry))
    }

    /// Appends to a clock's history.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if somebody else appended this number meanwhile.
    pub fn clock_entry_insert(&mut self, entry: &ClockEntryRecord) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(clock_entries::table)
                .values(row_values!(clock_entries, entry, clock_id, number, happened_at, event, reason, budget_micros))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a clock that was read before, and raises its version. Kind, complaint, measure and start never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn clock_update(&mut self, clock: &mut ClockRecord) -> Result<(), StorageError> {
        let version = clock.version + 1;
        let rows = self.run(|c| {
            diesel::update(clocks::table.find(bind(&clock.id)).filter(clocks::version.eq(bind(&clock.version))))
                .set((
                    row_values!(
                        clocks,
                        clock,
                        work_order_id,
                        region_id,
                        utc_offset_minutes,
                        budget_micros,
                        limit_key,
                        is_major,
                        standing,
                        due_at,
                        warn_at,
                        warned_at,
                        breached_at,
                        breach_recorded_at,
                        suggested_cause,
                        breach_cause,
                        breach_note,
                        cause_named_by,
                        cause_named_at,
                        stopped_at,
                        outcome,
                        used_micros,
                        time_by_stage
                    ),
                    clocks::version.eq(bind(&version)),
                ))
                .execute(c)
        })?;
        updated(rows, "clock")?;
        clock.version = version;
        Ok(())
    }

    /// The clock of an id.
    pub fn clock_by_id(&mut self, id: ClockId) -> Result<Option<ClockRecord>, StorageError> {
        self.run(|c| clocks::table.find(bind(&id)).first(c).optional())
    }

    /// The clock of an id, locked until the unit of work ends.
    pub fn clock_lock(&mut self, id: ClockId) -> Result<Option<ClockRecord>, StorageError> {
        self.run(|c| locked!(c, clocks::table.find(bind(&id))))
    }

    /// A complaint's clocks, oldest first.
    pub fn clock_list_by_complaint(&mut self, id: ComplaintId) -> Result<Vec<ClockRecord>, StorageError> {
        self.run(|c| {
            clocks::table
                .filter(clocks::complaint_id.eq(bind(&id)))
                .order((clocks::started_at, clocks::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// A complaint's clocks, oldest first, locked until the unit of work ends.
    pub fn clock_list_lock_by_complaint(&mut self, id: ComplaintId) -> Result<Vec<ClockRecord>, StorageError> {
        self.run(|c| {
            locked_all!(
                c,
                clocks::table
                    .filter(clocks::complaint_id.eq(bind(&id)))
                    .order((clocks::started_at, clocks::id))
                    .limit(i64::from(MAX_PAGE))
            )
        })
    }

    /// A clock's history, oldest first.
    pub fn clock_entry_list(&mut self, id: ClockId) -> Result<Vec<ClockEntryRecord>, StorageError> {
        self.run(|c| {
            clock_entries::table.filter(clock_entries::clock_id.eq(bind(&id))).order(clock_entries::number).load(c)
        })
    }

    /// Clocks, the one that is due first before the others; a page begins after the (deadline, id) that `page.after` holds.
    pub fn clock_list(&mut self, filter: &ClockFilter, page: &Page<ClockId>) -> Result<Vec<ClockRecord>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = in_scope!(clocks::table.into_boxed(), clocks::region_id, &filter.scope, regions);
            if let Some(standing) = &filter.standing {
                query = query.filter(clocks::standing.eq(bind(standing.as_str())));
            }
            if let Some(kind) = &filter.kind {
                query = query.filter(clocks::kind.eq(bind(kind.as_str())));
            }
            if let Some(due_before) = &filter.due_before {
                query = query.filter(clocks::due_at.lt(bind(due_before)));
            }
            match filter.is_breached {
                Some(true) => query = query.filter(clocks::breached_at.is_not_null()),
                Some(false) => query = query.filter(clocks::breached_at.is_null()),
                None => {}
            }
            if let Some((due_at, id)) = &page.after {
                query = query
                    .filter(clocks::due_at.ge(bind(due_at)))
                    .filter(clocks::due_at.gt(bind(due_at)).or(clocks::id.gt(bind(id))));
            }
            query.order((clocks::due_at, clocks::id)).limit(limit(page.limit)).load(c)
        })
    }

    /// The ids of clocks that may still come due, in the order of their ids, after `after`.
    pub fn clock_ids_live(&mut self, after: ClockId, at_most: u32) -> Result<Vec<ClockId>, StorageError> {
        self.run(|c| {
            clocks::table
                .filter(clocks::stopped_at.is_null())
                .filter(clocks::id.gt(bind(&after)))
                .order(clocks::id)
                .limit(limit(at_most))
                .select(clocks::id)
                .load(c)
        })
    }

    /// The ids of complaints that never had a clock, in the order of their ids, after `after`.
    pub fn complaint_ids_without_clock(
        &mut self,
        after: ComplaintId,
        at_most: u32,
    ) -> Result<Vec<ComplaintId>, StorageError> {
        self.run(|c| {
            let has_clock = exists(clocks::table.filter(clocks::complaint_id.eq(complaints::id)));
            each_backend!(c, |c| complaints::table
                .filter(complaints::id.gt(bind(&after)))
                .filter(not(has_clock))
                .order(complaints::id)
                .limit(limit(at_most))
                .select(complaints::id)
                .load(c))
        })
    }

    /// The ids of complaints that are not in one of the states given and have no clock that runs or waits: a lost obligation. One that
    /// is dealt with under an earlier complaint goes by that one's clocks (R-INTAKE-3).
    pub fn complaint_ids_unwatched(
        &mut self,
        final_states: &[crate::complaints::ComplaintState],
        at_most: u32,
    ) -> Result<Vec<ComplaintId>, StorageError> {
        self.run(|c| {
            let is_watched = exists(
                clocks::table.filter(clocks::complaint_id.eq(complaints::id)).filter(clocks::stopped_at.is_null()),
            );
            each_backend!(c, |c| complaints::table
                .filter(complaints::state.ne_all(final_states.iter().map(bind)))
                .filter(complaints::state.ne(bind(&crate::complaints::ComplaintState::Linked)))
                .filter(not(is_watched))
                .order(complaints::id)
                .limit(limit(at_most))
                .select(complaints::id)
                .load(c))
        })
    }
}
