//! The escalation ladder of an order.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::ladder_steps::{LadderSeen, StepRecord};
use crate::workflow::ladder::{LadderEvidence, StepOutcome};
use actix_web::{HttpResponse, web};
use callout_sync_protocol::ids::{FieldTestId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/ladder" => ladder_show: LadderRead;
    PUT "/v1/work-orders/{id}/ladder/{step}" => ladder_record: LadderRecord;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(ladder_show, ladder_record))]
pub struct Api;

/// What shows how a step came out.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum EvidenceBody {
    /// A field test of the order.
    FieldTest(FieldTestId),
    /// A photo of the order.
    Photo(PhotoId),
    /// A change request or document elsewhere.
    Reference(String),
}

/// How a step came out (R-LADDER-2).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepBody {
    /// `solved`, `not_enough`, `ruled_out` or `skipped`.
    #[schema(value_type = String, example = "not_enough")]
    outcome: StepOutcome,
    /// What shows it; needed unless it is skipped.
    #[serde(default)]
    evidence: Vec<EvidenceBody>,
    /// What was done, or why it was ruled out or skipped.
    reason: String,
}

/// A step of the ladder.
#[derive(Serialize, ToSchema)]
pub struct StepView {
    /// Its number, from 1 to 12.
    step: u8,
    /// Its name in records.
    key: String,
    /// `optimise`, `retrofit` or `build`.
    rung: String,
    /// The name in English.
    name: String,
    /// The name in Chinese.
    name_zh: String,
    /// The kinds of evidence that count for it: `field_test`, `photo`, `reference`.
    evidence_kinds: Vec<&'static str>,
    /// How many pieces of these there must be.
    evidence_at_least: u8,
    /// How it came out.
    outcome: Option<String>,
    /// What shows it.
    evidence: Option<Value>,
    /// What was done, or why not.
    reason: Option<String>,
    /// Who recorded it.
    recorded_by: Option<UserId>,
    /// When.
    recorded_at: Option<Timestamp>,
}

/// An order's ladder.
#[derive(Serialize, ToSchema)]
pub struct LadderView {
    /// For which technology: `gsm`, `umts`, `lte` or `nr`. An order keeps the ladder with which its climb began.
    #[schema(value_type = String)]
    technology: Technology,
    /// The twelve steps, lowest first.
    steps: Vec<StepView>,
    /// The key of what comes next, if anything.
    next: Option<String>,
}

fn view(seen: LadderSeen) -> LadderView {
    let steps = seen
        .rows
        .into_iter()
        .map(|row| StepView {
            step: row.number,
            key: row.step.key,
            rung: row.step.rung.to_string(),
            name: row.step.name_en,
            name_zh: row.step.name_zh,
            evidence_kinds: row.step.evidence.kinds.iter().map(|kind| kind.as_str()).collect(),
            evidence_at_least: row.step.evidence.at_least,
            recorded_by: row.record.as_ref().map(|record| record.recorded_by),
            recorded_at: row.record.as_ref().map(|record| record.recorded_at),
            reason: row.record.as_ref().map(|record| record.reason.clone()),
            evidence: row.record.as_ref().map(|record| record.evidence.clone()),
            outcome: row.record.map(|record| record.outcome),
        })
        .collect();
    LadderView { technology: seen.technology, steps, next: seen.next }
}

/// An order's ladder (R-LADDER-1).
#[utoipa::path(get, path = "/v1/work-orders/{id}/ladder", tag = "ladder", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = LadderView),
    (status = 404, body = Problem),
))]
async fn ladder_show(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.ladder_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Record how a step came out (R-LADDER-2). Recording it anew replaces what counts; the trail keeps both.
#[utoipa::path(put, path = "/v1/work-orders/{id}/ladder/{step}", tag = "ladder", params(("id" = WorkOrderId, Path), ("step" = u8, Path, description = "1 to 12")), request_body = StepBody, responses(
    (status = 200, body = LadderView),
    (status = 404, body = Problem),
    (status = 409, description = "An earlier rung is not spent, or evidence is missing", body = Problem),
    (status = 422, body = Problem),
))]
async fn ladder_record(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<(WorkOrderId, u8)>,
    body: web::Json<StepBody>,
) -> AppResult<HttpResponse> {
    let (id, step) = path.into_inner();
    let body = body.into_inner();
    let evidence = body.evidence.into_iter().map(|evidence| match evidence {
        EvidenceBody::FieldTest(id) => LadderEvidence::FieldTest(id),
        EvidenceBody::Photo(id) => LadderEvidence::Photo(id),
        EvidenceBody::Reference(text) => LadderEvidence::Reference(text),
    });
    let record = StepRecord { outcome: body.outcome, evidence: evidence.collect(), reason: body.reason };
    let seen = blocking(move || app.ladder_record(&caller, id, step, &record)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
