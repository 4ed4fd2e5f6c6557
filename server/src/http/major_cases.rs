//! Major escalated complaints (重大升级投诉): declaring, naming the team, ending (R-CLASS-1, R-CLASS-2).

use super::blocking;
use super::intakes::{NamedWord, named};
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::major_cases::{MajorCaseSeen, MajorDeclaration};
use crate::workflow::complaints::{MajorReason, MajorTeam};
use actix_web::{HttpResponse, web};
use callout_sync_protocol::ids::{ComplaintId, MajorCaseId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/major-cases" => major_case_list: MajorCaseRead;
    POST "/v1/major-cases" => major_case_create: MajorCaseDeclare;
    GET "/v1/major-cases/{id}" => major_case_show: MajorCaseRead;
    PUT "/v1/major-cases/{id}/team" => major_case_team_name: MajorCaseLead;
    POST "/v1/major-cases/{id}/close" => major_case_close: MajorCaseLead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(major_case_list, major_case_create, major_case_show, major_case_team_name, major_case_close))]
pub struct Api;

/// What is declared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MajorCaseBody {
    /// The complaint; where it is dealt with under another one, that one becomes the major one.
    complaint_id: ComplaintId,
    /// `serious_gap`, `still_rising`, `wide_reach`, `joint`.
    #[schema(value_type = Vec<String>, example = json!(["serious_gap"]))]
    reasons: Vec<MajorReason>,
    /// In words.
    explanation: String,
}

/// One of the team.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MajorCaseMemberBody {
    /// Who.
    user_id: UserId,
    /// For what.
    duty: String,
}

/// The temporary team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MajorCaseTeamBody {
    /// Who leads it.
    leader_id: UserId,
    /// Who else belongs to it; at least one.
    members: Vec<MajorCaseMemberBody>,
}

/// Why it ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MajorCaseCloseBody {
    /// In words.
    words: String,
}

/// A major complaint.
#[derive(Serialize, ToSchema)]
pub struct MajorCaseView {
    /// The case.
    id: MajorCaseId,
    /// The complaint.
    complaint_id: ComplaintId,
    /// `open` or `ended`.
    state: String,
    /// Why it is a major one.
    reasons: Vec<NamedWord>,
    /// What whoever declared it said; empty where the rules found it.
    explanation: String,
    /// Who declared it; nobody where the rules found it.
    declared_by: Option<UserId>,
    /// Who leads the team, once named.
    leader_id: Option<UserId>,
    /// The team beside its leader.
    members: Vec<MajorCaseMemberBody>,
    /// Since when.
    opened_at: Timestamp,
    /// Who ended it; nobody where the complaint's end did.
    closed_by: Option<UserId>,
    /// When.
    closed_at: Option<Timestamp>,
    /// What was said then.
    closing_words: Option<String>,
}

/// Major complaints, newest first.
#[derive(Serialize, ToSchema)]
pub struct MajorCaseList {
    /// The cases.
    items: Vec<MajorCaseView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which major complaints.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MajorCaseQuery {
    /// Only open ones, or only ended ones.
    open: Option<bool>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(seen: MajorCaseSeen) -> MajorCaseView {
    let MajorCaseSeen { case, members } = seen;
    MajorCaseView {
        id: case.id,
        complaint_id: case.complaint_id,
        state: case.state,
        reasons: case.reasons.into_iter().map(|reason| named(reason, MajorReason::name_zh)).collect(),
        explanation: case.explanation,
        declared_by: case.declared_by,
        leader_id: case.leader_id,
        members: members
            .into_iter()
            .map(|member| MajorCaseMemberBody { user_id: member.user_id, duty: member.duty })
            .collect(),
        opened_at: case.opened_at,
        closed_by: case.closed_by,
        closed_at: case.closed_at,
        closing_words: case.closing_words,
    }
}

/// Major complaints of the caller's regions, newest first.
#[utoipa::path(get, path = "/v1/major-cases", tag = "major complaints", params(MajorCaseQuery), responses((status = 200, body = MajorCaseList)))]
async fn major_case_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<MajorCaseQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let items = blocking(move || app.major_case_list(&caller, query.open, page)).await?;
    let next = page_next(&page, items.iter().map(|item| (item.case.opened_at, item.case.id)));
    Ok(HttpResponse::Ok().json(MajorCaseList { items: items.into_iter().map(view).collect(), next }))
}

/// Declare a complaint a major one (R-CLASS-1). Where it is one already, the reasons are added.
#[utoipa::path(post, path = "/v1/major-cases", tag = "major complaints", request_body = MajorCaseBody, responses(
    (status = 201, body = MajorCaseView),
    (status = 404, body = Problem),
    (status = 409, description = "The complaint has ended", body = Problem),
    (status = 422, body = Problem),
))]
async fn major_case_create(
    app: web::Data<App>,
    caller: Caller,
    body: web::Json<MajorCaseBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let declaration =
        MajorDeclaration { complaint_id: body.complaint_id, reasons: body.reasons, explanation: body.explanation };
    let seen = blocking(move || app.major_case_create(&caller, &declaration)).await?;
    let location = format!("/v1/major-cases/{}", seen.case.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view(seen)))
}

/// A major complaint with its team.
#[utoipa::path(get, path = "/v1/major-cases/{id}", tag = "major complaints", params(("id" = MajorCaseId, Path)), responses(
    (status = 200, body = MajorCaseView),
    (status = 404, body = Problem),
))]
async fn major_case_show(app: web::Data<App>, caller: Caller, id: web::Path<MajorCaseId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.major_case_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Name the temporary team (R-CLASS-2).
#[utoipa::path(put, path = "/v1/major-cases/{id}/team", tag = "major complaints", params(("id" = MajorCaseId, Path)), request_body = MajorCaseTeamBody, responses(
    (status = 200, body = MajorCaseView),
    (status = 404, body = Problem),
    (status = 409, description = "It has ended", body = Problem),
    (status = 422, body = Problem),
))]
async fn major_case_team_name(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<MajorCaseId>,
    body: web::Json<MajorCaseTeamBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let team = MajorTeam {
        leader: body.leader_id,
        members: body.members.into_iter().map(|member| (member.user_id, member.duty)).collect(),
    };
    let seen = blocking(move || app.major_case_team_name(&caller, *id, &team)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// End a major case before its complaint ends.
#[utoipa::path(post, path = "/v1/major-cases/{id}/close", tag = "major complaints", params(("id" = MajorCaseId, Path)), request_body = MajorCaseCloseBody, responses(
    (status = 200, body = MajorCaseView),
    (status = 404, body = Problem),
    (status = 409, description = "It has ended", body = Problem),
    (status = 422, body = Problem),
))]
async fn major_case_close(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<MajorCaseId>,
    body: web::Json<MajorCaseCloseBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.major_case_close(&caller, *id, &body.words)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
