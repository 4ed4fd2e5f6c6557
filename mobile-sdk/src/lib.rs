//! The phone's core: what a field tester's app does, without its user interface.
//!
//! [`Phone`] is what an app developer sees. Beneath it, a sans-I/O [`engine`] decides over a device [`store`]; the host does the
//! network ([`transport`]) and hands in time and chance ([`mod@env`]). [`cli`] is a terminal phone that drives all of it by hand.
//! What phone and server must agree on is not here but in `callout-sync-protocol`.
#![warn(missing_docs)]

pub mod capture;
pub mod cli;
pub mod device_key;
pub mod engine;
pub mod env;
pub mod facade;
pub mod findings;
pub mod import;
pub mod local_order;
pub mod store;
pub mod synthetic;
pub mod transport;

pub use capture::{CaptureError, CaptureSession, Source};
pub use device_key::DeviceKey;
pub use env::{Env, SystemEnv};
pub use facade::{Phone, PhoneConfig, PhoneError};
pub use findings::FindingsDraft;
pub use local_order::LocalOrder;
pub use store::StoreKey;
