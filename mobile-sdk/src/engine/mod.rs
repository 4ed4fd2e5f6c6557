//! The engine: decides what to send and what an answer means. It does no I/O but the store's, has no clock and no chance: events go
//! in, instructions come out, and the host carries them out.
//!
//! At most one request is in flight. Orders, commands and blocks go before photos, and between two chunks of a photo whatever was
//! queued meanwhile goes first, so that a huge photo never delays an order. Whatever is lost, repeated or cut is sent again with the
//! same ids. The engine's own memory may be lost at any moment: what matters is in the store.
//! What does not belong here: sockets and waiting (`transport`), what the tester does (`facade`).

mod backoff;
mod deferral;
mod event_stream;
mod http;
mod listening;
mod network;
mod photo_upload;
mod photos;
mod sync_round;
pub(crate) mod tokens;

pub use backoff::BackoffConfig;
pub use event_stream::{EventStream, StreamEvent, TooLong};
pub use http::{HttpRequest, HttpResponse, Method, RequestId};
pub use listening::{ListenEnd, ListenEvent, ListenInstruction, ListenProgress, ListenSync, Listener};
pub use network::{Network, NotNow};

use crate::capture::seal::field_test_seal;
use crate::store::account::{Account, Device, account_get, account_put, account_tokens_clear};
use crate::store::blocks::block_is_due;
use crate::store::captures::field_test_list_unsealed_out_of_scope;
use crate::store::commands::{command_is_due, deferral_clear};
use crate::store::sync_state::sync_state_get;
use crate::store::{Store, StoreError};
use callout_sync_protocol::frame::{frame_decode, frame_encode_as};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::sync::SyncResponse;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::{
    MAX_BLOCKS, MAX_COMMANDS, MEDIA_TYPE, PROTOCOL_VERSION, VERSIONS_HEADER, version_in_common,
};
use network::not_now;
use photos::PhotoRun;
use serde::Serialize;
use sync_round::{RoundLimits, SentRound, item_set_aside, round_apply, round_request};
use tokens::TokensAnswer;

/// Blocks take at most so many bytes of a request beyond the first one …
const BLOCK_BYTES_MAX: usize = 512 * 1024;
/// … and, on a link that keeps breaking, as few as these.
const BLOCK_BYTES_MIN: usize = 32 * 1024;
/// Commands and blocks together.
const ITEMS_MAX: usize = MAX_COMMANDS + MAX_BLOCKS;
/// An access token with less than this left is renewed before it is used, seconds.
const TOKEN_MARGIN_SECONDS: i64 = 15;

/// What the host tells the engine beside the event: the clock, and a random number for jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The phone's clock.
    pub now: Timestamp,
    /// Drawn anew for each event.
    pub random: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants to sync: a person, who does not wait for a pause to end, or the app by itself.
    SyncWanted {
        /// A person asked for it.
        by_person: bool,
    },
    /// A request was answered, whatever the status.
    HttpDone {
        /// Which request.
        id: RequestId,
        /// The whole answer.
        response: HttpResponse,
    },
    /// A request got no whole answer. The server may have received it.
    HttpFailed {
        /// Which request.
        id: RequestId,
        /// Why, for people.
        reason: String,
    },
    /// The time of the last [`Instruction::WaitUntil`] has come.
    TimerFired,
    /// The phone is on another network now, or on none.
    NetworkChanged(Network),
}

/// What the host is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Send this and report what came of it.
    Http(HttpRequest),
    /// Report [`Event::TimerFired`] then; replaces an earlier wish.
    WaitUntil(Timestamp),
    /// Show this, or not.
    Report(Progress),
}

