//! Plain records for the store's tests. Ids count up, instants follow them, so that every run is the same.

use callout_storage::complaints::{Channel, Complaint, ComplaintState};
use callout_storage::devices::Device;
use callout_storage::events::{NewEvent, SubjectKind};
use callout_storage::field_tests::{FieldTest, FieldTestState};
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::regions::Region;
use callout_storage::sample_blocks::SampleBlock;
use callout_storage::users::{Role, User};
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Standing, Storage, StorageError, Tx};
use callout_sync_protocol::ids::*;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoPurpose};
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, Urgency, WorkOrderState};
use serde_json::json;
use uuid::Uuid;

/// An id of any noun; a higher number is a later one.
pub fn id<T: From<Uuid>>(number: u64) -> T {
    T::from(uuid_v7(1_700_000_000_000 + number, [7; 10]))
}

/// An instant; a higher number is a later one. With microseconds, which both databases must keep.
pub fn at(number: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_700_000_000_123_456 + number * 1_000_000).unwrap()
}

/// Runs a unit of work that must succeed.
pub fn write<T>(storage: &Storage, work: impl FnMut(&mut Tx) -> Result<T, StorageError>) -> T {
    storage.write("test", work).unwrap()
}

/// Reads, which must succeed.
pub fn read<T>(storage: &Storage, work: impl FnMut(&mut Tx) -> Result<T, StorageError>) -> T {
    storage.read("test", work).unwrap()
}

pub fn user(number: u64) -> User {
    User {
        id: id(number),
        user_name: format!("Tester{number}"),
        user_name_folded: format!("tester{number}"),
        display_name: format!("测试员 {number}"),
        password_hash: "$argon2id$".to_owned(),
        roles: vec![Role::FieldTester, Role::T1Dispatcher],
        all_regions: false,
        is_active: true,
        created_at: at(number as i64),
        updated_at: at(number as i64),
        version: 1,
    }
}

pub fn device(number: u64, user_id: UserId) -> Device {
    Device {
        id: id(number),
        user_id,
        name: "handset".to_owned(),
        platform: "android 14".to_owned(),
        public_key: Some([3; 32]),
        enrolled_at: at(1),
        last_seen_at: at(1),
        revoked_at: None,
    }
}

/// A square of one degree with its south-west corner at whole degrees.
pub fn region(number: u64, latitude: i32, longitude: i32) -> Region {
    Region {
        id: id(number),
        name: format!("region {number}"),
        boundary: json!({"type": "Polygon", "coordinates": [[[longitude, latitude], [longitude + 1, latitude + 1]]]}),
        min_latitude_e6: latitude * 1_000_000,
        max_latitude_e6: (latitude + 1) * 1_000_000,
        min_longitude_e6: longitude * 1_000_000,
        max_longitude_e6: (longitude + 1) * 1_000_000,
        utc_offset_minutes: 480,
        created_at: at(number as i64),
        updated_at: at(number as i64),
        version: 1,
    }
}

pub fn complaint(number: u64, source_id: UserId, region_id: Option<RegionId>) -> Complaint {
    Complaint {
        id: id(number),
        source_id,
        reference: format!("CS-{number}"),
        content_digest: [number as u8; 32],
        channel: Channel::Phone,
        class: None,
        state: ComplaintState::Received,
        received_at: at(0),
        customer_name: "张三".to_owned(),
        customer_phone: "13800000000".to_owned(),
        description: "地下车库没有信号 🅿".to_owned(),
        symptom: Symptom::NoSignal,
        generation: Some(NetworkGeneration::Nr),
        address: "人民路 1 号".to_owned(),
        occurs: String::new(),
        neighbours_affected: None,
        latitude_e6: Some(30_500_000),
        longitude_e6: None,
        region_id,
        answer: None,
        created_at: at(number as i64),
        updated_at: at(number as i64),
        version: 1,
    }
}

pub fn work_order(number: u64, complaint: &Complaint) -> WorkOrder {
    WorkOrder {
        id: id(number),
        complaint_id: complaint.id,
        number: format!("WO-20261121-{number:05}"),
        state: WorkOrderState::Located,
        urgency: Urgency::Normal,
        region_id: complaint.region_id,
        assigned_to: None,
        assigned_at: None,
        appointment_from: None,
        appointment_until: None,
        due_at: Some(at(500)),
        field_test_id: None,
        photo_consent: None,
        return_reasons: vec![],
        utc_offset_minutes: 480,
        address: complaint.address.clone(),
        latitude_e6: Some(30_500_000),
        longitude_e6: Some(114_300_000),
        reopened_count: 0,
        false_return_count: 0,
        version: 1,
        created_at: at(number as i64),
        updated_at: at(number as i64),
    }
}

