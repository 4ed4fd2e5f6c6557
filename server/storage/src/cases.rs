//! The case library: how hard cases were solved, for those who meet one like it (R-KNOW-1). No personal data. What does not belong
//! here: what makes a case hard, and which cases are alike (`workflow`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, keyset, limit, text_enum, updated};
use crate::schema::cases;
use crate::sql_types::{Words, bind, row_values};
use callout_sync_protocol::ids::{CaseId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

text_enum! {
    /// Whether a case is offered.
    CaseState {
        /// Made, not yet looked through by a person.
        Draft = "draft" / "草稿",
        /// Offered to later orders.
        Published = "published" / "已发布",
        /// No longer offered.
        Withdrawn = "withdrawn" / "已撤下",
    }
}

/// A case.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// Whether it is offered.
    pub state: CaseState,
    /// The order that it was made from; one case an order.
    pub work_order_id: Option<WorkOrderId>,
    /// In one line.
    pub title: String,
    /// What the customer suffered from.
    pub symptom: Symptom,
    /// Which network generation.
    pub generation: Option<NetworkGeneration>,
    /// What kind of place, in the word of the rules (`village` …).
    pub place_kind: String,
    /// Why it was so.
    pub cause: String,
    /// What solved it.
    pub what_was_done: String,
    /// What was tried on the ladder, as the rules have it.
    pub ladder_steps: serde_json::Value,
    /// Everything that is searched, folded.
    pub searched: String,
    /// Who wrote it; nobody where the order's end did.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Who published it.
    pub published_by: Option<UserId>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// Which cases a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    /// In this state only.
    pub state: Option<CaseState>,
    /// Of this symptom only.
    pub symptom: Option<Symptom>,
    /// With all of these words, folded; at most eight count.
    pub words: Vec<String>,
}

/// The word as a pattern that means nothing but itself.
fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Tx {
    /// Adds a case.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if its order has one.
    pub fn case_insert(&mut self, case: &Case) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(cases::table)
                .values(row_values!(
                    cases,
                    case,
                    id,
                    state,
                    work_order_id,
                    title,
                    symptom,
                    generation,
                    place_kind,
                    cause,
                    what_was_done,
                    ladder_steps,
                    searched,
                    created_by,
                    created_at,
                    published_by,
                    published_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a case that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn case_update(&mut self, case: &mut Case) -> Result<(), StorageError> {
        let next = Case { version: case.version + 1, ..case.clone() };
        let rows = self.run(|c| {
            diesel::update(cases::table.find(bind(&case.id)).filter(cases::version.eq(bind(&case.version))))
                .set(row_values!(
                    cases,
                    next,
                    state,
                    title,
                    symptom,
                    generation,
                    place_kind,
                    cause,
                    what_was_done,
                    ladder_steps,
                    searched,
                    published_by,
                    published_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "case")?;
        *case = next;
        Ok(())
    }

    /// The case of an id.
    pub fn case_by_id(&mut self, id: CaseId) -> Result<Option<Case>, StorageError> {
        self.run(|c| cases::table.find(bind(&id)).first(c).optional())
    }

    /// The case of an id, locked until the unit of work ends.
    pub fn case_lock(&mut self, id: CaseId) -> Result<Option<Case>, StorageError> {
        self.run(|c| locked!(c, cases::table.find(bind(&id))))
    }

    /// The case that was made from an order.
    pub fn case_by_work_order(&mut self, id: WorkOrderId) -> Result<Option<Case>, StorageError> {
        self.run(|c| cases::table.filter(cases::work_order_id.eq(bind(&Some(id)))).first(c).optional())
    }

    /// The cases that were made from these orders (at most 500).
    pub fn case_ids_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<(WorkOrderId, CaseId)>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Option<WorkOrderId>> = ids.iter().take(MAX_PAGE as usize).copied().map(Some).collect();
        let found: Vec<(Option<WorkOrderId>, CaseId)> = self.run(|c| {
            cases::table
                .filter(cases::work_order_id.eq_any(ids.iter().map(bind)))
                .select((cases::work_order_id, cases::id))
                .load(c)
        })?;
        Ok(found.into_iter().filter_map(|(order, case)| Some((order?, case))).collect())
    }

    /// Cases, newest first.
    pub fn case_list(&mut self, filter: &CaseFilter, page: &Page<CaseId>) -> Result<Vec<Case>, StorageError> {
        let patterns: Vec<String> = filter.words.iter().take(8).map(|word| pattern(word)).collect();
        self.run(|c| {
            let mut query = cases::table.into_boxed();
            if let Some(state) = &filter.state {
                query = query.filter(cases::state.eq(bind(state)));
            }
            if let Some(symptom) = &filter.symptom {
                query = query.filter(cases::symptom.eq(bind(symptom)));
            }
            for pattern in &patterns {
                query = query.filter(sql::<Bool>("searched LIKE ").bind::<Words, _>(bind(pattern)).sql(" ESCAPE '\\'"));
            }
            keyset!(query, cases, created_at, id, page).load(c)
        })
    }

    /// The newest published cases of a symptom.
    pub fn case_list_published(&mut self, symptom: Symptom, at_most: u32) -> Result<Vec<Case>, StorageError> {
        self.run(|c| {
            cases::table
                .filter(cases::symptom.eq(bind(&symptom)))
                .filter(cases::state.eq(bind(&CaseState::Published)))
                .order(cases::created_at.desc())
                .limit(limit(at_most))
                .load(c)
        })
    }
}
