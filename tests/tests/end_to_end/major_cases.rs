//! Major escalated complaints and their notices (R-CLASS-1, R-CLASS-2), similar past complaints (R-INTAKE-7), the case library (R-KNOW-1).

use super::intake::{answered_order, complain, get, id_of, order_of, post, resolve};
use super::support::assert_problem;
use callout_cli::desk::Desk;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world_tests;
use serde_json::{Value, json};

fn notices(desk: &Desk) -> Vec<String> {
    let list = get(desk, "/v1/notices?unread=true");
    let items = list["items"].as_array().unwrap();
    items.iter().map(|notice| notice["kind"]["word"].as_str().unwrap().to_owned()).collect()
}

fn major(desk: &Desk, query: &str) -> Vec<Value> {
    get(desk, &format!("/v1/major-cases{query}"))["items"].as_array().unwrap().clone()
}

const PLACE: (f64, f64) = (37.5, 103.5);

/// A place some metres north of the usual one; a degree of latitude has 111.2 km.
fn north(metres: f64) -> Value {
    json!({ "position": { "latitude": PLACE.0 + metres / 111_195.0, "longitude": PLACE.1 } })
}

fn with(mut place: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        place[name] = value.clone();
    }
    place
}

world_tests! {
    /// R-CLASS-1, R-CLASS-2: three customers complain jointly; team, highest urgency, and notices until the complaint ends.
    fn a_joint_complaint_is_a_major_one_until_it_ends(world) {
        let (service, lead) = (world.customer_service(), world.lead());
        let two = complain(world, &service, "13800000021", with(north(0.0), json!({ "joint_customers": 2 })));
        assert!(major(&lead, "").is_empty());
        let joint = complain(world, &service, "13800000022", with(north(5_000.0), json!({ "joint_customers": 3 })));
        let cases = major(&lead, "?open=true");
        assert_eq!((cases.len(), &cases[0]["complaint_id"]), (1, &joint["id"]));
        assert_eq!(cases[0]["reasons"][0]["word"], "joint");
        assert_eq!(cases[0]["declared_by"], Value::Null, "the rules found it");
        assert_ne!(two["id"], joint["id"]);
        // Those answerable while no team is named: the region's lead and whoever took it.
        assert_eq!(notices(&lead), ["major_opened"]);
        assert_eq!(notices(&service), ["major_opened"]);
        assert!(notices(&world.desk("t2_branch_desk")).is_empty());

        let path = format!("/v1/major-cases/{}", id_of(&cases[0]));
        let t2 = world.desk("t2_branch_desk");
        let team = |leader: &Desk, member: &Desk| json!({ "leader_id": leader.user_id, "members": [{ "user_id": member.user_id, "duty": "property access" }] });
        assert_problem(&lead.try_json("PUT", &format!("{path}/team"), &team(&lead, &lead)).unwrap(), ProblemType::InvalidField);
        assert_problem(&world.t1().try_json("PUT", &format!("{path}/team"), &team(&lead, &t2)).unwrap(), ProblemType::Forbidden);
        let foreign = world.foreign_desk("regional_lead");
        assert_problem(&foreign.try_json("PUT", &format!("{path}/team"), &team(&lead, &t2)).unwrap(), ProblemType::NotFound);
        assert_problem(&foreign.send("GET", &path, &[], &[]).unwrap(), ProblemType::NotFound);
        assert_eq!(lead.try_json("PUT", &format!("{path}/team"), &team(&lead, &t2)).unwrap().status, 200);
        let seen = get(&lead, &path);
        assert_eq!((&seen["leader_id"], seen["members"][0]["duty"].as_str()), (&json!(lead.user_id), Some("property access")));
        assert_eq!(notices(&t2), ["major_team_named"]);

        // The order has the highest urgency from the beginning, and each move of it is told.
        let order = answered_order(world, &joint);
        assert_eq!(get(&service, &format!("/v1/work-orders/{order}"))["urgency"], "critical");
        assert_eq!(notices(&t2).iter().filter(|kind| *kind == "major_moved").count(), 3, "located, handed over, answered");
        let list = get(&t2, "/v1/notices");
        let read = format!("/v1/notices/{}/read", id_of(&list["items"][0]));
        assert_eq!(t2.send("POST", &read, &[], &[]).unwrap().status, 204);
        assert_problem(&service.send("POST", &read, &[], &[]).unwrap(), ProblemType::NotFound);
        assert_eq!(notices(&t2).len(), 3);

        resolve(world, order, 9);
        let ended = get(&lead, &path);
        assert_eq!((ended["state"].as_str(), &ended["closed_by"]), (Some("ended"), &Value::Null));
        assert!(notices(&t2).contains(&"major_ended".to_owned()));
        assert_problem(&lead.try_json("PUT", &format!("{path}/team"), &team(&lead, &t2)).unwrap(), ProblemType::IllegalTransition);
        assert_problem(&lead.try_json("POST", &format!("{path}/close"), &json!({ "words": "x" })).unwrap(), ProblemType::IllegalTransition);
    }

    /// R-CLASS-2: those answerable are told again each day until it ends, once a day however often the jobs run.
    fn a_major_complaint_is_told_again_each_day(world) {
        world.lead();
        world.t1();
        let complaint = complain(world, &world.customer_service(), "13800000071", with(north(0.0), json!({ "joint_customers": 5 })));
        let still_open = || notices(&world.lead()).iter().filter(|kind| *kind == "major_still_open").count();
        world.run_due();
        assert_eq!(still_open(), 0);
        for day in 1..=2 {
            world.clock.advance_seconds(86_400);
            world.run_due();
            world.run_due();
            assert_eq!(still_open(), day);
        }
        world.t1().complaint_answer_business(id_of(&complaint), "a tariff matter").unwrap();
        assert!(notices(&world.lead()).contains(&"major_ended".to_owned()));
        world.clock.advance_seconds(86_400);
        world.run_due();
        assert_eq!(still_open(), 2);
    }

    /// R-INTAKE-7: the cells that an approved test measured are found by later complaints.
    fn measured_cells_find_later_complaints(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 50);
        tester.sync();
        let lead = world.lead();
        let complaint_id = get(&lead, &format!("/v1/work-orders/{order}"))["complaint_id"].as_str().unwrap().to_owned();
        lead.field_test_approve(world.field_test(order).id, "parameters", "watch", "optimise").unwrap();
        let cells = || world.storage.read("test", |tx| tx.complaint_cells_list(complaint_id.parse().unwrap())).unwrap();
        assert!(cells().is_empty(), "the blocks are opened by a job");
        world.run_due();
        let cells = cells();
        assert!(!cells.is_empty());
        // Elsewhere, another symptom, another customer: nothing but the cell in common.
        let later = complain(world, &world.customer_service(), "13800000072", with(north(60_000.0), json!({
            "symptom": "slow_data", "serving_cell": cells[0],
        })));
        let similar = get(&world.t1(), &format!("/v1/complaints/{}/similar", id_of(&later)));
        let items = similar["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!((items[0]["complaint_id"].as_str(), items[0]["same_cell"].as_bool()), (Some(complaint_id.as_str()), Some(true)));
        assert_eq!(items[0]["ending"]["cure"], "watch");
    }

    /// R-CLASS-1: returned falsely several times, taken again, and disturbing business.
    fn a_complaint_handled_in_vain_and_still_rising_is_a_major_one(world) {
        let policy = json!({ "document": { "major_failed_handlings": 2 }, "reason": "a strict year" });
        assert_eq!(world.admin.try_json("PUT", "/v1/policies/intake", &policy).unwrap().status, 200);
        let (service, lead) = (world.customer_service(), world.lead());
        let first = complain(world, &service, "13800000023", json!({}));
        let order = answered_order(world, &first);
        resolve(world, order, 9);
        complain(world, &service, "13800000023", json!({ "disturbs_business": true }));
        assert!(major(&lead, "").is_empty(), "once in vain");
        resolve(world, order, 9);
        complain(world, &service, "13800000023", json!({ "disturbs_business": true }));
        let cases = major(&lead, "");
        assert_eq!((cases.len(), &cases[0]["complaint_id"]), (1, &first["id"]), "the case that has the order");
        assert_eq!(cases[0]["reasons"][0]["word"], "still_rising");
        assert_eq!(get(&service, &format!("/v1/work-orders/{order}"))["urgency"], "critical");
    }

    /// R-CLASS-1: so many customers at one place that the cause must be common.
    fn many_customers_at_one_place_show_a_common_cause(world) {
        let policy = json!({ "document": { "wide_reach_customers": 4 }, "reason": "a small town" });
        assert_eq!(world.admin.try_json("PUT", "/v1/policies/intake", &policy).unwrap().status, 200);
        let service = world.customer_service();
        for (number, metres) in [0.0, 300.0, -300.0, 2_000.0].into_iter().enumerate() {
            complain(world, &service, &format!("1390000003{number}"), north(metres));
        }
        assert!(major(&service, "").is_empty(), "the fourth is too far away");
        let fifth = complain(world, &service, "13900000039", north(10.0));
        let cases = major(&service, "");
        assert_eq!((cases.len(), &cases[0]["complaint_id"]), (1, &fifth["id"]));
        assert_eq!(cases[0]["reasons"][0]["word"], "wide_reach");
    }

    /// R-CLASS-1: declared by a person, with reasons added, ended by a person.
    fn a_person_declares_and_ends_a_major_complaint(world) {
        let (service, lead) = (world.customer_service(), world.lead());
        let complaint = complain(world, &service, "13800000024", north(0.0));
        let declare = |reasons: Value, words: &str| {
            let body = json!({ "complaint_id": complaint["id"], "reasons": reasons, "explanation": words });
            lead.try_json("POST", "/v1/major-cases", &body).unwrap()
        };
        assert_problem(&declare(json!([]), "x"), ProblemType::InvalidField);
        assert_problem(&declare(json!(["serious_gap"]), " "), ProblemType::InvalidField);
        assert_problem(&declare(json!(["unheard_of"]), "x"), ProblemType::InvalidField);
        let case = declare(json!(["serious_gap"]), "no spare parts for months").json();
        assert_eq!(case["declared_by"], json!(lead.user_id));
        let again = declare(json!(["wide_reach", "serious_gap"]), "and the whole valley").json();
        assert_eq!((&again["id"], again["reasons"].as_array().unwrap().len()), (&case["id"], 2));
        let order = order_of(world, &complaint);
        assert_eq!(get(&service, &format!("/v1/work-orders/{order}"))["urgency"], "critical");
        let closed = post(&lead, &format!("/v1/major-cases/{}/close", id_of(&case)), json!({ "words": "parts came" }));
        assert_eq!((closed["state"].as_str(), &closed["closed_by"]), (Some("ended"), &json!(lead.user_id)));
        assert!(major(&lead, "?open=true").is_empty());
    }

    /// R-INTAKE-7: near, by the same cell, the same customer's; with how they ended; nothing of whose they are.
    fn similar_past_complaints_are_shown_with_their_endings(world) {
        let service = world.customer_service();
        let near = complain(world, &service, "13800000031", north(200.0));
        let order = answered_order(world, &near);
        resolve(world, order, 9);
        // Locating the order placed it at the usual place of the tests, where the new one is.
        let place = callout_tests::phones::PLACE;
        let here = json!({ "position": { "latitude": place.latitude(), "longitude": place.longitude() } });
        let farther = complain(world, &service, "13800000032", with(here.clone(), json!({})));
        world.t1().complaint_answer_business(id_of(&farther), "a tariff matter").unwrap();
        let by_cell = complain(world, &service, "13800000033", json!({ "serving_cell": 68719476735u64, "symptom": "slow_data" }));
        complain(world, &service, "13800000034", north(50_000.0));
        complain(world, &service, "13800000035", with(here.clone(), json!({ "symptom": "no_data" })));
        let own = complain(world, &service, "13800000036", json!({ "symptom": "voice_quality" }));
        let new = complain(world, &service, "13800000036", with(here, json!({ "serving_cell": 68719476735u64 })));
        let path = format!("/v1/complaints/{}/similar", id_of(&new));
        let answer = world.t1().send("GET", &path, &[], &[]).unwrap();
        assert!(!answer.text().contains("1380000003") && !answer.text().contains("王澄"), "R-PRIVACY-1");
        let items = answer.json()["items"].as_array().unwrap().clone();
        let found: Vec<&Value> = items.iter().map(|item| &item["complaint_id"]).collect();
        assert_eq!(found.len(), 4, "{items:#?}");
        assert!(found[..2].contains(&&farther["id"]) && found[..2].contains(&&near["id"]), "the nearest first");
        assert!(found.contains(&&by_cell["id"]) && found.contains(&&own["id"]));
        let ended = items.iter().find(|item| item["complaint_id"] == near["id"]).unwrap();
        assert_eq!((ended["distance_m"].as_u64(), ended["same_symptom"].as_bool()), (Some(0), Some(true)));
        assert_eq!(ended["ending"]["work_order_state"], "resolved");
        assert_eq!(ended["ending"]["what_was_done"], "a splitter was replaced");
        assert!(ended["ending"]["final_reply"].as_str().unwrap().contains("service is back"));
        let answered = items.iter().find(|item| item["complaint_id"] == farther["id"]).unwrap();
        assert_eq!(answered["ending"]["answer"], "a tariff matter");
        let cell = items.iter().find(|item| item["complaint_id"] == by_cell["id"]).unwrap();
        assert_eq!((cell["same_cell"].as_bool(), &cell["distance_m"]), (Some(true), &Value::Null));
        let limited = get(&service, &format!("{path}?limit=1"));
        assert_eq!(limited["items"].as_array().unwrap().len(), 1);
        assert_problem(&world.foreign_desk("regional_lead").send("GET", &path, &[], &[]).unwrap(), ProblemType::NotFound);
        let too_large = world.complaint_body();
        let answer = service.try_json("POST", "/v1/complaints", &with(too_large, json!({ "serving_cell": 1u64 << 36 }))).unwrap();
        assert_problem(&answer, ProblemType::InvalidField);
    }

    /// R-KNOW-1: a hard case becomes a draft on the day it closes, without who the customer is; published, it is offered to later ones.
    fn a_hard_case_enters_the_library_and_is_offered(world) {
        let (service, lead) = (world.customer_service(), world.lead());
        // An easy one leaves nothing.
        let easy = complain(world, &service, "13800000041", json!({}));
        resolve(world, answered_order(world, &easy), 9);
        assert!(get(&lead, "/v1/cases")["items"].as_array().unwrap().is_empty());
        // Denied once: hard.
        let hard = complain(world, &service, "13800000042", json!({ "generation": "4g" }));
        let order = answered_order(world, &hard);
        let denied = world.t1().revisit_create(order, "rebooted").unwrap();
        service.revisit_record(denied.id, false, 1, "still bad").unwrap();
        let solved = world.t1().revisit_create(order, "王澄 at 138-0000-0042 agreed; the splitter in 港湾一路12号 was replaced").unwrap();
        service.revisit_record(solved.id, true, 9, "fine").unwrap();
        let drafts = get(&lead, "/v1/cases?state=draft");
        let draft = &drafts["items"][0];
        assert_eq!(draft["work_order_id"], json!(order));
        assert_eq!((draft["symptom"].as_str(), draft["generation"].as_str()), (Some("call_drop"), Some("4g")));
        assert_eq!(draft["place_kind"]["word"], "road");
        let text = draft.to_string();
        assert!(!text.contains("王澄") && !text.contains("138-0000") && !text.contains("港湾一路"), "R-PRIVACY-1: {text}");
        assert!(text.contains("was replaced") && text.contains("rebooted"));
        let timeline = lead.work_order_timeline(order).unwrap();
        assert!(timeline.iter().any(|event| event.action == "case_drafted"), "on the day it closes");
        // Nobody but those who edit sees a draft.
        let path = format!("/v1/cases/{}", id_of(draft));
        assert_problem(&service.send("GET", &path, &[], &[]).unwrap(), ProblemType::NotFound);
        assert!(get(&service, "/v1/cases?state=draft")["items"].as_array().unwrap().is_empty());

        let mut body = json!({
            "title": "路边掉话：分路器损坏 Broken splitter", "symptom": "call_drop", "generation": "4g", "place_kind": "road",
            "cause": "", "what_was_done": "replaced the splitter; call 13800000042", "state": "published",
        });
        assert_problem(&lead.try_json("PUT", &path, &body).unwrap(), ProblemType::InvalidField);
        body["cause"] = json!("分路器进水 water in the splitter");
        let foreign = world.foreign_desk("regional_lead");
        assert_problem(&foreign.try_json("PUT", &path, &body).unwrap(), ProblemType::NotFound);
        let published = lead.try_json("PUT", &path, &body).unwrap();
        assert_eq!(published.status, 200, "{}", published.text());
        assert_eq!(published.json()["published_by"], json!(lead.user_id));
        assert!(!published.text().contains("13800000042"), "nor by a slip of the lead's pen");

        let mut other = body.clone();
        other["title"] = json!("elsewhere");
        other["place_kind"] = json!("underground");
        other["generation"] = json!("5g");
        post(&lead, "/v1/cases", other);
        let later = complain(world, &service, "13800000043", json!({ "generation": "4g" }));
        let later_order = order_of(world, &later);
        let offered = get(&world.t1(), &format!("/v1/work-orders/{later_order}/cases"));
        let ids: Vec<&Value> = offered["items"].as_array().unwrap().iter().map(|case| &case["id"]).collect();
        assert_eq!((ids.len(), ids[0]), (2, &draft["id"]), "the most alike first");
        let search = |words: &str| get(&service, &format!("/v1/cases?words={words}"))["items"].as_array().unwrap().len();
        assert_eq!((search("SPLITTER+water"), search("%E5%88%86%E8%B7%AF%E5%99%A8"), search("nothing"), search("%25")), (2, 2, 0, 0));

        // Reopened and solved again: what the lead published stays.
        complain(world, &service, "13800000042", json!({}));
        resolve(world, order, 9);
        assert_eq!(get(&lead, &path)["state"], "published");
        body["state"] = json!("withdrawn");
        assert_eq!(lead.try_json("PUT", &path, &body).unwrap().status, 200);
        assert_eq!(get(&world.t1(), &format!("/v1/work-orders/{later_order}/cases"))["items"].as_array().unwrap().len(), 1);
    }
}
