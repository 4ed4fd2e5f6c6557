//! What a sync with nothing to say costs, and whether it stays flat as the orders grow from a thousand to a million.

use crate::Plan;
use crate::crowd::{CrowdPhone, crowd, others, seed};
use crate::house::House;
use crate::load;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use serde_json::{Value, json};
use std::time::Instant;

/// With how many orders it begins.
const FEW: u64 = 1_000;
/// Orders of each measured phone.
const ORDERS_EACH: u64 = 50;
/// Testers among whom the other orders are divided.
const OTHERS: usize = 1_000;
/// Syncs of each phone before anything is measured.
const WARM_UP: usize = 200;

/// A phone that has everything, and the request by which it asks whether that is so.
struct Idle {
    phone: CrowdPhone,
    frame: Vec<u8>,
}

fn settle(mut phone: CrowdPhone) -> Idle {
    let mut request = phone.request();
    loop {
        let answer = phone.wire.sync(&frame_encode(&request)).unwrap();
        assert_eq!(answer.status, 200);
        let answer: SyncResponse = frame_decode(&answer.body).unwrap();
        request = SyncRequest { cursor: Some(answer.cursor), checkpoint: answer.checkpoint, ..request };
        if !answer.has_more {
            break;
        }
    }
    let frame = frame_encode(&request);
    // What runs for the first time is slower: connections, plans, caches.
    for _ in 0..WARM_UP {
        assert_eq!(phone.wire.sync(&frame).unwrap().status, 200);
    }
    Idle { phone, frame }
}

fn cost(house: &House, plan: &Plan, phones: Vec<Idle>, orders: u64) -> Value {
    let before = house.metrics();
    let load = load::run(phones, plan.duration, |idle: &mut Idle, _| {
        let answer = idle.phone.wire.sync(&idle.frame).unwrap();
        assert_eq!(answer.status, 200);
        // Opened once a phone would be enough, were it not that a reset or a change would falsify everything.
        let response: SyncResponse = frame_decode(&answer.body).unwrap();
        assert!(response.changes.is_empty() && !response.reset, "{response:?}");
        Some(1)
    });
    let after = house.metrics();
    let counted = |name: &str| after[name] - before[name];
    let syncs = counted("callout_syncs_total{outcome=\"idle\"}");
    let each = |name: &str| (counted(name) / syncs * 100.0).round() / 100.0;
    json!({
        "orders": orders,
        "requests": load.requests(),
        // What the server does every second and two besides is among them, spread over all syncs.
        "database_queries": each("callout_database_statements_total"),
        "units_of_work": each("callout_database_units_of_work_total"),
    })
}

/// Few orders, then many, on the same server.
pub fn measure(house: &House, plan: &Plan) -> Value {
    let orders = plan.idle_orders;
    let make = || -> Vec<Idle> { crowd(house, plan.phones, ORDERS_EACH).into_iter().map(settle).collect() };
    let storage = house.storage();
    let own = plan.phones as u64 * ORDERS_EACH;
    let mut phones = make();
    let bytes = {
        let idle = &mut phones[0];
        let answer = idle.phone.wire.sync(&idle.frame).unwrap();
        json!({
            "http_up": answer.bytes_up, "http_down": answer.bytes_down,
            "frame_up": idle.frame.len(), "frame_down": answer.body.len(),
        })
    };
    let elsewhere = others(house, &storage, OTHERS);
    let (half, rest) = elsewhere.split_at(OTHERS / 2);
    seed(house, &storage, half.to_vec(), FEW - own.min(FEW));
    let few = cost(house, plan, phones, FEW);
    let began = Instant::now();
    seed(house, &storage, rest.to_vec(), orders.saturating_sub(FEW + own));
    let seeded = began.elapsed();
    let phones = make();
    eprintln!("  {orders} orders made in {seeded:?}");
    let many = cost(house, plan, phones, orders);
    let ratio = |name: &str| many["requests"][name].as_f64().unwrap() / few["requests"][name].as_f64().unwrap();
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let queries = many["database_queries"].as_f64().unwrap() / few["database_queries"].as_f64().unwrap();
    json!({
        "bytes": bytes,
        "few": few,
        "many": many,
        "many_to_few": {
            "p50_ms": round(ratio("p50_ms")), "p99_ms": round(ratio("p99_ms")), "database_queries": round(queries),
        },
        "seed_seconds": round(seeded.as_secs_f64()),
    })
}
