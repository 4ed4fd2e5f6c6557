//! Seeing the whole: sites and outages, clusters, the supervision list, early warnings (R-SUPERVISE-1, R-SUPERVISE-2, R-WARN-1).

use super::support::assert_problem;
use callout_cli::desk::Desk;
use callout_mobile_sdk::capture::Source;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::phones::{PLACE, findings, walk};
use callout_tests::world::{ROLES, World};
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

fn put(desk: &Desk, path: &str, body: &Value) -> Value {
    desk.try_json("PUT", path, body).unwrap().accepted().unwrap().json()
}

fn get(desk: &Desk, path: &str) -> Value {
    desk.send("GET", path, &[], &[]).unwrap().accepted().unwrap().json()
}

fn items(desk: &Desk, path: &str) -> Vec<Value> {
    get(desk, path)["items"].as_array().unwrap().clone()
}

fn site(code: &str, north_m: f64, is_key: bool, plan: &str) -> Value {
    json!({
        "code": code, "name": format!("站 {code}"), "kind": "macro", "is_key": is_key, "plan": plan,
        "position": { "latitude": PLACE.latitude() + north_m / 111_195.0, "longitude": PLACE.longitude() },
    })
}

/// A complaint so many metres north of the place, classified; its id.
fn complaint_at(world: &World, north_m: f64, symptom: &str) -> Uuid {
    let mut body = world.complaint_body();
    body["symptom"] = json!(symptom);
    body["position"] = json!({ "latitude": PLACE.latitude() + north_m / 111_195.0, "longitude": PLACE.longitude() });
    world.customer_service().complaint_create(&body).unwrap().id
}

/// Everybody who is needed later, since the administrator's sign-in does not last.
fn everybody(world: &World) {
    ROLES.iter().for_each(|role| drop(world.desk(role)));
    ["quality_control", "regional_lead"].iter().for_each(|role| drop(world.foreign_desk(role)));
}

/// Lets so many hours go by and does what came due meanwhile.
fn hours_pass(world: &World, hours: i64) {
    world.clock.set(world.clock.time().plus_seconds(3_600 * hours));
    world.run_due();
}

