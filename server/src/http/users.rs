//! Users and their devices, for the administrator.

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::{Caller, Role};
use crate::app::error::AppResult;
use crate::app::users::{UserChange, UserNew, UserWithRegions};
use actix_web::{HttpResponse, web};
use callout_storage::devices::Device;
use callout_sync_protocol::ids::{DeviceId, RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/users" => user_list: UserRead;
    POST "/v1/users" => user_create: UserManage;
    GET "/v1/users/{id}" => user_show: UserRead;
    PATCH "/v1/users/{id}" => user_change: UserManage;
    GET "/v1/devices" => device_list: UserRead;
    POST "/v1/devices/{id}/revoke" => device_revoke: UserManage;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(user_list, user_create, user_show, user_change, device_list, device_revoke))]
pub struct Api;

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserNewBody {
    /// The name to sign in with: letters, digits, and `. _ - @`.
    user_name: String,
    /// The name to show.
    display_name: String,
    /// At least ten characters.
    password: String,
    /// At least one.
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    /// Sees every region.
    #[serde(default)]
    all_regions: bool,
    /// The regions, unless all.
    #[serde(default)]
    region_ids: Vec<RegionId>,
}

/// What changes about a user; absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChangeBody {
    /// The name to show.
    display_name: Option<String>,
    /// A new password.
    password: Option<String>,
    /// The roles.
    #[schema(value_type = Option<Vec<String>>)]
    roles: Option<Vec<Role>>,
    /// Sees every region.
    all_regions: Option<bool>,
    /// The regions.
    region_ids: Option<Vec<RegionId>>,
    /// May sign in.
    is_active: Option<bool>,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    /// The user.
    id: UserId,
    /// The name to sign in with.
    user_name: String,
    /// The name to show.
    display_name: String,
    /// The roles.
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    /// Sees every region.
    all_regions: bool,
    /// The regions, unless all.
    region_ids: Vec<RegionId>,
    /// May sign in.
    is_active: bool,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Users, newest first.
#[derive(Serialize, ToSchema)]
pub struct UserList {
    /// The users.
    items: Vec<UserView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// An enrolled device.
#[derive(Serialize, ToSchema)]
pub struct DeviceView {
    /// The device.
    id: DeviceId,
    /// Whose.
    user_id: UserId,
    /// What its owner calls it.
    name: String,
    /// What it is.
    platform: String,
    /// When it was enrolled.
    enrolled_at: Timestamp,
    /// When it last refreshed or signed in.
    last_seen_at: Timestamp,
    /// When it was barred.
    revoked_at: Option<Timestamp>,
}

/// Devices, newest first.
#[derive(Serialize, ToSchema)]
pub struct DeviceList {
    /// The devices.
    items: Vec<DeviceView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// Why, in words.
    pub reason: String,
}

/// Where a list of users begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeviceQuery {
    /// Only this user's, all of them.
    user_id: Option<UserId>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

fn view((user, region_ids): UserWithRegions) -> UserView {
    UserView {
        id: user.id,
        user_name: user.user_name,
        display_name: user.display_name,
        roles: user.roles,
        all_regions: user.all_regions,
        region_ids,
        is_active: user.is_active,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

fn device_view(device: Device) -> DeviceView {
    DeviceView {
        id: device.id,
        user_id: device.user_id,
        name: device.name,
        platform: device.platform,
        enrolled_at: device.enrolled_at,
        last_seen_at: device.last_seen_at,
        revoked_at: device.revoked_at,
    }
}

/// Users.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(UserQuery), responses((status = 200, body = UserList)))]
async fn user_list(app: web::Data<App>, caller: Caller, query: web::Query<UserQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let users = blocking(move || app.user_list(&caller, page)).await?;
    let next = page_next(&page, users.iter().map(|(user, _)| (user.created_at, user.id)));
    Ok(HttpResponse::Ok().json(UserList { items: users.into_iter().map(view).collect(), next }))
}

/// Make a user.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = UserNewBody, responses(
    (status = 201, body = UserView),
    (status = 409, description = "The name is taken", body = Problem),
    (status = 422, description = "A field is not valid", body = Problem),
))]
async fn user_create(app: web::Data<App>, caller: Caller, body: web::Json<UserNewBody>) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let new = UserNew {
        user_name: body.user_name,
        display_name: body.display_name,
        password: body.password,
        roles: body.roles,
        all_regions: body.all_regions,
        region_ids: body.region_ids,
    };
    let user = blocking(move || app.user_create(&caller, new)).await?;
    let location = format!("/v1/users/{}", user.0.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view(user)))
}

/// A user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = UserView),
    (status = 404, body = Problem),
))]
async fn user_show(app: web::Data<App>, caller: Caller, id: web::Path<UserId>) -> AppResult<HttpResponse> {
    let user = blocking(move || app.user_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(user)))
}

/// Change a user. A new password, other roles or a closed account end the user's sessions at once.
#[utoipa::path(patch, path = "/v1/users/{id}", tag = "users", params(("id" = UserId, Path)), request_body = UserChangeBody, responses(
    (status = 200, body = UserView),
    (status = 404, body = Problem),
    (status = 422, body = Problem),
))]
async fn user_change(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<UserId>,
    body: web::Json<UserChangeBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let change = UserChange {
        display_name: body.display_name,
        password: body.password,
        roles: body.roles,
        all_regions: body.all_regions,
        region_ids: body.region_ids,
        is_active: body.is_active,
    };
    let user = blocking(move || app.user_change(&caller, *id, change)).await?;
    Ok(HttpResponse::Ok().json(view(user)))
}

/// Enrolled devices.
#[utoipa::path(get, path = "/v1/devices", tag = "users", params(DeviceQuery), responses((status = 200, body = DeviceList)))]
async fn device_list(app: web::Data<App>, caller: Caller, query: web::Query<DeviceQuery>) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let devices = blocking(move || app.device_list(&caller, query.user_id, page)).await?;
    let next = match query.user_id {
        Some(_) => None,
        None => page_next(&page, devices.iter().map(|device| (device.enrolled_at, device.id))),
    };
    Ok(HttpResponse::Ok().json(DeviceList { items: devices.into_iter().map(device_view).collect(), next }))
}

/// Bar a device.
#[utoipa::path(post, path = "/v1/devices/{id}/revoke", tag = "users", params(("id" = DeviceId, Path)), request_body = ReasonBody, responses(
    (status = 204, description = "Barred; its sessions have ended"),
    (status = 404, body = Problem),
))]
async fn device_revoke(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<DeviceId>,
    body: web::Json<ReasonBody>,
) -> AppResult<HttpResponse> {
    blocking(move || app.device_revoke(&caller, *id, &body.reason)).await?;
    Ok(HttpResponse::NoContent().finish())
}
