//! Sites of the network and their outages, pushed in by whoever knows them; sites down too long, plans inside crowds of complaints
//! (R-SUPERVISE-2).
//!
//! Pushing the same thing again changes nothing. What does not belong here: clusters and the supervision list (`supervision`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::supervision::{degrees_around, in_reach};
use crate::workflow::supervision::{
    ClusterState, FlaggedSite, SiteKind, SiteOutage as OutageFacts, SitePlan, SupervisionPolicy, down_since,
    sites_down_too_long,
};
use callout_storage::complaint_clusters::ComplaintCluster;
use callout_storage::site_outages::SiteOutage;
use callout_storage::sites::{Site, SiteFilter};
use callout_storage::{Page, RegionScope, Tx};
use callout_sync_protocol::ids::{RegionId, SiteId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use serde_json::json;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Most entries of one push.
pub const MAX_PUSH: usize = 1_000;
/// Complaints are counted for an outage from its beginning, but no farther back than this.
const MAX_OUTAGE_DAYS: i64 = 90;
/// How far another system's clock may be ahead.
const CLOCK_AHEAD_SECONDS: i64 = 300;

/// A site as it is pushed.
#[derive(Clone, Debug)]
pub struct SiteDraft {
    /// The code by which the network's own systems know it.
    pub code: String,
    /// The name that people say.
    pub name: String,
    /// Where.
    pub position: Position,
    /// What.
    pub kind: SiteKind,
    /// Handled before others.
    pub is_key: bool,
    /// What is planned with it.
    pub plan: SitePlan,
}

/// An outage as it is pushed.
#[derive(Clone, Debug)]
pub struct OutageDraft {
    /// The pusher's own number for it.
    pub reference: String,
    /// The site's code.
    pub site_code: String,
    /// Why, as far as known.
    pub cause: String,
    /// Down since then.
    pub began_at: Timestamp,
    /// Up again then.
    pub ended_at: Option<Timestamp>,
}

/// What a push changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushOutcome {
    /// Entries that are new.
    pub created: usize,
    /// Entries that were known otherwise.
    pub changed: usize,
    /// Entries that were known just so.
    pub unchanged: usize,
}

/// A site that is down, with the complaints that it causes.
#[derive(Clone, Debug)]
pub struct SiteDown {
    /// The site.
    pub site: Site,
    /// Down without a break since then, whichever system saw it.
    pub down_since: Timestamp,
    /// The cause that was told last.
    pub cause: String,
    /// Complaints in its reach since then.
    pub complaints: u32,
    /// Down for longer than the policy allows (48 hours).
    pub is_flagged: bool,
    /// Whole hours.
    pub down_hours: i64,
}

/// A planned site or a relocation inside a crowd of complaints.
#[derive(Clone, Debug)]
pub struct PushedPlan {
    /// The site.
    pub site: Site,
    /// The crowd.
    pub cluster: ComplaintCluster,
}

fn word(field: &str, value: &str, most: usize) -> AppResult<String> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > most || value.contains('\0') {
        return Err(AppError::invalid(field, &format!("must have 1 to {most} characters, none of them zero")));
    }
    Ok(value.to_owned())
}

fn checked_length(length: usize) -> AppResult<()> {
    if (1..=MAX_PUSH).contains(&length) {
        Ok(())
    } else {
        Err(AppError::invalid("items", &format!("must have 1 to {MAX_PUSH} entries")))
    }
}

impl SiteDraft {
    fn checked(mut self, index: usize) -> AppResult<Self> {
        self.code = word(&format!("items[{index}].code"), &self.code, 64)?;
        self.name = word(&format!("items[{index}].name"), &self.name, 128)?;
        Ok(self)
    }
}

