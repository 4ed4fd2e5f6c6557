//! The arithmetic that encoder and decoder share: how values are predicted, scaled and packed into numbers.
//!
//! What does not belong here: reading or writing symbols (`encode`, `decode`, `rans`).

use crate::samples::columns::ABSENT_32;
use crate::samples::sample::{CAPTURED_AT_MS_MIN, Cell, Technology};

/// Bits that hold every allowed instant, counted from [`CAPTURED_AT_MS_MIN`].
pub const INSTANT_BITS: u32 = 42;
/// The instant that instants are counted from.
pub const INSTANT_BASE: i64 = CAPTURED_AT_MS_MIN;

/// Time step of a sample that follows within the same millisecond, nothing but radio values having changed.
pub const STEP_SAME: usize = 0;
/// The same a millisecond later.
pub const STEP_NEXT: usize = 1;
/// The instant is coded.
pub const STEP_CODED: usize = 2;
/// The time step is that of the last sample whose step was coded or repeated.
pub const STEP_REPEATED: usize = 3;

/// So many earlier instants are tried for a step of whole seconds …
pub const ANCHORS_SECOND: usize = 9;
/// … and so many for the modem's own reporting period.
pub const ANCHORS_MODEM: usize = 5;
/// The choice "about as long as the last coded step".
pub const ANCHOR_REPEAT: usize = ANCHORS_SECOND + ANCHORS_MODEM;
/// The choice "in step with nothing".
pub const ANCHOR_NONE: usize = 15;
/// Periodic reports of phones come in step with whole seconds …
pub const PERIOD_SECOND_MS: i64 = 1000;
/// … or with this period of common modems.
pub const PERIOD_MODEM_MS: i64 = 2240;
/// An instant is in step if it is off by at most this much early …
pub const RESIDUE_MIN: i64 = -7;
/// … or this much late.
pub const RESIDUE_MAX: i64 = 8;

/// The coded instants of late, from which the next is told.
pub struct Instants {
    ring: [i64; 16],
    head: usize,
}

impl Instants {
    /// All of them the first sample's.
    pub fn new(first: i64) -> Self {
        Self { ring: [first; 16], head: 0 }
    }

    /// The instant and the period that an anchor below [`ANCHOR_REPEAT`] means.
    #[inline(always)]
    pub fn anchor(&self, anchor: usize) -> (i64, i64) {
        let (age, period) = if anchor < ANCHORS_SECOND {
            (anchor, PERIOD_SECOND_MS)
        } else {
            (anchor - ANCHORS_SECOND, PERIOD_MODEM_MS)
        };
        (self.ring[self.head.wrapping_sub(age) & 15], period)
    }

    /// By how many milliseconds an instant is later than the anchor's last step that is not more than a little after it.
    #[inline(always)]
    pub fn residue(&self, anchor: usize, time: i64) -> i64 {
        let (from, period) = self.anchor(anchor);
        (time - from - RESIDUE_MIN).rem_euclid(period) + RESIDUE_MIN
    }

    /// What an instant is told by: the first that fits. The decoder refuses any other choice.
    pub fn choose(&self, time: i64, step_ms: i64, coded_step: i64) -> usize {
        let near = |residue| (RESIDUE_MIN..=RESIDUE_MAX).contains(&residue);
        let in_step = (0..ANCHOR_REPEAT).find(|&anchor| near(self.residue(anchor, time)));
        match in_step {
            Some(anchor) if step_ms >= 0 => anchor,
            _ if near(step_ms - coded_step) => ANCHOR_REPEAT,
            _ => ANCHOR_NONE,
        }
    }

    /// Adds one.
    #[inline(always)]
    pub fn push(&mut self, at_ms: i64) {
        self.head = (self.head + 1) & 15;
        self.ring[self.head] = at_ms;
    }
}

/// The number of whole periods from an anchor to the instant before the first that could come after `before`.
#[inline(always)]
pub fn periods_passed(before: i64, anchor: i64, period: i64) -> i64 {
    before.wrapping_sub(anchor).wrapping_sub(RESIDUE_MAX).div_euclid(period)
}

/// The kind of the last choice of anchor, as a context.
#[inline(always)]
pub fn anchor_kind(anchor: usize) -> usize {
    match anchor {
        0 => 0,
        1..ANCHORS_SECOND => 1,
        ANCHORS_SECOND..ANCHOR_REPEAT => 2,
        _ => 3,
    }
}

/// A signed number as an unsigned one, small sizes first: 0, −1, 1, −2, 2 …
#[inline(always)]
pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// Undoes [`zigzag`].
#[inline(always)]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Round-trip times as `ping` prints them, three digits: from 100 ms on in whole milliseconds.
#[inline(always)]
pub fn round_trip_scale(tenth_ms: u32, is_fine: bool) -> i64 {
    if is_fine || tenth_ms < 1000 { i64::from(tenth_ms) } else { 1000 + (i64::from(tenth_ms) - 1000) / 10 }
}

/// Undoes [`round_trip_scale`].
#[inline(always)]
pub fn round_trip_unscale(scaled: i64, is_fine: bool) -> i64 {
    if is_fine || scaled < 1000 { scaled } else { scaled.wrapping_sub(1000).wrapping_mul(10).wrapping_add(1000) }
}

