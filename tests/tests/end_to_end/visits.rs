//! Chases, appointments and arrivals, hours of rest, words, consent, and low scores.

use super::dispatching::{administrator, done, policy};
use super::support::{RawTester, assert_nothing_changes, assert_problem, command, id, rejected};
use callout_sync_protocol::commands::{CommandBody, ContactOutcome};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{Change, CommandResult};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{TimeWindow, Urgency, WorkOrderView};
use callout_tests::phones::{PLACE, findings};
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};

fn view(world: &World, tester: &RawTester) -> WorkOrderView {
    let response = tester.sync(&tester.request(world));
    let order = response.changes.into_iter().find_map(|change| match change {
        Change::Changed { order } => Some(*order),
        Change::Left { .. } => None,
    });
    order.expect("an order on the phone")
}

#[track_caller]
fn accepted(world: &World, tester: &RawTester, order: WorkOrderId, body: CommandBody) {
    let results = tester.commands(world, vec![command(world, order, body)]);
    assert!(matches!(results[0], CommandResult::Accepted { .. }), "{results:?}");
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

world_tests! {
    /// R-ROUTE-4: a chase raises urgency and adds facts once, and reaches the phone; withdrawing twice is as good as once.
    fn a_chase_reaches_the_phone_once(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let path = format!("/v1/work-orders/{order}/chase");
        let body = json!({ "reference": "Z-1", "urgency": "urgent", "note": "电梯里也没有信号" });
        let service = world.customer_service();
        let first = service.try_json("POST", &path, &body).unwrap();
        let again = service.try_json("POST", &path, &body).unwrap();
        assert_eq!((first.status, again.status), (201, 200));
        assert_eq!(first.json()["id"], again.json()["id"], "the same chase");
        let view = view(world, &tester);
        assert_eq!(view.urgency, Urgency::Urgent);
        assert!(view.description.contains("在家打电话") && view.description.ends_with("电梯里也没有信号"), "{}", view.description);
        let chases: Value = world.t1().get(&format!("/v1/work-orders/{order}/chases")).unwrap();
        assert_eq!(chases["items"].as_array().unwrap().len(), 1);
        let told = world.lead().work_order_timeline(order.0).unwrap();
        assert_eq!(told.iter().filter(|entry| entry.action == "chase").count(), 1, "told once (R-AUDIT-1)");
        assert_nothing_changes(world, || {
            let refused = |body: Value, problem| assert_problem(&service.try_json("POST", &path, &body).unwrap(), problem);
            refused(json!({ "reference": "Z-1", "note": "other" }), ProblemType::IdempotencyConflict);
            refused(json!({ "reference": "Z-2" }), ProblemType::InvalidField);
            refused(json!({ "reference": " ", "note": "x" }), ProblemType::InvalidField);
            let elsewhere = format!("/v1/work-orders/{}/chase", WorkOrderId(uuid::Uuid::nil()));
            assert_problem(&service.try_json("POST", &elsewhere, &body).unwrap(), ProblemType::NotFound);
            let stranger = world.desk("integration_client");
            assert_problem(&stranger.try_json("POST", &path, &body).unwrap(), ProblemType::NotFound);
        });
        // Urgency never falls.
        done(&service, "POST", &path, &json!({ "reference": "Z-3", "urgency": "normal" }));
        assert_eq!(world.t1().get::<Value>(&format!("/v1/work-orders/{order}")).unwrap()["urgency"], "urgent");

        service.work_order_withdraw(order.0, "客户撤诉").unwrap();
        let once = world.lead().work_order_timeline(order.0).unwrap().len();
        assert_eq!(service.work_order_withdraw(order.0, "客户撤诉").unwrap().state, "withdrawn");
        assert_eq!(world.lead().work_order_timeline(order.0).unwrap().len(), once, "idempotent");
        let answer = service.try_json("POST", &path, &json!({ "reference": "Z-4", "note": "x" })).unwrap();
        assert_problem(&answer, ProblemType::IllegalTransition);
    }

    /// R-VISIT-1: a desk promises a window inside the policy; the arrival is compared with it, on the order and on its test.
    fn arrivals_are_compared_with_the_appointment(world) {
        let mut tester = RawTester::new(world, "tester-1");
        // Everybody comes to work before the clock moves.
        administrator(world);
        world.lead();
        let order = world.order_located();
        let path = format!("/v1/work-orders/{order}/appointment");
        let window = |from: &str, until: &str| json!({ "from": from, "until": until });
        let (service, order_id) = (world.customer_service(), WorkOrderId(order));
        assert_nothing_changes(world, || {
            for (from, until) in [
                ("2026-11-23T01:00:00Z", "2026-11-23T02:30:00Z"),
                ("2026-11-23T03:00:00Z", "2026-11-23T03:05:00Z"),
                ("2026-11-23T03:00:00Z", "2026-11-23T09:00:00Z"),
                ("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"),
            ] {
                let answer = service.try_json("PUT", &path, &window(from, until)).unwrap();
                assert_problem(&answer, ProblemType::InvalidField);
            }
        });
        done(&service, "PUT", &path, &window("2026-11-23T03:00:00Z", "2026-11-23T04:00:00Z"));
        world.t1().work_order_dispatch(order, tester.user_id).unwrap();
        let promised = TimeWindow { from: at("2026-11-23T03:00:00Z"), until: at("2026-11-23T04:00:00Z") };
        assert_eq!(view(world, &tester).appointment, Some(promised), "what was promised stands for whoever goes");

        accepted(world, &tester, order_id, CommandBody::Accept {});
        let contact = CommandBody::Contact {
            outcome: ContactOutcome::Reached, appointment: Some(promised), emergency_reason: None, note: None,
        };
        accepted(world, &tester, order_id, contact);
        accepted(world, &tester, order_id, CommandBody::TestBegin { field_test_id: id() });
        for (now, punctuality, minutes) in [
            ("2026-11-23T02:45:00Z", "early", -15),
            ("2026-11-23T02:55:00Z", "short_notice", -5),
            ("2026-11-23T03:20:00Z", "late", 20),
            ("2026-11-23T04:01:00Z", "missed", 61),
        ] {
            world.clock.set(at(now));
            tester.renew(world, "tester-1");
            accepted(world, &tester, order_id, CommandBody::Arrive { position: PLACE });
            let shown: Value = world.t1().get(&format!("/v1/work-orders/{order}")).unwrap();
            let arrival = &shown["arrival"];
            assert_eq!((&arrival["punctuality"], &arrival["minutes_after_start"]), (&json!(punctuality), &json!(minutes)), "{now}");
            assert_eq!((&arrival["is_at_place"], &arrival["distance_m"]), (&json!(true), &json!(0)), "{now}");
        }
        let arrivals: Value = world.lead().get(&format!("/v1/work-orders/{order}/arrivals")).unwrap();
        assert_eq!(arrivals["items"].as_array().unwrap().len(), 4, "none is lost");
        let tests: Value = world.lead().get(&format!("/v1/work-orders/{order}/field-tests")).unwrap();
        assert_eq!(tests["items"][0]["arrival"]["punctuality_zh"], "爽约");
        // The ten minutes are an administrator's.
        policy(world, "appointments", json!({ "early_minutes": 3 }));
        let mut later = window("2026-11-23T07:00:00Z", "2026-11-23T08:00:00Z");
        later["emergency_reason"] = json!("约好的时间已过 the appointment is over");
        done(&world.t1(), "PUT", &path, &later);
        world.clock.set(at("2026-11-23T06:55:00Z"));
        tester.renew(world, "tester-1");
        accepted(world, &tester, order_id, CommandBody::Arrive { position: PLACE });
        let shown: Value = world.t1().get(&format!("/v1/work-orders/{order}")).unwrap();
        assert_eq!(shown["arrival"]["punctuality"], "early", "five minutes are enough now");
    }

    /// R-CONTACT-1: desks and phones leave customers in peace, by local time and policy; an emergency is on record with its reason.
    fn customers_are_left_in_peace(world) {
        let mut tester = RawTester::new(world, "tester-1");
        // Everybody comes to work before the clock moves.
        administrator(world);
        world.lead();
        let order = world.order_dispatched(tester.user_id);
        accepted(world, &tester, order, CommandBody::Accept {});
        let path = format!("/v1/work-orders/{order}/appointment");
        let window = json!({ "from": "2026-11-23T07:00:00Z", "until": "2026-11-23T08:00:00Z" });
        world.clock.set(at("2026-11-23T04:30:00Z"));
        let answer = world.t1().try_json("PUT", &path, &window).unwrap();
        assert_problem(&answer, ProblemType::CustomerRestHours);
        let mut urgent = window.clone();
        urgent["emergency_reason"] = json!("医院断网");
        done(&world.t1(), "PUT", &path, &urgent);
        let told = world.lead().send("GET", &format!("/v1/work-orders/{order}/timeline"), &[], &[]).unwrap().text();
        assert!(told.contains("医院断网"), "the reason is on record: {told}");

        // Another town rests at other hours; the phone is told and judges by them.
        policy(world, "contact_hours", json!({ "rest_hours": [{ "from": "15:00", "until": "16:00" }] }));
        done(&world.t1(), "PUT", &path, &window);
        tester.renew(world, "tester-1");
        let view = view(world, &tester);
        assert_eq!(view.rest_hours().0, [(15 * 60, 16 * 60)]);
        world.clock.set(at("2026-11-23T07:30:00Z"));
        tester.renew(world, "tester-1");
        let contact = CommandBody::Contact {
            outcome: ContactOutcome::NoAnswer, appointment: None, emergency_reason: None, note: None,
        };
        let results = tester.commands(world, vec![command(world, order, contact)]);
        assert_eq!(rejected(&results[0]).problem, ProblemType::CustomerRestHours);
    }

    /// R-CONTACT-1, R-CONTACT-2: a desk's question reaches the customer neither at noon nor in words that no customer should hear.
    fn customers_are_asked_politely_and_not_at_noon(world) {
        administrator(world);
        world.lead();
        world.t1();
        let order = world.order_located();
        let path = format!("/v1/work-orders/{order}/ask-customer");
        let rude = world.t1().try_json("POST", &path, &json!({ "question": "这不归我们管，您住几号楼？" })).unwrap();
        assert_problem(&rude, ProblemType::InvalidField);
        world.clock.set(at("2026-11-23T04:30:00Z"));
        let mut asked = json!({ "question": "您住几号楼？" });
        assert_problem(&world.t1().try_json("POST", &path, &asked).unwrap(), ProblemType::CustomerRestHours);
        assert_eq!(world.t1().get::<Value>(&format!("/v1/work-orders/{order}/customer-questions")).unwrap()["items"], json!([]));
        asked["emergency_reason"] = json!("独居老人失联");
        done(&world.t1(), "POST", &path, &asked);
        let told = world.lead().send("GET", &format!("/v1/work-orders/{order}/timeline"), &[], &[]).unwrap().text();
        assert!(told.contains("独居老人失联"), "the reason is on record: {told}");
    }

    /// R-CONTACT-1, R-REVISIT-1: nobody is called for a revisit in the hours of rest, but in an emergency.
    fn nobody_is_called_at_noon(world) {
        let order = world.order_located();
        let handoff = world.t1().handoff_create(order, "maintenance", "cell down").unwrap();
        world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "restarted").unwrap();
        let revisit = world.lead().revisit_create(order, "restarted").unwrap();
        let service = world.customer_service();
        let path = format!("/v1/revisits/{}/answer", revisit.id);
        service.revisit_record(revisit.id, true, 11, "").unwrap_err();
        world.clock.set(at("2026-11-23T04:30:00Z"));
        let mut body = json!({ "solved": true, "score": 9 });
        let answer = world.customer_service().try_json("POST", &path, &body).unwrap();
        assert_problem(&answer, ProblemType::CustomerRestHours);
        assert_eq!(world.lead().work_order_show(order).unwrap().state, "awaiting_revisit");
        body["emergency_reason"] = json!("客户来电要求立即确认");
        done(&world.customer_service(), "POST", &path, &body);
        let timeline: Value = world.lead().get(&format!("/v1/work-orders/{order}/timeline")).unwrap();
        let told = timeline["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "emergency_contact").unwrap();
        assert_eq!(told["reason"], "客户来电要求立即确认");
    }

    /// R-CONTACT-2: the words to begin and end with, and those that must not reach a customer, are data per language.
    fn words_are_data(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let ordinary = view(world, &tester);
        assert!(ordinary.contact_words.is_none(), "every phone has the ordinary words");
        assert!(ordinary.contact_words().zh.opening.contains("您好"));
        let words = json!({ "opening": "您好，武威移动", "closing": "再见" });
        policy(world, "contact_words", json!({ "zh": words, "en": { "opening": "Hello", "closing": "Goodbye" } }));
        world.customer_service().try_json("POST", &format!("/v1/work-orders/{order}/chase"), &json!({ "reference": "1", "note": "x" })).unwrap();
        assert_eq!(view(world, &tester).contact_words().zh.opening, "您好，武威移动");
        let shown: Value = world.customer_service().get("/v1/contact-words").unwrap();
        assert_eq!(shown["en"]["closing"], "Goodbye");

        let reply = |body: &str| {
            let body = json!({ "kind": "stage", "body": body, "next_step": "retest" });
            world.t1().try_json("POST", &format!("/v1/work-orders/{order}/replies"), &body).unwrap()
        };
        assert_problem(&reply("网络就是这样的"), ProblemType::InvalidField);
        policy(world, "forbidden_expressions", json!([
            { "language": "zh", "parts": ["亲"], "reason": "不正式" },
            { "language": "en", "parts": ["dear"], "reason": "informal" },
        ]));
        assert_problem(&reply("亲，正在处理"), ProblemType::InvalidField);
        assert_problem(&reply("Dear, we are on it"), ProblemType::InvalidField);
        assert_eq!(reply("网络就是这样的").status, 201, "the list is data");
    }

    /// R-VISIT-2, R-VISIT-3: photos indoors need the recorded consent; contact left, need and revisit are on the test.
    fn consent_comes_first_and_the_farewell_is_on_record(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let window = TimeWindow { from: world.clock.time().plus_seconds(3_600), until: world.clock.time().plus_seconds(7_200) };
        let test = id();
        accepted(world, &tester, order, CommandBody::Accept {});
        accepted(world, &tester, order, CommandBody::Contact {
            outcome: ContactOutcome::Reached, appointment: Some(window), emergency_reason: None, note: None,
        });
        accepted(world, &tester, order, CommandBody::Arrive { position: PLACE });
        accepted(world, &tester, order, CommandBody::TestBegin { field_test_id: test });
        let photo = || CommandBody::PhotoAttach {
            manifest: callout_sync_protocol::photos::PhotoManifest {
                id: id(),
                work_order_id: order,
                field_test_id: test,
                hash: callout_sync_protocol::photos::PhotoHash([1; 32]),
                byte_length: 1_000,
                media_type: callout_sync_protocol::photos::MediaType::Jpeg,
                purpose: callout_sync_protocol::photos::PhotoPurpose::Indoors,
                captured_at: world.clock.time(),
                position: None,
            },
        };
        for consent in [None, Some(false)] {
            if let Some(granted) = consent {
                accepted(world, &tester, order, CommandBody::PhotoConsent { granted });
            }
            let results = tester.commands(world, vec![command(world, order, photo())]);
            assert_eq!(rejected(&results[0]).problem, ProblemType::ConsentMissing, "{consent:?}");
        }
        accepted(world, &tester, order, CommandBody::PhotoConsent { granted: true });
        accepted(world, &tester, order, photo());
        accepted(world, &tester, order, CommandBody::FindingsRecord { field_test_id: test, findings: findings("drops") });
        let tests: Value = world.lead().get(&format!("/v1/work-orders/{order}/field-tests")).unwrap();
        let found = &tests["items"][0]["findings"];
        assert_eq!((&found["contact_left"], &found["revisit_announced"]), (&json!(true), &json!(true)));
        assert_eq!(found["pressing_need"], "calls that hold");
    }

    /// R-REVISIT-1, R-RETURN-4: a low score is followed up and closed with what was done; a denied return counts.
    fn a_low_score_is_followed_up(world) {
        let order = world.order_located();
        let (lead, service, quality) = (world.lead(), world.customer_service(), world.desk("quality_control"));
        let handoff = world.t1().handoff_create(order, "maintenance", "cell down").unwrap();
        world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "restarted").unwrap();
        let denied = lead.revisit_create(order, "restarted").unwrap();
        service.revisit_record(denied.id, false, 2, "still bad").unwrap();
        let marks: Value = quality.get("/v1/appraisal-marks?kind=false_return").unwrap();
        assert_eq!(marks["items"][0]["user_id"], json!(lead.user_id), "against who held it solved");
        let second = world.t1().revisit_create(order, "board replaced").unwrap();
        service.revisit_record(second.id, true, 7, "good").unwrap();
        let list: Value = quality.get("/v1/follow-ups?state=open").unwrap();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "7 is good enough: {list}");
        assert_eq!((&items[0]["score"], &items[0]["revisit_id"]), (&json!(2), &json!(denied.id)));
        let close = format!("/v1/follow-ups/{}/close", items[0]["id"].as_str().unwrap());
        assert_problem(&quality.try_json("POST", &close, &json!({ "what_was_done": " " })).unwrap(), ProblemType::InvalidField);
        let foreign = world.foreign_desk("regional_lead");
        assert_problem(&foreign.try_json("POST", &close, &json!({ "what_was_done": "x" })).unwrap(), ProblemType::NotFound);
        let closed = done(&quality, "POST", &close, &json!({ "what_was_done": "已回电致歉" }));
        assert_eq!((&closed["state"], &closed["what_was_done"]), (&json!("closed"), &json!("已回电致歉")));
        let answer = lead.try_json("POST", &close, &json!({ "what_was_done": "again" })).unwrap();
        assert_problem(&answer, ProblemType::IllegalTransition);
        assert_eq!(quality.get::<Value>("/v1/follow-ups?state=open").unwrap()["items"], json!([]));

        // The threshold is an administrator's; a ticket's low score is followed up as well.
        policy(world, "revisits", json!({ "low_score": 8 }));
        let order = world.order_located();
        let handoff = world.t1().handoff_create(order, "maintenance", "cell down").unwrap();
        world.desk("t2_branch_desk").handoff_answer(handoff.id, "planned", "next month").unwrap();
        let ticket = world.t1().reply_unresolved(order, "waits for the new board").unwrap().tracking_ticket_id.unwrap();
        let revisit = lead.revisit_create(order, "new board").unwrap();
        service.revisit_record(revisit.id, true, 8, "fine").unwrap();
        let list: Value = lead.get(&format!("/v1/follow-ups?work_order_id={order}")).unwrap();
        assert_eq!(list["items"][0]["tracking_ticket_id"], json!(ticket));
    }
}
