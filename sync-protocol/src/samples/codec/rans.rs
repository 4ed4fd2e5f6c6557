//! The entropy coder: symbols of sixteen under adaptive models, and plain bits, to bytes and back (range variant of
//! asymmetric numeral systems, rANS, two states that take turns).
//!
//! Each step of the decoder is the exact inverse of one of the encoder, from a known last state, so that two different
//! byte strings never decode to the same symbols. What does not belong here: what the symbols mean.

use super::CodecError;
use super::contexts::CONTEXTS;
use super::priors::PRIORS;

/// Probabilities are in 1/32768.
const PRECISION: u32 = 15;
const TOTAL: u32 = 1 << PRECISION;
/// A state is in 2^16 … 2^32 − 1 between steps; 16 bits move in or out at a time.
const STATE_MIN: u32 = 1 << 16;
/// Distance that adaptation keeps between the bounds of neighbouring symbols, so that none becomes impossible.
const FLOOR: i16 = 4;
/// From this many symbols on a model learns at its slowest.
const SETTLED: u16 = 56;

/// One context's probabilities, learnt as symbols pass.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Model {
    /// Where the symbols' shares meet, less 32768, from −32768 to 0, so that they fit 16 signed bits.
    bounds: [i16; 17],
    /// How many symbols it has seen, counted to [`SETTLED`].
    seen: u16,
}

/// The models of all contexts.
pub type Models = [Model; CONTEXTS];

/// A table of priors: of each context how many symbols it counts as seen, and the symbols' shares in 1/32768.
pub type Priors = [(u16, [u16; 16]); CONTEXTS];

/// All models as they stand at the start of every block.
pub static INITIAL: Models = models(&PRIORS);

/// The models that a table of priors stands for.
pub const fn models(priors: &Priors) -> Models {
    let mut models = [Model { bounds: [i16::MIN; 17], seen: 0 }; CONTEXTS];
    let mut context = 0;
    while context < CONTEXTS {
        let (seen, shares) = &priors[context];
        let mut upper = i16::MIN as i32;
        let mut i = 0;
        while i < 16 {
            assert!(shares[i] > 0, "every symbol must be possible");
            upper += shares[i] as i32;
            models[context].bounds[i + 1] = upper as i16;
            i += 1;
        }
        assert!(upper == 0, "shares must add up to 32768");
        models[context].seen = *seen;
        context += 1;
    }
    models
}

/// Where the upper bounds would go if only this symbol ever came. The last bound must stay 0, which a target of 1 does as
/// well as one of 0, being shifted away; that it is not the same for all symbols keeps the compiler from treating its lane
/// apart and losing the vector instructions that make decoding fast.
static TARGETS: [[i16; 16]; 16] = {
    let mut targets = [[0; 16]; 16];
    let mut symbol = 0;
    while symbol < 16 {
        let mut i = 0;
        while i < 15 {
            targets[symbol][i] = if i < symbol { i16::MIN + FLOOR * (i as i16 + 1) } else { -FLOOR * (15 - i as i16) };
            i += 1;
        }
        targets[symbol][15] = symbol as i16 & 1;
        symbol += 1;
    }
    targets
};

impl Model {
    /// Lower bound and width of a symbol's share.
    #[inline(always)]
    fn share(&self, symbol: usize) -> (u32, u32) {
        let symbol = symbol & 15;
        let (low, high) = (i32::from(self.bounds[symbol]), i32::from(self.bounds[symbol + 1]));
        ((low + TOTAL as i32) as u32, (high - low) as u32)
    }

    /// The symbol in whose share a slot (less 32768) lies, and that share as it was before the symbol was learnt: width in
    /// the upper half, lower bound in the lower.
    ///
    /// A function of its own, on a copy of its own, because the compiler turns its loops into vector instructions only if
    /// they stand alone.
    #[inline(never)]
    fn decode(&mut self, slot: i16) -> (usize, u32) {
        let uppers = self.uppers();
        // The sign of a difference, which never overflows, rather than a comparison: it stays in vector registers.
        let above: u16 = uppers.iter().map(|&upper| (slot.wrapping_sub(upper) as u16) >> 15).sum();
        let symbol = usize::from(16 - above) & 15;
        let (low, width) = self.share(symbol);
        self.learn(symbol, uppers);
        (symbol, width << 16 | low)
    }

    /// The share of a symbol before it is learnt.
    #[inline(never)]
    fn encode(&mut self, symbol: usize) -> (u32, u32) {
        let share = self.share(symbol);
        self.learn(symbol, self.uppers());
        share
    }

    #[inline(always)]
    fn uppers(&self) -> [i16; 16] {
        let mut uppers = [0; 16];
        uppers.copy_from_slice(&self.bounds[1..]);
        uppers
    }

