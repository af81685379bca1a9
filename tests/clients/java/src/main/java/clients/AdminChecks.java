package clients;

import static clients.Checks.done;
import static clients.Checks.equal;
import static clients.Checks.holds;
import static clients.Checks.refused;
import static clients.Scenario.PARTITIONS;
import static clients.Scenario.RECORDS;

import java.lang.reflect.Field;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What an operator does through the Admin client. The topics of the data checks are looked at from the outside. */
final class AdminChecks {
    /** What the client's list has and the broker of Kafka 4.2 has not: newer, or gone with Kafka 4. */
    private static final Set<String> NOT_OF_4_2 = Set.of(
        "errors.deadletterqueue.group.enable", "max.decompressed.message.bytes", "message.downconversion.enable",
        "remote.copy.lag.bytes", "remote.copy.lag.ms");

    private final Admin admin;
    private DataChecks data;

    AdminChecks(Admin admin) {
        this.admin = admin;
    }

    void run(Checks checks, DataChecks data) {
        this.data = data;
        checks.run("list offsets", this::listOffsets);
        checks.run("describe producers", this::describeProducers);
        checks.run("describe log dirs", this::describeLogDirs);
        checks.run("delete records", this::deleteRecords);
        checks.run("configs", this::configs);
        checks.run("every config of topics", this::everyConfig);
        checks.run("config resources", this::configResources);
        checks.run("more partitions", this::morePartitions);
        checks.run("leaders and reassignments", this::leadersAndReassignments);
        checks.run("delete topic", this::deleteTopic);
    }

