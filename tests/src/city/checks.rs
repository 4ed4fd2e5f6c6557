//! What must hold of every order of a city, whatever happened: read from the database, against the rules' own words.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::office::Office;
use callout_server::workflow::work_orders::{WorkOrderOwner, work_order_owner};
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::reviews::ReviewDecision;
use callout_storage::work_orders::{WorkOrder, WorkOrderFilter};
use callout_storage::{Page, RegionScope, Tx};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::Value;

/// What is checked, in both languages, for the report.
pub const INVARIANTS: [(&str, &str); 9] = [
    ("every open order has exactly one owner (R-ROUTE-1)", "每张未结工单有且仅有一个责任方"),
    ("no 'resolved' without a customer who confirmed it (R-RETURN-3)", "未经客户回访确认不得回单已解决"),
    ("every 'unresolved' has its tracking ticket (R-RETURN-2)", "未解决工单均有跟踪单"),
    ("complaint and order tell the same", "投诉与工单状态一致"),
    ("no rung of the ladder without those before it (R-LADDER-2)", "阶梯步骤不可越级"),
    ("no test approved that was not handed in (R-REVIEW-1)", "未提交的测试不得审核通过"),
    ("every open order's clocks run or say why not (R-LIMIT-1)", "每张未结工单的时限在计时或有暂停原因"),
    ("no build demand without spent rungs (R-LADDER-2, R-LADDER-3)", "前九步未用尽不得提建站需求"),
    ("the audit trail and its anchors hold (R-AUDIT-1)", "审计链与锚点完整"),
];

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// Checks one order and its complaint.
///
/// # Errors
/// What does not hold, in words.
pub fn order_check(office: &Office, id: WorkOrderId) -> Result<(), String> {
    office.look(|tx| Ok(order_check_in(tx, id)))
}

fn order_check_in(tx: &mut Tx, id: WorkOrderId) -> Result<(), String> {
    let failed = |error: callout_storage::StorageError| error.to_string();
    let Some((order, complaint)) = tx.work_order_with_complaint(id).map_err(failed)? else {
        return Err(format!("order {id} is gone"));
    };
    let number = &order.number;
    owner_check(tx, &order)?;
    complaint_check(tx, &order, &complaint)?;
    let replies = tx.reply_list_by_complaint(complaint.id).map_err(failed)?;
    let revisits = tx.revisit_list_by_work_order(id).map_err(failed)?;
    let confirmed = revisits.iter().filter(|revisit| revisit.state == "confirmed").count();
    let returned = replies.iter().filter(|reply| reply.kind == "final_resolved").count();
    ensure!(returned <= confirmed, "{number}: returned as resolved {returned} times, confirmed {confirmed} times");
    ensure!(
        order.state != WorkOrderState::Resolved || returned > 0,
        "{number}: resolved without a final reply that says so"
    );
    let pending = revisits.iter().filter(|revisit| revisit.state == "pending").count();
    let asks = order.state == WorkOrderState::AwaitingRevisit || order.state == WorkOrderState::Unresolved;
    ensure!(pending <= usize::from(asks), "{number}: {pending} revisits wait while the order is '{}'", order.state);
    let denied = revisits.iter().filter(|revisit| revisit.state == "denied" && revisit.tracking_ticket_id.is_none());
    let denied = denied.count() as u64;
    ensure!(
        u64::from(order.false_return_count) >= denied,
        "{number}: denied {denied} times, counted {} times (R-RETURN-4)",
        order.false_return_count
    );
    let reviews = tx.review_list_by_work_order(id).map_err(failed)?;
    for review in reviews.iter().filter(|review| review.decision == ReviewDecision::Approve) {
        let test = tx.field_test_by_id(review.field_test_id).map_err(failed)?;
        ensure!(
            test.is_some_and(|test| test.submission.is_some() && test.work_order_id == id),
            "{number}: a test was approved that was not handed in"
        );
    }
    let steps = tx.ladder_step_list(id).map_err(failed)?;
    let highest = steps.iter().map(|step| step.step).max().unwrap_or(0);
    if highest > 9 {
        let spent = steps.iter().filter(|step| step.step <= 9 && step.outcome != "skipped").count();
        ensure!(spent == 9, "{number}: building was taken up with {spent} of nine steps spent");
    }
    Ok(())
}

fn owner_check(tx: &mut Tx, order: &WorkOrder) -> Result<(), String> {
    let failed = |error: callout_storage::StorageError| error.to_string();
    let number = &order.number;
    let open = tx.handoff_list_by_work_order(order.id).map_err(failed)?;
    let open = open.iter().filter(|handoff| handoff.state == "open").count();
    let ticket = tx.tracking_ticket_by_work_order(order.id).map_err(failed)?;
    let owner = work_order_owner(order.state);
    let has_tester = order.assigned_to.is_some();
    let (tester, handoffs) = match owner {
        Some(WorkOrderOwner::FieldTester) => (true, 0),
        Some(WorkOrderOwner::HandoffRecipient) => (false, 1),
        // Until the review, the test is still on its tester's phone.
        Some(_) if order.state == WorkOrderState::Submitted => (has_tester, 0),
        Some(_) | None => (false, 0),
    };
    ensure!(has_tester == tester, "{number}: '{}', has a tester: {has_tester}", order.state);
    ensure!(open == handoffs, "{number}: '{}' with {open} open handoffs", order.state);
    ensure!(
        (order.state == WorkOrderState::Unresolved) <= ticket.is_some(),
        "{number}: unresolved without a tracking ticket"
    );
    ensure!(order.state == WorkOrderState::Received || order.region_id.is_some(), "{number}: located in no region");
    Ok(())
}

