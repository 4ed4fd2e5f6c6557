//! Signing in, refreshing, signing out, and the caller's own account.

use super::blocking;
use super::extract::sender_address;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::{Caller, Role};
use crate::app::error::{AppError, AppResult};
use crate::app::sessions::{SignIn, Tokens};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_sync_protocol::ids::{DeviceId, RegionId, SessionId, UserId};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

routes! {
    POST "/v1/sign-in" => sign_in: Public;
    POST "/v1/sessions/refresh" => session_refresh: Public;
    POST "/v1/sign-out" => sign_out: OwnAccount;
    GET "/v1/me" => me_show: OwnAccount;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(sign_in, session_refresh, sign_out, me_show))]
pub struct Api;

/// Who signs in, and on what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// The user's name.
    user_name: String,
    /// The password.
    password: String,
    /// The device.
    device: DeviceBody,
}

/// The device of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    /// Made by the device once; the same at every sign-in.
    id: DeviceId,
    /// What its owner calls it.
    name: String,
    /// `android`, `ios`, `terminal`, `browser`, `system` …
    platform: String,
    /// Ed25519 public key, 32 bytes in base64url without padding; a field tester's phone must have one.
    #[serde(default)]
    public_key: Option<String>,
}

/// A refresh token, and the proof that the enrolled device holds it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    /// The session's latest refresh token.
    refresh_token: String,
    /// The device that it was given to.
    device_id: DeviceId,
    /// Ed25519 signature, 64 bytes in base64url without padding, over `callout-refresh-v1`, a line feed, and the token;
    /// needed when the device has a key.
    #[serde(default)]
    proof: Option<String>,
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct TokensView {
    /// For the `Authorization: Bearer` header.
    access_token: String,
    /// When it ends.
    access_expires_at: Timestamp,
    /// For one refresh.
    refresh_token: String,
    /// When it ends.
    refresh_expires_at: Timestamp,
    /// The session.
    session_id: SessionId,
    /// Who signed in.
    user: AccountView,
}

/// A user, as the user sees it.
#[derive(Serialize, ToSchema)]
pub struct AccountView {
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
}

fn bytes_of<const N: usize>(field: &str, text: &str) -> AppResult<[u8; N]> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| AppError::invalid(field, &format!("must be {N} bytes in base64url without padding")))
}

fn tokens_view(tokens: Tokens, region_ids: Vec<RegionId>) -> TokensView {
    TokensView {
        access_token: tokens.access_token,
        access_expires_at: tokens.access_expires_at,
        refresh_token: tokens.refresh_token,
        refresh_expires_at: tokens.refresh_expires_at,
        session_id: tokens.session_id,
        user: account_view(tokens.user, region_ids),
    }
}

fn account_view(user: callout_storage::users::User, region_ids: Vec<RegionId>) -> AccountView {
    AccountView {
        id: user.id,
        roles: user.roles,
        user_name: user.user_name,
        display_name: user.display_name,
        all_regions: user.all_regions,
        region_ids,
    }
}

fn answer(tokens: TokensView) -> HttpResponse {
    // RFC 6750 §5.3: tokens are not for caches.
    HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(tokens)
}

/// Sign in, and enrol the device.
#[utoipa::path(post, path = "/v1/sign-in", tag = "sessions", request_body = SignInBody, responses(
    (status = 200, description = "Signed in", body = TokensView),
    (status = 401, description = "Wrong user name or password", body = Problem),
    (status = 429, description = "Too many tries", body = Problem),
))]
async fn sign_in(request: HttpRequest, app: web::Data<App>, body: web::Json<SignInBody>) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    app.sign_in_admit(sender_address(&request, app.is_behind_proxy()), &body.user_name)?;
    let public_key = body.device.public_key.as_deref().map(|key| bytes_of("device.public_key", key)).transpose()?;
    let sign_in = SignIn {
        user_name: body.user_name,
        password: body.password,
        device_id: body.device.id,
        device_name: body.device.name,
        platform: body.device.platform,
        public_key,
    };
    let view = blocking(move || {
        let tokens = app.session_sign_in(sign_in)?;
        let regions = app.user_regions(tokens.user.id)?;
        Ok(tokens_view(tokens, regions))
    })
    .await?;
    Ok(answer(view))
}

/// Exchange a refresh token for new tokens.
#[utoipa::path(post, path = "/v1/sessions/refresh", tag = "sessions", request_body = RefreshBody, responses(
    (status = 200, description = "New tokens; the old refresh token is void once the new one was used", body = TokensView),
    (status = 401, description = "The session has ended", body = Problem),
))]
async fn session_refresh(app: web::Data<App>, body: web::Json<RefreshBody>) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let proof = body.proof.as_deref().map(|proof| bytes_of("proof", proof)).transpose()?;
    let view = blocking(move || {
        let tokens = app.session_refresh(&body.refresh_token, body.device_id, proof)?;
        let regions = app.user_regions(tokens.user.id)?;
        Ok(tokens_view(tokens, regions))
    })
    .await?;
    Ok(answer(view))
}

/// End the session.
#[utoipa::path(post, path = "/v1/sign-out", tag = "sessions", responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Not signed in", body = Problem),
))]
async fn sign_out(app: web::Data<App>, caller: Caller) -> AppResult<HttpResponse> {
    blocking(move || app.session_sign_out(&caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The caller's own account.
#[utoipa::path(get, path = "/v1/me", tag = "sessions", responses(
    (status = 200, description = "The account", body = AccountView),
    (status = 401, description = "Not signed in", body = Problem),
))]
async fn me_show(app: web::Data<App>, caller: Caller) -> AppResult<HttpResponse> {
    let (user, regions) = blocking(move || app.user_own(&caller)).await?;
    Ok(HttpResponse::Ok().json(account_view(user, regions)))
}
