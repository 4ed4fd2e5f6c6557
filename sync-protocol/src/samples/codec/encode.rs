//! Samples to symbols, column by column, in the order in which `decode` reads them.
//!
//! What does not belong here: what becomes of the symbols (`rans`).

use super::contexts::{self, *};
use super::plan::*;
use super::rans::Sink;
use crate::samples::columns::{ABSENT_16, ABSENT_32, SampleColumns};
use crate::samples::sample::{Cell, Position, Technology};

/// A sample's time class and flags.
struct Head {
    class: usize,
    flags: usize,
    step_ms: i64,
}

/// Writes all columns to `sink`. There must be at least one sample.
pub fn encode(columns: &SampleColumns, sink: &mut impl Sink) {
    let is_half = |column: &[i16]| column.iter().any(|&value| value != ABSENT_16 && value & 1 != 0);
    let half_quality = is_half(&columns.quality_half_db);
    let half_sinr = is_half(&columns.sinr_half_db);
    let is_fine = is_fine_round_trip(&columns.rtt_tenth_ms);
    sink.group(HEAD);
    for flag in [half_quality, half_sinr, is_fine] {
        sink.bits(1, flag.into());
    }
    let heads = heads(columns);
    let mut before = 0;
    for (index, head) in heads.iter().enumerate() {
        let symbol = columns.technology[index] as usize * 4 + head.class;
        sink.symbol(HEAD + before, symbol);
        before = symbol;
    }
    times(columns, &heads, sink);
    sink.group(FLAGS);
    let mut throughput = 0;
    for head in heads.iter().filter(|head| head.class >= STEP_CODED) {
        sink.symbol(FLAGS + contexts::gap(head.step_ms) * 2 + throughput, head.flags);
        throughput = usize::from(head.flags & CHANGED_THROUGHPUT != 0);
    }
    let changed =
        |flag: usize| heads.iter().enumerate().filter(move |(_, head)| head.flags & flag != 0).map(|(index, _)| index);
    positions(columns, changed(CHANGED_POSITION), sink);
    round_trips(columns, changed(CHANGED_ROUND_TRIP), is_fine, sink);
    cells(columns, changed(CHANGED_CELL), sink);
    throughputs(columns, changed(CHANGED_THROUGHPUT), sink);
    radios(columns, &heads, [1, 2 - i32::from(half_quality), 2 - i32::from(half_sinr)], sink);
}

fn position_at(columns: &SampleColumns, index: usize) -> Option<Position> {
    columns.positions.get(columns.position[index] as usize).copied()
}

fn cell_at(columns: &SampleColumns, index: usize) -> Cell {
    columns.cells[columns.cell[index] as usize].1
}

/// Finds what changed from sample to sample, and which samples merely follow the one before.
fn heads(columns: &SampleColumns) -> Vec<Head> {
    let mut heads = Vec::with_capacity(columns.len());
    let mut position = None;
    let mut round_trip = ABSENT_32;
    let mut throughput = (ABSENT_32, ABSENT_32);
    let mut cell = [Cell::default(); Technology::ALL.len()];
    let (mut time, mut coded_step) = (0, 0);
    for index in 0..columns.len() {
        let technology = columns.technology[index] as usize;
        let mut flags = 0;
        let mut note = |changed: bool, flag| flags |= if changed { flag } else { 0 };
        let new_position = position_at(columns, index);
        let new_throughput = (columns.downlink_kbps[index], columns.uplink_kbps[index]);
        let new_cell = cell_at(columns, index);
        note(new_position != position, CHANGED_POSITION);
        note(columns.rtt_tenth_ms[index] != round_trip, CHANGED_ROUND_TRIP);
        note(new_cell != cell[technology], CHANGED_CELL);
        note(new_throughput != throughput, CHANGED_THROUGHPUT);
        (position, round_trip, throughput) = (new_position, columns.rtt_tenth_ms[index], new_throughput);
        cell[technology] = new_cell;
        let step_ms = if index == 0 { 0 } else { columns.captured_at_ms[index] - time };
        let class = match step_ms {
            _ if index == 0 => STEP_CODED,
            0 if flags == 0 => STEP_SAME,
            1 if flags == 0 => STEP_NEXT,
            step if step == coded_step => STEP_REPEATED,
            _ => STEP_CODED,
        };
        if class >= STEP_CODED {
            coded_step = step_ms;
        }
        time = columns.captured_at_ms[index];
        heads.push(Head { class, flags, step_ms });
    }
    heads
}

