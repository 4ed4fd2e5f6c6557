//! Policies: limits, calendars, templates, word lists and thresholds, as an administrator sets them.

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::policies::PolicySeen;
use actix_web::{HttpResponse, web};
use callout_storage::policies::PolicyVersion;
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/policies" => policy_list: PolicyRead;
    GET "/v1/policies/{kind}" => policy_show: PolicyRead;
    PUT "/v1/policies/{kind}" => policy_set: PolicyManage;
    GET "/v1/policies/{kind}/versions" => policy_history: PolicyRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(policy_list, policy_show, policy_set, policy_history))]
pub struct Api;

/// Where a policy holds.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// In this region; absent: wherever a region has none of its own.
    #[param(value_type = Option<String>)]
    region_id: Option<RegionId>,
}

/// Which versions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PolicyVersionQuery {
    /// Those of this region; absent: those for all.
    #[param(value_type = Option<String>)]
    region_id: Option<RegionId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// A policy to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// The whole document; what it leaves out has its default.
    #[schema(value_type = Object)]
    document: Value,
    /// Why.
    reason: String,
}

/// A policy as it holds.
#[derive(Serialize, ToSchema)]
pub struct PolicyView {
    /// The kind.
    kind: String,
    /// The region whose own it is; absent when the one for all, or the default, holds.
    region_id: Option<RegionId>,
    /// The version in force; 0 while the default holds.
    version: u64,
    /// Why it was set.
    reason: Option<String>,
    /// Who set it.
    set_by: Option<UserId>,
    /// When.
    set_at: Option<Timestamp>,
    /// What the rules go by.
    #[schema(value_type = Object)]
    document: Value,
    /// What they went by if nobody had set anything.
    #[schema(value_type = Object)]
    default_document: Value,
}

/// All kinds.
#[derive(Serialize, ToSchema)]
pub struct PolicyList {
    /// The policies.
    items: Vec<PolicyView>,
}

/// One version that was set.
#[derive(Serialize, ToSchema)]
pub struct PolicyVersionView {
    /// From 1.
    version: u64,
    /// The region, if it was set for one.
    region_id: Option<RegionId>,
    /// The document.
    #[schema(value_type = Object)]
    document: Value,
    /// Why it was set.
    reason: String,
    /// Who set it.
    set_by: UserId,
    /// When.
    set_at: Timestamp,
}

/// Versions, newest first.
#[derive(Serialize, ToSchema)]
pub struct PolicyVersionList {
    /// The versions.
    items: Vec<PolicyVersionView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

fn view(seen: PolicySeen) -> PolicyView {
    let current = seen.current;
    PolicyView {
        kind: seen.kind.to_owned(),
        region_id: current.as_ref().and_then(|version| version.region_id),
        version: current.as_ref().map_or(0, |version| version.version),
        reason: current.as_ref().map(|version| version.reason.clone()),
        set_by: current.as_ref().map(|version| version.created_by),
        set_at: current.as_ref().map(|version| version.created_at),
        document: seen.document,
        default_document: seen.default_document,
    }
}

fn version_view(version: PolicyVersion) -> PolicyVersionView {
    PolicyVersionView {
        version: version.version,
        region_id: version.region_id,
        document: version.document,
        reason: version.reason,
        set_by: version.created_by,
        set_at: version.created_at,
    }
}

/// All kinds as they hold.
#[utoipa::path(get, path = "/v1/policies", tag = "policies", params(PolicyQuery), responses((status = 200, body = PolicyList)))]
async fn policy_list(app: web::Data<App>, caller: Caller, query: web::Query<PolicyQuery>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.policy_list(&caller, query.region_id)).await?;
    Ok(HttpResponse::Ok().json(PolicyList { items: seen.into_iter().map(view).collect() }))
}

/// A policy as it holds.
#[utoipa::path(get, path = "/v1/policies/{kind}", tag = "policies", params(("kind" = String, Path), PolicyQuery), responses(
    (status = 200, body = PolicyView),
    (status = 404, description = "There is no such kind", body = Problem),
))]
async fn policy_show(
    app: web::Data<App>,
    caller: Caller,
    kind: web::Path<String>,
    query: web::Query<PolicyQuery>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.policy_show(&caller, &kind, query.region_id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Set a policy, for a region or for all that have none of their own.
#[utoipa::path(put, path = "/v1/policies/{kind}", tag = "policies", params(("kind" = String, Path), PolicyQuery), request_body = PolicyBody, responses(
    (status = 200, body = PolicyView),
    (status = 404, description = "There is no such kind", body = Problem),
    (status = 409, description = "Somebody else set it at the same time", body = Problem),
    (status = 422, description = "The document is not valid", body = Problem),
))]
async fn policy_set(
    app: web::Data<App>,
    caller: Caller,
    kind: web::Path<String>,
    query: web::Query<PolicyQuery>,
    body: web::Json<PolicyBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let seen =
        blocking(move || app.policy_set(&caller, &kind, query.region_id, body.document.clone(), &body.reason)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// The versions of a policy, newest first.
#[utoipa::path(get, path = "/v1/policies/{kind}/versions", tag = "policies", params(("kind" = String, Path), PolicyVersionQuery), responses(
    (status = 200, body = PolicyVersionList),
    (status = 404, description = "There is no such kind", body = Problem),
))]
async fn policy_history(
    app: web::Data<App>,
    caller: Caller,
    kind: web::Path<String>,
    query: web::Query<PolicyVersionQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let versions = blocking(move || app.policy_history(&caller, &kind, query.region_id, page)).await?;
    let next = page_next(&page, versions.iter().map(|version| (version.created_at, version.id)));
    Ok(HttpResponse::Ok().json(PolicyVersionList { items: versions.into_iter().map(version_view).collect(), next }))
}
