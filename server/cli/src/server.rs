//! The server's life: settings to a running server and back, for `serve`, `migrate`, the demo and the tests.
//!
//! What does not belong here: what the server does (`callout-server`).

use crate::arguments::{ServeArguments, StoreArguments};
use crate::{CommandError, CommandResult, logging};
use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web;
use callout_server::app::pushes::PushTarget;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_server::http;
use callout_server::jobs::Jobs;
use callout_server::photos::service::{PhotoService, PhotoSettings};
use callout_server::photos::store::PhotoStore;
use callout_server::settings::Settings;
use callout_storage::{Storage, StorageConfig};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

/// The embedded database's file inside the data folder.
const DATABASE_FILE: &str = "callout.db";

/// A server that runs in a thread of its own.
pub struct Started {
    app: App,
    jobs: Jobs,
    address: SocketAddr,
    handle: ServerHandle,
    /// Absent once it was waited for.
    thread: Option<JoinHandle<std::io::Result<()>>>,
    /// The listener of `/metrics`, where there is one.
    metrics: Option<ServerHandle>,
}

fn failed<'a>(what: &'a str) -> impl Fn(&(dyn std::error::Error + 'static)) -> CommandError + 'a {
    move |error| CommandError::because(what, error)
}

/// Which database the settings mean.
///
/// # Errors
/// When the URL names none that we know.
fn storage_config(data_dir: &Path, database_url: Option<&str>, pool_size: u32) -> CommandResult<StorageConfig> {
    let Some(url) = database_url else {
        return Ok(StorageConfig::Sqlite { path: data_dir.join(DATABASE_FILE) });
    };
    let config: StorageConfig = url.parse().map_err(|error| failed("--database-url")(&error))?;
    Ok(match config {
        StorageConfig::Postgres { url, .. } => StorageConfig::Postgres { url, pool_size },
        sqlite @ StorageConfig::Sqlite { .. } => sqlite,
    })
}

/// Opens the database that the settings mean, in a data folder that is made if absent.
///
/// # Errors
/// When it cannot be reached, or a newer version has been at it.
pub fn storage_open(settings: &Settings) -> CommandResult<Storage> {
    let config = storage_config(&settings.data_dir, settings.database_url.as_deref(), settings.database_pool)?;
    data_dir_make(&settings.data_dir)?;
    Storage::open(&config).map_err(|error| failed("the database cannot be opened")(&error))
}

impl StoreArguments {
    /// Opens the database that the arguments name.
    ///
    /// # Errors
    /// As [`storage_open`].
    pub fn storage(&self) -> CommandResult<Storage> {
        let config = storage_config(&self.data_dir, self.database_url.as_deref(), self.database_pool)?;
        data_dir_make(&self.data_dir)?;
        Storage::open(&config).map_err(|error| failed("the database cannot be opened")(&error))
    }
}

fn data_dir_make(folder: &Path) -> CommandResult {
    fs::create_dir_all(folder)
        .and_then(|()| restrict(folder))
        .map_err(|error| CommandError::because(folder.display(), &error))
}

/// The data folder holds keys and people's contact data: it is its owner's alone.
#[cfg(unix)]
fn restrict(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Starts a server as production does: migrated database, system clock, real password cost.
///
/// # Errors
/// When database, photo store or socket say no.
pub fn start(settings: &Settings) -> CommandResult<Started> {
    let listener = TcpListener::bind(settings.listen)
        .map_err(|error| CommandError::because(format!("cannot listen on {}", settings.listen), &error))?;
    let metrics = settings.metrics_listen.map(|address| {
        TcpListener::bind(address)
            .map_err(|error| CommandError::because(format!("cannot listen on {address} for metrics"), &error))
    });
    let metrics = metrics.transpose()?;
    let push = settings.push.as_ref().map(PushTarget::new).transpose().map_err(CommandError::new)?;
    let config = AppConfig {
        public_url: public_url(settings, &listener)?,
        push,
        is_behind_proxy: settings.is_behind_proxy,
        ..AppConfig::default()
    };
    let storage = storage_open(settings)?;
    storage.migrate().map_err(|error| failed("the database cannot be migrated")(&error))?;
    let photos =
        PhotoStore::open(&settings.photos).map_err(|error| failed("the photo store cannot be used")(&error))?;
    let parts = Parts { storage, photos, env: Env::system(), config, runs_jobs: true };
    let mut started = start_with(parts, listener, settings.workers)?;
    if let Some(listener) = metrics {
        started.metrics_serve(listener)?;
    }
    Ok(started)
}

/// What a server is made of.
pub struct Parts {
    /// The migrated database.
    pub storage: Storage,
    /// Where photos rest.
    pub photos: PhotoStore,
    /// Time and chance.
    pub env: Env,
    /// The application's settings.
    pub config: AppConfig,
    /// Whether due jobs run by themselves; tests run them when their clock says so.
    pub runs_jobs: bool,
}

/// Where customers reach the server: what is set, or where it listens.
fn public_url(settings: &Settings, listener: &TcpListener) -> CommandResult<String> {
    match &settings.public_url {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => {
            let address = listener.local_addr().map_err(|error| failed("the socket")(&error))?;
            Ok(format!("http://{address}"))
        }
    }
}

/// Starts a server on parts of one's own choosing.
///
/// # Errors
/// When the application or the socket say no.
pub fn start_with(parts: Parts, listener: TcpListener, workers: usize) -> CommandResult<Started> {
    let Parts { storage, photos, env, config, runs_jobs } = parts;
    let app = App::new(storage, env, config).map_err(|error| failed("the application cannot start")(&error))?;
    let photos = Arc::new(PhotoService::new(app.clone(), photos, PhotoSettings::default()));
    let jobs = Jobs::new(app.clone(), Arc::clone(&photos));
    jobs.prepare().map_err(|error| failed("the jobs cannot be prepared")(&error))?;
    let workers = if workers == 0 { thread::available_parallelism().map_or(2, usize::from) } else { workers };
    let (tell, told) = mpsc::channel();
    let (served, looped, looking) = (app.clone(), jobs.clone(), app.clone());
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            match http::serve(web::Data::new(served), web::Data::from(photos), listener, workers) {
                Ok(running) => {
                    actix_web::rt::spawn(looking.wake_ups_run());
                    if runs_jobs {
                        actix_web::rt::spawn(looped.run_forever());
                    }
                    let address = running.addresses.first().copied();
                    // Nobody listens any more only if the starting thread died; then the server may as well end.
                    if tell.send(Ok((address, running.server.handle()))).is_err() {
                        return Ok(());
                    }
                    running.server.await
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                    Ok(())
                }
            }
        })
    });
    match told.recv() {
        Ok(Ok((Some(address), handle))) => {
            Ok(Started { app, jobs, address, handle, thread: Some(thread), metrics: None })
        }
        Ok(Ok((None, _))) => Err(CommandError::new("the server listens nowhere")),
        Ok(Err(error)) => Err(failed("the server cannot start")(&error)),
        Err(_) => Err(CommandError::new("the server ended while it started")),
    }
}

