//! Intake: what was found and decided about a complaint, correcting and comparing it, refusing it.

use super::blocking;
use super::complaints::{ComplaintView, view};
use super::problem::Problem;
use super::routes::routes;
use super::users::ReasonBody;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::intakes::IntakeProgress;
use crate::app::relations::RelationCorrection;
use crate::workflow::complaints::{ComplaintHandling, RelationKind};
use crate::workflow::intakes::RelationReason;
use actix_web::{HttpResponse, web};
use callout_storage::complaints::ComplaintState;
use callout_storage::intakes::Intake;
use callout_sync_protocol::ids::{ComplaintId, KeyAccountId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{Urgency, WorkOrderState};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/complaints/{id}/chain" => complaint_chain: ComplaintRead;
    POST "/v1/complaints/{id}/relation" => complaint_relation_correct: ComplaintRelate;
    POST "/v1/complaints/{id}/comparison" => complaint_compare: ComplaintCompare;
    POST "/v1/complaints/{id}/refuse" => complaint_refuse: ComplaintRefuse;
    POST "/v1/complaints/{id}/refusal-rejected" => complaint_refusal_rejected: ComplaintRefuse;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    complaint_chain,
    complaint_relation_correct,
    complaint_compare,
    complaint_refuse,
    complaint_refusal_rejected
))]
pub struct Api;

/// A word of the rules, with the name that a Chinese reader expects.
#[derive(Serialize, ToSchema)]
pub struct NamedWord {
    /// The word.
    pub word: String,
    /// Its Chinese name.
    pub name_zh: String,
}

/// A word that the store gives back, with its Chinese name; an unknown one stands for itself.
pub fn named<T: std::str::FromStr>(word: String, name_zh: fn(T) -> &'static str) -> NamedWord {
    let name = word.parse().map_or_else(|_| word.clone(), |value| name_zh(value).to_owned());
    NamedWord { word, name_zh: name }
}

/// Where the case stands under which a complaint is dealt with.
#[derive(Serialize, ToSchema)]
pub struct ProgressView {
    /// The complaint that has the order.
    complaint_id: ComplaintId,
    /// Where that complaint stands.
    #[schema(value_type = String)]
    complaint_state: ComplaintState,
    /// The order, once there is one.
    work_order_id: Option<WorkOrderId>,
    /// The number that people say on the telephone.
    number: Option<String>,
    /// Where the order stands.
    state: Option<WorkOrderState>,
    /// That in Chinese.
    state_zh: Option<String>,
    /// How pressing it is.
    urgency: Option<Urgency>,
}

/// What was found and decided when a complaint was taken (R-INTAKE-3, R-INTAKE-4, R-INTAKE-6, R-INTAKE-9).
#[derive(Serialize, ToSchema)]
pub struct IntakeView {
    /// `new`, `repeat` or `supplementary`.
    relation: NamedWord,
    /// The complaint that it repeats or adds to.
    related_id: Option<ComplaintId>,
    /// The first complaint of the same problem.
    first_id: Option<ComplaintId>,
    /// The complaint whose order deals with it, too.
    handled_under_id: Option<ComplaintId>,
    /// Why the relation is what it is.
    reasons: Vec<NamedWord>,
    /// What it deserves.
    handling: NamedWord,
    /// How pressing it is.
    urgency: Urgency,
    /// Who took the case first, and stays answerable until it ends.
    first_contact_id: UserId,
    /// The key account that the customer belongs to.
    key_account_id: Option<KeyAccountId>,
    /// Judged sensitive.
    is_sensitive: bool,
    /// How many customers complain jointly.
    joint_customers: u32,
    /// It made an earlier return as resolved a false one (R-RETURN-4).
    is_false_return: bool,
    /// Who corrected the relation.
    corrected_by: Option<UserId>,
    /// When.
    corrected_at: Option<Timestamp>,
    /// Why.
    correction_reason: Option<String>,
    /// Where the case stands: what the customer is told.
    progress: Option<ProgressView>,
}

