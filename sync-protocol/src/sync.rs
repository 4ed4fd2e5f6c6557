//! The one round trip: what a phone sends, what the server answers.
//!
//! Order of work on both sides: commands, then blocks, then changes. Photos' bytes travel apart (resumable upload). What does
//! not belong here: framing and compression (`frame`), the rules (`field_workflow`).

use crate::checkpoint::Checkpoint;
use crate::commands::Command;
use crate::ids::{CommandId, DeviceId, PhotoId, WorkOrderId};
use crate::problem::Rejection;
use crate::samples::BlockHash;
use crate::time::Timestamp;
use crate::version::{MAX_BLOCKS, MAX_CHANGES, MAX_COMMANDS};
use crate::work_orders::{LeftReason, WorkOrderState, WorkOrderView};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// A place in a tester's feed. Opaque to the phone, which sends back what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Encode, Decode)]
pub struct Cursor {
    /// Which life of the feed; another one (a restored database) means starting over.
    #[n(0)]
    pub epoch: u64,
    /// The number of the last change that the phone has.
    #[n(1)]
    pub number: u64,
}

/// What a phone sends. Everything in it may be sent again without harm.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SyncRequest {
    /// The sender, as enrolled; must be the access token's device.
    #[n(0)]
    pub device_id: DeviceId,
    /// The phone's clock as it sends.
    #[n(1)]
    pub phone_time: Timestamp,
    /// Where the phone's feed ends; absent at the first sync.
    #[n(2)]
    pub cursor: Option<Cursor>,
    /// In the order in which the tester gave them.
    #[n(3)]
    pub commands: Vec<Command>,
    /// Sealed sample blocks.
    #[n(4)]
    pub blocks: Vec<BlockUpload>,
    /// Most changes that the phone wants in the answer; the server may send fewer.
    #[n(5)]
    pub max_changes: u32,
    /// What the phone holds at its cursor, since version 2; the server resets a phone that holds something else than it should.
    #[n(6)]
    pub checkpoint: Option<Checkpoint>,
}

/// A sealed block on its way, with the order that it was measured for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlockUpload {
    /// The order.
    #[n(0)]
    pub work_order_id: WorkOrderId,
    /// The sealed bytes; see `samples`.
    #[n(1)]
    pub bytes: ByteVec,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SyncResponse {
    /// The server's clock as it answers.
    #[n(0)]
    pub server_time: Timestamp,
    /// One for each command, in their order.
    #[n(1)]
    pub outcomes: Vec<CommandOutcome>,
    /// One for each block, in their order.
    #[n(2)]
    pub block_outcomes: Vec<BlockOutcome>,
    /// The phone's copy is void: drop all orders before applying the changes (unsent work is kept).
    #[n(3)]
    pub reset: bool,
    /// Changes after the cursor, oldest first.
    #[n(4)]
    pub changes: Vec<Change>,
    /// Where the feed ends after these changes.
    #[n(5)]
    pub cursor: Cursor,
    /// More changes wait; ask again at once.
    #[n(6)]
    pub has_more: bool,
    /// What the server wants of the phone. A reader leaves out those that it does not know.
    #[n(7)]
    #[cbor(decode_with = "directives_decode")]
    pub directives: Vec<Directive>,
    /// What the phone should hold after these changes, since version 2; absent while more wait.
    #[n(8)]
    pub checkpoint: Option<Checkpoint>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CommandOutcome {
    /// The command.
    #[n(0)]
    pub id: CommandId,
    /// What became of it.
    #[n(1)]
    pub result: CommandResult,
}

/// Accepted with the order's state afterwards, or rejected; a rejected command's content is kept on both sides (R-TEST-5).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CommandResult {
    /// Applied, now or when it was first sent.
    #[n(0)]
    Accepted {
        /// The order's state right afterwards.
        #[n(0)]
        state: WorkOrderState,
        /// The order's version right afterwards.
        #[n(1)]
        version: u64,
    },
    /// Not applied.
    #[n(1)]
    Rejected {
        /// Why.
        #[n(0)]
        rejection: Rejection,
    },
}

/// What became of a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlockOutcome {
    /// The block.
    #[n(0)]
    pub hash: BlockHash,
    /// What became of it.
    #[n(1)]
    pub result: BlockResult,
}

