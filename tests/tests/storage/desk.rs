//! The desks' side-roads: profiles, dispatches, appraisal, chases, questions to the branch, arrivals, follow-ups.

use super::fixtures::{World, add_order, at, id, read, world, write};
use super::on_both_databases;
use callout_storage::appraisal_marks::{AppraisalMark, AppraisalMarkFilter};
use callout_storage::arrivals::Arrival;
use callout_storage::branch_questions::BranchQuestion;
use callout_storage::chases::Chase;
use callout_storage::dispatches::Dispatch;
use callout_storage::follow_ups::{FollowUp, FollowUpFilter};
use callout_storage::handoffs::Handoff;
use callout_storage::revisits::Revisit;
use callout_storage::user_profiles::UserProfile;
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::ids::*;
use callout_sync_protocol::work_orders::{Urgency, WorkOrderState};
use serde_json::json;

on_both_databases!(
    a_user_has_one_profile,
    dispatches_are_kept_with_their_ends,
    marks_are_found_by_person_kind_and_time,
    a_reference_chases_once,
    a_question_is_answered_once,
    arrivals_are_found_by_order_and_tester,
    a_revisit_has_one_follow_up,
    a_testers_load_is_found,
);

fn elsewhere() -> RegionScope {
    RegionScope::Only { region_ids: vec![id(11)], and_unlocated: true }
}

fn a_user_has_one_profile(storage: &Storage) {
    let world = world(storage);
    let mut profile = UserProfile {
        user_id: world.tester.id,
        team: "一队".to_owned(),
        seniority: "junior".to_owned(),
        skills: vec!["volte".to_owned(), "nr".to_owned()],
        shifts: json!({"weekly": [{"weekday": 1, "from": "08:30", "until": "17:30"}]}),
        home_latitude_e6: Some(30_500_000),
        home_longitude_e6: Some(-114_300_000),
        daily_capacity: 6,
        updated_by: world.other_tester.id,
        updated_at: at(1),
        version: 1,
    };
    write(storage, |tx| tx.user_profile_insert(&profile));
    assert_eq!(read(storage, |tx| tx.user_profile_by_user(world.tester.id)).as_ref(), Some(&profile));
    assert_eq!(read(storage, |tx| tx.user_profile_by_user(world.other_tester.id)), None);
    assert!(matches!(
        storage.write("test", |tx| tx.user_profile_insert(&profile)),
        Err(StorageError::UniqueViolation { .. })
    ));
    let stranger = UserProfile { user_id: id(99), ..profile.clone() };
    assert!(matches!(
        storage.write("test", |tx| tx.user_profile_insert(&stranger)),
        Err(StorageError::MissingReference { .. })
    ));
    let stale = profile.clone();
    profile.seniority = "senior".to_owned();
    profile.skills = vec![];
    profile.home_latitude_e6 = None;
    profile.home_longitude_e6 = None;
    storage.write::<_, StorageError>("test", |tx| tx.user_profile_update(&mut profile)).unwrap();
    assert_eq!(profile.version, 2);
    assert!(matches!(
        storage.write("test", |tx| tx.user_profile_update(&mut stale.clone())),
        Err(StorageError::Conflict { what: "user profile" })
    ));
    let ids = [world.other_tester.id, world.tester.id];
    assert_eq!(read(storage, |tx| tx.user_profile_list_by_users(&ids)), [profile]);
    let regions = read(storage, |tx| tx.user_region_ids_by_users(&ids));
    let each: Vec<_> = ids
        .iter()
        .flat_map(|user| read(storage, |tx| tx.user_region_ids(*user)).into_iter().map(|region| (*user, region)))
        .collect();
    assert!(each.iter().all(|pair| regions.contains(pair)) && regions.len() == each.len());
}

fn dispatch(number: u64, world: &World, state: &str) -> Dispatch {
    Dispatch {
        id: id(number),
        work_order_id: world.order.id,
        tester_id: world.tester.id,
        state: state.to_owned(),
        dispatched_by: world.other_tester.id,
        candidate_rank: Some(2),
        candidate_count: Some(7),
        candidate_score: Some(910),
        checked_by: None,
        checked_at: None,
        is_wrong: false,
        ended_reason: None,
        created_at: at(number as i64),
        ended_at: None,
    }
}

fn dispatches_are_kept_with_their_ends(storage: &Storage) {
    let world = world(storage);
    let (mut first, second) = (dispatch(100, &world, "proposed"), dispatch(101, &world, "in_force"));
    write(storage, |tx| {
        tx.dispatch_insert(&second)?;
        tx.dispatch_insert(&first)
    });
    first.state = "stopped".to_owned();
    first.checked_by = Some(world.tester.id);
    first.checked_at = Some(at(102));
    first.is_wrong = true;
    first.ended_reason = Some("太远".to_owned());
    first.ended_at = Some(at(102));
    write(storage, |tx| tx.dispatch_update(&first));
    let found = read(storage, |tx| tx.dispatch_list_by_work_orders(&[world.order.id, id(99)]));
    assert_eq!(found, [first, second], "oldest first");
    assert_eq!(read(storage, |tx| tx.dispatch_list_by_work_orders(&[])), []);
    let unknown = dispatch(103, &world, "in_force");
    assert!(storage.write("test", |tx| tx.dispatch_update(&unknown)).is_err());
}

