//! Clocks: each explained stretch by stretch, the desks' list of what is due, and the causes of breaches.

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::clocks::{ClockCauseNamed, ClockSeen};
use crate::app::error::{AppError, AppResult};
use crate::workflow::breaches::{BreachCause, ClockStage};
use crate::workflow::clocks::{ClockKind, ClockSpan, ClockStanding, SpanReason, TimeMeasure};
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::clocks::{ClockFilter, ClockOutcome, ClockRecord};
use callout_sync_protocol::ids::{ClockId, ComplaintId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/clocks" => clock_list: ClockRead;
    GET "/v1/clocks/{id}" => clock_show: ClockRead;
    POST "/v1/clocks/{id}/breach-cause" => clock_cause_name: ClockCauseName;
    GET "/v1/breach-causes" => breach_cause_list: ClockRead;
    GET "/v1/work-orders/{id}/clocks" => work_order_clocks: ClockRead;
    GET "/v1/complaints/{id}/clocks" => complaint_clocks: ComplaintRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(clock_list, clock_show, clock_cause_name, breach_cause_list, work_order_clocks, complaint_clocks))]
pub struct Api;

/// A clock as lists show it.
#[derive(Serialize, ToSchema)]
pub struct ClockView {
    /// The clock.
    id: ClockId,
    /// Which limit: `handling`, `first_response`, `higher_door`, `review`, `plan` or `tracking`.
    kind: String,
    /// Its Chinese name.
    kind_zh: String,
    /// The complaint.
    complaint_id: ComplaintId,
    /// Its order.
    work_order_id: Option<WorkOrderId>,
    /// The region, once found.
    region_id: Option<RegionId>,
    /// `running`, `paused` or `stopped`.
    standing: String,
    /// Its Chinese name.
    standing_zh: String,
    /// `working_days` (of 24 hours, by the calendar) or `all_hours`.
    measure: String,
    /// What the limit follows from beside its kind: `quality`, `staff_conduct`, `billing`, `other`; the kind of plan; the channel.
    limit_key: String,
    /// On the fast track of a major complaint (R-CLASS-2).
    is_major: bool,
    /// The limit, in seconds.
    budget_seconds: i64,
    /// When it began.
    started_at: Timestamp,
    /// The deadline. Of a clock that does not run: what it was when it last ran; it moves when the clock goes on.
    due_at: Timestamp,
    /// When to warn.
    warn_at: Timestamp,
    /// When the warning was given.
    warned_at: Option<Timestamp>,
    /// When it ended, unless it may go on.
    stopped_at: Option<Timestamp>,
    /// `met`, `moot` (no longer owed) or `replaced` (by another clock), once it ended.
    #[schema(value_type = Option<String>)]
    outcome: Option<ClockOutcome>,
    /// The breach, if there was one.
    breach: Option<BreachView>,
}

/// A breach.
#[derive(Serialize, ToSchema)]
pub struct BreachView {
    /// The instant itself.
    breached_at: Timestamp,
    /// When the server wrote it down.
    recorded_at: Option<Timestamp>,
    /// The key of the cause that the time used suggests.
    suggested_cause: Option<String>,
    /// The key of the cause that a person named.
    cause: Option<String>,
    /// What that person added.
    note: Option<String>,
    /// Who.
    named_by: Option<UserId>,
    /// When.
    named_at: Option<Timestamp>,
}

/// A stretch of a clock's life.
#[derive(Serialize, ToSchema)]
pub struct ClockSpanView {
    /// Begin, inclusive.
    from: Timestamp,
    /// End, exclusive.
    until: Timestamp,
    /// `counted`, `paused`, `stopped`, `weekend` or `public_holiday`.
    #[schema(value_type = String)]
    reason: SpanReason,
    /// Its Chinese name.
    reason_zh: String,
    /// What began it, or the holiday's name.
    note: String,
    /// Seconds of the limit that it used.
    counted_seconds: i64,
}

/// What of the limit was used in one stage.
#[derive(Serialize, ToSchema)]
pub struct StageTimeView {
    /// The stage, such as `review`.
    #[schema(value_type = String)]
    stage: ClockStage,
    /// Its Chinese name.
    stage_zh: String,
    /// Who had to act: `t1_dispatcher`, `field_tester`, `regional_lead` or `handoff_recipient`.
    owner: Option<String>,
    /// Seconds.
    seconds: i64,
}

