//! The store: every noun's rows on SQLite and PostgreSQL, behind one [`Storage`].
//!
//! The only user of Diesel, so that the compiler keeps SQL out of handlers. A unit of work is one closure over a [`Tx`]; the
//! functions on [`Tx`] are named noun first and live in the noun's module. What does not belong here: rules, authorisation,
//! the clock and the making of ids: they are the caller's.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod config;
mod connection;
mod error;
mod migrations;
mod names;
mod schema;
mod server_meta;
mod sql_types;
mod storage;
mod writer;

pub use config::{ConfigError, DEFAULT_POOL_SIZE, StorageConfig};
pub use connection::Tx;
pub use error::StorageError;
pub use names::{Page, RegionScope, Standing, UnknownName};
pub use storage::{Backend, Storage, TemporaryStorage};
