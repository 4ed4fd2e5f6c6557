//! Feeds: per tester, which orders changed or left, numbered inside the writing transaction under the feed's lock, so that a
//! reader by cursor never misses a change. One entry per (tester, order). What does not belong here: building what travels.

use crate::complaints::Complaint;
use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::names::{limit, text_enum};
use crate::schema::{complaints, feed_entries, feeds, work_orders};
use crate::sql_types::bind;
use crate::work_orders::WorkOrder;
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::LeftReason;
use diesel::prelude::*;

text_enum! {
    /// What happened to an order in a tester's scope.
    FeedEntryKind {
        /// It entered, or changed.
        Changed = "changed" / "变更",
        /// It left.
        Left = "left" / "移出",
    }
}

/// One entry of a feed: the latest that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct FeedEntry {
    /// Whose feed.
    pub tester_id: UserId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// Its place in the feed.
    pub number: u64,
    /// What happened.
    pub kind: FeedEntryKind,
    /// Why it left.
    pub left_reason: Option<LeftReason>,
    /// When.
    pub changed_at: Timestamp,
    /// The order's version then, by which it is in the feed's checkpoint; 0 if the order is not in the tester's scope.
    pub order_version: u64,
}

/// How far a feed goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// Which life of the feed; a restored database begins another.
    pub epoch: u64,
    /// The number given last; 0 if none was.
    pub last_number: u64,
    /// A cursor below this number may have missed tombstones that are gone, and must start over.
    pub compacted_through: u64,
    /// The tester's scope after the last number.
    pub checkpoint: Checkpoint,
}

/// A feed whose number was just taken, locked.
struct Advanced {
    number: u64,
    /// Absent in a feed from before there were checkpoints.
    checkpoint: Option<Checkpoint>,
}

const EPOCH_KEY: &str = "feed_epoch";
const FIRST_EPOCH: u64 = 1;

