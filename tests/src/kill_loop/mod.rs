//! Real processes, killed without warning: a server and phones, each a process of its own, on a real database with its real
//! flushes; `kill -9` falls at any time on any of them, over and over, and in the end nothing may be missing and nothing doubled.
//!
//! Phones reach the server over sockets that cut what passes. The simulation kills and cuts in chosen places with a seed; here the
//! operating system chooses, and a seed decides only how long things live and how far messages come.

mod faulty_link;
mod processes;

pub use processes::NODE;

use crate::postgres::{ClusterError, Durability, PostgresCluster};
use callout_cli::desk::{Desk, DeskError, Http};
use callout_mobile_sdk::env::{Env as _, SystemEnv};
use callout_mobile_sdk::synthetic::{
    Coverage, OperatorProfile, PhotoOptions, SyntheticWalk, WalkOptions, photo_create,
};
use callout_storage::{Storage, StorageConfig};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use faulty_link::FaultyLink;
use processes::{Ended, PhoneProcess, ServerProcess};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// Everybody's password.
const PASSWORD: &str = "correct horse battery";
/// Where the complaints are.
const PLACE: Position =
    Position { latitude_e6: 37_300_000, longitude_e6: 103_520_000, accuracy_m: Some(5), is_mock: false };
/// After so many deaths of one step, it is let live: the loop must end.
const DEATHS_A_STEP: u32 = 6;

/// What is run.
#[derive(Clone, Debug)]
pub struct KillLoopOptions {
    /// A program that becomes `callout` when its first argument is [`NODE`].
    pub program: PathBuf,
    /// PostgreSQL instead of the embedded database.
    pub postgres: bool,
    /// Phones, each with one order a round.
    pub phones: u64,
    /// Rounds.
    pub rounds: u64,
    /// Samples of each operator and order.
    pub samples: u64,
    /// Decides how long things live.
    pub seed: u64,
}

/// What happened, when all of it was as it must be.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct KillLoopReport {
    /// Orders submitted, each once.
    pub orders: u64,
    /// Samples on the server, none missing, none twice.
    pub samples: u64,
    /// Photos on the server.
    pub photos: u64,
    /// Times that a phone was killed.
    pub phone_kills: u64,
    /// Times that the server was killed.
    pub server_kills: u64,
    /// Times that a phone's connection was cut, or not taken.
    pub link_faults: u64,
    /// Events of the audit trail, whose chains hold.
    pub events: u64,
}

/// Why the loop ended early.
#[derive(Debug, thiserror::Error)]
pub enum KillLoopError {
    /// PostgreSQL is not to be had.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something could not be done at all.
    #[error("{0}")]
    Failed(String),
    /// Something is missing, or there twice.
    #[error("not as it must be: {0}")]
    Wrong(String),
}

type Result<T, E = KillLoopError> = std::result::Result<T, E>;

fn failed(what: impl std::fmt::Display) -> KillLoopError {
    KillLoopError::Failed(what.to_string())
}

fn desk(error: DeskError) -> KillLoopError {
    failed(error)
}

/// Requires what must hold.
fn require(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(KillLoopError::Wrong(what())) }
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, from: u64, until: u64) -> Duration {
        Duration::from_millis(from + self.next() % (until - from))
    }
}

/// What one visit measures, as files that a phone reads.
struct Visit {
    logs: Vec<(Operator, PathBuf)>,
    photo: PathBuf,
}

/// An order of a phone, and what was captured for it.
struct Assigned {
    order: Uuid,
    visit: Visit,
}

