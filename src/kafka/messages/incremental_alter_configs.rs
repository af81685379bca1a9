//! IncrementalAlterConfigs (44), versions 0-1: changes single overrides (KIP-339).
//!
//! - 1: flexible.

use super::alter_configs::AlterConfigsResourceResponse;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct IncrementalAlterConfigsRequest<'a> {
        /// Whose configs.
        [0+] resources: Vec<AlterConfigsResource<'a>>,
        /// Whether to check only.
        [0+] validate_only: bool,
    }
}

wire_struct! {
    /// One resource of the request.
    pub struct AlterConfigsResource<'a> {
        /// A Kafka `ConfigResource.Type`, as in DescribeConfigs.
        [0+] resource_type: i8,
        /// Its name.
        [0+] resource_name: &'a str,
        /// The changes.
        [0+] configs: Vec<AlterableConfig<'a>>,
    }
}

wire_struct! {
    /// One change.
    pub struct AlterableConfig<'a> {
        /// The config's name.
        [0+] name: &'a str,
        /// 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
        [0+] config_operation: i8,
        /// Its value; null only to delete.
        [0+] value: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct IncrementalAlterConfigsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// One per resource of the request.
        [0+] responses: Vec<AlterConfigsResourceResponse<'a>>,
    }
}