fn complaint_check(tx: &mut Tx, order: &WorkOrder, complaint: &Complaint) -> Result<(), String> {
    let expected = match order.state {
        WorkOrderState::Withdrawn => ComplaintState::Withdrawn,
        WorkOrderState::Resolved => ComplaintState::Resolved,
        WorkOrderState::Unresolved => ComplaintState::Unresolved,
        _ => ComplaintState::InProgress,
    };
    let is_closed_ticket = order.state == WorkOrderState::Unresolved
        && complaint.state == ComplaintState::Resolved
        && tx
            .tracking_ticket_by_work_order(order.id)
            .map_err(|error| error.to_string())?
            .is_some_and(|ticket| ticket.closed_at.is_some());
    ensure!(
        complaint.state == expected || is_closed_ticket,
        "{}: the order is '{}', its complaint '{}'",
        order.number,
        order.state,
        complaint.state
    );
    ensure!(
        complaint.region_id == order.region_id || order.region_id.is_none(),
        "{}: order and complaint lie in two regions",
        order.number
    );
    Ok(())
}

/// Every clock of an order that has not ended runs, or says why it does not; asked by HTTP, as a desk would.
///
/// # Errors
/// The order, and what its clocks say.
pub fn clocks_check(office: &mut Office, desk: &str, id: WorkOrderId) -> Result<(), String> {
    let state = office.look(|tx| tx.work_order_by_id(id)).map(|order| order.state);
    let is_open = state.and_then(work_order_owner).is_some();
    if !is_open {
        return Ok(());
    }
    let clocks = office.read(desk, &format!("/v1/work-orders/{id}/clocks"));
    let items = clocks["items"].as_array().cloned().unwrap_or_default();
    let lives = |clock: &&Value| clock["standing"].as_str().is_some_and(|standing| standing != "stopped");
    ensure!(items.iter().any(|clock| lives(&clock)), "order {id} is open, and no clock runs for it: {clocks}");
    for clock in items.iter().filter(|clock| clock["standing"] == "paused") {
        let is_told =
            |span: &Value| span["reason"] == "paused" && span["note"].as_str().is_some_and(|note| !note.is_empty());
        ensure!(
            clock["spans"].as_array().is_some_and(|spans| spans.iter().any(is_told)),
            "a clock of order {id} stands, and nobody knows why: {clock}"
        );
    }
    Ok(())
}

/// No build demand stands for an order whose first nine steps are not spent.
///
/// # Errors
/// The order.
pub fn build_demands_check(office: &mut Office, desk: &str) -> Result<u64, String> {
    let mut count = 0;
    let mut after = String::new();
    loop {
        let list = office.read(desk, &format!("/v1/build-demands?limit=500{after}"));
        for demand in list["items"].as_array().cloned().unwrap_or_default() {
            count += 1;
            let Some(order) = demand["work_order_id"].as_str().and_then(|id| id.parse::<WorkOrderId>().ok()) else {
                continue;
            };
            let steps = office.look(|tx| tx.ladder_step_list(order));
            let spent = steps.iter().filter(|step| step.step <= 9 && step.outcome != "skipped").count();
            ensure!(spent == 9, "a build demand for order {order} with {spent} of nine steps spent");
        }
        match list["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(count),
        }
    }
}

/// The trail and its anchors hold; how many events there are, and how many of them are anchored.
///
/// # Errors
/// What does not fit.
pub fn trail_check(office: &Office) -> Result<(u64, u64), String> {
    let chains = office.look(|tx| tx.event_verify_all());
    ensure!(chains.problems.is_empty(), "the audit trail: {}", chains.problems[0]);
    let anchors = office.look(|tx| tx.audit_anchor_verify_all());
    ensure!(anchors.problems.is_empty(), "the anchors: {}", anchors.problems[0]);
    Ok((chains.events, anchors.events))
}

/// All orders, newest first.
pub fn orders_all(office: &Office) -> Vec<WorkOrderId> {
    let filter = WorkOrderFilter::of(RegionScope::All);
    let mut all: Vec<WorkOrderId> = Vec::new();
    let mut page = Page::first(500);
    loop {
        let part = office.look(|tx| tx.work_order_list(&filter, &page));
        let Some((last, _)) = part.last() else { return all };
        page.after = Some((last.created_at, last.id));
        all.extend(part.iter().map(|(order, _)| order.id));
    }
}
