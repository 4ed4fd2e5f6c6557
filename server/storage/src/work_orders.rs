//! Work orders: what T1 and the field do about one network complaint. What does not belong here: the transitions' rules.

use crate::complaints::Complaint;
use crate::connection::{Tx, locked, locked_all};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, updated};
use crate::schema::{complaints, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, FieldTestId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{TimeWindow, Urgency, WorkOrderState};
use diesel::prelude::*;

/// A work order.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct WorkOrder {
    /// Its id.
    pub id: WorkOrderId,
    /// The complaint that it is about.
    pub complaint_id: ComplaintId,
    /// The number that people say on the telephone, such as `WO-20261121-00042`; unique.
    pub number: String,
    /// Where it stands.
    pub state: WorkOrderState,
    /// How pressing it is.
    pub urgency: Urgency,
    /// The region, once its place is known.
    pub region_id: Option<RegionId>,
    /// The tester who has it.
    pub assigned_to: Option<UserId>,
    /// Since when.
    pub assigned_at: Option<Timestamp>,
    /// Begin of the appointment that stands.
    pub appointment_from: Option<Timestamp>,
    /// End of the appointment that stands.
    pub appointment_until: Option<Timestamp>,
    /// When the field test is due.
    pub due_at: Option<Timestamp>,
    /// The current field test, once begun.
    pub field_test_id: Option<FieldTestId>,
    /// The customer agreed to photos (R-VISIT-2); absent until asked.
    pub photo_consent: Option<bool>,
    /// Why the last review sent the test back; empty otherwise.
    pub return_reasons: Vec<String>,
    /// Minutes that the site's local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// Road and number, or village and team (R-LOCATE-1); empty until known.
    pub address: String,
    /// Latitude in 1e-6 degrees; with the longitude or not at all.
    pub latitude_e6: Option<i32>,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: Option<i32>,
    /// How often it was opened again.
    pub reopened_count: u32,
    /// How often it was returned as resolved although it was not (R-RETURN-4).
    pub false_return_count: u32,
    /// Grows with every change.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Which orders a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkOrderFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// In one of these states; none means any.
    pub states: Vec<WorkOrderState>,
    /// With this tester only.
    pub assigned_to: Option<UserId>,
    /// Due before this instant only.
    pub due_before: Option<Timestamp>,
}

impl WorkOrderFilter {
    /// All orders of a scope.
    pub fn of(scope: RegionScope) -> Self {
        Self { scope, states: Vec::new(), assigned_to: None, due_before: None }
    }
}

impl WorkOrder {
    /// Its place on the map, if known.
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            latitude_e6: self.latitude_e6?,
            longitude_e6: self.longitude_e6?,
            accuracy_m: None,
            is_mock: false,
        })
    }

    /// The visit agreed on, if there is one.
    pub fn appointment(&self) -> Option<TimeWindow> {
        Some(TimeWindow { from: self.appointment_from?, until: self.appointment_until? })
    }
}

