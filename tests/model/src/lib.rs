//! A model of the sync protocol, small enough to be checked exhaustively: every order of every step, in small worlds.
//!
//! It says what `sync-protocol/SPEC.md` §5 says, and no more: one server with a feed per tester, phones with an outbox, a cursor
//! and copies, and a network that may lose, repeat, delay and reorder. Each [`Mutation`] takes one thought out of the protocol; the tests
//! show that the checker then finds a world in which something is lost, so that a silent checker is a telling one. What does not
//! belong here: time, authorisation, what commands mean, blocks and photos (facts that only ever arrive).

mod phone;
mod server;
mod world;

pub use phone::Phone;
pub use server::{Feed, FeedEntry, Order, Server};
pub use world::{Action, Bounds, Message, Mutation, SyncModel, World};

/// A tester, who has one phone.
pub type Tester = u8;
/// An order.
pub type OrderId = u8;

/// A command of a tester on an order; numbered by the phone, so that it has an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    /// Whose.
    pub tester: Tester,
    /// Which of the tester's.
    pub number: u8,
    /// On which order.
    pub order: OrderId,
}

/// A place in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Which life of the feed.
    pub epoch: u8,
    /// The number of the last change seen.
    pub number: u8,
}

/// What tells whether two hold the same. In the protocol eight bytes, which are taken here for as good as what they are made of.
pub type Checkpoint = std::collections::BTreeMap<OrderId, u8>;

/// What a phone asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Which of the phone's attempts: stands for the connection on which the answer comes.
    pub attempt: u8,
    /// Where the phone's feed ends.
    pub cursor: Option<Cursor>,
    /// What the phone holds there.
    pub checkpoint: Option<Checkpoint>,
    /// What waits on the phone.
    pub commands: Vec<Command>,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Response {
    /// The attempt that it answers.
    pub attempt: u8,
    /// The cursor of that attempt.
    pub asked_from: Option<Cursor>,
    /// Whether each command was accepted.
    pub outcomes: Vec<(Command, bool)>,
    /// The phone's copies are void.
    pub reset: bool,
    /// Per order its version, or that it left.
    pub changes: Vec<(OrderId, Option<u8>)>,
    /// Where the feed ends after them.
    pub cursor: Cursor,
    /// More wait.
    pub has_more: bool,
    /// What a phone holds that has all of it; told where nothing more waits.
    pub checkpoint: Option<Checkpoint>,
}
