//! A story with everything in it that touches files: first starts, segments that are filled, cut
//! off, given up and used again, a crash, other numbers of shards. It is told to a broker in
//! trouble. Wherever that ends it, the next start, without trouble, must work and have all that
//! was acknowledged.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};

use crate::common::batches::{KEPT_START, batch_of, now_ms};
use crate::common::broker::Broker;
use crate::common::client::{Client, newest};
use crate::common::matrix::Setup;
use crate::common::ops::{
    PRODUCE_BY_NAME, fetch, list_offset, produce_request, produced, read_all,
};
use crate::common::random::Random;

const TOPIC: &str = "story";
const PARTITIONS: i32 = 3;
/// So large that a few of them fill a segment of 4 MiB.
const LARGE_BYTES: usize = 700_000;
const SMALL_BYTES: usize = 500;
/// Long enough for the broker's upkeep to come round, which gives up segments.
const UPKEEP: Duration = Duration::from_millis(100);
/// How long the broker may take to give up segments that nobody needs.
const ROOM_MAX: Duration = Duration::from_secs(20);
/// `ListOffsets` of a log's start.
const EARLIEST: i64 = -2;

/// What happens in the story.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// A start with so many shards.
    Start(u16),
    Create,
    /// So many batches of so many bytes to every partition.
    Produce(usize, usize),
    /// All but the newest records of every partition are deleted.
    Trim,
    Stop,
    Kill,
}

const STORY: &[Scene] = &[
    Scene::Start(2),
    Scene::Create,
    Scene::Produce(4, SMALL_BYTES),
    Scene::Stop,
    // The rest of the first segments is cut off; others are filled, given up and used again.
    Scene::Start(2),
    Scene::Produce(5, LARGE_BYTES),
    Scene::Trim,
    Scene::Produce(5, LARGE_BYTES),
    Scene::Kill,
    // Partitions move, and what the WAL of the second shard has is needed no more.
    Scene::Start(1),
    Scene::Trim,
    Scene::Produce(2, SMALL_BYTES),
    Scene::Stop,
    // They move once more, and away from the records in a WAL that has a shard.
    Scene::Start(3),
    Scene::Produce(2, SMALL_BYTES),
    Scene::Trim,
    Scene::Stop,
];

/// One partition.
#[derive(Default)]
struct Log {
    start: i64,
    /// By offset, one record in each; what was deleted is kept.
    acknowledged: Vec<Bytes>,
}

/// What was asked for without an answer: it may have happened, or not.
enum Unanswered {
    Creation,
    Batch(i32, Bytes),
    Trim(i32, i64),
}

/// The broker has ended by itself.
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Ended {
        Ended
    }
}

/// A broker to tell the story to.
pub struct Story {
    /// See [`Broker::announce`].
    pub broker: Broker,
    _dir: tempfile::TempDir,
    /// Variables of its environment.
    trouble: Vec<(&'static str, String)>,
    /// After how many starts.
    from: usize,
    /// For one start only.
    once: bool,
    starts: usize,
    /// How a process ended last.
    status: Option<ExitStatus>,
    random: Random,
    created: bool,
    logs: Vec<Log>,
    unanswered: Option<Unanswered>,
}

impl Story {
    /// A broker that has a variable in its environment after `from` starts without it.
    pub fn new(setup: Setup, from: usize, variable: &'static str, value: &str) -> Story {
        println!("after {from} starts: {variable}={value}");
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = setup.with_per_shard(64, 64);
        let options = options.with("--retention-check-interval", "20ms");
        Story {
            broker: Broker::stopped_in(dir.path(), options),
            _dir: dir,
            trouble: vec![(variable, value.to_owned())],
            from,
            once: false,
            starts: 0,
            status: None,
            random: Random::new(7),
            created: false,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            unanswered: None,
        }
    }

    /// Has the variable there for one start only.
    pub fn once(self) -> Story {
        Story { once: true, ..self }
    }

    /// Tells the story until the broker ends by itself, or else to its end. How it ended by
    /// itself, if it did; without trouble it must live afterwards.
    /// And its log.
    pub fn tell(mut self) -> (Option<ExitStatus>, String) {
        let has_ended = STORY.iter().any(|scene| self.play(*scene).is_err());
        if has_ended && self.broker.is_started() {
            self.status = Some(self.broker.wait_for_end());
        }
        self.broker.start_again();
        self.check();
        if !self.created {
            assert!(self.create().is_ok());
        }
        for scene in [Scene::Produce(2, SMALL_BYTES), Scene::Trim] {
            assert!(self.play(scene).is_ok());
        }
        self.check();
        self.broker.stop();
        let (report, is_sound) = self.broker.inspect();
        assert!(is_sound, "{report}");
        self.broker.check_log();
        (self.status.filter(|_| has_ended), self.broker.log())
    }

