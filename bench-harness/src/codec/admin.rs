//! What a client asks before it produces or fetches: ApiVersions 0, Metadata 7,
//! CreateTopics 4, DeleteTopics 1 and ListOffsets 1. Old versions on purpose: their layout is
//! plain and every broker of interest serves them.

use anyhow::{Context, Result, ensure};

use super::api;
use super::reader::Reader;
use super::writer::{Header, Writer};

/// Kafka's error code for a topic that exists already.
pub const TOPIC_ALREADY_EXISTS: i16 = 36;

/// Asks which versions the broker serves.
pub fn api_versions_request() -> Vec<u8> {
    Writer::request(api::API_VERSIONS, 0, Header::Plain, 0).finish()
}

/// The lowest and highest version served of the API `key`.
pub fn version_range(frame: &[u8], key: i16) -> Result<(i16, i16)> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    let error = reader.i16()?;
    ensure!(error == 0, "ApiVersions answered error {error}");
    for _ in 0..reader.array_length()? {
        let (found, low, high) = (reader.i16()?, reader.i16()?, reader.i16()?);
        if found == key {
            return Ok((low, high));
        }
    }
    anyhow::bail!("the broker does not serve API {key}")
}

/// Asks for the leaders of `topic`, without creating it.
pub fn metadata_request(topic: &str) -> Vec<u8> {
    let mut writer = Writer::request(api::METADATA, 7, Header::Plain, 0);
    writer.i32(1).string(topic).i8(0);
    writer.finish()
}

/// Where the partitions of one topic are led.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicLeaders {
    /// Kafka's error code of the topic.
    pub error: i16,
    /// `host:port` of each partition's leader, `None` while it has none.
    pub leaders: Vec<Option<String>>,
}

/// Reads the response to [`metadata_request`].
pub fn metadata_response(frame: &[u8]) -> Result<TopicLeaders> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    reader.i32()?; // throttle time
    let mut brokers = Vec::new();
    for _ in 0..reader.array_length()? {
        let (node, host, port) = (reader.i32()?, reader.string()?, reader.i32()?);
        reader.nullable_string()?; // rack
        brokers.push((node, format!("{host}:{port}")));
    }
    reader.nullable_string()?; // cluster id
    reader.i32()?; // controller
    let topics = reader.array_length()?;
    ensure!(
        topics == 1,
        "Metadata answered {topics} topics, one was asked for"
    );
    let error = reader.i16()?;
    reader.string()?;
    reader.bool()?; // internal
    let mut found = Vec::new();
    for _ in 0..reader.array_length()? {
        reader.i16()?;
        let (index, leader) = (reader.i32()?, reader.i32()?);
        reader.i32()?; // leader epoch
        for _ in 0..3 {
            // replicas, in sync, offline
            for _ in 0..reader.array_length()? {
                reader.i32()?;
            }
        }
        let address = brokers.iter().find(|(node, _)| *node == leader);
        found.push((index, address.map(|(_, address)| address.clone())));
    }
    found.sort();
    let dense = found
        .iter()
        .zip(0i32..)
        .all(|((index, _), expected)| *index == expected);
    ensure!(dense, "Metadata left out a partition");
    let leaders = found.into_iter().map(|(_, leader)| leader).collect();
    Ok(TopicLeaders { error, leaders })
}

/// Asks for a topic with `partitions` partitions of one replica.
pub fn create_topic_request(topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::request(api::CREATE_TOPICS, 4, Header::Plain, 0);
    writer.i32(1).string(topic).i32(partitions).i16(1).i32(0);
    writer.i32(configs.len() as i32);
    for (name, value) in configs {
        writer.string(name).string(value);
    }
    writer.i32(30_000).i8(0); // timeout, validate only
    writer.finish()
}

/// The error code and message in the response to [`create_topic_request`].
pub fn create_topic_response(frame: &[u8]) -> Result<(i16, String)> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    reader.i32()?; // throttle time
    ensure!(
        reader.array_length()? == 1,
        "CreateTopics answered another number of topics"
    );
    reader.string()?;
    let error = reader.i16()?;
    Ok((
        error,
        reader.nullable_string()?.unwrap_or_default().to_owned(),
    ))
}

