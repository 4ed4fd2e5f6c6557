//! Clocks: how much of a limit is used, and why; the history is kept and explained, never edited (R-LIMIT-1, R-INTAKE-5, R-AUDIT-1).
//!
//! A clock is a list of entries. It runs from its start, pauses while the customer is waited for, goes on when the order is
//! reopened, and ends; its limit may change on the way. What does not belong here: how long a limit is (`limits`), who used the
//! time (`breaches`), timers that fire (`app::clocks`).

use crate::workflow::calendar::{Day, DayNote, WorkCalendar, plus_micros};
use crate::workflow::refuse;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

named_enum! {
    /// What a clock counts.
    TimeMeasure {
        /// The 24 hours of working days.
        WorkingDays = "working_days" / "工作日",
        /// Every hour.
        AllHours = "all_hours" / "自然时",
    }
}

named_enum! {
    /// Which limit a clock counts.
    ClockKind {
        /// From the complaint to its end, in working days (R-LIMIT-1).
        Handling = "handling" / "投诉处理时限",
        /// From the complaint to the first response to the customer (R-INTAKE-5).
        FirstResponse = "first_response" / "首次响应时限",
        /// From a complaint through a higher door to the answer through it (R-INTAKE-9).
        HigherDoor = "higher_door" / "越级投诉答复时限",
        /// From the submission of a test to its review (R-REVIEW-1).
        Review = "review" / "测试审核时限",
        /// From the approval until the plan is passed on (R-LIMIT-2).
        Plan = "plan" / "方案转派时限",
        /// From the final reply 'unresolved' until the problem is solved (R-RETURN-2).
        Tracking = "tracking" / "跟踪单时限",
    }
}

named_enum! {
    /// What happened to a clock.
    ClockEvent {
        /// It began to run.
        Started = "started" / "开始计时",
        /// It waits, for the customer.
        Paused = "paused" / "暂停计时",
        /// It runs again.
        Resumed = "resumed" / "恢复计时",
        /// The order was reopened; the old clock goes on.
        Reopened = "reopened" / "重新打开，继续计时",
        /// Its limit became another one; it goes on doing what it did.
        LimitChanged = "limit_changed" / "时限变更",
        /// It ended.
        Stopped = "stopped" / "停止计时",
    }
}

/// One entry of a clock's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockEntry {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// What.
    pub event: ClockEvent,
    /// Why, in the words of who caused it.
    pub reason: String,
    /// The limit in force from here on, in microseconds.
    pub budget_micros: i64,
}

/// A limit's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// What it counts.
    pub measure: TimeMeasure,
    /// How much of it there is, in microseconds.
    pub budget_micros: i64,
    /// What happened, oldest first; the first entry is `started`.
    pub history: Vec<ClockEntry>,
}

named_enum! {
    /// What a clock does now.
    ClockStanding {
        /// Runs.
        Running = "running" / "计时中",
        /// Waits.
        Paused = "paused" / "已暂停",
        /// Ended.
        Stopped = "stopped" / "已停止",
    }
}

named_enum! {
    /// Why a stretch of time counted, or did not.
    SpanReason {
        /// The clock ran.
        Counted = "counted" / "计入",
        /// The clock was paused.
        Paused = "paused" / "暂停，不计入",
        /// The clock had ended, until the order was reopened.
        Stopped = "stopped" / "已停止，不计入",
        /// Saturday or Sunday.
        Weekend = "weekend" / "周末，不计入",
        /// A public holiday.
        PublicHoliday = "public_holiday" / "法定节假日，不计入",
    }
}

/// A stretch of a clock's history, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockSpan {
    /// Begin, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub until: Timestamp,
    /// Why it counted, or did not.
    pub reason: SpanReason,
    /// The words of the entry that began it, or the holiday's name.
    pub note: String,
}

impl ClockSpan {
    /// Microseconds of the limit that it used.
    pub fn counted_micros(&self) -> i64 {
        match self.reason {
            SpanReason::Counted => self.until.micros_since(self.from),
            SpanReason::Paused | SpanReason::Stopped | SpanReason::Weekend | SpanReason::PublicHoliday => 0,
        }
    }
}

impl Clock {
    /// A clock that runs from `at`.
    pub fn started(at: Timestamp, measure: TimeMeasure, budget_micros: i64, reason: impl Into<String>) -> Self {
        let entry = ClockEntry { at, event: ClockEvent::Started, reason: reason.into(), budget_micros };
        Self { measure, budget_micros, history: vec![entry] }
    }

    /// What it does now.
    pub fn standing(&self) -> ClockStanding {
        self.history.iter().fold(ClockStanding::Stopped, |standing, entry| standing_after(entry.event, standing))
    }

