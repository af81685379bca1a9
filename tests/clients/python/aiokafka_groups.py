"""aiokafka in consumer groups. Each member has an event loop of its own, in the thread that polls it."""

import asyncio
import logging

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

import groups
from scenario import DEADLINE_SECONDS, PARTITIONS

logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # it warns of every rebalance


def member_of(bootstrap):
    class Member(groups.Member, ConsumerRebalanceListener):
        cooperative = False  # aiokafka knows the eager protocol alone

        def __init__(self, name, group, session_ms=groups.SESSION_MS, instance=None, cooperative=False):
            super().__init__(name, group)
            self.name = name
            self.loop = asyncio.new_event_loop()
            self.loop.run_until_complete(self.start(group, session_ms, instance))

        async def start(self, group, session_ms, instance):
            self.consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=group,
                group_instance_id=instance,
                session_timeout_ms=session_ms,
                heartbeat_interval_ms=groups.HEARTBEAT_MS,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=[RangePartitionAssignor],
            )
            self.consumer.subscribe([self.name], listener=self)
            await self.consumer.start()

        def on_partitions_assigned(self, assigned):
            self.given.append({at.partition for at in assigned})

        def on_partitions_revoked(self, revoked):
            self.taken.append({at.partition for at in revoked})

        def run(self, awaitable):
            return self.loop.run_until_complete(asyncio.wait_for(awaitable, DEADLINE_SECONDS))

        def poll(self):
            found = self.run(self.consumer.getmany(timeout_ms=100))
            return [(m.partition, m.offset, m.value) for some in found.values() for m in some]

        def assigned(self):
            return {at.partition for at in self.consumer.assignment()}

        def commit(self, offsets):
            wanted = {TopicPartition(self.name, p): given for p, given in offsets.items()}
            self.run(self.consumer.commit(wanted))

        def committed(self):
            # The consumer itself gives offsets without their metadata.
            return self.run(self.asked_with_metadata())

        async def asked_with_metadata(self):
            partitions = [TopicPartition(self.name, p) for p in range(PARTITIONS)]
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            try:
                found = await admin.list_consumer_group_offsets(self.consumer._group_id, partitions=partitions)
                for at in partitions:
                    assert found[at].offset == await self.consumer.committed(at), found
                return {at.partition: (found[at].offset, found[at].metadata) for at in partitions}
            finally:
                await admin.close()

        def close(self):
            self.run(self.consumer.stop())

    return Member


class Tools:
    # The admin client of aiokafka only looks.
    reset_offsets = delete_offsets = delete_group = None

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def ask(self, question):
        """Checks run in several threads: each question has a client and a loop of its own."""

        async def asked():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                return await question(admin)
            finally:
                await admin.close()

        return asyncio.run(asked())

    def create(self, name):
        self.ask(lambda admin: admin.create_topics([NewTopic(name, PARTITIONS, 1)]))

    def produce(self, name, first, end):
        async def produced():
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
            await producer.start()
            for offset in range(first, end):
                for partition in range(PARTITIONS):
                    await producer.send(name, groups.value_of(partition, offset), partition=partition)
            await producer.stop()

        asyncio.run(produced())

    def list_groups(self):
        return {listed[0]: None for listed in self.ask(lambda admin: admin.list_consumer_groups())}

    def describe_group(self, group):
        (answer,) = self.ask(lambda admin: admin.describe_consumer_groups([group]))
        ((_, _, state, _, _, members, *_),) = answer.groups
        assignments = [ConsumerProtocolMemberAssignment.decode(member[-1]).assignment for member in members]
        return state, [sorted(p for _, partitions in assigned for p in partitions) for assigned in assignments]

    def offsets(self, group, name):
        found = self.ask(lambda admin: admin.list_consumer_group_offsets(group))
        return {at.partition: kept.offset for at, kept in found.items()}

    def ends(self, name):
        async def asked():
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
            await consumer.start()
            ends = await consumer.end_offsets([TopicPartition(name, p) for p in range(PARTITIONS)])
            await consumer.stop()
            return {at.partition: end for at, end in ends.items()}

        return asyncio.run(asked())


if __name__ == "__main__":
    groups.run_member(member_of)
