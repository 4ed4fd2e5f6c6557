//! libFuzzer's entry: the target named by `CALLOUT_FUZZ_TARGET`. Built and run by `fuzz.sh`.
#![no_main]

use callout_fuzz::{Target, targets};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("CALLOUT_FUZZ_TARGET").unwrap_or_default();
    let found = targets().into_iter().find(|target| target.name == name);
    found.unwrap_or_else(|| {
        eprintln!(
            "CALLOUT_FUZZ_TARGET must be one of: {}",
            targets().iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
        );
        std::process::exit(2)
    })
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
