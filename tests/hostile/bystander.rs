//! A well-behaved client beside the hostile ones: it produces and fetches all the time,
//! and every round trip must be answered in reasonable time.

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
/// Half of the round trips must be faster than this: a single one may meet a machine that is
/// busy, most of them must not notice anything.
const MEDIAN_MAX: Duration = Duration::from_millis(200);
/// Round trips after the end was asked for.
const ROUNDS_AFTER: u32 = 4;
const TOPIC: &str = "bystander";

/// The client, at work until it is asked how it went.
pub struct Bystander {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Bystander {
    /// Begins, with a partition on each shard and records of `bytes`.
    pub fn start(broker: &Broker, bytes: usize) -> Bystander {
        let mut client = broker.client();
        create_topic(&mut client, TOPIC, 2, &[]);
        let done = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let done = done.clone();
            move || work(client, bytes, &done)
        });
        Bystander { done, thread }
    }

    /// Ends after a few round trips more. Fails if it was hindered.
    pub fn finish(self) {
        self.done.store(true, Ordering::SeqCst);
        let mut times = self.thread.join().unwrap();
        times.sort_unstable();
        let (rounds, median) = (times.len(), times[times.len() / 2]);
        let slowest = *times.last().unwrap();
        println!("bystander: {rounds} round trips, median {median:.1?}, the slowest {slowest:.1?}");
        assert!(
            median < MEDIAN_MAX,
            "half of the round trips took {median:?}"
        );
        assert!(slowest < ROUND_TRIP_MAX, "a round trip took {slowest:?}");
    }
}

fn work(mut client: Client, bytes: usize, done: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let value = vec![7; bytes];
    let mut left = ROUNDS_AFTER;
    while left > 0 {
        if done.load(Ordering::SeqCst) {
            left -= 1;
        }
        let partition = (times.len() % 2) as i32;
        let began = Instant::now();
        let offset = must_produce(&mut client, TOPIC, partition, one(&value));
        let found = fetch(&mut client, TOPIC, partition, offset);
        times.push(began.elapsed());
        assert_eq!(found.batches()[0].values(), [Some(value.clone())]);
        std::thread::sleep(Duration::from_millis(2));
    }
    times
}
