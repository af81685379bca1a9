//! The records of `__consumer_offsets`, in Kafka's formats, so that tools which read the topic
//! can read ours: a key that says what it is about, and a value or, for what is gone, none.
//!
//! | key | about | value written | values read |
//! |---|---|---|---|
//! | 0, 1 | an offset of a group | 3; 1 if it expires at a time of its own | 0-4 |
//! | 2 | a classic group | 3 | 0-4 |
//! | 3-8, 16 | a group of KIP-848: see `consumer/record.rs` | | |
//!
//! Kafka writes the same versions. Other keys are refused: a log with records of a kind that
//! this version does not know must not be taken for one without them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::consumer::ConsumerChange;
use crate::kafka::reader::{Reader, WireError};
use crate::kafka::rope::Rope;
use crate::kafka::wire::{Version, Wire};
use crate::wire_struct;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const OFFSET_VALUE: i16 = 3;
/// The only version that has a time at which the offset expires.
const OFFSET_VALUE_EXPIRING: i16 = 1;
const GROUP_VALUE: i16 = 3;
const VALUE_MAX: i16 = 4;
const VALUE_FLEXIBLE: i16 = 4;

/// One record, encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupRecord {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; `None` says that what the key names is gone.
    pub value: Option<Vec<u8>>,
}

impl GroupRecord {
    /// Bytes that it takes in a batch, about.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len) + RECORD_OVERHEAD
    }
}

/// Lengths, timestamp and offset of a record in a batch, at most.
const RECORD_OVERHEAD: usize = 32;

/// Why bytes are no record of a group.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The bytes do not hold what they should.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A key of an unknown kind.
    #[error("a key of version {0}, which this version of corelane does not know")]
    Key(i16),
    /// A value of an unknown version.
    #[error("a value of version {0}, which this version of corelane does not know")]
    Value(i16),
    /// A member in an unknown state.
    #[error("a member in state {0}, which this version of corelane does not know")]
    State(i8),
}

/// What one record says.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Change {
    /// The offset of a group in a partition, or that it is gone.
    Offset {
        group: Arc<str>,
        topic: Arc<str>,
        partition: i32,
        committed: Option<Committed>,
    },
    /// A group, or that it is gone.
    Group {
        group: Arc<str>,
        metadata: Option<GroupMetadata>,
    },
    /// Something about a group whose coordinator assigns.
    Consumer(ConsumerChange),
}

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Committed {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Arc<str>,
    /// When it was committed, milliseconds since the Unix epoch.
    pub commit_ms: i64,
    /// When it expires, if the commit said so itself.
    pub expire_ms: Option<i64>,
}

/// A group as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupMetadata {
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<Arc<str>>,
    /// Since when the group is in its state, milliseconds since the Unix epoch.
    pub since_ms: i64,
    pub members: Vec<SavedMember>,
}

/// A member as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SavedMember {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

wire_struct! {
    /// Key 0 and 1.
    pub struct OffsetKey<'a> {
        [0+] group: &'a str,
        [0+] topic: &'a str,
        [0+] partition: i32,
    }
}

wire_struct! {
    /// The value to key 0 and 1.
    pub struct OffsetValue<'a> {
        [0+] offset: i64,
        [3+] leader_epoch: i32 = -1,
        [0+] metadata: &'a str,
        [0+] commit_timestamp: i64,
        [1-1] expire_timestamp: i64 = -1,
    }
}

wire_struct! {
    /// Key 2.
    pub struct GroupKey<'a> {
        [0+] group: &'a str,
    }
}

wire_struct! {
    /// The value to key 2.
    pub struct GroupValue<'a> {
        [0+] protocol_type: &'a str,
        [0+] generation: i32,
        [0+] protocol: Option<&'a str>,
        [0+] leader: Option<&'a str>,
        [2+] current_state_timestamp: i64 = -1,
        [0+] members: Vec<MemberValue<'a>>,
    }
}

wire_struct! {
    /// A member in [`GroupValue`].
    pub struct MemberValue<'a> {
        [0+] member_id: &'a str,
        [3+] group_instance_id: Option<&'a str>,
        [0+] client_id: &'a str,
        [0+] client_host: &'a str,
        [1+] rebalance_timeout: i32 = -1,
        [0+] session_timeout: i32,
        [0+] subscription: &'a [u8],
        [0+] assignment: &'a [u8],
    }
}

impl Change {
    /// The group that it is about.
    pub(super) fn group(&self) -> &Arc<str> {
        match self {
            Change::Offset { group, .. } | Change::Group { group, .. } => group,
            Change::Consumer(change) => &change.group,
        }
    }

