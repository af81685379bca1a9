//! DescribeConfigs (32), versions 1-4.
//!
//! - 1: sources and synonyms (KIP-226). 2: throttled responses are sent at once (KIP-219).
//! - 3: types and documentation (KIP-569). 4: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DescribeConfigsRequest<'a> {
        /// Whose configs.
        [1+] resources: Vec<DescribeConfigsResource<'a>>,
        /// Whether to tell what each config would be without its override.
        [1+] include_synonyms: bool,
        /// Whether to explain each config.
        [3+] include_documentation: bool,
    }
}

wire_struct! {
    /// One resource of the request.
    pub struct DescribeConfigsResource<'a> {
        /// A Kafka `ConfigResource.Type`: 2 topic, 4 broker, 8 broker logger, 16 client
        /// metrics, 32 group.
        [1+] resource_type: i8,
        /// Topic name, node id in digits, and so on.
        [1+] resource_name: &'a str,
        /// Names of the configs wanted; null for all.
        [1+] configuration_keys: Option<Vec<&'a str>>,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeConfigsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// One per resource of the request.
        [1+] results: Vec<DescribeConfigsResult<'a>>,
    }
}

wire_struct! {
    /// One resource of the response.
    pub struct DescribeConfigsResult<'a> {
        /// What happened.
        [1+] error_code: ErrorCode,
        /// Why, in words.
        [1+] error_message: Option<Cow<'a, str>>,
        /// As in the request.
        [1+] resource_type: i8,
        /// As in the request.
        [1+] resource_name: Cow<'a, str>,
        /// Its configs.
        [1+] configs: Vec<DescribeConfigsResourceResult<'a>>,
    }
}

wire_struct! {
    /// One config.
    pub struct DescribeConfigsResourceResult<'a> {
        /// Its name.
        [1+] name: Cow<'a, str>,
        /// Its value, null if sensitive.
        [1+] value: Option<Cow<'a, str>>,
        /// Whether it cannot be altered.
        [1+] read_only: bool,
        /// A Kafka `ConfigSource`: 1 topic, 2 dynamic broker, 3 dynamic default broker,
        /// 4 static broker, 5 default, 6 dynamic broker logger, 7 client metrics, 8 group.
        [1+] config_source: i8 = -1,
        /// Whether the value is kept secret.
        [1+] is_sensitive: bool,
        /// What it would be without its override, nearest first.
        [1+] synonyms: Vec<DescribeConfigsSynonym<'a>>,
        /// A Kafka `ConfigType`: 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long,
        /// 6 double, 7 list, 8 class, 9 password.
        [3+] config_type: i8,
        /// What it is for; null unless asked for.
        [3+] documentation: Option<Cow<'a, str>>,
    }
}

wire_struct! {
    /// One synonym of a config.
    pub struct DescribeConfigsSynonym<'a> {
        /// Its name.
        [1+] name: Cow<'a, str>,
        /// Its value, null if sensitive.
        [1+] value: Option<Cow<'a, str>>,
        /// A Kafka `ConfigSource`, as above.
        [1+] source: i8,
    }
}
