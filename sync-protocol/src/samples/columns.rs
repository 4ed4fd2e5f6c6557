//! `SampleColumns`: many samples as a struct of arrays, the form in which they are packed, unpacked and counted.
//!
//! Cells and positions repeat from sample to sample, so each distinct cell and each change of position is kept (and checked)
//! once and the samples point at it. Every value in it has passed [`Sample::validate`]: it is filled by
//! [`SampleColumns::push`], which refuses anything else, or by the codec, which checks as it decodes.
//! What does not belong here: bytes (`codec`, `block`), figures computed of samples (`kpi`).

use super::sample::{Cell, OutOfRange, Position, Sample, Technology};
use std::collections::BTreeMap;

/// Stands for an absent value in the columns of 16 bits; outside every range of [`Technology::limits`].
pub(super) const ABSENT_16: i16 = i16::MIN;
/// Stands for an absent value in the columns of 32 bits, and for "no position" in the position column.
pub(super) const ABSENT_32: u32 = u32::MAX;

/// The order in which cells are looked up; the index order of the table is that of first use.
type CellKey = (Technology, Option<u64>, Option<u16>, Option<u32>, Option<u32>);

fn cell_key(technology: Technology, cell: &Cell) -> CellKey {
    (technology, cell.cell_identity, cell.physical_cell_id, cell.area_code, cell.channel)
}

/// Samples in columns, in the order in which they were pushed. All of them are valid.
#[derive(Clone, Debug, Default)]
pub struct SampleColumns {
    pub(super) captured_at_ms: Vec<i64>,
    pub(super) technology: Vec<Technology>,
    pub(super) level_dbm: Vec<i16>,
    pub(super) quality_half_db: Vec<i16>,
    pub(super) sinr_half_db: Vec<i16>,
    /// Index into `cells`.
    pub(super) cell: Vec<u32>,
    /// Index into `positions`, or [`ABSENT_32`].
    pub(super) position: Vec<u32>,
    pub(super) rtt_tenth_ms: Vec<u32>,
    pub(super) downlink_kbps: Vec<u32>,
    pub(super) uplink_kbps: Vec<u32>,
    /// Each distinct (technology, cell), in order of first use.
    pub(super) cells: Vec<(Technology, Cell)>,
    /// Positions in order of use; a position equal to the last one of the table is not entered again.
    pub(super) positions: Vec<Position>,
    /// The codec's notes on each sample while it decodes.
    pub(super) scratch: Vec<u8>,
    /// Index of `cells`, filled only by `push`: the codec brings its own indices.
    index: BTreeMap<CellKey, u32>,
    /// The cell that each technology used last, the one that the next sample has almost always.
    last_cell: [Option<u32>; 4],
}

