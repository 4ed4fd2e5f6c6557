//! Photos through their public seams: the tus rules, the defensive decoder, the upload service over a real store, and the
//! same over HTTP.

mod http;
mod pictures;
mod s3;
mod tus;
mod uploads;
mod verify;
mod world;
