//! Profiles: team, seniority, skills, shifts, start and capacity of users, for the dispatch rules.

use super::blocking;
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::user_profiles::{ProfileNew, ProfileSeen};
use crate::workflow::candidates::Skill;
use crate::workflow::dispatches::Seniority;
use crate::workflow::shifts::Shifts;
use actix_web::{HttpResponse, web};
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/user-profiles" => user_profile_list: UserProfileRead;
    GET "/v1/users/{id}/profile" => user_profile_show: UserProfileRead;
    PUT "/v1/users/{id}/profile" => user_profile_set: UserProfileManage;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(user_profile_list, user_profile_show, user_profile_set))]
pub struct Api;

/// A profile to set; the whole of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileBody {
    /// The team.
    #[serde(default)]
    team: String,
    /// `junior` or `senior`.
    #[schema(value_type = String, example = "senior")]
    seniority: Seniority,
    /// Of `volte`, `nr`, `indoor`, `data`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["volte", "indoor"]))]
    skills: BTreeSet<Skill>,
    /// `weekly`: [{weekday 1–7, from, until}], `exceptions`: [{day, kind: leave|extra, from?, until?}]; local times such as `08:30`.
    #[serde(default)]
    #[schema(value_type = Object)]
    shifts: Shifts,
    /// Where the user starts from.
    home: Option<PositionView>,
    /// How many orders a day at most.
    daily_capacity: u16,
}

/// A profile.
#[derive(Serialize, ToSchema)]
pub struct ProfileView {
    /// The user.
    user_id: UserId,
    /// The name to show.
    display_name: String,
    /// The team; empty where there is none.
    team: String,
    /// `junior` or `senior`.
    #[schema(value_type = String)]
    seniority: Seniority,
    /// The same in Chinese.
    seniority_zh: &'static str,
    /// Trained for.
    #[schema(value_type = Vec<String>)]
    skills: BTreeSet<Skill>,
    /// When the user works.
    #[schema(value_type = Object)]
    shifts: Shifts,
    /// Where the user starts from.
    home: Option<PositionView>,
    /// How many orders a day at most.
    daily_capacity: u16,
    /// Grows with every change; 0 while nobody set it and these are the defaults.
    version: u64,
    /// When it was set.
    updated_at: Option<Timestamp>,
}

/// Profiles of a region's active users, by name.
#[derive(Serialize, ToSchema)]
pub struct ProfileList {
    /// The profiles.
    items: Vec<ProfileView>,
}

/// Of which region.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ProfileQuery {
    /// The region.
    #[param(value_type = String)]
    region_id: RegionId,
}

fn view(seen: ProfileSeen) -> ProfileView {
    ProfileView {
        user_id: seen.user_id,
        display_name: seen.display_name,
        team: seen.team,
        seniority: seen.seniority,
        seniority_zh: seen.seniority.name_zh(),
        skills: seen.skills,
        shifts: seen.shifts,
        home: seen.home.map(PositionView::from),
        daily_capacity: seen.daily_capacity,
        version: seen.version,
        updated_at: seen.updated_at,
    }
}

/// The profiles of a region's users.
#[utoipa::path(get, path = "/v1/user-profiles", tag = "user profiles", params(ProfileQuery), responses(
    (status = 200, body = ProfileList),
    (status = 404, body = Problem),
))]
async fn user_profile_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<ProfileQuery>,
) -> AppResult<HttpResponse> {
    let profiles = blocking(move || app.user_profile_list(&caller, query.region_id)).await?;
    Ok(HttpResponse::Ok().json(ProfileList { items: profiles.into_iter().map(view).collect() }))
}

/// A user's profile.
#[utoipa::path(get, path = "/v1/users/{id}/profile", tag = "user profiles", params(("id" = UserId, Path)), responses(
    (status = 200, body = ProfileView),
    (status = 404, body = Problem),
))]
async fn user_profile_show(app: web::Data<App>, caller: Caller, id: web::Path<UserId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.user_profile_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Set a user's profile. A lead does so for users of the own regions.
#[utoipa::path(put, path = "/v1/users/{id}/profile", tag = "user profiles", params(("id" = UserId, Path)), request_body = ProfileBody, responses(
    (status = 200, body = ProfileView),
    (status = 403, description = "One's own profile", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Somebody else set it at the same time", body = Problem),
    (status = 422, body = Problem),
))]
async fn user_profile_set(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<UserId>,
    body: web::Json<ProfileBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let new = ProfileNew {
        team: body.team,
        seniority: body.seniority,
        skills: body.skills,
        shifts: body.shifts,
        home: body.home.map(|home| home.parse("home")).transpose()?,
        daily_capacity: body.daily_capacity,
    };
    let seen = blocking(move || app.user_profile_set(&caller, *id, &new)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
