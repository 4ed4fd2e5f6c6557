//! Demands to the resource review board, and the board's decisions.

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::build_demands::{BuildDemandSeen, NewBuildDemand};
use crate::app::error::AppResult;
use crate::workflow::build_demands::{BoardDecision, BuildDemandState};
use actix_web::{HttpResponse, web};
use callout_sync_protocol::ids::{BuildDemandId, FieldTestId, RegionId, ReviewMeetingId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    POST "/v1/work-orders/{id}/build-demands" => build_demand_file: BuildDemandFile;
    GET "/v1/work-orders/{id}/build-demands" => build_demand_list_of_order: BuildDemandRead;
    GET "/v1/build-demands" => build_demand_list: BuildDemandRead;
    GET "/v1/build-demands/{id}" => build_demand_show: BuildDemandRead;
    POST "/v1/build-demands/{id}/decision" => build_demand_decide: ReviewMeetingKeep;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    build_demand_file,
    build_demand_list_of_order,
    build_demand_list,
    build_demand_show,
    build_demand_decide
))]
pub struct Api;

/// What a lead demands (R-LADDER-3).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildDemandBody {
    /// What is to be built.
    demand: String,
    /// Where; the complaint's place if absent.
    position: Option<PositionView>,
    /// The approved tests of the order that show the need; all of them if none is named.
    #[serde(default)]
    field_tests: Vec<FieldTestId>,
    /// Competitors' and the tower company's resources that could be used; "none" is an answer.
    shareable_resources: String,
}

/// What the board decided.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardDecisionBody {
    /// `accept`, `reject` or `defer`: to be heard again in the next week's meeting.
    #[schema(value_type = String, example = "accept")]
    decision: BoardDecision,
    /// Why.
    reason: String,
}

/// A decision of the board.
#[derive(Serialize, ToSchema)]
pub struct BoardDecisionView {
    /// In which meeting.
    review_meeting_id: ReviewMeetingId,
    /// `accept`, `reject` or `defer`.
    decision: String,
    /// Why.
    reason: String,
    /// Who recorded it.
    decided_by: UserId,
    /// When.
    decided_at: Timestamp,
}

/// A demand.
#[derive(Serialize, ToSchema)]
pub struct BuildDemandView {
    /// The demand.
    id: BuildDemandId,
    /// The number that people say, such as `BD-20261121-00042`.
    number: String,
    /// The order whose problem needs it.
    work_order_id: WorkOrderId,
    /// Whose board hears it.
    region_id: RegionId,
    /// `filed`, `on_agenda`, `accepted`, `rejected` or `deferred`.
    state: String,
    /// What is to be built.
    demand: String,
    /// Where.
    position: PositionView,
    /// The approved tests that show the need.
    field_tests: Vec<FieldTestId>,
    /// Competitors' and the tower company's resources that could be used.
    shareable_resources: String,
    /// How many customers complained of the network near the place.
    affected_customers: u64,
    /// The meeting that is to hear it next, or that decided.
    review_meeting_id: ReviewMeetingId,
    /// When that meeting begins.
    meeting_starts_at: Timestamp,
    /// How often it was deferred.
    deferred_count: u64,
    /// Who filed it.
    filed_by: UserId,
    /// When.
    filed_at: Timestamp,
    /// What was decided, oldest first.
    decisions: Vec<BoardDecisionView>,
}

