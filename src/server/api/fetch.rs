//! Fetch (1): whole record batches from where the client stands, up to its limits,
//! waiting for `min_bytes` without polling. Versions, sessions (KIP-227), topic ids
//! (KIP-516) and diverging epochs (KIP-595) as in Kafka; a first batch larger than
//! the limits is given whole (KIP-74). Every consumer reads from the leader, whatever
//! its rack.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::BytesMut;

use crate::base::limits::{
    FETCH_BYTES_MAX, FETCH_BYTES_WHEN_SHORT, FETCH_WAIT_MS_MAX, LARGE_FETCH_WAIT_MS_MAX,
    READ_CARRIED_BYTES_MAX, RESPONSE_BYTES_WITHOUT_UNITS,
};
use crate::base::{Lsn, TopicId, TopicPartition};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::fetch::{
    EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::kafka::{ErrorCode, Records};
use crate::runtime::handle::ShardHandle;
use crate::runtime::units::Held;
use crate::runtime::{self, watch};
use crate::server::Services;
use crate::server::fetch_session::{
    PartitionKey, SessionPlan, SessionRequest, Told, TopicKey, Wanted,
};
use crate::server::router::{Answer, Ready};
use crate::shard::{FetchEntry, FetchResult};

/// Decodes, reads, waits if need be, and answers.
pub async fn answer(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    scratch: &mut BytesMut,
) -> Result<Answer, WireError> {
    let bytes = reader.remaining();
    let mut request = FetchRequest::decode(reader, header.version)?;
    if bytes > READ_CARRIED_BYTES_MAX {
        request.max_wait_ms = request.max_wait_ms.min(LARGE_FETCH_WAIT_MS_MAX);
    }
    let (response, held) = handle(services, &request, header).await;
    let frame = response.encode(scratch, header.version, header.correlation_id);
    Ok(Answer::Ready(Ready {
        frame,
        after: Lsn::default(),
        held,
    }))
}

/// The response, and the memory that its records hold.
async fn handle(
    services: &Services,
    request: &FetchRequest<'_>,
    header: &RequestHeader<'_>,
) -> (FetchResponse<'static>, Option<Held>) {
    let session = session_request(request, header.version);
    let now_ms = services.shard.now().mono_ms;
    let plan = match services.fetch_sessions.borrow_mut().handle(now_ms, session) {
        Ok(plan) => plan,
        Err(error_code) => {
            return (
                FetchResponse {
                    error_code,
                    ..Default::default()
                },
                None,
            );
        }
    };
    let limits = Limits::of(request);
    let read = Reading::new(services, &plan);
    let (results, held) = read.run(services, &limits).await;
    let read_committed = request.isolation_level == 1;
    (respond(services, &plan, results, read_committed), held)
}

fn session_request(request: &FetchRequest<'_>, version: i16) -> SessionRequest {
    let by_id = version >= 13;
    let key = |id: TopicId, name: &str| match by_id {
        true => TopicKey::Id(id),
        false => TopicKey::Name(Rc::from(name)),
    };
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let topic_key = key(topic.topic_id, topic.topic);
        partitions.extend(topic.partitions.iter().map(|p| {
            let wanted = Wanted {
                offset: p.fetch_offset,
                max_bytes: p.partition_max_bytes,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
            };
            ((topic_key.clone(), p.partition), wanted)
        }));
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let topic_key = key(topic.topic_id, topic.topic);
        forgotten.extend(topic.partitions.iter().map(|&p| (topic_key.clone(), p)));
    }
    SessionRequest {
        id: request.session_id,
        epoch: request.session_epoch,
        by_id,
        partitions,
        forgotten,
    }
}

/// How much to give and how long to wait for it.
struct Limits {
    min_bytes: usize,
    max_bytes: usize,
    wait_ms: u64,
}

impl Limits {
    fn of(request: &FetchRequest<'_>) -> Limits {
        let bytes = |n: i32| usize::try_from(n).unwrap_or(0).min(FETCH_BYTES_MAX);
        Limits {
            min_bytes: bytes(request.min_bytes).min(bytes(request.max_bytes)),
            max_bytes: bytes(request.max_bytes),
            wait_ms: u64::try_from(request.max_wait_ms)
                .unwrap_or(0)
                .min(FETCH_WAIT_MS_MAX),
        }
    }
}

/// The partitions of a plan that exist, and what is wrong with the others.
struct Reading {
    /// One per partition of the plan; the error of one that cannot be read.
    places: Vec<Result<usize, ErrorCode>>,
    entries: Vec<FetchEntry>,
}

