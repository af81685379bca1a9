"""The records that every suite writes and expects back, and the counting of checks.

The same records are made in every language (see ../README.md), so a difference between two suites is a
difference between two clients.
"""

import hashlib
import os
import sys
import threading
import time
import traceback
from collections import namedtuple

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = 4
RECORDS = 40  # in each partition
SIZES = (0, 1, 10, 100, 1_000, 10_000, 100_000, 300_000)  # bytes of a value, by index
RUN = f"{int(time.time()):x}-{os.getpid():x}"  # keeps the topics of two runs apart
DEADLINE_SECONDS = 30  # for any single answer of the broker

# In the past, so that no record is newer than the broker's clock, and well inside the default retention.
FIRST_TIMESTAMP = int(time.time() * 1000) - 3_600_000

# key and value: bytes or None; headers: list of (str, bytes or None); timestamp: ms since the epoch.
Record = namedtuple("Record", "key value headers timestamp")
Stored = namedtuple("Stored", "offset key value headers timestamp")


def timestamp(index):
    """Rises by a second a record, except that every tenth record is late by six seconds."""
    return FIRST_TIMESTAMP + 1_000 * (index - 6 if index % 10 == 9 else index)


def key(partition, index):
    if index % 5 == 0:
        return None
    if index % 5 == 1:
        return b""
    return f"key-{partition}-{index}".encode()


def value(partition, index):
    """Even records are text that compresses, odd ones are digests that do not; every eleventh is null."""
    if index % 11 == 7:
        return None
    size = SIZES[index % len(SIZES)]
    name = f"{partition}-{index}-"
    if index % 2 == 0:
        return (name.encode() * (size // len(name) + 1))[:size]
    blocks = (hashlib.sha256(f"{name}{block}".encode()).digest() for block in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def headers(partition, index):
    return (
        [],
        [("trace", f"{partition}-{index}".encode())],
        [("twice", b"\x00\xff\x80\n"), ("twice", b"again")],
        [("null", None), ("empty", b"")],
    )[index % 4]


def records(partition, count=RECORDS):
    return [
        Record(key(partition, i), value(partition, i), headers(partition, i), timestamp(i)) for i in range(count)
    ]


def records_without_null_headers(partition, count=RECORDS):
    """For clients that refuse to send a header without a value: it is empty instead."""
    return [r._replace(headers=[(name, content or b"") for name, content in r.headers]) for r in records(partition, count)]


def interleaved(batches):
    """(partition, record) round-robin over the partitions, so that requests carry several of them."""
    for turn in zip(*batches.values()):
        yield from zip(batches.keys(), turn)


def offset_for(wanted_timestamp):
    """The first offset whose record is not older, as ListOffsets by timestamp answers; None past the end."""
    return next((i for i in range(RECORDS) if timestamp(i) >= wanted_timestamp), None)


def topic_name(suite, what):
    return f"{suite}-{what}-{RUN}"


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: got {actual!r}, expected {wanted!r}")


def compare(partition, got, wanted, first_offset=0):
    """Checks a whole partition: nothing missing, nothing twice, dense offsets, every field equal."""
    for number, (stored, record) in enumerate(zip(got, wanted)):
        where = f"partition {partition} record {number}"
        expect(stored.offset, first_offset + number, f"{where} offset")
        expect(stored.key, record.key, f"{where} key")
        expect(stored.timestamp, record.timestamp, f"{where} timestamp")
        expect(list(stored.headers), record.headers, f"{where} headers")
        if stored.value != record.value:
            raise AssertionError(f"{where} value: got {outline(stored.value)}, expected {outline(record.value)}")
    expect(len(got), len(wanted), f"partition {partition} number of records")


def outline(value):
    return "null" if value is None else f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}"


class Checks:
    """Runs checks one after the other, prints a line for each, and ends with the count."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, function, *arguments):
        started = time.monotonic()
        try:
            function(*arguments)
        except Exception as error:
            self.failed += 1
            at = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL {name}: {type(error).__name__}: {str(error)[:600]} ({os.path.basename(at.filename)}:{at.lineno})")
        else:
            self.passed += 1
            print(f"ok   {name} ({time.monotonic() - started:.1f} s)")
        sys.stdout.flush()

    def run_together(self, named):
        """Runs (name, function) pairs at the same time."""
        threads = [threading.Thread(target=self.run, args=check) for check in named]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.stdout.flush()
        # A client's background threads must not keep a finished suite alive.
        os._exit(1 if self.failed else 0)
