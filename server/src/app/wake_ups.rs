//! Wake-ups: who listens is told that something waits for it, and then asks for it the usual way.
//!
//! A wake-up says *that*, never *what*: it may be lost, repeated or late, and nothing is lost, for whoever connects (again) is
//! told at once how far its feed goes. So any server may tell of a change that any other one made: each looks once a second at
//! how far the feeds go, which orders have new events, and which sessions were ended; three queries however many listen, and none
//! while nobody does. What is still untold for a listener is one small value, however slowly it reads.
//! What does not belong here: the form on the wire (`http`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use callout_storage::RegionScope;
use callout_sync_protocol::ids::{EventId, RegionId, SessionId, UserId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::Cursor;
use callout_sync_protocol::time::Timestamp;
use futures_util::task::AtomicWaker;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use uuid::Uuid;

/// Listeners on one server; more are sent elsewhere or later.
const MAX_LISTENERS: usize = 25_000;
/// Listeners of one session; one more ends the oldest.
const MAX_OF_SESSION: usize = 4;
/// Every listener hears something at least once in so many looks, so that dead connections are found and proxies keep living ones.
const HEARTBEAT_LOOKS: u64 = 25;
/// An event is written some time after its id was made, and servers' clocks differ: each look goes back so far …
const LOOK_BACK_SECONDS: i64 = 10;
/// … and now and then so far: longer than any unit of work may take.
const FAR_LOOK_BACK_SECONDS: i64 = 120;
/// How often that is.
const FAR_LOOK_EVERY: u64 = 30;
/// Events of one look; the rest is found by the next.
const MAX_EVENTS: u32 = 5_000;

/// How often a server looks for what it has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookEvery(pub Duration);

impl Default for LookEvery {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WakeUp {
    /// The listener's own feed goes so far.
    Feed(Cursor),
    /// Work orders of these regions changed.
    WorkOrders(OrdersChanged),
    /// Nothing happened; the connection lives.
    Heartbeat,
    /// There will be nothing more, and why.
    End(EndReason),
}

/// Where work orders changed, as far as the listener may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrdersChanged {
    /// Regions.
    pub region_ids: BTreeSet<RegionId>,
    /// Orders that have no region yet changed.
    pub unlocated: bool,
    /// Anything may have changed: whoever just connected should load everything once.
    pub everything: bool,
}

impl OrdersChanged {
    fn is_none(&self) -> bool {
        self.region_ids.is_empty() && !self.unlocated && !self.everything
    }
}

/// Why listening ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The access token ended: come back with a new one.
    TokenExpired,
    /// The session was ended.
    SessionRevoked,
    /// The same session listens elsewhere, too often.
    Replaced,
    /// The time that the listener wanted to wait is over.
    TimeOver,
    /// The server stops.
    ServerStops,
}

impl EndReason {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::SessionRevoked => "session_revoked",
            Self::Replaced => "replaced",
            Self::TimeOver => "time_over",
            Self::ServerStops => "server_stops",
        }
    }
}

#[derive(Debug, Default)]
struct Pending {
    feed: Option<Cursor>,
    /// How far the listener knows its feed to go.
    told: Option<Cursor>,
    orders: OrdersChanged,
    heartbeat: bool,
    end: Option<EndReason>,
}

#[derive(Debug)]
struct Listener {
    session_id: SessionId,
    /// Whose feed it wants to hear of.
    tester_id: Option<UserId>,
    /// Whose orders it wants to hear of; absent for phones.
    scope: Option<RegionScope>,
    until: Timestamp,
    until_reason: EndReason,
    pending: Mutex<Pending>,
    waker: AtomicWaker,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs while one of these is held, so a poisoned one is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    fn tell(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut locked(&self.pending));
        self.waker.wake();
    }

    fn tell_feed(&self, end: Cursor) {
        self.tell(|pending| {
            if pending.told != Some(end) {
                pending.feed = Some(end);
            }
        });
    }
}