    /// Moves the shares towards the symbol that came. Bounds never meet: of two neighbours, either both move by the same
    /// rule towards targets that are [`FLOOR`] apart, or they move apart.
    #[inline(always)]
    fn learn(&mut self, symbol: usize, mut uppers: [i16; 16]) {
        let rate = 16 - (self.seen + 8).leading_zeros();
        let targets = &TARGETS[symbol & 15];
        for (upper, target) in uppers.iter_mut().zip(targets) {
            *upper = upper.wrapping_add(target.wrapping_sub(*upper) >> rate);
        }
        self.bounds[1..].copy_from_slice(&uppers);
        self.seen += u16::from(self.seen < SETTLED);
    }
}

/// What the column encoders write to: the coder itself, or a counter of what it would be given.
pub trait Sink {
    /// A symbol 0…15 under a context.
    fn symbol(&mut self, context: usize, symbol: usize);
    /// The low `count` (0…16) bits of `value`.
    fn bits(&mut self, count: u32, value: u32);
    /// What follows belongs to this group of contexts; only of interest to a counter.
    fn group(&mut self, _group: usize) {}

    /// More bits than a step takes, the low ones first.
    fn long_bits(&mut self, mut count: u32, mut value: u64) {
        while count > 16 {
            self.bits(16, value as u32 & 0xFFFF);
            value >>= 16;
            count -= 16;
        }
        self.bits(count, value as u32);
    }

    /// A number: 0…3 as they are, above two classes per power of two, then the bits below. Classes from 15 on are spelt
    /// with one symbol 15 per 15 of them, and the rest under `more`.
    fn number(&mut self, first: usize, more: usize, value: u64) {
        let (mut class, extra) = if value < 4 {
            (value as usize, 0)
        } else {
            let top = value.ilog2();
            (2 * top as usize + (value >> (top - 1) & 1) as usize, top - 1)
        };
        let mut context = first;
        while class >= 15 {
            self.symbol(context, 15);
            class -= 15;
            context = more;
        }
        self.symbol(context, class);
        if extra > 0 {
            self.long_bits(extra, value & ((1 << extra) - 1));
        }
    }
}

/// Marks a step of plain bits among the recorded steps; shares are narrower.
const PLAIN: u16 = 0x8000;

/// The encoder. It records the steps, as they must be coded last one first.
pub struct Encoder {
    models: Box<Models>,
    /// (lower bound, width), or (value, [`PLAIN`] | number of bits).
    steps: Vec<(u16, u16)>,
}

impl Encoder {
    /// With the initial models.
    pub fn new(expected_steps: usize) -> Self {
        Self { models: Box::new(INITIAL), steps: Vec::with_capacity(expected_steps) }
    }

    /// Appends the bytes: both states, then words of 16 bits, all little-endian.
    pub fn finish(self, out: &mut Vec<u8>) {
        let mut states = [STATE_MIN; 2];
        let mut words = Vec::with_capacity(self.steps.len() / 4);
        for (at, &(low, width)) in self.steps.iter().enumerate().rev() {
            let state = &mut states[at & 1];
            if width & PLAIN != 0 {
                let bits = u32::from(width & !PLAIN);
                if u64::from(*state) >= 1 << (32 - bits) {
                    words.push(*state as u16);
                    *state >>= 16;
                }
                *state = *state << bits | u32::from(low);
            } else {
                let width = u32::from(width);
                if u64::from(*state) >= u64::from(width) << (32 - PRECISION) {
                    words.push(*state as u16);
                    *state >>= 16;
                }
                *state = ((*state / width) << PRECISION) + *state % width + u32::from(low);
            }
        }
        out.extend(states.iter().flat_map(|state| state.to_le_bytes()));
        out.extend(words.iter().rev().flat_map(|word| word.to_le_bytes()));
    }
}

impl Sink for Encoder {
    fn symbol(&mut self, context: usize, symbol: usize) {
        let (low, width) = self.models[context].encode(symbol);
        self.steps.push((low as u16, width as u16));
    }

    fn bits(&mut self, count: u32, value: u32) {
        if count > 0 {
            self.steps.push((value as u16, PLAIN | count as u16));
        }
    }
}

/// Counts symbols per context and plain bits per group, and what the symbols cost under the adaptive models.
pub struct Tally {
    models: Box<Models>,
    group: usize,
    /// How often each symbol came in each context.
    pub counts: Vec<[u32; 16]>,
    /// Bits per group of contexts, by the group's first context.
    pub cost_bits: Vec<f64>,
}

impl Tally {
    /// Nothing counted yet; costs are by models that begin as the table says.
    pub fn new(priors: &Priors) -> Self {
        let models = Box::new(models(priors));
        Self { models, group: 0, counts: vec![[0; 16]; CONTEXTS], cost_bits: vec![0.0; CONTEXTS] }
    }
}

impl Sink for Tally {
    fn symbol(&mut self, context: usize, symbol: usize) {
        self.counts[context][symbol] += 1;
        let (_, width) = self.models[context].encode(symbol);
        self.cost_bits[self.group] -= (f64::from(width) / f64::from(TOTAL)).log2();
    }

