//! What the desks may do when: illegal transitions, missing facts, regions.

use super::support::{assert_nothing_changes, assert_problem};
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world_tests;
use serde_json::{Value, json};

world_tests! {
    /// Every transition that a state does not allow is refused with its name, and changes nothing.
    fn illegal_transitions_are_refused(world) {
        let (_, tester_id) = world.tester("tester-1");
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        let t1 = world.t1();
        let order = t1.complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        let path = |what: &str| format!("/v1/work-orders/{order}/{what}");
        assert_nothing_changes(world, || {
            let refused = |desk: &callout_cli::desk::Desk, what: &str, body, problem| {
                assert_problem(&desk.try_json("POST", &path(what), &body).unwrap(), problem);
            };
            // R-LOCATE-1: nobody is sent to a place that nobody knows.
            refused(&t1, "dispatch", json!({ "tester_id": tester_id }), ProblemType::LocationMissing);
            refused(&t1, "reassign", json!({ "tester_id": tester_id, "reason": "x" }), ProblemType::IllegalTransition);
            refused(
                &t1,
                "locate",
                json!({ "address": "somewhere", "position": { "latitude": 37.3, "longitude": 103.5 } }),
                ProblemType::LocationMissing,
            );
            refused(&t1, "replies", json!({ "kind": "final", "outcome": "unresolved", "body": "no" }), ProblemType::IllegalTransition);
            refused(&t1, "revisits", json!({ "what_was_done": "nothing" }), ProblemType::IllegalTransition);
        });
    }

    /// R-LOCATE-2: what the analysis looked at stays on the complaint, and what is not said anew stays as it was.
    fn the_analysis_is_kept_with_the_complaint(world) {
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        let t1 = world.t1();
        let order = t1.complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        let locate = |body: Value| {
            let answer = t1.try_json("POST", &format!("/v1/work-orders/{order}/locate"), &body).unwrap();
            assert!((200..300).contains(&answer.status), "{}", answer.text());
            let seen: Value = t1.get(&format!("/v1/complaints/{}", complaint.id)).unwrap();
            ["symptom", "occurs", "neighbours_affected", "generation"].map(|field| seen[field].clone())
        };
        let position = json!({ "latitude": 37.53, "longitude": 103.53 });
        let first = json!({
            "address": "港湾一路12号", "position": position, "occurs": "每晚八点后", "neighbours_affected": true, "generation": "5g",
        });
        let looked_at = [json!("call_drop"), json!("每晚八点后"), json!(true), json!("5g")];
        assert_eq!(locate(first), looked_at);
        let corrected = json!({ "address": "港湾一路14号", "position": position });
        assert_eq!(locate(corrected), looked_at, "a better address takes nothing else away");
    }

    /// R-LOCATE-1: a place outside every region is nobody's.
    fn a_place_outside_all_regions_is_refused(world) {
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        let order = world.t1().complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        let error = world.t1().work_order_locate(order, "港湾一路12号", 10.0, 10.0).unwrap_err();
        assert!(matches!(error.problem(), Some("location-missing" | "invalid-field")), "{error}");
    }

    /// An order goes to testers of its region only.
    fn a_tester_of_another_region_is_refused(world) {
        let foreign = world.foreign_desk("field_tester");
        let order = world.order_located();
        assert_nothing_changes(world, || {
            let error = world.t1().work_order_dispatch(order, foreign.user_id).unwrap_err();
            assert!(matches!(error.problem(), Some("invalid-field" | "not-found" | "forbidden")), "{error}");
            let error = world.t1().work_order_dispatch(order, world.lead().user_id).unwrap_err();
            assert!(matches!(error.problem(), Some("invalid-field")), "a lead is no tester: {error}");
        });
    }

    /// Region scope: for a desk of another region, the order does not exist.
    fn a_foreign_region_sees_nothing(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 20);
        tester.sync();
        let test = world.field_test(order);
        assert_nothing_changes(world, || {
            let lead = world.foreign_desk("regional_lead");
            for path in [
                format!("/v1/work-orders/{order}"),
                format!("/v1/work-orders/{order}/timeline"),
                format!("/v1/work-orders/{order}/field-tests"),
                format!("/v1/work-orders/{order}/ladder"),
                format!("/v1/field-tests/{}", test.id),
                format!("/v1/field-tests/{}/samples?operator=china_mobile", test.id),
                format!("/v1/photos/{}", test.photos[0].id),
                format!("/v1/photos/{}/thumbnail", test.photos[0].id),
            ] {
                assert_problem(&lead.send("GET", &path, &[], &[]).unwrap(), ProblemType::NotFound);
            }
            assert!(lead.work_order_list().unwrap().is_empty());
            assert!(lead.quarantine_list().unwrap().is_empty());
            for (role, method, path, body) in [
                ("regional_lead", "POST", format!("/v1/field-tests/{}/review", test.id), json!({ "decision": "send_back", "reasons": ["x"] })),
                ("regional_lead", "PUT", format!("/v1/work-orders/{order}/ladder/1"), json!({ "outcome": "skipped", "reason": "x" })),
                ("regional_lead", "POST", format!("/v1/work-orders/{order}/revisits"), json!({ "what_was_done": "x" })),
                ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/reassign"), json!({ "tester_id": tester_id, "reason": "x" })),
                ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/withdraw"), json!({ "reason": "x" })),
                ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/handoffs"), json!({ "target": "branch", "demand": "x" })),
                ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/replies"), json!({ "kind": "stage", "body": "x", "next_step": "y" })),
            ] {
                let answer = world.foreign_desk(role).try_json(method, &path, &body).unwrap();
                assert_problem(&answer, ProblemType::NotFound);
            }
        });
    }
}
