//! Changes of the catalogue, as the APIs of topics and configs ask for them: shard 0
//! decides, and the answer comes when the change is durable and in force on every shard.
//!
//! That takes as long as the disk does. The requests' `timeout_ms` shortens nothing: a
//! change that was decided cannot be taken back, and who has waited long enough may leave.

use std::borrow::Cow;

use crate::base::ShardId;
use crate::base::limits::CATALOG_CHANGES_PER_REQUEST_MAX;
use crate::catalog::{CatalogError, CatalogReply, CatalogRequest};
use crate::kafka::ErrorCode;
use crate::server::Services;
use crate::shard::{ShardReply, ShardRequest};

/// An error and its sentence, as responses carry them.
pub type Verdict = (ErrorCode, Option<Cow<'static, str>>);

/// Has shard 0 decide `request`, which names `topics` topics.
///
/// # Errors
/// POLICY_VIOLATION for too many topics, as Kafka for an excessively large request;
/// NOT_CONTROLLER, which clients retry, while the broker shuts down.
pub async fn change(
    services: &Services,
    topics: usize,
    request: impl FnOnce() -> CatalogRequest,
) -> Result<CatalogReply, Verdict> {
    check_size(topics)?;
    let request = ShardRequest::Catalog(request());
    match services.shard.ask(ShardId(0), request).await {
        Some(ShardReply::Catalog(reply)) => Ok(reply),
        _ => Err(stopping()),
    }
}

/// What a change is answered that nobody decides any more.
pub fn stopping() -> Verdict {
    let message = "The broker is shutting down.";
    (ErrorCode::NOT_CONTROLLER, Some(Cow::Borrowed(message)))
}

fn check_size(topics: usize) -> Result<(), Verdict> {
    if topics <= CATALOG_CHANGES_PER_REQUEST_MAX {
        return Ok(());
    }
    let message = format!(
        "The request names {topics} topics; one may change at most \
         {CATALOG_CHANGES_PER_REQUEST_MAX}."
    );
    Err((ErrorCode::POLICY_VIOLATION, Some(Cow::Owned(message))))
}

/// The catalogue's refusal as responses carry it.
pub fn refusal(error: CatalogError) -> Verdict {
    (ErrorCode(error.code()), Some(Cow::Owned(error.message)))
}

/// Success, or the catalogue's refusal.
pub fn verdict(result: Result<(), CatalogError>) -> Verdict {
    result.map_or_else(refusal, |()| (ErrorCode::NONE, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ErrorKind;

    #[test]
    fn a_request_may_change_so_many_topics() {
        assert_eq!(check_size(CATALOG_CHANGES_PER_REQUEST_MAX), Ok(()));
        let refused = check_size(CATALOG_CHANGES_PER_REQUEST_MAX + 1).unwrap_err();
        assert_eq!(refused.0, ErrorCode::POLICY_VIOLATION);
    }

    #[test]
    fn refusals_keep_their_code_and_sentence() {
        for (kind, code) in [
            (ErrorKind::InvalidTopic, ErrorCode::INVALID_TOPIC_EXCEPTION),
            (ErrorKind::UnknownTopicId, ErrorCode::UNKNOWN_TOPIC_ID),
            (ErrorKind::PolicyViolation, ErrorCode::POLICY_VIOLATION),
        ] {
            let refused = verdict(Err(CatalogError::new(kind, "no")));
            assert_eq!(refused, (code, Some(Cow::Borrowed("no"))));
        }
        assert_eq!(verdict(Ok(())), (ErrorCode::NONE, None));
    }
}