/// An intake as JSON.
pub fn intake_view(intake: Intake, progress: Option<IntakeProgress>) -> IntakeView {
    IntakeView {
        relation: named(intake.relation, RelationKind::name_zh),
        related_id: intake.related_id,
        first_id: intake.first_id,
        handled_under_id: intake.handled_under_id,
        reasons: intake.reasons.into_iter().map(|reason| named(reason, RelationReason::name_zh)).collect(),
        handling: named(intake.handling, ComplaintHandling::name_zh),
        urgency: intake.urgency,
        first_contact_id: intake.first_contact_id,
        key_account_id: intake.key_account_id,
        is_sensitive: intake.is_sensitive,
        joint_customers: intake.joint_customers,
        is_false_return: intake.is_false_return,
        corrected_by: intake.decided_by,
        corrected_at: intake.decided_at,
        correction_reason: intake.decision_reason,
        progress: progress.map(|progress| ProgressView {
            complaint_id: progress.complaint.id,
            complaint_state: progress.complaint.state,
            work_order_id: progress.order.as_ref().map(|order| order.id),
            state: progress.order.as_ref().map(|order| order.state),
            state_zh: progress.order.as_ref().map(|order| order.state.name_zh().to_owned()),
            urgency: progress.order.as_ref().map(|order| order.urgency),
            number: progress.order.map(|order| order.number),
        }),
    }
}

/// How the relation is corrected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelationBody {
    /// `new`, `repeat` or `supplementary`.
    #[schema(value_type = String, example = "repeat")]
    relation: RelationKind,
    /// The complaint that it repeats or adds to; none of a new one.
    of: Option<ComplaintId>,
    /// Why.
    reason: String,
}

/// What the customer says of the record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparisonBody {
    /// The customer stands by having been satisfied.
    customer_agrees: bool,
    /// What was said.
    words: String,
}

/// What the customer is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalBody {
    /// The explanation; no forbidden expressions (R-CONTACT-2).
    explanation: String,
    /// The customer accepts it; if absent, nothing to the contrary was said.
    customer_accepts: Option<bool>,
}

/// Complaints of one problem.
#[derive(Serialize, ToSchema)]
pub struct ComplaintChain {
    /// The complaints, oldest first.
    items: Vec<ComplaintView>,
}

/// All complaints of the same customer's same problem, oldest first (R-INTAKE-9).
#[utoipa::path(get, path = "/v1/complaints/{id}/chain", tag = "complaints", params(("id" = ComplaintId, Path)), responses(
    (status = 200, body = ComplaintChain),
    (status = 404, body = Problem),
))]
async fn complaint_chain(app: web::Data<App>, caller: Caller, id: web::Path<ComplaintId>) -> AppResult<HttpResponse> {
    let items = blocking(move || app.complaint_chain(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(ComplaintChain { items: items.into_iter().map(view).collect() }))
}

/// Correct how a complaint relates to earlier ones (R-INTAKE-3); what follows from it is done at once.
#[utoipa::path(post, path = "/v1/complaints/{id}/relation", tag = "complaints", params(("id" = ComplaintId, Path)), request_body = RelationBody, responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
    (status = 409, description = "The complaint has ended, or others are dealt with under it", body = Problem),
    (status = 422, body = Problem),
))]
async fn complaint_relation_correct(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<RelationBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let correction = RelationCorrection { relation: body.relation, of: body.of, reason: body.reason };
    let seen = blocking(move || app.complaint_relation_correct(&caller, *id, &correction)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Record what came of comparing a repeated complaint with the customer's word at the revisit (R-INTAKE-3).
#[utoipa::path(post, path = "/v1/complaints/{id}/comparison", tag = "complaints", params(("id" = ComplaintId, Path)), request_body = ComparisonBody, responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
    (status = 409, description = "There is no record to compare it with", body = Problem),
    (status = 422, body = Problem),
))]
async fn complaint_compare(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<ComparisonBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let seen = blocking(move || app.complaint_compare(&caller, *id, body.customer_agrees, &body.words)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Refuse an unreasonable complaint with an explanation (R-INTAKE-8).
#[utoipa::path(post, path = "/v1/complaints/{id}/refuse", tag = "complaints", params(("id" = ComplaintId, Path)), request_body = RefusalBody, responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
    (status = 409, description = "It is classified, linked or refused already", body = Problem),
    (status = 422, description = "No explanation, or words that must not reach a customer", body = Problem),
))]
async fn complaint_refuse(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<RefusalBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let accepts = body.customer_accepts.unwrap_or(true);
    let seen = blocking(move || app.complaint_refuse(&caller, *id, &body.explanation, accepts)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Note that the customer does not accept the refusal: the manager looks into it (R-INTAKE-8).
#[utoipa::path(post, path = "/v1/complaints/{id}/refusal-rejected", tag = "complaints", params(("id" = ComplaintId, Path)), request_body = ReasonBody, responses(
    (status = 200, body = ComplaintView),
    (status = 404, body = Problem),
    (status = 409, description = "It is not refused", body = Problem),
    (status = 422, body = Problem),
))]
async fn complaint_refusal_rejected(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<ReasonBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.complaint_refusal_rejected(&caller, *id, &body.reason)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
