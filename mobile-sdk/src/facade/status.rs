//! What is on the phone: counts for a glance, and the list of everything that the server did not take as evidence.

use super::{Phone, PhoneError};
use crate::store::account::account_get;
use crate::store::blocks::{BlockCounts, SetAsideBlock, block_counts, block_list_set_aside};
use crate::store::captures::capture_counts;
use crate::store::commands::{
    OutboxCommand, command_counts, command_list_deferred, command_list_of_order, command_list_rejected,
};
use crate::store::orders::order_list;
use crate::store::photos::{PhotoCounts, RefusedPhoto, photo_counts, photo_list_refused};
use crate::store::sync_state::sync_state_get;
use callout_sync_protocol::ids::{DeviceId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde::Serialize;

/// Samples on the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureStatus {
    /// Taken and safe, sealed or not.
    pub samples: u64,
    /// Offered by a source, and outside their standard's range.
    pub refused_samples: u64,
    /// Taken and not sealed yet.
    pub unsealed_samples: u64,
    /// Not sealed and not legible any more: the medium damaged them. Their bytes are kept.
    pub damaged_samples: u64,
}

/// Commands by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CommandCounts {
    /// Not answered for yet.
    pub waiting: u64,
    /// Applied by the server.
    pub accepted: u64,
    /// Not applied; kept with the reason.
    pub rejected: u64,
}

/// What is on the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// This installation.
    pub device_id: DeviceId,
    /// Whose phone it is, once somebody signed in.
    pub user_id: Option<UserId>,
    /// Their name.
    pub user_name: Option<String>,
    /// The phone may talk to the server without a password.
    pub is_signed_in: bool,
    /// Orders that are this tester's.
    pub orders: u64,
    /// Orders that left and that something was done for.
    pub orders_left: u64,
    /// Samples.
    pub captures: CaptureStatus,
    /// Sealed blocks.
    pub blocks: BlockCounts,
    /// Commands.
    pub commands: CommandCounts,
    /// Photos.
    pub photos: PhotoCounts,
    /// When the server last answered a sync.
    pub last_sync_at: Option<Timestamp>,
    /// Milliseconds that the phone's clock was ahead of the server's then.
    pub clock_ahead_ms: i64,
}

/// Everything that is not what the tester wanted it to be, with the reasons. None of it is ever deleted (R-TEST-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Commands that the server rejected and that nobody has dealt with since; it keeps them, too.
    pub commands: Vec<OutboxCommand>,
    /// Commands that the server fails at; tried again at their time, or when a person syncs.
    pub deferred: Vec<OutboxCommand>,
    /// Blocks that are not evidence.
    pub blocks: Vec<SetAsideBlock>,
    /// Photos that the server did not take.
    pub photos: Vec<RefusedPhoto>,
}

impl Phone {
    /// Counts everything.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn status(&self) -> Result<Status, PhoneError> {
        let connection = self.store.connection();
        let account = account_get(connection)?;
        let state = sync_state_get(connection)?;
        let (in_scope, left): (Vec<_>, Vec<_>) =
            order_list(connection)?.into_iter().partition(|order| order.is_in_scope);
        let samples = capture_counts(connection, None)?;
        let (waiting, accepted, rejected) = command_counts(connection)?;
        Ok(Status {
            device_id: self.device.id,
            user_id: account.as_ref().map(|account| account.user_id),
            user_name: account.as_ref().map(|account| account.user_name.clone()),
            is_signed_in: account.is_some_and(|account| account.refresh_token.is_some()),
            orders: in_scope.len() as u64,
            orders_left: left.len() as u64,
            captures: CaptureStatus {
                samples: samples.captured,
                refused_samples: samples.refused,
                unsealed_samples: samples.unsealed,
                damaged_samples: samples.damaged,
            },
            blocks: block_counts(connection, None)?,
            commands: CommandCounts { waiting, accepted, rejected },
            photos: photo_counts(connection, None)?,
            last_sync_at: state.last_sync_at,
            clock_ahead_ms: state.clock_ahead_ms,
        })
    }

    /// Everything that was rejected, quarantined or refused.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn set_aside(&self) -> Result<SetAside, PhoneError> {
        let connection = self.store.connection();
        if self.revoked_at()?.is_some() {
            return Ok(SetAside { commands: vec![], deferred: vec![], blocks: vec![], photos: vec![] });
        }
        Ok(SetAside {
            commands: command_list_rejected(connection)?,
            deferred: command_list_deferred(connection, self.env.now())?,
            blocks: block_list_set_aside(connection)?,
            photos: photo_list_refused(connection)?,
        })
    }

    /// Every command about an order, in the order in which they were given, with what became of each.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn outbox(&self, order: WorkOrderId) -> Result<Vec<OutboxCommand>, PhoneError> {
        if self.revoked_at()?.is_some() {
            return Err(PhoneError::DeviceRevoked);
        }
        Ok(command_list_of_order(self.store.connection(), order)?)
    }
}
