//! `GET /metrics` on a listener of its own (`--metrics-listen`), and the middleware that measures every request.
//!
//! The public listener does not know the path: who may read figures of a whole company is the operator's to say, by the address.

use super::blocking;
use super::routes::route_of;
use crate::app::App;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, HttpServer, web};
use std::net::TcpListener;
use std::time::Instant;

/// What Prometheus asks for first: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For a path or method that no route has: what strangers try is no label.
const OTHER: &str = "other";

/// The middleware: outermost, so that it sees what the guard refuses, too.
///
/// # Errors
/// None of its own.
pub async fn measure<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let app = request.app_data::<web::Data<App>>().cloned();
    let route = request.match_pattern().and_then(|pattern| route_of(request.method(), &pattern));
    let (method, path) = route.map_or((OTHER, OTHER), |route| (route.method, route.path));
    let answered = next.call(request).await;
    if let Some(app) = app {
        let status = match &answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        app.metrics().request(method, path, status.as_u16(), began.elapsed());
    }
    answered
}

async fn metrics_show(app: web::Data<App>) -> Result<HttpResponse, Error> {
    let shown = app.clone();
    let standing = blocking(move || Ok(shown.standing())).await?;
    let text = app.metrics().render(standing).map_err(crate::app::error::AppError::internal)?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPENMETRICS)).body(text))
}

/// Serves `/metrics` and nothing else.
///
/// # Errors
/// What the operating system says of the socket.
pub fn serve_metrics(app: web::Data<App>, listener: TcpListener) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .route("/metrics", web::method(Method::GET).to(metrics_show))
            .default_service(web::to(HttpResponse::NotFound))
    })
    .workers(1)
    .listen(listener)?
    .shutdown_timeout(1)
    .disable_signals()
    .run();
    Ok(server)
}
