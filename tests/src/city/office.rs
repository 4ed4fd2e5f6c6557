//! The server of a simulated city with its regions and people: every request goes through the whole HTTP surface, in this process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use crate::postgres;
use crate::simulation::Database;
use crate::simulation::chance::{Dice, SeededEntropy, VirtualClock};
use crate::simulation::server::Server;
use crate::world::base64url;
use callout_mobile_sdk::engine::HttpResponse;
use callout_server::env::Env;
use callout_storage::{Storage, StorageConfig, StorageError, Tx};
use callout_sync_protocol::ids::{DeviceId, RegionId, UserId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery";
/// Regions lie side by side, each a degree wide.
const WEST: i32 = 102;
const SOUTH: i32 = 37;
/// How often due jobs are done on simulated time.
const JOBS_EVERY_SECONDS: i64 = 3_600;

/// Somebody who is signed in.
struct Account {
    user: UserId,
    password: String,
    device: Uuid,
    key: Option<SigningKey>,
    access_token: String,
    refresh_token: String,
    good_until: Timestamp,
}

/// See the module.
pub struct Office {
    /// The server.
    pub server: Server,
    /// The one clock.
    pub clock: VirtualClock,
    /// The database, for what no API shows.
    pub storage: Storage,
    /// The regions, from west to east.
    pub regions: Vec<RegionId>,
    /// Requests so far.
    pub requests: u64,
    /// What must not be, as the answers showed it.
    pub violations: Vec<String>,
    accounts: BTreeMap<String, Account>,
    jobs_next_at: Timestamp,
    dice: Dice,
    folder: TempDir,
}

/// The body of an answer as JSON; null where it is none.
pub fn json_of(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// The name of the problem that an answer tells.
pub fn problem_of(response: &HttpResponse) -> String {
    json_of(response)["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or("none").to_owned()
}

/// In memory where the system offers that: how fast a disk flushes is not what is simulated.
fn folder_new() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Office {
    /// A city of so many regions with an administrator; `None` where the database is not installed.
    pub fn open(database: Database, seed: u64, regions: usize, begins: Timestamp) -> Option<Self> {
        let folder = folder_new();
        let storage = match database {
            Database::Sqlite => {
                let path = folder.path().join("callout.db");
                let storage = Storage::open(&StorageConfig::Sqlite { path }).unwrap();
                storage.migrate().unwrap();
                storage
            }
            Database::Postgres => postgres::fresh_storage("the city").unwrap()?,
        };
        let clock = VirtualClock::new(begins);
        let env = Env::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(seed)));
        let runtime = Rc::new(actix_web::rt::Runtime::new().unwrap());
        let server = Server::start(&runtime, storage.clone(), &folder.path().join("photos"), env);
        let mut office = Self {
            server,
            clock,
            storage,
            regions: Vec::new(),
            requests: 0,
            violations: Vec::new(),
            accounts: BTreeMap::new(),
            jobs_next_at: begins,
            dice: Dice::new(seed ^ 0x0FF1_CE00),
            folder,
        };
        office.server.jobs_prepare();
        let (name, password) = office.server.app().user_first().unwrap().unwrap();
        office.sign_in(&name, &password, None);
        for number in 0..regions {
            let west = WEST + i32::try_from(number).unwrap();
            let (south, north) = (SOUTH, SOUTH + 1);
            let ring = json!([[west, south], [west + 1, south], [west + 1, north], [west, north], [west, south]]);
            let feature = json!({
                "type": "Feature",
                "geometry": { "type": "Polygon", "coordinates": [ring] },
                "properties": { "name": format!("{}区 District {}", number + 1, number + 1), "utc_offset_minutes": 480 },
            });
            let region = office.must("admin", "POST", "/v1/regions", &feature);
            office.regions.push(region["id"].as_str().unwrap().parse().unwrap());
        }
        Some(office)
    }

    /// A folder for a phone.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The place in a region at so many thousandths of its width and height.
    pub fn place(&self, region: usize, east: u64, north: u64) -> Position {
        let west = WEST + i32::try_from(region).unwrap();
        let part =
            |base: i32, thousandths: u64| base * 1_000_000 + i32::try_from(thousandths.min(999)).unwrap() * 1_000;
        Position {
            latitude_e6: part(SOUTH, north),
            longitude_e6: part(west, east),
            accuracy_m: Some(8),
            is_mock: false,
        }
    }

    /// Makes a user of some regions and signs the user in; a tester's device gets a key.
    pub fn user_add(&mut self, name: &str, role: &str, regions: &[RegionId]) -> UserId {
        let body = json!({
            "user_name": name, "display_name": name, "password": PASSWORD, "roles": [role],
            "all_regions": false, "region_ids": regions,
        });
        self.must("admin", "POST", "/v1/users", &body);
        let mut secret = [0; 32];
        secret.iter_mut().for_each(|byte| *byte = self.dice.below(256) as u8);
        self.sign_in(name, PASSWORD, (role == "field_tester").then(|| SigningKey::from_bytes(&secret)))
    }

    fn sign_in(&mut self, name: &str, password: &str, key: Option<SigningKey>) -> UserId {
        let known = self.accounts.get(name);
        let device = known.map_or_else(|| Uuid::from_u128(self.accounts.len() as u128 + 1), |account| account.device);
        let key = key.or_else(|| known.and_then(|account| account.key.clone()));
        let mut body = json!({
            "user_name": name, "password": password,
            "device": { "id": device, "name": name, "platform": "simulation" },
        });
        if let Some(key) = &key {
            body["device"]["public_key"] = json!(base64url(key.verifying_key().as_bytes()));
        }
        let response =
            self.send("POST", "/v1/sign-in", &[("content-type", "application/json")], body.to_string().as_bytes());
        assert_eq!(response.status, 200, "{name} could not sign in: {}", json_of(&response));
        let tokens = json_of(&response);
        let user = tokens["user"]["id"].as_str().unwrap().parse().unwrap();
        let account = Account {
            user,
            password: password.to_owned(),
            device,
            key,
            access_token: String::new(),
            refresh_token: String::new(),
            good_until: self.clock.time(),
        };
        self.accounts.insert(name.to_owned(), account);
        self.tokens_take(name, &tokens);
        user
    }

    fn tokens_take(&mut self, name: &str, tokens: &Value) {
        let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
        let account = self.accounts.get_mut(name).unwrap();
        account.access_token = text("access_token");
        account.refresh_token = text("refresh_token");
        account.good_until = text("access_expires_at").parse().unwrap();
    }

    /// The token of somebody, renewed if it has ended.
    fn token(&mut self, name: &str) -> String {
        let account = &self.accounts[name];
        if account.good_until <= self.clock.time().plus_seconds(60) {
            let proof = account.key.as_ref().map(|key| {
                base64url(&key.sign(format!("callout-refresh-v1\n{}", account.refresh_token).as_bytes()).to_bytes())
            });
            let mut body = json!({ "refresh_token": account.refresh_token, "device_id": account.device });
            if let Some(proof) = proof {
                body["proof"] = json!(proof);
            }
            let password = account.password.clone();
            let headers = [("content-type", "application/json")];
            let response = self.send("POST", "/v1/sessions/refresh", &headers, body.to_string().as_bytes());
            if response.status == 200 {
                self.tokens_take(name, &json_of(&response));
            } else {
                self.sign_in(name, &password, None);
            }
        }
        self.accounts[name].access_token.clone()
    }

    /// A request without a user.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpResponse {
        self.requests += 1;
        let response = self.server.call(method, path, headers, body);
        if response.status >= 500 {
            let text = String::from_utf8_lossy(&response.body).into_owned();
            self.violations.push(format!("{method} {path} was answered with {}: {text}", response.status));
        }
        response
    }

    /// A request by somebody with any content.
    pub fn send_as(&mut self, name: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> HttpResponse {
        let authorization = format!("Bearer {}", self.token(name));
        self.send(method, path, &[("content-type", kind), ("authorization", &authorization)], body)
    }

    /// A request by somebody in JSON; what the rules refuse is refused.
    pub fn ask(&mut self, name: &str, method: &str, path: &str, body: &Value) -> HttpResponse {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send_as(name, method, path, "application/json", &bytes)
    }

    /// A request that must succeed.
    pub fn must(&mut self, name: &str, method: &str, path: &str, body: &Value) -> Value {
        let response = self.ask(name, method, path, body);
        assert!(response.is_success(), "{name} {method} {path} {body}: {} {}", response.status, json_of(&response));
        json_of(&response)
    }

    /// Reads something that must be there.
    pub fn read(&mut self, name: &str, path: &str) -> Value {
        self.must(name, "GET", path, &Value::Null)
    }

    /// Reads the database.
    pub fn look<T>(&self, work: impl FnMut(&mut Tx) -> Result<T, StorageError>) -> T {
        self.storage.read("city", work).unwrap()
    }

    /// Somebody's id.
    pub fn user(&self, name: &str) -> UserId {
        self.accounts[name].user
    }

    /// Somebody's device, and its key.
    pub fn device(&self, name: &str) -> (DeviceId, SigningKey) {
        let account = &self.accounts[name];
        (DeviceId(account.device), account.key.clone().expect("a tester's device has a key"))
    }

    /// Time passes, and due jobs are done as they would be by a server that looks once an hour; says how many.
    pub fn wait_until(&mut self, until: Timestamp) -> usize {
        let mut done = 0;
        while self.clock.time() < until {
            self.clock.advance_to(self.jobs_next_at.min(until));
            if self.clock.time() >= self.jobs_next_at {
                done += self.server.jobs_run();
                self.jobs_next_at = self.clock.time().plus_seconds(JOBS_EVERY_SECONDS);
            }
        }
        done
    }
}
