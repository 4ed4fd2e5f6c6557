//! Live capture: samples in batches, each safe on the medium before it is called so.

use crate::phone::{Inner, PhoneCore};
use crate::places::{Position, millis, scaled};
use crate::{PhoneError, Reason};
use callout_mobile_sdk::{CaptureError, CaptureSession, Source};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{self, Technology};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The serving cell, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct ServingCell {
    /// GSM, UMTS, LTE: CI, up to 28 bits; NR: NCI, up to 36 bits.
    #[uniffi(default = None)]
    pub cell_identity: Option<u64>,
    /// LTE 0–503, NR 0–1007; UMTS: primary scrambling code 0–511; GSM: BSIC 0–63.
    #[uniffi(default = None)]
    pub physical_cell_id: Option<u16>,
    /// Tracking or location area code.
    #[uniffi(default = None)]
    pub area_code: Option<u32>,
    /// ARFCN, UARFCN, EARFCN or NR-ARFCN.
    #[uniffi(default = None)]
    pub channel: Option<u32>,
}

/// One signal report of one technology. What is unknown is absent, never a number (R-TEST-3).
#[derive(Clone, Copy, Debug, PartialEq, uniffi::Record)]
pub struct Sample {
    /// By the phone's clock; kept to 1 ms.
    pub captured_at: SystemTime,
    /// The technology that this report is of.
    pub technology: Technology,
    /// LTE RSRP, NR SS-RSRP, UMTS RSCP or GSM RXLEV.
    #[uniffi(default = None)]
    pub level_dbm: Option<i16>,
    /// LTE RSRQ, NR SS-RSRQ or UMTS Ec/No; kept to 0.5 dB.
    #[uniffi(default = None)]
    pub quality_db: Option<f64>,
    /// LTE RS-SINR or NR SS-SINR; kept to 0.5 dB.
    #[uniffi(default = None)]
    pub sinr_db: Option<f64>,
    /// The serving cell last known for this technology.
    #[uniffi(default = None)]
    pub cell: Option<ServingCell>,
    /// The position last known.
    #[uniffi(default = None)]
    pub position: Option<Position>,
    /// Round-trip time last measured; kept to 0.1 ms.
    #[uniffi(default = None)]
    pub round_trip_ms: Option<f64>,
    /// Downlink throughput.
    #[uniffi(default = None)]
    pub downlink_kbps: Option<u32>,
    /// Uplink throughput.
    #[uniffi(default = None)]
    pub uplink_kbps: Option<u32>,
}

/// The largest value of the field's type is beyond every range, so that the ranges refuse it.
fn half_db(value: Option<f64>, field: &str) -> Result<Option<i16>, PhoneError> {
    let scaled = value.map(|value| scaled(value, 2.0, field)).transpose()?;
    Ok(scaled.map(|value| i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })))
}

impl Sample {
    fn to_core(self) -> Result<samples::Sample, PhoneError> {
        let round_trip = self.round_trip_ms.map(|value| scaled(value, 10.0, "round_trip_ms")).transpose()?;
        let cell = self.cell.unwrap_or_default();
        Ok(samples::Sample {
            captured_at_ms: millis(self.captured_at)?,
            technology: self.technology,
            level_dbm: self.level_dbm,
            quality_half_db: half_db(self.quality_db, "quality_db")?,
            sinr_half_db: half_db(self.sinr_db, "sinr_db")?,
            cell: samples::Cell {
                cell_identity: cell.cell_identity,
                physical_cell_id: cell.physical_cell_id,
                area_code: cell.area_code,
                channel: cell.channel,
            },
            position: self.position.map(Position::to_core).transpose()?,
            rtt_tenth_ms: round_trip.map(|value| u32::try_from(value).unwrap_or(u32::MAX)),
            downlink_kbps: self.downlink_kbps,
            uplink_kbps: self.uplink_kbps,
        })
    }
}

