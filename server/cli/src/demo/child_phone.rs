//! The third phone: a process of its own, this very program as `callout phone …`, so that it can be killed without mercy.
//!
//! Secrets reach it by its environment, never by its arguments.

use super::material::Log;
use crate::{CommandError, CommandResult};
use callout_mobile_sdk::store::Store;
use callout_mobile_sdk::store::captures::capture_counts;
use callout_sync_protocol::samples::Position;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the phone may take to make something safe.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the capture would last that is to be killed, in seconds: long enough that something becomes safe before its end,
/// short enough that nobody gets bored.
const DOOMED_SECONDS: u64 = 4;

/// A phone in its own process, one process a command.
#[derive(Debug)]
pub struct ChildPhone {
    program: PathBuf,
    folder: PathBuf,
    server: String,
}

impl ChildPhone {
    /// A phone with its data in `folder`.
    ///
    /// # Errors
    /// When this program's own file cannot be found.
    pub fn new(folder: &Path, server: &str) -> CommandResult<Self> {
        let program =
            std::env::current_exe().map_err(|error| CommandError::because("this program's own file", &error))?;
        Ok(Self { program, folder: folder.to_owned(), server: server.to_owned() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["phone", "--json", "--data-dir"])
            .arg(&self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs one command of the phone and gives back its JSON.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub fn run(&self, arguments: &[&str]) -> CommandResult<Value> {
        self.finish(self.command(arguments), arguments)
    }

    fn finish(&self, mut command: Command, arguments: &[&str]) -> CommandResult<Value> {
        let what = || format!("phone {}", arguments.join(" "));
        let output = command.output().map_err(|error| CommandError::because(what(), &error))?;
        if !output.status.success() {
            return Err(CommandError::new(format!(
                "{} failed: {}{}",
                what(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )));
        }
        // A command may tell its progress in lines before its result, which comes last.
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .or_else(|_| serde_json::from_str(text.lines().last().unwrap_or_default()))
            .map_err(|error| CommandError::because(format!("{}: its answer {text:?}", what()), &error))
    }

    /// Signs in; the password goes by the environment.
    ///
    /// # Errors
    /// When it fails.
    pub fn sign_in(&self, user_name: &str, password: &str) -> CommandResult<Value> {
        let arguments = ["--server", &self.server, "sign-in", "--user", user_name];
        let mut command = self.command(&arguments);
        command.env("CALLOUT_PASSWORD", password);
        self.finish(command, &arguments)
    }

    /// Samples that this phone acknowledged, read from its store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn captured_samples(&self) -> CommandResult<u64> {
        let store = Store::open(&self.folder).map_err(|error| CommandError::because("the phone's store", &error))?;
        let counts = capture_counts(store.connection(), None)
            .map_err(|error| CommandError::because("the phone's store", &error))?;
        Ok(counts.captured)
    }

    /// Begins to capture a log and is killed (SIGKILL) when some of its samples are safe and others are not. Says how many were safe.
    ///
    /// # Errors
    /// When nothing became safe in time.
    pub fn capture_and_be_killed(&self, order: &str, log: &Log) -> CommandResult<u64> {
        let path = log.path.to_string_lossy();
        let pace = (log.samples()? / DOOMED_SECONDS).max(1).to_string();
        let arguments = ["--offline", "capture", order, "--operator", log.operator.as_str(), "--pace", &pace, &path];
        let mut child = self
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| CommandError::because("the third phone", &error))?;
        let began = Instant::now();
        let mut safe = 0;
        while safe == 0 && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            safe = self.captured_samples()?;
        }
        // On Unix this is SIGKILL: no handler, no farewell.
        child.kill().map_err(|error| CommandError::because("killing the third phone", &error))?;
        let status = child.wait().map_err(|error| CommandError::because("the killed phone", &error))?;
        if safe == 0 || status.code() == Some(0) {
            return Err(CommandError::new("the third phone could not be killed in the middle of its capture"));
        }
        self.captured_samples()
    }

    /// Captures a log to its end, going on where a killed capture of the same log stopped.
    ///
    /// # Errors
    /// When it fails.
    pub fn capture(&self, order: &str, log: &Log) -> CommandResult<Value> {
        let path = log.path.to_string_lossy();
        self.run(&["--offline", "capture", order, "--operator", log.operator.as_str(), &path])
    }

    /// Arrives.
    ///
    /// # Errors
    /// When it fails.
    pub fn arrive(&self, order: &str, position: Position) -> CommandResult<Value> {
        let (latitude, longitude) = (position.latitude().to_string(), position.longitude().to_string());
        self.run(&["--offline", "arrive", order, "--lat", &latitude, "--lon", &longitude])
    }
}
