//! Early warnings (R-WARN-1): counted for every region and complaint type by a job, reviewed by a person, published to recipients.
//!
//! What does not belong here: when a count deserves a warning (`workflow::warnings`).

use super::App;
use super::access::{Action, Caller, RoleSet};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::notices::NoticeAbout;
use crate::workflow::calendar::Day;
use crate::workflow::notices::NoticeKind;
use crate::workflow::warnings::{
    WarningCommand, WarningEffect, WarningLevel, WarningPolicy, WarningState, warning_base, warning_level,
    warning_transition,
};
use callout_storage::warnings::{Warning, WarningCount, WarningFilter};
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{RegionId, UserId, WarningId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Symptom;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The half-year in whole weeks, as the rule counts it.
const HALF_YEAR_SECONDS: i64 = 182 * 86_400;

/// What was counted for one complaint type.
struct Counted {
    symptom: Symptom,
    count: u32,
    half_year: u64,
    base: f64,
    level: Option<WarningLevel>,
}

fn parsed(warning: &Warning) -> AppResult<(WarningState, WarningLevel)> {
    Ok((warning.state.parse().map_err(AppError::internal)?, warning.level.parse().map_err(AppError::internal)?))
}

impl App {
    /// Counts a region's complaint types and raises, changes or ends its warnings. Running it twice is as good as once.
    pub(crate) fn warnings_evaluate(&self, region_id: RegionId) -> AppResult<()> {
        let now = self.env.now();
        self.storage.write("warnings_evaluate", |tx| {
            if !tx.region_overview_lock(region_id)? {
                return Ok(());
            }
            let policy: WarningPolicy = self.policy(tx, Some(region_id))?;
            let from = now.plus_seconds(-3_600 * i64::from(policy.window_hours));
            let in_window: HashMap<Symptom, u64> =
                tx.complaint_count_by_symptom(region_id, from, now)?.into_iter().collect();
            let before: HashMap<Symptom, u64> = tx
                .complaint_count_by_symptom(region_id, from.plus_seconds(-HALF_YEAR_SECONDS), from)?
                .into_iter()
                .collect();
            let mut standing = tx.warning_list_standing(region_id)?;
            for symptom in Symptom::ALL.iter().copied() {
                let count = u32::try_from(in_window.get(&symptom).copied().unwrap_or(0)).unwrap_or(u32::MAX);
                let half_year = before.get(&symptom).copied().unwrap_or(0);
                let base = warning_base(half_year, &policy);
                let counted = Counted { symptom, count, half_year, base, level: warning_level(count, base, &policy) };
                match standing.iter_mut().find(|warning| warning.symptom == symptom) {
                    Some(warning) => self.warning_recount(tx, warning, &counted, (from, now))?,
                    None => self.warning_raise(tx, region_id, &counted, (from, now))?,
                }
            }
            Ok(())
        })
    }

    fn warning_raise(
        &self,
        tx: &mut Tx,
        region_id: RegionId,
        counted: &Counted,
        (window_from, window_until): (Timestamp, Timestamp),
    ) -> AppResult<()> {
        let Some(level) = counted.level else { return Ok(()) };
        let now = self.env.now();
        let offset = tx
            .region_by_id(region_id)?
            .map_or(super::complaints::DEFAULT_UTC_OFFSET_MINUTES, |region| region.utc_offset_minutes);
        let warning = Warning {
            id: self.env.id(),
            region_id,
            symptom: counted.symptom,
            state: WarningState::Draft.as_str().into(),
            level: level.as_str().into(),
            window_from,
            window_until,
            complaint_count: counted.count,
            peak_count: counted.count,
            half_year_count: counted.half_year,
            // A mean of counts fits.
            base_thousandths: (1_000.0 * counted.base).round() as u64,
            raised_day: Day::of(now, offset).number(),
            raised_at: now,
            reviewed_by: None,
            reviewed_at: None,
            review_note: None,
            published_by: None,
            published_at: None,
            recipients: vec![],
            dismissed_by: None,
            dismissed_at: None,
            dismiss_reason: None,
            recovered_at: None,
            updated_at: now,
            version: 1,
        };
        tx.warning_insert(&warning)?;
        let draft = EventDraft::new(Subject::Warning(warning.id), "warning_raised").detail(json!({
            "symptom": warning.symptom, "level": level, "complaint_count": warning.complaint_count,
            "half_year_count": warning.half_year_count, "base_thousandths": warning.base_thousandths,
        }));
        self.event_append(tx, draft)
    }

    fn warning_recount(
        &self,
        tx: &mut Tx,
        warning: &mut Warning,
        counted: &Counted,
        (window_from, window_until): (Timestamp, Timestamp),
    ) -> AppResult<()> {
        let now = self.env.now();
        let (state, level) = parsed(warning)?;
        let (after, effects) = warning_transition(state, level, &WarningCommand::Counted(counted.level))?;
        warning.state = after.as_str().into();
        warning.window_from = window_from;
        warning.window_until = window_until;
        warning.complaint_count = counted.count;
        warning.peak_count = warning.peak_count.max(counted.count);
        warning.half_year_count = counted.half_year;
        warning.base_thousandths = (1_000.0 * counted.base).round() as u64;
        let mut action = None;
        for effect in &effects {
            if let WarningEffect::LevelSet(level) = effect {
                warning.level = level.as_str().into();
                action = Some("warning_level_changed");
            }
        }
        if counted.level.is_none() {
            // A dismissed one stays dismissed, but the rise that it was about is over: a new one raises a new warning.
            warning.recovered_at = Some(now);
            action = Some(if after == WarningState::Recovered { "warning_recovered" } else { "warning_rise_over" });
        }
        warning.updated_at = now;
        tx.warning_update(warning)?;
        let Some(action) = action else { return Ok(()) };
        let told = effects.contains(&WarningEffect::RecoveryTold).then(|| warning.recipients.clone());
        if told.is_some() {
            self.warning_tell(tx, warning, NoticeKind::WarningRecovered)?;
        }
        let draft = EventDraft::new(Subject::Warning(warning.id), action).detail(json!({
            "level": warning.level, "complaint_count": warning.complaint_count, "recipients": told,
        }));
        self.event_append(tx, draft)
    }

    /// Leaves each recipient a notice with what the warning says, so that a reader needs nothing else to act.
    fn warning_tell(&self, tx: &mut Tx, warning: &Warning, kind: NoticeKind) -> AppResult<()> {
        let detail = json!({
            "region_id": warning.region_id, "symptom": warning.symptom, "level": warning.level,
            "complaint_count": warning.complaint_count, "peak_count": warning.peak_count,
            "window_from": warning.window_from, "window_until": warning.window_until,
        });
        for recipient in &warning.recipients {
            // Written by `warning_publish`, which took ids.
            let recipient: UserId = recipient.parse().map_err(AppError::internal)?;
            self.notice_tell(tx, recipient, kind, NoticeAbout::Warning(warning.id), detail.clone())?;
        }
        Ok(())
    }

    fn warning_command(
        &self,
        caller: &Caller,
        id: WarningId,
        command: &WarningCommand,
        apply: impl Fn(&mut Tx, &mut Warning) -> AppResult<Value>,
    ) -> AppResult<Warning> {
        self.storage.write("warning_command", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut warning = tx
                .warning_lock(id)?
                .filter(|warning| scope.contains(Some(warning.region_id)))
                .ok_or_else(|| AppError::not_found("warning"))?;
            let (state, level) = parsed(&warning)?;
            let (after, _) = warning_transition(state, level, command)?;
            warning.state = after.as_str().into();
            warning.updated_at = self.env.now();
            let detail = apply(tx, &mut warning)?;
            tx.warning_update(&mut warning)?;
            let draft = match command {
                WarningCommand::Review { note } => {
                    EventDraft::new(Subject::Warning(id), "warning_reviewed").reason(note)
                }
                WarningCommand::Publish { .. } => EventDraft::new(Subject::Warning(id), "warning_published"),
                WarningCommand::Dismiss { reason } => {
                    EventDraft::new(Subject::Warning(id), "warning_dismissed").reason(reason)
                }
                WarningCommand::Counted(_) => EventDraft::new(Subject::Warning(id), "warning_counted"),
            };
            self.event_append(tx, draft.by(caller).detail(detail))?;
            Ok(warning)
        })
    }

    /// A person looked at a warning and found it true.
    pub fn warning_review(&self, caller: &Caller, id: WarningId, note: &str) -> AppResult<Warning> {
        let command = WarningCommand::Review { note: note.to_owned() };
        self.warning_command(caller, id, &command, |_, warning| {
            warning.reviewed_by = Some(caller.user_id);
            warning.reviewed_at = Some(warning.updated_at);
            warning.review_note = Some(note.trim().to_owned());
            Ok(Value::Null)
        })
    }

    /// Lets a reviewed warning out to its recipients, who must be able to read it: right role, right region.
    pub fn warning_publish(&self, caller: &Caller, id: WarningId, recipients: &[UserId]) -> AppResult<Warning> {
        let names: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        let command = WarningCommand::Publish { recipients: names.clone() };
        self.warning_command(caller, id, &command, |tx, warning| {
            for recipient in recipients {
                let user = tx.user_by_id(*recipient)?.filter(|user| user.is_active);
                let can_read = match user {
                    Some(user) if RoleSet::of(&user.roles).has_any(Action::WarningRead.roles()) => {
                        user.all_regions || tx.user_region_ids(user.id)?.contains(&warning.region_id)
                    }
                    Some(_) | None => false,
                };
                if !can_read {
                    let what = format!("{recipient} cannot read the warnings of this region");
                    return Err(AppError::invalid("recipients", &what));
                }
            }
            warning.published_by = Some(caller.user_id);
            warning.published_at = Some(warning.updated_at);
            warning.recipients.clone_from(&names);
            self.warning_tell(tx, warning, NoticeKind::WarningPublished)?;
            Ok(json!({ "recipients": names }))
        })
    }

    /// Does not let a warning out.
    pub fn warning_dismiss(&self, caller: &Caller, id: WarningId, reason: &str) -> AppResult<Warning> {
        let command = WarningCommand::Dismiss { reason: reason.to_owned() };
        self.warning_command(caller, id, &command, |_, warning| {
            warning.dismissed_by = Some(caller.user_id);
            warning.dismissed_at = Some(warning.updated_at);
            warning.dismiss_reason = Some(reason.trim().to_owned());
            Ok(Value::Null)
        })
    }

    /// A warning.
    pub fn warning_show(&self, caller: &Caller, id: WarningId) -> AppResult<Warning> {
        self.storage.read("warning_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            tx.warning_by_id(id)?
                .filter(|warning| scope.contains(Some(warning.region_id)))
                .ok_or_else(|| AppError::not_found("warning"))
        })
    }

    /// Warnings of the caller's regions, those raised last first.
    pub fn warning_list(
        &self,
        caller: &Caller,
        mut filter: WarningFilter,
        page: Page<WarningId>,
    ) -> AppResult<Vec<Warning>> {
        self.storage.read("warning_list", |tx| {
            filter.scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.warning_list(&filter, &page)?)
        })
    }

    /// How many warnings were raised, by day, region, complaint type, level and state (R-WARN-1). Both days count.
    pub fn warning_report(&self, caller: &Caller, from: Day, until: Day) -> AppResult<Vec<WarningCount>> {
        if from > until || from.plus_days(1_100) < until {
            return Err(AppError::invalid("until", "must lie 0 to 1,100 days after `from`"));
        }
        self.storage.read("warning_report", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            Ok(tx.warning_count(&scope, from.number(), until.number())?)
        })
    }
}
