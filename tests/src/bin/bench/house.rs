//! The measured server: this program again, as `serve`, in a process of its own, with a region, desks and testers.

use callout_cli::arguments::StoreArguments;
use callout_cli::desk::{Answer, Desk, Http};
use callout_server::app::access::Role;
use callout_server::app::users::UserNew;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_storage::Storage;
use callout_storage::users::User;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{DeviceId, FieldTestId, RegionId, WorkOrderId};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::phones::PLACE;
use callout_tests::world::{DeviceKeys, PASSWORD, rectangle};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// See the module; the server ends when this is dropped.
pub struct House {
    server: Child,
    /// From the process's start to the first ready answer.
    pub start_up_ms: u64,
    http: Http,
    t1: Desk,
    admin: Desk,
    region: Uuid,
    testers: AtomicU32,
    references: AtomicU32,
    address: SocketAddr,
    metrics: Http,
    store: StoreArguments,
    _folder: TempDir,
}

/// A tester without the SDK, whose time is not measured.
pub struct BenchTester {
    desk: Desk,
    /// The phone's identity.
    pub device: DeviceKeys,
    /// The tester.
    pub user_id: Uuid,
}

/// The system's clock.
pub fn now() -> Timestamp {
    Timestamp::from(time::OffsetDateTime::now_utc())
}

/// A new id of any noun, in order of time like those that phones make.
pub fn id<T: From<Uuid>>() -> T {
    let mut random = [0; 10];
    getrandom::fill(&mut random).unwrap();
    T::from(callout_sync_protocol::ids::uuid_v7(u64::try_from(now().unix_millis()).unwrap(), random))
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap()
}

impl House {
    /// Prepares the database, starts the server and lets the desks in.
    pub fn open(database_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = StoreArguments {
            data_dir: folder.path().to_owned(),
            database_url: database_url.clone(),
            database_pool: 16,
        };
        first_user(&store);
        let (address, metrics) = (free_address(), free_address());
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("serve").arg("--data-dir").arg(folder.path()).arg("--listen").arg(address.to_string());
        command.args(["--database-pool", "16"]).arg("--metrics-listen").arg(metrics.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).env("CALLOUT_LOG", "error");
        if let Some(url) = &database_url {
            command.env("CALLOUT_DATABASE_URL", url);
        }
        let server = command.spawn().unwrap();
        let http = Http::new(format!("http://{address}"));
        while !http.send("GET", "/readyz", &[], &[]).is_ok_and(|answer| answer.status == 200) {
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not become ready");
            std::thread::sleep(Duration::from_millis(1));
        }
        let start_up_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
        let admin = Desk::sign_in(&http, "admin", PASSWORD).unwrap();
        let region = admin.region_create("Bench", 480, &rectangle(103.0, 37.0, 104.0, 38.0)).unwrap();
        admin.user_create("t1", PASSWORD, &["t1_dispatcher"], None).unwrap();
        let t1 = Desk::sign_in(&http, "t1", PASSWORD).unwrap();
        Self {
            server,
            start_up_ms,
            http,
            t1,
            admin,
            region,
            testers: AtomicU32::new(0),
            references: AtomicU32::new(0),
            address,
            metrics: Http::new(format!("http://{metrics}")),
            store,
            _folder: folder,
        }
    }

    /// A new tester.
    pub fn tester(&self) -> BenchTester {
        let name = format!("tester-{}", self.testers.fetch_add(1, Ordering::SeqCst));
        let user = self.admin.user_create(&name, PASSWORD, &["field_tester"], Some(&[self.region])).unwrap();
        let device = DeviceKeys::new();
        // Its own connection, as every phone has.
        let http = Http::new(self.http.base());
        BenchTester { desk: device.sign_in(&http, &name, PASSWORD), device, user_id: user.id }
    }