#[derive(Debug, Default)]
struct Listeners {
    by_number: HashMap<u64, Arc<Listener>>,
    by_tester: HashMap<UserId, Vec<u64>>,
    by_session: HashMap<SessionId, Vec<u64>>,
    last_number: u64,
}

impl Listeners {
    fn insert(&mut self, listener: &Arc<Listener>) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        if let Some(tester) = listener.tester_id {
            self.by_tester.entry(tester).or_default().push(number);
        }
        let of_session = self.by_session.entry(listener.session_id).or_default();
        of_session.push(number);
        let oldest = (of_session.len() > MAX_OF_SESSION).then(|| of_session[0]);
        self.by_number.insert(number, Arc::clone(listener));
        if let Some(oldest) = oldest.and_then(|oldest| self.remove(oldest)) {
            oldest.tell(|pending| pending.end = Some(EndReason::Replaced));
        }
        number
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Listener>> {
        let listener = self.by_number.remove(&number)?;
        if let Some(tester) = listener.tester_id
            && let Some(numbers) = self.by_tester.get_mut(&tester)
        {
            numbers.retain(|known| *known != number);
            if numbers.is_empty() {
                self.by_tester.remove(&tester);
            }
        }
        if let Some(numbers) = self.by_session.get_mut(&listener.session_id) {
            numbers.retain(|known| *known != number);
            if numbers.is_empty() {
                self.by_session.remove(&listener.session_id);
            }
        }
        Some(listener)
    }
}

/// What a look found.
#[derive(Debug, Default)]
struct Found {
    ends: Vec<(UserId, u64, u64)>,
    orders: Vec<(EventId, Option<RegionId>)>,
    revoked: Vec<SessionId>,
}

/// What earlier looks found.
#[derive(Debug, Default)]
struct Seen {
    ends: HashMap<UserId, Cursor>,
    events: BTreeSet<EventId>,
    /// Whether `events` holds all there was: what the first look after a pause finds is old.
    is_current: bool,
    looks: u64,
}

/// All who listen on this server.
#[derive(Debug, Default)]
pub struct WakeUps {
    listeners: Mutex<Listeners>,
    seen: Mutex<Seen>,
    is_stopped: AtomicBool,
}

impl WakeUps {
    /// How many listen.
    pub fn listener_count(&self) -> usize {
        locked(&self.listeners).by_number.len()
    }

    /// Ends all streams, and takes no new listeners: the server stops.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let all: Vec<_> = locked(&self.listeners).by_number.drain().map(|(_, listener)| listener).collect();
        for listener in all {
            listener.tell(|pending| pending.end = Some(EndReason::ServerStops));
        }
    }

    fn take_in(self: &Arc<Self>, listener: Listener) -> AppResult<Listening> {
        let busy = |detail: &str| AppError {
            retry_after_seconds: Some(30),
            ..AppError::new(ProblemType::Unavailable, detail)
        };
        if self.is_stopped.load(Ordering::SeqCst) {
            return Err(busy("the server stops; connect again"));
        }
        let listener = Arc::new(listener);
        let mut listeners = locked(&self.listeners);
        if listeners.by_number.len() >= MAX_LISTENERS {
            return Err(busy("too many listen here; sync now and then, or connect again later"));
        }
        let number = listeners.insert(&listener);
        drop(listeners);
        Ok(Listening { hub: Arc::clone(self), number, listener, is_ended: false })
    }

    /// Tells what a look found to whom it concerns.
    fn tell(&self, found: Found, now: Timestamp) {
        let mut seen = locked(&self.seen);
        seen.looks += 1;
        let mut woken: Vec<(UserId, Cursor)> = Vec::new();
        for (tester, epoch, number) in found.ends {
            let end = Cursor { epoch, number };
            if seen.ends.insert(tester, end) != Some(end) {
                woken.push((tester, end));
            }
        }
        let mut changed = OrdersChanged::default();
        for (event, region) in found.orders {
            if seen.events.insert(event) {
                match region {
                    Some(region) => changed.region_ids.insert(region),
                    None => std::mem::replace(&mut changed.unlocated, true),
                };
            }
        }
        let forgotten = event_floor(now.plus_seconds(-2 * FAR_LOOK_BACK_SECONDS));
        seen.events = seen.events.split_off(&forgotten);
        seen.is_current = true;
        let turn = seen.looks % HEARTBEAT_LOOKS;
        drop(seen);

        let revoked: HashSet<SessionId> = found.revoked.into_iter().collect();
        let mut ended = Vec::new();
        let mut listeners = locked(&self.listeners);
        for (tester, end) in woken {
            for number in listeners.by_tester.get(&tester).into_iter().flatten() {
                if let Some(listener) = listeners.by_number.get(number) {
                    listener.tell_feed(end);
                }
            }
        }
        for (number, listener) in &listeners.by_number {
            let reason = if revoked.contains(&listener.session_id) {
                Some(EndReason::SessionRevoked)
            } else {
                (listener.until <= now).then_some(listener.until_reason)
            };
            if let Some(reason) = reason {
                ended.push((*number, reason));
            } else {
                if let Some(scope) = &listener.scope
                    && !changed.is_none()
                {
                    listener.tell_orders(scope, &changed);
                }
                if number % HEARTBEAT_LOOKS == turn {
                    listener.tell(|pending| pending.heartbeat = true);
                }
            }
        }
        for (number, reason) in ended {
            if let Some(listener) = listeners.remove(number) {
                listener.tell(|pending| pending.end = Some(reason));
            }
        }
    }
}

