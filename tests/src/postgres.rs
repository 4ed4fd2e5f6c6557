//! A throw-away PostgreSQL cluster from the installed server binaries, on a free loopback port.
//!
//! A shell wrapper starts the server and reads a pipe that we hold: when this process ends, however it ends, the pipe closes
//! and the wrapper stops the server and removes its files. As root, which PostgreSQL refuses, everything runs as another user.
//! What does not belong here: tests.

use callout_storage::{Storage, StorageConfig, StorageError};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How safe the cluster keeps what it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Like a server that people rely on: for benchmarks.
    Full,
    /// Nothing is flushed: for tests.
    None,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL's server is not installed.
    #[error(
        "PostgreSQL's server binaries (initdb, postgres) are not installed; get them with: apt-get install postgresql"
    )]
    NotInstalled,
    /// It is installed, but did not start.
    #[error("PostgreSQL did not start: {0}")]
    NotStarted(String),
    /// A database could not be made.
    #[error("the database could not be made: {0}")]
    Database(String),
    /// A database could not be opened or migrated.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A running cluster; it stops when this is dropped, or when the process ends.
#[derive(Debug)]
pub struct PostgresCluster {
    binaries: PathBuf,
    port: u16,
    wrapper: Child,
    /// Closing it stops the server.
    lifeline: Option<ChildStdin>,
}

