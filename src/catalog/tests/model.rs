//! Properties: a naive model decides alike, records alone make the state, and
//! bytes from anywhere do no harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A few names, two of which collide, so that requests meet.
fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c.d", "c_d", "e", "no good"]).prop_map(str::to_owned)
}

fn any_configs() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let name = prop::sample::select(vec!["retention.ms", "cleanup.policy", "segment.ms"]);
    let value = prop::sample::select(vec!["5", "7", "delete", "compact"]);
    let pair = (name, value).prop_map(|(n, v)| (n.to_owned(), Some(v.to_owned())));
    prop::collection::vec(pair, 0..3)
}

fn any_request() -> impl Strategy<Value = CatalogRequest> {
    let create = (
        prop::collection::vec((any_name(), -2i32..5, any_configs()), 1..4),
        any::<bool>(),
    )
        .prop_map(|(topics, validate_only)| {
            let topic = |(name, partitions, configs)| NewTopic {
                partitions,
                configs,
                ..topic(&String::clone(&name))
            };
            let topics = topics.into_iter().map(topic).collect();
            CatalogRequest::CreateTopics {
                topics,
                validate_only,
            }
        });
    let auto = prop::collection::vec(any_name(), 1..4)
        .prop_map(|names| CatalogRequest::AutoCreate { names });
    let delete = prop::collection::vec(any_name(), 1..3).prop_map(|names| {
        let topic = |name| TopicRef {
            name: Some(name),
            id: TopicId::ZERO,
        };
        CatalogRequest::DeleteTopics {
            topics: names.into_iter().map(topic).collect(),
        }
    });
    let grow = prop::collection::vec((any_name(), 0i32..9), 1..3).prop_map(|topics| {
        let topic = |(name, count)| GrowTopic {
            name,
            count,
            assignments: None,
        };
        let topics = topics.into_iter().map(topic).collect();
        CatalogRequest::CreatePartitions {
            topics,
            validate_only: false,
        }
    });
    let alter = (any_name(), any_configs()).prop_map(|(name, configs)| {
        let topics = vec![AlterTopic { name, configs }];
        CatalogRequest::AlterConfigs {
            topics,
            validate_only: false,
        }
    });
    let increment = (any_name(), any_configs(), 0i8..5).prop_map(|(name, configs, op)| {
        let op = |(name, value)| ConfigOp { name, op, value };
        let ops = configs.into_iter().map(op).collect();
        let topics = vec![IncrementalAlterTopic { name, ops }];
        CatalogRequest::IncrementalAlterConfigs {
            topics,
            validate_only: false,
        }
    });
    prop_oneof![create, auto, delete, grow, alter, increment]
}

/// What a naive broker would have: partition counts and overrides by name.
type Model = BTreeMap<String, (i32, BTreeMap<String, String>)>;

/// Moves the model on by what the catalogue says succeeded.
fn follow(model: &mut Model, request: &CatalogRequest, reply: &CatalogReply) {
    let is_ok = |outcomes: &[TopicOutcome<()>], name: &str| {
        outcomes
            .iter()
            .any(|outcome| outcome.name == name && outcome.result.is_ok())
    };
    match (request, reply) {
        (
            CatalogRequest::CreateTopics {
                validate_only: true,
                ..
            },
            _,
        ) => {}
        (CatalogRequest::CreateTopics { topics, .. }, CatalogReply::Created(outcomes)) => {
            follow_creation(model, topics, outcomes);
        }
        (CatalogRequest::AutoCreate { .. }, CatalogReply::Created(outcomes)) => {
            for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
                model
                    .entry(outcome.name.clone())
                    .or_insert_with(|| (1, BTreeMap::new()));
            }
        }
        (CatalogRequest::DeleteTopics { .. }, CatalogReply::Deleted(outcomes)) => {
            for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
                assert!(model.remove(outcome.topic.name.as_ref().unwrap()).is_some());
            }
        }
        (
            CatalogRequest::CreatePartitions { topics, .. },
            CatalogReply::PartitionsCreated(done),
        ) => {
            for topic in topics.iter().filter(|topic| is_ok(done, &topic.name)) {
                let entry = model.get_mut(&topic.name).unwrap();
                assert!(topic.count > entry.0);
                entry.0 = topic.count;
            }
        }
        (CatalogRequest::AlterConfigs { topics, .. }, CatalogReply::ConfigsAltered(done)) => {
            for topic in topics.iter().filter(|topic| is_ok(done, &topic.name)) {
                let pairs = topic.configs.iter().cloned();
                model.get_mut(&topic.name).unwrap().1 =
                    pairs.map(|(name, value)| (name, value.unwrap())).collect();
            }
        }
        (
            CatalogRequest::IncrementalAlterConfigs { topics, .. },
            CatalogReply::ConfigsAltered(done),
        ) => {
            for topic in topics.iter().filter(|topic| is_ok(done, &topic.name)) {
                let configs = &mut model.get_mut(&topic.name).unwrap().1;
                topic.ops.iter().for_each(|op| follow_op(configs, op));
            }
        }
        other => panic!("{other:?}"),
    }
}