    fn bits(&mut self, count: u32, _value: u32) {
        self.cost_bits[self.group] += f64::from(count);
    }

    fn group(&mut self, group: usize) {
        self.group = group;
    }
}

/// The decoder. Past the end of its bytes it reads zeros; [`Decoder::check`] tells.
///
/// It is handed on by value: whoever reads symbols keeps it in registers.
pub struct Decoder<'a> {
    models: &'a mut Models,
    state: u32,
    /// The state whose turn is next.
    other: u32,
    words: &'a [[u8; 2]],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Reads the two states. The models must be the initial ones.
    pub fn new(bytes: &'a [u8], models: &'a mut Models) -> Result<Self, CodecError> {
        let (state, rest) = bytes.split_first_chunk::<4>().ok_or(CodecError::Truncated)?;
        let (other, rest) = rest.split_first_chunk::<4>().ok_or(CodecError::Truncated)?;
        let (words, odd) = rest.as_chunks::<2>();
        let (state, other) = (u32::from_le_bytes(*state), u32::from_le_bytes(*other));
        if state < STATE_MIN || other < STATE_MIN || !odd.is_empty() {
            return Err(CodecError::NotCanonical);
        }
        Ok(Self { models, state, other, words, at: 0 })
    }

    /// Fills the state up and hands the turn to the other.
    #[inline(always)]
    fn turn(&mut self, state: u32) {
        let word = self.words.get(self.at).map_or(0, |&word| u32::from(u16::from_le_bytes(word)));
        let low = state < STATE_MIN;
        let filled = state << 16 | word;
        self.at += usize::from(low);
        self.state = self.other;
        self.other = if low { filled } else { state };
    }

    /// The next symbol.
    #[inline(always)]
    pub fn symbol(&mut self, context: usize) -> usize {
        let model = &mut self.models[context];
        let slot = self.state & (TOTAL - 1);
        let (symbol, share) = model.decode((slot as i32 - TOTAL as i32) as i16);
        let (low, width) = (share & 0xFFFF, share >> 16);
        self.turn(width.wrapping_mul(self.state >> PRECISION).wrapping_add(slot).wrapping_sub(low));
        symbol
    }

    /// The next `count` (0…16) plain bits.
    #[inline(always)]
    pub fn bits(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let value = self.state & ((1 << count) - 1);
        self.turn(self.state >> count);
        value
    }

    /// Up to 64 plain bits.
    #[inline(always)]
    pub fn long_bits(&mut self, count: u32) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        while count - shift > 16 {
            value |= u64::from(self.bits(16)) << shift;
            shift += 16;
        }
        value | u64::from(self.bits(count - shift)) << shift
    }

    /// The next number, see [`Sink::number`]; one beyond the 64 bits of a number is the largest number.
    #[inline(always)]
    pub fn number(&mut self, first: usize, more: usize) -> u64 {
        let class = self.symbol(first);
        if class < 4 {
            return class as u64;
        }
        if class < 15 {
            let extra = class as u32 / 2 - 1;
            return (2 | (class as u64 & 1)) << extra | u64::from(self.bits(extra));
        }
        // By value and back, so that the states need not live in memory for the sake of a rare case.
        let Self { state, other, words, at, .. } = *self;
        let rest = Decoder { models: &mut *self.models, state, other, words, at };
        let (value, state, other, at) = rest.number_long(more);
        (self.state, self.other, self.at) = (state, other, at);
        value
    }

    #[cold]
    #[inline(never)]
    fn number_long(mut self, more: usize) -> (u64, u32, u32, usize) {
        let mut class = 15;
        loop {
            let symbol = self.symbol(more);
            class += symbol;
            if symbol < 15 || class > CLASS_MAX {
                break;
            }
        }
        let value = if class > CLASS_MAX {
            u64::MAX
        } else {
            let extra = class as u32 / 2 - 1;
            (2 | (class as u64 & 1)) << extra | self.long_bits(extra)
        };
        (value, self.state, self.other, self.at)
    }

    /// Whether more was read than there is: checked after each column, so that cut bytes are refused early.
    pub fn check(self) -> Result<Self, CodecError> {
        if self.at > self.words.len() { Err(CodecError::Truncated) } else { Ok(self) }
    }

    /// Everything must have been read, and both states be back where the encoder began.
    pub fn finish(self) -> Result<(), CodecError> {
        let rest = self.check()?;
        if rest.at < rest.words.len() {
            return Err(CodecError::TrailingBytes);
        }
        if rest.state != STATE_MIN || rest.other != STATE_MIN {
            return Err(CodecError::NotCanonical);
        }
        Ok(())
    }
}

/// The class of numbers of 64 bits whose second bit is set.
const CLASS_MAX: usize = 127;