/// In every case but `Refused` the server holds the bytes durably and the phone may let go of them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BlockResult {
    /// Held as evidence of the test.
    #[n(0)]
    Stored {},
    /// Held, visible, but not evidence (for example, the order went to another tester meanwhile).
    #[n(1)]
    Quarantined {
        /// Why.
        #[n(0)]
        rejection: Rejection,
    },
    /// Not held: it is not a block that this device sealed. The phone keeps it and shows why.
    #[n(2)]
    Refused {
        /// Why.
        #[n(0)]
        rejection: Rejection,
    },
}

/// One change of a tester's scope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// The order entered the scope, or changed.
    #[n(0)]
    Changed {
        /// All of it.
        #[n(0)]
        order: Box<WorkOrderView>,
    },
    /// The order left the scope; the phone drops its contact data and keeps unsent work (R-PRIVACY-1).
    #[n(1)]
    Left {
        /// The order.
        #[n(0)]
        id: WorkOrderId,
        /// Why.
        #[n(1)]
        reason: LeftReason,
    },
}

/// What the server wants of the phone beside the changes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Directive {
    /// Do not sync of your own accord before this many seconds have passed (a person may).
    #[n(0)]
    WaitBeforeNextSync {
        /// Seconds.
        #[n(0)]
        seconds: u32,
    },
    /// These photos are announced but their bytes are not here.
    #[n(1)]
    PhotosWanted {
        /// Which.
        #[n(0)]
        photo_ids: Vec<PhotoId>,
    },
    /// The phone's clock is off by this much; shown to the tester, corrected nowhere.
    #[n(2)]
    ClockSkewed {
        /// Milliseconds that the phone is ahead of the server.
        #[n(0)]
        ahead_ms: i64,
    },
}

/// The last directive of this list; a later number belongs to a newer one.
const LAST_DIRECTIVE: u32 = 2;

/// Reads directives and leaves out those of a newer list: a wish that the phone cannot understand is no reason to lose the rest.
fn directives_decode<C>(
    d: &mut minicbor::Decoder<'_>,
    context: &mut C,
) -> Result<Vec<Directive>, minicbor::decode::Error> {
    let mut directives = Vec::new();
    let mut left = d.array()?;
    loop {
        let is_end = match &mut left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => d.datatype()? == minicbor::data::Type::Break,
        };
        if is_end {
            if left.is_none() {
                d.skip()?;
            }
            return Ok(directives);
        }
        let mut ahead = d.probe();
        ahead.array()?;
        if ahead.u32()? <= LAST_DIRECTIVE {
            directives.push(Directive::decode(d, context)?);
        } else {
            d.skip()?;
        }
    }
}

/// A list in a message that is longer than allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: at most {maximum} entries")]
pub struct TooMany {
    /// The list.
    pub field: &'static str,
    /// How many it may have.
    pub maximum: usize,
}

impl SyncRequest {
    /// The same request with only what a server of that protocol version understands.
    #[must_use]
    pub fn for_version(mut self, version: u8) -> Self {
        if version < 2 {
            self.checkpoint = None;
        }
        self
    }

    /// Checks the lists' lengths.
    pub fn validate(&self) -> Result<(), TooMany> {
        if self.commands.len() > MAX_COMMANDS {
            return Err(TooMany { field: "commands", maximum: MAX_COMMANDS });
        }
        if self.blocks.len() > MAX_BLOCKS {
            return Err(TooMany { field: "blocks", maximum: MAX_BLOCKS });
        }
        Ok(())
    }

    /// How many changes to put into the answer.
    pub fn changes_wanted(&self) -> usize {
        (self.max_changes as usize).clamp(1, MAX_CHANGES)
    }
}

impl SyncResponse {
    /// The same answer with only what a reader of that protocol version understands.
    #[must_use]
    pub fn for_version(mut self, version: u8) -> Self {
        if version >= 2 {
            return self;
        }
        self.checkpoint = None;
        let of_commands = self.outcomes.iter_mut().filter_map(|outcome| match &mut outcome.result {
            CommandResult::Accepted { .. } => None,
            CommandResult::Rejected { rejection } => Some(rejection),
        });
        let of_blocks = self.block_outcomes.iter_mut().filter_map(|outcome| match &mut outcome.result {
            BlockResult::Stored {} => None,
            BlockResult::Quarantined { rejection } | BlockResult::Refused { rejection } => Some(rejection),
        });
        for rejection in of_commands.chain(of_blocks) {
            rejection.problem = rejection.problem.for_version(version);
        }
        self
    }
}
