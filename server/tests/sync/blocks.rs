//! Blocks: kept once, counted only where they belong, refused only when this phone did not seal them.

use super::fixture::{Office, Phone, START, upload, walk};
use callout_storage::{Page, RegionScope, Standing};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::{BlockHeader, SampleColumns, SampleKpis, block_hash, block_seal};
use callout_sync_protocol::sync::{BlockResult, BlockUpload};
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::Signer;

fn quarantined(result: &BlockResult) -> ProblemType {
    match result {
        BlockResult::Quarantined { rejection } => rejection.problem,
        other => panic!("not quarantined: {other:?}"),
    }
}

fn refused(result: &BlockResult) -> ProblemType {
    match result {
        BlockResult::Refused { rejection } => rejection.problem,
        other => panic!("not refused: {other:?}"),
    }
}

fn begun(office: &Office, phone: &mut Phone) -> (WorkOrderId, FieldTestId) {
    let order = office.order_dispatched(phone);
    let test = office.id();
    phone.sync(office, office.visit(order, test), vec![]);
    (order, test)
}

#[test]
fn a_block_is_kept_byte_by_byte_with_its_figures() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test) = begun(&office, &mut phone);
    let block = office.block(&phone, test, Operator::ChinaMobile, 3, 500);
    assert_eq!(phone.block_result(&office, upload(order, block.clone())), BlockResult::Stored {});
    assert_eq!(phone.block_result(&office, upload(order, block.clone())), BlockResult::Stored {});
    let rows = office.read(|tx| tx.sample_block_list_by_test(test));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].hash, rows[0].sequence, rows[0].sample_count), (block.hash(), 3, 500));
    assert_eq!(office.read(|tx| tx.sample_block_bytes(&block.hash())).as_deref(), Some(block.as_bytes()));
    let kpis: SampleKpis = serde_json::from_value(rows[0].kpi.clone()).unwrap();
    assert_eq!(kpis.total().samples, 500);
    assert_eq!(rows[0].captured_from.unix_millis(), START.parse::<Timestamp>().unwrap().unix_millis() + 180_000);
}

#[test]
fn what_this_phone_did_not_seal_is_refused_and_not_kept() {
    let office = Office::open();
    let (mut phone, other) = (office.phone(), office.phone());
    let (order, test) = begun(&office, &mut phone);
    let good = office.block(&phone, test, Operator::ChinaMobile, 0, 50).into_bytes();
    let raw = |bytes: Vec<u8>| BlockUpload { work_order_id: order, bytes: bytes.into() };
    assert_eq!(refused(&phone.block_result(&office, raw(vec![]))), ProblemType::BlockInvalid);
    assert_eq!(refused(&phone.block_result(&office, raw(b"rubbish".to_vec()))), ProblemType::BlockInvalid);
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert_eq!(refused(&phone.block_result(&office, raw(flipped))), ProblemType::SignatureInvalid);
    let anothers = office.block(&other, test, Operator::ChinaMobile, 0, 50).into_bytes();
    assert_eq!(refused(&phone.block_result(&office, raw(anothers))), ProblemType::SignatureInvalid);
    assert_eq!(office.read(|tx| tx.sample_block_list_by_test(test)), vec![]);
}

#[test]
fn a_sealed_block_that_cannot_be_read_is_kept_apart() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test) = begun(&office, &mut phone);
    // Sealed by the phone's own key over damaged samples.
    let mut bytes = office.block(&phone, test, Operator::ChinaMobile, 0, 50).into_bytes();
    bytes.truncate(bytes.len() - 64 - 20);
    let mut message = b"callout sample block v1\n".to_vec();
    message.extend_from_slice(blake3::hash(&bytes).as_bytes());
    bytes.extend_from_slice(&phone.key.sign(&message).to_bytes());
    let hash = block_hash(&bytes);
    let result = phone.block_result(&office, BlockUpload { work_order_id: order, bytes: bytes.clone().into() });
    assert_eq!(quarantined(&result), ProblemType::BlockInvalid);
    assert_eq!(office.read(|tx| tx.sample_block_bytes(&hash)), Some(bytes));
}

#[test]
fn what_came_before_its_test_was_known_counts_from_then_on() {
    let office = Office::open();
    let mut phone = office.phone();
    let order = office.order_dispatched(&phone);
    let test: FieldTestId = office.id();
    let block = office.block(&phone, test, Operator::ChinaMobile, 0, 50);
    // The second request overtakes the first.
    assert_eq!(quarantined(&phone.block_result(&office, upload(order, block.clone()))), ProblemType::NotFound);
    let stub = office.read(|tx| tx.field_test_by_id(test)).unwrap();
    assert_eq!((stub.standing, stub.work_order_id), (Standing::Quarantined, order));
    let answer = phone.sync(&office, office.visit(order, test), vec![upload(order, block)]);
    assert_eq!(answer.block_outcomes[0].result, BlockResult::Stored {});
    assert_eq!(office.read(|tx| tx.field_test_by_id(test)).unwrap().standing, Standing::Accepted);
    assert_eq!(office.read(|tx| tx.sample_block_list_by_test(test))[0].standing, Standing::Accepted);
}

