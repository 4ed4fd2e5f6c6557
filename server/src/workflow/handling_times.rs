//! Handling times in buckets that can be added and taken out again, so that a quantile of any sum of days is known within two percent.
//!
//! Bucket *n* reaches from 60 s · 1.04ⁿ to the next; below a minute is bucket 0's. A value reported for a bucket is the harmonic mean
//! of its rims, at most 2 % away from any time in it. Kept as pairs of numbers (distance to the bucket before, count), each in the
//! variable-length form of LEB128.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Each rim is so much farther than the one before.
const GROWTH: f64 = 1.04;
/// The first rim above zero, in seconds.
const FIRST_RIM_SECONDS: f64 = 60.0;
/// Enough for 60 days; whatever takes longer is in the last.
const BUCKETS: usize = 292;

/// The upper rim of each bucket, in seconds.
static RIMS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    std::iter::successors(Some(FIRST_RIM_SECONDS * GROWTH), |rim| Some(rim * GROWTH)).take(BUCKETS).collect()
});

/// See the module. Counts may be negative while something is taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlingTimes {
    counts: BTreeMap<usize, i64>,
}

/// The bytes were not written by us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("handling times are not as they were written")]
pub struct HandlingTimesError;

impl HandlingTimes {
    /// Adds `count` times a time; a negative count takes it out.
    pub fn add(&mut self, seconds: u64, count: i64) {
        let bucket = RIMS.partition_point(|rim| *rim <= seconds as f64).min(BUCKETS - 1);
        self.add_bucket(bucket, count);
    }

    fn add_bucket(&mut self, bucket: usize, count: i64) {
        let held = self.counts.entry(bucket).or_default();
        *held += count;
        if *held == 0 {
            self.counts.remove(&bucket);
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            self.add_bucket(*bucket, *count);
        }
    }

    /// The time that a share of all, from 0 to 1, did not exceed, within two percent (above a minute).
    pub fn quantile_seconds(&self, share: f64) -> Option<f64> {
        let whole: i64 = self.counts.values().sum();
        if whole <= 0 {
            return None;
        }
        let wanted = (share * whole as f64).ceil().max(1.0) as i64;
        let mut so_far = 0;
        let bucket = self.counts.iter().find(|(_, count)| {
            so_far += **count;
            so_far >= wanted
        });
        bucket.and_then(|(bucket, _)| RIMS.get(*bucket)).map(|upper| {
            let lower = upper / GROWTH;
            2.0 * lower * upper / (lower + upper)
        })
    }

    /// As it is kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = 0;
        for (bucket, count) in &self.counts {
            leb128_write(&mut bytes, (bucket - before) as u64);
            leb128_write(&mut bytes, count.unsigned_abs());
            before = *bucket;
        }
        bytes
    }

    /// Adds what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When it is something else; what was read before stays added.
    pub fn merge_encoded(&mut self, mut bytes: &[u8]) -> Result<(), HandlingTimesError> {
        let mut bucket = 0usize;
        while !bytes.is_empty() {
            let distance = leb128_read(&mut bytes)?;
            let count = leb128_read(&mut bytes)?;
            bucket = usize::try_from(distance)
                .ok()
                .and_then(|distance| bucket.checked_add(distance))
                .filter(|bucket| *bucket < BUCKETS)
                .ok_or(HandlingTimesError)?;
            self.add_bucket(bucket, i64::try_from(count).map_err(|_| HandlingTimesError)?);
        }
        Ok(())
    }
}

fn leb128_write(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn leb128_read(bytes: &mut &[u8]) -> Result<u64, HandlingTimesError> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(HandlingTimesError)?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HandlingTimesError)
}
