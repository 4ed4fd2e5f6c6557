//! The `callout` program as a library, so that its parts can be tested: command line, the server's life, administration, the demo.
//!
//! What does not belong here: anything that another program could want of the server; that is `callout-server`.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod admin;
pub mod arguments;
pub mod demo;
pub mod desk;
pub mod logging;
pub mod openapi;
pub mod server;

use arguments::{Arguments, Command};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Why a command failed, in the reader's words; the cause follows after a colon.
#[derive(Debug)]
pub struct CommandError(String);

impl CommandError {
    /// From a sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A sentence with the causes behind it.
    pub fn because(what: impl std::fmt::Display, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = format!("{what}: {cause}");
        let mut cause = cause.source();
        while let Some(deeper) = cause {
            let deeper_text = deeper.to_string();
            // Many errors repeat their cause in their own words.
            if !text.contains(&deeper_text) {
                text = format!("{text}: {deeper_text}");
            }
            cause = deeper.source();
        }
        Self(text)
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CommandError {}

/// The result of a command.
pub type CommandResult<T = ()> = Result<T, CommandError>;

/// Runs the program with its arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = Arguments::command().get_matches_from(arguments);
    let parsed = match Arguments::from_arg_matches(&matches) {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    arguments::warn_of_visible_secrets(&matches);
    let result = match parsed.command {
        Command::Phone(phone) => {
            let exit = callout_mobile_sdk::cli::run(
                phone,
                Arc::new(callout_mobile_sdk::SystemEnv),
                &mut std::io::stdout(),
                &mut std::io::stderr(),
            );
            return exit.into();
        }
        Command::Serve(serve) => server::serve(serve),
        Command::Migrate(store) => server::migrate(store),
        Command::Demo(demo) => demo::run(demo),
        Command::Openapi(openapi) => openapi::run(&openapi),
        Command::Admin(admin) => admin::run(admin),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("callout: {error}");
            ExitCode::FAILURE
        }
    }
}