/// A running mean of scaled round-trip times and of their distances from it.
pub struct RoundTrips {
    mean_16: i64,
    distance: u32,
    any: bool,
}

impl RoundTrips {
    /// Fifty milliseconds, until the first is seen.
    pub fn new() -> Self {
        Self { mean_16: 500 * 16, distance: 64, any: false }
    }

    /// What the next is measured from.
    #[inline(always)]
    pub fn mean(&self) -> i64 {
        self.mean_16 >> 4
    }

    /// How far recent ones were from it.
    #[inline(always)]
    pub fn distance(&self) -> u32 {
        self.distance
    }

    /// Takes the next one in.
    #[inline(always)]
    pub fn push(&mut self, scaled: i64) {
        if self.any {
            let off = (scaled - self.mean()).unsigned_abs() as u32;
            self.distance = (self.distance + off) / 2;
            self.mean_16 += (scaled * 16 - self.mean_16) >> 2;
        } else {
            self.mean_16 = scaled * 16;
            self.any = true;
        }
    }
}

/// An accuracy with absence as a number: 0 is absent, else one more than the metres.
pub fn accuracy_number(accuracy_m: Option<u16>) -> i64 {
    accuracy_m.map_or(0, |metres| i64::from(metres) + 1)
}

/// Bits that hold every allowed value of a cell's four fields.
pub fn cell_field_bits(technology: Technology) -> [u32; 4] {
    let limits = technology.limits();
    [
        limits.cell_identity_max.ilog2() + 1,
        u32::from(limits.physical_cell_id_max).ilog2() + 1,
        limits.area_code_max.ilog2() + 1,
        limits.channel_max.ilog2() + 1,
    ]
}

/// What became of a cell's field since the cell before: the same …
pub const FIELD_SAME: usize = 0;
/// … gone …
pub const FIELD_ABSENT: usize = 1;
/// … another value …
pub const FIELD_NEW: usize = 2;
/// … or, of the cell identity only, another sector (low eight bits) of the same site.
pub const FIELD_SECTOR: usize = 3;
/// Whether two cell identities are of the same site: equal but for the low eight bits.
pub fn is_sector(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one >> 8 == other >> 8)
}

/// The symbol for a cell that is not among the recent ones.
pub const CELL_NEW: usize = 15;

/// The cells that a technology used last, newest first.
pub struct RecentCells {
    cells: [u32; CELL_NEW],
}

impl RecentCells {
    /// None yet.
    pub fn new() -> Self {
        Self { cells: [ABSENT_32; CELL_NEW] }
    }

    /// The serving cell's index, or [`ABSENT_32`] as long as there is none.
    #[inline(always)]
    pub fn current(&self) -> u32 {
        self.cells[0]
    }

    /// The cell used `age` cells ago.
    pub fn get(&self, age: usize) -> Option<u32> {
        self.cells.get(age).copied().filter(|&cell| cell != ABSENT_32)
    }

    /// Moves the cell of that age to the front.
    pub fn take(&mut self, age: usize) {
        self.cells[..=age].rotate_right(1);
    }

    /// A new cell comes to the front; the oldest is forgotten.
    pub fn push(&mut self, cell: u32) {
        self.cells.rotate_right(1);
        self.cells[0] = cell;
    }
}

/// Level, quality or SINR of one technology: what the next is measured from.
#[derive(Clone, Copy)]
pub struct RadioValue {
    /// The last value, absent or not.
    pub now: i16,
    /// The last present value.
    pub known: i16,
}

/// Level, quality and SINR before any is known: middling values.
pub fn radio_start() -> [RadioValue; 3] {
    use crate::samples::columns::ABSENT_16;
    [-95, -20, 10].map(|known| RadioValue { now: ABSENT_16, known })
}

/// The symbol for a radio value that is gone.
pub const RADIO_GONE: usize = 15;
/// The symbol for a change too long for a symbol.
pub const RADIO_LONG: usize = 14;

/// What changed besides radio values: the bits of the flags. The position …
pub const CHANGED_POSITION: usize = 1;
/// … the round-trip time …
pub const CHANGED_ROUND_TRIP: usize = 2;
/// … the serving cell of the sample's technology …
pub const CHANGED_CELL: usize = 4;
/// … or one of the throughputs.
pub const CHANGED_THROUGHPUT: usize = 8;

/// Symbols of a move are its two signs; from here on with them: the accuracy changed too.
pub const MOVE_ACCURACY: usize = 4;
/// There is no position any more.
pub const MOVE_GONE: usize = 8;
/// From here on: whether the provider is a mock changed too.
pub const MOVE_MOCK: usize = 9;
/// Both changed; the signs follow as two plain bits.
pub const MOVE_BOTH: usize = 13;

/// A cell's four fields as numbers.
pub fn cell_numbers(cell: &Cell) -> [Option<u64>; 4] {
    [
        cell.cell_identity,
        cell.physical_cell_id.map(u64::from),
        cell.area_code.map(u64::from),
        cell.channel.map(u64::from),
    ]
}

/// Whether a round-trip time from 100 ms on is not in whole milliseconds, so that none of the block is scaled.
pub fn is_fine_round_trip(rtt_tenth_ms: &[u32]) -> bool {
    rtt_tenth_ms.iter().any(|&rtt| rtt != ABSENT_32 && rtt > 1000 && !rtt.is_multiple_of(10))
}
