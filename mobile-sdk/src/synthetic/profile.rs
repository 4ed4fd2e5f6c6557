//! What a network is like at a place: the levels, cells and round trips that a synthetic walk varies around.
//!
//! What does not belong here: the walk itself (`walk`).

use callout_sync_protocol::operators::Operator;
use serde::{Deserialize, Serialize};

/// How well a place is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// LTE and NR, both good.
    Good,
    /// A wide NR carrier close by, LTE behind it.
    FifthGeneration,
    /// Inside a building: LTE only, weak, long round trips, values often unknown.
    WeakIndoors,
    /// Between two sites: LTE and NR, both poor, many handovers.
    CellEdge,
}

/// One technology's layer of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadioLayer {
    /// Mean level in dBm.
    pub level_dbm: f64,
    /// Mean SINR in dB.
    pub sinr_db: f64,
    /// EARFCN or NR-ARFCN.
    pub channel: u32,
    /// The first site's number (eNB or gNB).
    pub site: u32,
    /// The first sector's physical cell id; sectors count on from it.
    pub physical_cell_id: u16,
    /// Tracking area code.
    pub area_code: u32,
}

/// One operator's network at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatorProfile {
    /// Whose network.
    pub operator: Operator,
    /// The name that phones show.
    pub name: &'static str,
    /// The LTE layer.
    pub lte: RadioLayer,
    /// The NR layer, where there is one.
    pub nr: Option<RadioLayer>,
    /// Mean round-trip time in milliseconds.
    pub rtt_ms: f64,
    /// Mean time between reports in milliseconds; each reports every layer.
    pub report_interval_ms: i64,
    /// Of a thousand reports, how many come with a handover.
    pub handovers_per_mille: u64,
    /// Of a thousand values, how many the phone does not know.
    pub unknown_per_mille: u64,
}

impl OperatorProfile {
    /// The profile of an operator's network under some coverage; channels lie in bands that the operator
    /// holds in mainland China, or shares there: China Broadnet's LTE is China Mobile's.
    pub fn new(operator: Operator, coverage: Coverage) -> Self {
        let (name, earfcn, arfcn, site) = match operator {
            Operator::ChinaMobile => ("CMCC", 38_400, 504_990, 410_200),
            Operator::ChinaUnicom => ("CHN-UNICOM", 1_650, 633_984, 520_300),
            Operator::ChinaTelecom => ("CHN-CT", 1_825, 627_264, 630_400),
            Operator::ChinaBroadnet => ("China Broadnet", 38_400, 156_490, 740_500),
        };
        let pci = 40 + 100 * u16::from(operator.code());
        let layer = |level_dbm, sinr_db, channel, area_code| RadioLayer {
            level_dbm,
            sinr_db,
            channel,
            site,
            physical_cell_id: pci,
            area_code,
        };
        let area = 21_500 + u32::from(operator.code());
        let lte = |level, sinr| layer(level, sinr, earfcn, area);
        let nr = |level, sinr| Some(layer(level, sinr, arfcn, 1_300_000 + area));
        let (lte, nr, rtt_ms, report_interval_ms, handovers_per_mille, unknown_per_mille) = match coverage {
            Coverage::Good => (lte(-86.0, 14.0), nr(-84.0, 16.0), 38.0, 900, 8, 2),
            Coverage::FifthGeneration => (lte(-88.0, 12.0), nr(-76.0, 22.0), 24.0, 600, 6, 2),
            Coverage::WeakIndoors => (lte(-116.0, -1.0), None, 140.0, 700, 15, 60),
            Coverage::CellEdge => (lte(-106.0, 3.0), nr(-109.0, 1.0), 75.0, 1_000, 45, 25),
        };
        Self { operator, name, lte, nr, rtt_ms, report_interval_ms, handovers_per_mille, unknown_per_mille }
    }
}
