//! What the clients do until the broker dies.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};

use super::ledger::{News, Sent, digest};
use super::producer::{Idempotent, Plain};
use super::{PARTITIONS, TOPIC};
use crate::common::batches::split;
use crate::common::client::Client;
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, PRODUCE_TIMEOUT_MS, produce_request, produced,
};
use crate::common::random::Random;

/// Requests of one connection that wait for their answers.
const IN_FLIGHT_MAX: usize = 16;

/// The connection may break when the broker is killed, and never before.
pub fn check_end(error: &io::Error, killed: &AtomicBool) {
    assert!(
        killed.load(Ordering::SeqCst),
        "the connection broke while the broker lived: {error}"
    );
}

/// Bursts with pauses between them, lest the disk fills in a few cycles.
pub fn pause(random: &mut Random) {
    if random.one_in(8) {
        std::thread::sleep(Duration::from_micros(random.below(4000)));
    }
}

/// Produces until the broker dies. Some batches are sent twice on purpose.
pub fn idempotent(producer: &mut Idempotent, mut client: Client, killed: &AtomicBool) -> News {
    let mut news = News::default();
    let mut in_flight: VecDeque<Flight> = VecDeque::new();
    let end = loop {
        pause(&mut producer.random);
        let partition = producer.random.below(PARTITIONS as u64) as i32;
        let full = !producer.may_send(partition) || in_flight.len() >= IN_FLIGHT_MAX;
        let step = if full || producer.random.one_in(4) && !in_flight.is_empty() {
            let Some(flight) = in_flight.pop_front() else {
                continue;
            };
            client.try_receive().map(|frame| {
                let answer = produced(&frame);
                assert_eq!(answer.error, ErrorCode::NONE, "{answer:?}");
                let sent = match flight {
                    Flight::First(partition) => producer.on_acknowledged(partition),
                    Flight::Repeated(sent) => sent,
                };
                news.acknowledged.push((sent, answer.base_offset));
            })
        } else if producer.random.one_in(16) && producer.repeated(partition).is_some() {
            let batch = producer.repeated(partition).unwrap();
            let sent = producer.unanswered().into_iter();
            let sent = sent.filter(|s| s.digest == digest(&batch)).last().unwrap();
            in_flight.push_back(Flight::Repeated(sent));
            client.try_send(PRODUCE_BY_NAME, &produce_request(TOPIC, partition, batch))
        } else {
            let batch = producer.next_batch(partition);
            in_flight.push_back(Flight::First(partition));
            client.try_send(PRODUCE_BY_NAME, &produce_request(TOPIC, partition, batch))
        };
        if let Err(error) = step {
            break error;
        }
    };
    check_end(&end, killed);
    news.unanswered = producer.unanswered();
    news
}

/// An idempotent request under way.
enum Flight {
    /// The partition's oldest batch without an answer.
    First(i32),
    /// A second copy.
    Repeated(Sent),
}

/// Produces until the broker dies, to one partition or several at once, now and then
/// without asking for an answer.
pub fn plain(producer: &mut Plain, mut client: Client, killed: &AtomicBool) -> News {
    let mut news = News::default();
    let mut in_flight: VecDeque<Vec<Sent>> = VecDeque::new();
    let end = loop {
        pause(&mut producer.random);
        let step = if in_flight.len() >= IN_FLIGHT_MAX
            || producer.random.one_in(4) && !in_flight.is_empty()
        {
            client.try_receive().map(|frame| {
                let sent = in_flight.pop_front().unwrap();
                let response: ProduceResponse<'_> = frame.decode();
                let answers = &response.responses[0].partition_responses;
                for (sent, answer) in sent.into_iter().zip(answers) {
                    assert_eq!(answer.index, sent.partition);
                    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
                    news.acknowledged.push((sent, answer.base_offset));
                }
            })
        } else {
            let acks = [-1, -1, -1, 1, 0][producer.random.below(5) as usize];
            let (request, sent) = plain_request(producer, acks);
            if acks == 0 {
                news.unanswered.extend(sent);
                client.try_send_only(PRODUCE_BY_NAME, &request)
            } else {
                in_flight.push_back(sent);
                client.try_send(PRODUCE_BY_NAME, &request)
            }
        };
        if let Err(error) = step {
            break error;
        }
    };
    check_end(&end, killed);
    news.unanswered.extend(in_flight.into_iter().flatten());
    news
}

fn plain_request(producer: &mut Plain, acks: i16) -> (ProduceRequest<'static>, Vec<Sent>) {
    let first = producer.random.below(PARTITIONS as u64) as i32;
    let count = if producer.random.one_in(4) { 3 } else { 1 };
    let mut sent = Vec::new();
    let mut partition_data = Vec::new();
    for partition in (first..first + count).map(|p| p % PARTITIONS) {
        let (batch_sent, batch) = producer.next_batch(partition);
        sent.push(batch_sent);
        partition_data.push(PartitionProduceData {
            index: partition,
            records: Some(batch),
        });
    }
    let request = ProduceRequest {
        acks,
        timeout_ms: PRODUCE_TIMEOUT_MS,
        topic_data: vec![TopicProduceData {
            name: TOPIC,
            partition_data,
            ..Default::default()
        }],
        ..Default::default()
    };
    (request, sent)
}

/// Reads the ends of all partitions until the broker dies. What it was given had to be
/// durable already.
pub fn consume(mut client: Client, mut next: Vec<i64>, killed: &AtomicBool) -> Vec<(Sent, i64)> {
    let mut seen = Vec::new();
    loop {
        let partitions = next
            .iter()
            .zip(0..)
            .map(|(&offset, partition)| FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            });
        let request = FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 4 << 20,
            topics: vec![FetchTopic {
                topic: TOPIC,
                partitions: partitions.collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let sent = client.try_send(FETCH_BY_NAME, &request);
        let frame = match sent.and_then(|()| client.try_receive()) {
            Ok(frame) => frame,
            Err(error) => {
                check_end(&error, killed);
                return seen;
            }
        };
        let response: FetchResponse<'_> = frame.decode();
        for data in &response.responses[0].partitions {
            assert_eq!(data.error_code, ErrorCode::NONE);
            let records = data.records.0.first().cloned().unwrap_or_default();
            for batch in split(&records) {
                let place = &mut next[data.partition_index as usize];
                assert_eq!(batch.header.base_offset, *place, "a consumer sees no gap");
                *place = batch.end();
                let sent = Sent {
                    partition: data.partition_index,
                    digest: digest(&batch.bytes),
                    records: i64::from(batch.header.record_count),
                };
                seen.push((sent, batch.header.base_offset));
            }
        }
    }
}
