//! What each route that writes is tried with, and what must be there before.

use crate::end_to_end::dispatching::administrator;
use crate::end_to_end::intake::{get, id_of, order_of, post};
use crate::end_to_end::support::{RawTester, command, id};
use callout_cli::desk::{Answer, Desk, JSON};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::frame_encode;
use callout_sync_protocol::ids::{FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::sync::SyncRequest;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::phones::photo;
use callout_tests::world::{DeviceKeys, PASSWORD, World, rectangle};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A request that is about to be sent, all that it needs being there already.
pub(super) struct Ready {
    pub(super) desk: Option<Desk>,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) fn ready(desk: &Desk, path: impl Into<String>, body: &Value) -> Ready {
    let headers = vec![(JSON.0, JSON.1.to_owned())];
    Ready { desk: Some(desk.clone()), path: path.into(), headers, body: body.to_string().into_bytes() }
}

impl Ready {
    pub(super) fn send(&self, world: &World, method: &str) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match &self.desk {
            Some(desk) => desk.send(method, &self.path, &headers, &self.body),
            None => world.http.send(method, &self.path, &headers, &self.body),
        }
        .unwrap()
    }
}

pub(super) type Probe = (&'static str, &'static str, fn(&World) -> Ready);

/// One request a route that writes, each of which must succeed and leave an event. A new route gets its probe here.
pub(super) const PROBES: &[Probe] = &[
    ("POST", "/v1/sign-in", |world| {
        world.customer_service();
        let body = DeviceKeys::new().sign_in_body("customer_service_agent", PASSWORD);
        Ready { desk: None, ..ready(&administrator(world), "/v1/sign-in", &body) }
    }),
    ("POST", "/v1/sign-out", |world| {
        world.user("leaver", "auditor", &world.regions[..1]);
        let desk = DeviceKeys::new().sign_in(&world.http, "leaver", PASSWORD);
        ready(&desk, "/v1/sign-out", &json!({}))
    }),
    ("POST", "/v1/users", |world| {
        let body = json!({
            "user_name": "newcomer", "display_name": "新人", "password": PASSWORD, "roles": ["auditor"],
            "all_regions": false, "region_ids": world.regions,
        });
        ready(&administrator(world), "/v1/users", &body)
    }),
    ("PATCH", "/v1/users/{id}", |world| {
        let user = world.user("changed", "auditor", &world.regions[..1]).user_id;
        ready(&administrator(world), format!("/v1/users/{user}"), &json!({ "display_name": "改名" }))
    }),
    ("POST", "/v1/devices/{id}/revoke", |world| {
        let device = world.user("robbed", "auditor", &world.regions[..1]).device_id;
        ready(&administrator(world), format!("/v1/devices/{device}/revoke"), &json!({ "reason": "stolen" }))
    }),
    ("POST", "/v1/regions", |world| ready(&administrator(world), "/v1/regions", &feature("北区 North", 39.0))),
    ("PUT", "/v1/regions/{id}", |world| {
        let id = administrator(world).region_create("南区 South", 480, &rectangle(103.0, 41.0, 104.0, 42.0)).unwrap();
        ready(&administrator(world), format!("/v1/regions/{id}"), &feature("南区 South", 41.0))
    }),
    ("PUT", "/v1/policies/{kind}", |world| {
        let body = json!({ "document": { "quality_working_days": 4 }, "reason": "trial" });
        ready(&administrator(world), "/v1/policies/limits", &body)
    }),
    ("POST", "/v1/complaints", |world| ready(&world.customer_service(), "/v1/complaints", &world.complaint_body())),
    ("POST", "/v1/complaints/{id}/classify", |world| {
        let id = world.customer_service().complaint_create(&world.complaint_body()).unwrap().id;
        ready(&world.t1(), format!("/v1/complaints/{id}/classify"), &json!({ "class": "network" }))
    }),
    ("POST", "/v1/complaints/{id}/erase-customer", |world| {
        let id = one(world, json!({}));
        ready(&administrator(world), format!("/v1/complaints/{id}/erase-customer"), &json!({ "reason": "asked" }))
    }),
    ("POST", "/v1/work-orders/{id}/locate", |world| {
        let order = world.order_located();
        let body = json!({ "address": "港湾一路14号", "position": { "latitude": 37.31, "longitude": 103.52 } });
        ready(&world.t1(), format!("/v1/work-orders/{order}/locate"), &body)
    }),
    ("POST", "/v1/work-orders/{id}/dispatch", |world| {
        let (order, tester) = (world.order_located(), new_tester(world));
        ready(&world.t1(), format!("/v1/work-orders/{order}/dispatch"), &json!({ "tester_id": tester.user_id }))
    }),
    ("POST", "/v1/work-orders/{id}/reassign", |world| {
        let order = world.order_dispatched(new_tester(world).user_id);
        let body = json!({ "tester_id": new_tester(world).user_id, "reason": "nearer" });
        ready(&world.t1(), format!("/v1/work-orders/{order}/reassign"), &body)
    }),
    ("POST", "/v1/work-orders/{id}/withdraw", |world| {
        let order = world.order_located();
        ready(&world.customer_service(), format!("/v1/work-orders/{order}/withdraw"), &json!({ "reason": "solved" }))
    }),
    ("POST", "/v1/sync", |world| {
        let tester = new_tester(world);
        let order = world.order_dispatched(tester.user_id);
        let commands = vec![command(world, order, CommandBody::Accept {})];
        let body = frame_encode(&SyncRequest { commands, ..tester.request(world) });
        let headers = vec![("content-type", MEDIA_TYPE.to_owned())];
        Ready { desk: Some(tester.desk), path: "/v1/sync".to_owned(), headers, body }
    }),
    ("PATCH", "/v1/photo-uploads/{id}", photo_piece),
    ("POST", "/v1/field-tests/{id}/review", |world| {
        let body = json!({ "decision": "approve", "quick_relief": "a", "cure": "b", "kind": "optimise", "evidence_accepted_because": "seen on site" });
        let test = world.field_test(submitted(world)).id;
        ready(&world.lead(), format!("/v1/field-tests/{test}/review"), &body)
    }),
    ("POST", "/v1/work-orders/{id}/handoffs", |world| {
        let body = json!({ "target": "branch", "demand": "access" });
        ready(&world.t1(), format!("/v1/work-orders/{}/handoffs", world.order_located()), &body)
    }),
    ("POST", "/v1/handoffs/{id}/answer", |world| {
        let handoff = world.t1().handoff_create(world.order_located(), "branch", "access").unwrap().id;
        let body = json!({ "outcome": "done", "answer": "the door is open" });
        ready(&world.desk("t2_branch_desk"), format!("/v1/handoffs/{handoff}/answer"), &body)
    }),
    ("PUT", "/v1/work-orders/{id}/ladder/{step}", |world| {
        let body = json!({
            "outcome": "not_enough", "evidence": [{ "kind": "reference", "value": "CR-1" }], "reason": "done",
        });
        ready(&world.lead(), format!("/v1/work-orders/{}/ladder/1", approved(world)), &body)
    }),
    ("POST", "/v1/work-orders/{id}/replies", |world| {
        let body = json!({ "kind": "stage", "body": "we look at it", "next_step": "a visit" });
        ready(&world.t1(), format!("/v1/work-orders/{}/replies", approved(world)), &body)
    }),
    ("POST", "/v1/work-orders/{id}/revisits", |world| {
        ready(&world.lead(), format!("/v1/work-orders/{}/revisits", approved(world)), &json!({ "what_was_done": "x" }))
    }),
    ("POST", "/v1/revisits/{id}/answer", |world| {
        let revisit = world.lead().revisit_create(approved(world).0, "turned").unwrap();
        let body = json!({ "solved": true, "score": 9 });
        ready(&world.customer_service(), format!("/v1/revisits/{}/answer", revisit.id), &body)
    }),
    ("POST", "/v1/work-orders/{id}/chase", |world| {
        let body = json!({ "reference": "CHASE-1", "note": "the customer asks again" });
        ready(&world.customer_service(), format!("/v1/work-orders/{}/chase", world.order_located()), &body)
    }),
    ("PUT", "/v1/work-orders/{id}/appointment", |world| {
        let order = world.order_dispatched(new_tester(world).user_id);
        let from = world.clock.time().plus_seconds(1_800);
        let body = json!({ "from": from, "until": from.plus_seconds(3_600) });
        ready(&world.t1(), format!("/v1/work-orders/{}/appointment", order.0), &body)
    }),
    ("PUT", "/v1/users/{id}/profile", |world| {
        let body = json!({ "seniority": "senior", "daily_capacity": 4 });
        ready(&administrator(world), format!("/v1/users/{}/profile", world.t1().user_id), &body)
    }),
    ("POST", "/v1/work-orders/{id}/dispatch-check", |world| {
        let junior = world.user("t1-junior", "t1_dispatcher", &world.regions[..1]);
        let profile = json!({ "seniority": "junior", "daily_capacity": 1 });
        put(world, &format!("/v1/users/{}/profile", junior.user_id), &profile);
        let policy = |checks: bool| json!({ "document": { "checks_junior_dispatch": checks }, "reason": "trial" });
        put(world, "/v1/policies/dispatch", &policy(true));
        let order = world.order_located();
        junior.work_order_dispatch(order, new_tester(world).user_id).unwrap();
        put(world, "/v1/policies/dispatch", &policy(false));
        ready(&world.t1(), format!("/v1/work-orders/{order}/dispatch-check"), &json!({ "approved": true }))
    }),
    ("POST", "/v1/work-orders/{id}/branch-questions", |world| {
        let order = handed_over(world);
        let body = json!({ "question": "when?" });
        ready(&world.customer_service(), format!("/v1/work-orders/{order}/branch-questions"), &body)
    }),
    ("POST", "/v1/branch-questions/{id}/answer", |world| {
        let path = format!("/v1/work-orders/{}/branch-questions", handed_over(world));
        let question: Value = world.customer_service().post(&path, &json!({ "question": "when?" })).unwrap();
        let path = format!("/v1/branch-questions/{}/answer", question["id"].as_str().unwrap());
        ready(&world.desk("t2_branch_desk"), path, &json!({ "answer": "on Friday" }))
    }),
    ("POST", "/v1/work-orders/{id}/build-demands", |world| {
        let path = format!("/v1/work-orders/{}/build-demands", spent(world));
        ready(&world.lead(), path, &json!({ "demand": "a site", "shareable_resources": "tower 17" }))
    }),
    ("POST", "/v1/follow-ups/{id}/close", |world| {
        let order = approved(world);
        let revisit = world.lead().revisit_create(order.0, "turned").unwrap();
        world.customer_service().revisit_record(revisit.id, true, 3, "rude").unwrap();
        let list: Value = world.lead().get("/v1/follow-ups").unwrap();
        let path = format!("/v1/follow-ups/{}/close", list["items"][0]["id"].as_str().unwrap());
        ready(&world.lead(), path, &json!({ "what_was_done": "apologised" }))
    }),
    ("POST", "/v1/complaints/{id}/refuse", |world| {
        let path = format!("/v1/complaints/{}/refuse", one(world, json!({})));
        ready(&world.customer_service(), path, &json!({ "explanation": "合同不包含海上覆盖 not at sea" }))
    }),
    ("POST", "/v1/complaints/{id}/refusal-rejected", |world| {
        let path = format!("/v1/complaints/{}", one(world, json!({})));
        let service = world.customer_service();
        post(&service, &format!("{path}/refuse"), json!({ "explanation": "合同不包含海上覆盖 not at sea" }));
        ready(&service, format!("{path}/refusal-rejected"), &json!({ "reason": "insists" }))
    }),
    ("POST", "/v1/complaints/{id}/relation", |world| {
        let first = world.complaint_body();
        let service = world.customer_service();
        post(&service, "/v1/complaints", first.clone());
        let mut again = world.complaint_body();
        again["customer"] = first["customer"].clone();
        let again = post(&service, "/v1/complaints", again);
        let path = format!("/v1/complaints/{}/relation", id_of(&again));
        ready(&world.t1(), path, &json!({ "relation": "new", "reason": "another house" }))
    }),
    ("POST", "/v1/complaints/{id}/escalations", |world| {
        let path = format!("/v1/complaints/{}/escalations", one(world, json!({})));
        ready(&world.customer_service(), path, &json!({ "level": "joint", "reason": "the press calls" }))
    }),
    ("POST", "/v1/work-orders/{id}/raise-to-coordination", |world| {
        let path = format!("/v1/work-orders/{}/raise-to-coordination", world.order_located());
        ready(&world.t1(), path, &json!({ "reason": "three departments disagree" }))
    }),
    ("POST", "/v1/escalations/{id}/close", |world| {
        let path = format!("/v1/work-orders/{}/raise-to-coordination", world.order_located());
        let raised = post(&world.t1(), &path, json!({ "reason": "three departments disagree" }));
        let path = format!("/v1/escalations/{}/close", id_of(&raised));
        ready(&world.desk("quality_control"), path, &json!({ "outcome": "answered", "words": "agreed" }))
    }),
    ("POST", "/v1/key-accounts", |world| {
        let body = json!({ "name": "第二医院 Second hospital", "phones": ["0931-8887711"] });
        ready(&administrator(world), "/v1/key-accounts", &body)
    }),
    ("PUT", "/v1/key-accounts/{id}", |world| {
        let admin = administrator(world);
        let account = post(&admin, "/v1/key-accounts", json!({ "name": "第三医院", "phones": ["0931-8887722"] }));
        ready(&admin, format!("/v1/key-accounts/{}", id_of(&account)), &json!({ "name": "Third", "is_active": false }))
    }),
    ("POST", "/v1/major-cases", |world| ready(&world.lead(), "/v1/major-cases", &major(world))),
    ("PUT", "/v1/major-cases/{id}/team", |world| {
        let case = post(&world.lead(), "/v1/major-cases", major(world));
        let body = json!({ "leader_id": world.lead().user_id, "members": [{ "user_id": world.t1().user_id, "duty": "locate 定位" }] });
        ready(&world.lead(), format!("/v1/major-cases/{}/team", id_of(&case)), &body)
    }),
    ("POST", "/v1/major-cases/{id}/close", |world| {
        let case = post(&world.lead(), "/v1/major-cases", major(world));
        ready(&world.lead(), format!("/v1/major-cases/{}/close", id_of(&case)), &json!({ "words": "parts came" }))
    }),
    ("POST", "/v1/cases", |world| ready(&world.lead(), "/v1/cases", &library_case())),
    ("PUT", "/v1/cases/{id}", |world| {
        let case = post(&world.lead(), "/v1/cases", library_case());
        let mut body = library_case();
        body["state"] = json!("withdrawn");
        ready(&world.lead(), format!("/v1/cases/{}", id_of(&case)), &body)
    }),
    ("POST", "/v1/work-orders/{id}/ask-customer", |world| {
        let path = format!("/v1/work-orders/{}/ask-customer", world.order_located());
        ready(&world.t1(), path, &json!({ "question": "几号楼？" }))
    }),
    ("POST", "/v1/work-orders/{id}/customer-answered", |world| {
        let path = format!("/v1/work-orders/{}", world.order_located());
        post(&world.t1(), &format!("{path}/ask-customer"), json!({ "question": "几号楼？" }));
        ready(&world.t1(), format!("{path}/customer-answered"), &json!({ "answer": "三号楼" }))
    }),
    ("POST", "/r/{token}", |world| {
        let url = world.lead().revisit_create(approved(world).0, "turned").unwrap().url.unwrap();
        let path = url[url.find("/r/").unwrap()..].to_owned();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        Ready { desk: None, path, headers, body: b"solved=yes&score=9".to_vec() }
    }),
    ("PUT", "/v1/sites", |world| ready(&world.desk("integration_client"), "/v1/sites", &site())),
    ("PUT", "/v1/site-outages", |world| {
        let system = world.desk("integration_client");
        assert_eq!(system.try_json("PUT", "/v1/sites", &site()).unwrap().status, 200);
        ready(&system, "/v1/site-outages", &outage(world.clock.time()))
    }),
    // These move the clock.
    ("POST", "/v1/build-demands/{id}/decision", |world| {
        let demand = heard(world);
        let path = format!("/v1/build-demands/{demand}/decision");
        ready(&world.desk("quality_control"), path, &json!({ "decision": "accept", "reason": "it grows" }))
    }),
    ("POST", "/v1/review-meetings/{id}/close", |world| {
        let quality = world.desk("quality_control");
        let list: Value = quality.get("/v1/review-meetings").unwrap();
        let meeting = list["items"].as_array().unwrap().iter().find(|item| item["state"] == "agenda_set").unwrap();
        let open: Value = quality.get("/v1/build-demands").unwrap();
        for demand in open["items"].as_array().unwrap() {
            // What has its decision already refuses another one.
            let path = format!("/v1/build-demands/{}/decision", demand["id"].as_str().unwrap());
            quality.try_json("POST", &path, &json!({ "decision": "accept", "reason": "it grows" })).unwrap();
        }
        let path = format!("/v1/review-meetings/{}/close", meeting["id"].as_str().unwrap());
        ready(&quality, path, &json!({ "minutes": "one site" }))
    }),
    ("POST", "/v1/supervision-entries/{id}/clear", |world| {
        let system = world.desk("integration_client");
        let began = world.clock.time();
        assert_eq!(system.try_json("PUT", "/v1/sites", &site()).unwrap().status, 200);
        assert_eq!(system.try_json("PUT", "/v1/site-outages", &outage(began)).unwrap().status, 200);
        crowd(world, 4);
        world.clock.advance_seconds(3_600);
        world.run_due();
        let mut over = outage(began);
        over["items"][0]["ended_at"] = json!(world.clock.time());
        let system = world.desk("integration_client");
        assert_eq!(system.try_json("PUT", "/v1/site-outages", &over).unwrap().status, 200);
        world.clock.advance_seconds(3_600);
        world.run_due();
        let quality = world.desk("quality_control");
        let list: Value = quality.get("/v1/supervision-entries?state=listed").unwrap();
        let path = format!("/v1/supervision-entries/{}/clear", list["items"][0]["id"].as_str().unwrap());
        ready(&quality, path, &json!({ "what_cleared_it": "power is back" }))
    }),
    ("POST", "/v1/warnings/{id}/review", |world| warning(world, 0)),
    ("POST", "/v1/warnings/{id}/publish", |world| warning(world, 1)),
    ("POST", "/v1/warnings/{id}/dismiss", |world| warning(world, 2)),
    ("POST", "/v1/complaints/{id}/comparison", |world| {
        let service = world.customer_service();
        let mut body = world.complaint_body();
        body["customer"]["phone"] = json!("13800009911");
        let complaint = post(&service, "/v1/complaints", body);
        let order = order_of(world, &complaint);
        let handoff = world.t1().handoff_create(order, "branch", "look").unwrap();
        world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "replaced").unwrap();
        let revisit = world.t1().revisit_create(order, "replaced").unwrap();
        world.customer_service().revisit_record(revisit.id, true, 9, "fine").unwrap();
        world.clock.advance_seconds(40 * 86_400);
        let mut body = world.complaint_body();
        body["customer"]["phone"] = json!("13800009911");
        let late = post(&world.customer_service(), "/v1/complaints", body);
        let body = json!({ "customer_agrees": false, "words": "never was good" });
        ready(&world.customer_service(), format!("/v1/complaints/{}/comparison", id_of(&late)), &body)
    }),
    ("POST", "/v1/clocks/{id}/breach-cause", |world| {
        let order = world.order_located();
        world.clock.advance_seconds(20 * 86_400);
        world.run_due();
        let clocks = get(&world.t1(), &format!("/v1/work-orders/{order}/clocks"));
        let late = |clock: &&Value| clock["kind"] == "handling";
        let clock = id_of(clocks["items"].as_array().unwrap().iter().find(late).unwrap());
        ready(&world.t1(), format!("/v1/clocks/{clock}/breach-cause"), &json!({ "cause": "other", "note": "台风" }))
    }),
];

