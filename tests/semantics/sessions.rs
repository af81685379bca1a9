//! Incremental fetch sessions (KIP-227).

use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
};

use crate::common::batches::one;
use crate::common::broker::Broker;
use crate::common::client::{Client, newest};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, delete_topic, must_produce};

matrix! {
    every value: a_topic_that_is_made_again_is_another_one,
        a_session_names_topics_in_one_way;
    every cell: only_what_changed_is_said_again, a_session_is_known_by_its_id_and_its_epoch,
        a_session_never_outlives_the_broker;
}

const TOPIC: &str = "session";

/// The last version that names topics, the first that has their ids, and the newest.
fn versions() -> [i16; 3] {
    [FETCH_BY_NAME, FETCH_BY_NAME + 1, newest(ApiKey::Fetch)]
}

/// What a response says: error, session, and (partition, bytes) of those that are in it.
type Said = (ErrorCode, i32, Vec<(i32, usize)>);

/// A consumer of one topic, in one version.
struct Consumer {
    client: Client,
    topic: TopicId,
    version: i16,
}

impl Consumer {
    fn new(broker: &Broker, topic: TopicId, version: i16) -> Consumer {
        Consumer {
            client: broker.client(),
            topic,
            version,
        }
    }

    fn ask(&mut self, session: (i32, i32), wanted: &[(i32, i64)], forgotten: &[i32]) -> Said {
        let response = self.ask_all(session, wanted, forgotten);
        let mut found = Vec::new();
        for topic in &response.responses {
            let by_id = self.version > FETCH_BY_NAME;
            let id = if by_id { self.topic } else { TopicId::ZERO };
            let name = if by_id { "" } else { TOPIC };
            assert_eq!((&*topic.topic, topic.topic_id), (name, id));
            for partition in &topic.partitions {
                assert_eq!(partition.error_code, ErrorCode::NONE);
                found.push((partition.partition_index, partition.records.len()));
            }
        }
        found.sort_unstable();
        (response.error_code, response.session_id, found)
    }

    fn ask_all(
        &mut self,
        (id, epoch): (i32, i32),
        wanted: &[(i32, i64)],
        forgotten: &[i32],
    ) -> FetchResponse<'static> {
        let partitions = wanted.iter().map(|&(partition, offset)| FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        });
        let topic = FetchTopic {
            topic: TOPIC,
            topic_id: self.topic,
            partitions: partitions.collect(),
        };
        let forget = ForgottenTopic {
            topic: TOPIC,
            topic_id: self.topic,
            partitions: forgotten.to_vec(),
        };
        let mut request = FetchRequest {
            min_bytes: 1,
            session_id: id,
            session_epoch: epoch,
            topics: vec![topic],
            forgotten_topics_data: vec![forget],
            ..Default::default()
        };
        request.topics.retain(|topic| !topic.partitions.is_empty());
        request
            .forgotten_topics_data
            .retain(|topic| !topic.partitions.is_empty());
        let frame = self.client.call(self.version, &request);
        // Kept for the rest of the test, so that the response may borrow from it.
        Box::leak(Box::new(frame)).decode()
    }
}

fn only_what_changed_is_said_again(setup: Setup) {
    let broker = setup.start();
    for version in versions() {
        let topic = create_topic(&mut broker.client(), TOPIC, 3, &[]);
        say_what_changed(&broker, Consumer::new(&broker, topic, version));
        delete_topic(&mut broker.client(), TOPIC);
    }
}

fn say_what_changed(broker: &Broker, mut consumer: Consumer) {
    let mut client = broker.client();
    let batch = one(b"value");
    let size = batch.len();
    let (error, id, found) = consumer.ask((0, 0), &[(0, 0), (1, 0), (2, 0)], &[]);
    assert_eq!(error, ErrorCode::NONE);
    assert_ne!(id, 0, "a session was opened");
    assert_eq!(found, [(0, 0), (1, 0), (2, 0)], "the first answer is full");
    assert_eq!(
        consumer.ask((id, 1), &[], &[]),
        (ErrorCode::NONE, id, vec![])
    );
    must_produce(&mut client, TOPIC, 1, batch.clone());
    let said = consumer.ask((id, 2), &[], &[]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![(1, size)]));
    // The session knows the offset that the client is at, and the partitions it wants.
    must_produce(&mut client, TOPIC, 2, batch.clone());
    let said = consumer.ask((id, 3), &[(1, 1)], &[2]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![]));
    must_produce(&mut client, TOPIC, 0, batch);
    let said = consumer.ask((id, 4), &[(2, 0)], &[]);
    assert_eq!(said, (ErrorCode::NONE, id, vec![(0, size), (2, size)]));
}

fn a_session_is_known_by_its_id_and_its_epoch(setup: Setup) {
    let broker = setup.start();
    let topic = create_topic(&mut broker.client(), TOPIC, 1, &[]);
    for version in versions() {
        let consumer = Consumer::new(&broker, topic, version);
        be_known_by_id_and_epoch(setup, &broker, consumer);
    }
}

