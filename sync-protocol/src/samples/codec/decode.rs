//! Symbols to samples, column by column, in the order in which `encode` writes them, every value checked as it appears.
//!
//! What does not belong here: where the symbols come from (`rans`).

use super::CodecError;
use super::contexts::{self, *};
use super::plan::*;
use super::rans::{Decoder, INITIAL};
use crate::samples::columns::{ABSENT_16, ABSENT_32, SampleColumns};
use crate::samples::sample::{
    CAPTURED_AT_MS_MAX, CAPTURED_AT_MS_MIN, Cell, Limits, OutOfRange, Position, RTT_TENTH_MS_MAX, SampleField,
    THROUGHPUT_KBPS_MAX, Technology,
};

/// Reads `count` samples (at least one) from `bytes` in place of what `columns` held. On an error they hold no valid samples.
pub fn decode(bytes: &[u8], count: usize, columns: &mut SampleColumns) -> Result<(), CodecError> {
    let mut models = INITIAL;
    let mut decoder = Decoder::new(bytes, &mut models)?;
    let half_quality = decoder.bits(1) == 1;
    let half_sinr = decoder.bits(1) == 1;
    let is_fine = decoder.bits(1) == 1;
    columns.prepare(count);
    let decoder = heads(decoder, columns)?;
    let decoder = times(decoder, columns)?;
    let decoder = flags(decoder, columns)?;
    let decoder = positions(decoder, columns)?;
    let decoder = round_trips(decoder, columns, is_fine)?;
    let decoder = cells(decoder, columns)?;
    let decoder = throughputs(decoder, columns)?;
    let decoder = radios(decoder, columns, [1, 2 - i32::from(half_quality), 2 - i32::from(half_sinr)])?;
    decoder.finish()?;
    let any_half = |column: &[i16]| column.iter().any(|&value| value != ABSENT_16 && value & 1 != 0);
    if half_quality && !any_half(&columns.quality_half_db)
        || half_sinr && !any_half(&columns.sinr_half_db)
        || is_fine && !is_fine_round_trip(&columns.rtt_tenth_ms)
    {
        return Err(CodecError::NotCanonical);
    }
    Ok(())
}

/// The class of a sample's time step, as [`heads`] left it in the scratch column.
const CLASS: u8 = 3;
/// What changed with a sample stands above its class in the scratch column.
const FLAG_SHIFT: u32 = 2;

fn has(scratch: u8, flag: usize) -> bool {
    usize::from(scratch >> FLAG_SHIFT) & flag != 0
}

#[cold]
fn out_of_range(index: usize, field: SampleField, value: i64, minimum: i64, maximum: i64) -> CodecError {
    CodecError::OutOfRange { index: index as u32, error: OutOfRange { field, value, minimum, maximum } }
}

#[inline(never)]
fn heads<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let mut before = 0;
    for (technology, scratch) in columns.technology.iter_mut().zip(&mut columns.scratch) {
        before = decoder.symbol(HEAD + before);
        *technology = Technology::ALL[before >> 2];
        *scratch = before as u8 & CLASS;
    }
    if usize::from(columns.scratch[0]) != STEP_CODED {
        return Err(CodecError::NotCanonical);
    }
    decoder.check()
}

