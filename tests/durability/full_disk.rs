//! The disk budget used up, and the disk itself full: producers are held back and then
//! refused with an error that they may retry, nothing acknowledged is lost, and what
//! frees room lets them go on.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;

use crate::common::batches::{KEPT_START, batch_of, idempotent, now_ms};
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, Produced, create_topic, delete_records, delete_topic, fetch, init_producer_id,
    produce_request, produced, read_all,
};
use crate::common::random::Random;
use crate::small_fs::SmallFileSystem;

matrix! {
    every pair: a_refused_idempotent_batch_can_be_sent_again, a_full_file_system_is_survived,
        a_used_up_budget_holds_producers_back;
    every value: a_used_up_budget_refuses_and_keeps_and_goes_on_after_deletion,
        retention_makes_room_by_itself,
        no_batch_overtakes_the_first_of_its_producer_that_was_refused;
}

/// How long the broker may take from room that is freed to an append that succeeds.
const RESUME_MAX: Duration = Duration::from_secs(20);
/// Batches that would be far more than any budget of these tests.
const BATCHES_MAX: i64 = 5000;

/// The smallest budget: four segments of 4 MiB for each shard.
fn small(setup: Setup) -> Options {
    setup.with_per_shard(32, 16)
}

/// The batch for an offset.
fn batch_at(partition: i32, offset: i64) -> Bytes {
    let value = Random::new((offset as u64) << 8 | partition as u64).bytes(100_000);
    batch_of(now_ms(), &[&value])
}

/// Appends without much patience on the broker's side.
fn try_produce(client: &mut Client, topic: &str, partition: i32, batch: Bytes) -> Produced {
    produce_within(client, topic, partition, batch, Duration::from_millis(50))
}

/// Appends with as much patience of the client as it says.
fn produce_within(
    client: &mut Client,
    topic: &str,
    partition: i32,
    batch: Bytes,
    timeout: Duration,
) -> Produced {
    let mut request = produce_request(topic, partition, batch);
    request.timeout_ms = timeout.as_millis() as i32;
    produced(&client.call(PRODUCE_BY_NAME, &request))
}

/// Appends to a partition until it is refused: what was acknowledged.
fn fill(client: &mut Client, topic: &str, partition: i32) -> Vec<Bytes> {
    let mut acknowledged = Vec::new();
    let start = fetch(client, topic, partition, 0).high_watermark.max(0);
    for offset in start..start + BATCHES_MAX {
        let batch = batch_at(partition, offset);
        let answer = try_produce(client, topic, partition, batch.clone());
        if answer.error != ErrorCode::NONE {
            assert_eq!(answer.error, ErrorCode::KAFKA_STORAGE_ERROR);
            assert!(answer.error.retriable());
            return acknowledged;
        }
        assert_eq!(answer.base_offset, offset);
        acknowledged.push(batch);
    }
    panic!("the disk never became full");
}

/// Appends until it succeeds: the base offset.
fn produce_when_there_is_room(
    client: &mut Client,
    topic: &str,
    partition: i32,
    batch: &Bytes,
) -> i64 {
    let deadline = Instant::now() + RESUME_MAX;
    loop {
        let answer = try_produce(client, topic, partition, batch.clone());
        if answer.error == ErrorCode::NONE {
            return answer.base_offset;
        }
        assert_eq!(answer.error, ErrorCode::KAFKA_STORAGE_ERROR);
        assert!(Instant::now() < deadline, "no room after {RESUME_MAX:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// From `offset` on there is what was acknowledged and nothing else.
fn check_kept(
    client: &mut Client,
    topic: &str,
    partition: i32,
    offset: i64,
    acknowledged: &[Bytes],
) {
    let found = read_all(client, topic, partition, offset);
    assert_eq!(found.len(), acknowledged.len(), "{topic}-{partition}");
    for (found, sent) in found.iter().zip(acknowledged) {
        assert_eq!(found.bytes[KEPT_START..], sent[KEPT_START..]);
    }
}

/// One request waits for room as long as its client would, and is served when there is some.
fn a_used_up_budget_holds_producers_back(setup: Setup) {
    const PATIENCE: Duration = Duration::from_millis(700);
    // What is forwarded from another shard is told at once.
    let options = Options {
        cores: 1,
        ..small(setup)
    };
    let mut broker = Broker::start_with(options);
    let mut client = broker.client();
    create_topic(&mut client, "full", 1, &[]);
    let kept = fill(&mut client, "full", 0).len() as i64;
    let began = Instant::now();
    let refused = produce_within(&mut client, "full", 0, batch_at(0, kept), PATIENCE);
    assert_eq!(refused.error, ErrorCode::KAFKA_STORAGE_ERROR);
    assert!(began.elapsed() >= PATIENCE, "{:?}", began.elapsed());

    let mut other = broker.client();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let patience = Duration::from_secs(5);
            produce_within(&mut client, "full", 0, batch_at(0, kept), patience)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "it waits");
        assert_eq!(delete_records(&mut other, "full", 0, kept), Ok(kept));
        let answer = waiting.join().unwrap();
        assert_eq!((answer.error, answer.base_offset), (ErrorCode::NONE, kept));
    });
    broker.stop();
}

