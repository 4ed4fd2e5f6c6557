//! Asking the customer while an order cannot go on (R-LOCATE-1).

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use super::work_orders::{WorkOrderBody, work_order_body};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use actix_web::{HttpResponse, web};
use callout_storage::customer_questions::CustomerQuestion;
use callout_sync_protocol::ids::{CustomerQuestionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/customer-questions" => customer_question_list: CustomerAsk;
    POST "/v1/work-orders/{id}/ask-customer" => work_order_ask_customer: CustomerAsk;
    POST "/v1/work-orders/{id}/customer-answered" => work_order_customer_answered: CustomerAsk;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(customer_question_list, work_order_ask_customer, work_order_customer_answered))]
pub struct Api;

/// What to ask.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskCustomerBody {
    /// The question.
    question: String,
    /// Why the customer is asked in the hours of rest; required then (R-CONTACT-1).
    emergency_reason: Option<String>,
}

/// What the customer said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerAnsweredBody {
    /// The answer.
    answer: String,
}

/// A question to the customer.
#[derive(Serialize, ToSchema)]
pub struct CustomerQuestionView {
    /// The question's id.
    id: CustomerQuestionId,
    /// What was asked.
    question: String,
    /// Who asked.
    asked_by: UserId,
    /// When.
    asked_at: Timestamp,
    /// What the customer said.
    answer: Option<String>,
    /// Who wrote it down.
    answered_by: Option<UserId>,
    /// When.
    answered_at: Option<Timestamp>,
}

/// Questions, oldest first.
#[derive(Serialize, ToSchema)]
pub struct CustomerQuestionList {
    /// The questions.
    items: Vec<CustomerQuestionView>,
}

fn view(question: CustomerQuestion) -> CustomerQuestionView {
    CustomerQuestionView {
        id: question.id,
        question: question.question,
        asked_by: question.asked_by,
        asked_at: question.asked_at,
        answer: question.answer,
        answered_by: question.answered_by,
        answered_at: question.answered_at,
    }
}

/// What the customer was asked about an order.
#[utoipa::path(get, path = "/v1/work-orders/{id}/customer-questions", tag = "work orders", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = CustomerQuestionList),
    (status = 404, body = Problem),
))]
async fn customer_question_list(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
) -> AppResult<HttpResponse> {
    let questions = blocking(move || app.customer_question_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(CustomerQuestionList { items: questions.into_iter().map(view).collect() }))
}

/// Ask the customer; the handling clock pauses until the answer, or until the order goes on without it.
#[utoipa::path(post, path = "/v1/work-orders/{id}/ask-customer", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = AskCustomerBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, description = "The order is with its tester, handed over, awaits a revisit or has ended; or the customer is to be left in peace now (customer-rest-hours)", body = Problem),
    (status = 422, body = Problem),
))]
async fn work_order_ask_customer(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<AskCustomerBody>,
) -> AppResult<HttpResponse> {
    let AskCustomerBody { question, emergency_reason } = body.into_inner();
    let seen =
        blocking(move || app.work_order_ask_customer(&caller, *id, &question, emergency_reason.as_deref())).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// Record the customer's answer; the clock goes on.
#[utoipa::path(post, path = "/v1/work-orders/{id}/customer-answered", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = CustomerAnsweredBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn work_order_customer_answered(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<CustomerAnsweredBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.work_order_customer_answered(&caller, *id, &body.answer)).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}