    /// The history as stretches: what began each, what the clock did in it, and when the next began.
    fn stretches(&self) -> impl Iterator<Item = (&ClockEntry, ClockStanding, Option<Timestamp>)> {
        let mut standing = ClockStanding::Stopped;
        self.history.iter().enumerate().map(move |(index, entry)| {
            standing = standing_after(entry.event, standing);
            (entry, standing, self.history.get(index + 1).map(|next| next.at))
        })
    }

    /// Appends to the history. An instant before the last entry (the server's clock was set back) counts as that entry's.
    ///
    /// # Errors
    /// `illegal-transition` where the clock cannot do that now. A pause of a paused clock, and the like, is one.
    pub fn record(&mut self, at: Timestamp, event: ClockEvent, reason: impl Into<String>) -> Result<(), Rejection> {
        let standing = self.standing();
        let is_possible = match (standing, event) {
            (ClockStanding::Running, ClockEvent::Paused | ClockEvent::Stopped)
            | (ClockStanding::Paused, ClockEvent::Resumed | ClockEvent::Stopped | ClockEvent::Reopened)
            | (ClockStanding::Stopped, ClockEvent::Reopened) => true,
            // By `limit_change`, which says what the new limit is.
            (ClockStanding::Running | ClockStanding::Paused | ClockStanding::Stopped, ClockEvent::LimitChanged)
            | (ClockStanding::Running, ClockEvent::Started | ClockEvent::Resumed | ClockEvent::Reopened)
            | (ClockStanding::Paused, ClockEvent::Started | ClockEvent::Paused)
            | (
                ClockStanding::Stopped,
                ClockEvent::Started | ClockEvent::Paused | ClockEvent::Resumed | ClockEvent::Stopped,
            ) => false,
        };
        if !is_possible {
            return refuse(
                ProblemType::IllegalTransition,
                format!("the clock is '{standing}'; it cannot be '{event}' now"),
            );
        }
        self.append(at, event, reason);
        Ok(())
    }

    /// Gives the clock another limit; what was used stays used (R-CLASS-2).
    ///
    /// # Errors
    /// `illegal-transition` for a clock that has ended.
    pub fn limit_change(&mut self, at: Timestamp, budget_micros: i64, why: impl Into<String>) -> Result<(), Rejection> {
        match self.standing() {
            ClockStanding::Running | ClockStanding::Paused => {}
            ClockStanding::Stopped => {
                return refuse(ProblemType::IllegalTransition, "the clock has ended; its limit cannot change now");
            }
        }
        self.budget_micros = budget_micros.max(0);
        self.append(at, ClockEvent::LimitChanged, why);
        Ok(())
    }

    fn append(&mut self, at: Timestamp, event: ClockEvent, reason: impl Into<String>) {
        let at = self.history.last().map_or(at, |last| at.max(last.at));
        self.history.push(ClockEntry { at, event, reason: reason.into(), budget_micros: self.budget_micros });
    }

