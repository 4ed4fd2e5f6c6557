//! Clusters of complaints and the supervision list (R-SUPERVISE-1).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use super::sites::{SiteView, site_view};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::supervision::SupervisionSeen;
use crate::workflow::supervision::{ClusterState, SupervisionState};
use actix_web::{HttpResponse, web};
use callout_storage::complaint_clusters::ComplaintCluster;
use callout_storage::sites::Site;
use callout_storage::supervision_entries::SupervisionEntry;
use callout_sync_protocol::ids::{ComplaintClusterId, ComplaintId, RegionId, SupervisionEntryId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/complaint-clusters" => cluster_list: SupervisionRead;
    GET "/v1/complaint-clusters/{id}" => cluster_show: SupervisionRead;
    GET "/v1/supervision-entries" => supervision_list: SupervisionRead;
    GET "/v1/supervision-entries/{id}" => supervision_show: SupervisionRead;
    POST "/v1/supervision-entries/{id}/clear" => supervision_entry_clear: SupervisionClear;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(cluster_list, cluster_show, supervision_list, supervision_show, supervision_entry_clear))]
pub struct Api;

/// A crowd of complaints in space and time.
#[derive(Serialize, ToSchema)]
pub struct ClusterView {
    /// The cluster; the same from run to run as long as complaints overlap.
    id: ComplaintClusterId,
    /// Its region.
    region_id: RegionId,
    /// `active` or `dissolved`.
    state: String,
    /// The mean of its complaints' places.
    centre: PositionView,
    /// Metres from there to the farthest complaint.
    radius_m: u32,
    /// How many complaints.
    complaint_count: u32,
    /// When the first came.
    first_at: Timestamp,
    /// When the last came.
    last_at: Timestamp,
    /// When it was found.
    found_at: Timestamp,
    /// When it was no longer there.
    dissolved_at: Option<Timestamp>,
    /// What swallowed it.
    successor_id: Option<ComplaintClusterId>,
    /// Its complaints; only where one cluster is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    complaints: Option<Vec<ClusterMemberView>>,
}

/// A complaint of a cluster.
#[derive(Serialize, ToSchema)]
pub struct ClusterMemberView {
    /// The complaint.
    complaint_id: ComplaintId,
    /// Its order, if it has one.
    work_order_id: Option<WorkOrderId>,
}

