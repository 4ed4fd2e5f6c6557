//! Photos through their public seams: the tus rules, the defensive decoder, the upload service over a real store.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod pictures;
mod tus;
mod verify;
