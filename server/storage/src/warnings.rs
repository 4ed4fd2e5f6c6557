//! Early warnings (R-WARN-1) and their report. What does not belong here: when one is raised (`workflow`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::warnings;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{RegionId, UserId, WarningId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Symptom;
use diesel::prelude::*;

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Warning {
    /// Its id.
    pub id: WarningId,
    /// The region.
    pub region_id: RegionId,
    /// The complaint type.
    pub symptom: Symptom,
    /// Where it stands, in the word of the rules (`draft` …).
    pub state: String,
    /// How far above its base, in the word of the rules (`notice` …).
    pub level: String,
    /// Begin of the window that was counted last, inclusive.
    pub window_from: Timestamp,
    /// Its end, exclusive.
    pub window_until: Timestamp,
    /// Complaints in that window.
    pub complaint_count: u32,
    /// The most that a window held since it was raised.
    pub peak_count: u32,
    /// Complaints of the half-year before the window.
    pub half_year_count: u64,
    /// The mean of one window over that half-year, in thousandths.
    pub base_thousandths: u64,
    /// The local day on which it was raised, counted from 1970-01-01.
    pub raised_day: i32,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// Who looked at it.
    pub reviewed_by: Option<UserId>,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// What was found.
    pub review_note: Option<String>,
    /// Who let it out.
    pub published_by: Option<UserId>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// To whom: ids of users.
    pub recipients: Vec<String>,
    /// Who did not let it out.
    pub dismissed_by: Option<UserId>,
    /// When.
    pub dismissed_at: Option<Timestamp>,
    /// Why not.
    pub dismiss_reason: Option<String>,
    /// When the count had fallen again; absent while it is above.
    pub recovered_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// Which warnings a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarningFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// In this state only.
    pub state: Option<String>,
    /// Of this complaint type only.
    pub symptom: Option<Symptom>,
}

/// How many warnings of one kind were raised on one day.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct WarningCount {
    /// The local day, counted from 1970-01-01.
    pub raised_day: i32,
    /// The region.
    pub region_id: RegionId,
    /// The complaint type.
    pub symptom: Symptom,
    /// Their level.
    pub level: String,
    /// Where they stand now.
    pub state: String,
    /// How many.
    pub count: i64,
}

impl Tx {
    /// Raises a warning.
    pub fn warning_insert(&mut self, warning: &Warning) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(warnings::table)
                .values(row_values!(
                    warnings,
                    warning,
                    id,
                    region_id,
                    symptom,
                    state,
                    level,
                    window_from,
                    window_until,
                    complaint_count,
                    peak_count,
                    half_year_count,
                    base_thousandths,
                    raised_day,
                    raised_at,
                    reviewed_by,
                    reviewed_at,
                    review_note,
                    published_by,
                    published_at,
                    recipients,
                    dismissed_by,
                    dismissed_at,
                    dismiss_reason,
                    recovered_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a warning that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn warning_update(&mut self, warning: &mut Warning) -> Result<(), StorageError> {
        let next = Warning { version: warning.version + 1, ..warning.clone() };
        let rows = self.run(|c| {
            diesel::update(warnings::table.find(bind(&warning.id)).filter(warnings::version.eq(bind(&warning.version))))
                .set(row_values!(
                    warnings,
                    next,
                    state,
                    level,
                    window_from,
                    window_until,
                    complaint_count,
                    peak_count,
                    half_year_count,
                    base_thousandths,
                    reviewed_by,
                    reviewed_at,
                    review_note,
                    published_by,
                    published_at,
                    recipients,
                    dismissed_by,
                    dismissed_at,
                    dismiss_reason,
                    recovered_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "warning")?;
        *warning = next;
        Ok(())
    }

    /// The warning of an id.
    pub fn warning_by_id(&mut self, id: WarningId) -> Result<Option<Warning>, StorageError> {
        self.run(|c| warnings::table.find(bind(&id)).first(c).optional())
    }

    /// The warning of an id, locked until the unit of work ends.
    pub fn warning_lock(&mut self, id: WarningId) -> Result<Option<Warning>, StorageError> {
        self.run(|c| locked!(c, warnings::table.find(bind(&id))))
    }

    /// A region's warnings whose count has not fallen again, whatever became of them, the oldest first.
    pub fn warning_list_standing(&mut self, region_id: RegionId) -> Result<Vec<Warning>, StorageError> {
        self.run(|c| {
            warnings::table
                .filter(warnings::region_id.eq(bind(&region_id)))
                .filter(warnings::recovered_at.is_null())
                .order((warnings::raised_at, warnings::id))
                .load(c)
        })
    }

    /// Warnings, those raised last first.
    pub fn warning_list(
        &mut self,
        filter: &WarningFilter,
        page: &Page<WarningId>,
    ) -> Result<Vec<Warning>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = warnings::table.into_boxed();
            if let Some(state) = &filter.state {
                query = query.filter(warnings::state.eq(bind(state)));
            }
            if let Some(symptom) = &filter.symptom {
                query = query.filter(warnings::symptom.eq(bind(symptom)));
            }
            let query = in_scope!(query, warnings::region_id.nullable(), &filter.scope, regions);
            keyset!(query, warnings, raised_at, id, page).load(c)
        })
    }

    /// How many warnings were raised on the days from `from_day` to `until_day` (both inclusive), by day, region, type, level and state.
    pub fn warning_count(
        &mut self,
        scope: &RegionScope,
        from_day: i32,
        until_day: i32,
    ) -> Result<Vec<WarningCount>, StorageError> {
        self.run(|c| {
            let regions;
            let counted = warnings::table
                .filter(warnings::raised_day.ge(from_day).and(warnings::raised_day.le(until_day)))
                .group_by((
                    warnings::raised_day,
                    warnings::region_id,
                    warnings::symptom,
                    warnings::level,
                    warnings::state,
                ))
                .select((
                    warnings::raised_day,
                    warnings::region_id,
                    warnings::symptom,
                    warnings::level,
                    warnings::state,
                    diesel::dsl::count_star(),
                ))
                .into_boxed();
            in_scope!(counted, warnings::region_id.nullable(), scope, regions)
                .order((warnings::raised_day, warnings::region_id))
                .load(c)
        })
    }
}
