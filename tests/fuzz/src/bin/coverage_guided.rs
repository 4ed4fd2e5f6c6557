//! libFuzzer's entry: the target named by `CALLOUT_FUZZ_TARGET`. Built and run by `fuzz.sh`. With `CALLOUT_FUZZ_SEEDS` it writes the
//! target's seeds into that folder first, so that the next run begins with valid inputs.
#![no_main]

use callout_fuzz::{Target, targets};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("CALLOUT_FUZZ_TARGET").unwrap_or_default();
    let found = targets().into_iter().find(|target| target.name == name);
    let target = found.unwrap_or_else(|| {
        eprintln!(
            "CALLOUT_FUZZ_TARGET must be one of: {}",
            targets().iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
        );
        std::process::exit(2)
    });
    if let Some(folder) = std::env::var_os("CALLOUT_FUZZ_SEEDS").map(PathBuf::from) {
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            if let Err(error) = std::fs::write(folder.join(format!("seed-{number}")), seed) {
                eprintln!("{}: {error}", folder.display());
                std::process::exit(2)
            }
        }
    }
    target
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
