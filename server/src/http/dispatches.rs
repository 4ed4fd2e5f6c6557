//! An order's dispatches, and the second check of a junior's (R-ROUTE-5). Dispatching itself is with `work_orders`.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use super::work_orders::{WorkOrderBody, work_order_body};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use actix_web::{HttpResponse, web};
use callout_storage::dispatches::Dispatch;
use callout_sync_protocol::ids::{DispatchId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/dispatches" => dispatch_list: WorkOrderRead;
    POST "/v1/work-orders/{id}/dispatch-check" => dispatch_check: WorkOrderDispatch;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(dispatch_list, dispatch_check))]
pub struct Api;

/// A dispatch and how it ended.
#[derive(Serialize, ToSchema)]
pub struct DispatchView {
    /// The dispatch.
    id: DispatchId,
    /// To whom.
    tester_id: UserId,
    /// `proposed`, `in_force`, `stopped`, `dropped`, `declined`, `reassigned`, `withdrawn`, `finished` or `region_changed`.
    state: String,
    /// Who made it.
    dispatched_by: UserId,
    /// The rank that the tester had among the candidates, from 1.
    candidate_rank: Option<i32>,
    /// How many candidates there were.
    candidate_count: Option<i32>,
    /// Who checked it.
    checked_by: Option<UserId>,
    /// When it was checked.
    checked_at: Option<Timestamp>,
    /// It was found to be wrong; counts in the appraisal.
    is_wrong: bool,
    /// Why it ended.
    ended_reason: Option<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it ended.
    ended_at: Option<Timestamp>,
}

impl From<Dispatch> for DispatchView {
    fn from(dispatch: Dispatch) -> Self {
        Self {
            id: dispatch.id,
            tester_id: dispatch.tester_id,
            state: dispatch.state,
            dispatched_by: dispatch.dispatched_by,
            candidate_rank: dispatch.candidate_rank,
            candidate_count: dispatch.candidate_count,
            checked_by: dispatch.checked_by,
            checked_at: dispatch.checked_at,
            is_wrong: dispatch.is_wrong,
            ended_reason: dispatch.ended_reason,
            created_at: dispatch.created_at,
            ended_at: dispatch.ended_at,
        }
    }
}

/// Dispatches, oldest first.
#[derive(Serialize, ToSchema)]
pub struct DispatchList {
    /// The dispatches.
    items: Vec<DispatchView>,
}

/// What the check found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchCheckBody {
    /// It may go.
    approved: bool,
    /// Why not; required when it is stopped.
    reason: Option<String>,
}

/// An order's dispatches.
#[utoipa::path(get, path = "/v1/work-orders/{id}/dispatches", tag = "dispatches", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = DispatchList),
    (status = 404, body = Problem),
))]
async fn dispatch_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let dispatches = blocking(move || app.dispatch_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(DispatchList { items: dispatches.into_iter().map(DispatchView::from).collect() }))
}

/// Let a junior's dispatch go, or stop it (R-ROUTE-5).
#[utoipa::path(post, path = "/v1/work-orders/{id}/dispatch-check", tag = "dispatches", params(("id" = WorkOrderId, Path)), request_body = DispatchCheckBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 403, description = "A junior, or who made the dispatch", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Nothing waits for a check", body = Problem),
    (status = 422, description = "A stopped dispatch needs a reason", body = Problem),
))]
async fn dispatch_check(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<DispatchCheckBody>,
) -> AppResult<HttpResponse> {
    let seen =
        blocking(move || app.work_order_dispatch_check(&caller, *id, body.approved, body.reason.as_deref())).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}
