//! The weekly resource review meetings: agenda, decisions, minutes.

use super::blocking;
use super::build_demands::BuildDemandView;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::review_meetings::ReviewMeetingSeen;
use actix_web::{HttpResponse, web};
use callout_storage::review_meetings::ReviewMeeting;
use callout_sync_protocol::ids::{BuildDemandId, RegionId, ReviewMeetingId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/review-meetings" => review_meeting_list: BuildDemandRead;
    GET "/v1/review-meetings/{id}" => review_meeting_show: BuildDemandRead;
    POST "/v1/review-meetings/{id}/close" => review_meeting_close: ReviewMeetingKeep;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(review_meeting_list, review_meeting_show, review_meeting_close))]
pub struct Api;

/// A meeting.
#[derive(Serialize, ToSchema)]
pub struct ReviewMeetingView {
    /// The meeting.
    id: ReviewMeetingId,
    /// Whose board.
    region_id: RegionId,
    /// `planned`, `agenda_set` or `closed`.
    state: String,
    /// When it begins.
    starts_at: Timestamp,
    /// When its agenda is drawn up.
    agenda_at: Timestamp,
    /// What was said, once closed.
    minutes: Option<String>,
    /// Who closed it.
    closed_by: Option<UserId>,
    /// When.
    closed_at: Option<Timestamp>,
}

/// A decision of a meeting.
#[derive(Serialize, ToSchema)]
pub struct MeetingDecisionView {
    /// The demand.
    build_demand_id: BuildDemandId,
    /// Its number.
    number: String,
    /// `accept`, `reject` or `defer`.
    decision: String,
    /// Why.
    reason: String,
    /// Who recorded it.
    decided_by: UserId,
    /// When.
    decided_at: Timestamp,
}

/// A meeting with its agenda and decisions.
#[derive(Serialize, ToSchema)]
pub struct ReviewMeetingDetail {
    /// The meeting.
    #[serde(flatten)]
    meeting: ReviewMeetingView,
    /// What it is to hear, or spoke the last word of, in the order of filing.
    demands: Vec<BuildDemandView>,
    /// What it decided, in the order in which it did; also of what it deferred.
    decisions: Vec<MeetingDecisionView>,
}

/// Meetings, the latest first.
#[derive(Serialize, ToSchema)]
pub struct ReviewMeetingList {
    /// The meetings.
    items: Vec<ReviewMeetingView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReviewMeetingQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// A meeting's end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeetingCloseBody {
    /// What was said: who took part, what was agreed beside the decisions.
    minutes: String,
}

fn view(meeting: ReviewMeeting) -> ReviewMeetingView {
    ReviewMeetingView {
        id: meeting.id,
        region_id: meeting.region_id,
        state: meeting.state,
        starts_at: meeting.starts_at,
        agenda_at: meeting.agenda_at,
        minutes: meeting.minutes,
        closed_by: meeting.closed_by,
        closed_at: meeting.closed_at,
    }
}

fn detail(seen: ReviewMeetingSeen) -> ReviewMeetingDetail {
    ReviewMeetingDetail {
        meeting: view(seen.meeting),
        demands: seen.demands.into_iter().map(BuildDemandView::from).collect(),
        decisions: seen
            .decisions
            .into_iter()
            .map(|seen| MeetingDecisionView {
                build_demand_id: seen.decision.build_demand_id,
                number: seen.number,
                decision: seen.decision.decision,
                reason: seen.decision.reason,
                decided_by: seen.decision.decided_by,
                decided_at: seen.decision.decided_at,
            })
            .collect(),
    }
}

/// The meetings of the caller's regions, the latest first (R-LADDER-3). A meeting is made when the first demand is filed for it.
#[utoipa::path(get, path = "/v1/review-meetings", tag = "build demands", params(ReviewMeetingQuery), responses(
    (status = 200, body = ReviewMeetingList),
    (status = 422, body = Problem),
))]
async fn review_meeting_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<ReviewMeetingQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let items = blocking(move || app.review_meeting_list(&caller, &page)).await?;
    let next = page_next(&page, items.iter().map(|meeting| (meeting.starts_at, meeting.id)));
    Ok(HttpResponse::Ok().json(ReviewMeetingList { items: items.into_iter().map(view).collect(), next }))
}

/// A meeting: its agenda, what it decided, its minutes.
#[utoipa::path(get, path = "/v1/review-meetings/{id}", tag = "build demands", params(("id" = ReviewMeetingId, Path)), responses(
    (status = 200, body = ReviewMeetingDetail),
    (status = 404, body = Problem),
))]
async fn review_meeting_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ReviewMeetingId>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.review_meeting_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(detail(seen)))
}

/// Close a meeting with its minutes, once every demand of its agenda has a decision.
#[utoipa::path(post, path = "/v1/review-meetings/{id}/close", tag = "build demands", params(("id" = ReviewMeetingId, Path)), request_body = MeetingCloseBody, responses(
    (status = 200, body = ReviewMeetingDetail),
    (status = 404, body = Problem),
    (status = 409, description = "It has not begun, a demand has no decision, or it is closed already", body = Problem),
    (status = 422, body = Problem),
))]
async fn review_meeting_close(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ReviewMeetingId>,
    body: web::Json<MeetingCloseBody>,
) -> AppResult<HttpResponse> {
    let minutes = body.into_inner().minutes;
    let seen = blocking(move || app.review_meeting_close(&caller, *id, &minutes)).await?;
    Ok(HttpResponse::Ok().json(detail(seen)))
}
