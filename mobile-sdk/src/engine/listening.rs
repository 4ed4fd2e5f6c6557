//! Listening for wake-ups: when to open the stream, what hearing something means, and when to come back after it broke.
//!
//! A machine of its own beside the [`Engine`](super::Engine), as free of I/O: events go in, instructions come out, and the last
//! instruction says what the host does next. A wake-up says that something waits, never what, so all that it leads to is a sync; and
//! a sync is also what renews the access token and finds out why the server wants to hear no more of this phone. So whatever is lost,
//! repeated or late costs time and nothing else.
//! What does not belong here: how a sync goes (`engine`), the socket (`transport`).

use super::backoff::BackoffConfig;
use super::event_stream::{EventStream, StreamEvent};
use super::http::{HttpRequest, HttpResponse, Method, RequestId};
use super::network::not_now;
use super::{Moment, Network, NotNow, SyncSummary, is_token_due};
use crate::store::account::account_get;
use crate::store::sync_state::sync_state_get;
use crate::store::{Store, StoreError};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::sync::Cursor;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The media type of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenEvent {
    /// The host wants to be woken from now on.
    Wanted,
    /// The request for the stream was answered; the body is whole where the answer is no stream, else empty.
    Answered(HttpResponse),
    /// The next bytes of the stream.
    Heard(Vec<u8>),
    /// The stream ended or broke, or there was no answer.
    Ended {
        /// Why, for people.
        reason: String,
    },
    /// The sync that was asked for is over.
    Synced(ListenSync),
    /// The time of the last [`ListenInstruction::WaitUntil`] has come.
    TimerFired,
    /// The phone is on another network now, or on none. What was open is taken for lost.
    NetworkChanged(Network),
}

/// How a sync ended that a wake-up led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenSync {
    /// Everything new is here.
    Done(SyncSummary),
    /// Not now, and not before then.
    Later {
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Another sync of this phone is running.
    Busy,
    /// Not on this network.
    NotNow(NotNow),
    /// The tester must sign in again.
    SignInNeeded,
    /// The server revoked this device.
    Revoked,
    /// Trying again does not help.
    Stopped(Rejection),
}

/// What the host is to do. The last one of a list is what it waits for: an answer, bytes, a sync, a time, another network, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenInstruction {
    /// Show this, or not.
    Report(ListenProgress),
    /// Let go of the stream.
    HangUp,
    /// Open this stream and report [`ListenEvent::Answered`].
    Listen(HttpRequest),
    /// Read on, and report [`ListenEvent::Heard`] or [`ListenEvent::Ended`].
    Read,
    /// Sync of the app's own accord, without waiting for retries, and report [`ListenEvent::Synced`].
    Sync,
    /// Report [`ListenEvent::TimerFired`] then.
    WaitUntil(Timestamp),
    /// Report [`ListenEvent::NetworkChanged`] when it does.
    WaitForNetwork,
    /// Listening is over.
    End(ListenEnd),
}

/// Something worth showing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ListenProgress {
    /// The server tells from now on.
    Connected,
    /// Something waited, and is here now.
    Synced {
        /// What was done.
        summary: SyncSummary,
    },
    /// It did not work and will be tried again.
    WillRetry {
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Nothing is tried until the network changes.
    NotNow {
        /// Why.
        reason: NotNow,
    },
}

/// Why the phone listens no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenEnd {
    /// The tester must sign in again, or signed out.
    SignInNeeded,
    /// The server revoked this device.
    Revoked,
    /// Trying again does not help, such as with a server that has no wake-ups.
    Stopped(Rejection),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Syncing { is_open: bool },
    Opening,
    Listening,
    Waiting { until: Timestamp, then_syncs: bool },
    NoNetwork,
}

#[derive(Deserialize)]
struct FeedData {
    epoch: u64,
    number: u64,
}

#[derive(Deserialize)]
struct EndData {
    reason: String,
}

/// See the module.
#[derive(Debug)]
pub struct Listener {
    backoff: BackoffConfig,
    network: Network,
    phase: Phase,
    stream: EventStream,
    failures: u32,
    last_request: u64,
    /// A sync has renewed the token, or found that it is good, and since then the stream has told nothing and there was no pause.
    has_renewed: bool,
}

type Instructions = Result<Vec<ListenInstruction>, StoreError>;

impl Listener {
    /// One that does not listen yet, on this network.
    pub fn new(backoff: BackoffConfig, network: Network) -> Self {
        Self {
            backoff,
            network,
            phase: Phase::Idle,
            stream: EventStream::default(),
            failures: 0,
            last_request: 0,
            has_renewed: false,
        }
    }

