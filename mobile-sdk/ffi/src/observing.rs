//! Telling the app what changed: a thread for each observation waits for the store's signal and asks the watch then.
//!
//! Nothing is locked while the app is told, so that it may call the phone from there. However slow the app is, changes are merged, not
//! queued: the next call brings how things are then.

use crate::orders::Order;
use crate::phone::{Inner, PhoneCore};
use crate::{ListenerError, PhoneError, Reason};
use callout_mobile_sdk::facade::{self, OrderWatch};
use callout_sync_protocol::ids::WorkOrderId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Writes of other processes raise no signal here; they are noticed after so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// One order's change.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
#[allow(clippy::large_enum_variant, reason = "what crosses to the languages is copied anyway")]
pub enum OrderChange {
    /// It is new here, or anything about it is another than before; all of it.
    Shown {
        /// As it is now.
        order: Order,
    },
    /// It is not on the phone any more.
    Gone {
        /// Which.
        order_id: WorkOrderId,
    },
}

/// Is told what changes, on a thread of its own.
#[uniffi::export(with_foreign)]
pub trait OrderObserver: Send + Sync {
    /// What changed since the last call; everything the first time, even if that is nothing.
    fn on_changes(&self, changes: Vec<OrderChange>) -> Result<(), ListenerError>;

    /// It is over, and no further call follows. Without a reason: the app ended it, or shut the phone.
    fn on_ended(&self, reason: Option<Reason>) -> Result<(), ListenerError>;
}

/// A running observation. It ends when it is stopped, when the phone is shut, or when the observer fails.
#[derive(uniffi::Object)]
pub struct Observation {
    inner: Arc<Inner>,
    is_stopped: Arc<AtomicBool>,
}

#[uniffi::export]
impl Observation {
    /// Ends it. At most one call that has begun already may still come to its end.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.inner.signal.raise();
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Until the observation ends; says why, if not because the app wanted it.
fn observe(inner: &Inner, is_stopped: &AtomicBool, observer: &dyn OrderObserver) -> Option<Reason> {
    let mut watch = OrderWatch::default();
    let mut is_first = true;
    loop {
        // Before asking: a write in between wakes at once.
        let seen = inner.signal.count();
        let changes = inner.act(|phone| phone.order_changes(&mut watch));
        if is_stopped.load(Ordering::Acquire) {
            return None;
        }
        let told = match changes {
            Ok(changes) if changes.is_empty() && !is_first => Ok(()),
            Ok(changes) => observer.on_changes(changes.into_iter().map(OrderChange::from).collect()),
            // The app did that.
            Err(PhoneError::Closed { .. }) => return None,
            Err(error) => return Some(error.into_reason()),
        };
        if told.is_err() {
            return None;
        }
        is_first = false;
        inner.signal.wait(seen, PATIENCE);
    }
}

impl From<facade::OrderChange> for OrderChange {
    fn from(change: facade::OrderChange) -> Self {
        match change {
            facade::OrderChange::Shown { order } => Self::Shown { order: (*order).into() },
            facade::OrderChange::Gone { id } => Self::Gone { order_id: id },
        }
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Tells `observer` of all orders, and then of every change of them, whoever makes it. Keep what is returned: dropping it stops.
    pub fn observe_orders(&self, observer: Arc<dyn OrderObserver>) -> Result<Arc<Observation>, PhoneError> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (inner, stopped) = (self.inner.clone(), is_stopped.clone());
        let telling = self.inner.telling();
        std::thread::Builder::new()
            .name("callout-orders".to_owned())
            .spawn(move || {
                telling.begin();
                let reason = observe(&inner, &stopped, observer.as_ref());
                // There is nobody else to tell.
                let _ = observer.on_ended(reason);
                drop(observer);
                drop(telling);
            })
            .map_err(|error| PhoneError::Storage {
                is_full: false,
                reason: Reason::new(format!("no thread could be started: {error}"), "无法启动线程"),
            })?;
        Ok(Arc::new(Observation { inner: self.inner.clone(), is_stopped }))
    }
}
