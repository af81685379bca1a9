//! Shards that ask each other more than their mailboxes hold, on cores of their own.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement};

use super::super::arena::NO_ARENA_BYTES;
use super::super::{sleep_ms, within};
use super::*;
use crate::shard::Watch;

const SHARDS: u16 = 3;
/// Two shards that ask the third send it four, of which its mailbox holds two.
const SMALL: Bounds = Bounds {
    requests: 2,
    lanes: [2; Lane::ALL.len()],
};
/// Askers of each shard for each other.
const ASKERS: usize = 12;
/// How long anything may take on a busy machine, milliseconds.
const MS_MAX: u64 = 20_000;

/// The shards' common way through the test.
#[derive(Default)]
struct Stages([AtomicUsize; 3]);

impl Stages {
    /// Ends a stage for one shard and waits for the others.
    async fn end(&self, stage: usize) {
        self.0[stage].fetch_add(1, Ordering::SeqCst);
        let all = || self.0[stage].load(Ordering::SeqCst) == usize::from(SHARDS);
        assert!(
            within(MS_MAX, all).await,
            "a shard is stuck in stage {stage}"
        );
    }
}

/// Asks, and counts the answers.
async fn ask(mesh: Rc<Mesh>, to: ShardId, number: usize, answers: Rc<Cell<usize>>) {
    let request = match number % 2 {
        0 => ShardRequest::LogSizes(Vec::new()),
        _ => ShardRequest::Watch(Watch {
            id: number as u64,
            entries: Vec::new(),
            bytes: 1,
            wait_ms: 0,
        }),
    };
    let reply = mesh.send(to, request).await.expect("the mesh is open");
    assert!(matches!(reply.await, ShardReply::Done));
    answers.set(answers.get() + 1);
}

async fn answer_all(mesh: Rc<Mesh>) {
    while let Some(envelope) = mesh.next_request().await {
        let (to, _) = envelope.open();
        mesh.reply(to, ShardReply::Done);
    }
}

/// Nobody answers until all mailboxes are full and everybody waits; then some of those who
/// wait have gone, and the rest is answered.
async fn live(part: MeshPart, stages: Arc<Stages>) {
    let mesh = Mesh::new(part);
    let replies = tasks::drive({
        let mesh = mesh.clone();
        async move { mesh.deliver_replies().await }
    });
    let answers = Rc::new(Cell::new(0));
    let mut askers = Vec::new();
    for number in 0..ASKERS {
        let others = (0..SHARDS).map(ShardId).filter(|id| *id != mesh.part.id);
        for other in others {
            let asking = ask(mesh.clone(), other, number, answers.clone());
            askers.push((number, tasks::drive(asking)));
        }
    }
    let is_full = || mesh.part.request_inbox.is_full();
    assert!(within(MS_MAX, is_full).await);
    // Time for one too many to get in.
    sleep_ms(20).await;
    assert_eq!(mesh.part.request_inbox.len(), SMALL.requests);
    assert_eq!(mesh.places(Lane::Quick).available(), 0);
    assert_eq!(mesh.places(Lane::Watch).available(), 0);
    assert_eq!(answers.get(), 0);
    stages.end(0).await;
    let mut left = Vec::new();
    for (number, asker) in askers {
        // The first four have the places: two of them wait for a reply, two for a mailbox.
        match number % 4 {
            0 | 1 => asker.end().await,
            _ => left.push(asker),
        }
    }
    stages.end(1).await;
    let inbox = tasks::drive(answer_all(mesh.clone()));
    assert!(within(MS_MAX, || answers.get() == left.len()).await);
    assert!(within(MS_MAX, || mesh.is_idle()).await, "{mesh:?}");
    stages.end(2).await;
    for driver in left.into_iter().chain([inbox, replies]) {
        driver.end().await;
    }
}

#[test]
fn full_mailboxes_are_emptied_whoever_goes_away() {
    let stages = Arc::new(Stages::default());
    let parts = weave_within(SHARDS, SMALL);
    let shards = parts.into_iter().map(|part| {
        let stages = stages.clone();
        LocalExecutorBuilder::new(Placement::Unbound)
            .io_memory(NO_ARENA_BYTES)
            .preempt_timer(Duration::from_secs(1))
            .spawn(move || live(part, stages))
            .unwrap()
    });
    let shards: Vec<_> = shards.collect();
    for shard in shards {
        shard.join().unwrap();
    }
}
