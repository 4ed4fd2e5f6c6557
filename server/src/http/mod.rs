//! HTTP: extract, call `app`, render. No decision is made here but the form of the answer.

pub mod appointments;
pub mod appraisal_marks;
pub mod audit;
pub mod branch_questions;
pub mod build_demands;
pub mod candidates;
pub mod cases;
pub mod chases;
pub mod clocks;
pub mod complaints;
pub mod customer_questions;
pub mod dispatches;
pub mod erasures;
pub mod escalations;
pub mod extract;
pub mod field_tests;
pub mod follow_ups;
pub mod guard;
pub mod handoffs;
pub mod health;
pub mod intakes;
pub mod key_accounts;
pub mod kpis;
pub mod ladder_steps;
pub mod major_cases;
pub mod masking;
pub mod metrics;
pub mod notices;
pub mod openapi;
pub mod pages;
pub mod photo_uploads;
pub mod photos;
pub mod policies;
pub mod positions;
pub mod problem;
pub mod quarantine;
pub mod regions;
pub mod replies;
pub mod review_meetings;
pub mod revisits;
pub mod routes;
pub mod samples_csv;
pub mod sessions;
pub mod similar_complaints;
pub mod sites;
pub mod supervision;
pub mod sync;
pub mod tracking_tickets;
pub mod user_profiles;
pub mod users;
pub mod wake_ups;
pub mod warnings;
pub mod weekly_reports;
pub mod weekly_workbook;
pub mod work_orders;

use crate::app::App;
use crate::app::error::{AppError, AppResult};
use crate::photos::service::PhotoService;
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use routes::Route;
use std::net::{SocketAddr, TcpListener};
use utoipa::OpenApi;

/// What a noun brings to the surface.
pub struct Noun {
    /// Its routes.
    pub routes: &'static [Route],
    /// Registers them.
    pub configure: fn(&mut web::ServiceConfig),
    /// Documents them.
    pub openapi: fn() -> utoipa::openapi::OpenApi,
}

macro_rules! nouns {
    ($($module:ident),+ $(,)?) => {
        vec![$(Noun { routes: $module::ROUTES, configure: $module::configure, openapi: $module::Api::openapi }),+]
    };
}

/// All nouns, in the order of the documentation.
pub fn nouns() -> Vec<Noun> {
    nouns![
        sessions,
        users,
        user_profiles,
        regions,
        policies,
        complaints,
        intakes,
        escalations,
        key_accounts,
        similar_complaints,
        cases,
        major_cases,
        notices,
        work_orders,
        candidates,
        dispatches,
        appointments,
        chases,
        branch_questions,
        appraisal_marks,
        follow_ups,
        clocks,
        customer_questions,
        handoffs,
        ladder_steps,
        build_demands,
        review_meetings,
        replies,
        revisits,
        tracking_tickets,
        field_tests,
        quarantine,
        sites,
        supervision,
        warnings,
        kpis,
        weekly_reports,
        sync,
        wake_ups,
        photo_uploads,
        photos,
        erasures,
        audit,
        health
    ]
}

/// Registers everything but the application's data; also for tests.
pub fn configure(config: &mut web::ServiceConfig) {
    extract::configure(config);
    for noun in nouns() {
        (noun.configure)(config);
    }
    config.default_service(web::to(routes::route_missing));
}

/// Runs a blocking application function on the pool for such work.
///
/// # Errors
/// Whatever the function says; `unavailable` when the pool is shutting down.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> AppResult<T> + Send + 'static) -> AppResult<T> {
    web::block(work).await.map_err(AppError::internal)?
}

/// A running server.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// The server; awaiting it runs it until it is stopped.
    pub server: actix_web::dev::Server,
}

/// Binds and starts the server on the given listener.
///
/// # Errors
/// What the operating system says of the socket.
pub fn serve(
    app: web::Data<App>,
    photos: web::Data<PhotoService>,
    listener: TcpListener,
    workers: usize,
) -> std::io::Result<Running> {
    let addresses = vec![listener.local_addr()?];
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .app_data(photos.clone())
            .wrap(from_fn(guard::guard))
            .wrap(from_fn(metrics::measure))
            .configure(configure)
    })
    .workers(workers)
    .listen(listener)?
    .shutdown_timeout(10)
    // The process that embeds the server decides what its signals mean.
    .disable_signals()
    .run();
    Ok(Running { addresses, server })
}
