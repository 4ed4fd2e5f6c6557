//! Watching orders: all of them at first, then what changed since, however many changes there were.
//!
//! A watch is asked, it does not call. Who wants to be called waits for the [`ChangeSignal`], on a thread of its own, and asks then;
//! that is how the bindings make a stream of it. Changes of another process show, too, whenever the watch is asked.

use super::{Phone, PhoneError};
use crate::local_order::LocalOrder;
use crate::store::ChangeSignal;
use callout_sync_protocol::ids::WorkOrderId;
use serde::Serialize;
use std::collections::BTreeMap;

/// One order's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum OrderChange {
    /// It is new here, or anything about it is another than before; all of it.
    Shown {
        /// As it is now.
        order: Box<LocalOrder>,
    },
    /// It is not on the phone any more.
    Gone {
        /// Which.
        id: WorkOrderId,
    },
}

/// What its owner has been told so far.
#[derive(Clone, Debug, Default)]
pub struct OrderWatch {
    told: BTreeMap<WorkOrderId, LocalOrder>,
    mark: Option<(u64, i64)>,
}

impl Phone {
    /// Raised after each change on this phone by this [`Phone`].
    pub fn change_signal(&self) -> ChangeSignal {
        self.store.change_signal()
    }

    /// What changed since the watch was last asked; everything the first time. Orders come as [`Phone::orders`] sorts them.
    ///
    /// # Errors
    /// [`PhoneError::Store`]; the watch has been told nothing then.
    pub fn order_changes(&self, watch: &mut OrderWatch) -> Result<Vec<OrderChange>, PhoneError> {
        let mark = self.store.change_mark()?;
        if watch.mark == Some(mark) {
            return Ok(vec![]);
        }
        let mut gone = std::mem::take(&mut watch.told);
        let mut changes = Vec::new();
        for order in self.orders()? {
            if gone.remove(&order.view.id).as_ref() != Some(&order) {
                changes.push(OrderChange::Shown { order: Box::new(order.clone()) });
            }
            watch.told.insert(order.view.id, order);
        }
        changes.extend(gone.into_keys().map(|id| OrderChange::Gone { id }));
        watch.mark = Some(mark);
        Ok(changes)
    }
}
