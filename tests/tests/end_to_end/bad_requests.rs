//! Bad JSON requests: each gets a typed problem that names what is wrong, and changes nothing.

use super::support::{assert_nothing_changes, assert_problem};
use callout_cli::desk::JSON;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world_tests;
use serde_json::{Value, json};

/// A JSON text that nests so deep that a naive reader overflows its stack.
fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

world_tests! {
    /// Whatever is wrong with a body, the problem says so.
    fn malformed_bodies_are_typed_problems(world) {
        world.order_located();
        let desk = world.customer_service();
        let whole = world.complaint_body();
        let with = |field: &str, value: Value| {
            let mut body = whole.clone();
            body[field] = value;
            body.to_string().into_bytes()
        };
        let without = |field: &str| {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(field);
            body.to_string().into_bytes()
        };
        use ProblemType as P;
        let table: Vec<(&str, Vec<u8>, P)> = vec![
            ("empty", vec![], P::MalformedRequest),
            ("not JSON", b"{".to_vec(), P::MalformedRequest),
            ("rubbish", vec![0xFF, 0x00, 0x80], P::MalformedRequest),
            ("two documents", b"{}{}".to_vec(), P::InvalidField),
            ("too deep", deep(100_000).into_bytes(), P::InvalidField),
            ("not an object", b"[]".to_vec(), P::InvalidField),
            ("null", b"null".to_vec(), P::InvalidField),
            ("unknown field", with("surprise", json!(1)), P::InvalidField),
            ("missing field", without("customer"), P::InvalidField),
            ("wrong type", with("description", json!(7)), P::InvalidField),
            ("unknown name", with("symptom", json!("too_quiet")), P::InvalidField),
            ("unknown channel", with("channel", json!("pigeon")), P::InvalidField),
            ("empty text", with("description", json!("   ")), P::InvalidField),
            ("zero character", with("description", json!("a\0b")), P::InvalidField),
            ("long text", with("description", json!("x".repeat(4_001))), P::InvalidField),
            ("long reference", with("reference", json!("x".repeat(500))), P::InvalidField),
            ("no telephone number", with("customer", json!({ "name": "测试", "phone": "<script>" })), P::InvalidField),
            ("unknown field inside", with("customer", json!({ "name": "a", "phone": "123456", "id": 1 })), P::InvalidField),
            ("latitude", with("position", json!({ "latitude": 91.0, "longitude": 0.0 })), P::InvalidField),
            ("longitude", with("position", json!({ "latitude": 0.0, "longitude": 1e300 })), P::InvalidField),
            ("no instant", with("received_at", json!("yesterday")), P::InvalidField),
            ("the future", with("received_at", json!("2127-01-01T00:00:00Z")), P::InvalidField),
            ("too large", with("description", json!("x".repeat(300 * 1024))), P::TooLarge),
        ];
        assert_nothing_changes(world, || {
            for (name, body, problem) in table {
                let answer = desk.send("POST", "/v1/complaints", &[JSON], &body).unwrap();
                let found = answer.problem().unwrap_or_else(|| panic!("{name}: {} {}", answer.status, answer.text()));
                // Which of the two it is, a reader of JSON decides where syntax ends and meaning begins.
                let is_body_problem = |p: P| matches!(p, P::MalformedRequest | P::InvalidField);
                let is_expected = found.name() == problem.slug()
                    || is_body_problem(problem) && matches!(found.name(), "malformed-request" | "invalid-field");
                assert!(is_expected, "{name}: {}", answer.text());
                assert_eq!(answer.status, found.status, "{name}");
                assert!(answer.status < 500, "{name}");
            }
            let text = [("content-type", "text/plain")];
            let answer = desk.send("POST", "/v1/complaints", &text, whole.to_string().as_bytes()).unwrap();
            assert_problem(&answer, ProblemType::UnsupportedMediaType);
            let answer = desk.send("POST", "/v1/complaints", &[], whole.to_string().as_bytes()).unwrap();
            assert_problem(&answer, ProblemType::UnsupportedMediaType);
        });
        // A field that is to blame is named.
        let answer = desk.send("POST", "/v1/complaints", &[JSON], &with("description", json!(""))).unwrap();
        assert!(answer.problem().unwrap().detail.contains("description"), "{}", answer.text());
    }

    /// Every desk route that takes a body refuses unknown fields, wrong types and rubbish.
    fn every_route_with_a_body_refuses_rubbish(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 20);
        tester.sync();
        let test = world.field_test(order).id;
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap().id;
        let order = order.0;
        let routes = [
            ("t1_dispatcher", "POST", format!("/v1/complaints/{complaint}/classify")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/locate")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/dispatch")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/reassign")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/withdraw")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/handoffs")),
            ("t1_dispatcher", "POST", format!("/v1/work-orders/{order}/replies")),
            ("regional_lead", "POST", format!("/v1/work-orders/{order}/revisits")),
            ("regional_lead", "PUT", format!("/v1/work-orders/{order}/ladder/1")),
            ("regional_lead", "POST", format!("/v1/field-tests/{test}/review")),
            ("administrator", "POST", "/v1/users".to_owned()),
            ("administrator", "POST", "/v1/regions".to_owned()),
        ];
        assert_nothing_changes(world, || {
            for (role, method, path) in &routes {
                let desk = world.desk(role);
                for body in ["", "{", "7", "\"x\"", "{\"surprise\": true}", "{\"reason\": {\"a\": 1}, \"surprise\": []}"] {
                    let answer = desk.send(method, path, &[JSON], body.as_bytes()).unwrap();
                    let problem = answer.problem().unwrap_or_else(|| panic!("{method} {path} {body}: {}", answer.text()));
                    assert!(
                        matches!(problem.name(), "malformed-request" | "invalid-field"),
                        "{method} {path} {body}: {}", answer.text()
                    );
                }
            }
        });
    }

    /// Queries, too.
    fn bad_queries_are_typed_problems(world) {
        for path in [
            "/v1/work-orders?surprise=1",
            "/v1/work-orders?limit=many",
            "/v1/work-orders?after=rubbish",
            "/v1/complaints?after=AAAA",
            "/v1/quarantine?limit=-1",
        ] {
            let answer = world.lead().send("GET", path, &[], &[]).unwrap();
            assert_problem(&answer, ProblemType::InvalidField);
        }
    }

    /// What an administrator may get wrong.
    fn bad_administration_is_refused(world) {
        let create = |body: Value| world.admin.try_json("POST", "/v1/users", &body).unwrap();
        let user = |name: &str, password: &str, roles: Value| json!({
            "user_name": name, "display_name": "x", "password": password, "roles": roles,
        });
        assert_problem(&create(user("a b", "long enough password", json!(["auditor"]))), ProblemType::InvalidField);
        assert_problem(&create(user("short", "short", json!(["auditor"]))), ProblemType::InvalidField);
        assert_problem(&create(user("nobody", "long enough password", json!([]))), ProblemType::InvalidField);
        assert_problem(&create(user("nobody", "long enough password", json!(["king"]))), ProblemType::InvalidField);
        assert_problem(&create(user("admin", "long enough password", json!(["auditor"]))), ProblemType::AlreadyExists);
        let region = |geometry: Value, offset: i64| {
            let body = json!({
                "type": "Feature", "geometry": geometry, "properties": { "name": "R", "utc_offset_minutes": offset },
            });
            world.admin.try_json("POST", "/v1/regions", &body).unwrap()
        };
        let ring = |points: Value| json!({ "type": "Polygon", "coordinates": [points] });
        for (name, answer) in [
            ("a point", region(json!({ "type": "Point", "coordinates": [1.0, 2.0] }), 480)),
            ("two corners", region(ring(json!([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])), 480)),
            ("outside the earth", region(ring(json!([[0.0, 0.0], [1.0, 0.0], [1.0, 100.0], [0.0, 0.0]])), 480)),
            ("no zone", region(ring(json!([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])), 100_000)),
            ("empty", region(json!({ "type": "Polygon", "coordinates": [] }), 480)),
        ] {
            let problem = answer.problem().unwrap_or_else(|| panic!("{name}: {} {}", answer.status, answer.text()));
            assert!(matches!(problem.name(), "invalid-field" | "malformed-request"), "{name}: {}", answer.text());
        }
    }

    /// R-REVISIT-1: what customers, and those who are not customers, may send to the one page.
    fn bad_answers_to_the_customers_page_change_nothing(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 20);
        tester.sync();
        let lead = world.lead();
        lead.field_test_approve(world.field_test(order).id, "a", "b", "optimise").unwrap();
        let url = lead.revisit_create(order.0, "done").unwrap().url.unwrap();
        let path = &url[url.find("/r/").unwrap()..];
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_nothing_changes(world, || {
            for body in ["", "solved=maybe&score=5", "solved=yes&score=0", "solved=yes&score=11", "solved=yes", "%%%"] {
                let answer = world.http.send("POST", path, &form, body.as_bytes()).unwrap();
                assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
            }
            let wrong = world.http.send("POST", "/r/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &form, b"solved=yes&score=9");
            assert!(matches!(wrong.unwrap().status, 404 | 410));
        });
        world.clock.advance_seconds(30 * 86_400);
        let late = world.http.send("POST", path, &form, b"solved=yes&score=9").unwrap();
        assert_eq!(late.status, 410, "R-REVISIT-1: a link does not live for ever");
    }
}
