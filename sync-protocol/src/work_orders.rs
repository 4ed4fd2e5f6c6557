//! The work order as phone and server both see it: its states, and the view of it that travels to a tester's phone.
//!
//! What does not belong here: who may move it (`field_workflow` for the tester, the server's `workflow` for the desks).

use crate::contact_words::ContactWords;
use crate::evidence::EvidenceTemplate;
use crate::field_workflow::RestHours;
use crate::ids::{FieldTestId, WorkOrderId};
use crate::samples::Position;
use crate::time::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $number:literal $variant:ident = $text:literal / $zh:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cbor(index_only)]
        pub enum $name {
            $($(#[$vdoc])* #[n($number)] #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them, in the order of their wire numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in API, database and code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The name that a Chinese reader expects.
            pub fn name_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownName(stringify!($name))) }
            }
        }
    };
}
pub(crate) use wire_enum;

/// The text is none of the names that the type allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name of {0}")]
pub struct UnknownName(pub &'static str);

wire_enum! {
    /// Where a work order stands. The tester moves it from `dispatched` to `submitted`; the desks do the rest.
    WorkOrderState {
        /// Made from a network complaint; the place is not yet exact enough to send anyone (R-LOCATE-1).
        0 Received = "received" / "已受理",
        /// Exact address and coordinates are known.
        1 Located = "located" / "已定位",
        /// With a tester who has not answered yet.
        2 Dispatched = "dispatched" / "已派单",
        /// The tester took it.
        3 Accepted = "accepted" / "已接单",
        /// The customer was reached and an appointment stands.
        4 Contacted = "contacted" / "已联系",
        /// The tester is at the place.
        5 OnSite = "on_site" / "已到场",
        /// The field test waits for the regional lead's review.
        6 Submitted = "submitted" / "待审核",
        /// The review sent the test back with reasons.
        7 SentBack = "sent_back" / "已退回",
        /// The test is approved and a plan is named (R-REVIEW-1).
        8 Approved = "approved" / "已审核",
        /// With the branch (T2) or maintenance (R-ROUTE-1, R-ROUTE-2).
        9 HandedOver = "handed_over" / "已转派",
        /// The branch or maintenance answered.
        10 HandoffAnswered = "handoff_answered" / "转派已答复",
        /// Held to be solved; the customer has yet to confirm it (R-RETURN-3).
        11 AwaitingRevisit = "awaiting_revisit" / "待回访",
        /// Returned to customer service as unresolved; a tracking ticket lives on (R-RETURN-2).
        12 Unresolved = "unresolved" / "未解决",
        /// The customer confirmed; returned as resolved.
        13 Resolved = "resolved" / "已解决",
        /// Taken back by customer service (R-ROUTE-4).
        14 Withdrawn = "withdrawn" / "已撤单",
    }
}

impl WorkOrderState {
    /// Nothing more happens to the order itself in this state (its tracking ticket may live on).
    pub fn is_final(self) -> bool {
        matches!(self, Self::Unresolved | Self::Resolved | Self::Withdrawn)
    }

    /// The order is on its tester's phone in this state.
    pub fn is_in_field(self) -> bool {
        matches!(
            self,
            Self::Dispatched | Self::Accepted | Self::Contacted | Self::OnSite | Self::Submitted | Self::SentBack
        )
    }
}

wire_enum! {
    /// What the customer suffers from.
    Symptom {
        /// No signal at all.
        0 NoSignal = "no_signal" / "无信号",
        /// Weak signal.
        1 WeakSignal = "weak_signal" / "信号弱",
        /// Calls drop.
        2 CallDrop = "call_drop" / "掉话",
        /// Calls cannot be set up.
        3 CallSetup = "call_setup" / "无法接通",
        /// Voices are broken or unclear.
        4 VoiceQuality = "voice_quality" / "通话质量差",
        /// Data is slow.
        5 SlowData = "slow_data" / "上网慢",
        /// Data does not work.
        6 NoData = "no_data" / "无法上网",
        /// Something else; the text says what.
        7 Other = "other" / "其他",
    }
}

wire_enum! {
    /// Which network generation suffers.
    NetworkGeneration {
        /// 2G
        0 Gsm = "2g" / "2G",
        /// 3G
        1 Umts = "3g" / "3G",
        /// 4G
        2 Lte = "4g" / "4G",
        /// 5G
        3 Nr = "5g" / "5G",
    }
}

wire_enum! {
    /// How pressing an order is.
    Urgency {
        /// The class's ordinary limit.
        0 Normal = "normal" / "普通",
        /// Chased by customer service (R-ROUTE-4) or a key account (R-INTAKE-4).
        1 Urgent = "urgent" / "加急",
        /// Major escalated complaint, or came again through a higher door (R-CLASS-1, R-INTAKE-9).
        2 Critical = "critical" / "特急",
    }
}

wire_enum! {
    /// Why an order left a tester's phone.
    LeftReason {
        /// Another tester has it now.
        0 Reassigned = "reassigned" / "已改派",
        /// It needs nothing more from the field.
        1 Finished = "finished" / "已完成",
        /// Customer service took it back.
        2 Withdrawn = "withdrawn" / "已撤单",
        /// The tester no longer works in its region.
        3 RegionChanged = "region_changed" / "区域变更",
        /// The tester declined it.
        4 Declined = "declined" / "已拒单",
    }
}

/// From when until when, `from` before `until`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// Begin, inclusive.
    #[n(0)]
    pub from: Timestamp,
    /// End, exclusive.
    #[n(1)]
    pub until: Timestamp,
}