fn times(columns: &SampleColumns, heads: &[Head], sink: &mut impl Sink) {
    sink.group(STEP);
    let first = columns.captured_at_ms[0];
    sink.long_bits(INSTANT_BITS, (first - INSTANT_BASE) as u64);
    let mut instants = Instants::new(first);
    let (mut kind, mut coded_step) = (0, 0);
    for (index, head) in heads.iter().enumerate().skip(1) {
        let time = columns.captured_at_ms[index];
        if head.class == STEP_CODED {
            let before = columns.captured_at_ms[index - 1];
            let anchor = instants.choose(time, head.step_ms, coded_step);
            sink.group(ANCHOR);
            sink.symbol(ANCHOR + kind, anchor);
            kind = anchor_kind(anchor);
            if anchor == ANCHOR_NONE {
                sink.group(STEP);
                sink.number(STEP, STEP + 1, zigzag(head.step_ms));
            } else {
                let residue =
                    if anchor == ANCHOR_REPEAT { head.step_ms - coded_step } else { instants.residue(anchor, time) };
                sink.group(RESIDUE);
                sink.symbol(RESIDUE + kind, (residue - RESIDUE_MIN) as usize);
                if anchor != ANCHOR_REPEAT {
                    let (from, period) = instants.anchor(anchor);
                    let periods = (time - residue - from) / period - periods_passed(before, from, period);
                    sink.group(PERIODS);
                    let context = PERIODS + usize::from(anchor >= ANCHORS_SECOND);
                    sink.number(context, PERIODS + 2, periods as u64);
                }
            }
        }
        if head.class >= STEP_CODED {
            instants.push(time);
            coded_step = head.step_ms;
        }
    }
}

fn positions(columns: &SampleColumns, changed: impl Iterator<Item = usize>, sink: &mut impl Sink) {
    let mut last = Position { latitude_e6: 0, longitude_e6: 0, accuracy_m: None, is_mock: false };
    let (mut signs_before, mut distance) = (0, 0u32);
    for index in changed {
        sink.group(MOVE);
        let Some(position) = position_at(columns, index) else {
            sink.symbol(MOVE + signs_before, MOVE_GONE);
            continue;
        };
        let latitude = i64::from(position.latitude_e6) - i64::from(last.latitude_e6);
        let longitude = i64::from(position.longitude_e6) - i64::from(last.longitude_e6);
        let signs = usize::from(latitude < 0) + 2 * usize::from(longitude < 0);
        let accuracy = accuracy_number(position.accuracy_m) - accuracy_number(last.accuracy_m);
        match (accuracy != 0, position.is_mock != last.is_mock) {
            (false, false) => sink.symbol(MOVE + signs_before, signs),
            (true, false) => sink.symbol(MOVE + signs_before, MOVE_ACCURACY + signs),
            (false, true) => sink.symbol(MOVE + signs_before, MOVE_MOCK + signs),
            (true, true) => {
                sink.symbol(MOVE + signs_before, MOVE_BOTH);
                sink.bits(2, signs as u32);
            }
        }
        signs_before = signs;
        let (latitude, longitude) = (latitude.unsigned_abs() as u32, longitude.unsigned_abs() as u32);
        sink.group(LATITUDE);
        sink.number(LATITUDE + contexts::magnitude(distance, 7), LATITUDE + 8, latitude.into());
        sink.group(LONGITUDE);
        sink.number(LONGITUDE + contexts::magnitude(latitude, 8), LONGITUDE + 9, longitude.into());
        distance = (distance + latitude + longitude) / 2;
        if accuracy != 0 {
            sink.group(ACCURACY);
            sink.number(ACCURACY, ACCURACY + 1, zigzag(accuracy) - 1);
        }
        last = position;
    }
}

