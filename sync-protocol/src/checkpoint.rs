//! Checkpoints: eight bytes by which phone and server can tell whether they agree on the tester's orders.
//!
//! The sum (modulo 2⁶⁴) of one number for each order in the scope, so that the order in which orders came does not matter, and
//! a change costs one subtraction and one addition, whatever the scope's length. It finds faults, not forgeries: who may write
//! into a phone's store can do worse. What does not belong here: what is done when the two disagree (`SPEC.md`, section 5).

use crate::ids::WorkOrderId;
use minicbor::{Decode, Encode};
use std::fmt;

/// What is hashed before the order's id and version, so that the numbers mean nothing else.
const CONTEXT: &[u8] = b"callout-checkpoint-v1\n";

/// The digest of a tester's orders in scope, each with its version. [`Checkpoint::EMPTY`] is that of none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Checkpoint(#[n(0)] pub u64);

impl Checkpoint {
    /// No orders.
    pub const EMPTY: Self = Self(0);

    /// The checkpoint of so many orders.
    pub fn of(orders: impl IntoIterator<Item = (WorkOrderId, u64)>) -> Self {
        orders.into_iter().fold(Self::EMPTY, |sum, (id, version)| sum.with(id, version))
    }

    /// After the order entered. Version 0 stands for an order that is not in scope and changes nothing.
    #[must_use]
    pub fn with(self, id: WorkOrderId, version: u64) -> Self {
        Self(self.0.wrapping_add(order_number(id, version)))
    }

    /// After the order, which was in it at this version, left.
    #[must_use]
    pub fn without(self, id: WorkOrderId, version: u64) -> Self {
        Self(self.0.wrapping_sub(order_number(id, version)))
    }
}

/// The first eight bytes, little-endian, of BLAKE3 over context, id and version (little-endian).
fn order_number(id: WorkOrderId, version: u64) -> u64 {
    if version == 0 {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(CONTEXT).update(id.as_bytes()).update(&version.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint({:016x})", self.0)
    }
}
