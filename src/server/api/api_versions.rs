//! ApiVersions (18), versions 0-4: the APIs that this broker serves, as the table of the
//! wire has them. No features: none of them gates anything that is served (KIP-584).
//!
//! - 3: a client whose software name or version is not of Kafka's form is refused with
//!   INVALID_REQUEST (KIP-511).
//! - A later version is answered by the router, in version 0.

use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use crate::server::Services;

/// Tells what is served.
pub async fn handle(
    _services: &Services,
    request: &ApiVersionsRequest<'_>,
    header: &RequestHeader<'_>,
) -> ApiVersionsResponse<'static> {
    response(request, header.version)
}

fn response(request: &ApiVersionsRequest<'_>, version: i16) -> ApiVersionsResponse<'static> {
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
        ..Default::default()
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
            let response = response(&nameless, version);
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
        let told = response(&request, 4).api_keys;
        let told: Vec<i16> = told.iter().map(|api| api.api_key).collect();
        let served: Vec<i16> = ApiKey::ALL.iter().map(|api| api.key()).collect();
        assert_eq!(told, served);
    }
}
