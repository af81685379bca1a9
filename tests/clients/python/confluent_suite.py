"""confluent-kafka (librdkafka): every codec with the idempotent producer and without, manual assignment, admin.

Usage: confluent_suite.py HOST:PORT
"""

import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

import confluent_groups
import groups
import scenario
from scenario import CODECS, DEADLINE_SECONDS, PARTITIONS, RECORDS, Checks, Stored, expect

BOOTSTRAP = sys.argv[1]
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def topic(what):
    return scenario.topic_name("confluent", what)


def produce(name, batches, **settings):
    """Sends every record and checks the offset in every acknowledgement."""
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 20, **settings})
    acknowledged = {partition: [] for partition in batches}

    def on_delivery(error, message):
        if error:
            raise KafkaException(error)
        acknowledged[message.partition()].append(message.offset())

    for partition, record in scenario.interleaved(batches):
        producer.produce(
            name,
            record.value,
            record.key,
            partition,
            on_delivery=on_delivery,
            timestamp=record.timestamp,
            headers=record.headers,
        )
        producer.poll(0)
    expect(producer.flush(DEADLINE_SECONDS), 0, "records without an acknowledgement")
    return acknowledged


def reader(**settings):
    # A group id is obligatory, yet the group is never joined: partitions are assigned by hand, nothing is committed.
    return Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": "never-joined",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            **settings,
        }
    )


def consume(name, wanted, start=0, **settings):
    """Reads `wanted` (partition -> number of records) from offset `start` on, all partitions at once."""
    consumer = reader(**settings)
    consumer.assign([TopicPartition(name, partition, start) for partition in wanted])
    got = {partition: [] for partition in wanted}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(len(got[p]) < wanted[p] for p in wanted) and time.monotonic() < deadline:
        for message in consumer.consume(500, timeout=0.5):
            if message.error():
                raise KafkaException(message.error())
            got[message.partition()].append(stored(message))
    consumer.close()
    return got


def stored(message):
    kind, timestamp = message.timestamp()
    expect(kind, confluent_kafka.TIMESTAMP_CREATE_TIME, "timestamp type")
    return Stored(message.offset(), message.key(), message.value(), message.headers() or [], timestamp)


def done(futures):
    return {item: future.result(DEADLINE_SECONDS) for item, future in futures.items()}


def create(name, partitions=PARTITIONS, **config):
    done(admin.create_topics([NewTopic(name, partitions, 1, config=config)]))


def refused_with(code, function, *arguments):
    try:
        function(*arguments)
    except KafkaException as error:
        expect(error.args[0].code(), code, "error code")
    else:
        raise AssertionError(f"was not refused with error {code}")


def cluster():
    answer = admin.describe_cluster().result(DEADLINE_SECONDS)
    assert answer.nodes and answer.controller is not None and answer.cluster_id
    ids = [node.id for node in answer.nodes]
    expect(sorted(admin.list_topics(timeout=DEADLINE_SECONDS).brokers), sorted(ids), "brokers in Metadata")


def create_topic():
    name = topic("explicit")
    create(name)
    described = admin.list_topics(name, DEADLINE_SECONDS).topics[name]
    expect(sorted(described.partitions), list(range(PARTITIONS)), "partitions")
    assert all(p.leader >= 0 for p in described.partitions.values()), "a partition without a leader"
    refused_with(KafkaError.TOPIC_ALREADY_EXISTS, create, name)
    refused_with(KafkaError.TOPIC_EXCEPTION, create, "not/a/topic")
    refused_with(KafkaError.INVALID_PARTITIONS, create, topic("none"), 0)


def round_trip(codec, idempotent):
    name = topic(f"{codec}-{'idempotent' if idempotent else 'plain'}")
    create(name)
    batches = {p: scenario.records(p) for p in range(PARTITIONS)}
    settings = {"compression.type": codec, "enable.idempotence": idempotent}
    acknowledged = produce(name, batches, **settings)
    got = consume(name, {p: RECORDS for p in batches})
    for partition, wanted in batches.items():
        expect(acknowledged[partition], list(range(RECORDS)), "acknowledged offsets")
        scenario.compare(partition, got[partition], wanted)


def auto_created():
    name = topic("auto")
    batches = {0: scenario.records(0)}
    produce(name, batches, **{"compression.type": "lz4", "acks": 1, "enable.idempotence": False})
    scenario.compare(0, consume(name, {0: RECORDS})[0], batches[0])


def small_fetches():
    """A batch larger than every limit of the fetch still arrives, alone (KIP-74)."""
    name = topic("none-plain")
    got = consume(name, {1: RECORDS}, **{"fetch.message.max.bytes": 2_000, "fetch.max.bytes": 4_000, "message.max.bytes": 4_000})
    scenario.compare(1, got[1], scenario.records(1))


