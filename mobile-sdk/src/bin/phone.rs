//! The terminal phone. Everything is in `callout_mobile_sdk::cli`.

use callout_mobile_sdk::SystemEnv;
use callout_mobile_sdk::cli::{PhoneArgs, run};
use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

/// A field tester's phone on the terminal: works offline, syncs when it can. 现场测试终端：可离线工作，有网络时同步。
#[derive(Parser)]
#[command(name = "phone", version)]
struct Phone {
    #[command(flatten)]
    args: PhoneArgs,
}

fn main() -> ExitCode {
    let Phone { args } = Phone::parse();
    run(args, Arc::new(SystemEnv), &mut std::io::stdout(), &mut std::io::stderr()).into()
}
