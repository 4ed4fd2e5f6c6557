//! Ids, instants and places as the languages know them.

use crate::PhoneError;
use callout_sync_protocol::ids::{CommandId, DeviceId, FieldTestId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::samples;
use callout_sync_protocol::time::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Ids travel as text; `uniffi.toml` makes each language's own UUID of them.
macro_rules! id_types {
    ($($name:ident),+) => {
        $(uniffi::custom_type!($name, String, {
            remote,
            lower: |id| id.to_string(),
            try_lift: |text| Ok($name(text.parse::<uuid::Uuid>()?)),
        });)+
    };
}
id_types!(CommandId, DeviceId, FieldTestId, PhotoId, UserId, WorkOrderId);

pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    at.to_offset_date_time().into()
}

pub(crate) fn timestamp(at: SystemTime) -> Result<Timestamp, PhoneError> {
    let micros = match at.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).ok(),
        Err(before) => i64::try_from(before.duration().as_micros()).ok().map(|micros| -micros),
    };
    micros
        .and_then(Timestamp::from_unix_micros)
        .ok_or_else(|| PhoneError::value("a time lies outside the years 1 to 9999", "时间超出范围"))
}

pub(crate) fn millis(at: SystemTime) -> Result<i64, PhoneError> {
    Ok(timestamp(at)?.unix_millis())
}

/// `value` in units of `1 / per_unit`. What is no number is refused here, what is too large by the standards' ranges.
pub(crate) fn scaled(value: f64, per_unit: f64, field: &str) -> Result<i64, PhoneError> {
    if value.is_finite() {
        // Saturates; no range reaches that far.
        return Ok((value * per_unit).round() as i64);
    }
    Err(PhoneError::value(format!("{field} is not a number"), format!("{field} 不是数值")))
}

/// A place on the earth, WGS-84.
#[derive(Clone, Copy, Debug, PartialEq, uniffi::Record)]
pub struct Position {
    /// Degrees north of the equator.
    pub latitude_degrees: f64,
    /// Degrees east of Greenwich.
    pub longitude_degrees: f64,
    /// Metres within which the true place lies with 68 % confidence, as the platform reports it.
    #[uniffi(default = None)]
    pub accuracy_metres: Option<u16>,
    /// The platform said that this position came from a mock provider.
    #[uniffi(default = false)]
    pub is_mock: bool,
}

impl Position {
    pub(crate) fn to_core(self) -> Result<samples::Position, PhoneError> {
        // Written so that what is no number is refused, too.
        if !(self.latitude_degrees.abs() <= 90.0 && self.longitude_degrees.abs() <= 180.0) {
            return Err(PhoneError::value(
                "a position lies within ±90° of latitude and ±180° of longitude",
                "纬度应在 ±90°、经度应在 ±180° 以内",
            ));
        }
        let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
        Ok(samples::Position {
            latitude_e6: e6(self.latitude_degrees),
            longitude_e6: e6(self.longitude_degrees),
            accuracy_m: self.accuracy_metres,
            is_mock: self.is_mock,
        })
    }
}

impl From<samples::Position> for Position {
    fn from(position: samples::Position) -> Self {
        Self {
            latitude_degrees: f64::from(position.latitude_e6) / 1e6,
            longitude_degrees: f64::from(position.longitude_e6) / 1e6,
            accuracy_metres: position.accuracy_m,
            is_mock: position.is_mock,
        }
    }
}
