//! What configs can belong to (Kafka's `ConfigResource.Type`). Here topics, brokers and groups
//! have some; the other kinds come with features that are not served.

use std::borrow::Cow;

use super::changing::Verdict;
use crate::kafka::ErrorCode;
use crate::server::Broker;

/// A topic, by name.
pub const TOPIC: i8 = 2;
/// A node, by its id in digits; with no name, what all nodes were given at run time.
pub const BROKER: i8 = 4;
/// The log levels of a node.
pub const BROKER_LOGGER: i8 = 8;
/// A subscription to clients' metrics (KIP-714).
pub const CLIENT_METRICS: i8 = 16;
/// A group (KIP-848).
pub const GROUP: i8 = 32;

/// The node of that name.
///
/// # Errors
/// INVALID_REQUEST, as in Kafka, for what is no id of a node.
pub fn node(broker: &Broker, name: &str) -> Result<u16, Verdict> {
    let id: Option<u16> = name.parse().ok();
    let known = id.filter(|id| broker.nodes.iter().any(|node| node.id == i32::from(*id)));
    known.ok_or_else(|| {
        let nodes = broker.nodes.len();
        invalid(format!(
            "There is no node of that id; ids are below {nodes}."
        ))
    })
}

/// The answer about a kind of resource that has no configs here.
pub fn refuse_type(resource_type: i8) -> Verdict {
    let message = match resource_type {
        BROKER_LOGGER => "Log levels are set by --log-level, for the whole broker.",
        CLIENT_METRICS => "This broker has no subscriptions to client metrics.",
        _ => {
            return invalid(format!(
                "There are no config resources of type {resource_type}."
            ));
        }
    };
    invalid(message)
}

/// INVALID_REQUEST with its reason.
pub fn invalid(message: impl Into<Cow<'static, str>>) -> Verdict {
    (ErrorCode::INVALID_REQUEST, Some(message.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;
    use crate::server::api::testing;

    #[test]
    fn nodes_by_name() {
        let broker = testing::broker(Topology::PerCore, 3);
        assert_eq!(node(&broker, "0"), Ok(0));
        assert_eq!(node(&broker, "2"), Ok(2));
        for name in ["3", "-1", "", "x", "1 ", "99999999999"] {
            let refused = node(&broker, name).unwrap_err();
            assert_eq!(refused.0, ErrorCode::INVALID_REQUEST, "{name}");
        }
        let single = testing::broker(Topology::Single, 3);
        assert!(node(&single, "0").is_ok() && node(&single, "1").is_err());
    }

    #[test]
    fn other_kinds_have_no_configs() {
        for kind in [0, 1, BROKER_LOGGER, CLIENT_METRICS, -1, i8::MAX] {
            assert_eq!(refuse_type(kind).0, ErrorCode::INVALID_REQUEST);
        }
    }
}
