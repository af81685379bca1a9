package clients;

import static clients.Checks.done;
import static clients.Checks.equal;
import static clients.Checks.holds;
import static clients.Checks.refused;
import static clients.GroupMember.HEARTBEAT_MS;
import static clients.GroupMember.PATIENT_SESSION_MS;
import static clients.GroupMember.SESSION_MS;
import static clients.Scenario.PARTITIONS;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Consumer groups of the classic protocol, or of that of KIP-848. */
final class GroupChecks {
    private static final long DEADLINE_NANOS = 30_000_000_000L;
    /** Records in each partition, numbered from 0 as their offsets. */
    private static final int EACH = 30;
    private static final int[] FROM_START = new int[PARTITIONS];

    private final String bootstrap;
    private final Admin admin;
    private final AdminChecks topics;
    private final String protocol;

    GroupChecks(String bootstrap, Admin admin, AdminChecks topics, String protocol) {
        this.bootstrap = bootstrap;
        this.admin = admin;
        this.topics = topics;
        this.protocol = protocol;
    }

    /** All at the same time: most of it is the broker's own waiting for members that may still come, or may be dead. */
    void run(Checks checks) throws InterruptedException {
        String kind = protocol.equals("classic") ? "group: " : "consumer protocol: ";
        checks.runTogether(Map.of(
                kind + "two members share, one leaves", this::shareAndLeave,
                kind + "commit and resume", this::commitAndResume,
                kind + "a member crashes", this::crash,
                kind + "static member restarts", this::staticMember,
                kind + "cooperative rebalance", this::cooperative,
                kind + "tools", this::tools));
    }

    /** The process of the crash check. */
    static void member(String bootstrap, String topic, String group, String protocol) throws InterruptedException {
        GroupMember member = new GroupMember(bootstrap, topic, group, Map.of("group.protocol", protocol));
        while (true) {
            Thread.sleep(100);
            member.check();
        }
    }

    private static byte[] value(int partition, long offset) {
        return Scenario.bytes(partition + "-" + offset);
    }

    private String create(String what) throws Exception {
        String topic = Scenario.topic(protocol + "-" + what);
        topics.create(topic, PARTITIONS, Map.of());
        return topic;
    }

    private GroupMember join(String topic, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("group.protocol", protocol);
        return new GroupMember(bootstrap, topic, "of-" + topic, all);
    }

