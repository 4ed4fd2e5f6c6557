//! The world: who may do what next, and what must hold whatever they do.

use crate::{Command, OrderId, Phone, Request, Response, Server, Tester};
use stateright::{Model, Property};
use std::collections::BTreeSet;

/// A message on its way. It stays: what is delivered once may be delivered again, or never.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// To the server.
    Asked(Tester, Request),
    /// To the phone.
    Answered(Tester, Response),
}

/// A thought taken out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The server judges a command again that it has judged.
    ForgetsReceipts,
    /// Feed numbers are taken from a sequence, outside the feed's lock: a later number may be committed earlier.
    NumbersFromASequence,
    /// Tombstones go without a trace.
    CompactsSilently,
    /// Compaction leaves what stands before the last tombstone where it is.
    CompactsInPlace,
    /// The phone keeps its copies at a reset.
    IgnoresReset,
    /// The phone takes an answer to a question that it has given up.
    TakesLateAnswers,
    /// A restored database goes on with the old epoch.
    RestoresSilently,
    /// The server does not look at the checkpoint of a phone.
    IgnoresCheckpoints,
    /// A phone that starts over forgets what it has not sent.
    ResetsDropUnsentWork,
}

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Phones.
    pub testers: usize,
    /// Orders.
    pub orders: usize,
    /// Changes by the desks.
    pub desk_changes: u8,
    /// Compactions.
    pub compactions: u8,
    /// Commands a phone.
    pub commands: u8,
    /// Syncs a phone.
    pub attempts: u8,
    /// Changes a page.
    pub page: usize,
    /// A desk's transaction may be held open while others commit.
    pub slow_transactions: bool,
    /// The database may be restored from a backup once.
    pub restores: bool,
    /// Phones and server tell their checkpoints (version 2). Without them everything must hold as well, unless copies are spoiled.
    pub checkpoints: bool,
    /// Copies on phones that a fault of the storage spoils.
    pub spoils: u8,
}

impl Bounds {
    /// A world in which nothing happens but what is then asked for.
    pub const QUIET: Self = Self {
        testers: 1,
        orders: 2,
        desk_changes: 0,
        compactions: 0,
        commands: 0,
        attempts: 2,
        page: 1,
        slow_transactions: false,
        restores: false,
        checkpoints: false,
        spoils: 0,
    };
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The server.
    pub server: Server,
    /// The phones, by tester.
    pub phones: Vec<Phone>,
    /// What is on its way.
    pub network: BTreeSet<Message>,
    /// A desk's change of an order that is not committed: it holds the order's row and the feed's, and has its number.
    pub open: Option<(OrderId, Tester, u8)>,
    /// The backup.
    pub backup: Option<Box<Server>>,
    /// The database was restored: what it then knew of commands is the backup's.
    pub is_restored: bool,
    /// Desk changes made.
    pub desk_changes: u8,
    /// Compactions made.
    pub compactions: u8,
    /// Copies spoiled.
    pub spoils: u8,
    /// Commands given, a phone each.
    pub commands: Vec<u8>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A desk changes an order.
    Edit(OrderId),
    /// A desk gives an order to somebody or to nobody.
    Assign(OrderId, Option<Tester>),
    /// A desk begins to change an order and takes its time.
    Open(OrderId),
    /// It commits.
    Commit,
    /// Old tombstones of a tester go.
    Compact(Tester),
    /// The database is copied.
    Backup,
    /// The copy is put in place of the database.
    Restore,
    /// The tester does something, with or without a network.
    Act(Tester, OrderId),
    /// A copy on a phone becomes an older one, and nobody is told.
    Spoil(Tester, OrderId),
    /// The phone asks.
    Ask(Tester),
    /// The phone is killed, or gives up waiting.
    GiveUp(Tester),
    /// A message arrives; it may arrive again.
    Deliver(Message),
}

/// The protocol in a world of some size.
#[derive(Clone, Copy, Debug)]
pub struct SyncModel {
    /// The size.
    pub bounds: Bounds,
    /// What is taken out of it.
    pub mutation: Option<Mutation>,
}

impl World {
    /// Whether a feed's or an order's row is locked by the open transaction.
    fn is_locked(&self, order: OrderId, tester: Option<Tester>, mutation: Option<Mutation>) -> bool {
        self.open.is_some_and(|(locked_order, locked_feed, _)| {
            let is_feed_free = mutation == Some(Mutation::NumbersFromASequence);
            locked_order == order || (!is_feed_free && tester == Some(locked_feed))
        })
    }

