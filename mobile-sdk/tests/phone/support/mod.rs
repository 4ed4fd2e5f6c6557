//! What the tests share: a clock, orders, samples, photos, a phone in a temporary folder.

pub mod server;

use callout_mobile_sdk::facade::{Phone, PhoneConfig};
use callout_mobile_sdk::{Env, Source, StoreKey};
use callout_sync_protocol::commands::{AffectedService, ContactOutcome, Findings, MissingOperator};
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{Cell, Position, Sample, Technology};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{
    CustomerContact, NetworkGeneration, Symptom, TimeWindow, Urgency, WorkOrderState, WorkOrderView,
};
use server::Server;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// 2026-11-23T02:00:00Z: ten in the morning at the site, nobody's hour of rest.
pub const MORNING: i64 = 1_795_399_200;
pub const CUSTOMER_PHONE: &str = "13912345678";

/// What the keystore of a phone with a sealed store hands in, as hex digits.
pub const STORE_KEY: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";

/// This is the run of all tests with a sealed store.
pub fn is_sealed() -> bool {
    module_path!().contains("::sealed::")
}

pub fn store_key() -> Option<StoreKey> {
    is_sealed().then(|| STORE_KEY.parse().unwrap())
}

pub fn config() -> PhoneConfig {
    PhoneConfig { store_key: store_key(), ..PhoneConfig::default() }
}

/// What a photo's file is called in this run's store.
pub fn photo_file(id: PhotoId) -> String {
    if is_sealed() { format!("{id}.png.sealed") } else { format!("{id}.png") }
}

/// A clock that moves when somebody sleeps, and chance from a seed.
#[derive(Debug)]
pub struct TestEnv {
    now_micros: AtomicI64,
    random: AtomicU64,
    pub sleeps: Mutex<Vec<i64>>,
}

impl TestEnv {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            now_micros: AtomicI64::new(MORNING * 1_000_000),
            random: AtomicU64::new(7),
            sleeps: Mutex::default(),
        })
    }

    pub fn advance_ms(&self, millis: i64) {
        self.now_micros.fetch_add(millis * 1_000, Ordering::SeqCst);
    }
}

impl Env for TestEnv {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.now_micros.load(Ordering::SeqCst)).unwrap()
    }

    fn random_fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // SplitMix64.
            let mut z = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (z ^ z >> 31) as u8;
        }
    }

    fn sleep_until(&self, until: Timestamp) {
        self.sleeps.lock().unwrap().push(until.micros_since(self.now()) / 1_000);
        self.now_micros.fetch_max(until.unix_micros(), Ordering::SeqCst);
    }
}

pub fn order_id(number: u8) -> WorkOrderId {
    WorkOrderId::from_bytes([number; 16])
}

pub fn order_view(number: u8) -> WorkOrderView {
    WorkOrderView {
        id: order_id(number),
        version: 1,
        number: format!("WO-20261123-{number:05}"),
        state: WorkOrderState::Dispatched,
        urgency: Urgency::Normal,
        symptom: Symptom::WeakSignal,
        generation: Some(NetworkGeneration::Lte),
        description: "no bars in the kitchen".to_owned(),
        address: "12 Lakeside Road".to_owned(),
        position: Some(position()),
        customer: CustomerContact { name: "Made-up Customer".to_owned(), phone: CUSTOMER_PHONE.to_owned() },
        appointment: None,
        due_at: None,
        field_test_id: None,
        return_reasons: vec![],
        photo_consent: None,
        utc_offset_minutes: 480,
        rest_hours: None,
        contact_words: None,
        evidence_template: None,
    }
}

pub fn position() -> Position {
    Position { latitude_e6: 30_540_000, longitude_e6: 114_310_000, accuracy_m: Some(8), is_mock: false }
}

