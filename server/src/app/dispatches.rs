//! Dispatching: sending a tester, the second check of a junior's dispatch, reassigning, and how each dispatch ended (R-ROUTE-1,
//! R-ROUTE-5). The manual choice always wins; the rank that the chosen one had is kept beside it.
//!
//! What does not belong here: when a dispatch is possible (`workflow::work_orders`), the ranking (`candidates`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::work_orders::WorkOrderSeen;
use crate::workflow::dispatches::{AppraisalKind, DispatchState};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderEffect, WorkOrderFacts};
use callout_storage::Tx;
use callout_storage::dispatches::Dispatch;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde_json::json;

fn is_in(dispatch: &Dispatch, state: DispatchState) -> bool {
    dispatch.state == state.as_str()
}

impl App {
    fn tester_facts(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        order: &WorkOrder,
        tester: UserId,
    ) -> AppResult<WorkOrderFacts> {
        let is_tester =
            tx.user_by_id(tester)?.is_some_and(|user| user.is_active && user.roles.contains(&Role::FieldTester));
        let in_region = match order.region_id {
            Some(region) => is_tester && tx.user_region_ids(tester)?.contains(&region),
            None => false,
        };
        Ok(WorkOrderFacts {
            tester_in_region: in_region,
            actor_is_junior: self.caller_is_junior(tx, caller)?,
            ..self.work_order_facts(tx, order)?
        })
    }

    /// The tester whom a junior proposed, while a senior has yet to check.
    pub(crate) fn proposed_tester(&self, tx: &mut Tx, order_id: WorkOrderId) -> AppResult<Option<UserId>> {
        let dispatches = tx.dispatch_list_by_work_orders(&[order_id])?;
        Ok(dispatches.iter().find(|dispatch| is_in(dispatch, DispatchState::Proposed)).map(|d| d.tester_id))
    }

    /// A dispatch about to be made, with the tester's rank among the candidates of this moment.
    fn dispatch_new(&self, tx: &mut Tx, caller: &Caller, order: &WorkOrder, tester: UserId) -> AppResult<Dispatch> {
        let ranking = self.candidates_of(tx, order)?.candidates;
        let chosen = ranking.iter().find(|seen| seen.candidate.tester_id == tester);
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Ok(Dispatch {
            id: self.env.id(),
            work_order_id: order.id,
            tester_id: tester,
            state: DispatchState::InForce.as_str().into(),
            dispatched_by: caller.user_id,
            candidate_rank: chosen.map(|seen| number(seen.candidate.rank)),
            candidate_count: i32::try_from(ranking.len()).ok(),
            candidate_score: chosen.map(|seen| number(seen.candidate.score)),
            checked_by: None,
            checked_at: None,
            is_wrong: false,
            ended_reason: None,
            created_at: self.env.now(),
            ended_at: None,
        })
    }

