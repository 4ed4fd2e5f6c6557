//! Tracking tickets (投诉跟踪单).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::tracking_tickets::TrackingTicketState;
use actix_web::{HttpResponse, web};
use callout_storage::tracking_tickets::TrackingTicket;
use callout_sync_protocol::ids::{RegionId, TrackingTicketId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/tracking-tickets" => tracking_ticket_list: TrackingTicketRead;
    GET "/v1/tracking-tickets/{id}" => tracking_ticket_show: TrackingTicketRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(tracking_ticket_list, tracking_ticket_show))]
pub struct Api;

/// A tracking ticket (R-RETURN-2).
#[derive(Serialize, ToSchema)]
pub struct TrackingTicketView {
    /// The ticket.
    id: TrackingTicketId,
    /// The number that people say on the telephone.
    number: String,
    /// The order that it goes on from.
    work_order_id: WorkOrderId,
    /// `open`, `awaiting_revisit` or `closed`.
    state: String,
    /// Its region.
    region_id: Option<RegionId>,
    /// When it opened.
    opened_at: Timestamp,
    /// When it closed.
    closed_at: Option<Timestamp>,
}

/// Tickets, newest first.
#[derive(Serialize, ToSchema)]
pub struct TrackingTicketList {
    /// The tickets.
    items: Vec<TrackingTicketView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which tickets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TrackingTicketQuery {
    /// Only in this state: `open`, `awaiting_revisit` or `closed`.
    #[param(value_type = Option<String>)]
    state: Option<TrackingTicketState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(ticket: TrackingTicket) -> TrackingTicketView {
    TrackingTicketView {
        id: ticket.id,
        number: ticket.number,
        work_order_id: ticket.work_order_id,
        state: ticket.state,
        region_id: ticket.region_id,
        opened_at: ticket.opened_at,
        closed_at: ticket.closed_at,
    }
}

/// Tickets of the caller's regions.
#[utoipa::path(get, path = "/v1/tracking-tickets", tag = "tracking tickets", params(TrackingTicketQuery), responses((status = 200, body = TrackingTicketList)))]
async fn tracking_ticket_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<TrackingTicketQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let tickets = blocking(move || app.tracking_ticket_list(&caller, query.state, page)).await?;
    let next = page_next(&page, tickets.iter().map(|ticket| (ticket.opened_at, ticket.id)));
    Ok(HttpResponse::Ok().json(TrackingTicketList { items: tickets.into_iter().map(view).collect(), next }))
}

/// A ticket.
#[utoipa::path(get, path = "/v1/tracking-tickets/{id}", tag = "tracking tickets", params(("id" = TrackingTicketId, Path)), responses(
    (status = 200, body = TrackingTicketView),
    (status = 404, body = Problem),
))]
async fn tracking_ticket_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<TrackingTicketId>,
) -> AppResult<HttpResponse> {
    let ticket = blocking(move || app.tracking_ticket_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(ticket)))
}
