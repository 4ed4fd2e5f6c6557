//! Sync under bad weather and changing assignments: nothing captured is lost, nothing happens twice.

use super::support::{RawTester, command, rejected};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{Change, CommandResult, SyncRequest};
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};
use callout_tests::phones::Weather;
use callout_tests::world_tests;

world_tests! {
    /// The answer is lost, the phone sends all of it again: one effect, nothing twice.
    fn a_lost_answer_changes_nothing(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 300);
        tester.network.weather = Weather::RequestsLost;
        assert!(tester.try_sync().is_err());
        tester.network.weather = Weather::AnswersLost;
        for _ in 0..3 {
            assert!(tester.try_sync().is_err());
        }
        let after_lost = world.lead().work_order_timeline(order.0).unwrap().len();
        tester.network.weather = Weather::Fair;
        let summary = tester.sync();
        assert_eq!((summary.commands_rejected, summary.blocks_refused, summary.blocks_quarantined), (0, 0, 0));
        let timeline = world.lead().work_order_timeline(order.0).unwrap();
        let of_photo = timeline.iter().filter(|entry| entry.action.contains("photo")).count();
        assert!(timeline.len() - after_lost <= of_photo, "the commands had their effect at the first arrival");
        let test = world.field_test(order);
        assert_eq!(test.blocks.iter().map(|block| block.sample_count).sum::<u64>(), 900);
        assert_eq!(test.photos.len(), 1);
    }

    /// R-TEST-5: what the first tester captured meanwhile is kept and visible; the order leaves that phone.
    fn a_reassigned_order_leaves_and_its_captures_stay(world) {
        let (mut first, first_id) = world.tester("tester-1");
        let (mut second, second_id) = world.tester("tester-2");
        let order = world.order_dispatched(first_id);
        first.sync();
        first.visit(order);
        first.capture(order, Operator::ChinaMobile, 7, 500);
        world.t1().work_order_reassign(order.0, second_id, "too many orders").unwrap();

        let summary = first.sync();
        assert_eq!(summary.orders_left, 1);
        assert!(summary.commands_rejected > 0);
        let local = first.phone.order(order).unwrap();
        assert!(!local.is_in_scope);
        assert_eq!(local.left_reason, Some(LeftReason::Reassigned));
        assert!(local.view.customer.phone.is_empty(), "contact data leaves the phone with the order (R-PRIVACY-1)");
        assert!(!first.phone.set_aside().unwrap().commands.is_empty());

        let kept = world.lead().quarantine_list().unwrap();
        assert!(kept.iter().any(|thing| thing.work_order_id == Some(order.0)), "{kept:?}");
        let tests = world.lead().field_test_list(order.0).unwrap();
        let quarantined: u64 =
            tests.iter().flat_map(|test| &test.blocks).filter(|b| b.standing == "quarantined").map(|b| b.sample_count).sum();
        assert_eq!(quarantined, 500, "every sample is with the server");
        let test = tests.iter().find(|test| !test.blocks.is_empty()).unwrap();
        let csv = world.lead().field_test_samples(test.id, "china_mobile").unwrap();
        assert_eq!(csv.lines().count(), 501, "and can be looked at");

        assert_eq!(second.sync().orders_changed, 1);
        second.work(order, 100);
        assert_eq!(second.sync().commands_rejected, 0);
        assert_eq!(world.lead().work_order_show(order.0).unwrap().state, "submitted");
    }

    /// Idempotence: the same id again gets the same outcome; the same id with other content is told apart.
    fn a_repeated_command_has_one_effect(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let accept = command(world, order, CommandBody::Accept {});
        let first = tester.commands(world, vec![accept.clone()]);
        let timeline = world.lead().work_order_timeline(order.0).unwrap().len();
        let again = tester.commands(world, vec![accept.clone(), accept.clone()]);
        assert_eq!(again, vec![first[0].clone(), first[0].clone()]);
        assert_eq!(world.lead().work_order_timeline(order.0).unwrap().len(), timeline);

        let other = Command { body: CommandBody::Decline { reason: "far away".into() }, ..accept };
        let results = tester.commands(world, vec![other]);
        assert_eq!(rejected(&results[0]).problem, ProblemType::IdempotencyConflict);
        assert_eq!(world.lead().work_order_show(order.0).unwrap().state, "accepted");
    }

    /// The cursor: changes come once, a phone that lost its cursor gets all of them, entering and leaving are changes.
    fn the_feed_tells_every_change_once(world) {
        let tester = RawTester::new(world, "tester-1");
        let orders: Vec<_> = (0..5).map(|_| world.order_dispatched(tester.user_id)).collect();
        let page = tester.sync(&SyncRequest { max_changes: 2, ..tester.request(world) });
        assert_eq!((page.changes.len(), page.has_more), (2, true));
        let rest = tester.sync(&SyncRequest { cursor: Some(page.cursor), ..tester.request(world) });
        assert_eq!((rest.changes.len(), rest.has_more), (3, false));
        let nothing = tester.sync(&SyncRequest { cursor: Some(rest.cursor), ..tester.request(world) });
        assert_eq!((nothing.changes.len(), nothing.cursor), (0, rest.cursor));

        world.t1().work_order_withdraw(orders[1].0, "the customer called it off").unwrap();
        let left = tester.sync(&SyncRequest { cursor: Some(rest.cursor), ..tester.request(world) });
        assert_eq!(left.changes, vec![Change::Left { id: orders[1], reason: LeftReason::Withdrawn }]);
    }

    /// Commands of one request are judged one by one, each on what the one before it left.
    fn commands_are_judged_in_their_order(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let results = tester.commands(world, vec![
            command(world, order, CommandBody::PhotoConsent { granted: true }),
            command(world, order, CommandBody::Accept {}),
            command(world, order, CommandBody::Accept {}),
            command(world, order, CommandBody::PhotoConsent { granted: true }),
        ]);
        assert_eq!(rejected(&results[0]).problem, ProblemType::IllegalTransition);
        assert!(matches!(results[1], CommandResult::Accepted { state: WorkOrderState::Accepted, .. }));
        assert_eq!(rejected(&results[2]).problem, ProblemType::IllegalTransition);
        assert!(matches!(results[3], CommandResult::Accepted { .. }));
        let kept = world.lead().quarantine_list().unwrap();
        assert_eq!(kept.len(), 2, "rejected commands are kept and visible: {kept:?}");
    }
}
