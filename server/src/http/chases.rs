//! Chases (追单): customer service adds urgency or facts to an open order (R-ROUTE-4).

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::chases::ChaseNew;
use crate::app::error::AppResult;
use actix_web::{HttpResponse, web};
use callout_storage::chases::Chase;
use callout_sync_protocol::ids::{ChaseId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Urgency;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/chases" => chase_list: WorkOrderRead;
    POST "/v1/work-orders/{id}/chase" => chase_create: ChaseCreate;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(chase_list, chase_create))]
pub struct Api;

/// What is added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChaseBody {
    /// The caller's own number for it; the same again is the same chase.
    reference: String,
    /// The urgency asked for; it never falls.
    urgency: Option<Urgency>,
    /// The new facts; required without an urgency.
    note: Option<String>,
}

/// A chase.
#[derive(Serialize, ToSchema)]
pub struct ChaseView {
    /// The chase.
    id: ChaseId,
    /// Its order.
    work_order_id: WorkOrderId,
    /// The tracking ticket, when it was that which was chased.
    tracking_ticket_id: Option<TrackingTicketId>,
    /// The source's number for it.
    reference: String,
    /// The urgency asked for.
    urgency: Option<Urgency>,
    /// The new facts.
    note: Option<String>,
    /// Who chased.
    source_id: UserId,
    /// When.
    created_at: Timestamp,
}

/// Chases, oldest first.
#[derive(Serialize, ToSchema)]
pub struct ChaseList {
    /// The chases.
    items: Vec<ChaseView>,
}

fn view(chase: Chase) -> ChaseView {
    ChaseView {
        id: chase.id,
        work_order_id: chase.work_order_id,
        tracking_ticket_id: chase.tracking_ticket_id,
        reference: chase.reference,
        urgency: chase.urgency,
        note: chase.note,
        source_id: chase.source_id,
        created_at: chase.created_at,
    }
}

/// An order's chases.
#[utoipa::path(get, path = "/v1/work-orders/{id}/chases", tag = "work orders", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = ChaseList),
    (status = 404, body = Problem),
))]
async fn chase_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let chases = blocking(move || app.chase_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(ChaseList { items: chases.into_iter().map(view).collect() }))
}

/// Chase an order (R-ROUTE-4); its tester's phone gets urgency and facts.
#[utoipa::path(post, path = "/v1/work-orders/{id}/chase", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = ChaseBody, responses(
    (status = 201, body = ChaseView),
    (status = 200, description = "The same reference and content again", body = ChaseView),
    (status = 404, body = Problem),
    (status = 409, description = "The order ended, or the reference was used for other content", body = Problem),
    (status = 422, body = Problem),
))]
async fn chase_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<ChaseBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let new = ChaseNew { reference: body.reference, urgency: body.urgency, note: body.note };
    let (chase, is_new) = blocking(move || app.chase_create(&caller, *id, &new)).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(view(chase)))
}