impl OutageDraft {
    fn checked(mut self, index: usize, now: Timestamp) -> AppResult<Self> {
        let field = |name: &str| format!("items[{index}].{name}");
        self.reference = word(&field("reference"), &self.reference, 128)?;
        self.site_code = word(&field("site_code"), &self.site_code, 64)?;
        self.cause = self.cause.trim().to_owned();
        if self.cause.chars().count() > 512 || self.cause.contains('\0') {
            return Err(AppError::invalid(
                &field("cause"),
                "must not have more than 512 characters, none of them zero",
            ));
        }
        let future = now.plus_seconds(CLOCK_AHEAD_SECONDS);
        if self.began_at > future {
            return Err(AppError::invalid(&field("began_at"), "must not lie in the future"));
        }
        if self.ended_at.is_some_and(|ended_at| ended_at > future) {
            return Err(AppError::invalid(&field("ended_at"), "must not lie in the future"));
        }
        if self.ended_at.is_some_and(|ended_at| ended_at < self.began_at) {
            return Err(AppError::invalid(&field("ended_at"), "must not lie before began_at"));
        }
        Ok(self)
    }
}

fn unique<T>(items: &[T], field: &str, key: impl Fn(&T) -> &str) -> AppResult<()> {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        if !seen.insert(key(item)) {
            return Err(AppError::invalid(&format!("items[{index}].{field}"), "stands twice in this push"));
        }
    }
    Ok(())
}

impl App {
    /// Takes sites in, all or none of them.
    ///
    /// # Errors
    /// `invalid-field` that names the entry; nothing of the push is kept then.
    pub fn site_push(&self, caller: &Caller, drafts: Vec<SiteDraft>) -> AppResult<PushOutcome> {
        checked_length(drafts.len())?;
        let mut drafts =
            drafts.into_iter().enumerate().map(|(n, draft)| draft.checked(n)).collect::<AppResult<Vec<_>>>()?;
        unique(&drafts, "code", |draft| &draft.code)?;
        // Locked in this order, so that two pushes cannot wait for each other.
        drafts.sort_by(|a, b| a.code.cmp(&b.code));
        self.storage.write("site_push", |tx| {
            self.caller_scope(tx, caller)?;
            let mut outcome = PushOutcome::default();
            for draft in &drafts {
                self.site_take(tx, caller, draft, &mut outcome)?;
            }
            Ok(outcome)
        })
    }

    fn site_take(&self, tx: &mut Tx, caller: &Caller, draft: &SiteDraft, outcome: &mut PushOutcome) -> AppResult<()> {
        let now = self.env.now();
        let known = tx.site_lock_by_code(&draft.code)?;
        let mut site = Site {
            id: known.as_ref().map_or_else(|| self.env.id(), |site| site.id),
            code: draft.code.clone(),
            name: draft.name.clone(),
            region_id: self.region_at(tx, draft.position)?.map(|region| region.id),
            latitude_e6: draft.position.latitude_e6,
            longitude_e6: draft.position.longitude_e6,
            kind: draft.kind.as_str().into(),
            is_key: draft.is_key,
            plan: draft.plan.as_str().into(),
            created_at: known.as_ref().map_or(now, |site| site.created_at),
            updated_at: known.as_ref().map_or(now, |site| site.updated_at),
            version: known.as_ref().map_or(1, |site| site.version),
        };
        let action = match known {
            Some(known) if known == site => {
                outcome.unchanged += 1;
                return Ok(());
            }
            Some(_) => {
                outcome.changed += 1;
                site.updated_at = now;
                tx.site_update(&mut site)?;
                "site_changed"
            }
            None => {
                outcome.created += 1;
                tx.site_insert(&site)?;
                "site_imported"
            }
        };
        let draft = EventDraft::new(Subject::Site(site.id), action).by(caller).detail(json!({
            "code": site.code, "region_id": site.region_id, "kind": site.kind, "is_key": site.is_key, "plan": site.plan,
        }));
        self.event_append(tx, draft)
    }

    /// Takes beginnings and ends of outages in, all or none of them. An end that came before a repetition of the beginning stays.
    ///
    /// # Errors
    /// `invalid-field` that names the entry; nothing of the push is kept then.
    pub fn site_outage_push(&self, caller: &Caller, drafts: Vec<OutageDraft>) -> AppResult<PushOutcome> {
        checked_length(drafts.len())?;
        let now = self.env.now();
        let mut drafts =
            drafts.into_iter().enumerate().map(|(n, draft)| draft.checked(n, now)).collect::<AppResult<Vec<_>>>()?;
        unique(&drafts, "reference", |draft| &draft.reference)?;
        drafts.sort_by(|a, b| a.site_code.cmp(&b.site_code).then_with(|| a.reference.cmp(&b.reference)));
        self.storage.write("site_outage_push", |tx| {
            self.caller_scope(tx, caller)?;
            let mut outcome = PushOutcome::default();
            for draft in &drafts {
                self.site_outage_take(tx, caller, draft, &mut outcome)?;
            }
            Ok(outcome)
        })
    }

