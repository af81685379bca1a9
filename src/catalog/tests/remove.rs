//! DeleteTopics.

use super::*;

fn by_name(name: &str) -> TopicRef {
    TopicRef {
        name: Some(name.to_owned()),
        id: TopicId::ZERO,
    }
}

fn by_id(id: TopicId) -> TopicRef {
    TopicRef { name: None, id }
}

fn delete(bench: &mut Bench, topics: Vec<TopicRef>) -> (Vec<DeleteOutcome>, Vec<Change>) {
    match bench.run(&CatalogRequest::DeleteTopics { topics }) {
        (CatalogReply::Deleted(outcomes), changes) => (outcomes, changes),
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn topics_go_by_name_or_by_id() {
    let mut bench = Bench::having(&["a", "b", "c"]);
    let id = |bench: &Bench, name| bench.catalog.topic(name).unwrap().id;
    let (a, b) = (id(&bench, "a"), id(&bench, "b"));
    let (outcomes, changes) = delete(&mut bench, vec![by_name("a"), by_id(b)]);
    let full = |name: &str, id| TopicRef {
        name: Some(name.to_owned()),
        id,
    };
    let expected = [
        DeleteOutcome {
            topic: full("a", a),
            result: Ok(()),
        },
        DeleteOutcome {
            topic: full("b", b),
            result: Ok(()),
        },
    ];
    assert_eq!(
        outcomes, expected,
        "the answer tells name and id, whichever was asked"
    );
    let gone = |topic| Change::TopicDeleted {
        topic,
        partitions: 1,
    };
    assert_eq!(changes, [gone(a), gone(b)]);
    assert_eq!(
        bench
            .catalog
            .topics()
            .map(|topic| &*topic.name)
            .collect::<Vec<_>>(),
        ["c"]
    );
    assert_eq!(bench.catalog.partition_count(), 1);
    bench.create(vec![topic("a")]);
    assert_ne!(id(&bench, "a"), a, "created again, it is another topic");
}

#[test]
fn what_cannot_be_deleted_says_why() {
    let stranger = TopicId::from_random([99; 16]);
    let both = TopicRef {
        name: Some("a".to_owned()),
        id: stranger,
    };
    let table = [
        (by_name("x"), UNKNOWN_TOPIC_OR_PARTITION),
        (by_name(""), UNKNOWN_TOPIC_OR_PARTITION),
        (by_id(stranger), UNKNOWN_TOPIC_ID),
        (TopicRef::default(), INVALID_REQUEST),
        (both, INVALID_REQUEST),
    ];
    for (asked, expected) in table {
        let mut bench = Bench::having(&["a"]);
        let (outcomes, changes) = delete(&mut bench, vec![asked.clone()]);
        assert_eq!(code(&outcomes[0].result), expected, "{asked:?}");
        assert_eq!(outcomes[0].topic, asked);
        assert!(changes.is_empty());
    }
}

#[test]
fn a_topic_named_twice_stays() {
    let mut bench = Bench::having(&["a", "b"]);
    let a = bench.catalog.topic("a").unwrap().id;
    for topics in [
        vec![by_name("a"), by_name("a"), by_name("b")],
        vec![by_name("a"), by_id(a), by_name("b")],
        vec![by_name("x"), by_name("x")],
    ] {
        let mut bench = Bench {
            catalog: bench.catalog.clone(),
            ids: 9,
        };
        let (outcomes, _) = delete(&mut bench, topics);
        for outcome in &outcomes {
            let is_b = outcome.topic.name.as_deref() == Some("b");
            assert_eq!(
                code(&outcome.result),
                if is_b { 0 } else { INVALID_REQUEST }
            );
        }
        assert!(bench.catalog.topic("a").is_some());
    }
    let (outcomes, _) = delete(&mut bench, vec![by_name("a"), by_name("a")]);
    assert_eq!(outcomes.len(), 1, "the same reference is answered once");
}
