//! Changes pulled through the sync endpoint: whole work orders as phones hold them.

use crate::Plan;
use crate::house::{BenchTester, House};
use crate::load;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use callout_sync_protocol::version::MAX_CHANGES;
use serde_json::{Value, json};

/// A new phone's first sync, again and again.
pub fn measure(house: &House, plan: &Plan) -> Value {
    let phones: Vec<(BenchTester, Vec<u8>)> = (0..plan.phones)
        .map(|_| {
            let tester = house.tester();
            for _ in 0..plan.feed_orders / plan.phones {
                house.order(&tester);
            }
            let max_changes = u32::try_from(MAX_CHANGES).unwrap();
            let frame = frame_encode(&SyncRequest { max_changes, ..tester.request() });
            (tester, frame)
        })
        .collect();
    let expected = plan.feed_orders / plan.phones;
    let load = load::run(phones, plan.duration, |(tester, frame), _| {
        let response: SyncResponse = frame_decode(&tester.post(frame)).unwrap();
        assert_eq!(response.changes.len(), expected);
        Some(response.changes.len() as u64)
    });
    json!({ "changes_per_second": load.per_second(), "changes_per_request": expected, "requests": load.requests() })
}
