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
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::str::FromStr as _;
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

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

/// Occupies the one thread for blocking work until it is dropped. So a request that begins such work always waits for it, and how often
/// it waits is no matter of chance.
fn gate_close() -> Sender<()> {
    let (gate, closed) = channel();
    let (here, is_here) = channel();
    actix_web::rt::task::spawn_blocking(move || here.send(()).map(|()| closed.recv().is_ok()));
    is_here.recv().expect("the thread comes to it");
    gate
}

/// A runtime for simulated servers: one thread for blocking work.
pub fn runtime() -> actix_web::rt::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    runtime.unwrap().into()
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
        self.call_until(method, path, headers, body, &mut None).expect("nothing ends it")
    }

    /// As [`Server::call`]; the process is killed when it has waited so often, counted down over all its requests: what the wait was
    /// for has happened, what comes behind it never does.
    pub fn call_until(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        waits: &mut Option<u64>,
    ) -> Option<HttpResponse> {
        let mut request = TestRequest::with_uri(path).method(Method::from_str(method).unwrap());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        if !body.is_empty() || matches!(method, "POST" | "PATCH") {
            request = request.insert_header(("content-length", body.len().to_string())).set_payload(body.to_vec());
        }
        let mut answering = (self.handler)(request);
        self.runtime.block_on(poll_fn(move |context| {
            if *waits == Some(0) {
                return Poll::Ready(None);
            }
            let _gate = waits.is_some().then(gate_close);
            let answer = answering.as_mut().poll(context).map(Some);
            if let (Poll::Pending, Some(left)) = (&answer, waits.as_mut()) {
                *left -= 1;
            }
            answer
        }))
    }
}
