//! Sessions come, grow, are refused and go.

use super::*;

/// More than these tests need.
const ROOM: usize = 1 << 20;

fn key(partition: i32) -> PartitionKey {
    (TopicKey::Name("t".into()), partition)
}

fn wanted(offset: i64) -> Wanted {
    Wanted {
        offset,
        max_bytes: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    }
}

fn request(id: i32, epoch: i32, partitions: &[(i32, i64)]) -> SessionRequest {
    let partitions = partitions
        .iter()
        .map(|&(p, o)| (key(p), wanted(o)))
        .collect();
    SessionRequest {
        id,
        epoch,
        by_id: false,
        partitions,
        forgotten: Vec::new(),
    }
}

fn order(plan: &SessionPlan) -> Vec<i32> {
    plan.partitions.iter().map(|((_, p), _)| *p).collect()
}

#[test]
fn a_session_remembers_changes_and_forgets() {
    let mut sessions = FetchSessions::new(10, ROOM, 7);
    let first = sessions
        .handle(0, request(0, 0, &[(0, 5), (1, 5)]))
        .unwrap();
    assert_eq!((first.id, first.incremental), (7, false));
    let mut second = request(7, 1, &[(1, 9), (2, 1)]);
    second.forgotten.push(key(0));
    let plan = sessions.handle(0, second).unwrap();
    assert!(plan.incremental);
    assert_eq!(plan.partitions, [(key(1), wanted(9)), (key(2), wanted(1))]);
}

#[test]
fn a_wrong_epoch_or_id_is_refused() {
    let mut sessions = FetchSessions::new(10, ROOM, 1);
    let id = sessions.handle(0, request(0, 0, &[(0, 5)])).unwrap().id;
    let stale = sessions.handle(0, request(id, 2, &[])).unwrap_err();
    assert_eq!(stale, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let unknown = sessions.handle(0, request(id + 1, 1, &[])).unwrap_err();
    assert_eq!(unknown, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let by_id = SessionRequest {
        by_id: true,
        ..request(id, 1, &[])
    };
    assert_eq!(
        sessions.handle(0, by_id).unwrap_err(),
        ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
    );
}

#[test]
fn partitions_that_gave_data_go_to_the_back() {
    let mut sessions = FetchSessions::new(10, ROOM, 1);
    let id = sessions
        .handle(0, request(0, 0, &[(0, 0), (1, 0), (2, 0)]))
        .unwrap()
        .id;
    assert!(sessions.on_answer(id, &key(0), Told::default(), true, false));
    let plan = sessions.handle(0, request(id, 1, &[])).unwrap();
    assert_eq!(order(&plan), [1, 2, 0]);
}

#[test]
fn only_news_is_told() {
    let mut sessions = FetchSessions::new(10, ROOM, 1);
    let id = sessions.handle(0, request(0, 0, &[(0, 0)])).unwrap().id;
    let told = Told {
        high_watermark: 3,
        log_start_offset: 0,
    };
    assert!(sessions.on_answer(id, &key(0), told, false, false));
    assert!(!sessions.on_answer(id, &key(0), told, false, false));
    assert!(
        sessions.on_answer(id, &key(0), told, false, true),
        "an error is news"
    );
    assert!(
        sessions.on_answer(id, &key(0), told, false, false),
        "and so is its end"
    );
}

#[test]
fn a_full_cache_gives_no_session_until_one_is_idle() {
    let mut sessions = FetchSessions::new(1, ROOM, 1);
    assert_ne!(sessions.handle(0, request(0, 0, &[(0, 0)])).unwrap().id, 0);
    assert_eq!(sessions.handle(1, request(0, 0, &[(0, 0)])).unwrap().id, 0);
    assert_ne!(
        sessions
            .handle(EVICTION_IDLE_MS, request(0, 0, &[(0, 0)]))
            .unwrap()
            .id,
        0
    );
    assert_eq!(sessions.len(), 1);
}

#[test]
fn an_emptied_or_closed_session_ends() {
    let mut sessions = FetchSessions::new(10, ROOM, 1);
    let id = sessions.handle(0, request(0, 0, &[(0, 0)])).unwrap().id;
    let mut last = request(id, 1, &[]);
    last.forgotten.push(key(0));
    assert_eq!(sessions.handle(0, last).unwrap().id, 0);
    let id = sessions.handle(0, request(0, 0, &[(0, 0)])).unwrap().id;
    assert_eq!(
        sessions.handle(0, request(id, -1, &[(0, 0)])).unwrap().id,
        0
    );
    assert!(sessions.is_empty());
    assert_eq!(sessions.bytes, 0);
}

/// A request for topics with names of their own.
fn named(id: i32, epoch: i32, numbers: std::ops::Range<usize>) -> SessionRequest {
    let name = |number| TopicKey::Name(format!("{number:0200}").into());
    let partitions = numbers.map(|number| ((name(number), 0), wanted(0)));
    SessionRequest {
        partitions: partitions.collect(),
        ..request(id, epoch, &[])
    }
}

#[test]
fn names_count_and_a_session_that_outgrows_the_room_ends() {
    let room = 10 * (MEMBER_BYTES + 200);
    let mut sessions = FetchSessions::new(10, room, 1);
    let id = sessions.handle(0, named(0, 0, 0..8)).unwrap().id;
    assert_ne!(id, 0);
    assert_eq!(sessions.handle(0, named(0, 0, 0..3)).unwrap().id, 0);
    assert_eq!(sessions.handle(0, named(id, 1, 6..10)).unwrap().id, id);
    assert_eq!(sessions.bytes, room);
    let known = sessions.handle(0, named(id, 2, 0..10)).unwrap();
    assert_eq!(known.partitions.len(), 10, "what it has takes no more");
    let beyond = sessions.handle(0, named(id, 3, 10..11)).unwrap_err();
    assert_eq!(beyond, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert!(sessions.is_empty());
    assert_eq!(sessions.bytes, 0);
}

#[test]
fn idle_sessions_make_way_for_one_that_grows() {
    let mut sessions = FetchSessions::new(10, 10 * (MEMBER_BYTES + 200), 1);
    let idle = sessions.handle(0, named(0, 0, 0..5)).unwrap().id;
    let now_ms = EVICTION_IDLE_MS;
    let busy = sessions.handle(now_ms - 1, named(0, 0, 0..5)).unwrap().id;
    let grown = sessions.handle(now_ms, named(busy, 1, 5..10)).unwrap();
    assert_eq!((grown.id, grown.partitions.len()), (busy, 10));
    let gone = sessions.handle(now_ms, named(idle, 1, 0..1)).unwrap_err();
    assert_eq!(gone, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_session_that_forgets_gives_its_memory_back() {
    let mut sessions = FetchSessions::new(10, ROOM, 1);
    let id = sessions.handle(0, named(0, 0, 0..1000)).unwrap().id;
    let mut forget = request(id, 1, &[]);
    let keys = named(0, 0, 1..1000).partitions;
    forget.forgotten = keys.into_iter().map(|(key, _)| key).collect();
    assert_eq!(sessions.handle(0, forget).unwrap().partitions.len(), 1);
    assert_eq!(sessions.bytes, MEMBER_BYTES + 200);
    assert!(sessions.sessions[&id].members.capacity() < 10);
}
