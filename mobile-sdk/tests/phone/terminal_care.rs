//! The terminal phone's care for what was refused, for storage and accounts, and what it shows of evidence and words.

use super::support::{World, order_id, order_view, position};
use super::terminal::{phone, phone_json};
use callout_mobile_sdk::Env as _;
use callout_mobile_sdk::cli::Exit;
use callout_sync_protocol::commands::{CommandBody, ContactOutcome};
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::evidence::EvidenceTemplate;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::work_orders::{TimeWindow, WorkOrderState, WorkOrderView};
use serde_json::Value;

/// The id of the only rejected command, as `quarantine` tells it.
fn rejected_id(world: &World) -> String {
    let set_aside = phone_json(world, &["quarantine"]);
    let commands = set_aside["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 1, "{set_aside}");
    let id = commands[0]["command"]["id"].as_str().unwrap().to_owned();
    let (_, text, _) = phone(world, &["quarantine"]);
    assert!(text.contains(&id), "what can be mended is shown with its name: {text}");
    id
}

/// The server learned something that the phone did not know, and rejects what the phone does; then it thinks better of it.
fn refuse(world: &mut World, act: impl FnOnce(&mut World), before: WorkOrderState) {
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Withdrawn);
    act(world);
    world.sync();
    world.server.order_edit(order_id(1), |view| view.state = before);
    world.sync();
}

fn last_body(world: &World) -> &CommandBody {
    &world.server.commands.last().unwrap().0.body
}

/// R-TEST-5: what was refused is sent again, mended, or let be; an end of its name is enough.
#[test]
fn what_was_refused_is_mended_by_hand() {
    let mut world = World::synced(&[1]);
    refuse(&mut world, |world| drop(world.phone.accept(order_id(1)).unwrap()), WorkOrderState::Dispatched);
    let id = rejected_id(&world);
    let answer = phone_json(&world, &["resend", &id[24..]]);
    assert_eq!(answer["order"]["view"]["state"], "accepted");
    assert_eq!(world.sync().commands_accepted, 1);
    assert_eq!(phone(&world, &["resend", &id]).0, Exit::Rejected, "it was dealt with");
    assert_eq!(phone(&world, &["dismiss", ""]).0, Exit::Rejected, "nothing is called so");

    let from = world.env.now().plus_seconds(3_600);
    let window = TimeWindow { from, until: from.plus_seconds(3_600) };
    let act = |world: &mut World| {
        drop(world.phone.contact(order_id(1), ContactOutcome::Reached, Some(window), None, None).unwrap());
    };
    refuse(&mut world, act, WorkOrderState::Accepted);
    let id = rejected_id(&world);
    let (later, end) = (from.plus_seconds(7_200).to_string(), from.plus_seconds(9_000).to_string());
    phone_json(&world, &["mend", &id, "contact", "--from", &later, "--until", &end, "--note", "called again"]);
    assert_eq!(world.sync().commands_accepted, 1);
    assert!(matches!(last_body(&world), CommandBody::Contact { note: Some(note), .. } if note == "called again"));

    let act = |world: &mut World| drop(world.phone.arrive(order_id(1), position()).unwrap());
    refuse(&mut world, act, WorkOrderState::Contacted);
    let id = rejected_id(&world);
    phone_json(&world, &["mend", &id, "arrive", "--lat", "30.55", "--lon", "114.3"]);
    assert_eq!(world.sync().commands_accepted, 1);
    assert!(matches!(last_body(&world), CommandBody::Arrive { position } if position.latitude_e6 == 30_550_000));

    let act = |world: &mut World| drop(world.phone.photo_consent(order_id(1), true).unwrap());
    refuse(&mut world, act, WorkOrderState::OnSite);
    let id = rejected_id(&world);
    assert_eq!(phone(&world, &["mend", &id, "finding", "--problem", "x"]).0, Exit::Rejected, "it was no finding");
    assert_eq!(phone_json(&world, &["dismiss", &id])["dismissed"], Value::from(id));
    assert!(phone(&world, &["quarantine", "--language", "zh"]).1.contains("没有被拒的内容"));
}