fn be_known_by_id_and_epoch(setup: Setup, broker: &Broker, mut consumer: Consumer) {
    let (_, id, _) = consumer.ask((0, 0), &[(0, 0)], &[]);
    let stale = consumer.ask((id, 5), &[], &[]);
    assert_eq!(stale.0, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let unknown = consumer.ask((id ^ 1, 1), &[], &[]);
    assert_eq!(unknown.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    // It outlives its connection, on its shard. In topology `single` the kernel chooses the shard
    // of a connection, and a client that does not find its session begins another.
    if !setup.single || setup.shards == 1 {
        consumer.client = broker.client();
    }
    assert_eq!(consumer.ask((id, 1), &[], &[]).0, ErrorCode::NONE);
    // Closed, it is unknown.
    let closed = consumer.ask((id, -1), &[(0, 0)], &[]);
    assert_eq!(closed, (ErrorCode::NONE, 0, vec![(0, 0)]));
    let gone = consumer.ask((id, 2), &[], &[]);
    assert_eq!(gone.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

fn a_session_never_outlives_the_broker(setup: Setup) {
    let mut broker = setup.start();
    let topic = create_topic(&mut broker.client(), TOPIC, 1, &[]);
    let version = newest(ApiKey::Fetch);
    let mut consumer = Consumer::new(&broker, topic, version);
    let (_, id, _) = consumer.ask((0, 0), &[(0, 0)], &[]);
    broker.kill();
    broker.start_again();
    let mut consumer = Consumer::new(&broker, topic, version);
    let unknown = consumer.ask((id, 1), &[], &[]);
    assert_eq!(unknown.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let (error, _, found) = consumer.ask((0, 0), &[(0, 0)], &[]);
    assert_eq!((error, found), (ErrorCode::NONE, vec![(0, 0)]));
}

/// The session has the place of a topic that is gone, and its name is another's meanwhile.
fn a_topic_that_is_made_again_is_another_one(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    for version in versions() {
        let topic = create_topic(&mut client, TOPIC, 1, &[]);
        must_produce(&mut client, TOPIC, 0, one(b"old"));
        let mut consumer = Consumer::new(&broker, topic, version);
        let (_, id, _) = consumer.ask((0, 0), &[(0, 1)], &[]);
        delete_topic(&mut client, TOPIC);
        let by_id = version > FETCH_BY_NAME;
        let unknown = match by_id {
            true => ErrorCode::UNKNOWN_TOPIC_ID,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        let mut error_at = |epoch, wanted: &[(i32, i64)]| {
            let response = consumer.ask_all((id, epoch), wanted, &[]);
            assert_eq!(
                (response.error_code, response.session_id),
                (ErrorCode::NONE, id)
            );
            let partitions = response
                .responses
                .iter()
                .flat_map(|topic| &topic.partitions);
            let said: Vec<_> = partitions
                .map(|p| (p.error_code, p.records.len()))
                .collect();
            said
        };
        assert_eq!(error_at(1, &[]), [(unknown, 0)], "version {version}");
        assert_eq!(
            error_at(2, &[]),
            [(unknown, 0)],
            "an error is said each time"
        );
        let again = create_topic(&mut client, TOPIC, 1, &[]);
        assert_ne!(again, topic);
        if by_id {
            assert_eq!(error_at(3, &[]), [(unknown, 0)], "version {version}");
            // A client that has learnt of the new one puts it in the place of the old.
            let forgets = consumer.ask_all((id, 4), &[], &[0]);
            assert_eq!(
                (forgets.error_code, forgets.session_id),
                (ErrorCode::NONE, 0)
            );
            consumer.topic = again;
            let (error, fresh, found) = consumer.ask((0, 0), &[(0, 0)], &[]);
            assert_eq!((error, found), (ErrorCode::NONE, vec![(0, 0)]));
            assert_ne!(fresh, 0);
        } else {
            // The name is all there is: the offset of the old one is none of the new one.
            let beyond = ErrorCode::OFFSET_OUT_OF_RANGE;
            assert_eq!(error_at(3, &[]), [(beyond, 0)]);
            must_produce(&mut client, TOPIC, 0, one(b"new"));
            assert_eq!(
                error_at(4, &[(0, 0)]),
                [(ErrorCode::NONE, one(b"new").len())]
            );
        }
        delete_topic(&mut client, TOPIC);
    }
}

fn a_session_names_topics_in_one_way(setup: Setup) {
    let broker = setup.start();
    let topic = create_topic(&mut broker.client(), TOPIC, 1, &[]);
    let [by_name, by_id, last] = versions();
    for (began, goes_on) in [(by_name, by_id), (by_id, by_name), (last, by_name)] {
        let mut consumer = Consumer::new(&broker, topic, began);
        let (_, id, _) = consumer.ask((0, 0), &[(0, 0)], &[]);
        consumer.version = goes_on;
        let refused = consumer.ask((id, 1), &[], &[]);
        let expected = (ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR, 0, vec![]);
        assert_eq!(refused, expected, "from {began} to {goes_on}");
        // It is still there for those who go on as they began.
        consumer.version = began;
        assert_eq!(consumer.ask((id, 1), &[], &[]).0, ErrorCode::NONE);
    }
}
