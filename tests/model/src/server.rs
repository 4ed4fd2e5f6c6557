//! The server: orders, feeds whose numbers are given under a lock, receipts. Each function is one committed transaction.

use crate::world::{Bounds, Mutation};
use crate::{Command, Cursor, OrderId, Request, Response, Tester};
use std::collections::{BTreeMap, BTreeSet};

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Grows with every change.
    pub version: u8,
    /// In whose scope it is.
    pub holder: Option<Tester>,
}

/// The newest that happened to an order in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeedEntry {
    /// Its place.
    pub number: u8,
    /// It left; else it entered or changed.
    pub has_left: bool,
}

/// A tester's feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Feed {
    /// The number given last.
    pub last_number: u8,
    /// A cursor below may have missed tombstones that are gone.
    pub compacted_through: u8,
    /// One entry an order.
    pub entries: BTreeMap<OrderId, FeedEntry>,
}

impl Feed {
    fn append(&mut self, order: OrderId, has_left: bool) {
        self.last_number += 1;
        self.entries.insert(order, FeedEntry { number: self.last_number, has_left });
    }
}

/// What the database holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Which life of the feeds.
    pub epoch: u8,
    /// The orders, by id.
    pub orders: Vec<Order>,
    /// The feeds, by tester.
    pub feeds: Vec<Feed>,
    /// What became of each command that ever arrived.
    pub receipts: BTreeMap<Command, bool>,
    /// How often each command was applied; more than once is what must not be.
    pub applied: BTreeMap<Command, u8>,
}

impl Server {
    /// Orders in the hands of the first tester.
    pub fn new(testers: usize, orders: usize) -> Self {
        let mut server = Self {
            epoch: 0,
            orders: vec![Order { version: 1, holder: Some(0) }; orders],
            feeds: vec![Feed::default(); testers],
            receipts: BTreeMap::new(),
            applied: BTreeMap::new(),
        };
        for order in 0..orders as OrderId {
            server.feeds[0].append(order, false);
        }
        server
    }

    /// What the tester's phone should hold.
    pub fn scope(&self, tester: Tester) -> BTreeMap<OrderId, u8> {
        let held = self.orders.iter().enumerate().filter(|(_, order)| order.holder == Some(tester));
        held.map(|(id, order)| (id as OrderId, order.version)).collect()
    }

    /// A desk changes an order.
    pub fn edit(&mut self, id: OrderId) {
        let order = &mut self.orders[usize::from(id)];
        order.version += 1;
        if let Some(holder) = order.holder {
            self.feeds[usize::from(holder)].append(id, false);
        }
    }

    /// A desk gives the order to somebody, or to nobody.
    pub fn assign(&mut self, id: OrderId, to: Option<Tester>) {
        let order = &mut self.orders[usize::from(id)];
        let before = order.holder;
        order.version += 1;
        order.holder = to;
        if let Some(before) = before.filter(|before| Some(*before) != to) {
            self.feeds[usize::from(before)].append(id, true);
        }
        if let Some(to) = to {
            self.feeds[usize::from(to)].append(id, false);
        }
    }

    /// Removes a tester's tombstones.
    pub fn compact(&mut self, tester: Tester, mutation: Option<Mutation>) {
        let feed = &mut self.feeds[usize::from(tester)];
        let gone: Vec<(OrderId, u8)> =
            feed.entries.iter().filter(|(_, entry)| entry.has_left).map(|(id, entry)| (*id, entry.number)).collect();
        let Some(highest) = gone.iter().map(|(_, number)| *number).max() else { return };
        for (id, _) in gone {
            feed.entries.remove(&id);
        }
        if mutation == Some(Mutation::CompactsSilently) {
            return;
        }
        feed.compacted_through = feed.compacted_through.max(highest);
        if mutation == Some(Mutation::CompactsInPlace) {
            return;
        }
        // What stands before the last tombstone moves to the end, or a phone that starts over would start over for ever.
        let mut before: Vec<(u8, OrderId)> = feed
            .entries
            .iter()
            .filter(|(_, entry)| entry.number < feed.compacted_through)
            .map(|(id, entry)| (entry.number, *id))
            .collect();
        before.sort_unstable();
        for (_, id) in before {
            feed.append(id, false);
        }
    }

    /// Judges commands and reads a page of changes.
    pub fn sync(&mut self, tester: Tester, request: &Request, bounds: &Bounds, mutation: Option<Mutation>) -> Response {
        let outcomes = request.commands.iter().map(|command| (*command, self.command(command, mutation))).collect();
        let feed = &self.feeds[usize::from(tester)];
        let resumed = request.cursor.filter(|cursor| {
            // Only at the feed's end can the two be compared.
            let disagrees = cursor.number == feed.last_number
                && mutation != Some(Mutation::IgnoresCheckpoints)
                && request.checkpoint.as_ref().is_some_and(|theirs| *theirs != self.scope(tester));
            cursor.epoch == self.epoch
                && cursor.number >= feed.compacted_through
                && cursor.number <= feed.last_number
                && !disagrees
        });
        let after = resumed.map_or(0, |cursor| cursor.number);
        let mut entries: Vec<(OrderId, FeedEntry)> =
            feed.entries.iter().filter(|(_, entry)| entry.number > after).map(|(id, entry)| (*id, *entry)).collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.number);
        let is_full = entries.len() >= bounds.page;
        entries.truncate(bounds.page);
        let number = match entries.last() {
            Some((_, last)) if is_full => last.number,
            _ => feed.last_number,
        };
        let changes = entries
            .iter()
            .filter(|(_, entry)| resumed.is_some() || !entry.has_left)
            .map(|(id, entry)| (*id, (!entry.has_left).then_some(self.orders[usize::from(*id)].version)))
            .collect();
        Response {
            attempt: request.attempt,
            asked_from: request.cursor,
            outcomes,
            reset: request.cursor.is_some() && resumed.is_none(),
            changes,
            cursor: Cursor { epoch: self.epoch, number },
            has_more: number < feed.last_number,
            checkpoint: (bounds.checkpoints && number >= feed.last_number).then(|| self.scope(tester)),
        }
    }

    fn command(&mut self, command: &Command, mutation: Option<Mutation>) -> bool {
        if let Some(outcome) = self.receipts.get(command)
            && mutation != Some(Mutation::ForgetsReceipts)
        {
            return *outcome;
        }
        let is_accepted = self.orders[usize::from(command.order)].holder == Some(command.tester);
        if is_accepted {
            *self.applied.entry(*command).or_default() += 1;
            self.edit(command.order);
        }
        self.receipts.insert(*command, is_accepted);
        is_accepted
    }

    /// The commands that were applied.
    pub fn applied_once(&self) -> BTreeSet<Command> {
        self.applied.iter().filter(|(_, times)| **times == 1).map(|(command, _)| *command).collect()
    }
}