impl Reading {
    fn new(services: &Services, plan: &SessionPlan) -> Reading {
        let mut reading = Reading {
            places: Vec::new(),
            entries: Vec::new(),
        };
        services.shard.look(|shard| {
            for ((topic, partition), wanted) in &plan.partitions {
                let found = match topic {
                    TopicKey::Id(id) => {
                        let topic = shard.catalog().topic_by_id(*id);
                        topic.ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
                    }
                    TopicKey::Name(name) => {
                        let topic = shard.catalog().topic(name);
                        topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                    }
                };
                let place = found.map(|topic| {
                    let tp = TopicPartition {
                        topic: topic.id,
                        partition: *partition,
                    };
                    reading.entries.push(entry(tp, wanted));
                    reading.entries.len() - 1
                });
                reading.places.push(place);
            }
        });
        reading
    }

    /// Reads until there is enough, something is wrong, or the time is up. The results
    /// are in the order of the plan.
    async fn run(self, services: &Services, limits: &Limits) -> (Vec<FetchResult>, Option<Held>) {
        let deadline = services.shard.now().mono_ms + limits.wait_ms;
        let unreadable = self.entries.is_empty() || self.places.iter().any(Result::is_err);
        let mut memory = Memory::of(&services.shard, limits.max_bytes);
        loop {
            let max_bytes = memory.max_bytes();
            let min_bytes = limits.min_bytes.min(max_bytes);
            let results = self.read_once(services, min_bytes, max_bytes).await;
            let bytes: usize = results.iter().map(FetchResult::bytes).sum();
            if memory.is_too_little_for(bytes) {
                // The first batch is given whole (KIP-74), but not before there is room.
                drop(results);
                memory.wait_for(&services.shard, bytes).await;
                continue;
            }
            let news = results
                .iter()
                .any(|r| r.error.is_error() || r.diverging.is_some());
            let enough = bytes >= min_bytes;
            let wait_ms = deadline.saturating_sub(services.shard.now().mono_ms);
            let stopping = services.shard.stopping.get();
            if unreadable || news || enough || wait_ms == 0 || stopping {
                return (self.in_plan_order(results), memory.keep(bytes));
            }
            drop(memory);
            let missing = limits.min_bytes - bytes;
            self.wait(services, &results, missing, wait_ms).await;
            memory = Memory::of(&services.shard, limits.max_bytes);
        }
    }

    async fn read_once(
        &self,
        services: &Services,
        min_bytes: usize,
        max_bytes: usize,
    ) -> Vec<FetchResult> {
        let shard = &services.shard;
        let read = runtime::fetch::owners(shard, &self.entries, min_bytes, max_bytes);
        read.await.unwrap_or_else(|| {
            let stopping = FetchResult::error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
            vec![stopping; self.entries.len()]
        })
    }

    /// Waits until `missing` bytes more are there than `results` had, or the time is up. It may
    /// be too early if they are on several shards.
    async fn wait(
        &self,
        services: &Services,
        results: &[FetchResult],
        missing: usize,
        wait_ms: u64,
    ) {
        let entries = self.entries.iter().zip(results);
        let seen = entries.map(|(entry, result)| (entry.tp, result.high_watermark));
        watch::owners(&services.shard, seen.collect(), missing, wait_ms).await;
    }

    fn in_plan_order(&self, results: Vec<FetchResult>) -> Vec<FetchResult> {
        let mut results: Vec<_> = results.into_iter().map(Some).collect();
        let places = self.places.iter();
        places
            .map(|place| match place {
                Ok(index) => results.get_mut(*index).and_then(Option::take),
                Err(error) => Some(FetchResult::error(*error)),
            })
            .map(|result| {
                result.unwrap_or_else(|| FetchResult::error(ErrorCode::UNKNOWN_SERVER_ERROR))
            })
            .collect()
    }
}

/// Memory for a response.
struct Memory {
    /// What the client allows.
    max_bytes: usize,
    held: Option<Held>,
    /// The broker stops, and nobody can wait for memory any more.
    is_over: bool,
}

impl Memory {
    /// As much as there is, and never all of it: a client that does not read its responses
    /// keeps its memory for a while, and the others then go on with little at a time.
    fn of(shard: &ShardHandle, max_bytes: usize) -> Memory {
        let units = &shard.response_units;
        let granted = max_bytes.min(usize::try_from(units.free() / 2).unwrap_or(max_bytes));
        let is_some = granted >= max_bytes.min(FETCH_BYTES_WHEN_SHORT);
        Memory {
            max_bytes,
            held: units.try_take(granted as u64).filter(|_| is_some),
            is_over: false,
        }
    }

