//! What several modules need: raw sync messages, raw uploads, and the check that a refusal is typed and changed nothing.

use callout_cli::desk::{Answer, Desk};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{CommandId, DeviceId, WorkOrderId};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::sync::{BlockResult, BlockUpload, CommandResult, SyncRequest, SyncResponse};
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::world::{DeviceKeys, PASSWORD, World};
use uuid::Uuid;

/// A tester without the SDK, who can send what the SDK never would.
pub struct RawTester {
    /// The tester's own access.
    pub desk: Desk,
    /// The phone's identity.
    pub device: DeviceKeys,
    /// The tester's id.
    pub user_id: Uuid,
}

impl RawTester {
    /// A new tester of the first region.
    pub fn new(world: &World, name: &str) -> Self {
        let user = world.admin.user_create(name, PASSWORD, &["field_tester"], Some(&world.regions[..1])).unwrap();
        let device = DeviceKeys::new();
        Self { desk: device.sign_in(&world.http, name, PASSWORD), device, user_id: user.id }
    }

    /// Signs in anew, when the clock has moved on.
    pub fn renew(&mut self, world: &World, name: &str) {
        self.desk = self.device.sign_in(&world.http, name, PASSWORD);
    }

    /// An empty request of this phone.
    pub fn request(&self, world: &World) -> SyncRequest {
        SyncRequest {
            device_id: DeviceId(self.device.device_id),
            phone_time: world.clock.time(),
            cursor: None,
            commands: Vec::new(),
            blocks: Vec::new(),
            max_changes: 100,
            checkpoint: None,
        }
    }

    /// Sends bytes to the sync endpoint.
    pub fn post(&self, frame: &[u8]) -> Answer {
        self.desk.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], frame).unwrap()
    }

    /// A sync that is answered.
    pub fn sync(&self, request: &SyncRequest) -> SyncResponse {
        let answer = self.post(&frame_encode(request));
        assert_eq!(answer.status, 200, "{}", answer.text());
        frame_decode(&answer.body).unwrap()
    }

    /// Sends commands and says what became of them.
    pub fn commands(&self, world: &World, commands: Vec<Command>) -> Vec<CommandResult> {
        let response = self.sync(&SyncRequest { commands, ..self.request(world) });
        response.outcomes.into_iter().map(|outcome| outcome.result).collect()
    }

    /// Sends one block and says what became of it.
    pub fn block(&self, world: &World, order: WorkOrderId, bytes: Vec<u8>) -> BlockResult {
        let blocks = vec![BlockUpload { work_order_id: order, bytes: bytes.into() }];
        let response = self.sync(&SyncRequest { blocks, ..self.request(world) });
        response.block_outcomes.into_iter().next().unwrap().result
    }
}

/// A new id of any noun.
pub fn id<T: From<Uuid>>() -> T {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    T::from(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// A command with a new id.
pub fn command(world: &World, order: WorkOrderId, body: CommandBody) -> Command {
    Command { id: id::<CommandId>(), work_order_id: order, captured_at: world.clock.time(), body }
}

/// The rejection of a command's outcome.
pub fn rejected(result: &CommandResult) -> &Rejection {
    match result {
        CommandResult::Rejected { rejection } => rejection,
        CommandResult::Accepted { .. } => panic!("accepted: {result:?}"),
    }
}

/// The answer is this problem, in both languages, with its status.
#[track_caller]
pub fn assert_problem(answer: &Answer, problem: ProblemType) {
    let place = format!("{} {} → {} {}", answer.method, answer.path, answer.status, answer.text());
    // HEAD has no body to tell the problem in.
    if answer.method == "HEAD" {
        assert_eq!(answer.status, problem.status(), "{place}");
        return;
    }
    let found = answer.problem().unwrap_or_else(|| panic!("no problem details: {place}"));
    assert_eq!(found.name(), problem.slug(), "{place}");
    assert_eq!(answer.status, problem.status(), "{place}");
    assert_eq!(found.status, problem.status(), "{place}");
    assert_eq!(found.title, problem.title_en(), "{place}");
    assert_eq!(found.title_zh, problem.title_zh(), "{place}");
    assert!(!found.detail.is_empty(), "{place}");
}

/// Runs requests that must all be refused, and checks that they changed nothing.
#[track_caller]
pub fn assert_nothing_changes(world: &World, requests: impl FnOnce()) {
    let before = world.picture();
    requests();
    assert_eq!(world.picture(), before, "a refused request changed something");
}
