//! SIGKILL at random moments under load, again and again on one data directory:
//! every acknowledged record is there once, in order, at its offset, byte for byte; topics,
//! their partitions and configs and their log starts are as acknowledged.
//!
//! `CORELANE_TEST_KILL_CYCLES` sets the number of cycles; without it there are
//! [`CYCLES`]. `CORELANE_TEST_SEED` repeats the
//! choices of a run, though not the kernel's and the disk's.

mod changes;
mod ledger;
mod load;
mod producer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_records, init_producer_id, read_all};
use crate::common::random::Random;
use changes::Changes;
use ledger::Ledger;
use producer::{Idempotent, Plain};

matrix! {
    own shards, "it goes from one number of shards to another":
        sigkill_under_load_loses_and_doubles_nothing;
}

/// Cycles of a run that nobody lengthened.
const CYCLES: u64 = 200;
/// The same for buffered writes, which few hosts need.
const CYCLES_BUFFERED: u64 = 50;
/// The load of one cycle lasts up to this, milliseconds.
const LOAD_MS_MAX: u64 = 120;
/// Every so many cycles the load lasts long enough for the broker's upkeep to come round.
const CYCLES_PER_LONG: u64 = 24;
/// How long that is, milliseconds.
const LONG_LOAD_MS: u64 = 2300;
/// Log bytes of all partitions after which the oldest are deleted.
const LOG_BYTES_MAX: u64 = 4 << 20;

const TOPIC: &str = "kill";
const PARTITIONS: i32 = 6;

fn sigkill_under_load_loses_and_doubles_nothing(setup: Setup) {
    let seed = Random::seed();
    println!("seed: CORELANE_TEST_SEED={seed}");
    let asked = std::env::var("CORELANE_TEST_KILL_CYCLES");
    let asked = asked
        .ok()
        .map(|text| text.parse().expect("a number of cycles"));
    let began = Instant::now();
    let mut run = Run::new(setup, Random::new(seed));
    let mut cycles = 0;
    let usual = match setup.buffered {
        true => CYCLES_BUFFERED,
        false => CYCLES,
    };
    while cycles < asked.unwrap_or(usual) {
        run.cycle(cycles);
        cycles += 1;
    }
    run.check_all();
    println!(
        "{cycles} cycles in {:.1?}: {} batches with {} records acknowledged, {} unacknowledged \
         batches sent again of which {} had survived, {} changes acknowledged and {} more survived, \
         {} kills during a start, {} changes of the number of cores",
        began.elapsed(),
        run.ledger.acknowledged_batches,
        run.ledger.acknowledged_records,
        run.resent,
        run.survived,
        run.changes.acknowledged,
        run.changes.survived,
        run.kills_at_start,
        run.core_changes
    );
    assert!(run.ledger.acknowledged_records > 10 * cycles);
    run.broker.stop();
}

struct Run {
    random: Random,
    broker: Broker,
    ledger: Ledger,
    idempotent: Vec<Idempotent>,
    plain: Vec<Plain>,
    changes: Changes,
    resent: u64,
    survived: u64,
    kills_at_start: u64,
    core_changes: u64,
}

impl Run {
    fn new(setup: Setup, mut random: Random) -> Run {
        let broker = Broker::start_with(Options {
            wal_disk_mib: 768,
            ..setup.options()
        });
        let mut client = broker.client();
        create_topic(&mut client, TOPIC, PARTITIONS, &[]);
        let idempotent = (0..3)
            .map(|_| Idempotent::new(init_producer_id(&mut client), random.fork()))
            .collect();
        let plain = (0..2).map(|name| Plain::new(name, random.fork())).collect();
        Run {
            broker,
            ledger: Ledger::new(PARTITIONS),
            idempotent,
            plain,
            changes: Changes::new(random.fork()),
            resent: 0,
            survived: 0,
            kills_at_start: 0,
            core_changes: 0,
            random,
        }
    }

    fn cycle(&mut self, number: u64) {
        self.load_and_kill(number % CYCLES_PER_LONG == CYCLES_PER_LONG - 1);
        if number % 16 == 15 {
            let (report, is_sound) = self.broker.inspect();
            assert!(is_sound, "{report}");
        }
        let moved = self.random.one_in(8);
        if moved {
            self.broker.options().cores = 1 + self.random.below(3) as u16;
            self.core_changes += 1;
        }
        while self.random.one_in(6) {
            self.broker.spawn();
            std::thread::sleep(Duration::from_micros(self.random.below(30_000)));
            self.broker.kill();
            self.kills_at_start += 1;
        }
        self.broker.start_again();
        self.check_changes();
        self.check_news();
        if moved || self.random.one_in(12) {
            self.check_all();
        }
        self.send_again();
        self.trim();
    }

