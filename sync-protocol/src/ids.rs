//! Typed identifiers: one newtype per noun, so that an order's id can never stand where a photo's is meant.
//!
//! Every id is a UUIDv7 (RFC 9562 §5.7) made by whoever creates the thing, phone or server, so that it exists before the
//! first contact between the two. Text form: the usual hyphenated lower case; binary form (CBOR): a byte string of 16.
//! What does not belong here: making ids. That needs a clock and randomness, which this crate does not have; see [`uuid_v7`].

use minicbor::decode::Error as DecodeError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Builds a UUIDv7 from the milliseconds since the Unix epoch and ten random bytes that the caller drew.
pub fn uuid_v7(unix_ms: u64, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid()
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id with all bits zero; stands in tests and as the lower bound of a range.
            pub const NIL: Self = Self(Uuid::nil());

            /// Makes an id from the current milliseconds since the Unix epoch and ten random bytes.
            pub fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(uuid_v7(unix_ms, random))
            }

            /// The 16 bytes in network order, the form that travels.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads the 16 bytes in network order.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
                let bytes: [u8; 16] = d
                    .bytes()?
                    .try_into()
                    .map_err(|_| DecodeError::message(concat!(stringify!($name), " is not 16 bytes")))?;
                Ok(Self::from_bytes(bytes))
            }
        }
    };
}

typed_id!(/// A complaint as customer service took it.
    ComplaintId);
typed_id!(/// A work order: what T1 and the field do about one network complaint.
    WorkOrderId);
typed_id!(/// A command from a phone; the key of its idempotency.
    CommandId);
typed_id!(/// A field test: one visit's measurements, photos and findings.
    FieldTestId);
typed_id!(/// A photo's capture, made before its bytes travel.
    PhotoId);
typed_id!(/// A person or a system that signs in.
    UserId);
typed_id!(/// An enrolled phone or browser.
    DeviceId);
typed_id!(/// A region with its polygon.
    RegionId);
typed_id!(/// A transfer of an order to the branch or to maintenance.
    HandoffId);
typed_id!(/// A tracking ticket (投诉跟踪单).
    TrackingTicketId);
typed_id!(/// A revisit of a customer.
    RevisitId);
typed_id!(/// A reply to customer service.
    ReplyId);
typed_id!(/// A demand to the resource review board.
    BuildDemandId);
typed_id!(/// A weekly resource review meeting.
    ReviewMeetingId);
typed_id!(/// An event of the audit trail.
    EventId);
typed_id!(/// A durable job.
    JobId);
typed_id!(/// One version of a policy that an administrator set.
    PolicyId);
typed_id!(/// A family of rotating refresh tokens, one sign-in.
    SessionId);
typed_id!(/// A dispatch of an order to a tester.
    DispatchId);
typed_id!(/// Something that counts in a person's appraisal.
    AppraisalMarkId);
typed_id!(/// A chase (追单) of an order.
    ChaseId);
typed_id!(/// A question straight to the branch.
    BranchQuestionId);
typed_id!(/// A tester's arrival.
    ArrivalId);
typed_id!(/// The follow-up of a low score.
    FollowUpId);
typed_id!(/// A site of the network.
    SiteId);
typed_id!(/// A site's outage.
    SiteOutageId);
typed_id!(/// A crowd of complaints in space and time.
    ComplaintClusterId);
typed_id!(/// An entry of the supervision list (三超督办).
    SupervisionEntryId);
typed_id!(/// An early warning (投诉预警).
    WarningId);
