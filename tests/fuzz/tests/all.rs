//! The committed corpus and a short seeded campaign: nothing panics, nothing takes more memory than its target says.
//!
//! `CALLOUT_FUZZ_EXECUTIONS` and `CALLOUT_FUZZ_SEED` make the campaign longer or another one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use callout_fuzz::{Mutator, Target, corpus, corpus_folder, targets};
use peak_alloc::PeakAlloc;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: not a number")))
}

/// Runs the target on an input; a finding is written into the corpus, so that it is found for ever.
fn run(target: &Target, input: &[u8], from: &str) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let held = MEMORY.peak_usage().saturating_sub(before);
    let bound = (target.memory_bound)(input.len());
    if outcome.is_err() || held > bound {
        let folder = corpus_folder(target.name);
        fs::create_dir_all(&folder).unwrap();
        let place = folder.join(format!("found-{:016x}", checksum(input)));
        fs::write(&place, input).unwrap();
        let what = if outcome.is_err() { "panicked".to_owned() } else { format!("held {held} bytes of {bound}") };
        panic!("{}: {what} on {from}, kept as {}", target.name, place.display());
    }
}

/// FNV-1a: a name for an input.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// One test, for memory is counted for the whole process.
#[test]
fn no_input_panics_or_takes_more_memory_than_its_bound() {
    let executions = setting("CALLOUT_FUZZ_EXECUTIONS", 3_000);
    let seed = setting("CALLOUT_FUZZ_SEED", 1);
    for target in targets() {
        let mut valid = (target.seeds)();
        assert!(valid.iter().any(|seed| !seed.is_empty()), "{} has seeds", target.name);
        for (path, input) in corpus(target.name).unwrap() {
            run(&target, &input, &path.display().to_string());
            valid.push(input);
        }
        for (number, seed) in valid.iter().enumerate() {
            run(&target, seed, &format!("seed {number}"));
        }
        let mut mutator = Mutator::new(seed ^ checksum(target.name.as_bytes()));
        for number in 0..executions {
            run(&target, &mutator.input(&valid), &format!("execution {number} of seed {seed}"));
        }
        println!("{}: {} inputs, {executions} executions", target.name, valid.len());
    }
}

/// A memory bound that nothing can break would say nothing: the counter sees what a target holds.
#[test]
fn the_counter_sees_what_is_held() {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let held = vec![1u8; 3 << 20];
    assert!(MEMORY.peak_usage() >= before + held.len());
}
