//! Sealed blocks through the sync endpoint: decoded, verified, every value validated, figures computed, stored, acknowledged.

use crate::Plan;
use crate::house::{BenchTester, House};
use crate::load;
use crate::logs;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{DeviceId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{BlockHeader, SampleColumns, block_seal};
use callout_sync_protocol::sync::{BlockResult, BlockUpload, SyncRequest, SyncResponse};
use serde_json::{Value, json};

/// Blocks of one visit: its three operators.
const BLOCKS_OF_VISIT: usize = 3;
/// Visits of one day.
const VISITS_OF_DAY: usize = 8;

struct Phone {
    tester: BenchTester,
    /// Each with how many samples it carries.
    frames: Vec<(Vec<u8>, u64)>,
}

fn prepare(house: &House, requests: usize, visits: usize, walks: &[SampleColumns]) -> Phone {
    let tester = house.tester();
    let order: WorkOrderId = house.order(&tester);
    let test = tester.test_begin(order);
    let mut walk = walks.iter().cycle();
    let mut sequence = 0..;
    let frames = (0..requests)
        .map(|_| {
            let mut samples = 0;
            let mut blocks = Vec::new();
            for _ in 0..visits {
                let sequence = sequence.next().unwrap();
                for operator in Operator::REQUIRED {
                    let columns = walk.next().unwrap();
                    samples += columns.len() as u64;
                    let header = BlockHeader {
                        field_test_id: test,
                        device_id: DeviceId(tester.device.device_id),
                        operator,
                        sequence,
                        sample_count: 0,
                    };
                    let bytes = block_seal(&header, columns, &tester.device.key).unwrap().into_bytes();
                    blocks.push(BlockUpload { work_order_id: order, bytes: bytes.into() });
                }
            }
            (frame_encode(&SyncRequest { blocks, ..tester.request() }), samples)
        })
        .collect();
    Phone { tester, frames }
}

fn measure(house: &House, plan: &Plan, requests: usize, visits: usize) -> Value {
    let walks = logs::walks();
    let phones: Vec<Phone> = (0..plan.phones).map(|_| prepare(house, requests, visits, &walks)).collect();
    let bytes_per_request = phones[0].frames.iter().map(|(frame, _)| frame.len()).sum::<usize>() / requests;
    let load = load::run(phones, plan.duration, |phone, number| {
        let (frame, samples) = phone.frames.get(number)?;
        let response: SyncResponse = frame_decode(&phone.tester.post(frame)).unwrap();
        assert!(response.block_outcomes.iter().all(|outcome| outcome.result == BlockResult::Stored {}), "{response:?}");
        Some(*samples)
    });
    let requests = load.requests();
    let blocks_per_request = BLOCKS_OF_VISIT * visits;
    let blocks_per_second = requests["per_second"].as_f64().unwrap_or(0.0) * blocks_per_request as f64;
    json!({
        "samples_per_second": load.per_second(),
        "blocks_per_second": blocks_per_second.round(),
        "samples": load.things(),
        "blocks_per_request": blocks_per_request,
        "bytes_per_request": bytes_per_request,
        "requests": requests,
    })
}

/// Blocks and samples accepted per second, each request with the three blocks of one visit.
pub fn measure_visits(house: &House, plan: &Plan) -> Value {
    measure(house, plan, plan.block_requests, 1)
}

/// The same, each request with a whole day's work, as from a phone that was away. The few real logs come around several times in
/// such a request, so its frame is shorter than a real day's would be; the server opens and checks every block all the same.
pub fn measure_days(house: &House, plan: &Plan) -> Value {
    measure(house, plan, plan.block_requests / 2, VISITS_OF_DAY)
}