#[test]
fn what_was_captured_after_a_reassignment_is_kept_but_is_no_evidence() {
    let office = Office::open();
    let (mut first, mut second) = (office.phone(), office.phone());
    // One whose test had begun here, one whose beginning comes too late.
    let (known, known_test) = begun(&office, &mut first);
    let (late, late_test) = (office.order_dispatched(&first), office.id());
    office.reassign(known, &second);
    office.reassign(late, &second);
    let blocks = vec![
        upload(known, office.block(&first, known_test, Operator::ChinaMobile, 0, 60)),
        upload(late, office.block(&first, late_test, Operator::ChinaMobile, 0, 70)),
    ];
    let answer = first.sync(&office, office.visit(late, late_test), blocks);
    for outcome in &answer.block_outcomes {
        assert_eq!(quarantined(&outcome.result), ProblemType::NotAssigned, "R-TEST-5");
    }
    let kept = office.read(|tx| tx.sample_block_list_quarantined(&RegionScope::All, &Page::first(10)));
    assert_eq!(kept.iter().map(|block| block.sample_count).sum::<u32>(), 130);
    // The second tester's work is not touched by it.
    let test = office.id();
    let (commands, blocks) = office.work(&second, late, test);
    let answer = second.sync(&office, commands, blocks);
    assert!(answer.block_outcomes.iter().all(|outcome| outcome.result == BlockResult::Stored {}));
    assert_eq!(office.order(late).field_test_id, Some(test));
    // The first tester's stray test cannot become the order's.
    let again =
        first.sync(&office, office.commands(late, [CommandBody::TestBegin { field_test_id: late_test }]), vec![]);
    assert_eq!(super::fixture::rejection(&again.outcomes[0].result).problem, ProblemType::NotAssigned);
}

#[test]
fn blocks_of_unknown_orders_foreign_tests_and_other_orders_are_kept_apart() {
    let office = Office::open();
    let (mut phone, mut other) = (office.phone(), office.phone());
    let (order, test) = begun(&office, &mut phone);
    let (second_order, _) = begun(&office, &mut phone);
    let nowhere: WorkOrderId = office.id();
    let block = |phone: &Phone, sequence| office.block(phone, test, Operator::ChinaUnicom, sequence, 20);
    let unknown = office.block(&phone, office.id(), Operator::ChinaUnicom, 0, 20);
    assert_eq!(quarantined(&phone.block_result(&office, upload(nowhere, unknown))), ProblemType::NotFound);
    let misplaced = upload(second_order, block(&phone, 1));
    assert_eq!(quarantined(&phone.block_result(&office, misplaced)), ProblemType::InvalidField);
    let foreign = upload(order, block(&other, 2));
    assert_eq!(quarantined(&other.block_result(&office, foreign)), ProblemType::NotAssigned);
    assert_eq!(phone.block_result(&office, upload(order, block(&phone, 3))), BlockResult::Stored {});
}

#[test]
fn a_declined_test_keeps_its_late_blocks_as_evidence_until_somebody_else_has_the_order() {
    let office = Office::open();
    let (mut phone, second) = (office.phone(), office.phone());
    let order = office.order_dispatched(&phone);
    let test = office.id();
    let bodies = [
        CommandBody::Accept {},
        CommandBody::TestBegin { field_test_id: test },
        CommandBody::Decline { reason: "ill".into() },
    ];
    phone.sync(&office, office.commands(order, bodies), vec![]);
    let block = |sequence| upload(order, office.block(&phone, test, Operator::ChinaMobile, sequence, 20));
    let (early, late) = (block(0), block(1));
    assert_eq!(phone.block_result(&office, early), BlockResult::Stored {});
    office.dispatch(order, &second);
    assert_eq!(quarantined(&phone.block_result(&office, late)), ProblemType::NotAssigned);
}

#[test]
fn the_largest_block_and_many_blocks_are_taken() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test) = begun(&office, &mut phone);
    let header = BlockHeader {
        field_test_id: test,
        device_id: phone.caller.device_id,
        operator: Operator::ChinaTelecom,
        sequence: 0,
        sample_count: 65_536,
    };
    let samples = walk(START.parse::<Timestamp>().unwrap().unix_millis(), 65_536);
    let big = block_seal(&header, &SampleColumns::from_samples(&samples).unwrap(), &phone.key).unwrap();
    let mut blocks = vec![upload(order, big)];
    blocks.extend((0..255).map(|i| upload(order, office.block(&phone, test, Operator::ChinaMobile, i, 5))));
    let answer = phone.sync(&office, vec![], blocks);
    assert!(answer.block_outcomes.iter().all(|outcome| outcome.result == BlockResult::Stored {}));
    assert_eq!(office.read(|tx| tx.sample_block_list_by_test(test)).len(), 256);
}
