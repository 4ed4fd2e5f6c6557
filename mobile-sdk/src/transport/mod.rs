//! The host's side: carries out the engine's instructions over a blocking [`Transport`].
//!
//! A simulation brings its own transport and environment and gets the very same phone. What does not belong here: any decision.

pub mod http_client;
pub mod listening;

use crate::engine::{Engine, Event, HttpRequest, HttpResponse, Instruction, Moment, NotNow, Progress, SyncSummary};
use crate::env::{Env, random_u64};
use crate::store::{Store, StoreError};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use serde::Serialize;
use std::fmt::Debug;

/// Bytes and requests on the wire, as far as the transport sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Traffic {
    /// Requests begun.
    pub requests: u64,
    /// Bytes sent, headers included.
    pub bytes_sent: u64,
    /// Bytes received, headers included.
    pub bytes_received: u64,
}

/// No whole answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// Sends a request and waits for the whole answer.
pub trait Transport: Debug {
    /// Any status is an answer.
    ///
    /// # Errors
    /// No whole answer came; the server may have received the request all the same.
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError>;

    /// What went over the wire so far.
    fn traffic(&self) -> Traffic;
}

/// How a sync ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncEnd {
    /// Everything that can be sent is sent, everything new is here.
    Finished(SyncSummary),
    /// Sign in again.
    SignInNeeded,
    /// The device was revoked.
    Revoked,
    /// The app wanted it by itself, and it is not the time.
    NotNow(NotNow),
    /// Trying again does not help.
    Stopped(Rejection),
    /// Patience ran out.
    GaveUp {
        /// Why the last try failed.
        reason: String,
        /// When the engine would try again.
        retry_at: Timestamp,
        /// What was done until then.
        summary: SyncSummary,
    },
}

/// Runs one sync to its end, waiting for retries at most `waits_max` times.
pub(crate) fn drive(
    engine: &mut Engine,
    store: &mut Store,
    env: &dyn Env,
    transport: &mut dyn Transport,
    by_person: bool,
    waits_max: u32,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<SyncEnd, StoreError> {
    let mut events = std::collections::VecDeque::from([Event::SyncWanted { by_person }]);
    let mut waits = 0;
    let mut reason = String::new();
    let mut summary = SyncSummary::default();
    while let Some(event) = events.pop_front() {
        let moment = Moment { now: env.now(), random: random_u64(env) };
        for instruction in engine.handle(store, moment, event)? {
            match instruction {
                Instruction::Http(request) => events.push_back(match transport.send(&request) {
                    Ok(response) => Event::HttpDone { id: request.id, response },
                    Err(error) => Event::HttpFailed { id: request.id, reason: error.to_string() },
                }),
                Instruction::WaitUntil(retry_at) if waits >= waits_max => {
                    return Ok(SyncEnd::GaveUp { reason, retry_at, summary });
                }
                Instruction::WaitUntil(until) => {
                    waits += 1;
                    env.sleep_until(until);
                    events.push_back(Event::TimerFired);
                }
                Instruction::Report(progress) => {
                    on_progress(&progress);
                    match progress {
                        Progress::Finished { summary } => return Ok(SyncEnd::Finished(summary)),
                        Progress::SignInNeeded => return Ok(SyncEnd::SignInNeeded),
                        Progress::Revoked => return Ok(SyncEnd::Revoked),
                        Progress::NotNow { reason } => return Ok(SyncEnd::NotNow(reason)),
                        Progress::Stopped { problem } => return Ok(SyncEnd::Stopped(problem)),
                        Progress::WillRetry { reason: told, .. } => reason = told,
                        Progress::RoundDone { summary: so_far } => {
                            // Something got through, so patience begins anew.
                            summary = so_far;
                            waits = 0;
                        }
                        Progress::PhotoProgress { .. } => waits = 0,
                    }
                }
            }
        }
    }
    // Every chain of instructions ends in a report that returns above; an engine that falls silent has nothing more to do.
    Ok(SyncEnd::Finished(summary))
}
