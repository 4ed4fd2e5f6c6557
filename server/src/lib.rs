//! The backend: HTTP over an application layer over pure rules and a store.
//!
//! `http → app → (workflow | storage) → sync-protocol`; nothing points the other way. `docs/design.md` walks through it.
#![warn(missing_docs)]

pub mod app;
pub mod env;
pub mod http;
pub mod jobs;
pub mod metrics;
pub mod photos;
pub mod settings;
pub mod workflow;