fn round_trips(columns: &SampleColumns, changed: impl Iterator<Item = usize>, is_fine: bool, sink: &mut impl Sink) {
    sink.group(ROUND_TRIP);
    let mut trips = RoundTrips::new();
    for index in changed {
        let context = ROUND_TRIP + contexts::magnitude(trips.distance(), 7);
        let rtt = columns.rtt_tenth_ms[index];
        if rtt == ABSENT_32 {
            sink.number(context, ROUND_TRIP + 8, 0);
            continue;
        }
        let scaled = round_trip_scale(rtt, is_fine);
        let off = scaled - trips.mean();
        sink.number(context, ROUND_TRIP + 8, off.unsigned_abs() + 1);
        if off != 0 {
            sink.bits(1, u32::from(off < 0));
        }
        trips.push(scaled);
    }
}

fn cells(columns: &SampleColumns, changed: impl Iterator<Item = usize>, sink: &mut impl Sink) {
    sink.group(CELL);
    let mut recent = Technology::ALL.map(|_| RecentCells::new());
    let mut last = [Cell::default(); Technology::ALL.len()];
    // A technology's first samples may be of the unknown cell, which is entered without a symbol.
    let mut entered = [false; Technology::ALL.len()];
    let mut seen = 0;
    for index in changed {
        for at in seen..index {
            let technology = columns.technology[at] as usize;
            if !std::mem::replace(&mut entered[technology], true) {
                recent[technology].push(columns.cell[at]);
            }
        }
        seen = index + 1;
        let technology = columns.technology[index];
        let slot = technology as usize;
        entered[slot] = true;
        let cell = cell_at(columns, index);
        let known =
            (1..CELL_NEW).find(|&age| recent[slot].get(age).is_some_and(|at| columns.cells[at as usize].1 == cell));
        if let Some(age) = known {
            sink.symbol(CELL + slot, age);
            recent[slot].take(age);
        } else {
            sink.symbol(CELL + slot, CELL_NEW);
            cell_fields(technology, &cell, &last[slot], sink);
            recent[slot].push(columns.cell[index]);
        }
        last[slot] = cell;
    }
}

fn cell_fields(technology: Technology, cell: &Cell, last: &Cell, sink: &mut impl Sink) {
    let fields = cell_numbers(cell).into_iter().zip(cell_numbers(last)).zip(cell_field_bits(technology));
    for (field, ((value, last), bits)) in fields.enumerate() {
        let context = CELL_FIELD + technology as usize * 4 + field;
        match value {
            _ if value == last => sink.symbol(context, FIELD_SAME),
            None => sink.symbol(context, FIELD_ABSENT),
            Some(value) if field == 0 && is_sector(Some(value), last) => {
                sink.symbol(context, FIELD_SECTOR);
                sink.bits(8, value as u32 & 0xFF);
            }
            Some(value) => {
                sink.symbol(context, FIELD_NEW);
                sink.long_bits(bits, value);
            }
        }
    }
}

fn throughputs(columns: &SampleColumns, changed: impl Iterator<Item = usize>, sink: &mut impl Sink) {
    sink.group(KILOBITS);
    let mut last = [ABSENT_32; 2];
    let mut size = [0; 2];
    let mut kind = 0;
    for index in changed {
        let new = [columns.downlink_kbps[index], columns.uplink_kbps[index]];
        let [down, up] = [0, 1].map(|way| match new[way] {
            value if value == last[way] => 0,
            ABSENT_32 => 1,
            _ => 2,
        });
        sink.symbol(THROUGHPUT + kind, down * 3 + up);
        kind = down * 3 + up;
        for (way, what) in [down, up].into_iter().enumerate() {
            if what == 2 {
                let context = KILOBITS + way * 8 + contexts::magnitude(size[way], 7);
                sink.number(context, KILOBITS + 16, new[way].into());
                size[way] = new[way];
            }
        }
        last = new;
    }
}

