//! What the tester has set: which networks may carry what, and how much storage the app may take.

use super::{StoreError, signed, unsigned};
use rusqlite::{Connection, params};
use serde::Serialize;

/// What may travel over a network that somebody pays by the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeteredUse {
    /// Everything.
    #[default]
    Everything,
    /// Orders, commands and samples; photos wait for Wi-Fi.
    WithoutPhotos,
    /// Nothing by itself. When a person asks for it: orders, commands and samples.
    WhenAsked,
}

impl MeteredUse {
    fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::WithoutPhotos => "without_photos",
            Self::WhenAsked => "when_asked",
        }
    }
}

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Settings {
    /// What may travel over a metered network.
    pub metered_use: MeteredUse,
    /// How much the app may take for what the server has already; absent: as much as there is.
    pub quota_bytes: Option<u64>,
}

/// Reads them.
pub fn settings_get(connection: &Connection) -> Result<Settings, StoreError> {
    let (metered_use, quota): (String, Option<i64>) =
        connection
            .query_row("SELECT metered_use, quota_bytes FROM settings", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all = [MeteredUse::Everything, MeteredUse::WithoutPhotos, MeteredUse::WhenAsked];
    let known = all.into_iter().find(|known| known.as_str() == metered_use);
    Ok(Settings {
        metered_use: known.ok_or(StoreError::Damaged { what: "the settings" })?,
        quota_bytes: quota.map(unsigned),
    })
}

/// Writes them.
pub fn settings_put(connection: &Connection, settings: &Settings) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE settings SET metered_use = ?1, quota_bytes = ?2",
        params![settings.metered_use.as_str(), settings.quota_bytes.map(signed)],
    )?;
    Ok(())
}
