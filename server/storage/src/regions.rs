//! Regions and their polygons. What does not belong here: geometry; `region_candidates_at` narrows by bounding box only.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, keyset, updated};
use crate::schema::regions;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A region with its polygon.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Region {
    /// Its id.
    pub id: RegionId,
    /// Its name, unique.
    pub name: String,
    /// GeoJSON geometry, Polygon or MultiPolygon, WGS-84.
    pub boundary: serde_json::Value,
    /// South edge of the bounding box, 1e-6 degrees.
    pub min_latitude_e6: i32,
    /// North edge of the bounding box, 1e-6 degrees.
    pub max_latitude_e6: i32,
    /// West edge of the bounding box, 1e-6 degrees.
    pub min_longitude_e6: i32,
    /// East edge of the bounding box, 1e-6 degrees.
    pub max_longitude_e6: i32,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Adds a region.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the name is taken.
    pub fn region_insert(&mut self, region: &Region) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(regions::table)
                .values(row_values!(
                    regions,
                    region,
                    id,
                    name,
                    boundary,
                    min_latitude_e6,
                    max_latitude_e6,
                    min_longitude_e6,
                    max_longitude_e6,
                    utc_offset_minutes,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a region that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn region_update(&mut self, region: &mut Region) -> Result<(), StorageError> {
        let next = Region { version: region.version + 1, ..region.clone() };
        let rows = self.run(|c| {
            diesel::update(regions::table.find(bind(&region.id)).filter(regions::version.eq(bind(&region.version))))
                .set(row_values!(
                    regions,
                    next,
                    name,
                    boundary,
                    min_latitude_e6,
                    max_latitude_e6,
                    min_longitude_e6,
                    max_longitude_e6,
                    utc_offset_minutes,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "region")?;
        *region = next;
        Ok(())
    }

    /// The region of an id.
    pub fn region_by_id(&mut self, id: RegionId) -> Result<Option<Region>, StorageError> {
        self.run(|c| regions::table.find(bind(&id)).first(c).optional())
    }

    /// Regions, newest first.
    pub fn region_list(&mut self, page: &Page<RegionId>) -> Result<Vec<Region>, StorageError> {
        self.run(|c| keyset!(regions::table.into_boxed(), regions, created_at, id, page).load(c))
    }

    /// The regions whose bounding box holds a point, in the order of their ids; the caller tests the polygons.
    pub fn region_candidates_at(&mut self, latitude_e6: i32, longitude_e6: i32) -> Result<Vec<Region>, StorageError> {
        self.run(|c| {
            regions::table
                .filter(regions::min_latitude_e6.le(latitude_e6).and(regions::max_latitude_e6.ge(latitude_e6)))
                .filter(regions::min_longitude_e6.le(longitude_e6).and(regions::max_longitude_e6.ge(longitude_e6)))
                .order(regions::id)
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
