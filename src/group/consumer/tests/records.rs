//! The records, byte for byte as Kafka writes them.

use super::super::member::{Held, Said, State};
use super::super::record::{Epoch, What};
use super::*;
use crate::group::record::DecodeError;

fn change(what: What) -> ConsumerChange {
    ConsumerChange {
        group: "g".into(),
        what,
    }
}

fn said() -> Said {
    Said {
        instance_id: Some("i".into()),
        rack_id: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        topics: ["t".into(), "u".into()].into(),
        expression: Some("v.*".into()),
        rebalance_timeout_ms: 60_000,
        assignor: Some("range".into()),
    }
}

fn held() -> Held {
    Held {
        epoch: 3,
        previous_epoch: 2,
        state: State::Unrevoked,
        assigned: of_t(&[0, 2]),
        revoking: of_t(&[1]),
    }
}

/// Every kind of record, with the bytes after the key `version, "g"` and of the value.
fn golden() -> Vec<(What, Vec<u8>, Vec<u8>)> {
    let key = |version: u8, member: bool| {
        let mut key = vec![0, version, 0, 1, b'g'];
        if member {
            key.extend([0, 1, b'm']);
        }
        key
    };
    let epoch = Epoch {
        epoch: 7,
        topics_hash: 258,
    };
    let topic = |count: u8| {
        let mut bytes = vec![1_u8; 16];
        bytes.push(count + 1);
        bytes
    };
    let one = |partition: u8| [0, 0, 0, partition];
    vec![
        (
            What::Group(Some(epoch)),
            key(3, false),
            // Version, epoch, one tagged field: number 0, eight bytes.
            vec![0, 0, 0, 0, 0, 7, 1, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2],
        ),
        (
            What::Member("m".into(), Some(said())),
            key(5, true),
            [
                &[
                    0, 0, 2, b'i', 0, 2, b'c', 3, b'/', b'h', 3, 2, b't', 2, b'u',
                ][..],
                &[4, b'v', b'.', b'*'],
                &[0, 0, 0xea, 0x60, 6, b'r', b'a', b'n', b'g', b'e', 0],
            ]
            .concat(),
        ),
        (
            What::TargetEpoch(Some(7)),
            key(6, false),
            vec![0, 0, 0, 0, 0, 7, 0],
        ),
        (
            What::Target("m".into(), Some(of_t(&[4]))),
            key(7, true),
            [&[0, 0, 2][..], &topic(1), &one(4), &[0, 0]].concat(),
        ),
        (
            What::Held("m".into(), Some(held())),
            key(8, true),
            [
                &[0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2][..],
                &topic(2),
                &one(0),
                &one(2),
                &[0, 2],
                &topic(1),
                &one(1),
                &[0, 0],
            ]
            .concat(),
        ),
    ]
}

#[test]
fn records_are_as_kafka_writes_them() {
    for (what, key, value) in golden() {
        let change = change(what);
        assert_eq!(change.encode(), (key.clone(), Some(value.clone())));
        assert_eq!(ConsumerChange::decode(&key, Some(&value)), Ok(Some(change)));
    }
}

#[test]
fn tombstones_have_no_value() {
    let m: Arc<str> = "m".into();
    let gone = [
        What::Group(None),
        What::Member(m.clone(), None),
        What::TargetEpoch(None),
        What::Target(m.clone(), None),
        What::Held(m, None),
    ];
    for what in gone {
        let change = change(what);
        let (key, value) = change.encode();
        assert_eq!(value, None);
        assert_eq!(ConsumerChange::decode(&key, None), Ok(Some(change)));
    }
}

#[test]
fn damaged_and_unknown_records_are_refused() {
    for (what, key, value) in golden() {
        for cut in 0..value.len() {
            assert!(
                ConsumerChange::decode(&key, Some(&value[..cut])).is_err(),
                "{what:?} {cut}"
            );
        }
        for cut in 0..key.len() {
            assert!(ConsumerChange::decode(&key[..cut], None).is_err());
        }
        let mut newer = value.clone();
        newer[1] = 9;
        let error = ConsumerChange::decode(&key, Some(&newer));
        assert_eq!(error, Err(DecodeError::Value(9)));
    }
    let (_, key, mut value) = golden().remove(4);
    value[10] = 5;
    let error = ConsumerChange::decode(&key, Some(&value));
    assert_eq!(error, Err(DecodeError::State(5)));
    let error = ConsumerChange::decode(&[0, 2, 0, 1, b'g'], None);
    assert_eq!(error, Err(DecodeError::Key(2)));
}

#[test]
fn what_kafka_derives_is_read_past() {
    for kind in [4, 16] {
        let key = [0, kind as u8, 0, 1, b'g', 0, 1, b'x'];
        assert!(ConsumerChange::is_of(&key));
        assert_eq!(
            ConsumerChange::decode(&key, Some(&[0, 0, 1, 2, 3])),
            Ok(None)
        );
    }
    for other in [&[0, 2][..], &[0, 9], &[0]] {
        assert!(!ConsumerChange::is_of(other));
    }
}
