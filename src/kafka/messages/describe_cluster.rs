//! DescribeCluster (60), versions 0-2 (KIP-700).
//!
//! - 1: endpoint type (KIP-919). 2: fenced brokers (KIP-1073).

use std::borrow::Cow;

use super::common::AUTHORIZED_OPERATIONS_OMITTED;
use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Endpoint type that asks for brokers.
pub const ENDPOINT_TYPE_BROKERS: i8 = 1;
/// Endpoint type that asks for controllers.
pub const ENDPOINT_TYPE_CONTROLLERS: i8 = 2;

wire_struct! {
    /// The request.
    pub struct DescribeClusterRequest {
        /// Whether to tell what the client may do with the cluster.
        [0+] include_cluster_authorized_operations: bool,
        /// One of the two constants of this file.
        [1+] endpoint_type: i8 = ENDPOINT_TYPE_BROKERS,
        /// Whether to list fenced brokers.
        [2+] include_fenced_brokers: bool,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeClusterResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
        /// What the endpoints are: one of the two constants of this file.
        [1+] endpoint_type: i8 = ENDPOINT_TYPE_BROKERS,
        /// The cluster's id.
        [0+] cluster_id: Cow<'a, str>,
        /// Node id of the controller, -1 if unknown.
        [0+] controller_id: i32 = -1,
        /// Every broker.
        [0+] brokers: Vec<DescribeClusterBroker<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [0+] cluster_authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
    }
}

wire_struct! {
    /// One broker.
    pub struct DescribeClusterBroker<'a> {
        /// Node id.
        [0+] broker_id: i32,
        /// Host name or address.
        [0+] host: Cow<'a, str>,
        /// TCP port.
        [0+] port: i32,
        /// The broker's rack, null if it has none.
        [0+] rack: Option<Cow<'a, str>>,
        /// Whether it is kept out of service.
        [2+] is_fenced: bool,
    }
}
