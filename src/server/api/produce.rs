//! Produce (0): appends one record batch to each partition named. Offsets are fixed
//! here; the response leaves when the batches are durable, and the connection's next
//! request is read meanwhile. Partitions of other shards are forwarded, one message
//! per shard.
//!
//! Durable means written to this host's disk at `acks` 1 and -1 alike. `acks` 0 gets no response;
//! an error closes its connection, as in Kafka (`KafkaApis.handleProduceRequest`): that is all
//! the producer can be told, and has it refresh its metadata. Internal topics are
//! INVALID_TOPIC_EXCEPTION, whoever asks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::base::limits::RECORD_ERRORS_MAX;
use crate::base::{Lsn, ShardId, TopicId, TopicPartition};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::runtime::mesh::PendingReply;
use crate::runtime::serve;
use crate::server::Services;
use crate::server::router::{Answer, Ready};
use crate::shard::{ProduceEntry, ProduceResult, ShardReply, ShardRequest};

/// Appends what the request holds and gives the response, or what it waits for.
pub async fn handle(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    scratch: &mut BytesMut,
) -> Result<Answer, WireError> {
    let request = ProduceRequest::decode(reader, header.version)?;
    let mut appending = Appending::new(&request);
    for topic in &request.topic_data {
        appending.topic(services, topic, header.version).await;
    }
    let Appending {
        results,
        remote,
        lsn,
        ..
    } = appending;
    if remote.is_empty() {
        if request.acks == 0 {
            return Ok(unanswered(&results));
        }
        let response = response(topics_of(&request), &results);
        let frame = response.encode(scratch, header.version, header.correlation_id);
        return Ok(Answer::Ready(Ready {
            frame,
            after: lsn,
            held: None,
        }));
    }
    let pending = forward(services, remote).await;
    Ok(Answer::Produce(InFlight {
        version: header.version,
        correlation_id: header.correlation_id,
        wants_response: request.acks != 0,
        topics: topics_of(&request)
            .map(|topic| topic.into_owned())
            .collect(),
        results,
        pending,
        lsn,
    }))
}

/// A request on its way through its partitions.
struct Appending {
    invalid_acks: bool,
    timeout_ms: i32,
    /// One per partition, in the order of the request.
    results: Vec<ProduceResult>,
    remote: BTreeMap<ShardId, (Vec<usize>, Vec<ProduceEntry>)>,
    lsn: Lsn,
}

impl Appending {
    fn new(request: &ProduceRequest<'_>) -> Self {
        Appending {
            invalid_acks: !matches!(request.acks, -1..=1),
            timeout_ms: request.timeout_ms,
            results: Vec::with_capacity(request.topic_data.len()),
            remote: BTreeMap::new(),
            lsn: Lsn::default(),
        }
    }

