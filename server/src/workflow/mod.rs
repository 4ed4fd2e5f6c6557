//! The desks' rules: pure state machines and functions of (state, command, facts, policy) that return what is to change.
//!
//! One noun, one file. Nothing here reads a clock, draws a number, opens a file or a connection: whoever asks hands in what the
//! judge must know, and performs the effects that come back. The tester's own moves are judged by
//! `callout_sync_protocol::field_workflow`, the same code on phone and server; both together cover every
//! [`WorkOrderState`](callout_sync_protocol::work_orders::WorkOrderState), which `server/docs/workflow.md` shows (generated and
//! checked by a test). What does not belong here: who may ask (role and region; `app`), how it is kept (`storage`).

use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::version::{MAX_LIST_ITEMS, MAX_TEXT_CHARS};

/// An enum of named values: a name for API and database, and the name that a Chinese reader expects.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal / $zh:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them, in the order of their declaration.
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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = callout_sync_protocol::work_orders::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(callout_sync_protocol::work_orders::UnknownName(stringify!($name))),
                }
            }
        }
    };
}

pub mod appointments;
pub mod branch_questions;
pub mod breaches;
pub mod build_demands;
pub mod calendar;
pub mod candidates;
pub mod cases;
pub mod clocks;
pub mod complaints;
pub mod contacts;
pub mod dispatches;
pub mod erasures;
pub mod escalations;
pub mod evidence_templates;
pub mod field_tests;
pub mod finding_texts;
pub mod handling_times;
pub mod handoffs;
pub mod intakes;
pub mod kpis;
pub mod ladder;
pub mod ladder_defaults;
pub mod limits;
pub mod notices;
pub mod places;
pub mod policies;
pub mod regions;
pub mod replies;
pub mod reviews;
pub mod revisits;
pub mod shifts;
pub mod supervision;
pub mod tracking_tickets;
pub mod warnings;
pub mod work_orders;

/// Microseconds in a minute, an hour and a day.
pub(crate) const MINUTE_MICROS: i64 = 60_000_000;
pub(crate) const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
pub(crate) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

pub(crate) fn refuse<T>(problem: ProblemType, detail: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::new(problem, detail))
}

/// A text that a person must give: not blank, not longer than the protocol allows, storable on both databases.
pub(crate) fn required_text(field: &str, value: &str) -> Result<(), Rejection> {
    if value.trim().is_empty() {
        return refuse(ProblemType::InvalidField, format!("{field}: must not be empty"));
    }
    bounded_text(field, value)
}

/// A text that a person may leave blank.
pub(crate) fn bounded_text(field: &str, value: &str) -> Result<(), Rejection> {
    if value.chars().count() > MAX_TEXT_CHARS {
        return refuse(
            ProblemType::InvalidField,
            format!("{field}: must not be longer than {MAX_TEXT_CHARS} characters"),
        );
    }
    if value.contains('\0') {
        return refuse(ProblemType::InvalidField, format!("{field}: must not contain a zero character"));
    }
    Ok(())
}

/// At least one entry, at most as many as the protocol allows, none blank.
pub(crate) fn required_texts(field: &str, values: &[String]) -> Result<(), Rejection> {
    if values.is_empty() {
        return refuse(ProblemType::InvalidField, format!("{field}: must not be empty"));
    }
    if values.len() > MAX_LIST_ITEMS {
        return refuse(ProblemType::InvalidField, format!("{field}: must not have more than {MAX_LIST_ITEMS} entries"));
    }
    values.iter().try_for_each(|value| required_text(field, value))
}
