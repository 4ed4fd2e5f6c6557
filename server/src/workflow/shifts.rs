//! Who is on shift when: a week that repeats, and the days that differ from it (leave, extra shifts).
//!
//! What does not belong here: public holidays (`calendar`), which do not stop a rota; choosing a tester (`candidates`).

use crate::workflow::calendar::Day;
use crate::workflow::refuse;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A time of the local day, to the minute; text form `08:30`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

/// The text was no time of day such as `08:30`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of day such as 08:30")]
pub struct TimeOfDayError;

impl TimeOfDay {
    /// The time so many minutes after midnight; midnight comes again after 24 hours.
    pub fn from_minutes(minutes: u16) -> Self {
        Self(minutes % (24 * 60))
    }

    /// Minutes after midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }

    /// The local time of an instant, in a place that is `utc_offset_minutes` ahead of UTC.
    pub fn of(at: Timestamp, utc_offset_minutes: i16) -> Self {
        let minutes = at.unix_micros().div_euclid(60_000_000) + i64::from(utc_offset_minutes);
        // A remainder of a day's minutes fits.
        Self(u16::try_from(minutes.rem_euclid(24 * 60)).unwrap_or_default())
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;
    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let two_digits = |part: &str| match part.as_bytes() {
            [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => Some(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
            _ => None,
        };
        let (hours, minutes) = text.split_once(':').ok_or(TimeOfDayError)?;
        match (two_digits(hours), two_digits(minutes)) {
            (Some(hours @ 0..24), Some(minutes @ 0..60)) => Ok(Self(hours * 60 + minutes)),
            _ => Err(TimeOfDayError),
        }
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A shift of every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyShift {
    /// 1 = Monday … 7 = Sunday; the day on which it begins.
    pub weekday: u8,
    /// Begin, inclusive.
    pub from: TimeOfDay,
    /// End, exclusive; at or before `from`, it is the next day's.
    pub until: TimeOfDay,
}

named_enum! {
    /// How a day differs from the week.
    ShiftExceptionKind {
        /// Not there.
        Leave = "leave" / "休假",
        /// There, although the week does not say so.
        Extra = "extra" / "加班",
    }
}

/// A day that differs from the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftException {
    /// The day on which it begins.
    pub day: Day,
    /// How it differs.
    pub kind: ShiftExceptionKind,
    /// Begin; without it and `until`, a leave is the whole day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TimeOfDay>,
    /// End, exclusive; at or before `from`, it is the next day's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<TimeOfDay>,
}

/// When somebody works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shifts {
    /// Every week.
    pub weekly: Vec<WeeklyShift>,
    /// Days that differ.
    pub exceptions: Vec<ShiftException>,
}

named_enum! {
    /// Whether somebody is on shift.
    ShiftStanding {
        /// Yes.
        On = "on" / "当班",
        /// No.
        Off = "off" / "不当班",
        /// On leave.
        Leave = "leave" / "休假",
        /// No shifts are on record.
        Unknown = "unknown" / "无排班",
    }
}

/// Whether a span that begins on `day` covers a local day and time.
fn covers(day: Day, from: TimeOfDay, until: TimeOfDay, (local_day, local_time): (Day, TimeOfDay)) -> bool {
    if from < until {
        day == local_day && from <= local_time && local_time < until
    } else {
        (day == local_day && from <= local_time) || (day.plus_days(1) == local_day && local_time < until)
    }
}

impl Shifts {
    /// Whether somebody with these shifts works at an instant, in a place that is `utc_offset_minutes` ahead of UTC. A leave goes
    /// before an extra shift, and both before the week.
    pub fn standing(&self, at: Timestamp, utc_offset_minutes: i16) -> ShiftStanding {
        let local = (Day::of(at, utc_offset_minutes), TimeOfDay::of(at, utc_offset_minutes));
        let excepted = |kind| {
            self.exceptions.iter().filter(move |exception| exception.kind == kind).any(|exception| {
                match (exception.from, exception.until) {
                    (Some(from), Some(until)) => covers(exception.day, from, until, local),
                    _ => exception.day == local.0,
                }
            })
        };
        if excepted(ShiftExceptionKind::Leave) {
            return ShiftStanding::Leave;
        }
        if excepted(ShiftExceptionKind::Extra) {
            return ShiftStanding::On;
        }
        let is_on = [local.0, local.0.plus_days(-1)].into_iter().any(|day| {
            let weekday = day.days_from_monday() + 1;
            self.weekly.iter().any(|s| s.weekday == weekday && covers(day, s.from, s.until, local))
        });
        match (is_on, self.weekly.is_empty()) {
            (true, _) => ShiftStanding::On,
            (false, true) => ShiftStanding::Unknown,
            (false, false) => ShiftStanding::Off,
        }
    }

    /// Checks what an administrator sends.
    ///
    /// # Errors
    /// `invalid-field` that names the field.
    pub fn check(&self) -> Result<(), Rejection> {
        let invalid = |detail: &str| refuse(ProblemType::InvalidField, detail);
        if self.weekly.len() > 64 || self.exceptions.len() > 400 {
            return invalid("shifts: must not have more than 64 weekly shifts and 400 exceptions");
        }
        if self.weekly.iter().any(|shift| !(1..=7).contains(&shift.weekday)) {
            return invalid("shifts.weekly.weekday: must be from 1 (Monday) to 7 (Sunday)");
        }
        for exception in &self.exceptions {
            match (exception.kind, exception.from, exception.until) {
                (_, Some(_), Some(_)) | (ShiftExceptionKind::Leave, None, None) => {}
                (ShiftExceptionKind::Extra, None, None) => {
                    return invalid("shifts.exceptions: an extra shift says from when until when");
                }
                (_, Some(_), None) | (_, None, Some(_)) => {
                    return invalid("shifts.exceptions: from and until come together");
                }
            }
        }
        Ok(())
    }
}
