//! A world: a server over real sockets on a fresh database, its regions and people, and whatever phones a test wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use crate::clock::TestClock;
use crate::phones::{PLACE, Tester};
use crate::postgres;
use callout_cli::desk::{Desk, FieldTest, Http};
use callout_cli::server::{Parts, Started, start_with};
use callout_server::app::AppConfig;
use callout_server::app::passwords::PasswordCost;
use callout_server::app::wake_ups::LookEvery;
use callout_server::env::{Env, SystemEntropy};
use callout_server::photos::store::PhotoStore;
use callout_storage::{Storage, StorageConfig};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// The password of everybody in every world.
pub const PASSWORD: &str = "correct horse battery";

/// Which database a world stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file in a temporary folder.
    Sqlite,
    /// A fresh database of the tests' own cluster.
    Postgres,
}

/// Every role with the name of the world's user who has it, in the first region.
pub const ROLES: [&str; 9] = [
    "customer_service_agent",
    "t1_dispatcher",
    "t2_branch_desk",
    "field_tester",
    "regional_lead",
    "quality_control",
    "administrator",
    "auditor",
    "integration_client",
];

/// See the module.
pub struct World {
    /// The running server.
    pub server: Started,
    /// The one clock of server and phones.
    pub clock: TestClock,
    /// The connection without a user.
    pub http: Http,
    /// The administrator.
    pub admin: Desk,
    /// Two regions side by side; complaints are in the first one.
    pub regions: [Uuid; 2],
    /// The database, for what no API shows.
    pub storage: Storage,
    folder: TempDir,
    desks: RefCell<HashMap<String, (Desk, DeviceKeys, Timestamp)>>,
    phones: RefCell<u32>,
    references: RefCell<u32>,
}

/// Ten in the morning in China, so that customers may be called (R-CONTACT-1).
pub fn morning() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

/// A rectangle as a GeoJSON polygon; degrees.
pub fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Value {
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    json!({ "type": "Polygon", "coordinates": [ring] })
}

impl World {
    /// A new world; `None` where its database is not installed, which the terminal is told.
    pub fn new(database: Database, what_for: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let storage = match database {
            Database::Sqlite => {
                let path = folder.path().join("callout.db");
                let storage = Storage::open(&StorageConfig::Sqlite { path }).unwrap();
                storage.migrate().unwrap();
                storage
            }
            Database::Postgres => postgres::fresh_storage(what_for).unwrap()?,
        };
        let clock = TestClock::new(morning());
        let env = Env::new(Arc::new(clock.clone()), Arc::new(SystemEntropy));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let config = AppConfig {
            // The least that argon2 allows: tests sign in often.
            password_cost: PasswordCost { memory_kib: 8, passes: 1 },
            public_url: format!("http://{}", listener.local_addr().unwrap()),
            look_every: LookEvery(Duration::from_millis(10)),
            ..AppConfig::default()
        };
        let photos = PhotoStore::open_folder(&folder.path().join("photos")).unwrap();
        let parts = Parts { storage: storage.clone(), photos, env, config, runs_jobs: false };
        let server = start_with(parts, listener, 2).unwrap();
        let http = Http::new(format!("http://{}", server.address()));
        let (name, password) = server.first_user().unwrap().unwrap();
        let admin = Desk::sign_in(&http, &name, &password).unwrap();
        let first = admin.region_create("东区 East", 480, &rectangle(103.0, 37.0, 104.0, 38.0)).unwrap();
        let second = admin.region_create("西区 West", 480, &rectangle(102.0, 37.0, 103.0, 38.0)).unwrap();
        Some(Self {
            server,
            clock,
            http,
            admin,
            regions: [first, second],
            storage,
            folder,
            desks: RefCell::default(),
            phones: RefCell::new(0),
            references: RefCell::new(0),
        })
    }

    /// Another server on the same database: one more of several, or the first one after a restart.
    pub fn another_server(&self) -> Started {
        self.another_server_with(AppConfig::default())
    }

