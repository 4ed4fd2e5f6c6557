//! Clusters of complaints, found anew every quarter of an hour and recognised between runs, and the supervision list (三超督办)
//! that they feed (R-SUPERVISE-1).
//!
//! What enters the list stays until a person clears it with a reason. What does not belong here: how a cluster is found
//! (`workflow::supervision`), sites (`sites`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::field_tests::kpis_by_operator;
use crate::workflow::places::distance_m;
use crate::workflow::supervision::{
    ClusterState, ComplaintPoint, SupervisionFacts, SupervisionPolicy, SupervisionReason, SupervisionState,
    cluster_identities, complaint_clusters, down_since, supervision_clear, supervision_reasons,
};
use callout_storage::complaint_clusters::{ComplaintCluster, LocatedComplaint};
use callout_storage::events::Event;
use callout_storage::reviews::ReviewDecision;
use callout_storage::sites::Site;
use callout_storage::supervision_entries::SupervisionEntry;
use callout_storage::{Page, RegionScope, Tx};
use callout_sync_protocol::ids::{ComplaintClusterId, ComplaintId, RegionId, SiteId, SupervisionEntryId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A cluster with what belongs to it.
#[derive(Clone, Debug)]
pub struct ClusterSeen {
    /// The cluster.
    pub cluster: ComplaintCluster,
    /// Its complaints, and the order of each that has one.
    pub members: Vec<(ComplaintId, Option<WorkOrderId>)>,
}

/// An entry with what belongs to it.
#[derive(Clone, Debug)]
pub struct SupervisionSeen {
    /// The entry.
    pub entry: SupervisionEntry,
    /// The faulty site, where that is the reason.
    pub site: Option<Site>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<Event>,
}

/// Whether a place lies within so many metres of another.
pub(crate) fn in_reach(a: Position, b: Position, metres: u32) -> bool {
    distance_m(a, b) <= f64::from(metres)
}

/// South-west and north-east corner of a box that holds everything within so many metres, in 1e-6 degrees.
pub(crate) fn degrees_around(place: Position, metres: u32) -> ((i32, i32), (i32, i32)) {
    let north = f64::from(metres) / 111_000.0;
    let east = north / place.latitude().to_radians().cos().max(0.01);
    // `as` holds what does not fit at the type's rim, which is beyond the Earth's.
    let e6 = |degrees: f64| (degrees * 1e6).ceil() as i32;
    (
        (place.latitude_e6.saturating_sub(e6(north)), place.longitude_e6.saturating_sub(e6(east))),
        (place.latitude_e6.saturating_add(e6(north)), place.longitude_e6.saturating_add(e6(east))),
    )
}

/// A cluster as it stands after a run, with its complaints.
struct CurrentCluster {
    cluster: ComplaintCluster,
    members: Vec<LocatedComplaint>,
}

impl App {
    /// Brings everything that is seen of a region up to date: clusters, supervision list, warnings. Running it twice is as good as once.
    pub fn region_overview(&self, region_id: RegionId) -> AppResult<()> {
        self.supervision_recompute(region_id)?;
        self.warnings_evaluate(region_id)
    }

    /// Finds a region's clusters anew and brings the supervision list up to date. Running it twice is as good as once.
    pub(crate) fn supervision_recompute(&self, region_id: RegionId) -> AppResult<()> {
        self.storage.write("supervision_recompute", |tx| {
            if !tx.region_overview_lock(region_id)? {
                return Ok(());
            }
            let policy: SupervisionPolicy = self.policy(tx, Some(region_id))?;
            let clusters = self.clusters_recompute(tx, region_id, &policy)?;
            self.supervision_update(tx, region_id, &policy, &clusters)
        })
    }

    fn clusters_recompute(
        &self,
        tx: &mut Tx,
        region_id: RegionId,
        policy: &SupervisionPolicy,
    ) -> AppResult<Vec<CurrentCluster>> {
        let now = self.env.now();
        let window_seconds = i64::from(policy.window_days) * 86_400;
        // Complaints of two windows, so that those who are neighbours of a neighbour are seen, too.
        let complaints = tx.complaint_list_located(region_id, now.plus_seconds(-2 * window_seconds))?;
        let points: Vec<ComplaintPoint> =
            complaints.iter().map(|c| ComplaintPoint { position: c.position, received_at: c.received_at }).collect();
        let mut found = complaint_clusters(&points, policy);
        found.retain(|cluster| cluster.last_at >= now.plus_seconds(-window_seconds));
        let members_now: Vec<Vec<ComplaintId>> = found
            .iter()
            .map(|cluster| {
                let mut ids: Vec<ComplaintId> = cluster.members.iter().map(|&n| complaints[n].id).collect();
                ids.sort();
                ids
            })
            .collect();
        let mut before = tx.complaint_cluster_list_by_region(region_id, ClusterState::Active.as_str())?;
        let members_before =
            before.iter().map(|old| Ok(tx.complaint_cluster_members(old.id)?)).collect::<AppResult<Vec<_>>>()?;
        let identities = cluster_identities(&members_before, &members_now);
        let mut current = Vec::with_capacity(found.len());
        for (index, cluster) in found.iter().enumerate() {
            let farthest = cluster.members.iter().map(|&n| distance_m(cluster.centre, points[n].position));
            let mut row = ComplaintCluster {
                id: self.env.id(),
                region_id,
                state: ClusterState::Active.as_str().into(),
                centre_latitude_e6: cluster.centre.latitude_e6,
                centre_longitude_e6: cluster.centre.longitude_e6,
                // A distance on Earth fits.
                radius_m: farthest.fold(0.0, f64::max).ceil() as u32,
                complaint_count: u32::try_from(cluster.members.len()).unwrap_or(u32::MAX),
                first_at: cluster.first_at,
                last_at: cluster.last_at,
                found_at: now,
                dissolved_at: None,
                successor_id: None,
                updated_at: now,
                version: 1,
            };
            match identities.of_now[index].map(|old| (&before[old], &members_before[old])) {
                Some((old, members_old)) => {
                    row = ComplaintCluster {
                        id: old.id,
                        found_at: old.found_at,
                        updated_at: old.updated_at,
                        version: old.version,
                        ..row
                    };
                    if row != *old {
                        row.updated_at = now;
                        tx.complaint_cluster_update(&mut row)?;
                    }
                    if *members_old != members_now[index] {
                        tx.complaint_cluster_members_replace(row.id, &members_now[index])?;
                    }
                }
                None => {
                    tx.complaint_cluster_insert(&row)?;
                    tx.complaint_cluster_members_replace(row.id, &members_now[index])?;
                }
            }
            let members = cluster.members.iter().map(|&n| complaints[n].clone()).collect();
            current.push(CurrentCluster { cluster: row, members });
        }
        // What is gone keeps the complaints that it had last.
        for (old, heir) in identities.swallowed_by {
            let gone = &mut before[old];
            gone.state = ClusterState::Dissolved.as_str().into();
            gone.dissolved_at = Some(now);
            gone.successor_id = heir.map(|heir| current[heir].cluster.id);
            gone.updated_at = now;
            tx.complaint_cluster_update(gone)?;
        }
        Ok(current)
    }

    fn supervision_update(
        &self,
        tx: &mut Tx,
        region_id: RegionId,
        policy: &SupervisionPolicy,
        clusters: &[CurrentCluster],
    ) -> AppResult<()> {
        let now = self.env.now();
        let faulty = self.faulty_sites(tx)?;
        // What each cluster deserves to be listed for.
        let mut causes: BTreeMap<(ComplaintClusterId, SupervisionReason, Option<SiteId>), u32> = BTreeMap::new();
        for CurrentCluster { cluster, members } in clusters {
            let serves = |site: &&Site| {
                members.iter().any(|member| in_reach(site.position(), member.position, policy.site_reach_m))
            };
            let sites: Vec<SiteId> = faulty.iter().filter(serves).map(|site| site.id).collect();
            let orders = members.iter().filter_map(|member| member.order);
            let facts = SupervisionFacts {
                has_faulty_site: !sites.is_empty(),
                weak_coverage_confirmed: self.weak_coverage_confirmed(tx, orders, policy)?,
                clustered_complaints: cluster.complaint_count,
            };
            for reason in supervision_reasons(&facts, policy) {
                let about: Vec<Option<SiteId>> = match reason {
                    SupervisionReason::FaultySite => sites.iter().copied().map(Some).collect(),
                    SupervisionReason::WeakCoverage => vec![None],
                };
                causes.extend(about.into_iter().map(|site| ((cluster.id, reason, site), cluster.complaint_count)));
            }
        }
        let counts: HashMap<ComplaintClusterId, u32> =
            clusters.iter().map(|current| (current.cluster.id, current.cluster.complaint_count)).collect();
        let listed = tx.supervision_entry_list_by_region(region_id, SupervisionState::Listed.as_str())?;
        for entry in listed {
            let mut next = entry.clone();
            // A cluster that was swallowed is supervised as what swallowed it.
            if !counts.contains_key(&next.cluster_id)
                && let Some(heir) = tx.complaint_cluster_by_id(next.cluster_id)?.and_then(|gone| gone.successor_id)
            {
                next.cluster_id = heir;
            }
            let reason: SupervisionReason = next.reason.parse().map_err(AppError::internal)?;
            let is_new_here = causes.remove(&(next.cluster_id, reason, next.site_id)).is_some();
            next.is_cause_standing = is_new_here || self.cause_stands(tx, &next, policy)?;
            next.complaint_count = counts.get(&next.cluster_id).copied().unwrap_or(next.complaint_count);
            if next == entry {
                continue;
            }
            next.updated_at = now;
            tx.supervision_entry_update(&mut next)?;
            if next.is_cause_standing != entry.is_cause_standing {
                let action =
                    if next.is_cause_standing { "supervision_cause_returned" } else { "supervision_cause_ended" };
                let draft = EventDraft::new(Subject::SupervisionEntry(next.id), action);
                self.event_append(tx, draft.detail(json!({ "complaint_count": next.complaint_count })))?;
            }
        }
        for ((cluster_id, reason, site_id), complaint_count) in causes {
            let entry = SupervisionEntry {
                id: self.env.id(),
                region_id,
                cluster_id,
                reason: reason.as_str().into(),
                site_id,
                state: SupervisionState::Listed.as_str().into(),
                complaint_count,
                is_cause_standing: true,
                listed_at: now,
                cleared_at: None,
                cleared_by: None,
                what_cleared_it: None,
                updated_at: now,
                version: 1,
            };
            tx.supervision_entry_insert(&entry)?;
            let draft = EventDraft::new(Subject::SupervisionEntry(entry.id), "supervision_listed").detail(json!({
                "reason": reason, "cluster_id": cluster_id, "site_id": site_id, "complaint_count": complaint_count,
            }));
            self.event_append(tx, draft)?;
        }
        Ok(())
    }

    /// The sites that are down now, wherever: a site serves places beyond its region's border.
    fn faulty_sites(&self, tx: &mut Tx) -> AppResult<Vec<Site>> {
        let now = self.env.now();
        let open = tx.site_outage_list_open(&RegionScope::All)?;
        let mut seen = BTreeSet::new();
        Ok(open
            .into_iter()
            .filter(|(outage, site)| outage.began_at <= now && seen.insert(site.id))
            .map(|(_, site)| site)
            .collect())
    }

    /// Whether an approved test of an order that still goes on measured weak coverage of our own network.
    fn weak_coverage_confirmed(
        &self,
        tx: &mut Tx,
        orders: impl Iterator<Item = (WorkOrderId, WorkOrderState)>,
        policy: &SupervisionPolicy,
    ) -> AppResult<bool> {
        use WorkOrderState as S;
        let is_reviewed = |state| {
            matches!(state, S::Approved | S::HandedOver | S::HandoffAnswered | S::AwaitingRevisit | S::Unresolved)
        };
        for (order_id, _) in orders.filter(|(_, state)| is_reviewed(*state)) {
            let reviews = tx.review_list_by_work_order(order_id)?;
            let Some(review) = reviews.iter().rfind(|review| review.decision == ReviewDecision::Approve) else {
                continue;
            };
            let blocks = tx.sample_block_list_by_test(review.field_test_id)?;
            let kpis = kpis_by_operator(tx, &blocks)?;
            let coverage = kpis.get(&Operator::ChinaMobile).and_then(|kpis| kpis.report().total.coverage_rate);
            if coverage.is_some_and(|rate| 100.0 * rate < f64::from(policy.weak_coverage_percent)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the fault or the weak coverage of an entry still stands, whatever became of its cluster.
    fn cause_stands(&self, tx: &mut Tx, entry: &SupervisionEntry, policy: &SupervisionPolicy) -> AppResult<bool> {
        match entry.site_id {
            Some(site_id) => {
                let outages = tx.site_outage_list_by_site(site_id)?;
                let spells: Vec<(Timestamp, Option<Timestamp>)> =
                    outages.iter().map(|outage| (outage.began_at, outage.ended_at)).collect();
                Ok(down_since(&spells, self.env.now()).is_some())
            }
            None => {
                let members = self.members_with_orders(tx, entry.cluster_id)?;
                let mut orders = Vec::new();
                for order_id in members.into_iter().filter_map(|(_, order_id)| order_id) {
                    orders.extend(tx.work_order_by_id(order_id)?.map(|order| (order.id, order.state)));
                }
                self.weak_coverage_confirmed(tx, orders.into_iter(), policy)
            }
        }
    }

    fn members_with_orders(
        &self,
        tx: &mut Tx,
        id: ComplaintClusterId,
    ) -> AppResult<Vec<(ComplaintId, Option<WorkOrderId>)>> {
        let members = tx.complaint_cluster_members(id)?;
        let mut orders: HashMap<ComplaintId, WorkOrderId> = HashMap::new();
        for chunk in members.chunks(500) {
            orders.extend(tx.work_order_ids_by_complaints(chunk)?);
        }
        Ok(members.into_iter().map(|id| (id, orders.get(&id).copied())).collect())
    }

    /// Clusters of the caller's regions, those found last first.
    pub fn cluster_list(
        &self,
        caller: &Caller,
        state: Option<ClusterState>,
        page: Page<ComplaintClusterId>,
    ) -> AppResult<Vec<ComplaintCluster>> {
        self.storage.read("cluster_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            Ok(tx.complaint_cluster_list(&scope, state.map(ClusterState::as_str), &page)?)
        })
    }

    /// A cluster with its complaints.
    pub fn cluster_show(&self, caller: &Caller, id: ComplaintClusterId) -> AppResult<ClusterSeen> {
        self.storage.read("cluster_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let cluster = tx
                .complaint_cluster_by_id(id)?
                .filter(|cluster| scope.contains(Some(cluster.region_id)))
                .ok_or_else(|| AppError::not_found("cluster"))?;
            let members = self.members_with_orders(tx, id)?;
            Ok(ClusterSeen { cluster, members })
        })
    }

    /// The supervision list of the caller's regions, those listed last first.
    pub fn supervision_list(
        &self,
        caller: &Caller,
        state: Option<SupervisionState>,
        page: Page<SupervisionEntryId>,
    ) -> AppResult<Vec<(SupervisionEntry, Option<Site>)>> {
        self.storage.read("supervision_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            self.supervision_list_in(tx, &scope, state, &page)
        })
    }

    /// See [`Self::supervision_list`].
    pub(crate) fn supervision_list_in(
        &self,
        tx: &mut Tx,
        scope: &RegionScope,
        state: Option<SupervisionState>,
        page: &Page<SupervisionEntryId>,
    ) -> AppResult<Vec<(SupervisionEntry, Option<Site>)>> {
        let entries = tx.supervision_entry_list(scope, state.map(SupervisionState::as_str), page)?;
        let ids: Vec<SiteId> = entries.iter().filter_map(|entry| entry.site_id).collect();
        let sites: HashMap<SiteId, Site> = tx.site_list_by_ids(&ids)?.into_iter().map(|site| (site.id, site)).collect();
        Ok(entries
            .into_iter()
            .map(|entry| {
                let site = entry.site_id.and_then(|id| sites.get(&id).cloned());
                (entry, site)
            })
            .collect())
    }

    fn supervision_seen(&self, tx: &mut Tx, entry: SupervisionEntry) -> AppResult<SupervisionSeen> {
        let site = match entry.site_id {
            Some(id) => tx.site_by_id(id)?,
            None => None,
        };
        let subject = Subject::SupervisionEntry(entry.id);
        let history = tx.event_list(subject.kind(), subject.id(), 0, 500)?;
        Ok(SupervisionSeen { entry, site, history })
    }

    /// An entry with its history.
    pub fn supervision_show(&self, caller: &Caller, id: SupervisionEntryId) -> AppResult<SupervisionSeen> {
        self.storage.read("supervision_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let entry = tx
                .supervision_entry_by_id(id)?
                .filter(|entry| scope.contains(Some(entry.region_id)))
                .ok_or_else(|| AppError::not_found("supervision entry"))?;
            self.supervision_seen(tx, entry)
        })
    }

    /// Takes an entry off the list, with what cleared it. Clearing twice is as good as once.
    ///
    /// # Errors
    /// `illegal-transition` while the fault or the weak coverage stands.
    pub fn supervision_entry_clear(
        &self,
        caller: &Caller,
        id: SupervisionEntryId,
        what_cleared_it: &str,
    ) -> AppResult<SupervisionSeen> {
        let now = self.env.now();
        self.storage.write("supervision_entry_clear", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut entry = tx
                .supervision_entry_lock(id)?
                .filter(|entry| scope.contains(Some(entry.region_id)))
                .ok_or_else(|| AppError::not_found("supervision entry"))?;
            let policy: SupervisionPolicy = self.policy(tx, Some(entry.region_id))?;
            let before: SupervisionState = entry.state.parse().map_err(AppError::internal)?;
            let stands = before == SupervisionState::Listed && self.cause_stands(tx, &entry, &policy)?;
            let after = supervision_clear(before, stands, what_cleared_it)?;
            if after != before {
                entry.state = after.as_str().into();
                entry.is_cause_standing = false;
                entry.cleared_at = Some(now);
                entry.cleared_by = Some(caller.user_id);
                entry.what_cleared_it = Some(what_cleared_it.trim().to_owned());
                entry.updated_at = now;
                tx.supervision_entry_update(&mut entry)?;
                let draft = EventDraft::new(Subject::SupervisionEntry(id), "supervision_cleared").by(caller);
                self.event_append(tx, draft.reason(what_cleared_it.trim()))?;
            }
            self.supervision_seen(tx, entry)
        })
    }
}
