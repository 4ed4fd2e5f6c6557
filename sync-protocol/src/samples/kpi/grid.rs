//! Where samples were taken, in a bounded number of squares, so that a map can be drawn without opening the blocks.
//!
//! Squares are about 25 m wide. When there would be too many, all become twice as wide, again and again: the width that
//! results depends only on all the samples, not on the order in which grids were merged.

use super::super::sample::Position;
use serde::{Deserialize, Serialize};

/// A grid has at most so many squares.
pub const GRID_SQUARES_MAX: usize = 256;
/// Height of the smallest squares, 25.0 m.
pub const SQUARE_LATITUDE_E6: i32 = 225;
/// Width of the smallest squares, 25.0 m at 35° north (16 m at 58°, 29 m at 18°).
pub const SQUARE_LONGITUDE_E6: i32 = 275;

/// The samples of one square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Square {
    /// Counted northwards from the equator, in heights of a square.
    pub row: i32,
    /// Counted eastwards from Greenwich, in widths of a square.
    pub column: i32,
    /// Samples taken here.
    pub samples: u64,
    /// Those of them that have a level.
    pub with_level: u64,
    /// The sum of their levels in dBm; divide by `with_level` for the mean.
    pub level_sum_dbm: i64,
}

impl Square {
    fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.with_level += other.with_level;
        self.level_sum_dbm += other.level_sum_dbm;
    }

    /// The square that a position lies in, at the smallest width, without samples.
    pub(super) fn at(position: &Position) -> Self {
        Self {
            row: position.latitude_e6.div_euclid(SQUARE_LATITUDE_E6),
            column: position.longitude_e6.div_euclid(SQUARE_LONGITUDE_E6),
            ..Self::default()
        }
    }

    /// The mean level in dBm of the samples that have one.
    pub fn mean_level_dbm(&self) -> Option<f64> {
        (self.with_level > 0).then(|| self.level_sum_dbm as f64 / self.with_level as f64)
    }

    /// South-west corner and north-east corner, each (latitude, longitude) in degrees, in a grid so often doubled.
    pub fn corners(&self, doublings: u8) -> [(f64, f64); 2] {
        [0, 1].map(|far| {
            let edge = |index: i32, step: i32| ((i64::from(index) + far) << doublings) as f64 * f64::from(step) / 1e6;
            (edge(self.row, SQUARE_LATITUDE_E6), edge(self.column, SQUARE_LONGITUDE_E6))
        })
    }
}

/// Squares with samples, at most [`GRID_SQUARES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// How often the squares were doubled in width and height.
    pub doublings: u8,
    /// Ascending by row and column, each square once.
    pub squares: Vec<Square>,
}

impl Grid {
    /// From squares of the smallest width in any order.
    pub(super) fn from_squares(squares: Vec<Square>) -> Self {
        let mut grid = Self { doublings: 0, squares };
        grid.settle();
        grid
    }

    /// Takes the samples of `other` in.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.doublings < other.doublings {
            self.double();
        }
        while other.doublings < self.doublings {
            other.double();
        }
        self.squares.append(&mut other.squares);
        self.settle();
    }

    fn double(&mut self) {
        // At 31 doublings there are four squares; more cannot be needed.
        self.doublings = self.doublings.saturating_add(1);
        for square in &mut self.squares {
            square.row >>= 1;
            square.column >>= 1;
        }
    }

    /// Joins what lies in one square and doubles until there are few enough.
    fn settle(&mut self) {
        loop {
            self.squares.sort_unstable_by_key(|square| (square.row, square.column));
            self.squares.dedup_by(|next, kept| {
                let same = (next.row, next.column) == (kept.row, kept.column);
                if same {
                    kept.add(next);
                }
                same
            });
            if self.squares.len() <= GRID_SQUARES_MAX {
                return;
            }
            self.double();
        }
    }
}
