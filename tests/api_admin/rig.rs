//! A broker, and a client of one connection that asks in any version.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use corelane::kafka::{ErrorCode, Reader, Request, RequestHeader, Response};

use crate::common::broker;
use crate::common::client::ANSWER_MAX;
use crate::common::matrix::Setup;

/// A running broker.
pub struct Broker {
    inner: broker::Broker,
    setup: Setup,
}

impl Broker {
    /// Starts a broker on an empty data directory.
    pub fn start(setup: Setup) -> Broker {
        Broker::start_with(setup, setup.options())
    }

    /// The same with other options than the setup's own.
    pub fn start_with(setup: Setup, options: broker::Options) -> Broker {
        Broker {
            inner: broker::Broker::start_with(options),
            setup,
        }
    }

    /// Everything the broker has logged.
    pub fn log(&self) -> String {
        self.inner.log()
    }

    /// How many nodes clients see.
    pub fn nodes(&self) -> i32 {
        i32::from(self.setup.nodes())
    }

    /// Connects to a node. Numbers beyond the last node begin again, so that a test may ask for
    /// another node and be content with the only one.
    pub fn node(&self, id: i32) -> Client {
        let node = u16::try_from(id % self.nodes()).unwrap();
        let stream = TcpStream::connect(self.inner.address(node)).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            correlation_id: 0,
        }
    }

    /// Connects to the first node.
    pub fn client(&self) -> Client {
        self.node(0)
    }

    /// Lets the broker say `text` in a WARN from here on.
    pub fn announce(&mut self, text: &str) {
        self.inner.announce(text);
    }

    /// How many lines of its log have all these words.
    pub fn times_logged(&self, words: &[&str]) -> usize {
        let log = self.inner.log();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        log.lines().filter(has_all).count()
    }

    /// Stops it, and starts it again on the same data directory.
    pub fn restart(&mut self) {
        self.inner.stop();
        self.inner.start_again();
    }

    /// Stops it; nothing may have been logged that a person would have to look at.
    pub fn stop(mut self) {
        self.inner.stop();
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Sends a request and reads its response. The response's memory is never given back,
    /// so that it can borrow as long as it likes.
    pub fn ask<'q, Q: Request<'q>, S: Response<'static>>(
        &mut self,
        version: i16,
        request: &Q,
    ) -> S {
        assert_eq!(Q::API, S::API);
        self.correlation_id += 1;
        let header = RequestHeader {
            api: Q::API,
            version,
            correlation_id: self.correlation_id,
            client_id: Some("test"),
        };
        let frame = request.encode(&mut BytesMut::new(), &header);
        for chunk in frame.into_chunks() {
            self.stream.write_all(&chunk).unwrap();
        }
        let body: &'static Bytes = Box::leak(Box::new(self.read_frame()));
        let mut reader = Reader::new(body);
        let (correlation_id, response) = S::decode(&mut reader, version).unwrap();
        assert_eq!(correlation_id, self.correlation_id);
        response
    }

    /// Sends bytes as they are and reads one frame.
    pub fn ask_raw(&mut self, bytes: &[u8]) -> Bytes {
        self.stream.write_all(bytes).unwrap();
        self.read_frame()
    }

    fn read_frame(&mut self) -> Bytes {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).unwrap();
        body.into()
    }

    /// Creates topics and expects that to go well; their ids.
    pub fn create(&mut self, topics: &[(&str, i32)]) -> Vec<TopicId> {
        let results = self.try_create(topics);
        for result in &results {
            assert_eq!(result.error_code, ErrorCode::NONE, "{result:?}");
        }
        results.iter().map(|result| result.topic_id).collect()
    }

    /// Creates topics.
    pub fn try_create(&mut self, topics: &[(&str, i32)]) -> Vec<CreatableTopicResult<'static>> {
        let topic = |&(name, num_partitions)| CreatableTopic {
            name,
            num_partitions,
            replication_factor: 3,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        };
        let response: CreateTopicsResponse<'_> = self.ask(7, &request);
        response.topics
    }

    /// Metadata of one topic, without creating it.
    pub fn topic(&mut self, name: &str) -> MetadataResponseTopic<'static> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name),
                ..Default::default()
            }]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response: MetadataResponse<'_> = self.ask(13, &request);
        response.topics.into_iter().next().unwrap()
    }
}
