//! Filing examined blocks: each is kept once, and stands as evidence or apart from it, with the reason (R-TEST-5).
//!
//! What does not belong here: whether the bytes are what they claim (`blocks`).

use super::blocks::{BlockContent, ExaminedBlock, Finding, block_result, known_result};
use super::unit::{HeldTest, SyncUnit};
use crate::app::error::AppResult;
use callout_storage::sample_blocks::SampleBlock;
use callout_storage::{Standing, Tx};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{BlockHash, BlockHeader};
use callout_sync_protocol::sync::{BlockOutcome, BlockResult};
use serde_json::json;

impl SyncUnit<'_> {
    /// Files the blocks, after the commands: these may have begun the tests.
    pub fn blocks_file(&mut self, tx: &mut Tx, blocks: &[ExaminedBlock<'_>]) -> AppResult<Vec<BlockOutcome>> {
        let known: Vec<BlockHash> =
            blocks.iter().filter(|block| matches!(block.finding, Finding::Known)).map(|block| block.hash).collect();
        let standings = tx.sample_block_standings(&known)?;
        self.standings = standings.into_iter().map(|(hash, standing, reason)| (hash, (standing, reason))).collect();
        blocks
            .iter()
            .map(|block| {
                let result = match &block.finding {
                    Finding::Refused(rejection) => BlockResult::Refused { rejection: rejection.clone() },
                    Finding::Known => known_result(&block.hash, &self.standings)?,
                    Finding::Sealed { header, content } => self.block_file(tx, block, header, content.as_ref())?,
                };
                Ok(BlockOutcome { hash: block.hash, result })
            })
            .collect()
    }

    fn block_file(
        &mut self,
        tx: &mut Tx,
        block: &ExaminedBlock<'_>,
        header: &BlockHeader,
        content: Result<&BlockContent, &Rejection>,
    ) -> AppResult<BlockResult> {
        let misplaced = self.block_misplaced(header, block.work_order_id);
        let captured_from = content.map_or(self.now, |content| content.captured_from);
        if !self.tests.contains_key(&header.field_test_id) {
            // The block names a test that nobody began: it stands for the test, apart from the evidence.
            let reason = misplaced.clone().unwrap_or_else(test_unknown);
            let test = self.test_new(header.field_test_id, block.work_order_id, captured_from, Some(reason));
            self.tests.insert(test.id, HeldTest { test, is_new: true, is_changed: true });
        }
        // What cannot be read is no evidence wherever it belongs.
        let reason = content.err().cloned().or(misplaced);
        let row = SampleBlock {
            hash: block.hash,
            field_test_id: header.field_test_id,
            work_order_id: block.work_order_id,
            tester_id: self.caller.user_id,
            device_id: header.device_id,
            operator: header.operator,
            sequence: header.sequence,
            sample_count: header.sample_count,
            byte_length: u32::try_from(block.bytes.len()).unwrap_or(u32::MAX),
            kpi: content.map_or_else(|_| json!({}), |content| content.kpi.clone()),
            standing: if reason.is_some() { Standing::Quarantined } else { Standing::Accepted },
            standing_reason: reason,
            captured_from,
            captured_until: content.ok().map(|content| content.captured_until),
            received_at: self.now,
        };
        match tx.sample_block_insert(&row, block.bytes)? {
            // Twice in this request, or in another one at the same time.
            Some(found) => Ok(block_result(found.standing, found.standing_reason)),
            None => {
                let arrival = self.arrivals.entry((row.work_order_id, row.field_test_id)).or_default();
                arrival.samples += u64::from(row.sample_count);
                match row.standing {
                    Standing::Accepted => arrival.accepted.push(row.hash),
                    Standing::Quarantined => arrival.quarantined.push(row.hash),
                }
                Ok(block_result(row.standing, row.standing_reason))
            }
        }
    }

    /// Why a block does not count, from what is known of its test and order; `None` if it counts.
    fn block_misplaced(&self, header: &BlockHeader, work_order_id: WorkOrderId) -> Option<Rejection> {
        let reject = |problem, detail: &str| Some(Rejection::new(problem, detail));
        let Some(held) = self.orders.get(&work_order_id) else {
            return reject(ProblemType::NotFound, "work_order_id: there is no such order; the samples are kept");
        };
        let order = &held.order;
        let elsewhere =
            || reject(ProblemType::NotAssigned, "the order is with somebody else now; the samples are kept");
        let is_with_another = order.assigned_to.is_some_and(|tester| tester != self.caller.user_id);
        let Some(test) = self.tests.get(&header.field_test_id).map(|held| &held.test) else {
            return if order.assigned_to == Some(self.caller.user_id) { Some(test_unknown()) } else { elsewhere() };
        };
        if test.tester_id != self.caller.user_id {
            return reject(ProblemType::NotAssigned, "the test is another tester's; the samples are kept");
        }
        if test.work_order_id != work_order_id {
            return reject(ProblemType::InvalidField, "work_order_id: the test belongs to another order");
        }
        if test.standing == Standing::Quarantined {
            return if is_with_another {
                elsewhere()
            } else {
                test.standing_reason.clone().or_else(|| Some(test_unknown()))
            };
        }
        if order.field_test_id == Some(test.id) {
            return None;
        }
        match order.assigned_to {
            // It was handed back or is done, and nobody has had it since: these are the samples of the last visit.
            None if order.field_test_id.is_none() => None,
            None => reject(ProblemType::NotAssigned, "the order has another test since; the samples are kept"),
            Some(tester) if tester == self.caller.user_id => {
                reject(ProblemType::NotAssigned, "the order was given out anew since; the samples are kept")
            }
            Some(_) => elsewhere(),
        }
    }

    /// Lets the blocks count that came before their test was known to have begun.
    pub(super) fn blocks_release(&mut self, tx: &mut Tx, test: FieldTestId, order: WorkOrderId) -> AppResult<()> {
        for block in tx.sample_block_list_by_test(test)? {
            let was_early = block
                .standing_reason
                .as_ref()
                .is_some_and(|reason| matches!(reason.problem, ProblemType::NotFound | ProblemType::NotAssigned));
            let is_of_this = block.tester_id == self.caller.user_id && block.work_order_id == order;
            if block.standing == Standing::Quarantined && was_early && is_of_this {
                tx.sample_block_set_standing(&block.hash, Standing::Accepted, None)?;
            }
        }
        Ok(())
    }
}

fn test_unknown() -> Rejection {
    Rejection::new(ProblemType::NotFound, "the test of these samples was not begun here; they are kept")
}
