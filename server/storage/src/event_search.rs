//! Looking through the audit trail across subjects, as auditors do (R-AUDIT-1). What does not belong here: one subject's chain
//! (`events`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::events::{Event, SubjectKind};
use crate::names::{Page, RegionScope, keyset};
use crate::schema::{complaints, events, user_regions, work_orders};
use crate::sql_types::{Bool, bind};
use callout_sync_protocol::ids::{EventId, RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

/// Which events a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// About what lies in these regions: orders, complaints, regions, and people who work there.
    pub scope: RegionScope,
    /// About subjects of this kind only.
    pub subject_kind: Option<SubjectKind>,
    /// About this subject only.
    pub subject_id: Option<Uuid>,
    /// By this user only.
    pub actor_id: Option<UserId>,
    /// This action only.
    pub action: Option<String>,
    /// Not before.
    pub happened_from: Option<Timestamp>,
    /// Before.
    pub happened_until: Option<Timestamp>,
}

impl EventFilter {
    /// Everything of a scope.
    pub fn of(scope: RegionScope) -> Self {
        Self {
            scope,
            subject_kind: None,
            subject_id: None,
            actor_id: None,
            action: None,
            happened_from: None,
            happened_until: None,
        }
    }
}

impl Tx {
    /// Events, newest first.
    pub fn event_search(&mut self, filter: &EventFilter, page: &Page<EventId>) -> Result<Vec<Event>, StorageError> {
        self.run(|c| {
            let (listed, optional): (Vec<RegionId>, Vec<Option<RegionId>>);
            let mut query = events::table.into_boxed();
            if let RegionScope::Only { region_ids, and_unlocated } = &filter.scope {
                listed = region_ids.clone();
                optional = region_ids.iter().copied().map(Some).collect();
                let unlocated = || and_unlocated.into_sql::<Bool>();
                let of_order = diesel::dsl::exists(
                    work_orders::table
                        .filter(work_orders::id.eq(events::subject_id))
                        .filter(
                            work_orders::region_id
                                .eq_any(optional.iter().map(bind))
                                .or(work_orders::region_id.is_null().and(unlocated())),
                        )
                        .select(work_orders::id),
                );
                let of_complaint = diesel::dsl::exists(
                    complaints::table
                        .filter(complaints::id.eq(events::subject_id))
                        .filter(
                            complaints::region_id
                                .eq_any(optional.iter().map(bind))
                                .or(complaints::region_id.is_null().and(unlocated())),
                        )
                        .select(complaints::id),
                );
                let of_user = diesel::dsl::exists(
                    user_regions::table
                        .filter(user_regions::user_id.eq(events::subject_id))
                        .filter(user_regions::region_id.eq_any(listed.iter().map(bind)))
                        .select(user_regions::user_id),
                );
                let of_region = events::subject_id.eq_any(listed.iter().map(bind));
                query = query.filter(of_order.or(of_complaint).or(of_user).or(of_region));
            }
            if let Some(kind) = &filter.subject_kind {
                query = query.filter(events::subject_kind.eq(bind(kind)));
            }
            if let Some(id) = &filter.subject_id {
                query = query.filter(events::subject_id.eq(bind(id)));
            }
            if filter.actor_id.is_some() {
                query = query.filter(events::actor_id.eq(bind(&filter.actor_id)));
            }
            if let Some(action) = &filter.action {
                query = query.filter(events::action.eq(bind(action)));
            }
            if let Some(from) = &filter.happened_from {
                query = query.filter(events::happened_at.ge(bind(from)));
            }
            if let Some(until) = &filter.happened_until {
                query = query.filter(events::happened_at.lt(bind(until)));
            }
            keyset!(query, events, happened_at, id, page).load(c)
        })
    }
}
