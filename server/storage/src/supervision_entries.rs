//! The supervision list (三超督办): what is on it, and what was cleared (R-SUPERVISE-1). What does not belong here: rules.

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::supervision_entries;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintClusterId, RegionId, SiteId, SupervisionEntryId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct SupervisionEntry {
    /// Its id.
    pub id: SupervisionEntryId,
    /// The region.
    pub region_id: RegionId,
    /// The cluster of complaints.
    pub cluster_id: ComplaintClusterId,
    /// Why, in the word of the rules (`faulty_site`, `weak_coverage`).
    pub reason: String,
    /// The faulty site, where that is the reason.
    pub site_id: Option<SiteId>,
    /// Where it stands, in the word of the rules (`listed`, `cleared`).
    pub state: String,
    /// Complaints of the cluster when it was last looked at.
    pub complaint_count: u32,
    /// The fault or the weak coverage stood when it was last looked at.
    pub is_cause_standing: bool,
    /// When it entered the list.
    pub listed_at: Timestamp,
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
    /// By whom.
    pub cleared_by: Option<UserId>,
    /// With what.
    pub what_cleared_it: Option<String>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Puts something on the list.
    pub fn supervision_entry_insert(&mut self, entry: &SupervisionEntry) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(supervision_entries::table)
                .values(row_values!(
                    supervision_entries,
                    entry,
                    id,
                    region_id,
                    cluster_id,
                    reason,
                    site_id,
                    state,
                    complaint_count,
                    is_cause_standing,
                    listed_at,
                    cleared_at,
                    cleared_by,
                    what_cleared_it,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves an entry that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn supervision_entry_update(&mut self, entry: &mut SupervisionEntry) -> Result<(), StorageError> {
        let next = SupervisionEntry { version: entry.version + 1, ..entry.clone() };
        let rows = self.run(|c| {
            diesel::update(
                supervision_entries::table
                    .find(bind(&entry.id))
                    .filter(supervision_entries::version.eq(bind(&entry.version))),
            )
            .set(row_values!(
                supervision_entries,
                next,
                cluster_id,
                state,
                complaint_count,
                is_cause_standing,
                cleared_at,
                cleared_by,
                what_cleared_it,
                updated_at,
                version
            ))
            .execute(c)
        })?;
        updated(rows, "supervision entry")?;
        *entry = next;
        Ok(())
    }

    /// The entry of an id.
    pub fn supervision_entry_by_id(
        &mut self,
        id: SupervisionEntryId,
    ) -> Result<Option<SupervisionEntry>, StorageError> {
        self.run(|c| supervision_entries::table.find(bind(&id)).first(c).optional())
    }

    /// The entry of an id, locked until the unit of work ends.
    pub fn supervision_entry_lock(&mut self, id: SupervisionEntryId) -> Result<Option<SupervisionEntry>, StorageError> {
        self.run(|c| locked!(c, supervision_entries::table.find(bind(&id))))
    }

    /// A region's entries in a state, the oldest first.
    pub fn supervision_entry_list_by_region(
        &mut self,
        region_id: RegionId,
        state: &str,
    ) -> Result<Vec<SupervisionEntry>, StorageError> {
        self.run(|c| {
            supervision_entries::table
                .filter(supervision_entries::region_id.eq(bind(&region_id)))
                .filter(supervision_entries::state.eq(bind(state)))
                .order((supervision_entries::listed_at, supervision_entries::id))
                .load(c)
        })
    }

    /// Entries, those listed last first.
    pub fn supervision_entry_list(
        &mut self,
        scope: &RegionScope,
        state: Option<&str>,
        page: &Page<SupervisionEntryId>,
    ) -> Result<Vec<SupervisionEntry>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = supervision_entries::table.into_boxed();
            if let Some(state) = state {
                query = query.filter(supervision_entries::state.eq(bind(state)));
            }
            let query = in_scope!(query, supervision_entries::region_id.nullable(), scope, regions);
            keyset!(query, supervision_entries, listed_at, id, page).load(c)
        })
    }
}
