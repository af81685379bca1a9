//! SIGKILL within the first milliseconds of a broker's life, from nothing on disk to the
//! first records, and in later starts while it recovers and deals its partitions out to
//! another number of cores. Whatever a killed start leaves behind, the next one starts from,
//! and what was acknowledged is there.

use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};

use crate::common::batches::{KEPT_START, batch_of};
use crate::common::broker::{Broker, Options};
use crate::common::client::{Client, newest};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{PRODUCE_BY_NAME, must_produce, produce_request, read_all};
use crate::common::random::Random;

matrix! {
    own shards, "it goes from one number of shards to another":
        a_start_that_was_killed_does_not_keep_the_next_from_starting;
}

/// Each with a data directory of its own.
const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];
const ROUNDS: u64 = 8;
const KILLS_PER_ROUND_MAX: u64 = 6;
const CORES_MAX: u64 = 4;
const TOPIC: &str = "early";
const PARTITIONS: i32 = 7;

fn a_start_that_was_killed_does_not_keep_the_next_from_starting(setup: Setup) {
    std::thread::scope(|scope| {
        for seed in SEEDS {
            scope.spawn(move || {
                let mut run = Run::new(setup, seed);
                (0..ROUNDS).for_each(|round| run.round(round));
                run.end();
                println!("seed {seed}: {} kills, {} batches", run.kills, run.sent);
            });
        }
    });
}

struct Run {
    random: Random,
    broker: Broker,
    _dir: tempfile::TempDir,
    /// By partition.
    acknowledged: Vec<Vec<Bytes>>,
    /// Sent to a partition without waiting for the answer: there, or not.
    unanswered: Option<(i32, Bytes)>,
    sent: u64,
    kills: u64,
}

impl Run {
    fn new(setup: Setup, seed: u64) -> Run {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = Options {
            // Every start with records keeps a segment of its own.
            wal_disk_mib: 256,
            memory_mib: 128,
            ..setup.options()
        };
        Run {
            random: Random::new(seed),
            broker: Broker::stopped_in(dir.path(), options),
            _dir: dir,
            acknowledged: vec![Vec::new(); PARTITIONS as usize],
            unanswered: None,
            sent: 0,
            kills: 0,
        }
    }

    fn round(&mut self, round: u64) {
        for _ in 0..=self.random.below(KILLS_PER_ROUND_MAX) {
            self.kill_a_start();
        }
        self.choose_cores();
        self.broker.start_again();
        let mut client = self.broker.client();
        // The first creation is cut off as well.
        if round == 0 {
            send_creation(&mut client);
            std::thread::sleep(Duration::from_micros(self.random.below(2000)));
            self.kill();
            self.kill_a_start();
            self.broker.start_again();
            client = self.broker.client();
            create(&mut client);
        }
        self.check(&mut client);
        self.produce(&mut client);
        self.kill();
    }

    fn end(&mut self) {
        self.broker.start_again();
        self.check(&mut self.broker.client());
        self.broker.stop();
    }

    fn kill(&mut self) {
        self.broker.kill();
        self.kills += 1;
    }

    fn choose_cores(&mut self) {
        self.broker.options().cores = 1 + self.random.below(CORES_MAX) as u16;
    }

    fn kill_a_start(&mut self) {
        self.choose_cores();
        let recovered = self.recoveries();
        self.broker.spawn();
        let micros = match self.random.below(3) {
            0 => self.random.below(4000),
            1 => self.random.below(40_000),
            // Its shards are at work from here on, before any of them listens.
            _ => {
                let deadline = Instant::now() + Duration::from_secs(20);
                while self.recoveries() == recovered {
                    self.broker.assert_running();
                    assert!(Instant::now() < deadline, "{}", self.broker.log());
                    std::thread::yield_now();
                }
                self.random.below(4000)
            }
        };
        std::thread::sleep(Duration::from_micros(micros));
        self.kill();
    }

    /// How many starts have read all that is on disk.
    fn recoveries(&self) -> usize {
        self.broker
            .log()
            .matches("recovered the data directory")
            .count()
    }

    fn next_batch(&mut self) -> (i32, Bytes) {
        self.sent += 1;
        let partition = self.random.below(PARTITIONS as u64) as i32;
        let len = 1 + self.random.below(3000) as usize;
        let value = self.random.bytes(len);
        let batch = batch_of(1_700_000_000_000, &[&self.sent.to_be_bytes(), &value]);
        (partition, batch)
    }

    fn produce(&mut self, client: &mut Client) {
        for _ in 0..5 + self.random.below(20) {
            let (partition, batch) = self.next_batch();
            let log = &mut self.acknowledged[partition as usize];
            let offset = must_produce(client, TOPIC, partition, batch.clone());
            assert_eq!(offset, 2 * log.len() as i64);
            log.push(batch);
        }
        let (partition, batch) = self.next_batch();
        let request = produce_request(TOPIC, partition, batch.clone());
        client.send(PRODUCE_BY_NAME, &request);
        self.unanswered = Some((partition, batch));
    }

    fn check(&mut self, client: &mut Client) {
        for partition in 0..PARTITIONS {
            let log = &mut self.acknowledged[partition as usize];
            let found = read_all(client, TOPIC, partition, 0);
            if found.len() > log.len()
                && let Some((sent_to, batch)) = self.unanswered.take()
            {
                assert_eq!(sent_to, partition);
                log.push(batch);
            }
            assert_eq!(found.len(), log.len(), "partition {partition}");
            for (found, sent) in found.iter().zip(log) {
                assert_eq!(found.bytes[KEPT_START..], sent[KEPT_START..]);
            }
        }
        self.unanswered = None;
    }
}

fn creation() -> CreateTopicsRequest<'static> {
    let topic = CreatableTopic {
        name: TOPIC,
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    };
    CreateTopicsRequest {
        topics: vec![topic],
        ..Default::default()
    }
}

fn send_creation(client: &mut Client) {
    client.send(newest(ApiKey::CreateTopics), &creation());
}

/// Creates the topic unless the creation before has survived.
fn create(client: &mut Client) {
    let frame = client.call(newest(ApiKey::CreateTopics), &creation());
    let response: CreateTopicsResponse<'_> = frame.decode();
    let error = response.topics[0].error_code;
    assert!(
        matches!(error, ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS),
        "{error}"
    );
}