impl Started {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The application, for what is done on the server's own machine.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Does the jobs that are due now, for whoever moves the clock by hand; says how many there were.
    ///
    /// # Errors
    /// When jobs cannot be claimed.
    pub fn run_due(&self) -> CommandResult<usize> {
        runtime()?.block_on(self.jobs.run_due()).map_err(|error| failed("the jobs cannot be done")(&error))
    }

    /// Serves `/metrics` on this listener, too, and says where that is.
    ///
    /// # Errors
    /// What the socket says.
    pub fn metrics_serve(&mut self, listener: TcpListener) -> CommandResult<SocketAddr> {
        let refused = |error: std::io::Error| failed("the metrics cannot be served")(&error);
        let address = listener.local_addr().map_err(refused)?;
        let app = web::Data::new(self.app.clone());
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            System::new().block_on(async move {
                match http::metrics::serve_metrics(app, listener) {
                    Ok(server) => {
                        let _ = tell.send(Ok(server.handle()));
                        server.await
                    }
                    Err(error) => {
                        let _ = tell.send(Err(error));
                        Ok(())
                    }
                }
            })
        });
        match told.recv() {
            Ok(handle) => self.metrics = Some(handle.map_err(refused)?),
            Err(_) => return Err(CommandError::new("the metrics' server ended while it started")),
        }
        Ok(address)
    }

    /// Name and password of the first administrator, made now if there is no user at all.
    ///
    /// # Errors
    /// When the database says no.
    pub fn first_user(&self) -> CommandResult<Option<(String, String)>> {
        self.app.user_first().map_err(|error| failed("the first administrator")(&error))
    }

    /// Stops it: no new requests, running ones end first.
    ///
    /// # Errors
    /// When it ended badly.
    pub fn stop(mut self) -> CommandResult {
        if let Some(metrics) = self.metrics.take() {
            drop(metrics.stop(false));
        }
        // Streams never end by themselves: whoever listens connects to another server, or to this one when it is back.
        self.app.wake_ups().stop();
        runtime()?.block_on(self.handle.stop(true));
        self.join()
    }

    /// Runs until the process is told to end, then stops it: running requests end first.
    ///
    /// # Errors
    /// When signals cannot be waited for, or it ended badly.
    pub fn wait(self, end: EndSignals) -> CommandResult {
        end.wait()?;
        tracing::info!("stopping: running requests end first");
        self.stop()
    }

    fn join(mut self) -> CommandResult {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result.map_err(|error| failed("the server ended badly")(&error)),
            Some(Err(_)) => Err(CommandError::new("the server ended badly")),
        }
    }
}

