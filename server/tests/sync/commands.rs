//! Commands: judged once, answered as often as they come, kept whatever becomes of them.

use super::fixture::{Office, all_accepted, rejection};
use callout_storage::{Page, RegionScope};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{Change, CommandResult, SyncRequest};
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};

#[test]
fn a_lost_answer_is_given_again_and_nothing_happens_twice() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    phone.sync(&office, vec![], vec![]);
    let (commands, blocks) = office.work(&phone, order, office.id());
    let request = SyncRequest { commands, blocks, ..phone.request(&office) };
    let first = phone.send(&office, &request);
    let (version, trail) = (office.order(order).version, office.actions(order));
    let again = phone.send(&office, &request);
    assert_eq!(again.outcomes, first.outcomes);
    assert_eq!(again.block_outcomes, first.block_outcomes);
    assert_eq!((again.changes, again.cursor), (first.changes, first.cursor));
    assert_eq!((office.order(order).version, office.actions(order)), (version, trail));
    assert_eq!(office.order(order).state, WorkOrderState::Submitted);
}

#[test]
fn an_order_is_saved_and_told_once_however_many_commands_change_it() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    let before = phone.sync(&office, vec![], vec![]);
    let version = office.order(order).version;
    let (commands, blocks) = office.work(&phone, order, office.id());
    let count = commands.len();
    let answer = phone.sync(&office, commands, blocks);
    assert_eq!(answer.cursor.number, before.cursor.number + 1);
    let [Change::Changed { order: view }] = answer.changes.as_slice() else { panic!("{:?}", answer.changes) };
    assert_eq!((view.version, view.state), (version + 1, WorkOrderState::Submitted));
    // The state that each command reached, and the version that the phone then sees.
    assert_eq!(answer.outcomes.len(), count);
    for outcome in &answer.outcomes {
        assert!(
            matches!(outcome.result, CommandResult::Accepted { version: v, .. } if v == version + 1),
            "{outcome:?}"
        );
    }
    let trail = office.actions(order);
    let expected = [
        "dispatch",
        "accept",
        "contact",
        "arrive",
        "photo_consent",
        "test_begin",
        "findings_record",
        "test_submit",
        "samples_received",
    ];
    assert_eq!(trail, expected);
    let found = office.read(|tx| tx.event_verify_all());
    assert!(found.problems.is_empty(), "{:?}", found.problems);
}

#[test]
fn the_same_id_for_something_else_is_rejected_and_kept_once() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    let accept = office.command(order, CommandBody::Accept {});
    assert!(all_accepted(&phone.results(&office, vec![accept.clone(), accept.clone()])));
    let other = Command { body: CommandBody::Decline { reason: "far away".into() }, ..accept };
    for _ in 0..2 {
        let results = phone.results(&office, vec![other.clone()]);
        assert_eq!(rejection(&results[0]).problem, ProblemType::IdempotencyConflict);
    }
    assert_eq!(office.order(order).state, WorkOrderState::Accepted);
    let kept = office.read(|tx| tx.command_receipt_list_rejected(&RegionScope::All, &Page::first(10)));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].body, other.body);

    // Another tester cannot learn an outcome by an id.
    let mut stranger = office.phone();
    let results = stranger.results(&office, vec![Command { body: CommandBody::Accept {}, ..other }]);
    assert_eq!(rejection(&results[0]).problem, ProblemType::IdempotencyConflict);
}

#[test]
fn a_rejection_stops_none_behind_it_and_keeps_its_content() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    let nowhere: WorkOrderId = office.id();
    let zero = CommandBody::Decline { reason: "a\0b".into() };
    let bodies = [
        CommandBody::PhotoConsent { granted: true },
        CommandBody::Accept {},
        CommandBody::Accept {},
        zero,
        CommandBody::PhotoConsent { granted: true },
    ];
    let mut commands = office.commands(order, bodies);
    commands.push(office.command(nowhere, CommandBody::Accept {}));
    let results = phone.results(&office, commands);
    assert_eq!(rejection(&results[0]).problem, ProblemType::IllegalTransition);
    assert!(matches!(results[1], CommandResult::Accepted { state: WorkOrderState::Accepted, .. }));
    assert_eq!(rejection(&results[2]).problem, ProblemType::IllegalTransition);
    assert_eq!(rejection(&results[3]).problem, ProblemType::InvalidField);
    assert!(matches!(results[4], CommandResult::Accepted { .. }));
    assert_eq!(rejection(&results[5]).problem, ProblemType::NotFound);
    let kept = office.read(|tx| tx.command_receipt_list_rejected(&RegionScope::All, &Page::first(10)));
    assert_eq!(kept.len(), 4);
    let bodies: Vec<_> = kept.into_iter().map(|receipt| receipt.body).collect();
    assert!(bodies.contains(&CommandBody::Decline { reason: "a\u{FFFD}b".into() }), "{bodies:?}");
}

