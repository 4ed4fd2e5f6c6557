//! Trains the codec's priors from the real logs and prints `src/samples/codec/priors.rs`.
//!
//! `cargo run --release -p callout-sync-protocol --example train_priors -- --without N` leaves the N-th walk out, to see how
//! the format does on a log that it was not trained on. The tables are part of the format: training again with other data
//! makes another version of it.
//!
//! Smoothing, against learning the logs by heart: each context's counts (all walks, and the drives at a quarter) are joined
//! with what [`PULL`] symbols drawn from the whole group's distribution would add, and that with a little of the uniform one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/logs.rs"]
#[allow(dead_code)]
mod logs;

use callout_sync_protocol::samples::SampleColumns;
use callout_sync_protocol::samples::codec::statistics;

/// The group's distribution counts as much as so many symbols seen in the context itself.
const PULL: f64 = 6.0;
/// Shares add up to this …
const TOTAL: i32 = 32_768;
/// … and none is smaller than this.
const LEAST: i32 = 12;

fn main() {
    let data = logs::data_dir().expect("the real logs (set CALLOUT_SHARED_DATA)");
    let without: Option<usize> = std::env::args().skip_while(|a| a != "--without").nth(1).map(|n| n.parse().unwrap());
    let walks = logs::walks(&data).into_iter().enumerate().filter(|(at, _)| Some(*at) != without);
    let walks = walks.map(|(_, (_, samples))| (1.0, samples));
    let drives = logs::drives(&data).into_iter().map(|(_, samples)| (0.25, samples));
    let mut counts: Vec<[f64; 16]> = Vec::new();
    for (weight, samples) in walks.chain(drives) {
        let counted = statistics::symbol_counts(&SampleColumns::from_samples(&samples).unwrap());
        counts.resize(counted.len(), [0.0; 16]);
        for (sum, counted) in counts.iter_mut().zip(counted) {
            for (sum, counted) in sum.iter_mut().zip(counted) {
                *sum += weight * f64::from(counted);
            }
        }
    }
    println!(
        "//! What each context's probabilities are at the start of a block; part of the format, see `docs/sample-block.md`."
    );
    println!("//!");
    println!(
        "//! Made by `examples/train_priors.rs` from the symbol statistics of six walks and five drives, smoothed. Not edited by"
    );
    println!(
        "//! hand: another table is another version of the format. One line per context: how many symbols the model counts as"
    );
    println!("//! seen, and the share of each symbol in 1/32768.");
    println!();
    println!("use super::contexts::CONTEXTS;");
    println!();
    println!("/// Symbols counted as seen, and shares, of every context.");
    println!("#[rustfmt::skip]");
    println!("pub const PRIORS: [(u16, [u16; 16]); CONTEXTS] = [");
    for &(name, first, size) in statistics::groups() {
        println!("    // {name}");
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
            println!("    ({seen}, {:?}),", rounded(&shares(member, &group, PULL)));
        }
    }
    println!("];");
}

/// Counts joined with `pull` symbols of `towards`, as shares of 1.
fn shares(counts: &[f64; 16], towards: &[f64; 16], pull: f64) -> [f64; 16] {
    let total: f64 = counts.iter().sum();
    std::array::from_fn(|at| (counts[at] + pull * towards[at]) / (total + pull))
}

/// Shares in whole parts of [`TOTAL`], none below [`LEAST`]; what rounding leaves goes to the largest.
fn rounded(shares: &[f64; 16]) -> [i32; 16] {
    let mut parts = shares.map(|share| ((share * f64::from(TOTAL)).round() as i32).max(LEAST));
    let largest = (0..16).max_by_key(|&at| parts[at]).unwrap();
    parts[largest] += TOTAL - parts.iter().sum::<i32>();
    parts
}
