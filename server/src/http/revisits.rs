//! Revisits: asking the customer, recording a telephone answer, and the customer's one page.

use super::blocking;
use super::extract::sender_address;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::workflow::revisits::RevisitAnswer;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use callout_storage::revisits::Revisit;
use callout_sync_protocol::ids::{RevisitId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/revisits" => revisit_list: WorkOrderRead;
    POST "/v1/work-orders/{id}/revisits" => revisit_create: RevisitCreate;
    POST "/v1/revisits/{id}/answer" => revisit_answer: RevisitRecord;
    GET "/r/{token}" => revisit_page: Public;
    POST "/r/{token}" => revisit_page_answer: Public;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(revisit_list, revisit_create, revisit_answer, revisit_page, revisit_page_answer))]
pub struct Api;

/// What was done, so that the customer can be asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevisitBody {
    /// What was done.
    what_was_done: String,
}

/// A revisit that was just asked for.
#[derive(Serialize, ToSchema)]
pub struct RevisitAskedView {
    /// The revisit.
    id: RevisitId,
    /// The one-time link; shown this once.
    url: String,
    /// When the link ends.
    expires_at: Timestamp,
}

/// The customer's answer on the telephone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevisitAnswerBody {
    /// Service is back.
    solved: bool,
    /// 1 (worst) to 10 (best).
    score: u8,
    /// The customer's words.
    words: Option<String>,
    /// Why the customer was called in the hours of rest; required then (R-CONTACT-1).
    emergency_reason: Option<String>,
}

/// The customer's answer on the page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevisitForm {
    /// `yes` or `no`.
    solved: YesNo,
    /// 1 (worst) to 10 (best).
    score: u8,
    /// The customer's words.
    #[serde(default)]
    words: String,
}

/// Yes or no.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum YesNo {
    /// 是
    Yes,
    /// 否
    No,
}

/// A revisit.
#[derive(Serialize, ToSchema)]
pub struct RevisitView {
    /// The revisit.
    id: RevisitId,
    /// Its order.
    work_order_id: WorkOrderId,
    /// Its tracking ticket, if it is that one's.
    tracking_ticket_id: Option<TrackingTicketId>,
    /// `pending`, `confirmed`, `denied`, `expired` or `revoked`.
    state: String,
    /// `link` or `phone`.
    channel: Option<String>,
    /// Whether service is back.
    solved: Option<bool>,
    /// 1 (worst) to 10 (best).
    score: Option<i16>,
    /// The customer's words.
    words: Option<String>,
    /// When the customer answered.
    answered_at: Option<Timestamp>,
    /// Who asked.
    created_by: UserId,
    /// When.
    created_at: Timestamp,
    /// When the link ends.
    expires_at: Timestamp,
}

/// Revisits, oldest first.
#[derive(Serialize, ToSchema)]
pub struct RevisitList {
    /// The revisits.
    items: Vec<RevisitView>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

#[derive(Template)]
#[template(path = "revisit.html")]
struct RevisitPage<'a> {
    zh: bool,
    number: &'a str,
    day: &'a str,
    scores: [u8; 10],
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "revisit_done.html")]
struct RevisitDonePage<'a> {
    zh: bool,
    title: &'a str,
    text: &'a str,
}

fn view(revisit: Revisit) -> RevisitView {
    RevisitView {
        id: revisit.id,
        work_order_id: revisit.work_order_id,
        tracking_ticket_id: revisit.tracking_ticket_id,
        state: revisit.state,
        channel: revisit.channel,
        solved: revisit.solved,
        score: revisit.score,
        words: revisit.words,
        answered_at: revisit.answered_at,
        created_by: revisit.created_by,
        created_at: revisit.created_at,
        expires_at: revisit.expires_at,
    }
}

/// Chinese unless the browser puts English before it.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accepted.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    if first.starts_with("en") { Language::English } else { Language::Chinese }
}

/// A page for a stranger's browser: no script, nothing from elsewhere, no trace in caches, histories or other sites' logs.
fn page(status: StatusCode, template: &impl Template) -> AppResult<HttpResponse> {
    let body = template.render().map_err(AppError::internal)?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ))
        .body(body))
}

fn gone_page(language: Language, error: &AppError) -> AppResult<HttpResponse> {
    let zh = language == Language::Chinese;
    let (title, text) = match (error.problem, zh) {
        (ProblemType::LinkExpired, true) => ("链接已失效", "该链接已使用或已过期。如仍有网络问题，请拨打 10086。"),
        (ProblemType::LinkExpired, false) => (
            "This link is no longer valid",
            "It was used or is too old. If the problem is still there, please call 10086.",
        ),
        (ProblemType::TooManyRequests, true) => ("请求过于频繁", "请稍后再试。"),
        (ProblemType::TooManyRequests, false) => ("Too many requests", "Please try again in a minute."),
        (_, true) => ("暂时无法处理", "请稍后再试。"),
        (_, false) => ("Something went wrong", "Please try again later."),
    };
    let status = StatusCode::from_u16(error.problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if error.problem.status() >= 500 {
        tracing::error!(?error, "revisit page failed");
    }
    page(status, &RevisitDonePage { zh, title, text })
}

/// The revisits of an order.
#[utoipa::path(get, path = "/v1/work-orders/{id}/revisits", tag = "revisits", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = RevisitList),
    (status = 404, body = Problem),
))]
async fn revisit_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let revisits = blocking(move || app.revisit_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(RevisitList { items: revisits.into_iter().map(view).collect() }))
}