    fn site_outage_take(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        draft: &OutageDraft,
        outcome: &mut PushOutcome,
    ) -> AppResult<()> {
        let now = self.env.now();
        let site = tx
            .site_lock_by_code(&draft.site_code)?
            .ok_or_else(|| AppError::invalid("site_code", &format!("there is no site {}", draft.site_code)))?;
        let known = tx.site_outage_lock_by_reference(caller.user_id, &draft.reference)?;
        if known.as_ref().is_some_and(|known| known.site_id != site.id) {
            return Err(AppError::invalid(
                "site_code",
                &format!("the outage {} was pushed for another site", draft.reference),
            ));
        }
        let mut outage = SiteOutage {
            id: known.as_ref().map_or_else(|| self.env.id(), |known| known.id),
            site_id: site.id,
            source_id: caller.user_id,
            reference: draft.reference.clone(),
            cause: match &known {
                Some(known) if draft.cause.is_empty() => known.cause.clone(),
                Some(_) | None => draft.cause.clone(),
            },
            began_at: draft.began_at,
            ended_at: draft.ended_at.or_else(|| known.as_ref().and_then(|known| known.ended_at)),
            created_at: known.as_ref().map_or(now, |known| known.created_at),
            updated_at: known.as_ref().map_or(now, |known| known.updated_at),
            version: known.as_ref().map_or(1, |known| known.version),
        };
        if outage.ended_at.is_some_and(|ended_at| ended_at < outage.began_at) {
            return Err(AppError::invalid("began_at", "must not lie after the end that was pushed before"));
        }
        let action = match known {
            Some(known) if known == outage => {
                outcome.unchanged += 1;
                return Ok(());
            }
            Some(known) => {
                outcome.changed += 1;
                outage.updated_at = now;
                tx.site_outage_update(&mut outage)?;
                if known.ended_at.is_none() && outage.ended_at.is_some() {
                    "site_outage_ended"
                } else {
                    "site_outage_corrected"
                }
            }
            None => {
                outcome.created += 1;
                tx.site_outage_insert(&outage)?;
                "site_outage_began"
            }
        };
        let draft = EventDraft::new(Subject::Site(site.id), action).by(caller).detail(json!({
            "site_outage_id": outage.id, "reference": outage.reference,
            "began_at": outage.began_at, "ended_at": outage.ended_at,
        }));
        self.event_append(tx, draft)
    }

