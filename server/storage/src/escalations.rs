//! Escalations: a complaint given to somebody higher, until that one closes it with an outcome (R-INTAKE-3, R-INTAKE-4, R-INTAKE-8,
//! R-RETURN-5). What does not belong here: when one opens and who may close it (`workflow`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, updated};
use crate::schema::{complaints, escalations};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, EscalationId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One escalation.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Escalation {
    /// Its id.
    pub id: EscalationId,
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// To whom, in the word of the rules (`senior`, `manager` …).
    pub level: String,
    /// What opened it, in the word of the rules (`beyond_limit` …).
    pub cause: String,
    /// Why, in words.
    pub reason: String,
    /// Who opened it; nobody where a rule did.
    pub opened_by: Option<UserId>,
    /// When.
    pub opened_at: Timestamp,
    /// Who closed it.
    pub closed_by: Option<UserId>,
    /// When.
    pub closed_at: Option<Timestamp>,
    /// With what outcome, in the word of the rules (`answered` …).
    pub outcome: Option<String>,
    /// What was said or done.
    pub words: Option<String>,
    /// Grows with every change.
    pub version: u64,
}

/// Which escalations a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalationFilter {
    /// Of complaints in these regions.
    pub scope: RegionScope,
    /// Of this level only.
    pub level: Option<String>,
    /// Open ones only, or closed ones only.
    pub is_open: Option<bool>,
}

impl Tx {
    /// Records an escalation.
    pub fn escalation_insert(&mut self, escalation: &Escalation) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(escalations::table)
                .values(row_values!(
                    escalations,
                    escalation,
                    id,
                    complaint_id,
                    level,
                    cause,
                    reason,
                    opened_by,
                    opened_at,
                    closed_by,
                    closed_at,
                    outcome,
                    words,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves how an escalation was closed, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn escalation_update(&mut self, escalation: &mut Escalation) -> Result<(), StorageError> {
        let next = Escalation { version: escalation.version + 1, ..escalation.clone() };
        let rows = self.run(|c| {
            diesel::update(
                escalations::table
                    .find(bind(&escalation.id))
                    .filter(escalations::version.eq(bind(&escalation.version))),
            )
            .set(row_values!(escalations, next, closed_by, closed_at, outcome, words, version))
            .execute(c)
        })?;
        updated(rows, "escalation")?;
        *escalation = next;
        Ok(())
    }

    /// The escalation of an id.
    pub fn escalation_by_id(&mut self, id: EscalationId) -> Result<Option<Escalation>, StorageError> {
        self.run(|c| escalations::table.find(bind(&id)).first(c).optional())
    }

    /// The escalation of an id, locked until the unit of work ends.
    pub fn escalation_lock(&mut self, id: EscalationId) -> Result<Option<Escalation>, StorageError> {
        self.run(|c| locked!(c, escalations::table.find(bind(&id))))
    }

    /// A complaint's escalations, oldest first, at most 500.
    pub fn escalation_list_by_complaint(&mut self, id: ComplaintId) -> Result<Vec<Escalation>, StorageError> {
        self.run(|c| {
            escalations::table
                .filter(escalations::complaint_id.eq(bind(&id)))
                .order((escalations::opened_at, escalations::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Escalations, newest first; each where its complaint is now.
    pub fn escalation_list(
        &mut self,
        filter: &EscalationFilter,
        page: &Page<EscalationId>,
    ) -> Result<Vec<Escalation>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = escalations::table
                .inner_join(complaints::table.on(complaints::id.eq(escalations::complaint_id)))
                .select(escalations::all_columns)
                .into_boxed();
            let mut query = in_scope!(joined, complaints::region_id, &filter.scope, regions);
            if let Some(level) = &filter.level {
                query = query.filter(escalations::level.eq(bind(level)));
            }
            query = match filter.is_open {
                Some(true) => query.filter(escalations::closed_at.is_null()),
                Some(false) => query.filter(escalations::closed_at.is_not_null()),
                None => query,
            };
            keyset!(query, escalations, opened_at, id, page).load(c)
        })
    }
}
