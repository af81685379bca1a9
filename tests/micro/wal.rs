//! What the WAL costs a core: appending and copying out blocks, and reading
//! them back.

#![allow(missing_docs, reason = "criterion's macros make items without any")]

use std::collections::BTreeMap;
use std::hint::black_box;

use bytes::Bytes;
use corelane::base::{TopicId, TopicPartition, checksum, limits::MIB};
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::wal::{
    AppendError, ListedFile, Priority, Record, Recovered, Recovery, RecoveryStep, SegmentWork, Wal,
    WalConfig,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SEGMENT_BYTES: u32 = 64 * MIB as u32;
const TP: TopicPartition = TopicPartition {
    topic: TopicId([7; 16]),
    partition: 1,
};

type Files = BTreeMap<u32, Vec<u8>>;

/// Does work on files in memory, or, without files, just says so.
fn work(wal: &mut Wal, mut files: Option<&mut Files>, manifest: &mut Vec<u8>) {
    while let Some(work) = wal.poll_segment() {
        match work {
            SegmentWork::Prepare { slot, bytes } => {
                if let Some(files) = &mut files {
                    files.insert(slot, vec![0; bytes as usize]);
                }
                wal.on_prepared(slot);
            }
            SegmentWork::WriteHeader { slot, bytes } => {
                if let Some(file) = files.as_mut().and_then(|files| files.get_mut(&slot)) {
                    file[..bytes.len()].copy_from_slice(&bytes[..]);
                }
                wal.on_header_written(slot);
            }
            SegmentWork::WriteManifest { bytes } => {
                *manifest = bytes;
                wal.on_manifest_written();
            }
            SegmentWork::Shorten { slot, bytes } => {
                if let Some(file) = files.as_mut().and_then(|files| files.get_mut(&slot)) {
                    file.truncate(bytes as usize);
                }
                wal.on_shortened(slot);
            }
            SegmentWork::Delete { slot } => wal.on_deleted(slot),
        }
    }
}

fn open() -> Wal {
    let disk_bytes_max = 8 * u64::from(SEGMENT_BYTES);
    let config = WalConfig {
        wal: 0,
        segment_bytes: SEGMENT_BYTES,
        disk_bytes_max,
        run_seed: 1,
    };
    Wal::open(config, &Recovered::fresh(0)).expect("the configuration is good")
}

fn record(bytes: usize) -> ([u8; HEADER_BYTES], Bytes) {
    let body = Bytes::from(vec![0x5a; bytes - HEADER_BYTES]);
    let mut header = BatchHeader {
        base_offset: 1,
        batch_length: (bytes - 12) as i32,
        leader_epoch: 1,
        crc: 0,
        attributes: 0,
        last_offset_delta: 0,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 1,
    };
    header.crc = checksum::crc32c(&[&header.encode()[CRC_COVER_START..], &body].concat());
    (header.encode(), body)
}

/// Appends `count` batches, copying each full block out and taking it as written.
fn append(wal: &mut Wal, count: usize, bytes: usize, buffer: &mut [u8], manifest: &mut Vec<u8>) {
    let (head, body) = record(bytes);
    for _ in 0..count {
        let record = Record::batch(TP, head, body.clone());
        match wal.append(record, Priority::Data) {
            Ok(_) => {}
            Err(AppendError::Full) => {
                let oldest = wal.live_segments().next().expect("there are segments");
                wal.reclaim(oldest.id).expect("it is sealed and durable");
            }
            Err(error) => panic!("{error}"),
        }
        // Only full blocks: as under load, when enough is in flight.
        if wal.stats().pending_bytes > 960 * 1024 {
            while let Some(plan) = wal.poll_write() {
                let out = &mut buffer[..plan.bytes];
                plan.copy_to(out);
                black_box(&out);
                wal.on_written(plan.lsn);
                while let Some(block) = wal.poll_durable() {
                    black_box(&block);
                }
            }
            work(wal, None, manifest);
        }
    }
}

fn append_and_copy(c: &mut Criterion) {
    let mut group = c.benchmark_group("wal/append+plan+copy");
    for bytes in [1024, 64 * 1024] {
        let count = 16 * MIB / bytes;
        group.throughput(Throughput::Bytes((count * bytes) as u64));
        let mut wal = open();
        let mut manifest = Vec::new();
        let mut buffer = vec![0; 2 * MIB];
        work(&mut wal, None, &mut manifest);
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| append(&mut wal, count, bytes, &mut buffer, &mut manifest));
        });
    }
    group.finish();
}

fn recovery(c: &mut Criterion) {
    let mut group = c.benchmark_group("wal/recovery");
    for bytes in [1024, 64 * 1024] {
        let (mut files, mut manifest) = (Files::new(), Vec::new());
        let mut wal = open();
        work(&mut wal, Some(&mut files), &mut manifest);
        let (head, body) = record(bytes);
        let count = 48 * MIB / bytes;
        for _ in 0..count {
            wal.append(Record::batch(TP, head, body.clone()), Priority::Data)
                .expect("room");
            while wal.stats().pending_bytes > 960 * 1024
                && let Some(plan) = wal.poll_write()
            {
                let file = files.get_mut(&plan.slot).expect("the segment was prepared");
                plan.copy_to(&mut file[plan.offset as usize..][..plan.bytes]);
                wal.on_written(plan.lsn);
            }
        }
        work(&mut wal, Some(&mut files), &mut manifest);
        let listed = |(&slot, file): (&u32, &Vec<u8>)| ListedFile {
            slot,
            bytes: file.len() as u64,
        };
        let list: Vec<ListedFile> = files.iter().map(listed).collect();
        group.throughput(Throughput::Bytes((count * bytes) as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| recover(&files, &list, &manifest));
        });
    }
    group.finish();
}

fn recover(files: &Files, list: &[ListedFile], manifest: &[u8]) -> usize {
    let mut recovery = Recovery::new(0, list, Some(manifest)).expect("the manifest is good");
    let mut records = 0;
    loop {
        match recovery.poll().expect("nothing is damaged") {
            RecoveryStep::Record(record) => records += usize::from(!record.payload.is_empty()),
            RecoveryStep::Read(plan) => {
                let start = plan.offset as usize;
                let bytes = &files[&plan.slot][start..start + plan.bytes];
                recovery.on_read(bytes).expect("the read is whole");
            }
            RecoveryStep::Done => return records,
        }
    }
}

criterion_group!(benches, append_and_copy, recovery);
criterion_main!(benches);
