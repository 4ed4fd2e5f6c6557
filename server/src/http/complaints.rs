//! Complaints: pushing in, reading, classifying.

use super::blocking;
use super::intakes::{IntakeView, intake_view};
use super::masking::{mask_name, mask_phone};
use super::pages::{PageQuery, page_next, page_of};
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::complaints::{Classification, ComplaintIntakeNew, ComplaintNew, ComplaintSeen};
use crate::app::error::AppResult;
use actix_web::{HttpResponse, web};
use callout_storage::complaints::{Channel, ComplaintClass, ComplaintState};
use callout_sync_protocol::ids::{ComplaintId, RegionId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, Urgency};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    POST "/v1/complaints" => complaint_create: ComplaintCreate;
    GET "/v1/complaints" => complaint_list: ComplaintRead;
    GET "/v1/complaints/{id}" => complaint_show: ComplaintRead;
    POST "/v1/complaints/{id}/classify" => complaint_classify: ComplaintClassify;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(complaint_create, complaint_list, complaint_show, complaint_classify))]
pub struct Api;

/// How to reach the customer.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerBody {
    /// The name; masked where it is not needed (R-PRIVACY-1).
    pub name: String,
    /// The number to call; masked where it is not needed.
    pub phone: String,
}

/// A complaint as customer service took it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintBody {
    /// The caller's own number for it. The same number with the same content is the same complaint.
    reference: String,
    /// How it arrived.
    #[schema(value_type = String, example = "phone")]
    channel: Channel,
    /// When it arrived; now, if absent.
    received_at: Option<Timestamp>,
    /// The customer.
    customer: CustomerBody,
    /// The customer's words.
    description: String,
    /// What the customer suffers from.
    symptom: Symptom,
    /// Which network generation, if known.
    generation: Option<NetworkGeneration>,
    /// Where, as far as known.
    address: Option<String>,
    /// Where on the map, if known.
    position: Option<PositionView>,
    /// When it appears.
    occurs: Option<String>,
    /// Whether people nearby suffer too.
    neighbours_affected: Option<bool>,
    /// It tells something new of an open complaint (R-INTAKE-3); if absent, the rules judge.
    adds_facts: Option<bool>,
    /// It is sensitive, for instance because the press takes interest (R-RETURN-5).
    sensitive: Option<bool>,
    /// It disturbs normal business (R-CLASS-1).
    disturbs_business: Option<bool>,
    /// How many customers complain jointly, this one among them (R-CLASS-1).
    joint_customers: Option<u32>,
    /// The identity of the cell that serves the place, as the customer's phone shows it: CI or NCI (R-INTAKE-7).
    serving_cell: Option<u64>,
    /// The operator's own number of the customer; finds key accounts (R-INTAKE-4).
    customer_number: Option<String>,
}

/// How T1 classifies a complaint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassifyBody {
    /// `network`, `business` or `service`.
    #[schema(value_type = String, example = "network")]
    class: ComplaintClass,
    /// The answer; needed unless it is a network complaint.
    answer: Option<String>,
    /// How pressing the order is.
    urgency: Option<Urgency>,
}

