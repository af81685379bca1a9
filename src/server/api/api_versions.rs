//! ApiVersions (18), versions 0-4: the APIs that this broker serves, as the table of the
//! wire has them, and the features in effect (KIP-584): `group.version` 1, by which clients know
//! that there are groups of KIP-848. Features are part of the program and never change while it
//! runs, so the epoch that rises with their changes is the number of the broker's start.
//!
//! - 3: a client whose software name or version is not of Kafka's form is refused with
//!   INVALID_REQUEST (KIP-511).
//! - A later version is answered by the router, in version 0.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::server::Services;

/// Tells what is served.
pub async fn handle(
    services: &Services,
    request: &ApiVersionsRequest<'_>,
    header: &RequestHeader<'_>,
) -> ApiVersionsResponse<'static> {
    let epoch = i64::from(services.broker.leader_epoch);
    response(request, header.version, epoch)
}

/// The features there are, and their one level: what it says cannot be turned off.
const FEATURES: [(&str, i16); 1] = [("group.version", 1)];

fn response(
    request: &ApiVersionsRequest<'_>,
    version: i16,
    epoch: i64,
) -> ApiVersionsResponse<'static> {
    let software = [
        request.client_software_name,
        request.client_software_version,
    ];
    if version >= 3 && !software.into_iter().all(is_software_text) {
        return ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..Default::default()
        };
    }
    ApiVersionsResponse {
        api_keys: ApiVersion::all(),
        supported_features: FEATURES.map(supported).to_vec(),
        finalized_features_epoch: epoch,
        finalized_features: FEATURES.map(finalized).to_vec(),
        ..Default::default()
    }
}

fn supported((name, level): (&'static str, i16)) -> SupportedFeatureKey<'static> {
    SupportedFeatureKey {
        name: Cow::Borrowed(name),
        min_version: level,
        max_version: level,
    }
}

fn finalized((name, level): (&'static str, i16)) -> FinalizedFeatureKey<'static> {
    FinalizedFeatureKey {
        name: Cow::Borrowed(name),
        min_version_level: level,
        max_version_level: level,
    }
}

/// Kafka's `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_text(text: &str) -> bool {
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let bytes = text.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ApiKey;

    #[test]
    fn software_names_are_checked_as_kafka_does() {
        for text in [
            "a",
            "9",
            "librdkafka",
            "apache-kafka-java",
            "4.2.0",
            "a--.b",
        ] {
            assert!(is_software_text(text), "{text}");
        }
        for text in ["", "-", "a-", ".a", "a b", "a_b", "kafka\n", "käfka", "ä"] {
            assert!(!is_software_text(text), "{text}");
        }
    }

    #[test]
    fn the_name_counts_from_version_3() {
        let nameless = ApiVersionsRequest::default();
        for (version, error) in [
            (0, ErrorCode::NONE),
            (2, ErrorCode::NONE),
            (3, ErrorCode::INVALID_REQUEST),
            (4, ErrorCode::INVALID_REQUEST),
        ] {
            let response = response(&nameless, version, 1);
            assert_eq!(response.error_code, error, "version {version}");
            assert_eq!(response.api_keys.is_empty(), error.is_error());
        }
    }

    #[test]
    fn every_api_of_the_table_is_told() {
        let request = ApiVersionsRequest {
            client_software_name: "test",
            client_software_version: "1",
        };
        let told = response(&request, 4, 1).api_keys;
        let told: Vec<i16> = told.iter().map(|api| api.api_key).collect();
        let served: Vec<i16> = ApiKey::ALL.iter().map(|api| api.key()).collect();
        assert_eq!(told, served);
    }
    #[test]
    fn features_in_effect_are_told_with_the_start_that_they_are_of() {
        let request = ApiVersionsRequest {
            client_software_name: "test",
            client_software_version: "1",
        };
        let told = response(&request, 3, 7);
        assert_eq!(told.finalized_features_epoch, 7);
        let finalized = told.finalized_features.iter();
        let finalized: Vec<_> = finalized
            .map(|f| (&*f.name, f.min_version_level, f.max_version_level))
            .collect();
        let supported = told.supported_features.iter();
        let supported: Vec<_> = supported
            .map(|f| (&*f.name, f.min_version, f.max_version))
            .collect();
        assert_eq!(finalized, [("group.version", 1, 1)]);
        assert_eq!(supported, finalized);
    }
}
