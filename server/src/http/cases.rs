//! The case library: reading, searching, what an order is offered, and the leads' editing (R-KNOW-1).

use super::blocking;
use super::intakes::{NamedWord, named};
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::cases::CaseDraft;
use crate::app::error::AppResult;
use crate::workflow::cases::PlaceKind;
use actix_web::{HttpResponse, web};
use callout_storage::cases::{Case, CaseState};
use callout_sync_protocol::ids::{CaseId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/cases" => case_list: CaseRead;
    POST "/v1/cases" => case_create: CaseManage;
    GET "/v1/cases/{id}" => case_show: CaseRead;
    PUT "/v1/cases/{id}" => case_change: CaseManage;
    GET "/v1/work-orders/{id}/cases" => case_list_for_work_order: CaseRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(case_list, case_create, case_show, case_change, case_list_for_work_order))]
pub struct Api;

/// A case to write or to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    /// In one line.
    title: String,
    /// What the customer suffered from.
    symptom: Symptom,
    /// Which network generation.
    generation: Option<NetworkGeneration>,
    /// `underground`, `high_rise`, `building`, `village`, `road`; `unknown`, if absent.
    #[schema(value_type = Option<String>)]
    place_kind: Option<PlaceKind>,
    /// Why it was so; needed to publish.
    cause: String,
    /// What solved it; needed to publish.
    what_was_done: String,
    /// `draft`, `published` or `withdrawn`.
    #[schema(value_type = String, example = "published")]
    state: CaseState,
}

/// A case.
#[derive(Serialize, ToSchema)]
pub struct CaseView {
    /// The case.
    id: CaseId,
    /// `draft`, `published` or `withdrawn`.
    #[schema(value_type = String)]
    state: CaseState,
    /// The order that it was made from.
    work_order_id: Option<WorkOrderId>,
    /// In one line.
    title: String,
    /// What the customer suffered from.
    symptom: Symptom,
    /// Which network generation.
    generation: Option<NetworkGeneration>,
    /// What kind of place.
    place_kind: NamedWord,
    /// Why it was so.
    cause: String,
    /// What solved it.
    what_was_done: String,
    /// What was tried on the ladder.
    #[schema(value_type = Vec<Object>)]
    ladder_steps: Value,
    /// Who wrote it; nobody where the order's end did.
    created_by: Option<UserId>,
    /// When.
    created_at: Timestamp,
    /// Who published it.
    published_by: Option<UserId>,
    /// When.
    published_at: Option<Timestamp>,
    /// When it was last changed.
    updated_at: Timestamp,
    /// Grows with every change.
    version: u64,
}

/// Cases.
#[derive(Serialize, ToSchema)]
pub struct CaseList {
    /// The cases.
    items: Vec<CaseView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which cases.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CaseQuery {
    /// With all of these words.
    words: Option<String>,
    /// Only of this symptom.
    symptom: Option<Symptom>,
    /// Only in this state; those who do not edit cases see published ones only.
    #[param(value_type = Option<String>)]
    state: Option<CaseState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(case: Case) -> CaseView {
    CaseView {
        id: case.id,
        state: case.state,
        work_order_id: case.work_order_id,
        title: case.title,
        symptom: case.symptom,
        generation: case.generation,
        place_kind: named(case.place_kind, PlaceKind::name_zh),
        cause: case.cause,
        what_was_done: case.what_was_done,
        ladder_steps: case.ladder_steps,
        created_by: case.created_by,
        created_at: case.created_at,
        published_by: case.published_by,
        published_at: case.published_at,
        updated_at: case.updated_at,
        version: case.version,
    }
}

fn draft(body: CaseBody) -> CaseDraft {
    CaseDraft {
        title: body.title,
        symptom: body.symptom,
        generation: body.generation,
        place_kind: body.place_kind.unwrap_or(PlaceKind::Unknown),
        cause: body.cause,
        what_was_done: body.what_was_done,
        state: body.state,
    }
}

/// Search the case library, newest first.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", params(CaseQuery), responses((status = 200, body = CaseList), (status = 422, body = Problem)))]
async fn case_list(app: web::Data<App>, caller: Caller, query: web::Query<CaseQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let words = query.words.unwrap_or_default();
    let items = blocking(move || app.case_list(&caller, query.state, query.symptom, &words, page)).await?;
    let next = page_next(&page, items.iter().map(|item| (item.created_at, item.id)));
    Ok(HttpResponse::Ok().json(CaseList { items: items.into_iter().map(view).collect(), next }))
}

/// Write a case.
#[utoipa::path(post, path = "/v1/cases", tag = "cases", request_body = CaseBody, responses(
    (status = 201, body = CaseView),
    (status = 422, body = Problem),
))]
async fn case_create(app: web::Data<App>, caller: Caller, body: web::Json<CaseBody>) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let case = blocking(move || app.case_create(&caller, &draft)).await?;
    let location = format!("/v1/cases/{}", case.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view(case)))
}

/// A case.
#[utoipa::path(get, path = "/v1/cases/{id}", tag = "cases", params(("id" = CaseId, Path)), responses(
    (status = 200, body = CaseView),
    (status = 404, body = Problem),
))]
async fn case_show(app: web::Data<App>, caller: Caller, id: web::Path<CaseId>) -> AppResult<HttpResponse> {
    let case = blocking(move || app.case_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(case)))
}

/// Edit a case, publish it, or take it down.
#[utoipa::path(put, path = "/v1/cases/{id}", tag = "cases", params(("id" = CaseId, Path)), request_body = CaseBody, responses(
    (status = 200, body = CaseView),
    (status = 404, body = Problem),
    (status = 422, body = Problem),
))]
async fn case_change(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<CaseId>,
    body: web::Json<CaseBody>,
) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let case = blocking(move || app.case_change(&caller, *id, &draft)).await?;
    Ok(HttpResponse::Ok().json(view(case)))
}

/// The published cases that an order may learn from, the most alike first.
#[utoipa::path(get, path = "/v1/work-orders/{id}/cases", tag = "cases", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = CaseList),
    (status = 404, body = Problem),
))]
async fn case_list_for_work_order(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
) -> AppResult<HttpResponse> {
    let cases = blocking(move || app.case_list_for_work_order(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(CaseList { items: cases.into_iter().map(view).collect(), next: None }))
}
