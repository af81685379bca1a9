"""Which codecs the batches of a partition have in the log, asked with a Fetch request of its own: consumers decompress,
and tell nobody."""

import socket
import struct

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")  # by their number in a batch's attributes
BATCH_HEADER = struct.Struct(">qiibih")  # offset, length of the rest, leader epoch, magic, checksum, attributes
BYTES = 50_000_000


def codecs(host, port, topic, partition, offset=0):
    """The codecs of all batches from an offset on; host and port are the leader's."""
    name = topic.encode()
    request = struct.pack(">hhihiiiib", 1, 4, 7, -1, -1, 0, 0, BYTES, 0)  # Fetch 4, no client id, no replica, no wait
    request += struct.pack(f">ih{len(name)}siiqi", 1, len(name), name, 1, partition, offset, BYTES)
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        (length,) = struct.unpack(">i", answer.read(4))
        body = answer.read(length)
    at = 4 + 4 + 4 + 2 + len(name) + 4  # correlation id, throttle time, one topic, its name, one partition
    _, error, _, _, aborted, size = struct.unpack_from(">ihqqii", body, at)
    if error or aborted > 0:
        raise AssertionError(f"fetch of {topic} [{partition}]: error {error}, {aborted} aborted transactions")
    at, end, found = at + 30, at + 30 + size, []
    while at + BATCH_HEADER.size <= end:
        _, rest, _, _, _, attributes = BATCH_HEADER.unpack_from(body, at)
        found.append(CODECS[attributes & 7])
        at += 12 + rest
    return found


def check(found, codec):
    """librdkafka sends a batch uncompressed that would not get smaller, and all of them if it takes the broker for one
    that is too old for the codec."""
    if codec not in found or not set(found) <= {codec, "none"}:
        raise AssertionError(f"batches that were to be {codec} are {sorted(set(found))}")
