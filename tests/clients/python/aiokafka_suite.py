"""aiokafka (asyncio): every codec with the idempotent producer and without, manual assignment, admin.

Usage: aiokafka_suite.py HOST:PORT
"""

import asyncio
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import aiokafka_groups
import groups
import scenario
from scenario import CODECS, DEADLINE_SECONDS, PARTITIONS, RECORDS, Checks, Stored, expect

BOOTSTRAP = sys.argv[1]


def topic(what):
    return scenario.topic_name("aiokafka", what)


async def produce(name, batches, **settings):
    """Sends every record; returns the acknowledged offsets of each partition."""
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=20, max_batch_size=100_000, **settings)
    await producer.start()
    try:
        pending = [
            await producer.send(name, record.value, record.key, partition, record.timestamp, record.headers)
            for partition, record in scenario.interleaved(batches)
        ]
        acknowledged = {partition: [] for partition in batches}
        for sent in await asyncio.gather(*pending):
            acknowledged[sent.partition].append(sent.offset)
        return acknowledged
    finally:
        await producer.stop()


async def started_reader(partitions, start=0, **settings):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, auto_offset_reset="none", **settings)
    await consumer.start()
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, start)
    return consumer


async def consume(name, wanted, start=0, **settings):
    """Reads `wanted` (partition -> number of records) from offset `start` on, all partitions at once."""
    consumer = await started_reader([TopicPartition(name, p) for p in wanted], start, **settings)
    got = {partition: [] for partition in wanted}
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while any(len(got[p]) < wanted[p] for p in wanted) and time.monotonic() < deadline:
            for at, messages in (await consumer.getmany(timeout_ms=500)).items():
                got[at.partition] += [stored(message) for message in messages]
    finally:
        await consumer.stop()
    return got


def stored(message):
    expect(message.timestamp_type, 0, "timestamp type (0 is CreateTime)")
    return Stored(message.offset, message.key, message.value, list(message.headers), message.timestamp)


async def refused_with(kind, awaitable):
    try:
        await awaitable
    except kind:
        return
    raise AssertionError(f"was not refused with {kind.__name__}")


def check_codes(answer, *wanted):
    """Admin answers are the raw responses: the error code is the second field of each topic."""
    entries = getattr(answer, "topic_errors", None) or getattr(answer, "topic_error_codes", [])
    expect([entry[1] for entry in entries], list(wanted), "error codes")


