//! Every topic config of Kafka 4.2 (`LogConfig`, `TopicConfig`, `QuotaConfig`).
//! The docs say what a config does here, not what it does in Kafka.

use super::ConfigKind::{Boolean, Double, Int, List, Long, String};
use super::Valid::{Any, AtLeast, Between, DefaultOrBetween, Fraction, ListOf, OneOf};
use super::{ConfigKind, TopicConfig, Valid};

/// Looks a topic config up by name.
pub fn topic_config(name: &str) -> Option<&'static TopicConfig> {
    TOPIC_CONFIGS
        .binary_search_by(|config| config.name.cmp(name))
        .ok()
        .and_then(|at| TOPIC_CONFIGS.get(at))
}

const fn config(
    name: &'static str,
    kind: ConfigKind,
    default: &'static str,
    valid: Valid,
    broker: Option<&'static str>,
    doc: &'static str,
) -> TopicConfig {
    TopicConfig {
        name,
        kind,
        default,
        valid,
        broker,
        doc,
    }
}

const LONG_MAX: &str = "9223372036854775807";

/// All topic configs, in the order of their names.
pub const TOPIC_CONFIGS: &[TopicConfig] = &[
    config(
        "cleanup.policy",
        List,
        "delete",
        ListOf(&["compact", "delete"]),
        Some("log.cleanup.policy"),
        "What happens to old records. With 'delete' they expire by retention.ms and \
         retention.bytes. 'compact' is accepted, with a warning in the broker's log, but the \
         broker does not compact yet: without 'delete', and with an empty list, every record is \
         kept.",
    ),
    config(
        "compression.gzip.level",
        Int,
        "-1",
        DefaultOrBetween(1, 9),
        Some("compression.gzip.level"),
        "The level for compression.type=gzip. Without effect while batches stay as produced.",
    ),
    config(
        "compression.lz4.level",
        Int,
        "9",
        Between(1, 17),
        Some("compression.lz4.level"),
        "The level for compression.type=lz4. Without effect while batches stay as produced.",
    ),
    config(
        "compression.type",
        String,
        "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        Some("compression.type"),
        "How batches are stored. Only 'producer' is supported: as the producer compressed them.",
    ),
    config(
        "compression.zstd.level",
        Int,
        "3",
        Between(-131_072, 22),
        Some("compression.zstd.level"),
        "The level for compression.type=zstd. Without effect while batches stay as produced.",
    ),
    config(
        "delete.retention.ms",
        Long,
        "86400000",
        AtLeast(0),
        Some("log.cleaner.delete.retention.ms"),
        "How long compaction keeps tombstones. The broker does not compact yet and keeps all.",
    ),
    config(
        "file.delete.delay.ms",
        Long,
        "60000",
        AtLeast(0),
        Some("log.segment.delete.delay.ms"),
        "Kafka's delay before it unlinks a log file. Without effect: there is no file per log.",
    ),
    config(
        "flush.messages",
        Long,
        LONG_MAX,
        AtLeast(1),
        Some("log.flush.interval.messages"),
        "After how many records Kafka flushes. Without effect: every record is durable before \
         it is acknowledged.",
    ),
    config(
        "flush.ms",
        Long,
        LONG_MAX,
        AtLeast(0),
        Some("log.flush.interval.ms"),
        "After what time Kafka flushes. Without effect: every record is durable before it is \
         acknowledged.",
    ),
    config(
        "follower.replication.throttled.replicas",
        List,
        "",
        Valid::ThrottledReplicas,
        None,
        "Replicas whose replication Kafka throttles on followers. Without effect: there are none.",
    ),
    config(
        "index.interval.bytes",
        Int,
        "4096",
        AtLeast(0),
        Some("log.index.interval.bytes"),
        "How densely Kafka indexes a log file. Without effect: every batch is indexed.",
    ),
    config(
        "leader.replication.throttled.replicas",
        List,
        "",
        Valid::ThrottledReplicas,
        None,
        "Replicas whose replication Kafka throttles on leaders. Without effect: there are none.",
    ),
    config(
        "local.retention.bytes",
        Long,
        "-2",
        AtLeast(-2),
        Some("log.local.retention.bytes"),
        "What tiered storage keeps locally, bytes. Without effect while remote.storage.enable \
         is false.",
    ),
    config(
        "local.retention.ms",
        Long,
        "-2",
        AtLeast(-2),
        Some("log.local.retention.ms"),
        "What tiered storage keeps locally, milliseconds. Without effect while \
         remote.storage.enable is false.",
    ),
    config(
        "max.compaction.lag.ms",
        Long,
        LONG_MAX,
        AtLeast(1),
        Some("log.cleaner.max.compaction.lag.ms"),
        "The longest a record may wait for compaction. The broker does not compact yet.",
    ),
    config(
        "max.message.bytes",
        Int,
        "1048588",
        AtLeast(0),
        Some("message.max.bytes"),
        "The largest record batch accepted, bytes, after compression. Larger ones are refused \
         with MESSAGE_TOO_LARGE.",
    ),
    config(
        "message.timestamp.after.max.ms",
        Long,
        "3600000",
        AtLeast(0),
        Some("log.message.timestamp.after.max.ms"),
        "How far ahead of the broker's clock a record's CreateTime may be, milliseconds; \
         9223372036854775807 is no bound. What is later is refused with INVALID_TIMESTAMP.",
    ),
    config(
        "message.timestamp.before.max.ms",
        Long,
        LONG_MAX,
        AtLeast(0),
        Some("log.message.timestamp.before.max.ms"),
        "How far behind the broker's clock a record's CreateTime may be, milliseconds; \
         9223372036854775807 is no bound. What is older is refused with INVALID_TIMESTAMP. A bound \
         has the broker look into every batch, compressed ones included.",
    ),
    config(
        "message.timestamp.type",
        String,
        "CreateTime",
        OneOf(&["CreateTime", "LogAppendTime"]),
        Some("log.message.timestamp.type"),
        "Whose clock stamps a record: the producer's (CreateTime) or, at the append, the \
         broker's (LogAppendTime).",
    ),
    config(
        "min.cleanable.dirty.ratio",
        Double,
        "0.5",
        Fraction,
        Some("log.cleaner.min.cleanable.ratio"),
        "The share of uncompacted data that starts compaction. The broker does not compact yet.",
    ),
    config(
        "min.compaction.lag.ms",
        Long,
        "0",
        AtLeast(0),
        Some("log.cleaner.min.compaction.lag.ms"),
        "The shortest a record stays uncompacted. The broker does not compact yet.",
    ),
    config(
        "min.insync.replicas",
        Int,
        "1",
        AtLeast(1),
        Some("min.insync.replicas"),
        "How many replicas must have a record before acks=all is answered. Without effect: \
         every acknowledged record is durable, on the one replica there is.",
    ),
    config(
        "preallocate",
        Boolean,
        "false",
        Any,
        Some("log.preallocate"),
        "Whether Kafka preallocates log files. Without effect: the WAL always is preallocated.",
    ),
    config(
        "remote.log.copy.disable",
        Boolean,
        "false",
        Any,
        None,
        "Stops tiered storage from copying. Without effect while remote.storage.enable is false.",
    ),
    config(
        "remote.log.delete.on.disable",
        Boolean,
        "false",
        Any,
        None,
        "Deletes tiered data when tiering ends. Without effect while remote.storage.enable is \
         false.",
    ),
    config(
        "remote.storage.enable",
        Boolean,
        "false",
        Any,
        None,
        "Kafka's tiered storage. It is disabled in this broker, as in a Kafka without \
         remote.log.storage.system.enable: only false can be set.",
    ),
    config(
        "retention.bytes",
        Long,
        "-1",
        Any,
        Some("log.retention.bytes"),
        "The size of a partition, bytes, past which its oldest records expire if cleanup.policy \
         contains delete. Negative: no such bound.",
    ),
    config(
        "retention.ms",
        Long,
        "604800000",
        AtLeast(-1),
        Some("log.retention.ms"),
        "The age, milliseconds, at which records expire if cleanup.policy contains delete. -1: \
         no such bound.",
    ),
    config(
        "segment.bytes",
        Int,
        "1073741824",
        AtLeast(1024 * 1024),
        Some("log.segment.bytes"),
        "The size of Kafka's log files. Without effect: the WAL sizes its own segments.",
    ),
    config(
        "segment.index.bytes",
        Int,
        "10485760",
        AtLeast(4),
        Some("log.index.size.max.bytes"),
        "The size of Kafka's index files. Without effect: there are none.",
    ),
    config(
        "segment.jitter.ms",
        Long,
        "0",
        AtLeast(0),
        Some("log.roll.jitter.ms"),
        "Spreads in time when Kafka rolls log files. Without effect: there is no file per log.",
    ),
    config(
        "segment.ms",
        Long,
        "604800000",
        AtLeast(1),
        Some("log.roll.ms"),
        "After what time Kafka rolls a log file. Without effect: there is no file per log.",
    ),
    config(
        "unclean.leader.election.enable",
        Boolean,
        "false",
        Any,
        Some("unclean.leader.election.enable"),
        "Whether a replica that lacks data may lead. Without effect: there is one replica.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::configs::{ConfigValue, parse};

    /// What each kind of bound lets through, at its edges.
    #[test]
    fn values_are_bounded_as_their_config_says() {
        let table = [
            (Int, Any, "-2147483648", true),
            (Int, Any, "2147483648", false),
            (Long, Any, LONG_MAX, true),
            (Long, Any, "9223372036854775808", false),
            (Int, AtLeast(5), "5", true),
            (Int, AtLeast(5), "4", false),
            (Int, Between(5, 7), "5", true),
            (Int, Between(5, 7), "7", true),
            (Int, Between(5, 7), "4", false),
            (Int, Between(5, 7), "8", false),
            (Int, DefaultOrBetween(5, 7), "-1", true),
            (Int, DefaultOrBetween(5, 7), "5", true),
            (Int, DefaultOrBetween(5, 7), "8", false),
            (Int, DefaultOrBetween(5, 7), "1", false),
            (Double, Any, "-1e300", true),
            (Double, Any, "NaN", false),
            (Double, Fraction, "0", true),
            (Double, Fraction, "1.0", true),
            (Double, Fraction, "1.01", false),
            (Double, Fraction, "-0.01", false),
            (String, OneOf(&["a", "b"]), "b", true),
            (String, OneOf(&["a", "b"]), " b", false),
            (List, ListOf(&["a", "b"]), " b , a", true),
            (List, ListOf(&["a", "b"]), "a,a", false),
            (List, ListOf(&["a", "b"]), "a,c", false),
            (List, Valid::ThrottledReplicas, "*", true),
            (List, Valid::ThrottledReplicas, "0:1,10:2", true),
            (List, Valid::ThrottledReplicas, "*,0:1", false),
            (List, Valid::ThrottledReplicas, "0:", false),
            (List, Valid::ThrottledReplicas, ":1", false),
            (List, Valid::ThrottledReplicas, "0", false),
            (List, Valid::ThrottledReplicas, "0:x", false),
            (Boolean, Any, "TRUE ", true),
            (Boolean, Any, "yes", false),
        ];
        for (kind, valid, text, is_good) in table {
            let made_up = config("made.up", kind, "", valid, None, "Made up.");
            let found = parse(&made_up, text);
            assert_eq!(
                found.is_ok(),
                is_good,
                "{kind:?} {valid:?} {text}: {found:?}"
            );
            let is_number = matches!(kind, Int | Long);
            let number = found.ok().and_then(ConfigValue::number);
            assert_eq!(number.is_some(), is_good && is_number, "{kind:?} {text}");
        }
    }
}
