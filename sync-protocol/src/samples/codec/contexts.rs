//! The contexts: which adaptive model codes which symbol. Both directions compute them here, so that they cannot differ.
//!
//! A context is an index into the table of models. Each group below holds as many contexts as its comment says; what picks
//! one of a group is only what the decoder knows at that point. What does not belong here: the models themselves (`rans`).

/// Declares groups of contexts one after another, each with its size.
macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident: $size:expr;)*) => {
        groups!(@each 0usize; $($(#[$doc])* $name: $size;)*);
        /// Every group with its first context and its size, for the trainer and the documentation.
        pub const GROUPS: &[(&str, usize, usize)] = &[$((stringify!($name), $name, $size)),*];
    };
    (@each $start:expr; $(#[$doc:meta])* $name:ident: $size:expr; $($rest:tt)*) => {
        $(#[$doc])*
        pub const $name: usize = $start;
        groups!(@each $start + $size; $($rest)*);
    };
    (@each $start:expr;) => {
        /// How many contexts there are.
        pub const CONTEXTS: usize = $start;
    };
}

groups! {
    /// Technology and class of time step, by the same of the sample before.
    HEAD: 16;
    /// Which earlier instant a coded time is in step with, by the kind of the last such choice.
    ANCHOR: 4;
    /// By how many milliseconds it is off, by the kind of the choice.
    RESIDUE: 4;
    /// Whole periods since, by the period; the third goes on with long numbers.
    PERIODS: 3;
    /// A time step in step with nothing; the second goes on with long numbers.
    STEP: 2;
    /// What changed besides radio values, by [`gap`] and whether throughput changed in the flags before.
    FLAGS: 16;
    /// Signs of a move and what else of the position changed, by the signs of the last move.
    MOVE: 4;
    /// Size of the move in latitude, by the size of recent moves; the ninth goes on with long numbers.
    LATITUDE: 9;
    /// Size of the move in longitude, by that in latitude; the tenth goes on with long numbers.
    LONGITUDE: 10;
    /// Change of accuracy; the second goes on with long numbers.
    ACCURACY: 2;
    /// Distance of the round-trip time from its running mean, by recent distances; the ninth goes on with long numbers.
    ROUND_TRIP: 9;
    /// Which earlier cell is back, by technology.
    CELL: 4;
    /// What became of each field of a new cell, by technology and field.
    CELL_FIELD: 16;
    /// What became of the two throughputs, by the same of their last change.
    THROUGHPUT: 9;
    /// A throughput, by direction and the size of its last value; the last goes on with long numbers.
    KILOBITS: 17;
    /// Which radio values changed, by technology and [`radio`].
    RADIO: 32;
    /// A change of level by two or more, by technology and the size of the last change.
    LEVEL: 12;
    /// A change of quality, by technology and the change of level.
    QUALITY: 20;
    /// A change of SINR, by technology and the changes of level and quality.
    SINR: 60;
    /// Long changes of level, quality, SINR, and first values of each; the seventh goes on with long numbers.
    RADIO_NUMBER: 7;
}

/// The time step in eight classes: pairs, then ever longer; going back counts as the longest.
pub fn gap(step_ms: i64) -> usize {
    const BOUNDS: [i64; 7] = [2, 64, 300, 700, 1500, 3000, 6000];
    if step_ms < 0 { 7 } else { BOUNDS.iter().map(|&bound| usize::from(step_ms >= bound)).sum() }
}

/// Of a sample that follows another within a millisecond: whether that one's radio values were unchanged. Of all others:
/// the time step in three classes and whether this technology's values were unchanged last.
pub fn radio(follows: bool, before_unchanged: bool, step_ms: i64, last_unchanged: bool) -> usize {
    if follows {
        usize::from(before_unchanged)
    } else {
        let class = if step_ms < 0 { 2 } else { usize::from(step_ms >= 700) + usize::from(step_ms >= 3000) };
        2 + 2 * class + usize::from(last_unchanged)
    }
}

/// The size of a change in three classes.
pub fn size_class(change: i32) -> usize {
    let size = change.unsigned_abs();
    usize::from(size > 1) + usize::from(size > 4)
}

/// The number of bits of a size, halved and capped: how large moves and distances are sorted.
pub fn magnitude(size: u32, most: usize) -> usize {
    (((u32::BITS - size.leading_zeros()) / 2) as usize).min(most)
}

/// A change of level in five classes: none, +1, −1, up, down.
pub fn level_class(change: i32) -> usize {
    match change {
        0 => 0,
        1 => 1,
        -1 => 2,
        change => 3 + usize::from(change < 0),
    }
}

/// The sign of a change in three classes: none, up, down.
pub fn sign_class(change: i32) -> usize {
    usize::from(change != 0) + usize::from(change < 0)
}