fn follow_creation(
    model: &mut Model,
    topics: &[NewTopic],
    outcomes: &[TopicOutcome<CreatedTopic>],
) {
    for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
        let asked = topics
            .iter()
            .find(|topic| topic.name == outcome.name)
            .unwrap();
        let pair =
            |(name, value): &(String, Option<String>)| (name.clone(), value.clone().unwrap());
        let configs = asked.configs.iter().map(pair).collect();
        let partitions = if asked.partitions == -1 {
            1
        } else {
            asked.partitions
        };
        let before = model.insert(outcome.name.clone(), (partitions, configs));
        assert!(before.is_none(), "created twice: {}", outcome.name);
    }
}

fn follow_op(configs: &mut BTreeMap<String, String>, op: &ConfigOp) {
    let value = op.value.clone().unwrap();
    let present = configs
        .get(&op.name)
        .cloned()
        .unwrap_or_else(|| "delete".to_owned());
    let mut list: Vec<String> = present
        .split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    match op.op {
        0 => configs.insert(op.name.clone(), value),
        1 => configs.remove(&op.name),
        2 => {
            if !list.contains(&value) {
                list.push(value);
            }
            configs.insert(op.name.clone(), list.join(","))
        }
        _ => {
            list.retain(|word| *word != value);
            configs.insert(op.name.clone(), list.join(","))
        }
    };
}

/// The catalogue in the model's terms.
fn seen(catalog: &Catalog) -> Model {
    let entry = |topic: &Topic| {
        (
            topic.name.to_string(),
            (topic.partitions, topic.configs.clone()),
        )
    };
    catalog.topics().map(entry).collect()
}

