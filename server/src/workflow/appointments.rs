//! Appointments: how an arrival compares with what was promised to the customer (R-VISIT-1).
//!
//! What does not belong here: making the appointment, which is the tester's `contact` (`field_workflow`) or a desk's command
//! (`work_orders`).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::{MINUTE_MICROS, refuse};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::TimeWindow;
use serde::{Deserialize, Serialize};

/// How long an appointment's window may be, and what counts as arriving as agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArrivalPolicy {
    /// Minutes before the appointment at which a tester should stand there (R-VISIT-1: ten).
    pub early_minutes: u16,
    /// Metres from the complaint's place within which an arrival counts as being there, beside the fix's own accuracy
    /// (a choice: a block of flats and its street).
    pub place_radius_m: u32,
    /// The shortest window that a desk may promise, in minutes (a choice).
    pub window_min_minutes: u16,
    /// The longest window that a desk may promise, in minutes (a choice: a customer does not wait half a day).
    pub window_max_minutes: u16,
}

impl Default for ArrivalPolicy {
    fn default() -> Self {
        Self { early_minutes: 10, place_radius_m: 200, window_min_minutes: 15, window_max_minutes: 180 }
    }
}

impl Policy for ArrivalPolicy {
    const KIND: &'static str = "appointments";

    fn check(&self) -> Result<(), Rejection> {
        if self.window_min_minutes == 0 || self.window_min_minutes > self.window_max_minutes {
            return refuse(ProblemType::InvalidField, "window_min_minutes: must be from 1 to window_max_minutes");
        }
        Ok(())
    }
}

/// Checks a window that a desk promises to the customer: it lies ahead, and is neither too short nor too long.
///
/// # Errors
/// `invalid-field` that says what is wrong.
pub fn appointment_check(window: TimeWindow, now: Timestamp, policy: &ArrivalPolicy) -> Result<(), Rejection> {
    if window.from >= window.until {
        return refuse(ProblemType::InvalidField, "until: must come after from");
    }
    if window.from <= now {
        return refuse(ProblemType::InvalidField, "from: must lie ahead");
    }
    let minutes = window.until.micros_since(window.from) / MINUTE_MICROS;
    let (least, most) = (i64::from(policy.window_min_minutes), i64::from(policy.window_max_minutes));
    if !(least..=most).contains(&minutes) {
        return refuse(
            ProblemType::InvalidField,
            format!("until: the window must have from {least} to {most} minutes"),
        );
    }
    Ok(())
}

named_enum! {
    /// How punctual an arrival was.
    Punctuality {
        /// No appointment stood.
        NoAppointment = "no_appointment" / "无预约",
        /// At least the agreed minutes before the appointment.
        Early = "early" / "提前到达",
        /// Before the appointment begins, but not the ten minutes that the rule asks for.
        ShortNotice = "short_notice" / "未提前十分钟",
        /// After the appointment began.
        Late = "late" / "迟到",
        /// After the appointment's window was over.
        Missed = "missed" / "爽约",
    }
}

/// An arrival, compared with what was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ArrivalVerdict {
    /// How punctual.
    pub punctuality: Punctuality,
    /// Minutes after the beginning of the appointment, negative before it, rounded down; absent without an appointment.
    pub minutes_after_start: Option<i64>,
    /// Metres from the complaint's place; absent where either is unknown.
    pub distance_m: Option<f64>,
    /// Whether the tester stood at the place, as far as the fix can tell; absent where the distance is.
    pub at_place: Option<bool>,
    /// The platform called the position mocked.
    pub is_mock: bool,
}

/// Compares an arrival with the appointment and the place (R-VISIT-1).
pub fn arrival_compare(
    appointment: Option<TimeWindow>,
    arrived_at: Timestamp,
    arrived_position: Position,
    place: Option<Position>,
    policy: &ArrivalPolicy,
) -> ArrivalVerdict {
    let punctuality = match appointment {
        None => Punctuality::NoAppointment,
        Some(window) if arrived_at >= window.until => Punctuality::Missed,
        Some(window) if arrived_at > window.from => Punctuality::Late,
        Some(window) if arrived_at > window.from.plus_seconds(-60 * i64::from(policy.early_minutes)) => {
            Punctuality::ShortNotice
        }
        Some(_) => Punctuality::Early,
    };
    let distance = place.map(|place| distance_m(place, arrived_position));
    let slack_m = f64::from(policy.place_radius_m) + f64::from(arrived_position.accuracy_m.unwrap_or(0));
    ArrivalVerdict {
        punctuality,
        minutes_after_start: appointment.map(|w| arrived_at.micros_since(w.from).div_euclid(MINUTE_MICROS)),
        distance_m: distance,
        at_place: distance.map(|d| d <= slack_m),
        is_mock: arrived_position.is_mock,
    }
}