    /// Sends a tester of the order's region (R-ROUTE-1); where a junior does and the policy says so, proposes it (R-ROUTE-5).
    pub fn work_order_dispatch(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        tester: UserId,
        due_at: Option<Timestamp>,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_dispatch", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let facts = self.tester_facts(tx, caller, &order, tester)?;
            let mut dispatch = self.dispatch_new(tx, caller, &order, tester)?;
            order.due_at = due_at.or(order.due_at);
            let command = WorkOrderCommand::Dispatch { tester };
            let detail = json!({
                "tester_id": tester, "due_at": order.due_at, "dispatch_id": dispatch.id,
                "candidate_rank": dispatch.candidate_rank, "candidate_count": dispatch.candidate_count,
            });
            let effects = self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            if effects.contains(&WorkOrderEffect::DispatchProposed(tester)) {
                dispatch.state = DispatchState::Proposed.as_str().into();
            }
            tx.dispatch_insert(&dispatch)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// A senior lets a junior's dispatch go, or stops it with a reason; a stopped one counts (R-ROUTE-5).
    ///
    /// # Errors
    /// `illegal-transition` when nothing waits for a check; `forbidden` for a junior, and for who made the dispatch.
    pub fn work_order_dispatch_check(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        approved: bool,
        reason: Option<&str>,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_dispatch_check", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let dispatches = tx.dispatch_list_by_work_orders(&[id])?;
            let proposal = dispatches.iter().find(|dispatch| is_in(dispatch, DispatchState::Proposed));
            if proposal.is_some_and(|proposal| proposal.dispatched_by == caller.user_id) {
                return Err(AppError::forbidden("somebody else checks one's own dispatch (R-ROUTE-5)"));
            }
            let facts = match proposal {
                Some(proposal) => self.tester_facts(tx, caller, &order, proposal.tester_id)?,
                None => self.work_order_facts(tx, &order)?,
            };
            let command = WorkOrderCommand::DispatchCheck { approved, reason: reason.map(str::to_owned) };
            let detail = json!({
                "dispatch_id": proposal.map(|proposal| proposal.id),
                "tester_id": proposal.map(|proposal| proposal.tester_id), "approved": approved,
            });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// Gives the order to another tester; it leaves the first one's phone at its next sync, and what that phone captured is kept.
    /// Where the first dispatch was wrong, that counts against who made it (R-ROUTE-5).
    pub fn work_order_reassign(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        tester: UserId,
        reason: &str,
        was_wrong: bool,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("work_order_reassign", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let facts = self.tester_facts(tx, caller, &order, tester)?;
            let dispatch = self.dispatch_new(tx, caller, &order, tester)?;
            let command = WorkOrderCommand::Reassign { tester, reason: reason.to_owned(), was_wrong };
            let detail = json!({
                "tester_id": tester, "from_tester_id": order.assigned_to, "was_wrong": was_wrong,
                "dispatch_id": dispatch.id, "candidate_rank": dispatch.candidate_rank,
                "candidate_count": dispatch.candidate_count,
            });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            tx.dispatch_insert(&dispatch)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// Keeps the dispatches true to what a command did to the order, and counts what was wrong.
    pub(crate) fn dispatch_follow(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        order: &WorkOrder,
        command: &WorkOrderCommand,
        effects: &[WorkOrderEffect],
    ) -> AppResult<()> {
        use WorkOrderEffect as E;
        let concerns =
            |effect: &E| matches!(effect, E::Unassigned(_) | E::DispatchProposed(_) | E::DispatchProposalDropped);
        if !effects.iter().any(concerns) {
            return Ok(());
        }
        let now = self.env.now();
        let mut dispatches = tx.dispatch_list_by_work_orders(&[order.id])?;
        let checker = caller.map(|caller| caller.user_id);
        for effect in effects {
            for dispatch in &mut dispatches {
                match effect {
                    E::Unassigned(left) if is_in(dispatch, DispatchState::InForce) => {
                        dispatch.state = DispatchState::after_leaving(*left).as_str().into();
                        dispatch.ended_at = Some(now);
                        if let WorkOrderCommand::Reassign { reason, was_wrong, .. } = command {
                            dispatch.ended_reason = Some(reason.trim().to_owned());
                            dispatch.is_wrong = *was_wrong;
                        } else if let WorkOrderCommand::Withdraw { reason } = command {
                            dispatch.ended_reason = Some(reason.trim().to_owned());
                        }
                    }
                    E::DispatchProposed(_) | E::DispatchProposalDropped if is_in(dispatch, DispatchState::Proposed) => {
                        match command {
                            WorkOrderCommand::DispatchCheck { approved: true, .. } => {
                                dispatch.state = DispatchState::InForce.as_str().into();
                                (dispatch.checked_by, dispatch.checked_at) = (checker, Some(now));
                            }
                            WorkOrderCommand::DispatchCheck { approved: false, reason } => {
                                dispatch.state = DispatchState::Stopped.as_str().into();
                                (dispatch.checked_by, dispatch.checked_at) = (checker, Some(now));
                                dispatch.ended_reason = reason.as_deref().map(|reason| reason.trim().to_owned());
                                dispatch.ended_at = Some(now);
                                dispatch.is_wrong = true;
                            }
                            _ => {
                                dispatch.state = DispatchState::Dropped.as_str().into();
                                dispatch.ended_at = Some(now);
                            }
                        }
                    }
                    _ => continue,
                }
                tx.dispatch_update(dispatch)?;
                if dispatch.is_wrong {
                    let reason = dispatch.ended_reason.clone().unwrap_or_default();
                    let against = dispatch.dispatched_by;
                    self.appraisal_mark(tx, caller, against, AppraisalKind::WrongDispatch, order, None, reason)?;
                }
            }
        }
        Ok(())
    }

    /// The tester gave the order back; T1 sees why.
    pub(crate) fn dispatch_declined(&self, tx: &mut Tx, order_id: WorkOrderId, reason: &str) -> AppResult<()> {
        let now = self.env.now();
        for mut dispatch in tx.dispatch_list_by_work_orders(&[order_id])? {
            if is_in(&dispatch, DispatchState::InForce) {
                dispatch.state = DispatchState::Declined.as_str().into();
                dispatch.ended_reason = Some(reason.trim().to_owned());
                dispatch.ended_at = Some(now);
                tx.dispatch_update(&dispatch)?;
            }
        }
        Ok(())
    }

    /// An order's dispatches, oldest first, with their ends.
    pub fn dispatch_list(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<Dispatch>> {
        self.storage.read("dispatch_list", |tx| {
            self.work_order_visible(tx, caller, id)?;
            Ok(tx.dispatch_list_by_work_orders(&[id])?)
        })
    }
}
