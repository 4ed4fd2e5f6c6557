//! Replies to customer service.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::replies::{ReplyKind, ReplyText};
use actix_web::{HttpResponse, web};
use callout_storage::complaints::Channel;
use callout_storage::replies::Reply;
use callout_sync_protocol::ids::{ComplaintId, ReplyId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/replies" => reply_list: WorkOrderRead;
    GET "/v1/complaints/{id}/replies" => reply_list_of_complaint: ComplaintRead;
    POST "/v1/work-orders/{id}/replies" => reply_create: ReplyCreate;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(reply_list, reply_list_of_complaint, reply_create))]
pub struct Api;

/// A stage or final reply (R-RETURN-1).
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplyBody {
    /// Progress.
    Stage {
        /// What is told.
        body: String,
        /// What happens next.
        next_step: String,
    },
    /// The end of the order.
    Final {
        /// `unresolved`; a tracking ticket opens by itself. `resolved` goes by itself when the customer confirms.
        outcome: FinalOutcome,
        /// What is told.
        body: String,
    },
}

/// How an order ends.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinalOutcome {
    /// Not solved.
    Unresolved,
    /// Solved.
    Resolved,
}

/// A reply.
#[derive(Serialize, ToSchema)]
pub struct ReplyView {
    /// The reply.
    id: ReplyId,
    /// The complaint that it answers.
    complaint_id: ComplaintId,
    /// The door by which it goes out: the one that the complaint came by (R-INTAKE-9).
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// `stage`, `final_unresolved` or `final_resolved`.
    kind: String,
    /// What is told.
    body: String,
    /// What happens next.
    next_step: Option<String>,
    /// The tracking ticket that it opened.
    tracking_ticket_id: Option<TrackingTicketId>,
    /// Who replied; nobody where the customer's confirmation did.
    created_by: Option<UserId>,
    /// When.
    created_at: Timestamp,
}

/// Replies, oldest first.
#[derive(Serialize, ToSchema)]
pub struct ReplyList {
    /// The replies.
    items: Vec<ReplyView>,
}

fn view(reply: Reply, tracking_ticket_id: Option<TrackingTicketId>) -> ReplyView {
    ReplyView {
        id: reply.id,
        complaint_id: reply.complaint_id,
        channel: reply.channel,
        kind: reply.kind,
        body: reply.body,
        next_step: reply.next_step,
        tracking_ticket_id,
        created_by: reply.created_by,
        created_at: reply.created_at,
    }
}

/// The replies of an order.
#[utoipa::path(get, path = "/v1/work-orders/{id}/replies", tag = "replies", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = ReplyList),
    (status = 404, body = Problem),
))]
async fn reply_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let replies = blocking(move || app.reply_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(ReplyList { items: replies.into_iter().map(|reply| view(reply, None)).collect() }))
}

/// The replies to a complaint, also to one that is dealt with under another (R-INTAKE-9).
#[utoipa::path(get, path = "/v1/complaints/{id}/replies", tag = "replies", params(("id" = ComplaintId, Path)), responses(
    (status = 200, body = ReplyList),
    (status = 404, body = Problem),
))]
async fn reply_list_of_complaint(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
) -> AppResult<HttpResponse> {
    let replies = blocking(move || app.reply_list_of_complaint(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(ReplyList { items: replies.into_iter().map(|reply| view(reply, None)).collect() }))
}

/// Reply to customer service (R-RETURN-1, R-RETURN-2).
#[utoipa::path(post, path = "/v1/work-orders/{id}/replies", tag = "replies", params(("id" = WorkOrderId, Path)), request_body = ReplyBody, responses(
    (status = 201, body = ReplyView),
    (status = 404, body = Problem),
    (status = 409, description = "Not possible in this state, or the customer has not confirmed", body = Problem),
    (status = 422, description = "Words that must not reach a customer", body = Problem),
))]
async fn reply_create(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<ReplyBody>,
) -> AppResult<HttpResponse> {
    let (kind, text) = match body.into_inner() {
        ReplyBody::Stage { body, next_step } => {
            (ReplyKind::Stage, ReplyText { text: body, next_step: Some(next_step) })
        }
        ReplyBody::Final { outcome, body } => {
            let kind = match outcome {
                FinalOutcome::Unresolved => ReplyKind::FinalUnresolved,
                FinalOutcome::Resolved => ReplyKind::FinalResolved,
            };
            (kind, ReplyText { text: body, next_step: None })
        }
    };
    let (reply, ticket) = blocking(move || app.reply_create(&caller, *id, kind, &text)).await?;
    Ok(HttpResponse::Created().json(view(reply, ticket)))
}
