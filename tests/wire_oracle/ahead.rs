//! Messages whose API has no row in the table yet, so that they are right before anything
//! serves them. With its row the line of an API moves from here to `compare!` in `main`,
//! where the headers are compared as well.

use bytes::{Buf, Bytes, BytesMut};
use corelane::kafka::messages as ours;
use corelane::kafka::{Reader, Rope, Version, Wire};
use kafka_protocol::messages as oracle;
use kafka_protocol::protocol::{Decodable, Message};

use crate::mirror::{Kept, Mirror, Tags};
use crate::random::{Random, Source};
use crate::{each_number, encoded, normal};

fn written<'a>(value: &impl Wire<'a>, version: Version) -> Bytes {
    let mut scratch = BytesMut::new();
    let mut rope = Rope::new(&mut scratch);
    value.write(&mut rope, version);
    rope.finish().body()
}

/// Up to three bits of `body` turned over.
fn damaged(body: &Bytes, source: &mut Source) -> Bytes {
    let mut bytes = body.to_vec();
    for _ in 0..source.below(4) {
        if let Some(length) = bytes.len().checked_sub(1) {
            bytes[source.below(length + 1)] ^= 1 << source.below(8);
        }
    }
    bytes.into()
}

macro_rules! bodies {
    ($(
        $module:ident $min:literal-$max:literal, flexible $flexible:literal+:
        $request:ident, $response:ident;
    )*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn request() {
                each_number($min..=$max, |number, source| {
                    let version = Version { number, flexible: number >= $flexible };
                    let body = check_body!($module::$request, version, source);
                    for end in 0..body.len() {
                        let cut = body.slice(..end);
                        let reader = &mut Reader::new(&cut);
                        let result = ours::$module::$request::read(reader, version);
                        assert!(result.is_err(), "the first {end} bytes of {body:?}");
                    }
                });
            }

            #[test]
            fn response() {
                each_number($min..=$max, |number, source| {
                    let version = Version { number, flexible: number >= $flexible };
                    check_body!($module::$response, version, source);
                });
            }
        }
    )*};
}

macro_rules! check_body {
    ($module:ident::$message:ident, $version:ident, $source:ident) => {{
        let sent = ours::$module::$message::random($source);
        let body = written(&sent, $version);
        let mut reader = Reader::new(&body);
        let read = ours::$module::$message::read(&mut reader, $version).unwrap();
        assert_eq!(reader.remaining(), 0);
        assert!(read.kept(&sent), "{read:?} of {sent:?}");
        assert_eq!(written(&read, $version), body);

        let bad = damaged(&body, $source);
        let _ = ours::$module::$message::read(&mut Reader::new(&bad), $version);
        let bad = $source.bytes(400).into();
        let _ = ours::$module::$message::read(&mut Reader::new(&bad), $version);

        // What the oracle's Kafka has not yet is in `golden_groups`.
        if $version.number <= oracle::$message::VERSIONS.max {
            let buffer = &mut body.clone();
            let theirs = oracle::$message::decode(buffer, $version.number).unwrap();
            assert_eq!(buffer.remaining(), 0);
            let mirrored: oracle::$message = read.mirror(&mut Tags::none());
            assert_eq!(theirs, normal(&mirrored, $version.number));
            assert_eq!(encoded(&theirs, $version.number), body);

            let tagged: oracle::$message = read.mirror(&mut Tags::some($source));
            let tagged = encoded(&tagged, $version.number);
            let reader = &mut Reader::new(&tagged);
            assert_eq!(
                ours::$module::$message::read(reader, $version).unwrap(),
                read
            );
        }
        body
    }};
}

bodies! {
    consumer_group_heartbeat 0-1, flexible 0+:
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    consumer_group_describe 0-1, flexible 0+:
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
}
