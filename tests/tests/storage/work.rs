//! Complaints, orders, and what the desks record about them.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::complaints::{Channel, ComplaintClass, ComplaintFilter, ComplaintState};
use callout_storage::handoffs::Handoff;
use callout_storage::ladder_steps::LadderStep;
use callout_storage::replies::Reply;
use callout_storage::reviews::{Review, ReviewDecision};
use callout_storage::revisits::Revisit;
use callout_storage::tracking_tickets::TrackingTicket;
use callout_storage::work_orders::WorkOrderFilter;
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::ids::{ComplaintId, WorkOrderId};
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::json;

on_both_databases!(
    complaints_are_idempotent_by_reference,
    complaints_are_listed_by_scope_source_and_state,
    orders_round_trip_and_conflict,
    orders_page_by_scope_state_and_assignee,
    reviews_handoffs_and_replies_are_kept_in_order,
    ladder_steps_replace_each_other,
    an_order_has_one_tracking_ticket,
    a_revisit_lets_go_of_its_link,
    numbers_count_without_gaps,
);

fn complaints_are_idempotent_by_reference(storage: &Storage) {
    let world = world(storage);
    let found = read(storage, |tx| tx.complaint_by_reference(world.tester.id, "CS-20"));
    assert_eq!(found.as_ref(), Some(&world.complaint));
    let mut again = complaint(21, world.tester.id, None);
    again.reference = "CS-20".to_owned();
    assert!(matches!(
        storage.write("test", |tx| tx.complaint_insert(&again)),
        Err(StorageError::UniqueViolation { .. })
    ));
    again.source_id = world.other_tester.id;
    write(storage, |tx| tx.complaint_insert(&again));

    let mut changed = write(storage, |tx| tx.complaint_lock(again.id)).unwrap();
    changed.class = Some(ComplaintClass::Network);
    changed.state = ComplaintState::InProgress;
    changed.neighbours_affected = Some(false);
    changed.updated_at = at(77);
    write(storage, |tx| tx.complaint_update(&mut changed.clone()));
    changed.version = 2;
    assert_eq!(read(storage, |tx| tx.complaint_by_id(again.id)), Some(changed));
    assert!(matches!(
        storage.write("test", |tx| tx.complaint_update(&mut again.clone())),
        Err(StorageError::Conflict { what: "complaint" })
    ));
}

fn complaints_are_listed_by_scope_source_and_state(storage: &Storage) {
    let world = world(storage);
    let unlocated = complaint(21, world.other_tester.id, None);
    write(storage, |tx| tx.complaint_insert(&unlocated));
    let list = |scope, source_id, states: &[ComplaintState]| -> Vec<ComplaintId> {
        let filter = ComplaintFilter { scope, source_id, states: states.to_vec() };
        read(storage, |tx| tx.complaint_list(&filter, &Page::first(10))).iter().map(|found| found.id).collect()
    };
    let only = |and_unlocated| RegionScope::Only { region_ids: vec![world.region.id], and_unlocated };
    assert_eq!(list(RegionScope::All, None, &[]), [unlocated.id, world.complaint.id]);
    assert_eq!(list(only(false), None, &[]), [world.complaint.id]);
    assert_eq!(list(only(true), None, &[]), [unlocated.id, world.complaint.id]);
    assert_eq!(list(RegionScope::Only { region_ids: vec![], and_unlocated: false }, None, &[]), []);
    assert_eq!(list(RegionScope::Only { region_ids: vec![], and_unlocated: true }, None, &[]), [unlocated.id]);
    assert_eq!(list(RegionScope::All, Some(world.other_tester.id), &[]), [unlocated.id]);
    assert_eq!(list(RegionScope::All, None, &[ComplaintState::Answered]), []);
    assert!(!only(false).contains(None) && only(true).contains(None) && !only(true).contains(Some(id(99))));
}

