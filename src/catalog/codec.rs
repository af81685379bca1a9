//! Records as bytes. All numbers are big-endian, as on Kafka's wire.
//!
//! ```text
//! version u8 = 1 | kind u8 | topic id 16 bytes, but for kind 5 | fields of the kind
//! kind 1 TopicCreated     created_ms i64 | partitions i32 | name | configs
//! kind 2 TopicDeleted     -
//! kind 3 PartitionsAdded  partitions i32
//! kind 4 ConfigSet        configs
//! kind 5 GroupConfigSet   group id | configs
//! name, group id, key, value: length u16 | UTF-8;  configs: count u16 | (key | value)*
//! ```
//! Keys are in ascending order, so that a record has one encoding.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::name;
use super::record::{CatalogRecord, DecodeError};
use crate::base::TopicId;
use crate::base::limits::{CONFIGS_PER_TOPIC_MAX, STRING_BYTES_MAX, TOPIC_PARTITIONS_MAX};

const VERSION: u8 = 1;
const TOPIC_CREATED: u8 = 1;
const TOPIC_DELETED: u8 = 2;
const PARTITIONS_ADDED: u8 = 3;
const CONFIG_SET: u8 = 4;
const GROUP_CONFIG_SET: u8 = 5;

// Lengths and counts are u16 on disk.
const _: () = assert!(STRING_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(CONFIGS_PER_TOPIC_MAX <= u16::MAX as usize);

pub(super) fn encode(record: &CatalogRecord) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut head = |kind: u8, topic: &TopicId| {
        out.push(kind);
        out.extend_from_slice(&topic.0);
    };
    match record {
        CatalogRecord::TopicCreated {
            topic,
            name,
            partitions,
            configs,
            created_ms,
        } => {
            head(TOPIC_CREATED, topic);
            out.extend_from_slice(&created_ms.to_be_bytes());
            out.extend_from_slice(&partitions.to_be_bytes());
            put_text(&mut out, name);
            put_configs(&mut out, configs);
        }
        CatalogRecord::TopicDeleted { topic } => head(TOPIC_DELETED, topic),
        CatalogRecord::PartitionsAdded { topic, partitions } => {
            head(PARTITIONS_ADDED, topic);
            out.extend_from_slice(&partitions.to_be_bytes());
        }
        CatalogRecord::ConfigSet { topic, configs } => {
            head(CONFIG_SET, topic);
            put_configs(&mut out, configs);
        }
        CatalogRecord::GroupConfigSet { group, configs } => {
            out.push(GROUP_CONFIG_SET);
            put_text(&mut out, group);
            put_configs(&mut out, configs);
        }
    }
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    assert!(
        text.len() <= STRING_BYTES_MAX,
        "decide lets no longer text through"
    );
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_configs(out: &mut Vec<u8>, configs: &BTreeMap<String, String>) {
    assert!(
        configs.len() <= CONFIGS_PER_TOPIC_MAX,
        "decide lets no more configs through"
    );
    out.extend_from_slice(&(configs.len() as u16).to_be_bytes());
    for (key, value) in configs {
        put_text(out, key);
        put_text(out, value);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<CatalogRecord, DecodeError> {
    let mut input = Input(bytes);
    let version = input.u8()?;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion(version));
    }
    let record = match input.u8()? {
        GROUP_CONFIG_SET => CatalogRecord::GroupConfigSet {
            group: input.text()?.into(),
            configs: input.configs()?,
        },
        kind => decode_of_topic(kind, &mut input)?,
    };
    match input.0.len() {
        0 => Ok(record),
        left => Err(DecodeError::Trailing(left)),
    }
}

fn decode_of_topic(kind: u8, input: &mut Input<'_>) -> Result<CatalogRecord, DecodeError> {
    let topic = TopicId(input.array()?);
    if topic == TopicId::ZERO || topic == TopicId::CATALOG {
        return Err(DecodeError::Invalid("topic id"));
    }
    let record = match kind {
        TOPIC_CREATED => {
            let created_ms = i64::from_be_bytes(input.array()?);
            let partitions = input.partitions()?;
            let name = input.text()?;
            name::validate(name).map_err(|_| DecodeError::Invalid("topic name"))?;
            let (name, configs) = (Arc::from(name), input.configs()?);
            CatalogRecord::TopicCreated {
                topic,
                name,
                partitions,
                configs,
                created_ms,
            }
        }
        TOPIC_DELETED => CatalogRecord::TopicDeleted { topic },
        PARTITIONS_ADDED => CatalogRecord::PartitionsAdded {
            topic,
            partitions: input.partitions()?,
        },
        CONFIG_SET => CatalogRecord::ConfigSet {
            topic,
            configs: input.configs()?,
        },
        kind => return Err(DecodeError::UnknownKind(kind)),
    };
    Ok(record)
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn partitions(&mut self) -> Result<i32, DecodeError> {
        let partitions = i32::from_be_bytes(self.array()?);
        if (1..=TOPIC_PARTITIONS_MAX).contains(&partitions) {
            Ok(partitions)
        } else {
            Err(DecodeError::Invalid("partition count"))
        }
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.u16()?;
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::Invalid("text length"));
        }
        std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Invalid("text"))
    }

    fn configs(&mut self) -> Result<BTreeMap<String, String>, DecodeError> {
        let count = self.u16()?;
        if count > CONFIGS_PER_TOPIC_MAX {
            return Err(DecodeError::Invalid("config count"));
        }
        let mut configs = BTreeMap::new();
        for _ in 0..count {
            let (key, value) = (self.text()?, self.text()?);
            if configs
                .last_key_value()
                .is_some_and(|(last, _): (&String, _)| last.as_str() >= key)
            {
                return Err(DecodeError::Invalid("order of configs"));
            }
            configs.insert(key.to_owned(), value.to_owned());
        }
        Ok(configs)
    }
}
