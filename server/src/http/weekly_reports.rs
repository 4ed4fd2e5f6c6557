//! The weekly workbook as a file (R-KPI-1).

use super::blocking;
use super::problem::Problem;
use super::revisits::{Language, language};
use super::routes::routes;
use super::weekly_workbook::workbook;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::calendar::Day;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use callout_sync_protocol::ids::RegionId;
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

routes! {
    GET "/v1/reports/weekly.xlsx" => weekly_report: KpiRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(weekly_report))]
pub struct Api;

/// What a workbook is called on the network (ISO/IEC 29500).
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The reader's language.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkbookLanguage {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// Which week, where, in which language.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WeeklyQuery {
    /// A day of the week; absent: the last whole week.
    #[param(value_type = Option<String>, example = "2026-11-23")]
    day: Option<Day>,
    /// Of this region only.
    region_id: Option<RegionId>,
    /// `zh` or `en`; absent: as the browser asks, else Chinese.
    #[param(value_type = Option<String>)]
    lang: Option<WorkbookLanguage>,
}

/// The workbook for the weekly meeting: figures, causes, the supervision list, warnings. Persons only for quality control and leads.
#[utoipa::path(get, path = "/v1/reports/weekly.xlsx", tag = "kpis", params(WeeklyQuery), responses(
    (status = 200, body = Vec<u8>, content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (status = 404, description = "No such region", body = Problem),
    (status = 422, body = Problem),
))]
async fn weekly_report(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<WeeklyQuery>,
) -> AppResult<HttpResponse> {
    let is_chinese = match query.lang {
        Some(WorkbookLanguage::Zh) => true,
        Some(WorkbookLanguage::En) => false,
        None => language(request.headers()) == Language::Chinese,
    };
    let (from, bytes) = blocking(move || {
        let report = app.weekly_report(&caller, query.day, query.region_id)?;
        Ok((report.from, workbook(&report, is_chinese)?))
    })
    .await?;
    let disposition = format!("attachment; filename=\"callout-weekly-{from}.xlsx\"");
    Ok(HttpResponse::Ok()
        .content_type(XLSX)
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::VARY, "accept-language"))
        .body(bytes))
}