    fn play(&mut self, scene: Scene) -> Result<(), Ended> {
        match scene {
            Scene::Start(cores) => self.start(cores),
            Scene::Create => self.create(),
            Scene::Produce(batches, bytes) => {
                for _ in 0..batches {
                    for partition in 0..PARTITIONS {
                        self.produce(partition, bytes)?;
                    }
                }
                Ok(())
            }
            Scene::Trim => {
                (0..PARTITIONS).try_for_each(|partition| self.trim(partition))?;
                std::thread::sleep(UPKEEP);
                Ok(())
            }
            Scene::Stop => {
                // In trouble it may be gone already.
                if self.broker.exited().is_none() {
                    self.broker.terminate();
                }
                self.status = Some(self.broker.wait_for_end());
                match self.status {
                    Some(status) if status.success() => Ok(()),
                    _ => Err(Ended),
                }
            }
            Scene::Kill if self.broker.exited().is_none() => {
                self.broker.kill();
                Ok(())
            }
            Scene::Kill => Err(Ended),
        }
    }

    fn start(&mut self, cores: u16) -> Result<(), Ended> {
        self.broker.options().cores = cores;
        self.starts += 1;
        if self.starts <= self.from || self.once && self.starts > self.from + 1 {
            self.broker.start_again();
            return Ok(());
        }
        match self.broker.start_in_trouble(&self.trouble) {
            true => Ok(()),
            false => Err(Ended),
        }
    }

    fn create(&mut self) -> Result<(), Ended> {
        let topic = CreatableTopic {
            name: TOPIC,
            num_partitions: PARTITIONS,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        self.unanswered = Some(Unanswered::Creation);
        let mut client = self.client()?;
        client.try_send(newest(ApiKey::CreateTopics), &request)?;
        let frame = client.try_receive()?;
        let response: CreateTopicsResponse<'_> = frame.decode();
        let error = response.topics[0].error_code;
        let expected = match self.created {
            true => ErrorCode::TOPIC_ALREADY_EXISTS,
            false => ErrorCode::NONE,
        };
        assert_eq!(error, expected);
        self.created = true;
        self.unanswered = None;
        Ok(())
    }

    fn produce(&mut self, partition: i32, bytes: usize) -> Result<(), Ended> {
        let batch = batch_of(now_ms(), &[&self.random.bytes(bytes)]);
        self.unanswered = Some(Unanswered::Batch(partition, batch.clone()));
        let mut client = self.client()?;
        let request = produce_request(TOPIC, partition, batch.clone());
        let deadline = Instant::now() + ROOM_MAX;
        let answer = loop {
            client.try_send(PRODUCE_BY_NAME, &request)?;
            let answer = produced(&client.try_receive()?);
            // What was deleted may not have made room yet.
            if answer.error != ErrorCode::KAFKA_STORAGE_ERROR || Instant::now() > deadline {
                break answer;
            }
        };
        let log = &mut self.logs[partition as usize];
        let expected = (ErrorCode::NONE, log.acknowledged.len() as i64);
        assert_eq!((answer.error, answer.base_offset), expected, "{answer:?}");
        log.acknowledged.push(batch);
        self.unanswered = None;
        Ok(())
    }

    fn trim(&mut self, partition: i32) -> Result<(), Ended> {
        let to = self.logs[partition as usize].acknowledged.len() as i64 - 1;
        self.unanswered = Some(Unanswered::Trim(partition, to));
        let mut client = self.client()?;
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: TOPIC,
                partitions: vec![DeleteRecordsPartition {
                    partition_index: partition,
                    offset: to,
                }],
            }],
            timeout_ms: 10_000,
        };
        client.try_send(newest(ApiKey::DeleteRecords), &request)?;
        let frame = client.try_receive()?;
        let response: DeleteRecordsResponse<'_> = frame.decode();
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
        self.logs[partition as usize].start = to;
        self.unanswered = None;
        Ok(())
    }

    fn client(&self) -> Result<Client, Ended> {
        Ok(Client::try_connect(self.broker.address(0))?)
    }

    /// What was acknowledged is there, and of the rest at most what had no answer.
    fn check(&mut self) {
        let mut client = self.broker.client();
        let unanswered = self.unanswered.take();
        if !self.created {
            if let Some(Unanswered::Creation) = unanswered {
                self.created = fetch(&mut client, TOPIC, 0, 0).error == ErrorCode::NONE;
            }
            return;
        }
        for (partition, log) in (0..).zip(&mut self.logs) {
            let (start, _) = list_offset(&mut client, TOPIC, partition, EARLIEST);
            match &unanswered {
                Some(Unanswered::Trim(at, to)) if *at == partition && start == *to => {
                    log.start = start;
                }
                _ => assert_eq!(start, log.start, "partition {partition}"),
            }
            let found = read_all(&mut client, TOPIC, partition, start);
            if start as usize + found.len() > log.acknowledged.len()
                && let Some(Unanswered::Batch(at, batch)) = &unanswered
            {
                assert_eq!(*at, partition);
                log.acknowledged.push(batch.clone());
            }
            let expected = &log.acknowledged[start as usize..];
            assert_eq!(found.len(), expected.len(), "partition {partition}");
            for (found, sent) in found.iter().zip(expected) {
                assert!(found.bytes[KEPT_START..] == sent[KEPT_START..]);
            }
        }
    }
}
