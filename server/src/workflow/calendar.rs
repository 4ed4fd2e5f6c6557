//! Working days: weekends, public holidays and make-up workdays as data that an administrator replaces (R-LIMIT-1).
//!
//! The default holds mainland China's 2025 and 2026 as the State Council announced them (国办发明电〔2024〕12号 of 2024-11-12;
//! 国务院办公厅关于2026年部分节假日安排的通知 of 2025-11-04). Each autumn's notice brings the next year: an administrator adds it. A
//! year without data counts Monday to Friday, and [`WorkCalendar::covers`] says so. What does not belong here: limits (`limits`).

use crate::workflow::policies::Policy;
use crate::workflow::{DAY_MICROS, MINUTE_MICROS};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use time::macros::format_description;

/// A day of the civil calendar; text form `2026-02-17`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(time::Date);

/// 1970-01-01 in Julian days.
const UNIX_EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// The text was no day such as `2026-02-17`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a day such as 2026-02-17")]
pub struct DayError;

impl Day {
    /// The local day of an instant, in a place that is `utc_offset_minutes` ahead of UTC.
    pub fn of(at: Timestamp, utc_offset_minutes: i16) -> Self {
        Self(at.plus_seconds(60 * i64::from(utc_offset_minutes)).to_offset_date_time().date())
    }

    /// The year.
    pub fn year(self) -> i32 {
        self.0.year()
    }

    /// The day `count` days later; the last day that exists where there is none.
    #[must_use]
    pub fn plus_days(self, count: i64) -> Self {
        let later = self.0.checked_add(time::Duration::days(count));
        Self(later.unwrap_or(if count < 0 { time::Date::MIN } else { time::Date::MAX }))
    }

    /// Days since 1970-01-01, as sums by day are kept.
    pub fn number(self) -> i32 {
        self.0.to_julian_day() - UNIX_EPOCH_JULIAN_DAY
    }

    /// The day of a number, if there is one.
    pub fn from_number(number: i32) -> Option<Self> {
        time::Date::from_julian_day(number.checked_add(UNIX_EPOCH_JULIAN_DAY)?).ok().map(Self)
    }

    /// The Monday of its week.
    #[must_use]
    pub fn first_of_week(self) -> Self {
        self.plus_days(-i64::from(self.days_from_monday()))
    }

    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        self.plus_days(1 - i64::from(self.0.day()))
    }

    /// 0 = Monday … 6 = Sunday.
    pub fn days_from_monday(self) -> u8 {
        self.0.weekday().number_days_from_monday()
    }

    /// The instant at which it begins in a place that is `utc_offset_minutes` ahead of UTC.
    pub fn begins_at(self, utc_offset_minutes: i16) -> Timestamp {
        Timestamp::from(self.0.midnight().assume_utc()).plus_seconds(-60 * i64::from(utc_offset_minutes))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = DayError;
    fn from_str(text: &str) -> Result<Self, DayError> {
        time::Date::parse(text, format_description!("[year]-[month]-[day]")).map(Self).map_err(|_| DayError)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What is wrong with a calendar that an administrator sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// A day cannot be both.
    #[error("makeup_workdays: {0} is also in public_holidays")]
    Contradiction(Day),
    /// A make-up workday is a Saturday or Sunday that is worked.
    #[error("makeup_workdays: {0} is a weekday, which is worked anyway")]
    MakeupOnWeekday(Day),
    /// A day outside the years that the calendar says it covers.
    #[error("years: {0} lies in a year that is not listed")]
    YearNotListed(Day),
    /// A whole year off would stop every clock.
    #[error("public_holidays: a year has more than 60 of them")]
    TooManyHolidays,
}

/// Which days are worked. Everything that is neither holiday nor make-up workday follows the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkCalendar {
    /// The years for which the data is complete.
    pub years: BTreeSet<i32>,
    /// Days off, with the name of the holiday.
    pub public_holidays: BTreeMap<Day, String>,
    /// Saturdays and Sundays that are worked.
    pub makeup_workdays: BTreeSet<Day>,
}

/// First and last day off, the holiday's name, the make-up workdays.
type HolidayRow = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CHINA: &[HolidayRow] = &[
    ("2025-01-01", "2025-01-01", "元旦", &[]),
    ("2025-01-28", "2025-02-04", "春节", &["2025-01-26", "2025-02-08"]),
    ("2025-04-04", "2025-04-06", "清明节", &[]),
    ("2025-05-01", "2025-05-05", "劳动节", &["2025-04-27"]),
    ("2025-05-31", "2025-06-02", "端午节", &[]),
    ("2025-10-01", "2025-10-08", "国庆节、中秋节", &["2025-09-28", "2025-10-11"]),
    ("2026-01-01", "2026-01-03", "元旦", &["2026-01-04"]),
    ("2026-02-15", "2026-02-23", "春节", &["2026-02-14", "2026-02-28"]),
    ("2026-04-04", "2026-04-06", "清明节", &[]),
    ("2026-05-01", "2026-05-05", "劳动节", &["2026-05-09"]),
    ("2026-06-19", "2026-06-21", "端午节", &[]),
    ("2026-09-25", "2026-09-27", "中秋节", &[]),
    ("2026-10-01", "2026-10-07", "国庆节", &["2026-09-20", "2026-10-10"]),
];

