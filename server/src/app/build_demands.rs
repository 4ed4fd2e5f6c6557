//! Demands to the resource review board: filed by the lead, heard in the weekly meeting (R-LADDER-3, R-LIMIT-2).
//!
//! Locks: the order, then the meeting, then the demand. What does not belong here: the meetings themselves (`review_meetings`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::build_demands::{
    BoardDecision, BuildDemandCommand, BuildDemandEffect, BuildDemandFacts, BuildDemandPolicy, BuildDemandState,
    Complainant, affected_customers, build_demand_transition,
};
use crate::workflow::ladder::{BuildDemand as Demand, build_demand_check};
use crate::workflow::required_text;
use crate::workflow::reviews::PlanKind;
use callout_storage::build_demands::{BuildDemand, BuildDemandDecision, Surroundings};
use callout_storage::field_tests::FieldTestState;
use callout_storage::review_meetings::ReviewMeeting;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, Standing, Tx};
use callout_sync_protocol::ids::{BuildDemandId, FieldTestId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::json;

/// Metres of a degree of latitude, a little less than it has: the rectangle is never too small.
const DEGREE_M: f64 = 110_000.0;

/// What a lead demands.
#[derive(Clone, Debug)]
pub struct NewBuildDemand {
    /// What is to be built.
    pub demand: String,
    /// Where; absent: at the complaint's place.
    pub position: Option<Position>,
    /// The approved tests that show the need; none: the order's approved ones.
    pub field_tests: Vec<FieldTestId>,
    /// Competitors' and the tower company's resources that could be used; "none" is an answer.
    pub shareable_resources: String,
}

/// A demand with its meeting and decisions.
#[derive(Clone, Debug)]
pub struct BuildDemandSeen {
    /// The demand.
    pub demand: BuildDemand,
    /// The meeting that is to hear it next, or that decided.
    pub meeting: ReviewMeeting,
    /// What was decided, oldest first.
    pub decisions: Vec<BuildDemandDecision>,
}

impl App {
    /// Files a demand for the next week's meeting.
    ///
    /// # Errors
    /// `rung-skipped` with the steps in the way, `ladder-evidence-missing` without an approved test, `illegal-transition` while the
    /// complaint is still handled, `already-exists` while another demand of the order is open or accepted, `invalid-field`.
    pub fn build_demand_file(
        &self,
        caller: &Caller,
        order_id: WorkOrderId,
        new: &NewBuildDemand,
    ) -> AppResult<BuildDemandSeen> {
        let now = self.env.now();
        self.storage.write("build_demand_file", |tx| {
            let order = self.work_order_for(tx, caller, order_id)?;
            let (Some(region_id), Some(place)) = (order.region_id, order.position()) else {
                return Err(AppError::new(ProblemType::IllegalTransition, "the order has no place yet"));
            };
            required_text("demand", &new.demand)?;
            let policy: BuildDemandPolicy = self.policy(tx, Some(region_id))?;
            let position = new.position.unwrap_or(place);
            let demand = Demand {
                position,
                field_tests: self.demand_tests(tx, &order, &new.field_tests)?,
                shareable_resources: new.shareable_resources.trim().to_owned(),
                affected_customers: self.demand_customers(tx, position, &policy)?,
            };
            let (ladder, rows) = self.ladder_of(tx, &order)?;
            // After a final reply the complaint's handling has ended, and the tracking ticket lives on (R-RETURN-2).
            let handling_ended = matches!(order.state, WorkOrderState::Unresolved | WorkOrderState::Resolved);
            build_demand_check(&ladder, &Self::ladder_records(&ladder, &rows)?, &demand, handling_ended)?;
            for earlier in tx.build_demand_list_by_work_order(order_id)? {
                let state: BuildDemandState = earlier.state.parse().map_err(AppError::internal)?;
                if state.is_open() || state == BuildDemandState::Accepted {
                    return Err(AppError::new(
                        ProblemType::AlreadyExists,
                        format!("the order has the demand {}, which is '{state}'", earlier.number),
                    ));
                }
            }
            let meeting = self.review_meeting_ensure(tx, region_id, order.utc_offset_minutes, now)?;
            let row = BuildDemand {
                id: self.env.id(),
                number: self.number_next(tx, "BD", now)?,
                work_order_id: order_id,
                region_id,
                state: BuildDemandState::Filed.as_str().to_owned(),
                demand: new.demand.trim().to_owned(),
                latitude_e6: position.latitude_e6,
                longitude_e6: position.longitude_e6,
                field_tests: demand.field_tests,
                shareable_resources: demand.shareable_resources,
                affected_customers: u64::from(demand.affected_customers),
                review_meeting_id: meeting.id,
                deferred_count: 0,
                filed_by: caller.user_id,
                filed_at: now,
                updated_at: now,
                version: 1,
            };
            tx.build_demand_insert(&row)?;
            let why = "the demand is before the resource review board 已提交资源评审会";
            self.clock_plan_met(tx, &order, PlanKind::Build, why)?;
            self.event_append(
                tx,
                EventDraft::new(Subject::WorkOrder(order_id), "build_demand_filed").by(caller).detail(json!({
                    "build_demand_id": row.id, "number": row.number, "field_tests": row.field_tests,
                    "affected_customers": row.affected_customers, "review_meeting_id": meeting.id,
                    "meeting_starts_at": meeting.starts_at,
                })),
            )?;
            Ok(BuildDemandSeen { demand: row, meeting, decisions: Vec::new() })
        })
    }

    /// The tests that show the need: approved ones of the order.
    fn demand_tests(&self, tx: &mut Tx, order: &WorkOrder, named: &[FieldTestId]) -> AppResult<Vec<FieldTestId>> {
        let approved: Vec<FieldTestId> = tx
            .field_test_list_by_work_order(order.id)?
            .into_iter()
            .filter(|test| test.state == FieldTestState::Approved && test.standing == Standing::Accepted)
            .map(|test| test.id)
            .collect();
        if named.is_empty() {
            return Ok(approved);
        }
        match named.iter().find(|id| !approved.contains(id)) {
            Some(_) => Err(AppError::invalid("field_tests", "names a test that is not an approved one of this order")),
            None => Ok(named.to_vec()),
        }
    }

    /// How many customers complained of the network near the place; only the number leaves the store (R-PRIVACY-1).
    fn demand_customers(&self, tx: &mut Tx, place: Position, policy: &BuildDemandPolicy) -> AppResult<u32> {
        let since = self.env.now().plus_seconds(-86_400 * i64::from(policy.affected_days));
        let latitude_e6 = (f64::from(policy.affected_radius_m) / DEGREE_M * 1e6).ceil();
        // A degree of longitude is shorter away from the equator; at the poles it is everything.
        let narrowing = place.latitude().to_radians().cos().max(0.01);
        let longitude_e6 = (latitude_e6 / narrowing).ceil();
        let complainants = tx.complainants_near(
            &Surroundings {
                south_e6: place.latitude_e6.saturating_sub(latitude_e6 as i32),
                north_e6: place.latitude_e6.saturating_add(latitude_e6 as i32),
                west_e6: place.longitude_e6.saturating_sub(longitude_e6 as i32),
                east_e6: place.longitude_e6.saturating_add(longitude_e6 as i32),
            },
            since,
        )?;
        let complainants: Vec<Complainant> = complainants
            .into_iter()
            .map(|(latitude_e6, longitude_e6, customer)| Complainant {
                position: Position { latitude_e6, longitude_e6, accuracy_m: None, is_mock: false },
                customer,
            })
            .collect();
        Ok(affected_customers(place, &complainants, policy.affected_radius_m))
    }

    /// Records what the meeting decided of a demand.
    ///
    /// # Errors
    /// `illegal-transition` before the meeting begins, or after the decision.
    pub fn build_demand_decide(
        &self,
        caller: &Caller,
        id: BuildDemandId,
        decision: BoardDecision,
        reason: &str,
    ) -> AppResult<BuildDemandSeen> {
        let now = self.env.now();
        self.storage.write("build_demand_decide", |tx| {
            let found = self.build_demand_visible(tx, caller, id)?;
            let order = tx.work_order_lock(found.work_order_id)?.ok_or_else(|| AppError::not_found("build demand"))?;
            let meeting = self.meeting_lock(tx, &found)?;
            let mut demand = tx.build_demand_lock(id)?.ok_or_else(|| AppError::not_found("build demand"))?;
            if demand.review_meeting_id != meeting.id {
                return Err(AppError::new(
                    ProblemType::VersionConflict,
                    "the demand was moved meanwhile; load it again",
                ));
            }
            let state: BuildDemandState = demand.state.parse().map_err(AppError::internal)?;
            let facts = BuildDemandFacts {
                now,
                meeting: meeting.state.parse().map_err(AppError::internal)?,
                meeting_starts_at: meeting.starts_at,
            };
            let command = BuildDemandCommand::Decide { decision, reason: reason.to_owned() };
            let transition = build_demand_transition(state, &command, &facts)?;
            let mut next = meeting.clone();
            for effect in &transition.effects {
                match effect {
                    BuildDemandEffect::DecisionRecorded(decision) => {
                        tx.build_demand_decision_insert(&BuildDemandDecision {
                            id: self.env.id(),
                            build_demand_id: id,
                            review_meeting_id: meeting.id,
                            decision: decision.as_str().to_owned(),
                            reason: reason.trim().to_owned(),
                            decided_by: caller.user_id,
                            decided_at: now,
                        })?;
                    }
                    BuildDemandEffect::MovedToNextMeeting => {
                        next = self.review_meeting_ensure(tx, demand.region_id, order.utc_offset_minutes, now)?;
                        demand.review_meeting_id = next.id;
                        demand.deferred_count += 1;
                    }
                }
            }
            demand.state = transition.state.as_str().to_owned();
            demand.updated_at = now;
            tx.build_demand_update(&mut demand)?;
            self.event_append(
                tx,
                EventDraft::new(Subject::WorkOrder(order.id), "build_demand_decided").by(caller).reason(reason).detail(
                    json!({
                        "build_demand_id": id, "number": demand.number, "decision": decision, "state": demand.state,
                        "review_meeting_id": meeting.id, "next_meeting_starts_at":
                            (next.id != meeting.id).then_some(next.starts_at),
                    }),
                ),
            )?;
            let decisions = tx.build_demand_decision_list(id)?;
            Ok(BuildDemandSeen { demand, meeting: next, decisions })
        })
    }

    fn meeting_lock(&self, tx: &mut Tx, demand: &BuildDemand) -> AppResult<ReviewMeeting> {
        tx.review_meeting_lock(demand.review_meeting_id)?
            .ok_or_else(|| AppError::internal("a demand of a meeting that does not exist"))
    }

    fn build_demand_visible(&self, tx: &mut Tx, caller: &Caller, id: BuildDemandId) -> AppResult<BuildDemand> {
        let scope = self.caller_scope(tx, caller)?;
        tx.build_demand_by_id(id)?
            .filter(|demand| scope.contains(Some(demand.region_id)))
            .ok_or_else(|| AppError::not_found("build demand"))
    }

    pub(super) fn build_demand_seen(&self, tx: &mut Tx, demand: BuildDemand) -> AppResult<BuildDemandSeen> {
        let meeting = tx
            .review_meeting_by_id(demand.review_meeting_id)?
            .ok_or_else(|| AppError::internal("a demand of a meeting that does not exist"))?;
        let decisions = tx.build_demand_decision_list(demand.id)?;
        Ok(BuildDemandSeen { demand, meeting, decisions })
    }

    /// A demand of the caller's regions.
    ///
    /// # Errors
    /// `not-found` for what does not exist and for what lies outside the caller's regions alike.
    pub fn build_demand_show(&self, caller: &Caller, id: BuildDemandId) -> AppResult<BuildDemandSeen> {
        self.storage.read("build_demand_show", |tx| {
            let demand = self.build_demand_visible(tx, caller, id)?;
            self.build_demand_seen(tx, demand)
        })
    }

    /// The demands of the caller's regions, newest first; in one state, or in all.
    pub fn build_demand_list(
        &self,
        caller: &Caller,
        state: Option<BuildDemandState>,
        page: &Page<BuildDemandId>,
    ) -> AppResult<Vec<BuildDemandSeen>> {
        self.storage.read("build_demand_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            tx.build_demand_list(&scope, state.map(BuildDemandState::as_str), page)?
                .into_iter()
                .map(|demand| self.build_demand_seen(tx, demand))
                .collect()
        })
    }

    /// The demands of an order, oldest first.
    pub fn build_demand_list_of_order(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<BuildDemandSeen>> {
        self.storage.read("build_demand_list_of_order", |tx| {
            self.work_order_visible(tx, caller, id)?;
            tx.build_demand_list_by_work_order(id)?
                .into_iter()
                .map(|demand| self.build_demand_seen(tx, demand))
                .collect()
        })
    }
}
