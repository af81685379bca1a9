//! What can be asked of the catalogue. Owned data: it crosses cores. Many topics
//! to a request, each with an outcome of its own.

/// One request to the catalogue's writer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatalogRequest {
    /// CreateTopics.
    CreateTopics {
        /// The topics asked for.
        topics: Vec<NewTopic>,
        /// Check and answer as if, but change nothing.
        validate_only: bool,
    },
    /// Metadata for unknown names with auto-creation on: the broker's defaults,
    /// and a topic that exists by now is a success.
    AutoCreate {
        /// The names asked for.
        names: Vec<String>,
    },
    /// The first request to a coordinator: `__consumer_offsets`, unless it is there.
    CreateOffsetsTopic,
    /// DeleteTopics.
    DeleteTopics {
        /// The topics to delete.
        topics: Vec<super::TopicRef>,
    },
    /// CreatePartitions.
    CreatePartitions {
        /// The topics to grow.
        topics: Vec<GrowTopic>,
        /// Check and answer as if, but change nothing.
        validate_only: bool,
    },
    /// AlterConfigs: each topic's overrides are replaced as a whole.
    AlterConfigs {
        /// The topics to configure.
        topics: Vec<AlterTopic>,
        /// Check and answer as if, but change nothing.
        validate_only: bool,
    },
    /// IncrementalAlterConfigs (KIP-339): single overrides change.
    IncrementalAlterConfigs {
        /// The topics to configure.
        topics: Vec<IncrementalAlterTopic>,
        /// Check and answer as if, but change nothing.
        validate_only: bool,
    },
    /// Both of them, of groups.
    AlterGroupConfigs {
        /// The groups to configure.
        groups: Vec<AlterGroup>,
        /// Check and answer as if, but change nothing.
        validate_only: bool,
    },
}

/// A group whose overrides change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlterGroup {
    /// Its id; it need not exist.
    pub name: String,
    /// Whether it loses the overrides that it has.
    pub replaces: bool,
    /// The changes, at most one to a config.
    pub ops: Vec<ConfigOp>,
}

/// A topic to create.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Partition count; -1 for the broker's default or with `assignments`.
    pub partitions: i32,
    /// Replication factor; -1 for the default. Any other factor above 0 is
    /// accepted and has no effect: durability is the WAL's affair.
    pub replication_factor: i16,
    /// Manual assignments; their shape is checked, placement stays the broker's.
    pub assignments: Vec<Assignment>,
    /// Config overrides; a null value is an error, as in Kafka.
    pub configs: Vec<(String, Option<String>)>,
}

/// A manual replica assignment of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assignment {
    /// The partition.
    pub partition: i32,
    /// The brokers that should hold it.
    pub brokers: Vec<i32>,
}

/// A topic to grow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GrowTopic {
    /// Its name.
    pub name: String,
    /// The partition count it should have afterwards.
    pub count: i32,
    /// The brokers of each added partition, if given; only the shape is checked.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// A topic whose overrides are replaced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlterTopic {
    /// Its name.
    pub name: String,
    /// All overrides it should have afterwards.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic whose overrides change one by one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IncrementalAlterTopic {
    /// Its name.
    pub name: String,
    /// The changes, at most one to a config.
    pub ops: Vec<ConfigOp>,
}

/// One change of one override.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigOp {
    /// The config.
    pub name: String,
    /// The operation's code on the wire; see [`ConfigOpKind::from_code`].
    pub op: i8,
    /// The value; unused by DELETE.
    pub value: Option<String>,
}

/// Kafka's `AlterConfigOp.OpType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigOpKind {
    /// Set the override.
    Set,
    /// Remove the override.
    Delete,
    /// Add elements to a config of type list.
    Append,
    /// Remove elements from a config of type list.
    Subtract,
}

impl ConfigOpKind {
    /// The operation of a code on the wire; `None` for an unknown one.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(ConfigOpKind::Set),
            1 => Some(ConfigOpKind::Delete),
            2 => Some(ConfigOpKind::Append),
            3 => Some(ConfigOpKind::Subtract),
            _ => None,
        }
    }
}