/// A complaint.
#[derive(Serialize, ToSchema)]
pub struct ComplaintView {
    /// The complaint.
    id: ComplaintId,
    /// The number of whoever pushed it in.
    reference: String,
    /// How it arrived.
    #[schema(value_type = String)]
    channel: Channel,
    /// Its class, once classified.
    #[schema(value_type = Option<String>)]
    class: Option<ComplaintClass>,
    /// Where it stands.
    #[schema(value_type = String)]
    state: ComplaintState,
    /// When it arrived.
    received_at: Timestamp,
    /// The customer; masked where it is not needed.
    customer: CustomerBody,
    /// The customer's words.
    description: String,
    /// What the customer suffers from.
    symptom: Symptom,
    /// Which network generation, if known.
    generation: Option<NetworkGeneration>,
    /// Where.
    address: Option<String>,
    /// Where on the map.
    position: Option<PositionView>,
    /// When it appears.
    occurs: Option<String>,
    /// Whether people nearby suffer too.
    neighbours_affected: Option<bool>,
    /// Its region, once found.
    region_id: Option<RegionId>,
    /// The answer to customer service, unless it is a network complaint.
    answer: Option<String>,
    /// Its work order, if it is a network complaint.
    work_order_id: Option<WorkOrderId>,
    /// What was found and decided when it was taken.
    intake: Option<IntakeView>,
    /// When it was taken down.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

/// Complaints, newest first.
#[derive(Serialize, ToSchema)]
pub struct ComplaintList {
    /// The complaints.
    items: Vec<ComplaintView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which complaints.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ComplaintQuery {
    /// Only in this state.
    #[param(value_type = Option<String>)]
    state: Option<ComplaintState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn not_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A complaint as JSON.
pub fn view(seen: ComplaintSeen) -> ComplaintView {
    let ComplaintSeen { complaint, work_order_id, shows_contact, intake, progress } = seen;
    let position = complaint.position().map(PositionView::from);
    let customer = if shows_contact {
        CustomerBody { name: complaint.customer_name, phone: complaint.customer_phone }
    } else {
        CustomerBody { name: mask_name(&complaint.customer_name), phone: mask_phone(&complaint.customer_phone) }
    };
    ComplaintView {
        id: complaint.id,
        reference: complaint.reference,
        channel: complaint.channel,
        class: complaint.class,
        state: complaint.state,
        received_at: complaint.received_at,
        customer,
        description: complaint.description,
        symptom: complaint.symptom,
        generation: complaint.generation,
        address: not_empty(complaint.address),
        position,
        occurs: not_empty(complaint.occurs),
        neighbours_affected: complaint.neighbours_affected,
        region_id: complaint.region_id,
        answer: complaint.answer,
        work_order_id,
        intake: intake.map(|intake| intake_view(intake, progress)),
        created_at: complaint.created_at,
        updated_at: complaint.updated_at,
    }
}

/// Push a complaint in. Pushing the same again gives the same complaint with 200.
#[utoipa::path(post, path = "/v1/complaints", tag = "complaints", request_body = ComplaintBody, responses(
    (status = 201, description = "Taken", body = ComplaintView),
    (status = 200, description = "It was taken before", body = ComplaintView),
    (status = 409, description = "The reference was used for another content", body = Problem),
    (status = 422, description = "A field is not valid", body = Problem),
))]
async fn complaint_create(
    app: web::Data<App>,
    caller: Caller,
    body: web::Json<ComplaintBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let new = ComplaintNew {
        reference: body.reference,
        channel: body.channel,
        received_at: body.received_at,
        customer_name: body.customer.name,
        customer_phone: body.customer.phone,
        description: body.description,
        symptom: body.symptom,
        generation: body.generation,
        address: body.address,
        position: body.position.map(|position| position.parse("position")).transpose()?,
        occurs: body.occurs,
        neighbours_affected: body.neighbours_affected,
        intake: ComplaintIntakeNew {
            adds_facts: body.adds_facts,
            sensitive: body.sensitive,
            disturbs_business: body.disturbs_business,
            joint_customers: body.joint_customers,
            serving_cell: body.serving_cell,
            customer_number: body.customer_number,
        },
    };
    let (seen, is_new) = blocking(move || app.complaint_create(&caller, &new)).await?;
    let location = format!("/v1/complaints/{}", seen.complaint.id);
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(("Location", location)).json(view(seen)))
}

/// Complaints of the caller's regions; a system sees its own.
#[utoipa::path(get, path = "/v1/complaints", tag = "complaints", params(ComplaintQuery), responses((status = 200, body = ComplaintList)))]
async fn complaint_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<ComplaintQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let states = query.state.into_iter().collect();
    let items = blocking(move || app.complaint_list(&caller, states, page)).await?;
    let next = page_next(&page, items.iter().map(|seen| (seen.complaint.created_at, seen.complaint.id)));
    Ok(HttpResponse::Ok().json(ComplaintList { items: items.into_iter().map(view).collect(), next }))
}

/// A complaint.
#[utoipa::path(get, path = "/v1/complaints/{id}", tag = "complaints", params(("id" = ComplaintId, Path)), responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
))]
async fn complaint_show(app: web::Data<App>, caller: Caller, id: web::Path<ComplaintId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.complaint_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Classify a complaint (R-INTAKE-2). A network complaint gets its work order.
#[utoipa::path(post, path = "/v1/complaints/{id}/classify", tag = "complaints", params(("id" = ComplaintId, Path)), request_body = ClassifyBody, responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
    (status = 409, description = "It is classified already", body = Problem),
    (status = 422, body = Problem),
))]
async fn complaint_classify(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<ClassifyBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let classification = Classification { class: body.class, answer: body.answer, urgency: body.urgency };
    let seen = blocking(move || app.complaint_classify(&caller, *id, &classification)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
