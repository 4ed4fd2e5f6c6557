//! The audit trail and its anchors, for auditors (R-AUDIT-1).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::audit_anchors::AuditAnchor;
use callout_storage::event_search::EventFilter;
use callout_storage::events::{Event, SubjectKind};
use callout_sync_protocol::ids::{DeviceId, EventId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};
use uuid::Uuid;

routes! {
    GET "/v1/audit/events" => audit_event_list: AuditRead;
    GET "/v1/audit/anchors" => audit_anchor_list: AuditRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(audit_event_list, audit_anchor_list))]
pub struct Api;

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct AuditEventView {
    /// The event.
    id: EventId,
    /// What kind of thing it is about: `complaint`, `work_order`, `user` …
    #[schema(value_type = String)]
    subject_kind: SubjectKind,
    /// Which one.
    subject_id: Uuid,
    /// Its place in the subject's chain, from 1.
    number: u64,
    /// When, by the server's clock.
    happened_at: Timestamp,
    /// When, by the phone's clock.
    captured_at: Option<Timestamp>,
    /// Who.
    actor_id: Option<UserId>,
    /// In which roles.
    actor_roles: String,
    /// From which device.
    device_id: Option<DeviceId>,
    /// What.
    action: String,
    /// The facts.
    detail: Value,
    /// Why; the customer's name and number are masked in it.
    reason: Option<String>,
    /// The reason is gone by an erasure (R-PRIVACY-1).
    is_reason_erased: bool,
    /// The chain's hash up to here, in hexadecimal.
    hash: String,
}

/// Events, newest first.
#[derive(Serialize, ToSchema)]
pub struct AuditEventList {
    /// The events.
    items: Vec<AuditEventView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditEventQuery {
    /// About subjects of this kind only: `complaint`, `work_order`, `user`, `region` …
    #[param(value_type = Option<String>)]
    subject_kind: Option<SubjectKind>,
    /// About this one only; with `subject_kind`.
    subject_id: Option<Uuid>,
    /// By this user only.
    actor_id: Option<UserId>,
    /// This action only, such as `dispatch`.
    action: Option<String>,
    /// Not before this instant.
    from: Option<Timestamp>,
    /// Before this instant.
    until: Option<Timestamp>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// An anchor over what happened in a slice of time.
#[derive(Serialize, ToSchema)]
pub struct AuditAnchorView {
    /// Its place in the chain of anchors, from 1.
    number: u64,
    /// The first instant of its slice.
    covers_from: Timestamp,
    /// The first instant after its slice.
    covers_until: Timestamp,
    /// How many events happened in it.
    event_count: u64,
    /// Over their hashes, in hexadecimal.
    digest: String,
    /// The hash of the anchor before.
    previous_hash: Option<String>,
    /// The hash of this anchor: keep the newest one elsewhere.
    hash: String,
    /// When it was made.
    created_at: Timestamp,
}

/// Anchors, oldest first.
#[derive(Serialize, ToSchema)]
pub struct AuditAnchorList {
    /// The anchors.
    items: Vec<AuditAnchorView>,
    /// For `after` of the next page, if there is one.
    next: Option<u64>,
}

/// Which anchors.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditAnchorQuery {
    /// `next` of the page before.
    after: Option<u64>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn hexadecimal(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event_view(event: Event) -> AuditEventView {
    AuditEventView {
        id: event.id,
        subject_kind: event.subject_kind,
        subject_id: event.subject_id,
        number: event.number,
        happened_at: event.happened_at,
        captured_at: event.captured_at,
        actor_id: event.actor_id,
        actor_roles: event.actor_roles,
        device_id: event.device_id,
        action: event.action,
        // Kept as text so that the hash is over the very bytes.
        detail: serde_json::from_str(&event.detail).unwrap_or(Value::Null),
        is_reason_erased: event.reason_digest.is_some() && event.reason.is_none(),
        reason: event.reason,
        hash: hexadecimal(&event.hash),
    }
}

fn anchor_view(anchor: &AuditAnchor) -> AuditAnchorView {
    AuditAnchorView {
        number: anchor.number,
        covers_from: anchor.covers_from,
        covers_until: anchor.covers_until,
        event_count: anchor.event_count,
        digest: hexadecimal(&anchor.digest),
        previous_hash: anchor.previous_hash.as_ref().map(hexadecimal),
        hash: hexadecimal(&anchor.hash),
        created_at: anchor.created_at,
    }
}

/// What happened in the caller's regions: to orders, complaints, regions, and people who work there.
#[utoipa::path(get, path = "/v1/audit/events", tag = "audit", params(AuditEventQuery), responses((status = 200, body = AuditEventList)))]
async fn audit_event_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<AuditEventQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    if query.subject_id.is_some() && query.subject_kind.is_none() {
        return Err(AppError::invalid("subject_kind", "must be given with subject_id"));
    }
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let filter = EventFilter {
        scope: RegionScope::All,
        subject_kind: query.subject_kind,
        subject_id: query.subject_id,
        actor_id: query.actor_id,
        action: query.action,
        happened_from: query.from,
        happened_until: query.until,
    };
    let events = blocking(move || app.audit_event_list(&caller, &filter, &page)).await?;
    let next = page_next(&page, events.iter().map(|event| (event.happened_at, event.id)));
    Ok(HttpResponse::Ok().json(AuditEventList { items: events.into_iter().map(event_view).collect(), next }))
}

/// The anchors over the trail. Keep the newest one outside the database, and `callout admin audit verify --anchor` finds out
/// whether anybody wrote the trail anew since.
#[utoipa::path(get, path = "/v1/audit/anchors", tag = "audit", params(AuditAnchorQuery), responses((status = 200, body = AuditAnchorList)))]
async fn audit_anchor_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<AuditAnchorQuery>,
) -> AppResult<HttpResponse> {
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let after = query.after.unwrap_or(0);
    let anchors = blocking(move || app.audit_anchor_list(&caller, after, limit)).await?;
    let next = (anchors.len() >= limit as usize).then(|| anchors.last().map(|anchor| anchor.number)).flatten();
    Ok(HttpResponse::Ok().json(AuditAnchorList { items: anchors.iter().map(anchor_view).collect(), next }))
}