def long_poll():
    """A consumer at the end is woken by the next record, long before its fetch.wait.max.ms is over."""
    name = topic("poll")
    create(name, 1)
    consumer = reader(**{"fetch.wait.max.ms": 8_000, "socket.timeout.ms": 20_000})
    consumer.assign([TopicPartition(name, 0, 0)])
    expect(consumer.poll(1.0), None, "record in an empty partition")
    produce(name, {0: scenario.records(0, 1)})
    message = consumer.poll(4.0)
    assert message is not None, "not woken within 4 s of the acknowledgement"
    consumer.close()


def list_offsets():
    name = topic("gzip-idempotent")
    at = scenario.timestamp
    asked = {
        "earliest": (OffsetSpec.earliest(), 0),
        "latest": (OffsetSpec.latest(), RECORDS),
        "max timestamp": (OffsetSpec.max_timestamp(), 38),
        "before the first": (OffsetSpec.for_timestamp(at(0) - 5_000), 0),
        "exact": (OffsetSpec.for_timestamp(at(12)), 12),
        "between two": (OffsetSpec.for_timestamp(at(27) + 1), 28),
        "past the last": (OffsetSpec.for_timestamp(at(38) + 1), -1),
    }
    for what, (spec, wanted) in asked.items():
        for isolation in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED):
            answers = done(admin.list_offsets({TopicPartition(name, p): spec for p in range(PARTITIONS)}, isolation_level=isolation))
            expect([a.offset for a in answers.values()], [wanted] * PARTITIONS, what)
    consumer = reader()
    found = consumer.offsets_for_times([TopicPartition(name, 2, at(31))], DEADLINE_SECONDS)
    expect(found[0].offset, scenario.offset_for(at(31)), "offsets_for_times")
    expect(consumer.get_watermark_offsets(TopicPartition(name, 3), DEADLINE_SECONDS), (0, RECORDS), "watermarks")
    consumer.close()


def delete_records():
    name = topic("zstd-idempotent")
    answers = done(admin.delete_records([TopicPartition(name, 0, 15), TopicPartition(name, 1, -1)]))
    expect(sorted(a.low_watermark for a in answers.values()), [15, RECORDS], "low watermarks")
    got = consume(name, {0: RECORDS - 15}, start=15)
    scenario.compare(0, got[0], scenario.records(0)[15:], first_offset=15)
    refused_with(KafkaError._AUTO_OFFSET_RESET, consume, name, {0: 1}, 3)
    refused_with(KafkaError.OFFSET_OUT_OF_RANGE, lambda: done(admin.delete_records([TopicPartition(name, 2, RECORDS + 1)])))


def configs():
    name = topic("configs")
    create(name, **{"retention.ms": "7200000"})

    def described():
        (answer,) = done(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)])).values()
        return answer

    expect(described()["retention.ms"].value, "7200000", "retention.ms at creation")
    expect(described()["max.message.bytes"].value, "1048588", "max.message.bytes by default")
    change = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    done(admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[change])]))
    expect(described()["retention.ms"].value, "3600000", "retention.ms after the change")
    wrong = ConfigEntry("no.such.config", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[wrong])
    refused_with(KafkaError.INVALID_CONFIG, lambda: done(admin.incremental_alter_configs([resource])))


def too_large():
    name = topic("too-large")
    create(name, **{"max.message.bytes": "50000"})
    large = {0: [scenario.Record(None, b"x" * 60_000, [], scenario.timestamp(0))]}
    refused_with(KafkaError.MSG_SIZE_TOO_LARGE, produce, name, large)
    produce(name, {0: scenario.records(0, 5)})


def more_partitions():
    name = topic("grown")
    create(name, 2)
    done(admin.create_partitions([NewPartitions(name, PARTITIONS + 2)]))
    batches = {p: scenario.records(p, 5) for p in range(PARTITIONS + 2)}
    produce(name, batches)
    for partition, got in consume(name, {p: 5 for p in batches}).items():
        scenario.compare(partition, got, batches[partition])
    refused_with(KafkaError.INVALID_PARTITIONS, lambda: done(admin.create_partitions([NewPartitions(name, 2)])))


def delete_topic():
    name = topic("explicit")
    done(admin.delete_topics([name]))
    assert name not in admin.list_topics(timeout=DEADLINE_SECONDS).topics, "still listed"
    refused_with(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: done(admin.delete_topics([name])))


def main():
    print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
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
    checks.run("record too large", too_large)
    checks.run("more partitions", more_partitions)
    checks.run("delete topic", delete_topic)
    member, tools = confluent_groups.member_of(BOOTSTRAP), confluent_groups.Tools(BOOTSTRAP)
    checks.run_together(groups.Groups("confluent", member, tools).checks())
    checks.finish()


main()
