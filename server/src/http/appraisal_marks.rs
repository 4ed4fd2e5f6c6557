//! What counts in appraisals, for quality control (R-ROUTE-5, R-RETURN-4).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::dispatches::AppraisalKind;
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::appraisal_marks::{AppraisalMark, AppraisalMarkFilter};
use callout_sync_protocol::ids::{AppraisalMarkId, RegionId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/appraisal-marks" => appraisal_mark_list: AppraisalRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(appraisal_mark_list))]
pub struct Api;

/// A mark.
#[derive(Serialize, ToSchema)]
pub struct AppraisalMarkView {
    /// The mark.
    id: AppraisalMarkId,
    /// Against whom it counts.
    user_id: UserId,
    /// `wrong_dispatch`, `wrong_addressee` or `false_return`.
    kind: String,
    /// The same in Chinese.
    kind_zh: Option<&'static str>,
    /// On which order.
    work_order_id: WorkOrderId,
    /// On which tracking ticket, when it was that which was returned.
    tracking_ticket_id: Option<TrackingTicketId>,
    /// The order's region.
    region_id: Option<RegionId>,
    /// Why.
    reason: String,
    /// Who found it; absent where the customer's answer did.
    recorded_by: Option<UserId>,
    /// When.
    created_at: Timestamp,
}

/// Marks, newest first.
#[derive(Serialize, ToSchema)]
pub struct AppraisalMarkList {
    /// The marks.
    items: Vec<AppraisalMarkView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which marks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AppraisalMarkQuery {
    /// Against this user only.
    #[param(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Of this kind only.
    #[param(value_type = Option<String>)]
    kind: Option<AppraisalKind>,
    /// Of this region only.
    #[param(value_type = Option<String>)]
    region_id: Option<RegionId>,
    /// Not older than this.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Older than this.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(mark: AppraisalMark) -> AppraisalMarkView {
    AppraisalMarkView {
        id: mark.id,
        user_id: mark.user_id,
        kind_zh: mark.kind.parse::<AppraisalKind>().ok().map(AppraisalKind::name_zh),
        kind: mark.kind,
        work_order_id: mark.work_order_id,
        tracking_ticket_id: mark.tracking_ticket_id,
        region_id: mark.region_id,
        reason: mark.reason,
        recorded_by: mark.recorded_by,
        created_at: mark.created_at,
    }
}

/// What counts in appraisals, in the caller's regions.
#[utoipa::path(get, path = "/v1/appraisal-marks", tag = "appraisal", params(AppraisalMarkQuery), responses((status = 200, body = AppraisalMarkList)))]
async fn appraisal_mark_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<AppraisalMarkQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let filter = AppraisalMarkFilter {
        scope: match query.region_id {
            Some(region) => RegionScope::Only { region_ids: vec![region], and_unlocated: false },
            None => RegionScope::All,
        },
        user_id: query.user_id,
        kind: query.kind.map(|kind| kind.as_str().to_owned()),
        since: query.since,
        until: query.until,
    };
    let marks = blocking(move || app.appraisal_mark_list(&caller, &filter, page)).await?;
    let next = page_next(&page, marks.iter().map(|mark| (mark.created_at, mark.id)));
    Ok(HttpResponse::Ok().json(AppraisalMarkList { items: marks.into_iter().map(view).collect(), next }))
}
