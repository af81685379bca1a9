//! Dividing one fetch among the shards that own its partitions, so that all of them together
//! read no more than it may have. Each reads its share at the same time; what one does not need
//! goes to those that have more, but only while there is too little for an answer. The first
//! batch is given whole whatever its size (KIP-74), so one shard at a time may pass its share.

use std::collections::BTreeMap;

use super::request::{FetchEntry, FetchRead, FetchResult};
use crate::base::ShardId;
use crate::kafka::ErrorCode;

/// One fetch, round by round.
#[derive(Debug)]
pub struct FetchShares {
    entries: Vec<FetchEntry>,
    /// One per entry, once its owner has answered.
    results: Vec<Option<FetchResult>>,
    owners: BTreeMap<ShardId, Owner>,
    min_bytes: usize,
    max_bytes: usize,
    /// Bytes of all results before the round under way; `None` before the first.
    before: Option<usize>,
}

#[derive(Default, Debug)]
struct Owner {
    /// Its entries, by their places.
    places: Vec<usize>,
    /// Bytes that it may give.
    share: usize,
    /// Whether it may give its first batch whatever its size.
    first_whole: bool,
}

impl FetchShares {
    /// A fetch of `entries`, each with its owner, in the order in which bytes are given out.
    pub fn new(
        entries: Vec<(ShardId, FetchEntry)>,
        min_bytes: usize,
        max_bytes: usize,
    ) -> FetchShares {
        let mut owners: BTreeMap<ShardId, Owner> = BTreeMap::new();
        for (place, (owner, _)) in entries.iter().enumerate() {
            owners.entry(*owner).or_default().places.push(place);
        }
        FetchShares {
            results: vec![None; entries.len()],
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            owners,
            min_bytes,
            max_bytes,
            before: None,
        }
    }

    /// What to read now, from whom; nothing once there is enough, or no more. Every answer must
    /// have been reported before the next call.
    pub fn poll(&mut self) -> Vec<(ShardId, FetchRead)> {
        let bytes = self.bytes();
        let Some(before) = self.before.replace(bytes) else {
            return self.first_round();
        };
        let hungry = self.hungry();
        if bytes == 0 {
            // What is there did not fit a share, and is larger than all, perhaps.
            let first = hungry.iter().min_by_key(|(_, place)| *place);
            let first = first.map(|(owner, _)| (*owner, self.max_bytes));
            return first
                .map(|(owner, share)| self.ask(owner, share, true))
                .into_iter()
                .collect();
        }
        let more = self.max_bytes.saturating_sub(bytes) / hungry.len().max(1);
        let is_stuck = before == bytes || more == 0;
        if bytes >= self.min_bytes || is_stuck {
            return Vec::new();
        }
        let asks = hungry.into_iter().map(|(owner, _)| {
            let share = self.bytes_of(owner) + more;
            self.ask(owner, share, false)
        });
        asks.collect()
    }

    /// The answer of one owner to what [`FetchShares::poll`] gave for it.
    pub fn on_results(&mut self, owner: ShardId, results: Vec<FetchResult>) {
        let Some(owner) = self.owners.get(&owner) else {
            return;
        };
        for (place, result) in owner.places.iter().zip(results) {
            if let Some(old) = self.results.get_mut(*place) {
                *old = Some(result);
            }
        }
    }

    /// The results, in the order of the entries. What was passed over in favour of a first batch
    /// beyond the limit comes with the next fetch.
    pub fn finish(mut self) -> Vec<FetchResult> {
        let mut bytes = 0;
        for result in self.results.iter_mut().flatten() {
            let more = result.bytes();
            if bytes > 0 && bytes + more > self.max_bytes {
                result.records.clear();
            } else {
                bytes += more;
            }
        }
        // None is missing unless its owner stops.
        let missing = || FetchResult::error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let results = self.results.into_iter();
        results
            .map(|result| result.unwrap_or_else(missing))
            .collect()
    }

    fn first_round(&mut self) -> Vec<(ShardId, FetchRead)> {
        let share = self.max_bytes / self.owners.len().max(1);
        let owners: Vec<ShardId> = self.owners.keys().copied().collect();
        let asks = owners.into_iter().map(|owner| {
            let is_first = self
                .owners
                .get(&owner)
                .is_some_and(|o| o.places.first() == Some(&0));
            self.ask(owner, share, is_first)
        });
        asks.collect()
    }

    /// The owners that would have given more, each with its first entry that was cut short.
    fn hungry(&self) -> Vec<(ShardId, usize)> {
        let cut = |place: &&usize| {
            let result = self.results.get(**place);
            result.is_some_and(|r| r.as_ref().is_some_and(|r| r.cut_short))
        };
        let owners = self
            .owners
            .iter()
            .filter(|(_, owner)| owner.share < self.max_bytes || !owner.first_whole);
        owners
            .filter_map(|(id, owner)| Some((*id, *owner.places.iter().find(cut)?)))
            .collect()
    }

    fn ask(&mut self, id: ShardId, share: usize, first_whole: bool) -> (ShardId, FetchRead) {
        let mut entries = Vec::new();
        if let Some(owner) = self.owners.get_mut(&id) {
            owner.share = share;
            owner.first_whole = first_whole;
            let places = owner.places.iter();
            entries.extend(places.filter_map(|place| self.entries.get(*place)));
        }
        let read = FetchRead {
            entries,
            max_bytes: share,
            first_whole,
        };
        (id, read)
    }

