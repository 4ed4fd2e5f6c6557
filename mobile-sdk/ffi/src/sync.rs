//! Syncs: blocking here, on a background thread of the host; their progress by a listener.

use crate::phone::{Line, PhoneCore};
use crate::places::system_time;
use crate::{ListenerError, PhoneError};
use callout_mobile_sdk::engine::{self, Progress};
use callout_mobile_sdk::facade::{self, MeteredUse, Network};
use callout_mobile_sdk::transport::{Traffic, Transport as _};
use callout_sync_protocol::ids::PhotoId;
use std::sync::Arc;
use std::time::SystemTime;

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct SyncSummary {
    /// Round trips applied.
    pub rounds: u64,
    /// Steps that the server applied.
    pub commands_accepted: u64,
    /// Steps that it did not; see the set-aside items.
    pub commands_rejected: u64,
    /// Sample blocks that became evidence.
    pub blocks_stored: u64,
    /// Sample blocks that the server keeps apart.
    pub blocks_quarantined: u64,
    /// Sample blocks that only the phone keeps.
    pub blocks_refused: u64,
    /// Orders that are new or changed.
    pub orders_changed: u64,
    /// Orders that left.
    pub orders_left: u64,
    /// Photos that are now with the server.
    pub photos_stored: u64,
    /// Photos that the server did not take.
    pub photos_refused: u64,
    /// Milliseconds that the phone's clock is ahead of the server's.
    pub clock_ahead_ms: i64,
    /// Bytes sent by this sync, headers and TLS included.
    pub bytes_sent: u64,
    /// Bytes received by this sync, headers and TLS included.
    pub bytes_received: u64,
}

impl SyncSummary {
    fn new(summary: engine::SyncSummary, before: Traffic, after: Traffic) -> Self {
        Self {
            rounds: summary.rounds,
            commands_accepted: summary.commands_accepted,
            commands_rejected: summary.commands_rejected,
            blocks_stored: summary.blocks_stored,
            blocks_quarantined: summary.blocks_quarantined,
            blocks_refused: summary.blocks_refused,
            orders_changed: summary.orders_changed,
            orders_left: summary.orders_left,
            photos_stored: summary.photos_stored,
            photos_refused: summary.photos_refused,
            clock_ahead_ms: summary.clock_ahead_ms,
            bytes_sent: after.bytes_sent.saturating_sub(before.bytes_sent),
            bytes_received: after.bytes_received.saturating_sub(before.bytes_received),
        }
    }
}

/// Something worth showing while a sync runs.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncProgress {
    /// A round trip was applied.
    RoundDone {
        /// Round trips so far.
        rounds: u64,
        /// Steps that the server applied so far.
        commands_accepted: u64,
        /// Steps that it did not apply so far.
        commands_rejected: u64,
        /// Orders that are new or changed so far.
        orders_changed: u64,
    },
    /// Bytes of a photo were confirmed.
    PhotoSent {
        /// The photo.
        photo: PhotoId,
        /// Bytes with the server.
        bytes_sent: u64,
        /// Bytes in all.
        bytes_total: u64,
    },
    /// It did not work and will be tried again.
    WillRetry {
        /// Why, for people.
        reason: String,
        /// When.
        at: SystemTime,
    },
}

fn shown(progress: &Progress) -> Option<SyncProgress> {
    match progress {
        Progress::RoundDone { summary } => Some(SyncProgress::RoundDone {
            rounds: summary.rounds,
            commands_accepted: summary.commands_accepted,
            commands_rejected: summary.commands_rejected,
            orders_changed: summary.orders_changed,
        }),
        Progress::PhotoProgress { id, offset, length } => {
            Some(SyncProgress::PhotoSent { photo: *id, bytes_sent: *offset, bytes_total: *length })
        }
        Progress::WillRetry { reason, at } => {
            Some(SyncProgress::WillRetry { reason: reason.clone(), at: system_time(*at) })
        }
        // How it ends, the call says.
        Progress::Finished { .. }
        | Progress::NotNow { .. }
        | Progress::Revoked
        | Progress::SignInNeeded
        | Progress::Stopped { .. } => None,
    }
}

