//! A well-behaved client beside the hostile ones: it produces and fetches all the time, before
//! they come and while they are there, and must hardly tell the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::common::batches::one;
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::ops::{create_topic, fetch, must_produce};

/// A round trip that takes longer is a failure. Generous: machines that run tests are
/// busy with other things as well.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(5);
/// How many times as long as before half of the round trips may take, and nineteen of twenty.
/// The machine may have become busier meanwhile, with the hostile clients themselves at least.
const TIMES_MAX: u32 = 10;
/// What half of the round trips may take in any case.
const MEDIAN_MAX: Duration = Duration::from_millis(50);
/// What nineteen of twenty may take in any case.
const MOST_MAX: Duration = Duration::from_millis(250);
/// Round trips before the others come.
const ROUNDS_BEFORE: usize = 40;
/// Round trips after the end was asked for.
const ROUNDS_AFTER: u32 = 4;
const TOPIC: &str = "bystander";

/// The client, at work until it is asked how it went.
pub struct Bystander {
    done: Arc<AtomicBool>,
    before: Times,
    thread: JoinHandle<Vec<Duration>>,
}

/// How long round trips took.
#[derive(Clone, Copy, Debug)]
struct Times {
    rounds: usize,
    median: Duration,
    /// Of nineteen in twenty at most.
    most: Duration,
    slowest: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        let rounds = times.len();
        Times {
            rounds,
            median: times[rounds / 2],
            most: times[(rounds * 19).div_ceil(20) - 1],
            slowest: times[rounds - 1],
        }
    }
}

impl Bystander {
    /// Begins, with a partition on each shard and records of `bytes`, and takes its time.
    pub fn start(broker: &Broker, bytes: usize) -> Bystander {
        let mut client = broker.client();
        create_topic(&mut client, TOPIC, 2, &[]);
        let done = Arc::new(AtomicBool::new(false));
        let value = vec![7; bytes];
        let rounds = (0..ROUNDS_BEFORE).map(|round| round_trip(&mut client, round, &value));
        let before = Times::of(rounds.collect());
        let thread = std::thread::spawn({
            let done = done.clone();
            move || work(client, &value, &done)
        });
        Bystander {
            done,
            before,
            thread,
        }
    }

    /// Ends after a few round trips more. Fails if it was hindered.
    pub fn finish(self) {
        self.done.store(true, Ordering::SeqCst);
        let (before, times) = (self.before, Times::of(self.thread.join().unwrap()));
        let (rounds, slowest) = (times.rounds, times.slowest);
        println!("bystander: before {before:.1?}, then {rounds} round trips: {times:.1?}");
        let median_max = MEDIAN_MAX.max(TIMES_MAX * before.median);
        assert!(times.median <= median_max, "half took more: {times:?}");
        let most_max = MOST_MAX.max(TIMES_MAX * before.most);
        assert!(times.most <= most_max, "one in twenty took more: {times:?}");
        assert!(slowest < ROUND_TRIP_MAX, "a round trip took {slowest:?}");
    }
}

/// Produces a record and reads it back: how long that took.
fn round_trip(client: &mut Client, round: usize, value: &[u8]) -> Duration {
    let partition = (round % 2) as i32;
    let began = Instant::now();
    let offset = must_produce(client, TOPIC, partition, one(value));
    let found = fetch(client, TOPIC, partition, offset);
    let took = began.elapsed();
    assert_eq!(found.batches()[0].values(), [Some(value.to_vec())]);
    std::thread::sleep(Duration::from_millis(2));
    took
}

fn work(mut client: Client, value: &[u8], done: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut left = ROUNDS_AFTER;
    while left > 0 {
        if done.load(Ordering::SeqCst) {
            left -= 1;
        }
        times.push(round_trip(&mut client, times.len(), value));
    }
    times
}
