//! Tests, blocks, photos, receipts: kept whatever they cite (R-TEST-5).

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::command_receipts::{CommandReceipt, ReceiptOutcome};
use callout_storage::field_tests::{FieldTestState, Submission};
use callout_storage::photo_uploads::{PhotoUpload, UploadPart};
use callout_storage::photos::PhotoState;
use callout_storage::{Page, RegionScope, Standing, Storage, StorageError};
use callout_sync_protocol::commands::{AffectedService, BlockCitation, CommandBody, Findings, MissingOperator};
use callout_sync_protocol::ids::{CommandId, PhotoId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::sync::CommandResult;
use callout_sync_protocol::work_orders::{NetworkGeneration, WorkOrderState};
use serde_json::json;

on_both_databases!(
    tests_keep_findings_and_submission,
    blocks_are_kept_once_and_byte_for_byte,
    photos_follow_their_manifest,
    uploads_move_forward_once,
    receipts_answer_repetitions_and_keep_what_was_rejected,
);

fn rejection() -> Rejection {
    Rejection::new(ProblemType::NotAssigned, "the order is with somebody else now")
}

fn tests_keep_findings_and_submission(storage: &Storage) {
    let world = world(storage);
    let mut test = field_test(50, world.order.id, world.tester.id, world.device.id);
    assert!(write(storage, |tx| tx.field_test_insert(&test)));
    assert!(!write(storage, |tx| tx.field_test_insert(&test)), "the second time it is there");
    test.findings = Some(Findings {
        problem: "地下车库".to_owned(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: String::new(),
        address: "人民路 1 号".to_owned(),
        position: None,
        competitor_coverage: String::new(),
        serving_sites: vec!["site".to_owned()],
        planned_sites: vec![],
        shareable_resources: vec![],
        pressing_need: String::new(),
        contact_left: true,
        revisit_announced: false,
        volte: None,
    });
    test.submission = Some(Submission {
        blocks: vec![BlockCitation {
            operator: Operator::ChinaMobile,
            sequence: 0,
            hash: BlockHash([1; 32]),
            sample_count: 2,
        }],
        photos: vec![id(60)],
        missing_operators: vec![MissingOperator { operator: Operator::ChinaTelecom, reason: "无卡".to_owned() }],
    });
    test.state = FieldTestState::Submitted;
    test.submitted_at = Some(at(51));
    test.submission_count = 1;
    let stale = test.clone();
    storage.write::<_, StorageError>("test", |tx| tx.field_test_update(&mut test)).unwrap();
    assert_eq!(write(storage, |tx| tx.field_test_lock(test.id)).as_ref(), Some(&test));
    assert_eq!(read(storage, |tx| tx.field_test_list_by_work_order(world.order.id)), [test]);
    assert!(storage.write("test", |tx| tx.field_test_update(&mut stale.clone())).is_err());

    // For an order that nobody here knows.
    let mut stray = field_test(52, id(999), world.tester.id, world.device.id);
    stray.standing = Standing::Quarantined;
    stray.standing_reason = Some(rejection());
    assert!(write(storage, |tx| tx.field_test_insert(&stray)));
    let listed = |scope| read(storage, |tx| tx.field_test_list_quarantined(&scope, &Page::first(10)));
    assert_eq!(listed(RegionScope::All), [stray.clone()]);
    assert_eq!(listed(RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: true }), [stray]);
    assert_eq!(listed(RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: false }), []);
}

fn blocks_are_kept_once_and_byte_for_byte(storage: &Storage) {
    let world = world(storage);
    let test = field_test(50, world.order.id, world.tester.id, world.device.id);
    let (first, second) = (sample_block(1, &test, 1), sample_block(2, &test, 0));
    // Another device measured for the same test and counted alike: kept too.
    let mut third = sample_block(3, &test, 0);
    third.device_id = world.other_device.id;
    third.standing = Standing::Quarantined;
    third.standing_reason = Some(rejection());
    let bytes = vec![0, 255, 0];
    write(storage, |tx| {
        assert_eq!(tx.sample_block_insert(&first, &bytes)?, None);
        assert_eq!(tx.sample_block_insert(&second, &[])?, None);
        assert_eq!(tx.sample_block_insert(&third, &bytes)?, None);
        Ok(())
    });
    let again = callout_storage::sample_blocks::SampleBlock { received_at: at(900), ..first.clone() };
    assert_eq!(write(storage, |tx| tx.sample_block_insert(&again, &bytes)), Some(first.clone()));
    assert_eq!(
        read(storage, |tx| tx.sample_block_list_by_test(test.id)),
        [second.clone(), third.clone(), first.clone()]
    );
    assert_eq!(read(storage, |tx| tx.sample_block_bytes(&first.hash)), Some(bytes));
    assert_eq!(read(storage, |tx| tx.sample_block_bytes(&BlockHash([9; 32]))), None);
    let mut present =
        read(storage, |tx| tx.sample_block_hashes_present(&[first.hash, BlockHash([9; 32]), second.hash]));
    present.sort();
    assert_eq!(present, [first.hash, second.hash]);

    let quarantined = |storage: &Storage| {
        let scope = RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: false };
        read(storage, |tx| tx.sample_block_list_quarantined(&scope, &Page::first(10)))
    };
    assert_eq!(quarantined(storage), [third.clone()]);
    write(storage, |tx| tx.sample_block_set_standing(&third.hash, Standing::Accepted, None));
    assert_eq!(quarantined(storage), []);
}

