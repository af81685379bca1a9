//! Random messages from a seed.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::{ErrorCode, Records};

/// Where a message's random fields come from (SplitMix64).
pub struct Source(u64);

impl Source {
    pub fn new(seed: u64) -> Self {
        Source(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn bytes(&mut self, end: usize) -> Vec<u8> {
        let length = self.below(end);
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A random value of a field or a message.
pub trait Random {
    fn random(source: &mut Source) -> Self;
}

macro_rules! random_number {
    ($($type:ty)*) => {$(
        impl Random for $type {
            fn random(source: &mut Source) -> Self {
                match source.below(4) {
                    0 => source.below(3) as $type - 1,
                    1 => <$type>::MAX,
                    2 => <$type>::MIN,
                    _ => source.next() as $type,
                }
            }
        }
    )*};
}

random_number!(i8 i16 i32 i64);

impl Random for bool {
    fn random(source: &mut Source) -> Self {
        source.below(2) == 1
    }
}

impl Random for ErrorCode {
    fn random(source: &mut Source) -> Self {
        ErrorCode(i16::random(source))
    }
}

impl Random for TopicId {
    fn random(source: &mut Source) -> Self {
        let (high, low) = (source.next(), source.next());
        match source.below(4) {
            0 => TopicId::ZERO,
            _ => TopicId((u128::from(high) << 64 | u128::from(low)).to_be_bytes()),
        }
    }
}

/// Strings to choose from, so that they can be borrowed: empty, short, beyond 127
/// bytes where a compact length takes a second byte, all of Unicode.
static STRINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut source = Source::new(0);
    (0..256)
        .map(|n| {
            let length = if n % 8 == 0 { 300 } else { n % 24 };
            let mut letter = || char::from_u32(source.below(0x11_0000) as u32).unwrap_or('a');
            (0..length)
                .map(|i| if i % 3 == 0 { letter() } else { 'x' })
                .collect()
        })
        .collect()
});

impl Random for &str {
    fn random(source: &mut Source) -> Self {
        &STRINGS[source.below(STRINGS.len())]
    }
}

impl Random for Cow<'_, str> {
    fn random(source: &mut Source) -> Self {
        Cow::Borrowed(Random::random(source))
    }
}

impl Random for &[u8] {
    fn random(source: &mut Source) -> Self {
        <&str>::random(source).as_bytes()
    }
}

impl Random for Bytes {
    fn random(source: &mut Source) -> Self {
        source.bytes(1500).into()
    }
}

impl Random for Records {
    fn random(source: &mut Source) -> Self {
        Records(Random::random(source))
    }
}

impl<T: Random> Random for Option<T> {
    fn random(source: &mut Source) -> Self {
        (source.below(4) > 0).then(|| T::random(source))
    }
}

impl<T: Random> Random for Vec<T> {
    fn random(source: &mut Source) -> Self {
        (0..source.below(4)).map(|_| T::random(source)).collect()
    }
}

impl Random for Cow<'_, [i32]> {
    fn random(source: &mut Source) -> Self {
        Cow::Owned(Random::random(source))
    }
}
