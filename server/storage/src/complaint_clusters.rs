//! Clusters of complaints and their members; the points that they are found among. What does not belong here: finding them.

use crate::complaints::{ComplaintClass, ComplaintState};
use crate::connection::{AnyConnection, Tx, each_backend};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::{complaint_cluster_members, complaint_clusters, complaints, regions, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintClusterId, ComplaintId, RegionId, WorkOrderId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{Symptom, WorkOrderState};
use diesel::prelude::*;

/// Most points of one region that are looked at together.
const MAX_POINTS: i64 = 200_000;
/// Rows of one insertion.
const CHUNK: usize = 500;

/// A crowd of complaints in space and time.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct ComplaintCluster {
    /// Its id; the same as long as its complaints overlap those of the run before.
    pub id: ComplaintClusterId,
    /// The region.
    pub region_id: RegionId,
    /// Where it stands, in the word of the rules (`active`, `dissolved`).
    pub state: String,
    /// Latitude of the complaints' mean, 1e-6 degrees.
    pub centre_latitude_e6: i32,
    /// Longitude of the complaints' mean, 1e-6 degrees.
    pub centre_longitude_e6: i32,
    /// Metres from the centre to the farthest complaint.
    pub radius_m: u32,
    /// How many complaints.
    pub complaint_count: u32,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the last came.
    pub last_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// When it was no longer there.
    pub dissolved_at: Option<Timestamp>,
    /// What swallowed it.
    pub successor_id: Option<ComplaintClusterId>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl ComplaintCluster {
    /// The complaints' mean.
    pub fn centre(&self) -> Position {
        Position {
            latitude_e6: self.centre_latitude_e6,
            longitude_e6: self.centre_longitude_e6,
            accuracy_m: None,
            is_mock: false,
        }
    }
}

/// A complaint as a point in space and time, with what its order knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedComplaint {
    /// The complaint.
    pub id: ComplaintId,
    /// When it came.
    pub received_at: Timestamp,
    /// The order's place, else the complaint's.
    pub position: Position,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// The order and where it stands.
    pub order: Option<(WorkOrderId, WorkOrderState)>,
}

type PointRow = (
    ComplaintId,
    Timestamp,
    Symptom,
    Option<i32>,
    Option<i32>,
    Option<WorkOrderId>,
    Option<WorkOrderState>,
    Option<i32>,
    Option<i32>,
);

impl Tx {
    /// Holds a region's overview until the unit of work ends, so that two servers do not recompute it at the same time. Others may
    /// go on adding complaints and orders to the region.
    pub fn region_overview_lock(&mut self, id: RegionId) -> Result<bool, StorageError> {
        self.run(|c| {
            let query = regions::table.find(bind(&id)).select(regions::id);
            let found: Option<RegionId> = match c {
                AnyConnection::Sqlite(c) => query.first(c).optional()?,
                AnyConnection::Postgres(c) => query.for_no_key_update().first(c).optional()?,
            };
            Ok(found.is_some())
        })
    }

    /// A region's complaints about the network that have a place and came since an instant, oldest first, at most 200,000. Withdrawn
    /// ones and those of another class do not count; those nobody has classified yet do.
    pub fn complaint_list_located(
        &mut self,
        region_id: RegionId,
        since: Timestamp,
    ) -> Result<Vec<LocatedComplaint>, StorageError> {
        let region_id = Some(region_id);
        let rows: Vec<PointRow> = self.run(|c| {
            complaints::table
                .left_join(work_orders::table.on(work_orders::complaint_id.eq(complaints::id)))
                .filter(complaints::region_id.eq(bind(&region_id)))
                .filter(complaints::received_at.ge(bind(&since)))
                .filter(complaints::state.ne(bind(&ComplaintState::Withdrawn)))
                .filter(complaints::class.is_null().or(complaints::class.eq(bind(&Some(ComplaintClass::Network)))))
                .order((complaints::received_at, complaints::id))
                .limit(MAX_POINTS)
                .select((
                    complaints::id,
                    complaints::received_at,
                    complaints::symptom,
                    complaints::latitude_e6,
                    complaints::longitude_e6,
                    work_orders::id.nullable(),
                    work_orders::state.nullable(),
                    work_orders::latitude_e6.nullable(),
                    work_orders::longitude_e6.nullable(),
                ))
                .load(c)
        })?;
        let located =
            |(id, received_at, symptom, latitude, longitude, order, state, order_latitude, order_longitude)| {
                let place = |latitude: Option<i32>, longitude: Option<i32>| {
                    Some(Position {
                        latitude_e6: latitude?,
                        longitude_e6: longitude?,
                        accuracy_m: None,
                        is_mock: false,
                    })
                };
                let position = place(order_latitude, order_longitude).or_else(|| place(latitude, longitude))?;
                Some(LocatedComplaint { id, received_at, position, symptom, order: Option::zip(order, state) })
            };
        Ok(rows.into_iter().filter_map(|row: PointRow| located(row)).collect())
    }

