//! DeleteTopics (20), versions 1-6.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219).
//! - 3: TOPIC_DELETION_DISABLED possible. 4: flexible.
//! - 5: error messages (KIP-599). 6: topics by name or by id (KIP-516).

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DeleteTopicsRequest<'a> {
        /// The topics, from version 6.
        [6+] topics: Vec<DeleteTopicState<'a>>,
        /// The topics' names, up to version 5.
        [1-5] topic_names: Vec<&'a str>,
        /// How long to wait for the deletion, milliseconds.
        [1+] timeout_ms: i32,
    }
}

wire_struct! {
    /// One topic, by name or, with a null name, by id.
    pub struct DeleteTopicState<'a> {
        /// Its name.
        [6+] name: Option<&'a str>,
        /// Its id, zero when named.
        [6+] topic_id: TopicId,
    }
}

wire_struct! {
    /// The response.
    pub struct DeleteTopicsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// One per topic of the request.
        [1+] responses: Vec<DeletableTopicResult<'a>>,
    }
}

wire_struct! {
    /// What became of one topic.
    pub struct DeletableTopicResult<'a> {
        /// Its name; null if it was asked for by an unknown id.
        [1+ null 6+] name: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// Its id.
        [6+] topic_id: TopicId,
        /// What happened.
        [1+] error_code: ErrorCode,
        /// Why, in words.
        [5+] error_message: Option<Cow<'a, str>>,
    }
}
