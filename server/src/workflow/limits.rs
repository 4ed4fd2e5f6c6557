//! Time limits: how long each class and each kind of plan may take (R-LIMIT-1, R-LIMIT-2, R-INTAKE-5, R-INTAKE-9, R-CLASS-2).
//!
//! What does not belong here: the running clock (`clocks`), which days are worked (`calendar`).

use crate::workflow::calendar::{Day, WorkCalendar};
use crate::workflow::clocks::{Clock, ClockKind, TimeMeasure};
use crate::workflow::complaints::{ComplaintChannel, ComplaintClass};
use crate::workflow::policies::Policy;
use crate::workflow::reviews::PlanKind;
use crate::workflow::{DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, refuse};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

named_enum! {
    /// What a limit depends on (R-LIMIT-1).
    LimitClass {
        /// Quality of a product or service; every network complaint is one.
        Quality = "quality" / "业务产品质量",
        /// Conduct of staff.
        StaffConduct = "staff_conduct" / "职员行为",
        /// Billing and tariffs.
        Billing = "billing" / "计费、资费",
        /// Anything else.
        Other = "other" / "其他",
    }
}

impl LimitClass {
    /// The class where nobody said otherwise: network → quality, service → conduct, business → other.
    pub fn of_complaint(class: ComplaintClass) -> Self {
        match class {
            ComplaintClass::Network => Self::Quality,
            ComplaintClass::Service => Self::StaffConduct,
            ComplaintClass::Business => Self::Other,
        }
    }
}

const COMPLAINT_RECEIVED: &str = "complaint received 受理投诉";

/// The limit of a running clock whose complaint becomes a major one (R-CLASS-2): what is left of it shrinks to the policy's
/// percentage. Nothing that was in time becomes late by that; a complaint that was just taken gets the whole shorter limit.
pub fn clock_budget_change(policy: &LimitPolicy, budget_micros: i64, used_micros: i64) -> i64 {
    let left = budget_micros.saturating_sub(used_micros);
    if left <= 0 {
        return budget_micros;
    }
    used_micros + left / 100 * i64::from(policy.major_percent.min(100))
}

/// How long things may take. One per region where regions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitPolicy {
    /// Working days for quality (R-LIMIT-1: 3).
    pub quality_working_days: u16,
    /// Working days for staff conduct and billing (R-LIMIT-1: 2).
    pub conduct_and_billing_working_days: u16,
    /// Working days for anything else (R-LIMIT-1: at most 5).
    pub other_working_days: u16,
    /// Percent of the limit that a major complaint on the fast track gets (R-CLASS-2; a choice: half).
    pub major_percent: u8,
    /// Hours from intake to the first response (R-INTAKE-5: 24).
    pub first_response_hours: u16,
    /// Hours in which customer service promises an answer through a higher door (R-INTAKE-9: 48).
    pub higher_door_hours: u16,
    /// Hours for the lead's review of a submitted test (R-REVIEW-1; a choice: 24).
    pub review_hours: u16,
    /// Days from approval until a fault is with the maintenance room (R-LIMIT-2: 2).
    pub fault_days: u16,
    /// Days from approval until a retrofit is passed on and ordered (R-LIMIT-2: 3).
    pub retrofit_days: u16,
    /// Days for which a tracking ticket may live until the problem is solved (R-RETURN-2; a choice: 30).
    pub tracking_days: u16,
    /// The day of the weekly resource review, 0 = Monday (a choice: Thursday).
    pub review_meeting_weekday: u8,
    /// The minute of the local day at which it begins (a choice: 14:30).
    pub review_meeting_minute: u16,
    /// Warn when this percentage of a limit is used (a choice: 80).
    pub warn_percent: u8,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self {
            quality_working_days: 3,
            conduct_and_billing_working_days: 2,
            other_working_days: 5,
            major_percent: 50,
            first_response_hours: 24,
            higher_door_hours: 48,
            review_hours: 24,
            fault_days: 2,
            retrofit_days: 3,
            tracking_days: 30,
            review_meeting_weekday: 3,
            review_meeting_minute: 14 * 60 + 30,
            warn_percent: 80,
        }
    }
}

