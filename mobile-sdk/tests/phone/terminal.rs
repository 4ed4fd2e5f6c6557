//! The terminal phone: its answers, its exit statuses, and real logs through it.

use super::support::{MORNING, World, order_id, position};
use callout_mobile_sdk::cli::{Exit, PhoneArgs, run};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::block_open;
use callout_sync_protocol::time::Timestamp;
use clap::Parser;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: PhoneArgs,
}

pub fn phone(world: &World, arguments: &[&str]) -> (Exit, String, String) {
    let folder = world.folder.path().to_str().unwrap();
    let key: &[&str] = if super::support::is_sealed() { &["--store-key", super::support::STORE_KEY] } else { &[] };
    let line = [&["phone", "--data-dir", folder], key, arguments].concat();
    let args = Program::try_parse_from(line).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(args, world.env.clone(), &mut out, &mut err);
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

pub fn phone_json(world: &World, arguments: &[&str]) -> Value {
    let (exit, out, err) = phone(world, &[arguments, &["--json"]].concat());
    assert_eq!(exit, Exit::Done, "{arguments:?}: {out}{err}");
    serde_json::from_str(&out).unwrap()
}

/// Real logs are beside the repository, not in it.
fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("CALLOUT_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let walks = folder.join("three-operator-walks/urban");
    if walks.is_dir() {
        return Some(walks);
    }
    eprintln!("skipped: no real logs at {}; set CALLOUT_SHARED_DATA", folder.display());
    None
}

#[test]
fn a_visit_by_hand() {
    let mut world = World::synced(&[1]);
    let number = "WO-20261123-00001";
    let (exit, out, _) = phone(&world, &["orders", "--language", "zh"]);
    assert_eq!(exit, Exit::Done);
    assert!(out.contains(number) && out.contains("已派单"), "{out}");
    assert_eq!(phone_json(&world, &["accept", number])["order"]["view"]["state"], "accepted");
    let (from, until) = ("2026-11-23T14:00:00+08:00", "2026-11-23T15:00:00+08:00");
    phone_json(&world, &["contact", "00001", "--from", from, "--until", until]);
    phone_json(&world, &["arrive", "00001", "--lat", "30.54", "--lon", "114.31", "--accuracy", "9"]);
    phone_json(&world, &["consent", "00001", "yes"]);
    let picture = world.folder.path().join("kitchen.png");
    std::fs::write(&picture, super::support::png(3_000)).unwrap();
    phone_json(&world, &["photo", "00001", picture.to_str().unwrap(), "--purpose", "indoors"]);
    let (exit, _, err) = phone(&world, &["finding", "00001", "--problem", "weak"]);
    assert_eq!(exit, Exit::Rejected);
    assert!(err.contains("generation, service") && !err.contains("address"), "the order's address stands: {err}");
    phone_json(&world, &["finding", "00001", "--generation", "4g", "--service", "data", "--contact-left"]);
    let (exit, out, _) = phone(&world, &["submit", "00001", "--json"]);
    assert_eq!(exit, Exit::Rejected);
    let error: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(error["error"]["problem"], "operator-missing");
    let missing = Operator::REQUIRED.map(|operator| format!("{operator}=no SIM card"));
    let mut submit = vec!["submit", "00001"];
    submit.extend(missing.iter().flat_map(|text| ["--missing", text.as_str()]));
    assert_eq!(phone_json(&world, &submit)["order"]["view"]["state"], "submitted");
    assert_eq!(world.sync().commands_rejected, 0);
    assert_eq!(phone_json(&world, &["status"])["photos"]["stored"], 1);
    assert!(phone(&world, &["quarantine"]).1.contains("nothing was refused"));
    let (_, out, _) = phone(&world, &["order", "00001"]);
    assert!(out.contains("test_submit – accepted"), "{out}");
}

#[test]
fn exit_statuses_tell_scripts_what_happened() {
    let world = World::synced(&[1]);
    assert_eq!(phone(&world, &["--offline", "sync"]).0, Exit::Network);
    assert_eq!(phone(&world, &["sync"]).0, Exit::Usage, "no server named");
    assert_eq!(phone(&world, &["--server", "http://example.com", "sync"]).0, Exit::Usage);
    assert_eq!(phone(&world, &["accept", "nothing"]).0, Exit::Rejected);
    assert_eq!(phone(&world, &["arrive", "00001", "--lat", "91", "--lon", "0"]).0, Exit::Usage);
    assert_eq!(phone(&world, &["seal", "/no/such/log"]).0, Exit::Rejected);
    let connection = world.phone.store().connection();
    connection.pragma_update(None, "user_version", 9_999).unwrap();
    let (exit, _, err) = phone(&world, &["status"]);
    assert!(exit == Exit::Store && err.contains("update the app"), "{err}");
}

/// R-TEST-1 with real logs: captured, killed in the middle, captured again; every sample once.
#[test]
fn real_logs_are_captured_once_however_often() {
    let Some(walks) = shared_data() else { return };
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let mut logs: Vec<_> = std::fs::read_dir(walks).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    let mut captured = 0;
    for (operator, log) in Operator::REQUIRED.iter().zip(&logs) {
        let arguments = ["capture", "00001", "--operator", operator.as_str(), log.to_str().unwrap()];
        let first = phone_json(&world, &arguments);
        captured += first["captured_samples"].as_u64().unwrap();
        assert_eq!(first["resumed_at"], 0);
        let again = phone_json(&world, &arguments);
        assert_eq!((&again["captured_samples"], &again["resumed_at"]), (&Value::from(0), &first["captured_samples"]));
    }
    world.phone.findings_record(order_id(1), super::support::findings()).unwrap();
    world.phone.submit(order_id(1), vec![]).unwrap();
    world.sync();
    assert!(captured > 500);
    assert_eq!(world.server.samples_received(), captured);
}

/// R-TEST-5 with a real process: killed in the middle of a capture, without a chance to say goodbye, and started again.
#[test]
fn a_killed_process_goes_on_where_the_medium_ends() {
    use callout_mobile_sdk::synthetic::{Coverage, OperatorProfile, SyntheticWalk, WalkOptions};
    use std::process::{Command, Stdio};
    const SAMPLES: u64 = 4_000;
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let walk = SyntheticWalk::new(WalkOptions {
        seed: 3,
        started_at: Timestamp::from_unix_micros(MORNING * 1_000_000).unwrap(),
        centre: position(),
        profile: OperatorProfile::new(Operator::ChinaUnicom, Coverage::Good),
        sample_count: SAMPLES,
        utc_offset_minutes: 480,
        dirty: false,
    });
    let log = world.folder.path().join(walk.log_file_name());
    walk.write_log(std::fs::File::create(&log).unwrap()).unwrap();
    let command = |pace: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phone"));
        command.arg("--data-dir").arg(world.folder.path()).args(["--json", "capture", "00001"]);
        command.args(["--operator", "china_unicom"]).arg(&log).args(pace);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        if super::support::is_sealed() {
            command.env("CALLOUT_PHONE_KEY", super::support::STORE_KEY);
        }
        command
    };
    let mut running = command(&["--pace", "1000"]).spawn().unwrap();
    // At a thousand a second the whole takes four; the kill comes after the second flush.
    while world.phone.status().unwrap().captures.samples < 400 {
        assert!(running.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let safe = world.phone.status().unwrap().captures.samples;
    assert!((400..SAMPLES).contains(&safe));
    let output = command(&[]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((answer["resumed_at"].as_u64(), answer["safe_samples"].as_u64()), (Some(safe), Some(SAMPLES)));
    world.phone.capture_seal(order_id(1)).unwrap();
    world.sync();
    let received: Vec<_> =
        world.server.blocks.values().flat_map(|b| block_open(b).unwrap().1.iter().collect::<Vec<_>>()).collect();
    assert_eq!(received, walk.samples().collect::<Vec<_>>(), "every sample once, in order");
}

#[test]
fn a_sealed_log_gives_its_samples_back() {
    let Some(walks) = shared_data() else { return };
    let world = World::new(&[]);
    let block = world.folder.path().join("block");
    for entry in std::fs::read_dir(walks).unwrap() {
        let log = entry.unwrap().path();
        let sealed = phone_json(&world, &["seal", log.to_str().unwrap(), "--output", block.to_str().unwrap()]);
        let (samples, bytes) = (sealed["samples"].as_u64().unwrap(), sealed["bytes"].as_u64().unwrap());
        assert_eq!(bytes, std::fs::metadata(&block).unwrap().len());
        let (exit, csv, _) = phone(&world, &["unseal", block.to_str().unwrap()]);
        assert_eq!((exit, csv.lines().count() as u64), (Exit::Done, samples + 1));
    }
    assert_eq!(
        phone(&world, &["unseal", world.folder.path().join("phone.sqlite").to_str().unwrap()]).0,
        Exit::Rejected
    );
}
