//! A simulated world and its steps: servers on one storage, phones, desks that work through the API.
//!
//! What does not belong here: what must hold (`checks`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::{Dice, SeededEntropy, VirtualClock};
use super::network::{REFRESH_PATH, Record, ServerEnds, deliver};
use super::operations::Operation;
use super::phones::{PLACE, Tester};
use super::server::{Server, runtime};
use super::{Database, Setting};
use crate::medium::{Medium, Survival};
use crate::postgres;
use callout_mobile_sdk::engine::HttpResponse;
use callout_mobile_sdk::store::StoreKey;
use callout_server::env::Env;
use callout_storage::work_orders::{WorkOrder, WorkOrderFilter};
use callout_storage::{Page, RegionScope, Storage, StorageConfig, StorageError};
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

pub(super) const PASSWORD: &str = "correct horse battery";
/// A tester has so many orders at most; then no new ones come in for this one.
const ORDERS_OF_TESTER: usize = 12;

/// A desk's user with the tokens of the moment.
#[derive(Debug)]
struct Desk {
    name: &'static str,
    password: String,
    device: Uuid,
    access_token: String,
    refresh_token: String,
    good_until: Timestamp,
}

/// How often what failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Power of phones.
    pub phone_power: u64,
    /// Acts of phones that found no room.
    pub phone_full: u64,
    /// Processes of servers, in the middle of a request.
    pub servers_killed: u64,
    /// Power of the servers' machine, in the middle of a request.
    pub server_power: u64,
}

impl Failures {
    /// Counts another world's, too.
    pub fn add(&mut self, other: Self) {
        self.phone_power += other.phone_power;
        self.phone_full += other.phone_full;
        self.servers_killed += other.servers_killed;
        self.server_power += other.server_power;
    }
}

/// See the module.
pub struct House {
    /// Server processes.
    pub servers: Vec<Server>,
    /// Testers with their phones.
    pub testers: Vec<Tester>,
    /// All orders ever made, the newest last.
    pub orders: Vec<WorkOrderId>,
    /// What was seen on the wire.
    pub record: Record,
    /// The database, for what no API shows; absent only while the servers' machine is off.
    pub(super) storage: Option<Storage>,
    pub(super) sqlite: Option<StorageConfig>,
    pub(super) ends: ServerEnds,
    /// The one clock.
    pub clock: VirtualClock,
    /// Samples given out so far.
    pub samples: u64,
    /// Reviews that the desks made.
    pub reviews: u64,
    /// Copies of orders on phones that were spoiled.
    pub spoiled: u64,
    /// What failed so far.
    pub failures: Failures,
    desks: Vec<Desk>,
    runtime: Rc<actix_web::rt::Runtime>,
    env: Env,
    region: String,
    folder: TempDir,
}

impl Desk {
    fn take(&mut self, tokens: &Value) {
        let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
        self.access_token = text("access_token");
        self.refresh_token = text("refresh_token");
        self.good_until = text("access_expires_at").parse().unwrap();
    }
}