impl SampleColumns {
    /// No samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.captured_at_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.captured_at_ms.is_empty()
    }

    /// Forgets the samples and keeps the memory, for the next decoding.
    pub fn clear(&mut self) {
        self.captured_at_ms.clear();
        self.technology.clear();
        self.level_dbm.clear();
        self.quality_half_db.clear();
        self.sinr_half_db.clear();
        self.cell.clear();
        self.position.clear();
        self.rtt_tenth_ms.clear();
        self.downlink_kbps.clear();
        self.uplink_kbps.clear();
        self.cells.clear();
        self.positions.clear();
        self.scratch.clear();
        self.index.clear();
        self.last_cell = [None; 4];
    }

    /// Makes all columns `count` long, for the codec to write every sample anew, and empties the tables.
    pub(super) fn prepare(&mut self, count: usize) {
        self.cells.clear();
        self.positions.clear();
        self.index.clear();
        self.last_cell = [None; 4];
        self.captured_at_ms.resize(count, 0);
        self.technology.resize(count, Technology::Gsm);
        self.level_dbm.resize(count, ABSENT_16);
        self.quality_half_db.resize(count, ABSENT_16);
        self.sinr_half_db.resize(count, ABSENT_16);
        self.cell.resize(count, 0);
        self.position.resize(count, ABSENT_32);
        self.rtt_tenth_ms.resize(count, ABSENT_32);
        self.downlink_kbps.resize(count, ABSENT_32);
        self.uplink_kbps.resize(count, ABSENT_32);
        self.scratch.resize(count, 0);
    }

    /// Appends a sample.
    ///
    /// # Errors
    /// The first value outside its range; the columns are then unchanged.
    pub fn push(&mut self, sample: &Sample) -> Result<(), OutOfRange> {
        sample.validate()?;
        let cell = self.cell_enter(sample.technology, sample.cell);
        let position = match sample.position {
            None => ABSENT_32,
            Some(position) => {
                if self.positions.last() != Some(&position) {
                    self.positions.push(position);
                }
                index_32(self.positions.len() - 1)
            }
        };
        self.captured_at_ms.push(sample.captured_at_ms);
        self.technology.push(sample.technology);
        self.level_dbm.push(sample.level_dbm.unwrap_or(ABSENT_16));
        self.quality_half_db.push(sample.quality_half_db.unwrap_or(ABSENT_16));
        self.sinr_half_db.push(sample.sinr_half_db.unwrap_or(ABSENT_16));
        self.cell.push(cell);
        self.position.push(position);
        self.rtt_tenth_ms.push(sample.rtt_tenth_ms.unwrap_or(ABSENT_32));
        self.downlink_kbps.push(sample.downlink_kbps.unwrap_or(ABSENT_32));
        self.uplink_kbps.push(sample.uplink_kbps.unwrap_or(ABSENT_32));
        Ok(())
    }

    /// The samples of `other` after those of `self`, as when segments are joined to a block.
    ///
    /// # Errors
    /// None in practice, as `other` holds valid samples only.
    pub fn append(&mut self, other: &Self) -> Result<(), OutOfRange> {
        other.iter().try_for_each(|sample| self.push(&sample))
    }

    /// The samples of a range, cut off where these end.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self::new();
        for sample in range.map_while(|index| self.get(index)) {
            // Columns hold valid samples only, so none is refused.
            let pushed = part.push(&sample);
            debug_assert!(pushed.is_ok());
        }
        part
    }

    /// From samples.
    ///
    /// # Errors
    /// The first value outside its range.
    pub fn from_samples(samples: &[Sample]) -> Result<Self, OutOfRange> {
        let mut columns = Self::new();
        samples.iter().try_for_each(|sample| columns.push(sample))?;
        Ok(columns)
    }

    /// The sample at `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Sample> {
        Some(Sample {
            captured_at_ms: *self.captured_at_ms.get(index)?,
            technology: self.technology[index],
            level_dbm: present_16(self.level_dbm[index]),
            quality_half_db: present_16(self.quality_half_db[index]),
            sinr_half_db: present_16(self.sinr_half_db[index]),
            cell: self.cells[self.cell[index] as usize].1,
            position: present_32(self.position[index]).map(|at| self.positions[at as usize]),
            rtt_tenth_ms: present_32(self.rtt_tenth_ms[index]),
            downlink_kbps: present_32(self.downlink_kbps[index]),
            uplink_kbps: present_32(self.uplink_kbps[index]),
        })
    }

    /// The samples one by one, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample> + '_ {
        // `get` is `Some` for every index below `len`: all columns are equally long.
        #[allow(clippy::expect_used)]
        (0..self.len()).map(|index| self.get(index).expect("index below len"))
    }

    /// Checks every value again, as [`Sample::validate`] does; told with the index of the first sample that fails.
    ///
    /// # Errors
    /// Only if this crate breaks its own promise that columns hold valid samples; tests call it for that reason.
    pub fn validate(&self) -> Result<(), (usize, OutOfRange)> {
        self.iter().enumerate().try_for_each(|(index, sample)| sample.validate().map_err(|error| (index, error)))
    }

    /// Each distinct cell with its technology, in order of first use.
    pub fn cells(&self) -> &[(Technology, Cell)] {
        &self.cells
    }

    /// The milliseconds since the Unix epoch of every sample.
    pub fn captured_at_ms(&self) -> &[i64] {
        &self.captured_at_ms
    }

    fn cell_enter(&mut self, technology: Technology, cell: Cell) -> u32 {
        let last = &mut self.last_cell[technology as usize];
        if let Some(index) = *last
            && self.cells[index as usize].1 == cell
        {
            return index;
        }
        if self.index.len() < self.cells.len() {
            // The table came from the codec: index it before it is added to.
            self.index = (0u32..).zip(&self.cells).map(|(at, (t, c))| (cell_key(*t, c), at)).collect();
        }
        let next = index_32(self.cells.len());
        let index = *self.index.entry(cell_key(technology, &cell)).or_insert(next);
        if index == next {
            self.cells.push((technology, cell));
        }
        *last = Some(index);
        index
    }
}

/// Same samples in the same order. The tables follow from the samples, except that a decoder may have entered them otherwise.
impl PartialEq for SampleColumns {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for SampleColumns {}

fn present_16(value: i16) -> Option<i16> {
    (value != ABSENT_16).then_some(value)
}

fn present_32(value: u32) -> Option<u32> {
    (value != ABSENT_32).then_some(value)
}

/// Table sizes are those of a test held in memory; four thousand million entries do not fit there.
fn index_32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(ABSENT_32 - 1)
}