#[inline(never)]
fn times<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let first = INSTANT_BASE + decoder.long_bits(INSTANT_BITS) as i64;
    let mut instants = Instants::new(first);
    let (mut kind, mut coded_step) = (0, 0);
    let mut before = first;
    for (index, (time, &scratch)) in columns.captured_at_ms.iter_mut().zip(&columns.scratch).enumerate() {
        let class = usize::from(scratch);
        let mut chosen = None;
        let step = match class {
            _ if index == 0 => 0,
            STEP_CODED => {
                let anchor = decoder.symbol(ANCHOR + kind);
                kind = anchor_kind(anchor);
                let step = if anchor == ANCHOR_NONE {
                    unzigzag(decoder.number(STEP, STEP + 1))
                } else {
                    let residue = decoder.symbol(RESIDUE + kind) as i64 + RESIDUE_MIN;
                    if anchor == ANCHOR_REPEAT {
                        coded_step + residue
                    } else {
                        let context = PERIODS + usize::from(anchor >= ANCHORS_SECOND);
                        // Anything near the cap is far out of range; beyond it, numbers would wrap around to it.
                        let more = decoder.number(context, PERIODS + 2).min(1 << 42) as i64;
                        let (from, period) = instants.anchor(anchor);
                        let periods = periods_passed(before, from, period).wrapping_add(more);
                        from.wrapping_add(residue).wrapping_add(period.wrapping_mul(periods)).wrapping_sub(before)
                    }
                };
                chosen = Some(anchor);
                step
            }
            STEP_REPEATED => coded_step,
            pair => pair as i64,
        };
        let now = before.wrapping_add(step);
        if !(CAPTURED_AT_MS_MIN..=CAPTURED_AT_MS_MAX).contains(&now) {
            return Err(out_of_range(index, SampleField::CapturedAt, now, CAPTURED_AT_MS_MIN, CAPTURED_AT_MS_MAX));
        }
        if chosen.is_some_and(|chosen| step == coded_step || chosen != instants.choose(now, step, coded_step)) {
            return Err(CodecError::NotCanonical);
        }
        *time = now;
        before = now;
        if class >= STEP_CODED && index > 0 {
            coded_step = step;
            instants.push(now);
        }
    }
    decoder.check()
}

#[inline(never)]
fn flags<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let mut throughput = 0;
    let mut before = columns.captured_at_ms[0];
    let mut canonical = true;
    for (&time, scratch) in columns.captured_at_ms.iter().zip(&mut columns.scratch) {
        if usize::from(*scratch) >= STEP_CODED {
            let step = time - before;
            let flags = decoder.symbol(FLAGS + contexts::gap(step) * 2 + throughput);
            throughput = usize::from(flags & CHANGED_THROUGHPUT != 0);
            *scratch |= (flags << FLAG_SHIFT) as u8;
            canonical &= flags != 0 || !(0..=1).contains(&step);
        }
        before = time;
    }
    // The first sample is coded whatever it holds.
    if !canonical {
        check_followers(columns)?;
    }
    decoder.check()
}

/// A sample after the first that merely follows the one before must say so.
#[cold]
fn check_followers(columns: &SampleColumns) -> Result<(), CodecError> {
    let steps = columns.captured_at_ms.windows(2).map(|pair| pair[1] - pair[0]);
    let wrong = steps.zip(&columns.scratch[1..]).any(|(step, &scratch)| {
        usize::from(scratch & CLASS) >= STEP_CODED && scratch >> FLAG_SHIFT == 0 && (0..=1).contains(&step)
    });
    if wrong { Err(CodecError::NotCanonical) } else { Ok(()) }
}

#[inline(never)]
fn positions<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let mut last = Position { latitude_e6: 0, longitude_e6: 0, accuracy_m: None, is_mock: false };
    let mut now = ABSENT_32;
    let (mut signs, mut distance) = (0, 0u32);
    for (index, (position, &scratch)) in columns.position.iter_mut().zip(&columns.scratch).enumerate() {
        if has(scratch, CHANGED_POSITION) {
            let symbol = decoder.symbol(MOVE + signs);
            if symbol == MOVE_GONE {
                if now == ABSENT_32 {
                    return Err(CodecError::NotCanonical);
                }
                now = ABSENT_32;
            } else {
                let (new_signs, accuracy_changed, mock_changed) = match symbol {
                    _ if symbol < MOVE_ACCURACY => (symbol, false, false),
                    _ if symbol < MOVE_GONE => (symbol - MOVE_ACCURACY, true, false),
                    _ if symbol < MOVE_BOTH => (symbol - MOVE_MOCK, false, true),
                    MOVE_BOTH => (decoder.bits(2) as usize, true, true),
                    _ => return Err(CodecError::NotCanonical),
                };
                signs = new_signs;
                let latitude = decoder.number(LATITUDE + contexts::magnitude(distance, 7), LATITUDE + 8);
                let size = u32::try_from(latitude).unwrap_or(u32::MAX);
                let longitude = decoder.number(LONGITUDE + contexts::magnitude(size, 8), LONGITUDE + 9);
                let is_wrong_zero = latitude == 0 && signs & 1 != 0 || longitude == 0 && signs & 2 != 0;
                let is_same = latitude == 0 && longitude == 0 && !accuracy_changed && !mock_changed;
                if is_wrong_zero || is_same && now != ABSENT_32 {
                    return Err(CodecError::NotCanonical);
                }
                use SampleField as F;
                let latitude_e6 = moved(last.latitude_e6, latitude, signs & 1 != 0, index, F::Latitude, 90_000_000)?;
                let longitude_e6 =
                    moved(last.longitude_e6, longitude, signs & 2 != 0, index, F::Longitude, 180_000_000)?;
                distance = (distance + latitude as u32 + longitude as u32) / 2;
                let mut accuracy_m = last.accuracy_m;
                if accuracy_changed {
                    accuracy_m = accuracy(&mut decoder, accuracy_m, index)?;
                }
                last = Position { latitude_e6, longitude_e6, accuracy_m, is_mock: last.is_mock ^ mock_changed };
                if columns.positions.last() != Some(&last) {
                    columns.positions.push(last);
                }
                now = columns.positions.len() as u32 - 1;
            }
        }
        *position = now;
    }
    decoder.check()
}