    /// An order with this tester.
    pub fn order(&self, tester: &BenchTester) -> WorkOrderId {
        let number = self.references.fetch_add(1, Ordering::SeqCst);
        let complaint = self
            .t1
            .complaint_create(&serde_json::json!({
                "reference": format!("BENCH-{number}"), "channel": "phone",
                "customer": { "name": "测试·王澄", "phone": format!("169{number:08}") },
                "description": "在家打电话经常断，晚上尤其明显 calls drop at home, in the evenings", "symptom": "call_drop",
            }))
            .unwrap();
        let order = self.t1.complaint_classify_network(complaint.id).unwrap().work_order_id.unwrap();
        self.t1.work_order_locate(order, "港湾一路12号", PLACE.latitude(), PLACE.longitude()).unwrap();
        self.t1.work_order_dispatch(order, tester.user_id).unwrap();
        WorkOrderId(order)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The one region.
    pub fn region(&self) -> RegionId {
        RegionId(self.region)
    }

    /// Everything that the server counts, by name and labels.
    pub fn metrics(&self) -> HashMap<String, f64> {
        let text = self.metrics.send("GET", "/metrics", &[], &[]).unwrap().accepted().unwrap().text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// The administrator.
    pub fn admin(&self) -> &Desk {
        &self.admin
    }

    /// The database beside the server, for what is made without it.
    pub fn storage(&self) -> Storage {
        self.store.storage().unwrap()
    }

    /// A new user of all regions, called by the role.
    pub fn user(&self, role: &str) {
        self.admin.user_create(role, PASSWORD, &[role], None).unwrap();
    }

    /// Signs that user in; a sign-in does not outlast a long preparation.
    pub fn desk(&self, role: &str) -> Desk {
        Desk::sign_in(&self.http, role, PASSWORD).unwrap()
    }

    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let kib: u64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
        1_024 * kib
    }

    /// Memory of the server's process now; 0 where the system does not tell.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it ever was.
    pub fn resident_peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn first_user(store: &StoreArguments) {
    let storage = store.storage().unwrap();
    storage.migrate().unwrap();
    let app = App::new(storage, Env::system(), AppConfig::default()).unwrap();
    app.user_create_as(
        None,
        UserNew {
            user_name: "admin".into(),
            display_name: "admin".into(),
            password: PASSWORD.into(),
            roles: vec![Role::Administrator],
            all_regions: true,
            region_ids: vec![],
        },
    )
    .unwrap();
}

impl BenchTester {
    /// An empty request of this phone.
    pub fn request(&self) -> SyncRequest {
        SyncRequest {
            device_id: DeviceId(self.device.device_id),
            phone_time: now(),
            cursor: None,
            commands: Vec::new(),
            blocks: Vec::new(),
            // The smallest page: what is not measured shall cost little.
            max_changes: 1,
            checkpoint: None,
        }
    }

    /// Sends a frame; the answer's frame.
    pub fn post(&self, frame: &[u8]) -> Vec<u8> {
        let answer = self.desk.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], frame).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    }

    /// A sync.
    pub fn sync(&self, request: &SyncRequest) -> SyncResponse {
        frame_decode(&self.post(&frame_encode(request))).unwrap()
    }

    /// Anything else.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.desk.send(method, path, headers, body).unwrap()
    }

    /// Takes an order and begins its test.
    pub fn test_begin(&self, order: WorkOrderId) -> FieldTestId {
        use callout_sync_protocol::commands::{Command, CommandBody};
        let test: FieldTestId = id();
        let command = |body| Command { id: id(), work_order_id: order, captured_at: now(), body };
        let commands = vec![command(CommandBody::Accept {}), command(CommandBody::TestBegin { field_test_id: test })];
        self.sync(&SyncRequest { commands, ..self.request() });
        test
    }
}

/// A tester who never signs in.
pub fn silent_tester(name: String) -> User {
    User {
        id: id(),
        user_name_folded: name.clone(),
        display_name: name.clone(),
        user_name: name,
        // No password has this hash.
        password_hash: "*".into(),
        roles: vec![Role::FieldTester],
        all_regions: false,
        is_active: true,
        created_at: now(),
        updated_at: now(),
        version: 1,
    }
}
