//! Time to the first order on a bad link: the real messages of a first sync with 200 orders, sent over a modelled link
//! (`callout_tests::slow_link` says what is modelled: TCP, computed, with its own clock; no packet travels).

use crate::Plan;
use crate::crowd::{CrowdPhone, crowd};
use crate::house::House;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use callout_tests::slow_link::{Connection, Link, TLS_FINISHED_BYTES, TLS_HELLO_BYTES, TLS_SERVER_BYTES};
use serde_json::{Value, json};

const ORDERS: u64 = 200;
/// Connections tried, each with its own losses.
const SEEDS: u64 = 2_000;

/// A request and its answer, on the wire.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    up: usize,
    down: usize,
}

/// A first sync in pages of so many orders.
fn exchanges(phone: &mut CrowdPhone, max_changes: u32) -> (Vec<Exchange>, usize) {
    let (mut exchanges, mut orders) = (Vec::new(), 0);
    let mut request = SyncRequest { max_changes, ..phone.request() };
    loop {
        let answer = phone.wire.sync(&frame_encode(&request)).unwrap();
        assert_eq!(answer.status, 200);
        exchanges.push(Exchange { up: answer.bytes_up, down: answer.bytes_down });
        let answer: SyncResponse = frame_decode(&answer.body).unwrap();
        orders += answer.changes.len();
        request.cursor = Some(answer.cursor);
        if !answer.has_more {
            return (exchanges, orders);
        }
    }
}

/// When the first order and when the last one are there, in seconds.
fn simulate(link: Link, seed: u64, has_tls: bool, exchanges: &[Exchange]) -> (f64, f64) {
    let mut connection = Connection::open(link, seed);
    let mut extra = 0;
    if has_tls {
        connection.send_up(TLS_HELLO_BYTES);
        connection.send_down(TLS_SERVER_BYTES);
        extra = TLS_FINISHED_BYTES;
    }
    let mut first = None;
    for exchange in exchanges {
        connection.send_up(exchange.up as u64 + extra);
        connection.send_down(exchange.down as u64);
        extra = 0;
        first.get_or_insert(connection.elapsed_us());
    }
    (first.unwrap_or(0) as f64 / 1e6, connection.elapsed_us() as f64 / 1e6)
}

fn quantiles(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |percent: usize| (seconds[(seconds.len() - 1) * percent / 100] * 100.0).round() / 100.0;
    json!({ "p50": at(50), "p90": at(90), "p99": at(99) })
}

fn figures(exchanges: &[Exchange], has_tls: bool) -> Value {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let (to_first, to_last) = simulate(Link::EDGE, seed, has_tls, exchanges);
        first.push(to_first);
        last.push(to_last);
    }
    let without_losses = simulate(Link { loss_percent: 0, ..Link::EDGE }, 0, has_tls, exchanges);
    json!({
        "seconds_to_first_order": quantiles(first),
        "seconds_to_all_orders": quantiles(last),
        "seconds_to_all_orders_without_losses": (without_losses.1 * 100.0).round() / 100.0,
    })
}

/// In one answer, as phones ask; and in pages of ten, for comparison.
pub fn measure(house: &House, _: &Plan) -> Value {
    let mut phone = crowd(house, 1, ORDERS).pop().unwrap();
    let mut result = json!({
        "link": { "bits_per_second": Link::EDGE.bits_per_second, "round_trip_ms": Link::EDGE.round_trip_us / 1_000, "loss_percent": Link::EDGE.loss_percent },
        "method": "real bytes of request and answer; TCP computed by a model with a seed, no packet travels; TLS 1.3 by constant sizes",
        "connections": SEEDS,
        "orders": ORDERS,
    });
    for (what, max_changes) in [("one_answer", 500), ("pages_of_10", 10)] {
        let (exchanges, orders) = exchanges(&mut phone, max_changes);
        assert_eq!(orders as u64, ORDERS);
        let sum = |of: fn(&Exchange) -> usize| exchanges.iter().map(of).sum::<usize>();
        result[what] = json!({
            "round_trips": exchanges.len(),
            "bytes_up": sum(|one| one.up),
            "bytes_down": sum(|one| one.down),
            "plain": figures(&exchanges, false),
            "tls": figures(&exchanges, true),
        });
    }
    result
}
