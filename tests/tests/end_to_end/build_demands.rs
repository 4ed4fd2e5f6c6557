//! The ladder as data, demands to the board, its weekly meetings (R-LADDER-1…3, R-LIMIT-2).

use super::support::{assert_nothing_changes, assert_problem};
use callout_cli::desk::{Answer, Desk};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

/// An order with an approved test.
fn approved_order(world: &World, name: &str) -> WorkOrderId {
    let (mut tester, tester_id) = world.tester(name);
    let order = world.order_dispatched(tester_id);
    tester.sync();
    tester.work(order, 60);
    tester.sync();
    world.lead().field_test_approve(world.field_test(order).id, "reset", "a site", "build").unwrap();
    order
}

/// The first nine steps are spent, and the complaint is returned as unresolved.
fn unresolved_order(world: &World, name: &str) -> WorkOrderId {
    let order = approved_order(world, name);
    world.t1().reply_unresolved(order.0, "needs a site").unwrap();
    for step in 1..=9 {
        world.lead().ladder_record(order.0, step, "not_enough", "CR-1", "measured again").unwrap();
    }
    order
}

fn demand_body() -> Value {
    json!({ "demand": "a new site on the hill", "shareable_resources": "a tower 300 m north 铁塔" })
}

fn file(world: &World, order: WorkOrderId, body: &Value) -> Answer {
    world.lead().try_json("POST", &format!("/v1/work-orders/{order}/build-demands"), body).unwrap()
}

fn filed(world: &World, order: WorkOrderId) -> Value {
    let answer = file(world, order, &demand_body());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.read().unwrap()
}

fn get(desk: &Desk, path: &str) -> Value {
    desk.send("GET", path, &[], &[]).unwrap().accepted().unwrap().read().unwrap()
}

fn decide(world: &World, demand: &Value, decision: &str) -> Answer {
    let path = format!("/v1/build-demands/{}/decision", demand["id"].as_str().unwrap());
    let body = json!({ "decision": decision, "reason": "the cluster grows" });
    world.desk("quality_control").try_json("POST", &path, &body).unwrap()
}

/// Moves the world's clock to an instant.
fn go_to(world: &World, at: &Value) {
    let at: Timestamp = at.as_str().unwrap().parse().unwrap();
    world.clock.advance_seconds(at.micros_since(world.clock.time()) / 1_000_000 + 1);
}

