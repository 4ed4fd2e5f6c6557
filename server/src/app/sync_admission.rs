//! Fair admission of syncs: a phone that sends too much, too often or rubbish costs itself, never the rest.
//!
//! Four bounds, from cheap to dear: how much one device has in flight; how much rubbish it may send; how many bytes of requests
//! this server holds; how many syncs work at the same time, first come, first served. Since each device has at most
//! [`IN_FLIGHT_OF_DEVICE`] places in the line, the line is fair. A device's rate is bounded only while others wait: an idle
//! server has no reason to refuse anyone. Counts live in this process; several servers together allow a little more.
//! What does not belong here: signing in (`admission`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::metrics::SyncRefusal;
use callout_storage::{Storage, StorageConfig};
use callout_sync_protocol::ids::DeviceId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::Directive;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one device that are read, wait or work at the same time: one, and its repetition after a lost answer.
const IN_FLIGHT_OF_DEVICE: usize = 2;
/// Bytes of requests that are held at the same time, in KiB.
const HELD_KIB: usize = 256 * 1024;
/// Syncs that wait for their turn; more are asked to come later.
const MAX_WAITING: usize = 1_024;
/// How long a sync waits for its turn: less than a phone waits for its answer.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);
/// Units of work of SQLite's writer share a flush of the disk, so many at once are good.
const SQLITE_SLOTS: usize = 64;

// Evaluated when the program is compiled: a zero here would not build.
/// What a device may do while others wait.
const SYNCS_A_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();
const SYNCS_AT_ONCE: NonZeroU32 = NonZeroU32::new(40).unwrap();
/// Requests that cannot be read, from one device.
const RUBBISH_A_MINUTE: NonZeroU32 = NonZeroU32::new(300).unwrap();

#[derive(Debug, Default)]
struct DeviceState {
    in_flight: usize,
    /// It sent too much rubbish, and is not listened to before.
    barred_until: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct SyncAdmission {
    slots: Arc<Semaphore>,
    slot_count: usize,
    waiting: AtomicUsize,
    held_kib: Arc<Semaphore>,
    devices: Mutex<HashMap<DeviceId, DeviceState>>,
    rates: DefaultKeyedRateLimiter<DeviceId>,
    rubbish: DefaultKeyedRateLimiter<DeviceId>,
}

impl SyncAdmission {
    /// For a storage: as many syncs at once as it can work on, or as many as are said.
    pub fn new(storage: &Storage, slots: Option<usize>) -> Self {
        let slot_count = slots.unwrap_or(match storage.config() {
            StorageConfig::Sqlite { .. } => SQLITE_SLOTS,
            StorageConfig::Postgres { pool_size, .. } => usize::try_from(*pool_size).unwrap_or(1),
        });
        let slot_count = slot_count.max(1);
        Self {
            slots: Arc::new(Semaphore::new(slot_count)),
            slot_count,
            waiting: AtomicUsize::new(0),
            held_kib: Arc::new(Semaphore::new(HELD_KIB)),
            devices: Mutex::default(),
            rates: RateLimiter::keyed(Quota::per_second(SYNCS_A_SECOND).allow_burst(SYNCS_AT_ONCE)),
            rubbish: RateLimiter::keyed(Quota::per_minute(RUBBISH_A_MINUTE)),
        }
    }

    /// Syncs that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Syncs that may work at the same time.
    pub fn slot_count(&self) -> usize {
        self.slot_count
    }

    /// Syncs that work.
    pub fn working(&self) -> usize {
        self.slot_count.saturating_sub(self.slots.available_permits())
    }

