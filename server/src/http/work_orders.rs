//! Work orders at the desks: reading, locating, dispatching, withdrawing, and the timeline.

use super::appointments::ArrivalView;
use super::blocking;
use super::complaints::CustomerBody;
use super::dispatches::DispatchView;
use super::masking::{mask_name, mask_phone};
use super::pages::{PageQuery, page_next, page_of};
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use super::users::ReasonBody;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::work_orders::{Location, WorkOrderSeen};
use crate::workflow::places::Place;
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::events::Event;
use callout_storage::work_orders::WorkOrderFilter;
use callout_sync_protocol::ids::{ComplaintId, DeviceId, FieldTestId, RegionId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, TimeWindow, Urgency, WorkOrderState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders" => work_order_list: WorkOrderRead;
    GET "/v1/work-orders/{id}" => work_order_show: WorkOrderRead;
    GET "/v1/work-orders/{id}/timeline" => work_order_timeline: WorkOrderRead;
    POST "/v1/work-orders/{id}/locate" => work_order_locate: WorkOrderLocate;
    POST "/v1/work-orders/{id}/dispatch" => work_order_dispatch: WorkOrderDispatch;
    POST "/v1/work-orders/{id}/reassign" => work_order_reassign: WorkOrderDispatch;
    POST "/v1/work-orders/{id}/withdraw" => work_order_withdraw: WorkOrderWithdraw;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    work_order_list,
    work_order_show,
    work_order_timeline,
    work_order_locate,
    work_order_dispatch,
    work_order_reassign,
    work_order_withdraw
))]
pub struct Api;

/// A work order as the desks see it.
#[derive(Serialize, ToSchema)]
pub struct WorkOrderBody {
    /// The order.
    pub id: WorkOrderId,
    /// The number that people say on the telephone.
    pub number: String,
    /// Its complaint.
    pub complaint_id: ComplaintId,
    /// Where it stands.
    pub state: WorkOrderState,
    /// How pressing it is.
    pub urgency: Urgency,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// Which network generation, if known.
    pub generation: Option<NetworkGeneration>,
    /// The customer's words.
    pub description: String,
    /// Where.
    pub address: Option<String>,
    /// Where on the map.
    pub position: Option<PositionView>,
    /// The customer; masked where it is not needed (R-PRIVACY-1).
    pub customer: CustomerBody,
    /// Its region, once located.
    pub region_id: Option<RegionId>,
    /// Its tester, while it is in the field.
    pub assigned_to: Option<UserId>,
    /// The visit agreed on with the customer.
    pub appointment: Option<TimeWindow>,
    /// A junior's dispatch that waits for a senior's check (R-ROUTE-5).
    pub proposal: Option<DispatchView>,
    /// The last dispatch, when its tester declined it and nobody was sent since; its `ended_reason` says why.
    pub declined: Option<DispatchView>,
    /// The last arrival, compared with the appointment (R-VISIT-1).
    pub arrival: Option<ArrivalView>,
    /// When the field test is due.
    pub due_at: Option<Timestamp>,
    /// Its current field test.
    pub field_test_id: Option<FieldTestId>,
    /// The customer's answer about photos.
    pub photo_consent: Option<bool>,
    /// Why the last review sent the test back.
    pub return_reasons: Vec<String>,
    /// How often it was opened again.
    pub reopened_count: u32,
    /// How often it was returned as solved and was not (R-RETURN-4).
    pub false_return_count: u32,
    /// Its tracking ticket, if one opened (R-RETURN-2).
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// Grows with every change.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Work orders, newest first.
#[derive(Serialize, ToSchema)]
pub struct WorkOrderList {
    /// The orders.
    items: Vec<WorkOrderBody>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WorkOrderQuery {
    /// Only in this state.
    state: Option<WorkOrderState>,
    /// Only with this tester.
    assigned_to: Option<UserId>,
    /// Only of this region.
    region_id: Option<RegionId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// What T1 found out (R-LOCATE-1, R-LOCATE-2).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocateBody {
    /// Road and number, or village and team.
    address: String,
    /// Coordinates.
    position: PositionView,
    /// Which network generation.
    generation: Option<NetworkGeneration>,
    /// When it appears.
    occurs: Option<String>,
    /// Whether people nearby suffer too.
    neighbours_affected: Option<bool>,
}

/// Whom to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchBody {
    /// A field tester of the order's region.
    tester_id: UserId,
    /// When the field test is due.
    due_at: Option<Timestamp>,
}

/// Whom to send instead, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReassignBody {
    /// A field tester of the order's region.
    tester_id: UserId,
    /// Why.
    reason: String,
    /// The dispatch was wrong; that counts against who made it (R-ROUTE-5).
    #[serde(default)]
    was_wrong: bool,
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the order's chain, from 1.
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
    /// Why.
    reason: Option<String>,
    /// The chain's hash up to here, in hexadecimal.
    hash: String,
}

/// Everything that happened, oldest first.
#[derive(Serialize, ToSchema)]
pub struct Timeline {
    /// The events.
    items: Vec<EventView>,
    /// For `after` of the next page, if there is one.
    next: Option<u64>,
}

/// Where a timeline begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// `next` of the page before.
    after: Option<u64>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn not_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// An order as JSON.
