//! A WAL on its disk, with the account of what it must give back.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use corelane::base::{Lsn, SegmentId, TopicPartition};
use corelane::wal::recovery::RecoveredRecord;
use corelane::wal::{
    AppendError, LiveSegment, Priority, Record, RecordKind, Recovered, Recovery, RecoveryError,
    RecoveryStep, SegmentWork, Wal, WalConfig,
};

use crate::disk::{Disk, Flight};
use crate::records::Rng;

pub const WAL: u16 = 3;

/// Reads a WAL back from its disk.
pub fn recover(disk: &Disk) -> Result<(Vec<RecoveredRecord>, Recovered), RecoveryError> {
    let mut recovery = Recovery::new(WAL, &disk.list(), disk.manifest.as_deref())?;
    let mut records = Vec::new();
    loop {
        match recovery.poll()? {
            RecoveryStep::Record(record) => records.push(record),
            RecoveryStep::Done => return Ok((records, recovery.finish())),
            RecoveryStep::Read(plan) => {
                assert!(
                    plan.bytes > 0 && plan.bytes.is_multiple_of(4096),
                    "{plan:?}"
                );
                let start = plan.offset as usize;
                let file = &disk.files[&plan.slot];
                recovery.on_read(&file[start..start + plan.bytes])?;
            }
        }
    }
}

/// A record that was appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    pub lsn: Lsn,
    pub kind: RecordKind,
    pub tp: TopicPartition,
    pub payload: Bytes,
}

/// What drives a WAL in the tests.
pub struct Rig {
    pub config: WalConfig,
    pub disk: Disk,
    pub wal: Wal,
    /// Everything appended that may still be there, in order.
    pub appended: Vec<Appended>,
    /// The segment of every block that was handed out.
    segments: BTreeMap<Lsn, SegmentId>,
    /// Everything up to here was acknowledged.
    pub acked: Lsn,
    /// Given up, so they may be there or not.
    reclaimed: BTreeSet<SegmentId>,
    buffers: BTreeMap<Lsn, Vec<u8>>,
}

pub fn config(segment_bytes: u32, segments: u64) -> WalConfig {
    WalConfig {
        wal: WAL,
        segment_bytes,
        disk_bytes_max: u64::from(segment_bytes) * segments,
        run_seed: 0x5eed,
    }
}

impl Rig {
    pub fn new(config: WalConfig) -> Rig {
        let wal = Wal::open(config, &Recovered::fresh(WAL)).unwrap();
        Rig {
            config,
            disk: Disk::default(),
            wal,
            appended: Vec::new(),
            segments: BTreeMap::new(),
            acked: Lsn(0),
            reclaimed: BTreeSet::new(),
            buffers: BTreeMap::new(),
        }
    }

    /// A rig whose WAL is ready to take records.
    pub fn ready(config: WalConfig) -> Rig {
        let mut rig = Rig::new(config);
        rig.drain();
        rig
    }

    pub fn append(
        &mut self,
        (record, payload): (Record, Bytes),
        priority: Priority,
    ) -> Result<Lsn, AppendError> {
        let (kind, tp) = (record.kind(), record.tp());
        let allowed = self.wal.can_append(payload.len(), priority);
        let lsn = self.wal.append(record, priority);
        assert_eq!(allowed.err(), lsn.err(), "can_append foretells append");
        let lsn = lsn?;
        self.appended.push(Appended {
            lsn,
            kind,
            tp,
            payload,
        });
        Ok(lsn)
    }

    /// Hands everything that the WAL wants done to the disk.
    pub fn pump(&mut self) {
        while let Some(plan) = self.wal.poll_write() {
            let mut bytes = vec![0xaa; plan.bytes];
            plan.copy_to(&mut bytes);
            assert_eq!(plan.durable(), self.wal.durable());
            self.segments.insert(plan.lsn, plan.segment);
            self.buffers.insert(plan.lsn, bytes.clone());
            self.disk.flights.push(Flight::Block {
                lsn: plan.lsn,
                slot: plan.slot,
                offset: plan.offset as usize,
                bytes,
            });
        }
        while let Some(work) = self.wal.poll_segment() {
            if let SegmentWork::Shorten { slot, bytes } = work {
                self.disk.assert_may_shorten(slot, bytes);
            }
            self.disk.flights.push(Flight::Work(work));
        }
    }

