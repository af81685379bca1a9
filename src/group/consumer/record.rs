//! The records of these groups in `__consumer_offsets`, in Kafka's formats.
//!
//! | key | about | value |
//! |---|---|---|
//! | 3 | a group: its epoch and the hash of its topics | 0 |
//! | 4 | its topics, before Kafka 4.1 | not written; read past |
//! | 5 | what a member said about itself | 0 |
//! | 6 | the epoch of the group's target | 0 |
//! | 7 | what a member is to have | 0 |
//! | 8 | what a member has | 0 |
//! | 16 | topics that match an expression | not written; read past |

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::member::{Held, Said, State};
use super::request::Partitions;
use crate::base::TopicId;
use crate::group::record::DecodeError;
use crate::kafka::reader::Reader;
use crate::kafka::rope::Rope;
use crate::kafka::wire::{Version, Wire};
use crate::wire_struct;

const GROUP: i16 = 3;
const TOPICS: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const HELD: i16 = 8;
const EXPRESSION: i16 = 16;
/// The only version of every value.
const VALUE: i16 = 0;

/// What one record says about a group.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerChange {
    /// The group.
    pub group: Arc<str>,
    pub(super) what: What,
}

/// See [`ConsumerChange`]. `None` says that it is gone.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum What {
    Group(Option<Epoch>),
    Member(Arc<str>, Option<Said>),
    TargetEpoch(Option<i32>),
    Target(Arc<str>, Option<Partitions>),
    Held(Arc<str>, Option<Held>),
}

/// A group's epoch, and for which topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Epoch {
    pub epoch: i32,
    pub topics_hash: i64,
}

wire_struct! {
    /// Key 3, 4 and 6; 16 begins with the same.
    pub struct GroupKey<'a> {
        [0+] group: &'a str,
    }
}

wire_struct! {
    /// Key 5, 7 and 8.
    pub struct MemberKey<'a> {
        [0+] group: &'a str,
        [0+] member: &'a str,
    }
}

wire_struct! {
    /// The value to key 3.
    pub struct GroupValue {
        [0+] epoch: i32,
        [0+ tag 0] metadata_hash: i64,
    }
}

wire_struct! {
    /// The value to key 5.
    pub struct MemberValue<'a> {
        [0+] instance_id: Option<&'a str>,
        [0+] rack_id: Option<&'a str>,
        [0+] client_id: &'a str,
        [0+] client_host: &'a str,
        [0+] subscribed_topic_names: Vec<&'a str>,
        [0+] subscribed_topic_regex: Option<&'a str>,
        [0+] rebalance_timeout_ms: i32 = -1,
        [0+] server_assignor: Option<&'a str>,
    }
}

wire_struct! {
    /// The value to key 6.
    pub struct TargetEpochValue {
        [0+] assignment_epoch: i32,
    }
}

wire_struct! {
    /// The value to key 7.
    pub struct TargetValue<'a> {
        [0+] topic_partitions: Vec<TopicPartitionsValue<'a>>,
    }
}

wire_struct! {
    /// The value to key 8.
    pub struct HeldValue<'a> {
        [0+] member_epoch: i32,
        [0+] previous_member_epoch: i32,
        [0+] state: i8,
        [0+] assigned_partitions: Vec<TopicPartitionsValue<'a>>,
        [0+] partitions_pending_revocation: Vec<TopicPartitionsValue<'a>>,
    }
}

wire_struct! {
    /// Partitions of one topic.
    pub struct TopicPartitionsValue<'a> {
        [0+] topic_id: TopicId,
        [0+] partitions: Cow<'a, [i32]>,
    }
}

impl ConsumerChange {
    /// Whether a record with this key is of such a group.
    pub(in crate::group) fn is_of(key: &[u8]) -> bool {
        let version = key.first_chunk().map(|bytes| i16::from_be_bytes(*bytes));
        version.is_some_and(|version| matches!(version, GROUP..=HELD | EXPRESSION))
    }

