//! A place in JSON: degrees, as people and maps have them. Inside, millionths of a degree.

use crate::app::error::{AppError, AppResult};
use callout_sync_protocol::samples::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// WGS-84 coordinates in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PositionView {
    /// −90 … 90.
    pub latitude: f64,
    /// −180 … 180.
    pub longitude: f64,
}

impl From<Position> for PositionView {
    fn from(position: Position) -> Self {
        Self { latitude: position.latitude(), longitude: position.longitude() }
    }
}

impl PositionView {
    /// The position that it means, rounded to a millionth of a degree.
    ///
    /// # Errors
    /// When it lies outside the Earth; `field` names it.
    pub fn parse(self, field: &str) -> AppResult<Position> {
        let e6 = |degrees: f64, limit: f64| (degrees.abs() <= limit).then(|| (degrees * 1e6).round() as i32);
        match (e6(self.latitude, 90.0), e6(self.longitude, 180.0)) {
            (Some(latitude_e6), Some(longitude_e6)) => {
                Ok(Position { latitude_e6, longitude_e6, accuracy_m: None, is_mock: false })
            }
            _ => Err(AppError::invalid(field, "must lie within ±90° of latitude and ±180° of longitude")),
        }
    }
}
