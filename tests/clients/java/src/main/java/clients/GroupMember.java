package clients;

import static clients.Scenario.PARTITIONS;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a group, polled in a thread of its own. It commits nothing by itself. */
final class GroupMember implements ConsumerRebalanceListener {
    /** The least that Kafka allows by default. */
    static final int SESSION_MS = 6_000;
    /** Longer than any check waits: what happens within it is not a timeout's doing. */
    static final int PATIENT_SESSION_MS = 45_000;
    static final int HEARTBEAT_MS = 1_000;

    final Set<Integer> has = new ConcurrentSkipListSet<>();
    /** Partitions that it ever gave up. */
    final Set<Integer> taken = new ConcurrentSkipListSet<>();
    /** How often it was told of an assignment. */
    final AtomicInteger rounds = new AtomicInteger();
    private final List<List<ConsumerRecord<byte[], byte[]>>> records = new ArrayList<>();
    private final ConcurrentLinkedQueue<Runnable> calls = new ConcurrentLinkedQueue<>();
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final String topic;
    private volatile boolean closed;
    private volatile RuntimeException error;

    GroupMember(String bootstrap, String topic, String group, Map<String, Object> settings) {
        this.topic = topic;
        for (int partition = 0; partition < PARTITIONS; partition++) {
            records.add(new ArrayList<>());
        }
        Map<String, Object> all = new HashMap<>(Map.of(
                "bootstrap.servers", bootstrap,
                "group.id", group,
                "group.protocol", "classic",
                "session.timeout.ms", SESSION_MS,
                "heartbeat.interval.ms", HEARTBEAT_MS,
                "enable.auto.commit", false,
                "auto.offset.reset", "earliest",
                "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor"));
        all.putAll(settings);
        if (all.get("group.protocol").equals("consumer")) {
            // These are the broker's affair there.
            all.keySet().removeAll(Set.of("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"));
        }
        consumer = new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(topic), this);
        Thread thread = new Thread(this::poll);
        thread.setDaemon(true);
        thread.start();
    }

    private void poll() {
        try {
            while (!closed) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    List<ConsumerRecord<byte[], byte[]>> some = records.get(record.partition());
                    synchronized (some) {
                        some.add(record);
                    }
                }
                for (Runnable call = calls.poll(); call != null; call = calls.poll()) {
                    call.run();
                }
            }
        } catch (RuntimeException failure) {
            error = failure;
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
        rounds.incrementAndGet();
        assigned.forEach(at -> has.add(at.partition()));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
        revoked.forEach(at -> has.remove(at.partition()));
        revoked.forEach(at -> taken.add(at.partition()));
    }

    /** Throws what the member's thread has failed with. */
    void check() {
        if (error != null) {
            throw error;
        }
    }

    List<ConsumerRecord<byte[], byte[]>> read(int partition) {
        List<ConsumerRecord<byte[], byte[]>> some = records.get(partition);
        synchronized (some) {
            return List.copyOf(some);
        }
    }

    /** Lets the member do something in its thread, and waits for it. */
    private void call(Consumer<KafkaConsumer<byte[], byte[]>> action) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        calls.add(() -> {
            try {
                action.accept(consumer);
                done.complete(null);
            } catch (RuntimeException failure) {
                done.completeExceptionally(failure);
            }
        });
        done.get(30, TimeUnit.SECONDS);
    }

    void commit(Map<Integer, OffsetAndMetadata> offsets) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        offsets.forEach((partition, offset) -> wanted.put(new TopicPartition(topic, partition), offset));
        call(client -> client.commitSync(wanted));
    }

    /** Commits what the member has read. */
    void commit() throws Exception {
        call(KafkaConsumer::commitSync);
    }

    Map<Integer, OffsetAndMetadata> committed() throws Exception {
        Set<TopicPartition> asked = new HashSet<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            asked.add(new TopicPartition(topic, partition));
        }
        Map<Integer, OffsetAndMetadata> found = new HashMap<>();
        call(client -> client.committed(asked).forEach((at, offset) -> found.put(at.partition(), offset)));
        return found;
    }

    /** Leaves the group, or if it is a static member just stops. */
    void close() throws Exception {
        call(client -> {
            closed = true;
            client.close();
        });
        has.clear();
    }

    Set<Integer> had() {
        return new TreeSet<>(has);
    }
}