impl Policy for LimitPolicy {
    const KIND: &'static str = "limits";

    fn check(&self) -> Result<(), Rejection> {
        let within = |field: &str, value: u32, lowest: u32, highest: u32| {
            if (lowest..=highest).contains(&value) {
                Ok(())
            } else {
                refuse(ProblemType::InvalidField, format!("{field}: must be from {lowest} to {highest}"))
            }
        };
        within("quality_working_days", self.quality_working_days.into(), 1, 60)?;
        within("conduct_and_billing_working_days", self.conduct_and_billing_working_days.into(), 1, 60)?;
        // R-LIMIT-1: anything else at most five working days.
        within("other_working_days", self.other_working_days.into(), 1, 5)?;
        within("major_percent", self.major_percent.into(), 1, 100)?;
        within("first_response_hours", self.first_response_hours.into(), 1, 240)?;
        within("higher_door_hours", self.higher_door_hours.into(), 1, 240)?;
        within("review_hours", self.review_hours.into(), 1, 720)?;
        within("fault_days", self.fault_days.into(), 1, 60)?;
        within("retrofit_days", self.retrofit_days.into(), 1, 60)?;
        within("tracking_days", self.tracking_days.into(), 1, 366)?;
        within("review_meeting_weekday", self.review_meeting_weekday.into(), 0, 6)?;
        within("review_meeting_minute", self.review_meeting_minute.into(), 0, 24 * 60 - 1)?;
        within("warn_percent", self.warn_percent.into(), 1, 99)
    }
}

impl LimitPolicy {
    /// The limit for handling a complaint, in microseconds of working days (R-LIMIT-1; shorter for a major one, R-CLASS-2).
    pub fn handling_micros(&self, class: LimitClass, is_major: bool) -> i64 {
        let days = match class {
            LimitClass::Quality => self.quality_working_days,
            LimitClass::StaffConduct | LimitClass::Billing => self.conduct_and_billing_working_days,
            LimitClass::Other => self.other_working_days,
        };
        self.on_track(i64::from(days) * DAY_MICROS, is_major)
    }

    /// The limit of a kind of clock, where it does not depend on the day; `limit_key` is the class of a handling clock, the kind of
    /// plan of a plan clock.
    pub fn budget_micros(&self, kind: ClockKind, limit_key: &str, is_major: bool) -> Option<i64> {
        let days = |count: u16| self.on_track(i64::from(count) * DAY_MICROS, is_major);
        Some(match kind {
            ClockKind::Handling => self.handling_micros(limit_key.parse().ok()?, is_major),
            ClockKind::FirstResponse => i64::from(self.first_response_hours) * HOUR_MICROS,
            ClockKind::HigherDoor => i64::from(self.higher_door_hours) * HOUR_MICROS,
            ClockKind::Review => self.on_track(i64::from(self.review_hours) * HOUR_MICROS, is_major),
            ClockKind::Plan => match limit_key.parse().ok()? {
                PlanKind::Fault => days(self.fault_days),
                PlanKind::Retrofit => days(self.retrofit_days),
                PlanKind::Optimise | PlanKind::Build => return None,
            },
            ClockKind::Tracking => days(self.tracking_days),
        })
    }

    /// The limit on the track that a complaint is on (R-CLASS-2).
    fn on_track(&self, full_micros: i64, is_major: bool) -> i64 {
        if is_major { full_micros / 100 * i64::from(self.major_percent.min(100)) } else { full_micros }
    }

    /// The clock for handling a complaint taken at `received_at`.
    pub fn handling_clock(&self, class: LimitClass, is_major: bool, received_at: Timestamp) -> Clock {
        let budget = self.handling_micros(class, is_major);
        Clock::started(received_at, TimeMeasure::WorkingDays, budget, COMPLAINT_RECEIVED)
    }

    /// The clock for the first response: 24 hours, holidays or not (R-INTAKE-5).
    pub fn first_response_clock(&self, received_at: Timestamp) -> Clock {
        let budget = i64::from(self.first_response_hours) * HOUR_MICROS;
        Clock::started(received_at, TimeMeasure::AllHours, budget, COMPLAINT_RECEIVED)
    }

