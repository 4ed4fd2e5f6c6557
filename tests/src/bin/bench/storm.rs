//! A network comes back, and every phone with it, at the same moment; then the same with one phone that hammers.

use crate::Plan;
use crate::crowd::{CrowdPhone, crowd};
use crate::house::{House, id, now};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::sync::{CommandResult, Directive, SyncRequest, SyncResponse};
use serde_json::{Value, json};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Orders of each phone.
const ORDERS_EACH: u64 = 5;
/// Connections of the phone that hammers.
const HAMMERS: usize = 8;
/// A waiting phone needs little.
const STACK_BYTES: usize = 256 * 1_024;
/// After a connection that was not taken, as a phone would.
const RECONNECT: Duration = Duration::from_millis(500);

/// How one phone fared.
#[derive(Clone, Copy, Debug, Default)]
struct Fared {
    served_after: Duration,
    refused: usize,
    unconnected: usize,
    is_asked_to_pause: bool,
}

/// One phone's storm: it brings its command and takes its changes, and waits as it is told.
fn reconnect(phone: &mut CrowdPhone, frame: &[u8], began: Instant) -> Fared {
    let mut fared = Fared::default();
    loop {
        let Ok(answer) = phone.wire.sync(frame) else {
            fared.unconnected += 1;
            std::thread::sleep(RECONNECT);
            continue;
        };
        match answer.status {
            200 => {
                let answer: SyncResponse = frame_decode(&answer.body).unwrap();
                let is_accepted = |result: &CommandResult| matches!(result, CommandResult::Accepted { .. });
                assert!(answer.outcomes.iter().all(|outcome| is_accepted(&outcome.result)), "{answer:?}");
                let is_pause = |directive: &Directive| matches!(directive, Directive::WaitBeforeNextSync { .. });
                fared.is_asked_to_pause = answer.directives.iter().any(is_pause);
                fared.served_after = began.elapsed();
                return fared;
            }
            429 | 503 => {
                fared.refused += 1;
                std::thread::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1).into()));
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

/// What the hammering phone got: how many answers, how many refusals.
fn hammer(phone: &mut CrowdPhone, frame: &[u8], is_over: &AtomicBool, answered: &AtomicUsize, refused: &AtomicUsize) {
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(answer) = phone.wire.sync(frame) {
            let counter = if answer.status == 200 { answered } else { refused };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn thread() -> std::thread::Builder {
    std::thread::Builder::new().stack_size(STACK_BYTES)
}

fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let at = sorted[(sorted.len() - 1) * percent / 100];
    (at.as_secs_f64() * 1e3).round()
}

/// All at once; `bad` hammers meanwhile.
fn storm(phones: &mut [CrowdPhone], bad: &mut [CrowdPhone], body: &(dyn Fn() -> CommandBody + Sync)) -> Value {
    let barrier = Barrier::new(phones.len() + bad.len() + 1);
    let (is_over, answered, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (fared, elapsed) = std::thread::scope(|scope| {
        let (barrier, is_over, answered, refused) = (&barrier, &is_over, &answered, &refused);
        let mut threads = Vec::new();
        for phone in phones {
            threads.push(thread().spawn_scoped(scope, move || {
                let command = |order| Command { id: id(), work_order_id: order, captured_at: now(), body: body() };
                let commands = phone.orders.first().map(|order| command(*order)).into_iter().collect();
                let frame = frame_encode(&SyncRequest { commands, ..phone.request() });
                barrier.wait();
                reconnect(phone, &frame, Instant::now())
            }));
        }
        let mut hammers = Vec::new();
        for phone in bad {
            hammers.push(thread().spawn_scoped(scope, move || {
                let frame = frame_encode(&phone.request());
                barrier.wait();
                hammer(phone, &frame, is_over, answered, refused);
            }));
        }
        barrier.wait();
        let began = Instant::now();
        let fared: Vec<Fared> = threads.into_iter().map(|thread| thread.unwrap().join().unwrap()).collect();
        let elapsed = began.elapsed();
        is_over.store(true, Ordering::Relaxed);
        hammers.into_iter().for_each(|thread| thread.unwrap().join().unwrap());
        (fared, elapsed)
    });
    let mut served: Vec<Duration> = fared.iter().map(|one| one.served_after).collect();
    served.sort_unstable();
    let share = |count: usize| (1e4 * count as f64 / fared.len() as f64).round() / 1e4;
    let mut figures = json!({
        "all_served_seconds": (elapsed.as_secs_f64() * 1e2).round() / 1e2,
        "served_p50_ms": quantile(&served, 50),
        "served_p99_ms": quantile(&served, 99),
        "refused_with_retry_after": fared.iter().map(|one| one.refused).sum::<usize>(),
        "refused_at_most": fared.iter().map(|one| one.refused).max(),
        "connections_not_taken": fared.iter().map(|one| one.unconnected).sum::<usize>(),
        "asked_to_pause_share": share(fared.iter().filter(|one| one.is_asked_to_pause).count()),
        "served_at_the_first_try_share": share(fared.iter().filter(|one| one.refused == 0).count()),
    });
    if answered.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed) > 0 {
        figures["hammering_phone"] = json!({
            "connections": HAMMERS,
            "answered": answered.load(Ordering::Relaxed),
            "refused": refused.load(Ordering::Relaxed),
        });
    }
    figures
}

/// The storm without and with the phone that hammers.
pub fn measure(house: &House, plan: &Plan) -> Value {
    let mut phones = crowd(house, plan.storm_phones, ORDERS_EACH);
    let bad = crowd(house, 1, ORDERS_EACH).pop().unwrap();
    let mut bad: Vec<CrowdPhone> = (0..HAMMERS).map(|_| bad.again()).collect();
    // The first one takes the orders, so that the two that are compared do the same.
    let first = storm(&mut phones, &mut [], &|| CommandBody::Accept {});
    let alone = storm(&mut phones, &mut [], &|| CommandBody::PhotoConsent { granted: true });
    let hammered = storm(&mut phones, &mut bad, &|| CommandBody::PhotoConsent { granted: false });
    let ratio = hammered["served_p99_ms"].as_f64().unwrap() / alone["served_p99_ms"].as_f64().unwrap().max(1.0);
    json!({
        "phones": phones.len(),
        "orders_each": ORDERS_EACH,
        "first_storm": first,
        "storm": alone,
        "storm_with_a_hammering_phone": hammered,
        "p99_hammered_to_alone": (ratio * 100.0).round() / 100.0,
    })
}
