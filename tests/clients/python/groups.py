"""What every Python suite checks of consumer groups.

A suite hands over its client as a Member class and a Tools class (below are their rules); each member then runs in a
thread of its own, as clients must be polled all the time. The checks run side by side: most of their time is the
broker's own waiting for members that may still come, or may be dead.
"""

import queue
import subprocess
import sys
import threading
import time

import scenario
from scenario import DEADLINE_SECONDS, PARTITIONS, expect

SESSION_MS = 6_000  # the least that Kafka allows by default
PATIENT_SESSION_MS = 45_000  # longer than any check waits: what happens within it is not a timeout's doing
HEARTBEAT_MS = 1_000
EACH = 30  # records in each partition, numbered from 0 as their offsets


class Member:
    """A member of a group; each suite derives its own."""

    cooperative = True  # whether the client can rebalance cooperatively
    commits = True  # whether it can be told what to commit; else it commits by itself what it has read, when it leaves
    next_protocol = False  # whether the client knows groups whose coordinator assigns (KIP-848)

    def __init__(self, name, group, session_ms=SESSION_MS, instance=None, cooperative=False, protocol="classic"):
        """Joins a group of that protocol; for `consumer` the broker's own timeouts count. Subscribes to the topic `name`, resets to the earliest offset, commits nothing by itself, and adds to
        `self.given` and `self.taken` each set of partitions that is assigned and revoked."""
        self.given, self.taken = [], []

    @classmethod
    def process(cls, bootstrap, name, group, protocol):
        """A member in a process of its own, to be killed."""
        file = sys.modules[cls.__module__].__file__
        return subprocess.Popen([sys.executable, file, bootstrap, name, group, protocol])

    def poll(self):
        """Waits for up to 0.1 s; returns (partition, offset, value) of the records that have come."""

    def assigned(self):
        """The set of partitions it has."""

    def commit(self, offsets):
        """Commits partition -> (offset, metadata), and waits for the answer."""

    def committed(self):
        """Partition -> (offset, metadata) of what is committed of the topic, as the client itself asks."""

    def close(self):
        """Leaves the group, or if it is a static member just stops."""


class Driven(threading.Thread):
    """A member that is polled in its own thread. What it reads is in `records`, by partition."""

    def __init__(self, member, *arguments, **settings):
        super().__init__(daemon=True)
        self.make = lambda: member(*arguments, **settings)
        self.calls = queue.Queue()
        self.records = {partition: [] for partition in range(PARTITIONS)}
        self.has = set()
        self.member = self.error = None
        self.start()

    def run(self):
        try:
            self.member = self.make()
            while True:
                for partition, offset, value in self.member.poll():
                    self.records[partition].append((offset, value))
                self.has = self.member.assigned()
                while not self.calls.empty():
                    function, answer = self.calls.get()
                    answer.put(function(self.member))
                    if function is close:
                        return
        except Exception as error:
            self.error = error

    def call(self, function):
        """Lets the member do something in its thread."""
        answer = queue.Queue()
        self.calls.put((function, answer))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                return answer.get(timeout=0.1)
            except queue.Empty:
                self.check()
        raise AssertionError("a member did not answer")

    def check(self):
        if self.error:
            raise self.error

    def end(self):
        self.call(close)
        self.has = set()


def close(member):
    member.close()


def until(what, holds, *members, seconds=DEADLINE_SECONDS):
    """Waits until it holds; returns how long that took."""
    started = time.monotonic()
    while not holds():
        for member in members:
            member.check()
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds} s: {what}; {[(m.has, totals(m)) for m in members]}")
        time.sleep(0.02)
    return time.monotonic() - started


def totals(member):
    return [len(records) for records in member.records.values()]


