//! Randomness that a printed seed repeats (SplitMix64).

/// A generator; clones go on alike.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A seed from the environment (`CORELANE_TEST_SEED`), or a fresh one.
    pub fn seed() -> u64 {
        match std::env::var("CORELANE_TEST_SEED") {
            Ok(text) => text.parse().expect("CORELANE_TEST_SEED must be a number"),
            Err(_) => fresh(),
        }
    }

    /// Another generator, independent of this one from here on.
    pub fn fork(&mut self) -> Random {
        Random(self.next())
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether a thing happens that happens once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(len).collect()
    }
}

/// 64 bits that no other run has.
pub fn fresh() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes from the kernel");
    u64::from_le_bytes(bytes)
}