/// Routes that change nothing which anybody could be asked about.
pub(super) const WITHOUT_EVENT: &[(&str, &str, &str)] = &[
    (
        "POST",
        "/v1/sessions/refresh",
        "the session is the one whose beginning is on the trail; a stolen token's use is told",
    ),
    ("OPTIONS", "/v1/photo-uploads", "reads"),
    ("OPTIONS", "/v1/photo-uploads/{id}", "reads"),
    ("HEAD", "/v1/photo-uploads/{id}", "reads"),
    ("POST", "/v1/photo-uploads", "begins the transfer of a photo whose announcement is on the trail"),
    ("DELETE", "/v1/photo-uploads/{id}", "ends an unfinished transfer; the photo stays announced"),
    ("POST", "/v1/photo-uploads/{id}", "the three above under another method"),
    ("POST", "/v1/notices/{id}/read", "one's own mark on one's own notice; what it tells of is on the trail"),
];

pub(super) fn put(world: &World, path: &str, body: &Value) {
    let answer = administrator(world).try_json("PUT", path, body).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

/// A complaint at a place, with these fields changed.
pub(super) fn one(world: &World, changes: Value) -> Uuid {
    let mut body = world.complaint_body();
    body["position"] = json!({ "latitude": 37.5, "longitude": 103.5 });
    changes.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    world.customer_service().complaint_create(&body).unwrap().id
}

pub(super) fn major(world: &World) -> Value {
    json!({ "complaint_id": one(world, json!({})), "reasons": ["serious_gap"], "explanation": "no spare parts" })
}

pub(super) fn library_case() -> Value {
    json!({
        "title": "路边掉话 splitter", "symptom": "call_drop", "generation": "4g", "place_kind": "road",
        "cause": "分路器进水", "what_was_done": "replaced the splitter", "state": "published",
    })
}

pub(super) fn site() -> Value {
    json!({ "items": [{
        "code": "A1", "name": "站 A1", "kind": "macro", "is_key": false, "plan": "none",
        "position": { "latitude": 37.3, "longitude": 103.52 },
    }] })
}

pub(super) fn outage(began_at: Timestamp) -> Value {
    json!({ "items": [{ "reference": "alarm-1", "site_code": "A1", "cause": "power", "began_at": began_at }] })
}

/// So many complaints of one kind at one place.
pub(super) fn crowd(world: &World, count: usize) {
    for _ in 0..count {
        let mut body = world.complaint_body();
        body["symptom"] = json!("slow_data");
        body["position"] = json!({ "latitude": 37.3, "longitude": 103.52 });
        world.customer_service().complaint_create(&body).unwrap();
    }
}

/// A warning that is drafted (0), reviewed (1), or drafted and to be dismissed (2).
pub(super) fn warning(world: &World, what: u8) -> Ready {
    crowd(world, 1);
    world.clock.advance_seconds(3 * 86_400);
    world.run_due();
    crowd(world, 12 + 20 * usize::from(what));
    world.clock.advance_seconds(3_600);
    world.run_due();
    world.run_due();
    let quality = world.desk("quality_control");
    let list: Value = quality.get("/v1/warnings").unwrap();
    let drafts: Vec<&Value> =
        list["items"].as_array().unwrap().iter().filter(|item| item["state"] == "draft").collect();
    let path = |action: &str| format!("/v1/warnings/{}/{action}", drafts[0]["id"].as_str().unwrap());
    let review = json!({ "note": "a core router" });
    match what {
        0 => ready(&quality, path("review"), &review),
        1 => {
            quality.post::<Value>(&path("review"), &review).unwrap();
            ready(&quality, path("publish"), &json!({ "recipients": [world.lead().user_id] }))
        }
        _ => ready(&quality, path("dismiss"), &json!({ "reason": "a concert" })),
    }
}

pub(super) fn handed_over(world: &World) -> Uuid {
    let order = world.order_located();
    world.t1().handoff_create(order, "branch", "access").unwrap();
    order
}

pub(super) fn feature(name: &str, south: f64) -> Value {
    json!({
        "type": "Feature",
        "geometry": rectangle(103.0, south, 104.0, south + 1.0),
        "properties": { "name": name, "utc_offset_minutes": 480 },
    })
}

pub(super) fn new_tester(world: &World) -> RawTester {
    RawTester::new(world, &format!("tester-{}", id::<Uuid>().simple()))
}

pub(super) fn submitted(world: &World) -> WorkOrderId {
    let (mut tester, tester_id) = world.tester(&format!("walker-{}", id::<Uuid>().simple()));
    let order = world.order_dispatched(tester_id);
    tester.sync();
    tester.work(order, 20);
    tester.sync();
    order
}

pub(super) fn approved(world: &World) -> WorkOrderId {
    let order = submitted(world);
    world.lead().field_test_approve(world.field_test(order).id, "a", "b", "optimise").unwrap();
    order
}

/// An unresolved order whose nine steps are spent.
pub(super) fn spent(world: &World) -> WorkOrderId {
    let order = approved(world);
    world.t1().reply_unresolved(order.0, "needs a site").unwrap();
    (1..=9).for_each(|step| {
        world.lead().ladder_record(order.0, step, "not_enough", "CR-1", "measured again").unwrap();
    });
    order
}

/// A demand that its meeting hears now.
pub(super) fn heard(world: &World) -> String {
    let path = format!("/v1/work-orders/{}/build-demands", spent(world));
    let body = json!({ "demand": "a site", "shareable_resources": "tower 17" });
    let demand: Value = world.lead().post(&path, &body).unwrap();
    let text = |field: &str| demand[field].as_str().unwrap().to_owned();
    let meeting: Value = world.lead().get(&format!("/v1/review-meetings/{}", text("review_meeting_id"))).unwrap();
    for instant in ["agenda_at", "starts_at"] {
        world.clock.set(meeting[instant].as_str().unwrap().parse::<Timestamp>().unwrap().plus_seconds(1));
        world.run_due();
    }
    text("id")
}

pub(super) fn photo_piece(world: &World) -> Ready {
    let tester = new_tester(world);
    let order = world.order_dispatched(tester.user_id);
    let test: FieldTestId = id();
    let bytes = photo(1, 20_000, &world.clock);
    let manifest = PhotoManifest {
        id: id::<PhotoId>(),
        field_test_id: test,
        work_order_id: order,
        hash: PhotoHash(Sha256::digest(&bytes).into()),
        byte_length: bytes.len() as u64,
        media_type: MediaType::Jpeg,
        purpose: PhotoPurpose::Surroundings,
        captured_at: world.clock.time(),
        position: None,
    };
    let photo_id = manifest.id;
    let bodies =
        [CommandBody::Accept {}, CommandBody::TestBegin { field_test_id: test }, CommandBody::PhotoAttach { manifest }];
    tester.commands(world, bodies.into_iter().map(|body| command(world, order, body)).collect());
    use base64::Engine as _;
    let metadata = base64::engine::general_purpose::STANDARD.encode(photo_id.to_string());
    let (length, metadata) = (bytes.len().to_string(), format!("photo_id {metadata}"));
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", &length), ("upload-metadata", &metadata)];
    assert_eq!(tester.desk.send("POST", "/v1/photo-uploads", &headers, &[]).unwrap().status, 201);
    let headers =
        [("tus-resumable", "1.0.0"), ("content-type", "application/offset+octet-stream"), ("upload-offset", "0")];
    Ready {
        desk: Some(tester.desk),
        path: format!("/v1/photo-uploads/{photo_id}"),
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body: bytes,
    }
}
