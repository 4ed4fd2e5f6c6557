//! Intakes, key accounts, escalations, major complaints, notices and the case library.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::cases::{Case, CaseFilter, CaseState};
use callout_storage::complaints::{Channel, Complaint, ComplaintState};
use callout_storage::escalations::{Escalation, EscalationFilter};
use callout_storage::intakes::{Intake, grid_cell, grid_cells_around};
use callout_storage::key_accounts::{IdentifierKind, KeyAccount, KeyAccountIdentifier};
use callout_storage::major_cases::{MajorCase, MajorCaseMember};
use callout_storage::notices::Notice;
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, Urgency};
use serde_json::json;

on_both_databases!(
    intakes_are_found_by_customer_chain_and_lead,
    intakes_are_found_by_square_and_cell,
    complaints_without_an_intake_are_found,
    key_accounts_are_known_by_their_numbers,
    escalations_are_listed_where_their_complaint_is,
    a_major_complaint_has_one_open_case_and_a_team,
    notices_are_each_users_own,
    cases_are_searched_word_by_word,
);

fn intake(complaint: &Complaint, customer: u8) -> Intake {
    let mut intake = Intake {
        complaint_id: complaint.id,
        first_contact_id: complaint.source_id,
        customer_digest: [customer; 32],
        key_account_id: None,
        is_sensitive: false,
        is_disturbing: true,
        joint_customers: 1,
        symptom: complaint.symptom,
        channel: Channel::Regulator,
        received_at: complaint.created_at,
        latitude_e6: None,
        longitude_e6: None,
        grid_cell: None,
        relation: "new".to_owned(),
        related_id: None,
        first_id: None,
        handled_under_id: None,
        handling: "work_order".to_owned(),
        urgency: Urgency::Normal,
        reasons: vec!["nothing_earlier".to_owned()],
        is_false_return: false,
        decided_by: None,
        decided_at: None,
        decision_reason: None,
        version: 1,
    };
    intake.place(Some(30_500_000), Some(114_300_000));
    intake
}

/// Adds a complaint with its intake.
fn add(storage: &Storage, world: &World, number: u64, change: impl Fn(&mut Intake)) -> Intake {
    let complaint = complaint(number, world.tester.id, Some(world.region.id));
    let mut made = intake(&complaint, 9);
    change(&mut made);
    write(storage, |tx| {
        tx.complaint_insert(&complaint)?;
        tx.intake_insert(&made)
    });
    made
}

