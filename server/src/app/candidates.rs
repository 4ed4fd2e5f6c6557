//! Whom to send: loads what the pure ranking must know of the order's region's testers.
//!
//! What does not belong here: the ranking itself (`workflow::candidates`), sending (`dispatches`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::user_profiles::profile_seen;
use crate::workflow::candidates::{
    Candidate, CandidateOrder, CandidatePolicy, CandidateTester, Skill, candidates_rank, skills_needed,
};
use crate::workflow::dispatches::DispatchState;
use callout_storage::Tx;
use callout_storage::users::User;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::work_orders::WorkOrderState;
use std::collections::BTreeSet;

/// Orders that still ask for a tester's work; one handed in waits for the lead.
const IN_HAND: [WorkOrderState; 5] = [
    WorkOrderState::Dispatched,
    WorkOrderState::Accepted,
    WorkOrderState::Contacted,
    WorkOrderState::OnSite,
    WorkOrderState::SentBack,
];

/// A candidate with the name to show.
#[derive(Clone, Debug)]
pub struct CandidateSeen {
    /// Rank and reasons.
    pub candidate: Candidate,
    /// The name.
    pub display_name: String,
    /// The team.
    pub team: String,
}

/// A ranking with what it asked for.
#[derive(Clone, Debug)]
pub struct CandidateRanking {
    /// The skills that the visit needs.
    pub skills: BTreeSet<Skill>,
    /// The testers of the region, the best first.
    pub candidates: Vec<CandidateSeen>,
}

impl App {
    /// The testers of an order's region, ranked with reasons.
    ///
    /// # Errors
    /// `location-missing` while the order has no region (R-LOCATE-1).
    pub fn candidate_list(&self, caller: &Caller, id: WorkOrderId) -> AppResult<CandidateRanking> {
        self.storage.read("candidate_list", |tx| {
            let order = self.work_order_visible(tx, caller, id)?;
            if order.region_id.is_none() {
                return Err(AppError::new(
                    callout_sync_protocol::problem::ProblemType::LocationMissing,
                    "the place is not exact yet; ask the customer and locate the order first (R-LOCATE-1)",
                ));
            }
            self.candidates_of(tx, &order)
        })
    }

    /// Ranks the active testers of an order's region; empty while it has none.
    pub(crate) fn candidates_of(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<CandidateRanking> {
        let Some(region_id) = order.region_id else {
            return Ok(CandidateRanking { skills: BTreeSet::new(), candidates: Vec::new() });
        };
        let now = self.env.now();
        let policy: CandidatePolicy = self.policy(tx, Some(region_id))?;
        let complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(|| AppError::not_found("complaint"))?;
        let texts = [complaint.description.as_str(), order.address.as_str(), complaint.address.as_str()];
        let skills = skills_needed(complaint.symptom, complaint.generation, &texts, &policy);

        let users: Vec<User> = tx
            .user_list_by_region(region_id)?
            .into_iter()
            .filter(|user| user.roles.contains(&Role::FieldTester))
            .collect();
        let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
        let regions = tx.user_region_ids_by_users(&ids)?;
        let profiles = tx.user_profile_list_by_users(&ids)?;
        let orders = tx.work_order_list_by_testers(&ids, &IN_HAND)?;
        let since = now.plus_seconds(-60 * i64::from(policy.position_fresh_minutes));
        let arrivals = tx.arrival_list_by_testers(&ids, since)?;
        let declined: BTreeSet<UserId> = tx
            .dispatch_list_by_work_orders(&[order.id])?
            .into_iter()
            .filter(|dispatch| dispatch.state == DispatchState::Declined.as_str())
            .map(|dispatch| dispatch.tester_id)
            .collect();

        let mut testers = Vec::with_capacity(users.len());
        let mut people = Vec::with_capacity(users.len());
        for user in &users {
            let own_regions = regions.iter().filter(|(id, _)| *id == user.id);
            // Only who is bound to the region can be sent there.
            if !own_regions.clone().any(|(_, region)| *region == region_id) {
                continue;
            }
            let profile = profiles.iter().find(|profile| profile.user_id == user.id).cloned();
            let profile = profile_seen(user, profile)?;
            let others = || orders.iter().filter(|o| o.assigned_to == Some(user.id) && o.id != order.id);
            let last_arrival = arrivals.iter().rev().find(|arrival| arrival.tester_id == user.id && !arrival.is_mock);
            testers.push(CandidateTester {
                id: user.id,
                region_count: u32::try_from(own_regions.count()).unwrap_or(u32::MAX),
                skills: profile.skills,
                shifts: profile.shifts,
                home: profile.home,
                last_arrival: last_arrival.map(|arrival| (arrival.position(), arrival.captured_at)),
                orders_in_hand: u32::try_from(others().count()).unwrap_or(u32::MAX),
                daily_capacity: profile.daily_capacity,
                appointments: others().filter_map(WorkOrder::appointment).collect(),
                has_declined: declined.contains(&user.id),
            });
            people.push((user.id, profile.display_name, profile.team));
        }
        let wanted = CandidateOrder {
            place: order.position(),
            utc_offset_minutes: order.utc_offset_minutes,
            skills: skills.clone(),
            // An appointment that is over says nothing of the next visit.
            appointment: order.appointment().filter(|window| window.until > now),
            now,
        };
        let candidates = candidates_rank(&wanted, &testers, &policy)
            .into_iter()
            .filter_map(|candidate| {
                let (_, display_name, team) = people.iter().find(|(id, ..)| *id == candidate.tester_id)?.clone();
                Some(CandidateSeen { candidate, display_name, team })
            })
            .collect();
        Ok(CandidateRanking { skills, candidates })
    }
}
