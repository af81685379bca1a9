//! The records' bytes are Kafka's.

use crate::group::record::{Change, Committed, GroupMetadata, SavedMember};
use crate::group::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn offset(expire_ms: Option<i64>) -> Change {
    Change::Offset {
        group: "g".into(),
        topic: "to".into(),
        partition: 7,
        committed: Some(Committed {
            offset: 258,
            leader_epoch: 3,
            metadata: "m".into(),
            commit_ms: 1000,
            expire_ms,
        }),
    }
}

fn group() -> Change {
    Change::Group {
        group: "g".into(),
        metadata: Some(GroupMetadata {
            protocol_type: "consumer".into(),
            generation: 2,
            protocol: Some("range".into()),
            leader: Some("a".into()),
            since_ms: 1000,
            members: vec![SavedMember {
                member_id: "a".into(),
                instance_id: Some("i".into()),
                client_id: "c".into(),
                client_host: "/h".into(),
                rebalance_timeout_ms: 60_000,
                session_timeout_ms: 10_000,
                subscription: b"sub".as_slice().into(),
                assignment: b"as".as_slice().into(),
            }],
        }),
    }
}

#[test]
fn golden_bytes() {
    let record = offset(None).encode();
    assert_eq!(
        hex(&record.key),
        "0001000167 0002746f00000007".replace(' ', "")
    );
    let value = "0003 0000000000000102 00000003 00016d 00000000000003e8";
    assert_eq!(hex(&record.value.unwrap()), value.replace(' ', ""));
    let value = "0001 0000000000000102 00016d 00000000000003e8 00000000000007d0";
    let record = offset(Some(2000)).encode();
    assert_eq!(hex(&record.value.unwrap()), value.replace(' ', ""));
    let record = group().encode();
    assert_eq!(hex(&record.key), "0002000167");
    let value = "0003 0008636f6e73756d6572 00000002 000572616e6765 000161 00000000000003e8 \
                 00000001 000161 000169 000163 00022f68 0000ea60 00002710 00000003737562 \
                 000000026173";
    assert_eq!(hex(&record.value.unwrap()), value.replace(' ', ""));
}

#[test]
fn what_is_written_is_read_and_so_are_tombstones() {
    for change in [offset(None), offset(Some(5)), group()] {
        let record = change.encode();
        // A version without a leader epoch forgets it.
        let expected = match change {
            Change::Offset {
                committed: Some(mut committed),
                group,
                topic,
                partition,
            } => {
                if committed.expire_ms.is_some() {
                    committed.leader_epoch = -1;
                }
                Change::Offset {
                    committed: Some(committed),
                    group,
                    topic,
                    partition,
                }
            }
            other => other,
        };
        assert_eq!(
            Change::decode(&record.key, record.value.as_deref()),
            Ok(expected)
        );
        let gone = Change::decode(&record.key, None).unwrap().encode();
        assert_eq!(
            gone,
            GroupRecord {
                key: record.key,
                value: None
            }
        );
    }
}

#[test]
fn older_and_newer_values_are_read() {
    let key = offset(None).encode().key;
    let plain = [
        &[0, 0][..],
        &258i64.to_be_bytes(),
        &[0, 1, b'm'],
        &1000i64.to_be_bytes(),
    ]
    .concat();
    // Version 4 is flexible: compact strings, tagged fields.
    let flexible = [
        &[0, 4][..],
        &258i64.to_be_bytes(),
        &3i32.to_be_bytes(),
        &[2, b'm'],
        &1000i64.to_be_bytes(),
        &[1, 9, 1, 0xff],
    ]
    .concat();
    for (value, epoch) in [(plain, -1), (flexible, 3)] {
        let Ok(Change::Offset {
            committed: Some(committed),
            ..
        }) = Change::decode(&key, Some(&value))
        else {
            panic!("an offset")
        };
        assert_eq!(
            (
                committed.offset,
                committed.leader_epoch,
                committed.commit_ms
            ),
            (258, epoch, 1000)
        );
    }
}

#[test]
fn what_is_no_record_is_refused_at_every_length() {
    let mut coordinator = Coordinator::new(GroupConfig::default());
    for record in [offset(None).encode(), group().encode()] {
        let value = record.value.unwrap();
        for length in 0..record.key.len() {
            assert!(
                coordinator
                    .replay(&record.key[..length], Some(&value), 0)
                    .is_err()
            );
        }
        for length in 0..value.len() {
            assert!(
                coordinator
                    .replay(&record.key, Some(&value[..length]), 0)
                    .is_err()
            );
        }
        let newer = [&[0, 5], &value[2..]].concat();
        let error = coordinator.replay(&record.key, Some(&newer), 0);
        assert_eq!(error, Err(DecodeError::Value(5)));
    }
    assert_eq!(
        coordinator.replay(&[0, 3, 0, 0], None, 0),
        Err(DecodeError::Key(3))
    );
    assert_eq!(coordinator.snapshot().count(), 0);
}

#[test]
fn tombstones_of_what_is_not_there_change_nothing() {
    let mut coordinator = Coordinator::new(GroupConfig::default());
    for record in [offset(None).encode(), group().encode()] {
        coordinator.replay(&record.key, None, 0).unwrap();
    }
    assert_eq!(coordinator.snapshot().count(), 0);
    assert!(coordinator.groups.is_empty());
}
