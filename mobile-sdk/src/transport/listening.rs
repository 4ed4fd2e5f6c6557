//! The host's side of listening: a transport that holds a stream open, and the handle by which another thread ends it.

use super::{Transport, TransportError};
use crate::engine::{HttpRequest, HttpResponse, Network};
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What came of a request for a stream.
pub struct Answered {
    /// Status and headers; the body, too, where it is no stream.
    pub response: HttpResponse,
    /// The stream. Reading waits for bytes, gives 0 at the end, and fails when nothing has come for too long or the line was cut.
    pub stream: Option<Box<dyn Read + Send>>,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answered({:?}, {})", self.response, if self.stream.is_some() { "a stream" } else { "whole" })
    }
}

/// A transport that can hold one stream open while it sends other requests.
pub trait StreamTransport: Transport {
    /// Opens a stream. An answer with another status than 200 is read whole. The stream ends when `control` cuts the line.
    ///
    /// # Errors
    /// No answer came.
    fn listen(&mut self, request: &HttpRequest, control: &ListenControl) -> Result<Answered, TransportError>;
}

/// Cuts a stream's line, from any thread and more than once.
type Cut = Box<dyn Fn() + Send>;

#[derive(Default)]
struct Wishes {
    is_stopped: bool,
    network: Option<Network>,
    cut: Option<Cut>,
}

/// Ends listening, or tells it of another network, from any thread. Clones are the same control.
#[derive(Clone, Default)]
pub struct ListenControl(Arc<(Mutex<Wishes>, Condvar)>);

impl fmt::Debug for ListenControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListenControl(stopped: {})", self.is_stopped())
    }
}

impl ListenControl {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        let mut wishes = self.wishes();
        change(&mut wishes);
        if let Some(cut) = wishes.cut.take() {
            cut();
        }
        self.0.1.notify_all();
    }

    /// Both are clones of one control.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Ends listening: now where it waits for the server or for a time, else after the sync that runs.
    pub fn stop(&self) {
        self.wish(|wishes| wishes.is_stopped = true);
    }

    /// Tells which network the phone is on now. A stream over the former one is given up.
    pub fn set_network(&self, network: Network) {
        self.wish(|wishes| wishes.network = Some(network));
    }

    /// Listening was ended.
    pub fn is_stopped(&self) -> bool {
        self.wishes().is_stopped
    }

    /// The network that was told last and has not been looked at.
    pub(crate) fn network_take(&self) -> Option<Network> {
        self.wishes().network.take()
    }

    /// For transports: how to cut the line that is being opened. Cut at once if something was wished meanwhile.
    pub fn line_open(&self, cut: impl Fn() + Send + 'static) {
        let mut wishes = self.wishes();
        if wishes.is_stopped || wishes.network.is_some() {
            cut();
        } else {
            wishes.cut = Some(Box::new(cut));
        }
    }

    /// Returns when something is wished; at the latest after `patience`, if there is an end to it.
    pub fn wait(&self, patience: Option<Duration>) {
        let is_idle = |wishes: &mut Wishes| !wishes.is_stopped && wishes.network.is_none();
        let (wishes, changed) = (self.wishes(), &self.0.1);
        match patience {
            Some(patience) => drop(changed.wait_timeout_while(wishes, patience, is_idle)),
            None => drop(changed.wait_while(wishes, is_idle)),
        }
    }
}