    private void produce(String topic, int first, int end) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "linger.ms", 5);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int offset = first; offset < end; offset++) {
                for (int partition = 0; partition < PARTITIONS; partition++) {
                    producer.send(new ProducerRecord<>(topic, partition, null, value(partition, offset)));
                }
            }
        }
    }

    /** Waits until it holds; gives how many milliseconds that took. */
    private static long until(String what, BooleanSupplier holds, GroupMember... members) throws InterruptedException {
        long started = System.nanoTime();
        while (!holds.getAsBoolean()) {
            Arrays.stream(members).forEach(GroupMember::check);
            if (System.nanoTime() - started > DEADLINE_NANOS) {
                throw new AssertionError("not in time: " + what + "; members have " + Arrays.stream(members).map(m -> m.has).toList());
            }
            Thread.sleep(20);
        }
        return (System.nanoTime() - started) / 1_000_000;
    }

    /** Waits until the members have all the partitions, each as many, none twice. */
    private static void share(GroupMember... members) throws InterruptedException {
        until(members.length + " share", () -> {
            Set<Integer> all = new TreeSet<>();
            Arrays.stream(members).forEach(member -> all.addAll(member.has));
            boolean even = Arrays.stream(members).allMatch(member -> member.has.size() == PARTITIONS / members.length);
            return even && all.size() == PARTITIONS;
        }, members);
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(int partition, GroupMember... members) {
        return new ArrayList<>(Arrays.stream(members).flatMap(member -> member.read(partition).stream()).toList());
    }

    /** Waits until the members have read from `first` up to `end`, each record once and in order. */
    private static void readTo(int[] first, int end, GroupMember... members) throws InterruptedException {
        until("read to " + end, () -> IntStream.range(0, PARTITIONS)
                .allMatch(partition -> read(partition, members).size() >= end - first[partition]), members);
        for (int partition = 0; partition < PARTITIONS; partition++) {
            for (GroupMember member : members) {
                List<Long> offsets = member.read(partition).stream().map(ConsumerRecord::offset).toList();
                equal(offsets, offsets.stream().sorted().toList(), "order in partition " + partition);
            }
            List<ConsumerRecord<byte[], byte[]>> all = read(partition, members);
            all.sort(Comparator.comparing(ConsumerRecord::offset));
            equal(all.size(), end - first[partition], "number of records of partition " + partition);
            for (int at = 0; at < all.size(); at++) {
                int offset = first[partition] + at;
                equal(new String(all.get(at).value()), new String(value(partition, offset)), "a record of partition " + partition);
            }
        }
    }

    private void shareAndLeave() throws Exception {
        String topic = create("share");
        Map<String, Object> patient = Map.of("session.timeout.ms", PATIENT_SESSION_MS);
        GroupMember first = join(topic, patient);
        GroupMember second = join(topic, patient);
        share(first, second);
        produce(topic, 0, EACH);
        readTo(FROM_START, EACH, first, second);
        first.commit();
        second.commit();
        second.close();
        share(first);
        produce(topic, EACH, 2 * EACH);
        readTo(FROM_START, 2 * EACH, first, second);
        first.close();
    }

    private void commitAndResume() throws Exception {
        String topic = create("resume");
        produce(topic, 0, EACH);
        GroupMember before = join(topic, Map.of());
        readTo(FROM_START, EACH, before);
        int[] resumed = {5, 8, 11, 14};
        Map<Integer, OffsetAndMetadata> wanted = new HashMap<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            wanted.put(partition, new OffsetAndMetadata(resumed[partition], "at " + partition + ", grüße"));
        }
        before.commit(wanted);
        equal(before.committed(), wanted, "committed, asked by the same member");
        before.close();
        GroupMember after = join(topic, Map.of());
        readTo(resumed, EACH, after);
        equal(after.committed(), wanted, "committed, asked by the next member");
        after.close();
    }

    private void crash() throws Exception {
        String topic = create("crash");
        GroupMember stays = join(topic, Map.of());
        share(stays);
        Process dies = process(topic);
        try {
            until("the process joins", () -> stays.has.size() == PARTITIONS / 2, stays);
            Thread.sleep(2 * HEARTBEAT_MS); // a whole round of heartbeats, so that the group is stable
        } finally {
            dies.destroyForcibly().waitFor();
        }
        long waited = until("the dead member's partitions move on", () -> stays.has.size() == PARTITIONS, stays);
        // Nobody leaves by losing the connection, as a client may come back.
        holds(waited > SESSION_MS - 3 * HEARTBEAT_MS && waited < SESSION_MS + 12_000, "taken away after " + waited + " ms");
        stays.close();
    }

    private Process process(String topic) throws IOException {
        String java = ProcessHandle.current().info().command().orElse("java");
        String classes = System.getProperty("java.class.path");
        String quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
        String[] command = {java, quiet, "-cp", classes, Main.class.getName(), "--member", bootstrap, topic, "of-" + topic, protocol};
        return new ProcessBuilder(command).inheritIO().start();
    }

    /** With the newer protocol it is the group's config that says how long a member may be gone. */
    private void beOfPatience(String group) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        ConfigEntry session = new ConfigEntry("consumer.session.timeout.ms", String.valueOf(PATIENT_SESSION_MS));
        AlterConfigOp set = new AlterConfigOp(session, AlterConfigOp.OpType.SET);
        done(admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all());
    }

    private void staticMember() throws Exception {
        String topic = create("static");
        beOfPatience("of-" + topic);
        Map<String, Object> b = Map.of("group.instance.id", "b", "session.timeout.ms", PATIENT_SESSION_MS);
        GroupMember stays = join(topic, Map.of("group.instance.id", "a", "session.timeout.ms", PATIENT_SESSION_MS));
        GroupMember restarts = join(topic, b);
        share(stays, restarts);
        Set<Integer> had = restarts.had();
        int rounds = stays.rounds.get();
        restarts.close();
        GroupMember back = join(topic, b);
        until("its partitions are back", () -> back.had().equals(had), stays, back);
        produce(topic, 0, EACH);
        readTo(FROM_START, EACH, stays, back);
        equal(stays.rounds.get(), rounds, "rebalances that the other member saw");
        back.close();
        stays.close();
    }

    private void cooperative() throws Exception {
        String topic = create("cooperative");
        String assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        Map<String, Object> settings = Map.of("partition.assignment.strategy", assignor);
        GroupMember first = join(topic, settings);
        share(first);
        produce(topic, 0, EACH);
        readTo(FROM_START, EACH, first);
        first.commit();
        GroupMember second = join(topic, settings);
        share(first, second);
        equal(first.taken, second.has, "what the first gave up, and no more");
        produce(topic, EACH, 2 * EACH);
        readTo(FROM_START, 2 * EACH, first, second);
        second.close();
        first.close();
    }

    private void tools() throws Exception {
        String topic = create("tools");
        String group = "of-" + topic;
        produce(topic, 0, EACH);
        GroupMember member = join(topic, Map.of());
        readTo(FROM_START, EACH, member);
        member.commit();
        described(group, GroupState.STABLE, 1);
        refused(GroupNotEmptyException.class, () -> done(admin.deleteConsumerGroups(List.of(group)).all()));
        member.close();
        described(group, GroupState.EMPTY, 0);

        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            TopicPartition at = new TopicPartition(topic, partition);
            wanted.put(at, new OffsetAndMetadata(10 + partition, "grüße"));
            ends.put(at, OffsetSpec.latest());
        }
        done(admin.alterConsumerGroupOffsets(group, wanted).all());
        equal(offsets(group), wanted, "offsets after they are set");
        done(admin.listOffsets(ends).all())
                .forEach((at, end) -> equal(end.offset() - wanted.get(at).offset(), EACH - 10L - at.partition(), "lag of " + at));
        TopicPartition forgotten = new TopicPartition(topic, 2);
        done(admin.deleteConsumerGroupOffsets(group, Set.of(forgotten)).all());
        wanted.remove(forgotten);
        equal(offsets(group), wanted, "offsets after one is deleted");
        done(admin.deleteConsumerGroups(List.of(group)).all());
        holds(done(admin.listGroups().all()).stream().noneMatch(listed -> listed.groupId().equals(group)), "no longer listed");
        refused(GroupIdNotFoundException.class, () -> done(admin.deleteConsumerGroups(List.of(group)).all()));
    }

    private Map<TopicPartition, OffsetAndMetadata> offsets(String group) throws Exception {
        return done(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
    }

    /** A group's state and the number of its members, in the list and in the description. */
    private void described(String group, GroupState state, int members) throws Exception {
        GroupListing listed = done(admin.listGroups().all()).stream().filter(one -> one.groupId().equals(group)).findAny().get();
        equal(listed.groupState().get(), state, "listed state");
        equal(listed.protocol(), "consumer", "listed protocol");
        ConsumerGroupDescription described = done(admin.describeConsumerGroups(List.of(group)).all()).get(group);
        equal(described.groupState(), state, "described state");
        equal(described.members().size(), members, "members");
        int assigned = described.members().stream().mapToInt(one -> one.assignment().topicPartitions().size()).sum();
        equal(assigned, members * PARTITIONS, "assigned partitions");
    }
}
