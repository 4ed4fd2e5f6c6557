//! A simulated world and its steps: servers on one storage, phones, desks that work through the API.
//!
//! What does not belong here: what must hold (`checks`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::{SeededEntropy, VirtualClock};
use super::network::{REFRESH_PATH, Record, Wire, deliver};
use super::operations::{Fault, Operation};
use super::phones::{PLACE, Tester};
use super::server::Server;
use super::{Database, Setting};
use crate::postgres;
use callout_mobile_sdk::engine::HttpResponse;
use callout_mobile_sdk::facade::PhoneError;
use callout_server::env::Env;
use callout_storage::work_orders::{WorkOrder, WorkOrderFilter};
use callout_storage::{Page, RegionScope, Storage, StorageConfig, StorageError};
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";
/// A tester has so many orders at most; then no new ones come in for this one.
const ORDERS_OF_TESTER: usize = 12;
/// Pages are so short that most syncs after a pause need several.
const CHANGES_A_PAGE: u32 = 3;
/// Refresh tokens are good for 30 days; a phone that stayed away for nearly so long may have to sign in again.
const AWAY_SECONDS: i64 = 29 * 24 * 3_600;

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
    /// The database, for what no API shows.
    pub storage: Storage,
    /// The one clock.
    pub clock: VirtualClock,
    /// Samples given out so far.
    pub samples: u64,
    /// Reviews that the desks made.
    pub reviews: u64,
    /// Copies of orders on phones that were spoiled.
    pub spoiled: u64,
    desks: Vec<Desk>,
    runtime: Rc<actix_web::rt::Runtime>,
    env: Env,
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
        let storage = match setting.database {
            Database::Sqlite => {
                let storage = Storage::open(&StorageConfig::Sqlite { path: folder.path().join("callout.db") }).unwrap();
                storage.migrate().unwrap();
                storage
            }
            Database::Postgres => postgres::fresh_storage("simulation").unwrap()?,
        };
        // Ten in the morning in China.
        let clock = VirtualClock::new("2026-11-23T02:00:00Z".parse().unwrap());
        let env = Env::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(seed)));
        let mut house = Self {
            servers: Vec::new(),
            testers: Vec::new(),
            orders: Vec::new(),
            record: Record::default(),
            storage,
            clock,
            samples: 0,
            reviews: 0,
            spoiled: 0,
            desks: Vec::new(),
            runtime: Rc::new(actix_web::rt::Runtime::new().unwrap()),
            env,
            folder,
        };
        house.servers = (0..setting.servers).map(|_| house.server_start()).collect();
        house.people(setting.phones, seed);
        Some(house)
    }

    fn photo_folder(&self) -> PathBuf {
        self.folder.path().join("photos")
    }

    fn server_start(&self) -> Server {
        Server::start(&self.runtime, self.storage.clone(), &self.photo_folder(), self.env.clone())
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
        let user_create = |house: &mut Self, name: &str, role: &str| {
            house.desk_must(
                "admin",
                "/v1/users",
                &json!({
                    "user_name": name, "display_name": name, "password": PASSWORD, "roles": [role],
                    "all_regions": false, "region_ids": [&region],
                }),
            )
        };
        for (name, role) in [("agent", "customer_service_agent"), ("t1", "t1_dispatcher"), ("lead", "regional_lead")] {
            user_create(self, name, role);
            self.desk_sign_in(name, PASSWORD);
        }
        for number in 0..phones {
            let name = format!("tester-{number}");
            let user = user_create(self, &name, "field_tester");
            let user: UserId = user["id"].as_str().unwrap().parse().unwrap();
            let folder = self.folder.path().join(&name);
            let mut tester = Tester::new(&folder, user, &self.clock, seed ^ (u64::from(number) + 1) << 32);
            let mut wire = Wire {
                server: &self.servers[0],
                clock: &self.clock,
                history: &mut tester.history,
                record: &mut self.record,
                changes_a_page: CHANGES_A_PAGE,
                is_parted: false,
                faults: VecDeque::new(),
            };
            tester.phone.sign_in(&mut wire, &name, PASSWORD).unwrap();
            // A person signs in once; only what the phone sends by itself comes again.
            tester.history.clear();
            self.testers.push(tester);
        }
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
        let list = self.storage.read("simulation", |tx| tx.work_order_list(&filter, &page));
        let list: Result<Vec<_>, StorageError> = list;
        list.unwrap().into_iter().map(|(order, _)| order).collect()
    }

    /// One of the newest orders.
    fn order(&self, number: u16) -> Option<WorkOrderId> {
        let recent = self.orders.len().min(ORDERS_OF_TESTER * self.testers.len());
        (recent > 0).then(|| self.orders[self.orders.len() - 1 - usize::from(number) % recent])
    }

    fn order_make(&mut self, tester: usize) {
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
                return result.map_err(|error| format!("phone {tester}: {act:?} failed: {error:?}"));
            }
            Operation::Stream { phone: number, samples } => {
                let tester = phone(*number);
                let result = self.testers[tester].stream(*samples, &mut self.samples);
                return result.map_err(|error| format!("phone {tester}: a capture failed: {error:?}"));
            }
            Operation::Flush { phone: number, close } => {
                let tester = phone(*number);
                let result = self.testers[tester].flush(*close);
                return result.map_err(|error| format!("phone {tester}: a flush failed: {error:?}"));
            }
            Operation::Sync { phone: number, server, patience, faults } => {
                return self.sync(phone(*number), *server, *patience, faults).map(drop);
            }
            Operation::Replay { phone: number, server, back } => self.replay(phone(*number), *server, *back),
            Operation::OrderSpoil { phone: number, order } => {
                let tester = phone(*number);
                self.spoiled += u64::from(self.testers[tester].order_spoil(*order));
            }
            Operation::Partition { phone: number, is_lost } => {
                let tester = phone(*number);
                self.testers[tester].is_parted = *is_lost;
            }
            Operation::PhoneKill { phone: number } => {
                let tester = phone(*number);
                self.testers[tester].kill();
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
                let done = self.storage.write("simulation", |tx| tx.feed_compact(before));
                let done: Result<usize, StorageError> = done;
                done.unwrap();
            }
            Operation::FeedRestart => {
                let epoch = u64::try_from(self.clock.time().unix_millis()).unwrap();
                let done = self.storage.write("simulation", |tx| tx.feed_epoch_set(epoch));
                let done: Result<(), StorageError> = done;
                done.unwrap();
            }
        }
        Ok(())
    }

    /// One sync; says whether it reached its end.
    pub fn sync(&mut self, tester: usize, server: u8, patience: u8, faults: &[Fault]) -> Result<bool, String> {
        let server = usize::from(server) % self.servers.len();
        let now = self.clock.time();
        let Tester { phone, history, is_parted, answered_at, .. } = &mut self.testers[tester];
        let is_long_away = now > answered_at.plus_seconds(AWAY_SECONDS);
        let mut wire = Wire {
            server: &self.servers[server],
            clock: &self.clock,
            history,
            record: &mut self.record,
            changes_a_page: CHANGES_A_PAGE,
            is_parted: *is_parted,
            faults: faults.iter().copied().collect(),
        };
        match phone.sync(&mut wire, patience.into(), &mut |_| ()) {
            Ok(_) => {
                *answered_at = self.clock.time();
                self.check_scope(tester)?;
                Ok(true)
            }
            Err(PhoneError::Network { .. }) => Ok(false),
            Err(PhoneError::SignInNeeded) if is_long_away => {
                wire.faults.clear();
                wire.is_parted = false;
                phone.sign_in(&mut wire, &format!("tester-{tester}"), PASSWORD).map_err(|error| error.to_string())?;
                *answered_at = self.clock.time();
                Ok(false)
            }
            Err(error) => Err(format!("phone {tester}: the sync ended with: {error:?}")),
        }
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
        deliver(&self.servers[server], &mut self.record, request, request.body.len());
    }
}
