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
mod figures;
mod migrations;
mod names;
mod schema;
mod server_meta;
mod sql_types;
mod storage;
mod writer;

pub mod appraisal_marks;
pub mod arrivals;
pub mod audit_anchors;
pub mod branch_questions;
pub mod build_demands;
pub mod cases;
pub mod chases;
pub mod clocks;
pub mod command_receipts;
pub mod complaint_clusters;
pub mod complaints;
pub mod counters;
pub mod customer_questions;
pub mod devices;
pub mod dispatches;
pub mod erasures;
pub mod escalations;
pub mod event_search;
pub mod events;
pub mod feeds;
pub mod field_test_tracks;
pub mod field_tests;
pub mod follow_ups;
pub mod handoffs;
pub mod intakes;
pub mod introspection;
pub mod jobs;
pub mod key_accounts;
pub mod kpi_cells;
pub mod kpi_facts;
pub mod ladder_steps;
pub mod major_cases;
pub mod notices;
pub mod order_ladders;
pub mod photo_hashes;
pub mod photo_uploads;
pub mod photos;
pub mod policies;
pub mod regions;
pub mod replies;
pub mod review_meetings;
pub mod reviews;
pub mod revisits;
pub mod sample_blocks;
pub mod seeding;
pub mod sessions;
pub mod signing_keys;
pub mod site_outages;
pub mod sites;
pub mod statistics;
pub mod supervision_entries;
pub mod sync_seeding;
pub mod tracking_tickets;
pub mod user_profiles;
pub mod users;
pub mod warnings;
pub mod work_orders;

pub use config::{ConfigError, DEFAULT_POOL_SIZE, StorageConfig};
pub use connection::Tx;
pub use error::StorageError;
pub use figures::StorageFigures;
pub use names::{Page, RegionScope, Standing, UnknownName};
pub use storage::{Backend, Storage, TemporaryStorage};