    fn bytes(&self) -> usize {
        self.results.iter().flatten().map(FetchResult::bytes).sum()
    }

    fn bytes_of(&self, owner: ShardId) -> usize {
        let places = self.owners.get(&owner).map_or(&[][..], |o| &o.places);
        let results = places.iter().filter_map(|place| self.results.get(*place));
        results.flatten().map(FetchResult::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::{TopicId, TopicPartition};

    /// What shards have: the batches' sizes of each partition, which belongs to the shard of its
    /// place in this list.
    type Logs<'a> = &'a [&'a [usize]];

    const ENTRY_BYTES_MAX: usize = 1_000_000;

    fn entry(partition: usize) -> FetchEntry {
        FetchEntry {
            tp: TopicPartition {
                topic: TopicId([1; 16]),
                partition: partition as i32,
            },
            offset: 0,
            max_bytes: ENTRY_BYTES_MAX,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    /// As a shard reads one partition.
    fn read(log: &[usize], read: &FetchRead) -> FetchResult {
        let mut result = FetchResult::error(ErrorCode::NONE);
        let mut left = read.max_bytes;
        for batch in log {
            let is_first = result.records.is_empty() && read.first_whole;
            if *batch > left && !is_first {
                result.cut_short = true;
                break;
            }
            left = left.saturating_sub(*batch);
            result.records.push(Bytes::from(vec![0; *batch]));
        }
        result
    }

    /// Bytes from each shard in the end, most that were in memory at a time, and rounds.
    fn fetch(logs: Logs<'_>, min_bytes: usize, max_bytes: usize) -> (Vec<usize>, usize, usize) {
        let entries = (0..logs.len()).map(|p| (ShardId(p as u16), entry(p)));
        let mut shares = FetchShares::new(entries.collect(), min_bytes, max_bytes);
        let (mut rounds, mut most) = (0, 0);
        loop {
            let round = shares.poll();
            if round.is_empty() {
                break;
            }
            rounds += 1;
            for (owner, ask) in round {
                let result = read(logs[usize::from(owner.0)], &ask);
                shares.on_results(owner, vec![result]);
            }
            most = most.max(shares.bytes());
        }
        let results = shares.finish();
        let bytes = results.iter().map(FetchResult::bytes);
        (bytes.collect(), most, rounds)
    }

    #[test]
    fn all_together_read_no_more_than_the_fetch_may_have() {
        let full = [100; 50];
        let (bytes, most, rounds) = fetch(&[&full[..]; 5], 1, 5000);
        assert_eq!((bytes, most, rounds), (vec![1000; 5], 5000, 1));
    }

    #[test]
    fn what_others_do_not_need_is_given_while_it_is_too_little() {
        let full = [100; 50];
        let (bytes, _, rounds) = fetch(&[&[], &full, &[], &[], &full], 1, 5000);
        assert_eq!((bytes, rounds), (vec![0, 1000, 0, 0, 1000], 1));
        let (bytes, most, rounds) = fetch(&[&[], &full, &[], &[], &full], 4000, 5000);
        assert_eq!(bytes, [0, 2500, 0, 0, 2500]);
        assert_eq!((most, rounds), (5000, 2));
        let (bytes, _, rounds) = fetch(&[&[], &full, &[], &[], &[100; 20]], 5000, 5000);
        assert_eq!(bytes, [0, 3000, 0, 0, 2000]);
        assert_eq!(rounds, 3);
    }

    #[test]
    fn the_first_batch_is_given_whatever_its_size() {
        for (logs, expected) in [
            ([&[7000][..], &[100], &[]], vec![7000, 0, 0]),
            ([&[], &[7000], &[7000]], vec![0, 7000, 0]),
            ([&[], &[], &[2000, 3000]], vec![0, 0, 5000]),
            ([&[100], &[7000], &[]], vec![100, 0, 0]),
        ] {
            let (bytes, most, rounds) = fetch(&logs, 1, 5000);
            assert_eq!(bytes, expected);
            assert!(most <= 7100 && rounds <= 2, "{most} bytes, {rounds} rounds");
        }
        let (bytes, ..) = fetch(&[&[], &[10], &[10]], 0, 0);
        assert_eq!(bytes, [0, 10, 0]);
    }

    #[test]
    fn it_ends_when_what_is_next_does_not_fit() {
        let (bytes, _, rounds) = fetch(&[&[900, 900], &[900, 900], &[]], 3000, 3000);
        assert_eq!((bytes, rounds), (vec![900, 900, 0], 2));
        let (bytes, _, rounds) = fetch(&[&[], &[]], 1, 100);
        assert_eq!((bytes, rounds), (vec![0, 0], 1));
        let (bytes, _, rounds) = fetch(&[&[60, 60]], 100, 100);
        assert_eq!((bytes, rounds), (vec![60], 1));
        assert!(fetch(&[], 1, 100).0.is_empty());
        let mut alone = FetchShares::new(vec![(ShardId(0), entry(0))], 1, 1);
        alone.on_results(ShardId(9), Vec::new());
        let unanswered = alone.finish();
        assert_eq!(unanswered[0].error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
}
