//! R-PRIVACY-1: a customer's data is erased for good, and everything that is not the customer's stays.

use super::support::{RawTester, assert_problem, command};
use callout_cli::desk::Desk;
use callout_mobile_sdk::facade::PhotoRequest;
use callout_sync_protocol::commands::{CommandBody, ContactOutcome};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::TimeWindow;
use callout_tests::phones::{findings, photo};
use callout_tests::raw_database::{everything, files, holds};
use callout_tests::world::{World, morning};
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

const NAME: &str = "澹台明镜";
const PHONE: &str = "16923456789";
/// As somebody writes it down.
const PHONE_GROUPED: &str = "169-2345-6789";
const ADDRESS: &str = "湖滨东路77号3栋1502室";
/// Words that only the customer would say.
const DESCRIPTION: &str = "我母亲病重 my mother is ill, calls drop";
const NOTE: &str = "rings-the-neighbour-first";
const QUARANTINED_NOTE: &str = "key-under-the-mat";
const PRESSING_NEED: &str = "wants-to-reach-her-doctor";
const CHASE_NOTE: &str = "asks-from-the-hospital-bed";
const REVISIT_WORDS: &str = "thank-you-says-my-mother";
const SECRETS: [&str; 10] = [
    NAME,
    PHONE,
    PHONE_GROUPED,
    ADDRESS,
    DESCRIPTION,
    NOTE,
    QUARANTINED_NOTE,
    PRESSING_NEED,
    CHASE_NOTE,
    REVISIT_WORDS,
];

fn complaint_body(world: &World) -> Value {
    let mut body = world.complaint_body();
    body["customer"] = json!({ "name": NAME, "phone": PHONE });
    body["description"] = json!(DESCRIPTION);
    body["address"] = json!(ADDRESS);
    body
}

/// A story from the complaint to the resolved order, in which everybody writes down more than is good.
fn full_story(world: &World) -> (Uuid, WorkOrderId) {
    let (mut tester, tester_id) = world.tester("tester-1");
    let (service, t1, t2, lead) = (world.customer_service(), world.t1(), world.desk("t2_branch_desk"), world.lead());
    let complaint = service.complaint_create(&complaint_body(world)).unwrap().id;
    let order = t1.complaint_classify_network(complaint).unwrap().work_order_id.unwrap();
    let place = callout_tests::phones::PLACE;
    t1.work_order_locate(order, ADDRESS, place.latitude(), place.longitude()).unwrap();
    let first = RawTester::new(world, "tester-0");
    t1.work_order_dispatch(order, first.user_id).unwrap();
    t1.work_order_reassign(order, tester_id, &format!("{NAME} asked for a woman, call {PHONE_GROUPED}")).unwrap();
    let order = WorkOrderId(order);

    tester.sync();
    let now = world.clock.time();
    let window = TimeWindow { from: now.plus_seconds(600), until: now.plus_seconds(4_200) };
    tester.phone.accept(order).unwrap();
    tester.phone.contact(order, ContactOutcome::Reached, Some(window), None, Some(NOTE.to_owned())).unwrap();
    tester.phone.arrive(order, place).unwrap();
    tester.phone.photo_consent(order, true).unwrap();
    for (seed, operator) in (1..).zip(callout_sync_protocol::operators::Operator::REQUIRED) {
        tester.capture(order, operator, seed, 40);
    }
    tester.photo(order, 1);
    let indoors = photo(2, 20_000, &world.clock);
    tester.phone.photo_add_bytes(order, &indoors, PhotoRequest::new(PhotoPurpose::Indoors)).unwrap();
    let mut found = findings(&format!("weak in the bedroom of {NAME}"));
    found.address = ADDRESS.to_owned();
    found.pressing_need = PRESSING_NEED.to_owned();
    found.serving_sites = vec![format!("site opposite {ADDRESS}")];
    tester.phone.findings_record(order, found).unwrap();
    tester.phone.submit(order, Vec::new()).unwrap();
    tester.sync();
    // A command that is refused, since the order is another tester's, and kept in quarantine with its content (R-TEST-5).
    let contact = CommandBody::Contact {
        outcome: ContactOutcome::Reached,
        appointment: Some(window),
        emergency_reason: None,
        note: Some(QUARANTINED_NOTE.to_owned()),
    };
    first.commands(world, vec![command(world, order, contact)]);

    let test = world.field_test(order).id;
    let plan = json!({
        "decision": "approve", "quick_relief": format!("Wi-Fi calling for {NAME}"), "cure": "down-tilt-cell-3",
        "evidence_accepted_because": format!("{NAME} had to leave"),
    });
    lead.post::<Value>(&format!("/v1/field-tests/{test}/review"), &plan).unwrap();
    let handoff = t1.handoff_create(order.0, "branch", &format!("ring {PHONE} about access")).unwrap();
    let chase = json!({ "reference": "CHASE-1", "note": CHASE_NOTE });
    service.post::<Value>(&format!("/v1/work-orders/{}/chase", order.0), &chase).unwrap();
    let question = json!({ "question": format!("when do you ring {PHONE}?") });
    let path = format!("/v1/work-orders/{}/branch-questions", order.0);
    let question: Value = service.post(&path, &question).unwrap();
    let path = format!("/v1/branch-questions/{}/answer", question["id"].as_str().unwrap());
    t2.post::<Value>(&path, &json!({ "answer": format!("{NAME} was out") })).unwrap();
    t2.handoff_answer(handoff.id, "done", &format!("{NAME} let us in")).unwrap();
    lead.ladder_record(order.0, 1, "not_enough", "CR-1", &format!("{NAME} still complains")).unwrap();
    t1.reply_stage(order.0, &format!("{NAME}，您好"), "antenna work at 7 pm").unwrap();
    let revisit = lead.revisit_create(order.0, "antenna turned").unwrap();
    service.revisit_record(revisit.id, true, 9, REVISIT_WORDS).unwrap();
    assert_eq!(lead.work_order_show(order.0).unwrap().state, "resolved");
    (complaint, order)
}

