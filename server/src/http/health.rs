//! Whether the server lives and can work, and its own description.

use super::openapi::openapi_json;
use super::routes::routes;
use crate::app::App;
use crate::app::error::{AppError, AppResult};
use crate::photos::service::PhotoService;
use actix_web::{HttpResponse, web};
use callout_sync_protocol::problem::ProblemType;
use std::error::Error;
use std::sync::LazyLock;
use utoipa::OpenApi;

routes! {
    GET "/healthz" => health_live: Public;
    GET "/readyz" => health_ready: Public;
    GET "/openapi.json" => openapi_show: Public;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(health_live, health_ready, openapi_show))]
pub struct Api;

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive")))]
async fn health_live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The database and the photo store answer.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "Ready"), (status = 503, description = "Not ready")))]
async fn health_ready(app: web::Data<App>, photos: web::Data<PhotoService>) -> AppResult<HttpResponse> {
    let not_ready = |what: &str, cause: Box<dyn Error + Send + Sync>| AppError {
        retry_after_seconds: Some(5),
        cause: Some(cause),
        ..AppError::new(ProblemType::Unavailable, format!("{what} does not answer"))
    };
    super::blocking(move || app.health_check()).await.map_err(|cause| not_ready("the database", cause.into()))?;
    photos.store().check().await.map_err(|cause| not_ready("the photo store", cause.into()))?;
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}

static OPENAPI: LazyLock<String> = LazyLock::new(openapi_json);

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses((status = 200, description = "OpenAPI 3.1")))]
async fn openapi_show() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI.as_str())
}
