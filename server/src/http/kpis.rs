//! The figures: timeliness, handling time, first visits, returns, scores, causes of being late (R-KPI-1).

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::kpis::{KpiQuestion, KpiRow};
use crate::workflow::calendar::Day;
use crate::workflow::kpis::{KpiFigures, KpiGroupBy, ParetoEntry};
use actix_web::{HttpResponse, web};
use callout_storage::complaints::ComplaintClass;
use callout_sync_protocol::ids::RegionId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/kpis" => kpi_report: KpiRead;
    GET "/v1/kpis/overdue-causes" => kpi_overdue_causes: KpiRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(kpi_report, kpi_overdue_causes))]
pub struct Api;

/// Which figures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct KpiQuery {
    /// First local day.
    #[param(value_type = String, example = "2026-11-01")]
    from: Day,
    /// Last local day.
    #[param(value_type = String, example = "2026-11-30")]
    until: Day,
    /// `region`, `team`, `person`, `class`, `day`, `week` or `month`. Persons: for quality control and leads, one region at a time.
    #[param(value_type = String, example = "region")]
    group_by: KpiGroupBy,
    /// Of this region only.
    region_id: Option<RegionId>,
    /// Of this class only: `network`, `business` or `service`.
    #[param(value_type = Option<String>)]
    class: Option<ComplaintClass>,
    /// Of this team only.
    team: Option<String>,
}

/// Which causes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CausesQuery {
    /// First local day.
    #[param(value_type = String, example = "2026-11-01")]
    from: Day,
    /// Last local day.
    #[param(value_type = String, example = "2026-11-30")]
    until: Day,
    /// Of this region only.
    region_id: Option<RegionId>,
    /// Of this class only: `network`, `business` or `service`.
    #[param(value_type = Option<String>)]
    class: Option<ComplaintClass>,
}

/// Figures: rates from 0 to 1, absent where there is nothing to divide by.
#[derive(Serialize, ToSchema)]
pub struct FiguresView {
    /// Complaints received.
    received: i64,
    /// First responses within 24 hours of receipt.
    first_response_rate: Option<f64>,
    /// Repeats.
    repeat_rate: Option<f64>,
    /// Complaints whose handling ended.
    closed: i64,
    /// Ended inside the limit.
    timeliness_rate: Option<f64>,
    /// Mean hours from receipt to end.
    handling_hours_mean: Option<f64>,
    /// Nine of ten took at most so many hours, within two percent.
    handling_hours_p90: Option<f64>,
    /// Ended ones that were visited.
    visited: i64,
    /// Solved at the first visit.
    first_visit_solve_rate: Option<f64>,
    /// Held solved and answered by the customer.
    returns: i64,
    /// False returns.
    false_return_rate: Option<f64>,
    /// Scores given.
    scores: i64,
    /// Their mean, of ten.
    score_mean: Option<f64>,
    /// Promoters less detractors, in percent of the scores.
    nps: Option<f64>,
    /// Went beyond the limit.
    overdue: i64,
}

/// One group's figures.
#[derive(Serialize, ToSchema)]
pub struct KpiRowView {
    /// The region's or person's id, the team, the class, or the period's first day; empty for what has none.
    key: String,
    /// What a person calls it; empty where the key says it.
    name: String,
    /// The figures.
    #[serde(flatten)]
    figures: FiguresView,
}

/// Figures by group.
#[derive(Serialize, ToSchema)]
pub struct KpiView {
    /// By group: periods in their order, anything else with the most received first.
    items: Vec<KpiRowView>,
    /// All together.
    total: FiguresView,
    /// Changes that are not counted yet; nearly always 0.
    pending_changes: u64,
}

/// A cause of being late.
#[derive(Serialize, ToSchema)]
pub struct CauseView {
    /// The cause; empty where nobody has named it.
    cause: String,
    /// How many went beyond their limit for it.
    count: u64,
    /// Of all, from 0 to 1.
    share: f64,
    /// With all greater causes, from 0 to 1.
    cumulative_share: f64,
}

/// Causes of being late, the greatest first (Pareto).
#[derive(Serialize, ToSchema)]
pub struct CausesView {
    /// The causes.
    items: Vec<CauseView>,
    /// Changes that are not counted yet; nearly always 0.
    pending_changes: u64,
}

fn figures_view(figures: KpiFigures) -> FiguresView {
    FiguresView {
        received: figures.received,
        first_response_rate: figures.first_response_rate,
        repeat_rate: figures.repeat_rate,
        closed: figures.closed,
        timeliness_rate: figures.timeliness_rate,
        handling_hours_mean: figures.handling_hours_mean,
        handling_hours_p90: figures.handling_hours_p90,
        visited: figures.visited,
        first_visit_solve_rate: figures.first_visit_solve_rate,
        returns: figures.returns,
        false_return_rate: figures.false_return_rate,
        scores: figures.scores,
        score_mean: figures.score_mean,
        nps: figures.nps,
        overdue: figures.overdue,
    }
}

/// Figures of the caller's regions (R-KPI-1).
#[utoipa::path(get, path = "/v1/kpis", tag = "kpis", params(KpiQuery), responses(
    (status = 200, body = KpiView),
    (status = 403, description = "Personal figures are for quality control and leads", body = Problem),
    (status = 404, description = "No such region", body = Problem),
    (status = 422, body = Problem),
))]
async fn kpi_report(app: web::Data<App>, caller: Caller, query: web::Query<KpiQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let question = KpiQuestion {
        from: query.from,
        until: query.until,
        region_id: query.region_id,
        class: query.class,
        team: query.team,
    };
    let report = blocking(move || app.kpi_report(&caller, &question, query.group_by)).await?;
    let row = |row: KpiRow| KpiRowView { key: row.key, name: row.name, figures: figures_view(row.figures) };
    Ok(HttpResponse::Ok().json(KpiView {
        items: report.rows.into_iter().map(row).collect(),
        total: figures_view(report.total),
        pending_changes: report.pending_changes,
    }))
}

/// Why orders went beyond their limit, the greatest cause first, with cumulative shares.
#[utoipa::path(get, path = "/v1/kpis/overdue-causes", tag = "kpis", params(CausesQuery), responses(
    (status = 200, body = CausesView),
    (status = 404, description = "No such region", body = Problem),
    (status = 422, body = Problem),
))]
async fn kpi_overdue_causes(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<CausesQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let question = KpiQuestion {
        from: query.from,
        until: query.until,
        region_id: query.region_id,
        class: query.class,
        team: None,
    };
    let report = blocking(move || app.kpi_overdue_causes(&caller, &question)).await?;
    let view = |entry: ParetoEntry| CauseView {
        cause: entry.cause,
        count: entry.count,
        share: entry.share,
        cumulative_share: entry.cumulative_share,
    };
    Ok(HttpResponse::Ok().json(CausesView {
        items: report.causes.into_iter().map(view).collect(),
        pending_changes: report.pending_changes,
    }))
}
