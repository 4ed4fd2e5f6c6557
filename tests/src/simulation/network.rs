//! The network between a phone and a server: loses, repeats, cuts and delays what it is told to, and remembers what it saw.
//!
//! What it remembers serves two ends: old requests arrive again later, and answers are compared, also those that no phone heard.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::VirtualClock;
use super::operations::Fault;
use super::server::Server;
use crate::medium::Medium;
use callout_mobile_sdk::engine::{HttpRequest, HttpResponse};
use callout_mobile_sdk::transport::{Traffic, Transport, TransportError};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::CommandId;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::sync::{BlockResult, CommandResult, SyncRequest, SyncResponse};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// So many requests of a phone are remembered for repetition.
const HISTORY: usize = 24;

/// A round trip.
const SYNC_PATH: &str = "/v1/sync";
/// Renews the tokens.
pub const REFRESH_PATH: &str = "/v1/sessions/refresh";

/// What was seen on the wire, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Record {
    /// What became of each command, the first time that a server said so.
    pub outcomes: BTreeMap<CommandId, CommandResult>,
    /// What became of each block, as a server last said.
    pub blocks: BTreeMap<BlockHash, BlockResult>,
    /// Requests that reached a server.
    pub messages: u64,
    /// Answers that made a phone start over although its cursor was at the feed's end.
    pub disagreements: u64,
    /// What must not be.
    pub violations: Vec<String>,
    trace: DefaultHasher,
}

impl Record {
    /// One number for everything that was said: two runs of the same operations give the same.
    pub fn digest(&self) -> u64 {
        self.trace.finish()
    }

    /// Notes a request and its answer.
    pub fn note(&mut self, method: &str, path: &str, body: &[u8], response: &HttpResponse) {
        self.messages += 1;
        (method, path, body, response.status, &response.body).hash(&mut self.trace);
        if response.status >= 500 {
            let text = String::from_utf8_lossy(&response.body);
            self.violations.push(format!("{method} {path} was answered with {}: {text}", response.status));
        }
        if path == SYNC_PATH
            && response.status == 200
            && let (Ok(request), Ok(answer)) =
                (frame_decode::<SyncRequest>(body), frame_decode::<SyncResponse>(&response.body))
        {
            self.note_sync(&request, &answer);
        }
    }

    fn note_sync(&mut self, request: &SyncRequest, answer: &SyncResponse) {
        let asked: Vec<CommandId> = request.commands.iter().map(|command| command.id).collect();
        let answered: Vec<CommandId> = answer.outcomes.iter().map(|outcome| outcome.id).collect();
        if asked != answered || request.blocks.len() != answer.block_outcomes.len() {
            self.violations.push("an answer does not speak of just what the request held".to_owned());
        }
        for outcome in &answer.outcomes {
            let first = self.outcomes.entry(outcome.id).or_insert_with(|| outcome.result.clone());
            if *first != outcome.result {
                self.violations
                    .push(format!("{}: the outcome was {first:?} and is now {:?}", outcome.id, outcome.result));
            }
        }
        for outcome in &answer.block_outcomes {
            let before = self.blocks.insert(outcome.hash, outcome.result.clone());
            let is_worse = match (&before, &outcome.result) {
                (Some(BlockResult::Stored {}), now) => *now != BlockResult::Stored {},
                (Some(BlockResult::Quarantined { .. }), now) => matches!(now, BlockResult::Refused { .. }),
                _ => false,
            };
            if is_worse {
                self.violations.push(format!("a block was {before:?} and is now {:?}", outcome.result));
            }
        }
        let is_at_end = request.cursor == Some(answer.cursor);
        self.disagreements += u64::from(answer.reset && is_at_end);
        if let (Some(sent), false) = (request.cursor, answer.reset)
            && (sent.epoch != answer.cursor.epoch || answer.cursor.number < sent.number)
        {
            self.violations.push(format!("without a reset the cursor went from {sent:?} to {:?}", answer.cursor));
        }
    }
}

/// The requests of one phone, the newest last.
pub type History = VecDeque<HttpRequest>;

/// When servers end in the middle of what they do.
#[derive(Debug, Default)]
pub struct ServerEnds {
    /// The medium beneath the database and the photos, where it is SQLite's.
    pub medium: Option<Medium>,
    /// The process is killed when it has waited so often more.
    pub waits: Option<u64>,
    /// The process that a phone spoke to was killed.
    pub is_killed: bool,
}