impl Listener {
    fn tell_orders(&self, scope: &RegionScope, changed: &OrdersChanged) {
        let (visible, sees_unlocated): (Vec<RegionId>, bool) = match scope {
            RegionScope::All => (changed.region_ids.iter().copied().collect(), true),
            RegionScope::Only { region_ids, and_unlocated } => {
                (region_ids.iter().copied().filter(|id| changed.region_ids.contains(id)).collect(), *and_unlocated)
            }
        };
        let unlocated = changed.unlocated && sees_unlocated;
        if !visible.is_empty() || unlocated {
            self.tell(|pending| {
                pending.orders.region_ids.extend(visible);
                pending.orders.unlocated |= unlocated;
            });
        }
    }
}

/// The first id that an event of this instant or later can have.
fn event_floor(at: Timestamp) -> EventId {
    // An instant before 1970 has no events; ids begin with 48 bits of milliseconds (RFC 9562).
    let unix_ms = u128::try_from(at.unix_millis()).unwrap_or(0);
    EventId::from(Uuid::from_u128(unix_ms << 80))
}

/// One listener's end of the line; dropped, it listens no more.
#[derive(Debug)]
pub struct Listening {
    hub: Arc<WakeUps>,
    number: u64,
    listener: Arc<Listener>,
    is_ended: bool,
}

impl Drop for Listening {
    fn drop(&mut self) {
        locked(&self.hub.listeners).remove(self.number);
    }
}

impl futures_util::Stream for Listening {
    type Item = WakeUp;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WakeUp>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        self.listener.waker.register(context.waker());
        let mut pending = locked(&self.listener.pending);
        if let Some(end) = pending.feed.take() {
            pending.told = Some(end);
            return Poll::Ready(Some(WakeUp::Feed(end)));
        }
        if !pending.orders.is_none() {
            return Poll::Ready(Some(WakeUp::WorkOrders(std::mem::take(&mut pending.orders))));
        }
        if let Some(reason) = pending.end {
            drop(pending);
            self.is_ended = true;
            return Poll::Ready(Some(WakeUp::End(reason)));
        }
        if std::mem::take(&mut pending.heartbeat) {
            return Poll::Ready(Some(WakeUp::Heartbeat));
        }
        Poll::Pending
    }
}

/// What somebody who wants to listen says.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListenWish {
    /// How far it knows its feed to go; it is told at once if that is not the end.
    pub last_known: Option<Cursor>,
    /// It wants no more than so many seconds.
    pub for_seconds: Option<u32>,
}

