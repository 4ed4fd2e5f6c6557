//! Outages of sites, pushed by whoever watches the network. What does not belong here: what is too long (`workflow`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, RegionScope, in_scope, updated};
use crate::schema::{site_outages, sites};
use crate::sites::Site;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{SiteId, SiteOutageId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// Most outages that are open at the same time and looked at together.
const MAX_OPEN: i64 = 10_000;

/// One outage, as one system saw it; several may be of the same fault.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct SiteOutage {
    /// Its id.
    pub id: SiteOutageId,
    /// The site.
    pub site_id: SiteId,
    /// Who pushed it.
    pub source_id: UserId,
    /// The pusher's own number; unique per source.
    pub reference: String,
    /// Why, as far as known; may be empty.
    pub cause: String,
    /// Down since then.
    pub began_at: Timestamp,
    /// Up again then; absent while it is down.
    pub ended_at: Option<Timestamp>,
    /// When it was first pushed.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Records an outage.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the source used the reference before.
    pub fn site_outage_insert(&mut self, outage: &SiteOutage) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(site_outages::table)
                .values(row_values!(
                    site_outages,
                    outage,
                    id,
                    site_id,
                    source_id,
                    reference,
                    cause,
                    began_at,
                    ended_at,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves an outage's cause, beginning and end, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn site_outage_update(&mut self, outage: &mut SiteOutage) -> Result<(), StorageError> {
        let next = SiteOutage { version: outage.version + 1, ..outage.clone() };
        let rows = self.run(|c| {
            diesel::update(
                site_outages::table.find(bind(&outage.id)).filter(site_outages::version.eq(bind(&outage.version))),
            )
            .set(row_values!(site_outages, next, cause, began_at, ended_at, updated_at, version))
            .execute(c)
        })?;
        updated(rows, "outage")?;
        *outage = next;
        Ok(())
    }

    /// The outage that a source pushed under a reference, locked until the unit of work ends.
    pub fn site_outage_lock_by_reference(
        &mut self,
        source_id: UserId,
        reference: &str,
    ) -> Result<Option<SiteOutage>, StorageError> {
        self.run(|c| {
            locked!(
                c,
                site_outages::table
                    .filter(site_outages::source_id.eq(bind(&source_id)))
                    .filter(site_outages::reference.eq(bind(reference)))
            )
        })
    }

    /// A site's outages, newest first, at most 500.
    pub fn site_outage_list_by_site(&mut self, id: SiteId) -> Result<Vec<SiteOutage>, StorageError> {
        self.run(|c| {
            site_outages::table
                .filter(site_outages::site_id.eq(bind(&id)))
                .order((site_outages::began_at.desc(), site_outages::id.desc()))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Outages without an end, with their sites, the longest first, at most 10,000.
    pub fn site_outage_list_open(&mut self, scope: &RegionScope) -> Result<Vec<(SiteOutage, Site)>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = site_outages::table
                .inner_join(sites::table.on(sites::id.eq(site_outages::site_id)))
                .filter(site_outages::ended_at.is_null())
                .select((site_outages::all_columns, sites::all_columns))
                .into_boxed();
            in_scope!(joined, sites::region_id, scope, regions)
                .order((site_outages::began_at, site_outages::id))
                .limit(MAX_OPEN)
                .load(c)
        })
    }
}