    async fn topic(&mut self, services: &Services, topic: &TopicProduceData<'_>, version: i16) {
        let by_id = version >= 13;
        let known = services.shard.look(|shard| {
            let catalog = shard.catalog();
            let known = match by_id {
                true => catalog.topic_by_id(topic.topic_id),
                false => catalog.topic(topic.name),
            };
            known.map(|known| (known.id, known.internal))
        });
        let unknown = match by_id {
            true => ErrorCode::UNKNOWN_TOPIC_ID,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        for data in &topic.partition_data {
            let result = match (known, &data.records) {
                _ if self.invalid_acks => ProduceResult::error(ErrorCode::INVALID_REQUIRED_ACKS),
                (None, _) => ProduceResult::error(unknown),
                (Some((_, true)), _) => refused_as_internal(),
                (Some(_), None) => ProduceResult::error(ErrorCode::INVALID_RECORD),
                (Some((topic, false)), Some(batch)) => {
                    let tp = TopicPartition {
                        topic,
                        partition: data.index,
                    };
                    self.partition(services, tp, batch).await
                }
            };
            self.results.push(result);
        }
    }

    /// Appends here, or notes the batch for its owner; then the result is filled in later.
    async fn partition(
        &mut self,
        services: &Services,
        tp: TopicPartition,
        batch: &Bytes,
    ) -> ProduceResult {
        let shard = &services.shard;
        let owner = shard.owner(tp);
        let entry = ProduceEntry {
            tp,
            batch: batch.clone(),
        };
        if owner != shard.id() {
            let share = self.remote.entry(owner).or_default();
            share.0.push(self.results.len());
            share.1.push(entry);
            return ProduceResult::error(ErrorCode::REQUEST_TIMED_OUT);
        }
        let (result, lsn) = serve::append(shard, &entry, self.timeout_ms).await;
        self.lsn = self.lsn.max(lsn);
        result
    }
}

/// What only the broker itself writes to.
fn refused_as_internal() -> ProduceResult {
    ProduceResult {
        message: Some("clients cannot append to an internal topic".to_owned()),
        ..ProduceResult::error(ErrorCode::INVALID_TOPIC_EXCEPTION)
    }
}

async fn forward(
    services: &Services,
    remote: BTreeMap<ShardId, (Vec<usize>, Vec<ProduceEntry>)>,
) -> Vec<(Vec<usize>, PendingReply)> {
    let mut pending = Vec::with_capacity(remote.len());
    for (owner, (places, entries)) in remote {
        let sent = services
            .shard
            .mesh
            .send(owner, ShardRequest::Produce(entries))
            .await;
        pending.extend(sent.map(|reply| (places, reply)));
    }
    pending
}

/// A produce with batches on other shards.
pub struct InFlight {
    version: i16,
    correlation_id: i32,
    wants_response: bool,
    topics: Vec<TopicShape<'static>>,
    results: Vec<ProduceResult>,
    pending: Vec<(Vec<usize>, PendingReply)>,
    lsn: Lsn,
}

impl InFlight {
    /// The response, or the end of the connection, once every batch is durable where it belongs.
    pub async fn wait(self, services: &Services) -> Answer {
        let mut results = self.results;
        for (places, reply) in self.pending {
            if let ShardReply::Produce(answers) = reply.await {
                for (place, answer) in places.into_iter().zip(answers) {
                    results[place] = answer;
                }
            }
        }
        if !self.wants_response {
            return unanswered(&results);
        }
        services.shard.durable(self.lsn).await;
        let response = response(self.topics.into_iter(), &results);
        let frame = response.encode(&mut BytesMut::new(), self.version, self.correlation_id);
        Ready::at_once(frame)
    }
}

/// What a produce with `acks` 0 leads to.
fn unanswered(results: &[ProduceResult]) -> Answer {
    match results.iter().find(|result| result.error.is_error()) {
        None => Answer::Nothing,
        Some(refused) => Answer::Close(refused.error),
    }
}

/// A topic of the request and which partitions were named in it.
struct TopicShape<'a> {
    name: Cow<'a, str>,
    id: TopicId,
    partitions: Vec<i32>,
}

impl TopicShape<'_> {
    fn into_owned(self) -> TopicShape<'static> {
        TopicShape {
            name: Cow::Owned(self.name.into_owned()),
            id: self.id,
            partitions: self.partitions,
        }
    }
}

fn topics_of<'a>(request: &'a ProduceRequest<'a>) -> impl Iterator<Item = TopicShape<'a>> {
    request.topic_data.iter().map(|topic| TopicShape {
        name: Cow::Borrowed(topic.name),
        id: topic.topic_id,
        partitions: topic.partition_data.iter().map(|data| data.index).collect(),
    })
}

fn response<'a>(
    topics: impl Iterator<Item = TopicShape<'a>>,
    results: &[ProduceResult],
) -> ProduceResponse<'a> {
    let mut results = results.iter();
    let mut record_errors_left = RECORD_ERRORS_MAX;
    let responses = topics.map(|topic| TopicProduceResponse {
        name: topic.name,
        topic_id: topic.id,
        partition_responses: topic
            .partitions
            .into_iter()
            .zip(&mut results)
            .map(|(index, result)| partition_response(index, result, &mut record_errors_left))
            .collect(),
    });
    ProduceResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}

fn partition_response(
    index: i32,
    result: &ProduceResult,
    record_errors_left: &mut usize,
) -> PartitionProduceResponse<'static> {
    let bad = result.bad_timestamps.iter().flat_map(|bad| bad.reasons());
    let record_errors: Vec<_> = bad
        .take(*record_errors_left)
        .map(|(batch_index, reason)| BatchIndexAndErrorMessage {
            batch_index,
            batch_index_error_message: Some(Cow::Owned(reason)),
        })
        .collect();
    *record_errors_left -= record_errors.len();
    PartitionProduceResponse {
        index,
        error_code: result.error,
        base_offset: result.base_offset,
        log_append_time_ms: result.log_append_time_ms,
        log_start_offset: result.log_start_offset,
        record_errors,
        error_message: result.message.clone().map(Cow::Owned),
        ..Default::default()
    }
}
