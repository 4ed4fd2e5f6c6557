//! Clocks of complaints and orders through the API: started, paused, warned of, broken once, explained, reopened
//! (R-LIMIT-1, R-LIMIT-2, R-INTAKE-5, R-INTAKE-9, R-REVIEW-1, R-CLASS-2, R-KPI-1).

use super::support::{assert_problem, id};
use callout_cli::desk::Desk;
use callout_storage::complaints::ComplaintState;
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::ids::ComplaintId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use callout_tests::world::{ROLES, World, morning};
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

const HOUR: i64 = 3_600;

fn items(desk: &Desk, path: &str) -> Vec<Value> {
    let list: Value = desk.get(path).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn order_clocks(world: &World, order: Uuid) -> Vec<Value> {
    items(&world.t1(), &format!("/v1/work-orders/{order}/clocks"))
}

/// The last clock of a kind.
#[track_caller]
fn clock(world: &World, order: Uuid, kind: &str) -> Value {
    let clocks = order_clocks(world, order);
    clocks.into_iter().rfind(|clock| clock["kind"] == kind).unwrap_or_else(|| panic!("no clock '{kind}'"))
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[track_caller]
fn at(value: &Value) -> Timestamp {
    instant(value.as_str().unwrap())
}

fn actions(world: &World, order: Uuid, action: &str) -> usize {
    let timeline = world.lead().work_order_timeline(order).unwrap();
    timeline.iter().filter(|entry| entry.action == action).count()
}

fn complaint_of(world: &World, order: Uuid) -> ComplaintId {
    let seen: Value = world.t1().get(&format!("/v1/work-orders/{order}")).unwrap();
    seen["complaint_id"].as_str().unwrap().parse().unwrap()
}

fn post(desk: &Desk, path: &str, body: Value) -> Value {
    let answer = desk.try_json("POST", path, &body).unwrap();
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

/// Nothing is lost: every open complaint has a clock that runs, or waits with a reason.
#[track_caller]
fn assert_all_watched(storage: &Storage) {
    let ended: Vec<ComplaintState> = ComplaintState::ALL.iter().copied().filter(|state| state.is_final()).collect();
    let lost = storage.read::<_, StorageError>("test", |tx| tx.complaint_ids_unwatched(&ended, 10)).unwrap();
    assert_eq!(lost, Vec::<ComplaintId>::new(), "an open complaint without a clock");
}

/// Everybody has an account before the clock moves and the administrator's sign-in ends.
fn everybody(world: &World) {
    ROLES.iter().filter(|role| **role != "administrator").for_each(|role| drop(world.desk(role)));
    for role in ["regional_lead", "t1_dispatcher"] {
        world.foreign_desk(role);
    }
}

/// An order whose test was submitted.
fn order_submitted(world: &World) -> (callout_tests::phones::Tester, Uuid) {
    let (mut tester, tester_id) = world.tester("tester-1");
    let order = world.order_dispatched(tester_id);
    tester.sync();
    tester.work(order, 20);
    tester.sync();
    (tester, order.0)
}

world_tests! {
    /// R-INTAKE-5, R-INTAKE-9, R-LIMIT-1: what is owed begins with the complaint's reception, not with its classification.
    fn intake_starts_what_is_owed(world) {
        everybody(world);
        let (service, received) = (world.customer_service(), world.clock.time().plus_seconds(-2 * HOUR));
        let mut body = world.complaint_body();
        body["channel"] = json!("group_hotline");
        body["received_at"] = json!(received);
        let complaint = service.complaint_create(&body).unwrap().id;
        let path = format!("/v1/complaints/{complaint}/clocks");
        let kinds = |clocks: &[Value]| -> Vec<(String, String)> {
            let word = |clock: &Value, field: &str| clock[field].as_str().unwrap().to_owned();
            let mut kinds: Vec<_> = clocks.iter().map(|c| (word(c, "kind"), word(c, "standing"))).collect();
            kinds.sort();
            kinds
        };
        let pair = |kind: &str, standing: &str| (kind.to_owned(), standing.to_owned());
        let clocks = items(&service, &path);
        assert_eq!(kinds(&clocks), [pair("first_response", "running"), pair("higher_door", "running")]);
        let due = |clocks: &[Value], kind: &str| at(&clocks.iter().find(|c| c["kind"] == kind).unwrap()["due_at"]);
        assert_eq!(due(&clocks, "first_response"), received.plus_seconds(24 * HOUR));
        assert_eq!(due(&clocks, "higher_door"), received.plus_seconds(48 * HOUR));
        assert_all_watched(&world.storage);

        let order = world.t1().complaint_classify_network(complaint).unwrap().work_order_id.unwrap();
        let clocks = order_clocks(world, order);
        assert_eq!(clocks.len(), 3);
        assert_eq!(due(&clocks, "handling"), received.plus_seconds(72 * HOUR), "three working days from the reception");
        assert!(clocks.iter().all(|clock| clock["work_order_id"] == json!(order)));
        world.clock.advance_seconds(HOUR);
        world.t1().reply_stage(order, "located", "a tester comes").unwrap();
        let clocks = items(&world.customer_service(), &path);
        assert_eq!(
            kinds(&clocks),
            [pair("first_response", "stopped"), pair("handling", "running"), pair("higher_door", "stopped")]
        );
        let first = clocks.iter().find(|clock| clock["kind"] == "first_response").unwrap();
        assert_eq!((&first["outcome"], &first["breach"]), (&json!("met"), &Value::Null));
        assert_eq!((first["used_seconds"].as_i64(), first["left_seconds"].as_i64()), (Some(3 * HOUR), Some(21 * HOUR)));

        let business = world.customer_service().complaint_create(&world.complaint_body()).unwrap().id;
        world.t1().complaint_answer_business(business, "tariff explained").unwrap();
        let clocks = items(&world.customer_service(), &format!("/v1/complaints/{business}/clocks"));
        assert_eq!(kinds(&clocks), [pair("first_response", "stopped"), pair("handling", "stopped")]);
        assert!(clocks.iter().all(|clock| clock["outcome"] == "met"));
        assert_all_watched(&world.storage);
    }

    /// R-LOCATE-1, R-LIMIT-1: waiting for the customer's answer is not the desk's time; the explanation has no gap and adds up.
    fn a_question_to_the_customer_pauses_the_clock(world) {
        everybody(world);
        let order = world.order_located();
        let (_, tester_id) = world.tester("tester-1");
        let before = clock(world, order, "handling");
        world.clock.advance_seconds(HOUR);
        let ask = format!("/v1/work-orders/{order}/ask-customer");
        let answered = format!("/v1/work-orders/{order}/customer-answered");
        post(&world.t1(), &ask, json!({ "question": "几号楼？" }));
        world.clock.advance_seconds(5 * HOUR);
        let paused = clock(world, order, "handling");
        assert_eq!((&paused["standing"], &paused["used_seconds"]), (&json!("paused"), &json!(HOUR)));
        post(&world.t1(), &ask, json!({ "question": "几单元？" }));
        post(&world.customer_service(), &answered, json!({ "answer": "3号楼2单元" }));
        let resumed = clock(world, order, "handling");
        assert_eq!(resumed["standing"], "running");
        assert_eq!(at(&resumed["due_at"]), at(&before["due_at"]).plus_seconds(5 * HOUR));
        let spans = resumed["spans"].as_array().unwrap();
        let reasons: Vec<&str> = spans.iter().map(|span| span["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, ["counted", "paused"], "{spans:?}");
        assert!(spans[1]["note"].as_str().unwrap().contains("等待客户答复"));
        let questions = items(&world.t1(), &format!("/v1/work-orders/{order}/customer-questions"));
        assert_eq!(questions.len(), 2);
        assert!(questions.iter().all(|question| question["answer"] == "3号楼2单元"));

        // Work that goes on without the answer ends the pause with it.
        post(&world.t1(), &ask, json!({ "question": "何时在家？" }));
        world.clock.advance_seconds(HOUR);
        world.t1().work_order_dispatch(order, tester_id).unwrap();
        let going = clock(world, order, "handling");
        assert_eq!((&going["standing"], &going["used_seconds"]), (&json!("running"), &json!(HOUR)));
        assert_problem(
            &world.t1().try_json("POST", &ask, &json!({ "question": "?" })).unwrap(),
            ProblemType::IllegalTransition,
        );
        assert!(!world.picture().contains("几号楼"), "the trail holds no words of the talk (R-PRIVACY-1)");
        assert_all_watched(&world.storage);
    }

    /// R-LIMIT-1, R-KPI-1: a warning before the breach; the breach once, at its true instant however late it is noticed; its cause
    /// suggested from who used the time, and named by a person.
    fn a_breach_is_warned_of_recorded_once_and_explained(world) {
        everybody(world);
        let order = world.order_located();
        let handling = clock(world, order, "handling");
        let (warn, due, clock_id) = (at(&handling["warn_at"]), at(&handling["due_at"]), handling["id"].as_str().unwrap().to_owned());
        assert_eq!(due, instant("2026-11-26T02:00:00Z"), "from Monday to Thursday");
        assert_eq!(warn, instant("2026-11-25T11:36:00Z"), "at 80 percent");
        world.t1().reply_stage(order, "located", "a tester comes").unwrap();
        let cause = format!("/v1/clocks/{clock_id}/breach-cause");
        let name = |body: Value| world.t1().try_json("POST", &cause, &body).unwrap();
        world.clock.set(warn.plus_seconds(-1));
        world.run_due();
        assert_eq!(clock(world, order, "handling")["warned_at"], Value::Null);
        world.clock.set(warn);
        world.run_due();
        let warned = clock(world, order, "handling");
        assert_eq!((at(&warned["warned_at"]), &warned["breach"]), (warn, &Value::Null));
        assert_problem(&name(json!({ "cause": "late_dispatch" })), ProblemType::IllegalTransition);
        world.clock.set(due);
        world.run_due();
        assert_eq!(clock(world, order, "handling")["breach"], Value::Null, "due is not overdue");
        let soon = format!("/v1/clocks?standing=running&due_before={}", due.plus_seconds(HOUR));
        assert_eq!(items(&world.t1(), &soon).len(), 1, "what is due soon");

        world.clock.set(due.plus_seconds(30 * HOUR));
        world.run_due();
        world.run_due();
        let broken = clock(world, order, "handling");
        assert_eq!(at(&broken["breach"]["breached_at"]), due, "the instant of the breach, not of the job");
        assert_eq!(at(&broken["breach"]["recorded_at"]), due.plus_seconds(30 * HOUR));
        assert_eq!(broken["left_seconds"], json!(-30 * HOUR));
        assert_eq!(broken["suggested_cause"]["key"], "late_dispatch", "three days in the hands of who dispatches");
        assert_eq!(broken["time_by_stage"][0]["owner"], "t1_dispatcher");
        assert_eq!((actions(world, order, "clock_warned"), actions(world, order, "clock_breached")), (1, 1));
        let overdue = format!("/v1/clocks?standing=running&is_breached=true&due_before={}", world.clock.time());
        assert_eq!(items(&world.t1(), &overdue)[0]["id"], json!(clock_id));
        let own = format!("{overdue}&region_id={}", world.regions[0]);
        assert_eq!(items(&world.lead(), &own).len(), 1);
        assert!(items(&world.foreign_desk("regional_lead"), &overdue).is_empty(), "other regions are none of theirs");

        let causes = items(&world.lead(), "/v1/breach-causes");
        assert!(causes.iter().any(|cause| cause["key"] == "property_access" && cause["name_zh"] == "物业协调困难"));
        assert_problem(&name(json!({ "cause": "bad luck" })), ProblemType::InvalidField);
        assert_problem(&name(json!({ "cause": "other" })), ProblemType::InvalidField);
        let named = name(json!({ "cause": "other", "note": "台风" }));
        assert_eq!(named.status, 200, "{}", named.text());
        let named = name(json!({ "cause": "wrong_dispatch" })).json();
        assert_eq!((&named["breach"]["cause"], &named["named_cause"]["name_zh"]), (&json!("wrong_dispatch"), &json!("派单有误")));
        assert_eq!(actions(world, order, "clock_breach_cause_named"), 2, "the trail keeps both (R-AUDIT-1)");
        let pareto: Value = world.lead().get("/v1/kpis/overdue-causes?from=2026-11-01&until=2026-12-31").unwrap();
        assert_eq!(pareto["items"][0]["cause"], "wrong_dispatch", "in the Pareto chart (R-KPI-1)");
        assert_problem(
            &world.foreign_desk("t1_dispatcher").try_json("POST", &cause, &json!({ "cause": "customer" })).unwrap(),
            ProblemType::NotFound,
        );
    }

    /// Timers are rows: another server goes on with them after a restart, and a clock that jumps makes nothing happen twice.
    fn timers_survive_a_restart_and_jumping_clocks(world) {
        everybody(world);
        let order = world.order_located();
        let due = at(&clock(world, order, "handling")["due_at"]);
        let restarted = world.another_server();
        world.clock.set(due.plus_seconds(2 * HOUR));
        restarted.run_due().unwrap();
        let broken = clock(world, order, "handling");
        assert_eq!(at(&broken["breach"]["breached_at"]), due);
        assert_eq!(broken["warned_at"], Value::Null, "a warning after the breach would be none");
        for jump in [morning(), due.plus_seconds(-HOUR), due.plus_seconds(90 * 24 * HOUR), morning(), due.plus_seconds(1)] {
            world.clock.set(jump);
            world.run_due();
            restarted.run_due().unwrap();
        }
        assert_eq!(clock(world, order, "handling")["breach"], broken["breach"]);
        assert_eq!((actions(world, order, "clock_warned"), actions(world, order, "clock_breached")), (0, 2));
        restarted.stop().unwrap();
    }

    /// A deadline that moved takes its timer along: nothing goes off at the old one.
    fn a_moved_deadline_moves_its_timer(world) {
        everybody(world);
        let order = world.order_located();
        world.t1().reply_stage(order, "located", "a tester comes").unwrap();
        let due = at(&clock(world, order, "handling")["due_at"]);
        post(&world.t1(), &format!("/v1/work-orders/{order}/ask-customer"), json!({ "question": "几号楼？" }));
        world.clock.set(due.plus_seconds(HOUR));
        world.run_due();
        let paused = clock(world, order, "handling");
        assert_eq!((&paused["standing"], &paused["breach"], &paused["warned_at"]), (&json!("paused"), &Value::Null, &Value::Null));
        post(&world.t1(), &format!("/v1/work-orders/{order}/customer-answered"), json!({ "answer": "3号楼" }));
        let moved = at(&clock(world, order, "handling")["due_at"]);
        assert!(moved > due.plus_seconds(48 * HOUR));
        world.clock.set(moved.plus_seconds(1));
        world.run_due();
        assert_eq!(at(&clock(world, order, "handling")["breach"]["breached_at"]), moved);
    }

    /// Two servers that look at the same time do each job once.
    fn two_servers_break_a_clock_once(world) {
        everybody(world);
        let orders: Vec<Uuid> = (0..6).map(|_| world.order_located()).collect();
        let other = world.another_server();
        world.clock.set(at(&clock(world, orders[0], "handling")["due_at"]).plus_seconds(60));
        std::thread::scope(|scope| {
            for server in [&world.server, &other] {
                scope.spawn(move || (0..3).for_each(|_| assert!(server.run_due().is_ok())));
            }
        });
        for order in orders {
            let timeline = world.lead().work_order_timeline(order).unwrap();
            let mut broken: Vec<String> = timeline
                .iter()
                .filter(|entry| entry.action == "clock_breached")
                .map(|entry| entry.detail["kind"].as_str().unwrap().to_owned())
                .collect();
            broken.sort();
            assert_eq!(broken, ["first_response", "handling"], "each limit once");
        }
        other.stop().unwrap();
    }

    /// R-REVIEW-1, R-LIMIT-2, R-RETURN-2…4: review, plan and ticket have clocks of their own; reopening goes on with the old one.
    fn every_step_has_its_clock_and_reopening_goes_on_with_the_old_one(world) {
        everybody(world);
        let (mut tester, order) = order_submitted(world);
        let review = clock(world, order, "review");
        assert_eq!(review["standing"], "running");
        assert_eq!(at(&review["due_at"]), world.clock.time().plus_seconds(24 * HOUR));
        let test = world.field_test(callout_sync_protocol::ids::WorkOrderId(order)).id;
        world.lead().field_test_send_back(test, &["a photo of the site"]).unwrap();
        assert_eq!(clock(world, order, "review")["outcome"], "met");
        world.clock.advance_seconds(60);
        tester.sync();
        tester.phone.submit(callout_sync_protocol::ids::WorkOrderId(order), Vec::new()).unwrap();
        tester.sync();
        let again = clock(world, order, "review");
        assert_ne!(again["id"], review["id"], "each submission has its own limit");
        world.clock.advance_seconds(HOUR);
        world.lead().field_test_approve(test, "parameters", "repair the cell", "fault").unwrap();
        let plan = clock(world, order, "plan");
        assert_eq!(at(&plan["due_at"]), world.clock.time().plus_seconds(48 * HOUR), "a fault: two days (R-LIMIT-2)");
        let handoff = world.t1().handoff_create(order, "branch", "no fault there").unwrap();
        assert_eq!(clock(world, order, "plan")["standing"], "running", "a fault goes to maintenance, nowhere else");
        world.desk("t2_branch_desk").handoff_answer(handoff.id, "wrong_addressee", "ours it is not").unwrap();
        world.t1().handoff_create(order, "maintenance", "repair the cell").unwrap();
        assert_eq!(clock(world, order, "plan")["outcome"], "met");

        let (_, other) = { let order = world.order_located(); (0, order) };
        world.t1().handoff_create(other, "branch", "access").map(|handoff| {
            world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "done").unwrap()
        }).unwrap();
        let handling = clock(world, other, "handling");
        let revisit = world.t1().revisit_create(other, "access given").unwrap();
        let paused = clock(world, other, "handling");
        assert_eq!(paused["standing"], "paused", "waiting for the customer's word is not the desk's time");
        world.clock.advance_seconds(5 * HOUR);
        world.customer_service().revisit_record(revisit.id, false, 2, "still bad").unwrap();
        let reopened = clock(world, other, "handling");
        assert_eq!((&reopened["id"], &reopened["standing"]), (&handling["id"], &json!("running")), "the old clock goes on");
        world.clock.advance_seconds(60);
        let reopened = clock(world, other, "handling");
        let last = reopened["spans"].as_array().unwrap().last().unwrap().clone();
        assert!(last["note"].as_str().unwrap().contains("reopened"), "and says so: {last}");
        assert_eq!(at(&reopened["due_at"]), at(&handling["due_at"]).plus_seconds(5 * HOUR));

        world.t1().reply_unresolved(other, "needs building").unwrap();
        assert_eq!(clock(world, other, "handling")["outcome"], "met");
        assert_eq!(clock(world, other, "tracking")["standing"], "running", "the ticket lives on (R-RETURN-2)");
        assert_all_watched(&world.storage);
        let revisit = world.lead().revisit_create(other, "built").unwrap();
        assert_eq!(clock(world, other, "tracking")["standing"], "paused");
        assert_all_watched(&world.storage);
        world.customer_service().revisit_record(revisit.id, true, 9, "good").unwrap();
        assert_eq!(clock(world, other, "tracking")["outcome"], "met");
        assert!(order_clocks(world, other).iter().all(|clock| clock["standing"] == "stopped"));
        assert_all_watched(&world.storage);
    }

    /// R-LIMIT-1: the calendar is data; the deadlines of running clocks follow it, and a year without data is said.
    fn deadlines_follow_the_calendar(world) {
        everybody(world);
        let order = world.order_located();
        let due = at(&clock(world, order, "handling")["due_at"]);
        let set = |kind: &str, document: Value| {
            let body = json!({ "document": document, "reason": "通知" });
            let answer = world.admin.try_json("PUT", &format!("/v1/policies/{kind}"), &body).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        };
        let days_off = json!({ "2026-11-24": "台风停工" });
        set("calendar", json!({ "years": [2026], "public_holidays": days_off, "makeup_workdays": [] }));
        world.run_due();
        let moved = clock(world, order, "handling");
        assert_eq!(at(&moved["due_at"]), due.plus_seconds(24 * HOUR));
        assert_eq!(moved["warnings"].as_array().unwrap().len(), 0);
        assert_eq!(actions(world, order, "clock_due_moved"), 1);
        world.clock.set(due.plus_seconds(HOUR));
        world.run_due();
        let seen = clock(world, order, "handling");
        assert_eq!(seen["breach"], Value::Null, "not at the old deadline");
        assert!(seen["spans"].as_array().unwrap().iter().any(|span| span["note"] == "台风停工"));
    }

    /// R-LIMIT-1: a year that the calendar lacks counts weekends only, and the clock says so.
    fn a_year_without_data_is_said(world) {
        let body = json!({ "document": { "years": [2025], "public_holidays": {}, "makeup_workdays": [] }, "reason": "x" });
        assert_eq!(world.admin.try_json("PUT", "/v1/policies/calendar", &body).unwrap().status, 200);
        let order = world.order_located();
        let warnings = clock(world, order, "handling")["warnings"].clone();
        assert!(warnings[0]["text"].as_str().unwrap().contains("2026") && warnings[0]["text_zh"].as_str().unwrap().contains("2026"));
        assert_eq!(clock(world, order, "first_response")["warnings"], json!([]), "every hour counts there");
        let body = json!({ "document": { "years": [], "public_holidays": { "2026-01-01": "元旦" }, "makeup_workdays": [] }, "reason": "x" });
        assert_problem(&world.admin.try_json("PUT", "/v1/policies/calendar", &body).unwrap(), ProblemType::InvalidField);
    }

    /// R-LIMIT-1: a region's own limits hold once the order's region is known.
    fn the_limits_of_the_region_hold(world) {
        let body = json!({ "document": { "quality_working_days": 1, "warn_percent": 50 }, "reason": "示范区" });
        let path = format!("/v1/policies/limits?region_id={}", world.regions[0]);
        assert_eq!(world.admin.try_json("PUT", &path, &body).unwrap().status, 200);
        let order = world.order_located();
        let handling = clock(world, order, "handling");
        assert_eq!(handling["budget_seconds"], json!(24 * HOUR));
        assert_eq!(at(&handling["warn_at"]), world.clock.time().plus_seconds(12 * HOUR));
        assert_eq!(handling["region_id"], json!(world.regions[0]));
        assert_eq!(actions(world, order, "clock_limit_changed"), 1);
    }

    /// R-CLASS-2: what is left of a major complaint's limits shrinks, once; what begins later begins shorter.
    fn a_major_complaint_gets_the_fast_track(world) {
        everybody(world);
        let order = world.order_located();
        let complaint = complaint_of(world, order);
        world.clock.advance_seconds(12 * HOUR);
        let app = world.server.app();
        for _ in 0..2 {
            world.storage.write("test", |tx| app.clock_fast_track(tx, complaint, "三户联名投诉")).unwrap();
        }
        let handling = clock(world, order, "handling");
        assert_eq!(handling["budget_seconds"], json!((12 + 30) * HOUR), "half of the sixty hours that were left");
        assert_eq!(at(&handling["due_at"]), morning().plus_seconds(42 * HOUR));
        assert!(handling["spans"].as_array().unwrap().iter().any(|span| span["note"].as_str().unwrap().contains("三户联名投诉")) || {
            world.clock.advance_seconds(1);
            clock(world, order, "handling")["spans"].to_string().contains("三户联名投诉")
        });
        assert_eq!(clock(world, order, "first_response")["budget_seconds"], json!(24 * HOUR), "what is owed the customer stays");
        assert_eq!(actions(world, order, "clock_limit_changed"), 1);
        world.t1().handoff_create(order, "branch", "access").map(|handoff| {
            world.desk("t2_branch_desk").handoff_answer(handoff.id, "planned", "next year").unwrap()
        }).unwrap();
        world.t1().reply_unresolved(order, "needs building").unwrap();
        assert_eq!(clock(world, order, "tracking")["budget_seconds"], json!(15 * 24 * HOUR));
    }

    /// Complaints from before there were clocks get theirs from what is on record, once.
    fn old_complaints_get_their_clocks(world) {
        use callout_storage::clocks::ClockFilter;
        use callout_storage::{Page, RegionScope};
        let order = world.order_located();
        let received = world.clock.time().plus_seconds(-100 * 24 * HOUR);
        let known = world.storage.read::<_, StorageError>("test", |tx| tx.complaint_by_id(complaint_of(world, order))).unwrap().unwrap();
        let mut old = known.clone();
        old.id = id();
        old.reference = "OLD-1".to_owned();
        old.received_at = received;
        let mut answered = known;
        answered.id = id();
        answered.reference = "OLD-2".to_owned();
        answered.state = ComplaintState::Answered;
        answered.class = Some(callout_storage::complaints::ComplaintClass::Business);
        let mut old_order = world.storage.read::<_, StorageError>("test", |tx| tx.work_order_by_id(callout_sync_protocol::ids::WorkOrderId(order))).unwrap().unwrap();
        old_order.id = id();
        old_order.complaint_id = old.id;
        old_order.number = "WO-20260801-00001".to_owned();
        world.storage.write::<_, StorageError>("test", |tx| {
            tx.complaint_insert(&old)?;
            tx.complaint_insert(&answered)?;
            tx.work_order_insert(&old_order)
        }).unwrap();
        world.run_due();
        world.run_due();
        let all = world.storage.read::<_, StorageError>("test", |tx| tx.clock_list(&ClockFilter::of(RegionScope::All), &Page::first(500))).unwrap();
        let of = |id: ComplaintId| -> Vec<_> {
            all.iter().filter(|c| c.complaint_id == id).map(|c| (c.kind.as_str(), c.standing.as_str(), c.breached_at.is_some())).collect()
        };
        let mut found = of(old.id);
        found.sort_unstable();
        assert_eq!(found, [("first_response", "running", true), ("handling", "running", true)]);
        let mut found = of(answered.id);
        found.sort_unstable();
        assert_eq!(found, [("first_response", "stopped", false), ("handling", "stopped", false)]);
        assert_eq!(order_clocks(world, old_order.id.0).len(), 2);
        assert_all_watched(&world.storage);
        // An order that nobody filled in yet gets its clocks when it is first touched.
        let mut older = old;
        older.id = id();
        older.reference = "OLD-3".to_owned();
        old_order.id = id();
        old_order.complaint_id = older.id;
        old_order.number = "WO-20260801-00002".to_owned();
        world.storage.write::<_, StorageError>("test", |tx| {
            tx.complaint_insert(&older)?;
            tx.work_order_insert(&old_order)
        }).unwrap();
        post(&world.t1(), &format!("/v1/work-orders/{}/ask-customer", old_order.id), json!({ "question": "几号楼？" }));
        assert_eq!(clock(world, old_order.id.0, "handling")["standing"], "paused");
    }
}
