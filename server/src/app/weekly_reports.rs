//! What a lead takes to the weekly meeting: the week's figures and those of the weeks before, causes of being late, what is supervised,
//! what was warned of, sites down (R-KPI-1, R-SUPERVISE-1, R-SUPERVISE-2, R-WARN-1).
//!
//! What does not belong here: the workbook's form (`http::weekly_workbook`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::kpis::{KpiQuestion, KpiReport, kpi_causes_in, kpi_regions, kpi_report_in};
use super::sites::{PushedPlan, SiteDown};
use crate::workflow::calendar::Day;
use crate::workflow::kpis::{KpiGroupBy, ParetoEntry};
use crate::workflow::supervision::SupervisionState;
use callout_storage::sites::Site;
use callout_storage::supervision_entries::SupervisionEntry;
use callout_storage::warnings::{Warning, WarningFilter};
use callout_storage::{Page, RegionScope};
use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::time::Timestamp;
use std::collections::HashMap;

/// Weeks before the reported one whose figures stand beside it.
const WEEKS_BEFORE: i64 = 7;

/// See the module.
#[derive(Clone, Debug)]
pub struct WeeklyReport {
    /// The Monday.
    pub from: Day,
    /// The Sunday.
    pub until: Day,
    /// When it was made.
    pub made_at: Timestamp,
    /// The week's figures by region; its total is the week's.
    pub regions: KpiReport,
    /// By team.
    pub teams: KpiReport,
    /// By person; absent for whom they do not concern.
    pub persons: Option<KpiReport>,
    /// By class.
    pub classes: KpiReport,
    /// The last eight weeks.
    pub weeks: KpiReport,
    /// Causes of being late.
    pub causes: Vec<ParetoEntry>,
    /// What is supervised now.
    pub supervised: Vec<(SupervisionEntry, Option<Site>)>,
    /// Sites that are down now, those down too long first.
    pub sites_down: Vec<SiteDown>,
    /// Plans inside crowds of complaints.
    pub plans: Vec<PushedPlan>,
    /// Warnings that stand, or were raised or ended in the week.
    pub warnings: Vec<Warning>,
    /// The regions' names.
    pub region_names: HashMap<RegionId, String>,
}

impl App {
    /// The report of the week that holds a day, of one of the caller's regions or of all of them.
    pub fn weekly_report(
        &self,
        caller: &Caller,
        day: Option<Day>,
        region_id: Option<RegionId>,
    ) -> AppResult<WeeklyReport> {
        let now = self.env.now();
        self.kpi_fold()?;
        self.storage.read("weekly_report", |tx| {
            let whole = self.caller_scope(tx, caller)?;
            let scope = match region_id {
                Some(id) if whole.contains(Some(id)) => {
                    RegionScope::Only { region_ids: vec![id], and_unlocated: false }
                }
                Some(_) => return Err(AppError::not_found("region")),
                None => whole,
            };
            let sums_of = kpi_regions(tx, &scope)?;
            let offset = match sums_of.first() {
                Some(id) => tx.region_by_id(*id)?.map(|region| region.utc_offset_minutes),
                None => None,
            };
            let offset = offset.unwrap_or(super::complaints::DEFAULT_UTC_OFFSET_MINUTES);
            // Without a day: the last whole week.
            let from = day.unwrap_or_else(|| Day::of(now, offset).plus_days(-7)).first_of_week();
            let until = from.plus_days(6);
            let question = KpiQuestion { from, until, region_id, class: None, team: None };
            let weeks = KpiQuestion { from: from.plus_days(-7 * WEEKS_BEFORE), ..question.clone() };
            let is_for_whom_it_concerns =
                caller.roles.has_any(&[Role::RegionalLead, Role::QualityControl]) && scope != RegionScope::All;
            let persons = match is_for_whom_it_concerns {
                true => Some(kpi_report_in(tx, sums_of.clone(), &question, KpiGroupBy::Person)?),
                false => None,
            };
            let mut region_names = HashMap::new();
            for id in &sums_of {
                region_names.extend(tx.region_by_id(*id)?.map(|region| (*id, region.name)));
            }
            let (begin, end) = (from.begins_at(offset), until.plus_days(1).begins_at(offset));
            let all = WarningFilter { scope: scope.clone(), state: None, symptom: None };
            let mut warnings = tx.warning_list(&all, &Page::first(500))?;
            warnings.retain(|warning| warning.raised_at < end && warning.recovered_at.is_none_or(|at| at >= begin));
            Ok(WeeklyReport {
                from,
                until,
                made_at: now,
                regions: kpi_report_in(tx, sums_of.clone(), &question, KpiGroupBy::Region)?,
                teams: kpi_report_in(tx, sums_of.clone(), &question, KpiGroupBy::Team)?,
                persons,
                classes: kpi_report_in(tx, sums_of.clone(), &question, KpiGroupBy::Class)?,
                weeks: kpi_report_in(tx, sums_of.clone(), &weeks, KpiGroupBy::Week)?,
                causes: kpi_causes_in(tx, sums_of, &question)?.causes,
                supervised: self.supervision_list_in(tx, &scope, Some(SupervisionState::Listed), &Page::first(500))?,
                sites_down: self.sites_down_in(tx, &scope)?,
                plans: self.plans_pushed_in(tx, &scope)?,
                warnings,
                region_names,
            })
        })
    }
}