/// Deletes `topic`.
pub fn delete_topic_request(topic: &str) -> Vec<u8> {
    let mut writer = Writer::request(api::DELETE_TOPICS, 1, Header::Plain, 0);
    writer.i32(1).string(topic).i32(30_000);
    writer.finish()
}

/// The error code in the response to [`delete_topic_request`].
pub fn delete_topic_response(frame: &[u8]) -> Result<i16> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    reader.i32()?; // throttle time
    ensure!(
        reader.array_length()? == 1,
        "DeleteTopics answered another number of topics"
    );
    reader.string()?;
    reader.i16()
}

/// The end of the log, as a timestamp of ListOffsets.
pub const LATEST: i64 = -1;
/// The start of the log, as a timestamp of ListOffsets.
pub const EARLIEST: i64 = -2;

/// Asks for the offset of `partition` at `timestamp` ([`LATEST`] or [`EARLIEST`]).
pub fn list_offsets_request(topic: &str, partition: i32, timestamp: i64) -> Vec<u8> {
    let mut writer = Writer::request(api::LIST_OFFSETS, 1, Header::Plain, 0);
    writer.i32(-1).i32(1).string(topic);
    writer.i32(1).i32(partition).i64(timestamp);
    writer.finish()
}

/// The offset in the response to [`list_offsets_request`].
pub fn list_offsets_response(frame: &[u8]) -> Result<i64> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    ensure!(
        reader.array_length()? == 1,
        "ListOffsets answered another number of topics"
    );
    reader.string()?;
    let partitions = reader.array_length()?;
    (partitions == 1)
        .then_some(())
        .context("ListOffsets answered another number of partitions")?;
    reader.i32()?;
    let error = reader.i16()?;
    ensure!(error == 0, "ListOffsets answered error {error}");
    reader.i64()?;
    reader.i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> Writer {
        Writer::response(Header::Plain, 0)
    }

    #[test]
    fn leaders_come_in_partition_order() {
        let mut writer = response();
        writer.i32(0).i32(2);
        writer.i32(0).string("a").i32(9092).i16(-1);
        writer.i32(1).string("b").i32(9093).string("rack");
        writer.i16(-1).i32(0).i32(1);
        writer.i16(0).string("t").i8(0).i32(3);
        for (index, leader) in [(2, 0), (0, 1), (1, 7)] {
            writer.i16(0).i32(index).i32(leader).i32(1);
            writer.i32(1).i32(leader).i32(1).i32(leader).i32(0);
        }
        let frame = writer.finish();
        let topic = metadata_response(&frame[4..]).unwrap();
        let leaders = vec![Some("b:9093".to_owned()), None, Some("a:9092".to_owned())];
        assert_eq!(topic, TopicLeaders { error: 0, leaders });
        for end in 4..frame.len() {
            assert!(metadata_response(&frame[4..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn version_ranges_are_found_by_key() {
        let mut writer = response();
        writer
            .i16(0)
            .i32(2)
            .i16(0)
            .i16(3)
            .i16(13)
            .i16(1)
            .i16(4)
            .i16(18);
        let frame = writer.finish();
        assert_eq!(version_range(&frame[4..], api::FETCH).unwrap(), (4, 18));
        assert!(version_range(&frame[4..], api::METADATA).is_err());
    }

    #[test]
    fn topic_errors_and_offsets_are_read() {
        let mut writer = response();
        writer
            .i32(0)
            .i32(1)
            .string("t")
            .i16(TOPIC_ALREADY_EXISTS)
            .string("it is there");
        let created = create_topic_response(&writer.finish()[4..]).unwrap();
        assert_eq!(created, (TOPIC_ALREADY_EXISTS, "it is there".to_owned()));
        let mut writer = response();
        writer.i32(0).i32(1).string("t").i16(3);
        assert_eq!(delete_topic_response(&writer.finish()[4..]).unwrap(), 3);
        for (error, ok) in [(0i16, true), (3, false)] {
            let mut writer = response();
            writer
                .i32(1)
                .string("t")
                .i32(1)
                .i32(0)
                .i16(error)
                .i64(-1)
                .i64(55);
            let offset = list_offsets_response(&writer.finish()[4..]);
            assert_eq!(offset.ok(), ok.then_some(55));
        }
    }
}
