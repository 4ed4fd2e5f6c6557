//! Listening for the server's wake-ups, on a thread of its own with a handle of its own: a sync that a person wants is not held up.

use crate::phone::{Inner, PhoneCore};
use crate::places::system_time;
use crate::sync::NotNow;
use crate::{ListenerError, PhoneError, Reason};
use callout_mobile_sdk::facade::{ListenControl, ListenProgress};
use std::sync::Arc;
use std::time::SystemTime;

/// Something worth showing while the phone listens. What a wake-up brought, an observation of orders tells.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ListenEvent {
    /// The server tells from now on.
    Connected,
    /// Something waited, and is here now.
    Synced {
        /// Orders that are new or changed.
        orders_changed: u64,
        /// Orders that left.
        orders_left: u64,
    },
    /// It did not work and will be tried again.
    WillRetry {
        /// Why, for people.
        reason: String,
        /// When.
        at: SystemTime,
    },
    /// Nothing is tried until the network changes.
    Postponed {
        /// Why.
        why: NotNow,
    },
}

impl From<&ListenProgress> for ListenEvent {
    fn from(progress: &ListenProgress) -> Self {
        match progress {
            ListenProgress::Connected => Self::Connected,
            ListenProgress::Synced { summary } => {
                Self::Synced { orders_changed: summary.orders_changed, orders_left: summary.orders_left }
            }
            ListenProgress::WillRetry { reason, at } => {
                Self::WillRetry { reason: reason.clone(), at: system_time(*at) }
            }
            ListenProgress::NotNow { reason } => Self::Postponed { why: (*reason).into() },
        }
    }
}

/// Why the phone listens no more, although the app did not end it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ListenEnd {
    /// Sign in (again), and listen anew.
    SignInNeeded {
        /// The same in words.
        reason: Reason,
    },
    /// An administrator revoked this device.
    DeviceRevoked {
        /// The same in words.
        reason: Reason,
    },
    /// Trying again does not help, as with a server that has no wake-ups, or a store that cannot be read.
    Failed {
        /// Why.
        reason: Reason,
    },
}

impl From<PhoneError> for ListenEnd {
    fn from(error: PhoneError) -> Self {
        match error {
            PhoneError::SignInNeeded { reason } => Self::SignInNeeded { reason },
            PhoneError::DeviceRevoked { reason } => Self::DeviceRevoked { reason },
            other => Self::Failed { reason: other.into_reason() },
        }
    }
}

/// Is told how listening goes, on the thread that listens.
#[uniffi::export(with_foreign)]
pub trait WakeUpListener: Send + Sync {
    /// Something to show. A listener that fails ends the listening.
    fn on_event(&self, event: ListenEvent) -> Result<(), ListenerError>;

    /// It is over, and no further call follows. Without a reason: the app ended it, or shut the phone.
    fn on_ended(&self, end: Option<ListenEnd>) -> Result<(), ListenerError>;
}

/// A phone that listens. It ends when it is stopped or dropped, and when the phone is shut.
#[derive(uniffi::Object)]
pub struct Listening {
    control: ListenControl,
}

#[uniffi::export]
impl Listening {
    /// Ends it: at once where it waits, after the sync where one runs.
    pub fn stop(&self) {
        self.control.stop();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Syncs now, and then whenever the server says that something waits; comes back by itself when the line breaks, and heeds the
    /// network that `set_network` tells of. Keep what is returned: dropping it stops.
    pub fn listen(&self, listener: Arc<dyn WakeUpListener>) -> Result<Arc<Listening>, PhoneError> {
        let (mut phone, mut client) = self.inner.handle_beside()?;
        let control = self.inner.control_new();
        let listening = Arc::new(Listening { control: control.clone() });
        let inner: Arc<Inner> = self.inner.clone();
        let telling = self.inner.telling();
        std::thread::Builder::new()
            .name("callout-wake-ups".to_owned())
            .spawn(move || {
                telling.begin();
                let ended = phone.listen(&mut client, &control, &mut |progress| {
                    if listener.on_event(progress.into()).is_err() {
                        control.stop();
                    }
                });
                drop(phone);
                inner.control_forget(&control);
                let end = ended.err().filter(|_| !control.is_stopped());
                // There is nobody else to tell.
                let _ = listener.on_ended(end.map(|error| PhoneError::from(error).into()));
                drop(listener);
                drop(telling);
            })
            .map_err(|error| PhoneError::Storage {
                is_full: false,
                reason: Reason::new(format!("no thread could be started: {error}"), "无法启动线程"),
            })?;
        Ok(listening)
    }
}
