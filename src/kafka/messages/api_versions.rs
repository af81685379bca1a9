//! ApiVersions (18), versions 0-4: what this broker serves. The first request of
//! every client, so it answers even a version it does not know: in version 0, with
//! UNSUPPORTED_VERSION and the versions of ApiVersions itself (KIP-511).
//!
//! - 1: throttle time. 2: as 1. 3: flexible; the client's software; features (KIP-584).
//! - 4: a feature's minimum version may be 0 (KAFKA-17011); version 3 must leave such out.
//!
//! The response header is v0 in every version: its reader does not know yet what the
//! broker speaks.

use std::borrow::Cow;

use crate::kafka::{ApiKey, ErrorCode};
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct ApiVersionsRequest<'a> {
        /// Name of the client's library: letters, digits, `-` and `.`, beginning and ending
        /// with a letter or a digit. Kafka answers INVALID_REQUEST to any other.
        [3+] client_software_name: &'a str,
        /// Its version, under the same rule.
        [3+] client_software_version: &'a str,
    }
}

wire_struct! {
    /// The response.
    pub struct ApiVersionsResponse<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The APIs.
        [0+] api_keys: Vec<ApiVersion>,
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// Features the broker could have.
        [3+ tag 0] supported_features: Vec<SupportedFeatureKey<'a>>,
        /// Increases with every change of the finalized features; -1 for unknown.
        [3+ tag 1] finalized_features_epoch: i64 = -1,
        /// Features in effect; meaningless while the epoch is -1.
        [3+ tag 2] finalized_features: Vec<FinalizedFeatureKey<'a>>,
        /// Of the migration away from ZooKeeper.
        [3+ tag 3] zk_migration_ready: bool,
    }
}

impl ApiVersionsResponse<'_> {
    /// The answer to a version of ApiVersions that is not served; encoded in version 0.
    pub fn unsupported_version() -> Self {
        ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: vec![ApiVersion::of(ApiKey::ApiVersions)],
            ..Default::default()
        }
    }
}

wire_struct! {
    /// One API and its versions.
    pub struct ApiVersion {
        /// Kafka's number of the API.
        [0+] api_key: i16,
        /// Lowest version.
        [0+] min_version: i16,
        /// Highest version.
        [0+] max_version: i16,
    }
}

impl ApiVersion {
    /// What is advertised of one API.
    pub fn of(api: ApiKey) -> ApiVersion {
        let spec = api.spec();
        ApiVersion {
            api_key: api.key(),
            min_version: spec.advertised_min,
            max_version: spec.max,
        }
    }

    /// What is advertised of every API.
    pub fn all() -> Vec<ApiVersion> {
        ApiKey::ALL.iter().copied().map(ApiVersion::of).collect()
    }
}

wire_struct! {
    /// A feature the broker could have (KIP-584).
    pub struct SupportedFeatureKey<'a> {
        /// Its name.
        [3+] name: Cow<'a, str>,
        /// Lowest level.
        [3+] min_version: i16,
        /// Highest level.
        [3+] max_version: i16,
    }
}

wire_struct! {
    /// A feature in effect (KIP-584).
    pub struct FinalizedFeatureKey<'a> {
        /// Its name.
        [3+] name: Cow<'a, str>,
        /// Highest level in effect.
        [3+] max_version_level: i16,
        /// Lowest level in effect.
        [3+] min_version_level: i16,
    }
}