/// Runs the loop and checks everything.
///
/// # Errors
/// [`KillLoopError::Wrong`] says what is missing or doubled; the others, why nothing could be said.
pub fn kill_loop(options: &KillLoopOptions, progress: &mut dyn FnMut(&str)) -> Result<KillLoopReport> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let cluster = if options.postgres { Some(PostgresCluster::start(Durability::Full)?) } else { None };
    let url = cluster.as_ref().map(|cluster| cluster.database("callout", None)).transpose()?;
    let data = folder.path().join("server");
    let (server, admin_password) = ServerProcess::start(&options.program, &data, url.as_deref())?;
    let http = Http::new(server.url());
    let link = FaultyLink::start(server.address(), Chance(options.seed ^ 0x11a7))?;
    let admin = Desk::sign_in(&http, "admin", &admin_password).map_err(desk)?;
    let ring = [[103.0, 37.0], [104.0, 37.0], [104.0, 38.0], [103.0, 38.0], [103.0, 37.0]];
    let region =
        admin.region_create("东区 East", 480, &json!({ "type": "Polygon", "coordinates": [ring] })).map_err(desk)?;
    for (name, role) in [("t1", "t1_dispatcher"), ("cs", "customer_service_agent"), ("lead", "regional_lead")] {
        admin.user_create(name, PASSWORD, &[role], Some(&[region])).map_err(desk)?;
    }
    let mut phones = Vec::new();
    for number in 0..options.phones {
        let name = format!("tester-{number}");
        let user = admin.user_create(&name, PASSWORD, &["field_tester"], Some(&[region])).map_err(desk)?;
        let phone = PhoneProcess::new(&options.program, &folder.path().join(&name), &link.url());
        phone.must(&["sign-in", "--user", &name])?;
        phones.push((phone, user.id));
    }

    let mut report = KillLoopReport::default();
    let mut assigned: Vec<Vec<Assigned>> = phones.iter().map(|_| Vec::new()).collect();
    let house = House { server: Mutex::new(server), kills: AtomicU64::new(0), ends: AtomicBool::new(false) };
    for round in 0..options.rounds {
        let (t1, cs) = (sign_in(&http, "t1")?, sign_in(&http, "cs")?);
        for (number, (_, tester)) in phones.iter().enumerate() {
            let seed = options.seed.wrapping_add(round * options.phones + number as u64);
            let visit = visit_make(folder.path(), seed, options.samples)?;
            let order = order_dispatch(&t1, &cs, *tester, seed)?;
            assigned[number].push(Assigned { order, visit });
        }
        house.ends.store(false, Ordering::SeqCst);
        link.calm(false);
        let killed = thread::scope(|scope| {
            let killer = scope.spawn(|| house.kill_over_and_over(Chance(options.seed ^ round)));
            let workers: Vec<_> = phones
                .iter()
                .zip(&assigned)
                .enumerate()
                .map(|(number, ((phone, _), orders))| {
                    let chance = Chance(options.seed ^ (round << 8) ^ ((number as u64) << 32));
                    scope.spawn(move || orders.last().map_or(Ok(0), |order| work(phone, order, chance)))
                })
                .collect();
            let killed: Result<u64> = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| Err(failed("a phone's thread panicked"))))
                .sum();
            house.ends.store(true, Ordering::SeqCst);
            let killer = killer.join().unwrap_or_else(|_| Err(failed("the killer panicked")));
            killer.and(killed)
        })?;
        report.phone_kills += killed;
        link.calm(true);
        for (phone, _) in &phones {
            settle(phone)?;
        }
        report.server_kills = house.kills.load(Ordering::SeqCst);
        report.link_faults = link.faults();
        progress(&format!(
            "round {} of {}: {} deaths of phones, {} of the server, {} connections cut so far",
            round + 1,
            options.rounds,
            report.phone_kills,
            report.server_kills,
            report.link_faults
        ));
    }

    let lead = sign_in(&http, "lead")?;
    for ((phone, _), orders) in phones.iter().zip(&assigned) {
        check_phone(phone)?;
        for order in orders {
            check_order(&lead, order, options.samples, &mut report)?;
        }
    }
    drop(house);
    report.events = check_trail(&data, url)?;
    Ok(report)
}

fn sign_in(http: &Http, name: &str) -> Result<Desk> {
    Desk::sign_in(http, name, PASSWORD).map_err(desk)
}

/// The server, which somebody kills.
struct House {
    server: Mutex<ServerProcess>,
    kills: AtomicU64,
    ends: AtomicBool,
}

