//! Early warnings and their report (R-WARN-1).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::calendar::Day;
use crate::workflow::warnings::WarningState;
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::warnings::{Warning, WarningFilter};
use callout_sync_protocol::ids::{RegionId, UserId, WarningId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Symptom;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/warnings" => warning_list: WarningRead;
    GET "/v1/warnings/report" => warning_report: WarningRead;
    GET "/v1/warnings/{id}" => warning_show: WarningRead;
    POST "/v1/warnings/{id}/review" => warning_review: WarningDecide;
    POST "/v1/warnings/{id}/publish" => warning_publish: WarningDecide;
    POST "/v1/warnings/{id}/dismiss" => warning_dismiss: WarningDecide;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(warning_list, warning_report, warning_show, warning_review, warning_publish, warning_dismiss))]
pub struct Api;

/// A warning.
#[derive(Serialize, ToSchema)]
pub struct WarningView {
    /// The warning.
    id: WarningId,
    /// Its region.
    region_id: RegionId,
    /// The complaint type.
    #[schema(value_type = String, example = "no_signal")]
    symptom: Symptom,
    /// `draft`, `reviewed`, `published`, `dismissed` or `recovered`.
    state: String,
    /// `notice`, `serious` or `severe`.
    level: String,
    /// Begin of the window that was counted last.
    window_from: Timestamp,
    /// Its end.
    window_until: Timestamp,
    /// Complaints in it.
    complaint_count: u32,
    /// The most that a window held.
    peak_count: u32,
    /// The mean of such windows over the half-year before.
    base: f64,
    /// When it was raised.
    raised_at: Timestamp,
    /// Who looked at it.
    reviewed_by: Option<UserId>,
    /// When.
    reviewed_at: Option<Timestamp>,
    /// What was found.
    review_note: Option<String>,
    /// Who let it out.
    published_by: Option<UserId>,
    /// When.
    published_at: Option<Timestamp>,
    /// To whom.
    recipients: Vec<String>,
    /// Who did not let it out.
    dismissed_by: Option<UserId>,
    /// When.
    dismissed_at: Option<Timestamp>,
    /// Why not.
    dismiss_reason: Option<String>,
    /// When the count had fallen again.
    recovered_at: Option<Timestamp>,
}

/// Warnings, those raised last first.
#[derive(Serialize, ToSchema)]
pub struct WarningList {
    /// The warnings.
    items: Vec<WarningView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// How many warnings of one kind were raised on one local day.
#[derive(Serialize, ToSchema)]
pub struct WarningCountView {
    /// The day.
    #[schema(value_type = Option<String>, example = "2026-11-23")]
    day: Option<Day>,
    /// The region.
    region_id: RegionId,
    /// The complaint type.
    #[schema(value_type = String, example = "no_signal")]
    symptom: Symptom,
    /// `notice`, `serious` or `severe`.
    level: String,
    /// Where they stand now.
    state: String,
    /// How many.
    count: i64,
}

/// The report by time, place and type.
#[derive(Serialize, ToSchema)]
pub struct WarningReport {
    /// In the order of days and regions.
    items: Vec<WarningCountView>,
}

/// Which warnings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WarningQuery {
    /// Only in this state.
    #[param(value_type = Option<String>)]
    state: Option<WarningState>,
    /// Only of this complaint type.
    #[param(value_type = Option<String>)]
    symptom: Option<Symptom>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// Which days; both count.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WarningReportQuery {
    /// First local day.
    #[param(value_type = String, example = "2026-11-01")]
    from: Day,
    /// Last local day.
    #[param(value_type = String, example = "2026-11-30")]
    until: Day,
}

/// What a review found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WarningReviewBody {
    /// In words.
    note: String,
}

/// Who is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WarningPublishBody {
    /// Users who may read warnings of the region.
    recipients: Vec<UserId>,
}

/// Why nobody is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WarningDismissBody {
    /// In words.
    reason: String,
}

