//! What counts in a person's appraisal: wrong dispatches, wrong addressees, false returns (R-ROUTE-5, R-RETURN-4). Written by the
//! decisions that find them; nobody can take them away.

use super::App;
use super::access::Caller;
use super::error::AppResult;
use crate::workflow::dispatches::AppraisalKind;
use callout_storage::appraisal_marks::{AppraisalMark, AppraisalMarkFilter};
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{AppraisalMarkId, TrackingTicketId, UserId};

impl App {
    /// Records a mark; the caller of it leaves the trail of the decision.
    #[allow(clippy::too_many_arguments, reason = "a mark is exactly these facts")]
    pub(crate) fn appraisal_mark(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        against: UserId,
        kind: AppraisalKind,
        order: &WorkOrder,
        tracking_ticket_id: Option<TrackingTicketId>,
        reason: String,
    ) -> AppResult<()> {
        tx.appraisal_mark_insert(&AppraisalMark {
            id: self.env.id(),
            user_id: against,
            kind: kind.as_str().into(),
            work_order_id: order.id,
            tracking_ticket_id,
            region_id: order.region_id,
            reason,
            recorded_by: caller.map(|caller| caller.user_id),
            created_at: self.env.now(),
        })?;
        Ok(())
    }

    /// Counts a false return against who last held the order, or its tracking ticket, to be solved (R-RETURN-4).
    pub(crate) fn appraisal_false_return(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        order: &WorkOrder,
        tracking_ticket_id: Option<TrackingTicketId>,
        has_answered: bool,
    ) -> AppResult<()> {
        let revisits = tx.revisit_list_by_work_order(order.id)?;
        let Some(revisit) = revisits.iter().rev().find(|revisit| revisit.tracking_ticket_id == tracking_ticket_id)
        else {
            return Ok(());
        };
        let reason = if has_answered {
            "客户回访否认已解决 the customer denied at the revisit that it is solved"
        } else {
            "客户就同一问题再次投诉 the customer complained of the same thing again"
        };
        let kind = AppraisalKind::FalseReturn;
        self.appraisal_mark(tx, caller, revisit.created_by, kind, order, tracking_ticket_id, reason.into())
    }

    /// Marks of the caller's regions, newest first.
    pub fn appraisal_mark_list(
        &self,
        caller: &Caller,
        filter: &AppraisalMarkFilter,
        page: Page<AppraisalMarkId>,
    ) -> AppResult<Vec<AppraisalMark>> {
        self.storage.read("appraisal_mark_list", |tx| {
            let scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.appraisal_mark_list(&AppraisalMarkFilter { scope, ..filter.clone() }, &page)?)
        })
    }
}
