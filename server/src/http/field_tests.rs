//! Field tests at the desks: the evidence, its samples, and the lead's review.

mod views;

pub use views::ReasonView;

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use super::samples_csv;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::reviews::ReviewVerdict;
use crate::workflow::reviews::{PlanKind, ReturnReasons, ReviewPlan, SectionAnswer};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use utoipa::{IntoParams, OpenApi, ToSchema};
use views::{FieldTestView, field_test_view};

routes! {
    GET "/v1/work-orders/{id}/field-tests" => field_test_list: FieldTestRead;
    GET "/v1/field-tests/{id}" => field_test_show: FieldTestRead;
    GET "/v1/field-tests/{id}/samples" => field_test_samples: FieldTestRead;
    POST "/v1/field-tests/{id}/review" => field_test_review: FieldTestReview;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(field_test_list, field_test_show, field_test_samples, field_test_review))]
pub struct Api;

/// An order's tests, oldest first.
#[derive(Serialize, ToSchema)]
pub struct FieldTestList {
    /// The tests.
    items: Vec<FieldTestView>,
}

/// A lead's decision (R-REVIEW-1).
#[derive(Deserialize, ToSchema)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReviewBody {
    /// The test is good; the plan.
    Approve {
        /// The template's sections, as far as they were answered (`GET /v1/policies/review_template`).
        #[serde(default)]
        #[schema(value_type = Vec<Object>)]
        sections: Vec<SectionAnswer>,
        /// The step of the ladder that comes next, by its key.
        #[serde(default)]
        ladder_step: Option<String>,
        /// Why a test that lacks evidence is good enough; required then.
        #[serde(default)]
        evidence_accepted_because: Option<String>,
        /// Quick relief now.
        quick_relief: String,
        /// The cure later.
        cure: String,
        /// What kind of work the cure is: `optimise` (default), `fault`, `retrofit` or `build`.
        #[serde(default = "optimise")]
        #[schema(value_type = String, example = "optimise")]
        kind: PlanKind,
    },
    /// The test is not.
    SendBack {
        /// Reasons of the template, by their codes (`GET /v1/policies/review_template`).
        #[serde(default)]
        reason_codes: Vec<String>,
        /// Why, in words, for the tester to read; needed where no code is given, and beside codes that ask for words.
        #[serde(default)]
        reasons: Vec<String>,
    },
}

fn optimise() -> PlanKind {
    PlanKind::Optimise
}

/// Which samples.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SamplesQuery {
    /// Only this operator's.
    operator: Option<Operator>,
}

/// An order's field tests, with those that do not count.
#[utoipa::path(get, path = "/v1/work-orders/{id}/field-tests", tag = "field tests", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = FieldTestList),
    (status = 404, body = Problem),
))]
async fn field_test_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let items = blocking(move || app.field_test_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(FieldTestList { items: items.into_iter().map(field_test_view).collect() }))
}

/// A field test: its evidence, the operators side by side, and what is remarkable (R-TEST-1, R-TEST-2).
#[utoipa::path(get, path = "/v1/field-tests/{id}", tag = "field tests", params(("id" = FieldTestId, Path)), responses(
    (status = 200, body = FieldTestView),
    (status = 404, body = Problem),
))]
async fn field_test_show(app: web::Data<App>, caller: Caller, id: web::Path<FieldTestId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.field_test_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(field_test_view(seen)))
}

/// The samples of a test as CSV, decoded from the sealed blocks as they are sent; `standing` tells those that are no evidence.
#[utoipa::path(get, path = "/v1/field-tests/{id}/samples", tag = "field tests", params(("id" = FieldTestId, Path), SamplesQuery), responses(
    (status = 200, description = "One row a sample", body = String, content_type = "text/csv"),
    (status = 404, body = Problem),
    (status = 422, description = "Not an operator", body = Problem),
))]
async fn field_test_samples(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<FieldTestId>,
    query: web::Query<SamplesQuery>,
) -> AppResult<HttpResponse> {
    let blocks = blocking({
        let (app, id) = (app.clone(), *id);
        move || app.field_test_blocks(&caller, id, query.operator)
    })
    .await?;
    // Block by block, so that no more than one is in memory at a time.
    let rows = stream::try_unfold(VecDeque::from(blocks), move |mut blocks| {
        let app = app.clone();
        async move {
            let Some(block) = blocks.pop_front() else { return Ok::<_, AppError>(None) };
            let rows = blocking(move || {
                Ok(app.sample_block_open(&block.hash)?.map(|columns| samples_csv::rows(&block, &columns)))
            })
            .await?;
            Ok(Some((Bytes::from(rows.unwrap_or_default()), blocks)))
        }
    });
    let header = stream::once(async { Ok(Bytes::from_static(samples_csv::HEADER.as_bytes())) });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"samples-{id}.csv\"")))
        .streaming(futures_util::StreamExt::chain(header, rows)))
}

/// Review the order's current test: approve it with a plan, or send it back with reasons (R-REVIEW-1).
#[utoipa::path(post, path = "/v1/field-tests/{id}/review", tag = "field tests", params(("id" = FieldTestId, Path)), request_body = ReviewBody, responses(
    (status = 200, body = FieldTestView),
    (status = 404, body = Problem),
    (status = 409, description = "Does not wait for a review, or cites what has not arrived", body = Problem),
    (status = 422, description = "The plan or the reasons are missing", body = Problem),
))]
async fn field_test_review(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<FieldTestId>,
    body: web::Json<ReviewBody>,
) -> AppResult<HttpResponse> {
    let verdict = match body.into_inner() {
        ReviewBody::Approve { quick_relief, cure, kind, sections, ladder_step, evidence_accepted_because } => {
            ReviewVerdict::Approve(ReviewPlan {
                quick_relief,
                cure,
                kind,
                ladder_step,
                evidence_accepted_because,
                sections,
            })
        }
        ReviewBody::SendBack { reason_codes, reasons } => {
            ReviewVerdict::SendBack(ReturnReasons { codes: reason_codes, words: reasons })
        }
    };
    let seen = blocking(move || app.field_test_review(&caller, *id, &verdict)).await?;
    Ok(HttpResponse::Ok().json(field_test_view(seen)))
}