fn radios(columns: &SampleColumns, heads: &[Head], units: [i32; 3], sink: &mut impl Sink) {
    let mut values = Technology::ALL.map(|_| radio_start());
    let mut unchanged = [false; Technology::ALL.len()];
    let mut level_before = [0; Technology::ALL.len()];
    let mut unchanged_before = false;
    for (index, head) in heads.iter().enumerate() {
        let technology = columns.technology[index] as usize;
        let new = [columns.level_dbm[index], columns.quality_half_db[index], columns.sinr_half_db[index]];
        let [level, quality, sinr] = [0, 1, 2].map(|which| {
            let RadioValue { now, known } = values[technology][which];
            if new[which] == now {
                Change::None
            } else if new[which] == ABSENT_16 {
                Change::Gone
            } else {
                let change = (i32::from(new[which]) - i32::from(known)) / units[which];
                if now == ABSENT_16 { Change::Back(change) } else { Change::By(change) }
            }
        });
        let level_kind = match level {
            Change::None => 0,
            Change::By(1) => 1,
            Change::By(-1) => 2,
            _ => 3,
        };
        let symbol = level_kind * 4 + 2 * usize::from(quality != Change::None) + usize::from(sinr != Change::None);
        let follows = head.class < STEP_CODED;
        let context = contexts::radio(follows, unchanged_before, head.step_ms, unchanged[technology]);
        sink.group(RADIO);
        sink.symbol(RADIO + technology * 8 + context, symbol);
        let level_class = contexts::level_class(level.by());
        let quality_class = contexts::sign_class(quality.by());
        if level_kind == 3 {
            sink.group(LEVEL);
            let context = LEVEL + technology * 3 + contexts::size_class(level_before[technology]);
            radio_change(level, context, 0, 3, sink);
        }
        if quality != Change::None {
            sink.group(QUALITY);
            radio_change(quality, QUALITY + technology * 5 + level_class, 1, 1, sink);
        }
        if sinr != Change::None {
            sink.group(SINR);
            radio_change(sinr, SINR + technology * 15 + level_class * 3 + quality_class, 2, 1, sink);
        }
        for (value, new) in values[technology].iter_mut().zip(new) {
            value.now = new;
            if new != ABSENT_16 {
                value.known = new;
            }
        }
        unchanged_before = symbol == 0;
        unchanged[technology] = symbol == 0;
        level_before[technology] = level.by();
    }
}

/// What became of a radio value.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    Gone,
    By(i32),
    Back(i32),
}

impl Change {
    /// By how much it changed; losing or finding it counts as none.
    fn by(self) -> i32 {
        if let Self::By(change) = self { change } else { 0 }
    }
}

/// `smallest` is the zigzag number of the smallest change that is told here.
fn radio_change(change: Change, context: usize, which: usize, smallest: u64, sink: &mut impl Sink) {
    match change {
        Change::None => {}
        Change::Gone => sink.symbol(context, RADIO_GONE),
        Change::Back(change) => sink.number(RADIO_NUMBER + 3 + which, RADIO_NUMBER + 6, zigzag(change.into())),
        Change::By(change) => {
            let number = zigzag(change.into()) - smallest;
            if number < RADIO_LONG as u64 {
                sink.symbol(context, number as usize);
            } else {
                sink.symbol(context, RADIO_LONG);
                sink.number(RADIO_NUMBER + which, RADIO_NUMBER + 6, number - RADIO_LONG as u64);
            }
        }
    }
}
