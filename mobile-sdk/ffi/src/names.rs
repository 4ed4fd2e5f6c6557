//! The words that phone and server share, and their names for people.

use callout_mobile_sdk::facade::StorageLevel;
use callout_mobile_sdk::facade::{MeteredUse, Network};
use callout_sync_protocol::commands::{AffectedService, ContactOutcome};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::work_orders::{LeftReason, NetworkGeneration, Symptom, Urgency, WorkOrderState};

/// A language that people read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Language {
    /// English.
    English,
    /// 中文
    Chinese,
}

/// A mobile operator of mainland China.
#[uniffi::remote(Enum)]
pub enum Operator {
    /// 中国移动
    ChinaMobile,
    /// 中国联通
    ChinaUnicom,
    /// 中国电信
    ChinaTelecom,
    /// 中国广电
    ChinaBroadnet,
}

/// The radio technology of a sample.
#[uniffi::remote(Enum)]
pub enum Technology {
    /// GSM: level is RXLEV.
    Gsm,
    /// UMTS: level is RSCP, quality is Ec/No.
    Umts,
    /// LTE: level is RSRP, quality is RSRQ, SINR is RS-SINR.
    Lte,
    /// 5G NR: level is SS-RSRP, quality is SS-RSRQ, SINR is SS-SINR.
    Nr,
}

/// Where a work order stands.
#[uniffi::remote(Enum)]
pub enum WorkOrderState {
    /// The place is not exact enough yet.
    Received,
    /// Address and coordinates are known.
    Located,
    /// With a tester who has not answered yet.
    Dispatched,
    /// The tester took it.
    Accepted,
    /// The customer was reached and an appointment stands.
    Contacted,
    /// The tester is at the place.
    OnSite,
    /// The field test waits for its review.
    Submitted,
    /// The review sent the test back with reasons.
    SentBack,
    /// The test is approved.
    Approved,
    /// With the branch or maintenance.
    HandedOver,
    /// The branch or maintenance answered.
    HandoffAnswered,
    /// Held to be solved; the customer has yet to confirm it.
    AwaitingRevisit,
    /// Returned as unresolved; a tracking ticket lives on.
    Unresolved,
    /// The customer confirmed.
    Resolved,
    /// Taken back by customer service.
    Withdrawn,
}

/// What the customer suffers from.
#[uniffi::remote(Enum)]
pub enum Symptom {
    /// No signal at all.
    NoSignal,
    /// Weak signal.
    WeakSignal,
    /// Calls drop.
    CallDrop,
    /// Calls cannot be set up.
    CallSetup,
    /// Voices are broken or unclear.
    VoiceQuality,
    /// Data is slow.
    SlowData,
    /// Data does not work.
    NoData,
    /// Something else; the text says what.
    Other,
}

/// Which network generation suffers.
#[uniffi::remote(Enum)]
pub enum NetworkGeneration {
    /// 2G
    Gsm,
    /// 3G
    Umts,
    /// 4G
    Lte,
    /// 5G
    Nr,
}

/// How pressing an order is.
#[uniffi::remote(Enum)]
pub enum Urgency {
    /// As usual.
    Normal,
    /// Chased, or a key account's.
    Urgent,
    /// Escalated, or came again.
    Critical,
}

/// Why an order left this phone.
#[uniffi::remote(Enum)]
pub enum LeftReason {
    /// Another tester has it now.
    Reassigned,
    /// It needs nothing more from the field.
    Finished,
    /// Customer service took it back.
    Withdrawn,
    /// The tester no longer works in its region.
    RegionChanged,
    /// The tester declined it.
    Declined,
}

/// How an attempt to reach the customer went.
#[uniffi::remote(Enum)]
pub enum ContactOutcome {
    /// Reached; an appointment stands.
    Reached,
    /// Nobody answered.
    NoAnswer,
    /// The customer does not want a visit.
    VisitRefused,
}

/// Which service fails.
#[uniffi::remote(Enum)]
pub enum AffectedService {
    /// Calls.
    Voice,
    /// Data.
    Data,
    /// Both.
    Both,
}

/// What a photo shows.
#[uniffi::remote(Enum)]
pub enum PhotoPurpose {
    /// The place and its surroundings.
    Surroundings,
    /// The spot indoors; only with the customer's consent.
    Indoors,
    /// A phone's screen.
    Screen,
    /// A site, its antennas, or a resource that could be used.
    Site,
}

/// The network that the phone is on.
#[uniffi::remote(Enum)]
pub enum Network {
    /// None.
    Absent,
    /// One that somebody pays by the byte.
    Metered,
    /// One that costs nothing by the byte, such as Wi-Fi.
    Unmetered,
}

/// What may travel over a metered network.
#[uniffi::remote(Enum)]
pub enum MeteredUse {
    /// Everything.
    Everything,
    /// Orders, commands and samples; photos wait for Wi-Fi.
    WithoutPhotos,
    /// Nothing by itself. When a person asks for it: orders, commands and samples.
    WhenAsked,
}

/// How full the phone is, measured by its quota.
#[uniffi::remote(Enum)]
pub enum StorageLevel {
    /// Nothing to worry about.
    Fine,
    /// More than four fifths are taken by what only the phone has.
    NearlyFull,
    /// All of it is. Capturing goes on as long as the medium has room.
    Full,
}

macro_rules! names {
    ($($(#[$doc:meta])* $function:ident($kind:ident);)+) => {
        $($(#[$doc])*
        #[uniffi::export]
        pub fn $function(value: $kind, language: Language) -> String {
            match language {
                Language::English => value.as_str().replace('_', " "),
                Language::Chinese => value.name_zh().to_owned(),
            }
        })+
    };
}

names! {
    /// The state's name for people.
    work_order_state_name(WorkOrderState);
    /// The symptom's name for people.
    symptom_name(Symptom);
    /// The urgency's name for people.
    urgency_name(Urgency);
    /// The reason's name for people.
    left_reason_name(LeftReason);
    /// The operator's name for people.
    operator_name(Operator);
    /// The outcome's name for people.
    contact_outcome_name(ContactOutcome);
    /// The generation's name for people.
    network_generation_name(NetworkGeneration);
    /// The service's name for people.
    affected_service_name(AffectedService);
    /// The purpose's name for people.
    photo_purpose_name(PhotoPurpose);
}
