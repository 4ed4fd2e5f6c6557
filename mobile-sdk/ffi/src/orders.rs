//! An order as the app shows it.

use crate::PhoneError;
use crate::places::{Position, system_time, timestamp};
use callout_mobile_sdk::LocalOrder;
use callout_sync_protocol::contact_words;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::work_orders::{self, LeftReason, NetworkGeneration, Symptom, Urgency, WorkOrderState};
use std::time::SystemTime;

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TimeWindow {
    /// Begin, inclusive.
    pub begins_at: SystemTime,
    /// End, exclusive.
    pub ends_at: SystemTime,
}

impl TimeWindow {
    pub(crate) fn to_core(self) -> Result<work_orders::TimeWindow, PhoneError> {
        Ok(work_orders::TimeWindow { from: timestamp(self.begins_at)?, until: timestamp(self.ends_at)? })
    }
}

/// How to reach the customer. Personal: keep it out of logs.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Customer {
    /// The name.
    pub name: String,
    /// The number to call.
    pub phone: String,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Customer(redacted)")
    }
}

/// Hours in which the customer is left in peace, in minutes of the site's local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RestHours {
    /// Begin.
    pub from_minute: u16,
    /// End.
    pub until_minute: u16,
}

/// What to say to the customer at the beginning and at the end.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TalkWords {
    /// To begin with.
    pub opening: String,
    /// To end with.
    pub closing: String,
}

/// The same in both languages.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ContactWords {
    /// In English.
    pub en: TalkWords,
    /// In Chinese.
    pub zh: TalkWords,
}

impl From<contact_words::ContactWords> for ContactWords {
    fn from(words: contact_words::ContactWords) -> Self {
        let talk = |words: contact_words::TalkWords| TalkWords { opening: words.opening, closing: words.closing };
        Self { en: talk(words.en), zh: talk(words.zh) }
    }
}

/// An order as its tester sees it: the server's view with the tester's own steps applied.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Order {
    /// Its id.
    pub id: WorkOrderId,
    /// The number that people say on the telephone.
    pub number: String,
    /// Grows with every change on the server.
    pub version: u64,
    /// Where it stands, with the steps that wait to be sent.
    pub state: WorkOrderState,
    /// Where the server says that it stands.
    pub server_state: WorkOrderState,
    /// How pressing it is.
    pub urgency: Urgency,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// Which network generation, if known.
    pub generation: Option<NetworkGeneration>,
    /// The complaint in the customer's words.
    pub description: String,
    /// Road and number, or village and team.
    pub address: String,
    /// The complaint's place.
    pub position: Option<Position>,
    /// The customer.
    pub customer: Customer,
    /// The appointment that stands.
    pub appointment: Option<TimeWindow>,
    /// When the field test is due.
    pub due_at: Option<SystemTime>,
    /// The current field test, once begun.
    pub field_test_id: Option<FieldTestId>,
    /// Why the last review sent the test back; empty otherwise.
    pub return_reasons: Vec<String>,
    /// The customer agreed to photos; absent until asked.
    pub photo_consent: Option<bool>,
    /// Minutes that the site's local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// When the customer is left in peace.
    pub rest_hours: Vec<RestHours>,
    /// What to say to the customer.
    pub contact_words: ContactWords,
    /// It is this tester's.
    pub is_in_scope: bool,
    /// Why it left; absent while in scope, and where the server did not say.
    pub left_reason: Option<LeftReason>,
    /// When the phone learned that it left.
    pub left_at: Option<SystemTime>,
    /// Findings of the current test were recorded on this phone.
    pub has_findings: bool,
    /// When the tester arrived, by a step on this phone.
    pub arrived_at: Option<SystemTime>,
    /// How many steps wait to be sent.
    pub waiting_commands: u64,
    /// How many steps the server rejected, and nobody has dealt with since.
    pub rejected_commands: u64,
}

impl From<LocalOrder> for Order {
    fn from(order: LocalOrder) -> Self {
        let rest_hours = order.view.rest_hours().0;
        let contact_words = order.view.contact_words().into();
        let view = order.view;
        Self {
            id: view.id,
            number: view.number,
            version: view.version,
            state: view.state,
            server_state: order.server_state,
            urgency: view.urgency,
            symptom: view.symptom,
            generation: view.generation,
            description: view.description,
            address: view.address,
            position: view.position.map(Position::from),
            customer: Customer { name: view.customer.name, phone: view.customer.phone },
            appointment: view
                .appointment
                .map(|window| TimeWindow { begins_at: system_time(window.from), ends_at: system_time(window.until) }),
            due_at: view.due_at.map(system_time),
            field_test_id: view.field_test_id,
            return_reasons: view.return_reasons,
            photo_consent: view.photo_consent,
            utc_offset_minutes: view.utc_offset_minutes,
            rest_hours: rest_hours
                .into_iter()
                .map(|(from_minute, until_minute)| RestHours { from_minute, until_minute })
                .collect(),
            contact_words,
            is_in_scope: order.is_in_scope,
            left_reason: order.left_reason,
            left_at: order.left_at.map(system_time),
            has_findings: order.has_findings,
            arrived_at: order.arrived_at.map(system_time),
            waiting_commands: order.waiting_commands,
            rejected_commands: order.rejected_commands,
        }
    }
}
