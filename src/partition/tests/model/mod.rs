//! The partition against a list of batches, under random operations, crashes
//! and recoveries. The list knows nothing of indexes, tails or checkpoints.

mod ops;

use super::*;

/// Four batches or so to a segment, so that segments come and go.
const SEGMENT_RECORDS: usize = 6;

/// What the WAL holds of the partition.
#[derive(Clone, Debug)]
enum Record {
    Batch(Bytes),
    LogStart(i64),
    Checkpoint(Bytes),
}

/// The partition, its WAL, and the list of all batches that were ever appended
/// and not lost.
struct World {
    log: Partition,
    epoch: i32,
    wal: Vec<(LogPosition, Record)>,
    /// Records of `wal` that are durable.
    durable: usize,
    batches: Vec<Bytes>,
    log_start: i64,
    planned: i64,
    high_watermark: i64,
    /// First batch still in memory, by offset.
    tail_start: i64,
    appended: usize,
}

fn end_of(batch: &Bytes) -> i64 {
    header_of(batch).last_offset() + 1
}

impl World {
    fn new() -> World {
        World {
            log: Partition::new(TP, LogConfig::default(), 1),
            epoch: 1,
            wal: Vec::new(),
            durable: 0,
            batches: Vec::new(),
            log_start: 0,
            planned: 0,
            high_watermark: 0,
            tail_start: 0,
            appended: 0,
        }
    }

    fn log_end(&self) -> i64 {
        self.batches.last().map_or(0, end_of)
    }

    /// Batches that may be read.
    fn live(&self) -> impl Iterator<Item = &Bytes> {
        let end = self.high_watermark;
        let live = move |b: &&Bytes| end_of(b) > self.log_start && end_of(b) <= end;
        self.batches.iter().filter(live)
    }

    fn offset_at(&self, fraction: f64) -> i64 {
        (fraction * self.log_end() as f64) as i64
    }

    fn log_record(&mut self, record: Record) {
        let segment = SegmentId {
            wal: 0,
            sequence: 1 + (self.appended / SEGMENT_RECORDS) as u64,
        };
        let offset = 4096 + (self.appended % SEGMENT_RECORDS * 1000) as u32;
        self.appended += 1;
        self.wal.push((LogPosition { segment, offset }, record));
    }

    /// The batches by which a producer's next one is judged: those of its
    /// newest epoch, in order.
    fn history(&self, id: i64) -> Vec<BatchHeader> {
        let of_id = |b: &Bytes| Some(header_of(b)).filter(|h| h.producer_id == id);
        let all: Vec<BatchHeader> = self.batches.iter().filter_map(of_id).collect();
        let epoch = all.last().map_or(-1, |h| h.producer_epoch);
        all.into_iter()
            .filter(|h| h.producer_epoch == epoch)
            .collect()
    }