    /// Completes one thing in flight, and takes what is durable by it as acknowledged.
    pub fn complete(&mut self, index: usize) {
        self.disk.complete(index, &mut self.wal);
        while let Some(block) = self.wal.poll_durable() {
            assert_eq!(block.lsn, self.acked.next(), "durability has no gaps");
            self.acked = block.lsn;
            let buffer = self.buffers.remove(&block.lsn).unwrap();
            let expected = self
                .appended
                .iter()
                .filter(|record| record.lsn == block.lsn);
            assert_eq!(expected.clone().count(), block.records.len());
            for (record, expected) in block.records.iter().zip(expected) {
                assert_eq!((record.kind, record.tp), (expected.kind, expected.tp));
                assert_eq!(buffer[block.range(record)], expected.payload);
                assert_eq!(record.offsets.is_some(), record.kind == RecordKind::Batch);
            }
        }
        assert!(self.acked <= self.wal.durable());
    }

    /// Completes what is in flight, in a random order, until there is nothing to do.
    pub fn settle(&mut self, rng: &mut Rng) {
        self.pump();
        while !self.disk.flights.is_empty() {
            self.complete(rng.below(self.disk.flights.len()));
            self.pump();
        }
    }

    /// The same in order.
    pub fn drain(&mut self) {
        self.pump();
        while !self.disk.flights.is_empty() {
            self.complete(0);
            self.pump();
        }
    }

    pub fn reclaim(&mut self, id: SegmentId) {
        self.wal.reclaim(id).unwrap();
        self.reclaimed.insert(id);
    }

    /// Whether a segment is sealed and durable.
    pub fn may_reclaim(&self, segment: &LiveSegment) -> bool {
        segment
            .end_lsn
            .is_some_and(|end| end <= self.wal.durable().next())
    }

    /// Gives up the oldest segment, if it can be given up.
    pub fn reclaim_oldest(&mut self) -> bool {
        let oldest = self.wal.live_segments().next();
        let Some(oldest) = oldest.filter(|segment| self.may_reclaim(segment)) else {
            return false;
        };
        self.reclaim(oldest.id);
        true
    }

    /// Kills the process and starts it again.
    pub fn reopen(&mut self, rng: &mut Rng, power_cut: bool) -> Recovered {
        self.disk.crash(rng, power_cut);
        self.restart()
    }

    /// Starts the process on the disk as it is.
    pub fn restart(&mut self) -> Recovered {
        let (records, recovered) = recover(&self.disk).unwrap();
        self.check(&records, recovered.next_lsn);
        for &slot in &recovered.sync {
            self.disk.sync(slot);
        }
        self.config.run_seed += 1;
        self.wal = Wal::open(self.config, &recovered).unwrap();
        self.appended = records.iter().map(appended).collect();
        self.segments = records
            .iter()
            .map(|r| (r.lsn, r.position.segment))
            .collect();
        // What survived is served, so it counts as acknowledged from now on.
        self.acked = Lsn(recovered.next_lsn.0 - 1);
        self.reclaimed.clear();
        self.buffers.clear();
        self.check_positions(&records);
        recovered
    }

    /// Recovered are all of the records up to some point at or after the last that was
    /// acknowledged, but for those of segments that were given up, which may be missing.
    fn check(&self, records: &[RecoveredRecord], next_lsn: Lsn) {
        assert!(
            next_lsn > self.acked,
            "cut at {next_lsn:?}, acknowledged {:?}",
            self.acked
        );
        let mut expected = self.appended.iter().filter(|record| record.lsn < next_lsn);
        let may_be_missing = |record: &Appended| {
            self.segments
                .get(&record.lsn)
                .is_some_and(|id| self.reclaimed.contains(id))
        };
        for record in records.iter().map(appended) {
            loop {
                match expected.next() {
                    Some(before) if *before == record => break,
                    Some(before) if may_be_missing(before) => {}
                    other => panic!("recovered {record:?} instead of {other:?}"),
                }
            }
        }
        for left in expected {
            assert!(may_be_missing(left), "{left:?} is lost");
        }
    }

    /// Every record can be read where recovery says it is.
    fn check_positions(&mut self, records: &[RecoveredRecord]) {
        for record in records {
            let slot = self
                .wal
                .pin(record.position.segment)
                .expect("its segment is live");
            let start = record.position.offset as usize;
            let bytes = &self.disk.files[&slot][start..start + record.payload.len()];
            assert_eq!(bytes, record.payload);
            self.wal.unpin(slot);
        }
    }
}

pub fn appended(record: &RecoveredRecord) -> Appended {
    Appended {
        lsn: record.lsn,
        kind: record.kind,
        tp: record.tp,
        payload: record.payload.clone(),
    }
}
