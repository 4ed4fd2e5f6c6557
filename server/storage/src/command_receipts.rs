//! Every command that ever arrived, with its outcome; a rejected one keeps its content (R-TEST-5). Immutable.

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset};
use crate::schema::{command_receipts, work_orders};
use crate::sql_types::{bind, json_value, row_values};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{CommandId, DeviceId, UserId, WorkOrderId};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::sync::CommandResult;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

/// What became of a command, as it is kept and answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReceiptOutcome {
    /// Applied.
    Accepted {
        /// The order's state right afterwards.
        state: WorkOrderState,
        /// The order's version right afterwards.
        version: u64,
    },
    /// Not applied.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
}
json_value!(ReceiptOutcome);

impl From<CommandResult> for ReceiptOutcome {
    fn from(result: CommandResult) -> Self {
        match result {
            CommandResult::Accepted { state, version } => Self::Accepted { state, version },
            CommandResult::Rejected { rejection } => Self::Rejected { rejection },
        }
    }
}

impl From<ReceiptOutcome> for CommandResult {
    fn from(outcome: ReceiptOutcome) -> Self {
        match outcome {
            ReceiptOutcome::Accepted { state, version } => Self::Accepted { state, version },
            ReceiptOutcome::Rejected { rejection } => Self::Rejected { rejection },
        }
    }
}

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct CommandReceipt {
    /// The command.
    pub command_id: CommandId,
    /// The order that it was about; may be unknown here.
    pub work_order_id: WorkOrderId,
    /// Who gave it.
    pub tester_id: UserId,
    /// From which phone.
    pub device_id: DeviceId,
    /// The name of its kind.
    pub kind: String,
    /// What the tester did.
    pub body: CommandBody,
    /// Hash of the whole command, to tell a repetition from another command under the same id.
    pub digest: [u8; 32],
    /// When the tester did it, by the phone's clock.
    pub captured_at: Timestamp,
    /// When it first arrived.
    pub received_at: Timestamp,
    /// It was applied.
    pub is_accepted: bool,
    /// What became of it.
    pub outcome: ReceiptOutcome,
}

macro_rules! receipt_values {
    ($receipt:expr) => {
        row_values!(
            command_receipts,
            $receipt,
            command_id,
            work_order_id,
            tester_id,
            device_id,
            kind,
            body,
            digest,
            captured_at,
            received_at,
            is_accepted,
            outcome
        )
    };
}

impl Tx {
    /// Keeps a receipt unless one of this id exists. Returns whether it was kept.
    pub fn command_receipt_insert(&mut self, receipt: &CommandReceipt) -> Result<bool, StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(command_receipts::table)
                .values(receipt_values!(receipt))
                .on_conflict_do_nothing()
                .execute(c))
        })
        .map(|rows| rows > 0)
    }

    /// Keeps several receipts (at most 512) in one statement.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if one of their ids exists, or two of them have the same; none is kept then.
    pub fn command_receipt_insert_all(&mut self, receipts: &[CommandReceipt]) -> Result<(), StorageError> {
        if receipts.is_empty() {
            return Ok(());
        }
        self.run(|c| {
            let values: Vec<_> = receipts.iter().map(|receipt| receipt_values!(receipt)).collect();
            each_backend!(c, |c| diesel::insert_into(command_receipts::table).values(values).execute(c))
        })?;
        Ok(())
    }

    /// The receipt of a command.
    pub fn command_receipt_by_id(&mut self, id: CommandId) -> Result<Option<CommandReceipt>, StorageError> {
        self.run(|c| command_receipts::table.find(bind(&id)).first(c).optional())
    }

    /// The receipts of these commands (at most 512), in no particular order.
    pub fn command_receipt_list_by_ids(&mut self, ids: &[CommandId]) -> Result<Vec<CommandReceipt>, StorageError> {
        let ids = &ids[..ids.len().min(callout_sync_protocol::version::MAX_COMMANDS)];
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.run(|c| command_receipts::table.filter(command_receipts::command_id.eq_any(ids.iter().map(bind))).load(c))
    }

    /// An order's receipts, oldest first, at most 500.
    pub fn command_receipt_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<CommandReceipt>, StorageError> {
        self.run(|c| {
            command_receipts::table
                .filter(command_receipts::work_order_id.eq(bind(&id)))
                .order((command_receipts::received_at, command_receipts::command_id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Rejected commands, newest first; those about unknown orders count as unlocated.
    pub fn command_receipt_list_rejected(
        &mut self,
        scope: &RegionScope,
        page: &Page<CommandId>,
    ) -> Result<Vec<CommandReceipt>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = command_receipts::table
                .left_join(work_orders::table.on(work_orders::id.eq(command_receipts::work_order_id)))
                .filter(diesel::dsl::not(command_receipts::is_accepted))
                .select(command_receipts::all_columns)
                .into_boxed();
            let query = in_scope!(joined, work_orders::region_id, scope, regions);
            keyset!(query, command_receipts, received_at, command_id, page).load(c)
        })
    }
}