/// A coordinate moved by a distance, if it stays within its limit.
#[inline(always)]
fn moved(
    last: i32,
    by: u64,
    is_negative: bool,
    index: usize,
    field: SampleField,
    limit: i64,
) -> Result<i32, CodecError> {
    let by = by.min(1 << 40) as i64;
    let value = i64::from(last) + if is_negative { -by } else { by };
    if (-limit..=limit).contains(&value) {
        Ok(value as i32)
    } else {
        Err(out_of_range(index, field, value, -limit, limit))
    }
}

#[inline(always)]
fn accuracy(decoder: &mut Decoder<'_>, last: Option<u16>, index: usize) -> Result<Option<u16>, CodecError> {
    let change = unzigzag(decoder.number(ACCURACY, ACCURACY + 1).saturating_add(1).min(1 << 40));
    let number = accuracy_number(last) + change;
    match number {
        0 => Ok(None),
        _ => u16::try_from(number - 1)
            .map(Some)
            .map_err(|_| out_of_range(index, SampleField::Accuracy, number - 1, 0, u16::MAX.into())),
    }
}

#[inline(never)]
fn round_trips<'a>(
    mut decoder: Decoder<'a>,
    columns: &mut SampleColumns,
    is_fine: bool,
) -> Result<Decoder<'a>, CodecError> {
    let mut trips = RoundTrips::new();
    let mut now = ABSENT_32;
    for (index, (round_trip, &scratch)) in columns.rtt_tenth_ms.iter_mut().zip(&columns.scratch).enumerate() {
        if has(scratch, CHANGED_ROUND_TRIP) {
            let before = now;
            let number = decoder.number(ROUND_TRIP + contexts::magnitude(trips.distance(), 7), ROUND_TRIP + 8);
            if number == 0 {
                now = ABSENT_32;
            } else {
                let off = (number - 1).min(1 << 40) as i64;
                let is_negative = off != 0 && decoder.bits(1) == 1;
                let scaled = trips.mean() + if is_negative { -off } else { off };
                let value = round_trip_unscale(scaled, is_fine);
                now = match u32::try_from(value) {
                    Ok(value) if value <= RTT_TENTH_MS_MAX => value,
                    _ => {
                        return Err(out_of_range(index, SampleField::RoundTripTime, value, 0, RTT_TENTH_MS_MAX.into()));
                    }
                };
                trips.push(scaled);
            }
            if now == before {
                return Err(CodecError::NotCanonical);
            }
        }
        *round_trip = now;
    }
    decoder.check()
}

#[inline(never)]
fn cells<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let mut recent = Technology::ALL.map(|_| RecentCells::new());
    let mut last = [Cell::default(); Technology::ALL.len()];
    let samples = columns.cell.iter_mut().zip(&columns.technology).zip(&columns.scratch);
    for (index, ((cell, &technology), &scratch)) in samples.enumerate() {
        let recent = &mut recent[technology as usize];
        if has(scratch, CHANGED_CELL) {
            let last = &mut last[technology as usize];
            let age = decoder.symbol(CELL + technology as usize);
            if age == CELL_NEW {
                let new = cell_fields(&mut decoder, technology, last, index)?;
                let is_recent = |age| recent.get(age).is_some_and(|at| columns.cells[at as usize].1 == new);
                if new == *last || (1..CELL_NEW).any(is_recent) {
                    return Err(CodecError::NotCanonical);
                }
                recent.push(columns.cells.len() as u32);
                columns.cells.push((technology, new));
            } else {
                if age == 0 || recent.get(age).is_none() {
                    return Err(CodecError::NotCanonical);
                }
                recent.take(age);
            }
            *last = columns.cells[recent.current() as usize].1;
        } else if recent.current() == ABSENT_32 {
            recent.push(columns.cells.len() as u32);
            columns.cells.push((technology, Cell::default()));
        }
        *cell = recent.current();
    }
    decoder.check()
}

