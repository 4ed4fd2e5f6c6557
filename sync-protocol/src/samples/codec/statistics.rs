//! What the trainer of the priors and the benchmark need to know of the codec's inside: symbols counted, bits by column.
//!
//! What does not belong here: anything that phone or server needs.

use super::contexts::{CONTEXTS, GROUPS};
use super::{encode, rans::Tally};
use crate::samples::columns::SampleColumns;

/// The names, first contexts and sizes of the groups of contexts, in order.
pub fn groups() -> &'static [(&'static str, usize, usize)] {
    GROUPS
}

/// How often each of the sixteen symbols comes in each context when these samples are packed.
pub fn symbol_counts(columns: &SampleColumns) -> Vec<[u32; 16]> {
    if columns.is_empty() { vec![[0; 16]; CONTEXTS] } else { tally(columns).counts }
}

/// How many bits each group of contexts takes, in the order of [`groups`].
pub fn column_bits(columns: &SampleColumns) -> Vec<(&'static str, f64)> {
    let cost = if columns.is_empty() { vec![0.0; CONTEXTS] } else { tally(columns).cost_bits };
    GROUPS.iter().map(|&(name, first, _)| (name, cost[first])).collect()
}

fn tally(columns: &SampleColumns) -> Tally {
    let mut tally = Tally::new();
    encode::encode(columns, &mut tally);
    tally
}
