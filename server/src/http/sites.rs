//! Sites of the network, their outages, and what is pushed because of them (R-SUPERVISE-2).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::sites::{OutageDraft, PushOutcome, SiteDown, SiteDraft};
use crate::workflow::supervision::{SiteKind, SitePlan};
use actix_web::{HttpResponse, web};
use callout_storage::RegionScope;
use callout_storage::sites::{Site, SiteFilter};
use callout_sync_protocol::ids::{ComplaintClusterId, RegionId, SiteId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/sites" => site_list: SiteRead;
    PUT "/v1/sites" => site_push: SitePush;
    GET "/v1/sites/down" => sites_down: SiteRead;
    GET "/v1/sites/plans-in-clusters" => plans_pushed: SiteRead;
    PUT "/v1/site-outages" => site_outage_push: SitePush;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(site_list, site_push, sites_down, plans_pushed, site_outage_push))]
pub struct Api;

/// A site as it is pushed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteBody {
    /// The code by which the network's own systems know it.
    code: String,
    /// The name that people say.
    name: String,
    /// Where.
    position: PositionView,
    /// `macro`, `small_cell`, `indoor` or `repeater`.
    #[schema(value_type = String, example = "macro")]
    kind: SiteKind,
    /// Handled before others.
    #[serde(default)]
    is_key: bool,
    /// `none` (absent: it stands and serves), `planned_build` or `relocation`.
    #[schema(value_type = Option<String>, example = "planned_build")]
    plan: Option<SitePlan>,
}

/// Sites to take in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SitePushBody {
    /// At most 1,000.
    items: Vec<SiteBody>,
}

/// An outage as it is pushed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutageBody {
    /// The pusher's own number for it; the same number again tells the end, or corrects.
    reference: String,
    /// The site's code.
    site_code: String,
    /// Why, as far as known.
    cause: Option<String>,
    /// Down since then.
    began_at: Timestamp,
    /// Up again then; absent while it is down.
    ended_at: Option<Timestamp>,
}

/// Outages to take in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutagePushBody {
    /// At most 1,000.
    items: Vec<OutageBody>,
}

/// What a push changed.
#[derive(Serialize, ToSchema)]
pub struct PushView {
    /// Entries that are new.
    created: usize,
    /// Entries that were known otherwise.
    changed: usize,
    /// Entries that were known just so.
    unchanged: usize,
}