fn erase(desk: &Desk, complaint: Uuid, body: &Value) -> callout_cli::desk::Answer {
    desk.try_json("POST", &format!("/v1/complaints/{complaint}/erase-customer"), body).unwrap()
}

fn figures(world: &World, order: WorkOrderId) -> Value {
    let list: Value = world.lead().get(&format!("/v1/work-orders/{}/field-tests", order.0)).unwrap();
    let test = &list["items"][0];
    json!([test["operators"], test["blocks"], test["submitted_at"], test["reviews"][0]["cure"]])
}

world_tests! {
    /// The erased values are nowhere: not in any row, not in SQLite's very file, not among the photos; and the trail still holds.
    fn an_erased_customer_is_nowhere(world) {
        let (complaint, order) = full_story(world);
        let config = world.storage.config().clone();
        let before = everything(&config);
        for secret in SECRETS {
            assert!(holds(&before, secret), "the story has {secret}");
        }
        let photos = files(&world.folder("photos")).len();
        let figures_before = figures(world, order);

        let answer = erase(&world.admin, complaint, &json!({ "reason": "the customer asked for it 客户要求" }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let counts = answer.json()["counts"].clone();
        assert_eq!(counts["photos"], 1, "{counts}");
        let erased_reasons = counts["event_reasons"].as_u64().unwrap();
        assert!(erased_reasons >= 2, "{counts}");
        assert!(world.run_due() > 0);

        let after = everything(&config);
        let left: Vec<&str> = SECRETS.into_iter().filter(|secret| holds(&after, secret)).collect();
        assert_eq!(left, [""; 0]);
        assert!(holds(&after, "down-tilt-cell-3") && holds(&after, "antenna work at 7 pm"), "what staff learnt stays");
        assert!(files(&world.folder("photos")).len() < photos, "the photo from indoors is gone");
        assert_eq!(figures(world, order), figures_before, "figures stay (R-KPI-1)");
        let found = world.storage.read("test", callout_storage::Tx::event_verify_all).unwrap();
        assert_eq!((found.problems, found.erased_reasons), (vec![], erased_reasons), "the trail holds (R-AUDIT-1)");
        let view = world.customer_service().complaint_show(complaint).unwrap();
        assert_eq!(view.state, "resolved");
        let revisits: Value = world.lead().get(&format!("/v1/work-orders/{}/revisits", order.0)).unwrap_or_default();
        assert!(!revisits.to_string().contains(REVISIT_WORDS));

        let again = erase(&world.admin, complaint, &json!({ "reason": "once more" }));
        assert_eq!(again.json(), answer.json(), "asked again, it answers the same");
        let seen: Value = world.desk("auditor").get(&format!("/v1/complaints/{complaint}/erasure")).unwrap();
        assert_eq!(seen, answer.json());
    }

    /// With `remove`, nothing that anybody wrote about the case is left.
    fn all_words_can_be_removed(world) {
        let (complaint, order) = full_story(world);
        let options = json!({ "staff_words": "remove", "revisit_words": false, "photo_purposes": ["surroundings", "indoors", "screen", "site"] });
        let answer = erase(&world.admin, complaint, &json!({ "reason": "court order", "options": options }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        world.run_due();
        let after = everything(world.storage.config());
        for gone in ["down-tilt-cell-3", "antenna work at 7 pm", NAME, PHONE, NOTE, "CR-1"] {
            assert_eq!(holds(&after, gone), gone == "CR-1", "{gone}");
        }
        assert!(holds(&after, REVISIT_WORDS), "kept, as it was asked for");
        assert!(!String::from_utf8_lossy(&files(&world.folder("photos"))).contains(".jpg"), "no photo is left");
        let timeline = world.lead().work_order_timeline(order.0).unwrap();
        assert!(timeline.len() > 15, "what happened stays on record");
        let found = world.storage.read("test", callout_storage::Tx::event_verify_all).unwrap();
        assert_eq!(found.problems, vec![]);
    }

    /// An order in the field is withdrawn, and leaves the phone at its next sync with all that it says of the customer.
    fn phones_drop_an_erased_customer(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let service = world.customer_service();
        let complaint = service.complaint_create(&complaint_body(world)).unwrap().id;
        let order = world.t1().complaint_classify_network(complaint).unwrap().work_order_id.unwrap();
        world.t1().work_order_locate(order, ADDRESS, 37.3, 103.52).unwrap();
        world.t1().work_order_dispatch(order, tester_id).unwrap();
        tester.sync();
        assert_eq!(tester.phone.order(WorkOrderId(order)).unwrap().view.customer.name, NAME);
        assert_eq!(erase(&world.admin, complaint, &json!({ "reason": "asked by letter" })).status, 200);
        tester.sync();
        assert!(tester.phone.orders().unwrap().iter().all(|order| order.view.customer.name != NAME));
        assert_eq!(world.lead().work_order_show(order).unwrap().state, "withdrawn");
        assert_eq!(service.complaint_show(complaint).unwrap().state, "withdrawn");
    }

    /// Only an administrator of the region erases; the reason stays on record and must not tell what is erased; what is still to
    /// be solved for the customer is not forgotten (R-RETURN-2).
    fn erasure_has_its_bounds(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 20);
        tester.sync();
        let (lead, t1) = (world.lead(), world.t1());
        let complaint: Uuid = lead.get::<Value>(&format!("/v1/work-orders/{}", order.0)).unwrap()["complaint_id"]
            .as_str().unwrap().parse().unwrap();
        let body = json!({ "reason": "asked" });
        for role in ["customer_service_agent", "t1_dispatcher", "regional_lead", "quality_control", "auditor"] {
            assert_problem(&erase(&world.desk(role), complaint, &body), ProblemType::Forbidden);
        }
        let foreign = world.foreign_desk("administrator");
        assert_problem(&erase(&foreign, complaint, &body), ProblemType::NotFound);
        for (reason, options) in [(" ", json!({})), ("测试·王澄 asked", json!({})), ("call 169 0000 1234", json!({}))] {
            let answer = erase(&world.admin, complaint, &json!({ "reason": reason, "options": options }));
            assert_problem(&answer, ProblemType::InvalidField);
        }
        let unknown = json!({ "reason": "asked", "options": { "everything": true } });
        assert!(erase(&world.admin, complaint, &unknown).status >= 400);
        lead.field_test_approve(world.field_test(order).id, "a", "b", "optimise").unwrap();
        t1.reply_unresolved(order.0, "needs antenna work").unwrap();
        assert_problem(&erase(&world.admin, complaint, &body), ProblemType::IllegalTransition);
        assert_problem(
            &world.admin.try_json("GET", &format!("/v1/complaints/{complaint}/erasure"), &Value::Null).unwrap(),
            ProblemType::NotFound,
        );
    }

    /// What the retention policy says is done by a job, once, and told on the trail.
    fn kept_long_enough_is_erased(world) {
        let (complaint, _) = full_story(world);
        let set = json!({ "document": { "customer_data_days": 90 }, "reason": "个人信息保护制度" });
        let answer = world.admin.try_json("PUT", "/v1/policies/retention", &set).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let too_short = json!({ "document": { "customer_data_days": 3 }, "reason": "x" });
        assert_problem(&world.admin.try_json("PUT", "/v1/policies/retention", &too_short).unwrap(), ProblemType::InvalidField);
        let is_erased = || {
            let id = callout_sync_protocol::ids::ComplaintId(complaint);
            world.storage.read("test", |tx| tx.erasure_by_complaint(id)).unwrap()
        };
        world.clock.set(morning().plus_seconds(89 * 86_400));
        world.run_due();
        assert_eq!(is_erased(), None, "not yet");
        world.clock.set(morning().plus_seconds(91 * 86_400));
        world.run_due();
        assert_eq!(is_erased().unwrap().erased_by, None, "nobody in particular");
        world.run_due();
        assert!(!holds(&everything(world.storage.config()), PHONE));
    }
}
