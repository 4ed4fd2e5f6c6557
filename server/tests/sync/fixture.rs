//! A region with its people, phones and orders, and phones that speak the protocol.

use callout_server::app::access::{Caller, Role, RoleSet};
use callout_server::app::{App, AppConfig};
use callout_server::env::{Clock, Entropy, Env};
use callout_storage::complaints::{Channel, Complaint, ComplaintClass, ComplaintState};
use callout_storage::devices::Device;
use callout_storage::regions::Region;
use callout_storage::sessions::Session;
use callout_storage::users::User;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Storage, StorageError, TemporaryStorage, Tx};
use callout_sync_protocol::commands::{
    AffectedService, BlockCitation, Command, CommandBody, ContactOutcome, Findings, MissingOperator,
};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::*;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::{
    BlockHeader, Cell, Position, Sample, SampleColumns, SealedBlock, Technology, block_seal,
};
use callout_sync_protocol::sync::{BlockResult, BlockUpload, CommandResult, Cursor, SyncRequest, SyncResponse};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, TimeWindow, Urgency, WorkOrderState};
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// 17:00 in the region: nobody rests.
pub const START: &str = "2026-11-23T09:00:00Z";
pub const PLACE: Position =
    Position { latitude_e6: 30_540_000, longitude_e6: 114_310_000, accuracy_m: Some(8), is_mock: false };

pub struct SteppedClock(AtomicI64);

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        // A millisecond passes with every look, so that instants tell the order of things.
        Timestamp::from_unix_micros(self.0.fetch_add(1_000, Ordering::SeqCst)).unwrap()
    }
}

struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            chunk.copy_from_slice(&number[8 - chunk.len()..]);
        }
    }
}

pub struct Office {
    pub app: App,
    pub storage: Storage,
    pub region: RegionId,
    pub t1: Caller,
    pub lead: Caller,
    clock: Arc<SteppedClock>,
    orders_made: AtomicU64,
    _folder: TemporaryStorage,
}

pub struct Phone {
    pub caller: Caller,
    pub key: SigningKey,
    pub cursor: Option<Cursor>,
    /// Milliseconds that its clock is ahead.
    pub ahead_ms: i64,
}

impl Office {
    pub fn open() -> Self {
        let folder = Storage::temporary().unwrap();
        let storage = folder.storage.clone();
        let clock = Arc::new(SteppedClock(AtomicI64::new(START.parse::<Timestamp>().unwrap().unix_micros())));
        let env = Env::new(clock.clone(), Arc::new(Counter(AtomicU64::new(1))));
        let app = App::new(storage.clone(), env, AppConfig::default()).unwrap();
        let region = region(&app, &storage, "武昌");
        let (t1, _) = person(&app, &storage, region, Role::T1Dispatcher);
        let (lead, _) = person(&app, &storage, region, Role::RegionalLead);
        Self { app, storage, region, t1, lead, clock, orders_made: AtomicU64::new(0), _folder: folder }
    }

    /// A lead of another region, who sees nothing of this one.
    pub fn lead_elsewhere(&self) -> Caller {
        let elsewhere = region(&self.app, &self.storage, "汉口");
        person(&self.app, &self.storage, elsewhere, Role::RegionalLead).0
    }

    pub fn now(&self) -> Timestamp {
        self.app.env.now()
    }

    pub fn wait_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn id<T: From<uuid::Uuid>>(&self) -> T {
        self.app.env.id()
    }

    pub fn phone(&self) -> Phone {
        let (caller, key) = person(&self.app, &self.storage, self.region, Role::FieldTester);
        Phone { caller, key, cursor: None, ahead_ms: 0 }
    }