/// Demands, newest first; an order's oldest first.
#[derive(Serialize, ToSchema)]
pub struct BuildDemandList {
    /// The demands.
    items: Vec<BuildDemandView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which demands.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BuildDemandQuery {
    /// Only in this state: `filed`, `on_agenda`, `accepted`, `rejected` or `deferred`.
    #[param(value_type = Option<String>)]
    state: Option<BuildDemandState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

impl From<BuildDemandSeen> for BuildDemandView {
    fn from(seen: BuildDemandSeen) -> Self {
        let BuildDemandSeen { demand, meeting, decisions } = seen;
        let degrees = |e6: i32| f64::from(e6) / 1e6;
        Self {
            id: demand.id,
            number: demand.number,
            work_order_id: demand.work_order_id,
            region_id: demand.region_id,
            state: demand.state,
            demand: demand.demand,
            position: PositionView { latitude: degrees(demand.latitude_e6), longitude: degrees(demand.longitude_e6) },
            field_tests: demand.field_tests,
            shareable_resources: demand.shareable_resources,
            affected_customers: demand.affected_customers,
            review_meeting_id: meeting.id,
            meeting_starts_at: meeting.starts_at,
            deferred_count: demand.deferred_count,
            filed_by: demand.filed_by,
            filed_at: demand.filed_at,
            decisions: decisions
                .into_iter()
                .map(|decision| BoardDecisionView {
                    review_meeting_id: decision.review_meeting_id,
                    decision: decision.decision,
                    reason: decision.reason,
                    decided_by: decision.decided_by,
                    decided_at: decision.decided_at,
                })
                .collect(),
        }
    }
}

/// File a demand for the next week's meeting, once the first nine steps of the ladder are spent and the complaint's handling has
/// ended (R-LADDER-2, R-LADDER-3).
#[utoipa::path(post, path = "/v1/work-orders/{id}/build-demands", tag = "build demands", params(("id" = WorkOrderId, Path)), request_body = BuildDemandBody, responses(
    (status = 201, body = BuildDemandView),
    (status = 404, body = Problem),
    (status = 409, description = "Steps are not spent, no approved test, still handled, or there is a demand already", body = Problem),
    (status = 422, body = Problem),
))]
async fn build_demand_file(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<BuildDemandBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let new = NewBuildDemand {
        demand: body.demand,
        position: body.position.map(|position| position.parse("position")).transpose()?,
        field_tests: body.field_tests,
        shareable_resources: body.shareable_resources,
    };
    let seen = blocking(move || app.build_demand_file(&caller, *id, &new)).await?;
    Ok(HttpResponse::Created().json(BuildDemandView::from(seen)))
}

/// An order's demands, oldest first.
#[utoipa::path(get, path = "/v1/work-orders/{id}/build-demands", tag = "build demands", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = BuildDemandList),
    (status = 404, body = Problem),
))]
async fn build_demand_list_of_order(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
) -> AppResult<HttpResponse> {
    let items = blocking(move || app.build_demand_list_of_order(&caller, *id)).await?;
    let items = items.into_iter().map(BuildDemandView::from).collect();
    Ok(HttpResponse::Ok().json(BuildDemandList { items, next: None }))
}

/// The demands of the caller's regions, newest first.
#[utoipa::path(get, path = "/v1/build-demands", tag = "build demands", params(BuildDemandQuery), responses(
    (status = 200, body = BuildDemandList),
    (status = 422, body = Problem),
))]
async fn build_demand_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<BuildDemandQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let items = blocking(move || app.build_demand_list(&caller, query.state, &page)).await?;
    let next = page_next(&page, items.iter().map(|seen| (seen.demand.filed_at, seen.demand.id)));
    let items = items.into_iter().map(BuildDemandView::from).collect();
    Ok(HttpResponse::Ok().json(BuildDemandList { items, next }))
}

/// A demand.
#[utoipa::path(get, path = "/v1/build-demands/{id}", tag = "build demands", params(("id" = BuildDemandId, Path)), responses(
    (status = 200, body = BuildDemandView),
    (status = 404, body = Problem),
))]
async fn build_demand_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<BuildDemandId>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.build_demand_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(BuildDemandView::from(seen)))
}

/// Record what the board decided of a demand, from the meeting's begin until its close.
#[utoipa::path(post, path = "/v1/build-demands/{id}/decision", tag = "build demands", params(("id" = BuildDemandId, Path)), request_body = BoardDecisionBody, responses(
    (status = 200, body = BuildDemandView),
    (status = 404, body = Problem),
    (status = 409, description = "Not on the agenda, the meeting has not begun, or it is decided already", body = Problem),
    (status = 422, body = Problem),
))]
async fn build_demand_decide(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<BuildDemandId>,
    body: web::Json<BoardDecisionBody>,
) -> AppResult<HttpResponse> {
    let BoardDecisionBody { decision, reason } = body.into_inner();
    let seen = blocking(move || app.build_demand_decide(&caller, *id, decision, &reason)).await?;
    Ok(HttpResponse::Ok().json(BuildDemandView::from(seen)))
}
