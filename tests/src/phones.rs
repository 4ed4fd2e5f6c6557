//! Phones of a world: the SDK's facade with the world's clock and the real network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use crate::clock::{TestClock, TestPhoneEnv};
use callout_mobile_sdk::capture::Source;
use callout_mobile_sdk::engine::{HttpRequest, HttpResponse, SyncSummary};
use callout_mobile_sdk::facade::{Phone, PhoneConfig, PhoneError, PhotoRequest};
use callout_mobile_sdk::synthetic::{
    Coverage, OperatorProfile, PhotoOptions, SyntheticWalk, WalkOptions, photo_create,
};
use callout_mobile_sdk::transport::http_client::{HttpClient, ServerUrl};
use callout_mobile_sdk::transport::{Traffic, Transport, TransportError};
use callout_sync_protocol::commands::{AffectedService, ContactOutcome, Findings};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::samples::{Position, Sample};
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow};
use std::path::Path;
use std::sync::Arc;

/// What the network does to the next messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Messages pass.
    Fair,
    /// Requests do not arrive.
    RequestsLost,
    /// Requests arrive, their answers do not.
    AnswersLost,
}

/// The real network with weather.
#[derive(Debug)]
pub struct Network {
    client: HttpClient,
    /// What happens to messages from now on.
    pub weather: Weather,
    /// The paths of the requests that were sent.
    pub sent: Vec<String>,
}

impl Network {
    /// To a server's base URL.
    pub fn new(base: &str) -> Self {
        let client = HttpClient::new(ServerUrl::parse(base, false).unwrap());
        Self { client, weather: Weather::Fair, sent: Vec::new() }
    }
}

impl Transport for Network {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        self.sent.push(request.path.clone());
        if self.weather == Weather::RequestsLost {
            return Err(TransportError("the request was lost".to_owned()));
        }
        let response = self.client.send(request)?;
        if self.weather == Weather::AnswersLost {
            return Err(TransportError("the answer was lost".to_owned()));
        }
        Ok(response)
    }

    fn traffic(&self) -> Traffic {
        self.client.traffic()
    }
}

/// A tester with a phone.
#[derive(Debug)]
pub struct Tester {
    /// The phone.
    pub phone: Phone,
    /// Its network.
    pub network: Network,
    clock: TestClock,
}

/// Where the tests' complaints are: inside the world's first region.
pub const PLACE: Position =
    Position { latitude_e6: 37_300_000, longitude_e6: 103_520_000, accuracy_m: Some(5), is_mock: false };

/// Findings that have everything.
pub fn findings(problem: &str) -> Findings {
    Findings {
        problem: problem.to_owned(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "evenings".to_owned(),
        address: "港湾一路12号".to_owned(),
        position: Some(PLACE),
        competitor_coverage: String::new(),
        serving_sites: vec!["eNB 410200".to_owned()],
        planned_sites: Vec::new(),
        shareable_resources: Vec::new(),
        pressing_need: "calls that hold".to_owned(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

impl Tester {
    /// A phone in `folder`, signed in.
    pub fn new(folder: &Path, clock: &TestClock, base: &str, user_name: &str, password: &str) -> Self {
        let mut tester = Self::unsigned(folder, clock, base);
        tester.phone.sign_in(&mut tester.network, user_name, password).unwrap();
        tester
    }

    /// A phone in `folder`, as it comes out of its box.
    pub fn unsigned(folder: &Path, clock: &TestClock, base: &str) -> Self {
        let env = Arc::new(TestPhoneEnv { clock: clock.clone(), ahead_ms: 0 });
        let phone = Phone::open(folder, PhoneConfig::default(), env).unwrap();
        Self { phone, network: Network::new(base), clock: clock.clone() }
    }

    /// One sync, without patience.
    pub fn try_sync(&mut self) -> Result<SyncSummary, PhoneError> {
        self.phone.sync(&mut self.network, 0, &mut |_| ())
    }

    /// One sync that works.
    pub fn sync(&mut self) -> SyncSummary {
        self.try_sync().unwrap()
    }

    /// Takes the order, agrees on a visit, arrives.
    pub fn visit(&mut self, order: WorkOrderId) {
        let now = self.clock.time();
        let window = TimeWindow { from: now.plus_seconds(600), until: now.plus_seconds(4_200) };
        self.phone.accept(order).unwrap();
        self.phone.contact(order, ContactOutcome::Reached, Some(window), None, None).unwrap();
        self.phone.arrive(order, PLACE).unwrap();
        self.phone.photo_consent(order, true).unwrap();
    }

    /// Captures synthetic samples.
    pub fn capture(&mut self, order: WorkOrderId, operator: Operator, seed: u64, count: u64) {
        let samples = walk(seed, operator, count, &self.clock);
        let mut session = self.phone.capture_begin(order, operator, &Source::Live).unwrap();
        for sample in &samples {
            self.phone.capture_push(&mut session, sample).unwrap();
        }
        self.phone.capture_flush(&mut session).unwrap();
    }

    /// Adds a synthetic photo.
    pub fn photo(&mut self, order: WorkOrderId, seed: u64) {
        let bytes = photo(seed, 20_000, &self.clock);
        self.phone.photo_add_bytes(order, &bytes, PhotoRequest::new(PhotoPurpose::Surroundings)).unwrap();
    }

    /// Visits, captures three operators, takes a photo, writes findings, hands the test in: all of it on the phone alone.
    pub fn work(&mut self, order: WorkOrderId, samples_per_operator: u64) {
        self.visit(order);
        for (seed, operator) in (1..).zip(Operator::REQUIRED) {
            self.capture(order, operator, seed, samples_per_operator);
        }
        self.photo(order, 1);
        self.phone.findings_record(order, findings("weak indoors")).unwrap();
        self.phone.submit(order, Vec::new()).unwrap();
    }
}

/// Synthetic samples of one operator.
pub fn walk(seed: u64, operator: Operator, count: u64, clock: &TestClock) -> Vec<Sample> {
    let options = WalkOptions {
        seed,
        started_at: clock.time().plus_seconds(-1_800),
        centre: PLACE,
        profile: OperatorProfile::new(operator, Coverage::Good),
        sample_count: count,
        utc_offset_minutes: 480,
        dirty: false,
    };
    SyntheticWalk::new(options).samples().collect()
}

/// A synthetic photo of about so many bytes.
pub fn photo(seed: u64, bytes: usize, clock: &TestClock) -> Vec<u8> {
    let side = if bytes < 50_000 { (320, 240) } else { (1280, 960) };
    photo_create(&PhotoOptions {
        width: side.0,
        height: side.1,
        target_bytes: bytes,
        ..PhotoOptions::new(seed, clock.time(), PLACE)
    })
    .unwrap()
}
