//! Sync, field tests, reviews and the quarantine at the application's seam, on SQLite.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod blocks;
mod changes;
mod commands;
mod field_tests;
mod fixture;
