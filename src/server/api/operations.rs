//! What a client may do to a resource (KIP-430). There is no authorizer: whoever asks
//! may do everything that Kafka knows for the kind of resource.

use crate::kafka::messages::common::AUTHORIZED_OPERATIONS_OMITTED;

/// Codes of Kafka's `AclOperation`, which are the bits of the field.
mod codes {
    pub const READ: u32 = 3;
    pub const WRITE: u32 = 4;
    pub const CREATE: u32 = 5;
    pub const DELETE: u32 = 6;
    pub const ALTER: u32 = 7;
    pub const DESCRIBE: u32 = 8;
    pub const CLUSTER_ACTION: u32 = 9;
    pub const DESCRIBE_CONFIGS: u32 = 10;
    pub const ALTER_CONFIGS: u32 = 11;
    pub const IDEMPOTENT_WRITE: u32 = 12;
}

/// Everything that can be done to a topic.
pub const TOPIC: i32 = 1 << codes::READ
    | 1 << codes::WRITE
    | 1 << codes::CREATE
    | 1 << codes::DELETE
    | 1 << codes::ALTER
    | 1 << codes::DESCRIBE
    | 1 << codes::DESCRIBE_CONFIGS
    | 1 << codes::ALTER_CONFIGS;

/// Everything that can be done to a group.
pub const GROUP: i32 = 1 << codes::READ
    | 1 << codes::DELETE
    | 1 << codes::DESCRIBE
    | 1 << codes::DESCRIBE_CONFIGS
    | 1 << codes::ALTER_CONFIGS;

/// Everything that can be done to the cluster.
pub const CLUSTER: i32 = 1 << codes::CREATE
    | 1 << codes::ALTER
    | 1 << codes::DESCRIBE
    | 1 << codes::CLUSTER_ACTION
    | 1 << codes::DESCRIBE_CONFIGS
    | 1 << codes::ALTER_CONFIGS
    | 1 << codes::IDEMPOTENT_WRITE;

/// `operations` for a client that asks for them.
pub fn if_asked(asked: bool, operations: i32) -> i32 {
    if asked {
        operations
    } else {
        AUTHORIZED_OPERATIONS_OMITTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_a_kafka_without_authorizer_sets() {
        assert_eq!((TOPIC, CLUSTER), (0x0df8, 0x1fa0));
        assert_eq!(if_asked(true, TOPIC), TOPIC);
        assert_eq!(if_asked(false, TOPIC), i32::MIN);
    }
}