    /// An order that is located, with a complaint like those of real people.
    pub fn order_located(&self) -> WorkOrderId {
        let number = self.orders_made.fetch_add(1, Ordering::SeqCst);
        let now = self.now();
        let (id, complaint_id) = (self.id(), self.id());
        let surnames = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"];
        let symptoms = [
            "客户反映在家中通话经常断断续续，卧室靠近卫生间一侧基本没有信号，重启手机、更换手机卡后仍未恢复，已持续约两周",
            "客户称小区地下车库及电梯内无法上网，出电梯后需要等待一两分钟才能恢复，影响扫码出入库，希望尽快安排人员上门测试",
            "用户投诉晚高峰期间视频卡顿严重，测速下载不足 1 Mbps，白天正常，周边邻居也有类似情况，要求给出明确的解决时间",
            "客户表示办公楼层高，靠窗位置信号频繁切换，微信语音时有时无，多次致电客服未解决，情绪激动",
        ];
        let roads = ["珞喻路", "中南路", "解放大道", "友谊大道", "雄楚大道", "民主路", "和平大道"];
        let pick = |list: &[&str], by: u64| list[(by % list.len() as u64) as usize].to_owned();
        let address = format!(
            "武昌区{}{}号{}小区{}栋{}单元{}室",
            pick(&roads, number),
            number * 7 % 911 + 1,
            pick(&["东湖花园", "水岸星城", "紫阳名居", "华腾园"], number / 3),
            number % 23 + 1,
            number % 4 + 1,
            (number % 30 + 1) * 100 + number % 8
        );
        let complaint = Complaint {
            id: complaint_id,
            source_id: self.t1.user_id,
            reference: format!("10086-{number}"),
            content_digest: [0; 32],
            channel: Channel::Phone,
            class: Some(ComplaintClass::Network),
            state: ComplaintState::InProgress,
            received_at: now,
            customer_name: format!("{}女士", pick(&surnames, number)),
            customer_phone: format!("139{:08}", number * 7_654_321 % 100_000_000),
            description: format!("{}（来电时间 {} 点）。", pick(&symptoms, number), number % 12 + 8),
            symptom: Symptom::WeakSignal,
            generation: Some(NetworkGeneration::Lte),
            address: address.clone(),
            occurs: "晚上".into(),
            neighbours_affected: Some(true),
            latitude_e6: Some(PLACE.latitude_e6),
            longitude_e6: Some(PLACE.longitude_e6),
            region_id: Some(self.region),
            answer: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let order = WorkOrder {
            id,
            complaint_id,
            number: format!("WO-20261123-{number:05}"),
            state: WorkOrderState::Located,
            urgency: Urgency::Normal,
            region_id: Some(self.region),
            assigned_to: None,
            assigned_at: None,
            appointment_from: None,
            appointment_until: None,
            due_at: None,
            field_test_id: None,
            photo_consent: None,
            return_reasons: vec![],
            utc_offset_minutes: 480,
            address,
            latitude_e6: Some(PLACE.latitude_e6 + number as i32 * 137),
            longitude_e6: Some(PLACE.longitude_e6 - number as i32 * 91),
            reopened_count: 0,
            false_return_count: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        self.storage
            .write("order", |tx| {
                tx.complaint_insert(&complaint)?;
                tx.work_order_insert(&order)
            })
            .unwrap();
        id
    }

    pub fn order_dispatched(&self, phone: &Phone) -> WorkOrderId {
        let id = self.order_located();
        self.dispatch(id, phone);
        id
    }

    pub fn dispatch(&self, id: WorkOrderId, phone: &Phone) {
        let due_at = Some(self.now().plus_seconds(86_400));
        self.app.work_order_dispatch(&self.t1, id, phone.caller.user_id, due_at).unwrap();
    }

    pub fn reassign(&self, id: WorkOrderId, phone: &Phone) {
        self.app.work_order_reassign(&self.t1, id, phone.caller.user_id, "too many orders", false).unwrap();
    }

    pub fn read<T>(&self, work: impl FnMut(&mut Tx) -> Result<T, StorageError>) -> T {
        self.storage.read("test", work).unwrap()
    }

    pub fn order(&self, id: WorkOrderId) -> WorkOrder {
        self.read(|tx| tx.work_order_by_id(id)).unwrap()
    }

    /// What the audit trail tells of an order, oldest first.
    pub fn actions(&self, id: WorkOrderId) -> Vec<String> {
        let events = self.app.work_order_timeline(&self.lead, id, 0, 500).unwrap();
        events.into_iter().map(|event| event.action).collect()
    }

    pub fn command(&self, work_order_id: WorkOrderId, body: CommandBody) -> Command {
        Command { id: self.id(), work_order_id, captured_at: self.now(), body }
    }

    pub fn commands(&self, order: WorkOrderId, bodies: impl IntoIterator<Item = CommandBody>) -> Vec<Command> {
        bodies.into_iter().map(|body| self.command(order, body)).collect()
    }

    /// Everything from taking the order to standing at the door with a test begun and findings recorded.
    pub fn visit(&self, order: WorkOrderId, test: FieldTestId) -> Vec<Command> {
        let from = self.now().plus_seconds(3_600);
        let appointment = Some(TimeWindow { from, until: from.plus_seconds(3_600) });
        let contact =
            CommandBody::Contact { outcome: ContactOutcome::Reached, appointment, emergency_reason: None, note: None };
        self.commands(
            order,
            [
                CommandBody::Accept {},
                contact,
                CommandBody::Arrive { position: PLACE },
                CommandBody::PhotoConsent { granted: true },
                CommandBody::TestBegin { field_test_id: test },
                CommandBody::FindingsRecord { field_test_id: test, findings: findings() },
            ],
        )
    }

    /// A test of all three operators, handed in, as one request holds it.
    pub fn work(&self, phone: &Phone, order: WorkOrderId, test: FieldTestId) -> (Vec<Command>, Vec<BlockUpload>) {
        let mut commands = self.visit(order, test);
        let sealed: Vec<(Operator, SealedBlock)> =
            Operator::REQUIRED.map(|operator| (operator, self.block(phone, test, operator, 0, 120))).into();
        let cited = sealed.iter().map(|(operator, block)| citation(*operator, block, 120)).collect();
        commands.push(self.command(order, submit(test, cited, vec![])));
        (commands, sealed.into_iter().map(|(_, block)| upload(order, block)).collect())
    }

    /// A sealed block of a walk around the place.
    pub fn block(
        &self,
        phone: &Phone,
        test: FieldTestId,
        operator: Operator,
        sequence: u32,
        count: u32,
    ) -> SealedBlock {
        let header = BlockHeader {
            field_test_id: test,
            device_id: phone.caller.device_id,
            operator,
            sequence,
            sample_count: count,
        };
        let samples = walk(START.parse::<Timestamp>().unwrap().unix_millis() + i64::from(sequence) * 60_000, count);
        block_seal(&header, &SampleColumns::from_samples(&samples).unwrap(), &phone.key).unwrap()
    }

    pub fn photo(&self, order: WorkOrderId, test: FieldTestId, purpose: PhotoPurpose) -> PhotoManifest {
        PhotoManifest {
            id: self.id(),
            field_test_id: test,
            work_order_id: order,
            hash: PhotoHash(*blake3::hash(&self.app.env.random::<8>()).as_bytes()),
            byte_length: 300_000,
            media_type: MediaType::Jpeg,
            purpose,
            captured_at: self.now(),
            position: Some(PLACE),
        }
    }
}

/// Samples of a slow walk, one a second.
pub fn walk(from_ms: i64, count: u32) -> Vec<Sample> {
    (0..count as i32)
        .map(|i| Sample {
            captured_at_ms: from_ms + i64::from(i) * 1_000,
            technology: Technology::Lte,
            level_dbm: Some(-90 - (i % 30) as i16),
            quality_half_db: Some(-20 - (i % 7) as i16),
            sinr_half_db: Some(20 - (i % 11) as i16),
            cell: Cell {
                cell_identity: Some(12_345_600 + u64::from(i as u32 / 40)),
                physical_cell_id: Some(77),
                area_code: Some(28_672),
                channel: Some(1_300),
            },
            position: Some(Position {
                latitude_e6: PLACE.latitude_e6 + i * 5,
                longitude_e6: PLACE.longitude_e6 + i * 3,
                ..PLACE
            }),
            rtt_tenth_ms: Some(350 + i as u32 % 90),
            downlink_kbps: None,
            uplink_kbps: None,
        })
        .collect()
}

pub fn findings() -> Findings {
    Findings {
        problem: "卧室弱覆盖，通话单通".into(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "晚上".into(),
        address: "珞喻路 1 号 2 单元 301".into(),
        position: Some(PLACE),
        competitor_coverage: "联通良好".into(),
        serving_sites: vec!["洪山珞喻路-1".into()],
        planned_sites: vec![],
        shareable_resources: vec!["铁塔灯杆".into()],
        pressing_need: "尽快恢复通话".into(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

pub fn citation(operator: Operator, block: &SealedBlock, sample_count: u32) -> BlockCitation {
    BlockCitation { operator, sequence: 0, hash: block.hash(), sample_count }
}

pub fn upload(work_order_id: WorkOrderId, block: SealedBlock) -> BlockUpload {
    BlockUpload { work_order_id, bytes: block.into_bytes().into() }
}

pub fn submit(field_test_id: FieldTestId, blocks: Vec<BlockCitation>, photos: Vec<PhotoId>) -> CommandBody {
    let missing_operators = Operator::REQUIRED
        .into_iter()
        .filter(|operator| blocks.iter().all(|block| block.operator != *operator))
        .map(|operator| MissingOperator { operator, reason: "没有该运营商的卡".into() })
        .collect();
    CommandBody::TestSubmit { field_test_id, blocks, photos, missing_operators }
}

impl Phone {
    pub fn request(&self, office: &Office) -> SyncRequest {
        SyncRequest {
            device_id: self.caller.device_id,
            phone_time: office.now().plus_millis(self.ahead_ms),
            cursor: self.cursor,
            commands: vec![],
            blocks: vec![],
            max_changes: 500,
            checkpoint: None,
        }
    }

    /// Sends a request through the frame, as over the wire, and keeps no cursor.
    pub fn send(&self, office: &Office, request: &SyncRequest) -> SyncResponse {
        let request = frame_decode(&frame_encode(request)).unwrap();
        let response = office.app.sync(&self.caller, &request).unwrap();
        frame_decode(&frame_encode(&response)).unwrap()
    }

    /// A whole sync: what is given goes out, the cursor moves on.
    pub fn sync(&mut self, office: &Office, commands: Vec<Command>, blocks: Vec<BlockUpload>) -> SyncResponse {
        let response = self.send(office, &SyncRequest { commands, blocks, ..self.request(office) });
        self.cursor = Some(response.cursor);
        response
    }

    pub fn results(&mut self, office: &Office, commands: Vec<Command>) -> Vec<CommandResult> {
        self.sync(office, commands, vec![]).outcomes.into_iter().map(|outcome| outcome.result).collect()
    }

    pub fn block_result(&mut self, office: &Office, upload: BlockUpload) -> BlockResult {
        self.sync(office, vec![], vec![upload]).block_outcomes.remove(0).result
    }
}

pub fn rejection(result: &CommandResult) -> &Rejection {
    match result {
        CommandResult::Rejected { rejection } => rejection,
        CommandResult::Accepted { .. } => panic!("accepted"),
    }
}

pub fn all_accepted(results: &[CommandResult]) -> bool {
    results.iter().all(|result| matches!(result, CommandResult::Accepted { .. }))
}

fn region(app: &App, storage: &Storage, name: &str) -> RegionId {
    let now = app.env.now();
    let region = Region {
        id: app.env.id(),
        name: name.into(),
        boundary: serde_json::json!({ "type": "Polygon",
            "coordinates": [[[114.0, 30.0], [115.0, 30.0], [115.0, 31.0], [114.0, 31.0], [114.0, 30.0]]] }),
        min_latitude_e6: 30_000_000,
        max_latitude_e6: 31_000_000,
        min_longitude_e6: 114_000_000,
        max_longitude_e6: 115_000_000,
        utc_offset_minutes: 480,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    storage.write("region", |tx| tx.region_insert(&region)).unwrap();
    region.id
}

fn person(app: &App, storage: &Storage, region: RegionId, role: Role) -> (Caller, SigningKey) {
    let now = app.env.now();
    let key = SigningKey::from_bytes(blake3::hash(&app.env.random::<8>()).as_bytes());
    let caller = Caller {
        user_id: app.env.id(),
        session_id: app.env.id(),
        device_id: app.env.id(),
        roles: RoleSet::of(&[role]),
    };
    let name = format!("{}-{}", role.as_str(), caller.user_id);
    storage
        .write("person", |tx| {
            tx.user_insert(&User {
                id: caller.user_id,
                user_name: name.clone(),
                user_name_folded: String::new(),
                display_name: name.clone(),
                password_hash: "none".into(),
                roles: vec![role],
                all_regions: false,
                is_active: true,
                created_at: now,
                updated_at: now,
                version: 1,
            })?;
            tx.user_regions_replace(caller.user_id, &[region])?;
            tx.device_insert(&Device {
                id: caller.device_id,
                user_id: caller.user_id,
                name: "phone".into(),
                platform: "test".into(),
                public_key: Some(key.verifying_key().to_bytes()),
                enrolled_at: now,
                last_seen_at: now,
                revoked_at: None,
            })?;
            tx.session_insert(&Session {
                id: caller.session_id,
                user_id: caller.user_id,
                device_id: caller.device_id,
                created_at: now,
                revoked_at: None,
                revoke_reason: None,
            })
        })
        .unwrap();
    (caller, key)
}
