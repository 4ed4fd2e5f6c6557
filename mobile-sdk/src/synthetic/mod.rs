//! Made-up input for demonstrations and tests: walks shaped like real logs, a city that does not exist, photos of
//! nothing.
//!
//! Everything is a pure function of its seed, the same on every machine: no clock, no system randomness, no
//! trigonometry. People, phone numbers and places are synthetic and say so.
//!
//! What does not belong here: reading real logs (`import`), playing out a story (`demo`).

pub mod city;
mod log;
pub mod photo;
pub mod profile;
pub mod random;
pub mod walk;

pub use city::{CHENGWAN, City, Complaint, District, Person, Street};
pub use photo::{PhotoError, PhotoOptions, photo_create};
pub use profile::{Coverage, OperatorProfile, RadioLayer};
pub use random::Random;
pub use walk::{SyntheticWalk, WalkOptions};
