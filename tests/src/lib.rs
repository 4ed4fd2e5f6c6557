//! What the tests and benchmarks of the whole share. The tests themselves are in `tests/tests`.
#![warn(missing_docs)]

pub mod postgres;
