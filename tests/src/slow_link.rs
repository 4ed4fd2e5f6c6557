//! A model of TCP over a slow, long, lossy link: given the sizes of real messages, when has the last byte arrived? Deterministic: one
//! seed, one outcome, no waiting.
//!
//! What is modelled: a link each way with a rate, a delay and losses by chance (a queue of bounded length before it); segments of
//! 1,400 bytes with 52 bytes of headers; the handshake with its retransmissions (RFC 6298: one second, doubling); slow start from ten
//! segments (RFC 6928), congestion avoidance; retransmission after three later segments were acknowledged (as SACK, RFC 6675, and RACK
//! do) or after a timeout computed from measured round trips; one acknowledgement a segment. What is not: middleboxes, radio
//! retransmissions beneath TCP, delayed acknowledgements. TLS 1.3 is a constant of its usual sizes. Real links are worse and better;
//! the figures compare designs, they do not promise seconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What a segment carries at most.
const SEGMENT_BYTES: u64 = 1_400;
/// IP and TCP headers with timestamps.
const HEADER_BYTES: u64 = 52;
/// Segments sent before anything was acknowledged (RFC 6928).
const INITIAL_WINDOW: f64 = 10.0;
/// Before a round trip was measured (RFC 6298).
const FIRST_TIMEOUT_US: u64 = 1_000_000;
/// The least and the most that common systems wait.
const TIMEOUTS_US: (u64, u64) = (200_000, 120_000_000);
/// A segment counts as lost when so many later ones were acknowledged.
const LATER_ACKNOWLEDGED: u64 = 3;

/// TLS 1.3, first connection: the client's greeting; the server's with two certificates; the client's end of it.
pub const TLS_HELLO_BYTES: u64 = 330;
/// See [`TLS_HELLO_BYTES`].
pub const TLS_SERVER_BYTES: u64 = 3_300;
/// See [`TLS_HELLO_BYTES`]; it travels with the request.
pub const TLS_FINISHED_BYTES: u64 = 74;

/// A link, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Bits per second.
    pub bits_per_second: u64,
    /// There and back without any queue, in microseconds.
    pub round_trip_us: u64,
    /// Of a hundred packets so many are lost.
    pub loss_percent: u64,
    /// Bytes that wait before the link at most; what comes on top is dropped.
    pub queue_bytes: u64,
}

impl Link {
    /// 20 kbit/s, 800 ms, 10 %: the edge of a cell.
    pub const EDGE: Self =
        Self { bits_per_second: 20_000, round_trip_us: 800_000, loss_percent: 10, queue_bytes: 64 * 1_024 };
}

