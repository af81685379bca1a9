//! What every produced batch passes in the partition: validation with its
//! checksum, offsets, and the index and tail entries once it is durable.

use std::hint::black_box;

use bytes::Bytes;
use corelane::base::{
    LogConfig, LogPosition, Now, SegmentId, TimestampType, TopicId, TopicPartition,
};
use corelane::kafka::batch::HEADER_BYTES;
use corelane::kafka::record::BatchBuilder;
use corelane::partition::{Appended, Origin, Outcome, Partition, Placed};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const NOW: Now = Now {
    wall_ms: 1_700_000_000_000,
    mono_ms: 1000,
};

fn partition(timestamp_type: TimestampType) -> Partition {
    let topic = TopicId([1; 16]);
    let config = LogConfig {
        timestamp_type,
        ..LogConfig::default()
    };
    let topic_partition = TopicPartition {
        topic,
        partition: 0,
    };
    Partition::new(topic_partition, config, 1)
}

/// A batch of `bytes` in records of about a kilobyte.
fn batch(bytes: usize, producer: Option<i32>) -> Bytes {
    let mut builder = BatchBuilder::new(NOW.wall_ms);
    if let Some(sequence) = producer {
        builder = builder.producer(9, 0, sequence);
    }
    let mut left = bytes - HEADER_BYTES;
    while left > 0 {
        let value = vec![b'v'; left.min(1024).saturating_sub(10)];
        builder = builder.record(NOW.wall_ms, None, Some(&value));
        left = left.saturating_sub(1024);
    }
    builder.build()
}

fn append(log: &mut Partition, batch: Bytes) -> Appended {
    match log.append(NOW, batch, Origin::Client) {
        Ok(Outcome::Appended(appended)) => appended,
        other => panic!("{other:?}"),
    }
}

fn appending(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for bytes in [1024, 64 * 1024] {
        let plain = batch(bytes, None);
        group.throughput(Throughput::Bytes(plain.len() as u64));
        for (name, stamp) in [
            ("create time", TimestampType::CreateTime),
            ("log append time", TimestampType::LogAppendTime),
        ] {
            let mut log = partition(stamp);
            group.bench_function(BenchmarkId::new(name, bytes), |b| {
                b.iter(|| append(&mut log, black_box(plain.clone())));
            });
        }
        let idempotent = batch(bytes, Some(0));
        let fresh = || {
            let mut log = partition(TimestampType::CreateTime);
            // Other producers, as a partition in use has them.
            for id in 100..200 {
                let small = BatchBuilder::new(NOW.wall_ms).producer(id, 0, 0);
                append(&mut log, small.record(NOW.wall_ms, None, None).build());
            }
            log
        };
        group.bench_function(BenchmarkId::new("idempotent", bytes), |b| {
            b.iter_batched_ref(
                fresh,
                |log| append(log, black_box(idempotent.clone())),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Append, durable, evicted from the tail, and at last expired: a batch's life.
fn life(c: &mut Criterion) {
    let mut group = c.benchmark_group("life");
    for bytes in [1024, 64 * 1024] {
        let batch = batch(bytes, None);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        let mut log = partition(TimestampType::CreateTime);
        let mut position = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| {
                let appended = append(&mut log, batch.clone());
                position += batch.len() as u64;
                log.on_durable(Placed {
                    base_offset: appended.base_offset,
                    last_offset: appended.last_offset,
                    max_timestamp: appended.max_timestamp,
                    position: LogPosition {
                        segment: SegmentId {
                            wal: 0,
                            sequence: position >> 28,
                        },
                        offset: (position & ((1 << 28) - 1)) as u32,
                    },
                    len: batch.len() as u32,
                    bytes: Some(batch.clone()),
                });
                log.evict_tail_before(log.high_watermark() - 1000);
                log.advance_log_start((log.high_watermark() - 100_000).max(0))
            });
        });
    }
    group.finish();
}

fn planning(c: &mut Criterion) {
    let mut log = partition(TimestampType::CreateTime);
    let batch = batch(1024, None);
    for i in 0..1_000_000_u32 {
        let appended = append(&mut log, batch.clone());
        log.on_durable(Placed {
            base_offset: appended.base_offset,
            last_offset: appended.last_offset,
            max_timestamp: appended.max_timestamp + i64::from(i),
            position: LogPosition {
                segment: SegmentId {
                    wal: 0,
                    sequence: u64::from(i / 65_536),
                },
                offset: i % 65_536 * 1100,
            },
            len: batch.len() as u32,
            bytes: None,
        });
    }
    let mut at = 0;
    c.bench_function("plan 64 KiB cold among a million batches", |b| {
        b.iter(|| {
            at = (at + 618_033) % 999_000;
            log.plan_read(at, 64 * 1024, true)
        });
    });
    c.bench_function("offset by time among a million batches", |b| {
        b.iter(|| {
            at = (at + 618_033) % 999_000;
            log.list_offset(NOW.wall_ms + at)
        });
    });
}

criterion_group!(benches, appending, life, planning);
criterion_main!(benches);