pub fn field_test(number: u64, work_order_id: WorkOrderId, tester_id: UserId, device_id: DeviceId) -> FieldTest {
    FieldTest {
        id: id(number),
        work_order_id,
        tester_id,
        device_id,
        standing: Standing::Accepted,
        standing_reason: None,
        state: FieldTestState::Begun,
        begun_at: at(number as i64),
        findings: None,
        submission: None,
        submitted_at: None,
        submission_count: 0,
        version: 1,
        evidence_template: None,
    }
}

pub fn sample_block(number: u8, test: &FieldTest, sequence: u32) -> SampleBlock {
    SampleBlock {
        hash: BlockHash([number; 32]),
        field_test_id: test.id,
        work_order_id: test.work_order_id,
        tester_id: test.tester_id,
        device_id: test.device_id,
        operator: Operator::ChinaUnicom,
        sequence,
        sample_count: u32::MAX,
        byte_length: 3,
        kpi: json!({"coverage_rate": 0.97, "bins": [1, 2, 3], "level": null}),
        standing: Standing::Accepted,
        standing_reason: None,
        captured_from: at(1),
        captured_until: Some(at(2)),
        received_at: at(i64::from(number)),
    }
}

pub fn photo(number: u64, test: &FieldTest) -> Photo {
    Photo {
        id: id(number),
        field_test_id: test.id,
        work_order_id: test.work_order_id,
        tester_id: test.tester_id,
        device_id: test.device_id,
        hash: PhotoHash([9; 32]),
        byte_length: 300_000,
        media_type: MediaType::Jpeg,
        purpose: PhotoPurpose::Indoors,
        captured_at: at(5),
        latitude_e6: Some(-90_000_000),
        longitude_e6: Some(180_000_000),
        accuracy_m: Some(65_535),
        is_mock: true,
        state: PhotoState::Announced,
        refusal: None,
        standing: Standing::Accepted,
        standing_reason: None,
        object_key: None,
        thumbnail_key: None,
        width: None,
        height: None,
        exif: None,
        announced_at: at(number as i64),
        stored_at: None,
    }
}

pub fn event(number: u64, subject_id: Uuid, action: &str) -> NewEvent {
    NewEvent {
        id: id(number),
        subject_kind: SubjectKind::WorkOrder,
        subject_id,
        happened_at: at(number as i64),
        captured_at: None,
        actor_id: None,
        actor_roles: "t1_dispatcher".to_owned(),
        device_id: None,
        action: action.to_owned(),
        detail: json!({"z": 1.50, "a": [1e300, -0.0, "文字"], "m": null}),
        reason: Some("because".to_owned()),
        reason_salt: [number as u8; 32],
    }
}

/// What most tests need to stand: two testers with a device each, a region, a complaint, its order.
pub struct World {
    pub tester: User,
    pub other_tester: User,
    pub device: Device,
    pub other_device: Device,
    pub region: Region,
    pub complaint: Complaint,
    pub order: WorkOrder,
}

pub fn world(storage: &Storage) -> World {
    let (tester, other_tester) = (user(1), user(2));
    let region = region(10, 30, 114);
    let complaint = complaint(20, tester.id, Some(region.id));
    let world = World {
        device: device(3, tester.id),
        other_device: device(4, other_tester.id),
        order: work_order(30, &complaint),
        tester,
        other_tester,
        region,
        complaint,
    };
    write(storage, |tx| {
        tx.user_insert(&world.tester)?;
        tx.user_insert(&world.other_tester)?;
        tx.device_insert(&world.device)?;
        tx.device_insert(&world.other_device)?;
        tx.region_insert(&world.region)?;
        tx.complaint_insert(&world.complaint)?;
        tx.work_order_insert(&world.order)
    });
    world
}

/// Adds a complaint and its order.
pub fn add_order(storage: &Storage, world: &World, number: u64, region_id: Option<RegionId>) -> WorkOrder {
    let complaint = complaint(number, world.tester.id, region_id);
    let order = work_order(number, &complaint);
    write(storage, |tx| {
        tx.complaint_insert(&complaint)?;
        tx.work_order_insert(&order)
    });
    order
}
