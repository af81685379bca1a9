//! Topic names: what Kafka's `Topic.validate` allows, and which names collide.

use super::error::{CatalogError, ErrorKind};
use crate::base::limits::TOPIC_NAME_BYTES_MAX;

/// Kafka's metadata log, which no client may create.
pub(super) const CLUSTER_METADATA: &str = "__cluster_metadata";
/// The log of the groups' coordinators, which the broker itself creates and writes.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Topics that Kafka reports as internal.
const INTERNAL: [&str; 3] = [OFFSETS_TOPIC, "__transaction_state", "__share_group_state"];

/// Checks a name as Kafka does: 1 to 249 of `a-z A-Z 0-9 . _ -`, not `.` or `..`.
///
/// # Errors
/// INVALID_TOPIC_EXCEPTION with the reason.
pub fn validate(name: &str) -> Result<(), CatalogError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is reserved")
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        format!("it is longer than {TOPIC_NAME_BYTES_MAX} characters")
    } else if !name.bytes().all(legal) {
        "only ASCII letters, digits, '.', '_' and '-' are allowed".to_owned()
    } else {
        return Ok(());
    };
    Err(CatalogError::new(
        ErrorKind::InvalidTopic,
        format!("Topic name is invalid: {reason}."),
    ))
}

/// Whether Kafka reports this topic as internal.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// The form in which two names that differ only in '.' and '_' are equal, or
/// `None` for a name that has neither. Kafka refuses such pairs because its
/// metric names cannot tell them apart.
pub(super) fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