impl Tx {
    /// Appends a change of an order to a tester's feed and returns its number. `left_reason` says that the order left.
    ///
    /// Locks the feed until the unit of work ends: call it last, and for several testers in the order of their ids.
    pub fn feed_append(
        &mut self,
        tester_id: UserId,
        work_order_id: WorkOrderId,
        left_reason: Option<LeftReason>,
        changed_at: Timestamp,
    ) -> Result<u64, StorageError> {
        let Advanced { number, checkpoint } = match self.feed_advance(tester_id)? {
            Some(advanced) => advanced,
            None => {
                let epoch = self.feed_epoch()?;
                self.run(|c| {
                    each_backend!(c, |c| diesel::insert_into(feeds::table)
                        .values((
                            feeds::tester_id.eq(bind(&tester_id)),
                            feeds::epoch.eq(bind(&epoch)),
                            feeds::last_number.eq(0),
                            feeds::compacted_through.eq(bind(&0u64)),
                            feeds::checkpoint.eq(Some(0)),
                        ))
                        .on_conflict_do_nothing()
                        .execute(c))
                })?;
                self.feed_advance(tester_id)?.ok_or(StorageError::NotFound { what: "feed" })?
            }
        };
        let kind = if left_reason.is_some() { FeedEntryKind::Left } else { FeedEntryKind::Changed };
        let (version_before, version) = self.feed_entry_versions(tester_id, work_order_id)?;
        let version = if left_reason.is_some() { 0 } else { version };
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(feed_entries::table)
                .values((
                    feed_entries::tester_id.eq(bind(&tester_id)),
                    feed_entries::work_order_id.eq(bind(&work_order_id)),
                    feed_entries::number.eq(bind(&number)),
                    feed_entries::kind.eq(bind(&kind)),
                    feed_entries::left_reason.eq(bind(&left_reason)),
                    feed_entries::changed_at.eq(bind(&changed_at)),
                    feed_entries::order_version.eq(bind(&version)),
                ))
                .on_conflict((feed_entries::tester_id, feed_entries::work_order_id))
                .do_update()
                .set((
                    feed_entries::number.eq(bind(&number)),
                    feed_entries::kind.eq(bind(&kind)),
                    feed_entries::left_reason.eq(bind(&left_reason)),
                    feed_entries::changed_at.eq(bind(&changed_at)),
                    feed_entries::order_version.eq(bind(&version)),
                ))
                .execute(c))
        })?;
        let after = match checkpoint {
            Some(before) => before.without(work_order_id, version_before).with(work_order_id, version),
            None => self.feed_checkpoint_compute(tester_id)?,
        };
        if checkpoint != Some(after) {
            self.run(|c| {
                diesel::update(feeds::table.find(bind(&tester_id)))
                    .set(feeds::checkpoint.eq(Some(after.0.cast_signed())))
                    .execute(c)
            })?;
        }
        Ok(number)
    }

    fn feed_advance(&mut self, tester_id: UserId) -> Result<Option<Advanced>, StorageError> {
        let advanced: Option<(i64, Option<i64>)> = self.run(|c| {
            diesel::update(feeds::table.find(bind(&tester_id)))
                .set(feeds::last_number.eq(feeds::last_number + 1))
                .returning((feeds::last_number, feeds::checkpoint))
                .get_result(c)
                .optional()
        })?;
        Ok(advanced.map(|(number, checkpoint)| Advanced {
            number: number.unsigned_abs(),
            checkpoint: checkpoint.map(|sum| Checkpoint(sum.cast_unsigned())),
        }))
    }

    /// The version by which an order is in a feed's checkpoint so far, and by which it will be; 0 where it is not in scope.
    fn feed_entry_versions(
        &mut self,
        tester_id: UserId,
        work_order_id: WorkOrderId,
    ) -> Result<(u64, u64), StorageError> {
        let found: Option<(u64, Option<UserId>, Option<u64>)> = self.run(|c| {
            work_orders::table
                .left_join(feed_entries::table.on(
                    feed_entries::work_order_id.eq(work_orders::id).and(feed_entries::tester_id.eq(bind(&tester_id))),
                ))
                .filter(work_orders::id.eq(bind(&work_order_id)))
                .select((work_orders::version, work_orders::assigned_to, feed_entries::order_version.nullable()))
                .first(c)
                .optional()
        })?;
        Ok(found.map_or((0, 0), |(version, assigned_to, before)| {
            (before.unwrap_or(0), if assigned_to == Some(tester_id) { version } else { 0 })
        }))
    }

    /// A feed's checkpoint from its entries, for feeds that have none yet.
    fn feed_checkpoint_compute(&mut self, tester_id: UserId) -> Result<Checkpoint, StorageError> {
        let entries: Vec<(WorkOrderId, u64)> = self.run(|c| {
            feed_entries::table
                .filter(feed_entries::tester_id.eq(bind(&tester_id)))
                .filter(feed_entries::order_version.gt(bind(&0u64)))
                .select((feed_entries::work_order_id, feed_entries::order_version))
                .load(c)
        })?;
        Ok(Checkpoint::of(entries))
    }

    /// How far every feed goes: the tester, the epoch, the last number. What wakes whoever waits is found by comparing.
    pub fn feed_list_ends(&mut self) -> Result<Vec<(UserId, u64, u64)>, StorageError> {
        let ends: Vec<(UserId, u64, i64)> =
            self.run(|c| feeds::table.select((feeds::tester_id, feeds::epoch, feeds::last_number)).load(c))?;
        Ok(ends.into_iter().map(|(tester, epoch, number)| (tester, epoch, number.unsigned_abs())).collect())
    }

    /// How far a tester's feed goes.
    pub fn feed_state(&mut self, tester_id: UserId) -> Result<FeedState, StorageError> {
        let found: Option<(u64, i64, u64, Option<i64>)> = self.run(|c| {
            feeds::table
                .find(bind(&tester_id))
                .select((feeds::epoch, feeds::last_number, feeds::compacted_through, feeds::checkpoint))
                .first(c)
                .optional()
        })?;
        Ok(match found {
            Some((epoch, last_number, compacted_through, checkpoint)) => FeedState {
                epoch,
                last_number: last_number.unsigned_abs(),
                compacted_through,
                checkpoint: match checkpoint {
                    Some(sum) => Checkpoint(sum.cast_unsigned()),
                    None => self.feed_checkpoint_compute(tester_id)?,
                },
            },
            None => FeedState {
                epoch: self.feed_epoch()?,
                last_number: 0,
                compacted_through: 0,
                checkpoint: Checkpoint::EMPTY,
            },
        })
    }

    /// The entries after a number with their orders and complaints, in one query, lowest first, at most 500.
    pub fn feed_page(
        &mut self,
        tester_id: UserId,
        after: u64,
        at_most: u32,
    ) -> Result<Vec<(FeedEntry, WorkOrder, Complaint)>, StorageError> {
        self.run(|c| {
            feed_entries::table
                .inner_join(work_orders::table.on(work_orders::id.eq(feed_entries::work_order_id)))
                .inner_join(complaints::table.on(complaints::id.eq(work_orders::complaint_id)))
                .filter(feed_entries::tester_id.eq(bind(&tester_id)))
                .filter(feed_entries::number.gt(bind(&after)))
                .order(feed_entries::number)
                .limit(limit(at_most))
                .select((feed_entries::all_columns, work_orders::all_columns, complaints::all_columns))
                .load(c)
        })
    }

    /// The testers in whose feed an order is, with what their entry says, in the order of their ids.
    pub fn feed_entry_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<FeedEntry>, StorageError> {
        self.run(|c| {
            feed_entries::table.filter(feed_entries::work_order_id.eq(bind(&id))).order(feed_entries::tester_id).load(c)
        })
    }

    /// Removes tombstones from before an instant; cursors that have not passed them start over. Returns how many were removed.
    ///
    /// What stands before the last tombstone removed moves to the feed's end. A phone that starts over would else get a page's
    /// cursor that again lies before that tombstone, and start over for ever. What moves is old, as the tombstones are, and little.
    pub fn feed_compact(&mut self, before: Timestamp) -> Result<usize, StorageError> {
        let testers: Vec<UserId> = self.run(|c| {
            feed_entries::table
                .filter(feed_entries::kind.eq(bind(&FeedEntryKind::Left)))
                .filter(feed_entries::changed_at.lt(bind(&before)))
                .select(feed_entries::tester_id)
                .distinct()
                .order(feed_entries::tester_id)
                .load(c)
        })?;
        let mut removed = 0;
        for tester_id in testers {
            // Locks the feed as an append does.
            let state: Option<u64> = self.run(|c| {
                diesel::update(feeds::table.find(bind(&tester_id)))
                    .set(feeds::last_number.eq(feeds::last_number))
                    .returning(feeds::compacted_through)
                    .get_result(c)
                    .optional()
            })?;
            let Some(compacted_through) = state else { continue };
            let numbers: Vec<u64> = self.run(|c| {
                diesel::delete(
                    feed_entries::table
                        .filter(feed_entries::tester_id.eq(bind(&tester_id)))
                        .filter(feed_entries::kind.eq(bind(&FeedEntryKind::Left)))
                        .filter(feed_entries::changed_at.lt(bind(&before))),
                )
                .returning(feed_entries::number)
                .get_results(c)
            })?;
            removed += numbers.len();
            if let Some(highest) = numbers.into_iter().max() {
                let compacted_through = compacted_through.max(highest);
                self.run(|c| {
                    diesel::update(feeds::table.find(bind(&tester_id)))
                        .set(feeds::compacted_through.eq(bind(&compacted_through)))
                        .execute(c)
                })?;
                self.feed_move_to_end(tester_id, compacted_through)?;
            }
        }
        Ok(removed)
    }

    fn feed_move_to_end(&mut self, tester_id: UserId, before: u64) -> Result<(), StorageError> {
        let orders: Vec<WorkOrderId> = self.run(|c| {
            feed_entries::table
                .filter(feed_entries::tester_id.eq(bind(&tester_id)))
                .filter(feed_entries::number.lt(bind(&before)))
                .order(feed_entries::number)
                .select(feed_entries::work_order_id)
                .load(c)
        })?;
        for order in orders {
            let number = self.feed_advance(tester_id)?.ok_or(StorageError::NotFound { what: "feed" })?.number;
            self.run(|c| {
                diesel::update(feed_entries::table.find((bind(&tester_id), bind(&order))))
                    .set(feed_entries::number.eq(bind(&number)))
                    .execute(c)
            })?;
        }
        Ok(())
    }

    /// Begins another life of every feed, after a database was restored: phones start over. Use a number never used before,
    /// such as the seconds since the Unix epoch.
    pub fn feed_epoch_set(&mut self, epoch: u64) -> Result<(), StorageError> {
        self.server_meta_put(EPOCH_KEY, &epoch.to_string())?;
        self.run(|c| diesel::update(feeds::table).set(feeds::epoch.eq(bind(&epoch))).execute(c))?;
        Ok(())
    }

    fn feed_epoch(&mut self) -> Result<u64, StorageError> {
        match self.server_meta_by_key(EPOCH_KEY)? {
            Some(text) => text
                .parse()
                .map_err(|_| StorageError::Corrupt { what: "server_meta: the feed's epoch is no number".to_owned() }),
            None => Ok(FIRST_EPOCH),
        }
    }
}