    /// All producers and a consumer at work, until the broker dies under them.
    fn load_and_kill(&mut self, long: bool) {
        let long = Duration::from_millis(if long { LONG_LOAD_MS } else { 0 });
        let load = long + Duration::from_micros(3000 + self.random.below(LOAD_MS_MAX * 1000));
        let cores = u64::from(self.broker.options().cores);
        let address =
            |random: &mut Random, broker: &Broker| broker.address(random.below(cores) as u16);
        let killed = &AtomicBool::new(false);
        let ends: Vec<i64> = self.ledger.ends();
        let (seen, news) = std::thread::scope(|scope| {
            let mut producers = Vec::new();
            for producer in &mut self.idempotent {
                let client = Client::connect(address(&mut self.random, &self.broker));
                producers.push(scope.spawn(move || load::idempotent(producer, client, killed)));
            }
            for producer in &mut self.plain {
                let client = Client::connect(address(&mut self.random, &self.broker));
                producers.push(scope.spawn(move || load::plain(producer, client, killed)));
            }
            let client = Client::connect(address(&mut self.random, &self.broker));
            let from = ends.clone();
            let consumer = scope.spawn(move || load::consume(client, from, killed));
            let client = Client::connect(address(&mut self.random, &self.broker));
            let changes = &mut self.changes;
            let changes = scope.spawn(move || changes.run(client, &ends, killed));
            std::thread::sleep(load);
            killed.store(true, Ordering::SeqCst);
            self.broker.kill();
            let news: Vec<_> = producers.into_iter().map(|p| p.join().unwrap()).collect();
            changes.join().unwrap();
            (consumer.join().unwrap(), news)
        });
        news.into_iter().for_each(|news| self.ledger.note(news));
        self.ledger.note_seen(seen);
    }

    /// What was created, changed and deleted before and during the load.
    fn check_changes(&mut self) {
        let mut client = self.client();
        self.changes.check(&mut client);
        for partition in 0..PARTITIONS {
            let log_start = self.changes.log_start(partition);
            self.ledger.trim(partition, log_start);
        }
    }

    /// Everything from where the last check ended.
    fn check_news(&mut self) {
        let mut client = self.client();
        for partition in 0..PARTITIONS {
            let from = self.ledger.end(partition);
            let batches = read_all(&mut client, TOPIC, partition, from);
            self.ledger.check_news(partition, &batches);
        }
    }

    /// Everything there is.
    fn check_all(&mut self) {
        // What was sent again after the last start is news as well.
        self.check_news();
        let mut client = self.client();
        for partition in 0..PARTITIONS {
            let log_start = self.changes.log_start(partition);
            let batches = read_all(&mut client, TOPIC, partition, log_start);
            self.ledger.check_all(partition, log_start, &batches);
        }
    }

    /// Idempotent producers send again what was not acknowledged: it is appended once,
    /// whether or not it survived.
    fn send_again(&mut self) {
        let mut client = self.client();
        for producer in &mut self.idempotent {
            let news = producer.send_again(&mut client);
            self.resent += news.acknowledged.len() as u64;
            let survived = news
                .acknowledged
                .iter()
                .filter(|(sent, offset)| *offset < self.ledger.end(sent.partition));
            self.survived += survived.count() as u64;
            self.ledger.note(news);
        }
    }

    /// Keeps the logs, and with them the time that a start takes, within bounds.
    fn trim(&mut self) {
        if self.ledger.log_bytes() < LOG_BYTES_MAX {
            return;
        }
        let mut client = self.client();
        for partition in 0..PARTITIONS {
            let (start, end) = (
                self.changes.log_start(partition),
                self.ledger.end(partition),
            );
            if end > start {
                // Anywhere, often in the middle of a batch.
                let to = end - self.random.below((end - start) as u64 / 4 + 1) as i64;
                assert_eq!(delete_records(&mut client, TOPIC, partition, to), Ok(to));
                self.changes.note_log_start(partition, to);
                self.ledger.trim(partition, to);
            }
        }
    }

    fn client(&mut self) -> Client {
        let cores = u64::from(self.broker.options().cores);
        self.broker.client_of(self.random.below(cores) as u16)
    }
}
