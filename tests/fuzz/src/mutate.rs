//! Inputs near to valid ones: a small mutator with a seed, for campaigns that repeat exactly.

/// Makes inputs from a seed and a set of valid ones.
pub struct Mutator {
    state: u64,
}

/// Numbers at which readers stumble.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

impl Mutator {
    /// The same seed makes the same inputs.
    pub fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15 }
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// An input near one of these, or between two of them.
    pub fn input(&mut self, valid: &[Vec<u8>]) -> Vec<u8> {
        let mut input = valid.get(self.below(valid.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut input, valid);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, valid: &[Vec<u8>]) {
        let at = self.below(input.len());
        match self.below(8) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << (self.next() % 8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.next() as u8;
                }
            }
            2 => input.truncate(at),
            3 => {
                let byte = self.next() as u8;
                input.insert(at, byte);
            }
            4 => {
                if at < input.len() {
                    input.remove(at);
                }
            }
            // An edge, in the width and byte order that the reader may expect.
            5 => {
                let edge = EDGES[self.below(EDGES.len())];
                let width = [1, 2, 4, 8][self.below(4)];
                let bytes = if self.next().is_multiple_of(2) { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let part = if self.next().is_multiple_of(2) { &bytes[..width] } else { &bytes[8 - width..] };
                for (place, byte) in input.iter_mut().skip(at).zip(part) {
                    *place = *byte;
                }
            }
            // The end of another one.
            6 => {
                if let Some(other) = valid.get(self.below(valid.len())) {
                    let from = self.below(other.len());
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
            }
            // A part twice.
            _ => {
                let until = (at + 1 + self.below(64)).min(input.len());
                let part = input.get(at..until).unwrap_or_default().to_vec();
                input.splice(at..at, part);
            }
        }
    }
}