fn orders_round_trip_and_conflict(storage: &Storage) {
    let world = world(storage);
    let mut order = write(storage, |tx| tx.work_order_lock(world.order.id)).unwrap();
    assert_eq!(order, world.order);
    order.state = WorkOrderState::SentBack;
    order.assigned_to = Some(world.tester.id);
    order.assigned_at = Some(at(40));
    order.photo_consent = Some(true);
    order.return_reasons = vec!["样本太少".to_owned()];
    order.false_return_count = 2;
    order.due_at = None;
    let stale = order.clone();
    storage.write::<_, StorageError>("test", |tx| tx.work_order_update(&mut order)).unwrap();
    assert_eq!(order.version, 2);
    let (found, complaint) = read(storage, |tx| tx.work_order_with_complaint(order.id)).unwrap();
    assert_eq!((&found, &complaint), (&order, &world.complaint));
    assert_eq!(read(storage, |tx| tx.work_order_by_complaint(world.complaint.id)), Some(found));
    assert!(matches!(
        storage.write("test", |tx| tx.work_order_update(&mut stale.clone())),
        Err(StorageError::Conflict { what: "work order" })
    ));
    assert_eq!(read(storage, |tx| tx.work_order_by_id(id(99))), None);
    assert_eq!(
        read(storage, |tx| tx.work_order_ids_by_complaints(&[world.complaint.id, id(99)])),
        [(world.complaint.id, order.id)]
    );
    assert_eq!(read(storage, |tx| tx.work_order_ids_by_complaints(&[])), []);
}

fn orders_page_by_scope_state_and_assignee(storage: &Storage) {
    let world = world(storage);
    let north = region(11, 31, 114);
    write(storage, |tx| tx.region_insert(&north));
    for number in 31..=39 {
        let region_id = [Some(world.region.id), Some(north.id), None][number as usize % 3];
        let mut order = add_order(storage, &world, number, region_id);
        order.state = if number % 2 == 0 { WorkOrderState::Dispatched } else { WorkOrderState::Approved };
        order.assigned_to = Some(if number < 35 { world.tester.id } else { world.other_tester.id });
        order.due_at = Some(at(number as i64));
        write(storage, |tx| tx.work_order_update(&mut order.clone()));
    }
    let all = |filter: &WorkOrderFilter| -> Vec<WorkOrderId> {
        let mut page = Page::first(2);
        let mut seen = Vec::new();
        loop {
            let orders = read(storage, |tx| tx.work_order_list(filter, &page));
            let Some((last, complaint)) = orders.last() else { break };
            assert_eq!(last.complaint_id, complaint.id);
            page.after = Some((last.created_at, last.id));
            seen.extend(orders.iter().map(|(order, _)| order.id));
        }
        seen
    };
    let ids = |numbers: &[u64]| numbers.iter().copied().map(id::<WorkOrderId>).collect::<Vec<_>>();
    let everything = WorkOrderFilter::of(RegionScope::All);
    assert_eq!(all(&everything), ids(&[39, 38, 37, 36, 35, 34, 33, 32, 31, 30]));
    let north_and_unlocated = RegionScope::Only { region_ids: vec![north.id], and_unlocated: true };
    assert_eq!(all(&WorkOrderFilter::of(north_and_unlocated)), ids(&[38, 37, 35, 34, 32, 31]));
    let dispatched = WorkOrderFilter { states: vec![WorkOrderState::Dispatched], ..everything.clone() };
    assert_eq!(all(&dispatched), ids(&[38, 36, 34, 32]));
    let testers = WorkOrderFilter { assigned_to: Some(world.tester.id), ..dispatched.clone() };
    assert_eq!(all(&testers), ids(&[34, 32]));
    let due = WorkOrderFilter { due_before: Some(at(33)), ..everything };
    assert_eq!(all(&due), ids(&[32, 31]));
    assert_eq!(read(storage, |tx| tx.work_order_ids_in_field(world.tester.id, None)), ids(&[32, 34]));
    assert_eq!(read(storage, |tx| tx.work_order_ids_in_field(world.tester.id, Some(id(32)))), ids(&[34]));
}

