//! A request's partitions on their way to the shards that own them: those that can be
//! asked about, and what is wrong with the others. Answers come in the order of the
//! request.

use crate::base::TopicPartition;
use crate::catalog::Topic;
use crate::kafka::ErrorCode;
use crate::server::Services;
use crate::shard::{ShardReply, ShardRequest};

/// The partition of that index, if the topic is there and has it.
pub fn partition_of(topic: Option<&Topic>, partition: i32) -> Result<TopicPartition, ErrorCode> {
    match topic {
        Some(topic) if (0..topic.partitions).contains(&partition) => Ok(TopicPartition {
            topic: topic.id,
            partition,
        }),
        _ => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

/// What to ask about each partition of a request.
#[derive(Debug)]
pub struct Asking<E> {
    /// One per partition: `NONE` for one that has an entry.
    places: Vec<ErrorCode>,
    entries: Vec<E>,
}

impl<E> Asking<E> {
    /// No partition yet.
    pub fn new() -> Self {
        Asking {
            places: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds the request's next partition.
    pub fn push(&mut self, entry: Result<E, ErrorCode>) {
        match entry {
            Ok(entry) => {
                self.places.push(ErrorCode::NONE);
                self.entries.push(entry);
            }
            Err(error) => self.places.push(error),
        }
    }

    /// Asks the owners, all at the same time; one result per partition pushed. While the
    /// broker shuts down nobody leads a partition.
    pub async fn owners<R>(
        self,
        services: &Services,
        tp: impl Fn(&E) -> TopicPartition,
        wrap: impl Fn(Vec<E>) -> ShardRequest,
        unwrap: impl Fn(ShardReply) -> Option<Vec<R>>,
    ) -> Vec<Result<R, ErrorCode>> {
        if self.entries.is_empty() {
            return merge(self.places, None);
        }
        let answers = services.shard.ask_owners(self.entries, tp, wrap, unwrap);
        merge(self.places, answers.await)
    }

    /// What the owners would be asked.
    #[cfg(test)]
    pub fn entries(&self) -> &[E] {
        &self.entries
    }

    /// The results, if the owners answered so.
    #[cfg(test)]
    pub fn merged<R>(self, answers: Option<Vec<R>>) -> Vec<Result<R, ErrorCode>> {
        merge(self.places, answers)
    }
}

fn merge<R>(places: Vec<ErrorCode>, answers: Option<Vec<R>>) -> Vec<Result<R, ErrorCode>> {
    let mut answers = answers.into_iter().flatten();
    let result = |error: ErrorCode| match error {
        ErrorCode::NONE => answers.next().ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        error => Err(error),
    };
    places.into_iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_places() {
        let mut asking = Asking::new();
        for entry in [Ok('a'), Err(ErrorCode::INVALID_REQUEST), Ok('b')] {
            asking.push(entry);
        }
        assert_eq!(asking.entries(), ['a', 'b']);
        let results = merge(asking.places.clone(), Some(vec![1, 2]));
        assert_eq!(results, [Ok(1), Err(ErrorCode::INVALID_REQUEST), Ok(2)]);
        let stopping: Vec<Result<i32, _>> = asking.merged(None);
        let nobody = Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert_eq!(stopping, [nobody, Err(ErrorCode::INVALID_REQUEST), nobody]);
    }

    #[test]
    fn partitions_a_topic_does_not_have_are_unknown() {
        let catalog = crate::server::api::testing::catalog(&[("t", 2)]);
        let topic = catalog.topic("t");
        for (partition, known) in [
            (0, true),
            (1, true),
            (2, false),
            (-1, false),
            (i32::MAX, false),
        ] {
            assert_eq!(partition_of(topic, partition).is_ok(), known, "{partition}");
        }
        let unknown = Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(partition_of(None, 0), unknown);
    }
}
