//! One measurement: what a sample is, and which values the field's standards allow in it.
//!
//! What does not belong here: how samples are packed (`codec`), what is computed of them (`kpi`), where they come from
//! (the importers of the SDK).

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The radio technology of a signal report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Technology {
    /// GSM: level is RXLEV.
    Gsm = 0,
    /// UMTS: level is RSCP, quality is Ec/No.
    Umts = 1,
    /// LTE: level is RSRP, quality is RSRQ, SINR is RS-SINR.
    Lte = 2,
    /// 5G NR: level is SS-RSRP, quality is SS-RSRQ, SINR is SS-SINR.
    Nr = 3,
}

impl Technology {
    /// All of them, oldest first; the index is the wire code.
    pub const ALL: [Self; 4] = [Self::Gsm, Self::Umts, Self::Lte, Self::Nr];

    /// The technology of a wire code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Where a sample was taken: WGS-84, in millionths of a degree (0.11 m).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Latitude in 1e-6 degrees, −90 000 000 … 90 000 000.
    #[n(0)]
    pub latitude_e6: i32,
    /// Longitude in 1e-6 degrees, −180 000 000 … 180 000 000.
    #[n(1)]
    pub longitude_e6: i32,
    /// Radius in whole metres within which the true position lies with 68 % confidence, as the platform reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[n(2)]
    pub accuracy_m: Option<u16>,
    /// The platform said that this position came from a mock provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[n(3)]
    pub is_mock: bool,
}

/// The serving cell, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// GSM/UMTS/LTE: CI, up to 28 bits; NR: NCI, up to 36 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_identity: Option<u64>,
    /// LTE 0–503, NR 0–1007 (TS 36.211 §6.11, TS 38.211 §7.4.2); UMTS: primary scrambling code 0–511; GSM: BSIC 0–63.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_cell_id: Option<u16>,
    /// Tracking (LTE 16 bits, NR 24 bits) or location (GSM, UMTS 16 bits) area code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<u32>,
    /// ARFCN, UARFCN, EARFCN (≤ 262 143) or NR-ARFCN (≤ 3 279 165).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
}

/// One signal report of one technology, with the position, serving cell and round-trip time last known (R-TEST-3).
/// The operator is not in the sample: a block holds one operator's samples. Unknown is absent, never a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Milliseconds since the Unix epoch by the phone's clock.
    pub captured_at_ms: i64,
    /// The technology that this report is of.
    pub technology: Technology,
    /// LTE RSRP, NR SS-RSRP, UMTS RSCP or GSM RXLEV, in dBm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_dbm: Option<i16>,
    /// LTE RSRQ, NR SS-RSRQ or UMTS Ec/No, in half dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_half_db: Option<i16>,
    /// LTE RS-SINR or NR SS-SINR, in half dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sinr_half_db: Option<i16>,
    /// The serving cell last known for this technology.
    #[serde(default)]
    pub cell: Cell,
    /// The position last known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Round-trip time last measured, in tenths of a millisecond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_tenth_ms: Option<u32>,
    /// Downlink throughput in kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downlink_kbps: Option<u32>,
    /// Uplink throughput in kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink_kbps: Option<u32>,
}

/// A field of a sample that can be out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SampleField {
    CapturedAt,
    Level,
    Quality,
    Sinr,
    CellIdentity,
    PhysicalCellId,
    AreaCode,
    Channel,
    Latitude,
    Longitude,
    Accuracy,
    RoundTripTime,
    Downlink,
    Uplink,
}

/// A value outside what its standard allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field:?} is {value}, outside {minimum}…{maximum}")]
pub struct OutOfRange {
    /// The field.
    pub field: SampleField,
    /// Its value, in the field's own unit.
    pub value: i64,
    /// The smallest allowed value.
    pub minimum: i64,
    /// The largest allowed value.
    pub maximum: i64,
}

/// Inclusive limits of every field for one technology, in the fields' own units; see `interfaces` in SPEC.md.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Limits {
    pub level_dbm: (i16, i16),
    pub quality_half_db: (i16, i16),
    pub sinr_half_db: (i16, i16),
    pub cell_identity_max: u64,
    pub physical_cell_id_max: u16,
    pub area_code_max: u32,
    pub channel_max: u32,
}

/// Ten minutes: a round trip longer than this is a clock error, not a network.
pub const RTT_TENTH_MS_MAX: u32 = 6_000_000;
/// One terabit a second, far above any radio.
pub const THROUGHPUT_KBPS_MAX: u32 = 1_000_000_000;
/// 2000-01-01T00:00:00Z; no phone of ours is older.
pub const CAPTURED_AT_MS_MIN: i64 = 946_684_800_000;
/// 2100-01-01T00:00:00Z.
pub const CAPTURED_AT_MS_MAX: i64 = 4_102_444_800_000;

