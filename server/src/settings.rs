//! What an operator of the server can set, with defaults that need no setting at all.
//!
//! Reading command lines and environment variables belongs to the `callout` binary; this only says what there is.

use crate::app::pushes::PushSettings;
use crate::photos::store::PhotoStoreSettings;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where and how a server runs.
#[derive(Clone)]
pub struct Settings {
    /// Holds the embedded database and the photos, unless these are elsewhere.
    pub data_dir: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `postgres://…`, or absent for SQLite in the data directory.
    pub database_url: Option<String>,
    /// Connections to PostgreSQL.
    pub database_pool: u32,
    /// Where photos rest.
    pub photos: PhotoStoreSettings,
    /// HTTP worker threads; 0 takes one a core.
    pub workers: usize,
    /// Where customers and phones reach this server, such as `https://callout.example.cn`; one-time links begin with it.
    pub public_url: Option<String>,
    /// A proxy of ours stands before this server and appends the sender's address to `X-Forwarded-For`.
    pub is_behind_proxy: bool,
    /// Where `/metrics` is served; nowhere by default.
    pub metrics_listen: Option<SocketAddr>,
    /// The operator's push service, if there is one.
    pub push: Option<PushSettings>,
}

impl fmt::Debug for Settings {
    /// A database URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("metrics_listen", &self.metrics_listen)
            .field("database", &if self.database_url.is_some() { "postgresql" } else { "sqlite" })
            .finish_non_exhaustive()
    }
}
