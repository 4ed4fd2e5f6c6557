//! What can happen in a simulated world, as plain values: a list of them is a whole run, is made from a seed, and is kept when
//! it found something.
//!
//! Numbers that name a phone, order or server are taken modulo how many there are, so that any sub-list is a valid run.

use super::chance::Dice;

/// What the network does to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The request does not arrive.
    RequestLost,
    /// The server does its work; the answer does not arrive. The same as a server that dies right after its commit.
    AnswerLost,
    /// The request arrives twice, the phone hears the first answer.
    TwiceFirstHeard,
    /// The request arrives twice, the phone hears the second answer.
    TwiceLastHeard,
    /// Only so many thousandths of the request's body arrive; the connection breaks.
    RequestCut(u16),
    /// Only so many thousandths of the answer's body arrive, and are taken for all of it.
    AnswerCut(u16),
    /// The message takes so many seconds.
    Slow(u16),
    /// The server's process is killed when it has waited so often for this request; another takes its place after the sync.
    ServerKilled(u8),
    /// The power of the servers' machine fails before the so many-th write or sync of the request; SQLite only. It is there again
    /// after the sync.
    ServerPowerCut(u8),
}

/// One thing that a tester does, offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the phone's functions")]
pub enum Act {
    Accept,
    Decline,
    Contact,
    Arrive,
    Consent(bool),
    /// Begins to capture one of the three operators, live, and captures so many samples.
    Capture(u8, u8),
    Findings,
    Photo,
    Seal,
    Submit,
    /// What the order's state asks for; the number chooses where there is a choice.
    Next(u8),
}

/// One step of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A complaint comes in, is classified, located, and dispatched to a tester.
    OrderMake {
        /// Who gets it.
        tester: u8,
    },
    /// T1 dispatches an order (after a decline).
    Dispatch {
        /// Which order.
        order: u16,
        /// To whom.
        tester: u8,
    },
    /// T1 gives an order to another tester.
    Reassign {
        /// Which order.
        order: u16,
        /// To whom.
        tester: u8,
    },
    /// Customer service takes an order back.
    Withdraw {
        /// Which order.
        order: u16,
    },
    /// The lead sends an order's test back.
    SendBack {
        /// Which order.
        order: u16,
    },
    /// The lead approves an order's test.
    Approve {
        /// Which order.
        order: u16,
    },
    /// A tester acts on one of the orders on the phone.
    Act {
        /// Whose phone.
        phone: u8,
        /// Which of the phone's orders.
        order: u8,
        /// What.
        act: Act,
    },
    /// Every running capture of a phone takes so many samples more, wherever its order is now.
    Stream {
        /// Whose phone.
        phone: u8,
        /// How many.
        samples: u8,
    },
    /// Every running capture of a phone is made safe.
    Flush {
        /// Whose phone.
        phone: u8,
        /// The captures end.
        close: bool,
    },
    /// A phone syncs; the messages meet the faults one by one, those after the last fault meet none.
    Sync {
        /// Which phone.
        phone: u8,
        /// With which server.
        server: u8,
        /// How often the phone waits and tries again.
        patience: u8,
        /// What happens to the messages.
        faults: Vec<Fault>,
    },
    /// An old request of a phone arrives (once more).
    Replay {
        /// Which phone's.
        phone: u8,
        /// At which server.
        server: u8,
        /// How many requests back.
        back: u8,
    },
    /// A fault of the phone's storage: one of its orders goes back to an older version, and nothing tells the phone.
    OrderSpoil {
        /// Whose phone.
        phone: u8,
        /// Which of the phone's orders.
        order: u8,
    },
    /// A phone loses the network, or has it again.
    Partition {
        /// Which phone.
        phone: u8,
        /// Whether it is lost.
        is_lost: bool,
    },
    /// A phone's process dies; what it held in memory is gone; it starts again.
    PhoneKill {
        /// Which phone.
        phone: u8,
    },
    /// A phone's power fails before so many-th further write or sync of its storage; what was not synced survives as the chance has
    /// it ([`Survival::of`](crate::medium::Survival::of)).
    PowerCut {
        /// Which phone.
        phone: u8,
        /// Writes and syncs.
        steps: u16,
        /// Of the survival.
        chance: u16,
    },
    /// After so many further writes and syncs a phone's storage has no room any more.
    DiskFull {
        /// Which phone.
        phone: u8,
        /// Writes and syncs.
        steps: u16,
    },
    /// There is room again.
    DiskRoom {
        /// Which phone.
        phone: u8,
    },
    /// A server stops and another process takes its place.
    ServerRestart {
        /// Which server.
        server: u8,
    },
    /// A phone's clock is set, ahead of the world's by so many hours.
    ClockSet {
        /// Which phone.
        phone: u8,
        /// Hours.
        ahead_hours: i16,
    },
    /// Time passes.
    Advance {
        /// Minutes.
        minutes: u16,
    },
    /// The server's housekeeping removes tombstones older than so many hours.
    Compact {
        /// Hours.
        hours: u16,
    },
    /// The feeds begin another life, as after a restored database: all phones start over.
    FeedRestart,
}

