//! Whom to send: the testers of an order's region, ranked with reasons.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::candidates::CandidateSeen;
use crate::app::error::AppResult;
use crate::workflow::candidates::{CandidateFactorKind, Skill};
use actix_web::{HttpResponse, web};
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

routes! {
    GET "/v1/work-orders/{id}/candidates" => candidate_list: CandidateRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(candidate_list))]
pub struct Api;

/// One factor's contribution.
#[derive(Serialize, ToSchema)]
pub struct CandidateFactorView {
    /// `region`, `distance`, `skill`, `load`, `shift` or `appointment`.
    #[schema(value_type = String)]
    factor: CandidateFactorKind,
    /// The same in Chinese.
    name_zh: &'static str,
    /// Points given.
    points: u32,
    /// Most points that it could give.
    most: u32,
    /// Why, in English.
    reason: String,
    /// Why, in Chinese.
    reason_zh: String,
}

/// A tester with rank and reasons.
#[derive(Serialize, ToSchema)]
pub struct CandidateView {
    /// The tester.
    tester_id: UserId,
    /// The name to show.
    display_name: String,
    /// The team; empty where there is none.
    team: String,
    /// From 1.
    rank: u32,
    /// The sum of the factors' points.
    score: u32,
    /// Nothing speaks against it: on shift as far as known, free, below capacity, and did not decline this order.
    is_available: bool,
    /// Metres from the order's place, if both are known.
    distance_m: Option<u32>,
    /// The contributions.
    factors: Vec<CandidateFactorView>,
}

/// The ranking, the best first. Any tester of the region may be sent all the same.
#[derive(Serialize, ToSchema)]
pub struct CandidateList {
    /// The skills that the visit needs.
    #[schema(value_type = Vec<String>)]
    skills: Vec<Skill>,
    /// The testers.
    items: Vec<CandidateView>,
}

fn view(seen: CandidateSeen) -> CandidateView {
    let candidate = seen.candidate;
    CandidateView {
        tester_id: candidate.tester_id,
        display_name: seen.display_name,
        team: seen.team,
        rank: candidate.rank,
        score: candidate.score,
        is_available: candidate.is_available,
        distance_m: candidate.distance_m,
        factors: candidate
            .factors
            .into_iter()
            .map(|factor| CandidateFactorView {
                factor: factor.factor,
                name_zh: factor.factor.name_zh(),
                points: factor.points,
                most: factor.most,
                reason: factor.reason,
                reason_zh: factor.reason_zh,
            })
            .collect(),
    }
}

/// The testers of an order's region, ranked.
#[utoipa::path(get, path = "/v1/work-orders/{id}/candidates", tag = "dispatches", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = CandidateList),
    (status = 404, body = Problem),
    (status = 422, description = "The order is not located yet", body = Problem),
))]
async fn candidate_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let ranking = blocking(move || app.candidate_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(CandidateList {
        skills: ranking.skills.into_iter().collect(),
        items: ranking.candidates.into_iter().map(view).collect(),
    }))
}