/// Is told how a sync goes on, on the thread that syncs.
#[uniffi::export(with_foreign)]
pub trait SyncListener: Send + Sync {
    /// Something to show.
    fn on_progress(&self, progress: SyncProgress) -> Result<(), ListenerError>;
}

/// Why the app does not sync by itself now. A person may always try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum NotNow {
    /// There is no network.
    NoNetwork,
    /// The tester wants nothing sent over a metered network.
    WaitsForWifi,
    /// The server asked to be left alone.
    ServerWish {
        /// Until then.
        until: SystemTime,
    },
}

impl From<facade::NotNow> for NotNow {
    fn from(why: facade::NotNow) -> Self {
        match why {
            facade::NotNow::NoNetwork => Self::NoNetwork,
            facade::NotNow::WaitsForWifi => Self::WaitsForWifi,
            facade::NotNow::ServerWish { until } => Self::ServerWish { until: system_time(until) },
        }
    }
}

/// How a sync of the app's own accord ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum BackgroundSync {
    /// Everything that may travel has.
    Done {
        /// What was done.
        summary: SyncSummary,
    },
    /// It is not the time; nothing was sent.
    Postponed {
        /// Why.
        why: NotNow,
    },
}

fn listened(
    line: &mut Line,
    listener: Option<Arc<dyn SyncListener>>,
    run: impl FnOnce(&mut Line, &mut dyn FnMut(&Progress)) -> Result<facade::BackgroundSync, facade::PhoneError>,
) -> Result<BackgroundSync, facade::PhoneError> {
    let before = line.client.traffic();
    let done = run(line, &mut |progress: &Progress| {
        if let Some((listener, progress)) = listener.as_ref().zip(shown(progress)) {
            // A listener that fails does not stop a sync.
            let _ = listener.on_progress(progress);
        }
    })?;
    Ok(match done {
        facade::BackgroundSync::Done(summary) => {
            BackgroundSync::Done { summary: SyncSummary::new(summary, before, line.client.traffic()) }
        }
        facade::BackgroundSync::NotNow(why) => BackgroundSync::Postponed { why: why.into() },
    })
}

#[uniffi::export]
impl PhoneCore {
    /// Sends everything that waits and fetches everything that is new, because a person wants it now: orders first, then samples,
    /// then photos. Gives up after `waits_max` waits in a row without anything getting through. The tester goes on meanwhile.
    pub fn sync(&self, waits_max: u32, listener: Option<Arc<dyn SyncListener>>) -> Result<SyncSummary, PhoneError> {
        let done = self.inner.talk(|line| {
            listened(line, listener, |line, tell| {
                line.phone.sync(&mut line.client, waits_max, tell).map(facade::BackgroundSync::Done)
            })
        })?;
        Ok(match done {
            BackgroundSync::Done { summary } => summary,
            // Only what the app wants by itself is put off.
            BackgroundSync::Postponed { .. } => SyncSummary::default(),
        })
    }

    /// As `sync`, but of the app's own accord: not without a network, not against the tester's wish about metered ones, and not while
    /// the server wants to be left alone.
    pub fn sync_in_background(
        &self,
        waits_max: u32,
        listener: Option<Arc<dyn SyncListener>>,
    ) -> Result<BackgroundSync, PhoneError> {
        self.inner.talk(|line| {
            listened(line, listener, |line, tell| line.phone.sync_in_background(&mut line.client, waits_max, tell))
        })
    }

    /// Tells the phone which network it is on; counts from the next sync on. Until told, it takes an unmetered one for granted.
    pub fn set_network(&self, network: Network) {
        self.inner.network_set(network);
    }

    /// What may travel over a metered network.
    pub fn metered_use(&self) -> Result<MeteredUse, PhoneError> {
        self.inner.act(|phone| phone.metered_use())
    }

    /// Sets what may travel over a metered network; kept.
    pub fn set_metered_use(&self, metered_use: MeteredUse) -> Result<(), PhoneError> {
        self.inner.act(|phone| phone.set_metered_use(metered_use))
    }
}