    /// Bytes of requests that are held, in whole KiB.
    pub fn held_bytes(&self) -> u64 {
        1_024 * HELD_KIB.saturating_sub(self.held_kib.available_permits()) as u64
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, DeviceState>> {
        // No code that can panic runs while it is held, so a poisoned one is still whole.
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(app: &App, why: SyncRefusal, seconds: u32, detail: &str) -> AppError {
    app.metrics().sync_refused(why);
    let problem = match why {
        SyncRefusal::InFlight | SyncRefusal::Rate | SyncRefusal::Rubbish => ProblemType::TooManyRequests,
        SyncRefusal::Memory | SyncRefusal::LineFull | SyncRefusal::LineSlow => ProblemType::Unavailable,
    };
    AppError { retry_after_seconds: Some(seconds), ..AppError::new(problem, format!("{detail}; nothing was changed")) }
}

/// A request that was let in; dropped, its place is free again.
pub struct SyncPlace {
    app: App,
    device_id: DeviceId,
    held: Vec<OwnedSemaphorePermit>,
    held_bytes: usize,
}

impl Drop for SyncPlace {
    fn drop(&mut self) {
        let mut devices = self.app.sync_admission.devices();
        if let Some(state) = devices.get_mut(&self.device_id) {
            state.in_flight = state.in_flight.saturating_sub(1);
            if state.in_flight == 0 && state.barred_until.is_none() {
                devices.remove(&self.device_id);
            }
        }
    }
}

impl App {
    /// Lets a sync in before its body is read.
    ///
    /// # Errors
    /// `too-many-requests` with the time to wait, for a device that has too much in flight, sent too much that could not be read,
    /// or sends much while others wait.
    pub fn sync_enter(&self, caller: &Caller) -> AppResult<SyncPlace> {
        let admission = &self.sync_admission;
        let now = Instant::now();
        if admission.rates.len() > 10_000 {
            admission.rates.retain_recent();
            admission.rubbish.retain_recent();
        }
        let rate = admission.rates.check_key(&caller.device_id);
        if admission.waiting() > 0
            && let Err(not_until) = rate
        {
            let wait = not_until.wait_time_from(DefaultClock::default().now()).as_secs();
            let wait = u32::try_from(wait).unwrap_or(u32::MAX).saturating_add(1);
            return Err(refused(self, SyncRefusal::Rate, wait, "others wait; sync less often"));
        }
        let mut devices = admission.devices();
        let state = devices.entry(caller.device_id).or_default();
        if let Some(until) = state.barred_until {
            if now < until {
                let wait = u32::try_from((until - now).as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                let detail = "too many requests of this device could not be read";
                return Err(refused(self, SyncRefusal::Rubbish, wait, detail));
            }
            state.barred_until = None;
        }
        if state.in_flight >= IN_FLIGHT_OF_DEVICE {
            let detail = "requests of this device are still being worked on";
            return Err(refused(self, SyncRefusal::InFlight, 2, detail));
        }
        state.in_flight += 1;
        drop(devices);
        Ok(SyncPlace { app: self.clone(), device_id: caller.device_id, held: Vec::new(), held_bytes: 0 })
    }

    /// Syncs that wait for their turn.
    pub fn sync_waiting(&self) -> usize {
        self.sync_admission.waiting()
    }

    /// A number of seconds from `base` on, up to three times it: many are told at once, and shall not come back at once.
    fn jittered(&self, base: u32) -> u32 {
        base.saturating_add(u32::from_be_bytes(self.random_bytes()) % (2 * base.max(1)))
    }

    fn random_bytes(&self) -> [u8; 4] {
        self.env.random()
    }

    /// What phones are asked for while the line is long: to leave the server alone for a while, each for another.
    pub fn sync_pause(&self) -> Option<Directive> {
        let admission = &self.sync_admission;
        let waiting = admission.waiting();
        if waiting < admission.slot_count {
            return None;
        }
        self.metrics().sync_paused();
        // The longer the line, the longer the pause: 15 to 45 seconds for each time that all slots are wanted, 15 minutes at most.
        let times = u32::try_from(waiting / admission.slot_count).unwrap_or(u32::MAX).min(20);
        Some(Directive::WaitBeforeNextSync { seconds: self.jittered(15u32.saturating_mul(times)) })
    }
}

impl SyncPlace {
    /// Takes room for so many bytes of the body, as they arrive.
    ///
    /// # Errors
    /// `unavailable` when this server holds too much already.
    pub fn hold(&mut self, bytes: usize) -> AppResult<()> {
        let before = self.held_bytes.div_ceil(1_024);
        self.held_bytes += bytes;
        let more = u32::try_from(self.held_bytes.div_ceil(1_024) - before).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        match Arc::clone(&self.app.sync_admission.held_kib).try_acquire_many_owned(more) {
            Ok(permit) => {
                self.held.push(permit);
                Ok(())
            }
            Err(_) => {
                let seconds = self.app.jittered(5);
                let detail = "this server has its hands full; come back later";
                Err(refused(&self.app, SyncRefusal::Memory, seconds, detail))
            }
        }
    }

    /// Waits for the request's turn.
    ///
    /// # Errors
    /// `unavailable` with a time to wait, when the line is too long or does not move.
    pub async fn turn(&self) -> AppResult<OwnedSemaphorePermit> {
        let admission = &self.app.sync_admission;
        let slots = Arc::clone(&admission.slots);
        if let Ok(permit) = Arc::clone(&slots).try_acquire_owned() {
            self.app.metrics().turn(Duration::ZERO);
            return Ok(permit);
        }
        let busy = |why| {
            let seconds = self.app.jittered(10);
            refused(&self.app, why, seconds, "many sync at once; come back later")
        };
        let since = Instant::now();
        let in_line = InLine::new(&admission.waiting);
        if in_line.place > MAX_WAITING {
            return Err(busy(SyncRefusal::LineFull));
        }
        match tokio::time::timeout(TURN_TIMEOUT, slots.acquire_owned()).await {
            Ok(Ok(permit)) => {
                self.app.metrics().turn(since.elapsed());
                Ok(permit)
            }
            Ok(Err(_)) | Err(_) => Err(busy(SyncRefusal::LineSlow)),
        }
    }

    /// The request could not be read. Whoever sends much of that is not listened to for a while.
    pub fn was_rubbish(&self) {
        let admission = &self.app.sync_admission;
        if let Err(not_until) = admission.rubbish.check_key(&self.device_id) {
            let wait = not_until.wait_time_from(DefaultClock::default().now()).max(Duration::from_secs(10));
            if let Some(state) = admission.devices().get_mut(&self.device_id) {
                state.barred_until = Some(Instant::now() + wait);
            }
        }
    }
}

/// Counts whoever waits, also when the connection breaks meanwhile.
struct InLine<'a> {
    waiting: &'a AtomicUsize,
    place: usize,
}

impl<'a> InLine<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        let place = waiting.fetch_add(1, Ordering::Relaxed) + 1;
        Self { waiting, place }
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