impl Default for WorkCalendar {
    /// Mainland China, 2025 and 2026.
    fn default() -> Self {
        let mut calendar = Self::weekdays_only();
        for (first, last, name, makeup) in CHINA {
            // A test parses every row of the constant table; a row that did not parse would be left out here.
            let (Ok(first), Ok(last)) = (first.parse::<Day>(), last.parse::<Day>()) else { continue };
            calendar.years.insert(first.year());
            let mut day = first;
            while day <= last {
                calendar.public_holidays.insert(day, (*name).to_owned());
                day = day.plus_days(1);
            }
            calendar.makeup_workdays.extend(makeup.iter().filter_map(|d| d.parse::<Day>().ok()));
        }
        calendar
    }
}

impl Policy for WorkCalendar {
    const KIND: &'static str = "calendar";

    fn check(&self) -> Result<(), Rejection> {
        self.validate().map_err(|error| Rejection::new(ProblemType::InvalidField, error.to_string()))
    }
}

impl WorkCalendar {
    /// Monday to Friday, no holidays.
    pub fn weekdays_only() -> Self {
        Self { years: BTreeSet::new(), public_holidays: BTreeMap::new(), makeup_workdays: BTreeSet::new() }
    }

    /// Checks a calendar that an administrator sends.
    ///
    /// # Errors
    /// The first contradiction, naming the field and the day.
    pub fn validate(&self) -> Result<(), CalendarError> {
        let mut holidays_per_year: BTreeMap<i32, u32> = BTreeMap::new();
        for day in self.public_holidays.keys().chain(&self.makeup_workdays) {
            if !self.years.contains(&day.year()) {
                return Err(CalendarError::YearNotListed(*day));
            }
        }
        for day in self.public_holidays.keys() {
            let count = holidays_per_year.entry(day.year()).or_default();
            *count += 1;
            if *count > 60 {
                return Err(CalendarError::TooManyHolidays);
            }
        }
        for day in &self.makeup_workdays {
            if self.public_holidays.contains_key(day) {
                return Err(CalendarError::Contradiction(*day));
            }
            if day.days_from_monday() < 5 {
                return Err(CalendarError::MakeupOnWeekday(*day));
            }
        }
        Ok(())
    }

    /// The data for this year is complete; without it, holidays are unknown and only weekends are off.
    pub fn covers(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// Whether the day is worked.
    pub fn is_working_day(&self, day: Day) -> bool {
        self.makeup_workdays.contains(&day) || (day.days_from_monday() < 5 && !self.public_holidays.contains_key(&day))
    }

    /// Why the day is off, or worked although it is a weekend; absent for an ordinary day.
    pub fn day_note(&self, day: Day) -> Option<DayNote<'_>> {
        if self.makeup_workdays.contains(&day) {
            Some(DayNote::MakeupWorkday)
        } else if let Some(name) = self.public_holidays.get(&day) {
            Some(DayNote::PublicHoliday(name))
        } else if day.days_from_monday() >= 5 {
            Some(DayNote::Weekend)
        } else {
            None
        }
    }

    /// Microseconds of working days between two instants; zero if `until` is not after `from`. A working day has 24 hours here:
    /// complaints are taken at any hour, and a limit of three working days ends three working days later at the same time of day.
    pub fn working_micros_between(&self, from: Timestamp, until: Timestamp, utc_offset_minutes: i16) -> i64 {
        let mut at = from;
        let mut total = 0;
        while at < until {
            let day = Day::of(at, utc_offset_minutes);
            let end = day.plus_days(1).begins_at(utc_offset_minutes).min(until);
            if end <= at {
                // The last day that exists; nothing lies behind it.
                break;
            }
            if self.is_working_day(day) {
                total += end.micros_since(at);
            }
            at = end;
        }
        total
    }

    /// The instant at which `micros` of working days have passed since `from`.
    pub fn plus_working_micros(&self, from: Timestamp, micros: i64, utc_offset_minutes: i16) -> Timestamp {
        let mut at = from;
        let mut left = micros.max(0);
        loop {
            let day = Day::of(at, utc_offset_minutes);
            let end = day.plus_days(1).begins_at(utc_offset_minutes);
            if end <= at {
                return at;
            }
            if self.is_working_day(day) {
                let available = end.micros_since(at);
                // A limit that is used up at midnight ends then, not after the weekend.
                if left <= available {
                    return plus_micros(at, left);
                }
                left -= available;
            }
            at = end;
        }
    }

    /// The instant `count` working days after `from`.
    pub fn plus_working_days(&self, from: Timestamp, count: u16, utc_offset_minutes: i16) -> Timestamp {
        self.plus_working_micros(from, i64::from(count) * DAY_MICROS, utc_offset_minutes)
    }
}

/// What is special about a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayNote<'a> {
    /// Saturday or Sunday.
    Weekend,
    /// A public holiday of this name.
    PublicHoliday(&'a str),
    /// A Saturday or Sunday that is worked.
    MakeupWorkday,
}

pub(crate) fn plus_micros(at: Timestamp, micros: i64) -> Timestamp {
    let whole_minutes = micros.div_euclid(MINUTE_MICROS);
    let later = at.plus_seconds(whole_minutes.saturating_mul(60));
    Timestamp::from_unix_micros(later.unix_micros().saturating_add(micros.rem_euclid(MINUTE_MICROS))).unwrap_or(later)
}