fn reviews_handoffs_and_replies_are_kept_in_order(storage: &Storage) {
    let world = world(storage);
    let test = field_test(50, world.order.id, world.tester.id, world.device.id);
    let review = |number, decision, reasons: &[&str]| Review {
        id: id(number),
        field_test_id: test.id,
        work_order_id: world.order.id,
        reviewer_id: world.other_tester.id,
        decision,
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        quick_relief: None,
        cure: Some("天线下倾".to_owned()),
        rung: Some("optimise".to_owned()),
        submission_number: 1,
        created_at: at(number as i64),
        reason_codes: vec!["samples_few".to_owned()],
        sections: json!([{ "section": "place", "assessment": "good", "note": "" }]),
        evidence: json!([]),
        evidence_accepted_because: None,
        ladder_step: Some("antenna".to_owned()),
    };
    let mut handoff = Handoff {
        id: id(62),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        target: "branch".to_owned(),
        demand: "进场协调".to_owned(),
        state: "open".to_owned(),
        outcome: None,
        answer: None,
        answered_by: None,
        answered_at: None,
        due_at: Some(at(99)),
        created_by: world.tester.id,
        created_at: at(62),
        version: 1,
    };
    let reply = |number, kind: &str, created_by| Reply {
        id: id(number),
        complaint_id: world.complaint.id,
        work_order_id: Some(world.order.id),
        kind: kind.to_owned(),
        body: "已安排".to_owned(),
        next_step: None,
        created_by,
        created_at: at(number as i64),
        channel: created_by.map(|_| Channel::Regulator),
    };
    let reviews = [review(60, ReviewDecision::SendBack, &["a", "b"]), review(61, ReviewDecision::Approve, &[])];
    let replies = [reply(63, "stage", Some(world.tester.id)), reply(64, "final_resolved", None)];
    write(storage, |tx| {
        assert!(tx.field_test_insert(&test)?);
        reviews.iter().rev().try_for_each(|review| tx.review_insert(review))?;
        replies.iter().rev().try_for_each(|reply| tx.reply_insert(reply))?;
        tx.handoff_insert(&handoff)
    });
    assert_eq!(read(storage, |tx| tx.review_list_by_test(test.id)), reviews);
    assert_eq!(read(storage, |tx| tx.review_list_by_work_order(world.order.id)), reviews);
    assert_eq!(read(storage, |tx| tx.reply_list_by_work_order(world.order.id)), replies);
    assert_eq!(read(storage, |tx| tx.reply_list_by_complaint(world.complaint.id)), replies);

    let stale = handoff.clone();
    handoff.state = "answered".to_owned();
    handoff.outcome = Some("planned".to_owned());
    handoff.answer = Some("可以".to_owned());
    handoff.answered_by = Some(world.other_tester.id);
    handoff.answered_at = Some(at(70));
    storage.write::<_, StorageError>("test", |tx| tx.handoff_update(&mut handoff)).unwrap();
    assert_eq!(write(storage, |tx| tx.handoff_lock(handoff.id)).as_ref(), Some(&handoff));
    assert_eq!(write(storage, |tx| tx.handoff_cancel_open(world.order.id, "open", "cancelled")), 0);
    assert_eq!(read(storage, |tx| tx.handoff_list_by_work_order(world.order.id)), [handoff]);
    assert!(storage.write("test", |tx| tx.handoff_update(&mut stale.clone())).is_err());
}

fn ladder_steps_replace_each_other(storage: &Storage) {
    let world = world(storage);
    let step = |step, outcome: &str| LadderStep {
        work_order_id: world.order.id,
        step,
        outcome: outcome.to_owned(),
        evidence: json!({"note": "参数核查"}),
        reason: "参数核查".to_owned(),
        recorded_by: world.tester.id,
        recorded_at: at(1),
    };
    let (first, second) = (step(2, "not_enough"), step(1, "ruled_out"));
    let replaced = step(2, "solved");
    write(storage, |tx| {
        tx.ladder_step_upsert(&first)?;
        tx.ladder_step_upsert(&second)?;
        tx.ladder_step_upsert(&replaced)
    });
    assert_eq!(read(storage, |tx| tx.ladder_step_list(world.order.id)), [second, replaced]);
    assert!(storage.write("test", |tx| tx.ladder_step_upsert(&step(13, "ruled_out"))).is_err());
    assert!(storage.write("test", |tx| tx.ladder_step_upsert(&step(3, "unheard_of"))).is_err());
}