fn replayed<'a>(records: impl IntoIterator<Item = &'a CatalogRecord>) -> Catalog {
    let mut catalog = Catalog::new(BrokerDefaults::default());
    for record in records {
        catalog.replay(record);
    }
    catalog
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn requests_do_what_they_say_and_records_alone_make_the_state(
        requests in prop::collection::vec(any_request(), 1..25),
    ) {
        let mut bench = Bench::new();
        let (mut model, mut log) = (Model::new(), Vec::new());
        for request in &requests {
            let Decision { records, reply } = bench.decide(request);
            for record in &records {
                bench.catalog.replay(record);
                prop_assert_eq!(&CatalogRecord::decode(&record.encode()).unwrap(), record);
            }
            log.extend(records);
            follow(&mut model, request, &reply);
            prop_assert_eq!(&seen(&bench.catalog), &model);
            let partitions: i32 = model.values().map(|(partitions, _)| partitions).sum();
            prop_assert_eq!(bench.catalog.partition_count(), partitions as usize);
        }
        prop_assert_eq!(&replayed(&log), &bench.catalog);
        // A snapshot stands for the whole log, alone and behind it.
        let snapshot = bench.catalog.snapshot();
        prop_assert_eq!(&replayed(&snapshot), &bench.catalog);
        prop_assert_eq!(&replayed(log.iter().chain(&snapshot)), &bench.catalog);
        for record in &snapshot {
            prop_assert_eq!(bench.catalog.replay(record), Change::None);
        }
    }

    #[test]
    fn records_survive_their_encoding(record in any_record()) {
        let bytes = record.encode();
        prop_assert_eq!(CatalogRecord::decode(&bytes).unwrap(), record);
        for end in 0..bytes.len() {
            prop_assert_eq!(CatalogRecord::decode(&bytes[..end]), Err(DecodeError::Truncated));
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(CatalogRecord::decode(&longer), Err(DecodeError::Trailing(1)));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..7,
    ) {
        let _ = CatalogRecord::decode(&bytes);
        let likely = [&[1, kind], &bytes[..]].concat();
        if let Ok(record) = CatalogRecord::decode(&likely) {
            prop_assert_eq!(record.encode(), likely, "a record has one encoding");
        }
    }

    #[test]
    fn a_flipped_bit_does_no_harm(record in any_record(), at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = record.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = CatalogRecord::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn records_in_any_order_keep_the_state_whole(
        records in prop::collection::vec(any_record(), 0..40),
    ) {
        let catalog = replayed(&records);
        let partitions: i32 = catalog.topics().map(|topic| topic.partitions).sum();
        prop_assert_eq!(catalog.partition_count(), partitions as usize);
        prop_assert_eq!(&replayed(&catalog.snapshot()), &catalog);
    }
}

fn any_record() -> impl Strategy<Value = CatalogRecord> {
    let id = || (1u8..5).prop_map(|n| TopicId::from_random([n; 16]));
    let configs = || prop::collection::btree_map("[a-z.]{1,12}", ".{0,12}", 0..4);
    let created = (id(), any_name(), 1i32..9, configs(), any::<i64>()).prop_filter_map(
        "a name that can be",
        |(topic, name, partitions, configs, created_ms)| {
            validate_name(&name).ok()?;
            let name = Arc::from(name);
            Some(CatalogRecord::TopicCreated {
                topic,
                name,
                partitions,
                configs,
                created_ms,
            })
        },
    );
    prop_oneof![
        created,
        id().prop_map(|topic| CatalogRecord::TopicDeleted { topic }),
        (id(), 1i32..20)
            .prop_map(|(topic, partitions)| CatalogRecord::PartitionsAdded { topic, partitions }),
        (id(), configs()).prop_map(|(topic, configs)| CatalogRecord::ConfigSet { topic, configs }),
        (".{0,12}", configs()).prop_map(|(group, configs)| CatalogRecord::GroupConfigSet {
            group: group.as_str().into(),
            configs,
        }),
    ]
}

#[test]
fn bytes_that_are_no_record_say_why() {
    let id = [7u8; 16];
    let record = |kind: u8, fields: &[u8]| [&[1, kind], &id[..], fields].concat();
    let invalid = DecodeError::Invalid;
    let table = [
        (vec![], DecodeError::Truncated),
        (vec![0], DecodeError::UnknownVersion(0)),
        (vec![2, 2], DecodeError::UnknownVersion(2)),
        (record(9, &[]), DecodeError::UnknownKind(9)),
        (record(2, &[1]), DecodeError::Trailing(1)),
        ([&[1, 2][..], &[0; 16]].concat(), invalid("topic id")),
        (
            [&[1, 2][..], &TopicId::CATALOG.0].concat(),
            invalid("topic id"),
        ),
        (record(3, &0i32.to_be_bytes()), invalid("partition count")),
        (
            record(3, &i32::MAX.to_be_bytes()),
            invalid("partition count"),
        ),
        (record(4, &[0xff, 0xff]), invalid("config count")),
        (record(4, &[0, 1, 0xff, 0xff]), invalid("text length")),
        (record(4, &[0, 1, 0x7f, 0xff]), DecodeError::Truncated),
        (record(4, &[0, 1, 0, 1, 0xff, 0, 0]), invalid("text")),
        (
            record(4, &[0, 2, 0, 1, b'b', 0, 0, 0, 1, b'a', 0, 0]),
            invalid("order of configs"),
        ),
        (
            record(4, &[0, 2, 0, 1, b'b', 0, 0, 0, 1, b'b', 0, 0]),
            invalid("order of configs"),
        ),
        (
            record(1, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
            invalid("topic name"),
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(CatalogRecord::decode(&bytes), Err(expected), "{bytes:?}");
    }
}

#[test]
fn the_encoding_is_the_documented_one() {
    let record = CatalogRecord::TopicCreated {
        topic: TopicId([7; 16]),
        name: Arc::from("t"),
        partitions: 3,
        configs: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        created_ms: 258,
    };
    let mut expected = vec![1, 1];
    expected.extend([7; 16]);
    expected.extend([0, 0, 0, 0, 0, 0, 1, 2]);
    expected.extend([0, 0, 0, 3]);
    expected.extend([0, 1, b't']);
    expected.extend([0, 1, 0, 1, b'k', 0, 1, b'v']);
    assert_eq!(record.encode(), expected);
}

#[test]
fn pages_go_on_where_they_ended() {
    let bench = Bench::having(&["b", "a", "d"]);
    let names = |first| -> Vec<_> {
        bench
            .catalog
            .topics_from(first)
            .map(|topic| topic.name.to_string())
            .collect()
    };
    assert_eq!(names(""), ["a", "b", "d"]);
    assert_eq!(names("b"), ["b", "d"]);
    assert_eq!(names("c"), ["d"]);
    assert_eq!(names("e"), [""; 0]);
}