class Suite:
    def __init__(self, admin):
        self.admin = admin

    async def create(self, name, partitions=PARTITIONS, code=0, **config):
        check_codes(await self.admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)]), code)

    async def cluster(self):
        answer = await self.admin.describe_cluster()
        assert answer["brokers"] and answer["cluster_id"], answer

    async def create_topic(self):
        name = topic("explicit")
        await self.create(name)
        (described,) = await self.admin.describe_topics([name])
        expect(sorted(p["partition"] for p in described["partitions"]), list(range(PARTITIONS)), "partitions")
        assert all(p["leader"] >= 0 for p in described["partitions"]), described
        await self.create(name, code=errors.TopicAlreadyExistsError.errno)
        await self.create("not/a/topic", code=errors.InvalidTopicError.errno)

    async def round_trip(self, codec, idempotent):
        name = topic(f"{codec}-{'idempotent' if idempotent else 'plain'}")
        await self.create(name)
        batches = {p: scenario.records(p) for p in range(PARTITIONS)}
        compression = None if codec == "none" else codec
        acknowledged = await produce(name, batches, compression_type=compression, enable_idempotence=idempotent)
        got = await consume(name, {p: RECORDS for p in batches})
        for partition, wanted in batches.items():
            expect(acknowledged[partition], list(range(RECORDS)), "acknowledged offsets")
            scenario.compare(partition, got[partition], wanted)

    async def auto_created(self):
        name = topic("auto")
        batches = {0: scenario.records(0)}
        await produce(name, batches, compression_type="snappy", acks=1)
        scenario.compare(0, (await consume(name, {0: RECORDS}))[0], batches[0])

    async def no_acknowledgement(self):
        """acks=0: the broker must not answer, or every later answer on the connection is misread."""
        name = topic("acks-0")
        await self.create(name)
        producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, acks=0)
        await producer.start()
        wanted = scenario.records(2)
        for record in wanted:
            await producer.send_and_wait(name, record.value, record.key, 2, record.timestamp, record.headers)
        await producer.stop()
        scenario.compare(2, (await consume(name, {2: RECORDS}))[2], wanted)

    async def small_fetches(self):
        """A batch larger than every limit of the fetch still arrives, alone (KIP-74)."""
        wanted = {1: RECORDS, 2: RECORDS}
        got = await consume(topic("zstd-plain"), wanted, fetch_max_bytes=4_000, max_partition_fetch_bytes=2_000)
        for partition, messages in got.items():
            scenario.compare(partition, messages, scenario.records(partition))

    async def long_poll(self):
        """A consumer at the end is woken by the next record, long before its fetch_max_wait_ms is over."""
        name = topic("poll")
        await self.create(name, 1)
        consumer = await started_reader([TopicPartition(name, 0)], fetch_max_wait_ms=8_000)
        expect(await consumer.getmany(timeout_ms=1_000), {}, "records in an empty partition")
        await produce(name, {0: scenario.records(0, 1)})
        assert await consumer.getmany(timeout_ms=4_000), "not woken within 4 s of the acknowledgement"
        await consumer.stop()

    async def list_offsets(self):
        partitions = [TopicPartition(topic("gzip-idempotent"), p) for p in range(PARTITIONS)]
        consumer = await started_reader(partitions)
        at = scenario.timestamp
        for asked, wanted in ((at(0) - 5_000, 0), (at(12), 12), (at(27) + 1, 28), (at(38) + 1, None)):
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, asked))
            expect([f and f.offset for f in found.values()], [wanted] * PARTITIONS, f"offset for {asked}")
        expect(await consumer.beginning_offsets(partitions), dict.fromkeys(partitions, 0), "beginning_offsets")
        expect(await consumer.end_offsets(partitions), dict.fromkeys(partitions, RECORDS), "end_offsets")
        await consumer.stop()

    async def delete_records(self):
        name = topic("lz4-idempotent")
        first, second, third = (TopicPartition(name, p) for p in range(3))
        low = await self.admin.delete_records({first: RecordsToDelete(15), second: RecordsToDelete(-1)})
        expect((low[first], low[second]), (15, RECORDS), "low watermarks")
        got = await consume(name, {0: RECORDS - 15}, start=15)
        scenario.compare(0, got[0], scenario.records(0)[15:], first_offset=15)
        await refused_with(errors.OffsetOutOfRangeError, consume(name, {0: 1}, start=3))
        await refused_with(errors.OffsetOutOfRangeError, self.admin.delete_records({third: RecordsToDelete(RECORDS + 1)}))

    async def configs(self):
        name = topic("configs")
        await self.create(name, **{"retention.ms": "7200000"})

        async def described():
            (answer,) = await self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            ((code, _, _, _, entries),) = answer.resources
            expect(code, 0, "error code")
            return {entry[0]: entry[1] for entry in entries}

        expect((await described())["retention.ms"], "7200000", "retention.ms at creation")
        expect((await described())["max.message.bytes"], "1048588", "max.message.bytes by default")
        change = ConfigResource(ConfigResourceType.TOPIC, name, {"retention.bytes": "1000000"})
        (answer,) = await self.admin.alter_configs([change])
        expect(answer.resources[0][0], 0, "error code")
        # AlterConfigs replaces all of the topic's settings: what is not named returns to its default.
        expect((await described())["retention.bytes"], "1000000", "retention.bytes after AlterConfigs")
        expect((await described())["retention.ms"], "604800000", "retention.ms after AlterConfigs")

    async def too_large(self):
        name = topic("too-large")
        await self.create(name, **{"max.message.bytes": "50000"})
        large = {0: [scenario.Record(None, b"x" * 60_000, [], scenario.timestamp(0))]}
        await refused_with(errors.MessageSizeTooLargeError, produce(name, large))
        await produce(name, {0: scenario.records(0, 5)})

    async def more_partitions(self):
        name = topic("grown")
        await self.create(name, 2)
        check_codes(await self.admin.create_partitions({name: NewPartitions(PARTITIONS + 2)}), 0)
        batches = {p: scenario.records(p, 5) for p in range(PARTITIONS + 2)}
        await produce(name, batches)
        for partition, got in (await consume(name, {p: 5 for p in batches})).items():
            scenario.compare(partition, got, batches[partition])

    async def delete_topic(self):
        name = topic("explicit")
        check_codes(await self.admin.delete_topics([name]), 0)
        assert name not in await self.admin.list_topics(), "still listed"
        check_codes(await self.admin.delete_topics([name]), errors.UnknownTopicOrPartitionError.errno)


def main():
    print(f"aiokafka {aiokafka.__version__}")
    loop = asyncio.new_event_loop()
    admin = AIOKafkaAdminClient(loop=loop, bootstrap_servers=BOOTSTRAP)
    loop.run_until_complete(admin.start())
    suite = Suite(admin)
    checks = Checks()

    def run(name, function, *arguments):
        checks.run(name, lambda: loop.run_until_complete(function(*arguments)))

    run("cluster", suite.cluster)
    run("create topic", suite.create_topic)
    for idempotent in (True, False):
        for codec in CODECS:
            run(f"codec {codec}, {'idempotent' if idempotent else 'not idempotent'}", suite.round_trip, codec, idempotent)
    run("auto-created topic", suite.auto_created)
    run("no acknowledgement", suite.no_acknowledgement)
    run("small fetches", suite.small_fetches)
    run("long poll", suite.long_poll)
    run("list offsets", suite.list_offsets)
    run("delete records", suite.delete_records)
    run("configs", suite.configs)
    run("record too large", suite.too_large)
    run("more partitions", suite.more_partitions)
    run("delete topic", suite.delete_topic)
    member, tools = aiokafka_groups.member_of(BOOTSTRAP), aiokafka_groups.Tools(BOOTSTRAP)
    checks.run_together(groups.Groups("aiokafka", member, tools).checks())
    checks.finish()


main()