    /// Another network, told while nothing depends on the former one.
    pub fn network_set(&mut self, network: Network) {
        self.network = network;
    }

    /// Takes an event and says what to do. What comes at another time than it is waited for changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the listener is then idle.
    pub fn handle(&mut self, store: &Store, moment: Moment, event: ListenEvent) -> Instructions {
        let result = match (event, self.phase) {
            (ListenEvent::Wanted, Phase::Idle) => self.sync(store, false),
            (ListenEvent::Synced(sync), Phase::Syncing { is_open }) => self.synced(store, moment, sync, is_open),
            (ListenEvent::Answered(response), Phase::Opening) => self.answered(store, moment, &response),
            (ListenEvent::Heard(bytes), Phase::Listening) => self.heard(store, moment, &bytes),
            (ListenEvent::Ended { reason }, Phase::Opening | Phase::Listening) => Ok(self.failed(moment, reason, None)),
            (ListenEvent::TimerFired, Phase::Waiting { until, then_syncs }) if moment.now >= until => {
                if then_syncs {
                    self.sync(store, false)
                } else {
                    self.connect(store, moment)
                }
            }
            (ListenEvent::TimerFired, Phase::Waiting { until, .. }) => Ok(vec![ListenInstruction::WaitUntil(until)]),
            (ListenEvent::NetworkChanged(network), phase) => self.network_changed(store, network, phase),
            _ => Ok(vec![]),
        };
        if result.is_err() {
            self.phase = Phase::Idle;
        }
        result
    }

    /// Another network is another way to the server: what was open or waited for belongs to the former one.
    fn network_changed(&mut self, store: &Store, network: Network, phase: Phase) -> Instructions {
        self.network = network;
        if matches!(phase, Phase::Idle | Phase::Syncing { .. }) {
            return Ok(vec![]);
        }
        self.failures = 0;
        let mut instructions = vec![ListenInstruction::HangUp];
        instructions.extend(self.sync(store, false)?);
        Ok(instructions)
    }

    fn sync(&mut self, store: &Store, is_open: bool) -> Instructions {
        if let Some(reason) = not_now(store, self.network)? {
            return Ok(self.no_network(reason));
        }
        self.phase = Phase::Syncing { is_open };
        Ok(vec![ListenInstruction::Sync])
    }

    fn no_network(&mut self, reason: NotNow) -> Vec<ListenInstruction> {
        self.phase = Phase::NoNetwork;
        vec![
            ListenInstruction::HangUp,
            ListenInstruction::Report(ListenProgress::NotNow { reason }),
            ListenInstruction::WaitForNetwork,
        ]
    }

    fn end(&mut self, end: ListenEnd) -> Vec<ListenInstruction> {
        self.phase = Phase::Idle;
        vec![ListenInstruction::HangUp, ListenInstruction::End(end)]
    }

    fn wait(&mut self, reason: String, until: Timestamp, then_syncs: bool) -> Vec<ListenInstruction> {
        self.phase = Phase::Waiting { until, then_syncs };
        vec![
            ListenInstruction::HangUp,
            ListenInstruction::Report(ListenProgress::WillRetry { reason, at: until }),
            ListenInstruction::WaitUntil(until),
        ]
    }

    fn synced(&mut self, store: &Store, moment: Moment, sync: ListenSync, is_open: bool) -> Instructions {
        match sync {
            ListenSync::Done(summary) => {
                self.has_renewed = true;
                let mut instructions = vec![ListenInstruction::Report(ListenProgress::Synced { summary })];
                if is_open {
                    self.phase = Phase::Listening;
                    instructions.push(ListenInstruction::Read);
                } else {
                    instructions.extend(self.connect(store, moment)?);
                }
                Ok(instructions)
            }
            ListenSync::Later { reason, at } => Ok(self.wait(reason, at, true)),
            ListenSync::Busy => {
                let at = self.backoff.until(moment.now, 1, moment.random, None);
                Ok(self.wait("another sync of this phone is running".to_owned(), at, true))
            }
            ListenSync::NotNow(NotNow::ServerWish { until }) => {
                Ok(self.wait("the server wants to be left alone".to_owned(), until, true))
            }
            ListenSync::NotNow(reason) => Ok(self.no_network(reason)),
            ListenSync::SignInNeeded => Ok(self.end(ListenEnd::SignInNeeded)),
            ListenSync::Revoked => Ok(self.end(ListenEnd::Revoked)),
            ListenSync::Stopped(problem) => Ok(self.end(ListenEnd::Stopped(problem))),
        }
    }