fn a_used_up_budget_refuses_and_keeps_and_goes_on_after_deletion(setup: Setup) {
    let mut broker = Broker::start_with(small(setup));
    create_topic(&mut broker.client(), "full", 2, &[]);
    for round in 0..3 {
        let mut client = broker.client();
        if round > 0 {
            delete_topic(&mut client, "full");
            create_topic(&mut client, "full", 2, &[]);
            let first = batch_at(0, 0);
            assert_eq!(
                produce_when_there_is_room(&mut client, "full", 0, &first),
                0
            );
            let first = batch_at(1, 0);
            assert_eq!(
                produce_when_there_is_room(&mut client, "full", 1, &first),
                0
            );
            assert_eq!(delete_records(&mut client, "full", 0, 1), Ok(1));
            assert_eq!(delete_records(&mut client, "full", 1, 1), Ok(1));
            delete_topic(&mut client, "full");
            create_topic(&mut client, "full", 2, &[]);
        }
        // Through one shard both partitions, so one of them is forwarded.
        let kept = [0, 1].map(|partition| fill(&mut client, "full", partition));
        println!(
            "round {round}: {} and {} batches",
            kept[0].len(),
            kept[1].len()
        );
        for restart in 0..3 {
            let mut client = broker.client();
            for partition in 0..2 {
                check_kept(&mut client, "full", partition, 0, &kept[partition as usize]);
                let refused = try_produce(&mut client, "full", partition, batch_at(9, 9));
                assert_eq!(refused.error, ErrorCode::KAFKA_STORAGE_ERROR);
            }
            if restart == 0 {
                broker.stop();
            } else {
                broker.kill();
            }
            broker.start_again();
        }
        let mut client = broker.client();
        for partition in 0..2 {
            // Twice: the first makes some room, the second all.
            let end = kept[partition as usize].len() as i64;
            for to in [end / 2, -1] {
                let deleted = delete_records(&mut client, "full", partition, to);
                assert_eq!(deleted, Ok(if to < 0 { end } else { to }));
            }
            let batch = batch_at(partition, end);
            let offset = produce_when_there_is_room(&mut client, "full", partition, &batch);
            assert_eq!(offset, end);
            let found = read_all(&mut client, "full", partition, end);
            assert_eq!(found[0].bytes[KEPT_START..], batch[KEPT_START..]);
        }
    }
    broker.kill();
    let (report, is_sound) = broker.inspect();
    assert!(is_sound, "{report}");
}

fn retention_makes_room_by_itself(setup: Setup) {
    let options = small(setup).with("--retention-check-interval", "200ms");
    let mut broker = Broker::start_with(options);
    let mut client = broker.client();
    create_topic(&mut client, "expiring", 2, &[("retention.ms", "1500")]);
    create_topic(&mut client, "sized", 2, &[("retention.bytes", "2000000")]);
    // Several times the budget, held back now and then, never refused for long.
    for topic in ["expiring", "sized"] {
        for i in 0..600 {
            let batch = batch_at(0, i);
            let offset = produce_when_there_is_room(&mut client, topic, (i % 2) as i32, &batch);
            assert_eq!(offset, i / 2);
        }
    }
    let found = fetch(&mut client, "sized", 0, 299);
    assert_eq!((found.error, found.high_watermark), (ErrorCode::NONE, 300));
    broker.kill();
    broker.start_again();
    let found = fetch(&mut broker.client(), "sized", 0, 299);
    assert_eq!((found.error, found.high_watermark), (ErrorCode::NONE, 300));
}

fn a_refused_idempotent_batch_can_be_sent_again(setup: Setup) {
    let broker = Broker::start_with(small(setup));
    let mut client = broker.client();
    create_topic(&mut client, "full", 1, &[]);
    let producer = init_producer_id(&mut client);
    let value = Random::new(1).bytes(100_000);
    let mut sequence = 0;
    loop {
        let batch = idempotent(producer, sequence, &[&value]);
        let answer = try_produce(&mut client, "full", 0, batch);
        if answer.error == ErrorCode::KAFKA_STORAGE_ERROR {
            break;
        }
        assert_eq!(answer.error, ErrorCode::NONE);
        sequence += 1;
    }
    // The refused sequence was not taken: neither it nor the next is a duplicate or a gap.
    delete_records(&mut client, "full", 0, -1).unwrap();
    let batch = idempotent(producer, sequence, &[&value]);
    let offset = produce_when_there_is_room(&mut client, "full", 0, &batch);
    assert_eq!(offset, i64::from(sequence));
    let again = try_produce(&mut client, "full", 0, batch);
    assert_eq!((again.error, again.base_offset), (ErrorCode::NONE, offset));
    let next = idempotent(producer, sequence + 1, &[&value]);
    let answer = try_produce(&mut client, "full", 0, next);
    assert_eq!(
        (answer.error, answer.base_offset),
        (ErrorCode::NONE, offset + 1)
    );
}

