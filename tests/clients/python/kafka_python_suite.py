"""kafka-python (pure Python): every codec with the idempotent producer and without, manual assignment, admin.

Usage: kafka_python_suite.py HOST:PORT
"""

import sys
import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, OffsetSpec

import groups
import kafka_python_groups
import scenario
from scenario import CODECS, DEADLINE_SECONDS, PARTITIONS, RECORDS, Checks, Stored, expect
from scenario import records_without_null_headers as records

BOOTSTRAP = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def topic(what):
    return scenario.topic_name("kafka-python", what)


def produce(name, batches, **settings):
    """Sends every record; returns the acknowledged offsets of each partition."""
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=20, batch_size=100_000, **settings)
    pending = [
        producer.send(name, record.value, record.key, record.headers, partition, record.timestamp)
        for partition, record in scenario.interleaved(batches)
    ]
    producer.flush(DEADLINE_SECONDS)
    acknowledged = {partition: [] for partition in batches}
    for future in pending:
        sent = future.get(DEADLINE_SECONDS)
        acknowledged[sent.partition].append(sent.offset)
    producer.close()
    return acknowledged


def reader(**settings):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, auto_offset_reset="none", **settings)


def consume(name, wanted, start=0, **settings):
    """Reads `wanted` (partition -> number of records) from offset `start` on, all partitions at once."""
    consumer = reader(**settings)
    consumer.assign([TopicPartition(name, partition) for partition in wanted])
    for partition in wanted:
        consumer.seek(TopicPartition(name, partition), start)
    got = {partition: [] for partition in wanted}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(len(got[p]) < wanted[p] for p in wanted) and time.monotonic() < deadline:
        for at, messages in consumer.poll(500).items():
            got[at.partition] += [stored(message) for message in messages]
    consumer.close()
    return got


def stored(message):
    expect(message.timestamp_type, 0, "timestamp type (0 is CreateTime)")
    return Stored(message.offset, message.key, message.value, list(message.headers), message.timestamp)


def create(name, partitions=PARTITIONS, **config):
    admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": config}})


