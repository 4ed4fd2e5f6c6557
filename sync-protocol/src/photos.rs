//! Photos: what a phone says of a photo before, and apart from, its bytes.

use crate::commands::FieldProblem;
use crate::ids::{FieldTestId, PhotoId, WorkOrderId};
use crate::samples::Position;
use crate::time::Timestamp;
use crate::work_orders::{UnknownName, wire_enum};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Largest photo, in bytes.
pub const MAX_PHOTO_BYTES: u64 = 32 * 1024 * 1024;

wire_enum! {
    /// What a photo shows.
    PhotoPurpose {
        /// The place and its surroundings.
        0 Surroundings = "surroundings" / "环境",
        /// The spot indoors; only with the customer's consent (R-VISIT-2).
        1 Indoors = "indoors" / "室内",
        /// A phone's screen.
        2 Screen = "screen" / "屏幕截图",
        /// A site, its antennas, or a resource that could be used.
        3 Site = "site" / "站点",
    }
}

wire_enum! {
    /// A photo's format.
    MediaType {
        /// JPEG
        0 Jpeg = "image/jpeg" / "JPEG",
        /// PNG
        1 Png = "image/png" / "PNG",
    }
}

/// SHA-256 of a photo's bytes. Text form: lower-case hexadecimal; CBOR: a byte string of 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhotoHash(pub [u8; 32]);

crate::hash_newtype!(PhotoHash);

/// What the phone promises of a photo. The server keeps the bytes only if they match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct PhotoManifest {
    /// Made by the phone.
    #[n(0)]
    pub id: PhotoId,
    /// The test that it belongs to.
    #[n(1)]
    pub field_test_id: FieldTestId,
    /// That test's order.
    #[n(2)]
    pub work_order_id: WorkOrderId,
    /// SHA-256 of the bytes.
    #[n(3)]
    pub hash: PhotoHash,
    /// How many bytes.
    #[n(4)]
    pub byte_length: u64,
    /// Their format.
    #[n(5)]
    pub media_type: MediaType,
    /// What it shows.
    #[n(6)]
    pub purpose: PhotoPurpose,
    /// When it was taken, by the phone's clock.
    #[n(7)]
    pub captured_at: Timestamp,
    /// Where it was taken.
    #[n(8)]
    pub position: Option<Position>,
}

impl PhotoManifest {
    /// Checks length and place; says nothing of the workflow.
    pub fn validate(&self) -> Result<(), FieldProblem> {
        if self.byte_length == 0 || self.byte_length > MAX_PHOTO_BYTES {
            return Err(FieldProblem { field: "byte_length", problem: "must be between 1 byte and 32 MiB" });
        }
        match &self.position {
            Some(p) if p.validate().is_err() => Err(FieldProblem {
                field: "position",
                problem: "must lie within ±90° of latitude and ±180° of longitude",
            }),
            _ => Ok(()),
        }
    }
}
