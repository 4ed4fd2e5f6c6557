//! Past complaints like one in hand, with how they ended (R-INTAKE-7). Nothing of their customers is shown.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::similar_complaints::Similar;
use actix_web::{HttpResponse, web};
use callout_storage::complaints::ComplaintState;
use callout_sync_protocol::ids::{CaseId, ComplaintId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, WorkOrderState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/complaints/{id}/similar" => similar_complaint_list: ComplaintRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(similar_complaint_list))]
pub struct Api;

/// How many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SimilarQuery {
    /// How many at most; 20, if absent, 50 are the most.
    limit: Option<u32>,
}

/// How a past complaint ended, as far as it did.
#[derive(Serialize, ToSchema)]
pub struct EndingView {
    /// Where its order stands.
    work_order_state: Option<WorkOrderState>,
    /// That in Chinese.
    work_order_state_zh: Option<String>,
    /// How often it was opened again.
    reopened_count: u32,
    /// How often it was returned as solved and was not.
    false_return_count: u32,
    /// The words of the last final reply.
    final_reply: Option<String>,
    /// The answer, where it needed no order.
    answer: Option<String>,
    /// What the desk held to have solved it.
    what_was_done: Option<String>,
    /// What the lead planned for now.
    quick_relief: Option<String>,
    /// What the lead planned for good.
    cure: Option<String>,
    /// The case in the library that was made from it.
    case_id: Option<CaseId>,
}

/// A past complaint like the one in hand.
#[derive(Serialize, ToSchema)]
pub struct SimilarView {
    /// The complaint.
    complaint_id: ComplaintId,
    /// Its order.
    work_order_id: Option<WorkOrderId>,
    /// The number that people say on the telephone.
    number: Option<String>,
    /// When it came.
    received_at: Timestamp,
    /// Where it stands.
    #[schema(value_type = String)]
    state: ComplaintState,
    /// That in Chinese.
    state_zh: String,
    /// What the customer suffered from.
    symptom: Symptom,
    /// Which network generation.
    generation: Option<NetworkGeneration>,
    /// How far away, in metres, where both places are known.
    distance_m: Option<u32>,
    /// The same symptom.
    same_symptom: bool,
    /// A cell that serves the one serves the other.
    same_cell: bool,
    /// The same customer.
    same_customer: bool,
    /// How it ended.
    ending: EndingView,
}

/// Past complaints, the most alike first.
#[derive(Serialize, ToSchema)]
pub struct SimilarList {
    /// The complaints.
    items: Vec<SimilarView>,
}

fn view(similar: Similar) -> SimilarView {
    let Similar { complaint, order, likeness, ending } = similar;
    let (quick_relief, cure) = ending.plan.unzip();
    SimilarView {
        complaint_id: complaint.id,
        work_order_id: order.as_ref().map(|order| order.id),
        received_at: complaint.received_at,
        state: complaint.state,
        state_zh: complaint.state.name_zh().to_owned(),
        symptom: complaint.symptom,
        generation: complaint.generation,
        // Distances on Earth fit; the fraction of a metre means nothing.
        distance_m: likeness.distance_m.map(|metres| metres.round() as u32),
        same_symptom: likeness.same_symptom,
        same_cell: likeness.same_cell,
        same_customer: likeness.same_customer,
        ending: EndingView {
            work_order_state: order.as_ref().map(|order| order.state),
            work_order_state_zh: order.as_ref().map(|order| order.state.name_zh().to_owned()),
            reopened_count: order.as_ref().map_or(0, |order| order.reopened_count),
            false_return_count: order.as_ref().map_or(0, |order| order.false_return_count),
            final_reply: ending.final_reply,
            answer: complaint.answer,
            what_was_done: ending.what_was_done,
            quick_relief,
            cure,
            case_id: ending.case_id,
        },
        number: order.map(|order| order.number),
    }
}

/// Past complaints like this one, with how they ended, the most alike first.
#[utoipa::path(get, path = "/v1/complaints/{id}/similar", tag = "complaints", params(("id" = ComplaintId, Path), SimilarQuery), responses(
    (status = 200, body = SimilarList),
    (status = 404, body = Problem),
))]
async fn similar_complaint_list(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    query: web::Query<SimilarQuery>,
) -> AppResult<HttpResponse> {
    let limit = query.limit.unwrap_or(20);
    let items = blocking(move || app.similar_complaint_list(&caller, *id, limit)).await?;
    Ok(HttpResponse::Ok().json(SimilarList { items: items.into_iter().map(view).collect() }))
}
