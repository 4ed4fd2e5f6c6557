//! A real server without sockets: the application, its storage and its whole HTTP surface, called in this thread.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use actix_web::web;
use callout_mobile_sdk::engine::HttpResponse;
use callout_server::app::passwords::PasswordCost;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_server::http;
use callout_server::jobs::Jobs;
use callout_server::photos::service::{PhotoService, PhotoSettings};
use callout_server::photos::store::PhotoStore;
use callout_storage::Storage;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::str::FromStr as _;

type Answering = Pin<Box<dyn Future<Output = HttpResponse>>>;

/// One server process.
pub struct Server {
    runtime: Rc<actix_web::rt::Runtime>,
    handler: Box<dyn Fn(TestRequest) -> Answering>,
    app: App,
    jobs: Jobs,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    /// Starts a server over a storage and a folder of photos. Whatever an earlier one held in memory is gone.
    pub fn start(runtime: &Rc<actix_web::rt::Runtime>, storage: Storage, photos: &Path, env: Env) -> Self {
        let config = AppConfig {
            // The least that argon2 allows.
            password_cost: PasswordCost { memory_kib: 8, passes: 1 },
            public_url: "http://simulation.invalid".to_owned(),
            ..AppConfig::default()
        };
        let app = App::new(storage, env, config).unwrap();
        let photos = PhotoStore::open_folder(photos).unwrap();
        let service = PhotoService::new(app.clone(), photos, PhotoSettings::default());
        let (data, photos) = (web::Data::new(app.clone()), web::Data::new(service));
        let jobs = Jobs::new(app.clone(), photos.clone().into_inner());
        let service = runtime.block_on(init_service(
            actix_web::App::new()
                .app_data(data)
                .app_data(photos)
                .wrap(from_fn(http::guard::guard))
                .configure(http::configure),
        ));
        let service = Rc::new(service);
        let handler = move |request: TestRequest| -> Answering {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let (status, headers, body) = match service.call(request.to_request()).await {
                    Ok(response) => {
                        let (_, response) = response.into_parts();
                        let (head, body) = response.into_parts();
                        (head.status(), head.headers().clone(), to_bytes(body).await.unwrap_or_default())
                    }
                    // What the middleware refuses is rendered by the HTTP layer beneath.
                    Err(error) => {
                        let (head, body) = error.error_response().into_parts();
                        (head.status(), head.headers().clone(), to_bytes(body).await.unwrap_or_default())
                    }
                };
                let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
                HttpResponse {
                    status: status.as_u16(),
                    headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
                    body: body.to_vec(),
                }
            })
        };
        Self { runtime: Rc::clone(runtime), handler: Box::new(handler), app, jobs }
    }

    /// The application, for what is done on the server's own machine.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Makes sure that what comes round comes round.
    pub fn jobs_prepare(&self) {
        self.jobs.prepare().unwrap();
    }

    /// Does the jobs that are due by the world's clock; says how many.
    pub fn jobs_run(&self) -> usize {
        self.runtime.block_on(self.jobs.run_due()).unwrap()
    }

    /// One request and its answer.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpResponse {
        let mut request = TestRequest::with_uri(path).method(Method::from_str(method).unwrap());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        if !body.is_empty() || matches!(method, "POST" | "PATCH") {
            request = request.insert_header(("content-length", body.len().to_string())).set_payload(body.to_vec());
        }
        self.runtime.block_on((self.handler)(request))
    }
}