/// Mended findings keep what is not said anew; a mended submission cites what the test has then.
#[test]
fn findings_and_submissions_are_mended_by_hand() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..40);
    world.sync();
    let act = |world: &mut World| {
        drop(world.phone.findings_record(order_id(1), super::support::findings()).unwrap());
    };
    refuse(&mut world, act, WorkOrderState::OnSite);
    let id = rejected_id(&world);
    phone_json(&world, &["mend", &id, "finding", "--problem", "weak in the cellar", "--serving-site", "eNB 410200"]);
    world.sync();
    let CommandBody::FindingsRecord { findings, .. } = last_body(&world) else { panic!("{:?}", last_body(&world)) };
    assert_eq!((findings.problem.as_str(), findings.occurs.as_str()), ("weak in the cellar", "evenings"));
    assert_eq!(findings.serving_sites, ["eNB 410200"]);

    let missing = super::support::missing(&[Operator::ChinaUnicom, Operator::ChinaTelecom]);
    let act = |world: &mut World| drop(world.phone.submit(order_id(1), missing).unwrap());
    refuse(&mut world, act, WorkOrderState::OnSite);
    world.capture(1, Operator::ChinaUnicom, 40..80);
    let id = rejected_id(&world);
    let reason = "china_telecom=no SIM card";
    let answer = phone_json(&world, &["mend", &id, "submit", "--missing", reason]);
    assert_eq!(answer["order"]["view"]["state"], "submitted");
    world.sync();
    let CommandBody::TestSubmit { blocks, missing_operators, .. } = last_body(&world) else {
        panic!("{:?}", last_body(&world))
    };
    assert_eq!((blocks.len(), missing_operators.len()), (2, 1));
    assert_eq!(phone(&world, &["mend", &id, "submit", "--missing", "nobody"]).0, Exit::Rejected, "dealt with");
}

#[test]
fn storage_is_shown_bounded_and_freed() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..700);
    world.phone.capture_seal(order_id(1)).unwrap();
    let held = phone_json(&world, &["storage"]);
    let unsent = held["storage"]["held"]["unsent"].as_u64().unwrap();
    assert!(unsent > 0 && held["storage"]["quota_bytes"].is_null(), "{held}");
    assert_eq!(phone_json(&world, &["storage", "--quota", "2M"])["storage"]["quota_bytes"], 2_000_000);
    let full = phone_json(&world, &["storage", "--quota", &unsent.to_string(), "--free"]);
    assert_eq!((&full["storage"]["level"], &full["freed"]["bytes"]), (&Value::from("full"), &Value::from(0)));
    world.sync();
    let freed = phone_json(&world, &["storage", "--free"]);
    assert_eq!(freed["storage"]["held"]["unsent"], 0);
    assert_eq!(freed["storage"]["held"]["confirmed"], 0);
    assert!(phone_json(&world, &["storage", "--quota", "none"])["storage"]["quota_bytes"].is_null());
    let (_, text, _) = phone(&world, &["storage", "--language", "zh"]);
    assert!(text.contains("配额 无"), "{text}");
}

