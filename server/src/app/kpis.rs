//! The figures (R-KPI-1), kept up incrementally: whoever changes an order or a complaint marks it in the same transaction; a job, and
//! whoever reads, takes what a marked complaint contributed before out of the sums and adds what it contributes now, exactly once.
//!
//! What does not belong here: what contributes what (`workflow::kpis`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use crate::workflow::calendar::Day;
use crate::workflow::handling_times::HandlingTimes;
use crate::workflow::kpis::{
    CauseKey, Grain, KpiFigures, KpiGroupBy, KpiKey, ParetoEntry, kpi_contributions, kpi_figures, kpi_stretches, pareto,
};
use callout_storage::complaints::ComplaintClass;
use callout_storage::kpi_cells::{KpiCause, KpiCell, KpiGroup, KpiSelection, KpiSums};
use callout_storage::kpi_facts::KpiFact;
use callout_storage::{RegionScope, Tx};
use callout_sync_protocol::ids::{ComplaintId, RegionId, UserId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Complaints counted anew in one unit of work.
const BATCH: u32 = 500;
/// Complaints of one unit of work while everything is counted anew.
const REBUILD_BATCH: u32 = 5_000;
/// Units of work of one run of the job; what is left waits for the next.
const BATCHES_A_RUN: usize = 40;
/// Under this name only one server counts at a time.
const FOLD_LOCK: &str = "kpi_fold";
/// Longest period of one question, and of one that asks for every day.
const MAX_DAYS: i64 = 1_100;
const MAX_DAYS_BY_DAY: i64 = 92;

/// Which figures are asked for.
#[derive(Clone, Debug)]
pub struct KpiQuestion {
    /// First local day.
    pub from: Day,
    /// Last local day.
    pub until: Day,
    /// Of this region only.
    pub region_id: Option<RegionId>,
    /// Of this class only.
    pub class: Option<ComplaintClass>,
    /// Of this team only.
    pub team: Option<String>,
}

/// One group's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct KpiRow {
    /// The region's or person's id, the team, the class, or the period's first day.
    pub key: String,
    /// What a person calls it; empty where the key says it.
    pub name: String,
    /// The figures.
    pub figures: KpiFigures,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct KpiReport {
    /// By group: periods in their order, anything else with the most received first.
    pub rows: Vec<KpiRow>,
    /// All together.
    pub total: KpiFigures,
    /// Changes that are not counted yet.
    pub pending_changes: u64,
}

/// An answer about causes.
#[derive(Clone, Debug, PartialEq)]
pub struct CausesReport {
    /// The greatest first.
    pub causes: Vec<ParetoEntry>,
    /// Changes that are not counted yet.
    pub pending_changes: u64,
}

/// The key of a row from what it is about.
fn row_id(parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // The length before each part, so that no two keys are written alike.
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn cell_id(key: &KpiKey) -> Uuid {
    row_id(&[
        &[u8::from(key.is_personal)],
        &key.grain.number().to_be_bytes(),
        key.region_id.as_bytes(),
        &key.day.number().to_be_bytes(),
        key.class.as_bytes(),
        key.team.as_bytes(),
        key.person_id.as_bytes(),
    ])
}

fn cause_id(key: &CauseKey) -> Uuid {
    row_id(&[
        &key.grain.number().to_be_bytes(),
        key.region_id.as_bytes(),
        &key.day.number().to_be_bytes(),
        key.class.as_bytes(),
        key.cause.as_bytes(),
    ])
}

fn cell_empty(id: Uuid, key: &KpiKey) -> KpiCell {
    KpiCell {
        id,
        is_personal: key.is_personal,
        grain: key.grain.number(),
        region_id: key.region_id,
        day: key.day.number(),
        class: key.class.clone(),
        team: key.team.clone(),
        person_id: key.person_id,
        received_count: 0,
        responded_count: 0,
        repeat_count: 0,
        closed_count: 0,
        judged_count: 0,
        on_time_count: 0,
        handling_seconds: 0,
        visited_count: 0,
        first_visit_count: 0,
        return_count: 0,
        false_return_count: 0,
        score_count: 0,
        score_sum: 0,
        promoter_count: 0,
        detractor_count: 0,
        overdue_count: 0,
        handling_times: Vec::new(),
    }
}

/// What a batch changes in the sums.
#[derive(Default)]
struct Deltas {
    cells: HashMap<KpiKey, (KpiSums, HandlingTimes)>,
    causes: HashMap<CauseKey, i64>,
}

impl Deltas {
    fn add(&mut self, fact: &KpiFact, sign: i64) {
        let contributions = kpi_contributions(fact);
        for contribution in contributions.sums {
            let (sums, times) = self.cells.entry(contribution.key).or_default();
            *sums += if sign < 0 { -contribution.sums } else { contribution.sums };
            if let Some(seconds) = contribution.handling_seconds {
                times.add(seconds, sign);
            }
        }
        for cause in contributions.causes {
            *self.causes.entry(cause).or_default() += sign;
        }
    }

    fn apply(self, tx: &mut Tx) -> AppResult<()> {
        let nothing = (KpiSums::default(), HandlingTimes::default());
        let changed: HashMap<Uuid, (KpiKey, (KpiSums, HandlingTimes))> = self
            .cells
            .into_iter()
            .filter(|(_, delta)| *delta != nothing)
            .map(|(key, delta)| (cell_id(&key), (key, delta)))
            .collect();
        let mut ids: Vec<Uuid> = changed.keys().copied().collect();
        ids.sort_unstable();
        let mut kept: HashMap<Uuid, KpiCell> =
            tx.kpi_cell_list(&ids)?.into_iter().map(|cell| (cell.id, cell)).collect();
        let mut cells = Vec::with_capacity(ids.len());
        for id in &ids {
            let Some((key, (delta, mut times))) = changed.get(id).cloned() else { continue };
            let cell = kept.remove(id).unwrap_or_else(|| cell_empty(*id, &key));
            let mut sums = cell.sums();
            sums += delta;
            times.merge_encoded(&cell.handling_times).map_err(AppError::internal)?;
            // What nobody contributes to any more goes, so that counting from scratch finds the same rows.
            if (sums, &times) != (KpiSums::default(), &HandlingTimes::default()) {
                cells.push(KpiCell { handling_times: times.encode(), ..cell.with_sums(sums) });
            }
        }
        tx.kpi_cell_replace(&ids, &cells)?;

        let changed: HashMap<Uuid, (CauseKey, i64)> = self
            .causes
            .into_iter()
            .filter(|(_, delta)| *delta != 0)
            .map(|(key, delta)| (cause_id(&key), (key, delta)))
            .collect();
        let mut ids: Vec<Uuid> = changed.keys().copied().collect();
        ids.sort_unstable();
        let kept: HashMap<Uuid, i64> =
            tx.kpi_cause_list(&ids)?.into_iter().map(|cause| (cause.id, cause.overdue_count)).collect();
        let causes: Vec<KpiCause> = ids
            .iter()
            .filter_map(|id| {
                let (key, delta) = changed.get(id)?;
                let overdue_count = kept.get(id).copied().unwrap_or(0) + delta;
                (overdue_count != 0).then(|| KpiCause {
                    id: *id,
                    grain: key.grain.number(),
                    region_id: key.region_id,
                    day: key.day.number(),
                    class: key.class.clone(),
                    cause: key.cause.clone(),
                    overdue_count,
                })
            })
            .collect();
        tx.kpi_cause_replace(&ids, &causes)?;
        Ok(())
    }
}

impl App {
    /// Says that a complaint's figures may have changed. Every unit of work that changes an order, a complaint, a reply, a revisit or
    /// a test calls it; it adds one small row and waits for nobody.
    pub(crate) fn kpi_touch(&self, tx: &mut Tx, complaint_id: ComplaintId) -> AppResult<()> {
        self.kpi_touch_all(tx, [complaint_id])
    }

    /// The same for several complaints.
    pub(crate) fn kpi_touch_all(&self, tx: &mut Tx, ids: impl IntoIterator<Item = ComplaintId>) -> AppResult<()> {
        let marks: Vec<(Uuid, ComplaintId)> = ids.into_iter().map(|id| (self.env.id(), id)).collect();
        tx.kpi_dirty_mark(&marks, self.env.now())?;
        Ok(())
    }

    /// Counts what was marked, at most one batch; says how many marks that were.
    pub(crate) fn kpi_fold(&self) -> AppResult<usize> {
        // Looked at without the lock first: mostly there is nothing to do.
        if self.storage.read("kpi_fold_look", |tx| tx.kpi_dirty_count())? == 0 {
            return Ok(0);
        }
        self.storage.write("kpi_fold", |tx| {
            tx.counter_next(FOLD_LOCK)?;
            let marks = tx.kpi_dirty_list(BATCH)?;
            let complaints: BTreeSet<ComplaintId> = marks.iter().map(|(_, complaint)| *complaint).collect();
            self.kpi_count(tx, &complaints.into_iter().collect::<Vec<_>>())?;
            // Whoever changed one of them meanwhile left a mark of its own, which stays.
            tx.kpi_dirty_delete(&marks.iter().map(|(id, _)| *id).collect::<Vec<_>>())?;
            Ok(marks.len())
        })
    }

    /// The job: counts what was marked, batch after batch, for a bounded time.
    pub(crate) fn kpi_fold_all(&self) -> AppResult<()> {
        for _ in 0..BATCHES_A_RUN {
            if self.kpi_fold()? < BATCH as usize {
                break;
            }
        }
        Ok(())
    }

    /// Takes out what these complaints contributed before and adds what they contribute now.
    fn kpi_count(&self, tx: &mut Tx, ids: &[ComplaintId]) -> AppResult<()> {
        let sources = tx.kpi_source_list(ids)?;
        let mut before: HashMap<ComplaintId, KpiFact> =
            tx.kpi_fact_list(ids)?.into_iter().map(|fact| (fact.complaint_id, fact)).collect();
        let teams = self.kpi_teams(tx)?;
        let mut deltas = Deltas::default();
        let mut changed = Vec::new();
        for source in &sources {
            let old = before.remove(&source.complaint_id);
            let fact = self.kpi_fact(source, old.as_ref(), &teams);
            if old.as_ref() == Some(&fact) {
                continue;
            }
            if let Some(old) = old.filter(|old| old.is_counted) {
                deltas.add(&old, -1);
            }
            deltas.add(&fact, 1);
            changed.push(fact);
        }
        tx.kpi_fact_replace(&changed)?;
        deltas.apply(tx)
    }

    /// Counts everything anew from what is on record, while the server goes on. Figures read meanwhile are incomplete.
    ///
    /// # Errors
    /// When the database says no; running it again makes good what was left.
    pub fn kpi_rebuild(&self, mut progress: impl FnMut(u64)) -> AppResult<u64> {
        self.storage.write("kpi_reset", |tx| {
            tx.counter_next(FOLD_LOCK)?;
            tx.kpi_cell_delete_all()?;
            Ok::<_, AppError>(tx.kpi_fact_uncount_all()?)
        })?;
        let (mut after, mut counted) = (ComplaintId::NIL, 0);
        loop {
            let ids = self.storage.write("kpi_rebuild", |tx| {
                tx.counter_next(FOLD_LOCK)?;
                let ids = tx.complaint_ids_after(after, REBUILD_BATCH)?;
                self.kpi_count(tx, &ids)?;
                Ok::<_, AppError>(ids)
            })?;
            let Some(last) = ids.last() else { return Ok(counted) };
            after = *last;
            counted += ids.len() as u64;
            progress(counted);
        }
    }

    fn kpi_scope(&self, tx: &mut Tx, caller: &Caller, region_id: Option<RegionId>) -> AppResult<Vec<RegionId>> {
        let scope = self.caller_scope(tx, caller)?;
        match region_id {
            Some(id) if scope.contains(Some(id)) => Ok(vec![id]),
            Some(_) => Err(AppError::not_found("region")),
            None => kpi_regions(tx, &scope),
        }
    }

    /// Figures of the caller's regions by group.
    ///
    /// # Errors
    /// `forbidden` for personal figures to whom they do not concern: quality control and leads see them, of one region or of their own.
    pub fn kpi_report(&self, caller: &Caller, question: &KpiQuestion, group_by: KpiGroupBy) -> AppResult<KpiReport> {
        question.check(group_by)?;
        if group_by == KpiGroupBy::Person && !caller.roles.has_any(&[Role::RegionalLead, Role::QualityControl]) {
            return Err(AppError::forbidden("personal figures are for quality control and regional leads"));
        }
        // What was done a moment ago shall be seen, as far as one batch goes.
        self.kpi_fold()?;
        self.storage.read("kpi_report", |tx| {
            let regions = self.kpi_scope(tx, caller, question.region_id)?;
            let is_bounded = question.region_id.is_some() || self.caller_scope(tx, caller)? != RegionScope::All;
            if group_by == KpiGroupBy::Person && !is_bounded {
                return Err(AppError::invalid("region_id", "personal figures are told for one region at a time"));
            }
            kpi_report_in(tx, regions, question, group_by)
        })
    }

    /// Why orders went beyond their limit, as a Pareto: shares and cumulative shares.
    pub fn kpi_overdue_causes(&self, caller: &Caller, question: &KpiQuestion) -> AppResult<CausesReport> {
        question.check(KpiGroupBy::Region)?;
        self.kpi_fold()?;
        self.storage.read("kpi_overdue_causes", |tx| {
            let regions = self.kpi_scope(tx, caller, question.region_id)?;
            kpi_causes_in(tx, regions, question)
        })
    }
}

/// The regions of a scope, as sums name them: zeros for what has no region.
pub(crate) fn kpi_regions(tx: &mut Tx, scope: &RegionScope) -> AppResult<Vec<RegionId>> {
    Ok(match scope {
        RegionScope::All => {
            let mut ids = tx.region_ids()?;
            ids.push(RegionId::NIL);
            ids
        }
        RegionScope::Only { region_ids, and_unlocated } => {
            let mut ids = region_ids.clone();
            ids.extend(and_unlocated.then_some(RegionId::NIL));
            ids
        }
    })
}

impl KpiQuestion {
    fn check(&self, group_by: KpiGroupBy) -> AppResult<()> {
        let most = if group_by == KpiGroupBy::Day { MAX_DAYS_BY_DAY } else { MAX_DAYS };
        if self.from > self.until || self.from.plus_days(most - 1) < self.until {
            return Err(AppError::invalid("until", &format!("must lie 0 to {} days after `from`", most - 1)));
        }
        Ok(())
    }

    fn selections(&self, regions: &[RegionId], is_personal: bool, grain: Grain) -> Vec<KpiSelection> {
        kpi_stretches(self.from, self.until.plus_days(1), grain)
            .into_iter()
            .map(|stretch| KpiSelection {
                is_personal,
                grain: stretch.grain.number(),
                from_day: stretch.from.number(),
                until_day: stretch.until.number(),
                region_ids: regions.to_vec(),
                class: self.class.map_or_else(String::new, |class| class.as_str().to_owned()),
                team: self.team.clone().unwrap_or_default(),
            })
            .collect()
    }
}

/// See [`App::kpi_overdue_causes`].
pub(crate) fn kpi_causes_in(tx: &mut Tx, regions: Vec<RegionId>, question: &KpiQuestion) -> AppResult<CausesReport> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for selection in question.selections(&regions, false, Grain::Month) {
        for (cause, count) in tx.kpi_cause_sums(&selection)? {
            *counts.entry(cause).or_default() += count;
        }
    }
    Ok(CausesReport { causes: pareto(counts), pending_changes: tx.kpi_dirty_count()? })
}

/// See [`App::kpi_report`].
pub(crate) fn kpi_report_in(
    tx: &mut Tx,
    regions: Vec<RegionId>,
    question: &KpiQuestion,
    group_by: KpiGroupBy,
) -> AppResult<KpiReport> {
    let (group, grain) = match group_by {
        KpiGroupBy::Region => (KpiGroup::Region, Grain::Month),
        KpiGroupBy::Team => (KpiGroup::Team, Grain::Month),
        KpiGroupBy::Person => (KpiGroup::Person, Grain::Month),
        KpiGroupBy::Class => (KpiGroup::Class, Grain::Month),
        KpiGroupBy::Day => (KpiGroup::Period, Grain::Day),
        KpiGroupBy::Week => (KpiGroup::Period, Grain::Week),
        KpiGroupBy::Month => (KpiGroup::Period, Grain::Month),
    };
    let period_key = |key: String| -> AppResult<String> {
        if group != KpiGroup::Period {
            return Ok(key);
        }
        let day: i32 = key.parse().map_err(AppError::internal)?;
        let day = Day::from_number(day).ok_or_else(|| AppError::internal("a day outside the calendar"))?;
        Ok(grain.first_day(day).to_string())
    };
    let mut groups: BTreeMap<String, (KpiSums, HandlingTimes)> = BTreeMap::new();
    for selection in question.selections(&regions, group == KpiGroup::Person, grain) {
        for found in tx.kpi_sums(group, &selection)? {
            groups.entry(period_key(found.key)?).or_default().0 += found.sums;
        }
        for (key, bytes) in tx.kpi_handling_times(group, &selection)? {
            let (_, times) = groups.entry(period_key(key)?).or_default();
            times.merge_encoded(&bytes).map_err(AppError::internal)?;
        }
    }
    let mut total = (KpiSums::default(), HandlingTimes::default());
    for (sums, times) in groups.values() {
        total.0 += *sums;
        total.1.merge(times);
    }
    let names = group_names(tx, group_by, groups.keys())?;
    let mut rows: Vec<KpiRow> = groups
        .into_iter()
        .map(|(key, (sums, times))| {
            let (key, name) = names.get(&key).cloned().unwrap_or((key, String::new()));
            KpiRow { key, name, figures: kpi_figures(&sums, &times) }
        })
        .collect();
    if group != KpiGroup::Period {
        rows.sort_by_key(|row| (std::cmp::Reverse((row.figures.received, row.figures.closed)), row.key.clone()));
    }
    Ok(KpiReport { rows, total: kpi_figures(&total.0, &total.1), pending_changes: tx.kpi_dirty_count()? })
}

/// What people call regions and persons: from the key of the sums to the id's usual form and the name.
fn group_names<'a>(
    tx: &mut Tx,
    group_by: KpiGroupBy,
    keys: impl Iterator<Item = &'a String>,
) -> AppResult<HashMap<String, (String, String)>> {
    let ids = |keys: &mut dyn Iterator<Item = &'a String>| -> AppResult<Vec<(String, Uuid)>> {
        keys.map(|key| Ok((key.clone(), Uuid::parse_str(key).map_err(AppError::internal)?))).collect()
    };
    let mut keys = keys;
    match group_by {
        KpiGroupBy::Region => ids(&mut keys)?
            .into_iter()
            .map(|(key, id)| {
                let name = tx.region_by_id(RegionId(id))?.map(|region| region.name).unwrap_or_default();
                let shown = if id.is_nil() { String::new() } else { id.to_string() };
                Ok((key, (shown, name)))
            })
            .collect(),
        KpiGroupBy::Person => {
            let ids = ids(&mut keys)?;
            let people: Vec<UserId> = ids.iter().map(|(_, id)| UserId(*id)).collect();
            let names: HashMap<UserId, String> = tx.user_display_names(&people)?.into_iter().collect();
            Ok(ids
                .into_iter()
                .map(|(key, id)| (key, (id.to_string(), names.get(&UserId(id)).cloned().unwrap_or_default())))
                .collect())
        }
        KpiGroupBy::Class => Ok(keys
            .map(|key| {
                let name = key.parse::<ComplaintClass>().map_or("未分类", ComplaintClass::name_zh);
                (key.clone(), (key.clone(), name.to_owned()))
            })
            .collect()),
        KpiGroupBy::Team | KpiGroupBy::Day | KpiGroupBy::Week | KpiGroupBy::Month => Ok(HashMap::new()),
    }
}