    /// Key and value of the record that says it.
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let group = &self.group;
        match &self.what {
            What::Group(epoch) => (
                key(GROUP, &GroupKey { group }),
                epoch.as_ref().map(|epoch| {
                    value(&GroupValue {
                        epoch: epoch.epoch,
                        metadata_hash: epoch.topics_hash,
                    })
                }),
            ),
            What::TargetEpoch(epoch) => (
                key(TARGET_EPOCH, &GroupKey { group }),
                epoch.map(|assignment_epoch| value(&TargetEpochValue { assignment_epoch })),
            ),
            What::Member(member, said) => (
                key(MEMBER, &MemberKey { group, member }),
                said.as_ref().map(|said| value(&said.value())),
            ),
            What::Target(member, target) => (
                key(TARGET, &MemberKey { group, member }),
                target.as_ref().map(|target| {
                    value(&TargetValue {
                        topic_partitions: by_topic(target),
                    })
                }),
            ),
            What::Held(member, held) => (
                key(HELD, &MemberKey { group, member }),
                held.as_ref().map(|held| value(&held.value())),
            ),
        }
    }

    /// What a record says; `None` if nothing that is needed.
    ///
    /// # Errors
    /// The record is of no such group, or of a version that is not known.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<ConsumerChange>, DecodeError> {
        let key = Bytes::copy_from_slice(key);
        let value = value.map(Bytes::copy_from_slice);
        let mut reader = Reader::new(&key);
        let kind = reader.i16()?;
        let what = |what| {
            move |group: &str| {
                Some(ConsumerChange {
                    group: group.into(),
                    what,
                })
            }
        };
        match kind {
            TOPICS | EXPRESSION => Ok(None),
            GROUP => {
                let key = GroupKey::read(&mut reader, KEYS)?;
                let epoch = value.as_ref().map(read::<GroupValue>).transpose()?;
                let epoch = epoch.map(|value| Epoch {
                    epoch: value.epoch,
                    topics_hash: value.metadata_hash,
                });
                Ok(what(What::Group(epoch))(key.group))
            }
            TARGET_EPOCH => {
                let key = GroupKey::read(&mut reader, KEYS)?;
                let epoch = value.as_ref().map(read::<TargetEpochValue>).transpose()?;
                let epoch = epoch.map(|value| value.assignment_epoch);
                Ok(what(What::TargetEpoch(epoch))(key.group))
            }
            MEMBER | TARGET | HELD => {
                let key = MemberKey::read(&mut reader, KEYS)?;
                let said = decode_of_member(kind, key.member.into(), value.as_ref())?;
                Ok(what(said)(key.group))
            }
            unknown => Err(DecodeError::Key(unknown)),
        }
    }
}

fn decode_of_member(
    kind: i16,
    member: Arc<str>,
    value: Option<&Bytes>,
) -> Result<What, DecodeError> {
    Ok(match kind {
        MEMBER => {
            let said = value.map(read::<MemberValue<'_>>).transpose()?;
            What::Member(member, said.as_ref().map(Said::of))
        }
        TARGET => {
            let target = value.map(read::<TargetValue<'_>>).transpose()?;
            What::Target(
                member,
                target.map(|value| of_topics(&value.topic_partitions)),
            )
        }
        _ => {
            let held = value.map(read::<HeldValue<'_>>).transpose()?;
            What::Held(member, held.as_ref().map(Held::of).transpose()?)
        }
    })
}

impl Said {
    fn value(&self) -> MemberValue<'_> {
        MemberValue {
            instance_id: self.instance_id.as_deref(),
            rack_id: self.rack_id.as_deref(),
            client_id: &self.client_id,
            client_host: &self.client_host,
            subscribed_topic_names: self.topics.iter().map(|name| &**name).collect(),
            subscribed_topic_regex: self.expression.as_deref(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.as_deref(),
        }
    }

    fn of(value: &MemberValue<'_>) -> Said {
        Said {
            instance_id: value.instance_id.map(Arc::from),
            rack_id: value.rack_id.map(Arc::from),
            client_id: value.client_id.into(),
            client_host: value.client_host.into(),
            topics: value
                .subscribed_topic_names
                .iter()
                .map(|&name| name.into())
                .collect(),
            expression: value
                .subscribed_topic_regex
                .filter(|text| !text.is_empty())
                .map(Arc::from),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            assignor: value.server_assignor.map(Arc::from),
        }
    }
}

impl Held {
    fn value(&self) -> HeldValue<'_> {
        HeldValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: match self.state {
                State::Stable => 0,
                State::Unrevoked => 1,
                State::Unreleased => 2,
            },
            assigned_partitions: by_topic(&self.assigned),
            partitions_pending_revocation: by_topic(&self.revoking),
        }
    }

    fn of(value: &HeldValue<'_>) -> Result<Held, DecodeError> {
        Ok(Held {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: match value.state {
                0 => State::Stable,
                1 => State::Unrevoked,
                2 => State::Unreleased,
                unknown => return Err(DecodeError::State(unknown)),
            },
            assigned: of_topics(&value.assigned_partitions),
            revoking: of_topics(&value.partitions_pending_revocation),
        })
    }
}

fn by_topic(partitions: &Partitions) -> Vec<TopicPartitionsValue<'static>> {
    let topics = partitions.iter();
    topics
        .map(|(&topic_id, of_topic)| TopicPartitionsValue {
            topic_id,
            partitions: of_topic.iter().copied().collect(),
        })
        .collect()
}

fn of_topics(topics: &[TopicPartitionsValue<'_>]) -> Partitions {
    let topics = topics.iter();
    topics
        .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
        .collect()
}

/// Keys are not flexible in any version.
const KEYS: Version = Version {
    number: 0,
    flexible: false,
};
/// Values are in every version.
const VALUES: Version = Version {
    number: VALUE,
    flexible: true,
};

fn key<'a>(kind: i16, key: &impl Wire<'a>) -> Vec<u8> {
    write(kind, key, KEYS)
}

fn value<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    write(VALUE, value, VALUES)
}

fn write<'a>(first: i16, message: &impl Wire<'a>, version: Version) -> Vec<u8> {
    let mut scratch = BytesMut::new();
    let mut rope = Rope::new(&mut scratch);
    rope.i16(first);
    message.write(&mut rope, version);
    rope.finish().body().to_vec()
}

fn read<'a, T: Wire<'a>>(bytes: &'a Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    match reader.i16()? {
        VALUE => Ok(T::read(&mut reader, VALUES)?),
        unknown => Err(DecodeError::Value(unknown)),
    }
}