    /// Sites of the caller's regions, newest first.
    pub fn site_list(&self, caller: &Caller, mut filter: SiteFilter, page: Page<SiteId>) -> AppResult<Vec<Site>> {
        self.storage.read("site_list", |tx| {
            filter.scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.site_list(&filter, &page)?)
        })
    }

    /// Sites of the caller's regions that are down now: those down too long first, key sites first among them (R-SUPERVISE-2).
    pub fn sites_down(&self, caller: &Caller, only_flagged: bool) -> AppResult<Vec<SiteDown>> {
        self.storage.read("sites_down", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut down = self.sites_down_in(tx, &scope)?;
            down.retain(|site| site.is_flagged || !only_flagged);
            Ok(down)
        })
    }

    /// See [`Self::sites_down`].
    pub(crate) fn sites_down_in(&self, tx: &mut Tx, scope: &RegionScope) -> AppResult<Vec<SiteDown>> {
        let now = self.env.now();
        let mut found: BTreeMap<SiteId, SiteDown> = BTreeMap::new();
        let mut policies: BTreeMap<Option<RegionId>, SupervisionPolicy> = BTreeMap::new();
        for (outage, site) in tx.site_outage_list_open(scope)? {
            if found.contains_key(&site.id) {
                continue;
            }
            let outages = tx.site_outage_list_by_site(site.id)?;
            let spells: Vec<_> = outages.iter().map(|outage| (outage.began_at, outage.ended_at)).collect();
            // Clocks of two systems: what begins in a moment is not down yet.
            let Some(since) = down_since(&spells, now) else { continue };
            if let Entry::Vacant(place) = policies.entry(site.region_id) {
                place.insert(self.policy(tx, site.region_id)?);
            }
            let cause = outages.iter().find(|outage| !outage.cause.is_empty());
            let down = SiteDown {
                down_since: since,
                cause: cause.map_or(outage.cause, |outage| outage.cause.clone()),
                complaints: 0,
                is_flagged: false,
                down_hours: now.micros_since(since) / 3_600_000_000,
                site,
            };
            found.insert(down.site.id, down);
        }
        self.complaints_of_sites(tx, &mut found, &policies, now)?;
        let facts = |down: &SiteDown| OutageFacts {
            site: down.site.code.clone(),
            is_key_site: down.site.is_key,
            down_since: down.down_since,
            up_at: None,
            complaints: down.complaints,
        };
        let mut flagged: BTreeSet<String> = BTreeSet::new();
        for (region_id, policy) in &policies {
            let outages: Vec<OutageFacts> =
                found.values().filter(|down| down.site.region_id == *region_id).map(facts).collect();
            flagged.extend(sites_down_too_long(&outages, now, policy).into_iter().map(|site: FlaggedSite| site.site));
        }
        let mut down: Vec<SiteDown> = found
            .into_values()
            .map(|down| SiteDown { is_flagged: flagged.contains(&down.site.code), ..down })
            .collect();
        let rank = |down: &SiteDown| (down.is_flagged, down.site.is_key, down.complaints, down.down_hours);
        down.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.site.code.cmp(&b.site.code)));
        Ok(down)
    }

    /// Counts the complaints in the reach of each site since it went down, one look at each region.
    fn complaints_of_sites(
        &self,
        tx: &mut Tx,
        found: &mut BTreeMap<SiteId, SiteDown>,
        policies: &BTreeMap<Option<RegionId>, SupervisionPolicy>,
        now: Timestamp,
    ) -> AppResult<()> {
        let farthest = now.plus_seconds(-MAX_OUTAGE_DAYS * 86_400);
        for (region_id, policy) in policies.iter().filter_map(|(id, policy)| Some(((*id)?, policy))) {
            let mine = |down: &&mut SiteDown| down.site.region_id == Some(region_id);
            let Some(since) = found.values_mut().filter(mine).map(|down| down.down_since).min() else { continue };
            let complaints = tx.complaint_list_located(region_id, since.max(farthest))?;
            for down in found.values_mut().filter(mine) {
                let (position, reach) = (down.site.position(), policy.site_reach_m);
                let is_its_own = |at: Timestamp, place| at >= down.down_since && in_reach(position, place, reach);
                let count = complaints.iter().filter(|c| is_its_own(c.received_at, c.position)).count();
                down.complaints = u32::try_from(count).unwrap_or(u32::MAX);
            }
        }
        Ok(())
    }

    /// Planned builds and relocations inside crowds of complaints, the greatest crowd first (R-SUPERVISE-2).
    pub fn plans_pushed(&self, caller: &Caller) -> AppResult<Vec<PushedPlan>> {
        self.storage.read("plans_pushed", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            self.plans_pushed_in(tx, &scope)
        })
    }

    /// See [`Self::plans_pushed`].
    pub(crate) fn plans_pushed_in(&self, tx: &mut Tx, scope: &RegionScope) -> AppResult<Vec<PushedPlan>> {
        let mut found = Vec::new();
        let clusters = tx.complaint_cluster_list(scope, Some(ClusterState::Active.as_str()), &Page::first(500))?;
        for cluster in clusters {
            let policy: SupervisionPolicy = self.policy(tx, Some(cluster.region_id))?;
            let reach = cluster.radius_m.saturating_add(policy.radius_m);
            let (south_west, north_east) = degrees_around(cluster.centre(), reach);
            for site in tx.site_list_near(south_west, north_east)? {
                if site.plan != SitePlan::None.as_str() && in_reach(cluster.centre(), site.position(), reach) {
                    found.push(PushedPlan { site, cluster: cluster.clone() });
                }
            }
        }
        found.sort_by(|a, b| {
            let rank = |plan: &PushedPlan| (plan.cluster.complaint_count, plan.site.is_key);
            rank(b).cmp(&rank(a)).then_with(|| a.site.code.cmp(&b.site.code))
        });
        Ok(found)
    }
}