/// `$1` binaries, `$2` port, then settings. Says "ready" once the server answers; what went wrong otherwise.
const WRAPPER: &str = r#"
binaries=$1; port=$2; shift 2
folder=$(mktemp -d "${TMPDIR:-/tmp}/callout-postgres.XXXXXX") || exit 1
cd "$folder" || exit 1
server=
finish() {
    [ -n "$server" ] && kill -QUIT "$server" 2>/dev/null && wait "$server" 2>/dev/null
    cd / && rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
if ! "$binaries/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log 2>&1 </dev/null; then
    echo "initdb: $(tail -n 3 log | tr '\n' ' ')"; exit 1
fi
"$binaries/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@" >log 2>&1 </dev/null &
server=$!
tries=0
until "$binaries/pg_isready" -q -h 127.0.0.1 -p "$port" </dev/null; do
    tries=$((tries + 1))
    if ! kill -0 "$server" 2>/dev/null || [ "$tries" -gt 600 ]; then
        echo "postgres: $(tail -n 3 log | tr '\n' ' ')"; exit 1
    fi
    sleep 0.05
done
kill -0 "$server" 2>/dev/null || { echo "postgres: another server has the port"; exit 1; }
echo ready
cat >/dev/null
"#;

/// The folder of the server binaries: Debian's, the newest first, else wherever PATH finds them.
fn binaries() -> Option<PathBuf> {
    let holds_server =
        |folder: &Path| ["initdb", "postgres", "pg_isready", "createdb"].iter().all(|name| folder.join(name).is_file());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    packaged.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged.into_iter().map(|folder| folder.join("bin")).chain(std::env::split_paths(&path)).find(|f| holds_server(f))
}

/// A client program of the installed PostgreSQL, such as `psql`.
pub fn client_program(name: &str) -> Option<PathBuf> {
    binaries().map(|folder| folder.join(name)).filter(|program| program.is_file())
}

/// The command that runs a program as a user whom PostgreSQL accepts.
fn unprivileged(program: &str) -> Result<Command, ClusterError> {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if output("id", &["-u"]).as_deref() != Some("0") {
        return Ok(Command::new(program));
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(|user| output("id", &["-u", user]).is_some())
        .ok_or_else(|| ClusterError::NotStarted("no user 'postgres' or 'nobody' to run it as".to_owned()))?;
    let mut command = if output("runuser", &["--version"]).is_some() {
        let mut command = Command::new("runuser");
        command.args(["-u", user, "--"]);
        command
    } else {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}").as_str(), "--regid=65534", "--clear-groups", "--"]);
        command
    };
    command.arg(program);
    Ok(command)
}

impl PostgresCluster {
    /// Makes and starts a cluster.
    pub fn start(durability: Durability) -> Result<Self, ClusterError> {
        let binaries = binaries().ok_or(ClusterError::NotInstalled)?;
        let mut last_error = ClusterError::NotInstalled;
        // Somebody else may take the port between our finding it free and the server's taking it.
        for _ in 0..3 {
            match Self::start_on_free_port(&binaries, durability) {
                Ok(cluster) => return Ok(cluster),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn start_on_free_port(binaries: &Path, durability: Durability) -> Result<Self, ClusterError> {
        let failed = |error: std::io::Error| ClusterError::NotStarted(error.to_string());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(failed)?.port();
        let mut command = unprivileged("sh")?;
        command.args(["-c", WRAPPER, "callout-postgres"]).arg(binaries).arg(port.to_string());
        command.args(["-c", "max_connections=600"]);
        if durability == Durability::None {
            command.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
        }
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The settings and time zone of whoever runs the tests are not the server's.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        let mut wrapper = command.spawn().map_err(failed)?;
        let lifeline = wrapper.stdin.take();
        let mut says = String::new();
        if let Some(output) = wrapper.stdout.take() {
            BufReader::new(output).read_line(&mut says).map_err(failed)?;
        }
        let cluster = Self { binaries: binaries.to_owned(), port, wrapper, lifeline };
        if says.trim() == "ready" { Ok(cluster) } else { Err(ClusterError::NotStarted(says.trim().to_owned())) }
    }

    /// Makes an empty database, or a copy of another, and returns its URL.
    pub fn database(&self, name: &str, template: Option<&str>) -> Result<String, ClusterError> {
        let mut command = Command::new(self.binaries.join("createdb"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p"]).arg(self.port.to_string());
        if let Some(template) = template {
            command.args(["-T", template]);
        }
        let output = command.arg(name).output().map_err(|error| ClusterError::Database(error.to_string()))?;
        if !output.status.success() {
            return Err(ClusterError::Database(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(format!("postgres://postgres@127.0.0.1:{}/{name}", self.port))
    }

    /// The loopback port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // It may be gone already, which is as good.
        let _ = self.wrapper.wait();
    }
}

/// The one cluster of this process, whose template database is migrated.
struct Shared {
    cluster: PostgresCluster,
    databases: AtomicU32,
}

const TEMPLATE: &str = "callout_template";

fn shared() -> &'static Result<Shared, ClusterError> {
    static SHARED: OnceLock<Result<Shared, ClusterError>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = PostgresCluster::start(Durability::None)?;
        let url = cluster.database(TEMPLATE, None)?;
        Storage::open(&StorageConfig::Postgres { url, pool_size: 1 })?.migrate()?;
        Ok(Shared { cluster, databases: AtomicU32::new(0) })
    })
}

/// The URL of a fresh, migrated database for one test. `None` where PostgreSQL is not installed: says on the terminal what is
/// skipped, and fails instead where `CALLOUT_REQUIRE_POSTGRES` is 1.
///
/// # Errors
/// If PostgreSQL is installed, or required, and cannot be used.
pub fn fresh_database_url(what_for: &str) -> Result<Option<String>, ClusterError> {
    database_url(what_for, Some(TEMPLATE))
}

/// Like [`fresh_database_url`], but without a schema.
///
/// # Errors
/// As there.
pub fn empty_database_url(what_for: &str) -> Result<Option<String>, ClusterError> {
    database_url(what_for, None)
}

/// A fresh, migrated, open database for one test; see [`fresh_database_url`].
///
/// # Errors
/// As there.
pub fn fresh_storage(what_for: &str) -> Result<Option<Storage>, ClusterError> {
    let Some(url) = fresh_database_url(what_for)? else { return Ok(None) };
    Ok(Some(Storage::open(&StorageConfig::Postgres { url, pool_size: 8 })?))
}

fn database_url(what_for: &str, template: Option<&str>) -> Result<Option<String>, ClusterError> {
    let is_required = std::env::var("CALLOUT_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    match shared() {
        Ok(shared) => {
            let number = shared.databases.fetch_add(1, Ordering::Relaxed);
            shared.cluster.database(&format!("callout_{number}"), template).map(Some)
        }
        Err(error @ ClusterError::NotInstalled) if !is_required => {
            // Not `eprintln!`, which the test runner hides when the test passes; and in one piece, since tests run side by side.
            let _ = std::io::stderr().write_all(format!("skipped: {what_for} on PostgreSQL: {error}\n").as_bytes());
            Ok(None)
        }
        Err(ClusterError::NotInstalled) => Err(ClusterError::NotInstalled),
        Err(error) => Err(ClusterError::NotStarted(error.to_string())),
    }
}
