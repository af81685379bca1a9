//! A broker of three shards in a directory of its own, and a client of one connection.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use corelane::kafka::{ErrorCode, Reader, Request, RequestHeader, Response};
use tempfile::TempDir;

/// Shards of every broker here.
pub const SHARDS: u16 = 3;
/// How long a broker may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running broker; killed if it was not stopped.
pub struct Broker {
    process: Child,
    dir: TempDir,
    port: u16,
    topology: &'static str,
}

impl Broker {
    /// Starts a broker on an empty data directory.
    pub fn start(topology: &'static str) -> Broker {
        let dir = tempfile::tempdir().unwrap();
        let (process, port) = launch(&dir, topology);
        Broker {
            process,
            dir,
            port,
            topology,
        }
    }

    /// Connects to a node.
    pub fn node(&self, id: i32) -> Client {
        let port = self.port + u16::try_from(id).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
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

    /// Stops it, and starts it again on the same data directory.
    pub fn restart(&mut self) {
        self.end();
        (self.process, self.port) = launch(&self.dir, self.topology);
    }

    /// Stops it; nothing may have been logged that a person would have to look at.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the broker does not stop");
            std::thread::sleep(Duration::from_millis(10));
        };
        let log = log(&self.dir);
        assert!(status.success(), "{status}\n{log}");
        // Some file systems have no O_DIRECT, which is said once.
        let serious = |line: &&str| line.contains(" ERROR ") || line.contains(" WARN ");
        let serious = log.lines().filter(serious);
        let serious: Vec<_> = serious.filter(|line| !line.contains("O_DIRECT")).collect();
        assert!(serious.is_empty(), "{serious:?}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the program and waits until every node accepts connections. The ports that were
/// free a moment ago may be taken by then; other ones are tried.
fn launch(dir: &TempDir, topology: &str) -> (Child, u16) {
    for _ in 0..10 {
        let port = free_ports();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CORELANE_") {
                command.env_remove(name);
            }
        }
        let mut process = command
            .current_dir(dir.path())
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--topology", topology, "--cores", &SHARDS.to_string()])
            .args(["--memory", "192MiB", "--wal-disk", "96MiB"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let last = if topology == "single" { 0 } else { SHARDS - 1 };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if process.try_wait().unwrap().is_some() {
                break;
            }
            if (0..=last).all(|node| TcpStream::connect(("127.0.0.1", port + node)).is_ok()) {
                return (process, port);
            }
            assert!(Instant::now() < deadline, "{}", self::log(dir));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("the broker does not start:\n{}", log(dir));
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log")).unwrap()
}

/// The first of enough ports in a row that nobody uses.
fn free_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let free = |step| TcpListener::bind(("127.0.0.1", port.checked_add(step)?)).ok();
        if (1..SHARDS).all(|step| free(step).is_some()) {
            return port;
        }
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
