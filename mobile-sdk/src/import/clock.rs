//! The clock of a log whose lines have no year and no zone: both are found from an instant that is known otherwise.
//!
//! What does not belong here: how a line's time is spelled (`cellinfo`, `gnettrack`).

use callout_sync_protocol::time::Timestamp;
use time::{Date, Month};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Every zone's offset is a multiple of a quarter of an hour.
const QUARTER_MS: i64 = 15 * MINUTE_MS;
/// The westernmost and easternmost offsets in use, with half a quarter for a clock that is off or a start that comes
/// late.
const OFFSET_MS: std::ops::RangeInclusive<i64> =
    -(12 * 60 * MINUTE_MS + QUARTER_MS / 2)..=14 * 60 * MINUTE_MS + QUARTER_MS / 2;

/// A local time without a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalTime {
    pub month: u8,
    pub day: u8,
    pub ms_of_day: i64,
}

/// Midnight of that day in milliseconds since 1970-01-01T00:00 of the same clock; `None` if there is no such day.
pub(super) fn day_start_ms(year: i32, month: u8, day: u8) -> Option<i64> {
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    Some((i64::from(date.to_julian_day()) - UNIX_EPOCH_JULIAN_DAY) * DAY_MS)
}

const UNIX_EPOCH_JULIAN_DAY: i64 = 2_440_588;

#[derive(Debug)]
pub(super) struct LocalClock {
    /// Said by the caller, so that no line of the log changes it.
    offset_is_fixed: bool,
    offset_ms: Option<i64>,
    started_at: Option<Timestamp>,
    /// A local time with year near which the next line lies: the year is the one that brings it nearest.
    near_local_ms: Option<i64>,
    /// The last day resolved, for most lines lie on the same.
    today: Option<(u8, u8, i64)>,
}

impl LocalClock {
    pub(super) fn new(utc_offset_minutes: Option<i16>, started_at: Option<Timestamp>) -> Self {
        let offset_ms = utc_offset_minutes.map(|minutes| i64::from(minutes) * MINUTE_MS);
        let near_local_ms = offset_ms.and_then(|offset| Some(started_at?.unix_millis() + offset));
        Self { offset_is_fixed: offset_ms.is_some(), offset_ms, started_at, near_local_ms, today: None }
    }

    pub(super) fn is_known(&self) -> bool {
        self.offset_ms.is_some() && self.near_local_ms.is_some()
    }

    pub(super) fn utc_offset_minutes(&self) -> Option<i32> {
        self.offset_ms.and_then(|offset| i32::try_from(offset / MINUTE_MS).ok())
    }

    /// The instant of a line, milliseconds since the Unix epoch; `None` while nothing has told year and zone, or if
    /// there is no such day. Years roll over: the year is the one that brings the line nearest to the line before.
    pub(super) fn instant_ms(&mut self, local: LocalTime) -> Option<i64> {
        if !self.is_known() {
            let started_at = self.started_at?;
            if !self.anchor(local, started_at.unix_millis()) {
                return None;
            }
        }
        let (offset, near) = (self.offset_ms?, self.near_local_ms?);
        let day_start = match self.today {
            Some((month, day, start)) if (month, day) == (local.month, local.day) => start,
            _ => {
                let start = nearest_day_start_ms(local, near)?;
                self.today = Some((local.month, local.day, start));
                start
            }
        };
        let local_ms = day_start + local.ms_of_day;
        self.near_local_ms = Some(local_ms);
        Some(local_ms - offset)
    }

    /// Learns year and zone from a line that was written at `unix_ms`; `false`, and nothing learnt, if no zone fits.
    pub(super) fn anchor(&mut self, local: LocalTime, unix_ms: i64) -> bool {
        let Some(day_start) = nearest_day_start_ms(local, unix_ms) else { return false };
        let difference = day_start + local.ms_of_day - unix_ms;
        if !OFFSET_MS.contains(&difference) {
            return false;
        }
        if !self.offset_is_fixed {
            self.offset_ms = Some((difference + QUARTER_MS / 2).div_euclid(QUARTER_MS) * QUARTER_MS);
        }
        self.near_local_ms = Some(unix_ms + self.offset_ms.unwrap_or_default());
        self.today = None;
        true
    }
}

/// Midnight of the local day in the year that brings the time nearest to `near_ms`.
fn nearest_day_start_ms(local: LocalTime, near_ms: i64) -> Option<i64> {
    let year = Timestamp::from_unix_millis(near_ms)?.to_offset_date_time().year();
    (year - 1..=year + 1)
        .filter_map(|year| day_start_ms(year, local.month, local.day))
        .min_by_key(|start| (start + local.ms_of_day - near_ms).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(month: u8, day: u8, hour: i64, minute: i64) -> LocalTime {
        LocalTime { month, day, ms_of_day: (hour * 60 + minute) * MINUTE_MS }
    }

    fn instant(text: &str) -> i64 {
        text.parse::<Timestamp>().map_or(0, Timestamp::unix_millis)
    }

    #[test]
    fn year_and_offset_come_from_an_anchor_and_roll_over_new_year() {
        let mut clock = LocalClock::new(None, None);
        assert_eq!(clock.instant_ms(at(12, 31, 23, 58)), None);
        // 23:59 in China is 15:59 in UTC.
        assert!(clock.anchor(at(12, 31, 23, 59), instant("2023-12-31T15:59:20Z")));
        assert_eq!(clock.utc_offset_minutes(), Some(480));
        assert_eq!(clock.instant_ms(at(12, 31, 23, 59)), Some(instant("2023-12-31T15:59:00Z")));
        assert_eq!(clock.instant_ms(at(1, 1, 0, 1)), Some(instant("2023-12-31T16:01:00Z")));
        assert_eq!(clock.instant_ms(at(2, 29, 8, 0)), Some(instant("2024-02-29T00:00:00Z")));
        // And back, should the lines of two threads cross.
        assert_eq!(clock.instant_ms(at(12, 31, 23, 59)), Some(instant("2023-12-31T15:59:00Z")));
    }

    #[test]
    fn the_year_is_right_where_local_and_utc_years_differ() {
        let mut clock = LocalClock::new(None, None);
        assert!(clock.anchor(at(1, 1, 7, 30), instant("2025-12-31T23:30:00Z")));
        assert_eq!(clock.instant_ms(at(1, 1, 7, 30)), Some(instant("2025-12-31T23:30:00Z")));
    }

    #[test]
    fn an_impossible_anchor_teaches_nothing() {
        let mut clock = LocalClock::new(None, None);
        assert!(!clock.anchor(at(8, 4, 12, 0), instant("2022-06-01T12:00:00Z")));
        assert!(!clock.anchor(at(13, 40, 12, 0), instant("2022-06-01T12:00:00Z")));
        assert!(!clock.is_known());
    }

    #[test]
    fn a_given_offset_wins_over_the_log() {
        let mut clock = LocalClock::new(Some(330), Timestamp::from_unix_millis(instant("2022-08-01T00:00:00Z")));
        assert!(clock.anchor(at(8, 4, 20, 0), instant("2022-08-04T12:00:00Z")));
        assert_eq!(clock.instant_ms(at(8, 4, 20, 0)), Some(instant("2022-08-04T14:30:00Z")));
    }
}