fn view(warning: Warning) -> WarningView {
    WarningView {
        id: warning.id,
        region_id: warning.region_id,
        symptom: warning.symptom,
        state: warning.state,
        level: warning.level,
        window_from: warning.window_from,
        window_until: warning.window_until,
        complaint_count: warning.complaint_count,
        peak_count: warning.peak_count,
        base: warning.base_thousandths as f64 / 1_000.0,
        raised_at: warning.raised_at,
        reviewed_by: warning.reviewed_by,
        reviewed_at: warning.reviewed_at,
        review_note: warning.review_note,
        published_by: warning.published_by,
        published_at: warning.published_at,
        recipients: warning.recipients,
        dismissed_by: warning.dismissed_by,
        dismissed_at: warning.dismissed_at,
        dismiss_reason: warning.dismiss_reason,
        recovered_at: warning.recovered_at,
    }
}

/// Warnings of the caller's regions.
#[utoipa::path(get, path = "/v1/warnings", tag = "warnings", params(WarningQuery), responses((status = 200, body = WarningList)))]
async fn warning_list(app: web::Data<App>, caller: Caller, query: web::Query<WarningQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let state = query.state.map(|state| state.as_str().to_owned());
    let filter = WarningFilter { scope: RegionScope::All, state, symptom: query.symptom };
    let warnings = blocking(move || app.warning_list(&caller, filter, page)).await?;
    let next = page_next(&page, warnings.iter().map(|warning| (warning.raised_at, warning.id)));
    Ok(HttpResponse::Ok().json(WarningList { items: warnings.into_iter().map(view).collect(), next }))
}

/// How many warnings were raised, by day, region and complaint type.
#[utoipa::path(get, path = "/v1/warnings/report", tag = "warnings", params(WarningReportQuery), responses(
    (status = 200, body = WarningReport),
    (status = 422, body = Problem),
))]
async fn warning_report(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<WarningReportQuery>,
) -> AppResult<HttpResponse> {
    let counts = blocking(move || app.warning_report(&caller, query.from, query.until)).await?;
    let items = counts
        .into_iter()
        .map(|count| WarningCountView {
            day: Day::from_number(count.raised_day),
            region_id: count.region_id,
            symptom: count.symptom,
            level: count.level,
            state: count.state,
            count: count.count,
        })
        .collect();
    Ok(HttpResponse::Ok().json(WarningReport { items }))
}

/// A warning.
#[utoipa::path(get, path = "/v1/warnings/{id}", tag = "warnings", params(("id" = WarningId, Path)), responses(
    (status = 200, body = WarningView),
    (status = 404, body = Problem),
))]
async fn warning_show(app: web::Data<App>, caller: Caller, id: web::Path<WarningId>) -> AppResult<HttpResponse> {
    let warning = blocking(move || app.warning_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(warning)))
}

/// Say that a warning was looked at and is true; only then may it be published.
#[utoipa::path(post, path = "/v1/warnings/{id}/review", tag = "warnings", params(("id" = WarningId, Path)), request_body = WarningReviewBody, responses(
    (status = 200, body = WarningView),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn warning_review(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WarningId>,
    body: web::Json<WarningReviewBody>,
) -> AppResult<HttpResponse> {
    let warning = blocking(move || app.warning_review(&caller, *id, &body.note)).await?;
    Ok(HttpResponse::Ok().json(view(warning)))
}

/// Let a reviewed warning out to its recipients.
#[utoipa::path(post, path = "/v1/warnings/{id}/publish", tag = "warnings", params(("id" = WarningId, Path)), request_body = WarningPublishBody, responses(
    (status = 200, body = WarningView),
    (status = 404, body = Problem),
    (status = 409, description = "Nobody has looked at it, or it is decided already", body = Problem),
    (status = 422, body = Problem),
))]
async fn warning_publish(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WarningId>,
    body: web::Json<WarningPublishBody>,
) -> AppResult<HttpResponse> {
    let warning = blocking(move || app.warning_publish(&caller, *id, &body.recipients)).await?;
    Ok(HttpResponse::Ok().json(view(warning)))
}

/// Do not let a warning out.
#[utoipa::path(post, path = "/v1/warnings/{id}/dismiss", tag = "warnings", params(("id" = WarningId, Path)), request_body = WarningDismissBody, responses(
    (status = 200, body = WarningView),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn warning_dismiss(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WarningId>,
    body: web::Json<WarningDismissBody>,
) -> AppResult<HttpResponse> {
    let warning = blocking(move || app.warning_dismiss(&caller, *id, &body.reason)).await?;
    Ok(HttpResponse::Ok().json(view(warning)))
}