#[test]
fn a_declined_order_leaves_the_phone_and_goes_back_to_t1() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    phone.sync(&office, vec![], vec![]);
    let decline = CommandBody::Decline { reason: "on leave".into() };
    let answer = phone.sync(&office, office.commands(order, [CommandBody::Accept {}, decline]), vec![]);
    assert_eq!(answer.changes, vec![Change::Left { id: order, reason: LeftReason::Declined }]);
    let held = office.order(order);
    assert_eq!((held.state, held.assigned_to), (WorkOrderState::Located, None));
    let events = office.app.work_order_timeline(&office.lead, order, 0, 500).unwrap();
    assert_eq!(events.last().unwrap().reason.as_deref(), Some("on leave"));
}

#[test]
fn an_arrival_is_compared_with_the_appointment_and_a_wrong_clock_is_told() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    phone.ahead_ms = 3 * 86_400_000;
    let test: FieldTestId = office.id();
    let answer = phone.sync(&office, office.visit(order, test), vec![]);
    let told = answer.directives.iter().find_map(|directive| match directive {
        callout_sync_protocol::sync::Directive::ClockSkewed { ahead_ms } => Some(*ahead_ms),
        _ => None,
    });
    assert!((told.unwrap() - phone.ahead_ms).abs() < 1_000, "{told:?}");
    let events = office.app.work_order_timeline(&office.lead, order, 0, 500).unwrap();
    let arrive = events.iter().find(|event| event.action == "arrive").unwrap();
    let detail: serde_json::Value = serde_json::from_str(&arrive.detail).unwrap();
    assert_eq!(detail["facts"]["arrival"]["punctuality"], "early");
    assert_eq!(detail["facts"]["arrival"]["at_place"], true);
    assert!(detail["phone_clock_ahead_ms"].is_i64());
    assert_eq!(arrive.device_id, Some(phone.caller.device_id));
    assert!(arrive.captured_at.is_some());
}

#[test]
fn photos_are_wanted_until_they_come_and_kept_apart_when_the_order_is_gone() {
    let office = Office::open();
    let (mut first, second) = (office.phone(), office.phone());
    let order = office.order_dispatched(&first);
    let test = office.id();
    first.sync(&office, office.visit(order, test), vec![]);
    let indoors = office.photo(order, test, PhotoPurpose::Indoors);
    let attach = |manifest: &_| CommandBody::PhotoAttach {
        manifest: callout_sync_protocol::photos::PhotoManifest::clone(manifest),
    };
    let answer = first.sync(&office, office.commands(order, [attach(&indoors)]), vec![]);
    assert!(answer.changes.is_empty(), "a photo changes nothing that the phone shows of the order");
    let wanted = |answer: &callout_sync_protocol::sync::SyncResponse| {
        answer.directives.iter().find_map(|directive| match directive {
            callout_sync_protocol::sync::Directive::PhotosWanted { photo_ids } => Some(photo_ids.clone()),
            _ => None,
        })
    };
    assert_eq!(wanted(&answer), Some(vec![indoors.id]));
    // The same photo under a new command is the same photo; another one under its id is not.
    let changed = callout_sync_protocol::photos::PhotoManifest { byte_length: 5, ..indoors.clone() };
    let results = first.results(&office, office.commands(order, [attach(&indoors), attach(&changed)]));
    assert!(matches!(results[0], CommandResult::Accepted { .. }));
    assert_eq!(rejection(&results[1]).problem, ProblemType::IdempotencyConflict);

    office.reassign(order, &second);
    let late = office.photo(order, test, PhotoPurpose::Site);
    let results = first.results(&office, office.commands(order, [attach(&late)]));
    assert_eq!(rejection(&results[0]).problem, ProblemType::NotAssigned);
    let photo = office.read(|tx| tx.photo_by_id(late.id)).unwrap();
    assert_eq!(photo.standing_reason.unwrap().problem, ProblemType::NotAssigned);
    assert_eq!(wanted(&first.sync(&office, vec![], vec![])), Some(vec![indoors.id, late.id]));
}

#[test]
fn a_photo_indoors_without_consent_is_not_asked_for() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    let test = office.id();
    let manifest = office.photo(order, test, PhotoPurpose::Indoors);
    let bodies = [
        CommandBody::Accept {},
        CommandBody::TestBegin { field_test_id: test },
        CommandBody::PhotoAttach { manifest: manifest.clone() },
    ];
    let results = phone.results(&office, office.commands(order, bodies));
    assert_eq!(rejection(&results[2]).problem, ProblemType::ConsentMissing);
    assert_eq!(office.read(|tx| tx.photo_by_id(manifest.id)), None, "R-VISIT-2");
}

#[test]
fn another_device_and_an_ended_session_are_refused() {
    let office = Office::open();
    let phone = office.phone();
    let stranger = SyncRequest { device_id: office.id(), ..phone.request(&office) };
    assert_eq!(office.app.sync(&phone.caller, &stranger).unwrap_err().problem, ProblemType::Forbidden);
    let now = office.now();
    office.storage.write("end", |tx| tx.session_revoke(phone.caller.session_id, now, "signed_out")).unwrap();
    let order = office.order_dispatched(&phone);
    let commands = office.commands(order, [CommandBody::Accept {}]);
    for request in [phone.request(&office), SyncRequest { commands, ..phone.request(&office) }] {
        assert_eq!(office.app.sync(&phone.caller, &request).unwrap_err().problem, ProblemType::SessionRevoked);
    }
    assert_eq!(office.order(order).state, WorkOrderState::Dispatched);
}