def shared(*members):
    """Whether the members have all the partitions, each as many, none twice."""
    all_partitions = [partition for member in members for partition in member.has]
    even = all(len(member.has) == PARTITIONS // len(members) for member in members)
    return even and sorted(all_partitions) == list(range(PARTITIONS))


def read_to(end, *members):
    """Waits until the members have read up to `end`, each record once and in order."""

    def read(partition):
        return [record for member in members for record in member.records[partition]]

    until(f"read to {end}", lambda: all(len(read(p)) >= end for p in range(PARTITIONS)), *members)
    for partition in range(PARTITIONS):
        wanted = [(offset, value_of(partition, offset)) for offset in range(end)]
        expect(sorted(read(partition)), wanted, f"records of partition {partition}")
        for member in members:
            offsets = [offset for offset, _ in member.records[partition]]
            expect(offsets, sorted(offsets), f"order in partition {partition}")


def value_of(partition, offset):
    return b"%d-%d" % (partition, offset)


def commit(member):
    """Commits what the member has read; it has to have read something of all its partitions."""
    offsets = {partition: (member.records[partition][-1][0] + 1, "") for partition in member.has}
    member.call(lambda client: client.commit(offsets))


class Groups:
    """The checks. `tools` has: create(name), produce(name, first, end) which puts records value_of(partition, offset)
    for first <= offset < end into each partition, and what the check of the tools calls."""

    def __init__(self, suite, member, tools, protocol="classic"):
        self.suite, self.member, self.tools, self.protocol = suite, member, tools, protocol

    def checks(self):
        """Of this protocol, and of the next if the client knows it."""
        kind = {"classic": "group", "consumer": "consumer protocol"}[self.protocol]
        named = [
            (f"{kind}: two members share, one leaves", self.share_and_leave),
            (f"{kind}: a member crashes", self.crash),
            (f"{kind}: static member restarts", self.static),
        ]
        if self.member.commits:
            named.append((f"{kind}: commit and resume", self.commit_and_resume))
        if self.member.cooperative:
            named.append((f"{kind}: cooperative rebalance", self.cooperative))
        if self.tools.list_groups:
            named.append((f"{kind}: tools", self.administer))
        if self.member.next_protocol and self.protocol == "classic":
            named += Groups(self.suite, self.member, self.tools, "consumer").checks()
        return named

    def driven(self, name, group, **settings):
        if self.member.next_protocol:
            settings["protocol"] = self.protocol
        return Driven(self.member, name, group, **settings)

    def begin(self, what):
        name = scenario.topic_name(self.suite, f"{self.protocol}-{what}")
        self.tools.create(name)
        return name, f"of-{name}"

    def share_and_leave(self):
        name, group = self.begin("share")
        first, second = (self.driven(name, group, session_ms=PATIENT_SESSION_MS) for _ in range(2))
        until("two members share", lambda: shared(first, second), first, second)
        self.tools.produce(name, 0, EACH)
        read_to(EACH, first, second)
        for member in (first, second):
            commit(member)
        second.end()
        until("one has all", lambda: shared(first), first)
        self.tools.produce(name, EACH, 2 * EACH)
        read_to(2 * EACH, first, second)
        first.end()

    def commit_and_resume(self):
        name, group = self.begin("resume")
        self.tools.produce(name, 0, EACH)
        wanted = {p: (5 + 3 * p, f"at {p}, grüße") for p in range(PARTITIONS)}
        before = self.driven(name, group)
        read_to(EACH, before)
        before.call(lambda client: client.commit(wanted))
        expect(before.call(lambda client: client.committed()), wanted, "committed, asked by the same member")
        before.end()
        after = self.driven(name, group)
        rest = [EACH - offset for offset, _ in wanted.values()]
        until("read the rest", lambda: all(got >= left for got, left in zip(totals(after), rest)), after)
        for partition, (offset, _) in wanted.items():
            offsets = [offset for offset, _ in after.records[partition]]
            expect(offsets, list(range(offset, EACH)), f"resumed in partition {partition}")
        expect(after.call(lambda client: client.committed()), wanted, "committed, asked by the next member")
        after.end()

    def crash(self):
        name, group = self.begin("crash")
        self.tools.produce(name, 0, EACH)
        stays = self.driven(name, group)
        until("the first has all", lambda: shared(stays), stays)
        dies = self.member.process(self.tools.bootstrap, name, group, self.protocol)
        try:
            until("the process joins", lambda: len(stays.has) == PARTITIONS // 2, stays)
            # A whole round of heartbeats, so that the group is stable.
            time.sleep(2 * HEARTBEAT_MS / 1000)
        finally:
            dies.kill()
        dies.wait()
        waited = until("the dead member's partitions move on", lambda: shared(stays), stays)
        # Nobody leaves by losing the connection, as a client may come back.
        assert waited > (SESSION_MS - 3 * HEARTBEAT_MS) / 1000, f"taken away after {waited:.1f} s"
        assert waited < SESSION_MS / 1000 + 12, f"taken away after {waited:.1f} s only"
        stays.end()

    def static(self):
        name, group = self.begin("static")
        stays = self.driven(name, group, session_ms=PATIENT_SESSION_MS, instance="a")
        restarts = self.driven(name, group, session_ms=PATIENT_SESSION_MS, instance="b")
        until("two members share", lambda: shared(stays, restarts), stays, restarts)
        had, rounds = restarts.has, len(stays.member.given)
        restarts.end()
        restarts = self.driven(name, group, session_ms=PATIENT_SESSION_MS, instance="b")
        until("its partitions are back", lambda: restarts.has == had, stays, restarts)
        self.tools.produce(name, 0, EACH)
        read_to(EACH, stays, restarts)
        expect(len(stays.member.given), rounds, "rebalances that the other member saw")
        restarts.end()
        stays.end()

    def cooperative(self):
        name, group = self.begin("cooperative")
        first = self.driven(name, group, cooperative=True)
        until("the first has all", lambda: shared(first), first)
        self.tools.produce(name, 0, EACH)
        read_to(EACH, first)
        commit(first)
        second = self.driven(name, group, cooperative=True)
        until("two members share", lambda: shared(first, second), first, second)
        taken = set().union(*first.member.taken)
        expect(taken, second.has, "what the first gave up, and no more")
        self.tools.produce(name, EACH, 2 * EACH)
        read_to(2 * EACH, first, second)
        second.end()
        first.end()

    def administer(self):
        """Tools methods that a client lacks are None. Errors are Kafka's codes, 0 for none."""
        tools = self.tools
        name, group = self.begin("tools")
        tools.produce(name, 0, EACH)
        member = self.driven(name, group)
        read_to(EACH, member)
        offsets = {p: (10 + p, "") for p in range(PARTITIONS)}
        member.call(lambda client: client.commit(offsets))
        assert group in tools.list_groups(), "not listed"
        state, members = tools.describe_group(group)
        expect((state, members), ("Stable", [sorted(range(PARTITIONS))]), "described while it runs")
        if tools.delete_group:
            expect(tools.delete_group(group), 68, "deleting it while it runs")
        member.end()
        expect(tools.describe_group(group), ("Empty", []), "described after its member left")
        expect(tools.offsets(group, name), {p: at for p, (at, _) in offsets.items()}, "offsets")
        ends = tools.ends(name)
        expect([ends[p] - offsets[p][0] for p in range(PARTITIONS)], [EACH - 10 - p for p in range(PARTITIONS)], "lag")
        if tools.reset_offsets:
            tools.reset_offsets(group, name, {0: 0, 1: EACH})
            expect(tools.offsets(group, name), {0: 0, 1: EACH, 2: 12, 3: 13}, "offsets after the reset")
        if tools.delete_offsets:
            tools.delete_offsets(group, name, [2])
            expect(tools.offsets(group, name), {0: 0, 1: EACH, 3: 13}, "offsets after one is deleted")
        if tools.delete_group:
            expect(tools.delete_group(group), 0, "deleting it")
            assert group not in tools.list_groups(), "still listed"
            expect(tools.offsets(group, name), {}, "offsets of the deleted group")
            expect(tools.delete_group(group), 69, "deleting it again")


def run_member(member_of):
    """The process of the crash check, with the arguments HOST:PORT TOPIC GROUP PROTOCOL."""
    member = member_of(sys.argv[1])
    settings = {"protocol": sys.argv[4]} if member.next_protocol else {}
    driven = Driven(member, *sys.argv[2:4], **settings)
    driven.join()
    raise driven.error