def refused_with(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return
    raise AssertionError(f"was not refused with {kind.__name__}")


def cluster():
    answer = admin.describe_cluster()
    assert answer["brokers"] and answer["cluster_id"], answer
    assert answer["controller_id"] in [broker["broker_id"] for broker in answer["brokers"]], answer


def create_topic():
    name = topic("explicit")
    create(name)
    (described,) = admin.describe_topics([name])
    leaders = {p["partition_index"]: p["leader_id"] for p in described["partitions"]}
    expect(sorted(leaders), list(range(PARTITIONS)), "partitions")
    assert min(leaders.values()) >= 0, leaders
    (by_name,) = admin.describe_topic_partitions([name])["topics"]
    expect({p["partition_index"]: p["leader_id"] for p in by_name["partitions"]}, leaders, "DescribeTopicPartitions")
    refused_with(errors.TopicAlreadyExistsError, create, name)
    refused_with(errors.InvalidTopicError, create, "not/a/topic")


def round_trip(codec, idempotent):
    name = topic(f"{codec}-{'idempotent' if idempotent else 'plain'}")
    create(name)
    batches = {p: records(p) for p in range(PARTITIONS)}
    compression = None if codec == "none" else codec
    acknowledged = produce(name, batches, compression_type=compression, enable_idempotence=idempotent)
    got = consume(name, {p: RECORDS for p in batches})
    for partition, wanted in batches.items():
        expect(acknowledged[partition], list(range(RECORDS)), "acknowledged offsets")
        scenario.compare(partition, got[partition], wanted)


def auto_created():
    name = topic("auto")
    batches = {0: records(0)}
    produce(name, batches, compression_type="gzip", acks=1, enable_idempotence=False)
    scenario.compare(0, consume(name, {0: RECORDS})[0], batches[0])


def small_fetches():
    """A batch larger than every limit of the fetch still arrives, alone (KIP-74), with fetch sessions and without."""
    for sessions in (True, False):
        limits = {"fetch_max_bytes": 4_000, "max_partition_fetch_bytes": 2_000}
        got = consume(topic("snappy-plain"), {1: RECORDS, 2: RECORDS}, enable_incremental_fetch_sessions=sessions, **limits)
        for partition, messages in got.items():
            scenario.compare(partition, messages, records(partition))


def long_poll():
    """A consumer at the end is woken by the next record, long before its fetch_max_wait_ms is over."""
    name = topic("poll")
    create(name, 1)
    consumer = reader(fetch_max_wait_ms=8_000)
    consumer.assign([TopicPartition(name, 0)])
    consumer.seek(TopicPartition(name, 0), 0)
    expect(consumer.poll(1_000), {}, "records in an empty partition")
    sender = threading.Thread(target=produce, args=(name, {0: records(0, 1)}))
    sender.start()
    assert consumer.poll(5_000), "not woken within 5 s"
    sender.join()
    consumer.close()


def list_offsets():
    name = topic("lz4-idempotent")
    at = scenario.timestamp
    asked = {
        "earliest": (OffsetSpec.EARLIEST, 0),
        "latest": (OffsetSpec.LATEST, RECORDS),
        "max timestamp": (OffsetSpec.MAX_TIMESTAMP, 38),
        "earliest local": (OffsetSpec.EARLIEST_LOCAL, 0),
        "latest tiered": (OffsetSpec.LATEST_TIERED, -1),
        "before the first": (at(0) - 5_000, 0),
        "exact": (at(12), 12),
        "between two": (at(27) + 1, 28),
        "past the last": (at(38) + 1, -1),
    }
    partitions = [TopicPartition(name, p) for p in range(PARTITIONS)]
    for what, (spec, wanted) in asked.items():
        answers = admin.list_partition_offsets({at: spec for at in partitions})
        expect([answers[at].offset if answers[at] else -1 for at in partitions], [wanted] * PARTITIONS, what)
    consumer = reader()
    found = consumer.offsets_for_times({partitions[2]: at(31)})[partitions[2]]
    expect((found.offset, found.timestamp), (31, at(31)), "offsets_for_times")
    expect(consumer.beginning_offsets(partitions), dict.fromkeys(partitions, 0), "beginning_offsets")
    expect(consumer.end_offsets(partitions), dict.fromkeys(partitions, RECORDS), "end_offsets")
    consumer.close()


def delete_records():
    name = topic("zstd-idempotent")
    answers = admin.delete_records({TopicPartition(name, 0): 15, TopicPartition(name, 1): -1})
    expect(sorted(a["low_watermark"] for a in answers.values()), [15, RECORDS], "low watermarks")
    got = consume(name, {0: RECORDS - 15}, start=15)
    scenario.compare(0, got[0], records(0)[15:], first_offset=15)
    refused_with(errors.OffsetOutOfRangeError, consume, name, {0: 1}, 3)
    refused_with(errors.OffsetOutOfRangeError, admin.delete_records, {TopicPartition(name, 2): RECORDS + 1})


def configs():
    name = topic("configs")
    create(name, **{"retention.ms": "7200000"})

    def described(what="all"):
        answer = admin.describe_configs([ConfigResource("TOPIC", name)], config_filter=what)
        return {key: entry["value"] for key, entry in answer["topic"][name].items()}

    expect(described("modified")["retention.ms"], "7200000", "retention.ms at creation")
    expect(described()["max.message.bytes"], "1048588", "max.message.bytes by default")
    admin.alter_configs([ConfigResource("TOPIC", name, {"retention.ms": "3600000"})], incremental=True)
    expect(described()["retention.ms"], "3600000", "retention.ms after IncrementalAlterConfigs")
    admin.alter_configs([ConfigResource("TOPIC", name, {"retention.bytes": "1000000"})], incremental=False)
    expect(described()["retention.bytes"], "1000000", "retention.bytes after AlterConfigs")
    assert name in admin.list_config_resources(["TOPIC"])["topic"], "ListConfigResources"


def partition_states():
    name = topic("none-idempotent")
    partitions = [TopicPartition(name, p) for p in range(PARTITIONS)]
    for at, state in admin.describe_producers(partitions).items():
        (producer,) = state.active_producers
        expect(producer.last_sequence, RECORDS - 1, f"last sequence of {at}")
    sizes = [
        p["partition_size"]
        for directory in admin.describe_log_dirs([name])
        for described in directory["log_dirs"][0]["topics"]
        for p in described["partitions"]
    ]
    expect(len(sizes), PARTITIONS, "partitions in DescribeLogDirs")
    assert min(sizes) > sum(len(r.value or b"") for r in records(0)), sizes
    expect(admin.list_partition_reassignments({name: [0, 1]}), {}, "reassignments")


def too_large():
    name = topic("too-large")
    create(name, **{"max.message.bytes": "50000"})
    large = {0: [scenario.Record(None, b"x" * 60_000, [], scenario.timestamp(0))]}
    refused_with(errors.MessageSizeTooLargeError, produce, name, large)
    produce(name, {0: records(0, 5)})


def more_partitions():
    name = topic("grown")
    create(name, 2)
    admin.create_partitions({name: PARTITIONS + 2})
    batches = {p: records(p, 5) for p in range(PARTITIONS + 2)}
    produce(name, batches)
    for partition, got in consume(name, {p: 5 for p in batches}).items():
        scenario.compare(partition, got, batches[partition])
    refused_with(errors.InvalidPartitionsError, admin.create_partitions, {name: 2})


def delete_topic():
    name = topic("explicit")
    admin.delete_topics([name])
    assert name not in admin.list_topics(), "still listed"
    refused_with(errors.UnknownTopicOrPartitionError, admin.delete_topics, [name])


def main():
    print(f"kafka-python {kafka.__version__}; it does not send headers whose value is null, they are empty here")
    checks = Checks()
    checks.run("cluster", cluster)
    checks.run("create topic", create_topic)
    for idempotent in (True, False):
        for codec in CODECS:
            checks.run(f"codec {codec}, {'idempotent' if idempotent else 'not idempotent'}", round_trip, codec, idempotent)
    checks.run("auto-created topic", auto_created)
    checks.run("small fetches", small_fetches)
    checks.run("long poll", long_poll)
    checks.run("list offsets", list_offsets)
    checks.run("delete records", delete_records)
    checks.run("configs", configs)
    checks.run("partition states", partition_states)
    checks.run("record too large", too_large)
    checks.run("more partitions", more_partitions)
    checks.run("delete topic", delete_topic)
    member, tools = kafka_python_groups.member_of(BOOTSTRAP), kafka_python_groups.Tools(BOOTSTRAP)
    checks.run_together(groups.Groups("kafka-python", member, tools).checks())
    checks.finish()


main()
