//! How many idempotent producers a shard remembers over all its partitions. Each partition has a
//! limit of its own, but short-lived producers on thousands of partitions would add up to
//! gigabytes, and their state is written again for every segment that is reclaimed. The longest
//! idle go first; one that was forgotten and comes back is like a new one, as in Kafka when its
//! state has expired (KIP-360).

use super::state::Shard;
use crate::base::TopicPartition;
use crate::base::mark::mark;

/// So many are forgotten at a time, as a part of the limit: finding them takes a look at all.
const FORGOTTEN_PART: usize = 16;

/// One remembered producer: when it was last active, on a clock that all of them share, its
/// partition and its id.
pub(super) type Remembered = (u64, TopicPartition, i64);

/// The producers of several partitions, counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProducerLimit {
    count: usize,
    max: usize,
}

impl ProducerLimit {
    /// None yet, and `max` at most.
    pub(super) fn new(max: usize) -> ProducerLimit {
        ProducerLimit { count: 0, max }
    }

    /// A partition that remembered `before` producers remembers `now`.
    pub(super) fn on_change(&mut self, before: usize, now: usize) {
        self.count = self.count + now - before;
    }

    /// Whether some must be forgotten.
    pub(super) fn is_passed(&self) -> bool {
        self.count > self.max
    }

    /// Which of `all` to forget: the longest idle, until there is some room again.
    pub(super) fn excess(&self, mut all: Vec<Remembered>) -> Vec<Remembered> {
        mark!("shard.producers.too-many");
        let kept = self.max - self.max / FORGOTTEN_PART;
        let excess = all.len().saturating_sub(kept);
        if excess < all.len() {
            all.select_nth_unstable(excess);
        }
        all.truncate(excess);
        all
    }
}

impl Shard {
    /// Makes room if there are too many producers.
    pub(super) fn forget_excess_producers(&mut self) {
        if !self.producers.is_passed() {
            return;
        }
        let all = self.partitions.iter().flat_map(|(tp, held)| {
            let active = held.log.active_producers();
            active.map(|(at, id)| (at, *tp, id))
        });
        for (_, tp, id) in self.producers.excess(all.collect()) {
            if let Some(held) = self.partitions.get_mut(&tp)
                && held.log.forget_producer(id)
            {
                self.producers.on_change(1, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::{LogConfig, Now};
    use crate::kafka::record::BatchBuilder;
    use crate::shard::tests::{Bench, TP, config};
    use crate::shard::{Assembly, Blocked, ShardConfig};

    const PARTITIONS: i32 = 40;
    const LIMIT: usize = 3200;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition { partition, ..TP }
    }

    fn at(mono_ms: u64) -> Now {
        Now {
            wall_ms: 0,
            mono_ms,
        }
    }

    fn batch(producer: i64, sequence: i32) -> Bytes {
        let builder = BatchBuilder::new(0).producer(producer, 0, sequence);
        builder.record(0, None, Some(b"value")).build()
    }

    fn bench() -> Bench {
        let mut bench = Bench::new(ShardConfig {
            producers_max: LIMIT,
            ..config()
        });
        for partition in 0..PARTITIONS {
            let log = LogConfig::default();
            bench.shard.create_partition(tp(partition), log);
        }
        bench
    }

    /// A batch of each of some producers, each to one partition, at times of their own.
    fn produce(bench: &mut Bench, producers: std::ops::Range<i64>) -> Result<(), Blocked> {
        for id in producers {
            let to = tp((id % i64::from(PARTITIONS)) as i32);
            let now = at(id as u64);
            bench.shard.append(now, to, &batch(id, 0))?;
            if id % 500 == 0 {
                bench.drain();
            }
        }
        bench.drain();
        Ok(())
    }

    fn remembered(bench: &Bench) -> Vec<i64> {
        let tps: Vec<_> = (0..PARTITIONS).map(tp).collect();
        let found = bench.shard.describe_producers(&tps);
        let mut ids: Vec<i64> = found
            .into_iter()
            .flat_map(Result::unwrap)
            .map(|p| p.producer_id)
            .collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn producers_of_all_partitions_together_are_limited_and_the_longest_idle_go() {
        let mut bench = bench();
        produce(&mut bench, 0..20_000).unwrap();
        let ids = remembered(&bench);
        assert!(
            (LIMIT - LIMIT / 16..=LIMIT).contains(&ids.len()),
            "{}",
            ids.len()
        );
        assert!(ids.iter().copied().eq(20_000 - ids.len() as i64..20_000));
        // One that was forgotten is like a new one, whatever its sequence; a known one is not.
        let mut append = |id: i64, sequence| {
            let to = tp((id % i64::from(PARTITIONS)) as i32);
            let appended = bench.shard.append(at(30_000), to, &batch(id, sequence));
            appended.unwrap().result.error.is_error()
        };
        assert!(!append(7, 5));
        assert!(append(7, 9));
        assert!(append(19_999, 5));
    }

    #[test]
    fn a_start_remembers_no_more_however_many_the_wal_has() {
        let mut bench = bench();
        produce(&mut bench, 0..4000).unwrap();
        let mut assembly = Assembly::remembering(160);
        let mut most = 0;
        for record in bench.records() {
            assembly.record(&record).unwrap();
            most = most.max(assembly.remembered_producers());
        }
        assert!((150..=160).contains(&most), "{most}");
    }

    #[test]
    fn a_full_disk_frees_itself_whatever_number_of_producers_filled_it() {
        let mut bench = bench();
        let mut next = 0;
        for _ in 0..3 {
            while produce(&mut bench, next..next + 1000).is_ok() {
                next += 1000;
            }
            next += 1000;
            bench.drain();
            for partition in 0..PARTITIONS {
                bench
                    .shard
                    .delete_records(tp(partition), -1)
                    .unwrap()
                    .unwrap();
            }
            for _ in 0..8 {
                bench.drain();
                bench.shard.retry_segments();
                bench.shard.reclaim();
            }
        }
        assert!(produce(&mut bench, next..next + 1000).is_ok());
        assert!(remembered(&bench).len() <= LIMIT);
    }
}