world_tests! {
    /// R-SUPERVISE-2: pushing sites and outages is idempotent; 48 hours without a break are flagged, key sites first.
    fn r_supervise_2_sites_down_are_flagged_with_their_complaints(world) {
        everybody(world);
        let (qc, system) = (world.desk("quality_control"), world.desk("integration_client"));
        let sites = json!({ "items": [site("A1", 0.0, false, "none"), site("A2", 300.0, true, "none"), site("A3", 90_000.0, true, "none")] });
        assert_eq!(put(&system, "/v1/sites", &sites), json!({ "created": 3, "changed": 0, "unchanged": 0 }));
        assert_eq!(put(&system, "/v1/sites", &sites), json!({ "created": 0, "changed": 0, "unchanged": 3 }));
        let key = json!({ "items": [site("A3", 90_000.0, false, "none")] });
        assert_eq!(put(&world.admin, "/v1/sites", &key), json!({ "created": 0, "changed": 1, "unchanged": 0 }));
        assert_eq!(items(&qc, "/v1/sites?is_key=true").len(), 1);

        let began = world.clock.time();
        let outage = |reference: &str, code: &str, ended: Option<String>| {
            json!({ "items": [{ "reference": reference, "site_code": code, "cause": "停电 power", "began_at": began.to_string(), "ended_at": ended }] })
        };
        for code in ["A1", "A2"] {
            let push = outage(&format!("alarm-{code}"), code, None);
            assert_eq!(put(&system, "/v1/site-outages", &push)["created"], 1);
            assert_eq!(put(&system, "/v1/site-outages", &push)["unchanged"], 1);
        }
        for metres in [0.0, 10.0] {
            complaint_at(world, metres, "no_signal");
        }
        hours_pass(world, 48);
        let qc = world.desk("quality_control");
        assert!(items(&qc, "/v1/sites/down?flagged=true").is_empty(), "48 hours are not more than 48 hours");
        hours_pass(world, 1);
        let (qc, system) = (world.desk("quality_control"), world.desk("integration_client"));
        let down = items(&qc, "/v1/sites/down?flagged=true");
        let told: Vec<_> = down
            .iter()
            .map(|down| (down["site"]["code"].as_str().unwrap(), down["down_hours"].as_i64().unwrap(), down["complaint_count"].as_u64().unwrap()))
            .collect();
        assert_eq!(told, vec![("A2", 49, 2), ("A1", 49, 2)], "key sites first");
        assert!(items(&world.foreign_desk("quality_control"), "/v1/sites/down").is_empty());

        // Another system saw the outage end, and its repetition of the beginning comes late.
        let ended = began.plus_seconds(40 * 3_600).to_string();
        assert_eq!(put(&system, "/v1/site-outages", &outage("alarm-A2", "A2", Some(ended)))["changed"], 1);
        assert_eq!(put(&system, "/v1/site-outages", &outage("alarm-A2", "A2", None))["unchanged"], 1);
        let down = items(&qc, "/v1/sites/down");
        assert_eq!(down.len(), 1);
        assert_eq!(down[0]["site"]["code"], "A1");

        // Nothing of a push with a fault is kept.
        let bad = json!({ "items": [site("B1", 0.0, false, "none"), site("B1", 0.0, false, "none")] });
        assert_problem(&system.try_json("PUT", "/v1/sites", &bad).unwrap(), ProblemType::InvalidField);
        let unknown = outage("alarm-9", "nothing", None);
        assert_problem(&system.try_json("PUT", "/v1/site-outages", &unknown).unwrap(), ProblemType::InvalidField);
        assert_eq!(items(&qc, "/v1/sites").len(), 3);
    }

    /// R-SUPERVISE-1: a faulty site with clustered complaints enters the list and stays until a person clears it with a reason.
    fn r_supervise_1_a_faulty_site_with_a_crowd_stays_until_cleared(world) {
        everybody(world);
        let system = world.desk("integration_client");
        put(&system, "/v1/sites", &json!({ "items": [site("A1", 200.0, false, "none"), site("P1", 400.0, false, "planned_build"), site("P2", 40_000.0, true, "relocation")] }));
        let began = world.clock.time();
        put(&system, "/v1/site-outages", &json!({ "items": [{ "reference": "1", "site_code": "A1", "began_at": began.to_string() }] }));
        complaint_at(world, 0.0, "no_signal");
        complaint_at(world, 100.0, "weak_signal");
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        assert!(items(&qc, "/v1/complaint-clusters").is_empty(), "two are no crowd");
        assert!(items(&qc, "/v1/supervision-entries").is_empty());

        complaint_at(world, 200.0, "call_drop");
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        let clusters = items(&qc, "/v1/complaint-clusters?state=active");
        assert_eq!(clusters.len(), 1);
        assert_eq!(clusters[0]["complaint_count"], 3);
        let entries = items(&qc, "/v1/supervision-entries?state=listed");
        assert_eq!(entries.len(), 1);
        assert_eq!((&entries[0]["reason"], &entries[0]["site"]["code"]), (&json!("faulty_site"), &json!("A1")));
        // R-SUPERVISE-2: the plan inside the crowd is pushed, the far one is not.
        let plans = items(&qc, "/v1/sites/plans-in-clusters");
        assert_eq!(plans.len(), 1);
        assert_eq!((&plans[0]["site"]["code"], &plans[0]["cluster_id"]), (&json!("P1"), &clusters[0]["id"]));

        // The crowd grows and keeps its identity; the entry is the same.
        complaint_at(world, 300.0, "no_data");
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        let grown = items(&qc, "/v1/complaint-clusters?state=active");
        assert_eq!((grown.len(), &grown[0]["id"], &grown[0]["complaint_count"]), (1, &clusters[0]["id"], &json!(4)));
        let again = items(&qc, "/v1/supervision-entries");
        assert_eq!((again.len(), &again[0]["id"], &again[0]["complaint_count"]), (1, &entries[0]["id"], &json!(4)));
        let shown = get(&qc, &format!("/v1/complaint-clusters/{}", grown[0]["id"].as_str().unwrap()));
        assert_eq!(shown["complaints"].as_array().unwrap().len(), 4);

        let entry = entries[0]["id"].as_str().unwrap();
        let path = format!("/v1/supervision-entries/{entry}/clear");
        let clear = |desk: &Desk, why: &str| desk.try_json("POST", &path, &json!({ "what_cleared_it": why })).unwrap();
        assert_problem(&clear(&qc, "I say so"), ProblemType::IllegalTransition);
        assert_problem(&clear(&world.lead(), "I say so"), ProblemType::Forbidden);
        assert_problem(&clear(&world.foreign_desk("quality_control"), "x"), ProblemType::NotFound);
        // The fault ends: the entry stays, since nobody has cleared it.
        let ended = world.clock.time();
        put(&world.desk("integration_client"), "/v1/site-outages", &json!({ "items": [{ "reference": "1", "site_code": "A1", "began_at": began.to_string(), "ended_at": ended.to_string() }] }));
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        let listed = items(&qc, "/v1/supervision-entries?state=listed");
        assert_eq!((listed.len(), &listed[0]["is_cause_standing"]), (1, &json!(false)));
        assert_problem(&clear(&qc, "  "), ProblemType::InvalidField);
        assert_eq!(clear(&qc, "power is back").accepted().unwrap().json()["state"], "cleared");
        assert_eq!(clear(&qc, "power is back").accepted().unwrap().json()["what_cleared_it"], "power is back");
        assert!(items(&qc, "/v1/supervision-entries?state=listed").is_empty());
        let actions: Vec<_> = get(&qc, &format!("/v1/supervision-entries/{entry}"))["history"]
            .as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect();
        assert_eq!(actions, ["supervision_listed", "supervision_cause_ended", "supervision_cleared"]);

        // Two weeks later the crowd is gone.
        hours_pass(world, 15 * 24);
        let gone = items(&world.desk("quality_control"), "/v1/complaint-clusters");
        assert_eq!((gone.len(), &gone[0]["state"], &gone[0]["id"]), (1, &json!("dissolved"), &clusters[0]["id"]));
    }

    /// R-WARN-1: a rise above base × factor and the floor is drafted, looked at, published to those who may read it, and recovers.
    fn r_warn_1_a_rise_is_drafted_reviewed_published_and_recovers(world) {
        everybody(world);
        // One complaint in the half-year before, so that the base is not zero.
        complaint_at(world, 0.0, "slow_data");
        hours_pass(world, 72);
        for _ in 0..5 {
            complaint_at(world, 5_000.0, "slow_data");
        }
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        assert!(items(&qc, "/v1/warnings").is_empty(), "five are at the floor");
        complaint_at(world, 9_000.0, "slow_data");
        hours_pass(world, 1);
        world.run_due();
        let qc = world.desk("quality_control");
        let warnings = items(&qc, "/v1/warnings");
        assert_eq!(warnings.len(), 1);
        let warning = &warnings[0];
        assert_eq!((&warning["state"], &warning["level"], &warning["complaint_count"]), (&json!("draft"), &json!("severe"), &json!(6)));
        let path = |what: &str| format!("/v1/warnings/{}/{what}", warning["id"].as_str().unwrap());
        let lead = world.lead();
        let publish = json!({ "recipients": [lead.user_id] });
        assert_problem(&qc.try_json("POST", &path("publish"), &publish).unwrap(), ProblemType::IllegalTransition);
        assert_problem(&world.t1().try_json("POST", &path("review"), &json!({ "note": "x" })).unwrap(), ProblemType::Forbidden);
        qc.post::<Value>(&path("review"), &json!({ "note": "a core router" })).unwrap();
        for stranger in [world.foreign_desk("regional_lead").user_id, world.customer_service().user_id, Uuid::nil()] {
            let answer = qc.try_json("POST", &path("publish"), &json!({ "recipients": [stranger] })).unwrap();
            assert_problem(&answer, ProblemType::InvalidField);
        }
        let published: Value = qc.post(&path("publish"), &publish).unwrap();
        assert_eq!((&published["state"], &published["recipients"]), (&json!("published"), &json!([lead.user_id])));
        let told = |kinds: &[&str]| {
            let notices = items(&world.lead(), "/v1/notices");
            assert_eq!(notices.iter().map(|notice| notice["kind"]["word"].as_str().unwrap()).collect::<Vec<_>>(), kinds);
            assert!(notices.iter().all(|notice| notice["warning_id"] == warning["id"] && notice["complaint_id"].is_null()));
            assert_eq!((&notices[0]["detail"]["symptom"], &notices[0]["detail"]["peak_count"]), (&json!("slow_data"), &json!(6)));
        };
        told(&["warning_published"]);
        assert!(items(&world.desk("quality_control"), "/v1/notices").is_empty(), "only the recipients");
        // Counting again changes nothing but the count.
        hours_pass(world, 1);
        assert_eq!(items(&world.lead(), "/v1/warnings?state=published").len(), 1);
        hours_pass(world, 30);
        let over = items(&world.lead(), "/v1/warnings");
        assert_eq!((over.len(), &over[0]["state"]), (1, &json!("recovered")));
        told(&["warning_recovered", "warning_published"]);
        assert!(items(&world.foreign_desk("regional_lead"), "/v1/warnings").is_empty());
        // By time, place and type.
        let report = items(&world.lead(), "/v1/warnings/report?from=2026-11-01&until=2026-11-30");
        assert_eq!(report.len(), 1);
        assert_eq!(report[0]["day"], "2026-11-26");
        assert_eq!((&report[0]["symptom"], &report[0]["count"], &report[0]["region_id"]), (&json!("slow_data"), &json!(1), &json!(world.regions[0])));
        let answer = world.lead().send("GET", "/v1/warnings/report?from=2026-11-02&until=2026-11-01", &[], &[]).unwrap();
        assert_problem(&answer, ProblemType::InvalidField);
    }

    /// R-WARN-1: a dismissed rise is not raised again while it lasts; a new one is.
    fn r_warn_1_a_dismissed_rise_stays_dismissed_while_it_lasts(world) {
        everybody(world);
        let rise = || (0..7).for_each(|_| { complaint_at(world, 5_000.0, "call_setup"); });
        rise();
        hours_pass(world, 1);
        let qc = world.desk("quality_control");
        let id = items(&qc, "/v1/warnings")[0]["id"].as_str().unwrap().to_owned();
        qc.post::<Value>(&format!("/v1/warnings/{id}/dismiss"), &json!({ "reason": "a concert" })).unwrap();
        hours_pass(world, 1);
        assert_eq!(items(&world.desk("quality_control"), "/v1/warnings").len(), 1);
        hours_pass(world, 48);
        rise();
        hours_pass(world, 1);
        let states: Vec<Value> = items(&world.desk("quality_control"), "/v1/warnings").iter().map(|w| w["state"].clone()).collect();
        assert_eq!(states, ["draft", "dismissed"]);
    }

    /// R-SUPERVISE-1: weak coverage that an approved test confirmed, with clustered complaints, is listed while its order goes on.
    fn r_supervise_1_confirmed_weak_coverage_is_listed(world) {
        everybody(world);
        // Two are a crowd here.
        let document = json!({ "min_complaints": 2 });
        put(&world.admin, "/v1/policies/supervision", &json!({ "document": document, "reason": "test" }));
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        complaint_at(world, 50.0, "weak_signal");
        tester.sync();
        tester.visit(order);
        for (seed, operator) in (1..).zip(Operator::REQUIRED) {
            let mut session = tester.phone.capture_begin(order, operator, &Source::Live).unwrap();
            for mut sample in walk(seed, operator, 300, &world.clock) {
                sample.level_dbm = sample.level_dbm.map(|level| level - 35);
                tester.phone.capture_push(&mut session, &sample).unwrap();
            }
            tester.phone.capture_flush(&mut session).unwrap();
        }
        tester.photo(order, 1);
        tester.phone.findings_record(order, findings("weak indoors")).unwrap();
        tester.phone.submit(order, Vec::new()).unwrap();
        tester.sync();
        world.clock.set(world.clock.time().plus_seconds(960));
        world.run_due();
        assert!(items(&world.desk("quality_control"), "/v1/supervision-entries").is_empty(), "nobody has approved the test");
        let test = world.field_test(order);
        let coverage = test.operators.iter().find(|operator| operator.operator == "china_mobile").unwrap();
        assert!(coverage.kpi["total"]["coverage_rate"].as_f64().unwrap() < 0.9, "{coverage:?}");
        world.lead().field_test_approve(test.id, "down-tilt", "a small cell", "build").unwrap();
        world.clock.set(world.clock.time().plus_seconds(960));
        world.run_due();
        let qc = world.desk("quality_control");
        let listed = items(&qc, "/v1/supervision-entries?state=listed");
        assert_eq!((listed.len(), &listed[0]["reason"], &listed[0]["complaint_count"]), (1, &json!("weak_coverage"), &json!(2)));
        let clear = format!("/v1/supervision-entries/{}/clear", listed[0]["id"].as_str().unwrap());
        let body = json!({ "what_cleared_it": "a small cell is on air" });
        assert_problem(&qc.try_json("POST", &clear, &body).unwrap(), ProblemType::IllegalTransition);
        let asked = world.lead().revisit_create(order.0, "a small cell").unwrap();
        world.customer_service().revisit_record(asked.id, true, 10, "").unwrap();
        assert_eq!(qc.try_json("POST", &clear, &body).unwrap().accepted().unwrap().json()["state"], "cleared");
    }
}
