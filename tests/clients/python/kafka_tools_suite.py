"""Kafka's own command line tools, from its published jars: what operators type, and what they see.

The tools are those of bin/kafka-*.sh; each is run by its main class, as these scripts do. Checks look at what is printed.

Usage: kafka_tools_suite.py HOST:PORT LIBS
"""

import re
import subprocess
import sys

import scenario
from scenario import DEADLINE_SECONDS, PARTITIONS, Checks, expect

BOOTSTRAP, LIBS = sys.argv[1], sys.argv[2]
EACH = 25  # records in each topic
TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}


def run(tool, *arguments, given=None):
    """How the tool ended, what it said, and what it complained of."""
    java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Dlog4j2.level=OFF"]
    command = [*java, "-cp", f"{LIBS}/*", TOOLS[tool], "--bootstrap-server", BOOTSTRAP, *arguments]
    given = given and given.encode()
    ended = subprocess.run(command, input=given, capture_output=True, timeout=2 * DEADLINE_SECONDS)
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def call(tool, *arguments, given=None):
    """What the tool says when all is well."""
    code, said, complaints = run(tool, *arguments, given=given)
    if code:
        raise AssertionError(f"{tool} {' '.join(arguments)}: exit {code}, {said[-500:]} {complaints[-500:]}")
    return said


def refused(tool, *arguments, why):
    """Runs a tool that must fail, and say why."""
    code, said, complaints = run(tool, *arguments)
    expect(code, 1, f"end of {tool} {' '.join(arguments)}")
    has(said + complaints, why)


def has(said, *patterns):
    for pattern in patterns:
        if not re.search(pattern, said):
            raise AssertionError(f"no {pattern!r} in {said!r}")


def lacks(said, pattern):
    if re.search(pattern, said):
        raise AssertionError(f"{pattern!r} in {said!r}")


def topic(what):
    return scenario.topic_name("kafka-tools", what)


def rows(said, *columns):
    """The named columns of the table that a tool has printed, one tuple for each line."""
    lines = [line.split() for line in said.splitlines() if line.strip()]
    heads = next(line for line in lines if set(columns) <= set(line))
    after = lines[lines.index(heads) + 1 :]
    return [tuple(line[heads.index(column)] for column in columns) for line in after if len(line) >= len(heads)]


def topics():
    name = topic("topics")
    created = call("topics", "--create", "--topic", name, "--partitions", "3", "--config", "retention.ms=86400000")
    has(created, f"Created topic {name}")
    refused("topics", "--create", "--topic", name, "--partitions", "3", why="already exists")
    assert name in call("topics", "--list").split(), "not listed"
    described = call("topics", "--describe", "--topic", name)
    has(described, "PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=86400000")
    expect(len(re.findall(r"Partition: \d+\s+Leader: \d+", described)), 3, "partitions with a leader")
    call("topics", "--alter", "--topic", name, "--partitions", "5")
    has(call("topics", "--describe", "--topic", name), "PartitionCount: 5")
    call("topics", "--delete", "--topic", name)
    assert name not in call("topics", "--list").split(), "still listed"
    refused("topics", "--describe", "--topic", name, why="does not exist as expected")


def configs():
    name = topic("configs")
    call("topics", "--create", "--topic", name)
    of_topic = ("--entity-type", "topics", "--entity-name", name)
    call("configs", "--alter", *of_topic, "--add-config", "retention.ms=123456,max.message.bytes=20000")
    described = call("configs", "--describe", *of_topic)
    has(described, r"retention\.ms=123456 .*DYNAMIC_TOPIC_CONFIG", r"max\.message\.bytes=20000 ")
    call("configs", "--alter", *of_topic, "--delete-config", "retention.ms")
    described = call("configs", "--describe", *of_topic)
    lacks(described, r"retention\.ms=123456")
    has(described, r"max\.message\.bytes=20000 ")
    refused("configs", "--alter", *of_topic, "--add-config", "no.such.config=1", why="no.such.config")
    of_broker = call("configs", "--describe", "--entity-type", "brokers", "--entity-name", "0", "--all")
    has(of_broker, r"num\.partitions=\d+", r"group\.consumer\.session\.timeout\.ms=\d+")
    of_group = ("--entity-type", "groups", "--entity-name", f"of-{name}")
    call("configs", "--alter", *of_group, "--add-config", "consumer.session.timeout.ms=50000")
    has(call("configs", "--describe", *of_group), r"consumer\.session\.timeout\.ms=50000 ")
    call("configs", "--alter", *of_group, "--delete-config", "consumer.session.timeout.ms")
    lacks(call("configs", "--describe", *of_group), "50000")


def records(first, end):
    return [f"key-{n}\tvalue {n}, grüße" for n in range(first, end)]


def produce(name, first, end):
    lines = "\n".join(records(first, end)) + "\n"
    call("producer", "--topic", name, "--property", "parse.key=true", given=lines)


def consume(name, group, count, protocol):
    """Reads so many records as a member of the group, and commits."""
    member = ("--group", group, "--consumer-property", f"group.protocol={protocol}")
    shown = ("--property", "print.key=true", "--timeout-ms", str(1000 * DEADLINE_SECONDS))
    said = call("consumer", "--topic", name, *member, *shown, "--from-beginning", "--max-messages", str(count))
    return sorted(line for line in said.splitlines() if line.startswith("key-"))


