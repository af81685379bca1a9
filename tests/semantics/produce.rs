//! Produce as it goes well.

use std::time::Duration;

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};

use crate::common::batches::{KEPT_START, batch_of, now_ms, one};
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, leaders, must_produce, produce, produce_request, produced,
    read_all,
};

matrix! {
    every cell: what_is_produced_comes_back_byte_for_byte, pipelined_requests_keep_their_order,
        requests_that_come_together_share_their_blocks,
        each_partition_of_a_request_has_its_own_answer, acks_say_whether_and_when_an_answer_comes,
        an_error_that_has_no_answer_closes_the_connection,
        the_broker_stamps_batches_of_a_log_append_time_topic;
}

/// Produces to every partition through every shard, and reads it all back.
fn check_round_trips(broker: &Broker, topic: &str, id: TopicId, version: i16) {
    let mut sent: Vec<Vec<Bytes>> = vec![Vec::new(); 4];
    for shard in 0..2 {
        let mut client = broker.client_of(shard);
        for (partition, sent) in sent.iter_mut().enumerate() {
            for i in 0..3u8 {
                let batch = batch_of(1000, &[&[i], &[7; 900]]);
                let mut request = produce_request(topic, partition as i32, batch.clone());
                request.topic_data[0].topic_id = id;
                let answer = produced(&client.call(version, &request));
                assert_eq!(answer.error, ErrorCode::NONE);
                assert_eq!(answer.base_offset, 2 * sent.len() as i64);
                sent.push(batch);
            }
        }
    }
    for (partition, sent) in sent.iter().enumerate() {
        let mut client = broker.client_of(partition as u16 % 2);
        let found = read_all(&mut client, topic, partition as i32, 0);
        assert_eq!(found.len(), sent.len());
        for (sent, found) in sent.iter().zip(&found) {
            assert_eq!(found.bytes[KEPT_START..], sent[KEPT_START..]);
        }
    }
}

fn what_is_produced_comes_back_byte_for_byte(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    for version in [3, 8, 9, 12, 13] {
        let topic = format!("bytes-{version}");
        let id = create_topic(&mut client, &topic, 4, &[]);
        check_round_trips(&broker, &topic, id, version);
    }
    let nodes = i32::from(setup.nodes());
    let mut led_by = leaders(&mut client, "bytes-13");
    assert!(led_by.iter().all(|node| (0..nodes).contains(node)));
    led_by.sort_unstable();
    led_by.dedup();
    assert_eq!(led_by.len() as i32, nodes.min(4), "led by {led_by:?}");
}

fn pipelined_requests_keep_their_order(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "pipeline", 2, &[]);
    const REQUESTS: i64 = 400;
    for i in 0..REQUESTS {
        let batch = one(&i.to_be_bytes());
        let request = produce_request("pipeline", (i % 2) as i32, batch);
        client.send(PRODUCE_BY_NAME, &request);
    }
    // The client checks that responses come in the order of the requests.
    for i in 0..REQUESTS {
        let answer = produced(&client.receive());
        assert_eq!((answer.error, answer.base_offset), (ErrorCode::NONE, i / 2));
    }
    for partition in 0..2 {
        let values = read_all(&mut client, "pipeline", partition, 0);
        let values = values.iter().flat_map(|batch| batch.values());
        let expected = (0..REQUESTS)
            .filter(|i| i % 2 == i64::from(partition))
            .map(|i| Some(i.to_be_bytes().to_vec()));
        assert!(values.eq(expected));
    }
}

/// Requests that came together go to the disk together, whoever owns their partitions: a
/// connection that had one of them in flight at a time would write a block for each.
fn requests_that_come_together_share_their_blocks(setup: Setup) {
    const REQUESTS: usize = 400;
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "together", 2, &[]);
    broker.stop();
    let before = blocks(&broker);
    broker.start_again();
    let mut client = broker.client();
    let mut wire = Vec::new();
    for i in 0..REQUESTS {
        let request = produce_request("together", (i % 2) as i32, one(&i.to_be_bytes()));
        wire.extend(Client::encode(PRODUCE_BY_NAME, i as i32, &request));
    }
    client.send_raw(&wire).unwrap();
    for _ in 0..REQUESTS {
        client.receive_raw();
    }
    broker.stop();
    let written = blocks(&broker) - before;
    println!("{REQUESTS} requests in {written} blocks");
    assert!(written < REQUESTS / 4, "{written} blocks");
    broker.start_again();
    let stored = read_all(&mut broker.client(), "together", 1, 0).len();
    assert_eq!(stored, REQUESTS / 2);
}

/// Blocks in all WALs of a broker that has stopped.
fn blocks(broker: &Broker) -> usize {
    let (report, is_sound) = broker.inspect();
    assert!(is_sound, "{report}");
    let counts = report.lines().filter_map(|line| {
        let (count, _) = line.split_once(" block(s)")?;
        count.trim().parse::<usize>().ok()
    });
    counts.sum()
}