/// The `index`th sample of a walk: each differs from all others.
pub fn sample(index: u64) -> Sample {
    Sample {
        captured_at_ms: MORNING * 1_000 + index as i64 * 100,
        technology: Technology::Lte,
        level_dbm: Some(-90 - (index % 30) as i16),
        quality_half_db: Some(-20),
        sinr_half_db: Some((index % 40) as i16),
        cell: Cell { cell_identity: Some(1_000 + index / 50), physical_cell_id: Some(17), ..Cell::default() },
        position: Some(Position { latitude_e6: 30_540_000 + index as i32, ..position() }),
        rtt_tenth_ms: Some(400 + (index % 100) as u32),
        downlink_kbps: None,
        uplink_kbps: None,
    }
}

pub fn findings() -> Findings {
    Findings {
        problem: "weak coverage indoors".to_owned(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "evenings".to_owned(),
        address: "12 Lakeside Road".to_owned(),
        position: Some(position()),
        competitor_coverage: String::new(),
        serving_sites: vec![],
        planned_sites: vec![],
        shareable_resources: vec![],
        pressing_need: String::new(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

pub fn missing(operators: &[Operator]) -> Vec<MissingOperator> {
    operators.iter().map(|&operator| MissingOperator { operator, reason: "no SIM card".to_owned() }).collect()
}

/// A photo of about `bytes` bytes that is a photo: a PNG with noise, which does not compress.
pub fn png(bytes: usize) -> Vec<u8> {
    let side = ((bytes as f64 / 3.0).sqrt() as u32).max(1);
    let mut state = 1u32;
    let noise = image::RgbImage::from_fn(side, side, |_, _| {
        image::Rgb([(); 3].map(|()| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    let mut file = std::io::Cursor::new(Vec::new());
    noise.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A folder for a phone; in memory where there is such a place, for these tests wait for the medium at every commit.
pub fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// A tester's phone, its clock and its server.
pub struct World {
    pub folder: TempDir,
    pub env: Arc<TestEnv>,
    pub server: Server,
    pub phone: Phone,
}

impl World {
    /// Signed in, with the given orders on the server and nothing synced.
    pub fn new(orders: &[u8]) -> Self {
        let folder = folder();
        let env = TestEnv::new();
        let mut server = Server::new(env.clone());
        for &number in orders {
            server.order_put(order_view(number));
        }
        let mut phone = open(folder.path(), &env);
        phone.sign_in(&mut server, "tester", "correct horse").unwrap();
        Self { folder, env, server, phone }
    }

    /// As [`World::new`], and synced.
    pub fn synced(orders: &[u8]) -> Self {
        let mut world = Self::new(orders);
        world.sync();
        world
    }

    pub fn sync(&mut self) -> callout_mobile_sdk::engine::SyncSummary {
        self.phone.sync(&mut self.server, 10, &mut |_| {}).unwrap()
    }

    /// The process dies and starts again: whatever was only in memory is gone.
    pub fn restart(&mut self) {
        self.phone = open(self.folder.path(), &self.env);
    }

    /// Accepts, contacts, arrives.
    pub fn go_on_site(&mut self, number: u8) {
        let order = order_id(number);
        self.phone.accept(order).unwrap();
        let from = self.env.now().plus_seconds(3_600);
        let window = TimeWindow { from, until: from.plus_seconds(3_600) };
        self.phone.contact(order, ContactOutcome::Reached, Some(window), None, None).unwrap();
        self.phone.arrive(order, position()).unwrap();
    }

    /// Captures the samples of `range` from a source that is live.
    pub fn capture(&mut self, number: u8, operator: Operator, range: std::ops::Range<u64>) {
        let mut session = self.phone.capture_begin(order_id(number), operator, &Source::Live).unwrap();
        for index in range {
            self.phone.capture_push(&mut session, &sample(index)).unwrap();
        }
        self.phone.capture_flush(&mut session).unwrap();
    }
}

pub fn open(folder: &Path, env: &Arc<TestEnv>) -> Phone {
    Phone::open(folder, config(), env.clone()).unwrap()
}