fn fault(dice: &mut Dice) -> Fault {
    match dice.below(12) {
        0..3 => Fault::None,
        3 => Fault::RequestLost,
        4 | 5 => Fault::AnswerLost,
        6 if dice.percent(50) => Fault::TwiceFirstHeard,
        6 => Fault::TwiceLastHeard,
        7 => Fault::RequestCut(dice.below(1_000) as u16),
        8 => Fault::AnswerCut(dice.below(1_000) as u16),
        9 => Fault::ServerKilled(dice.below(8) as u8),
        10 => Fault::ServerPowerCut(1 + dice.below(60) as u8),
        _ => Fault::Slow(1 + dice.below(120) as u16),
    }
}

fn act(dice: &mut Dice) -> Act {
    match dice.below(20) {
        0 => Act::Accept,
        1 => Act::Decline,
        2 => Act::Contact,
        3 => Act::Arrive,
        4 => Act::Consent(dice.percent(70)),
        5 | 6 => Act::Capture(dice.below(3) as u8, 1 + dice.below(250) as u8),
        7 => Act::Findings,
        8 => Act::Seal,
        9 => Act::Submit,
        10 => Act::Photo,
        _ => Act::Next(dice.below(256) as u8),
    }
}

/// One operation of a world with so many phones and servers.
fn operation(dice: &mut Dice, phones: u8, servers: u8) -> Operation {
    use Operation as O;
    let phone = dice.below(phones.into()) as u8;
    let server = dice.below(servers.into()) as u8;
    // Mostly the latest orders: those have not ended.
    let order = dice.below(1_000) as u16;
    match dice.below(100) {
        0..5 => O::OrderMake { tester: phone },
        5 => O::Dispatch { order, tester: phone },
        6..8 => O::Reassign { order, tester: phone },
        8 if dice.percent(50) => O::Withdraw { order },
        8 => O::SendBack { order },
        9..11 => O::Approve { order },
        11..50 => O::Act { phone, order: dice.below(8) as u8, act: act(dice) },
        50..55 => O::Stream { phone, samples: 1 + dice.below(250) as u8 },
        55..57 => O::Flush { phone, close: dice.percent(50) },
        57..83 => {
            let count = if dice.percent(40) { 0 } else { 1 + dice.below(5) };
            let faults = (0..count).map(|_| fault(dice)).collect();
            O::Sync { phone, server, patience: dice.below(4) as u8, faults }
        }
        83..85 => O::Replay { phone, server, back: dice.below(24) as u8 },
        85 => O::Partition { phone, is_lost: true },
        86..88 => O::Partition { phone, is_lost: false },
        88 => O::PhoneKill { phone },
        89..92 => O::PowerCut { phone, steps: 1 + dice.below(80) as u16, chance: dice.below(1 << 16) as u16 },
        92 if dice.percent(30) => O::DiskFull { phone, steps: dice.below(40) as u16 },
        92 => O::DiskRoom { phone },
        93 => O::ServerRestart { server },
        94 => O::ClockSet { phone, ahead_hours: dice.below(400) as i16 - 200 },
        95 => O::OrderSpoil { phone, order: dice.below(8) as u8 },
        96..98 => O::Advance { minutes: dice.below(90) as u16 },
        98 => O::Compact { hours: dice.below(12) as u16 },
        _ if dice.percent(10) => O::FeedRestart,
        _ => O::Advance { minutes: dice.below(1_000) as u16 },
    }
}

/// The operations of a seed.
pub fn operations(seed: u64, count: usize, phones: u8, servers: u8) -> Vec<Operation> {
    let mut dice = Dice::new(seed);
    // Something to do from the beginning on.
    let first = (0..phones).map(|tester| Operation::OrderMake { tester });
    first.chain((0..count).map(|_| operation(&mut dice, phones, servers))).take(count).collect()
}