    /// How much may be read.
    fn max_bytes(&self) -> usize {
        let granted = self.held.as_ref().map(Held::bytes);
        let granted = granted.map_or(FETCH_BYTES_WHEN_SHORT, |bytes| bytes as usize);
        self.max_bytes.min(granted)
    }

    /// Whether so many bytes have to wait for more. Not if no more is to be had, nor a little
    /// that nobody has to wait for.
    fn is_too_little_for(&self, bytes: usize) -> bool {
        match &self.held {
            Some(held) => bytes as u64 > held.bytes() && !held.is_all(),
            None => bytes > RESPONSE_BYTES_WITHOUT_UNITS && !self.is_over,
        }
    }

    /// Waits for enough for `bytes`, without keeping what there was.
    async fn wait_for(&mut self, shard: &ShardHandle, bytes: usize) {
        self.held = None;
        let bytes = bytes.max(self.max_bytes.min(FETCH_BYTES_WHEN_SHORT));
        self.held = shard.pay_for_response(bytes).await;
        self.is_over = self.held.is_none();
    }

    /// What a response of `bytes` keeps until it is sent.
    fn keep(self, bytes: usize) -> Option<Held> {
        let mut held = self.held?;
        held.shrink_to(bytes as u64);
        Some(held)
    }
}

fn entry(tp: TopicPartition, wanted: &Wanted) -> FetchEntry {
    FetchEntry {
        tp,
        offset: wanted.offset,
        max_bytes: usize::try_from(wanted.max_bytes).unwrap_or(0),
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
    }
}

fn respond(
    services: &Services,
    plan: &SessionPlan,
    results: Vec<FetchResult>,
    read_committed: bool,
) -> FetchResponse<'static> {
    let mut sessions = services.fetch_sessions.borrow_mut();
    let mut responses: Vec<FetchableTopicResponse<'static>> = Vec::new();
    let mut last: Option<&TopicKey> = None;
    for ((key, _), result) in plan.partitions.iter().zip(results) {
        let told = Told {
            high_watermark: result.high_watermark,
            log_start_offset: result.log_start_offset,
        };
        let is_error = result.error.is_error() || result.diverging.is_some();
        let news = sessions.on_answer(plan.id, key, told, !result.records.is_empty(), is_error);
        if plan.incremental && !news {
            continue;
        }
        if last != Some(&key.0) {
            responses.push(topic_response(key));
            last = Some(&key.0);
        }
        if let Some(topic) = responses.last_mut() {
            topic
                .partitions
                .push(partition_data(key.1, result, read_committed));
        }
    }
    FetchResponse {
        session_id: plan.id,
        responses,
        ..Default::default()
    }
}

fn topic_response((topic, _): &PartitionKey) -> FetchableTopicResponse<'static> {
    let (name, topic_id) = match topic {
        TopicKey::Id(id) => (String::new(), *id),
        TopicKey::Name(name) => (name.to_string(), TopicId::ZERO),
    };
    FetchableTopicResponse {
        topic: Cow::Owned(name),
        topic_id,
        partitions: Vec::new(),
    }
}

fn partition_data(
    partition_index: i32,
    result: FetchResult,
    read_committed: bool,
) -> PartitionData {
    let diverging = result.diverging;
    PartitionData {
        partition_index,
        error_code: result.error,
        high_watermark: result.high_watermark,
        last_stable_offset: result.last_stable_offset,
        log_start_offset: result.log_start_offset,
        aborted_transactions: read_committed.then(Vec::new),
        records: Records(result.records),
        diverging_epoch: diverging
            .map(|(epoch, end_offset)| EpochEndOffset { epoch, end_offset })
            .unwrap_or_default(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;

    /// From the shard's result to what the socket is given.
    #[test]
    fn records_go_into_the_response_uncopied() {
        let batches = [1u8, 2].map(|byte| Bytes::from(vec![byte; 1000]));
        let mut result = FetchResult::error(ErrorCode::NONE);
        result.records = batches.to_vec();
        let key = (TopicKey::Name("t".into()), 7);
        let mut topic = topic_response(&key);
        topic.partitions.push(partition_data(key.1, result, false));
        let response = FetchResponse {
            responses: vec![topic],
            ..Default::default()
        };
        for version in [4, 12, 18] {
            let frame = response.encode(&mut BytesMut::new(), version, 9);
            let chunks: Vec<Bytes> = frame.into_chunks().collect();
            for batch in &batches {
                let same = |chunk: &&Bytes| chunk.as_ptr() == batch.as_ptr();
                let found: Vec<_> = chunks.iter().filter(same).collect();
                assert_eq!(found, [batch], "version {version}");
            }
        }
    }
}