/// Clusters, those found last first.
#[derive(Serialize, ToSchema)]
pub struct ClusterList {
    /// The clusters.
    items: Vec<ClusterView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which clusters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ClusterQuery {
    /// Only in this state: `active` or `dissolved`.
    #[param(value_type = Option<String>)]
    state: Option<ClusterState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// An entry of the supervision list.
#[derive(Serialize, ToSchema)]
pub struct SupervisionView {
    /// The entry.
    id: SupervisionEntryId,
    /// Its region.
    region_id: RegionId,
    /// The crowd of complaints.
    cluster_id: ComplaintClusterId,
    /// `faulty_site` or `weak_coverage`.
    reason: String,
    /// The faulty site, where that is the reason.
    site: Option<SiteView>,
    /// `listed` or `cleared`.
    state: String,
    /// Complaints when it was last looked at.
    complaint_count: u32,
    /// The fault or the weak coverage stood when it was last looked at.
    is_cause_standing: bool,
    /// When it entered the list.
    listed_at: Timestamp,
    /// When it was cleared.
    cleared_at: Option<Timestamp>,
    /// By whom.
    cleared_by: Option<UserId>,
    /// With what.
    what_cleared_it: Option<String>,
    /// What happened to it, oldest first; only where one entry is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<SupervisionEventView>>,
}

/// Something that happened to an entry.
#[derive(Serialize, ToSchema)]
pub struct SupervisionEventView {
    /// When.
    happened_at: Timestamp,
    /// Who; absent where the server found out by itself.
    actor_id: Option<UserId>,
    /// What.
    action: String,
    /// Why.
    reason: Option<String>,
}

/// Entries, those listed last first.
#[derive(Serialize, ToSchema)]
pub struct SupervisionList {
    /// The entries.
    items: Vec<SupervisionView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SupervisionQuery {
    /// Only in this state: `listed` or `cleared`.
    #[param(value_type = Option<String>)]
    state: Option<SupervisionState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// What cleared an entry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearBody {
    /// In words.
    what_cleared_it: String,
}

fn cluster_view(cluster: ComplaintCluster) -> ClusterView {
    ClusterView {
        centre: cluster.centre().into(),
        id: cluster.id,
        region_id: cluster.region_id,
        state: cluster.state,
        radius_m: cluster.radius_m,
        complaint_count: cluster.complaint_count,
        first_at: cluster.first_at,
        last_at: cluster.last_at,
        found_at: cluster.found_at,
        dissolved_at: cluster.dissolved_at,
        successor_id: cluster.successor_id,
        complaints: None,
    }
}

fn entry_view(entry: SupervisionEntry, site: Option<Site>) -> SupervisionView {
    SupervisionView {
        id: entry.id,
        region_id: entry.region_id,
        cluster_id: entry.cluster_id,
        reason: entry.reason,
        site: site.map(site_view),
        state: entry.state,
        complaint_count: entry.complaint_count,
        is_cause_standing: entry.is_cause_standing,
        listed_at: entry.listed_at,
        cleared_at: entry.cleared_at,
        cleared_by: entry.cleared_by,
        what_cleared_it: entry.what_cleared_it,
        history: None,
    }
}

fn seen_view(seen: SupervisionSeen) -> SupervisionView {
    let history = seen
        .history
        .into_iter()
        .map(|event| SupervisionEventView {
            happened_at: event.happened_at,
            actor_id: event.actor_id,
            action: event.action,
            reason: event.reason,
        })
        .collect();
    SupervisionView { history: Some(history), ..entry_view(seen.entry, seen.site) }
}

/// Crowds of complaints in the caller's regions.
#[utoipa::path(get, path = "/v1/complaint-clusters", tag = "supervision", params(ClusterQuery), responses((status = 200, body = ClusterList)))]
async fn cluster_list(app: web::Data<App>, caller: Caller, query: web::Query<ClusterQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let clusters = blocking(move || app.cluster_list(&caller, query.state, page)).await?;
    let next = page_next(&page, clusters.iter().map(|cluster| (cluster.found_at, cluster.id)));
    Ok(HttpResponse::Ok().json(ClusterList { items: clusters.into_iter().map(cluster_view).collect(), next }))
}

/// A crowd of complaints, with them.
#[utoipa::path(get, path = "/v1/complaint-clusters/{id}", tag = "supervision", params(("id" = ComplaintClusterId, Path)), responses(
    (status = 200, body = ClusterView),
    (status = 404, body = Problem),
))]
async fn cluster_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintClusterId>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.cluster_show(&caller, *id)).await?;
    let complaints = seen
        .members
        .into_iter()
        .map(|(complaint_id, work_order_id)| ClusterMemberView { complaint_id, work_order_id })
        .collect();
    Ok(HttpResponse::Ok().json(ClusterView { complaints: Some(complaints), ..cluster_view(seen.cluster) }))
}

/// The supervision list (三超督办) of the caller's regions.
#[utoipa::path(get, path = "/v1/supervision-entries", tag = "supervision", params(SupervisionQuery), responses((status = 200, body = SupervisionList)))]
async fn supervision_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<SupervisionQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let entries = blocking(move || app.supervision_list(&caller, query.state, page)).await?;
    let next = page_next(&page, entries.iter().map(|(entry, _)| (entry.listed_at, entry.id)));
    let items = entries.into_iter().map(|(entry, site)| entry_view(entry, site)).collect();
    Ok(HttpResponse::Ok().json(SupervisionList { items, next }))
}

/// An entry with its history.
#[utoipa::path(get, path = "/v1/supervision-entries/{id}", tag = "supervision", params(("id" = SupervisionEntryId, Path)), responses(
    (status = 200, body = SupervisionView),
    (status = 404, body = Problem),
))]
async fn supervision_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<SupervisionEntryId>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.supervision_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(seen_view(seen)))
}

/// Take an entry off the list, with what cleared it (R-SUPERVISE-1).
#[utoipa::path(post, path = "/v1/supervision-entries/{id}/clear", tag = "supervision", params(("id" = SupervisionEntryId, Path)), request_body = ClearBody, responses(
    (status = 200, body = SupervisionView),
    (status = 404, body = Problem),
    (status = 409, description = "The fault or the weak coverage still stands", body = Problem),
    (status = 422, body = Problem),
))]
async fn supervision_entry_clear(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<SupervisionEntryId>,
    body: web::Json<ClearBody>,
) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.supervision_entry_clear(&caller, *id, &body.what_cleared_it)).await?;
    Ok(HttpResponse::Ok().json(seen_view(seen)))
}