/// What a pipelining producer has in flight when its first batch is refused must not get in
/// before it, though nobody knows the producer yet: the order would be lost for good.
fn no_batch_overtakes_the_first_of_its_producer_that_was_refused(setup: Setup) {
    const BATCHES: usize = 5;
    let broker = Broker::start_with(small(setup));
    let mut client = broker.client();
    create_topic(&mut client, "full", 2, &[]);
    let mut kept = [0, 1].map(|partition| fill(&mut client, "full", partition).len() as i64);
    let value = Random::new(2).bytes(100_000);
    let mut producers = Vec::new();
    for partition in [0, 1] {
        let producer = init_producer_id(&mut client);
        let batches: Vec<Bytes> = (0..BATCHES as i32)
            .map(|i| idempotent(producer, 2 * i, &[&value, &i.to_be_bytes()]))
            .collect();
        let refused = try_produce(&mut client, "full", partition, batches[0].clone());
        assert_eq!(refused.error, ErrorCode::KAFKA_STORAGE_ERROR);
        producers.push((partition, batches));
    }
    for partition in [0, 1] {
        delete_records(&mut client, "full", partition, -1).unwrap();
        let end = &mut kept[partition as usize];
        let batch = batch_at(partition, *end);
        let offset = produce_when_there_is_room(&mut client, "full", partition, &batch);
        assert_eq!(offset, *end);
        *end += 1;
    }
    for (partition, batches) in producers {
        let end = kept[partition as usize];
        for batch in &batches[1..] {
            client.send(
                PRODUCE_BY_NAME,
                &produce_request("full", partition, batch.clone()),
            );
        }
        for _ in 1..BATCHES {
            let answer = produced(&client.receive());
            assert_eq!(answer.error, ErrorCode::KAFKA_STORAGE_ERROR, "{answer:?}");
        }
        // Again and in order, as clients do; the second time all are duplicates.
        for _ in 0..2 {
            for batch in &batches {
                let request = produce_request("full", partition, batch.clone());
                client.send(PRODUCE_BY_NAME, &request);
            }
            for at in 0..BATCHES as i64 {
                let answer = produced(&client.receive());
                let found = (answer.error, answer.base_offset);
                assert_eq!(found, (ErrorCode::NONE, end + 2 * at));
            }
        }
        check_kept(&mut client, "full", partition, end, &batches);
    }
}

/// Takes all room that is left on the file system.
fn stuff(dir: &Path) {
    let mut bytes = 1 << 20;
    let mut file = std::fs::File::create(dir.join("stuffing")).unwrap();
    while bytes > 0 {
        if std::io::Write::write_all(&mut file, &vec![7; bytes]).is_err() {
            bytes /= 2;
        }
    }
}

fn a_full_file_system_is_survived(setup: Setup) {
    let Some(small_disk) = SmallFileSystem::mount(32 * u32::from(setup.shards)) else {
        return;
    };
    // It believes that it may use far more than there is.
    let options = setup.with_per_shard(32, 128);
    let mut broker = Broker::stopped_in(small_disk.path(), options);
    broker.announce("cannot create a WAL segment");
    broker.announce("no room for the manifest");
    broker.start_again();
    let mut client = broker.client();
    create_topic(&mut client, "full", 2, &[]);
    let kept = [0, 1].map(|partition| fill(&mut client, "full", partition));
    println!("{} and {} batches", kept[0].len(), kept[1].len());
    stuff(small_disk.path());
    for _ in 0..2 {
        broker.kill();
        broker.start_again();
        let mut client = broker.client();
        for partition in 0..2 {
            check_kept(&mut client, "full", partition, 0, &kept[partition as usize]);
        }
    }
    let mut client = broker.client();
    // A deletion is a record as well: a shard that finds no room for another segment refuses it.
    let refused = Err(ErrorCode::KAFKA_STORAGE_ERROR);
    for partition in 0..2 {
        let end = kept[partition as usize].len() as i64;
        let deleted = delete_records(&mut client, "full", partition, -1);
        assert!(deleted == Ok(end) || deleted == refused, "{deleted:?}");
    }
    // What others took is given back, and what was deleted is used again.
    std::fs::remove_file(small_disk.path().join("stuffing")).unwrap();
    for partition in 0..2 {
        let end = kept[partition as usize].len() as i64;
        let deadline = Instant::now() + RESUME_MAX;
        let mut deleted = refused;
        while deleted == refused && Instant::now() < deadline {
            deleted = delete_records(&mut client, "full", partition, -1);
        }
        assert_eq!(deleted, Ok(end));
        let batch = batch_at(partition, 0);
        let offset = produce_when_there_is_room(&mut client, "full", partition, &batch);
        assert_eq!(offset, kept[partition as usize].len() as i64);
    }
    broker.stop();
}
