//! Dispatch as a dispatcher would choose: candidates, the second check, decline, reassign, and what counts in appraisals.

use super::support::{RawTester, assert_nothing_changes, assert_problem, command};
use callout_cli::desk::Desk;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::CommandResult;
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

/// A request that is answered with success.
#[track_caller]
pub fn done(desk: &Desk, method: &str, path: &str, body: &Value) -> Value {
    let answer = desk.try_json(method, path, body).unwrap();
    assert!((200..300).contains(&answer.status), "{method} {path} → {} {}", answer.status, answer.text());
    answer.json()
}

/// An administrator who signs in anew when the clock has moved on; first called before it does.
pub fn administrator(world: &World) -> Desk {
    world.user("administrator-2", "administrator", &world.regions)
}

/// Sets a policy for all regions.
#[track_caller]
pub fn policy(world: &World, kind: &str, document: Value) {
    let body = json!({ "document": document, "reason": "test" });
    done(&administrator(world), "PUT", &format!("/v1/policies/{kind}"), &body);
}

fn profile(world: &World, user: Uuid, body: &Value) -> Value {
    done(&world.admin, "PUT", &format!("/v1/users/{user}/profile"), body)
}

fn factor<'a>(candidate: &'a Value, kind: &str) -> &'a Value {
    candidate["factors"].as_array().unwrap().iter().find(|factor| factor["factor"] == kind).unwrap()
}

/// A junior T1 dispatcher of the first region.
fn junior(world: &World) -> Desk {
    let desk = world.user("t1-junior", "t1_dispatcher", &world.regions[..1]);
    profile(world, desk.user_id, &json!({ "seniority": "junior", "daily_capacity": 1 }));
    desk
}

