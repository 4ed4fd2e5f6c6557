//! The Rust core for phones.
#![warn(missing_docs)]

pub mod import;
pub mod synthetic;
