//! The server's parts through their public seams, in one binary: linking it once is what keeps the tests quick to build.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod docs_traceability;
mod photos;
mod sync;
mod workflow;