    fn commit(&mut self) {
        let Some((id, tester, number)) = self.open.take() else { return };
        self.server.orders[usize::from(id)].version += 1;
        let feed = &mut self.server.feeds[usize::from(tester)];
        feed.last_number = feed.last_number.max(number);
        feed.entries.insert(id, crate::FeedEntry { number, has_left: false });
    }

    /// Whether the phone has all that the server would tell it.
    fn is_caught_up(&self, tester: Tester) -> bool {
        let feed = &self.server.feeds[usize::from(tester)];
        self.phones[usize::from(tester)]
            .cursor
            .is_some_and(|cursor| cursor.epoch == self.server.epoch && cursor.number == feed.last_number)
    }

    /// From here on nothing fails: every phone gets what it lacks in a few rounds and has nothing left to send.
    fn converges(&self, model: &SyncModel) -> bool {
        let mut world = self.clone();
        world.commit();
        for _ in 0..12 {
            for tester in 0..world.phones.len() as Tester {
                let request = world.phones[usize::from(tester)].ask(model.bounds.checkpoints);
                let response = world.server.sync(tester, &request, &model.bounds, model.mutation);
                world.phones[usize::from(tester)].apply(&response, model.mutation);
            }
        }
        (0..world.phones.len() as Tester).all(|tester| {
            let phone = &world.phones[usize::from(tester)];
            phone.outbox.is_empty() && phone.copies == world.server.scope(tester) && world.is_caught_up(tester)
        })
    }

    fn nothing_acknowledged_is_lost(&self) -> bool {
        let applied = self.server.applied_once();
        // A restored database knows only what its backup knew; that is what an epoch tells the phones.
        self.is_restored
            || self.phones.iter().flat_map(|phone| &phone.decided).all(|(command, is_accepted)| {
                self.server.receipts.get(command) == Some(is_accepted) && applied.contains(command) == *is_accepted
            })
    }

    fn every_command_is_somewhere(&self) -> bool {
        self.phones
            .iter()
            .zip(&self.commands)
            .all(|(phone, given)| phone.outbox.len() + phone.decided.len() == usize::from(*given))
    }
}

