//! AlterConfigs (33), versions 0-2: replaces all overrides of a resource.
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct AlterConfigsRequest<'a> {
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
        /// Its overrides from now on.
        [0+] configs: Vec<AlterableConfig<'a>>,
    }
}

wire_struct! {
    /// One override.
    pub struct AlterableConfig<'a> {
        /// The config's name.
        [0+] name: &'a str,
        /// Its value; null is refused by the broker.
        [0+] value: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct AlterConfigsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// One per resource of the request.
        [0+] responses: Vec<AlterConfigsResourceResponse<'a>>,
    }
}

wire_struct! {
    /// What became of one resource; IncrementalAlterConfigs answers the same.
    pub struct AlterConfigsResourceResponse<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
        /// As in the request.
        [0+] resource_type: i8,
        /// As in the request.
        [0+] resource_name: Cow<'a, str>,
    }
}
