//! Reading numbers and words out of bytes: no allocation, no UTF-8 needed, no input that panics.
//!
//! What does not belong here: what the numbers mean (`cellinfo`, `gnettrack`).

/// Android's "unknown" for an `int` and for a `long`, as both formats print it (perhaps with decimals behind it).
const UNKNOWN: [&[u8]; 2] = [b"2147483647", b"9223372036854775807"];

/// No number that we read means anything from here on; a larger one stays here, so that it is refused as out of range
/// instead of overflowing. Leaves room for a sign and a doubling.
const CEILING: i64 = i64::MAX / 4;

/// A cursor over one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Steps over `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &[u8]) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Steps over digits, and says how many there were.
    pub(super) fn skip_digits(&mut self) -> usize {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.rest = self.rest.get(count..).unwrap_or_default();
        count
    }

    /// The bytes before the next `delimiter`, which is stepped over too; `None`, and no step, where there is none.
    pub(super) fn until(&mut self, delimiter: u8) -> Option<&'a [u8]> {
        let at = self.rest.iter().position(|&b| b == delimiter)?;
        let (before, after) = self.rest.split_at(at);
        self.rest = after.get(1..).unwrap_or_default();
        Some(before)
    }

    /// A run of bytes up to a space, a comma or the end.
    pub(super) fn word(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| b == b' ' || b == b',').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

/// The value of `count` decimal digits at `at`; `None` if one is missing or no digit.
pub(super) fn digits(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(count)?)?.iter().try_fold(0u32, |value, b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

/// A number, or Android's word for "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The value in units of 10⁻ᵈ, where `d` is what was asked of [`decimal`].
    Value(i64),
    /// A sentinel: the phone did not know.
    Unknown,
}

impl Reading {
    /// The value, if known.
    pub(super) fn value(self) -> Option<i64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

/// Reads all of `text` as a decimal number, scaled by 10^`decimals` and rounded half away from zero. `None` if it is no
/// number. Numbers too large to mean anything stop at a ceiling that every range check refuses.
pub(super) fn decimal(text: &[u8], decimals: u32) -> Option<Reading> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match unsigned.iter().position(|&b| b == b'.') {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)?),
        None => (unsigned, &[][..]),
    };
    if (whole.is_empty() && fraction.is_empty()) || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    if !negative && UNKNOWN.contains(&whole) {
        return Some(Reading::Unknown);
    }
    let mut value: i64 = 0;
    let push = |value: i64, digit: u8| {
        // Below a tenth of the ceiling ten times as much cannot overflow, and above it nothing changes any more.
        if value < CEILING / 10 { value * 10 + i64::from(digit - b'0') } else { CEILING }
    };
    for &digit in whole {
        value = push(value, digit);
    }
    let mut fraction = fraction.iter();
    for _ in 0..decimals {
        value = push(value, *fraction.next().unwrap_or(&b'0'));
    }
    if fraction.next().is_some_and(|&digit| digit >= b'5') {
        value = (value + 1).min(CEILING);
    }
    Some(Reading::Value(if negative { -value } else { value }))
}

/// Like [`decimal`] in half units: decibels become half decibels, rounded half away from zero.
pub(super) fn half_units(text: &[u8]) -> Option<Reading> {
    Some(match decimal(text, 3)? {
        // 500 thousandths are one half; 250 more round to the nearest.
        Reading::Value(thousandths) => Reading::Value((thousandths.abs() + 250) / 500 * thousandths.signum()),
        Reading::Unknown => Reading::Unknown,
    })
}

/// Reads all of `text` as a hexadecimal number of at most 15 digits.
pub(super) fn hexadecimal(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    text.iter().try_fold(0i64, |value, b| Some(value * 16 + i64::from(char::from(*b).to_digit(16)?)))
}

/// The line without the line ending that it may carry, CRLF included.
pub(super) fn without_line_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_half_away_from_zero_and_never_overflow() {
        let value = |text: &str, decimals| decimal(text.as_bytes(), decimals).and_then(Reading::value);
        assert_eq!(value("90.9", 1), Some(909));
        assert_eq!(value("127", 1), Some(1270));
        assert_eq!(value("-71.0866896", 6), Some(-71_086_690));
        assert_eq!(value("51.935590000000005", 6), Some(51_935_590));
        assert_eq!(value("0.05", 1), Some(1));
        assert_eq!(value(&"9".repeat(400), 6), Some(CEILING));
        for bad in ["", "-", ".", "abc", "1e5", "1.2.3", "--1", "NaN", "12 ", "1\u{0}"] {
            assert_eq!(decimal(bad.as_bytes(), 1), None, "{bad:?}");
        }
    }

    #[test]
    fn sentinels_are_unknown() {
        for text in ["2147483647", "9223372036854775807", "2147483647.0"] {
            assert_eq!(decimal(text.as_bytes(), 0), Some(Reading::Unknown));
        }
        assert_eq!(decimal(b"-2147483647", 0), Some(Reading::Value(-2_147_483_647)));
    }

    #[test]
    fn half_units_are_exact() {
        let half = |text: &str| half_units(text.as_bytes()).and_then(Reading::value);
        assert_eq!(half("-10"), Some(-20));
        assert_eq!(half("-19.5"), Some(-39));
        assert_eq!(half("2.0"), Some(4));
        assert_eq!(half("0.24"), Some(0));
        assert_eq!(half("-0.25"), Some(-1));
    }
}
