//! Photos: how their bytes arrive (resumable upload), are verified, and rest.
//!
//! What belongs here: the tus protocol's rules (`tus`), defensive decoding (`verify`), where bytes rest (`store`), and the
//! service that joins them with the records of the database (`service`). What does not: HTTP (`http::photo_uploads`), SQL
//! (`callout_storage`), and the announcement of a photo, which is a command and comes by sync.

pub mod exif;
pub mod image_outline;
pub mod service;
pub mod store;
pub mod tus;
pub mod verify;