pub fn work_order_body(seen: WorkOrderSeen) -> WorkOrderBody {
    let WorkOrderSeen { order, complaint, tracking_ticket_id, shows_contact, visit } = seen;
    let (position, appointment) = (order.position().map(PositionView::from), order.appointment());
    let customer = if shows_contact {
        CustomerBody { name: complaint.customer_name, phone: complaint.customer_phone }
    } else {
        CustomerBody { name: mask_name(&complaint.customer_name), phone: mask_phone(&complaint.customer_phone) }
    };
    WorkOrderBody {
        id: order.id,
        number: order.number,
        complaint_id: order.complaint_id,
        state: order.state,
        urgency: order.urgency,
        symptom: complaint.symptom,
        generation: complaint.generation,
        description: complaint.description,
        address: not_empty(order.address),
        position,
        customer,
        region_id: order.region_id,
        assigned_to: order.assigned_to,
        appointment,
        proposal: visit.proposal.map(DispatchView::from),
        declined: visit.declined.map(DispatchView::from),
        arrival: visit.arrival.map(ArrivalView::from),
        due_at: order.due_at,
        field_test_id: order.field_test_id,
        photo_consent: order.photo_consent,
        return_reasons: order.return_reasons,
        reopened_count: order.reopened_count,
        false_return_count: order.false_return_count,
        tracking_ticket_id,
        version: order.version,
        created_at: order.created_at,
        updated_at: order.updated_at,
    }
}

fn event_view(event: Event) -> EventView {
    EventView {
        number: event.number,
        happened_at: event.happened_at,
        captured_at: event.captured_at,
        actor_id: event.actor_id,
        actor_roles: event.actor_roles,
        device_id: event.device_id,
        action: event.action,
        // Kept as text so that the hash is over the very bytes.
        detail: serde_json::from_str(&event.detail).unwrap_or(Value::Null),
        reason: event.reason,
        hash: event.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Work orders of the caller's regions.
#[utoipa::path(get, path = "/v1/work-orders", tag = "work orders", params(WorkOrderQuery), responses((status = 200, body = WorkOrderList)))]
async fn work_order_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<WorkOrderQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let scope = match query.region_id {
        Some(region) => RegionScope::Only { region_ids: vec![region], and_unlocated: false },
        None => RegionScope::All,
    };
    let filter = WorkOrderFilter {
        states: query.state.into_iter().collect(),
        assigned_to: query.assigned_to,
        ..WorkOrderFilter::of(scope)
    };
    let items = blocking(move || app.work_order_list(&caller, filter, page)).await?;
    let next = page_next(&page, items.iter().map(|seen| (seen.order.created_at, seen.order.id)));
    Ok(HttpResponse::Ok().json(WorkOrderList { items: items.into_iter().map(work_order_body).collect(), next }))
}

/// A work order.
#[utoipa::path(get, path = "/v1/work-orders/{id}", tag = "work orders", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
))]
async fn work_order_show(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.work_order_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// Everything that happened to an order (R-AUDIT-1).
#[utoipa::path(get, path = "/v1/work-orders/{id}/timeline", tag = "work orders", params(("id" = WorkOrderId, Path), TimelineQuery), responses(
    (status = 200, body = Timeline),
    (status = 404, body = Problem),
))]
async fn work_order_timeline(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    query: web::Query<TimelineQuery>,
) -> AppResult<HttpResponse> {
    let limit = query.limit.unwrap_or(500).clamp(1, 500);
    let events = blocking(move || app.work_order_timeline(&caller, *id, query.after.unwrap_or(0), limit)).await?;
    let next = (events.len() >= limit as usize).then(|| events.last().map(|event| event.number)).flatten();
    Ok(HttpResponse::Ok().json(Timeline { items: events.into_iter().map(event_view).collect(), next }))
}

/// Name the exact place (R-LOCATE-1). The region is found by the coordinates.
#[utoipa::path(post, path = "/v1/work-orders/{id}/locate", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = LocateBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, description = "The address is not exact, or the place lies in no region", body = Problem),
))]
async fn work_order_locate(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<LocateBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let location = Location {
        place: Place { address: body.address, position: body.position.parse("position")? },
        generation: body.generation,
        occurs: body.occurs,
        neighbours_affected: body.neighbours_affected,
    };
    let seen = blocking(move || app.work_order_locate(&caller, *id, &location)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// Send a tester of the order's region (R-ROUTE-1).
#[utoipa::path(post, path = "/v1/work-orders/{id}/dispatch", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = DispatchBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, description = "Not possible in this state, or the place is not exact", body = Problem),
    (status = 422, description = "Not a tester of the region", body = Problem),
))]
async fn work_order_dispatch(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<DispatchBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.work_order_dispatch(&caller, *id, body.tester_id, body.due_at)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// Give the order to another tester.
#[utoipa::path(post, path = "/v1/work-orders/{id}/reassign", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = ReassignBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn work_order_reassign(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<ReassignBody>,
) -> AppResult<HttpResponse> {
    let seen =
        blocking(move || app.work_order_reassign(&caller, *id, body.tester_id, &body.reason, body.was_wrong)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// Take the order back (R-ROUTE-4).
#[utoipa::path(post, path = "/v1/work-orders/{id}/withdraw", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = ReasonBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
async fn work_order_withdraw(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<ReasonBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.work_order_withdraw(&caller, *id, &body.reason)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}