#[cold]
fn cell_fields(
    decoder: &mut Decoder<'_>,
    technology: Technology,
    last: &Cell,
    index: usize,
) -> Result<Cell, CodecError> {
    let limits = technology.limits();
    let checks = [
        (SampleField::CellIdentity, limits.cell_identity_max),
        (SampleField::PhysicalCellId, limits.physical_cell_id_max.into()),
        (SampleField::AreaCode, limits.area_code_max.into()),
        (SampleField::Channel, limits.channel_max.into()),
    ];
    let mut values = cell_numbers(last);
    let fields = values.iter_mut().zip(cell_field_bits(technology)).zip(checks).enumerate();
    for (field, ((value, bits), (name, maximum))) in fields {
        let last = *value;
        let symbol = decoder.symbol(CELL_FIELD + technology as usize * 4 + field);
        match symbol {
            FIELD_SAME => continue,
            FIELD_ABSENT => *value = None,
            FIELD_NEW => *value = Some(decoder.long_bits(bits)),
            FIELD_SECTOR if field == 0 => *value = last.map(|last| last >> 8 << 8 | u64::from(decoder.bits(8))),
            _ => return Err(CodecError::NotCanonical),
        }
        if *value == last || symbol == FIELD_NEW && field == 0 && is_sector(*value, last) {
            return Err(CodecError::NotCanonical);
        }
        if let Some(value) = value.filter(|&value| value > maximum) {
            return Err(out_of_range(index, name, value as i64, 0, maximum as i64));
        }
    }
    let [cell_identity, physical_cell_id, area_code, channel] = values;
    Ok(Cell {
        cell_identity,
        // In range, as just checked or as the cell before.
        physical_cell_id: physical_cell_id.map(|value| value as u16),
        area_code: area_code.map(|value| value as u32),
        channel: channel.map(|value| value as u32),
    })
}

#[inline(never)]
fn throughputs<'a>(mut decoder: Decoder<'a>, columns: &mut SampleColumns) -> Result<Decoder<'a>, CodecError> {
    let mut now = [ABSENT_32; 2];
    let mut size = [0; 2];
    let mut kind = 0;
    let samples = columns.downlink_kbps.iter_mut().zip(&mut columns.uplink_kbps).zip(&columns.scratch);
    for (index, ((downlink, uplink), &scratch)) in samples.enumerate() {
        if has(scratch, CHANGED_THROUGHPUT) {
            kind = decoder.symbol(THROUGHPUT + kind);
            if !(1..9).contains(&kind) {
                return Err(CodecError::NotCanonical);
            }
            for (way, what) in [kind / 3, kind % 3].into_iter().enumerate() {
                let new = match what {
                    0 => continue,
                    1 => ABSENT_32,
                    _ => {
                        let context = KILOBITS + way * 8 + contexts::magnitude(size[way], 7);
                        let value = decoder.number(context, KILOBITS + 16);
                        if value > THROUGHPUT_KBPS_MAX.into() {
                            let field = [SampleField::Downlink, SampleField::Uplink][way];
                            let value = value.min(i64::MAX as u64) as i64;
                            return Err(out_of_range(index, field, value, 0, THROUGHPUT_KBPS_MAX.into()));
                        }
                        size[way] = value as u32;
                        value as u32
                    }
                };
                if new == now[way] {
                    return Err(CodecError::NotCanonical);
                }
                now[way] = new;
            }
        }
        [*downlink, *uplink] = now;
    }
    decoder.check()
}

/// What is known of a technology's radio values.
struct Radio {
    values: [RadioValue; 3],
    limits: [(i16, i16); 3],
    is_unchanged: bool,
    level_before: i32,
}