/// One request with a batch for each of some partitions of two topics.
fn mixed_request<'a>(topics: &[&'a str], partitions: &[i32], acks: i16) -> ProduceRequest<'a> {
    let topics = topics.iter().map(|&name| TopicProduceData {
        name,
        partition_data: partitions
            .iter()
            .map(|&index| PartitionProduceData {
                index,
                records: Some(one(b"mixed")),
            })
            .collect(),
        ..Default::default()
    });
    ProduceRequest {
        acks,
        timeout_ms: 1000,
        topic_data: topics.collect(),
        ..Default::default()
    }
}

fn each_partition_of_a_request_has_its_own_answer(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "here", 2, &[]);
    let request = mixed_request(&["absent", "here"], &[0, 7, 1], -1);
    let frame = client.call(PRODUCE_BY_NAME, &request);
    let response: ProduceResponse<'_> = frame.decode();
    let answers = response.responses.iter().flat_map(|topic| {
        let partitions = topic.partition_responses.iter();
        partitions.map(|p| (topic.name.as_ref(), p.index, p.error_code, p.base_offset))
    });
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let expected = [
        ("absent", 0, unknown, -1),
        ("absent", 7, unknown, -1),
        ("absent", 1, unknown, -1),
        ("here", 0, ErrorCode::NONE, 0),
        ("here", 7, unknown, -1),
        ("here", 1, ErrorCode::NONE, 0),
    ];
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

fn acks_say_whether_and_when_an_answer_comes(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "acks", 2, &[]);
    for acks in [1, -1] {
        let frame = client.call(PRODUCE_BY_NAME, &mixed_request(&["acks"], &[0, 1], acks));
        assert_eq!(produced(&frame).error, ErrorCode::NONE);
    }
    // No answer at all; the next request is answered.
    for _ in 0..3 {
        let request = mixed_request(&["acks"], &[0, 1], 0);
        client.try_send_only(PRODUCE_BY_NAME, &request).unwrap();
    }
    assert_eq!(must_produce(&mut client, "acks", 0, one(b"last")), 5);
    assert_eq!(must_produce(&mut client, "acks", 1, one(b"last")), 5);
    for acks in [2, -2, i16::MAX] {
        let frame = client.call(PRODUCE_BY_NAME, &mixed_request(&["acks"], &[0, 1], acks));
        let answer = produced(&frame);
        assert_eq!(answer.error, ErrorCode::INVALID_REQUIRED_ACKS);
    }
    assert_eq!(must_produce(&mut client, "acks", 0, one(b"last")), 6);
}

/// Otherwise the producer would never learn that something is wrong. What was asked before is
/// answered, and what can be appended is.
fn an_error_that_has_no_answer_closes_the_connection(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "unheard", 2, &[]);
    let damaged = |partition| {
        let mut batch = one(b"damaged").to_vec();
        *batch.last_mut().unwrap() ^= 1;
        let mut request = produce_request("unheard", partition, batch.into());
        request.acks = 0;
        request
    };
    // Refused before it is looked at, by this shard, and by another.
    let refused = [
        mixed_request(&["unheard", "absent"], &[0, 1], 0),
        mixed_request(&["unheard"], &[0, 1, 9], 0),
        damaged(0),
        damaged(1),
    ];
    for request in refused {
        let mut client = broker.client();
        let before = produce_request("unheard", 0, one(b"before"));
        client.send(PRODUCE_BY_NAME, &before);
        client.try_send_only(PRODUCE_BY_NAME, &request).unwrap();
        assert_eq!(produced(&client.receive()).error, ErrorCode::NONE);
        client.set_patience(Duration::from_secs(5));
        assert!(client.is_closed_by_broker());
    }
    // Four that were answered, and two that were not.
    assert_eq!(must_produce(&mut client, "unheard", 0, one(b"last")), 6);
    assert_eq!(must_produce(&mut client, "unheard", 1, one(b"last")), 2);
}

fn the_broker_stamps_batches_of_a_log_append_time_topic(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    let configs = [("message.timestamp.type", "LogAppendTime")];
    create_topic(&mut client, "stamped", 1, &configs);
    let before = now_ms();
    let sent = batch_of(1000, &[b"a", b"b"]);
    let answer = produce(&mut client, "stamped", 0, sent.clone());
    assert_eq!(answer.error, ErrorCode::NONE);
    assert!((before..=now_ms()).contains(&answer.log_append_time_ms));
    let found = &read_all(&mut client, "stamped", 0, 0)[0];
    assert_eq!(found.header.max_timestamp, answer.log_append_time_ms);
    assert_eq!(found.header.attributes & 0x08, 0x08);
    assert_eq!(
        found.values(),
        [Some(b"a".to_vec()), Some(b"b".to_vec())],
        "the records are as they were"
    );
    assert_eq!(
        must_produce_plain(&mut client),
        -1,
        "and other topics' timestamps are the producers'"
    );
}

fn must_produce_plain(client: &mut Client) -> i64 {
    create_topic(client, "plain", 1, &[]);
    produce(client, "plain", 0, batch_of(1000, &[b"a"])).log_append_time_ms
}