impl Technology {
    /// The reporting ranges of this technology (TS 45.008 §8.1.4, TS 25.133 §9.1, TS 36.133 §9.1, TS 38.133 §10.1).
    pub const fn limits(self) -> Limits {
        match self {
            Self::Gsm => Limits {
                level_dbm: (-110, -48),
                quality_half_db: (0, -1),
                sinr_half_db: (0, -1),
                cell_identity_max: 0xFFFF,
                physical_cell_id_max: 63,
                area_code_max: 0xFFFF,
                channel_max: 1023,
            },
            Self::Umts => Limits {
                level_dbm: (-120, -25),
                quality_half_db: (-48, 0),
                sinr_half_db: (0, -1),
                cell_identity_max: 0x0FFF_FFFF,
                physical_cell_id_max: 511,
                area_code_max: 0xFFFF,
                channel_max: 16_383,
            },
            Self::Lte => Limits {
                level_dbm: (-140, -43),
                quality_half_db: (-68, 5),
                sinr_half_db: (-46, 80),
                cell_identity_max: 0x0FFF_FFFF,
                physical_cell_id_max: 503,
                area_code_max: 0xFFFF,
                channel_max: 262_143,
            },
            Self::Nr => Limits {
                level_dbm: (-156, -31),
                quality_half_db: (-86, 40),
                sinr_half_db: (-46, 80),
                cell_identity_max: 0xF_FFFF_FFFF,
                physical_cell_id_max: 1007,
                area_code_max: 0xFF_FFFF,
                channel_max: 3_279_165,
            },
        }
    }
}

fn check(field: SampleField, value: i64, minimum: i64, maximum: i64) -> Result<(), OutOfRange> {
    if (minimum..=maximum).contains(&value) { Ok(()) } else { Err(OutOfRange { field, value, minimum, maximum }) }
}

impl Position {
    /// Checks the coordinates' ranges.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        check(SampleField::Latitude, self.latitude_e6.into(), -90_000_000, 90_000_000)?;
        check(SampleField::Longitude, self.longitude_e6.into(), -180_000_000, 180_000_000)
    }

    /// Latitude in degrees.
    pub fn latitude(&self) -> f64 {
        f64::from(self.latitude_e6) / 1e6
    }

    /// Longitude in degrees.
    pub fn longitude(&self) -> f64 {
        f64::from(self.longitude_e6) / 1e6
    }
}

impl Sample {
    /// The instant of capture by the phone's clock, if it lies within the years that a text can show.
    pub fn captured_at(&self) -> Option<Timestamp> {
        Timestamp::from_unix_millis(self.captured_at_ms)
    }

    /// Checks every present value against the ranges of [`Technology::limits`]; the first that is outside is the error.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        use SampleField as F;
        let l = self.technology.limits();
        check(F::CapturedAt, self.captured_at_ms, CAPTURED_AT_MS_MIN, CAPTURED_AT_MS_MAX)?;
        if let Some(v) = self.level_dbm {
            check(F::Level, v.into(), l.level_dbm.0.into(), l.level_dbm.1.into())?;
        }
        if let Some(v) = self.quality_half_db {
            check(F::Quality, v.into(), l.quality_half_db.0.into(), l.quality_half_db.1.into())?;
        }
        if let Some(v) = self.sinr_half_db {
            check(F::Sinr, v.into(), l.sinr_half_db.0.into(), l.sinr_half_db.1.into())?;
        }
        if let Some(v) = self.cell.cell_identity {
            check(F::CellIdentity, i64::try_from(v).unwrap_or(i64::MAX), 0, l.cell_identity_max as i64)?;
        }
        if let Some(v) = self.cell.physical_cell_id {
            check(F::PhysicalCellId, v.into(), 0, l.physical_cell_id_max.into())?;
        }
        if let Some(v) = self.cell.area_code {
            check(F::AreaCode, v.into(), 0, l.area_code_max.into())?;
        }
        if let Some(v) = self.cell.channel {
            check(F::Channel, v.into(), 0, l.channel_max.into())?;
        }
        if let Some(p) = self.position {
            p.validate()?;
        }
        if let Some(v) = self.rtt_tenth_ms {
            check(F::RoundTripTime, v.into(), 0, RTT_TENTH_MS_MAX.into())?;
        }
        if let Some(v) = self.downlink_kbps {
            check(F::Downlink, v.into(), 0, THROUGHPUT_KBPS_MAX.into())?;
        }
        if let Some(v) = self.uplink_kbps {
            check(F::Uplink, v.into(), 0, THROUGHPUT_KBPS_MAX.into())?;
        }
        Ok(())
    }
}
