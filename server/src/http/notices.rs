//! A user's own notices: what those answerable for a major complaint must see until it ends (R-CLASS-2), early warnings let out to
//! the user, and that they are over (R-WARN-1).

use super::blocking;
use super::intakes::{NamedWord, named};
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::notices::NoticeKind;
use actix_web::{HttpResponse, web};
use callout_storage::notices::Notice;
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, NoticeId, WarningId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/notices" => notice_list: OwnAccount;
    POST "/v1/notices/{id}/read" => notice_read: OwnAccount;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(notice_list, notice_read))]
pub struct Api;

/// A notice.
#[derive(Serialize, ToSchema)]
pub struct NoticeView {
    /// The notice.
    id: NoticeId,
    /// Of what.
    kind: NamedWord,
    /// About which complaint, if it is about one.
    complaint_id: Option<ComplaintId>,
    /// About which major complaint, if it is about one.
    major_case_id: Option<MajorCaseId>,
    /// About which early warning, if it is about one.
    warning_id: Option<WarningId>,
    /// The facts.
    #[schema(value_type = Object)]
    detail: Value,
    /// When.
    created_at: Timestamp,
    /// When it was read.
    read_at: Option<Timestamp>,
}

/// Notices, newest first.
#[derive(Serialize, ToSchema)]
pub struct NoticeList {
    /// The notices.
    items: Vec<NoticeView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which notices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoticeQuery {
    /// Only those not read yet.
    unread: Option<bool>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(notice: Notice) -> NoticeView {
    NoticeView {
        id: notice.id,
        kind: named(notice.kind, NoticeKind::name_zh),
        complaint_id: notice.complaint_id,
        major_case_id: notice.major_case_id,
        warning_id: notice.warning_id,
        detail: notice.detail,
        created_at: notice.created_at,
        read_at: notice.read_at,
    }
}

/// The caller's own notices, newest first.
#[utoipa::path(get, path = "/v1/notices", tag = "notices", params(NoticeQuery), responses((status = 200, body = NoticeList)))]
async fn notice_list(app: web::Data<App>, caller: Caller, query: web::Query<NoticeQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let unread = query.unread.unwrap_or(false);
    let items = blocking(move || app.notice_list(&caller, unread, page)).await?;
    let next = page_next(&page, items.iter().map(|item| (item.created_at, item.id)));
    Ok(HttpResponse::Ok().json(NoticeList { items: items.into_iter().map(view).collect(), next }))
}

/// Note that the caller has read a notice; the first reading counts.
#[utoipa::path(post, path = "/v1/notices/{id}/read", tag = "notices", params(("id" = NoticeId, Path)), responses(
    (status = 204, description = "Noted"),
    (status = 404, body = Problem),
))]
async fn notice_read(app: web::Data<App>, caller: Caller, id: web::Path<NoticeId>) -> AppResult<HttpResponse> {
    blocking(move || app.notice_read(&caller, *id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