/// Something worth showing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// A round trip was applied.
    RoundDone {
        /// So far.
        summary: SyncSummary,
    },
    /// Bytes of a photo were confirmed.
    PhotoProgress {
        /// The photo.
        id: PhotoId,
        /// Bytes with the server.
        offset: u64,
        /// Bytes in all.
        length: u64,
    },
    /// It did not work and will be tried again.
    WillRetry {
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Everything that can be sent is sent, everything new is here.
    Finished {
        /// What was done.
        summary: SyncSummary,
    },
    /// The app wanted to sync by itself, and it is not the time.
    NotNow {
        /// Why.
        reason: NotNow,
    },
    /// The server revoked this device: contacts and everything that the server has are gone from here, what is unsent waits for an
    /// enrolment under a new id.
    Revoked,
    /// The tester must sign in again. Nothing is lost.
    SignInNeeded,
    /// The server answers in a way that trying again does not mend (an app too old, a role withdrawn). Nothing is lost.
    Stopped {
        /// Why.
        problem: Rejection,
    },
}

/// What a sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct SyncSummary {
    /// Round trips applied.
    pub rounds: u64,
    /// Commands that the server applied.
    pub commands_accepted: u64,
    /// Commands that it did not.
    pub commands_rejected: u64,
    /// Blocks that became evidence.
    pub blocks_stored: u64,
    /// Blocks that the server keeps apart.
    pub blocks_quarantined: u64,
    /// Blocks that only the phone keeps.
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
}

impl SyncSummary {
    fn add(&mut self, round: &Self) {
        self.rounds += round.rounds;
        self.commands_accepted += round.commands_accepted;
        self.commands_rejected += round.commands_rejected;
        self.blocks_stored += round.blocks_stored;
        self.blocks_quarantined += round.blocks_quarantined;
        self.blocks_refused += round.blocks_refused;
        self.orders_changed += round.orders_changed;
        self.orders_left += round.orders_left;
        self.clock_ahead_ms = round.clock_ahead_ms;
    }
}

/// What may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EngineConfig {
    /// How long to wait after failures.
    pub backoff: BackoffConfig,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Waiting { until: Timestamp },
    InFlight { id: RequestId, purpose: Purpose },
}

#[derive(Debug)]
enum Purpose {
    Round(SentRound),
    Refresh,
    Photo(photos::PhotoStep),
}

/// From one wish to sync until everything is done.
#[derive(Debug, Default)]
struct Run {
    summary: SyncSummary,
    /// At least one round was applied, so that the phone has asked for what is new.
    has_pulled: bool,
    /// The server said that more changes wait.
    has_more: bool,
    /// The last round decided nothing: what still waits is left for the next run.
    is_stalled: bool,
    /// The token was renewed and has not served since.
    has_refreshed: bool,
    /// The server could not read a request of so many items; an empty one is tried, to tell whether the items are to blame.
    suspects: Option<usize>,
    /// An empty request was answered well.
    is_envelope_proven: bool,
    /// The protocol version that the server asked for, where it does not speak the newest.
    version: Option<u8>,
    /// The phone held something else than the server said, and asked again; once a run, so that a fault cannot loop.
    has_disagreed: bool,
    /// The server failed at an empty request, too: no item is to blame.
    is_server_failing: bool,
    photos: PhotoRun,
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    device: Device,
    last_request: u64,
    phase: Phase,
    run: Run,
    failures: u32,
    limits: RoundLimits,
    chunk_bytes: u64,
    network: Network,
}

type Instructions = Result<Vec<Instruction>, StoreError>;

impl Engine {
    /// An engine at rest.
    pub fn new(config: EngineConfig, device: Device) -> Self {
        Self {
            config,
            device,
            last_request: 0,
            phase: Phase::Idle,
            run: Run::default(),
            failures: 0,
            limits: RoundLimits { block_bytes: BLOCK_BYTES_MAX, items: ITEMS_MAX },
            chunk_bytes: photos::CHUNK_BYTES_FIRST,
            network: Network::default(),
        }
    }

