//! Questions of customer service straight to the branch, and the answers (R-ROUTE-3).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use actix_web::{HttpResponse, web};
use callout_storage::branch_questions::BranchQuestion;
use callout_sync_protocol::ids::{BranchQuestionId, HandoffId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/branch-questions" => branch_question_list: WorkOrderRead;
    POST "/v1/work-orders/{id}/branch-questions" => branch_question_create: BranchQuestionAsk;
    GET "/v1/branch-questions" => branch_question_list_open: BranchQuestionAnswer;
    POST "/v1/branch-questions/{id}/answer" => branch_question_answer: BranchQuestionAnswer;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(branch_question_list, branch_question_create, branch_question_list_open, branch_question_answer))]
pub struct Api;

/// What customer service wants to know.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchQuestionBody {
    /// The question.
    question: String,
}

/// What the branch says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchAnswerBody {
    /// The answer.
    answer: String,
}

/// A question to the branch.
#[derive(Serialize, ToSchema)]
pub struct BranchQuestionView {
    /// The question's id.
    id: BranchQuestionId,
    /// Its order.
    work_order_id: WorkOrderId,
    /// The handoff by which the branch owns the order.
    handoff_id: HandoffId,
    /// The question.
    question: String,
    /// Who asked.
    asked_by: UserId,
    /// When.
    asked_at: Timestamp,
    /// The answer.
    answer: Option<String>,
    /// Who answered.
    answered_by: Option<UserId>,
    /// When.
    answered_at: Option<Timestamp>,
}

/// Questions to the branch.
#[derive(Serialize, ToSchema)]
pub struct BranchQuestionList {
    /// The questions.
    items: Vec<BranchQuestionView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Where a list begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BranchQuestionQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(question: BranchQuestion) -> BranchQuestionView {
    BranchQuestionView {
        id: question.id,
        work_order_id: question.work_order_id,
        handoff_id: question.handoff_id,
        question: question.question,
        asked_by: question.asked_by,
        asked_at: question.asked_at,
        answer: question.answer,
        answered_by: question.answered_by,
        answered_at: question.answered_at,
    }
}

/// An order's questions to the branch, oldest first.
#[utoipa::path(get, path = "/v1/work-orders/{id}/branch-questions", tag = "handoffs", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = BranchQuestionList),
    (status = 404, body = Problem),
))]
async fn branch_question_list(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
) -> AppResult<HttpResponse> {
    let questions = blocking(move || app.branch_question_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(BranchQuestionList { items: questions.into_iter().map(view).collect(), next: None }))
}

/// Ask the branch that owns an order.
#[utoipa::path(post, path = "/v1/work-orders/{id}/branch-questions", tag = "handoffs", params(("id" = WorkOrderId, Path)), request_body = BranchQuestionBody, responses(
    (status = 201, body = BranchQuestionView),
    (status = 404, body = Problem),
    (status = 409, description = "The branch does not own the order", body = Problem),
    (status = 422, body = Problem),
))]
async fn branch_question_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<BranchQuestionBody>,
) -> AppResult<HttpResponse> {
    let question = blocking(move || app.branch_question_create(&caller, *id, &body.question)).await?;
    Ok(HttpResponse::Created().json(view(question)))
}

/// Questions that wait for the branch's answer, newest first.
#[utoipa::path(get, path = "/v1/branch-questions", tag = "handoffs", params(BranchQuestionQuery), responses((status = 200, body = BranchQuestionList)))]
async fn branch_question_list_open(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<BranchQuestionQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let questions = blocking(move || app.branch_question_list_open(&caller, page)).await?;
    let next = page_next(&page, questions.iter().map(|question| (question.asked_at, question.id)));
    Ok(HttpResponse::Ok().json(BranchQuestionList { items: questions.into_iter().map(view).collect(), next }))
}

/// Answer for the branch.
#[utoipa::path(post, path = "/v1/branch-questions/{id}/answer", tag = "handoffs", params(("id" = BranchQuestionId, Path)), request_body = BranchAnswerBody, responses(
    (status = 200, body = BranchQuestionView),
    (status = 404, body = Problem),
    (status = 409, description = "It has its answer", body = Problem),
    (status = 422, body = Problem),
))]
async fn branch_question_answer(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<BranchQuestionId>,
    body: web::Json<BranchAnswerBody>,
) -> AppResult<HttpResponse> {
    let question = blocking(move || app.branch_question_answer(&caller, *id, &body.answer)).await?;
    Ok(HttpResponse::Ok().json(view(question)))
}
