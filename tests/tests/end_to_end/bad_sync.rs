//! Bad sync messages, commands and blocks: typed outcomes, nothing changed, nothing captured lost.

use super::support::{RawTester, assert_nothing_changes, assert_problem, command, id, rejected};
use callout_sync_protocol::commands::{BlockCitation, CommandBody, ContactOutcome};
use callout_sync_protocol::frame::frame_encode;
use callout_sync_protocol::ids::{DeviceId, FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::{BlockHash, BlockHeader, Position, SampleColumns, block_seal};
use callout_sync_protocol::sync::{BlockResult, BlockUpload, SyncRequest};
use callout_sync_protocol::version::{MAX_BLOCKS, MAX_COMMANDS, MAX_FRAME_BYTES};
use callout_sync_protocol::work_orders::TimeWindow;
use callout_tests::phones::walk;
use callout_tests::world::{DeviceKeys, World};
use callout_tests::world_tests;

fn sealed(world: &World, device: &DeviceKeys, test: FieldTestId, sequence: u32) -> Vec<u8> {
    let samples = walk(9, Operator::ChinaMobile, 50, &world.clock);
    let columns = SampleColumns::from_samples(&samples).unwrap();
    let header = BlockHeader {
        field_test_id: test,
        device_id: DeviceId(device.device_id),
        operator: Operator::ChinaMobile,
        sequence,
        sample_count: 0,
    };
    block_seal(&header, &columns, &device.key).unwrap().into_bytes()
}

/// A frame that says zstd and holds this.
fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 1];
    frame.extend_from_slice(payload);
    frame
}

/// The tester took the order and began a test.
fn test_begun(world: &World, tester: &RawTester) -> (WorkOrderId, FieldTestId) {
    let order = world.order_dispatched(tester.user_id);
    let test: FieldTestId = id();
    let results = tester.commands(
        world,
        vec![
            command(world, order, CommandBody::Accept {}),
            command(world, order, CommandBody::TestBegin { field_test_id: test }),
        ],
    );
    assert!(
        results.iter().all(|result| !matches!(result, callout_sync_protocol::sync::CommandResult::Rejected { .. }))
    );
    (order, test)
}