impl Radio {
    fn new(technology: Technology) -> Self {
        let Limits { level_dbm, quality_half_db, sinr_half_db, .. } = technology.limits();
        Self {
            values: radio_start(),
            limits: [level_dbm, quality_half_db, sinr_half_db],
            is_unchanged: false,
            level_before: 0,
        }
    }

    /// Sets a value if it is within its limits.
    #[inline(always)]
    fn set(&mut self, which: usize, change: i64, unit: i32, index: usize) -> Result<(), CodecError> {
        let value = i64::from(self.values[which].known) + change.clamp(-1 << 40, 1 << 40) * i64::from(unit);
        let (minimum, maximum) = self.limits[which];
        if value < minimum.into() || value > maximum.into() {
            let field = [SampleField::Level, SampleField::Quality, SampleField::Sinr][which];
            return Err(out_of_range(index, field, value, minimum.into(), maximum.into()));
        }
        self.values[which] = RadioValue { now: value as i16, known: value as i16 };
        Ok(())
    }

    /// Reads a change whose zigzag number is at least `smallest`; gives by how much the value changed.
    #[inline(always)]
    fn read(
        &mut self,
        decoder: &mut Decoder<'_>,
        context: usize,
        which: usize,
        smallest: u64,
        unit: i32,
        index: usize,
    ) -> Result<i32, CodecError> {
        if self.values[which].now == ABSENT_16 {
            let change = unzigzag(decoder.number(RADIO_NUMBER + 3 + which, RADIO_NUMBER + 6));
            self.set(which, change, unit, index)?;
            return Ok(0);
        }
        let number = match decoder.symbol(context) {
            RADIO_GONE => {
                self.values[which].now = ABSENT_16;
                return Ok(0);
            }
            RADIO_LONG => decoder.number(RADIO_NUMBER + which, RADIO_NUMBER + 6).saturating_add(RADIO_LONG as u64),
            number => number as u64,
        };
        let change = unzigzag(number.saturating_add(smallest));
        self.set(which, change, unit, index)?;
        Ok(change as i32)
    }
}

#[inline(never)]
fn radios<'a>(
    mut decoder: Decoder<'a>,
    columns: &mut SampleColumns,
    units: [i32; 3],
) -> Result<Decoder<'a>, CodecError> {
    let mut radios = Technology::ALL.map(Radio::new);
    let mut unchanged_before = false;
    let mut before = columns.captured_at_ms[0];
    let values = columns.level_dbm.iter_mut().zip(&mut columns.quality_half_db).zip(&mut columns.sinr_half_db);
    let samples = columns.captured_at_ms.iter().zip(&columns.technology).zip(&columns.scratch);
    for (index, (((level, quality), sinr), ((&time, &technology), &scratch))) in values.zip(samples).enumerate() {
        let code = technology as usize;
        let radio = &mut radios[code];
        let follows = usize::from(scratch & CLASS) < STEP_CODED;
        let context = contexts::radio(follows, unchanged_before, time - before, radio.is_unchanged);
        before = time;
        let symbol = decoder.symbol(RADIO + code * 8 + context);
        let mut level_change = 0;
        if symbol != 0 {
            match symbol >> 2 {
                0 => {}
                3 => {
                    let context = LEVEL + code * 3 + contexts::size_class(radio.level_before);
                    level_change = radio.read(&mut decoder, context, 0, 3, units[0], index)?;
                }
                one => {
                    if radio.values[0].now == ABSENT_16 {
                        return Err(CodecError::NotCanonical);
                    }
                    level_change = 3 - 2 * one as i32;
                    radio.set(0, level_change.into(), 1, index)?;
                }
            }
            let level_class = contexts::level_class(level_change);
            let mut quality_change = 0;
            if symbol & 2 != 0 {
                quality_change = radio.read(&mut decoder, QUALITY + code * 5 + level_class, 1, 1, units[1], index)?;
            }
            if symbol & 1 != 0 {
                let context = SINR + code * 15 + level_class * 3 + contexts::sign_class(quality_change);
                radio.read(&mut decoder, context, 2, 1, units[2], index)?;
            }
        }
        unchanged_before = symbol == 0;
        radio.is_unchanged = symbol == 0;
        radio.level_before = level_change;
        *level = radio.values[0].now;
        *quality = radio.values[1].now;
        *sinr = radio.values[2].now;
    }
    decoder.check()
}