/// Hold an order, or its open tracking ticket, to be solved and ask the customer (R-RETURN-3).
#[utoipa::path(post, path = "/v1/work-orders/{id}/revisits", tag = "revisits", params(("id" = WorkOrderId, Path)), request_body = RevisitBody, responses(
    (status = 201, body = RevisitAskedView),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn revisit_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<RevisitBody>,
) -> AppResult<HttpResponse> {
    let asked = blocking(move || app.revisit_create(&caller, *id, &body.what_was_done)).await?;
    let view = RevisitAskedView { id: asked.revisit.id, url: asked.url, expires_at: asked.revisit.expires_at };
    Ok(HttpResponse::Created().insert_header(("Cache-Control", "no-store")).json(view))
}

/// Record the customer's answer by telephone (R-REVISIT-1).
#[utoipa::path(post, path = "/v1/revisits/{id}/answer", tag = "revisits", params(("id" = RevisitId, Path)), request_body = RevisitAnswerBody, responses(
    (status = 200, body = RevisitView),
    (status = 404, body = Problem),
    (status = 409, description = "No revisit is due, or the customer's hours of rest", body = Problem),
    (status = 422, body = Problem),
))]
async fn revisit_answer(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<RevisitId>,
    body: web::Json<RevisitAnswerBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let answer = RevisitAnswer { solved: body.solved, score: body.score, words: body.words };
    let emergency = body.emergency_reason;
    let revisit = blocking(move || app.revisit_answer_by_phone(&caller, *id, &answer, emergency.as_deref())).await?;
    Ok(HttpResponse::Ok().json(view(revisit)))
}

/// The customer's page, in Chinese or English.
#[utoipa::path(get, path = "/r/{token}", tag = "revisits", params(("token" = String, Path)), responses(
    (status = 200, description = "The page", content_type = "text/html"),
    (status = 410, description = "The link was used or is too old", content_type = "text/html"),
))]
async fn revisit_page(request: HttpRequest, app: web::Data<App>, token: web::Path<String>) -> AppResult<HttpResponse> {
    let language = language(request.headers());
    match revisit_question(&request, app, &token).await {
        Ok(question) => question_page(StatusCode::OK, language, &question, None),
        Err(error) => gone_page(language, &error),
    }
}

async fn revisit_question(
    request: &HttpRequest,
    app: web::Data<App>,
    token: &str,
) -> AppResult<crate::app::revisits::RevisitQuestion> {
    app.revisit_look_admit(sender_address(request, app.is_behind_proxy()))?;
    let token = token.to_owned();
    blocking(move || app.revisit_question(&token)).await
}

fn question_page(
    status: StatusCode,
    language: Language,
    question: &crate::app::revisits::RevisitQuestion,
    error: Option<&str>,
) -> AppResult<HttpResponse> {
    let local = question.received_at.plus_seconds(i64::from(question.utc_offset_minutes) * 60);
    let day: String = local.to_string().chars().take(10).collect();
    page(
        status,
        &RevisitPage {
            zh: language == Language::Chinese,
            number: &question.number,
            day: &day,
            scores: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            error,
        },
    )
}

/// The customer's answer. A link works once.
#[utoipa::path(post, path = "/r/{token}", tag = "revisits", params(("token" = String, Path)),
    request_body(content = RevisitForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "Thanks", content_type = "text/html"),
    (status = 410, description = "The link was used or is too old", content_type = "text/html"),
    (status = 422, description = "The answer is not complete; the page again", content_type = "text/html"),
))]
async fn revisit_page_answer(
    request: HttpRequest,
    app: web::Data<App>,
    token: web::Path<String>,
    form: Result<web::Form<RevisitForm>, actix_web::Error>,
) -> AppResult<HttpResponse> {
    let language = language(request.headers());
    let zh = language == Language::Chinese;
    let question = match revisit_question(&request, app.clone(), &token).await {
        Ok(question) => question,
        Err(error) => return gone_page(language, &error),
    };
    let incomplete = if zh {
        "请选择是否恢复，并打 1 至 10 分。"
    } else {
        "Please say whether it is solved, and give 1 to 10 points."
    };
    let Ok(form) = form else {
        return question_page(StatusCode::UNPROCESSABLE_ENTITY, language, &question, Some(incomplete));
    };
    let form = form.into_inner();
    let answer = RevisitAnswer { solved: form.solved == YesNo::Yes, score: form.score, words: Some(form.words) };
    let token = token.into_inner();
    match blocking(move || app.revisit_answer_by_link(&token, &answer)).await {
        Ok(()) => {
            let (title, text) = if zh {
                ("谢谢您的反馈", "您的意见已记录。")
            } else {
                ("Thank you", "Your answer is recorded.")
            };
            page(StatusCode::OK, &RevisitDonePage { zh, title, text })
        }
        Err(error) if error.problem == ProblemType::InvalidField => {
            question_page(StatusCode::UNPROCESSABLE_ENTITY, language, &question, Some(incomplete))
        }
        Err(error) => gone_page(language, &error),
    }
}