/// The bundle tells nothing of people, orders or places.
#[test]
fn diagnostics_are_printed() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.sync();
    let (exit, text, _) = phone(&world, &["diagnostics"]);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &bundle["is_store_sound"]), (Exit::Done, &Value::from(true)));
    assert_eq!(phone_json(&world, &["diagnostics"])["status"], bundle["status"]);
    for secret in [super::support::CUSTOMER_PHONE, "Lakeside", "tester", "WO-20261123"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Every account is a phone of its own; what the folder itself holds is none of theirs.
#[test]
fn accounts_are_added_switched_and_removed() {
    let world = World::synced(&[1]);
    let slots = |answer: Value| -> Vec<(String, bool)> {
        let slots = answer["accounts"].as_array().unwrap().iter();
        slots.map(|slot| (slot["slot"].as_str().unwrap().to_owned(), slot["is_current"] == true)).collect()
    };
    let orders = || phone_json(&world, &["orders"])["orders"].as_array().unwrap().len();
    assert_eq!((orders(), slots(phone_json(&world, &["accounts", "list"])).len()), (1, 0));
    let first = slots(phone_json(&world, &["accounts", "add"])).remove(0).0;
    assert_eq!(orders(), 0, "a new account has nothing");
    let device = phone_json(&world, &["status"])["device_id"].clone();
    // Accounts are listed by their age.
    world.env.advance_ms(1);
    let both = slots(phone_json(&world, &["accounts", "add"]));
    assert_eq!((both.len(), both[0].1, both[1].1), (2, false, true), "{both:?}");
    assert_ne!(phone_json(&world, &["status"])["device_id"], device);
    phone_json(&world, &["accounts", "switch", &first]);
    assert_eq!(phone_json(&world, &["status"])["device_id"], device);
    phone_json(&world, &["accounts", "switch"]);
    assert_eq!(orders(), 1, "the folder's own phone again");
    assert_eq!(slots(phone_json(&world, &["accounts", "remove", &first])), [(both[1].0.clone(), false)]);
    assert_eq!(phone(&world, &["accounts", "switch", &first]).0, Exit::Rejected);
    assert_eq!(phone(&world, &["accounts", "remove", "nobody"]).0, Exit::Rejected);
}

/// R-CONTACT-2: the words to begin and to end with, everybody's or those that came with the order.
#[test]
fn the_words_for_the_customer_are_shown() {
    let mut world = World::synced(&[1]);
    let ordinary = ContactWords::default();
    let (_, text, _) = phone(&world, &["words", "00001"]);
    assert!(text.contains(&ordinary.en.opening) && text.contains(&ordinary.en.closing), "{text}");
    let mut own = ordinary.clone();
    own.zh.opening = "您好，这里是东区网络中心".to_owned();
    world.server.order_edit(order_id(1), |view| view.contact_words = Some(own.clone()));
    world.sync();
    for verb in ["words", "order"] {
        let (_, text, _) = phone(&world, &[verb, "00001", "--language", "zh"]);
        assert!(text.contains(&own.zh.opening) && text.contains(&own.zh.closing), "{text}");
        assert_eq!(phone_json(&world, &[verb, "00001"])["contact_words"]["zh"]["opening"], own.zh.opening.as_str());
    }
}

/// R-TEST-4: the walk by hand, question by question, and what of the evidence is there (R-TEST-1).
#[test]
fn the_volte_walk_is_made_by_hand() {
    let mut world = World::new(&[]);
    let template = EvidenceTemplate {
        code: "volte".to_owned(),
        operators: vec![Operator::ChinaMobile],
        samples_per_operator: 30,
        photos: vec![],
        needs_volte_walkthrough: true,
        test_calls: 5,
    };
    world.server.order_put(WorkOrderView { evidence_template: Some(template), ..order_view(1) });
    world.sync();
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..40);
    let (_, text, _) = phone(&world, &["checklist", "00001"]);
    assert_eq!(text.lines().map(|line| &line[..3]).collect::<Vec<_>>(), ["[x]", "[ ]", "[ ]"], "{text}");
    assert_eq!(phone_json(&world, &["volte", "00001"])["ask"]["question"], "sim_service");
    assert_eq!(phone(&world, &["volte", "00001", "--answer", "7"]).0, Exit::Usage);
    let asked = phone_json(&world, &["volte", "00001", "--answer", "yes", "--answer", "yes", "--answer", "yes"]);
    assert_eq!(asked["ask"]["question"], "registered");
    let asked = phone_json(&world, &["volte", "00001", "--back", "--answer", "是", "--answer", "yes"]);
    assert_eq!(asked["answer"]["kind"], "number", "{asked}");
    let (_, text, _) = phone(&world, &["volte", "00001", "--answer", "6", "--answer", "0", "--answer", "2"]);
    assert!(text.contains("100–500"), "{text}");
    assert_eq!(phone(&world, &["volte", "00001", "--answer", "9999"]).0, Exit::Rejected, "beyond the scale");
    let concluded = phone_json(&world, &["volte", "00001", "--answer", "360", "--answer", "0"]);
    assert_eq!(concluded["conclusion"], "calls_drop");
    assert_eq!(phone(&world, &["volte", "00001", "--answer", "1"]).0, Exit::Rejected, "it is over");
    let items = phone_json(&world, &["checklist", "00001"]);
    assert_eq!(items["evidence"].as_array().unwrap().len(), 3);
    assert!(phone(&world, &["checklist", "00001", "--language", "zh"]).1.lines().all(|line| line.starts_with("[x]")));
}