fn marks_are_found_by_person_kind_and_time(storage: &Storage) {
    let world = world(storage);
    let mark = |number: u64, user_id, kind: &str| AppraisalMark {
        id: id(number),
        user_id,
        kind: kind.to_owned(),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        region_id: Some(world.region.id),
        reason: "派错区域".to_owned(),
        recorded_by: None,
        created_at: at(number as i64),
    };
    let marks = [
        mark(110, world.tester.id, "wrong_dispatch"),
        mark(111, world.other_tester.id, "wrong_dispatch"),
        mark(112, world.tester.id, "false_return"),
    ];
    write(storage, |tx| marks.iter().try_for_each(|mark| tx.appraisal_mark_insert(mark)));
    let all = AppraisalMarkFilter { scope: RegionScope::All, user_id: None, kind: None, since: None, until: None };
    let list = |filter: &AppraisalMarkFilter| -> Vec<AppraisalMarkId> {
        read(storage, |tx| tx.appraisal_mark_list(filter, &Page::first(10))).iter().map(|mark| mark.id).collect()
    };
    let ids = |numbers: &[u64]| numbers.iter().map(|n| id(*n)).collect::<Vec<AppraisalMarkId>>();
    assert_eq!(list(&all), ids(&[112, 111, 110]));
    assert_eq!(list(&AppraisalMarkFilter { user_id: Some(world.tester.id), ..all.clone() }), ids(&[112, 110]));
    let wrong = AppraisalMarkFilter { kind: Some("wrong_dispatch".to_owned()), ..all.clone() };
    assert_eq!(list(&wrong), ids(&[111, 110]));
    let between = AppraisalMarkFilter { since: Some(at(111)), until: Some(at(112)), ..all.clone() };
    assert_eq!(list(&between), ids(&[111]), "the end is exclusive");
    assert_eq!(list(&AppraisalMarkFilter { scope: elsewhere(), ..all.clone() }), []);
    let after = Page { after: Some((at(112), id(112))), limit: 1 };
    assert_eq!(read(storage, |tx| tx.appraisal_mark_list(&all, &after)), [marks[1].clone()]);
}

fn a_reference_chases_once(storage: &Storage) {
    let world = world(storage);
    let chase = |number: u64, source_id, reference: &str| Chase {
        id: id(number),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        source_id,
        reference: reference.to_owned(),
        content_digest: [number as u8; 32],
        urgency: Some(Urgency::Critical),
        note: Some("电梯里也没有".to_owned()),
        created_at: at(number as i64),
    };
    let first = chase(120, world.tester.id, "Z-1");
    write(storage, |tx| tx.chase_insert(&first));
    assert!(matches!(
        storage.write("test", |tx| tx.chase_insert(&chase(121, world.tester.id, "Z-1"))),
        Err(StorageError::UniqueViolation { .. })
    ));
    let second = Chase { urgency: None, note: None, ..chase(122, world.other_tester.id, "Z-1") };
    write(storage, |tx| tx.chase_insert(&second));
    assert_eq!(read(storage, |tx| tx.chase_by_reference(world.tester.id, "Z-1")).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.chase_by_reference(world.tester.id, "Z-2")), None);
    assert_eq!(read(storage, |tx| tx.chase_list_by_work_orders(&[world.order.id])), [first, second]);
}

fn handoff(world: &World) -> Handoff {
    Handoff {
        id: id(130),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        target: "branch".to_owned(),
        demand: "进场协调".to_owned(),
        state: "open".to_owned(),
        outcome: None,
        answer: None,
        answered_by: None,
        answered_at: None,
        due_at: None,
        created_by: world.tester.id,
        created_at: at(130),
        version: 1,
    }
}

fn a_question_is_answered_once(storage: &Storage) {
    let world = world(storage);
    let mut question = BranchQuestion {
        id: id(131),
        work_order_id: world.order.id,
        handoff_id: id(130),
        region_id: Some(world.region.id),
        question: "何时进场？".to_owned(),
        asked_by: world.tester.id,
        asked_at: at(131),
        answer: None,
        answered_by: None,
        answered_at: None,
    };
    write(storage, |tx| {
        tx.handoff_insert(&handoff(&world))?;
        tx.branch_question_insert(&question)
    });
    let open = |scope: &RegionScope| read(storage, |tx| tx.branch_question_list_open(scope, &Page::first(10)));
    assert_eq!(open(&RegionScope::All), [question.clone()]);
    assert_eq!(open(&elsewhere()), []);
    question.answer = Some("周三".to_owned());
    question.answered_by = Some(world.other_tester.id);
    question.answered_at = Some(at(132));
    write(storage, |tx| tx.branch_question_answer(&question));
    assert!(matches!(
        storage.write("test", |tx| tx.branch_question_answer(&question)),
        Err(StorageError::Conflict { .. })
    ));
    assert_eq!(open(&RegionScope::All), []);
    assert_eq!(read(storage, |tx| tx.branch_question_by_id(question.id)).as_ref(), Some(&question));
    assert_eq!(read(storage, |tx| tx.branch_question_list_by_work_order(world.order.id)), [question]);
}