/// What samples come from.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum CaptureSource {
    /// The phone's own radio, now. Every capture is a new source.
    Live,
    /// A log: capturing it again goes on where the store's copy of it ends.
    Log {
        /// Shown to people.
        name: String,
        /// The log's first bytes, at most 1,024, by which it is known again.
        first_bytes: Vec<u8>,
    },
}

/// How far a capture is, and what became of the last batch.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct CaptureProgress {
    /// Samples of the batch that were taken.
    pub taken: u64,
    /// Samples of the batch with a value outside its standard's range; counted, not kept.
    pub refused: u64,
    /// Samples of the source that survive a power cut, refused ones included.
    pub safe: u64,
    /// Why the store could not be written, if so. What was taken waits in memory, and the next batch tries again; what was neither
    /// taken nor refused has to be pushed again.
    pub trouble: Option<Reason>,
}

/// A running capture of one operator's samples; several may run at once.
#[derive(uniffi::Object)]
pub struct CaptureCore {
    inner: Arc<Inner>,
    session: Mutex<CaptureSession>,
}

#[uniffi::export]
impl PhoneCore {
    /// Begins a capture of one operator's samples, or goes on with that of the same log; begins the order's test if needed.
    pub fn capture_begin(
        &self,
        order: WorkOrderId,
        operator: Operator,
        source: CaptureSource,
    ) -> Result<Arc<CaptureCore>, PhoneError> {
        let source = match source {
            CaptureSource::Live => Source::Live,
            CaptureSource::Log { name, first_bytes } => Source::log(name, first_bytes.as_slice())
                .map_err(|error| PhoneError::value(error.to_string(), "日志无法读取"))?,
        };
        let session = self.inner.act(|phone| phone.capture_begin(order, operator, &source))?;
        Ok(Arc::new(CaptureCore { inner: self.inner.clone(), session: Mutex::new(session) }))
    }
}

impl CaptureCore {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut callout_mobile_sdk::Phone, &mut CaptureSession) -> Result<T, CaptureError>,
    ) -> Result<T, PhoneError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.act(|phone| work(phone, &mut session))
    }
}

#[uniffi::export]
impl CaptureCore {
    /// Takes samples, in order. They are flushed to the medium every 200 samples or every second, whichever is first.
    pub fn push(&self, samples: Vec<Sample>) -> Result<CaptureProgress, PhoneError> {
        // All or none where the app's own values make no sense.
        let samples = samples.into_iter().map(Sample::to_core).collect::<Result<Vec<_>, _>>()?;
        self.with(|phone, session| {
            let mut progress = CaptureProgress { taken: 0, refused: 0, safe: 0, trouble: None };
            for sample in &samples {
                match phone.capture_push(session, sample) {
                    Ok(_) => progress.taken += 1,
                    Err(CaptureError::Refused(_)) => progress.refused += 1,
                    // Not taken, and neither would be the rest.
                    Err(error @ (CaptureError::Full | CaptureError::Elsewhere)) => {
                        progress.trouble = Some(PhoneError::from(error).into_reason());
                        break;
                    }
                    // Taken, and held in memory.
                    Err(error) => {
                        progress.taken += 1;
                        progress.trouble = Some(PhoneError::from(error).into_reason());
                    }
                }
            }
            progress.safe = session.source_samples_safe();
            Ok(progress)
        })
    }

    /// Makes everything taken so far safe; call it when the capture pauses or ends. Says how many samples are.
    pub fn flush(&self) -> Result<u64, PhoneError> {
        self.with(|phone, session| {
            phone.capture_flush(session)?;
            Ok(session.source_samples_safe())
        })
    }

    /// How many samples of the source are safe on the medium, refused ones included: where a capture of the same log goes on.
    pub fn samples_safe(&self) -> u64 {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).source_samples_safe()
    }

    /// The test that the samples belong to.
    pub fn field_test_id(&self) -> FieldTestId {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).field_test_id()
    }
}
