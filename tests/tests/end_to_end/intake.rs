//! Intake and triage through the API: what a complaint is to those before it, and what follows (R-INTAKE-3, R-INTAKE-4, R-INTAKE-6,
//! R-INTAKE-8, R-INTAKE-9, R-RETURN-4, R-RETURN-5).

use super::support::{assert_nothing_changes, assert_problem};
use callout_cli::desk::Desk;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

/// A complaint of one customer, with these fields changed.
pub fn complain(world: &World, desk: &Desk, phone: &str, changes: Value) -> Value {
    let mut body = world.complaint_body();
    body["customer"]["phone"] = json!(phone);
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = desk.try_json("POST", "/v1/complaints", &body).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

pub fn get(desk: &Desk, path: &str) -> Value {
    let answer = desk.send("GET", path, &[], &[]).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

pub fn post(desk: &Desk, path: &str, body: Value) -> Value {
    let answer = desk.try_json("POST", path, &body).unwrap();
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

pub fn id_of(value: &Value) -> Uuid {
    value["id"].as_str().unwrap().parse().unwrap()
}

/// The complaint's order, classified and located at the usual place.
pub fn order_of(world: &World, complaint: &Value) -> Uuid {
    let order = world.t1().complaint_classify_network(id_of(complaint)).unwrap().work_order_id.unwrap();
    let place = callout_tests::phones::PLACE;
    world.t1().work_order_locate(order, "港湾一路12号", place.latitude(), place.longitude()).unwrap();
    order
}

/// An order that the branch answered, so that it can be held to be solved without a visit.
pub fn answered_order(world: &World, complaint: &Value) -> Uuid {
    let order = order_of(world, complaint);
    let handoff = world.t1().handoff_create(order, "branch", "check the indoor system").unwrap();
    world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "a splitter was replaced").unwrap();
    order
}

/// Returned as resolved, and confirmed by the customer with this score.
pub fn resolve(world: &World, order: Uuid, score: u8) {
    let revisit = world.t1().revisit_create(order, "a splitter was replaced").unwrap();
    world.customer_service().revisit_record(revisit.id, true, score, "fine").unwrap();
}

fn relation(complaint: &Value) -> (&str, &str) {
    let intake = &complaint["intake"];
    (intake["relation"]["word"].as_str().unwrap(), intake["handling"]["word"].as_str().unwrap())
}

fn reasons(complaint: &Value) -> Vec<&str> {
    let reasons = complaint["intake"]["reasons"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| !reason["name_zh"].as_str().unwrap().is_empty()));
    reasons.iter().map(|reason| reason["word"].as_str().unwrap()).collect()
}

fn escalations(desk: &Desk, query: &str) -> Vec<Value> {
    get(desk, &format!("/v1/escalations{query}"))["items"].as_array().unwrap().clone()
}

world_tests! {
    /// R-INTAKE-3: a repeat of an open one gets the progress and no second order; T1 may say that it is another problem.
    fn a_repeat_of_an_open_complaint_gets_the_progress(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000001", json!({}));
        assert_eq!(relation(&first), ("new", "work_order"));
        assert_eq!(reasons(&first), ["nothing_earlier"]);
        let order = order_of(world, &first);
        // The same number, written otherwise.
        let again = complain(world, &service, "+86 138-0000-0001", json!({}));
        assert_eq!(relation(&again), ("repeat", "tell_progress"));
        assert_eq!(reasons(&again), ["same_customer", "same_symptom", "unknown_place", "still_open"]);
        assert_eq!(again["state"], "linked");
        assert_eq!(again["intake"]["related_id"], first["id"]);
        let progress = &again["intake"]["progress"];
        assert_eq!((progress["work_order_id"].as_str().unwrap(), progress["state"].as_str().unwrap()),
                   (order.to_string().as_str(), "located"));
        let path = format!("/v1/complaints/{}", id_of(&again));
        let t1 = world.t1();
        assert_nothing_changes(world, || {
            let answer = t1.try_json("POST", &format!("{path}/classify"), &json!({ "class": "network" })).unwrap();
            assert_problem(&answer, ProblemType::IllegalTransition);
        });
        let chain = get(&service, &format!("{path}/chain"));
        assert_eq!(chain["items"].as_array().unwrap().len(), 2);

        for (body, problem) in [
            (json!({ "relation": "new", "reason": " " }), ProblemType::InvalidField),
            (json!({ "relation": "new", "of": first["id"], "reason": "x" }), ProblemType::InvalidField),
            (json!({ "relation": "repeat", "reason": "x" }), ProblemType::InvalidField),
            (json!({ "relation": "repeat", "of": again["id"], "reason": "x" }), ProblemType::InvalidField),
            (json!({ "relation": "repeat", "of": Uuid::from_u128(7), "reason": "x" }), ProblemType::InvalidField),
        ] {
            assert_problem(&t1.try_json("POST", &format!("{path}/relation"), &body).unwrap(), problem);
        }
        let first_path = format!("/v1/complaints/{}", id_of(&first));
        let body = json!({ "relation": "repeat", "of": again["id"], "reason": "the wrong way round" });
        assert_problem(&t1.try_json("POST", &format!("{first_path}/relation"), &body).unwrap(), ProblemType::IllegalTransition);
        let corrected = post(&t1, &format!("{path}/relation"), json!({ "relation": "new", "reason": "another house" }));
        assert_eq!(relation(&corrected), ("new", "work_order"));
        assert_eq!(corrected["state"], "received");
        assert_eq!(corrected["intake"]["correction_reason"], "another house");
        assert_ne!(order_of(world, &corrected), order);
    }

    /// R-INTAKE-3: a repeat beyond the limit of the open one goes straight to the manager.
    fn a_repeat_beyond_the_limit_goes_to_the_manager(world) {
        world.lead();
        let service = world.customer_service();
        let first = complain(world, &service, "13800000051", json!({}));
        let order = order_of(world, &first);
        world.clock.advance_seconds(86_400);
        let inside = complain(world, &world.customer_service(), "13800000051", json!({}));
        assert_eq!(relation(&inside), ("repeat", "tell_progress"));
        // Three working days (R-LIMIT-1) are over, whatever stands between.
        world.clock.advance_seconds(13 * 86_400);
        let beyond = complain(world, &world.customer_service(), "13800000051", json!({}));
        assert_eq!(relation(&beyond), ("repeat", "manager"));
        assert!(reasons(&beyond).contains(&"beyond_limit"));
        assert_eq!(beyond["intake"]["progress"]["work_order_id"], json!(order), "and hears of the progress");
        let open = escalations(&world.lead(), "?level=manager&open=true");
        assert_eq!((open.len(), open[0]["cause"]["word"].as_str()), (1, Some("beyond_limit")));
        assert_eq!(open[0]["complaint_id"], beyond["id"]);
    }

    /// R-INTAKE-3: complaints from before intakes were kept are found by later ones, once the job has been through.
    fn complaints_without_an_intake_get_one(world) {
        use callout_storage::StorageError;
        use callout_storage::complaints::{Complaint, ComplaintState};
        use callout_storage::jobs::Job;
        use callout_sync_protocol::ids::ComplaintId;
        let service = world.customer_service();
        let template = id_of(&complain(world, &service, "13800000061", json!({})));
        let old = ComplaintId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0077));
        world.storage.write("test", |tx| -> Result<(), StorageError> {
            let known = tx.complaint_by_id(ComplaintId(template))?.unwrap();
            tx.complaint_insert(&Complaint {
                id: old,
                reference: "OLD-1".to_owned(),
                customer_phone: "13800000062".to_owned(),
                state: ComplaintState::Received,
                ..known
            })?;
            let now = world.clock.time();
            tx.job_insert(&Job::new(Uuid::from_u128(5).into(), "intake_backfill", Uuid::from_u128(6), now, Value::Null, now))
        }).unwrap();
        let before = get(&service, &format!("/v1/complaints/{old}"));
        assert_eq!(before["intake"], Value::Null);
        world.run_due();
        let after = get(&service, &format!("/v1/complaints/{old}"));
        assert_eq!(relation(&after), ("new", "work_order"));
        let again = complain(world, &service, "13800000062", json!({}));
        assert_eq!((relation(&again).0, again["intake"]["related_id"].as_str()), ("repeat", Some(old.to_string().as_str())));
    }

    /// R-INTAKE-3, R-ROUTE-4: a supplementary complaint brings what the open one lacks and presses it.
    fn a_supplementary_complaint_adds_its_facts(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000002", json!({}));
        let order = world.t1().complaint_classify_network(id_of(&first)).unwrap().work_order_id.unwrap();
        let place = json!({ "latitude": 37.5, "longitude": 103.5 });
        let added = complain(world, &service, "13800000002", json!({
            "position": place, "occurs": "evenings", "neighbours_affected": true, "description": "also in the cellar",
        }));
        assert_eq!(relation(&added), ("supplementary", "add_to_open"));
        assert!(reasons(&added).contains(&"brings_place"));
        assert_eq!(added["state"], "linked");
        let now = get(&service, &format!("/v1/complaints/{}", id_of(&first)));
        assert_eq!(now["position"], place);
        assert_eq!((now["occurs"].as_str(), now["neighbours_affected"].as_bool()), (Some("evenings"), Some(true)));
        assert_eq!(now["description"], first["description"], "what was said stays as it was said");
        let seen = get(&service, &format!("/v1/work-orders/{order}"));
        assert_eq!(seen["urgency"], "urgent");
        // The agent's word: it adds nothing new.
        let third = complain(world, &service, "13800000002", json!({ "adds_facts": false }));
        assert_eq!(relation(&third), ("repeat", "tell_progress"));
        let fourth = complain(world, &service, "13800000002", json!({ "adds_facts": true }));
        assert_eq!(relation(&fourth), ("supplementary", "add_to_open"));
        assert!(reasons(&fourth).contains(&"agent_says_facts"));
    }

    /// R-RETURN-4: a repeat within 30 days of the return reopens the order and counts; later ones do not.
    fn a_repeat_after_a_return_is_a_false_return(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000003", json!({}));
        let order = answered_order(world, &first);
        // Low: solved, but not to the customer's satisfaction.
        resolve(world, order, 5);
        assert_eq!(world.lead().work_order_show(order).unwrap().state, "resolved");
        world.clock.advance_seconds(20 * 86_400);
        let service = world.customer_service();
        let again = complain(world, &service, "13800000003", json!({}));
        assert_eq!(relation(&again), ("repeat", "reopen"));
        assert!(reasons(&again).contains(&"false_return"));
        assert_eq!((again["state"].as_str(), again["intake"]["is_false_return"].as_bool()), (Some("linked"), Some(true)));
        let seen = world.lead().work_order_show(order).unwrap();
        assert_eq!((seen.state.as_str(), seen.reopened_count, seen.false_return_count), ("handoff_answered", 1, 1));
        assert_eq!(world.lead().work_order_timeline(order).unwrap().last().unwrap().action, "complained_again");

        // Solved again, confirmed with a good score: the linked complaint ends with it, and is answered by its own door.
        resolve(world, order, 9);
        let ended = get(&service, &format!("/v1/complaints/{}", id_of(&again)));
        assert_eq!(ended["state"], "resolved");
        // R-INTAKE-3: of one that the customer had called satisfactory; too late for a false return.
        world.clock.advance_seconds(40 * 86_400);
        let service = world.customer_service();
        let late = complain(world, &service, "13800000003", json!({}));
        assert_eq!(relation(&late), ("repeat", "compare_with_record"));
        assert_eq!(late["state"], "received");
        assert_eq!(world.lead().work_order_show(order).unwrap().false_return_count, 1);
        let path = format!("/v1/complaints/{}/comparison", id_of(&late));
        assert_problem(
            &service.try_json("POST", &path, &json!({ "customer_agrees": false, "words": "" })).unwrap(),
            ProblemType::InvalidField,
        );
        let compared = post(&service, &path, json!({ "customer_agrees": false, "words": "says that it never was good" }));
        assert_eq!(relation(&compared), ("repeat", "manager"));
        let open = escalations(&world.lead(), "?level=manager&open=true");
        // The complaint has no place yet: only the desks that work before location see it.
        assert!(open.is_empty());
        let open = escalations(&world.t1(), "?level=manager&open=true");
        assert_eq!(open[0]["cause"]["word"], "record_disputed");
        assert_problem(
            &service.try_json("POST", &path, &json!({ "customer_agrees": true, "words": "x" })).unwrap(),
            ProblemType::IllegalTransition,
        );
    }

    /// R-INTAKE-3: a repeat of one that was closed without the customer being satisfied goes to a senior.
    fn a_repeat_of_a_closed_complaint_goes_to_a_senior(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000004", json!({}));
        world.t1().complaint_answer_business(id_of(&first), "explained").unwrap();
        let again = complain(world, &service, "13800000004", json!({}));
        assert_eq!(relation(&again), ("repeat", "senior"));
        assert_eq!(again["state"], "received", "it is dealt with anew");
        let open = escalations(&service, "?level=senior");
        assert_eq!((open.len(), open[0]["cause"]["word"].as_str()), (1, Some("closed_not_satisfied")));
        assert_eq!(open[0]["complaint_id"], again["id"]);
    }

    /// R-INTAKE-6: whoever took the case first stays answerable, and is shown until the end.
    fn the_first_contact_stays_answerable(world) {
        let (first_agent, second_agent) = (world.customer_service(), world.user("agent-2", "customer_service_agent", &world.regions[..1]));
        let first = complain(world, &first_agent, "13800000005", json!({}));
        assert_eq!(first["intake"]["first_contact_id"], json!(first_agent.user_id));
        let order = answered_order(world, &first);
        let again = complain(world, &second_agent, "13800000005", json!({}));
        assert_eq!(again["intake"]["first_contact_id"], json!(first_agent.user_id), "not the one who took the repeat");
        resolve(world, order, 9);
        for complaint in [&first, &again] {
            let ended = get(&second_agent, &format!("/v1/complaints/{}", id_of(complaint)));
            assert_eq!(ended["intake"]["first_contact_id"], json!(first_agent.user_id));
        }
    }

    /// R-INTAKE-9, R-RETURN-5: higher doors are linked to the first one, press it, are coordinated, and are answered by their own door.
    fn a_higher_door_is_linked_presses_and_is_answered_there(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000006", json!({}));
        let order = answered_order(world, &first);
        let hotline = complain(world, &service, "13800000006", json!({ "channel": "group_hotline" }));
        let regulator = complain(world, &service, "13800000006", json!({ "channel": "regulator" }));
        for complaint in [&hotline, &regulator] {
            assert_eq!(relation(complaint).0, "repeat");
            assert_eq!(complaint["intake"]["first_id"], first["id"], "linked to the first one");
            assert_eq!(complaint["state"], "linked");
        }
        assert_eq!(get(&service, &format!("/v1/work-orders/{order}"))["urgency"], "critical");
        let open = escalations(&world.lead(), "?level=coordination&open=true");
        assert_eq!(open.len(), 1, "once, not once a door");
        assert_eq!((open[0]["cause"]["word"].as_str(), &open[0]["complaint_id"]), (Some("several_channels"), &first["id"]));

        world.t1().reply_stage(order, "tested", "a visit tomorrow").unwrap();
        resolve(world, order, 9);
        let replies = get(&service, &format!("/v1/work-orders/{order}/replies"));
        let sent: Vec<(&str, &str)> = replies["items"].as_array().unwrap().iter()
            .map(|reply| (reply["channel"].as_str().unwrap(), reply["kind"].as_str().unwrap())).collect();
        for channel in ["phone", "group_hotline", "regulator"] {
            for kind in ["stage", "final_resolved"] {
                assert_eq!(sent.iter().filter(|reply| **reply == (channel, kind)).count(), 1, "{channel} {kind}: {sent:?}");
            }
        }
        let own = get(&service, &format!("/v1/complaints/{}/replies", id_of(&regulator)));
        assert_eq!(own["items"].as_array().unwrap().len(), 2);
        assert_eq!(get(&service, &format!("/v1/complaints/{}", id_of(&regulator)))["state"], "resolved");
    }

    /// R-INTAKE-9, R-ROUTE-4: when customer service takes the order back, what came by the other doors is still owed an answer.
    fn a_withdrawn_order_leaves_the_linked_complaints_standing(world) {
        let service = world.customer_service();
        let first = complain(world, &service, "13800000016", json!({}));
        let order = order_of(world, &first);
        let regulator = complain(world, &service, "13800000016", json!({ "channel": "regulator" }));
        service.work_order_withdraw(order, "a mistake").unwrap();
        let alone = get(&service, &format!("/v1/complaints/{}", id_of(&regulator)));
        assert_eq!((alone["state"].as_str(), &alone["intake"]["handled_under_id"]), (Some("received"), &Value::Null));
        assert_ne!(order_of(world, &alone), order);
    }

    /// R-INTAKE-4: key accounts are found by their numbers, go to a senior at once, and press the order.
    fn key_accounts_go_to_a_senior_at_once(world) {
        let body = json!({ "name": "第一医院 First hospital", "phones": ["0931-8887766", "13800000007"], "customer_numbers": ["KA-77 01"] });
        let account = post(&world.admin, "/v1/key-accounts", body);
        let text = get(&world.customer_service(), "/v1/key-accounts").to_string();
        assert!(!text.contains("13800000007") && !text.contains("8887766"), "masked: {text}");
        let taken = json!({ "name": "another", "phones": ["86 138 0000 0007"] });
        assert_problem(&world.admin.try_json("POST", "/v1/key-accounts", &taken).unwrap(), ProblemType::AlreadyExists);
        let service = world.customer_service();
        let by_phone = complain(world, &service, "13800000007", json!({}));
        let by_number = complain(world, &service, "13800000099", json!({ "customer_number": "ka-7701" }));
        for complaint in [&by_phone, &by_number] {
            assert_eq!(relation(complaint), ("new", "senior"));
            assert_eq!(complaint["intake"]["key_account_id"], account["id"]);
        }
        let open = escalations(&service, "?level=senior&open=true");
        assert_eq!(open.len(), 2);
        assert!(open.iter().all(|open| open["cause"]["word"] == "key_account"));
        let order = order_of(world, &by_phone);
        assert_eq!(get(&service, &format!("/v1/work-orders/{order}"))["urgency"], "urgent");
        // The account is put aside: nothing is remembered of its numbers that would still count.
        let path = format!("/v1/key-accounts/{}", id_of(&account));
        let changed = world.admin.try_json("PUT", &path, &json!({ "name": "First hospital", "is_active": false })).unwrap().json();
        assert_eq!(changed["phones"].as_array().unwrap().len(), 2, "left as they were");
        let after = complain(world, &service, "09318887766", json!({}));
        assert_eq!(relation(&after), ("new", "work_order"));
    }

    /// R-INTAKE-8: refused with an explanation on record; who does not accept it goes to the manager, who upholds or takes up.
    fn a_refusal_is_explained_and_can_be_contested(world) {
        let service = world.customer_service();
        let complaint = complain(world, &service, "13800000008", json!({ "position": { "latitude": 37.5, "longitude": 103.5 } }));
        let path = format!("/v1/complaints/{}", id_of(&complaint));
        let refused = |body: Value| service.try_json("POST", &format!("{path}/refuse"), &body).unwrap();
        assert_problem(&refused(json!({ "explanation": " " })), ProblemType::InvalidField);
        assert_problem(&refused(json!({ "explanation": "网络就是这样" })), ProblemType::InvalidField);
        assert_problem(
            &service.try_json("POST", &format!("{path}/refusal-rejected"), &json!({ "reason": "no" })).unwrap(),
            ProblemType::IllegalTransition,
        );
        let explanation = "The contract covers no connection at sea. 合同不包含海上覆盖。";
        let seen = post(&service, &format!("{path}/refuse"), json!({ "explanation": explanation }));
        assert_eq!((seen["state"].as_str(), seen["answer"].as_str()), (Some("refused"), Some(explanation)));
        assert_problem(&refused(json!({ "explanation": "again" })), ProblemType::IllegalTransition);
        assert_problem(
            &world.t1().try_json("POST", &format!("{path}/classify"), &json!({ "class": "network" })).unwrap(),
            ProblemType::IllegalTransition,
        );
        let contested = post(&service, &format!("{path}/refusal-rejected"), json!({ "reason": "insists" }));
        assert_eq!(contested["state"], "contested");
        let lead = world.lead();
        let open = escalations(&lead, "?level=manager&open=true");
        assert_eq!((open.len(), open[0]["cause"]["word"].as_str()), (1, Some("refusal_contested")));
        let close = format!("/v1/escalations/{}/close", id_of(&open[0]));
        // T1 is no manager; an outcome must answer the cause; nobody of another region sees it.
        let upheld = json!({ "outcome": "upheld", "words": "explained again" });
        assert_problem(&world.t1().try_json("POST", &close, &upheld).unwrap(), ProblemType::Forbidden);
        let answered = json!({ "outcome": "answered", "words": "x" });
        assert_problem(&lead.try_json("POST", &close, &answered).unwrap(), ProblemType::InvalidField);
        let foreign = world.foreign_desk("regional_lead");
        assert_problem(&foreign.try_json("POST", &close, &upheld).unwrap(), ProblemType::NotFound);
        assert!(escalations(&foreign, "").is_empty());
        // Raised once more, then taken up.
        let raised = post(&lead, &close, json!({ "outcome": "raised", "words": "needs more than me" }));
        assert_eq!(raised["outcome"]["word"], "raised");
        assert_problem(&lead.try_json("POST", &close, &upheld).unwrap(), ProblemType::IllegalTransition);
        let above = escalations(&lead, "?level=coordination&open=true");
        assert_eq!(above[0]["cause"]["word"], "refusal_contested");
        post(&lead, &format!("/v1/escalations/{}/close", id_of(&above[0])), json!({ "outcome": "taken_up", "words": "it is ours" }));
        let taken_up = get(&service, &path);
        assert_eq!((taken_up["state"].as_str(), &taken_up["answer"]), (Some("received"), &Value::Null));
        order_of(world, &taken_up);
        assert!(escalations(&lead, "?open=true").is_empty());
    }

    /// R-RETURN-5: hard or sensitive ones are raised to coordination at once, and stay until somebody ends that.
    fn hard_and_sensitive_orders_are_raised_to_coordination(world) {
        let service = world.customer_service();
        let sensitive = complain(world, &service, "13800000009", json!({ "sensitive": true }));
        let open = escalations(&service, "?level=coordination&open=true");
        assert_eq!((open.len(), open[0]["cause"]["word"].as_str()), (1, Some("sensitive")));
        assert_eq!(open[0]["complaint_id"], sensitive["id"]);
        let order = world.order_located();
        let path = format!("/v1/work-orders/{order}/raise-to-coordination");
        let t1 = world.t1();
        assert_problem(&t1.try_json("POST", &path, &json!({ "reason": "" })).unwrap(), ProblemType::InvalidField);
        let raised = post(&t1, &path, json!({ "reason": "three departments disagree" }));
        assert_eq!((raised["level"]["word"].as_str(), raised["cause"]["word"].as_str()), (Some("coordination"), Some("raised")));
        let again = post(&t1, &path, json!({ "reason": "still" }));
        assert_eq!(raised["id"], again["id"], "one at a time");
        let last = world.lead().work_order_timeline(order).unwrap().pop().unwrap();
        assert_eq!((last.action.as_str(), last.reason.as_deref()), ("raise_to_coordination", Some("still")));
        let quality = world.desk("quality_control");
        let close = format!("/v1/escalations/{}/close", id_of(&raised));
        let closed = post(&quality, &close, json!({ "outcome": "answered", "words": "agreed on a plan" }));
        assert_eq!(closed["closed_by"], json!(quality.user_id));
        service.work_order_withdraw(order, "over").unwrap();
        assert_problem(&t1.try_json("POST", &path, &json!({ "reason": "late" })).unwrap(), ProblemType::IllegalTransition);
        // By a person, of a complaint without an order.
        let manual = format!("/v1/complaints/{}/escalations", id_of(&sensitive));
        let joint = post(&service, &manual, json!({ "level": "joint", "reason": "the press calls" }));
        assert_problem(
            &world.lead().try_json("POST", &format!("/v1/escalations/{}/close", id_of(&joint)), &json!({ "outcome": "answered", "words": "x" })).unwrap(),
            ProblemType::NotFound,
        );
        let over_the_top = json!({ "outcome": "raised", "words": "x" });
        assert_problem(
            &quality.try_json("POST", &format!("/v1/escalations/{}/close", id_of(&joint)), &over_the_top).unwrap(),
            ProblemType::IllegalTransition,
        );
    }
}
