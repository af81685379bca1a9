"""kcat in consumer groups: each member is a process, which commits by itself what it has read."""

import re
import signal
import subprocess
import threading

import groups
from scenario import DEADLINE_SECONDS, PARTITIONS


def member_of(bootstrap):
    class Member(groups.Member):
        commits = False

        def __init__(self, name, group, session_ms=groups.SESSION_MS, instance=None, cooperative=False):
            super().__init__(name, group)
            self.has, self.lines, self.at = set(), [], 0
            self.kcat = start(bootstrap, name, group, session_ms, instance, cooperative)
            threading.Thread(target=self.read_records, daemon=True).start()
            threading.Thread(target=self.read_rebalances, daemon=True).start()

        @classmethod
        def process(cls, bootstrap, name, group, _protocol):
            return start(bootstrap, name, group)

        def read_records(self):
            for line in self.kcat.stdout:
                partition, offset, value = line.rstrip(b"\n").split(b" ", 2)
                self.lines.append((int(partition), int(offset), value))

        def read_rebalances(self):
            """% Group G rebalanced (memberid M): assigned: T [0], T [1]
            % Group G rebalanced: incremental assignment of 2 partition(s) (memberid M, COOPERATIVE ...): T [0], T [1]"""
            for line in self.kcat.stderr:
                told = re.search(rb"rebalanced.*?: (?:incremental )?(assign|revo).*", line)
                if told:
                    partitions = {int(partition) for partition in re.findall(rb"\[(\d+)\]", told[0])}
                    if told[1] == b"assign":
                        self.given.append(partitions)
                        self.has = self.has | partitions
                    else:
                        self.taken.append(partitions)
                        self.has = self.has - partitions

        def poll(self):
            threading.Event().wait(0.05)
            end = len(self.lines)
            new, self.at = self.lines[self.at : end], end
            return new

        def assigned(self):
            return self.has

        def commit(self, offsets):
            assert all(offset == groups.EACH for offset, _ in offsets.values()), "kcat commits what it has read"

        def close(self):
            self.kcat.send_signal(signal.SIGTERM)
            self.kcat.wait(DEADLINE_SECONDS)

    return Member


def start(bootstrap, name, group, session_ms=groups.SESSION_MS, instance=None, cooperative=False):
    settings = {
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": groups.HEARTBEAT_MS,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky" if cooperative else "range",
    }
    if instance:
        settings["group.instance.id"] = instance
    given = [word for setting, value in settings.items() for word in ("-X", f"{setting}={value}")]
    command = ["kcat", "-b", bootstrap, *given, "-u", "-f", "%p %o %s\n", "-G", group, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Tools:
    list_groups = None  # kcat has no commands for groups

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def create(self, name):
        """By asking for it; kcat has no other way."""
        subprocess.run(["kcat", "-b", self.bootstrap, "-L", "-t", name], check=True, capture_output=True)

    def produce(self, name, first, end):
        for partition in range(PARTITIONS):
            lines = [groups.value_of(partition, offset) + b"\n" for offset in range(first, end)]
            command = ["kcat", "-b", self.bootstrap, "-P", "-t", name, "-p", str(partition)]
            subprocess.run(command, input=b"".join(lines), check=True, capture_output=True, timeout=DEADLINE_SECONDS)
