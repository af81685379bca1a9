//! What a group is asked and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::{Assignor, ConsumerConfig};
use super::expressions;
use crate::base::TopicId;
use crate::base::limits::GROUP_MEMBER_BYTES_MAX;
use crate::kafka::ErrorCode;

/// Epoch in the heartbeat of a member that joins.
pub(super) const JOINS: i32 = 0;
/// Epoch in the heartbeat of a member that leaves.
pub(super) const LEAVES: i32 = -1;
/// The same of a static member that will be back; and its epoch in the meantime.
pub(super) const LEAVES_FOR_A_WHILE: i32 = -2;

/// What the name of a topic costs beside its bytes in a record, at most.
const TOPIC_NAME_OVERHEAD: usize = 3;

/// Partitions by topic.
pub type Partitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// A heartbeat (ConsumerGroupHeartbeat), always answered at once. What is `None` is as it was in the heartbeat before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsumerHeartbeat {
    /// The group.
    pub group_id: Arc<str>,
    /// The member. Empty, in version 0 only, from one that wants to be given an id.
    pub member_id: Arc<str>,
    /// The id that it is given then; never used before.
    pub fresh_member_id: Arc<str>,
    /// The client makes its member id itself (version 1, KIP-1082).
    pub makes_own_id: bool,
    /// The epoch it was told; 0 to join, -1 to leave, -2 for a static member to leave for a while.
    pub member_epoch: i32,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its rack.
    pub rack_id: Option<Arc<str>>,
    /// How long it may take to give partitions up, milliseconds; negative for "as before".
    pub rebalance_timeout_ms: i32,
    /// The topics it subscribes to.
    pub topics: Option<Vec<Arc<str>>>,
    /// The regular expression it subscribes with (version 1); empty for none any more.
    pub topic_regex: Option<Arc<str>>,
    /// The assignor it would like.
    pub assignor: Option<Arc<str>>,
    /// The partitions that it has.
    pub owned: Option<Partitions>,
    /// The client id of the request.
    pub client_id: Arc<str>,
    /// The address it came from; Kafka puts a slash before it.
    pub client_host: Arc<str>,
}

impl ConsumerHeartbeat {
    /// Whether the member joins.
    pub(in crate::group) fn joins(&self) -> bool {
        self.member_epoch == JOINS
    }

    /// Whether it says everything, as clients do when they join and after an error.
    pub(super) fn is_full(&self) -> bool {
        self.rebalance_timeout_ms >= 0
            && (self.topics.is_some() || self.topic_regex.is_some())
            && self.owned.is_some()
    }

    /// Bytes of what it says about the member.
    pub(in crate::group) fn said_bytes(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let names = self
            .topics
            .iter()
            .flatten()
            .map(|name| name.len() + TOPIC_NAME_OVERHEAD);
        names.sum::<usize>()
            + text(&self.instance_id)
            + text(&self.rack_id)
            + text(&self.topic_regex)
            + self.member_id.len()
            + self.client_id.len()
            + self.client_host.len()
    }

    /// Whether the request can be taken at all; asked before the group is looked for.
    ///
    /// # Errors
    /// INVALID_REQUEST or INVALID_REGULAR_EXPRESSION.
    pub fn check(&self) -> Result<(), Refusal> {
        let needs_id = self.makes_own_id || self.member_epoch > 0 || self.member_epoch == LEAVES;
        if needs_id && is_blank(&self.member_id) {
            return Err(invalid("MemberId can't be empty."));
        }
        if is_blank(&self.group_id) {
            return Err(invalid("GroupId can't be empty."));
        }
        if self.instance_id.as_deref().is_some_and(is_blank) {
            return Err(invalid("InstanceId can't be empty."));
        }
        if self.rack_id.as_deref().is_some_and(is_blank) {
            return Err(invalid("RackId can't be empty."));
        }
        if self.said_bytes() > GROUP_MEMBER_BYTES_MAX {
            return Err(invalid("The member says too much about itself."));
        }
        self.check_epoch()?;
        let expression = self.topic_regex.as_deref().unwrap_or_default();
        expressions::check(expression).map_err(|why| {
            let message = format!(
                "SubscribedTopicRegex `{expression}` is not a valid regular expression: {why}."
            );
            Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
        })
    }

    /// Whether the assignor that it asks for may be asked for.
    ///
    /// # Errors
    /// UNSUPPORTED_ASSIGNOR.
    pub fn check_assignor(&self, config: &ConsumerConfig) -> Result<(), Refusal> {
        let Some(name) = &self.assignor else {
            return Ok(());
        };
        if config.assignors.named(name).is_some() {
            return Ok(());
        }
        let supported: Vec<&str> = config.assignors.all().map(Assignor::name).collect();
        let message = format!(
            "ServerAssignor {name} is not supported. Supported assignors: {}.",
            supported.join(", ")
        );
        Err(Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
    }

    /// Why it is not done when there is no such group.
    pub(in crate::group) fn without_group(&self) -> Refusal {
        let missing = || Refusal::not_found(format!("Consumer group {} not found.", self.group_id));
        self.check().err().unwrap_or_else(missing)
    }

    fn check_epoch(&self) -> Result<(), Refusal> {
        match self.member_epoch {
            JOINS if self.rebalance_timeout_ms < 0 => Err(invalid(
                "RebalanceTimeoutMs must be provided in first request.",
            )),
            JOINS if !self.owned.as_ref().is_some_and(BTreeMap::is_empty) => {
                Err(invalid("TopicPartitions must be empty when (re-)joining."))
            }
            JOINS if self.topics.is_none() && self.topic_regex.is_none() => Err(invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null \
                 when (re-)joining.",
            )),
            LEAVES_FOR_A_WHILE if self.instance_id.is_none() => {
                Err(invalid("InstanceId can't be null."))
            }
            ..LEAVES_FOR_A_WHILE => Err(invalid("MemberEpoch is invalid.")),
            _ => Ok(()),
        }
    }
}

/// The answer to a [`ConsumerHeartbeat`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsumerHeartbeatReply {
    /// What happened.
    pub error: ErrorCode,
    /// Words beside the error.
    pub message: Option<String>,
    /// The member's id; `None` on error.
    pub member_id: Option<Arc<str>>,
    /// The epoch to come with next.
    pub member_epoch: i32,
    /// How often to be heard of, milliseconds.
    pub heartbeat_interval_ms: i32,
    /// What the member is to have now; `None` if that is what it was told last.
    pub assignment: Option<Partitions>,
}

/// Why a request is not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The error.
    pub error: ErrorCode,
    /// Words beside it.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(error: ErrorCode, message: String) -> Refusal {
        Refusal { error, message }
    }

    /// There is no such group.
    pub(in crate::group) fn not_found(message: String) -> Refusal {
        Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
    }
}

impl From<Refusal> for ConsumerHeartbeatReply {
    fn from(refusal: Refusal) -> ConsumerHeartbeatReply {
        ConsumerHeartbeatReply {
            error: refusal.error,
            message: Some(refusal.message),
            ..ConsumerHeartbeatReply::default()
        }
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message.to_owned())
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