    void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        NewTopic wanted = new NewTopic(topic, Optional.of(partitions), Optional.empty()).configs(configs);
        done(admin.createTopics(List.of(wanted)).all());
    }

    void cluster() throws Exception {
        DescribeClusterResult answer = admin.describeCluster();
        Collection<Node> nodes = done(answer.nodes());
        holds(!done(answer.clusterId()).isEmpty(), "a cluster id");
        holds(nodes.contains(done(answer.controller())), "the controller is one of " + nodes);
        done(admin.describeFeatures().featureMetadata());
    }

    void createTopic() throws Exception {
        String topic = Scenario.topic("explicit");
        NewTopic wanted = new NewTopic(topic, PARTITIONS, (short) 1);
        equal(done(admin.createTopics(List.of(wanted)).numPartitions(topic)), PARTITIONS, "partitions in the answer");
        TopicDescription described = describe(topic);
        equal(described.partitions().size(), PARTITIONS, "partitions");
        described.partitions().forEach(p -> holds(p.leader() != null && p.isr().contains(p.leader()), "leader in " + p));
        holds(done(admin.listTopics().names()).contains(topic), "the topic is listed");
        TopicCollection byId = TopicCollection.ofTopicIds(List.of(described.topicId()));
        equal(done(admin.describeTopics(byId).allTopicIds()).get(described.topicId()).name(), topic, "name by id");
        refused(TopicExistsException.class, () -> create(topic, PARTITIONS, Map.of()));
        refused(InvalidTopicException.class, () -> create("not/a/topic", 1, Map.of()));
        refused(InvalidPartitionsException.class, () -> create(Scenario.topic("zero"), 0, Map.of()));
        refused(InvalidConfigurationException.class, () -> create(Scenario.topic("bad"), 1, Map.of("retention.ms", "soon")));
        refused(UnknownTopicOrPartitionException.class, () -> describe(Scenario.topic("absent")));
    }

    private TopicDescription describe(String topic) throws Exception {
        return done(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    private static <T> Map<TopicPartition, T> each(String topic, int partitions, Function<Integer, T> value) {
        return IntStream.range(0, partitions).boxed().collect(Collectors.toMap(p -> new TopicPartition(topic, p), value));
    }

    private void listOffsets() throws Exception {
        for (String codec : Scenario.CODECS) {
            String topic = Scenario.topic(codec + "-idempotent");
            offset(topic, OffsetSpec.earliest(), 0, -1);
            offset(topic, OffsetSpec.latest(), RECORDS, -1);
            offset(topic, OffsetSpec.maxTimestamp(), 38, Scenario.timestamp(38));
            offset(topic, OffsetSpec.earliestLocal(), 0, -1);
            offset(topic, OffsetSpec.latestTiered(), -1, -1);
            offset(topic, OffsetSpec.earliestPendingUpload(), -1, -1);
            offset(topic, OffsetSpec.forTimestamp(Scenario.timestamp(0) - 5_000), 0, Scenario.timestamp(0));
            offset(topic, OffsetSpec.forTimestamp(Scenario.timestamp(12)), 12, Scenario.timestamp(12));
            offset(topic, OffsetSpec.forTimestamp(Scenario.timestamp(27) + 1), 28, Scenario.timestamp(28));
            offset(topic, OffsetSpec.forTimestamp(Scenario.timestamp(38) + 1), -1, -1);
        }
    }

    private void offset(String topic, OffsetSpec spec, long offset, long timestamp) throws Exception {
        for (IsolationLevel isolation : IsolationLevel.values()) {
            ListOffsetsOptions options = new ListOffsetsOptions(isolation);
            Map<TopicPartition, OffsetSpec> asked = each(topic, PARTITIONS, partition -> spec);
            for (ListOffsetsResultInfo answer : done(admin.listOffsets(asked, options).all()).values()) {
                String what = topic + " " + spec.getClass().getSimpleName();
                equal(answer.offset(), offset, what + " offset");
                equal(answer.timestamp(), timestamp, what + " timestamp");
            }
        }
    }

    private void describeProducers() throws Exception {
        Set<TopicPartition> asked = each(Scenario.topic("gzip-idempotent"), PARTITIONS, p -> p).keySet();
        for (var answer : done(admin.describeProducers(asked).all()).values()) {
            equal(answer.activeProducers().size(), 1, "producers");
            ProducerState producer = answer.activeProducers().get(0);
            equal(producer.lastSequence(), RECORDS - 1, "last sequence");
            holds(producer.currentTransactionStartOffset().isEmpty(), "no transaction in " + producer);
        }
        asked = each(Scenario.topic("gzip-plain"), PARTITIONS, p -> p).keySet();
        for (var answer : done(admin.describeProducers(asked).all()).values()) {
            equal(answer.activeProducers(), List.of(), "producers without idempotence");
        }
    }

    private void describeLogDirs() throws Exception {
        List<Integer> nodes = done(admin.describeCluster().nodes()).stream().map(Node::id).toList();
        String topic = Scenario.topic("none-idempotent");
        Map<TopicPartition, Long> sizes = new HashMap<>();
        for (var directories : done(admin.describeLogDirs(nodes).allDescriptions()).values()) {
            for (var directory : directories.values()) {
                equal(directory.error(), null, "error of a directory");
                holds(directory.totalBytes().orElse(-1) > 0, "total bytes");
                directory.replicaInfos().forEach((at, info) -> {
                    if (at.topic().equals(topic)) {
                        equal(sizes.put(at, info.size()), null, at + " is in two places");
                    }
                });
            }
        }
        equal(sizes.keySet(), each(topic, PARTITIONS, p -> p).keySet(), "partitions");
        long bytes = IntStream.range(0, RECORDS).mapToObj(i -> Scenario.value(0, i)).mapToInt(v -> v == null ? 0 : v.length).sum();
        holds(sizes.values().stream().allMatch(size -> size > bytes), sizes + " > " + bytes);
    }

    private void deleteRecords() throws Exception {
        String topic = Scenario.topic("snappy-idempotent");
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        var answer = admin.deleteRecords(
                Map.of(first, RecordsToDelete.beforeOffset(15), second, RecordsToDelete.beforeOffset(-1)));
        equal(done(answer.lowWatermarks().get(first)).lowWatermark(), 15L, "low watermark");
        equal(done(answer.lowWatermarks().get(second)).lowWatermark(), (long) RECORDS, "low watermark of everything");
        var offsets = admin.listOffsets(Map.of(first, OffsetSpec.earliest(), second, OffsetSpec.earliest()));
        equal(done(offsets.partitionResult(first)).offset(), 15L, "earliest");
        equal(done(offsets.partitionResult(second)).offset(), (long) RECORDS, "earliest of everything");
        data.consume(topic, List.of(0), 15, RECORDS, Map.of());
        for (int outside : new int[] {3, RECORDS + 1}) {
            refused(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class,
                    () -> data.consume(topic, List.of(0), outside, outside + 1, Map.of()));
        }
        var beyond = Map.of(new TopicPartition(topic, 2), RecordsToDelete.beforeOffset(RECORDS + 1));
        refused(OffsetOutOfRangeException.class, () -> done(admin.deleteRecords(beyond).all()));
    }

    private ConfigEntry config(ConfigResource resource, String name) throws Exception {
        Config described = done(admin.describeConfigs(List.of(resource)).all()).get(resource);
        return described.get(name);
    }

    private void alter(ConfigResource resource, String name, String value, AlterConfigOp.OpType type) throws Exception {
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), type);
        done(admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all());
    }

    private void configs() throws Exception {
        String topic = Scenario.topic("configs");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        create(topic, 1, Map.of("retention.ms", "7200000"));
        equal(config(resource, "retention.ms").value(), "7200000", "retention.ms at creation");
        equal(config(resource, "retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
        equal(config(resource, "max.message.bytes").value(), "1048588", "max.message.bytes by default");
        holds(config(resource, "retention.bytes").isDefault(), "retention.bytes is a default");
        alter(resource, "retention.ms", "3600000", AlterConfigOp.OpType.SET);
        equal(config(resource, "retention.ms").value(), "3600000", "retention.ms after SET");
        alter(resource, "retention.ms", null, AlterConfigOp.OpType.DELETE);
        equal(config(resource, "retention.ms").value(), "604800000", "retention.ms after DELETE");
        refused(InvalidConfigurationException.class, () -> alter(resource, "no.such.config", "1", AlterConfigOp.OpType.SET));
        refused(InvalidConfigurationException.class, () -> alter(resource, "retention.ms", "soon", AlterConfigOp.OpType.SET));
        ConfigResource absent = new ConfigResource(ConfigResource.Type.TOPIC, Scenario.topic("absent"));
        refused(UnknownTopicOrPartitionException.class, () -> config(absent, "retention.ms"));
    }

    private void everyConfig() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, Scenario.topic("configs"));
        Config described = done(admin.describeConfigs(List.of(resource)).all()).get(resource);
        Set<String> known = described.entries().stream().map(ConfigEntry::name).collect(Collectors.toSet());
        for (Field field : TopicConfig.class.getFields()) {
            if (field.getName().endsWith("_CONFIG") && !NOT_OF_4_2.contains(field.get(null))) {
                holds(known.contains(field.get(null)), field.get(null) + " is known");
            }
        }
    }

    private void configResources() throws Exception {
        Set<ConfigResource.Type> topics = Set.of(ConfigResource.Type.TOPIC);
        Collection<ConfigResource> listed = done(admin.listConfigResources(topics, new ListConfigResourcesOptions()).all());
        holds(listed.contains(new ConfigResource(ConfigResource.Type.TOPIC, Scenario.topic("configs"))), "topic in " + listed);
        String node = done(admin.describeCluster().controller()).idString();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node);
        holds(!done(admin.describeConfigs(List.of(broker)).all()).get(broker).entries().isEmpty(), "configs of the broker");
    }

    private void morePartitions() throws Exception {
        String topic = Scenario.topic("grown");
        create(topic, 2, Map.of());
        done(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS + 2))).all());
        equal(describe(topic).partitions().size(), PARTITIONS + 2, "partitions");
        data.produce(topic, PARTITIONS + 2, 5, Map.of());
        data.consume(topic, List.of(0, 3, 5), 0, 5, Map.of());
        refused(InvalidPartitionsException.class, () -> done(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all()));
    }

    private void leadersAndReassignments() throws Exception {
        TopicPartition at = new TopicPartition(Scenario.topic("grown"), 0);
        Optional<Throwable> outcome = done(admin.electLeaders(ElectionType.PREFERRED, Set.of(at)).partitions()).get(at);
        equal(outcome.map(Object::getClass), Optional.of(ElectionNotNeededException.class), "outcome of the election");
        equal(done(admin.listPartitionReassignments().reassignments()), Map.of(), "reassignments");
    }

    private void deleteTopic() throws Exception {
        String byName = Scenario.topic("explicit");
        done(admin.deleteTopics(List.of(byName)).all());
        holds(!done(admin.listTopics().names()).contains(byName), "no longer listed");
        refused(UnknownTopicOrPartitionException.class, () -> done(admin.deleteTopics(List.of(byName)).all()));
        Uuid id = describe(Scenario.topic("grown")).topicId();
        done(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        refused(UnknownTopicIdException.class, () -> done(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all()));
        create(byName, 2, Map.of());
        data.produce(byName, 2, 5, Map.of());
        data.consume(byName, List.of(0, 1), 0, 5, Map.of());
    }
}
