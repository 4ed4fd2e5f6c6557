//! The gate before every route: who is it, and does the role allow what the route does.
//!
//! It runs before a body is read, so that a stranger costs little and learns nothing. A path that is in no route table is
//! answered without looking at the token.

use super::routes::route_action;
use crate::app::App;
use crate::app::error::AppError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use callout_sync_protocol::problem::ProblemType;

/// The access token that a request came with.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The middleware.
///
/// # Errors
/// `unauthenticated` without a valid token, `forbidden` when no role of the caller's may do this.
pub async fn guard<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let action = request.match_pattern().and_then(|pattern| route_action(request.method(), &pattern));
    if let Some(action) = action
        && !action.roles().is_empty()
    {
        let app = request
            .app_data::<web::Data<App>>()
            .ok_or_else(|| AppError::internal("the application is not configured"))?
            .clone();
        let token = bearer(request.request())
            .ok_or_else(|| {
                AppError::new(ProblemType::Unauthenticated, "send an access token: Authorization: Bearer …")
            })?
            .to_owned();
        let caller = app.token_verify(token).await?;
        if !caller.roles.has_any(action.roles()) {
            return Err(AppError::forbidden("none of your roles allows this").into());
        }
        request.extensions_mut().insert(caller);
    }
    next.call(request).await
}
