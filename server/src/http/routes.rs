//! The table of all routes: method, path, and the one action that decides who may.
//!
//! Each noun's file declares its routes with [`routes!`]; registering, guarding, documenting and testing all read the same
//! table, so that no route can exist without a rule.

use super::nouns;
use crate::app::access::Action;
use crate::app::error::AppError;
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use callout_sync_protocol::problem::ProblemType;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// The path as actix and OpenAPI write it, `/v1/work-orders/{id}`.
    pub path: &'static str,
    /// What it does.
    pub action: Action,
}

/// Declares a noun's routes: `routes! { GET "/v1/me" => me_show: OwnAccount; … }`.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:path: $action:ident;)+) => {
        /// This noun's routes.
        pub const ROUTES: &[$crate::http::routes::Route] = &[$($crate::http::routes::Route {
            method: stringify!($method),
            path: $path,
            action: $crate::app::access::Action::$action,
        }),+];

        /// Registers this noun's routes.
        pub fn configure(config: &mut actix_web::web::ServiceConfig) {
            $(config.route(
                $path,
                actix_web::web::method(actix_web::http::Method::$method).to($handler),
            );)+
        }
    };
}
pub(crate) use routes;

/// All routes.
pub fn routes_all() -> impl Iterator<Item = &'static Route> {
    nouns().into_iter().flat_map(|noun| noun.routes)
}

static TABLE: LazyLock<HashMap<(Method, &'static str), &'static Route>> = LazyLock::new(|| {
    routes_all()
        .filter_map(|route| Some(((Method::from_bytes(route.method.as_bytes()).ok()?, route.path), route)))
        .collect()
});

/// The route of a request; `None` where there is no such route.
pub fn route_of(method: &Method, pattern: &str) -> Option<&'static Route> {
    // The map's keys live as long as the program, a request's pattern does not: compare by value.
    TABLE.iter().find(|((m, path), _)| m == method && *path == pattern).map(|(_, route)| *route)
}

/// What a route does; `None` where there is no such route.
pub fn route_action(method: &Method, pattern: &str) -> Option<Action> {
    route_of(method, pattern).map(|route| route.action)
}

/// Answers what no route takes: 405 with `Allow` where the path exists, else 404.
pub async fn route_missing(request: HttpRequest) -> HttpResponse {
    let pattern = request.match_pattern();
    let allowed: Vec<&str> =
        routes_all().filter(|route| pattern.as_deref() == Some(route.path)).map(|route| route.method).collect();
    if allowed.is_empty() {
        return AppError::new(ProblemType::NotFound, "there is nothing at this path").error_response();
    }
    let allow = allowed.join(", ");
    let mut response =
        AppError::new(ProblemType::MethodNotAllowed, format!("this path takes {allow}")).error_response();
    if let Ok(value) = header::HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