fn an_order_has_one_tracking_ticket(storage: &Storage) {
    let world = world(storage);
    let mut ticket = TrackingTicket {
        id: id(70),
        work_order_id: world.order.id,
        number: "TT-20261121-00001".to_owned(),
        state: "open".to_owned(),
        region_id: Some(world.region.id),
        opened_at: at(70),
        closed_at: None,
        version: 1,
        updated_at: at(70),
    };
    write(storage, |tx| tx.tracking_ticket_insert(&ticket));
    let second = TrackingTicket { id: id(71), number: "TT-20261121-00002".to_owned(), ..ticket.clone() };
    assert!(matches!(
        storage.write("test", |tx| tx.tracking_ticket_insert(&second)),
        Err(StorageError::UniqueViolation { .. })
    ));
    ticket.state = "closed".to_owned();
    ticket.closed_at = Some(at(80));
    storage.write::<_, StorageError>("test", |tx| tx.tracking_ticket_update(&mut ticket)).unwrap();
    assert_eq!(read(storage, |tx| tx.tracking_ticket_by_work_order(world.order.id)).as_ref(), Some(&ticket));
    assert_eq!(write(storage, |tx| tx.tracking_ticket_lock(ticket.id)).as_ref(), Some(&ticket));
    assert_eq!(
        read(storage, |tx| tx.tracking_ticket_ids_by_work_orders(&[world.order.id])),
        [(world.order.id, ticket.id)]
    );
    let list =
        |scope, states: &[String]| read(storage, |tx| tx.tracking_ticket_list(&scope, states, &Page::first(10))).len();
    let elsewhere = RegionScope::Only { region_ids: vec![id(11)], and_unlocated: true };
    assert_eq!(list(RegionScope::All, &[]), 1);
    assert_eq!(list(RegionScope::All, &["open".to_owned()]), 0);
    assert_eq!(list(elsewhere, &[]), 0);
}

fn a_revisit_lets_go_of_its_link(storage: &Storage) {
    let world = world(storage);
    let revisit = |number: u8| Revisit {
        id: id(u64::from(number)),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        state: "pending".to_owned(),
        channel: None,
        token_hash: Some([number; 32]),
        expires_at: at(1000),
        solved: None,
        score: None,
        words: None,
        answered_at: None,
        answered_by: None,
        created_by: world.tester.id,
        created_at: at(i64::from(number)),
        what_was_done: Some("更换分路器".to_owned()),
    };
    write(storage, |tx| tx.revisit_insert(&revisit(80)));
    assert_eq!(write(storage, |tx| tx.revisit_revoke_pending(world.order.id, "pending", "revoked")), 1);
    assert_eq!(write(storage, |tx| tx.revisit_revoke_pending(world.order.id, "pending", "revoked")), 0);
    assert_eq!(read(storage, |tx| tx.revisit_by_token_hash(&[80; 32])), None, "the link is good no more");
    write(storage, |tx| tx.revisit_insert(&revisit(81)));
    let mut answered = read(storage, |tx| tx.revisit_by_token_hash(&[81; 32])).unwrap();
    answered.state = "confirmed".to_owned();
    answered.channel = Some("link".to_owned());
    answered.token_hash = None;
    answered.solved = Some(true);
    answered.score = Some(10);
    answered.words = Some("好了，谢谢".to_owned());
    answered.answered_at = Some(at(90));
    write(storage, |tx| tx.revisit_update(&answered));
    assert_eq!(read(storage, |tx| tx.revisit_by_token_hash(&[81; 32])), None);
    let list = read(storage, |tx| tx.revisit_list_by_work_order(world.order.id));
    assert_eq!(list.iter().map(|r| r.state.as_str()).collect::<Vec<_>>(), ["revoked", "confirmed"]);
    assert_eq!(list[1], answered);
    assert_eq!(write(storage, |tx| tx.revisit_lock(answered.id)), Some(answered));
}

fn numbers_count_without_gaps(storage: &Storage) {
    let undone: Result<(), StorageError> = storage.write("test", |tx| {
        tx.counter_next("WO-20261121")?;
        Err(StorageError::NotFound { what: "reason" })
    });
    assert!(undone.is_err());
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let handles: Vec<_> =
            (0..20).map(|_| scope.spawn(|| write(storage, |tx| tx.counter_next("WO-20261121")))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    numbers.sort();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(write(storage, |tx| tx.counter_next("WO-20261122")), 1);
}
