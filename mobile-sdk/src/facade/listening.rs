//! Listening for the server's wake-ups: something waits, so the phone syncs at once instead of asking now and then.

use super::{BackgroundSync, Phone, PhoneError};
use crate::engine::{ListenEnd, ListenEvent, ListenInstruction, ListenProgress, ListenSync, Listener, Moment, NotNow};
use crate::env::random_u64;
use crate::transport::listening::{Answered, ListenControl, StreamTransport};
use std::io::Read;

/// What is read of a stream at a time; a wake-up is much smaller.
const READ_BYTES: usize = 1_024;

impl Phone {
    /// Syncs, and then again whenever the server says that something waits, until `control` ends it. Comes back by itself, with
    /// growing pauses, when the line breaks; waits without any network; syncs as [`Phone::sync_in_background`] does. For an app in
    /// the foreground, on a thread of its own and with a handle of its own ([`Phone::beside`]).
    ///
    /// # Errors
    /// [`PhoneError::SignInNeeded`], also after signing out; [`PhoneError::DeviceRevoked`]; [`PhoneError::Server`], as from a server
    /// that has no wake-ups.
    pub fn listen(
        &mut self,
        transport: &mut dyn StreamTransport,
        control: &ListenControl,
        on_progress: &mut dyn FnMut(&ListenProgress),
    ) -> Result<(), PhoneError> {
        let mut listener = Listener::new(self.config.backoff, self.engine.network());
        let mut stream: Option<Box<dyn Read + Send>> = None;
        let mut event = ListenEvent::Wanted;
        while !control.is_stopped() {
            if let Some(network) = control.network_take() {
                self.set_network(network);
                // What the listener was waiting for belongs to the former network; a sync that has just ended does not.
                if !matches!(event, ListenEvent::Wanted | ListenEvent::Synced(_)) {
                    event = ListenEvent::NetworkChanged(network);
                } else {
                    listener.network_set(network);
                }
            }
            let moment = Moment { now: self.env.now(), random: random_u64(self.env.as_ref()) };
            let mut next = None;
            for instruction in listener.handle(&self.store, moment, event)? {
                next = match instruction {
                    ListenInstruction::Report(progress) => {
                        on_progress(&progress);
                        continue;
                    }
                    ListenInstruction::HangUp => {
                        stream = None;
                        continue;
                    }
                    ListenInstruction::Listen(request) => Some(match transport.listen(&request, control) {
                        Ok(Answered { response, stream: opened }) => {
                            stream = opened;
                            ListenEvent::Answered(response)
                        }
                        Err(error) => ListenEvent::Ended { reason: error.to_string() },
                    }),
                    ListenInstruction::Read => Some(read(&mut stream)),
                    ListenInstruction::Sync => Some(ListenEvent::Synced(self.listen_sync(transport)?)),
                    ListenInstruction::WaitUntil(until) => {
                        self.env.wait_until(until, control);
                        Some(ListenEvent::TimerFired)
                    }
                    ListenInstruction::WaitForNetwork => {
                        control.wait(None);
                        Some(ListenEvent::TimerFired)
                    }
                    ListenInstruction::End(end) => {
                        return Err(match end {
                            ListenEnd::SignInNeeded => PhoneError::SignInNeeded,
                            ListenEnd::Revoked => PhoneError::DeviceRevoked,
                            ListenEnd::Stopped(problem) => PhoneError::Server(problem),
                        });
                    }
                };
            }
            // Every list ends with something to wait for; a listener that falls silent has nothing more to do.
            let Some(came) = next else { return Ok(()) };
            event = came;
        }
        Ok(())
    }

    fn listen_sync(&mut self, transport: &mut dyn StreamTransport) -> Result<ListenSync, PhoneError> {
        Ok(match self.sync_in_background(transport, 0, &mut |_| {}) {
            Ok(BackgroundSync::Done(summary)) => ListenSync::Done(summary),
            Ok(BackgroundSync::NotNow(reason)) => ListenSync::NotNow(reason),
            Err(PhoneError::Network { reason, retry_at }) => match retry_at {
                Some(at) => ListenSync::Later { reason, at },
                None => ListenSync::NotNow(NotNow::NoNetwork),
            },
            Err(PhoneError::SyncRunning) => ListenSync::Busy,
            Err(PhoneError::SignInNeeded) => ListenSync::SignInNeeded,
            Err(PhoneError::DeviceRevoked) => ListenSync::Revoked,
            Err(PhoneError::Server(problem)) => ListenSync::Stopped(problem),
            Err(other) => return Err(other),
        })
    }
}

fn read(stream: &mut Option<Box<dyn Read + Send>>) -> ListenEvent {
    let Some(open) = stream else { return ListenEvent::Ended { reason: "there is no stream".to_owned() } };
    let mut bytes = vec![0; READ_BYTES];
    match open.read(&mut bytes) {
        Ok(0) => ListenEvent::Ended { reason: "the stream of wake-ups ended".to_owned() },
        Ok(count) => {
            bytes.truncate(count);
            ListenEvent::Heard(bytes)
        }
        Err(error) => ListenEvent::Ended { reason: format!("the stream of wake-ups broke: {error}") },
    }
}