fn photos_follow_their_manifest(storage: &Storage) {
    let world = world(storage);
    let test = field_test(50, id(999), world.tester.id, world.device.id);
    let (mut first, second) = (photo(60, &test), photo(61, &test));
    write(storage, |tx| {
        assert!(tx.photo_insert(&second)? && tx.photo_insert(&first)?);
        assert!(!tx.photo_insert(&first)?);
        Ok(())
    });
    let wanted =
        |limit| -> Vec<PhotoId> { read(storage, |tx| tx.photo_ids_wanted(world.tester.id, world.device.id, limit)) };
    assert_eq!(wanted(1), [first.id]);
    assert_eq!(wanted(10), [first.id, second.id]);
    first.state = PhotoState::Stored;
    first.object_key = Some("photos/09".to_owned());
    first.width = Some(4000);
    first.exif = Some(json!({"Make": "相机"}));
    first.stored_at = Some(at(70));
    write(storage, |tx| {
        assert!(tx.photo_lock(first.id)?.is_some());
        tx.photo_update(&first)
    });
    assert_eq!(wanted(10), [second.id]);
    assert_eq!(read(storage, |tx| tx.photo_by_id(first.id)).as_ref(), Some(&first));
    assert_eq!(read(storage, |tx| tx.photo_list_by_test(test.id)), [first.clone(), second.clone()]);
    assert_eq!(read(storage, |tx| tx.photo_list_by_work_order(test.work_order_id)).len(), 2);
    assert_eq!(read(storage, |tx| tx.photo_list_by_hash(&first.hash)), [first, second]);
}

fn uploads_move_forward_once(storage: &Storage) {
    let world = world(storage);
    let mut upload = PhotoUpload {
        photo_id: id(60),
        tester_id: world.tester.id,
        device_id: world.device.id,
        byte_length: 5_000_000_000,
        byte_offset: 0,
        metadata: "photo_id MDE5".to_owned(),
        parts: vec![],
        created_at: at(1),
        expires_at: at(100),
        version: 1,
    };
    assert!(write(storage, |tx| tx.photo_upload_insert(&upload)));
    assert!(!write(storage, |tx| tx.photo_upload_insert(&upload)));
    let stale = upload.clone();
    upload.byte_offset = 4_294_967_296;
    upload.parts =
        vec![UploadPart { object_key: "staging/60/0".to_owned(), byte_offset: 0, byte_length: 4_294_967_296 }];
    storage.write::<_, StorageError>("test", |tx| tx.photo_upload_update(&mut upload)).unwrap();
    assert!(matches!(
        storage.write("test", |tx| tx.photo_upload_update(&mut stale.clone())),
        Err(StorageError::Conflict { what: "photo upload" })
    ));
    assert_eq!(read(storage, |tx| tx.photo_upload_by_id(upload.photo_id)).as_ref(), Some(&upload));
    assert_eq!(read(storage, |tx| tx.photo_upload_list_expired(at(99), 10)), []);
    assert_eq!(read(storage, |tx| tx.photo_upload_list_expired(at(100), 10)), [upload.clone()]);
    assert!(write(storage, |tx| tx.photo_upload_delete(upload.photo_id)));
    assert!(!write(storage, |tx| tx.photo_upload_delete(upload.photo_id)));
    assert_eq!(write(storage, |tx| tx.photo_upload_lock(upload.photo_id)), None);
}

fn receipts_answer_repetitions_and_keep_what_was_rejected(storage: &Storage) {
    let world = world(storage);
    let receipt = |number, work_order_id, outcome: CommandResult| CommandReceipt {
        command_id: id(number),
        work_order_id,
        tester_id: world.tester.id,
        device_id: world.device.id,
        kind: "decline".to_owned(),
        body: CommandBody::Decline { reason: "太远 \"quoted\" \\u0000".to_owned() },
        digest: [4; 32],
        captured_at: at(1),
        received_at: at(number as i64),
        is_accepted: matches!(outcome, CommandResult::Accepted { .. }),
        outcome: outcome.into(),
    };
    let accepted = receipt(90, world.order.id, CommandResult::Accepted { state: WorkOrderState::Located, version: 7 });
    let rejected = receipt(91, world.order.id, CommandResult::Rejected { rejection: rejection() });
    let stray = receipt(92, id(999), CommandResult::Rejected { rejection: rejection() });
    write(storage, |tx| {
        for one in [&accepted, &rejected, &stray] {
            assert!(tx.command_receipt_insert(one)?);
        }
        assert!(!tx.command_receipt_insert(&accepted)?);
        Ok(())
    });
    let found = read(storage, |tx| tx.command_receipt_by_id(accepted.command_id)).unwrap();
    assert_eq!(found, accepted);
    assert_eq!(
        CommandResult::from(found.outcome),
        CommandResult::Accepted { state: WorkOrderState::Located, version: 7 }
    );
    assert!(matches!(rejected.outcome, ReceiptOutcome::Rejected { .. }));
    let ids: Vec<CommandId> = vec![stray.command_id, id(99), accepted.command_id];
    assert_eq!(read(storage, |tx| tx.command_receipt_list_by_ids(&ids)).len(), 2);
    assert_eq!(read(storage, |tx| tx.command_receipt_list_by_ids(&[])), []);
    assert_eq!(read(storage, |tx| tx.command_receipt_list_by_work_order(world.order.id)), [accepted, rejected.clone()]);
    let listed = |scope, page: &Page<CommandId>| read(storage, |tx| tx.command_receipt_list_rejected(&scope, page));
    assert_eq!(listed(RegionScope::All, &Page::first(1)), std::slice::from_ref(&stray));
    let second = Page { after: Some((stray.received_at, stray.command_id)), limit: 1 };
    assert_eq!(listed(RegionScope::All, &second), std::slice::from_ref(&rejected));
    let here = RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: false };
    assert_eq!(listed(here, &Page::first(10)), [rejected]);
}
