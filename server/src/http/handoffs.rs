//! Handoffs to the branch (T2) and to maintenance.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::handoffs::HandoffDemand;
use crate::workflow::handoffs::{HandoffOutcome, HandoffRecipient};
use actix_web::{HttpResponse, web};
use callout_storage::handoffs::Handoff;
use callout_sync_protocol::ids::{HandoffId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/handoffs" => handoff_list: WorkOrderRead;
    POST "/v1/work-orders/{id}/handoffs" => handoff_create: HandoffCreate;
    POST "/v1/handoffs/{id}/answer" => handoff_answer: HandoffAnswer;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(handoff_list, handoff_create, handoff_answer))]
pub struct Api;

/// What is demanded from whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffBody {
    /// `branch` or `maintenance`.
    #[schema(value_type = String, example = "branch")]
    target: HandoffRecipient,
    /// What is demanded.
    demand: String,
    /// By when.
    due_at: Option<Timestamp>,
}

/// The answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffAnswerBody {
    /// `done`, `planned`, `not_possible` or `wrong_addressee`.
    #[schema(value_type = String, example = "planned")]
    outcome: HandoffOutcome,
    /// The words.
    answer: String,
}

/// A handoff.
#[derive(Serialize, ToSchema)]
pub struct HandoffView {
    /// The handoff.
    id: HandoffId,
    /// Its order.
    work_order_id: WorkOrderId,
    /// `branch` or `maintenance`.
    target: String,
    /// What is demanded.
    demand: String,
    /// `open`, `answered` or `cancelled`.
    state: String,
    /// How it was answered.
    outcome: Option<String>,
    /// The words of the answer.
    answer: Option<String>,
    /// Who answered.
    answered_by: Option<UserId>,
    /// When.
    answered_at: Option<Timestamp>,
    /// By when it was demanded.
    due_at: Option<Timestamp>,
    /// Who handed over.
    created_by: UserId,
    /// When.
    created_at: Timestamp,
}

/// Handoffs, oldest first.
#[derive(Serialize, ToSchema)]
pub struct HandoffList {
    /// The handoffs.
    items: Vec<HandoffView>,
}

fn view(handoff: Handoff) -> HandoffView {
    HandoffView {
        id: handoff.id,
        work_order_id: handoff.work_order_id,
        target: handoff.target,
        demand: handoff.demand,
        state: handoff.state,
        outcome: handoff.outcome,
        answer: handoff.answer,
        answered_by: handoff.answered_by,
        answered_at: handoff.answered_at,
        due_at: handoff.due_at,
        created_by: handoff.created_by,
        created_at: handoff.created_at,
    }
}

/// The handoffs of an order.
#[utoipa::path(get, path = "/v1/work-orders/{id}/handoffs", tag = "handoffs", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = HandoffList),
    (status = 404, body = Problem),
))]
async fn handoff_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let handoffs = blocking(move || app.handoff_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(HandoffList { items: handoffs.into_iter().map(view).collect() }))
}

/// Hand an order over (R-ROUTE-1, R-ROUTE-2).
#[utoipa::path(post, path = "/v1/work-orders/{id}/handoffs", tag = "handoffs", params(("id" = WorkOrderId, Path)), request_body = HandoffBody, responses(
    (status = 201, body = HandoffView),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn handoff_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<HandoffBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let demand = HandoffDemand { recipient: body.target, demand: body.demand, due_at: body.due_at };
    let handoff = blocking(move || app.handoff_create(&caller, *id, &demand)).await?;
    Ok(HttpResponse::Created().json(view(handoff)))
}

/// Answer a handoff.
#[utoipa::path(post, path = "/v1/handoffs/{id}/answer", tag = "handoffs", params(("id" = HandoffId, Path)), request_body = HandoffAnswerBody, responses(
    (status = 200, body = HandoffView),
    (status = 404, body = Problem),
    (status = 409, description = "It has its answer", body = Problem),
    (status = 422, body = Problem),
))]
async fn handoff_answer(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<HandoffId>,
    body: web::Json<HandoffAnswerBody>,
) -> AppResult<HttpResponse> {
    let handoff = blocking(move || app.handoff_answer(&caller, *id, body.outcome, &body.answer)).await?;
    Ok(HttpResponse::Ok().json(view(handoff)))
}