fn read(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

impl House {
    /// A world with its people and a first sync of every phone; `None` where its database is not installed.
    pub fn new(seed: u64, setting: &Setting) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("server");
        std::fs::create_dir(&machine).unwrap();
        let mut ends = ServerEnds::default();
        let (storage, sqlite) = match setting.database {
            Database::Sqlite => {
                ends.medium = Medium::over(&machine);
                let config = StorageConfig::Sqlite { path: machine.join("callout.db") };
                let storage = Storage::open(&config).unwrap();
                storage.migrate().unwrap();
                (storage, Some(config))
            }
            Database::Postgres => (postgres::fresh_storage("simulation").unwrap()?, None),
        };
        // Ten in the morning in China.
        let clock = VirtualClock::new("2026-11-23T02:00:00Z".parse().unwrap());
        let env = Env::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(seed)));
        let mut house = Self {
            servers: Vec::new(),
            testers: Vec::new(),
            orders: Vec::new(),
            record: Record::default(),
            storage: Some(storage),
            sqlite,
            ends,
            clock,
            samples: 0,
            reviews: 0,
            spoiled: 0,
            failures: Failures::default(),
            desks: Vec::new(),
            runtime: Rc::new(runtime()),
            env,
            region: String::new(),
            folder,
        };
        house.servers = (0..setting.servers).map(|_| house.server_start()).collect();
        house.people(setting.phones, seed);
        Some(house)
    }

    fn photo_folder(&self) -> PathBuf {
        self.folder.path().join("server").join("photos")
    }

    /// The database, for what no API shows.
    pub fn storage(&self) -> &Storage {
        self.storage.as_ref().expect("the servers' machine is on")
    }

    pub(super) fn server_start(&self) -> Server {
        Server::start(&self.runtime, self.storage().clone(), &self.photo_folder(), self.env.clone())
    }

    /// When servers end.
    pub fn ends_mut(&mut self) -> &mut ServerEnds {
        &mut self.ends
    }

    fn people(&mut self, phones: u8, seed: u64) {
        let (name, password) = self.servers[0].app().user_first().unwrap().unwrap();
        assert_eq!(name, "admin");
        self.desk_sign_in("admin", &password);
        let ring = json!([[103.0, 37.0], [104.0, 37.0], [104.0, 38.0], [103.0, 38.0], [103.0, 37.0]]);
        let region = self.desk_must(
            "admin",
            "/v1/regions",
            &json!({
                "type": "Feature",
                "geometry": { "type": "Polygon", "coordinates": [ring] },
                "properties": { "name": "东区 East", "utc_offset_minutes": 480 },
            }),
        )["id"]
            .clone();
        self.region = region.as_str().unwrap().to_owned();
        for (name, role) in [("agent", "customer_service_agent"), ("t1", "t1_dispatcher"), ("lead", "regional_lead")] {
            self.user_create(name, role);
            self.desk_sign_in(name, PASSWORD);
        }
        for number in 0..phones {
            let tester = self.tester_add(seed ^ (u64::from(number) + 1) << 32, number % 2 == 1);
            self.testers[tester].switch_on().unwrap();
            assert!(self.tester_sign_in(tester).unwrap(), "nothing has failed yet");
        }
    }

    fn user_create(&mut self, name: &str, role: &str) -> UserId {
        let user = json!({
            "user_name": name, "display_name": name, "password": PASSWORD, "roles": [role],
            "all_regions": false, "region_ids": [&self.region],
        });
        self.desk_must("admin", "/v1/users", &user)["id"].as_str().unwrap().parse().unwrap()
    }

    /// Another tester, with a phone that is not on yet; says which.
    pub fn tester_add(&mut self, seed: u64, is_sealed: bool) -> usize {
        let number = self.testers.len();
        let name = format!("tester-{number}");
        let user = self.user_create(&name, "field_tester");
        let mut key = [0; 32];
        Dice::new(seed).fill(&mut key);
        let key = is_sealed.then(|| StoreKey::from_bytes(key));
        self.testers.push(Tester::new(&self.folder.path().join(&name), user, &self.clock, seed, key));
        number
    }

    fn desk_sign_in(&mut self, name: &'static str, password: &str) {
        let device = Uuid::from_u128(self.desks.len() as u128 + 1);
        self.desks.retain(|desk| desk.name != name);
        let body = json!({
            "user_name": name, "password": password,
            "device": { "id": device, "name": "desk", "platform": "desk" },
        });
        let response = self.send("/v1/sign-in", None, &body);
        assert_eq!(response.status, 200, "{name} could not sign in: {}", read(&response));
        let tokens = read(&response);
        let mut desk = Desk {
            name,
            password: password.to_owned(),
            device,
            access_token: String::new(),
            refresh_token: String::new(),
            good_until: self.clock.time(),
        };
        desk.take(&tokens);
        self.desks.push(desk);
    }

    fn send(&mut self, path: &str, token: Option<&str>, body: &Value) -> HttpResponse {
        let body = body.to_string().into_bytes();
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let response = self.servers[0].call("POST", path, &headers, &body);
        self.record.note("POST", path, &body, &response);
        response
    }

    /// A desk does something; what the rules refuse is refused.
    fn desk(&mut self, name: &str, path: &str, body: &Value) -> HttpResponse {
        let index = self.desks.iter().position(|desk| desk.name == name).unwrap();
        if self.desks[index].good_until <= self.clock.time().plus_seconds(30) {
            let renewal =
                json!({ "refresh_token": self.desks[index].refresh_token, "device_id": self.desks[index].device });
            let response = self.send(REFRESH_PATH, None, &renewal);
            if response.status == 200 {
                self.desks[index].take(&read(&response));
            } else {
                let (name, password) = (self.desks[index].name, self.desks[index].password.clone());
                self.desk_sign_in(name, &password);
            }
        }
        let token = self.desks.iter().find(|desk| desk.name == name).unwrap().access_token.clone();
        self.send(path, Some(&token), body)
    }

    fn desk_must(&mut self, name: &str, path: &str, body: &Value) -> Value {
        let response = self.desk(name, path, body);
        assert!(response.is_success(), "{name} {path}: {} {}", response.status, read(&response));
        read(&response)
    }

    /// The orders that the server holds to be a tester's.
    pub fn scope(&self, tester: UserId) -> Vec<WorkOrder> {
        let filter = WorkOrderFilter { assigned_to: Some(tester), ..WorkOrderFilter::of(RegionScope::All) };
        let page = Page::first(500);
        let list = self.storage().read("simulation", |tx| tx.work_order_list(&filter, &page));
        let list: Result<Vec<_>, StorageError> = list;
        list.unwrap().into_iter().map(|(order, _)| order).collect()
    }

    /// One of the newest orders.
    fn order(&self, number: u16) -> Option<WorkOrderId> {
        let recent = self.orders.len().min(ORDERS_OF_TESTER * self.testers.len());
        (recent > 0).then(|| self.orders[self.orders.len() - 1 - usize::from(number) % recent])
    }

    /// A complaint comes in and becomes an order of a tester, unless that one has enough.
    pub fn order_make(&mut self, tester: usize) {
        let user = self.testers[tester].user;
        if self.scope(user).iter().filter(|order| order.state.is_in_field()).count() >= ORDERS_OF_TESTER {
            return;
        }
        let complaint = json!({
            "reference": format!("REF-{}", self.orders.len()),
            "channel": "phone",
            "customer": { "name": "测试·王澄", "phone": format!("169{:08}", self.orders.len()) },
            "description": "在家打电话经常断 calls drop at home",
            "symptom": "call_drop",
        });
        let complaint = self.desk_must("agent", "/v1/complaints", &complaint);
        let path = format!("/v1/complaints/{}/classify", complaint["id"].as_str().unwrap());
        let complaint = self.desk_must("t1", &path, &json!({ "class": "network" }));
        let order = complaint["work_order_id"].as_str().unwrap().to_owned();
        let place = json!({
            "address": "港湾一路12号",
            "position": { "latitude": PLACE.latitude(), "longitude": PLACE.longitude() },
        });
        self.desk_must("t1", &format!("/v1/work-orders/{order}/locate"), &place);
        self.desk_must("t1", &format!("/v1/work-orders/{order}/dispatch"), &json!({ "tester_id": user }));
        self.orders.push(order.parse().unwrap());
    }

    fn order_command(&mut self, desk: &str, order: u16, command: &str, body: &Value) {
        if let Some(order) = self.order(order) {
            self.desk(desk, &format!("/v1/work-orders/{order}/{command}"), body);
        }
    }

    fn review(&mut self, order: u16, body: &Value) {
        let submitted = |order: &WorkOrder| order.state == WorkOrderState::Submitted;
        let mut waiting: Vec<_> =
            self.testers.iter().flat_map(|tester| self.scope(tester.user)).filter(submitted).collect();
        if waiting.is_empty() {
            return;
        }
        let chosen = waiting.swap_remove(usize::from(order) % waiting.len());
        if let Some(test) = chosen.field_test_id {
            let response = self.desk("lead", &format!("/v1/field-tests/{test}/review"), body);
            self.reviews += u64::from(response.is_success());
        }
    }

    /// Carries out one operation.
    pub fn step(&mut self, operation: &Operation) -> Result<(), String> {
        self.clock.advance_seconds(5);
        let phone = |number: u8| usize::from(number) % self.testers.len();
        match operation {
            Operation::OrderMake { tester } => self.order_make(phone(*tester)),
            Operation::Dispatch { order, tester } => {
                let user = self.testers[phone(*tester)].user;
                self.order_command("t1", *order, "dispatch", &json!({ "tester_id": user }));
            }
            Operation::Reassign { order, tester } => {
                let user = self.testers[phone(*tester)].user;
                let body = json!({ "tester_id": user, "reason": "nearer" });
                self.order_command("t1", *order, "reassign", &body);
            }
            Operation::Withdraw { order } => {
                self.order_command("agent", *order, "withdraw", &json!({ "reason": "the customer moved" }));
            }
            Operation::SendBack { order } => {
                self.review(*order, &json!({ "decision": "send_back", "reasons": ["test the bedroom too"] }));
            }
            Operation::Approve { order } => {
                let plan = json!({
                    "decision": "approve", "quick_relief": "Wi-Fi calling", "cure": "tilt the antenna", "kind": "optimise",
                });
                self.review(*order, &plan);
            }
            Operation::Act { phone: number, order, act } => {
                let tester = phone(*number);
                let result = self.testers[tester].act(*order, *act, &mut self.samples);
                self.settle(tester, &format!("{act:?}"), result)?;
            }
            Operation::Stream { phone: number, samples } => {
                let tester = phone(*number);
                let result = self.testers[tester].stream(*samples, &mut self.samples);
                self.settle(tester, "a capture", result)?;
            }
            Operation::Flush { phone: number, close } => {
                let tester = phone(*number);
                let result = self.testers[tester].flush(*close);
                self.settle(tester, "a flush", result)?;
            }
            Operation::Sync { phone: number, server, patience, faults } => {
                return self.sync(phone(*number), *server, *patience, faults).map(drop);
            }
            Operation::Replay { phone: number, server, back } => self.replay(phone(*number), *server, *back),
            Operation::OrderSpoil { phone: number, order } => {
                let tester = phone(*number);
                let result = self.testers[tester].order_spoil(*order);
                // One that failed may have happened all the same, if the power failed with it.
                self.spoiled += u64::from(!matches!(result, Ok(false)));
                self.settle(tester, "a fault", result.map(drop))?;
            }
            Operation::Partition { phone: number, is_lost } => {
                let tester = phone(*number);
                self.testers[tester].is_parted = *is_lost;
            }
            Operation::PhoneKill { phone: number } => {
                let tester = phone(*number);
                self.testers[tester].kill()?;
            }
            Operation::PowerCut { phone: number, steps, chance } => {
                let tester = phone(*number);
                self.testers[tester].survive(Survival::of((*chance).into()));
                if let Some(medium) = self.testers[tester].medium() {
                    medium.cut_after((*steps).into());
                }
            }
            Operation::DiskFull { phone: number, steps } => {
                if let Some(medium) = self.testers[phone(*number)].medium() {
                    medium.fill_after((*steps).into());
                }
            }
            Operation::DiskRoom { phone: number } => {
                if let Some(medium) = self.testers[phone(*number)].medium() {
                    medium.make_room();
                }
            }
            Operation::ServerRestart { server } => {
                let server = usize::from(*server) % self.servers.len();
                self.servers[server] = self.server_start();
            }
            Operation::ClockSet { phone: number, ahead_hours } => {
                let tester = phone(*number);
                self.testers[tester].env.set_ahead(i64::from(*ahead_hours) * 3_600);
            }
            Operation::Advance { minutes } => self.clock.advance_seconds(i64::from(*minutes) * 60),
            Operation::Compact { hours } => {
                let before = self.clock.time().plus_seconds(-i64::from(*hours) * 3_600);
                let done = self.storage().write("simulation", |tx| tx.feed_compact(before));
                let done: Result<usize, StorageError> = done;
                done.unwrap();
            }
            Operation::FeedRestart => {
                let epoch = u64::try_from(self.clock.time().unix_millis()).unwrap();
                let done = self.storage().write("simulation", |tx| tx.feed_epoch_set(epoch));
                let done: Result<(), StorageError> = done;
                done.unwrap();
            }
        }
        Ok(())
    }

    /// A request that was sent before arrives, and nobody hears the answer. Of renewals of tokens only the latest comes again: an
    /// older one is, by the rules, a theft (RFC 9700 §4.14.2).
    fn replay(&mut self, tester: usize, server: u8, back: u8) {
        let server = usize::from(server) % self.servers.len();
        let history = &self.testers[tester].history;
        if history.is_empty() {
            return;
        }
        let index = history.len() - 1 - usize::from(back) % history.len();
        let request = &history[index];
        let is_renewal = request.path == REFRESH_PATH;
        let latest = history.iter().rposition(|request| request.path == REFRESH_PATH);
        if is_renewal && latest != Some(index) {
            return;
        }
        deliver(&self.servers[server], &mut self.ends, &mut self.record, request, request.body.len());
    }
}
