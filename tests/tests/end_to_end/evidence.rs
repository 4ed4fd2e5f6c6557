//! Evidence and its review: templates, the VoLTE walk, automatic findings, the standard template (R-TEST-1…4, R-REVIEW-1).

use super::support::{RawTester, assert_nothing_changes, assert_problem, command, id, rejected};
use callout_cli::desk::{Answer, Desk, Http};
use callout_cli::server::{Parts, start_with};
use callout_mobile_sdk::capture::Source;
use callout_mobile_sdk::facade::PhotoRequest;
use callout_mobile_sdk::synthetic::{PhotoOptions, photo_create};
use callout_server::app::AppConfig;
use callout_server::env::{Env, SystemEntropy};
use callout_server::photos::store::PhotoStore;
use callout_sync_protocol::commands::{CommandBody, ContactOutcome};
use callout_sync_protocol::evidence::EvidenceKind;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::sync::CommandResult;
use callout_sync_protocol::volte_walkthrough::{
    VolteAnswer, VolteConclusion, VolteQuestion as Q, VolteStep, VolteWalkthrough,
};
use callout_sync_protocol::work_orders::{TimeWindow, WorkOrderState};
use callout_tests::phones::{PLACE, Tester, findings, walk as walk_samples};
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use uuid::Uuid;

/// An order on its way to a tester: calls drop on 4G.
fn volte_order(world: &World, tester: Uuid) -> WorkOrderId {
    let mut body = world.complaint_body();
    body["generation"] = json!("4g");
    let complaint = world.customer_service().complaint_create(&body).unwrap();
    let t1 = world.t1();
    let order = t1.complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
    t1.work_order_locate(order, "港湾一路12号", PLACE.latitude(), PLACE.longitude()).unwrap();
    t1.work_order_dispatch(order, tester).unwrap();
    WorkOrderId(order)
}

fn test_of(world: &World, order: WorkOrderId) -> Value {
    let test = world.field_test(order).id;
    world.lead().send("GET", &format!("/v1/field-tests/{test}"), &[], &[]).unwrap().accepted().unwrap().read().unwrap()
}

fn review(world: &World, order: WorkOrderId, body: Value) -> Answer {
    let test = world.field_test(order).id;
    world.lead().try_json("POST", &format!("/v1/field-tests/{test}/review"), &body).unwrap()
}

fn plan() -> Value {
    json!({ "decision": "approve", "quick_relief": "reset the cell", "cure": "tilt the antenna" })
}