    /// Nothing is in flight and nothing is waited for.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Takes an event and says what to do.
    ///
    /// # Errors
    /// [`StoreError`]; the engine is then idle, and whatever was in flight will be sent again by the next sync.
    pub fn handle(&mut self, store: &mut Store, moment: Moment, event: Event) -> Instructions {
        let result = match event {
            Event::SyncWanted { by_person } => self.sync_wanted(store, moment, by_person),
            Event::TimerFired => match self.phase {
                Phase::Waiting { until } if moment.now >= until => self.next(store, moment),
                Phase::Waiting { until } => Ok(vec![Instruction::WaitUntil(until)]),
                Phase::Idle | Phase::InFlight { .. } => Ok(vec![]),
            },
            Event::NetworkChanged(network) => self.network_changed(store, moment, network),
            Event::HttpDone { id, response } => match self.take_in_flight(id) {
                Some(purpose) => self.answered(store, moment, purpose, &response),
                None => Ok(vec![]),
            },
            Event::HttpFailed { id, reason } => match self.take_in_flight(id) {
                Some(_) => Ok(self.failed(moment, reason, None)),
                None => Ok(vec![]),
            },
        };
        if result.is_err() {
            self.phase = Phase::Idle;
        }
        result
    }

    fn sync_wanted(&mut self, store: &mut Store, moment: Moment, by_person: bool) -> Instructions {
        match self.phase {
            // What is queued meanwhile is found when the answer is there.
            Phase::InFlight { .. } => {
                self.run.has_pulled = false;
                Ok(vec![])
            }
            Phase::Waiting { until } if !by_person && until > moment.now => Ok(vec![Instruction::WaitUntil(until)]),
            Phase::Idle | Phase::Waiting { .. } => {
                if by_person {
                    store.write(deferral_clear)?;
                } else if let Some(reason) = not_now(store, self.network)? {
                    self.phase = Phase::Idle;
                    return Ok(vec![Instruction::Report(Progress::NotNow { reason })]);
                }
                let not_before = sync_state_get(store.connection())?.not_before;
                self.run = Run::default();
                match not_before {
                    Some(until) if !by_person && until > moment.now => {
                        self.phase = Phase::Waiting { until };
                        Ok(vec![Instruction::WaitUntil(until)])
                    }
                    _ => self.next(store, moment),
                }
            }
        }
    }

    fn take_in_flight(&mut self, answered: RequestId) -> Option<Purpose> {
        match &self.phase {
            // An answer to an earlier request that was given up already changes nothing.
            Phase::InFlight { id, .. } if *id == answered => {}
            Phase::InFlight { .. } | Phase::Idle | Phase::Waiting { .. } => return None,
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::InFlight { purpose, .. } => Some(purpose),
            Phase::Idle | Phase::Waiting { .. } => None,
        }
    }

    fn send(&mut self, purpose: Purpose, request: HttpRequest) -> Vec<Instruction> {
        self.phase = Phase::InFlight { id: request.id, purpose };
        vec![Instruction::Http(request)]
    }

