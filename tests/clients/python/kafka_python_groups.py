"""kafka-python in consumer groups."""

import threading

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka import errors
from kafka.admin import OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor

import groups
from scenario import DEADLINE_SECONDS, PARTITIONS, expect


def member_of(bootstrap):
    class Member(groups.Member, ConsumerRebalanceListener):
        def __init__(self, name, group, session_ms=groups.SESSION_MS, instance=None, cooperative=False):
            super().__init__(name, group)
            self.name = name
            self.consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=group,
                group_instance_id=instance,
                session_timeout_ms=session_ms,
                heartbeat_interval_ms=groups.HEARTBEAT_MS,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=[CooperativeStickyAssignor if cooperative else RangePartitionAssignor],
            )
            self.consumer.subscribe([name], listener=self)

        def on_partitions_assigned(self, assigned):
            self.given.append({at.partition for at in assigned})

        def on_partitions_revoked(self, revoked):
            self.taken.append({at.partition for at in revoked})

        def poll(self):
            return [(m.partition, m.offset, m.value) for some in self.consumer.poll(100).values() for m in some]

        def assigned(self):
            return {at.partition for at in self.consumer.assignment()}

        def commit(self, offsets):
            wanted = {TopicPartition(self.name, p): OffsetAndMetadata(*given, -1) for p, given in offsets.items()}
            self.consumer.commit(wanted)

        def committed(self):
            asked = ((p, self.consumer.committed(TopicPartition(self.name, p), metadata=True)) for p in range(PARTITIONS))
            return {p: (at.offset, at.metadata) for p, at in asked}

        def close(self):
            self.consumer.close()

    return Member


class Tools:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self.creating = threading.Lock()  # the admin client is not made for several threads

    def create(self, name):
        with self.creating:
            self.admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}})

    def produce(self, name, first, end):
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
        for offset in range(first, end):
            for partition in range(PARTITIONS):
                producer.send(name, groups.value_of(partition, offset), partition=partition)
        producer.flush(DEADLINE_SECONDS)
        producer.close()

    def list_groups(self):
        return {listed["group_id"]: listed["group_state"] for listed in self.admin.list_groups()}

    def describe_group(self, group):
        described = self.admin.describe_groups([group])[group]
        assignments = [member["member_assignment"]["assigned_partitions"] for member in described["members"]]
        return described["group_state"], [sorted(p for at in assigned for p in at["partitions"]) for assigned in assignments]

    def offsets(self, group, name):
        return {at.partition: found.offset for at, found in self.admin.list_group_offsets({group: None})[group].items()}

    def ends(self, name):
        asked = {TopicPartition(name, p): OffsetSpec.LATEST for p in range(PARTITIONS)}
        return {at.partition: found.offset for at, found in self.admin.list_partition_offsets(asked).items()}

    def reset_offsets(self, group, name, offsets):
        wanted = {TopicPartition(name, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        codes = [kind.errno for kind in self.admin.alter_group_offsets(group, wanted).values()]
        expect(codes, [0] * len(offsets), "errors of the reset")

    def delete_offsets(self, group, name, partitions):
        asked = [TopicPartition(name, p) for p in partitions]
        codes = [kind.errno for kind in self.admin.delete_group_offsets(group, asked).values()]
        expect(codes, [0] * len(partitions), "errors of the deletion")

    def delete_group(self, group):
        outcome = self.admin.delete_groups([group])[group]
        return 0 if outcome == "OK" else getattr(errors, outcome).errno


if __name__ == "__main__":
    groups.run_member(member_of)