/// How to reach the customer; on a phone only while the order is (R-PRIVACY-1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct CustomerContact {
    /// The customer's name.
    #[n(0)]
    pub name: String,
    /// The number to call.
    #[n(1)]
    pub phone: String,
}

impl fmt::Debug for CustomerContact {
    /// Personal data stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerContact(redacted)")
    }
}

/// A work order as its tester's phone holds it. The whole of it travels whenever any of it changed; the phone replaces its copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct WorkOrderView {
    /// Its id.
    #[n(0)]
    pub id: WorkOrderId,
    /// Grows with every change; a view with a lower one is older.
    #[n(1)]
    pub version: u64,
    /// The number that people say on the telephone, such as `WO-20261121-00042`.
    #[n(2)]
    pub number: String,
    /// Where it stands.
    #[n(3)]
    pub state: WorkOrderState,
    /// How pressing it is.
    #[n(4)]
    pub urgency: Urgency,
    /// What the customer suffers from.
    #[n(5)]
    pub symptom: Symptom,
    /// Which network generation, if known.
    #[n(6)]
    pub generation: Option<NetworkGeneration>,
    /// The complaint in the customer's words.
    #[n(7)]
    pub description: String,
    /// Road and number, or village and team (R-LOCATE-1).
    #[n(8)]
    pub address: String,
    /// The complaint's place.
    #[n(9)]
    pub position: Option<Position>,
    /// The customer.
    #[n(10)]
    pub customer: CustomerContact,
    /// The appointment that stands.
    #[n(11)]
    pub appointment: Option<TimeWindow>,
    /// When the field test is due.
    #[n(12)]
    pub due_at: Option<Timestamp>,
    /// The current field test, once begun.
    #[n(13)]
    pub field_test_id: Option<FieldTestId>,
    /// Why the last review sent the test back; empty otherwise.
    #[n(14)]
    pub return_reasons: Vec<String>,
    /// The customer agreed to photos (R-VISIT-2); absent until asked.
    #[n(15)]
    pub photo_consent: Option<bool>,
    /// Minutes that the site's local time is ahead of UTC; contact windows are local (R-CONTACT-1).
    #[n(16)]
    pub utc_offset_minutes: i16,
    /// When the customer is left in peace, as minutes of the day (R-CONTACT-1); absent where the ordinary hours hold.
    #[n(17)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_hours: Option<Vec<(u16, u16)>>,
    /// The words to begin and end a talk with (R-CONTACT-2); absent where the ordinary ones hold.
    #[n(18)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_words: Option<ContactWords>,
    /// What evidence the test must have; absent from a server that does not know of templates.
    #[n(19)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_template: Option<EvidenceTemplate>,
}

impl WorkOrderView {
    /// When the customer is left in peace (R-CONTACT-1).
    pub fn rest_hours(&self) -> RestHours {
        self.rest_hours.clone().map_or_else(RestHours::default, RestHours)
    }

    /// The words to begin and end a talk with (R-CONTACT-2).
    pub fn contact_words(&self) -> ContactWords {
        self.contact_words.clone().unwrap_or_default()
    }
}
