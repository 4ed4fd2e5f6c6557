//! What phone and server must agree on, byte for byte and rule for rule.
//!
//! Pure: no I/O, no clock, no randomness, no database, no HTTP. `SPEC.md` beside this crate says the same in words, so that
//! someone could write a third implementation.
#![warn(missing_docs)]

pub mod checkpoint;
pub mod commands;
pub mod contact_words;
pub mod evidence;
pub mod field_workflow;
pub mod frame;
pub mod hash;
pub mod ids;
pub mod operators;
pub mod photos;
pub mod problem;
pub mod samples;
pub mod sync;
pub mod time;
pub mod version;
pub mod volte_walkthrough;
pub mod work_orders;