/// The codes of a test's automatic findings.
fn codes(test: &Value) -> Vec<String> {
    let findings = test["automatic_findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

fn finding<'a>(test: &'a Value, code: &str) -> &'a Value {
    test["automatic_findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code).unwrap()
}

fn policy_set(world: &World, kind: &str, region: Option<Uuid>, document: &Value) -> Answer {
    let region = region.map_or_else(String::new, |id| format!("?region_id={id}"));
    let body = json!({ "document": document, "reason": "a test" });
    world.admin.try_json("PUT", &format!("/v1/policies/{kind}{region}"), &body).unwrap()
}

fn walk(tester: &mut Tester, order: WorkOrderId, answers: &[(Q, u32)]) -> VolteStep {
    let steps = answers.iter().map(|(question, value)| tester.phone.volte_answer(order, *question, *value).unwrap());
    steps.last().unwrap()
}

world_tests! {
    /// R-TEST-1, R-TEST-4, R-REVIEW-1: the template comes with the order; a lead sends back what lacks its evidence, or says why not.
    fn a_test_without_its_evidence_is_sent_back_or_accepted_with_a_reason(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = volte_order(world, tester_id);
        tester.sync();
        let lacking = |tester: &Tester| -> Vec<EvidenceKind> {
            let items = tester.phone.evidence_checklist(order).unwrap();
            items.iter().filter(|item| !item.is_met()).map(|item| item.kind).collect()
        };
        use EvidenceKind as K;
        let everything = [K::Samples, K::Samples, K::Samples, K::Photos, K::VolteWalkthrough, K::TestCalls];
        assert_eq!(lacking(&tester), everything, "the phone knows without a network");
        tester.work(order, 30);
        assert_eq!(lacking(&tester), [K::VolteWalkthrough, K::TestCalls]);
        tester.sync();

        let test = test_of(world, order);
        assert_eq!(test["evidence_template"], "volte");
        let items = test["evidence"].as_array().unwrap();
        let unmet: Vec<&str> =
            items.iter().filter(|item| item["is_met"] == false).map(|item| item["text_zh"].as_str().unwrap()).collect();
        assert_eq!(unmet, ["VoLTE 引导排查未完成", "语音拨测 0/3"]);
        assert_nothing_changes(world, || {
            assert_problem(&review(world, order, plan()), ProblemType::EvidenceMissing);
            let mut blank = plan();
            blank["evidence_accepted_because"] = json!(" ");
            assert_problem(&review(world, order, blank), ProblemType::InvalidField);
            for bad in [
                json!({ "decision": "send_back" }),
                json!({ "decision": "send_back", "reason_codes": ["no_such_reason"] }),
                json!({ "decision": "send_back", "reason_codes": ["findings_unclear"] }),
            ] {
                assert_problem(&review(world, order, bad), ProblemType::InvalidField);
            }
        });
        let back = json!({ "decision": "send_back", "reason_codes": ["volte_incomplete"], "reasons": ["三次拨测 three calls"] });
        let answer: Value = review(world, order, back).accepted().unwrap().read().unwrap();
        assert_eq!(answer["reviews"][0]["reason_codes"], json!(["volte_incomplete"]));
        tester.sync();
        let view = tester.phone.order(order).unwrap().view;
        assert_eq!(view.state, WorkOrderState::SentBack);
        assert_eq!(
            view.return_reasons,
            ["VoLTE 引导排查缺失或不完整 The VoLTE walk is missing or incomplete", "三次拨测 three calls"],
            "the tester reads the code in both languages, then the words"
        );

        let yes = [(Q::SimService, 1), (Q::HandsetSupport, 1), (Q::SettingsOn, 1), (Q::Registered, 1)];
        walk(&mut tester, order, &yes);
        let calls = [(Q::CallsAttempted, 5), (Q::CallsNotSetUp, 0), (Q::CallsDropped, 2), (Q::MosHundredths, 350), (Q::CallsFellBack, 0)];
        assert_eq!(walk(&mut tester, order, &calls), VolteStep::Concluded(VolteConclusion::CallsDrop));
        tester.phone.findings_record(order, findings("calls drop in the lift hall")).unwrap();
        assert!(lacking(&tester).is_empty());
        tester.phone.submit(order, Vec::new()).unwrap();
        let summary = tester.sync();
        assert_eq!(summary.commands_rejected, 0);
        let test = test_of(world, order);
        assert_eq!(test["findings"]["volte"]["conclusion"], "calls_drop", "R-TEST-4");
        assert_eq!(test["findings"]["volte"]["answers"].as_array().unwrap().len(), 9);
        assert!(test["evidence"].as_array().unwrap().iter().all(|item| item["is_met"] == true), "{}", test["evidence"]);

        // Two reviews of one instant have no order.
        world.clock.advance_seconds(60);
        let mut bad = plan();
        bad["ladder_step"] = json!("magic");
        assert_problem(&review(world, order, bad), ProblemType::InvalidField);
        let mut bad = plan();
        bad["sections"] = json!([{ "section": "cause", "assessment": "poor" }]);
        assert_problem(&review(world, order, bad), ProblemType::InvalidField);
        let mut good = plan();
        good["ladder_step"] = json!("antenna");
        good["sections"] = json!([{ "section": "cause", "assessment": "good", "note": "overshooting" }]);
        let answer: Value = review(world, order, good).accepted().unwrap().read().unwrap();
        let reviews = answer["reviews"].as_array().unwrap();
        assert_eq!(reviews.len(), 2, "the history stays");
        assert_eq!((&reviews[1]["ladder_step"], &reviews[1]["sections"][0]["note"]), (&json!("antenna"), &json!("overshooting")));
    }

    /// R-REVIEW-1: what is lacking may be good enough, with a reason on record.
    fn lacking_evidence_is_accepted_with_a_recorded_reason(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = volte_order(world, tester_id);
        tester.sync();
        tester.work(order, 30);
        tester.sync();
        let mut accepted = plan();
        accepted["evidence_accepted_because"] = json!("the handset was broken");
        let answer: Value = review(world, order, accepted).accepted().unwrap().read().unwrap();
        assert_eq!(answer["state"], "approved");
        assert_eq!(answer["reviews"][0]["evidence_accepted_because"], "the handset was broken");
        let timeline = world.lead().work_order_timeline(order.0).unwrap();
        let event = timeline.iter().find(|event| event.action == "review_approve").unwrap();
        assert_eq!(event.reason.as_deref(), Some("the handset was broken"), "R-AUDIT-1");
        assert_eq!(event.detail["facts"]["lacking_evidence"].as_array().unwrap().len(), 2);
    }

    /// R-TEST-4: the server checks that the walk was in order and recomputes what it concludes.
    fn a_walk_out_of_order_is_rejected(world) {
        let mut raw = RawTester::new(world, "raw-tester");
        let order = world.order_dispatched(raw.user_id);
        let test: FieldTestId = id();
        let now = world.clock.time();
        let window = TimeWindow { from: now.plus_seconds(600), until: now.plus_seconds(4_200) };
        let contact = CommandBody::Contact {
            outcome: ContactOutcome::Reached,
            appointment: Some(window),
            emergency_reason: None,
            note: None,
        };
        let begun = raw.commands(world, [CommandBody::Accept {}, contact, CommandBody::TestBegin { field_test_id: test }]
            .map(|body| command(world, order, body)).to_vec());
        assert!(begun.iter().all(|result| matches!(result, CommandResult::Accepted { .. })), "{begun:?}");
        let record = |volte| {
            let findings = callout_sync_protocol::commands::Findings { volte: Some(volte), ..findings("x") };
            command(world, order, CommandBody::FindingsRecord { field_test_id: test, findings })
        };
        let answer = |question, value| VolteAnswer { question, value };
        let results = raw.commands(world, vec![
            record(VolteWalkthrough { answers: vec![answer(Q::Registered, 1)], conclusion: None }),
            record(VolteWalkthrough { answers: vec![answer(Q::SimService, 0)], conclusion: Some(VolteConclusion::NoFaultFound) }),
            record(VolteWalkthrough::of(vec![answer(Q::SimService, 0)]).unwrap()),
        ]);
        for refused in &results[..2] {
            assert_eq!(rejected(refused).problem, ProblemType::InvalidField);
            assert!(rejected(refused).detail.starts_with("volte"), "{:?}", rejected(refused));
        }
        assert!(matches!(results[2], CommandResult::Accepted { .. }));
        raw.renew(world, "raw-tester");
    }

    /// R-TEST-1, R-REVIEW-1: the same picture on another order is found although its bytes differ; so are the camera's own claims.
    fn photos_of_another_order_time_and_place_are_found(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let (first, second) = (world.order_dispatched(tester_id), world.order_dispatched(tester_id));
        tester.sync();
        tester.work(first, 60);
        tester.sync();
        assert_eq!(codes(&test_of(world, first)), Vec::<String>::new(), "a good test has no findings");

        tester.visit(second);
        for (seed, operator) in (1..).zip([Operator::ChinaMobile, Operator::ChinaUnicom]) {
            tester.capture(second, operator, seed, if seed == 1 { 60 } else { 10 });
        }
        // The first order's picture, saved anew: other bytes, the same to the eye. Its camera was elsewhere, another day.
        let away = Position { latitude_e6: PLACE.latitude_e6 + 100_000, ..PLACE };
        let options = PhotoOptions {
            width: 320,
            height: 240,
            target_bytes: 15_000,
            ..PhotoOptions::new(1, world.clock.time().plus_seconds(-3 * 86_400), away)
        };
        let request = PhotoRequest {
            captured_at: Some(world.clock.time()),
            position: Some(PLACE),
            ..PhotoRequest::new(PhotoPurpose::Surroundings)
        };
        tester.phone.photo_add_bytes(second, &photo_create(&options).unwrap(), request).unwrap();
        tester.phone.findings_record(second, findings("weak")).unwrap();
        let reason = callout_sync_protocol::commands::MissingOperator {
            operator: Operator::ChinaTelecom,
            reason: "no SIM card".to_owned(),
        };
        tester.phone.submit(second, vec![reason]).unwrap();
        tester.sync();
        let test = test_of(world, second);
        assert_eq!(
            codes(&test),
            ["too_few_samples", "operator_missing", "camera_time_off", "camera_place_off", "photo_used_elsewhere"]
        );
        let few = finding(&test, "too_few_samples");
        assert_eq!(few["figures"], json!({ "operator": "china_unicom", "samples": 10, "minimum": 60 }));
        assert_eq!(few["text_zh"], "中国联通采样点 10 个，至少需要 60 个");
        let same = finding(&test, "photo_used_elsewhere");
        assert_eq!(same["figures"]["work_order_id"], json!(first.0));
        assert!(same["figures"]["differing_bits"].as_u64().unwrap() <= 4, "{same}");
        assert!(finding(&test, "camera_place_off")["figures"]["distance_m"].as_u64().unwrap() > 10_000);
        assert_eq!(finding(&test, "operator_missing")["figures"]["is_excused"], true);

        // The thresholds are a policy: a stricter region finds more, another one is left alone.
        let strict = json!({ "min_samples": 61, "same_photo_bits": 0 });
        assert_eq!(policy_set(world, "finding_thresholds", Some(world.regions[0]), &strict).status, 200);
        assert_eq!(codes(&test_of(world, first)), ["too_few_samples", "too_few_samples", "too_few_samples"]);
        for bad in [json!({ "same_photo_bits": 8 }), json!({ "inside_percent": 101 }), json!({ "unknown": 1 })] {
            assert_problem(&policy_set(world, "finding_thresholds", None, &bad), ProblemType::InvalidField);
        }
    }

    /// R-REVIEW-1: a large test's blocks are opened by a job; until then, and when the thresholds are others, its movement is not told.
    fn the_movement_of_a_large_test_is_judged_by_a_job(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.visit(order);
        for (seed, operator) in (1..).zip(Operator::REQUIRED) {
            // One of the three jumps eleven kilometres within a second, and back.
            let mut samples = walk_samples(seed, operator, 60, &world.clock);
            if let (Operator::ChinaUnicom, Some(position)) = (operator, samples[30].position.as_mut()) {
                position.latitude_e6 += 100_000;
            }
            let mut session = tester.phone.capture_begin(order, operator, &Source::Live).unwrap();
            for sample in &samples {
                tester.phone.capture_push(&mut session, sample).unwrap();
            }
            tester.phone.capture_flush(&mut session).unwrap();
        }
        tester.photo(order, 1);
        tester.phone.findings_record(order, findings("weak")).unwrap();
        tester.phone.submit(order, Vec::new()).unwrap();
        tester.sync();
        let jump = vec!["impossible_movement".to_owned()];
        assert_eq!(codes(&test_of(world, order)), jump, "small enough to be opened at once");

        // Another server on the same database, to which a hundred samples are many.
        let config = AppConfig { max_opened_samples: Some(100), ..AppConfig::default() };
        let photos = PhotoStore::open_folder(&world.folder("photos")).unwrap();
        let env = Env::new(Arc::new(world.clock.clone()), Arc::new(SystemEntropy));
        let parts = Parts { storage: world.storage.clone(), photos, env, config, runs_jobs: false };
        let server = start_with(parts, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), 1).unwrap();
        let lead = Desk::with_token(&Http::new(format!("http://{}", server.address())), world.lead().access_token());
        let path = format!("/v1/field-tests/{}", world.field_test(order).id);
        let show = || -> Value { lead.send("GET", &path, &[], &[]).unwrap().accepted().unwrap().read().unwrap() };
        let expected = |codes_expected: &[String], is_complete: bool| {
            let seen = show();
            assert_eq!((codes(&seen).as_slice(), &seen["findings_are_complete"]), (codes_expected, &json!(is_complete)));
        };
        expected(&[], false);
        expected(&[], false);
        server.run_due().unwrap();
        expected(&jump, true);
        assert_eq!(finding(&show(), "impossible_movement"), finding(&test_of(world, order), "impossible_movement"));
        assert_eq!(server.run_due().unwrap(), 0, "asked for once, however often it was looked at");

        let faster = json!({ "max_speed_kmh": 351 });
        assert_eq!(policy_set(world, "finding_thresholds", None, &faster).status, 200);
        expected(&[], false);
        server.run_due().unwrap();
        expected(&jump, true);
    }

    /// R-TEST-1: templates are data, per symptom and region; a test keeps the one that it was handed in with.
    fn templates_are_set_per_region(world) {
        let template = |photos: u32| json!({ "templates": [{
            "symptoms": ["call_drop"], "name_en": "Drops", "name_zh": "掉话",
            "requires": {
                "code": "drops", "operators": ["china_mobile", "china_unicom", "china_telecom"], "samples_per_operator": 10,
                "photos": [{ "purpose": "site", "at_least": photos }],
            },
        }] });
        assert_eq!(policy_set(world, "evidence_templates", Some(world.regions[0]), &template(1)).status, 200);
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        let carried = tester.phone.order(order).unwrap().view.evidence_template.unwrap();
        assert_eq!((carried.code.as_str(), carried.samples_per_operator), ("drops", 10));
        tester.work(order, 10);
        tester.sync();
        assert_eq!(policy_set(world, "evidence_templates", Some(world.regions[0]), &template(9)).status, 200);
        let photos = test_of(world, order)["evidence"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&photos["kind"], &photos["purpose"], &photos["required"]), (&json!("photos"), &json!("site"), &json!(1)));

        let mut weak = template(1);
        weak["templates"][0]["requires"]["operators"] = json!(["china_mobile"]);
        let mut twice = template(1);
        twice["templates"] = json!([twice["templates"][0], twice["templates"][0]]);
        let mut calls = template(1);
        calls["templates"][0]["requires"]["test_calls"] = json!(3);
        for bad in [weak, twice, calls] {
            assert_problem(&policy_set(world, "evidence_templates", None, &bad), ProblemType::InvalidField);
        }
    }

    /// R-REVIEW-1: the standard template is data; a section that it requires is answered before an approval.
    fn the_review_template_is_set_per_region(world) {
        let document = json!({
            "sections": [{ "code": "cause", "name_en": "Cause", "name_zh": "原因", "is_required": true }],
            "return_reasons": [{ "code": "other", "name_en": "Other", "name_zh": "其他", "needs_words": true }],
        });
        assert_eq!(policy_set(world, "review_template", Some(world.regions[0]), &document).status, 200);
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        tester.work(order, 60);
        tester.sync();
        assert_problem(&review(world, order, plan()), ProblemType::InvalidField);
        let mut answered = plan();
        answered["sections"] = json!([{ "section": "cause", "assessment": "good" }]);
        assert_eq!(review(world, order, answered).status, 200);
        let without_other = json!({ "return_reasons": [] });
        assert_problem(&policy_set(world, "review_template", None, &without_other), ProblemType::InvalidField);
    }
}