    /// The whole history up to `now`, explained stretch by stretch without a gap.
    pub fn explain(&self, now: Timestamp, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Vec<ClockSpan> {
        let mut spans = Vec::new();
        for (entry, standing, next_at) in self.stretches() {
            let until = next_at.unwrap_or(now);
            match standing {
                ClockStanding::Running => {
                    running_spans(&mut spans, entry, until, self.measure, calendar, utc_offset_minutes);
                }
                ClockStanding::Paused => push_span(&mut spans, entry.at, until, SpanReason::Paused, &entry.reason),
                ClockStanding::Stopped => push_span(&mut spans, entry.at, until, SpanReason::Stopped, &entry.reason),
            }
        }
        spans
    }

    /// Microseconds of the limit used by `now`.
    pub fn used_micros(&self, now: Timestamp, calendar: &WorkCalendar, utc_offset_minutes: i16) -> i64 {
        self.explain(now, calendar, utc_offset_minutes).iter().map(ClockSpan::counted_micros).sum()
    }

    /// When the limit is used up if the clock goes on running; absent while it does not. May lie in the past.
    pub fn due_at(&self, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        self.reaches_at(self.budget_micros, calendar, utc_offset_minutes)
    }

    /// When to warn: at this share of the limit, in percent.
    pub fn warn_at(&self, percent: u8, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        let share = i128::from(self.budget_micros) * i128::from(percent) / 100;
        self.reaches_at(i64::try_from(share).unwrap_or(i64::MAX), calendar, utc_offset_minutes)
    }

    /// The deadline; of a clock that does not run: what it was when it last ran.
    pub fn deadline(&self, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        self.last_run().due_at(calendar, utc_offset_minutes)
    }

    /// When to warn, as [`Clock::deadline`] sees it: at this share of the limit, in percent.
    pub fn warn_deadline(&self, percent: u8, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        self.last_run().warn_at(percent, calendar, utc_offset_minutes)
    }

    /// The instant of the breach: the deadline, if the clock ran beyond it. A limit that ended on Friday at midnight is broken on
    /// Saturday, although no working time has passed since.
    pub fn breached_at(&self, now: Timestamp, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        let last_run = self.last_run();
        let ran_until = self.history.get(last_run.history.len()).map_or(now, |entry| entry.at);
        last_run.due_at(calendar, utc_offset_minutes).filter(|deadline| ran_until > *deadline)
    }

    /// Whether the clock ran beyond its limit by `now`.
    pub fn is_breached(&self, now: Timestamp, calendar: &WorkCalendar, utc_offset_minutes: i16) -> bool {
        self.breached_at(now, calendar, utc_offset_minutes).is_some()
    }

    /// The history up to the last moment at which it ran, under the limit that it has now.
    fn last_run(&self) -> Self {
        let running = self.stretches().enumerate().filter(|(_, (_, standing, _))| *standing == ClockStanding::Running);
        let length = running.last().map_or(0, |(index, _)| index + 1);
        let history = self.history.iter().take(length).cloned().collect();
        Self { measure: self.measure, budget_micros: self.budget_micros, history }
    }

    fn reaches_at(&self, target_micros: i64, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Option<Timestamp> {
        match self.standing() {
            ClockStanding::Running => {}
            ClockStanding::Paused | ClockStanding::Stopped => return None,
        }
        // Walk the stretches in which it ran; the limit may have been used up in an earlier one.
        let mut left = target_micros;
        for (entry, standing, next_at) in self.stretches() {
            match standing {
                ClockStanding::Running => {}
                ClockStanding::Paused | ClockStanding::Stopped => continue,
            }
            let reached = match self.measure {
                TimeMeasure::WorkingDays => calendar.plus_working_micros(entry.at, left, utc_offset_minutes),
                TimeMeasure::AllHours => plus_micros(entry.at, left),
            };
            match next_at {
                Some(next_at) if reached > next_at => {
                    left -= match self.measure {
                        TimeMeasure::WorkingDays => {
                            calendar.working_micros_between(entry.at, next_at, utc_offset_minutes)
                        }
                        TimeMeasure::AllHours => next_at.micros_since(entry.at),
                    };
                }
                Some(_) | None => return Some(reached),
            }
        }
        None
    }
}

fn standing_after(event: ClockEvent, before: ClockStanding) -> ClockStanding {
    match event {
        ClockEvent::LimitChanged => before,
        ClockEvent::Started | ClockEvent::Resumed | ClockEvent::Reopened => ClockStanding::Running,
        ClockEvent::Paused => ClockStanding::Paused,
        ClockEvent::Stopped => ClockStanding::Stopped,
    }
}

fn push_span(spans: &mut Vec<ClockSpan>, from: Timestamp, until: Timestamp, reason: SpanReason, note: &str) {
    if from >= until {
        return;
    }
    // Days of the same kind in a row are one stretch.
    if let Some(last) = spans.last_mut()
        && last.until == from
        && last.reason == reason
        && last.note == note
    {
        last.until = until;
        return;
    }
    spans.push(ClockSpan { from, until, reason, note: note.to_owned() });
}

fn running_spans(
    spans: &mut Vec<ClockSpan>,
    entry: &ClockEntry,
    until: Timestamp,
    measure: TimeMeasure,
    calendar: &WorkCalendar,
    utc_offset_minutes: i16,
) {
    match measure {
        TimeMeasure::AllHours => push_span(spans, entry.at, until, SpanReason::Counted, &entry.reason),
        TimeMeasure::WorkingDays => {
            let mut at = entry.at;
            while at < until {
                let day = Day::of(at, utc_offset_minutes);
                let end = day.plus_days(1).begins_at(utc_offset_minutes).min(until);
                if end <= at {
                    break;
                }
                match calendar.day_note(day) {
                    None | Some(DayNote::MakeupWorkday) => {
                        push_span(spans, at, end, SpanReason::Counted, &entry.reason);
                    }
                    Some(DayNote::Weekend) => push_span(spans, at, end, SpanReason::Weekend, ""),
                    Some(DayNote::PublicHoliday(name)) => push_span(spans, at, end, SpanReason::PublicHoliday, name),
                }
                at = end;
            }
        }
    }
}
