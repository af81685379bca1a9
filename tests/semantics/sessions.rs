//! Incremental fetch sessions (KIP-227).

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
};

use crate::common::batches::one;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, must_produce};

matrix! {
    every cell: only_what_changed_is_said_again, a_session_is_known_by_its_id_and_its_epoch,
        a_session_never_outlives_the_broker;
}

const TOPIC: &str = "session";

/// What a response says: error, session, and (partition, bytes) of those that are in it.
type Said = (ErrorCode, i32, Vec<(i32, usize)>);

fn ask(
    client: &mut Client,
    (id, epoch): (i32, i32),
    wanted: &[(i32, i64)],
    forgotten: &[i32],
) -> Said {
    let partitions = wanted.iter().map(|&(partition, offset)| FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    let topic = FetchTopic {
        topic: TOPIC,
        partitions: partitions.collect(),
        ..Default::default()
    };
    let forget = ForgottenTopic {
        topic: TOPIC,
        partitions: forgotten.to_vec(),
        ..Default::default()
    };
    let request = FetchRequest {
        min_bytes: 1,
        session_id: id,
        session_epoch: epoch,
        topics: if wanted.is_empty() {
            vec![]
        } else {
            vec![topic]
        },
        forgotten_topics_data: if forgotten.is_empty() {
            vec![]
        } else {
            vec![forget]
        },
        ..Default::default()
    };
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    let partitions = response.responses.iter().flat_map(|t| &t.partitions);
    let mut found: Vec<_> = partitions
        .map(|p| (p.partition_index, p.records.len()))
        .collect();
    found.sort_unstable();
    (response.error_code, response.session_id, found)
}

fn only_what_changed_is_said_again(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 3, &[]);
    let batch = one(b"value");
    let size = batch.len();
    let (error, id, found) = ask(&mut client, (0, 0), &[(0, 0), (1, 0), (2, 0)], &[]);
    assert_eq!(error, ErrorCode::NONE);
    assert_ne!(id, 0, "a session was opened");
    assert_eq!(found, [(0, 0), (1, 0), (2, 0)], "the first answer is full");
    assert_eq!(
        ask(&mut client, (id, 1), &[], &[]),
        (ErrorCode::NONE, id, vec![])
    );
    must_produce(&mut client, TOPIC, 1, batch.clone());
    let said = ask(&mut client, (id, 2), &[], &[]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![(1, size)]));
    // The session knows the offset that the client is at, and the partitions it wants.
    must_produce(&mut client, TOPIC, 2, batch.clone());
    let said = ask(&mut client, (id, 3), &[(1, 1)], &[2]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![]));
    must_produce(&mut client, TOPIC, 0, batch);
    let said = ask(&mut client, (id, 4), &[(2, 0)], &[]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![(0, size), (2, size)]));
}

fn a_session_is_known_by_its_id_and_its_epoch(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 1, &[]);
    let (_, id, _) = ask(&mut client, (0, 0), &[(0, 0)], &[]);
    let stale = ask(&mut client, (id, 5), &[], &[]);
    assert_eq!(stale.0, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let unknown = ask(&mut client, (id ^ 1, 1), &[], &[]);
    assert_eq!(unknown.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    // It outlives its connection, on its shard. In topology `single` the kernel chooses the shard
    // of a connection, and a client that does not find its session begins another.
    if !setup.single || setup.shards == 1 {
        drop(client);
        client = broker.client();
    }
    assert_eq!(ask(&mut client, (id, 1), &[], &[]).0, ErrorCode::NONE);
    // Closed, it is unknown.
    let closed = ask(&mut client, (id, -1), &[(0, 0)], &[]);
    assert_eq!(closed, (ErrorCode::NONE, 0, vec![(0, 0)]));
    let gone = ask(&mut client, (id, 2), &[], &[]);
    assert_eq!(gone.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

fn a_session_never_outlives_the_broker(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), TOPIC, 1, &[]);
    let (_, id, _) = ask(&mut broker.client(), (0, 0), &[(0, 0)], &[]);
    broker.kill();
    broker.start_again();
    let mut client = broker.client();
    let unknown = ask(&mut client, (id, 1), &[], &[]);
    assert_eq!(unknown.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let (error, _, found) = ask(&mut client, (0, 0), &[(0, 0)], &[]);
    assert_eq!((error, found), (ErrorCode::NONE, vec![(0, 0)]));
}
