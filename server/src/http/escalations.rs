//! Escalations: what waits for somebody higher, opening and ending one.

use super::blocking;
use super::intakes::{NamedWord, named};
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use super::users::ReasonBody;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::escalations::EscalationClosing;
use crate::workflow::escalations::{EscalationCause, EscalationLevel, EscalationOutcome};
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::escalations::{Escalation, EscalationFilter};
use callout_sync_protocol::ids::{ComplaintId, EscalationId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/escalations" => escalation_list: EscalationRead;
    GET "/v1/escalations/{id}" => escalation_show: EscalationRead;
    POST "/v1/escalations/{id}/close" => escalation_close: EscalationClose;
    POST "/v1/complaints/{id}/escalations" => escalation_create: EscalationOpen;
    POST "/v1/work-orders/{id}/raise-to-coordination" => work_order_raise: EscalationOpen;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(escalation_list, escalation_show, escalation_close, escalation_create, work_order_raise))]
pub struct Api;

/// An escalation.
#[derive(Serialize, ToSchema)]
pub struct EscalationView {
    /// The escalation.
    id: EscalationId,
    /// The complaint.
    complaint_id: ComplaintId,
    /// To whom: `senior`, `manager`, `coordination` or `joint`.
    level: NamedWord,
    /// What opened it.
    cause: NamedWord,
    /// Why, in words; empty where a rule opened it.
    reason: String,
    /// Who opened it; nobody where a rule did.
    opened_by: Option<UserId>,
    /// When.
    opened_at: Timestamp,
    /// Who ended it.
    closed_by: Option<UserId>,
    /// When.
    closed_at: Option<Timestamp>,
    /// With what outcome.
    outcome: Option<NamedWord>,
    /// What was said or done.
    words: Option<String>,
}

/// Escalations, newest first.
#[derive(Serialize, ToSchema)]
pub struct EscalationList {
    /// The escalations.
    items: Vec<EscalationView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which escalations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EscalationQuery {
    /// Only of this level.
    #[param(value_type = Option<String>)]
    level: Option<EscalationLevel>,
    /// Only open ones, or only closed ones.
    open: Option<bool>,
    /// Only of this region.
    region_id: Option<RegionId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// To whom, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationBody {
    /// `senior`, `manager`, `coordination` or `joint`.
    #[schema(value_type = String, example = "manager")]
    level: EscalationLevel,
    /// Why.
    reason: String,
}

/// How an escalation ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationCloseBody {
    /// `answered`, `raised` (opens the next level); of a contested refusal `upheld` or `taken_up`.
    #[schema(value_type = String, example = "answered")]
    outcome: EscalationOutcome,
    /// What was said or done.
    words: String,
}

fn view(escalation: Escalation) -> EscalationView {
    EscalationView {
        id: escalation.id,
        complaint_id: escalation.complaint_id,
        level: named(escalation.level, EscalationLevel::name_zh),
        cause: named(escalation.cause, EscalationCause::name_zh),
        reason: escalation.reason,
        opened_by: escalation.opened_by,
        opened_at: escalation.opened_at,
        closed_by: escalation.closed_by,
        closed_at: escalation.closed_at,
        outcome: escalation.outcome.map(|outcome| named(outcome, EscalationOutcome::name_zh)),
        words: escalation.words,
    }
}

/// Escalations of the caller's regions, newest first.
#[utoipa::path(get, path = "/v1/escalations", tag = "escalations", params(EscalationQuery), responses((status = 200, body = EscalationList)))]
async fn escalation_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<EscalationQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let scope = match query.region_id {
        Some(region) => RegionScope::Only { region_ids: vec![region], and_unlocated: false },
        None => RegionScope::All,
    };
    let filter =
        EscalationFilter { scope, level: query.level.map(|level| level.as_str().to_owned()), is_open: query.open };
    let items = blocking(move || app.escalation_list(&caller, filter, page)).await?;
    let next = page_next(&page, items.iter().map(|item| (item.opened_at, item.id)));
    Ok(HttpResponse::Ok().json(EscalationList { items: items.into_iter().map(view).collect(), next }))
}

/// An escalation.
#[utoipa::path(get, path = "/v1/escalations/{id}", tag = "escalations", params(("id" = EscalationId, Path)), responses(
    (status = 200, body = EscalationView),
    (status = 404, body = Problem),
))]
async fn escalation_show(app: web::Data<App>, caller: Caller, id: web::Path<EscalationId>) -> AppResult<HttpResponse> {
    let escalation = blocking(move || app.escalation_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(escalation)))
}

/// End an escalation with an outcome.
#[utoipa::path(post, path = "/v1/escalations/{id}/close", tag = "escalations", params(("id" = EscalationId, Path)), request_body = EscalationCloseBody, responses(
    (status = 200, body = EscalationView),
    (status = 403, description = "The level is not the caller's to end", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is closed already", body = Problem),
    (status = 422, body = Problem),
))]
async fn escalation_close(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<EscalationId>,
    body: web::Json<EscalationCloseBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let closing = EscalationClosing { outcome: body.outcome, words: body.words };
    let escalation = blocking(move || app.escalation_close(&caller, *id, &closing)).await?;
    Ok(HttpResponse::Ok().json(view(escalation)))
}

/// Give a complaint to somebody higher. Where one of the level is open, that one is given back.
#[utoipa::path(post, path = "/v1/complaints/{id}/escalations", tag = "escalations", params(("id" = ComplaintId, Path)), request_body = EscalationBody, responses(
    (status = 201, body = EscalationView),
    (status = 404, body = Problem),
    (status = 409, description = "The complaint has ended", body = Problem),
    (status = 422, body = Problem),
))]
async fn escalation_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<EscalationBody>,
) -> AppResult<HttpResponse> {
    let escalation = blocking(move || app.escalation_create(&caller, *id, body.level, &body.reason)).await?;
    Ok(HttpResponse::Created().json(view(escalation)))
}

/// Raise a hard, sensitive or several-channel order to coordination at once (R-RETURN-5).
#[utoipa::path(post, path = "/v1/work-orders/{id}/raise-to-coordination", tag = "escalations", params(("id" = WorkOrderId, Path)), request_body = ReasonBody, responses(
    (status = 201, body = EscalationView),
    (status = 404, body = Problem),
    (status = 409, description = "The order has ended", body = Problem),
    (status = 422, body = Problem),
))]
async fn work_order_raise(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<ReasonBody>,
) -> AppResult<HttpResponse> {
    let escalation = blocking(move || app.work_order_raise(&caller, *id, &body.reason)).await?;
    Ok(HttpResponse::Created().json(view(escalation)))
}