fn arrivals_are_found_by_order_and_tester(storage: &Storage) {
    let world = world(storage);
    let arrival = |number: u64, tester_id| Arrival {
        id: id(number),
        work_order_id: world.order.id,
        tester_id,
        latitude_e6: -90_000_000,
        longitude_e6: 180_000_000,
        accuracy_m: Some(12),
        is_mock: false,
        punctuality: "early".to_owned(),
        minutes_after_start: Some(-15),
        distance_m: Some(40),
        is_at_place: Some(true),
        appointment_from: Some(at(200)),
        appointment_until: None,
        captured_at: at(number as i64),
        received_at: at(999),
    };
    let (first, second) = (arrival(140, world.tester.id), arrival(141, world.other_tester.id));
    write(storage, |tx| {
        tx.arrival_insert(&second)?;
        tx.arrival_insert(&first)
    });
    assert_eq!(first.position().longitude(), 180.0);
    assert_eq!(read(storage, |tx| tx.arrival_list_by_work_orders(&[world.order.id])), [first.clone(), second.clone()]);
    let testers = [world.tester.id, world.other_tester.id];
    assert_eq!(read(storage, |tx| tx.arrival_list_by_testers(&testers, at(141))), [second]);
    assert_eq!(read(storage, |tx| tx.arrival_list_by_testers(&testers[..1], at(0))), [first]);
}

fn a_revisit_has_one_follow_up(storage: &Storage) {
    let world = world(storage);
    let revisit = Revisit {
        id: id(150),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        state: "confirmed".to_owned(),
        channel: Some("phone".to_owned()),
        token_hash: None,
        expires_at: at(1000),
        solved: Some(true),
        score: Some(4),
        words: None,
        answered_at: Some(at(150)),
        answered_by: None,
        created_by: world.tester.id,
        created_at: at(149),
        what_was_done: None,
    };
    let mut follow_up = FollowUp {
        id: id(151),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        revisit_id: revisit.id,
        region_id: Some(world.region.id),
        score: 4,
        state: "open".to_owned(),
        what_was_done: None,
        closed_by: None,
        closed_at: None,
        opened_at: at(151),
        version: 1,
    };
    write(storage, |tx| {
        tx.revisit_insert(&revisit)?;
        tx.follow_up_insert(&follow_up)
    });
    let twice = FollowUp { id: id(152), ..follow_up.clone() };
    assert!(matches!(
        storage.write("test", |tx| tx.follow_up_insert(&twice)),
        Err(StorageError::UniqueViolation { .. })
    ));
    let all = FollowUpFilter { scope: RegionScope::All, state: None, work_order_id: None };
    let list = |filter: &FollowUpFilter| read(storage, |tx| tx.follow_up_list(filter, &Page::first(10)));
    assert_eq!(list(&FollowUpFilter { state: Some("open".to_owned()), ..all.clone() }), [follow_up.clone()]);
    let stale = follow_up.clone();
    follow_up.state = "closed".to_owned();
    follow_up.what_was_done = Some("已致歉".to_owned());
    follow_up.closed_by = Some(world.other_tester.id);
    follow_up.closed_at = Some(at(160));
    storage.write::<_, StorageError>("test", |tx| tx.follow_up_update(&mut follow_up)).unwrap();
    assert!(storage.write("test", |tx| tx.follow_up_update(&mut stale.clone())).is_err());
    assert_eq!(write(storage, |tx| tx.follow_up_lock(follow_up.id)).as_ref(), Some(&follow_up));
    assert_eq!(list(&FollowUpFilter { state: Some("open".to_owned()), ..all.clone() }), []);
    assert_eq!(list(&FollowUpFilter { work_order_id: Some(id(99)), ..all.clone() }), []);
    assert_eq!(list(&FollowUpFilter { scope: elsewhere(), ..all.clone() }), []);
    assert_eq!(list(&all), [follow_up]);
}

fn a_testers_load_is_found(storage: &Storage) {
    let world = world(storage);
    let mut order = add_order(storage, &world, 31, Some(world.region.id));
    order.state = WorkOrderState::OnSite;
    order.assigned_to = Some(world.tester.id);
    storage.write::<_, StorageError>("test", |tx| tx.work_order_update(&mut order)).unwrap();
    let testers = [world.tester.id, world.other_tester.id];
    let list = |states: &[WorkOrderState]| read(storage, |tx| tx.work_order_list_by_testers(&testers, states));
    assert_eq!(list(&[WorkOrderState::OnSite, WorkOrderState::Accepted]), [order]);
    assert_eq!(list(&[WorkOrderState::Submitted]), []);
}
