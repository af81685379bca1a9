//! What a stranger may send: no bytes make a decoder panic, and none make it believe
//! a length.

use bytes::Bytes;
use corelane::base::limits;
use corelane::kafka::{ApiKey, WireError};
use proptest::prelude::*;

use crate::random::Source;
use crate::{COMPARED, Decoders};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let frame = Bytes::from(bytes);
        for decoders in COMPARED {
            let spec = decoders.api.spec();
            for version in spec.min..=spec.max {
                let _ = (decoders.request)(&frame, version);
                let _ = (decoders.response)(&frame, version);
            }
        }
    }

    #[test]
    fn damaged_requests_never_panic(seed in any::<u64>()) {
        let source = &mut Source::new(seed);
        for decoders in COMPARED {
            let spec = decoders.api.spec();
            let version = spec.min + source.below((spec.max - spec.min + 1) as usize) as i16;
            let mut bytes = (decoders.random_request)(version, source).to_vec();
            for _ in 0..source.below(4) {
                if let Some(length) = bytes.len().checked_sub(1) {
                    let at = source.below(length + 1);
                    bytes[at] ^= 1 << source.below(8);
                }
            }
            let _ = (decoders.request)(&bytes.into(), version);
        }
    }
}

#[test]
fn unserved_versions_are_refused() {
    let frame = Bytes::from_static(&[0; 64]);
    for decoders in COMPARED {
        let spec = decoders.api.spec();
        for version in [spec.min - 1, spec.max + 1, i16::MIN, i16::MAX] {
            let refused = Err(WireError::Version(decoders.api.key(), version));
            assert_eq!((decoders.request)(&frame, version), refused);
            assert_eq!((decoders.response)(&frame, version), refused);
        }
    }
}

/// An array that announces as many elements as there are bytes, all of them empty
/// structs of two bytes: refused by number before they take 16 bytes each.
#[test]
fn small_elements_are_not_multiplied() {
    let topics = limits::MESSAGE_ELEMENTS_MAX as u32 + 1;
    let mut bytes = Vec::new();
    corelane::kafka::varint::write_u32(&mut bytes, topics + 1);
    bytes.resize(bytes.len() + 4 * topics as usize, 1);
    let request = decoders(ApiKey::DescribeTopicPartitions).request;
    assert_eq!(request(&bytes.into(), 0), Err(WireError::Elements));
}

#[test]
fn bytes_after_a_request_are_left_alone() {
    let mut bytes = (decoders(ApiKey::ApiVersions).random_request)(4, &mut Source::new(1)).to_vec();
    bytes.extend([1, 2, 3]);
    assert_eq!(
        (decoders(ApiKey::ApiVersions).request)(&bytes.into(), 4),
        Ok(())
    );
}

fn decoders(api: ApiKey) -> &'static Decoders {
    COMPARED
        .iter()
        .find(|decoders| decoders.api == api)
        .unwrap()
}