/// splitmix64: any seed is a good one.
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn loses(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// One direction: when the last packet has left it.
#[derive(Clone, Debug, Default)]
struct Lane {
    free_at: u64,
}

impl Lane {
    /// Sends a packet at `now`; when it arrives, if it does.
    fn send(&mut self, link: &Link, chance: &mut Chance, now: u64, bytes: u64) -> Option<u64> {
        let begins = now.max(self.free_at);
        let waiting_bytes = (begins - now) * link.bits_per_second / 8_000_000;
        if waiting_bytes > link.queue_bytes {
            return None;
        }
        self.free_at = begins + bytes * 8_000_000 / link.bits_per_second;
        let arrives = self.free_at + link.round_trip_us / 2;
        (!chance.loses(link.loss_percent)).then_some(arrives)
    }
}

/// Measured round trips and what follows from them (RFC 6298).
#[derive(Clone, Debug, Default)]
struct Timer {
    smoothed: Option<(f64, f64)>,
    backoff: u32,
}

impl Timer {
    fn measured(&mut self, round_trip: u64) {
        let measured = round_trip as f64;
        self.smoothed = Some(match self.smoothed {
            None => (measured, measured / 2.0),
            Some((mean, spread)) => (0.875 * mean + 0.125 * measured, 0.75 * spread + 0.25 * (mean - measured).abs()),
        });
        self.backoff = 0;
    }

    fn timeout(&self) -> u64 {
        let base = self.smoothed.map_or(FIRST_TIMEOUT_US, |(mean, spread)| (mean + 4.0 * spread) as u64);
        base.max(TIMEOUTS_US.0).saturating_mul(1 << self.backoff.min(20)).min(TIMEOUTS_US.1)
    }
}

/// A connection over a link, with its own clock.
#[derive(Clone, Debug)]
pub struct Connection {
    link: Link,
    chance: Chance,
    /// Microseconds since the phone decided to connect.
    now: u64,
    up: Lane,
    down: Lane,
    timer: Timer,
}

impl Connection {
    /// Opens one: the three-way handshake, again and again until it is through.
    pub fn open(link: Link, seed: u64) -> Self {
        let (chance, timer) = (Chance(seed), Timer::default());
        let mut this = Self { link, chance, now: 0, up: Lane::default(), down: Lane::default(), timer };
        let began = loop {
            let sent = this.now;
            let there = this.up.send(&this.link, &mut this.chance, sent, HEADER_BYTES);
            let back = there.and_then(|at| this.down.send(&this.link, &mut this.chance, at, HEADER_BYTES));
            match back {
                Some(at) if at <= sent + this.timer.timeout() => break (sent, at),
                _ => {
                    this.now = sent + this.timer.timeout();
                    this.timer.backoff += 1;
                }
            }
        };
        this.now = began.1;
        this.timer.measured(began.1 - began.0);
        this
    }

    /// Microseconds since the beginning.
    pub fn elapsed_us(&self) -> u64 {
        self.now
    }

    /// The phone sends so many bytes; afterwards the server has them.
    pub fn send_up(&mut self, bytes: u64) {
        self.transfer(bytes, true);
    }

    /// The server sends so many bytes; afterwards the phone has them.
    pub fn send_down(&mut self, bytes: u64) {
        self.transfer(bytes, false);
    }

    fn transfer(&mut self, bytes: u64, is_up: bool) {
        // The message before is acknowledged by this one at the latest.
        self.timer.backoff = 0;
        let mut transfer = Transfer::new(bytes);
        let arrived = transfer.run(self, is_up);
        self.now = arrived;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A segment reaches the other end.
    Arrives { segment: u64, sent_at: u64 },
    /// Its acknowledgement, sent at `told_at`, is back.
    Acknowledged { segment: u64, sent_at: u64, told_at: u64 },
    /// Nothing came for too long; the number tells old timers from the present one.
    Timeout { number: u64 },
}

/// One message on its way.
#[derive(Debug)]
struct Transfer {
    segments: u64,
    last_bytes: u64,
    /// Sent and neither acknowledged nor held for lost, with how often later ones were acknowledged since.
    flying: BTreeMap<u64, u64>,
    lost: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    /// With the instant of the first arrival.
    received: BTreeMap<u64, u64>,
    next: u64,
    window: f64,
    threshold: f64,
    /// Losses among segments below this are one event of congestion.
    recovers_until: u64,
    timer_number: u64,
    events: BinaryHeap<Reverse<(u64, Event)>>,
}

impl Transfer {
    fn new(bytes: u64) -> Self {
        let segments = bytes.div_ceil(SEGMENT_BYTES).max(1);
        Self {
            segments,
            last_bytes: bytes - (segments - 1) * SEGMENT_BYTES.min(bytes),
            flying: BTreeMap::new(),
            lost: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            received: BTreeMap::new(),
            next: 0,
            window: INITIAL_WINDOW,
            threshold: f64::INFINITY,
            recovers_until: 0,
            timer_number: 0,
            events: BinaryHeap::new(),
        }
    }

    fn bytes_of(&self, segment: u64) -> u64 {
        HEADER_BYTES + if segment + 1 == self.segments { self.last_bytes } else { SEGMENT_BYTES }
    }

    fn send(&mut self, path: &mut Connection, is_up: bool, now: u64, segment: u64) {
        let bytes = self.bytes_of(segment);
        let lane = if is_up { &mut path.up } else { &mut path.down };
        if let Some(at) = lane.send(&path.link, &mut path.chance, now, bytes) {
            self.events.push(Reverse((at, Event::Arrives { segment, sent_at: now })));
        }
        self.flying.insert(segment, 0);
    }

    /// Sends what the window allows: what was lost first.
    fn fill(&mut self, path: &mut Connection, is_up: bool, now: u64) {
        while (self.flying.len() as f64) < self.window {
            if let Some(segment) = self.lost.pop_first() {
                self.send(path, is_up, now, segment);
            } else if self.next < self.segments {
                let segment = self.next;
                self.next += 1;
                self.send(path, is_up, now, segment);
            } else {
                break;
            }
        }
    }

    fn arm(&mut self, path: &Connection, now: u64) {
        self.timer_number += 1;
        // What waits before the link is not late: systems learn that from growing round trips, which a first flight has not.
        let queued = path.up.free_at.max(path.down.free_at).saturating_sub(now);
        let at = now + path.timer.timeout() + queued;
        self.events.push(Reverse((at, Event::Timeout { number: self.timer_number })));
    }

    fn congested(&mut self, segment: u64) {
        if segment >= self.recovers_until {
            self.threshold = (self.window / 2.0).max(2.0);
            self.window = self.threshold;
            self.recovers_until = self.next;
        }
    }

    fn on_acknowledged(&mut self, path: &mut Connection, now: u64, segment: u64, sent_at: Option<u64>) {
        self.lost.remove(&segment);
        self.flying.remove(&segment);
        if !self.acknowledged.insert(segment) {
            return;
        }
        // By its timestamp, also of what was sent twice (RFC 7323).
        if let Some(sent_at) = sent_at {
            path.timer.measured(now - sent_at);
        }
        if self.window < self.threshold {
            self.window += 1.0
        } else {
            self.window += 1.0 / self.window
        }
        let overtaken: Vec<u64> = self
            .flying
            .range_mut(..segment)
            .filter_map(|(earlier, later)| {
                *later += 1;
                (*later >= LATER_ACKNOWLEDGED).then_some(*earlier)
            })
            .collect();
        for earlier in overtaken {
            self.flying.remove(&earlier);
            self.lost.insert(earlier);
            self.congested(earlier);
        }
    }

    /// When the whole has arrived.
    fn run(&mut self, path: &mut Connection, is_up: bool) -> u64 {
        let now = path.now;
        self.fill(path, is_up, now);
        self.arm(path, now);
        // There is always a timer, so there is always a next event.
        while let Some(Reverse((now, event))) = self.events.pop() {
            match event {
                Event::Arrives { segment, sent_at } => {
                    self.received.entry(segment).or_insert(now);
                    if self.received.len() as u64 == self.segments {
                        return now;
                    }
                    let lane = if is_up { &mut path.down } else { &mut path.up };
                    if let Some(at) = lane.send(&path.link, &mut path.chance, now, HEADER_BYTES) {
                        self.events.push(Reverse((at, Event::Acknowledged { segment, sent_at, told_at: now })));
                    }
                }
                Event::Acknowledged { segment, sent_at, told_at } => {
                    // An acknowledgement tells of all that has arrived, so that a lost one costs nothing once another comes.
                    let is_told = |(other, at): (&u64, &u64)| {
                        (*at <= told_at && *other != segment && !self.acknowledged.contains(other)).then_some(*other)
                    };
                    let told: Vec<u64> = self.received.iter().filter_map(is_told).collect();
                    for other in told {
                        self.on_acknowledged(path, now, other, None);
                    }
                    self.on_acknowledged(path, now, segment, Some(sent_at));
                    self.fill(path, is_up, now);
                    self.arm(path, now);
                }
                Event::Timeout { number } if number == self.timer_number => {
                    path.timer.backoff += 1;
                    self.threshold = (self.window / 2.0).max(2.0);
                    self.window = 1.0;
                    self.recovers_until = self.next;
                    let flying = std::mem::take(&mut self.flying);
                    self.lost.extend(flying.into_keys());
                    self.fill(path, is_up, now);
                    self.arm(path, now);
                }
                Event::Timeout { .. } => {}
            }
        }
        path.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Link = Link { loss_percent: 0, ..Link::EDGE };

    fn fetch(link: Link, seed: u64, bytes: u64) -> u64 {
        let mut connection = Connection::open(link, seed);
        connection.send_up(300);
        connection.send_down(bytes);
        connection.elapsed_us()
    }

    #[test]
    fn without_losses_it_is_round_trips_and_bytes() {
        // Handshake: 52 bytes each way; then 352 bytes up and 52 + 1,000 down: two round trips and the time on the wire.
        let wire = |bytes: u64| bytes * 8_000_000 / 20_000;
        assert_eq!(fetch(CLEAN, 1, 1_000), 1_600_000 + wire(52 + 52 + 352 + 1_052));
        // Fifty kilobytes take twenty seconds at this rate, and the window never leaves the link idle for long.
        let (long, least) = (fetch(CLEAN, 1, 50_000), 1_600_000 + wire(50_000));
        assert!(long > least && long < least + 3_000_000, "{long} {least}");
    }

    #[test]
    fn one_seed_is_one_outcome_and_losses_cost() {
        let outcomes: Vec<u64> = (0..50).map(|seed| fetch(Link::EDGE, seed, 20_000)).collect();
        assert_eq!(outcomes, (0..50).map(|seed| fetch(Link::EDGE, seed, 20_000)).collect::<Vec<_>>());
        let clean = fetch(CLEAN, 0, 20_000);
        assert!(outcomes.iter().all(|outcome| *outcome >= clean), "{outcomes:?} {clean}");
        assert!(outcomes.iter().collect::<BTreeSet<_>>().len() > 25);
        // It ends on a link that loses nine of ten packets, too.
        assert!(fetch(Link { loss_percent: 90, ..Link::EDGE }, 7, 5_000) > clean);
    }
}
