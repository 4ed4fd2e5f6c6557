//! Sync, field tests, reviews and the quarantine at the application's seam, on SQLite.

mod blocks;
mod changes;
mod commands;
mod field_tests;
mod fixture;