    /// The clock for the answer that is owed through a higher door; none for the ordinary ones (R-INTAKE-9).
    pub fn higher_door_clock(&self, channel: ComplaintChannel, received_at: Timestamp) -> Option<Clock> {
        channel.is_higher_door().then(|| {
            let budget = i64::from(self.higher_door_hours) * HOUR_MICROS;
            Clock::started(
                received_at,
                TimeMeasure::AllHours,
                budget,
                "complaint came through a higher door 经上级渠道投诉",
            )
        })
    }

    /// The clock for the lead's review (R-REVIEW-1; shorter for a major complaint, R-CLASS-2).
    pub fn review_clock(&self, submitted_at: Timestamp, is_major: bool) -> Clock {
        let budget = self.on_track(i64::from(self.review_hours) * HOUR_MICROS, is_major);
        Clock::started(submitted_at, TimeMeasure::WorkingDays, budget, "field test submitted 测试已提交")
    }

    /// The clock for passing a plan on (R-LIMIT-2); none for plain optimisation. The meeting's day does not depend on the track.
    pub fn plan_clock(
        &self,
        kind: PlanKind,
        is_major: bool,
        approved_at: Timestamp,
        calendar: &WorkCalendar,
        utc_offset_minutes: i16,
    ) -> Option<Clock> {
        let due_at = self.plan_due_at(kind, approved_at, calendar, utc_offset_minutes)?;
        let full = due_at.micros_since(approved_at);
        let budget = match kind {
            PlanKind::Optimise | PlanKind::Fault | PlanKind::Retrofit => self.on_track(full, is_major),
            PlanKind::Build => full,
        };
        Some(Clock::started(approved_at, TimeMeasure::AllHours, budget, "field test approved 测试审核通过"))
    }

    /// The clock of a tracking ticket (R-RETURN-2).
    pub fn tracking_clock(&self, opened_at: Timestamp, is_major: bool) -> Clock {
        let budget = self.on_track(i64::from(self.tracking_days) * DAY_MICROS, is_major);
        Clock::started(opened_at, TimeMeasure::AllHours, budget, "returned as unresolved 未解决，转跟踪单")
    }

    /// When the plan must be passed on, counted from the test's approval (R-LIMIT-2); none for plain optimisation, which the
    /// complaint's own limit covers.
    pub fn plan_due_at(
        &self,
        kind: PlanKind,
        approved_at: Timestamp,
        calendar: &WorkCalendar,
        utc_offset_minutes: i16,
    ) -> Option<Timestamp> {
        let days_later = |days: u16| approved_at.plus_seconds(i64::from(days) * 86_400);
        match kind {
            PlanKind::Optimise => None,
            PlanKind::Fault => Some(days_later(self.fault_days)),
            PlanKind::Retrofit => Some(days_later(self.retrofit_days)),
            PlanKind::Build => Some(self.review_meeting_after(approved_at, calendar, utc_offset_minutes)),
        }
    }

    /// The resource review meeting of the week after `at` (R-LADDER-3, R-LIMIT-2). Where its day is not worked, the meeting is on
    /// the last working day before it in that week, else on the first one after.
    pub fn review_meeting_after(&self, at: Timestamp, calendar: &WorkCalendar, utc_offset_minutes: i16) -> Timestamp {
        let today = Day::of(at, utc_offset_minutes);
        let next_monday = today.plus_days(7 - i64::from(today.days_from_monday()));
        let weekday = i64::from(self.review_meeting_weekday.min(6));
        let regular = next_monday.plus_days(weekday);
        let earlier = (0..=weekday).rev().map(|offset| next_monday.plus_days(offset));
        // Sixty days off in a row are more than a calendar may have.
        let later = (1..=60).map(|offset| regular.plus_days(offset));
        let day = earlier.chain(later).find(|day| calendar.is_working_day(*day)).unwrap_or(regular);
        let minute = i64::from(self.review_meeting_minute.min(24 * 60 - 1));
        crate::workflow::calendar::plus_micros(day.begins_at(utc_offset_minutes), minute * MINUTE_MICROS)
    }
}
