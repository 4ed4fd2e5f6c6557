//! Every test, once with a plain store and once with a sealed one; see `main`.

#[path = "capture.rs"]
mod capture;
#[path = "evidence.rs"]
mod evidence;
#[path = "http_client.rs"]
mod http_client;
#[path = "listening.rs"]
mod listening;
#[path = "offline.rs"]
mod offline;
#[path = "phone_core.rs"]
mod phone_core;
#[path = "photos.rs"]
mod photos;
#[path = "scope.rs"]
mod scope;
#[path = "store.rs"]
mod store;
#[path = "support/mod.rs"]
pub mod support;
#[path = "sync.rs"]
mod sync;
#[path = "terminal.rs"]
mod terminal;
#[path = "terminal_care.rs"]
mod terminal_care;