world_tests! {
    /// Rubbish, truncation, bombs, other versions: a problem each, and the server goes on.
    fn bad_frames_are_typed_problems(world) {
        let tester = RawTester::new(world, "tester-1");
        world.order_dispatched(tester.user_id);
        let good = frame_encode(&tester.request(world));
        // 100 MiB of zeros in a few kilobytes.
        let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 19).unwrap();
        // Says that it is short, and is not.
        let mut liar = zstd::bulk::compress(&vec![0; 4 << 20], 3).unwrap();
        liar.truncate(liar.len() / 2);
        let mut trailing = good.clone();
        trailing.push(0);
        let mut future = good.clone();
        future[0] = 200;
        let mut flags = good.clone();
        flags[1] = 0x80;
        let many_commands: Vec<_> =
            (0..=MAX_COMMANDS).map(|_| command(world, id(), CommandBody::Accept {})).collect();
        let many_blocks: Vec<_> = (0..=MAX_BLOCKS)
            .map(|_| BlockUpload { work_order_id: id(), bytes: vec![1].into() })
            .collect();
        use ProblemType as P;
        let table = [
            ("empty", vec![], P::MalformedRequest),
            ("one byte", vec![1], P::MalformedRequest),
            ("rubbish", vec![0x55; 1_000], P::UnsupportedVersion),
            ("rubbish inside", [vec![1, 0], vec![0xFF; 500]].concat(), P::MalformedRequest),
            ("unknown flags", flags, P::MalformedRequest),
            ("a future version", future, P::UnsupportedVersion),
            ("cut off", good[..good.len() / 2].to_vec(), P::MalformedRequest),
            ("bytes behind it", trailing, P::MalformedRequest),
            ("not zstd", compressed(b"not zstd at all"), P::MalformedRequest),
            ("a zstd bomb", compressed(&bomb), P::TooLarge),
            ("a cut zstd frame", compressed(&liar), P::MalformedRequest),
            ("too many bytes", vec![1; MAX_FRAME_BYTES + 1], P::TooLarge),
            ("too many commands", frame_encode(&SyncRequest { commands: many_commands, ..tester.request(world) }), P::TooLarge),
            ("too many blocks", frame_encode(&SyncRequest { blocks: many_blocks, ..tester.request(world) }), P::TooLarge),
        ];
        assert_nothing_changes(world, || {
            for (name, frame, problem) in table {
                let answer = tester.post(&frame);
                let found = answer.problem().unwrap_or_else(|| panic!("{name}: {} {}", answer.status, answer.text()));
                assert_eq!(found.name(), problem.slug(), "{name}: {}", answer.text());
            }
            let answer = tester.desk.send("POST", "/v1/sync", &[("content-type", "application/json")], &good).unwrap();
            assert_problem(&answer, ProblemType::UnsupportedMediaType);
            // Another phone's name in one's own session.
            let stranger = SyncRequest { device_id: id(), ..tester.request(world) };
            assert_problem(&tester.post(&frame_encode(&stranger)), ProblemType::Forbidden);
        });
        // Every prefix and every flipped byte of a real message gets an answer that is no fault of the server's.
        for length in 0..good.len() {
            assert!(tester.post(&good[..length]).status < 500, "cut at {length}");
        }
        for place in 0..good.len() {
            let mut flipped = good.clone();
            flipped[place] ^= 0x5A;
            assert!(tester.post(&flipped).status < 500, "flipped at {place}");
        }
        assert_eq!(tester.post(&good).status, 200);
    }

    /// Commands that the rules refuse, with the rule's own name; the order stays as it was, the commands are kept.
    fn bad_commands_are_rejected_one_by_one(world) {
        let mut tester = RawTester::new(world, "tester-1");
        let stranger = RawTester::new(world, "tester-2");
        let (order, test) = test_begun(world, &tester);
        let before = world.lead().work_order_show(order.0).unwrap();
        let now = world.clock.time();
        let contact = |appointment, emergency_reason| CommandBody::Contact {
            outcome: ContactOutcome::Reached, appointment, emergency_reason, note: None,
        };
        let submit = |blocks| CommandBody::TestSubmit {
            field_test_id: test, blocks, photos: vec![], missing_operators: vec![],
        };
        let nowhere = Position { latitude_e6: 91_000_000, longitude_e6: 0, accuracy_m: None, is_mock: false };
        let backwards = TimeWindow { from: now.plus_seconds(60), until: now };
        use ProblemType as P;
        let table = [
            ("accepted already", order, CommandBody::Accept {}, P::IllegalTransition),
            ("a reached customer without appointment", order, contact(None, None), P::InvalidField),
            ("an appointment backwards", order, contact(Some(backwards), None), P::InvalidField),
            ("outside the earth", order, CommandBody::Arrive { position: nowhere }, P::InvalidField),
            ("arrival before contact", order, CommandBody::Arrive { position: Position { latitude_e6: 0, ..nowhere } }, P::IllegalTransition),
            ("another test", order, CommandBody::TestBegin { field_test_id: id() }, P::IllegalTransition),
            ("an empty reason", order, CommandBody::Decline { reason: "  ".into() }, P::InvalidField),
            ("a long reason", order, CommandBody::Decline { reason: "x".repeat(5_000) }, P::InvalidField),
            ("handed in from afar", order, submit(vec![]), P::IllegalTransition),
            ("an order that is nobody's", id(), CommandBody::Accept {}, P::NotFound),
        ];
        for (name, order, body, problem) in table {
            let results = tester.commands(world, vec![command(world, order, body)]);
            assert_eq!(rejected(&results[0]).problem, problem, "{name}: {results:?}");
        }
        let results = stranger.commands(world, vec![command(world, order, CommandBody::Accept {})]);
        assert_eq!(rejected(&results[0]).problem, P::NotAssigned, "another tester's order");
        // R-CONTACT-1: at noon, without an emergency.
        world.clock.set("2026-11-23T04:30:00Z".parse().unwrap());
        tester.renew(world, "tester-1");
        let window = TimeWindow { from: world.clock.time().plus_seconds(60), until: world.clock.time().plus_seconds(120) };
        let results = tester.commands(world, vec![command(world, order, contact(Some(window), None))]);
        assert_eq!(rejected(&results[0]).problem, P::CustomerRestHours);
        let after = world.lead().work_order_show(order.0).unwrap();
        assert_eq!((after.state, after.version), (before.state, before.version), "nothing changed");
        let kept = world.lead().quarantine_list().unwrap();
        assert!(kept.len() >= 10, "every rejected command of the region is kept and visible: {}", kept.len());
    }

    /// Blocks that are not this phone's seal on this test: refused or quarantined, never evidence.
    fn bad_blocks_are_refused_or_kept_apart(world) {
        let tester = RawTester::new(world, "tester-1");
        let (order, test) = test_begun(world, &tester);
        let refusal = |bytes: Vec<u8>| match tester.block(world, order, bytes) {
            BlockResult::Refused { rejection } => rejection.problem,
            other => panic!("not refused: {other:?}"),
        };
        let good = sealed(world, &tester.device, test, 0);
        assert_eq!(refusal(b"rubbish".to_vec()), ProblemType::BlockInvalid);
        assert_eq!(refusal(vec![]), ProblemType::BlockInvalid);
        assert_eq!(refusal(good[..good.len() - 1].to_vec()), ProblemType::SignatureInvalid);
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        assert_eq!(refusal(flipped), ProblemType::SignatureInvalid);
        let thief = DeviceKeys { device_id: tester.device.device_id, ..DeviceKeys::new() };
        assert_eq!(refusal(sealed(world, &thief, test, 0)), ProblemType::SignatureInvalid);
        let elsewhere = DeviceKeys::new();
        assert_eq!(refusal(sealed(world, &elsewhere, test, 0)), ProblemType::SignatureInvalid);
        assert!(world.field_test(order).blocks.is_empty(), "none of it is there");

        assert_eq!(tester.block(world, order, good.clone()), BlockResult::Stored {});
        assert_eq!(tester.block(world, order, good.clone()), BlockResult::Stored {}, "again: the same outcome");
        assert_eq!(world.field_test(order).blocks.len(), 1, "once");
        // Somebody else's order: the bytes are facts, so they are kept, but not as evidence (R-TEST-5).
        let other = RawTester::new(world, "tester-2");
        let result = other.block(world, order, sealed(world, &other.device, id(), 0));
        assert!(matches!(&result, BlockResult::Quarantined { rejection } if rejection.problem == ProblemType::NotAssigned), "{result:?}");
        let accepted: Vec<_> = world
            .lead()
            .field_test_list(order.0)
            .unwrap()
            .into_iter()
            .flat_map(|test| test.blocks)
            .filter(|block| block.standing == "accepted")
            .collect();
        assert_eq!(accepted.len(), 1);
    }

    /// A test that cites a block which never arrived says so to the lead.
    fn a_cited_block_that_is_missing_is_shown(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 20);
        tester.sync();
        assert!(world.field_test(order).missing_blocks.is_empty());

        let raw = RawTester::new(world, "tester-2");
        let (order, test) = test_begun(world, &raw);
        let now = world.clock.time();
        let cite = |operator| BlockCitation { operator, sequence: 0, hash: BlockHash([operator as u8; 32]), sample_count: 10 };
        let window = TimeWindow { from: now.plus_seconds(60), until: now.plus_seconds(600) };
        let results = raw.commands(world, vec![
            command(world, order, CommandBody::Contact { outcome: ContactOutcome::Reached, appointment: Some(window), emergency_reason: None, note: None }),
            command(world, order, CommandBody::Arrive { position: callout_tests::phones::PLACE }),
            command(world, order, CommandBody::FindingsRecord { field_test_id: test, findings: callout_tests::phones::findings("weak") }),
            command(world, order, CommandBody::TestSubmit {
                field_test_id: test, blocks: Operator::REQUIRED.map(cite).to_vec(), photos: vec![], missing_operators: vec![],
            }),
        ]);
        assert!(matches!(results[3], callout_sync_protocol::sync::CommandResult::Accepted { .. }), "{results:?}");
        let test = world.field_test(order);
        assert_eq!(test.missing_blocks.len(), 3);
        let error = world.lead().field_test_approve(test.id, "a", "b", "optimise").unwrap_err();
        assert_eq!(error.problem(), Some("evidence-missing"), "nothing is approved on evidence that nobody has: {error}");
    }
}
