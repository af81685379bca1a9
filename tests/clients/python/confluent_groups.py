"""confluent-kafka in consumer groups."""

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

import groups
from scenario import DEADLINE_SECONDS, PARTITIONS, expect


def member_of(bootstrap):
    class Member(groups.Member):
        next_protocol = True

        def __init__(self, name, group, session_ms=groups.SESSION_MS, instance=None, cooperative=False, protocol="classic"):
            super().__init__(name, group)
            self.name = name
            settings = {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": protocol,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
            if protocol == "classic":
                settings["session.timeout.ms"] = session_ms
                settings["heartbeat.interval.ms"] = groups.HEARTBEAT_MS
                settings["partition.assignment.strategy"] = "cooperative-sticky" if cooperative else "range"
            if instance:
                settings["group.instance.id"] = instance
            self.consumer = Consumer(settings)
            self.consumer.subscribe(
                [name],
                on_assign=lambda _, partitions: self.given.append({at.partition for at in partitions}),
                on_revoke=lambda _, partitions: self.taken.append({at.partition for at in partitions}),
            )

        def poll(self):
            messages = self.consumer.consume(100, timeout=0.1)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
            return [(message.partition(), message.offset(), message.value()) for message in messages]

        def assigned(self):
            return {at.partition for at in self.consumer.assignment()}

        def commit(self, offsets):
            wanted = [TopicPartition(self.name, p, offset, metadata) for p, (offset, metadata) in offsets.items()]
            for at in self.consumer.commit(offsets=wanted, asynchronous=False):
                if at.error:
                    raise KafkaException(at.error)

        def committed(self):
            asked = [TopicPartition(self.name, p) for p in range(PARTITIONS)]
            return {at.partition: (at.offset, at.metadata) for at in self.consumer.committed(asked, DEADLINE_SECONDS)}

        def close(self):
            self.consumer.close()

    return Member


class Tools:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, name):
        self.admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(DEADLINE_SECONDS)

    def produce(self, name, first, end):
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5})
        for offset in range(first, end):
            for partition in range(PARTITIONS):
                producer.produce(name, groups.value_of(partition, offset), partition=partition)
        expect(producer.flush(DEADLINE_SECONDS), 0, "records without an acknowledgement")

    def list_groups(self):
        answer = self.admin.list_consumer_groups().result(DEADLINE_SECONDS)
        expect(answer.errors, [], "errors of the list")
        return {listed.group_id: listed.state.name for listed in answer.valid}

    def describe_group(self, group):
        answer = self.admin.describe_consumer_groups([group])[group].result(DEADLINE_SECONDS)
        parts = [sorted(at.partition for at in member.assignment.topic_partitions) for member in answer.members]
        return answer.state.name.title(), parts

    def offsets(self, group, name):
        request = ConsumerGroupTopicPartitions(group)
        answer = self.admin.list_consumer_group_offsets([request])[group].result(DEADLINE_SECONDS)
        return {at.partition: at.offset for at in answer.topic_partitions}

    def ends(self, name):
        asked = {TopicPartition(name, p): OffsetSpec.latest() for p in range(PARTITIONS)}
        return {at.partition: future.result(DEADLINE_SECONDS).offset for at, future in self.admin.list_offsets(asked).items()}

    def reset_offsets(self, group, name, offsets):
        wanted = [TopicPartition(name, p, offset) for p, offset in offsets.items()]
        request = ConsumerGroupTopicPartitions(group, wanted)
        answer = self.admin.alter_consumer_group_offsets([request])[group].result(DEADLINE_SECONDS)
        expect([at.error for at in answer.topic_partitions], [None] * len(wanted), "errors of the reset")

    delete_offsets = None  # this client has no such thing

    def delete_group(self, group):
        try:
            self.admin.delete_consumer_groups([group])[group].result(DEADLINE_SECONDS)
        except KafkaException as error:
            return error.args[0].code()
        return 0


if __name__ == "__main__":
    groups.run_member(member_of)
