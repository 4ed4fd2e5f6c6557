//! Several phones at once, for a bounded time: how much got done, and how long each request took.

use serde_json::{Value, json};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// What one phone did.
#[derive(Debug, Default)]
pub struct Done {
    /// How long each request took.
    pub latencies: Vec<Duration>,
    /// Things done, in the measurement's own unit.
    pub things: u64,
}

/// What all of them did.
#[derive(Debug)]
pub struct Load {
    latencies: Vec<Duration>,
    things: u64,
    elapsed: Duration,
}

/// Runs `work` once for each phone in a thread of its own, all beginning at the same moment. A phone's work is called with the
/// phone, the number of the request, from 0, until it returns `None` (nothing is prepared any more) or the time is over; it
/// says how many things a request did.
pub fn run<P: Send>(phones: Vec<P>, duration: Duration, work: impl Fn(&mut P, usize) -> Option<u64> + Sync) -> Load {
    let barrier = Barrier::new(phones.len() + 1);
    let (work, barrier) = (&work, &barrier);
    std::thread::scope(|scope| {
        let threads: Vec<_> = phones
            .into_iter()
            .map(|mut phone| {
                scope.spawn(move || {
                    let mut done = Done::default();
                    barrier.wait();
                    let began = Instant::now();
                    for number in 0.. {
                        let request = Instant::now();
                        if request - began > duration {
                            break;
                        }
                        let Some(things) = work(&mut phone, number) else { break };
                        done.latencies.push(request.elapsed());
                        done.things += things;
                    }
                    done
                })
            })
            .collect();
        barrier.wait();
        let began = Instant::now();
        let mut load = Load { latencies: Vec::new(), things: 0, elapsed: Duration::ZERO };
        for thread in threads {
            let done = thread.join().unwrap();
            load.latencies.extend(done.latencies);
            load.things += done.things;
        }
        load.elapsed = began.elapsed();
        load.latencies.sort_unstable();
        load
    })
}

impl Load {
    /// Things per second.
    pub fn per_second(&self) -> f64 {
        (self.things as f64 / self.elapsed.as_secs_f64()).round()
    }

    /// How many things.
    pub fn things(&self) -> u64 {
        self.things
    }

    fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (share * last as f64).round() as usize;
        let latency = self.latencies.get(place).copied().unwrap_or_default();
        (latency.as_secs_f64() * 1e6).round() / 1e3
    }

    /// Requests, their rate and their latencies.
    pub fn requests(&self) -> Value {
        let count = self.latencies.len();
        json!({
            "count": count,
            "per_second": (count as f64 / self.elapsed.as_secs_f64() * 10.0).round() / 10.0,
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
            "seconds": (self.elapsed.as_secs_f64() * 1e3).round() / 1e3,
        })
    }
}
