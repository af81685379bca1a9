//! Records of every shape, and comparing them with what came back.

use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};

use crate::common::batches::now_ms;
use crate::common::random::Random;

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The key; librdkafka has no empty one, only null.
    pub key: Option<Vec<u8>>,
    /// The value; null is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, of which names may come twice and values may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds.
    pub timestamp: i64,
}

impl Record {
    /// The headers as librdkafka wants them.
    pub fn owned_headers(&self) -> OwnedHeaders {
        let headers = self.headers.iter();
        headers.fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: value.as_ref(),
            })
        })
    }

    /// What a consumer was given.
    pub fn of(message: &OwnedMessage) -> Record {
        let headers = message.headers().map(|headers| {
            let headers = headers.iter();
            let owned = headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)));
            owned.collect()
        });
        Record {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp: message.timestamp().to_millis().unwrap(),
        }
    }
}

/// `count` records: with and without key, value and headers, from empty to large, with
/// contents that compress and contents that do not, and timestamps out of order.
pub fn some(count: usize, seed: u64) -> Vec<Record> {
    const SIZES: [usize; 6] = [1, 10, 100, 1000, 10_000, 100_000];
    let mut random = Random::new(seed);
    let base = now_ms() - 1_000_000;
    let records = (0..count).map(|i| {
        let size = SIZES[i % SIZES.len()];
        let value = match i % 3 {
            0 => random.bytes(size),
            1 => b"text that compresses well, ".repeat(size / 27 + 1),
            _ => vec![0; size],
        };
        let headers = (0..i % 4).map(|h| {
            let value = (h != 1).then(|| random.bytes(h * 7));
            (format!("header-{}", h / 2), value)
        });
        Record {
            key: (i % 5 != 0).then(|| format!("key-{i}").into_bytes()),
            headers: headers.collect(),
            value: (i % 7 != 6).then_some(value),
            timestamp: base + 1000 * (i as i64) - if i % 10 == 9 { 6000 } else { 0 },
        }
    });
    records.collect()
}