world_tests! {
    /// Issue 3, dispatch: distance, skill, shift and load decide, reasons are shown in both languages, and the manual choice wins.
    fn candidates_are_ranked_with_reasons(world) {
        let (near, far) = (RawTester::new(world, "near"), RawTester::new(world, "far"));
        let away = RawTester::new(world, "away");
        // Monday morning; the complaint is a dropped call at home: VoLTE, indoors.
        let week = json!([{ "weekday": 1, "from": "08:30", "until": "17:30" }]);
        profile(world, near.user_id, &json!({
            "team": "一队", "seniority": "senior", "skills": ["volte", "indoor"], "daily_capacity": 4,
            "home": { "latitude": 37.31, "longitude": 103.53 }, "shifts": { "weekly": week },
        }));
        profile(world, far.user_id, &json!({
            "seniority": "junior", "skills": ["nr"], "daily_capacity": 4,
            "home": { "latitude": 37.9, "longitude": 103.9 }, "shifts": { "weekly": week },
        }));
        profile(world, away.user_id, &json!({
            "seniority": "senior", "skills": ["volte", "indoor"], "daily_capacity": 4,
            "home": { "latitude": 37.3, "longitude": 103.52 },
            "shifts": { "weekly": week, "exceptions": [{ "day": "2026-11-23", "kind": "leave" }] },
        }));
        let order = world.order_located();
        let path = format!("/v1/work-orders/{order}/candidates");
        let ranking: Value = world.t1().get(&path).unwrap();
        assert_eq!(ranking["skills"], json!(["volte", "indoor"]));
        let items = ranking["items"].as_array().unwrap();
        let ids: Vec<&str> = items.iter().map(|item| item["tester_id"].as_str().unwrap()).collect();
        assert_eq!(ids, [near.user_id, far.user_id, away.user_id].map(|id| id.to_string()), "who is on leave comes last");
        assert_eq!(items.iter().map(|item| item["rank"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(items[2]["is_available"], false);
        assert_eq!(factor(&items[0], "skill")["reason_zh"], "具备 VoLTE 语音、室内测试");
        assert_eq!(factor(&items[1], "skill")["reason"], "lacks volte, indoor");
        assert_eq!(factor(&items[2], "shift")["reason_zh"], "当前休假");
        for item in items {
            let sum: u64 = item["factors"].as_array().unwrap().iter().map(|factor| factor["points"].as_u64().unwrap()).sum();
            assert_eq!(item["score"].as_u64().unwrap(), sum, "the score is the sum of what is shown");
        }
        assert_eq!(world.t1().get::<Value>(&path).unwrap(), ranking, "the same again");

        // The manual choice wins, and the rank chosen is kept.
        world.t1().work_order_dispatch(order, far.user_id).unwrap();
        let dispatches: Value = world.t1().get(&format!("/v1/work-orders/{order}/dispatches")).unwrap();
        let dispatch = &dispatches["items"][0];
        assert_eq!((&dispatch["state"], &dispatch["candidate_rank"], &dispatch["candidate_count"]), (&json!("in_force"), &json!(2), &json!(3)));

        // The next order finds that tester with one in hand; weights are an administrator's.
        policy(world, "candidates", json!({ "distance_points": 0, "skill_points": 0, "load_points": 500 }));
        let next: Value = world.t1().get(&format!("/v1/work-orders/{}/candidates", world.order_located())).unwrap();
        let loaded = next["items"].as_array().unwrap().iter().find(|item| item["tester_id"] == far.user_id.to_string()).unwrap();
        assert_eq!(factor(loaded, "load")["points"], 375);
        assert_eq!(factor(loaded, "load")["reason_zh"], "在手 1 单，日容量 4 单");

        let foreign = world.foreign_desk("t1_dispatcher").send("GET", &path, &[], &[]).unwrap();
        assert_problem(&foreign, ProblemType::NotFound);
    }

    /// R-LOCATE-1: nobody is proposed for a place that nobody knows.
    fn an_order_without_a_place_has_no_candidates(world) {
        let complaint = world.customer_service().complaint_create(&world.complaint_body()).unwrap();
        let order = world.t1().complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        let answer = world.t1().send("GET", &format!("/v1/work-orders/{order}/candidates"), &[], &[]).unwrap();
        assert_problem(&answer, ProblemType::LocationMissing);
    }

    /// Profiles: a lead sets those of the own region, nobody the own one, and nonsense is refused by its field.
    fn profiles_are_the_leads_and_the_administrators(world) {
        let tester = RawTester::new(world, "tester-1");
        let path = format!("/v1/users/{}/profile", tester.user_id);
        let body = json!({ "seniority": "junior", "daily_capacity": 3 });
        let seen = done(&world.lead(), "PUT", &path, &body);
        assert_eq!((&seen["version"], &seen["seniority_zh"]), (&json!(1), &json!("初级")));
        let list: Value = world.t1().get(&format!("/v1/user-profiles?region_id={}", world.regions[0])).unwrap();
        assert!(list["items"].as_array().unwrap().iter().any(|item| item["daily_capacity"] == 3));
        let lead = world.lead();
        let own = format!("/v1/users/{}/profile", lead.user_id);
        assert_problem(&lead.try_json("PUT", &own, &body).unwrap(), ProblemType::Forbidden);
        let foreign = world.foreign_desk("regional_lead");
        assert_problem(&foreign.try_json("PUT", &path, &body).unwrap(), ProblemType::NotFound);
        for (bad, field) in [
            (json!({ "seniority": "junior", "daily_capacity": 0 }), "daily_capacity"),
            (json!({ "seniority": "wise", "daily_capacity": 1 }), "wise"),
            (json!({ "seniority": "junior", "daily_capacity": 1, "skills": ["juggling"] }), "juggling"),
            (json!({ "seniority": "junior", "daily_capacity": 1, "shifts": { "weekly": [{ "weekday": 8, "from": "08:00", "until": "09:00" }] } }), "weekday"),
            (json!({ "seniority": "junior", "daily_capacity": 1, "shifts": { "weekly": [{ "weekday": 1, "from": "8:00", "until": "09:00" }] } }), "time of day"),
            (json!({ "seniority": "junior", "daily_capacity": 1, "home": { "latitude": 91.0, "longitude": 0.0 } }), "home"),
        ] {
            let answer = lead.try_json("PUT", &path, &bad).unwrap();
            assert_problem(&answer, ProblemType::InvalidField);
            assert!(answer.text().contains(field), "{}", answer.text());
        }
        let seen: Value = lead.get(&path).unwrap();
        assert_eq!(seen["version"], 1, "nothing changed");
    }

    /// R-ROUTE-5: where the policy says so, a junior's dispatch waits for a senior; a stopped one counts.
    fn a_juniors_dispatch_is_checked(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let junior = junior(world);
        let free = world.order_located();
        assert_eq!(junior.work_order_dispatch(free, tester_id).unwrap().state, "dispatched", "no policy, no check");

        policy(world, "dispatch", json!({ "checks_junior_dispatch": true }));
        let order = world.order_located();
        let check = format!("/v1/work-orders/{order}/dispatch-check");
        assert_problem(
            &world.lead().try_json("POST", &check, &json!({ "approved": true })).unwrap(),
            ProblemType::IllegalTransition,
        );
        assert_eq!(junior.work_order_dispatch(order, tester_id).unwrap().state, "located", "it has not left");
        tester.sync();
        assert!(tester.phone.order(WorkOrderId(order)).is_err(), "nor reached the phone");
        let shown: Value = world.t1().get(&format!("/v1/work-orders/{order}")).unwrap();
        assert_eq!(shown["proposal"]["tester_id"], tester_id.to_string());
        assert_nothing_changes(world, || {
            let refused = |desk: &Desk, body: Value, problem| {
                assert_problem(&desk.try_json("POST", &check, &body).unwrap(), problem);
            };
            refused(&junior, json!({ "approved": true }), ProblemType::Forbidden);
            refused(&world.lead(), json!({ "approved": false }), ProblemType::InvalidField);
            refused(&world.foreign_desk("regional_lead"), json!({ "approved": true }), ProblemType::NotFound);
        });
        done(&world.lead(), "POST", &check, &json!({ "approved": false, "reason": "太远，派错片区" }));
        let marks: Value = world.desk("quality_control").get("/v1/appraisal-marks?kind=wrong_dispatch").unwrap();
        let mark = &marks["items"][0];
        assert_eq!((&mark["user_id"], &mark["reason"]), (&json!(junior.user_id), &json!("太远，派错片区")));
        assert_eq!((&mark["work_order_id"], &mark["kind_zh"]), (&json!(order), &json!("误派")));

        world.clock.advance_seconds(1);
        junior.work_order_dispatch(order, tester_id).unwrap();
        let approved = done(&world.t1(), "POST", &check, &json!({ "approved": true }));
        assert_eq!(approved["state"], "dispatched");
        assert_eq!(approved["proposal"], Value::Null);
        assert_eq!(tester.sync().orders_changed, 1, "now it is on the phone");
        let other = RawTester::new(world, "tester-2");
        let body = json!({ "tester_id": other.user_id, "reason": "ill" });
        let answer = junior.try_json("POST", &format!("/v1/work-orders/{order}/reassign"), &body).unwrap();
        assert_problem(&answer, ProblemType::Forbidden);
        let dispatches: Value = world.t1().get(&format!("/v1/work-orders/{order}/dispatches")).unwrap();
        let states: Vec<_> = dispatches["items"].as_array().unwrap().iter().map(|d| d["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["stopped", "in_force"]);
        assert_eq!(dispatches["items"][1]["checked_by"], json!(world.t1().user_id));
    }

    /// R-ROUTE-1, R-ROUTE-5: declined orders come back with the reason; a wrong dispatch counts when it is corrected.
    fn declines_and_wrong_dispatches_are_on_record(world) {
        let first = RawTester::new(world, "tester-1");
        let (second, third) = (RawTester::new(world, "tester-2"), RawTester::new(world, "tester-3"));
        let order = world.order_located();
        let path = format!("/v1/work-orders/{order}");
        world.lead().work_order_dispatch(order, first.user_id).unwrap();
        let decline = CommandBody::Decline { reason: "车坏了".into() };
        let results = first.commands(world, vec![command(world, WorkOrderId(order), decline)]);
        assert!(matches!(results[0], CommandResult::Accepted { .. }), "{results:?}");
        let shown: Value = world.t1().get(&path).unwrap();
        assert_eq!((&shown["state"], &shown["assigned_to"]), (&json!("located"), &Value::Null), "back at T1");
        assert_eq!(shown["declined"]["ended_reason"], "车坏了");
        let ranking: Value = world.t1().get(&format!("{path}/candidates")).unwrap();
        let last = ranking["items"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["tester_id"], &last["is_available"]), (&json!(first.user_id), &json!(false)));

        world.clock.advance_seconds(1);
        world.lead().work_order_dispatch(order, second.user_id).unwrap();
        let shown: Value = world.t1().get(&path).unwrap();
        assert_eq!(shown["declined"], Value::Null, "somebody was sent since");
        world.clock.advance_seconds(1);
        let body = json!({ "tester_id": third.user_id, "reason": "不会测 5G", "was_wrong": true });
        done(&world.t1(), "POST", &format!("{path}/reassign"), &body);
        let marks: Value = world.lead().get(&format!("/v1/appraisal-marks?user_id={}", world.lead().user_id)).unwrap();
        assert_eq!(marks["items"].as_array().unwrap().len(), 1);
        assert_eq!(marks["items"][0]["reason"], "不会测 5G");
        let foreign: Value = world.foreign_desk("quality_control").get("/v1/appraisal-marks").unwrap();
        assert_eq!(foreign["items"], json!([]), "another region's marks");
        let dispatches: Value = world.t1().get(&format!("{path}/dispatches")).unwrap();
        let states: Vec<_> = dispatches["items"].as_array().unwrap().iter().map(|d| d["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["declined", "reassigned", "in_force"]);
    }

    /// R-ROUTE-1, R-ROUTE-3, R-ROUTE-5: customer service asks the branch while it owns the order; a wrong addressee counts.
    fn the_branch_is_asked_and_answers(world) {
        let order = world.order_located();
        let (service, branch) = (world.customer_service(), world.desk("t2_branch_desk"));
        let questions = format!("/v1/work-orders/{order}/branch-questions");
        let ask = json!({ "question": "物业何时同意进场？" });
        assert_problem(&service.try_json("POST", &questions, &ask).unwrap(), ProblemType::IllegalTransition);
        let handoff = world.t1().handoff_create(order, "branch", "property access").unwrap();
        assert_problem(&service.try_json("POST", &questions, &json!({ "question": " " })).unwrap(), ProblemType::InvalidField);
        let asked = done(&service, "POST", &questions, &ask);
        let open: Value = branch.get("/v1/branch-questions").unwrap();
        assert_eq!(open["items"][0]["id"], asked["id"]);
        let answer = format!("/v1/branch-questions/{}/answer", asked["id"].as_str().unwrap());
        let foreign = world.foreign_desk("t2_branch_desk");
        assert_problem(&foreign.try_json("POST", &answer, &json!({ "answer": "x" })).unwrap(), ProblemType::NotFound);
        done(&branch, "POST", &answer, &json!({ "answer": "周三" }));
        assert_problem(&branch.try_json("POST", &answer, &json!({ "answer": "周四" })).unwrap(), ProblemType::IllegalTransition);
        let kept: Value = service.get(&questions).unwrap();
        assert_eq!((&kept["items"][0]["question"], &kept["items"][0]["answer"]), (&json!("物业何时同意进场？"), &json!("周三")));
        assert_eq!(branch.get::<Value>("/v1/branch-questions").unwrap()["items"], json!([]));

        branch.handoff_answer(handoff.id, "wrong_addressee", "这是维护室的事").unwrap();
        let marks: Value = world.desk("quality_control").get("/v1/appraisal-marks").unwrap();
        assert_eq!((&marks["items"][0]["kind"], &marks["items"][0]["user_id"]), (&json!("wrong_addressee"), &json!(world.t1().user_id)));
        assert_problem(&service.try_json("POST", &questions, &ask).unwrap(), ProblemType::IllegalTransition);
    }
}
