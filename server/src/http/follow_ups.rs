//! Follow-ups of low scores (R-REVISIT-1).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::dispatches::FollowUpState;
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::follow_ups::{FollowUp, FollowUpFilter};
use callout_sync_protocol::ids::{FollowUpId, RegionId, RevisitId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/follow-ups" => follow_up_list: FollowUpRead;
    POST "/v1/follow-ups/{id}/close" => follow_up_close: FollowUpClose;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(follow_up_list, follow_up_close))]
pub struct Api;

/// A follow-up.
#[derive(Serialize, ToSchema)]
pub struct FollowUpView {
    /// The follow-up.
    id: FollowUpId,
    /// Its order.
    work_order_id: WorkOrderId,
    /// The tracking ticket, when the score was given for that.
    tracking_ticket_id: Option<TrackingTicketId>,
    /// The revisit with the low score.
    revisit_id: RevisitId,
    /// The order's region.
    region_id: Option<RegionId>,
    /// The score, 1 … 10.
    score: i16,
    /// `open` or `closed`.
    state: String,
    /// What was done about it.
    what_was_done: Option<String>,
    /// Who closed it.
    closed_by: Option<UserId>,
    /// When it was closed.
    closed_at: Option<Timestamp>,
    /// When it opened.
    opened_at: Timestamp,
}

/// Follow-ups, newest first.
#[derive(Serialize, ToSchema)]
pub struct FollowUpList {
    /// The follow-ups.
    items: Vec<FollowUpView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which follow-ups.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FollowUpQuery {
    /// Only in this state: `open` or `closed`.
    #[param(value_type = Option<String>)]
    state: Option<FollowUpState>,
    /// Only of this order.
    #[param(value_type = Option<String>)]
    work_order_id: Option<WorkOrderId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// What was done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUpCloseBody {
    /// In words.
    what_was_done: String,
}

fn view(follow_up: FollowUp) -> FollowUpView {
    FollowUpView {
        id: follow_up.id,
        work_order_id: follow_up.work_order_id,
        tracking_ticket_id: follow_up.tracking_ticket_id,
        revisit_id: follow_up.revisit_id,
        region_id: follow_up.region_id,
        score: follow_up.score,
        state: follow_up.state,
        what_was_done: follow_up.what_was_done,
        closed_by: follow_up.closed_by,
        closed_at: follow_up.closed_at,
        opened_at: follow_up.opened_at,
    }
}

/// Follow-ups of the caller's regions.
#[utoipa::path(get, path = "/v1/follow-ups", tag = "revisits", params(FollowUpQuery), responses((status = 200, body = FollowUpList)))]
async fn follow_up_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<FollowUpQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let filter = FollowUpFilter {
        scope: RegionScope::All,
        state: query.state.map(|state| state.as_str().to_owned()),
        work_order_id: query.work_order_id,
    };
    let follow_ups = blocking(move || app.follow_up_list(&caller, &filter, page)).await?;
    let next = page_next(&page, follow_ups.iter().map(|follow_up| (follow_up.opened_at, follow_up.id)));
    Ok(HttpResponse::Ok().json(FollowUpList { items: follow_ups.into_iter().map(view).collect(), next }))
}

/// Close a follow-up with what was done.
#[utoipa::path(post, path = "/v1/follow-ups/{id}/close", tag = "revisits", params(("id" = FollowUpId, Path)), request_body = FollowUpCloseBody, responses(
    (status = 200, body = FollowUpView),
    (status = 404, body = Problem),
    (status = 409, description = "It is closed already", body = Problem),
    (status = 422, body = Problem),
))]
async fn follow_up_close(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<FollowUpId>,
    body: web::Json<FollowUpCloseBody>,
) -> AppResult<HttpResponse> {
    let follow_up = blocking(move || app.follow_up_close(&caller, *id, &body.what_was_done)).await?;
    Ok(HttpResponse::Ok().json(view(follow_up)))
}
