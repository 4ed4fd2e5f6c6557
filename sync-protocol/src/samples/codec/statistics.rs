//! What the trainer of the priors, the benchmark and the vectors need to know of the codec's inside: priors, symbols
//! counted, bits by column.
//!
//! What does not belong here: anything that phone or server needs.

use super::contexts::{CONTEXTS, GROUPS};
use super::priors::PRIORS;
use super::{encode, rans::Tally};
use crate::samples::columns::SampleColumns;

pub use super::rans::Priors;

/// The names, first contexts and sizes of the groups of contexts, in order.
pub fn groups() -> &'static [(&'static str, usize, usize)] {
    GROUPS
}

/// The format's priors.
pub fn priors() -> &'static Priors {
    &PRIORS
}

/// How often each of the sixteen symbols comes in each context when these samples are packed.
pub fn symbol_counts(columns: &SampleColumns) -> Vec<[u32; 16]> {
    tally(columns, &PRIORS).map_or_else(|| vec![[0; 16]; CONTEXTS], |tally| tally.counts)
}

/// How many bits each group of contexts takes, in the order of [`groups`].
pub fn column_bits(columns: &SampleColumns) -> Vec<(&'static str, f64)> {
    let cost = tally(columns, &PRIORS).map_or_else(|| vec![0.0; CONTEXTS], |tally| tally.cost_bits);
    GROUPS.iter().map(|&(name, first, _)| (name, cost[first])).collect()
}

/// How many bits the samples would take if the format had these priors; shares must be positive and add up to 32768.
pub fn bits_under(columns: &SampleColumns, priors: &Priors) -> f64 {
    tally(columns, priors).map_or(0.0, |tally| tally.cost_bits.iter().sum())
}

fn tally(columns: &SampleColumns, priors: &Priors) -> Option<Tally> {
    let mut tally = Tally::new(priors);
    (!columns.is_empty()).then(|| {
        encode::encode(columns, &mut tally);
        tally
    })
}
