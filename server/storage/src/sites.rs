//! Sites of the network as they were imported. What does not belong here: when they are down (`site_outages`), rules.

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, updated};
use crate::schema::sites;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{RegionId, SiteId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// Most sites that a look around a place returns.
const MAX_NEAR: i64 = 5_000;

/// A site.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// The code by which the network's own systems know it; unique.
    pub code: String,
    /// The name that people say.
    pub name: String,
    /// The region in which it lies, if any.
    pub region_id: Option<RegionId>,
    /// Latitude in 1e-6 degrees.
    pub latitude_e6: i32,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: i32,
    /// What it is, in the word of the rules (`macro` …).
    pub kind: String,
    /// Handled before others (R-SUPERVISE-2).
    pub is_key: bool,
    /// What is planned with it, in the word of the rules (`none`, `planned_build`, `relocation`).
    pub plan: String,
    /// When it was first imported.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// Which sites a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// Only key sites, or only others.
    pub is_key: Option<bool>,
    /// Only with one of these plans; none means any.
    pub plans: Vec<String>,
}

impl Site {
    /// Its place on the map.
    pub fn position(&self) -> Position {
        Position { latitude_e6: self.latitude_e6, longitude_e6: self.longitude_e6, accuracy_m: None, is_mock: false }
    }
}

impl Tx {
    /// Adds a site.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the code is taken.
    pub fn site_insert(&mut self, site: &Site) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(sites::table)
                .values(row_values!(
                    sites,
                    site,
                    id,
                    code,
                    name,
                    region_id,
                    latitude_e6,
                    longitude_e6,
                    kind,
                    is_key,
                    plan,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a site that was read before, and raises its version. The code never changes.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn site_update(&mut self, site: &mut Site) -> Result<(), StorageError> {
        let next = Site { version: site.version + 1, ..site.clone() };
        let rows = self.run(|c| {
            diesel::update(sites::table.find(bind(&site.id)).filter(sites::version.eq(bind(&site.version))))
                .set(row_values!(
                    sites,
                    next,
                    name,
                    region_id,
                    latitude_e6,
                    longitude_e6,
                    kind,
                    is_key,
                    plan,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "site")?;
        *site = next;
        Ok(())
    }

    /// The site of an id.
    pub fn site_by_id(&mut self, id: SiteId) -> Result<Option<Site>, StorageError> {
        self.run(|c| sites::table.find(bind(&id)).first(c).optional())
    }

    /// The site of a code, locked until the unit of work ends. Lock several in the order of their codes.
    pub fn site_lock_by_code(&mut self, code: &str) -> Result<Option<Site>, StorageError> {
        self.run(|c| locked!(c, sites::table.filter(sites::code.eq(bind(code)))))
    }

    /// The sites of these ids (at most 500).
    pub fn site_list_by_ids(&mut self, ids: &[SiteId]) -> Result<Vec<Site>, StorageError> {
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| sites::table.filter(sites::id.eq_any(ids.iter().map(bind))).order(sites::code).load(c))
    }

    /// Sites, newest first.
    pub fn site_list(&mut self, filter: &SiteFilter, page: &Page<SiteId>) -> Result<Vec<Site>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = in_scope!(sites::table.into_boxed(), sites::region_id, &filter.scope, regions);
            if let Some(is_key) = filter.is_key {
                query = query.filter(sites::is_key.eq(is_key));
            }
            if !filter.plans.is_empty() {
                query = query.filter(sites::plan.eq_any(filter.plans.iter().map(bind)));
            }
            keyset!(query, sites, created_at, id, page).load(c)
        })
    }

    /// The sites in a box of coordinates (south-west and north-east corner), by code, at most 5,000.
    pub fn site_list_near(
        &mut self,
        south_west: (i32, i32),
        north_east: (i32, i32),
    ) -> Result<Vec<Site>, StorageError> {
        self.run(|c| {
            sites::table
                .filter(sites::latitude_e6.ge(south_west.0).and(sites::latitude_e6.le(north_east.0)))
                .filter(sites::longitude_e6.ge(south_west.1).and(sites::longitude_e6.le(north_east.1)))
                .order(sites::code)
                .limit(MAX_NEAR)
                .load(c)
        })
    }
}
