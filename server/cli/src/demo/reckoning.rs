//! What was captured against what was received: sample by sample, not only in number.
//!
//! Captured is what the phones acknowledged to their testers. Received is what the server decodes from its stored blocks when it is
//! asked for a test's samples. Each capture's log is read once more here, and every sample must be on the server exactly once.

use super::house::desk_failed;
use super::material::Log;
use crate::desk::{Desk, FieldTest};
use crate::{CommandError, CommandResult};
use callout_sync_protocol::samples::Sample;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a phone captured for an order.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The order.
    pub order: Uuid,
    /// From which log, for which operator.
    pub log: Log,
}

/// The result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Samples that the phones acknowledged.
    pub captured: u64,
    /// Samples that the server decoded from stored blocks.
    pub received: u64,
    /// Samples that were captured and are not on the server, or less often than they were captured.
    pub lost: u64,
    /// Samples that are on the server more often than they were captured.
    pub duplicated: u64,
    /// Of those received, how many are kept but do not count.
    pub quarantined: u64,
    /// Bytes of the stored blocks.
    pub block_bytes: u64,
    /// Photos whose bytes are on the server.
    pub photos: u64,
    /// Their bytes.
    pub photo_bytes: u64,
}

/// A sample as the cells of the API's CSV that [`COLUMNS`] names.
type Fingerprint = String;
type Counted = BTreeMap<(Uuid, String, Fingerprint), u64>;

/// By these, samples are compared: all that is measured, and where and when.
const COLUMNS: [&str; 9] = [
    "captured_at",
    "technology",
    "level_dbm",
    "quality_db",
    "sinr_db",
    "cell_identity",
    "latitude_deg",
    "longitude_deg",
    "rtt_ms",
];

/// The cells of [`COLUMNS`], written anew from a sample.
fn fingerprint(sample: &Sample) -> Fingerprint {
    fn shown(value: Option<impl std::fmt::Display>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let half = |value: Option<i16>| shown(value.map(|value| f64::from(value) / 2.0));
    let degrees = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    [
        shown(sample.captured_at()),
        serde_json::to_string(&sample.technology).unwrap_or_default().trim_matches('"').to_owned(),
        shown(sample.level_dbm),
        half(sample.quality_half_db),
        half(sample.sinr_half_db),
        shown(sample.cell.cell_identity),
        degrees(sample.position.map(|position| position.latitude())),
        degrees(sample.position.map(|position| position.longitude())),
        shown(sample.rtt_tenth_ms.map(|tenths| f64::from(tenths) / 10.0)),
    ]
    .join(",")
}

/// The samples of a log, as its importer gives them.
fn log_count(captured: &Captured, counted: &mut Counted) -> CommandResult {
    captured.log.read(|imported| {
        let key = (captured.order, captured.log.operator.to_string(), fingerprint(&imported.sample));
        *counted.entry(key).or_default() += 1;
    })
}

/// The samples of one operator of a test, as the server gives them.
fn csv_count(csv: &str, order: Uuid, operator: &str, counted: &mut Counted) -> CommandResult<u64> {
    let mut lines = csv.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let places: Vec<usize> = COLUMNS
        .iter()
        .map(|title| {
            titles.iter().position(|found| found == title).ok_or_else(|| {
                CommandError::new(format!("the samples' CSV has no column {title}: {}", titles.join(",")))
            })
        })
        .collect::<CommandResult<_>>()?;
    let mut rows = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let chosen: Vec<&str> = places.iter().map(|&place| cells.get(place).copied().unwrap_or_default()).collect();
        *counted.entry((order, operator.to_owned(), chosen.join(","))).or_default() += 1;
        rows += 1;
    }
    Ok(rows)
}

/// Compares.
///
/// # Errors
/// When the server does not answer, contradicts itself, or a log cannot be read again.
pub fn reckon(lead: &Desk, acknowledged: u64, captured: &[Captured]) -> CommandResult<Reckoning> {
    let mut result = Reckoning { captured: acknowledged, ..Reckoning::default() };
    let mut expected = Counted::new();
    for capture in captured {
        log_count(capture, &mut expected)?;
    }
    let mut found = Counted::new();
    let mut places = BTreeSet::new();
    let mut hashes = BTreeSet::new();
    let orders: BTreeSet<Uuid> = captured.iter().map(|capture| capture.order).collect();
    for order in orders {
        for test in lead.field_test_list(order).map_err(desk_failed)? {
            for block in &test.blocks {
                let is_new = places.insert((test.id, block.operator.clone(), block.sequence))
                    & hashes.insert(block.hash.clone());
                if !is_new {
                    result.duplicated += block.sample_count;
                }
                result.block_bytes += block.byte_length;
                if block.standing != "accepted" {
                    result.quarantined += block.sample_count;
                }
            }
            for photo in test.photos.iter().filter(|photo| photo.state == "stored") {
                result.photos += 1;
                result.photo_bytes += photo.byte_length;
            }
            for operator in operators_of(&test) {
                let csv = lead.field_test_samples(test.id, &operator).map_err(desk_failed)?;
                let rows = csv_count(&csv, order, &operator, &mut found)?;
                result.received += rows;
            }
        }
    }
    for (key, &wanted) in &expected {
        result.lost += wanted.saturating_sub(found.get(key).copied().unwrap_or(0));
    }
    for (key, &there) in &found {
        result.duplicated += there.saturating_sub(expected.get(key).copied().unwrap_or(0));
    }
    let in_logs: u64 = expected.values().sum();
    if in_logs != acknowledged {
        return Err(CommandError::new(format!(
            "the logs hold {in_logs} samples, but the phones acknowledged {acknowledged}"
        )));
    }
    Ok(result)
}

fn operators_of(test: &FieldTest) -> BTreeSet<String> {
    test.blocks.iter().map(|block| block.operator.clone()).collect()
}
