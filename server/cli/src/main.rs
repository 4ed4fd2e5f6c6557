//! The one server binary: see `callout --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    callout_cli::run(std::env::args_os())
}