def groups(protocol):
    name = topic(f"groups-{protocol}")
    group = f"of-{name}"
    call("topics", "--create", "--topic", name, "--partitions", str(PARTITIONS))
    produce(name, 0, EACH)
    expect(consume(name, group, EACH, protocol), sorted(records(0, EACH)), "what was read from the beginning")
    produce(name, EACH, EACH + 10)
    expect(consume(name, group, 10, protocol), sorted(records(EACH, EACH + 10)), "what was read where it stopped")
    produce(name, 0, 5)

    assert group in call("consumer-groups", "--list").split(), "not listed"
    has(call("groups", "--list"), rf"{group}\s+{protocol.title()}\s+consumer")
    has(call("consumer-groups", "--list", "--state"), rf"{group}\s+.*Empty")
    described = call("consumer-groups", "--describe", "--group", group)
    told = rows(described, "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")
    expect(sorted(row[0] for row in told), [str(p) for p in range(PARTITIONS)], "partitions")
    for _, current, end, lag in told:
        expect(int(lag), int(end) - int(current), "lag")
    expect(sum(int(row[3]) for row in told), 5, "lag in all")
    state = call("consumer-groups", "--describe", "--group", group, "--state")
    has(state, rf"{group}\s+.*Empty")

    reset = ("--reset-offsets", "--group", group, "--topic", name)
    call("consumer-groups", *reset, "--to-earliest", "--execute")
    expect(consume(name, group, EACH + 15, protocol), sorted(records(0, EACH + 10) + records(0, 5)), "after the reset")
    planned = rows(call("consumer-groups", *reset, "--shift-by", "-1", "--dry-run"), "TOPIC", "NEW-OFFSET")
    expect([at for at, _ in planned], [name] * PARTITIONS, "partitions of a plan")
    call("consumer-groups", "--delete-offsets", "--group", group, "--topic", f"{name}:1")
    left = rows(call("consumer-groups", "--describe", "--group", group), "PARTITION", "CURRENT-OFFSET")
    expect(sorted(p for p, at in left if at != "-"), ["0", "2", "3"], "partitions with an offset")
    has(call("consumer-groups", "--delete", "--group", group), "successful")
    assert group not in call("consumer-groups", "--list").split(), "still listed"
    has(" ".join(run("consumer-groups", "--describe", "--group", group)[1:]), "not found|does not exist")


def running_members(protocol):
    """Of a group whose member is there, while it is."""
    name = topic(f"running-{protocol}")
    group = f"of-{name}"
    call("topics", "--create", "--topic", name, "--partitions", str(PARTITIONS))
    java = ["java", "-Xmx256m", "-Dlog4j2.level=OFF", "-cp", f"{LIBS}/*", TOOLS["consumer"]]
    member = ["--topic", name, "--group", group, "--consumer-property", f"group.protocol={protocol}"]
    running = subprocess.Popen([*java, "--bootstrap-server", BOOTSTRAP, *member], stdout=subprocess.DEVNULL)
    try:
        for _ in range(10):
            told = call("consumer-groups", "--describe", "--group", group, "--members", "--verbose")
            if "console-consumer" in told and "0,1,2,3" in told.replace(" ", ""):
                break
        else:
            raise AssertionError(f"no member in {told!r}")
        has(call("consumer-groups", "--describe", "--group", group, "--state"), rf"{group}\s+.*Stable\s+1")
        reset = ("--reset-offsets", "--group", group, "--all-topics", "--to-latest", "--execute")
        has(" ".join(run("consumer-groups", *reset)[1:]), "(?i)inactive")
        has(" ".join(run("consumer-groups", "--delete", "--group", group)[1:]), "not empty")
    finally:
        running.kill()
        running.wait()


def offsets_and_records():
    name = topic("offsets")
    call("topics", "--create", "--topic", name, "--partitions", "1")
    produce(name, 0, EACH)
    expect(call("get-offsets", "--topic", name).split(), [f"{name}:0:{EACH}"], "latest offset")
    plan = '{"partitions": [{"topic": "%s", "partition": 0, "offset": 10}], "version": 1}' % name
    has(call("delete-records", "--offset-json-file", "/dev/stdin", given=plan), "low_watermark: 10")
    expect(call("get-offsets", "--topic", name, "--time", "earliest").split(), [f"{name}:0:10"], "earliest offset")


def versions_and_features():
    has(call("api-versions"), r"ConsumerGroupHeartbeat\(68\): 0 to 1", r"Produce\(0\): 0 to 13")
    has(call("features", "describe"), r"Feature: group\.version\s.*FinalizedVersionLevel: 1")


if __name__ == "__main__":
    print("Kafka's command line tools")
    checks = Checks()
    checks.run_together([
        ("topics", topics),
        ("configs", configs),
        ("offsets and records", offsets_and_records),
        ("versions and features", versions_and_features),
    ])
    both = ("classic", "consumer")
    checks.run_together([(f"groups, {protocol} protocol", lambda protocol=protocol: groups(protocol)) for protocol in both])
    checks.run_together(
        [(f"running members, {protocol} protocol", lambda protocol=protocol: running_members(protocol)) for protocol in both]
    )
    sys.exit(checks.finish())
