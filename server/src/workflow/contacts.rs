//! Contact with customers: when they are left in peace (R-CONTACT-1), and the words to begin and end with (R-CONTACT-2).
//!
//! The tester's calls are judged by `field_workflow` with the same hours; this is for the desks. What does not belong here: words that
//! must not be used (`replies`).

use crate::workflow::policies::Policy;
use crate::workflow::shifts::TimeOfDay;
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::field_workflow::RestHours;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Local hours in which customers are left in peace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestWindow {
    /// Begin, inclusive.
    pub from: TimeOfDay,
    /// End, exclusive; before `from`, it is the next day's.
    pub until: TimeOfDay,
}

/// When customers may be contacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContactPolicy {
    /// When they may not, but in an emergency (R-CONTACT-1: 12:00–14:30 and 21:00–08:30).
    pub rest_hours: Vec<RestWindow>,
}

impl Default for ContactPolicy {
    fn default() -> Self {
        let window =
            |(from, until)| RestWindow { from: TimeOfDay::from_minutes(from), until: TimeOfDay::from_minutes(until) };
        Self { rest_hours: RestHours::default().0.into_iter().map(window).collect() }
    }
}

impl ContactPolicy {
    /// The hours as phone and server judge them.
    pub fn rest_hours(&self) -> RestHours {
        RestHours(self.rest_hours.iter().map(|w| (w.from.minutes(), w.until.minutes())).collect())
    }
}

impl Policy for ContactPolicy {
    const KIND: &'static str = "contact_hours";

    fn check(&self) -> Result<(), Rejection> {
        if self.rest_hours.len() > 8 {
            return refuse(ProblemType::InvalidField, "rest_hours: must not have more than 8 entries");
        }
        if self.rest_hours.iter().any(|window| window.from == window.until) {
            return refuse(ProblemType::InvalidField, "rest_hours: from and until must differ");
        }
        Ok(())
    }
}

impl Policy for ContactWords {
    const KIND: &'static str = "contact_words";

    fn check(&self) -> Result<(), Rejection> {
        let longest = 500;
        for (field, text) in [
            ("zh.opening", &self.zh.opening),
            ("zh.closing", &self.zh.closing),
            ("en.opening", &self.en.opening),
            ("en.closing", &self.en.closing),
        ] {
            required_text(field, text)?;
            if text.chars().count() > longest {
                return refuse(
                    ProblemType::InvalidField,
                    format!("{field}: must not have more than {longest} characters"),
                );
            }
        }
        Ok(())
    }
}

/// Whether a desk may contact a customer now; `true` when it is an emergency, which is to be recorded with its reason (R-CONTACT-1).
///
/// # Errors
/// `customer-rest-hours` in the hours of rest without a reason.
pub fn contact_check(
    policy: &ContactPolicy,
    now: Timestamp,
    utc_offset_minutes: i16,
    emergency_reason: Option<&str>,
) -> Result<bool, Rejection> {
    if !policy.rest_hours().contains(now, utc_offset_minutes) {
        return Ok(false);
    }
    match emergency_reason {
        Some(reason) if !reason.trim().is_empty() => required_text("emergency_reason", reason).map(|()| true),
        Some(_) | None => refuse(
            ProblemType::CustomerRestHours,
            "emergency_reason: required for a contact in the customer's hours of rest (R-CONTACT-1)",
        ),
    }
}