/// A site.
#[derive(Serialize, ToSchema)]
pub struct SiteView {
    /// The site.
    id: SiteId,
    /// The code by which the network's own systems know it.
    code: String,
    /// The name that people say.
    name: String,
    /// Its region.
    region_id: Option<RegionId>,
    /// Where.
    position: PositionView,
    /// `macro`, `small_cell`, `indoor` or `repeater`.
    kind: String,
    /// Handled before others.
    is_key: bool,
    /// `none`, `planned_build` or `relocation`.
    plan: String,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Sites, newest first.
#[derive(Serialize, ToSchema)]
pub struct SiteList {
    /// The sites.
    items: Vec<SiteView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// A site that is down.
#[derive(Serialize, ToSchema)]
pub struct SiteDownView {
    /// The site.
    site: SiteView,
    /// Without a break since then.
    down_since: Timestamp,
    /// Whole hours.
    down_hours: i64,
    /// The cause that was told last; may be empty.
    cause: String,
    /// Complaints in its reach since then.
    complaint_count: u32,
    /// Down for longer than 48 hours, or what the policy says.
    is_flagged: bool,
}

/// Sites that are down: those down too long first, key sites first among them.
#[derive(Serialize, ToSchema)]
pub struct SiteDownList {
    /// The sites.
    items: Vec<SiteDownView>,
}

/// A planned build or a relocation inside a crowd of complaints.
#[derive(Serialize, ToSchema)]
pub struct PlanView {
    /// The site.
    site: SiteView,
    /// The crowd.
    cluster_id: ComplaintClusterId,
    /// How many complaints.
    complaint_count: u32,
}

/// Plans to push, the greatest crowd first.
#[derive(Serialize, ToSchema)]
pub struct PlanList {
    /// The plans.
    items: Vec<PlanView>,
}

/// Which sites.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SiteQuery {
    /// Only key sites, or only others.
    is_key: Option<bool>,
    /// Only with this plan: `none`, `planned_build` or `relocation`.
    #[param(value_type = Option<String>)]
    plan: Option<SitePlan>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// Which sites that are down.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DownQuery {
    /// Only those down too long.
    flagged: Option<bool>,
}

/// As the API shows a site.
pub(super) fn site_view(site: Site) -> SiteView {
    SiteView {
        position: site.position().into(),
        id: site.id,
        code: site.code,
        name: site.name,
        region_id: site.region_id,
        kind: site.kind,
        is_key: site.is_key,
        plan: site.plan,
        updated_at: site.updated_at,
    }
}

fn push_view(outcome: PushOutcome) -> PushView {
    PushView { created: outcome.created, changed: outcome.changed, unchanged: outcome.unchanged }
}

fn down_view(down: SiteDown) -> SiteDownView {
    SiteDownView {
        down_since: down.down_since,
        down_hours: down.down_hours,
        cause: down.cause,
        complaint_count: down.complaints,
        is_flagged: down.is_flagged,
        site: site_view(down.site),
    }
}

/// Sites of the caller's regions.
#[utoipa::path(get, path = "/v1/sites", tag = "sites", params(SiteQuery), responses((status = 200, body = SiteList)))]
async fn site_list(app: web::Data<App>, caller: Caller, query: web::Query<SiteQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let plans = query.plan.iter().map(|plan| plan.as_str().to_owned()).collect();
    let filter = SiteFilter { scope: RegionScope::All, is_key: query.is_key, plans };
    let sites = blocking(move || app.site_list(&caller, filter, page)).await?;
    let next = page_next(&page, sites.iter().map(|site| (site.created_at, site.id)));
    Ok(HttpResponse::Ok().json(SiteList { items: sites.into_iter().map(site_view).collect(), next }))
}

/// Take sites in: all of them or none; the same again changes nothing.
#[utoipa::path(put, path = "/v1/sites", tag = "sites", request_body = SitePushBody, responses(
    (status = 200, body = PushView),
    (status = 422, body = Problem),
))]
async fn site_push(app: web::Data<App>, caller: Caller, body: web::Json<SitePushBody>) -> AppResult<HttpResponse> {
    let items = body.into_inner().items.into_iter().enumerate();
    let drafts = items
        .map(|(index, site)| {
            Ok(SiteDraft {
                position: site.position.parse(&format!("items[{index}].position"))?,
                code: site.code,
                name: site.name,
                kind: site.kind,
                is_key: site.is_key,
                plan: site.plan.unwrap_or(SitePlan::None),
            })
        })
        .collect::<AppResult<Vec<_>>>()?;
    let outcome = blocking(move || app.site_push(&caller, drafts)).await?;
    Ok(HttpResponse::Ok().json(push_view(outcome)))
}

/// Sites that are down, those for more than 48 hours without a break flagged, key sites first (R-SUPERVISE-2).
#[utoipa::path(get, path = "/v1/sites/down", tag = "sites", params(DownQuery), responses((status = 200, body = SiteDownList)))]
async fn sites_down(app: web::Data<App>, caller: Caller, query: web::Query<DownQuery>) -> AppResult<HttpResponse> {
    let down = blocking(move || app.sites_down(&caller, query.flagged.unwrap_or(false))).await?;
    Ok(HttpResponse::Ok().json(SiteDownList { items: down.into_iter().map(down_view).collect() }))
}

/// Planned builds and relocations inside crowds of complaints (R-SUPERVISE-2).
#[utoipa::path(get, path = "/v1/sites/plans-in-clusters", tag = "sites", responses((status = 200, body = PlanList)))]
async fn plans_pushed(app: web::Data<App>, caller: Caller) -> AppResult<HttpResponse> {
    let plans = blocking(move || app.plans_pushed(&caller)).await?;
    let view = |plan: crate::app::sites::PushedPlan| PlanView {
        cluster_id: plan.cluster.id,
        complaint_count: plan.cluster.complaint_count,
        site: site_view(plan.site),
    };
    Ok(HttpResponse::Ok().json(PlanList { items: plans.into_iter().map(view).collect() }))
}

/// Take beginnings and ends of outages in: all of them or none; the same again changes nothing.
#[utoipa::path(put, path = "/v1/site-outages", tag = "sites", request_body = OutagePushBody, responses(
    (status = 200, body = PushView),
    (status = 422, body = Problem),
))]
async fn site_outage_push(
    app: web::Data<App>,
    caller: Caller,
    body: web::Json<OutagePushBody>,
) -> AppResult<HttpResponse> {
    let drafts = body
        .into_inner()
        .items
        .into_iter()
        .map(|outage| OutageDraft {
            reference: outage.reference,
            site_code: outage.site_code,
            cause: outage.cause.unwrap_or_default(),
            began_at: outage.began_at,
            ended_at: outage.ended_at,
        })
        .collect();
    let outcome = blocking(move || app.site_outage_push(&caller, drafts)).await?;
    Ok(HttpResponse::Ok().json(push_view(outcome)))
}
