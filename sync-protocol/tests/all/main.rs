//! What phone and server share, through its public face, in one binary.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod field_workflow;
mod sample_block;
mod sample_kpi;
mod sample_vectors;
mod support;
mod sync_vectors;
mod volte_walkthrough;
