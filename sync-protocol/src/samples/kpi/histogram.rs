//! Histograms of whole numbers that merge exactly, in any order, to what all the values together would have given.
//!
//! What does not belong here: which values are counted (`mod`), how figures are shown (`report`).

use serde::{Deserialize, Serialize};

/// How often values came, their sum and extremes. Counts and sums are whole numbers, so merging is exact and associative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// The exact sum of all values.
    pub sum: i64,
    /// The smallest value, if there is any.
    pub minimum: Option<i32>,
    /// The largest value, if there is any.
    pub maximum: Option<i32>,
    /// (smallest value of the bin, how many values), ascending, none empty.
    pub bins: Vec<(i32, u64)>,
}

impl Histogram {
    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|bin| bin.1).sum()
    }

    /// How many values were in bins that begin below `bound`; exact where bins are one wide.
    pub fn count_below(&self, bound: i32) -> u64 {
        self.bins.iter().take_while(|bin| bin.0 < bound).map(|bin| bin.1).sum()
    }

    /// The exact mean, if there is any value.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The smallest value such that at least `per_mille` of the values are not above it, as precise as the bins.
    pub fn quantile(&self, per_mille: u64) -> Option<i32> {
        let rank = (self.count() * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let bin = self.bins.iter().find(|bin| {
            seen += bin.1;
            seen >= rank
        })?;
        // A bin begins below its values; the extremes are known better.
        Some(bin.0.clamp(self.minimum?, self.maximum?))
    }

    /// Counts what `other` counted too.
    pub fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.minimum = [self.minimum, other.minimum].into_iter().flatten().min();
        self.maximum = [self.maximum, other.maximum].into_iter().flatten().max();
        let mut merged = Vec::with_capacity(self.bins.len().max(other.bins.len()));
        let (mut left, mut right) = (self.bins.iter().peekable(), other.bins.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) => a.0.min(b.0),
                (Some(one), None) | (None, Some(one)) => one.0,
            };
            let counts = [&mut left, &mut right].map(|side| side.next_if(|bin| bin.0 == next).map_or(0, |bin| bin.1));
            merged.push((next, counts.iter().sum()));
        }
        self.bins = merged;
    }
}

/// Counts values of one range in bins of one, for speed; becomes a [`Histogram`].
#[derive(Clone)]
pub(super) struct LinearCounter<const BINS: usize> {
    sum: i64,
    lowest: i32,
    counts: [u32; BINS],
}

impl<const BINS: usize> LinearCounter<BINS> {
    /// For values from `lowest` on. `BINS` must be a power of two.
    pub(super) fn new(lowest: i32) -> Self {
        const { assert!(BINS.is_power_of_two()) };
        Self { sum: 0, lowest, counts: [0; BINS] }
    }

    /// Counts a value, which must be one of the range.
    #[inline(always)]
    pub(super) fn add(&mut self, value: i32) {
        self.sum += i64::from(value);
        self.counts[(value - self.lowest) as usize & (BINS - 1)] += 1;
    }

    pub(super) fn finish(&self) -> Histogram {
        let bins: Vec<_> = (self.lowest..)
            .zip(&self.counts)
            .filter(|(_, count)| **count > 0)
            .map(|(value, &count)| (value, u64::from(count)))
            .collect();
        let (minimum, maximum) = (bins.first().map(|bin| bin.0), bins.last().map(|bin| bin.0));
        Histogram { sum: self.sum, minimum, maximum, bins }
    }
}

/// Values below this have bins of their own …
const EXACT: u32 = 128;
/// … above, each power of two has 64 bins, so that a bin is at most 1.6 % wide.
const PER_OCTAVE: u32 = 64;

/// Counts values of 0 … 2^31 − 1 in bins of at most 1.6 % width; becomes a [`Histogram`].
#[derive(Clone, Default)]
pub(super) struct LogarithmicCounter {
    sum: i64,
    extremes: Option<(u32, u32)>,
    counts: Vec<u32>,
}

impl LogarithmicCounter {
    /// Counts a value.
    #[inline(always)]
    pub(super) fn add(&mut self, value: u32) {
        self.sum += i64::from(value);
        let (minimum, maximum) = self.extremes.unwrap_or((value, value));
        self.extremes = Some((minimum.min(value), maximum.max(value)));
        let bin = bin_of(value);
        match self.counts.get_mut(bin) {
            Some(count) => *count += 1,
            None => self.grow(bin),
        }
    }

    #[cold]
    fn grow(&mut self, bin: usize) {
        self.counts.resize((bin + 1).next_multiple_of(512), 0);
        self.counts[bin] = 1;
    }

    pub(super) fn finish(&self) -> Histogram {
        let Some((minimum, maximum)) = self.extremes else { return Histogram::default() };
        let range = bin_of(minimum)..=bin_of(maximum);
        let bins = range.clone().zip(&self.counts[range]).filter(|(_, count)| **count > 0);
        Histogram {
            sum: self.sum,
            minimum: i32::try_from(minimum).ok(),
            maximum: i32::try_from(maximum).ok(),
            bins: bins.map(|(bin, &count)| (bin_start(bin as u32), u64::from(count))).collect(),
        }
    }
}

#[inline(always)]
fn bin_of(value: u32) -> usize {
    if value < EXACT {
        value as usize
    } else {
        let shift = value.ilog2() - 6;
        (EXACT + (shift - 1) * PER_OCTAVE + (value >> shift) - PER_OCTAVE) as usize
    }
}

fn bin_start(bin: u32) -> i32 {
    if bin < EXACT {
        bin as i32
    } else {
        let shift = (bin - EXACT) / PER_OCTAVE + 1;
        (((bin - EXACT) % PER_OCTAVE + PER_OCTAVE) << shift) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_begins_at_its_smallest_value_and_is_narrow() {
        for value in (0..200_000).chain((0..31).map(|bit| 1 << bit)).chain([999_999_999, 1_000_000_000]) {
            let start = bin_start(bin_of(value) as u32) as u32;
            assert!(start <= value && f64::from(value - start) <= f64::from(value) / 64.0, "{value} {start}");
            assert_eq!(bin_of(start), bin_of(value));
        }
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut counter = LinearCounter::<256>::new(-160);
        (1..=100).for_each(|value| counter.add(-value));
        let histogram = counter.finish();
        assert_eq!([50, 500, 950].map(|q| histogram.quantile(q)), [Some(-96), Some(-51), Some(-6)]);
        assert_eq!(histogram.mean(), Some(-50.5));
        assert_eq!(Histogram::default().quantile(500), None);
    }
}