impl Model for SyncModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            server: Server::new(self.bounds.testers, self.bounds.orders),
            phones: vec![Phone::default(); self.bounds.testers],
            network: BTreeSet::new(),
            open: None,
            backup: None,
            is_restored: false,
            desk_changes: 0,
            compactions: 0,
            spoils: 0,
            commands: vec![0; self.bounds.testers],
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let testers = self.bounds.testers as Tester;
        if world.desk_changes < self.bounds.desk_changes {
            for id in 0..self.bounds.orders as OrderId {
                let holder = world.server.orders[usize::from(id)].holder;
                if !world.is_locked(id, holder, self.mutation) {
                    actions.push(Action::Edit(id));
                    if self.bounds.slow_transactions && world.open.is_none() && holder.is_some() {
                        actions.push(Action::Open(id));
                    }
                }
                for to in (0..testers).map(Some).chain([None]).filter(|to| *to != holder) {
                    let is_free = [holder, to].iter().all(|tester| !world.is_locked(id, *tester, self.mutation));
                    if is_free {
                        actions.push(Action::Assign(id, to));
                    }
                }
            }
        }
        if world.open.is_some() {
            actions.push(Action::Commit);
        }
        if self.bounds.restores && world.open.is_none() {
            if world.backup.is_none() && !world.is_restored {
                actions.push(Action::Backup);
            } else if world.backup.is_some() {
                actions.push(Action::Restore);
            }
        }
        for tester in 0..testers {
            let phone = &world.phones[usize::from(tester)];
            let feed = &world.server.feeds[usize::from(tester)];
            let is_free = world.open.is_none_or(|(_, locked, _)| locked != tester);
            if is_free
                && world.compactions < self.bounds.compactions
                && feed.entries.values().any(|entry| entry.has_left)
            {
                actions.push(Action::Compact(tester));
            }
            if world.commands[usize::from(tester)] < self.bounds.commands {
                actions.extend(phone.copies.keys().map(|order| Action::Act(tester, *order)));
            }
            if world.spoils < self.bounds.spoils {
                actions.extend(phone.copies.keys().map(|order| Action::Spoil(tester, *order)));
            }
            if phone.awaits.is_some() {
                actions.push(Action::GiveUp(tester));
            } else if phone.attempts < self.bounds.attempts {
                actions.push(Action::Ask(tester));
            }
        }
        for message in &world.network {
            // A request that would touch locked rows waits for them.
            let waits = match message {
                Message::Asked(tester, request) => request.commands.iter().any(|command| {
                    !world.server.receipts.contains_key(command)
                        && world.is_locked(command.order, Some(*tester), self.mutation)
                }),
                Message::Answered(..) => false,
            };
            if !waits {
                actions.push(Action::Deliver(message.clone()));
            }
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Edit(id) => {
                world.desk_changes += 1;
                world.server.edit(id);
            }
            Action::Assign(id, to) => {
                world.desk_changes += 1;
                world.server.assign(id, to);
            }
            Action::Open(id) => {
                let holder = world.server.orders[usize::from(id)].holder?;
                let feed = &mut world.server.feeds[usize::from(holder)];
                let number = feed.last_number + 1;
                if self.mutation == Some(Mutation::NumbersFromASequence) {
                    // The sequence has moved on for everybody, although nothing is committed.
                    feed.last_number = number;
                }
                world.desk_changes += 1;
                world.open = Some((id, holder, number));
            }
            Action::Commit => world.commit(),
            Action::Compact(tester) => {
                world.compactions += 1;
                world.server.compact(tester, self.mutation);
            }
            Action::Backup => world.backup = Some(Box::new(world.server.clone())),
            Action::Restore => {
                let epoch = world.server.epoch + 1;
                world.server = *world.backup.take()?;
                world.is_restored = true;
                if self.mutation != Some(Mutation::RestoresSilently) {
                    world.server.epoch = epoch;
                }
            }
            Action::Act(tester, order) => {
                let number = &mut world.commands[usize::from(tester)];
                *number += 1;
                world.phones[usize::from(tester)].outbox.push(Command { tester, number: *number, order });
            }
            Action::Spoil(tester, order) => {
                world.spoils += 1;
                world.phones[usize::from(tester)].spoil(order);
            }
            Action::Ask(tester) => {
                let request = world.phones[usize::from(tester)].ask(self.bounds.checkpoints);
                world.network.insert(Message::Asked(tester, request));
            }
            Action::GiveUp(tester) => world.phones[usize::from(tester)].awaits = None,
            Action::Deliver(Message::Asked(tester, request)) => {
                let response = world.server.sync(tester, &request, &self.bounds, self.mutation);
                world.network.insert(Message::Answered(tester, response));
            }
            Action::Deliver(Message::Answered(tester, response)) => {
                world.phones[usize::from(tester)].apply(&response, self.mutation);
            }
        }
        // An answer that nobody waits for is never read: leaving it out keeps worlds that differ in nothing else the same.
        if self.mutation != Some(Mutation::TakesLateAnswers) {
            let phones = &world.phones;
            world.network.retain(|message| match message {
                Message::Asked(..) => true,
                Message::Answered(tester, response) => phones[usize::from(*tester)].awaits == Some(response.attempt),
            });
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is applied twice", |_, world: &World| {
                world.server.applied.values().all(|times| *times == 1)
            }),
            Property::always("nothing acknowledged is lost", |_, world: &World| world.nothing_acknowledged_is_lost()),
            Property::always("every command waits or is decided", |_, world: &World| {
                world.every_command_is_somewhere()
            }),
            Property::always(
                "a phone that has everything agrees with the server, or knows better",
                |_, world: &World| {
                    (0..world.phones.len() as Tester).all(|tester| {
                        let phone = &world.phones[usize::from(tester)];
                        !world.is_caught_up(tester)
                            || phone.is_spoiled
                            || phone.is_in_doubt
                            || phone.copies == world.server.scope(tester)
                    })
                },
            ),
            Property::always("no phone doubts without a cause", |_, world: &World| {
                world.spoils > 0 || world.phones.iter().all(|phone| !phone.is_in_doubt)
            }),
            Property::always("once nothing fails, every phone converges", |model, world: &World| {
                world.converges(model)
            }),
            Property::sometimes("a phone has everything", |_, world: &World| {
                world.desk_changes > 0 && (0..world.phones.len() as Tester).all(|tester| world.is_caught_up(tester))
            }),
        ]
    }
}
