//! One request's unit of work: what it touches is locked and loaded once, changed in memory, and saved once.
//!
//! What does not belong here: judging commands (`commands`) and blocks (`filing`).

use super::blocks::{ExaminedBlock, Finding, Standings};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::events::EventDraft;
use callout_storage::Tx;
use callout_storage::command_receipts::CommandReceipt;
use callout_storage::field_tests::FieldTest;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::ids::{CommandId, FieldTestId, WorkOrderId};
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::LeftReason;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An order that the request touches, locked.
pub(super) struct HeldOrder {
    /// As it will be saved.
    pub order: WorkOrder,
    /// It is no longer as it was loaded.
    pub is_changed: bool,
    /// Why it left the tester's phone, if a command made it leave.
    pub left: Option<LeftReason>,
}

impl HeldOrder {
    /// The version that the phone will see: however many commands change the order, it is saved once.
    pub fn version_afterwards(&self) -> u64 {
        self.order.version + u64::from(self.is_changed)
    }
}

/// A test that the request touches, locked.
pub(super) struct HeldTest {
    /// As it will be saved.
    pub test: FieldTest,
    /// It is not in the store yet.
    pub is_new: bool,
    /// It is no longer as it was loaded.
    pub is_changed: bool,
}

/// The blocks that arrived for one test, for the audit trail.
#[derive(Default)]
pub(super) struct Arrival {
    /// Those that count.
    pub accepted: Vec<BlockHash>,
    /// Those that are only kept.
    pub quarantined: Vec<BlockHash>,
    /// The samples of all of them, by what the blocks say.
    pub samples: u64,
}

/// One request's unit of work.
pub(super) struct SyncUnit<'a> {
    pub app: &'a App,
    pub caller: &'a Caller,
    pub now: Timestamp,
    /// How far the phone's clock is ahead, where that is remarkable.
    pub clock_ahead_ms: Option<i64>,
    pub orders: BTreeMap<WorkOrderId, HeldOrder>,
    pub tests: BTreeMap<FieldTestId, HeldTest>,
    /// Of commands that came before.
    pub receipts: HashMap<CommandId, CommandReceipt>,
    /// Of the commands of this request, as they are judged.
    pub judged: Vec<CommandReceipt>,
    /// By order, in the order in which they happened.
    pub events: BTreeMap<WorkOrderId, Vec<EventDraft>>,
    /// What stands of blocks that have come before; loaded when commands have been judged.
    pub standings: Standings,
    pub arrivals: BTreeMap<(WorkOrderId, FieldTestId), Arrival>,
}

impl<'a> SyncUnit<'a> {
    /// Locks and loads what the request touches: three queries, whatever its length.
    pub fn begin(
        app: &'a App,
        caller: &'a Caller,
        clock_ahead_ms: Option<i64>,
        tx: &mut Tx,
        commands: &[Command],
        blocks: &[ExaminedBlock<'_>],
    ) -> AppResult<Self> {
        app.caller_standing(tx, caller)?;
        let new_blocks = || blocks.iter().filter(|block| block.is_new());
        let order_ids: BTreeSet<WorkOrderId> = commands
            .iter()
            .map(|command| command.work_order_id)
            .chain(new_blocks().map(|block| block.work_order_id))
            .collect();
        let test_ids: BTreeSet<FieldTestId> = commands
            .iter()
            .filter_map(|command| field_test_of(&command.body))
            .chain(new_blocks().filter_map(|block| match &block.finding {
                Finding::Sealed { header, .. } => Some(header.field_test_id),
                Finding::Refused(_) | Finding::Known => None,
            }))
            .collect();
        let command_ids: Vec<CommandId> = commands.iter().map(|command| command.id).collect();
        // Receipts and tests are read under the orders' locks: the same request twice at once waits here, and then finds them.
        let orders = tx.work_order_list_lock(&order_ids.into_iter().collect::<Vec<_>>())?;
        let tests = tx.field_test_list_lock(&test_ids.into_iter().collect::<Vec<_>>())?;
        let receipts = tx.command_receipt_list_by_ids(&command_ids)?;
        let held = |order| HeldOrder { order, is_changed: false, left: None };
        Ok(Self {
            app,
            caller,
            now: app.env.now(),
            clock_ahead_ms,
            orders: orders.into_iter().map(|order| (order.id, held(order))).collect(),
            tests: tests
                .into_iter()
                .map(|test| (test.id, HeldTest { test, is_new: false, is_changed: false }))
                .collect(),
            receipts: receipts.into_iter().map(|receipt| (receipt.command_id, receipt)).collect(),
            judged: Vec::new(),
            events: BTreeMap::new(),
            standings: Standings::new(),
            arrivals: BTreeMap::new(),
        })
    }

    /// Saves what changed, leaves the trail, and tells the tester's feed, in the order of the locks.
    pub fn finish(mut self, tx: &mut Tx) -> AppResult<()> {
        // Those of this request; two requests with the same new command wait for each other under the order's lock, so that only
        // a command about no order, or about two, can meet itself here. The whole then runs again and finds it.
        tx.command_receipt_insert_all(&self.judged)?;
        for held in self.orders.values_mut().filter(|held| held.is_changed) {
            held.order.updated_at = self.now;
            tx.work_order_update(&mut held.order)?;
        }
        let changed = self.orders.values().filter(|held| held.is_changed).map(|held| held.order.complaint_id);
        self.app.kpi_touch_all(tx, changed)?;
        for held in self.tests.values_mut() {
            if held.is_new {
                if !tx.field_test_insert(&held.test)? {
                    return Err(super::commands::came_twice_at_once());
                }
            } else if held.is_changed {
                tx.field_test_update(&mut held.test)?;
            }
        }
        self.arrivals_tell();
        self.app.event_append_all(tx, std::mem::take(&mut self.events).into_values().flatten())?;
        for held in self.orders.values().filter(|held| held.is_changed) {
            tx.feed_append(self.caller.user_id, held.order.id, held.left, self.now)?;
        }
        Ok(())
    }
}

/// The test that a command is about.
fn field_test_of(body: &CommandBody) -> Option<FieldTestId> {
    match body {
        CommandBody::TestBegin { field_test_id }
        | CommandBody::FindingsRecord { field_test_id, .. }
        | CommandBody::TestSubmit { field_test_id, .. } => Some(*field_test_id),
        CommandBody::PhotoAttach { manifest } => Some(manifest.field_test_id),
        CommandBody::Accept {}
        | CommandBody::Decline { .. }
        | CommandBody::Contact { .. }
        | CommandBody::Arrive { .. }
        | CommandBody::PhotoConsent { .. } => None,
    }
}
