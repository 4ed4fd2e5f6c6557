//! The phone core, through its public seams: a phone with a made-up clock against a small server that can fail in every way.
#![allow(clippy::unwrap_used, clippy::panic)]

mod capture;
mod http_client;
mod offline;
mod photos;
mod scope;
mod store;
mod support;
mod sync;
mod terminal;
