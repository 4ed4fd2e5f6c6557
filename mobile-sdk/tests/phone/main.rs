//! The phone core, through its public seams: a phone with a made-up clock against a small server that can fail in every way.
#![allow(clippy::unwrap_used, clippy::panic)]

mod memory;
mod migration;
#[path = "suite.rs"]
mod plain;
#[allow(clippy::duplicate_mod, reason = "the same tests on a sealed store")]
#[path = "suite.rs"]
mod sealed;
mod sealing;