fn intakes_are_found_by_customer_chain_and_lead(storage: &Storage) {
    let world = world(storage);
    let first = add(storage, &world, 40, |_| {});
    let mut second = add(storage, &world, 41, |intake| {
        intake.relation = "repeat".to_owned();
        intake.related_id = Some(first.complaint_id);
        intake.first_id = Some(first.complaint_id);
        intake.handled_under_id = Some(first.complaint_id);
    });
    let other = add(storage, &world, 42, |intake| intake.customer_digest = [8; 32]);
    assert_eq!(read(storage, |tx| tx.intake_by_complaint(first.complaint_id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.intake_list_by_customer(&[9; 32], 10)), [second.clone(), first.clone()]);
    assert_eq!(read(storage, |tx| tx.intake_list_by_customer(&[9; 32], 1)), [second.clone()]);
    assert_eq!(read(storage, |tx| tx.intake_list_by_first(first.complaint_id)), [second.clone()]);
    let linked = read(storage, |tx| tx.complaint_list_handled_under(first.complaint_id));
    assert_eq!(linked.iter().map(|complaint| complaint.id).collect::<Vec<_>>(), [second.complaint_id]);
    let mut both = read(storage, |tx| tx.intake_list_by_complaints(&[first.complaint_id, other.complaint_id]));
    both.sort_by_key(|intake| intake.complaint_id);
    assert_eq!(both, [first.clone(), other]);
    assert_eq!(read(storage, |tx| tx.intake_list_by_complaints(&[])), []);

    let mut stale = second.clone();
    second.handled_under_id = None;
    second.decided_by = Some(world.other_tester.id);
    second.decided_at = Some(at(99));
    second.decision_reason = Some("另一处".to_owned());
    storage.write::<_, StorageError>("test", |tx| tx.intake_update(&mut second)).unwrap();
    assert_eq!(second.version, 2);
    assert_eq!(write(storage, |tx| tx.intake_lock(second.complaint_id)).as_ref(), Some(&second));
    assert_eq!(read(storage, |tx| tx.complaint_list_handled_under(first.complaint_id)), []);
    let late = storage.write("test", |tx| tx.intake_update(&mut stale));
    assert!(matches!(late, Err(StorageError::Conflict { .. })), "{late:?}");
}

fn intakes_are_found_by_square_and_cell(storage: &Storage) {
    let world = world(storage);
    // Beside each other across the border of two squares, and far away on the other side of the Earth.
    let here = add(storage, &world, 40, |intake| intake.place(Some(30_500_001), Some(114_309_999)));
    let beside = add(storage, &world, 41, |intake| intake.place(Some(30_500_001), Some(114_310_001)));
    let south = add(storage, &world, 42, |intake| intake.place(Some(-1), Some(-1)));
    add(storage, &world, 43, |intake| {
        intake.place(Some(30_500_001), Some(114_309_999));
        intake.symptom = Symptom::SlowData;
    });
    add(storage, &world, 44, |intake| intake.place(None, Some(1)));
    assert_ne!(here.grid_cell, beside.grid_cell);
    assert_eq!(south.grid_cell, Some(grid_cell(-1, -1)));
    let squares = grid_cells_around((30_500_001, 114_309_999), (100, 100));
    assert_eq!(squares.len(), 4, "two rows, two columns");
    let mut found = read(storage, |tx| tx.intake_list_in_squares(&squares, Symptom::NoSignal, 10));
    found.sort_by_key(|intake| intake.complaint_id);
    assert_eq!(found, [here.clone(), beside.clone()]);
    let each = read(storage, |tx| tx.intake_list_in_squares(&squares, Symptom::NoSignal, 1));
    assert_eq!(each.len(), 2, "the limit is each square's own");
    assert!(grid_cells_around((90_000_000, 180_000_000), (i32::MAX, i32::MAX)).len() <= 400);

    write(storage, |tx| {
        tx.complaint_cells_add(here.complaint_id, at(1), &[77, 78])?;
        tx.complaint_cells_add(here.complaint_id, at(2), &[77])?;
        tx.complaint_cells_add(beside.complaint_id, at(3), &[77, (1 << 36) - 1])
    });
    assert_eq!(read(storage, |tx| tx.complaint_cells_list(here.complaint_id)), [77, 78]);
    let served = |cells: &[u64], each| read(storage, |tx| tx.complaint_ids_by_cells(cells, each));
    assert_eq!(served(&[77], 10), [beside.complaint_id, here.complaint_id], "newest first");
    assert_eq!(served(&[77], 1), [beside.complaint_id]);
    assert_eq!(served(&[78, 1], 10), [here.complaint_id]);
}

fn complaints_without_an_intake_are_found(storage: &Storage) {
    let world = world(storage);
    add(storage, &world, 40, |_| {});
    let without = read(storage, |tx| tx.complaint_list_without_intake(10));
    assert_eq!(without, std::slice::from_ref(&world.complaint));
    write(storage, |tx| tx.intake_insert(&intake(&world.complaint, 1)));
    assert_eq!(read(storage, |tx| tx.complaint_list_without_intake(10)), []);
}

fn key_accounts_are_known_by_their_numbers(storage: &Storage) {
    let world = world(storage);
    let mut account = KeyAccount {
        id: id(60),
        name: "第一医院".to_owned(),
        note: String::new(),
        is_active: true,
        created_by: world.tester.id,
        created_at: at(60),
        updated_at: at(60),
        version: 1,
    };
    let number = |digest: u8, account: &KeyAccount, kind| KeyAccountIdentifier {
        digest: [digest; 32],
        key_account_id: account.id,
        kind,
        masked: format!("1**{digest}"),
    };
    let second = KeyAccount { id: id(61), ..account.clone() };
    let numbers = [number(1, &account, IdentifierKind::Phone), number(2, &account, IdentifierKind::CustomerNumber)];
    write(storage, |tx| {
        tx.key_account_insert(&account)?;
        tx.key_account_insert(&second)?;
        tx.key_account_identifiers_replace(account.id, &numbers)
    });
    let known = |digest: u8| read(storage, |tx| tx.key_account_by_digests(&[[7; 32], [digest; 32]]));
    assert_eq!(known(2).as_ref(), Some(&account));
    assert_eq!(known(3), None);
    let mut found = read(storage, |tx| tx.key_account_identifiers_list(&[account.id, second.id]));
    found.sort_by_key(|number| number.digest);
    assert_eq!(found, numbers);
    let taken = storage.write("test", |tx| {
        tx.key_account_identifiers_replace(second.id, &[number(1, &second, IdentifierKind::Phone)])
    });
    assert!(matches!(taken, Err(StorageError::UniqueViolation { .. })), "{taken:?}");
    account.is_active = false;
    let mut stale = account.clone();
    storage.write::<_, StorageError>("test", |tx| tx.key_account_update(&mut account)).unwrap();
    assert!(storage.write("test", |tx| tx.key_account_update(&mut stale)).is_err());
    assert_eq!(known(1), None, "put aside");
    assert_eq!(read(storage, |tx| tx.key_account_by_id(account.id)).as_ref(), Some(&account));
    assert_eq!(read(storage, |tx| tx.key_account_list(&Page::first(1))), [second]);
}

fn escalations_are_listed_where_their_complaint_is(storage: &Storage) {
    let world = world(storage);
    let unlocated = complaint(21, world.tester.id, None);
    write(storage, |tx| tx.complaint_insert(&unlocated));
    let escalation = |number: u64, complaint: &Complaint, level: &str| Escalation {
        id: id(number),
        complaint_id: complaint.id,
        level: level.to_owned(),
        cause: "raised".to_owned(),
        reason: "三个部门意见不一".to_owned(),
        opened_by: None,
        opened_at: at(number as i64),
        closed_by: None,
        closed_at: None,
        outcome: None,
        words: None,
        version: 1,
    };
    let mut first = escalation(50, &world.complaint, "senior");
    let second = escalation(51, &unlocated, "manager");
    write(storage, |tx| {
        tx.escalation_insert(&first)?;
        tx.escalation_insert(&second)
    });
    let list = |scope, level: Option<&str>, is_open| {
        let filter = EscalationFilter { scope, level: level.map(str::to_owned), is_open };
        read(storage, |tx| tx.escalation_list(&filter, &Page::first(10)))
    };
    let here = |and_unlocated| RegionScope::Only { region_ids: vec![world.region.id], and_unlocated };
    assert_eq!(list(RegionScope::All, None, None), [second.clone(), first.clone()]);
    assert_eq!(list(here(false), None, None), [first.clone()]);
    assert_eq!(list(here(true), Some("manager"), Some(true)), std::slice::from_ref(&second));
    // The complaint is located meanwhile.
    let mut located = unlocated.clone();
    located.region_id = Some(world.region.id);
    located.state = ComplaintState::Linked;
    storage.write::<_, StorageError>("test", |tx| tx.complaint_update(&mut located)).unwrap();
    assert_eq!(list(here(false), None, None).len(), 2);
    let mut stale = first.clone();
    first.closed_at = Some(at(60));
    first.closed_by = Some(world.other_tester.id);
    first.outcome = Some("answered".to_owned());
    first.words = Some("已说明".to_owned());
    storage.write::<_, StorageError>("test", |tx| tx.escalation_update(&mut first)).unwrap();
    assert!(storage.write("test", |tx| tx.escalation_update(&mut stale)).is_err());
    assert_eq!(list(RegionScope::All, None, Some(false)), [first.clone()]);
    assert_eq!(list(RegionScope::All, None, Some(true)), [second]);
    assert_eq!(write(storage, |tx| tx.escalation_lock(first.id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.escalation_by_id(first.id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.escalation_list_by_complaint(world.complaint.id)), [first]);
}

fn a_major_complaint_has_one_open_case_and_a_team(storage: &Storage) {
    let world = world(storage);
    let mut case = MajorCase {
        id: id(50),
        complaint_id: world.complaint.id,
        state: "open".to_owned(),
        reasons: vec!["joint".to_owned()],
        explanation: "联名".to_owned(),
        leader_id: None,
        declared_by: None,
        opened_at: at(50),
        closed_by: None,
        closed_at: None,
        closing_words: None,
        updated_at: at(50),
        version: 1,
    };
    let member = |user_id, duty: &str| MajorCaseMember { major_case_id: case.id, user_id, duty: duty.to_owned() };
    let (first, second) = (member(world.tester.id, "测试"), member(world.other_tester.id, "优化"));
    write(storage, |tx| {
        tx.major_case_insert(&case)?;
        tx.major_case_members_replace(case.id, std::slice::from_ref(&second))?;
        tx.major_case_members_replace(case.id, &[second.clone(), first.clone()])
    });
    assert_eq!(read(storage, |tx| tx.major_case_member_list(case.id)), [first, second]);
    assert_eq!(read(storage, |tx| tx.major_case_open_by_complaint(world.complaint.id)).as_ref(), Some(&case));
    let mut stale = case.clone();
    case.leader_id = Some(world.tester.id);
    case.state = "ended".to_owned();
    case.closed_at = Some(at(60));
    case.closing_words = Some("恢复".to_owned());
    storage.write::<_, StorageError>("test", |tx| tx.major_case_update(&mut case)).unwrap();
    assert!(storage.write("test", |tx| tx.major_case_update(&mut stale)).is_err());
    assert_eq!(read(storage, |tx| tx.major_case_open_by_complaint(world.complaint.id)), None);
    assert_eq!(write(storage, |tx| tx.major_case_lock(case.id)).as_ref(), Some(&case));
    let list = |scope: RegionScope, is_open| read(storage, |tx| tx.major_case_list(&scope, is_open, &Page::first(10)));
    assert_eq!(list(RegionScope::All, Some(true)), []);
    assert_eq!(list(RegionScope::All, Some(false)), [case.clone()]);
    assert_eq!(list(RegionScope::Only { region_ids: vec![id(11)], and_unlocated: true }, None), []);
    assert_eq!(read(storage, |tx| tx.major_case_by_id(case.id)), Some(case));
}

fn notices_are_each_users_own(storage: &Storage) {
    let world = world(storage);
    let notice = |number: u64, recipient_id| Notice {
        id: id(number),
        recipient_id,
        kind: "major_opened".to_owned(),
        complaint_id: Some(world.complaint.id),
        major_case_id: None,
        detail: json!({ "reasons": ["joint"] }),
        created_at: at(number as i64),
        read_at: None,
        warning_id: None,
    };
    let (mut first, second) = (notice(50, world.tester.id), notice(51, world.tester.id));
    write(storage, |tx| {
        tx.notice_insert(&first)?;
        tx.notice_insert(&second)?;
        tx.notice_insert(&notice(52, world.other_tester.id))
    });
    let list = |unread| read(storage, |tx| tx.notice_list(world.tester.id, unread, &Page::first(10)));
    assert_eq!(list(true), [second.clone(), first.clone()]);
    assert!(!write(storage, |tx| tx.notice_read(first.id, world.other_tester.id, at(60))), "not that user's");
    assert!(write(storage, |tx| tx.notice_read(first.id, world.tester.id, at(60))));
    assert!(write(storage, |tx| tx.notice_read(first.id, world.tester.id, at(61))), "the first reading counts");
    first.read_at = Some(at(60));
    assert_eq!(list(true), std::slice::from_ref(&second));
    assert_eq!(list(false), [second, first]);
}

fn cases_are_searched_word_by_word(storage: &Storage) {
    let world = world(storage);
    let case = |number: u64, state, searched: &str| Case {
        id: id(number),
        state,
        work_order_id: None,
        title: "地下车库无信号".to_owned(),
        symptom: Symptom::NoSignal,
        generation: Some(NetworkGeneration::Nr),
        place_kind: "underground".to_owned(),
        cause: "无室分".to_owned(),
        what_was_done: "加装直放站".to_owned(),
        ladder_steps: json!([]),
        searched: searched.to_owned(),
        created_by: None,
        created_at: at(number as i64),
        published_by: None,
        published_at: None,
        updated_at: at(number as i64),
        version: 1,
    };
    let mut first =
        Case { work_order_id: Some(world.order.id), ..case(50, CaseState::Draft, "地下车库 100% repeater") };
    let second = case(51, CaseState::Published, "地下车库 splitter");
    write(storage, |tx| {
        tx.case_insert(&first)?;
        tx.case_insert(&second)
    });
    let twice = Case { id: id(52), ..first.clone() };
    assert!(matches!(storage.write("test", |tx| tx.case_insert(&twice)), Err(StorageError::UniqueViolation { .. })));
    let found = |words: &[&str], state| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let filter = CaseFilter { state, symptom: Some(Symptom::NoSignal), words };
        read(storage, |tx| tx.case_list(&filter, &Page::first(10))).into_iter().map(|case| case.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&["地下"], None), [second.id, first.id]);
    assert_eq!(found(&["地下", "split"], None), [second.id]);
    assert_eq!(found(&["100%"], None), [first.id]);
    assert_eq!(found(&["%"], None), [first.id], "a sign of the pattern means itself");
    assert_eq!(found(&["_"], None), []);
    assert_eq!(found(&["\\"], None), []);
    assert_eq!(found(&[], Some(CaseState::Draft)), [first.id]);
    assert_eq!(read(storage, |tx| tx.case_list_published(Symptom::NoSignal, 10)), [second]);
    assert_eq!(read(storage, |tx| tx.case_list_published(Symptom::Other, 10)), []);
    let mut stale = first.clone();
    first.state = CaseState::Published;
    first.published_by = Some(world.tester.id);
    first.published_at = Some(at(60));
    storage.write::<_, StorageError>("test", |tx| tx.case_update(&mut first)).unwrap();
    assert!(storage.write("test", |tx| tx.case_update(&mut stale)).is_err());
    assert_eq!(write(storage, |tx| tx.case_lock(first.id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.case_by_work_order(world.order.id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.case_by_id(first.id)), Some(first));
}