impl Drop for Started {
    /// A server that nobody holds any more ends, and lets go of its connections to the database.
    fn drop(&mut self) {
        if let Some(metrics) = self.metrics.take() {
            drop(metrics.stop(false));
        }
        if self.thread.is_some() {
            // The command is sent at once; the answer is awaited by nobody.
            drop(self.handle.stop(false));
        }
    }
}

fn runtime() -> CommandResult<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("the runtime cannot start")(&error))
}

/// SIGINT and SIGTERM, caught from the moment this is made; the process then ends in good order.
pub struct EndSignals {
    runtime: tokio::runtime::Runtime,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl EndSignals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// When the operating system does not let us.
    #[cfg(unix)]
    pub fn catch() -> CommandResult<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = runtime()?;
        let entered = runtime.enter();
        let catch = |kind| signal(kind).map_err(|error| failed("signals cannot be caught")(&error));
        let (interrupt, terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
        drop(entered);
        Ok(Self { runtime, interrupt, terminate })
    }

    /// Catches Ctrl-C.
    ///
    /// # Errors
    /// When the runtime cannot start.
    #[cfg(not(unix))]
    pub fn catch() -> CommandResult<Self> {
        Ok(Self { runtime: runtime()? })
    }

    /// Waits for one of them.
    ///
    /// # Errors
    /// None on Unix; elsewhere, when waiting fails.
    #[cfg(unix)]
    pub fn wait(mut self) -> CommandResult {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        });
        Ok(())
    }

    /// Waits for Ctrl-C.
    ///
    /// # Errors
    /// When waiting fails.
    #[cfg(not(unix))]
    pub fn wait(self) -> CommandResult {
        self.runtime.block_on(tokio::signal::ctrl_c()).map_err(|error| failed("waiting for the end")(&error))
    }
}

/// `callout serve`.
///
/// # Errors
/// When the server cannot start or ends badly.
pub fn serve(arguments: ServeArguments) -> CommandResult {
    logging::start(arguments.log_json, "info");
    let settings = arguments.settings()?;
    let end = EndSignals::catch()?;
    let server = start(&settings)?;
    let address = server.address();
    println!("Callout listens on http://{address}\n服务地址 http://{address}");
    if let Some(address) = settings.metrics_listen {
        println!("Metrics: http://{address}/metrics\n指标：http://{address}/metrics");
    }
    match &settings.database_url {
        None => println!(
            "Embedded database and photos: {}\n内嵌数据库与照片目录：{}",
            settings.data_dir.display(),
            settings.data_dir.display()
        ),
        Some(_) => println!("Database: PostgreSQL\n数据库：PostgreSQL"),
    }
    if let Some((name, password)) = server.first_user()? {
        println!(
            "\nFirst sign-in (shown only this once): user {name}, password {password}\n\
             首次登录（仅显示一次）：用户 {name}，口令 {password}\n\
             \n  curl -s http://{address}/v1/sign-in -H 'content-type: application/json' -d @- <<'END'\n  \
             {{\"user_name\": \"{name}\", \"password\": \"{password}\", \"device\": {{\"id\": \"00000000-0000-4000-8000-000000000001\", \
             \"name\": \"curl\", \"platform\": \"desk\"}}}}\nEND"
        );
    }
    server.wait(end)
}

/// `callout migrate`.
///
/// # Errors
/// When the database cannot be reached or migrated.
pub fn migrate(arguments: StoreArguments) -> CommandResult {
    let applied = arguments.storage()?.migrate().map_err(|error| failed("the database cannot be migrated")(&error))?;
    for name in &applied {
        println!("{name}");
    }
    println!(
        "{} migrations applied; the schema is this version's.\n已执行 {} 个迁移，数据库结构为当前版本。",
        applied.len(),
        applied.len()
    );
    Ok(())
}
