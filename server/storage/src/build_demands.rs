//! Demands to build, and what the board decided of them (R-LADDER-3). Decisions are appended, never edited. What does not belong
//! here: when one may be filed and what follows from a decision (`workflow`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, updated};
use crate::schema::{build_demand_decisions, build_demands, complaints, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{BuildDemandId, FieldTestId, RegionId, ReviewMeetingId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

/// A demand.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct BuildDemand {
    /// Its id.
    pub id: BuildDemandId,
    /// The number that people say, such as `BD-20261121-00042`.
    pub number: String,
    /// The order whose problem needs it.
    pub work_order_id: WorkOrderId,
    /// Whose board hears it.
    pub region_id: RegionId,
    /// Where it stands, in the word of the rules (`filed` …).
    pub state: String,
    /// What is to be built.
    pub demand: String,
    /// Latitude in 1e-6 degrees.
    pub latitude_e6: i32,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: i32,
    /// The approved tests that show the need.
    pub field_tests: Vec<FieldTestId>,
    /// Competitors' and the tower company's resources that could be used.
    pub shareable_resources: String,
    /// How many customers suffer near the place.
    pub affected_customers: u64,
    /// The meeting that is to hear it next, or that decided.
    pub review_meeting_id: ReviewMeetingId,
    /// How often it was deferred.
    pub deferred_count: u64,
    /// Who filed it.
    pub filed_by: UserId,
    /// When.
    pub filed_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// What a meeting decided of a demand.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct BuildDemandDecision {
    /// Its id.
    pub id: Uuid,
    /// The demand.
    pub build_demand_id: BuildDemandId,
    /// The meeting.
    pub review_meeting_id: ReviewMeetingId,
    /// What, in the word of the rules (`accept` …).
    pub decision: String,
    /// Why.
    pub reason: String,
    /// Who recorded it.
    pub decided_by: UserId,
    /// When.
    pub decided_at: Timestamp,
}

/// A place's surroundings, by whole coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// From this latitude, in 1e-6 degrees, inclusive.
    pub south_e6: i32,
    /// To this latitude, inclusive.
    pub north_e6: i32,
    /// From this longitude, inclusive.
    pub west_e6: i32,
    /// To this longitude, inclusive.
    pub east_e6: i32,
}

impl Tx {
    /// Adds a demand.
    pub fn build_demand_insert(&mut self, demand: &BuildDemand) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(build_demands::table)
                .values(row_values!(
                    build_demands,
                    demand,
                    id,
                    number,
                    work_order_id,
                    region_id,
                    state,
                    demand,
                    latitude_e6,
                    longitude_e6,
                    field_tests,
                    shareable_resources,
                    affected_customers,
                    review_meeting_id,
                    deferred_count,
                    filed_by,
                    filed_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves where a demand stands, and raises its version. What it says never changes.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn build_demand_update(&mut self, demand: &mut BuildDemand) -> Result<(), StorageError> {
        let version = demand.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                build_demands::table.find(bind(&demand.id)).filter(build_demands::version.eq(bind(&demand.version))),
            )
            .set((
                row_values!(build_demands, demand, state, review_meeting_id, deferred_count, updated_at),
                build_demands::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "build demand")?;
        demand.version = version;
        Ok(())
    }

    /// The demand of an id.
    pub fn build_demand_by_id(&mut self, id: BuildDemandId) -> Result<Option<BuildDemand>, StorageError> {
        self.run(|c| build_demands::table.find(bind(&id)).first(c).optional())
    }

    /// The demand of an id, locked until the unit of work ends. Lock its order and its meeting first.
    pub fn build_demand_lock(&mut self, id: BuildDemandId) -> Result<Option<BuildDemand>, StorageError> {
        self.run(|c| locked!(c, build_demands::table.find(bind(&id))))
    }

    /// An order's demands, oldest first, at most 500.
    pub fn build_demand_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<BuildDemand>, StorageError> {
        self.run(|c| {
            build_demands::table
                .filter(build_demands::work_order_id.eq(bind(&id)))
                .order((build_demands::filed_at, build_demands::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The demands that a meeting is to hear, or whose last word it spoke, in the order in which they were filed, at most 500.
    pub fn build_demand_list_by_meeting(&mut self, id: ReviewMeetingId) -> Result<Vec<BuildDemand>, StorageError> {
        self.run(|c| {
            build_demands::table
                .filter(build_demands::review_meeting_id.eq(bind(&id)))
                .order((build_demands::filed_at, build_demands::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Demands of the scope, newest first; in one state, or in all.
    pub fn build_demand_list(
        &mut self,
        scope: &RegionScope,
        state: Option<&str>,
        page: &Page<BuildDemandId>,
    ) -> Result<Vec<BuildDemand>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query =
                in_scope!(build_demands::table.into_boxed(), build_demands::region_id.nullable(), scope, regions);
            if let Some(state) = state {
                query = query.filter(build_demands::state.eq(bind(state)));
            }
            keyset!(query, build_demands, filed_at, id, page).load(c)
        })
    }

    /// Records a decision.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if this meeting decided of the demand already.
    pub fn build_demand_decision_insert(&mut self, decision: &BuildDemandDecision) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(build_demand_decisions::table)
                .values(row_values!(
                    build_demand_decisions,
                    decision,
                    id,
                    build_demand_id,
                    review_meeting_id,
                    decision,
                    reason,
                    decided_by,
                    decided_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// What was decided of a demand, oldest first, at most 500.
    pub fn build_demand_decision_list(&mut self, id: BuildDemandId) -> Result<Vec<BuildDemandDecision>, StorageError> {
        self.run(|c| {
            build_demand_decisions::table
                .filter(build_demand_decisions::build_demand_id.eq(bind(&id)))
                .order((build_demand_decisions::decided_at, build_demand_decisions::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// What a meeting decided, in the order in which it did, at most 500.
    pub fn build_demand_decision_list_by_meeting(
        &mut self,
        id: ReviewMeetingId,
    ) -> Result<Vec<BuildDemandDecision>, StorageError> {
        self.run(|c| {
            build_demand_decisions::table
                .filter(build_demand_decisions::review_meeting_id.eq(bind(&id)))
                .order((build_demand_decisions::decided_at, build_demand_decisions::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Who has complained of the network in a rectangle since an instant: each complaint's place, and a number for its customer
    /// that is the same for the same telephone number. The telephone numbers themselves do not leave here (R-PRIVACY-1).
    pub fn complainants_near(
        &mut self,
        place: &Surroundings,
        since: Timestamp,
    ) -> Result<Vec<(i32, i32, usize)>, StorageError> {
        let rows: Vec<(Option<i32>, Option<i32>, String)> = self.run(|c| {
            work_orders::table
                .inner_join(complaints::table.on(complaints::id.eq(work_orders::complaint_id)))
                .filter(work_orders::latitude_e6.between(Some(place.south_e6), Some(place.north_e6)))
                .filter(work_orders::longitude_e6.between(Some(place.west_e6), Some(place.east_e6)))
                .filter(work_orders::created_at.ge(bind(&since)))
                .select((work_orders::latitude_e6, work_orders::longitude_e6, complaints::customer_phone))
                .load(c)
        })?;
        let mut known = std::collections::HashMap::new();
        Ok(rows
            .into_iter()
            .enumerate()
            .filter_map(|(row, (latitude, longitude, phone))| {
                // Whose number was erased is somebody, though nobody knows who.
                let customer = if phone.is_empty() { row } else { *known.entry(phone).or_insert(row) };
                Some((latitude?, longitude?, customer))
            })
            .collect())
    }
}
