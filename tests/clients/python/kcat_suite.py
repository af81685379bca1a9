"""kcat (librdkafka as Debian ships it): pipes binary files and keyed lines in, and reads them back by partition.

kcat has no admin commands, so every topic here is auto-created, and the broker must give such topics at least
four partitions. It cannot set timestamps: those read back must lie within the run.

Usage: kcat_suite.py HOST:PORT
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import groups
import kcat_groups
import scenario
from scenario import CODECS, DEADLINE_SECONDS, PARTITIONS, SIZES, Checks, Record, Stored, expect

BOOTSTRAP = sys.argv[1]
LINES = 500


def topic(what):
    return scenario.topic_name("kcat", what)


def kcat(*arguments, given=None):
    command = ["kcat", "-b", BOOTSTRAP, *arguments]
    ended = subprocess.run(command, input=given, capture_output=True, timeout=DEADLINE_SECONDS)
    if ended.returncode:
        raise AssertionError(f"{' '.join(command[:12])}: exit {ended.returncode}, {ended.stderr.decode()[-400:]}")
    return ended.stdout


def metadata(*arguments):
    return json.loads(kcat("-L", "-J", *arguments))


def cluster():
    answer = metadata()
    ids = [broker["id"] for broker in answer["brokers"]]
    assert ids and answer["controllerid"] in ids, answer


def produce_files(name, partition, codec, folder):
    """One record per file: every size and every byte; all with the same key and headers."""
    files, wanted = [], []
    for index, size in enumerate(SIZES):
        if size == 0:
            continue  # kcat cannot map an empty file
        content = bytes_of(partition, index, size)
        path = folder / f"{partition}-{index}"
        path.write_bytes(content)
        files.append(str(path))
        wanted.append(Record(b"from a file", content, [("trace", b"a=b"), ("twice", b"1"), ("twice", b"2")], None))
    headers = [word for header in ("trace=a=b", "twice=1", "twice=2") for word in ("-H", header)]
    kcat("-P", "-t", name, "-p", str(partition), "-z", codec, "-k", "from a file", *headers, *files)
    return wanted


def bytes_of(partition, index, size):
    """All 256 byte values, not aligned to anything."""
    pattern = bytes((17 * partition + index + step * 7) % 256 for step in range(257))
    return (pattern * (size // len(pattern) + 1))[:size]


def produce_lines(name, partition, codec):
    """Keyed lines through standard input by the idempotent producer; -Z turns an empty key or value into null."""
    wanted, lines = [], []
    for index in range(LINES):
        key = b"" if index % 5 == 0 else b"key-%d-%d" % (partition, index)
        value = b"" if index % 7 == 0 else b"line %d " % index + b"x" * (index % 300)
        lines.append(key + b"|" + value + b"\n")
        wanted.append(Record(key or None, value or None, [], None))
    idempotent = ("-X", "enable.idempotence=true")
    kcat("-P", "-t", name, "-p", str(partition), "-z", codec, "-Z", "-K", "|", *idempotent, given=b"".join(lines))
    return wanted


def consume(name, partition, start="beginning", *arguments):
    """Reads to the end. Lengths precede contents, so that any byte may occur in them; -1 stands for null."""
    layout = "%o %T %K %S %h\n%k%s\n"
    out = kcat("-C", "-t", name, "-p", str(partition), "-o", start, "-e", "-q", "-f", layout, *arguments)
    got, at = [], 0
    while at < len(out):
        end = out.index(b"\n", at)
        offset, timestamp, key_size, value_size, headers = out[at:end].split(b" ", 4)
        sizes = (int(key_size), int(value_size))
        middle = end + 1 + max(sizes[0], 0)
        at = middle + max(sizes[1], 0) + 1
        key = out[end + 1 : middle] if sizes[0] >= 0 else None
        value = out[middle : at - 1] if sizes[1] >= 0 else None
        pairs = [tuple(pair.split(b"=", 1)) for pair in headers.split(b",") if pair]
        got.append(Stored(int(offset), key, value, [(n.decode(), v) for n, v in pairs], int(timestamp)))
    return got


def round_trip(codec):
    name = topic(codec)
    before = int(time.time() * 1000)
    with tempfile.TemporaryDirectory() as folder:
        batches = {}
        for partition in range(PARTITIONS):
            batches[partition] = produce_files(name, partition, codec, Path(folder))
            batches[partition] += produce_lines(name, partition, codec)
    after = int(time.time() * 1000)
    for partition, wanted in batches.items():
        got = consume(name, partition)
        assert all(before <= stored.timestamp <= after for stored in got), "a timestamp outside the run"
        wanted = [r._replace(timestamp=stored.timestamp) for r, stored in zip(wanted, got)] + wanted[len(got) :]
        scenario.compare(partition, got, wanted)


def auto_created():
    name = topic("auto")
    kcat("-P", "-t", name, given=b"first\n")
    (described,) = metadata("-t", name)["topics"]
    assert len(described["partitions"]) >= PARTITIONS, f"start the broker with {PARTITIONS} default partitions: {described}"
    assert all(p["leader"] >= 0 for p in described["partitions"]), described


def all_partitions():
    """Without -p kcat reads every partition at once, and by itself it spreads keys over them."""
    name = topic("spread")
    lines = [b"%d|value %d" % (index, index) for index in range(2_000)]
    kcat("-P", "-t", name, "-K", "|", "-X", "topic.partitioner=murmur2_random", given=b"\n".join(lines) + b"\n")
    out = kcat("-C", "-t", name, "-o", "beginning", "-e", "-q", "-f", "%p %k|%s\n").splitlines()
    expect(sorted(line.split(b" ", 1)[1] for line in out), sorted(lines), "lines")
    assert len({line.split(b" ")[0] for line in out}) >= PARTITIONS, "not spread over the partitions"


def offsets_by_time():
    name, end = topic("gzip"), len(SIZES) - 1 + LINES
    got = consume(name, 1)
    middle = got[end // 2].timestamp
    first = next(stored.offset for stored in got if stored.timestamp >= middle)
    for asked, wanted in ((-2, 0), (-1, end), (middle, first), (int(time.time() * 1000) + 3_600_000, -1)):
        answer = kcat("-Q", "-t", f"{name}:1:{asked}").decode().strip()
        expect(answer, f"{name} [1] offset {wanted}", f"query of {asked}")
    expect([s.offset for s in consume(name, 1, f"s@{middle}")], list(range(first, end)), "from a timestamp")
    expect([s.offset for s in consume(name, 1, "-3")], list(range(end - 3, end)), "the last three")
    expect([s.offset for s in consume(name, 1, "7", "-c", "2")], [7, 8], "two from offset 7")


def main():
    print(subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout.split("\n")[3])
    checks = Checks()
    checks.run("cluster", cluster)
    checks.run("auto-created topic", auto_created)
    for codec in CODECS:
        checks.run(f"codec {codec}", round_trip, codec)
    checks.run("all partitions", all_partitions)
    checks.run("offsets by time", offsets_by_time)
    member, tools = kcat_groups.member_of(BOOTSTRAP), kcat_groups.Tools(BOOTSTRAP)
    checks.run_together(groups.Groups("kcat", member, tools).checks())
    checks.finish()


main()
