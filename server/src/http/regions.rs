//! Regions as GeoJSON features (RFC 7946).

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::regions::RegionDraft;
use actix_web::{HttpResponse, web};
use callout_storage::regions::Region;
use callout_sync_protocol::ids::RegionId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/regions" => region_list: RegionRead;
    POST "/v1/regions" => region_create: RegionManage;
    GET "/v1/regions/{id}" => region_show: RegionRead;
    PUT "/v1/regions/{id}" => region_change: RegionManage;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(region_list, region_create, region_show, region_change))]
pub struct Api;

/// What a GeoJSON feature calls itself.
#[derive(Serialize, Deserialize, ToSchema)]
pub enum FeatureType {
    /// The only one.
    Feature,
}

/// What a list of features calls itself.
#[derive(Serialize, ToSchema)]
pub enum FeatureCollectionType {
    /// The only one.
    FeatureCollection,
}

/// A region to draw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionBody {
    /// `Feature`.
    #[serde(rename = "type")]
    _kind: FeatureType,
    /// Polygon or MultiPolygon, longitude first.
    #[schema(value_type = Object)]
    geometry: Value,
    /// Name and local time.
    properties: RegionPropertiesBody,
}

/// A region's name and local time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionPropertiesBody {
    /// The name; no other region has it.
    name: String,
    /// Minutes that local time is ahead of UTC; 480 in China.
    utc_offset_minutes: i16,
}

/// A region.
#[derive(Serialize, ToSchema)]
pub struct RegionView {
    /// `Feature`.
    #[serde(rename = "type")]
    kind: FeatureType,
    /// The region.
    id: RegionId,
    /// Polygon or MultiPolygon.
    #[schema(value_type = Object)]
    geometry: Value,
    /// Name and local time.
    properties: RegionProperties,
}

/// What is known of a region.
#[derive(Serialize, ToSchema)]
pub struct RegionProperties {
    /// The name.
    name: String,
    /// Minutes that local time is ahead of UTC.
    utc_offset_minutes: i16,
    /// Grows with every change.
    version: u64,
}

/// Regions, newest first.
#[derive(Serialize, ToSchema)]
pub struct RegionList {
    /// `FeatureCollection`.
    #[serde(rename = "type")]
    kind: FeatureCollectionType,
    /// The regions.
    features: Vec<RegionView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

fn draft(body: RegionBody) -> RegionDraft {
    RegionDraft {
        name: body.properties.name,
        boundary: body.geometry,
        utc_offset_minutes: body.properties.utc_offset_minutes,
    }
}

fn view(region: Region) -> RegionView {
    RegionView {
        kind: FeatureType::Feature,
        id: region.id,
        geometry: region.boundary,
        properties: RegionProperties {
            name: region.name,
            utc_offset_minutes: region.utc_offset_minutes,
            version: region.version,
        },
    }
}

fn geojson(response: &mut actix_web::HttpResponseBuilder, body: &impl Serialize) -> AppResult<HttpResponse> {
    let text = serde_json::to_vec(body).map_err(crate::app::error::AppError::internal)?;
    Ok(response.content_type("application/geo+json").body(text))
}

/// Which regions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RegionQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

/// Regions.
#[utoipa::path(get, path = "/v1/regions", tag = "regions", params(RegionQuery), responses((status = 200, body = RegionList, content_type = "application/geo+json")))]
async fn region_list(app: web::Data<App>, caller: Caller, query: web::Query<RegionQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let regions = blocking(move || app.region_list(&caller, page)).await?;
    let next = page_next(&page, regions.iter().map(|region| (region.created_at, region.id)));
    let list = RegionList {
        kind: FeatureCollectionType::FeatureCollection,
        features: regions.into_iter().map(view).collect(),
        next,
    };
    geojson(&mut HttpResponse::Ok(), &list)
}

/// Draw a region.
#[utoipa::path(post, path = "/v1/regions", tag = "regions", request_body = RegionBody, responses(
    (status = 201, body = RegionView, content_type = "application/geo+json"),
    (status = 409, description = "The name is taken", body = Problem),
    (status = 422, description = "The geometry is not valid", body = Problem),
))]
async fn region_create(app: web::Data<App>, caller: Caller, body: web::Json<RegionBody>) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let region = blocking(move || app.region_create(&caller, draft)).await?;
    let location = format!("/v1/regions/{}", region.id);
    geojson(HttpResponse::Created().insert_header(("Location", location)), &view(region))
}

/// A region.
#[utoipa::path(get, path = "/v1/regions/{id}", tag = "regions", params(("id" = RegionId, Path)), responses(
    (status = 200, body = RegionView, content_type = "application/geo+json"),
    (status = 404, body = Problem),
))]
async fn region_show(app: web::Data<App>, caller: Caller, id: web::Path<RegionId>) -> AppResult<HttpResponse> {
    let region = blocking(move || app.region_show(&caller, *id)).await?;
    geojson(&mut HttpResponse::Ok(), &view(region))
}

/// Redraw a region.
#[utoipa::path(put, path = "/v1/regions/{id}", tag = "regions", params(("id" = RegionId, Path)), request_body = RegionBody, responses(
    (status = 200, body = RegionView, content_type = "application/geo+json"),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, body = Problem),
))]
async fn region_change(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<RegionId>,
    body: web::Json<RegionBody>,
) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let region = blocking(move || app.region_change(&caller, *id, draft)).await?;
    geojson(&mut HttpResponse::Ok(), &view(region))
}