    /// How many of a region's complaints came in a window (from inclusive, until exclusive), by what the customer suffers from.
    pub fn complaint_count_by_symptom(
        &mut self,
        region_id: RegionId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Symptom, u64)>, StorageError> {
        let region_id = Some(region_id);
        let rows: Vec<(Symptom, i64)> = self.run(|c| {
            complaints::table
                .filter(complaints::region_id.eq(bind(&region_id)))
                .filter(complaints::received_at.ge(bind(&from)).and(complaints::received_at.lt(bind(&until))))
                .group_by(complaints::symptom)
                .select((complaints::symptom, diesel::dsl::count_star()))
                .load(c)
        })?;
        Ok(rows.into_iter().map(|(symptom, count)| (symptom, count.unsigned_abs())).collect())
    }

    /// Records a cluster.
    pub fn complaint_cluster_insert(&mut self, cluster: &ComplaintCluster) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(complaint_clusters::table)
                .values(row_values!(
                    complaint_clusters,
                    cluster,
                    id,
                    region_id,
                    state,
                    centre_latitude_e6,
                    centre_longitude_e6,
                    radius_m,
                    complaint_count,
                    first_at,
                    last_at,
                    found_at,
                    dissolved_at,
                    successor_id,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a cluster that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn complaint_cluster_update(&mut self, cluster: &mut ComplaintCluster) -> Result<(), StorageError> {
        let next = ComplaintCluster { version: cluster.version + 1, ..cluster.clone() };
        let rows = self.run(|c| {
            diesel::update(
                complaint_clusters::table
                    .find(bind(&cluster.id))
                    .filter(complaint_clusters::version.eq(bind(&cluster.version))),
            )
            .set(row_values!(
                complaint_clusters,
                next,
                state,
                centre_latitude_e6,
                centre_longitude_e6,
                radius_m,
                complaint_count,
                first_at,
                last_at,
                dissolved_at,
                successor_id,
                updated_at,
                version
            ))
            .execute(c)
        })?;
        updated(rows, "cluster")?;
        *cluster = next;
        Ok(())
    }

    /// The cluster of an id.
    pub fn complaint_cluster_by_id(
        &mut self,
        id: ComplaintClusterId,
    ) -> Result<Option<ComplaintCluster>, StorageError> {
        self.run(|c| complaint_clusters::table.find(bind(&id)).first(c).optional())
    }

    /// A region's clusters in a state, the oldest first.
    pub fn complaint_cluster_list_by_region(
        &mut self,
        region_id: RegionId,
        state: &str,
    ) -> Result<Vec<ComplaintCluster>, StorageError> {
        self.run(|c| {
            complaint_clusters::table
                .filter(complaint_clusters::region_id.eq(bind(&region_id)))
                .filter(complaint_clusters::state.eq(bind(state)))
                .order((complaint_clusters::found_at, complaint_clusters::id))
                .load(c)
        })
    }

    /// Clusters, those found last first.
    pub fn complaint_cluster_list(
        &mut self,
        scope: &RegionScope,
        state: Option<&str>,
        page: &Page<ComplaintClusterId>,
    ) -> Result<Vec<ComplaintCluster>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = complaint_clusters::table.into_boxed();
            if let Some(state) = state {
                query = query.filter(complaint_clusters::state.eq(bind(state)));
            }
            let query = in_scope!(query, complaint_clusters::region_id.nullable(), scope, regions);
            keyset!(query, complaint_clusters, found_at, id, page).load(c)
        })
    }

    /// A cluster's complaints, in the order of their ids.
    pub fn complaint_cluster_members(&mut self, id: ComplaintClusterId) -> Result<Vec<ComplaintId>, StorageError> {
        self.run(|c| {
            complaint_cluster_members::table
                .filter(complaint_cluster_members::cluster_id.eq(bind(&id)))
                .order(complaint_cluster_members::complaint_id)
                .select(complaint_cluster_members::complaint_id)
                .load(c)
        })
    }

    /// Replaces a cluster's complaints.
    pub fn complaint_cluster_members_replace(
        &mut self,
        id: ComplaintClusterId,
        members: &[ComplaintId],
    ) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::delete(complaint_cluster_members::table.filter(complaint_cluster_members::cluster_id.eq(bind(&id))))
                .execute(c)
        })?;
        for chunk in members.chunks(CHUNK) {
            self.run(|c| {
                let values: Vec<_> = chunk
                    .iter()
                    .map(|member| {
                        (
                            complaint_cluster_members::cluster_id.eq(bind(&id)),
                            complaint_cluster_members::complaint_id.eq(bind(member)),
                        )
                    })
                    .collect();
                each_backend!(c, |c| diesel::insert_into(complaint_cluster_members::table).values(values).execute(c))
            })?;
        }
        Ok(())
    }
}