    /// The same with settings of its own.
    pub fn another_server_with(&self, config: AppConfig) -> Started {
        let env = Env::new(Arc::new(self.clock.clone()), Arc::new(SystemEntropy));
        let photos = PhotoStore::open_folder(&self.folder.path().join("photos")).unwrap();
        let parts = Parts { storage: self.storage.clone(), photos, env, config, runs_jobs: false };
        start_with(parts, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), 1).unwrap()
    }

    /// Does the jobs that are due by the world's clock.
    pub fn run_due(&self) -> usize {
        self.server.run_due().unwrap()
    }

    /// A user with one role in some regions, made at the first call; signed in anew when the clock has moved on.
    pub fn user(&self, name: &str, role: &str, regions: &[Uuid]) -> Desk {
        let mut desks = self.desks.borrow_mut();
        if let Some((desk, device, since)) = desks.get_mut(name) {
            if self.clock.time() >= since.plus_seconds(600) {
                *desk = self.let_in(device, name);
                *since = self.clock.time();
            }
            return desk.clone();
        }
        self.admin.user_create(name, PASSWORD, &[role], Some(regions)).unwrap();
        let device = DeviceKeys::new();
        let desk = self.let_in(&device, name);
        desks.insert(name.to_owned(), (desk.clone(), device, self.clock.time()));
        desk
    }

    /// Signs in; where too many did so just now, a little later.
    fn let_in(&self, device: &DeviceKeys, name: &str) -> Desk {
        loop {
            match Desk::sign_in_with(&self.http, &device.sign_in_body(name, PASSWORD)) {
                Err(error) if error.problem() == Some("too-many-requests") => self.clock.advance_seconds(5),
                signed_in => return signed_in.unwrap(),
            }
        }
    }

    /// The first region's user of a role.
    pub fn desk(&self, role: &str) -> Desk {
        if role == "administrator" {
            return self.admin.clone();
        }
        self.user(role, role, &self.regions[..1])
    }

    /// The second region's user of a role.
    pub fn foreign_desk(&self, role: &str) -> Desk {
        self.user(&format!("{role}-west"), role, &self.regions[1..])
    }

    /// Customer service of the first region.
    pub fn customer_service(&self) -> Desk {
        self.desk("customer_service_agent")
    }

    /// T1 of the first region.
    pub fn t1(&self) -> Desk {
        self.desk("t1_dispatcher")
    }

    /// The lead of the first region.
    pub fn lead(&self) -> Desk {
        self.desk("regional_lead")
    }

    /// A new tester of the first region with a new phone, and the tester's id.
    pub fn tester(&self, name: &str) -> (Tester, Uuid) {
        let user = self.admin.user_create(name, PASSWORD, &["field_tester"], Some(&self.regions[..1])).unwrap();
        let mut number = self.phones.borrow_mut();
        *number += 1;
        let folder = self.folder.path().join(format!("phone-{number}"));
        (Tester::new(&folder, &self.clock, self.http.base(), name, PASSWORD), user.id)
    }

    /// A folder for one thing of a test.
    pub fn folder(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A complaint's body with a reference of its own.
    pub fn complaint_body(&self) -> Value {
        let mut number = self.references.borrow_mut();
        *number += 1;
        json!({
            "reference": format!("REF-{number}"),
            "channel": "phone",
            // A customer of its own: a second complaint of the same one would be a repeat (R-INTAKE-3).
            "customer": { "name": "测试·王澄", "phone": format!("1690000{}", 1233 + *number) },
            "description": "在家打电话经常断 calls drop at home",
            "symptom": "call_drop",
        })
    }

    /// An order that T1 has located.
    pub fn order_located(&self) -> Uuid {
        let complaint = self.customer_service().complaint_create(&self.complaint_body()).unwrap();
        let order = self.t1().complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        self.t1().work_order_locate(order, "港湾一路12号", PLACE.latitude(), PLACE.longitude()).unwrap();
        order
    }

    /// An order on its way to a tester.
    pub fn order_dispatched(&self, tester: Uuid) -> WorkOrderId {
        let order = self.order_located();
        self.t1().work_order_dispatch(order, tester).unwrap();
        WorkOrderId(order)
    }

    /// The order's test that counts.
    pub fn field_test(&self, order: WorkOrderId) -> FieldTest {
        let tests = self.lead().field_test_list(order.0).unwrap();
        tests.into_iter().find(|test| test.standing == "accepted").unwrap()
    }

    /// Everything that a reader of the orders can see, as one text: what must be unchanged after a refused request.
    pub fn picture(&self) -> String {
        let (t1, lead) = (self.t1(), self.lead());
        let mut text = String::new();
        let mut add = |desk: &Desk, path: &str| {
            text.push_str(&desk.send("GET", path, &[], &[]).unwrap().text());
            text.push('\n');
        };
        // T1 sees orders before they have a region, too.
        for order in t1.work_order_list().unwrap() {
            for path in ["", "/timeline", "/field-tests", "/ladder"] {
                add(&t1, &format!("/v1/work-orders/{}{path}", order.id));
            }
        }
        add(&t1, "/v1/complaints");
        add(&t1, "/v1/tracking-tickets");
        add(&lead, "/v1/quarantine");
        text
    }
}

/// A phone's identity without a phone, for requests that the SDK would never send.
#[derive(Clone, Debug)]
pub struct DeviceKeys {
    /// The device's id.
    pub device_id: Uuid,
    /// Its signing key.
    pub key: ed25519_dalek::SigningKey,
}

impl DeviceKeys {
    /// A new one.
    pub fn new() -> Self {
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        getrandom::fill(&mut id).unwrap();
        getrandom::fill(&mut secret).unwrap();
        Self {
            device_id: uuid::Builder::from_random_bytes(id).into_uuid(),
            key: ed25519_dalek::SigningKey::from_bytes(&secret),
        }
    }

    /// The sign-in's body.
    pub fn sign_in_body(&self, name: &str, password: &str) -> Value {
        json!({
            "user_name": name, "password": password,
            "device": {
                "id": self.device_id, "name": "test", "platform": "test",
                "public_key": base64url(self.key.verifying_key().as_bytes()),
            },
        })
    }

    /// Signs in with the key enrolled.
    pub fn sign_in(&self, http: &Http, name: &str, password: &str) -> Desk {
        Desk::sign_in_with(http, &self.sign_in_body(name, password)).unwrap()
    }
}

impl Default for DeviceKeys {
    fn default() -> Self {
        Self::new()
    }
}

/// Base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes two tests of one function over a [`World`]: `…::sqlite` and `…::postgres`.
#[macro_export]
macro_rules! world_tests {
    ($($(#[$doc:meta])* fn $name:ident($world:ident) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn check($world: &$crate::world::World) $body

            #[test]
            fn sqlite() {
                let world = $crate::world::World::new($crate::world::Database::Sqlite, stringify!($name));
                check(&world.expect("SQLite is always there"));
            }

            #[test]
            fn postgres() {
                if let Some(world) = $crate::world::World::new($crate::world::Database::Postgres, stringify!($name)) {
                    check(&world);
                }
            }
        }
    )+};
}
