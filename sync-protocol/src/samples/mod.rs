//! Samples: what one measurement is, how a test's samples are packed and sealed, and what is computed of them.

pub mod sample;

pub use sample::{Cell, OutOfRange, Position, Sample, SampleField, Technology};