impl ServerEnds {
    /// The power of the servers' machine has failed.
    pub fn is_without_power(&self) -> bool {
        self.medium.as_ref().is_some_and(Medium::is_dead)
    }
}

/// One phone's connection during one sync.
pub struct Wire<'a> {
    /// The server at the other end.
    pub server: &'a Server,
    /// The world's clock.
    pub clock: &'a VirtualClock,
    /// What is remembered of this phone's requests.
    pub history: &'a mut History,
    /// What was seen.
    pub record: &'a mut Record,
    /// The phone asks for so many changes at once, so that small worlds have pages, too.
    pub changes_a_page: u32,
    /// Nothing gets through.
    pub is_parted: bool,
    /// What happens to the next messages.
    pub faults: VecDeque<Fault>,
    /// How the servers end, if they do.
    pub ends: &'a mut ServerEnds,
}

impl std::fmt::Debug for Wire<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

/// A request reaches a server, whole or in part. No answer if the server ends before it has one.
pub fn deliver(
    server: &Server,
    ends: &mut ServerEnds,
    record: &mut Record,
    request: &HttpRequest,
    bytes: usize,
) -> Option<HttpResponse> {
    if ends.is_killed || ends.is_without_power() {
        return None;
    }
    let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = &request.body[..bytes];
    let response = server.call_until(request.method.as_str(), &request.path, &headers, body, &mut ends.waits);
    if response.is_none() {
        ends.is_killed = true;
        ends.waits = None;
    }
    let response = response.filter(|_| !ends.is_without_power())?;
    record.note(request.method.as_str(), &request.path, body, &response);
    Some(response)
}

fn part(length: usize, thousandths: u16) -> usize {
    length * usize::from(thousandths.min(999)) / 1_000
}

impl Wire<'_> {
    /// The same request from a phone that wants fewer changes at once.
    fn paged(&self, request: &HttpRequest) -> HttpRequest {
        let mut request = request.clone();
        if request.path == SYNC_PATH {
            let message: SyncRequest = frame_decode(&request.body).unwrap();
            request.body = frame_encode(&SyncRequest { max_changes: self.changes_a_page, ..message });
        }
        request
    }
}

impl Wire<'_> {
    fn deliver(&mut self, request: &HttpRequest, bytes: usize) -> Option<HttpResponse> {
        deliver(self.server, self.ends, self.record, request, bytes)
    }

    /// What the phone hears, if anything.
    fn carry(&mut self, request: &HttpRequest, fault: Fault) -> Option<HttpResponse> {
        let whole = request.body.len();
        match fault {
            Fault::None => self.deliver(request, whole),
            Fault::RequestLost => None,
            Fault::AnswerLost => {
                self.deliver(request, whole);
                None
            }
            Fault::TwiceFirstHeard => {
                let first = self.deliver(request, whole);
                self.deliver(request, whole);
                first
            }
            Fault::TwiceLastHeard => {
                self.deliver(request, whole);
                self.deliver(request, whole)
            }
            Fault::RequestCut(thousandths) => {
                self.deliver(request, part(whole, thousandths));
                None
            }
            Fault::AnswerCut(thousandths) => {
                let mut response = self.deliver(request, whole)?;
                response.body.truncate(part(response.body.len(), thousandths));
                Some(response)
            }
            Fault::Slow(seconds) => {
                self.clock.advance_seconds(seconds.into());
                let response = self.deliver(request, whole);
                self.clock.advance_seconds(seconds.into());
                response
            }
            Fault::ServerKilled(waits) => {
                self.ends.waits = Some(waits.into());
                self.deliver(request, whole);
                self.ends.waits = None;
                self.ends.is_killed = true;
                None
            }
            Fault::ServerPowerCut(steps) => {
                let Some(medium) = &self.ends.medium else { return self.deliver(request, whole) };
                medium.cut_after(steps.into());
                let response = self.deliver(request, whole);
                if let Some(medium) = &self.ends.medium {
                    medium.cut_never();
                }
                response
            }
        }
    }
}

impl Transport for Wire<'_> {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let request = &self.paged(request);
        self.clock.advance_seconds(1);
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(request.clone());
        let heard = if self.is_parted { None } else { self.carry(request, fault) };
        heard.ok_or_else(|| TransportError(format!("nothing came back: {fault:?}")))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