/// A clock, explained up to now.
#[derive(Serialize, ToSchema)]
pub struct ClockDetail {
    /// The clock.
    #[serde(flatten)]
    clock: ClockView,
    /// What of the limit is used, in seconds.
    used_seconds: i64,
    /// What is left; negative once it is overrun.
    left_seconds: i64,
    /// Its whole life without a gap.
    spans: Vec<ClockSpanView>,
    /// Who used the time.
    time_by_stage: Vec<StageTimeView>,
    /// The name of the suggested cause.
    suggested_cause: Option<BreachCauseView>,
    /// The name of the cause that a person named.
    named_cause: Option<BreachCauseView>,
    /// What a reader must know: years for which the calendar has no data.
    warnings: Vec<ClockWarning>,
}

/// What a reader must know of a clock.
#[derive(Serialize, ToSchema)]
pub struct ClockWarning {
    /// In English.
    text: String,
    /// In Chinese.
    text_zh: String,
}

/// Clocks, explained, oldest first.
#[derive(Serialize, ToSchema)]
pub struct ClockDetailList {
    /// The clocks.
    items: Vec<ClockDetail>,
}

/// Clocks, what is due first before the rest.
#[derive(Serialize, ToSchema)]
pub struct ClockList {
    /// The clocks.
    items: Vec<ClockView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which clocks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ClockQuery {
    /// Only those that are `running`, `paused` or `stopped`.
    #[param(value_type = Option<String>)]
    standing: Option<ClockStanding>,
    /// Only this kind.
    #[param(value_type = Option<String>)]
    kind: Option<ClockKind>,
    /// Only those due before this instant: now for the overdue ones, tomorrow for those that are due soon, too.
    due_before: Option<Timestamp>,
    /// Only breached ones, or only those that are not.
    is_breached: Option<bool>,
    /// Only of this region.
    region_id: Option<RegionId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// Of which region.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BreachCauseQuery {
    /// The region whose list is asked for; absent for the one that holds where a region has none of its own.
    region_id: Option<RegionId>,
}

/// A cause of a breach.
#[derive(Serialize, ToSchema)]
pub struct BreachCauseView {
    /// Its key.
    key: String,
    /// Its English name.
    name: String,
    /// Its Chinese name.
    name_zh: String,
    /// Whoever names it must say more.
    needs_note: bool,
}

/// The causes to choose from.
#[derive(Serialize, ToSchema)]
pub struct BreachCauseList {
    /// The causes.
    items: Vec<BreachCauseView>,
}

/// The cause of a breach.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreachCauseBody {
    /// Its key.
    #[schema(example = "late_review")]
    cause: String,
    /// What there is to say of it; needed where the cause asks for it.
    note: Option<String>,
}

fn cause_view(cause: BreachCause) -> BreachCauseView {
    BreachCauseView { key: cause.key, name: cause.name, name_zh: cause.name_zh, needs_note: cause.needs_note }
}

fn view(record: ClockRecord) -> AppResult<ClockView> {
    let kind: ClockKind = record.kind.parse().map_err(AppError::internal)?;
    let standing: ClockStanding = record.standing.parse().map_err(AppError::internal)?;
    let measure: TimeMeasure = record.measure.parse().map_err(AppError::internal)?;
    let breach = record.breached_at.map(|breached_at| BreachView {
        breached_at,
        recorded_at: record.breach_recorded_at,
        suggested_cause: record.suggested_cause,
        cause: record.breach_cause,
        note: record.breach_note,
        named_by: record.cause_named_by,
        named_at: record.cause_named_at,
    });
    Ok(ClockView {
        id: record.id,
        kind: kind.as_str().into(),
        kind_zh: kind.name_zh().into(),
        complaint_id: record.complaint_id,
        work_order_id: record.work_order_id,
        region_id: record.region_id,
        standing: standing.as_str().into(),
        standing_zh: standing.name_zh().into(),
        measure: measure.as_str().into(),
        limit_key: record.limit_key,
        is_major: record.is_major,
        budget_seconds: record.budget_micros.div_euclid(MICROS),
        started_at: record.started_at,
        due_at: record.due_at,
        warn_at: record.warn_at,
        warned_at: record.warned_at,
        stopped_at: record.stopped_at,
        outcome: record.outcome,
        breach,
    })
}

const MICROS: i64 = 1_000_000;

