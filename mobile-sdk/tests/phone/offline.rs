//! The rules offline: what the phone refuses is what the server would refuse, and nothing is queued then.

use super::support::{World, findings, missing, order_id, png, position};
use callout_mobile_sdk::facade::PhotoRequest;
use callout_mobile_sdk::{Env as _, FindingsDraft, LocalOrder, PhoneError};
use callout_sync_protocol::commands::ContactOutcome;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{TimeWindow, WorkOrderState};

fn refused<T: std::fmt::Debug>(result: Result<T, PhoneError>) -> ProblemType {
    match result {
        Err(PhoneError::Rejected(rejection)) => rejection.problem,
        other => panic!("not refused: {other:?}"),
    }
}

fn waiting(world: &World) -> u64 {
    world.phone.status().unwrap().commands.waiting
}

fn contact(world: &mut World, emergency: Option<&str>) -> Result<LocalOrder, PhoneError> {
    let from = world.env.now().plus_seconds(86_400);
    let window = TimeWindow { from, until: from.plus_seconds(3_600) };
    world.phone.contact(order_id(1), ContactOutcome::Reached, Some(window), emergency.map(str::to_owned), None)
}

/// R-CONTACT-1
#[test]
fn customers_are_left_in_peace_except_in_an_emergency() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    // Ten in the morning becomes one in the afternoon at the site.
    world.env.advance_ms(3 * 3_600_000);
    assert_eq!(refused(contact(&mut world, None)), ProblemType::CustomerRestHours);
    assert_eq!(waiting(&world), 1);
    let order = contact(&mut world, Some("the customer asked for it")).unwrap();
    assert_eq!(order.view.state, WorkOrderState::Contacted);
    assert!(order.view.appointment.is_some());
}

/// R-TEST-1, R-TEST-2
#[test]
fn a_test_without_an_operator_or_findings_is_not_handed_in() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..300);
    let before = waiting(&world);
    assert_eq!(refused(world.phone.submit(order_id(1), vec![])), ProblemType::OperatorMissing);
    let others = missing(&[Operator::ChinaUnicom, Operator::ChinaTelecom]);
    assert_eq!(refused(world.phone.submit(order_id(1), others.clone())), ProblemType::FindingsMissing);
    assert_eq!(waiting(&world), before);
    assert_eq!(world.phone.status().unwrap().blocks.sealed, 0, "a refused submission seals nothing");
    world.phone.findings_record(order_id(1), findings()).unwrap();
    assert_eq!(world.phone.submit(order_id(1), others).unwrap().view.state, WorkOrderState::Submitted);
}

/// R-VISIT-2
#[test]
fn photos_indoors_need_consent() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let indoors = PhotoRequest::new(PhotoPurpose::Indoors);
    assert_eq!(refused(world.phone.photo_add_bytes(order_id(1), &png(3_000), indoors)), ProblemType::ConsentMissing);
    let files = std::fs::read_dir(world.folder.path().join("photos")).unwrap().count();
    assert_eq!(files, 0, "no bytes without a row");
    world.phone.photo_consent(order_id(1), true).unwrap();
    world.phone.photo_add_bytes(order_id(1), &png(3_000), indoors).unwrap();
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut world = World::synced(&[1]);
    assert_eq!(refused(world.phone.arrive(order_id(1), position())), ProblemType::IllegalTransition);
    assert_eq!(refused(world.phone.submit(order_id(1), vec![])), ProblemType::IllegalTransition);
    let begun = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &callout_mobile_sdk::Source::Live);
    assert_eq!(refused(begun), ProblemType::IllegalTransition);
    assert_eq!(refused(world.phone.findings_record(order_id(1), findings())), ProblemType::IllegalTransition);
    world.phone.accept(order_id(1)).unwrap();
    assert_eq!(refused(world.phone.accept(order_id(1))), ProblemType::IllegalTransition);
    assert_eq!(refused(world.phone.decline(order_id(1), " ")), ProblemType::InvalidField);
    assert_eq!(world.phone.decline(order_id(1), "ill").unwrap().view.state, WorkOrderState::Located);
    assert_eq!(waiting(&world), 2);
    assert!(matches!(world.phone.accept(order_id(9)), Err(PhoneError::OrderUnknown(_))));
}

#[test]
fn findings_may_be_written_bit_by_bit() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let full = findings();
    let first = FindingsDraft { problem: Some(full.problem.clone()), ..FindingsDraft::default() };
    let ended = world.phone.findings_write(order_id(1), first);
    assert!(
        matches!(ended, Err(PhoneError::FindingsIncomplete(missing)) if missing == ["generation", "service", "address"])
    );
    world.restart();
    let second = FindingsDraft {
        generation: Some(full.generation),
        service: Some(full.service),
        address: Some(full.address),
        ..FindingsDraft::default()
    };
    let order = world.phone.findings_write(order_id(1), second).unwrap();
    assert!(order.has_findings);
    assert_eq!(world.phone.findings_draft(order_id(1)).unwrap().unwrap().problem, Some(full.problem));
}

/// The phone allows just what the server accepts, as long as the world does not change meanwhile.
#[test]
fn what_the_phone_allows_the_server_accepts() {
    let mut world = World::synced(&[1]);
    // Try everything again and again; whatever the phone lets through must be accepted.
    for _ in 0..3 {
        let order = order_id(1);
        let _ = world.phone.accept(order);
        let _ = world.phone.arrive(order, position());
        let _ = contact(&mut world, None);
        let _ = world.phone.photo_consent(order, true);
        let _ = world.phone.photo_add_bytes(order, &png(3_000), PhotoRequest::new(PhotoPurpose::Indoors));
        let _ = world.phone.findings_record(order, findings());
        let _ = world.phone.submit(order, missing(&Operator::REQUIRED));
        let _ = world.phone.decline(order, "no time");
    }
    let given = waiting(&world);
    assert!(given >= 8);
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.commands_rejected), (given, 0));
}

#[test]
fn a_file_that_is_no_photo_is_refused_with_its_name() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let request = PhotoRequest::new(PhotoPurpose::Site);
    for bytes in [&b""[..], b"not a photo", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"] {
        let path = world.folder.path().join("kitchen.jpg");
        std::fs::write(&path, bytes).unwrap();
        let ended = world.phone.photo_add_file(order_id(1), &path, request);
        assert!(matches!(&ended, Err(PhoneError::Photo { path, .. }) if path.ends_with("kitchen.jpg")), "{ended:?}");
    }
    assert_eq!(world.phone.status().unwrap().photos.waiting, 0);
}

#[test]
fn a_photo_tells_its_time_and_place() {
    use callout_mobile_sdk::synthetic::{PhotoOptions, photo_create};
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let taken_at = world.env.now().plus_seconds(-600);
    let jpeg = photo_create(&PhotoOptions::new(5, taken_at, position())).unwrap();
    let manifest =
        world.phone.photo_add_bytes(order_id(1), &jpeg, PhotoRequest::new(PhotoPurpose::Surroundings)).unwrap();
    let found = manifest.position.unwrap();
    assert!((found.latitude_e6 - position().latitude_e6).abs() <= 3, "{found:?}");
    assert!((found.longitude_e6 - position().longitude_e6).abs() <= 3, "{found:?}");
    assert_eq!(manifest.captured_at.unix_micros() / 1_000_000, taken_at.unix_micros() / 1_000_000);
    assert_eq!(manifest.byte_length, jpeg.len() as u64);
}
