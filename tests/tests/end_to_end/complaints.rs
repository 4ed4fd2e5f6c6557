//! Complaints: idempotent by the caller's reference; contact data masked from whoever need not know (R-PRIVACY-1).

use super::support::assert_problem;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world_tests;
use serde_json::json;

world_tests! {
    /// R-INTAKE-1: the same content is the same complaint, another content under the same reference is refused.
    fn a_reference_is_used_once(world) {
        let desk = world.desk("integration_client");
        let body = world.complaint_body();
        let first = desk.try_json("POST", "/v1/complaints", &body).unwrap();
        assert_eq!(first.status, 201);
        let again = desk.try_json("POST", "/v1/complaints", &body).unwrap();
        assert_eq!(again.status, 200);
        assert_eq!(first.json()["id"], again.json()["id"]);
        let mut other = body.clone();
        other["description"] = json!("something else");
        assert_problem(&desk.try_json("POST", "/v1/complaints", &other).unwrap(), ProblemType::IdempotencyConflict);
        // References are each source's own.
        let elsewhere = world.customer_service().try_json("POST", "/v1/complaints", &other).unwrap();
        assert_eq!(elsewhere.status, 201);
    }

    /// R-INTAKE-2: only network complaints become work orders; classifying twice is refused.
    fn only_network_complaints_become_orders(world) {
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        let t1 = world.t1();
        let path = format!("/v1/complaints/{}/classify", complaint.id);
        assert_problem(&t1.try_json("POST", &path, &json!({ "class": "business" })).unwrap(), ProblemType::InvalidField);
        let answered = t1.complaint_answer_business(complaint.id, "explained").unwrap();
        assert!(answered.work_order_id.is_none());
        assert_problem(
            &t1.try_json("POST", &path, &json!({ "class": "network" })).unwrap(),
            ProblemType::IllegalTransition,
        );
        assert!(world.lead().work_order_list().unwrap().is_empty());
    }

    /// R-PRIVACY-1.
    fn contact_data_is_masked_from_those_who_need_it_not(world) {
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        world.t1().complaint_classify_network(complaint.id).unwrap();
        let (_, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        assert_eq!(world.customer_service().complaint_show(complaint.id).unwrap().customer.phone, "16900001234");
        for role in ["regional_lead", "quality_control", "auditor"] {
            let path = format!("/v1/work-orders/{order}");
            let text = world.desk(role).send("GET", &path, &[], &[]).unwrap().text();
            assert!(!text.contains("1690000123") && !text.contains("王澄"), "{role}: {text}");
        }
    }
}