fn detail(seen: ClockSeen) -> AppResult<ClockDetail> {
    let span = |span: ClockSpan| ClockSpanView {
        counted_seconds: span.counted_micros().div_euclid(MICROS),
        from: span.from,
        until: span.until,
        reason: span.reason,
        reason_zh: span.reason.name_zh().into(),
        note: span.note,
    };
    let stage = |(stage, micros): (ClockStage, i64)| StageTimeView {
        stage,
        stage_zh: stage.name_zh().into(),
        owner: stage.owner().map(|owner| owner.as_str().into()),
        seconds: micros.div_euclid(MICROS),
    };
    let warnings = seen.uncovered_years.iter().map(|year| ClockWarning {
        text: format!("the calendar has no data for {year}: only weekends are taken as days off"),
        text_zh: format!("日历中没有 {year} 年的节假日数据，仅按周末休息计算"),
    });
    Ok(ClockDetail {
        used_seconds: seen.used_micros.div_euclid(MICROS),
        left_seconds: (seen.record.budget_micros - seen.used_micros).div_euclid(MICROS),
        spans: seen.spans.into_iter().map(span).collect(),
        time_by_stage: seen.time_by_stage.into_iter().map(stage).collect(),
        suggested_cause: seen.suggested_cause.map(cause_view),
        named_cause: seen.named_cause.map(cause_view),
        warnings: warnings.collect(),
        clock: view(seen.record)?,
    })
}

fn details(seen: Vec<ClockSeen>) -> AppResult<HttpResponse> {
    let items = seen.into_iter().map(detail).collect::<AppResult<_>>()?;
    Ok(HttpResponse::Ok().json(ClockDetailList { items }))
}

/// Clocks of the caller's regions: what is overdue and what is due soon.
#[utoipa::path(get, path = "/v1/clocks", tag = "clocks", params(ClockQuery), responses((status = 200, body = ClockList)))]
async fn clock_list(app: web::Data<App>, caller: Caller, query: web::Query<ClockQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let scope = match query.region_id {
        Some(region) => RegionScope::Only { region_ids: vec![region], and_unlocated: false },
        None => RegionScope::All,
    };
    let filter = ClockFilter {
        standing: query.standing.map(|standing| standing.as_str().into()),
        kind: query.kind.map(|kind| kind.as_str().into()),
        due_before: query.due_before,
        is_breached: query.is_breached,
        ..ClockFilter::of(scope)
    };
    let records = blocking(move || app.clock_list(&caller, filter, page)).await?;
    let next = page_next(&page, records.iter().map(|record| (record.due_at, record.id)));
    let items = records.into_iter().map(view).collect::<AppResult<_>>()?;
    Ok(HttpResponse::Ok().json(ClockList { items, next }))
}

/// One clock, explained.
#[utoipa::path(get, path = "/v1/clocks/{id}", tag = "clocks", params(("id" = ClockId, Path)), responses(
    (status = 200, body = ClockDetail),
    (status = 404, body = Problem),
))]
async fn clock_show(app: web::Data<App>, caller: Caller, id: web::Path<ClockId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.clock_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(detail(seen)?))
}

/// Name the cause of a breach (R-KPI-1).
#[utoipa::path(post, path = "/v1/clocks/{id}/breach-cause", tag = "clocks", params(("id" = ClockId, Path)), request_body = BreachCauseBody, responses(
    (status = 200, body = ClockDetail),
    (status = 404, body = Problem),
    (status = 409, description = "The clock was not overrun", body = Problem),
    (status = 422, body = Problem),
))]
async fn clock_cause_name(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ClockId>,
    body: web::Json<BreachCauseBody>,
) -> AppResult<HttpResponse> {
    let BreachCauseBody { cause, note } = body.into_inner();
    let named = ClockCauseNamed { cause, note };
    let seen = blocking(move || app.clock_cause_name(&caller, *id, &named)).await?;
    Ok(HttpResponse::Ok().json(detail(seen)?))
}

/// The causes to choose from.
#[utoipa::path(get, path = "/v1/breach-causes", tag = "clocks", params(BreachCauseQuery), responses(
    (status = 200, body = BreachCauseList),
    (status = 404, body = Problem),
))]
async fn breach_cause_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<BreachCauseQuery>,
) -> AppResult<HttpResponse> {
    let causes = blocking(move || app.breach_cause_list(&caller, query.region_id)).await?;
    Ok(HttpResponse::Ok().json(BreachCauseList { items: causes.into_iter().map(cause_view).collect() }))
}

/// The clocks of an order and of its complaint, explained.
#[utoipa::path(get, path = "/v1/work-orders/{id}/clocks", tag = "clocks", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = ClockDetailList),
    (status = 404, body = Problem),
))]
async fn work_order_clocks(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    details(blocking(move || app.work_order_clocks(&caller, *id)).await?)
}

/// The clocks of a complaint and of its order, explained.
#[utoipa::path(get, path = "/v1/complaints/{id}/clocks", tag = "clocks", params(("id" = ComplaintId, Path)), responses(
    (status = 200, body = ClockDetailList),
    (status = 404, body = Problem),
))]
async fn complaint_clocks(app: web::Data<App>, caller: Caller, id: web::Path<ComplaintId>) -> AppResult<HttpResponse> {
    details(blocking(move || app.complaint_clocks(&caller, *id)).await?)
}
