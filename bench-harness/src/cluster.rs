//! Finds the leaders of a topic's partitions, creating the topic if asked, over
//! one blocking connection. Used before a load starts, never during one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::clock;
use crate::codec::{self, admin, api, fetch, frame_length, produce};
use crate::net::resolve;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const LEADERS_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A blocking connection to one broker.
pub struct Broker {
    stream: TcpStream,
}

impl Broker {
    /// Connects, or says why not.
    pub fn connect(address: &str) -> Result<Broker> {
        let stream = TcpStream::connect_timeout(&resolve(address)?, REQUEST_TIMEOUT)
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Broker { stream })
    }

    /// Sends a request and returns its response frame, the length taken off.
    pub fn call(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.stream.write_all(request)?;
        let mut length = [0; 4];
        self.stream
            .read_exact(&mut length)
            .context("waiting for a response")?;
        let length = frame_length(&length).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= codec::FRAME_BYTES_MAX);
        let mut frame = vec![0; length.context("a response of impossible length")?];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// The highest version of Produce spoken here that the broker serves.
    pub fn produce_version(&mut self) -> Result<i16> {
        let frame = self.call(&admin::api_versions_request())?;
        let (low, high) = admin::version_range(&frame, api::PRODUCE)?;
        let version = high.min(*produce::VERSIONS.end());
        ensure!(
            version >= low && produce::VERSIONS.contains(&version),
            "the broker serves Produce {low} to {high}, {:?} is spoken here",
            produce::VERSIONS
        );
        Ok(version)
    }

    /// Fails unless the broker serves the one version of Fetch spoken here.
    pub fn check_fetch_version(&mut self) -> Result<()> {
        let frame = self.call(&admin::api_versions_request())?;
        let (low, high) = admin::version_range(&frame, api::FETCH)?;
        ensure!(
            (low..=high).contains(&fetch::VERSION),
            "the broker serves Fetch {low} to {high}, {} is spoken here",
            fetch::VERSION
        );
        Ok(())
    }

    /// Creates `topic` unless it is there.
    pub fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let frame = self.call(&admin::create_topic_request(topic, partitions, configs))?;
        match admin::create_topic_response(&frame)? {
            (0 | admin::TOPIC_ALREADY_EXISTS, _) => Ok(()),
            (error, message) => bail!("creating {topic}: error {error} {message}"),
        }
    }

    /// Deletes `topic`, so that its space can be used again.
    pub fn delete_topic(&mut self, topic: &str) -> Result<()> {
        let frame = self.call(&admin::delete_topic_request(topic))?;
        let error = admin::delete_topic_response(&frame)?;
        ensure!(error == 0, "deleting {topic}: error {error}");
        Ok(())
    }

    /// `host:port` of the leader of each partition, waiting until all have one.
    pub fn leaders(&mut self, topic: &str) -> Result<Vec<String>> {
        let deadline = clock::now() + LEADERS_TIMEOUT;
        loop {
            let found = admin::metadata_response(&self.call(&admin::metadata_request(topic))?)?;
            let leaders: Option<Vec<String>> = found.leaders.into_iter().collect();
            match leaders {
                Some(leaders) if found.error == 0 && !leaders.is_empty() => return Ok(leaders),
                _ if clock::now() >= deadline => {
                    bail!(
                        "{topic} has partitions without a leader, error {}",
                        found.error
                    )
                }
                _ => std::thread::sleep(RETRY_PAUSE),
            }
        }
    }

    /// Offset of `partition` at [`admin::EARLIEST`] or [`admin::LATEST`]; ask its leader.
    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let request = admin::list_offsets_request(topic, partition, timestamp);
        admin::list_offsets_response(&self.call(&request)?)
    }
}