impl Tx {
    /// Adds an order.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the complaint has one, or the number is taken.
    pub fn work_order_insert(&mut self, order: &WorkOrder) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(work_orders::table)
                .values(row_values!(
                    work_orders,
                    order,
                    id,
                    complaint_id,
                    number,
                    state,
                    urgency,
                    region_id,
                    assigned_to,
                    assigned_at,
                    appointment_from,
                    appointment_until,
                    due_at,
                    field_test_id,
                    photo_consent,
                    return_reasons,
                    utc_offset_minutes,
                    address,
                    latitude_e6,
                    longitude_e6,
                    reopened_count,
                    false_return_count,
                    version,
                    created_at,
                    updated_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves an order that was read before, and raises its version. Complaint and number never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn work_order_update(&mut self, order: &mut WorkOrder) -> Result<(), StorageError> {
        let version = order.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                work_orders::table.find(bind(&order.id)).filter(work_orders::version.eq(bind(&order.version))),
            )
            .set((
                row_values!(
                    work_orders,
                    order,
                    state,
                    urgency,
                    region_id,
                    assigned_to,
                    assigned_at,
                    appointment_from,
                    appointment_until,
                    due_at,
                    field_test_id,
                    photo_consent,
                    return_reasons,
                    utc_offset_minutes,
                    address,
                    latitude_e6,
                    longitude_e6,
                    reopened_count,
                    false_return_count,
                    updated_at
                ),
                work_orders::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "work order")?;
        order.version = version;
        Ok(())
    }

    /// The order of an id.
    pub fn work_order_by_id(&mut self, id: WorkOrderId) -> Result<Option<WorkOrder>, StorageError> {
        self.run(|c| work_orders::table.find(bind(&id)).first(c).optional())
    }

    /// The order of an id, locked until the unit of work ends. Lock several in the order of their ids.
    pub fn work_order_lock(&mut self, id: WorkOrderId) -> Result<Option<WorkOrder>, StorageError> {
        self.run(|c| locked!(c, work_orders::table.find(bind(&id))))
    }

    /// Those of these orders that exist, locked until the unit of work ends, in the order of their ids. One query for all.
    pub fn work_order_list_lock(&mut self, ids: &[WorkOrderId]) -> Result<Vec<WorkOrder>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.run(|c| {
            locked_all!(
                c,
                work_orders::table.filter(work_orders::id.eq_any(ids.iter().map(bind))).order(work_orders::id)
            )
        })
    }

    /// The order that a complaint became.
    pub fn work_order_by_complaint(&mut self, id: ComplaintId) -> Result<Option<WorkOrder>, StorageError> {
        self.run(|c| work_orders::table.filter(work_orders::complaint_id.eq(bind(&id))).first(c).optional())
    }

    /// The orders that complaints became (at most 500).
    pub fn work_order_list_by_complaints(&mut self, ids: &[ComplaintId]) -> Result<Vec<WorkOrder>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| work_orders::table.filter(work_orders::complaint_id.eq_any(ids.iter().map(bind))).load(c))
    }

    /// The ids of the orders that complaints became, for a list of complaints (at most 500).
    pub fn work_order_ids_by_complaints(
        &mut self,
        ids: &[ComplaintId],
    ) -> Result<Vec<(ComplaintId, WorkOrderId)>, StorageError> {
        self.run(|c| {
            work_orders::table
                .filter(work_orders::complaint_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .select((work_orders::complaint_id, work_orders::id))
                .load(c)
        })
    }

    /// The order of an id with its complaint.
    pub fn work_order_with_complaint(
        &mut self,
        id: WorkOrderId,
    ) -> Result<Option<(WorkOrder, Complaint)>, StorageError> {
        self.run(|c| {
            work_orders::table
                .inner_join(complaints::table.on(complaints::id.eq(work_orders::complaint_id)))
                .filter(work_orders::id.eq(bind(&id)))
                .select((work_orders::all_columns, complaints::all_columns))
                .first(c)
                .optional()
        })
    }

    /// Orders with their complaints, newest first.
    pub fn work_order_list(
        &mut self,
        filter: &WorkOrderFilter,
        page: &Page<WorkOrderId>,
    ) -> Result<Vec<(WorkOrder, Complaint)>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = work_orders::table
                .inner_join(complaints::table.on(complaints::id.eq(work_orders::complaint_id)))
                .select((work_orders::all_columns, complaints::all_columns))
                .into_boxed();
            let mut query = in_scope!(joined, work_orders::region_id, &filter.scope, regions);
            if !filter.states.is_empty() {
                query = query.filter(work_orders::state.eq_any(filter.states.iter().map(bind)));
            }
            if filter.assigned_to.is_some() {
                query = query.filter(work_orders::assigned_to.eq(bind(&filter.assigned_to)));
            }
            if filter.due_before.is_some() {
                query = query.filter(work_orders::due_at.lt(bind(&filter.due_before)));
            }
            keyset!(query, work_orders, created_at, id, page).load(c)
        })
    }

    /// The orders that these testers (at most 500) have in hand in one of these states, in the order of their ids.
    pub fn work_order_list_by_testers(
        &mut self,
        testers: &[UserId],
        states: &[WorkOrderState],
    ) -> Result<Vec<WorkOrder>, StorageError> {
        let testers: Vec<_> = testers.iter().take(MAX_PAGE as usize).copied().map(Some).collect();
        self.run(|c| {
            work_orders::table
                .filter(work_orders::assigned_to.eq_any(testers.iter().map(bind)))
                .filter(work_orders::state.eq_any(states.iter().map(bind)))
                .order(work_orders::id)
                .load(c)
        })
    }

    /// The orders that are with a tester in the field, in the order of their ids, at most 500 after `after`.
    pub fn work_order_ids_in_field(
        &mut self,
        tester_id: UserId,
        after: Option<WorkOrderId>,
    ) -> Result<Vec<WorkOrderId>, StorageError> {
        let after = after.unwrap_or(WorkOrderId::NIL);
        let states: Vec<_> = WorkOrderState::ALL.iter().copied().filter(|state| state.is_in_field()).collect();
        self.run(|c| {
            work_orders::table
                .filter(work_orders::assigned_to.eq(bind(&Some(tester_id))))
                .filter(work_orders::state.eq_any(states.iter().map(bind)))
                .filter(work_orders::id.gt(bind(&after)))
                .select(work_orders::id)
                .order(work_orders::id)
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
