//! The quarantine: everything that arrived and does not count, with the reason, so that nobody's work disappears (R-TEST-5).
//!
//! Rejected commands, blocks and tests are three tables and one list, newest first. What does not belong here: why something
//! is rejected (`sync`).

use super::App;
use super::access::Caller;
use super::error::AppResult;
use callout_storage::Page;
use callout_storage::command_receipts::CommandReceipt;
use callout_storage::field_tests::FieldTest;
use callout_storage::sample_blocks::SampleBlock;
use callout_sync_protocol::ids::{CommandId, FieldTestId};
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that does not count.
#[derive(Clone, Debug, PartialEq)]
pub enum Quarantined {
    /// A rejected command.
    Command(Box<CommandReceipt>),
    /// A block.
    Block(Box<SampleBlock>),
    /// A test.
    FieldTest(Box<FieldTest>),
}

impl Quarantined {
    /// When it arrived; of a test, when it began by the phone's clock.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Command(receipt) => receipt.received_at,
            Self::Block(block) => block.received_at,
            Self::FieldTest(test) => test.begun_at,
        }
    }
}

/// How far each of the three tables was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantinePosition {
    /// The last command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<(Timestamp, CommandId)>,
    /// The last block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<(Timestamp, BlockHash)>,
    /// The last test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_test: Option<(Timestamp, FieldTestId)>,
}

/// A page of the quarantine.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantinePage {
    /// Newest first.
    pub items: Vec<Quarantined>,
    /// Where the next page begins, if there is one.
    pub next: Option<QuarantinePosition>,
}

impl App {
    /// What does not count in the caller's regions, newest first.
    pub fn quarantine_list(
        &self,
        caller: &Caller,
        position: QuarantinePosition,
        limit: u32,
    ) -> AppResult<QuarantinePage> {
        let limit = limit.clamp(1, 500);
        self.storage.read("quarantine_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let commands = tx.command_receipt_list_rejected(&scope, &Page { after: position.command, limit })?;
            let blocks = tx.sample_block_list_quarantined(&scope, &Page { after: position.block, limit })?;
            let tests = tx.field_test_list_quarantined(&scope, &Page { after: position.field_test, limit })?;
            let mut items: Vec<Quarantined> = commands
                .into_iter()
                .map(|receipt| Quarantined::Command(Box::new(receipt)))
                .chain(blocks.into_iter().map(|block| Quarantined::Block(Box::new(block))))
                .chain(tests.into_iter().map(|test| Quarantined::FieldTest(Box::new(test))))
                .collect();
            // Stable, so that each table's own order stands.
            items.sort_by_key(|item| std::cmp::Reverse(item.at()));
            // A table with more than a page has filled the page.
            let is_full = items.len() >= limit as usize;
            items.truncate(limit as usize);
            let mut next = position;
            for item in &items {
                match item {
                    Quarantined::Command(receipt) => next.command = Some((receipt.received_at, receipt.command_id)),
                    Quarantined::Block(block) => next.block = Some((block.received_at, block.hash)),
                    Quarantined::FieldTest(test) => next.field_test = Some((test.begun_at, test.id)),
                }
            }
            Ok(QuarantinePage { items, next: is_full.then_some(next) })
        })
    }
}