    /// What must become of `batch`.
    fn judge(&self, batch: &Bytes) -> &'static str {
        let header = header_of(batch);
        let history = self.history(header.producer_id);
        let Some(last) = history.last().filter(|_| header.producer_id >= 0) else {
            return "new";
        };
        let same = |h: &&BatchHeader| {
            (h.producer_epoch, h.base_sequence, h.record_count)
                == (
                    header.producer_epoch,
                    header.base_sequence,
                    header.record_count,
                )
        };
        if history.iter().rev().take(5).any(|h| same(&h)) {
            return "duplicate";
        }
        let next = last.base_sequence + last.record_count;
        match header.producer_epoch.cmp(&last.producer_epoch) {
            std::cmp::Ordering::Less => "fenced",
            std::cmp::Ordering::Equal if header.base_sequence == next => "new",
            std::cmp::Ordering::Greater if header.base_sequence == 0 => "new",
            _ => "out of order",
        }
    }

    fn append(&mut self, batch: Bytes) {
        let verdict = self.judge(&batch);
        match self.log.append(now(0), batch.clone(), Origin::Client) {
            Ok(Outcome::Appended(appended)) => {
                assert_eq!(verdict, "new");
                assert_eq!(appended.base_offset, self.log_end());
                let stored = whole(&appended);
                assert_eq!(header_of(&stored).leader_epoch, self.epoch);
                self.batches.push(stored.clone());
                self.log_record(Record::Batch(stored));
            }
            Ok(Outcome::Duplicate(found)) => {
                assert_eq!(verdict, "duplicate");
                let history = self.history(header_of(&batch).producer_id);
                let sequence = header_of(&batch).base_sequence;
                let original = history
                    .iter()
                    .rev()
                    .find(|h| h.base_sequence == sequence)
                    .unwrap();
                assert_eq!(found.base_offset, original.base_offset);
                assert_eq!(found.wait_for, original.last_offset() + 1);
            }
            Err(AppendError::OutOfOrderSequence { .. }) => assert_eq!(verdict, "out of order"),
            Err(AppendError::InvalidProducerEpoch { .. }) => assert_eq!(verdict, "fenced"),
            Err(error) => panic!("{error}"),
        }
    }

    fn settle(&mut self, count: usize) {
        for _ in 0..count {
            let Some((position, record)) = self.wal.get(self.durable).cloned() else {
                return;
            };
            self.durable += 1;
            match record {
                Record::Batch(batch) => {
                    let header = header_of(&batch);
                    let (last_offset, len) = (header.last_offset(), batch.len() as u32);
                    let placed = Placed::new(&header, position, Some(batch));
                    let told = self.log.on_durable(placed);
                    self.high_watermark = last_offset + 1;
                    assert_eq!((told.high_watermark, told.bytes), (last_offset + 1, len));
                }
                Record::LogStart(offset) => {
                    self.log_start = self.log_start.max(offset);
                    let before: u64 = self.log.segments().iter().map(|s| s.batches).sum();
                    let released = self.log.advance_log_start(offset);
                    let after: u64 = self.log.segments().iter().map(|s| s.batches).sum();
                    let gone: u64 = released.segments.iter().map(|s| s.batches).sum();
                    assert_eq!(before, after + gone);
                }
                Record::Checkpoint(_) => {}
            }
        }
    }

    fn read(&self, offset: i64, bytes_max: usize, at_least_one: bool) {
        let plan = self.log.plan_read(offset, bytes_max, at_least_one);
        if offset < self.log_start || offset > self.high_watermark {
            assert_eq!(plan, Err(ReadError::OffsetOutOfRange));
            return;
        }
        let mut expected = Vec::new();
        let mut bytes = 0;
        for batch in self.live().filter(|b| end_of(b) > offset) {
            if bytes + batch.len() > bytes_max && !(at_least_one && bytes == 0) {
                break;
            }
            bytes += batch.len();
            expected.push(batch.clone());
        }
        let plan = plan.unwrap();
        assert_eq!(
            plan.pieces
                .iter()
                .map(|p| self.fetch(p))
                .collect::<Vec<_>>(),
            expected
        );
        assert_eq!(plan.bytes, bytes);
        assert_eq!(plan.next_offset, expected.last().map_or(offset, end_of));
    }

    fn fetch(&self, piece: &Piece) -> Bytes {
        let (bytes, in_memory) = match piece {
            Piece::Tail(bytes) => (bytes.clone(), true),
            Piece::Cold(read) => {
                let found = self
                    .wal
                    .iter()
                    .find(|(position, _)| *position == read.position);
                let Some((_, Record::Batch(bytes))) = found else {
                    panic!("nothing at {read:?}")
                };
                assert!(verify_cold(read, bytes));
                (bytes.clone(), false)
            }
        };
        assert_eq!(in_memory, header_of(&bytes).base_offset >= self.tail_start);
        bytes
    }

    /// Every record of these batches has its batch's timestamp.
    fn list(&self, timestamp: i64) {
        let at_least = |b: &&Bytes| match timestamp {
            timestamps::MAX => true,
            _ => header_of(b).max_timestamp >= timestamp,
        };
        let mut found = self.live().filter(at_least);
        let expected = match timestamp {
            timestamps::MAX => found.rev_max(),
            _ => found.next().cloned(),
        };
        let answer = match self.log.list_offset(timestamp) {
            Listed::Known(answer) => answer,
            Listed::Scan(scan) => {
                let header = header_of(&self.fetch(&scan.piece));
                let records = (0..header.record_count).map(|delta| (delta, 0));
                resolve_scan(&scan, &header, records).unwrap()
            }
        };
        let expected = match (timestamp, expected) {
            (timestamps::LATEST, _) => (self.high_watermark, -1),
            (timestamps::EARLIEST, _) => (self.log_start, -1),
            (_, Some(b)) => (
                header_of(&b).base_offset.max(self.log_start),
                header_of(&b).max_timestamp,
            ),
            (_, None) => (-1, -1),
        };
        assert_eq!(
            (answer.offset, answer.timestamp),
            expected,
            "at {timestamp}"
        );
    }

    fn crash(&mut self, survivors: usize, recycle: bool) {
        let lost = self.wal.len() > self.durable + survivors;
        self.wal.truncate(self.durable + survivors);
        self.lose_batches();
        if !lost {
            self.settle(usize::MAX);
        }
        if recycle {
            self.recycle();
        }
        self.epoch += 1;
        let recovered = self.recover();
        if !lost {
            assert_eq!(recovered.checkpoint(), self.log.checkpoint());
            assert_eq!(recovered.segments(), self.log.segments());
        }
        self.log = recovered;
        self.durable = self.wal.len();
        self.high_watermark = self.log_end();
        self.planned = self.log_start;
        self.tail_start = self.log_end();
        self.appended = self.appended.next_multiple_of(SEGMENT_RECORDS);
    }

    /// Forgets the batches that the WAL lost.
    fn lose_batches(&mut self) {
        let batch_end = |(_, record): &(LogPosition, Record)| match record {
            Record::Batch(batch) => Some(end_of(batch)),
            _ => None,
        };
        let end = self.wal.iter().filter_map(batch_end).max().unwrap_or(0);
        let end = end.max(self.high_watermark);
        self.batches.retain(|batch| end_of(batch) <= end);
    }

    fn recover(&mut self) -> Partition {
        let mut recovery = Recovery::new(TP, LogConfig::default());
        for (position, record) in &self.wal {
            match record {
                Record::Batch(batch) => {
                    let fed = recovery.on_batch(&header_of(batch), *position);
                    assert_eq!(fed, Ok(Recovered::Applied));
                }
                Record::LogStart(offset) => {
                    recovery.on_log_start(*offset);
                    self.log_start = self.log_start.max(*offset);
                }
                Record::Checkpoint(bytes) => {
                    assert_eq!(recovery.on_checkpoint(bytes), Ok(Recovered::Applied));
                }
            }
        }
        recovery.finish(self.epoch, now(0)).unwrap()
    }

    /// Drops segments as the shard may: nothing in them is live, and a later
    /// durable checkpoint has the state.
    fn recycle(&mut self) {
        let (durable, log_start) = (&self.wal[..self.durable], self.log_start);
        let is_checkpoint = |(_, r): &&(LogPosition, Record)| matches!(r, Record::Checkpoint(_));
        let Some((last, _)) = durable.iter().rfind(is_checkpoint) else {
            return;
        };
        let last = last.segment;
        let live = |segment: SegmentId| {
            self.wal.iter().any(|(position, record)| match record {
                Record::Batch(batch) => position.segment == segment && end_of(batch) > log_start,
                _ => false,
            })
        };
        let kept = |at: usize| {
            let segment = self.wal[at].0.segment;
            segment >= last || live(segment)
        };
        let kept: Vec<usize> = (0..self.wal.len()).filter(|at| kept(*at)).collect();
        self.durable = kept.iter().filter(|at| **at < self.durable).count();
        self.wal = kept.into_iter().map(|at| self.wal[at].clone()).collect();
    }

    fn expire(&mut self, wall_ms: i64, bytes: u64) {
        let (retention_ms, retention_bytes) = (Some(1000), Some(bytes));
        self.log.set_config(LogConfig {
            retention_ms,
            retention_bytes,
            ..LogConfig::default()
        });
        let live: Vec<&Bytes> = self.live().collect();
        let timestamp = |b: &Bytes| header_of(b).max_timestamp;
        let old = live.iter().take_while(|b| timestamp(b) < wall_ms - 1000);
        let by_time = old.filter(|b| timestamp(b) >= 0).last().map(|b| end_of(b));
        let size = |from: usize| live[from..].iter().map(|b| b.len() as u64).sum::<u64>();
        let kept = (0..=live.len())
            .find(|from| size(*from) <= bytes)
            .unwrap_or(0);
        let by_bytes = kept.checked_sub(1).map(|last| end_of(live[last]));
        let expected = by_time.max(by_bytes).filter(|to| *to > self.planned);
        assert_eq!(self.log.expired_to(now(wall_ms)), expected);
        if let Some(to) = expected {
            self.plan(to);
        }
    }

    fn plan(&mut self, to: i64) {
        self.log.plan_log_start(to);
        self.planned = self.planned.max(to);
        self.log_record(Record::LogStart(to));
    }

    fn delete_records(&mut self, offset: i64) {
        let to = self.log.check_delete_records(offset);
        assert_eq!(to.is_ok(), offset <= self.high_watermark);
        if let Ok(to) = to {
            assert_eq!(to, offset.max(self.log_start));
            self.plan(to);
        }
    }

    fn evict_tail(&mut self, offset: i64) {
        let gone = |b: &&Bytes| {
            let end = end_of(b);
            header_of(b).base_offset >= self.tail_start && end <= offset
        };
        let gone: Vec<&Bytes> = self.live().filter(gone).collect();
        let bytes: usize = gone.iter().map(|b| b.len()).sum();
        let start = gone.last().map_or(self.tail_start, |b| end_of(b));
        assert_eq!(self.log.evict_tail_before(offset), bytes);
        self.tail_start = start;
    }

    fn check(&self) {
        assert_eq!(self.log.log_start(), self.log_start);
        assert_eq!(self.log.high_watermark(), self.high_watermark);
        assert_eq!(self.log.log_end(), self.log_end());
        assert_eq!(
            self.log.log_bytes(),
            self.live().map(|b| b.len() as u64).sum::<u64>()
        );
        let in_memory = |b: &&Bytes| header_of(b).base_offset >= self.tail_start;
        let tail_bytes: usize = self.live().filter(in_memory).map(Bytes::len).sum();
        assert_eq!(self.log.tail_bytes(), tail_bytes);
        let producers = self.log.producers();
        let producers: Vec<_> = producers
            .map(|p| (p.producer_id, p.epoch, p.last_sequence))
            .collect();
        let last_of = |id| self.history(id).pop();
        let expected: Vec<_> = (1..4)
            .filter_map(last_of)
            .map(|h| {
                (
                    h.producer_id,
                    h.producer_epoch,
                    h.base_sequence + h.last_offset_delta,
                )
            })
            .collect();
        assert_eq!(producers, expected);
    }
}

trait RevMax {
    fn rev_max(self) -> Option<Bytes>;
}

impl<'a, I: Iterator<Item = &'a Bytes>> RevMax for I {
    /// The first of those with the largest timestamp, if any has one.
    fn rev_max(self) -> Option<Bytes> {
        let timestamp = |b: &Bytes| header_of(b).max_timestamp;
        self.reduce(|best, next| {
            if timestamp(next) > timestamp(best) {
                next
            } else {
                best
            }
        })
        .filter(|b| timestamp(b) >= 0)
        .cloned()
    }
}
