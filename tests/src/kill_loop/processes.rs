//! The server and a phone as processes of their own: this very program, told to be `callout`.

use super::{KillLoopError, PASSWORD, Result, failed};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The first argument that makes the program `callout`.
pub const NODE: &str = "--node";

/// How long anything may take that is not killed.
const PATIENCE: Duration = Duration::from_secs(120);

fn node(program: &Path) -> Command {
    let mut command = Command::new(program);
    // What the person who runs the tests has set is not the loop's.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CALLOUT_")) {
        command.env_remove(name);
    }
    command.arg(NODE).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that can be killed.
pub(super) struct ServerProcess {
    program: PathBuf,
    data: PathBuf,
    database_url: Option<String>,
    address: SocketAddr,
    child: Child,
}

impl ServerProcess {
    /// Starts it on new data and a free port; gives the first administrator's password, too.
    pub fn start(program: &Path, data: &Path, database_url: Option<&str>) -> Result<(Self, String)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        drop(listener);
        let (child, said) = Self::spawn(program, data, database_url, address, true)?;
        let password = said
            .lines()
            .find_map(|line| line.split_once("user admin, password "))
            .map(|(_, password)| password.trim().to_owned())
            .ok_or_else(|| failed(format!("the server tells no first password: {said}")))?;
        let data = data.to_owned();
        let database_url = database_url.map(ToOwned::to_owned);
        Ok((Self { program: program.to_owned(), data, database_url, address, child }, password))
    }

    /// Waits until it says where it listens (and, the first time, who may sign in).
    fn spawn(
        program: &Path,
        data: &Path,
        database_url: Option<&str>,
        address: SocketAddr,
        is_first: bool,
    ) -> Result<(Child, String)> {
        let mut command = node(program);
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(data);
        if let Some(url) = database_url {
            command.env("CALLOUT_DATABASE_URL", url);
        }
        command.stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let mut said = String::new();
        if let Some(output) = child.stdout.take() {
            let mut lines = BufReader::new(output);
            let awaited = if is_first { "password " } else { "http://" };
            loop {
                let before = said.len();
                if lines.read_line(&mut said).map_err(failed)? == 0 {
                    return Err(failed(format!("the server ended while it started: {said}")));
                }
                if said[before..].contains(awaited) {
                    break;
                }
            }
            // Its output must not fill the pipe and stop it.
            thread::spawn(move || {
                let mut rest = Vec::new();
                lines.read_to_end(&mut rest)
            });
        }
        Ok((child, said))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, whichever of its lives it is in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it live for a while. Nothing wakes this: only time passes.
    pub fn live_for(&self, life: Duration) {
        let (_never, waits) = mpsc::channel::<()>();
        let _ = waits.recv_timeout(life);
    }

    /// Kills it without warning and starts it again on the same data.
    pub fn kill_and_restart(&mut self) -> Result<()> {
        self.kill();
        // The port may be in use for a moment by connections that end.
        let mut last = KillLoopError::Failed(String::new());
        for _ in 0..20 {
            match Self::spawn(&self.program, &self.data, self.database_url.as_deref(), self.address, false) {
                Ok((child, _)) => {
                    self.child = child;
                    return Ok(());
                }
                Err(error) => last = error,
            }
            self.live_for(Duration::from_millis(50));
        }
        Err(last)
    }

    fn kill(&mut self) {
        // SIGKILL on Unix; a process that is gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a phone's process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// As asked, with what it says.
    Well(#[allow(dead_code, reason = "told when something else was expected")] Value),
    /// The rules do not allow it.
    Refused,
    /// The server could not be reached.
    NoNetwork,
    /// By us.
    Killed,
    /// Otherwise.
    Badly(#[allow(dead_code, reason = "told when something else was expected")] String),
}

/// A phone, one process a command.
pub(super) struct PhoneProcess {
    program: PathBuf,
    folder: PathBuf,
    server: String,
}

impl PhoneProcess {
    /// A phone with its data in `folder`.
    pub fn new(program: &Path, folder: &Path, server: &str) -> Self {
        Self { program: program.to_owned(), folder: folder.to_owned(), server: server.to_owned() }
    }

    /// Runs one command, for no longer than `life`.
    pub fn run(&self, arguments: &[&str], life: Option<Duration>) -> Result<Ended> {
        let mut command = node(&self.program);
        command.args(["phone", "--json", "--server", &self.server, "--data-dir"]).arg(&self.folder).args(arguments);
        command.env("CALLOUT_PASSWORD", PASSWORD);
        let mut child = command.spawn().map_err(failed)?;
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || {
            let (mut said, mut complained) = (String::new(), String::new());
            // A killed process may end in the middle of a character; then it said nothing.
            let _ = stdout.as_mut().map(|output| output.read_to_string(&mut said));
            let _ = stderr.as_mut().map(|output| output.read_to_string(&mut complained));
            // Nobody listens when the time is over.
            let _ = tell.send(());
            (said, complained)
        });
        let is_over = matches!(told.recv_timeout(life.unwrap_or(PATIENCE)), Err(RecvTimeoutError::Timeout));
        if is_over {
            let _ = child.kill();
        }
        let status = child.wait().map_err(failed)?;
        let (said, complained) = reader.join().map_err(|_| failed("a reader panicked"))?;
        let last = || said.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
        Ok(match status.code() {
            None if is_over && life.is_some() => Ended::Killed,
            Some(0) => Ended::Well(serde_json::from_str(&said).unwrap_or_else(|_| last())),
            Some(3) => Ended::Refused,
            Some(5) => Ended::NoNetwork,
            _ => Ended::Badly(format!("{status}: {said}{complained}")),
        })
    }

    /// Runs one command that must end well.
    pub fn must(&self, arguments: &[&str]) -> Result<Value> {
        match self.run(arguments, None)? {
            Ended::Well(said) => Ok(said),
            other => Err(failed(format!("phone {}: {other:?}", arguments.join(" ")))),
        }
    }
}