    fn connect(&mut self, store: &Store, moment: Moment) -> Instructions {
        if let Some(reason) = not_now(store, self.network)? {
            return Ok(self.no_network(reason));
        }
        let account = account_get(store.connection())?.filter(|account| account.refresh_token.is_some());
        let Some(account) = account else { return Ok(self.end(ListenEnd::SignInNeeded)) };
        let is_due = is_token_due(store, &account, moment.now)?;
        let Some(token) = account.access_token.filter(|_| !is_due) else {
            return self.renew(store, moment, "the server's tokens end before they serve");
        };
        self.phase = Phase::Opening;
        self.stream = EventStream::default();
        self.last_request += 1;
        let mut headers = vec![("authorization", format!("Bearer {token}")), ("accept", EVENT_STREAM.to_owned())];
        // A server whose feed ends where the phone's does has nothing to tell yet.
        let cursor = sync_state_get(store.connection())?.cursor;
        headers.extend(cursor.map(|Cursor { epoch, number }| ("last-event-id", format!("{epoch}.{number}"))));
        Ok(vec![ListenInstruction::Listen(HttpRequest {
            id: RequestId(self.last_request),
            method: Method::Get,
            path: "/v1/wake-ups".to_owned(),
            headers,
            body: vec![],
        })])
    }

    /// A sync renews the token, or finds out why not; once, until the stream tells something or there was a pause.
    fn renew(&mut self, store: &Store, moment: Moment, reason: &str) -> Instructions {
        if self.has_renewed {
            return Ok(self.failed(moment, reason.to_owned(), None));
        }
        let mut instructions = vec![ListenInstruction::HangUp];
        instructions.extend(self.sync(store, false)?);
        Ok(instructions)
    }

    fn answered(&mut self, store: &Store, moment: Moment, response: &HttpResponse) -> Instructions {
        if response.status == 200 && response.media_type() == Some(EVENT_STREAM) {
            self.phase = Phase::Listening;
            return Ok(vec![ListenInstruction::Report(ListenProgress::Connected), ListenInstruction::Read]);
        }
        let problem = response.problem();
        match response.status {
            401 => self.renew(store, moment, &problem.to_string()),
            // What is neither an answer nor a problem of ours comes from something in between, such as a captive portal.
            _ if response.is_passing() || !response.is_problem() => {
                Ok(self.failed(moment, problem.to_string(), response.retry_after_seconds()))
            }
            _ => Ok(self.end(ListenEnd::Stopped(problem))),
        }
    }

    fn heard(&mut self, store: &Store, moment: Moment, bytes: &[u8]) -> Instructions {
        let Ok(events) = self.stream.push(bytes) else {
            return Ok(self.failed(moment, "the stream of wake-ups could not be read".to_owned(), None));
        };
        self.failures = 0;
        self.has_renewed = false;
        if account_get(store.connection())?.is_none_or(|account| account.refresh_token.is_none()) {
            // Signed out on this phone, of which the server knows nothing yet.
            return Ok(self.end(ListenEnd::SignInNeeded));
        }
        let cursor = sync_state_get(store.connection())?.cursor;
        let mut is_due = false;
        for StreamEvent { name, data } in &events {
            match name.as_str() {
                "feed" => {
                    // What cannot be read woke the phone all the same.
                    let told = serde_json::from_str(data).ok();
                    is_due =
                        told.map(|FeedData { epoch, number }| Cursor { epoch, number }) != cursor || cursor.is_none();
                }
                "end" => return self.ended(store, moment, data),
                // What servers to come may tell of.
                _ => {}
            }
        }
        if is_due {
            return self.sync(store, true);
        }
        Ok(vec![ListenInstruction::Read])
    }

    /// The server said why it ends the stream.
    fn ended(&mut self, store: &Store, moment: Moment, data: &str) -> Instructions {
        let reason = serde_json::from_str(data).map_or_else(|_| String::new(), |EndData { reason }| reason);
        match reason.as_str() {
            "token_expired" | "session_revoked" => self.renew(store, moment, &reason),
            _ => Ok(self.failed(moment, format!("the server ended the stream of wake-ups ({reason})"), None)),
        }
    }

    fn failed(&mut self, moment: Moment, reason: String, retry_after_seconds: Option<u64>) -> Vec<ListenInstruction> {
        self.failures = self.failures.saturating_add(1);
        // The pause keeps renewals apart from now on.
        self.has_renewed = false;
        let wished = retry_after_seconds.or(self.stream.retry_ms().map(|millis| millis.div_ceil(1_000)));
        let until = self.backoff.until(moment.now, self.failures, moment.random, wished);
        self.wait(reason, until, false)
    }
}
