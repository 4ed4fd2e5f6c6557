//! The story of issue 2 from the complaint to the closed ticket, on both databases, with real phones over real HTTP.

use callout_sync_protocol::work_orders::WorkOrderState;
use callout_tests::world::World;
use callout_tests::world_tests;

fn actions(world: &World, order: uuid::Uuid) -> Vec<String> {
    let timeline = world.lead().work_order_timeline(order).unwrap();
    for (place, entry) in timeline.iter().enumerate() {
        assert_eq!(entry.number, place as u64 + 1, "the trail has no gap (R-AUDIT-1)");
    }
    timeline.into_iter().map(|entry| entry.action).collect()
}

/// The path of the customer's page in a one-time link.
fn path_of(url: &str) -> &str {
    &url[url.find("/r/").expect("a link to the customer's page")..]
}

world_tests! {
    /// R-INTAKE-1 … R-RETURN-3: sent back once, handed over, unresolved, ticket, ladder, revisit, closed.
    fn a_complaint_becomes_a_closed_ticket(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        assert_eq!(tester.sync().orders_changed, 1);
        tester.work(order, 600);

        let summary = tester.sync();
        assert_eq!(summary.rounds, 1, "one round trip carries commands and samples");
        assert_eq!((summary.commands_rejected, summary.blocks_stored, summary.photos_stored), (0, 3, 1));
        let (lead, t1, t2) = (world.lead(), world.t1(), world.desk("t2_branch_desk"));
        let test = world.field_test(order);
        assert_eq!(test.operators.len(), 3, "three operators side by side (R-TEST-1)");
        assert_eq!(test.blocks.iter().map(|block| block.sample_count).sum::<u64>(), 1_800);
        assert!(test.missing_blocks.is_empty());
        let csv = lead.field_test_samples(test.id, "china_unicom").unwrap();
        assert_eq!(csv.lines().count(), 601, "a title and every sample");

        lead.field_test_send_back(test.id, &["add a photo of the site"]).unwrap();
        tester.sync();
        let view = tester.phone.order(order).unwrap().view;
        assert_eq!((view.state, view.return_reasons.len()), (WorkOrderState::SentBack, 1), "R-REVIEW-1");
        tester.photo(order, 2);
        tester.phone.submit(order, Vec::new()).unwrap();
        tester.sync();
        lead.field_test_approve(world.field_test(order).id, "down-tilt", "turn the antenna", "optimise").unwrap();
        assert_eq!(lead.work_order_show(order.0).unwrap().state, "approved");

        let handoff = t1.handoff_create(order.0, "branch", "property access").unwrap();
        assert_eq!(lead.work_order_show(order.0).unwrap().state, "handed_over", "R-ROUTE-2");
        t2.handoff_answer(handoff.id, "not_possible", "no access yet").unwrap();
        t1.reply_stage(order.0, "tested on site", "talking with the property management").unwrap();
        let ticket = t1.reply_unresolved(order.0, "needs antenna work").unwrap().tracking_ticket_id.unwrap();
        assert_eq!(lead.tracking_ticket_show(ticket).unwrap().state, "open", "R-RETURN-2");
        assert_eq!(lead.work_order_show(order.0).unwrap().state, "unresolved");

        let steps = lead.ladder_show(order.0).unwrap();
        assert_eq!(steps.len(), 12, "R-LADDER-1");
        assert_eq!(
            lead.ladder_record(order.0, 10, "not_enough", "PLAN-1", "build").unwrap_err().problem(),
            Some("rung-skipped"),
            "R-LADDER-2"
        );
        for step in 1..=9 {
            let outcome = if step == 9 { "solved" } else { "not_enough" };
            lead.ladder_record(order.0, step, outcome, "CR-1", "done").unwrap();
        }
        let revisit = lead.revisit_create(order.0, "the antenna was turned").unwrap();
        let url = revisit.url.unwrap();
        let path = path_of(&url);
        let page = world.http.send("GET", path, &[("accept-language", "zh-CN")], &[]).unwrap();
        assert_eq!((page.status, page.content_type.as_str()), (200, "text/html"));
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = world.http.send("POST", path, &form, b"solved=yes&score=9&words=good").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(lead.tracking_ticket_show(ticket).unwrap().state, "closed", "R-RETURN-3");
        assert_eq!(world.http.send("POST", path, &form, b"solved=no&score=1").unwrap().status, 410, "one time only");

        let actions = actions(world, order.0);
        assert!(actions.len() >= 20, "every step leaves an event (R-AUDIT-1): {actions:?}");
    }

    /// R-RETURN-3, R-RETURN-4: the customer's no reopens the order and counts; the customer's yes resolves it.
    fn a_denied_return_reopens_and_counts(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 50);
        tester.sync();
        let (lead, service) = (world.lead(), world.customer_service());
        lead.field_test_approve(world.field_test(order).id, "parameters", "watch", "optimise").unwrap();

        let first = lead.revisit_create(order.0, "parameters adjusted").unwrap();
        service.revisit_record(first.id, false, 2, "still bad").unwrap();
        let view = lead.work_order_show(order.0).unwrap();
        assert_eq!((view.state.as_str(), view.false_return_count), ("approved", 1));

        let second = world.t1().revisit_create(order.0, "adjusted again").unwrap();
        service.revisit_record(second.id, true, 8, "good now").unwrap();
        assert_eq!(lead.work_order_show(order.0).unwrap().state, "resolved");
    }
}