impl House {
    /// Kills the server and starts it again on the same data and port, until it is told to end; then the server runs.
    fn kill_over_and_over(&self, mut chance: Chance) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.ends.load(Ordering::SeqCst) {
            server.live_for(chance.between(30, 600));
            server.kill_and_restart()?;
            self.kills.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn now() -> Timestamp {
    SystemEnv.now()
}

fn visit_make(folder: &Path, seed: u64, samples: u64) -> Result<Visit> {
    let folder = folder.join(format!("visit-{seed}"));
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut logs = Vec::new();
    for (number, operator) in (0..).zip(Operator::REQUIRED) {
        let walk = SyntheticWalk::new(WalkOptions {
            seed: seed ^ (number << 40),
            started_at: now().plus_seconds(-1_800),
            centre: PLACE,
            profile: OperatorProfile::new(operator, Coverage::Good),
            sample_count: samples,
            utc_offset_minutes: 480,
            dirty: false,
        });
        let path = folder.join(walk.log_file_name());
        walk.write_log(BufWriter::new(File::create(&path).map_err(failed)?)).map_err(failed)?;
        logs.push((operator, path));
    }
    let options =
        PhotoOptions { width: 640, height: 480, target_bytes: 60_000, ..PhotoOptions::new(seed, now(), PLACE) };
    let photo = folder.join("photo.jpg");
    fs::write(&photo, photo_create(&options).map_err(failed)?).map_err(failed)?;
    Ok(Visit { logs, photo })
}

fn order_dispatch(t1: &Desk, cs: &Desk, tester: Uuid, seed: u64) -> Result<Uuid> {
    let complaint = json!({
        "reference": format!("KILL-{seed}"), "channel": "phone", "customer": { "name": "测试·王澄", "phone": format!("169{:08}", seed % 100_000_000) },
        "description": "在家打电话经常断 calls drop at home", "symptom": "call_drop",
    });
    let complaint = cs.complaint_create(&complaint).map_err(desk)?;
    let classified = t1.complaint_classify_network(complaint.id).map_err(desk)?;
    let order = classified.work_order_id.ok_or_else(|| failed("a network complaint has no order"))?;
    t1.work_order_locate(order, "港湾一路12号", PLACE.latitude(), PLACE.longitude()).map_err(desk)?;
    t1.work_order_dispatch(order, tester).map_err(desk)?;
    Ok(order)
}

/// The tester's whole visit, each step a process that may be killed and is then done again; says how often that was.
fn work(phone: &PhoneProcess, assigned: &Assigned, mut chance: Chance) -> Result<u64> {
    let order = assigned.order.to_string();
    let (from, until) = (now().plus_seconds(600).to_string(), now().plus_seconds(4_200).to_string());
    let (lat, lon) = (PLACE.latitude().to_string(), PLACE.longitude().to_string());
    let photo = assigned.visit.photo.display().to_string();
    let logs: Vec<(String, String)> =
        assigned.visit.logs.iter().map(|(operator, path)| (operator.to_string(), path.display().to_string())).collect();
    let mut steps: Vec<Vec<&str>> = vec![
        vec!["sync", "--retries", "30"],
        vec!["accept", &order],
        vec!["contact", &order, "--from", &from, "--until", &until, "--emergency", "the loop runs at any hour"],
        vec!["arrive", &order, "--lat", &lat, "--lon", &lon],
        vec!["consent", &order, "yes"],
    ];
    for (operator, path) in &logs {
        steps.push(vec!["capture", &order, "--operator", operator, path]);
        steps.push(vec!["sync", "--retries", "2"]);
    }
    steps.push(vec!["photo", &order, &photo]);
    steps.push(vec![
        "finding",
        &order,
        "--problem",
        "weak indoors",
        "--generation",
        "4g",
        "--service",
        "both",
        "--need",
        "calls",
    ]);
    steps.push(vec!["finding", &order, "--contact-left", "--revisit-announced", "--serving-site", "eNB 410200"]);
    steps.push(vec!["submit", &order]);
    steps.push(vec!["sync", "--retries", "30"]);
    let mut kills = 0;
    for step in &steps {
        kills += step_do(phone, step, &mut chance)?;
    }
    Ok(kills)
}

fn step_do(phone: &PhoneProcess, step: &[&str], chance: &mut Chance) -> Result<u64> {
    let mut deaths = 0;
    loop {
        let life = (deaths < DEATHS_A_STEP && !chance.next().is_multiple_of(3)).then(|| chance.between(1, 120));
        match phone.run(step, life)? {
            Ended::Killed => deaths += 1,
            Ended::Well(_) => return Ok(deaths.into()),
            // Killed after it was safe and before it could say so: done again, the rules refuse it.
            Ended::Refused if deaths > 0 => return Ok(deaths.into()),
            // The server is dead just now; another time.
            Ended::NoNetwork if step[0] == "sync" => return Ok(deaths.into()),
            other => return Err(failed(format!("phone {}: {other:?}", step.join(" ")))),
        }
    }
}

/// Nobody is killed any more: what waits goes out.
fn settle(phone: &PhoneProcess) -> Result<()> {
    for _ in 0..20 {
        phone.run(&["sync", "--retries", "10"], None)?;
        let status = phone.must(&["status"])?;
        let waits = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or(u64::MAX);
        if waits("/commands/waiting") == 0 && waits("/blocks/sealed") == 0 && waits("/photos/waiting") == 0 {
            return Ok(());
        }
    }
    Err(KillLoopError::Wrong(format!("a phone cannot get rid of what waits: {}", phone.must(&["status"])?)))
}

fn check_phone(phone: &PhoneProcess) -> Result<()> {
    let status = phone.must(&["status"])?;
    let count = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64);
    for pointer in [
        "/commands/waiting",
        "/commands/rejected",
        "/blocks/sealed",
        "/blocks/quarantined",
        "/blocks/refused",
        "/captures/unsealed_samples",
        "/captures/damaged_samples",
        "/photos/waiting",
        "/photos/refused",
    ] {
        require(count(pointer) == Some(0), || format!("{pointer} is not 0 on a phone: {status}"))?;
    }
    Ok(())
}

fn check_order(lead: &Desk, assigned: &Assigned, samples: u64, report: &mut KillLoopReport) -> Result<()> {
    let order = assigned.order;
    let seen = lead.work_order_show(order).map_err(desk)?;
    require(seen.state == "submitted", || format!("order {order} is {}", seen.state))?;
    let tests = lead.field_test_list(order).map_err(desk)?;
    require(tests.len() == 1, || format!("order {order} has {} tests", tests.len()))?;
    let test = lead.field_test_show(tests[0].id).map_err(desk)?;
    require(test.standing == "accepted" && test.missing_blocks.is_empty(), || format!("test {test:?}"))?;
    let mut measured: BTreeMap<&str, u64> = BTreeMap::new();
    for block in &test.blocks {
        require(block.standing == "accepted", || format!("block {block:?}"))?;
        *measured.entry(block.operator.as_str()).or_default() += block.sample_count;
    }
    for operator in Operator::REQUIRED {
        let found = measured.get(operator.as_str()).copied().unwrap_or(0);
        require(found == samples, || format!("order {order}: {found} samples of {operator}, captured were {samples}"))?;
        report.samples += found;
    }
    // A photo step that was killed after it was safe may have been done twice; the test cites what the phone has.
    require(!test.photos.is_empty() && test.photos.iter().all(|photo| photo.state == "stored"), || {
        format!("photos of order {order}: {:?}", test.photos)
    })?;
    report.photos += test.photos.len() as u64;
    let mut actions: BTreeMap<String, u32> = BTreeMap::new();
    for event in lead.work_order_timeline(order).map_err(desk)? {
        *actions.entry(event.action).or_default() += 1;
    }
    for action in ["accept", "arrive", "test_begin", "test_submit"] {
        require(actions.get(action) == Some(&1), || format!("order {order}: {action} not once: {actions:?}"))?;
    }
    report.orders += 1;
    Ok(())
}

/// R-AUDIT-1: the chains hold, on the database as it lies there.
fn check_trail(data: &Path, url: Option<String>) -> Result<u64> {
    let config = match url {
        Some(url) => StorageConfig::Postgres { url, pool_size: 1 },
        None => StorageConfig::Sqlite { path: data.join("callout.db") },
    };
    let storage = Storage::open(&config).map_err(failed)?;
    let found = storage.read("kill_loop", |tx| tx.event_verify_all()).map_err(failed)?;
    require(found.problems.is_empty(), || format!("the audit trail: {:?}", found.problems.first()))?;
    Ok(found.events)
}
