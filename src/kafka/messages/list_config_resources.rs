//! ListConfigResources (74), versions 0-1: which resources have configs (KIP-1142).
//!
//! - 0: known as ListClientMetricsResources (KIP-1000); client metrics only.
//! - 1: resource types, asked for and told.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

/// `ConfigResource.Type` of client metrics, the only one of version 0.
pub const CLIENT_METRICS: i8 = 16;

wire_struct! {
    /// The request.
    pub struct ListConfigResourcesRequest {
        /// The `ConfigResource.Type`s wanted; empty for all of them.
        [1+] resource_types: Vec<i8>,
    }
}

wire_struct! {
    /// The response.
    pub struct ListConfigResourcesResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The resources.
        [0+] config_resources: Vec<ConfigResource<'a>>,
    }
}

wire_struct! {
    /// One resource.
    pub struct ConfigResource<'a> {
        /// Its name.
        [0+] resource_name: Cow<'a, str>,
        /// A Kafka `ConfigResource.Type`, as in DescribeConfigs.
        [1+] resource_type: i8 = CLIENT_METRICS,
    }
}