    fn request_id(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    /// The next thing that is to be done.
    fn next(&mut self, store: &mut Store, moment: Moment) -> Instructions {
        self.phase = Phase::Idle;
        let account = account_get(store.connection())?;
        let Some((account, refresh_token)) =
            account.and_then(|account| account.refresh_token.clone().map(|token| (account, token)))
        else {
            return Ok(vec![Instruction::Report(Progress::SignInNeeded)]);
        };
        if !self.run.has_refreshed && is_token_due(store, &account, moment.now)? {
            return Ok(self.refresh(&refresh_token));
        }
        let Some(token) = account.access_token else { return Ok(self.refresh(&refresh_token)) };
        self.seal_out_of_scope(store, moment.now)?;
        if self.is_round_due(store, moment.now)? {
            let (request, sent) = round_request(store, &self.device, moment.now, self.limits)?;
            let request = HttpRequest {
                id: self.request_id(),
                method: Method::Post,
                path: "/v1/sync".to_owned(),
                headers: vec![
                    ("authorization", format!("Bearer {token}")),
                    ("content-type", MEDIA_TYPE.to_owned()),
                    ("accept", MEDIA_TYPE.to_owned()),
                ],
                body: {
                    let version = self.run.version.unwrap_or(PROTOCOL_VERSION);
                    frame_encode_as(version, &request.for_version(version))
                },
            };
            return Ok(self.send(Purpose::Round(sent), request));
        }
        if self.may_photos_travel(store)?
            && let Some((step, request)) = self.photo_next(store, moment, &token)?
        {
            return Ok(self.send(Purpose::Photo(step), request));
        }
        let summary = std::mem::take(&mut self.run).summary;
        Ok(vec![Instruction::Report(Progress::Finished { summary })])
    }

    fn refresh(&mut self, refresh_token: &str) -> Vec<Instruction> {
        let id = self.request_id();
        let request = tokens::refresh_request(id, refresh_token, &self.device);
        self.send(Purpose::Refresh, request)
    }

    fn is_round_due(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        if !self.run.has_pulled || self.run.has_more {
            return Ok(true);
        }
        if self.run.is_stalled {
            return Ok(false);
        }
        Ok(command_is_due(store.connection(), now)? || block_is_due(store.connection(), now)?)
    }

    /// Nobody will submit what was captured for an order that left; it is sealed and sent all the same (R-TEST-5).
    fn seal_out_of_scope(&self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        for test in field_test_list_unsealed_out_of_scope(store.connection())? {
            store.write(|connection| field_test_seal(connection, &self.device, test, now))?;
        }
        Ok(())
    }

    fn answered(
        &mut self,
        store: &mut Store,
        moment: Moment,
        purpose: Purpose,
        response: &HttpResponse,
    ) -> Instructions {
        if response.is_passing() || !(response.is_success() || response.is_problem() || is_photo_step(&purpose)) {
            // What is neither an answer nor a problem of ours comes from something in between, such as a captive portal.
            if let Purpose::Photo(step) = &purpose {
                self.photo_passing(step);
            }
            if let Purpose::Round(sent) = &purpose
                && let Some(instructions) = self.round_failed(store, moment, sent, response)?
            {
                return Ok(instructions);
            }
            let problem = response.problem();
            return Ok(self.failed(moment, problem.to_string(), response.retry_after_seconds()));
        }
        match purpose {
            Purpose::Refresh => self.refresh_answered(store, moment, response),
            Purpose::Round(_) | Purpose::Photo(_) if response.status == 401 => {
                // Once: a token that was just renewed and is refused again will not get better.
                match account_get(store.connection())?.and_then(|account| account.refresh_token) {
                    Some(token) if !self.run.has_refreshed => Ok(self.refresh(&token)),
                    _ => Ok(self.stopped(response.problem())),
                }
            }
            Purpose::Round(sent) => self.round_answered(store, moment, &sent, response),
            Purpose::Photo(step) => {
                self.run.has_refreshed = false;
                let mut instructions = self.photo_answered(store, moment, &step, response)?;
                if self.is_idle() {
                    instructions.extend(self.next(store, moment)?);
                }
                Ok(instructions)
            }
        }
    }

    fn refresh_answered(&mut self, store: &mut Store, moment: Moment, response: &HttpResponse) -> Instructions {
        match response.status {
            200 => {
                let account = account_get(store.connection())?;
                let Some((answer, account)) = TokensAnswer::read(response).zip(account) else {
                    return Ok(self.failed(moment, "the server's answer could not be read".to_owned(), None));
                };
                store.write(|connection| account_put(connection, &answer.renew(account)))?;
                self.failures = 0;
                self.run.has_refreshed = true;
                self.next(store, moment)
            }
            401 | 403 if response.is_problem() && response.problem().problem == ProblemType::DeviceRevoked => {
                store.device_revoke(moment.now)?;
                self.run = Run::default();
                Ok(vec![Instruction::Report(Progress::Revoked)])
            }
            401 | 403 => {
                store.write(account_tokens_clear)?;
                self.run = Run::default();
                Ok(vec![Instruction::Report(Progress::SignInNeeded)])
            }
            _ => Ok(self.stopped(response.problem())),
        }
    }

    /// Trying again does not help; the next sync begins anew.
    fn stopped(&mut self, problem: Rejection) -> Vec<Instruction> {
        self.run = Run::default();
        self.limits.items = ITEMS_MAX;
        vec![Instruction::Report(Progress::Stopped { problem })]
    }

    fn round_answered(
        &mut self,
        store: &mut Store,
        moment: Moment,
        sent: &SentRound,
        response: &HttpResponse,
    ) -> Instructions {
        match response.status {
            200 => {
                // On the networks that testers use, pages of captive portals come as answers, too.
                let message = (response.media_type() == Some(MEDIA_TYPE))
                    .then(|| frame_decode::<SyncResponse>(&response.body).ok())
                    .flatten();
                let Some(message) = message else {
                    let reason = "the answer did not come from the server, or not whole".to_owned();
                    return Ok(self.failed(moment, reason, None));
                };
                let applied = round_apply(store, sent, &message, moment.now, &mut self.run.summary)?;
                self.failures = 0;
                self.limits.block_bytes = (self.limits.block_bytes * 2).min(BLOCK_BYTES_MAX);
                match self.run.suspects.take() {
                    Some(suspects) => {
                        self.run.is_envelope_proven = true;
                        self.limits.items = (suspects / 2).max(1);
                    }
                    None => self.limits.items = (self.limits.items * 2).clamp(1, ITEMS_MAX),
                }
                self.run.has_refreshed = false;
                self.run.has_pulled = true;
                let asks_again = applied.disagrees && !std::mem::replace(&mut self.run.has_disagreed, true);
                self.run.has_more = applied.has_more && applied.is_progress || asks_again;
                self.run.is_stalled = !applied.is_progress && sent.item_count() > 0;
                let mut instructions = vec![Instruction::Report(Progress::RoundDone { summary: self.run.summary })];
                instructions.extend(self.next(store, moment)?);
                Ok(instructions)
            }
            400 | 413 | 422 if sent.item_count() > 0 && !self.run.is_envelope_proven => {
                // Are the items to blame, or everything that this phone sends?
                self.run.suspects = Some(sent.item_count());
                self.limits.items = 0;
                self.next(store, moment)
            }
            400 | 413 | 422 if sent.item_count() > 1 => {
                // Something in it cannot be read: halve until it is found, so that it does not hold up the rest.
                self.limits.items = sent.item_count() / 2;
                self.next(store, moment)
            }
            400 | 413 | 422 if sent.item_count() == 1 => {
                item_set_aside(store, sent, &response.problem(), moment.now, &mut self.run.summary)?;
                self.next(store, moment)
            }
            426 if self.run.version.is_none()
                && let Some(version) = response.header(VERSIONS_HEADER).and_then(version_in_common)
                && version != PROTOCOL_VERSION =>
            {
                // A server that is not updated yet, for one: the same in the version that it serves.
                self.run.version = Some(version);
                self.next(store, moment)
            }
            _ => {
                let problem = if response.status == ProblemType::UnsupportedVersion.status() {
                    Rejection::new(ProblemType::UnsupportedVersion, "the app must be updated; nothing is lost")
                } else {
                    response.problem()
                };
                Ok(self.stopped(problem))
            }
        }
    }

    /// No whole answer, or one that may be another later. Smaller pieces are tried next: they get through where large ones do not.
    fn failed(&mut self, moment: Moment, reason: String, retry_after_seconds: Option<u64>) -> Vec<Instruction> {
        self.failures = self.failures.saturating_add(1);
        self.limits.block_bytes = (self.limits.block_bytes / 2).max(BLOCK_BYTES_MIN);
        self.chunk_bytes = (self.chunk_bytes / 2).max(photos::CHUNK_BYTES_MIN);
        self.run.photos.forget_offset();
        let at = self.config.backoff.until(moment.now, self.failures, moment.random, retry_after_seconds);
        self.phase = Phase::Waiting { until: at };
        vec![Instruction::Report(Progress::WillRetry { reason, at }), Instruction::WaitUntil(at)]
    }
}

/// Answers to uploads are judged by their status: one to HEAD has no body that could tell a problem.
fn is_photo_step(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Photo(_))
}

/// The access token ends soon, by the server's clock as far as it is known: better to renew it than to send a large request twice.
fn is_token_due(store: &Store, account: &Account, now: Timestamp) -> Result<bool, StoreError> {
    let server_now = now.plus_millis(-sync_state_get(store.connection())?.clock_ahead_ms);
    Ok(account.access_expires_at <= server_now.plus_seconds(TOKEN_MARGIN_SECONDS))
}
