#!/usr/bin/env python3
"""Whether the batches that a suite had its client compress really are compressed, and by that codec, in the broker's log.
A client may do without, silently, and consumers decompress and tell nobody: so this asks with requests of its own.

    codecs_in_log.py HOST:PORT SUITE <OUTPUT_OF_THE_SUITE

Every codec whose checks the suite has passed is looked for in the topics of its last run.
"""

import re
import socket
import struct
import sys

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")  # by their number in a batch's attributes
BATCH_HEADER = struct.Struct(">qiibihi")  # offset, length of the rest, leader epoch, magic, checksum, attributes, last offset
BYTES = 50_000_000
EARLIEST = -2


class Answer:
    """A response body, read from its front."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self, layout):
        (value,) = struct.unpack_from(f">{layout}", self.body, self.at)
        self.at += struct.calcsize(f">{layout}")
        return value

    def string(self):
        return self.take(self.number("h")).decode()

    def take(self, length):
        self.at += max(length, 0)
        return self.body[self.at - max(length, 0) : self.at]


def text(value):
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded


def ask(address, api, version, body):
    request = struct.pack(">hhih", api, version, 7, -1) + body  # correlation id 7, no client id
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        (length,) = struct.unpack(">i", answer.read(4))
        return Answer(answer.read(length)[4:])


def leaders(bootstrap):
    """Every topic's partitions, each with the address of its leader (Metadata 1)."""
    answer = ask(bootstrap, 3, 1, struct.pack(">i", -1))
    brokers = {}
    for _ in range(answer.number("i")):
        node, host, port, _ = answer.number("i"), answer.string(), answer.number("i"), answer.string()
        brokers[node] = (host, port)
    answer.number("i")
    topics = {}
    for _ in range(answer.number("i")):
        _, name, _ = answer.number("h"), answer.string(), answer.number("b")
        topics[name] = {}
        for _ in range(answer.number("i")):
            _, partition, leader = answer.number("h"), answer.number("i"), answer.number("i")
            topics[name][partition] = brokers[leader]
            for _ in range(2):  # replicas, those in sync
                answer.take(4 * answer.number("i"))
    return topics


def log_start(address, topic, partition):
    asked = struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">iiq", 1, partition, EARLIEST)
    answer = ask(address, 2, 1, asked)  # ListOffsets 1
    answer.take(4)  # number of topics
    answer.string()
    answer.take(8)  # number of partitions, partition
    error, _ = answer.number("h"), answer.number("q")
    if error:
        raise AssertionError(f"log start of {topic} [{partition}]: error {error}")
    return answer.number("q")


def codecs(address, topic, partition):
    """The codecs of all batches of a partition."""
    found, offset, end = set(), log_start(address, topic, partition), None
    while end is None or offset < end:
        asked = struct.pack(">iiiib", -1, 0, 0, BYTES, 0) + struct.pack(">i", 1) + text(topic)
        answer = ask(address, 1, 4, asked + struct.pack(">iiqi", 1, partition, offset, BYTES))  # Fetch 4
        answer.take(8)  # throttle time, number of topics
        answer.string()
        answer.take(8)  # number of partitions, partition
        error, end, _, aborted = (answer.number(n) for n in "hqqi")
        records, at = answer.take(answer.number("i")), 0
        if error or aborted > 0 or (not records and offset < end):
            raise AssertionError(f"fetch of {topic} [{partition}] at {offset}: error {error}, {aborted} aborted transactions")
        while at + BATCH_HEADER.size <= len(records):
            first, rest, _, _, _, attributes, delta = BATCH_HEADER.unpack_from(records, at)
            found.add(CODECS[attributes & 7])
            offset, at = first + delta + 1, at + 12 + rest
    return found


def of_last_run(topics, suite, codec):
    """The topics that a suite's last run wrote with a codec: SUITE-CODEC[-idempotent|-plain]-TIME-PROCESS."""
    named = re.compile(f"{re.escape(suite)}-{codec}(-idempotent|-plain)?-([0-9a-f]+)-[0-9a-f]+")
    runs = {name: int(match[2], 16) for name in topics if (match := named.fullmatch(name))}
    return sorted(name for name, run in runs.items() if run == max(runs.values()))


def check(topics, suite, codec):
    """A batch that would not get smaller may be sent as it is."""
    names = of_last_run(topics, suite, codec)
    if not names:
        raise AssertionError("no topic of this codec")
    for name in names:
        found = {}
        for partition, address in topics[name].items():
            found[partition] = codecs(address, name, partition)
        # A check may have deleted all records of a partition.
        wrong = {p: sorted(codecs) for p, codecs in found.items() if codecs and (codec not in codecs or codecs - {codec, "none"})}
        if wrong or not any(found.values()):
            raise AssertionError(f"batches in {name} by partition: {wrong or 'none at all'}")
    return names


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    suite = sys.argv[2]
    output = sys.stdin.read()
    wanted = [codec for codec in CODECS if re.search(f"^ok +codec {codec}\\b", output, re.M)]
    passed = failed = 0
    topics = leaders((host, int(port)))
    for codec in wanted:
        try:
            names = check(topics, suite, codec)
        except (AssertionError, OSError, struct.error) as error:
            failed += 1
            print(f"FAIL {codec} in the log: {error}")
        else:
            passed += 1
            print(f"ok   {codec} in the log, {len(names)} topic(s)")
    if not wanted:
        failed += 1
        print("FAIL codecs in the log: the suite has passed no check of a codec")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