impl App {
    /// Those who listen on this server.
    pub fn wake_ups(&self) -> &Arc<WakeUps> {
        &self.wake_ups
    }

    /// Begins to listen, until the access token ends.
    ///
    /// # Errors
    /// `session-revoked`; `unavailable` when too many listen.
    pub fn wake_ups_listen(&self, caller: &Caller, token_ends: Timestamp, wish: ListenWish) -> AppResult<Listening> {
        let is_tester = caller.roles.has(Role::FieldTester);
        let is_desk = caller.roles.iter().any(|role| role != Role::FieldTester);
        let scope = self.storage.read("wake_ups_scope", |tx| match is_desk {
            true => self.caller_scope(tx, caller).map(Some),
            false => self.caller_standing(tx, caller).map(|_| None),
        })?;
        let wanted_until = wish.for_seconds.map(|seconds| self.env.now().plus_seconds(seconds.into()));
        let (until, until_reason) = match wanted_until {
            Some(wanted) if wanted < token_ends => (wanted, EndReason::TimeOver),
            _ => (token_ends, EndReason::TokenExpired),
        };
        let pending = Pending {
            told: wish.last_known,
            orders: OrdersChanged { everything: scope.is_some(), ..OrdersChanged::default() },
            end: (wish.for_seconds == Some(0)).then_some(EndReason::TimeOver),
            ..Pending::default()
        };
        let listening = self.wake_ups.take_in(Listener {
            session_id: caller.session_id,
            tester_id: is_tester.then_some(caller.user_id),
            scope,
            until,
            until_reason,
            pending: Mutex::new(pending),
            waker: AtomicWaker::new(),
        })?;
        if is_tester {
            // Read after it was taken in: what changes from now on is told anyway.
            let feed = self.storage.read("wake_ups_feed", |tx| Ok::<_, AppError>(tx.feed_state(caller.user_id)?))?;
            listening.listener.tell_feed(Cursor { epoch: feed.epoch, number: feed.last_number });
        }
        Ok(listening)
    }

    /// Looks once for what happened, and tells those who listen. Costs nothing while nobody does.
    ///
    /// # Errors
    /// When the database does not answer; the next look finds the same.
    pub fn wake_ups_look(&self) -> AppResult<()> {
        let (has_testers, has_desks) = {
            let listeners = locked(&self.wake_ups.listeners);
            let count = listeners.by_number.len();
            let testers: usize = listeners.by_tester.values().map(Vec::len).sum();
            (testers > 0, count > testers || listeners.by_number.values().any(|one| one.scope.is_some()))
        };
        if !has_testers && !has_desks {
            *locked(&self.wake_ups.seen) = Seen::default();
            return Ok(());
        }
        let now = self.env.now();
        let (looks, is_current) = {
            let seen = locked(&self.wake_ups.seen);
            (seen.looks, seen.is_current)
        };
        let is_far = !is_current || looks % FAR_LOOK_EVERY == 0;
        let back = if is_far { FAR_LOOK_BACK_SECONDS } else { LOOK_BACK_SECONDS };
        let since = now.plus_seconds(-back);
        let found = self.storage.read("wake_ups_look", |tx| {
            Ok::<_, AppError>(Found {
                ends: if has_testers { tx.feed_list_ends()? } else { Vec::new() },
                orders: if has_desks {
                    tx.event_list_order_regions(event_floor(since), MAX_EVENTS)?
                } else {
                    Vec::new()
                },
                revoked: tx.session_list_revoked_since(since)?,
            })
        })?;
        self.wake_ups.tell(found, now);
        Ok(())
    }

    /// Looks again and again until the task is dropped.
    pub async fn wake_ups_run(self) {
        let mut interval = tokio::time::interval(self.config.look_every.0);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if self.wake_ups.listener_count() == 0 {
                continue;
            }
            let app = self.clone();
            if let Err(error) = crate::http::blocking(move || app.wake_ups_look()).await {
                tracing::warn!(?error, "no wake-ups: the database does not answer");
            }
        }
    }
}