world_tests! {
    /// R-LADDER-2, R-LADDER-3: building is proposed only when the first nine steps are spent and the handling has ended.
    fn a_demand_is_filed_only_when_everything_else_is_spent(world) {
        let order = approved_order(world, "tester-1");
        assert_nothing_changes(world, || {
            assert_problem(&file(world, order, &demand_body()), ProblemType::RungSkipped);
        });
        for step in 1..=9 {
            world.lead().ladder_record(order.0, step, "ruled_out", "CR-1", "cannot help here").unwrap();
        }
        assert_nothing_changes(world, || {
            assert_problem(&file(world, order, &demand_body()), ProblemType::IllegalTransition);
        });
        world.t1().reply_unresolved(order.0, "needs a site").unwrap();
        assert_nothing_changes(world, || {
            for (field, value) in [
                ("demand", json!(" ")),
                ("shareable_resources", json!("")),
                ("position", json!({ "latitude": 91.0, "longitude": 0.0 })),
                ("field_tests", json!([Uuid::from_u128(7)])),
                ("affected_customers", json!(99)),
            ] {
                let mut body = demand_body();
                body[field] = value;
                let answer = file(world, order, &body);
                assert!(matches!(answer.status, 400 | 422), "{field}: {} {}", answer.status, answer.text());
            }
        });
        let demand = filed(world, order);
        assert_eq!(demand["state"], "filed");
        assert_eq!(demand["affected_customers"], 1, "the one who complained");
        assert_eq!(demand["field_tests"].as_array().unwrap().len(), 1, "the approved test shows the need");
        assert_problem(&file(world, order, &demand_body()), ProblemType::AlreadyExists);
        let foreign = world.foreign_desk("regional_lead");
        for path in [
            format!("/v1/build-demands/{}", demand["id"].as_str().unwrap()),
            format!("/v1/work-orders/{order}/build-demands"),
            format!("/v1/review-meetings/{}", demand["review_meeting_id"].as_str().unwrap()),
        ] {
            assert_problem(&foreign.send("GET", &path, &[], &[]).unwrap(), ProblemType::NotFound);
        }
        assert_eq!(get(&foreign, "/v1/build-demands")["items"], json!([]));
        assert_eq!(get(&foreign, "/v1/review-meetings")["items"], json!([]));
    }

    /// R-LADDER-3, R-LIMIT-2: filed this week, heard in the next week's meeting, whose agenda draws itself up.
    fn the_weekly_meeting_hears_what_was_filed(world) {
        // Made while the administrator's own sign-in is young.
        world.desk("auditor");
        // Monday 23 November 2026; the meeting is on Thursday of the next week at 14:30 in China.
        let (first, second) = (unresolved_order(world, "tester-1"), unresolved_order(world, "tester-2"));
        let (one, two) = (filed(world, first), filed(world, second));
        assert_eq!(one["meeting_starts_at"], "2026-12-03T06:30:00.000000Z");
        assert_eq!(two["review_meeting_id"], one["review_meeting_id"], "one meeting a week");
        // Two customers complained at this place (R-LADDER-3).
        assert_eq!((&one["affected_customers"], &two["affected_customers"]), (&json!(2), &json!(2)));
        let quality = world.desk("quality_control");
        let meeting_path = format!("/v1/review-meetings/{}", one["review_meeting_id"].as_str().unwrap());
        let meeting = get(&quality, &meeting_path);
        assert_eq!((&meeting["state"], &meeting["agenda_at"]), (&json!("planned"), &json!("2026-12-02T06:30:00.000000Z")));
        assert_problem(&decide(world, &one, "accept"), ProblemType::IllegalTransition);

        world.run_due();
        assert_eq!(get(&quality, &meeting_path)["state"], "planned", "not yet");
        go_to(world, &meeting["agenda_at"]);
        world.run_due();
        let quality = world.desk("quality_control");
        let meeting = get(&quality, &meeting_path);
        assert_eq!(meeting["state"], "agenda_set");
        let states: Vec<&str> =
            meeting["demands"].as_array().unwrap().iter().map(|demand| demand["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["on_agenda", "on_agenda"]);
        assert_problem(&decide(world, &one, "accept"), ProblemType::IllegalTransition);

        go_to(world, &meeting["starts_at"]);
        let close = |minutes: &str| {
            let body = json!({ "minutes": minutes });
            world.desk("quality_control").try_json("POST", &format!("{meeting_path}/close"), &body).unwrap()
        };
        assert_problem(&close("too early"), ProblemType::IllegalTransition);
        let accepted: Value = decide(world, &one, "accept").accepted().unwrap().read().unwrap();
        assert_eq!((&accepted["state"], &accepted["decisions"][0]["decision"]), (&json!("accepted"), &json!("accept")));
        assert_problem(&decide(world, &one, "reject"), ProblemType::IllegalTransition);
        let deferred: Value = decide(world, &two, "defer").accepted().unwrap().read().unwrap();
        assert_eq!((&deferred["state"], &deferred["deferred_count"]), (&json!("deferred"), &json!(1)));
        assert_eq!(deferred["meeting_starts_at"], "2026-12-10T06:30:00.000000Z", "a week later");
        assert_problem(&close(" "), ProblemType::InvalidField);
        let closed: Value = close("five people, two demands").accepted().unwrap().read().unwrap();
        assert_eq!((&closed["state"], &closed["minutes"]), (&json!("closed"), &json!("five people, two demands")));
        assert_eq!(closed["decisions"].as_array().unwrap().len(), 2, "what it deferred stands in its minutes, too");
        assert_problem(&close("again"), ProblemType::IllegalTransition);

        // The next meeting: rejected; another demand may be filed then.
        go_to(world, &deferred["meeting_starts_at"]);
        world.run_due();
        assert_problem(&file(world, second, &demand_body()), ProblemType::AlreadyExists);
        let rejected: Value = decide(world, &two, "reject").accepted().unwrap().read().unwrap();
        assert_eq!((&rejected["state"], rejected["decisions"].as_array().unwrap().len()), (&json!("rejected"), 2));
        let again = filed(world, second);
        assert_ne!(again["number"], two["number"]);
        let listed = get(&world.desk("auditor"), "/v1/build-demands?state=rejected");
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let of_order = get(&world.lead(), &format!("/v1/work-orders/{second}/build-demands"));
        assert_eq!(of_order["items"].as_array().unwrap().len(), 2);
        let actions: Vec<String> =
            world.lead().work_order_timeline(second.0).unwrap().into_iter().map(|event| event.action).collect();
        for action in ["build_demand_filed", "build_demand_on_agenda", "build_demand_decided"] {
            assert!(actions.iter().any(|known| known == action), "{action}: {actions:?}");
        }
    }

    /// R-LADDER-1, R-LADDER-2: the ladder is data; an order keeps the one with which its climb began.
    fn an_order_keeps_the_ladder_with_which_it_began(world) {
        let begun = approved_order(world, "tester-1");
        world.lead().ladder_record(begun.0, 1, "not_enough", "CR-1", "measured").unwrap();
        let mut document = get(&world.admin, "/v1/policies/ladder")["document"].clone();
        let lte = document["ladders"].as_array().unwrap().iter().position(|ladder| ladder["technology"] == "lte").unwrap();
        document["ladders"][lte]["steps"][0]["key"] = json!("coverage_check");
        document["ladders"][lte]["steps"][0]["name_zh"] = json!("覆盖核查");
        document["ladders"][lte]["steps"][0]["evidence"] = json!({ "kinds": ["field_test"], "at_least": 1 });
        let set = |document: &Value| {
            let body = json!({ "document": document, "reason": "a test" });
            world.admin.try_json("PUT", "/v1/policies/ladder", &body).unwrap()
        };
        assert_eq!(set(&document).status, 200);
        let old = get(&world.lead(), &format!("/v1/work-orders/{begun}/ladder"));
        assert_eq!((&old["steps"][0]["key"], &old["technology"]), (&json!("parameters"), &json!("lte")));
        world.lead().ladder_record(begun.0, 2, "not_enough", "CR-2", "measured").unwrap();

        let fresh = approved_order(world, "tester-2");
        let new = get(&world.lead(), &format!("/v1/work-orders/{fresh}/ladder"));
        assert_eq!((&new["steps"][0]["key"], &new["steps"][0]["evidence_kinds"]), (&json!("coverage_check"), &json!(["field_test"])));
        let refused = world.lead().ladder_record(fresh.0, 1, "not_enough", "CR-1", "measured").unwrap_err();
        assert_eq!(refused.problem(), Some("ladder-evidence-missing"), "a document alone shows nothing here");
        let test = world.field_test(fresh).id;
        let body = json!({
            "outcome": "not_enough", "reason": "measured",
            "evidence": [{ "kind": "reference", "value": "CR-1" }, { "kind": "field_test", "value": test }],
        });
        let path = format!("/v1/work-orders/{fresh}/ladder/1");
        assert_eq!(world.lead().try_json("PUT", &path, &body).unwrap().status, 200);
        document["ladders"][lte]["steps"].as_array_mut().unwrap().pop();
        assert_problem(&set(&document), ProblemType::InvalidField);
    }
}
