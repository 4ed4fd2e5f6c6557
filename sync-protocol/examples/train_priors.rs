//! Trains the codec's priors from the real logs and prints `src/samples/codec/priors.rs`.
//!
//! With `--check` it prints instead, as JSON, the bytes per sample (seal included) of the walks under the priors trained on
//! all logs, of each walk under priors trained without it, and under no training at all: how much was learnt by heart.
//! The tables are part of the format: training again with other data makes another version of it.
//!
//! Smoothing, against learning the logs by heart: each context's counts (all walks, and the drives at a quarter) are joined
//! with what [`PULL`] symbols drawn from the whole group's distribution would add, and that with a little of the uniform one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/all/support/logs.rs"]
#[allow(dead_code)]
mod logs;

use callout_sync_protocol::samples::SampleColumns;
use callout_sync_protocol::samples::codec::statistics::{self, Priors};

/// The group's distribution counts as much as so many symbols seen in the context itself.
const PULL: f64 = 6.0;
/// Shares add up to this …
const TOTAL: i32 = 32_768;
/// … and none is smaller than this.
const LEAST: i32 = 12;
/// Bytes around the packed samples of a short block: header, the coder's last states, signature.
const SEAL_BYTES: f64 = 108.0;

const HEAD: &str = "\
//! What each context's probabilities are at the start of a block; part of the format, see `docs/sample-block.md`.
//!
//! Made by `examples/train_priors.rs` from the symbol statistics of six walks and five drives, smoothed. Not edited by
//! hand: another table is another version of the format. One line per context: how many symbols the model counts as
//! seen, and the share of each symbol in 1/32768.

use super::rans::Priors;

/// Symbols counted as seen, and shares, of every context.
#[rustfmt::skip]
pub static PRIORS: Priors = [";

fn main() {
    let data = logs::data_dir().expect("the real logs (set CALLOUT_SHARED_DATA)");
    let columns = |logs: Vec<logs::Log>| -> Vec<_> {
        logs.iter().map(|(_, samples)| SampleColumns::from_samples(samples).unwrap()).collect()
    };
    let (walks, drives) = (columns(logs::walks(&data)), columns(logs::drives(&data)));
    let priors = train(&walks.iter().collect::<Vec<_>>(), &drives);
    if std::env::args().any(|argument| argument == "--check") {
        check(&walks, &drives, &priors);
        return;
    }
    println!("{HEAD}");
    for &(name, first, size) in statistics::groups() {
        println!("    // {name}");
        priors[first..first + size].iter().for_each(|prior| println!("    {prior:?},"));
    }
    println!("];");
}

fn check(walks: &[SampleColumns], drives: &[SampleColumns], trained: &Priors) {
    let count: usize = walks.iter().map(SampleColumns::len).sum();
    let per_sample = |bits: f64| (bits / 8.0 + SEAL_BYTES * walks.len() as f64) / count as f64;
    let under = |priors: &Priors| walks.iter().map(|walk| statistics::bits_under(walk, priors)).sum();
    let without = |left_out: usize| {
        let others: Vec<_> = walks.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, walk)| walk).collect();
        statistics::bits_under(&walks[left_out], &train(&others, drives))
    };
    let mut untrained = *trained;
    untrained.fill((0, [TOTAL as u16 / 16; 16]));
    let report = serde_json::json!({
        "trained_on_all": per_sample(under(trained)),
        "each_walk_left_out": per_sample((0..walks.len()).map(without).sum()),
        "untrained": per_sample(under(&untrained)),
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
}

fn train(walks: &[&SampleColumns], drives: &[SampleColumns]) -> Priors {
    let logs = walks.iter().map(|walk| (1.0, *walk)).chain(drives.iter().map(|drive| (0.25, drive)));
    let mut counts: Vec<[f64; 16]> = Vec::new();
    for (weight, columns) in logs {
        let counted = statistics::symbol_counts(columns);
        counts.resize(counted.len(), [0.0; 16]);
        for (sum, count) in counts.iter_mut().flatten().zip(counted.iter().flatten()) {
            *sum += weight * f64::from(*count);
        }
    }
    let mut priors = Vec::with_capacity(counts.len());
    for &(_, first, size) in statistics::groups() {
        let members = &counts[first..first + size];
        let mut group = [0.0; 16];
        for member in members {
            group.iter_mut().zip(member).for_each(|(sum, count)| *sum += count);
        }
        let group = shares(&group, &[1.0 / 16.0; 16], 4.0);
        for member in members {
            let total: f64 = member.iter().sum();
            let seen = if total >= 200.0 {
                24
            } else if total >= 40.0 {
                16
            } else {
                4
            };
            priors.push((seen, rounded(&shares(member, &group, PULL))));
        }
    }
    priors.try_into().expect("one per context")
}

/// Counts joined with `pull` symbols of `towards`, as shares of 1.
fn shares(counts: &[f64; 16], towards: &[f64; 16], pull: f64) -> [f64; 16] {
    let total: f64 = counts.iter().sum();
    std::array::from_fn(|at| (counts[at] + pull * towards[at]) / (total + pull))
}

/// Shares in whole parts of [`TOTAL`], none below [`LEAST`]; what rounding leaves goes to the largest.
fn rounded(shares: &[f64; 16]) -> [u16; 16] {
    let mut parts = shares.map(|share| ((share * f64::from(TOTAL)).round() as i32).max(LEAST));
    let largest = (0..16).max_by_key(|&at| parts[at]).unwrap();
    parts[largest] += TOTAL - parts.iter().sum::<i32>();
    parts.map(|part| part as u16)
}
