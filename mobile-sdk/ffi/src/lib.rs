//! The phone's core for apps in Kotlin, Swift and Python, by UniFFI.
//!
//! A thin skin over [`callout_mobile_sdk::Phone`]: types that the languages know, a small error type, and the two things that a host
//! with several threads needs (a sync that does not hold up the tester, a thread that tells of changes). Every call blocks until it is
//! done; the layers in `kotlin/`, `swift/` and `python/` run them off the main thread. No rule and no decision of the app is here.
#![warn(missing_docs)]
#![allow(unsafe_code, reason = "UniFFI's generated entry points are unsafe; nothing written by hand here is")]

mod accounts;
mod acts;
mod capture;
mod error;
mod evidence;
mod listening;
mod mending;
mod names;
mod observing;
mod orders;
mod phone;
mod photos;
mod places;
mod status;
mod sync;

pub use accounts::AccountsCore;
pub use acts::{ContactReport, FindingsDraft, MissingOperator};
pub use capture::{CaptureCore, CaptureProgress, CaptureSource, Sample, ServingCell};
pub use error::{ListenerError, PhoneError, Reason};
pub use evidence::{EvidenceItem, VolteStep};
pub use listening::{ListenEnd, ListenEvent, Listening, WakeUpListener};
pub use mending::{DeferredCommand, Mend, RefusedPhoto, SetAside, SetAsideBlock, SetAsideCommand};
pub use names::Language;
pub use observing::{Observation, OrderChange, OrderObserver};
pub use orders::{ContactWords, Customer, Order, RestHours, TalkWords, TimeWindow};
pub use phone::{Account, PhoneCore, PhoneSettings};
pub use photos::{Photo, PhotoProcessing, PhotoRequest};
pub use places::Position;
pub use status::{FreedStorage, PhoneStatus, StorageUse};
pub use sync::{BackgroundSync, NotNow, SyncListener, SyncProgress, SyncSummary};

uniffi::setup_scaffolding!();

/// The version of the phone's core.
#[uniffi::export]
pub fn core_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