    /// The record that says it.
    pub(super) fn encode(&self) -> GroupRecord {
        match self {
            Change::Offset {
                group,
                topic,
                partition,
                committed,
            } => GroupRecord {
                key: write(
                    OFFSET_KEY,
                    &OffsetKey {
                        group,
                        topic,
                        partition: *partition,
                    },
                ),
                value: committed.as_ref().map(Committed::encode),
            },
            Change::Group { group, metadata } => GroupRecord {
                key: write(GROUP_KEY, &GroupKey { group }),
                value: metadata.as_ref().map(GroupMetadata::encode),
            },
            Change::Consumer(change) => {
                let (key, value) = change.encode();
                GroupRecord { key, value }
            }
        }
    }

    /// What a record says.
    pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Change, DecodeError> {
        let key = Bytes::copy_from_slice(key);
        let value = value.map(Bytes::copy_from_slice);
        let mut reader = Reader::new(&key);
        match reader.i16()? {
            version @ 0..=OFFSET_KEY => {
                let key = OffsetKey::read(&mut reader, plain(version))?;
                Ok(Change::Offset {
                    group: key.group.into(),
                    topic: key.topic.into(),
                    partition: key.partition,
                    committed: value.as_ref().map(Committed::decode).transpose()?,
                })
            }
            GROUP_KEY => Ok(Change::Group {
                group: GroupKey::read(&mut reader, plain(GROUP_KEY))?.group.into(),
                metadata: value.as_ref().map(GroupMetadata::decode).transpose()?,
            }),
            unknown => Err(DecodeError::Key(unknown)),
        }
    }
}

impl Committed {
    fn encode(&self) -> Vec<u8> {
        let version = match self.expire_ms {
            Some(_) => OFFSET_VALUE_EXPIRING,
            None => OFFSET_VALUE,
        };
        let value = OffsetValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: &self.metadata,
            commit_timestamp: self.commit_ms,
            expire_timestamp: self.expire_ms.unwrap_or(-1),
        };
        write(version, &value)
    }

    fn decode(bytes: &Bytes) -> Result<Committed, DecodeError> {
        let value: OffsetValue<'_> = read_value(bytes)?;
        Ok(Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.into(),
            commit_ms: value.commit_timestamp,
            expire_ms: Some(value.expire_timestamp).filter(|&at| at >= 0),
        })
    }
}

impl GroupMetadata {
    fn encode(&self) -> Vec<u8> {
        let value = GroupValue {
            protocol_type: &self.protocol_type,
            generation: self.generation,
            protocol: self.protocol.as_deref(),
            leader: self.leader.as_deref(),
            current_state_timestamp: self.since_ms,
            members: self.members.iter().map(SavedMember::value).collect(),
        };
        write(GROUP_VALUE, &value)
    }

    fn decode(bytes: &Bytes) -> Result<GroupMetadata, DecodeError> {
        let value: GroupValue<'_> = read_value(bytes)?;
        Ok(GroupMetadata {
            protocol_type: value.protocol_type.into(),
            generation: value.generation,
            protocol: value.protocol.map(Arc::from),
            leader: value.leader.map(Arc::from),
            since_ms: value.current_state_timestamp,
            members: value.members.iter().map(SavedMember::of).collect(),
        })
    }
}

impl SavedMember {
    fn value(&self) -> MemberValue<'_> {
        MemberValue {
            member_id: &self.member_id,
            group_instance_id: self.instance_id.as_deref(),
            client_id: &self.client_id,
            client_host: &self.client_host,
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: &self.subscription,
            assignment: &self.assignment,
        }
    }

    fn of(value: &MemberValue<'_>) -> SavedMember {
        SavedMember {
            member_id: value.member_id.into(),
            instance_id: value.group_instance_id.map(Arc::from),
            client_id: value.client_id.into(),
            client_host: value.client_host.into(),
            // Version 0 had one timeout for both.
            rebalance_timeout_ms: match value.rebalance_timeout {
                ..0 => value.session_timeout,
                timeout => timeout,
            },
            session_timeout_ms: value.session_timeout,
            subscription: Bytes::copy_from_slice(value.subscription),
            assignment: Bytes::copy_from_slice(value.assignment),
        }
    }
}

fn plain(number: i16) -> Version {
    Version {
        number,
        flexible: false,
    }
}

/// The version, and the message in that version.
fn write<'a>(version: i16, message: &impl Wire<'a>) -> Vec<u8> {
    let mut scratch = BytesMut::new();
    let mut rope = Rope::new(&mut scratch);
    rope.i16(version);
    message.write(&mut rope, plain(version));
    rope.finish().body().to_vec()
}

fn read_value<'a, T: Wire<'a>>(bytes: &'a Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let number = reader.i16()?;
    if !(0..=VALUE_MAX).contains(&number) {
        return Err(DecodeError::Value(number));
    }
    let version = Version {
        number,
        flexible: number >= VALUE_FLEXIBLE,
    };
    Ok(T::read(&mut reader, version)?)
}
