//! What operators ask and are answered.

use std::sync::Arc;

use bytes::Bytes;

use crate::kafka::ErrorCode;

/// Which groups to list; empty lists for all. Compared without regard to case (KIP-848).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFilter {
    /// States, such as `Stable` (KIP-518).
    pub states: Vec<String>,
    /// Types, such as `classic`.
    pub types: Vec<String>,
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// The group.
    pub group_id: Arc<str>,
    /// Its protocol type, empty if none joined yet.
    pub protocol_type: Arc<str>,
    /// Its state in Kafka's words.
    pub state: &'static str,
    /// Its type in Kafka's words.
    pub group_type: &'static str,
}

/// A group and its members.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedGroup {
    /// GROUP_ID_NOT_FOUND for a group that is not there (version 6; before, state `Dead`
    /// without an error).
    pub error: ErrorCode,
    /// Words beside the error.
    pub message: Option<String>,
    /// Its state in Kafka's words.
    pub state: &'static str,
    /// Its protocol type.
    pub protocol_type: Arc<str>,
    /// The chosen protocol, once there is one.
    pub protocol: Arc<str>,
    /// The members.
    pub members: Vec<DescribedMember>,
}

impl DescribedGroup {
    pub(super) fn missing(group_id: &str) -> DescribedGroup {
        DescribedGroup {
            error: ErrorCode::GROUP_ID_NOT_FOUND,
            message: Some(format!("Group {group_id} not found.")),
            state: "Dead",
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        }
    }
}

/// One member of a [`DescribedGroup`].
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its client id.
    pub client_id: Arc<str>,
    /// Where it came from.
    pub client_host: Arc<str>,
    /// What it said for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its assignment; empty unless the group is stable.
    pub assignment: Bytes,
}
