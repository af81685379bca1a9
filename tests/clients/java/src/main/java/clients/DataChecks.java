package clients;

import static clients.Checks.equal;
import static clients.Checks.holds;
import static clients.Scenario.PARTITIONS;
import static clients.Scenario.RECORDS;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Producing and consuming: the producer with its default settings (idempotent) and without idempotence. */
final class DataChecks {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private final String bootstrap;
    private final AdminChecks admin;

    DataChecks(String bootstrap, AdminChecks admin) {
        this.bootstrap = bootstrap;
        this.admin = admin;
    }

    void run(Checks checks) {
        for (String codec : Scenario.CODECS) {
            checks.run("codec " + codec + ", default settings", () -> roundTrip(codec, Map.of()));
        }
        for (String codec : Scenario.CODECS) {
            checks.run("codec " + codec + ", not idempotent", () -> roundTrip(codec, Map.of("enable.idempotence", false)));
        }
        checks.run("auto-created topic", this::autoCreated);
        checks.run("no acknowledgement", this::noAcknowledgement);
        checks.run("small fetches", this::smallFetches);
        checks.run("long poll", this::longPoll);
        checks.run("log append time", this::logAppendTime);
        checks.run("record too large", this::tooLarge);
        checks.run("many small records", this::manySmallRecords);
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 20, "batch.size", 100_000));
        // A broker that never acknowledges fails its check, and not the whole suite.
        all.putAll(Map.of("request.timeout.ms", 10_000, "delivery.timeout.ms", 25_000));
        all.putAll(settings);
        return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** The first records of each partition, interleaved; checks every acknowledged offset. */
    void produce(String topic, int partitions, int records, Map<String, Object> settings) throws Exception {
        List<Future<RecordMetadata>> pending = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(settings)) {
            for (int index = 0; index < records; index++) {
                for (int partition = 0; partition < partitions; partition++) {
                    pending.add(producer.send(Scenario.record(topic, partition, index)));
                }
            }
        }
        for (int number = 0; number < pending.size(); number++) {
            RecordMetadata acknowledged = pending.get(number).get();
            long offset = "0".equals(settings.get("acks")) ? -1 : number / partitions;
            equal(acknowledged.offset(), offset, "acknowledged offset in partition " + acknowledged.partition());
        }
    }

    KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none"));
        all.putAll(settings);
        return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Reads [first, end) of each partition and compares it with the scenario. */
    void consume(String topic, List<Integer> partitions, int first, int end, Map<String, Object> settings) {
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> got = new TreeMap<>();
        partitions.forEach(partition -> got.put(partition, new ArrayList<>()));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(settings)) {
            List<TopicPartition> assigned = partitions.stream().map(p -> new TopicPartition(topic, p)).toList();
            consumer.assign(assigned);
            assigned.forEach(at -> consumer.seek(at, first));
            long deadline = System.nanoTime() + DEADLINE.toNanos();
            while (got.values().stream().anyMatch(l -> l.size() < end - first) && System.nanoTime() < deadline) {
                consumer.poll(Duration.ofMillis(500)).forEach(record -> got.get(record.partition()).add(record));
            }
        }
        got.forEach((partition, records) -> Scenario.compare(partition, records, first, end));
    }

    private static List<Integer> upTo(int partitions) {
        return IntStream.range(0, partitions).boxed().toList();
    }

    private void roundTrip(String codec, Map<String, Object> settings) throws Exception {
        String topic = Scenario.topic(codec + (settings.isEmpty() ? "-idempotent" : "-plain"));
        admin.create(topic, PARTITIONS, Map.of());
        Map<String, Object> all = new HashMap<>(settings);
        all.put("compression.type", codec);
        produce(topic, PARTITIONS, RECORDS, all);
        consume(topic, upTo(PARTITIONS), 0, RECORDS, Map.of());
        consume(topic, upTo(PARTITIONS), 17, RECORDS, Map.of("isolation.level", "read_committed"));
    }

    private void autoCreated() throws Exception {
        String topic = Scenario.topic("auto");
        produce(topic, 1, RECORDS, Map.of("acks", "1", "enable.idempotence", false));
        consume(topic, List.of(0), 0, RECORDS, Map.of());
    }

    /** acks=0: the broker must not answer, or every later answer on the connection is misread. */
    private void noAcknowledgement() throws Exception {
        String topic = Scenario.topic("acks-0");
        admin.create(topic, PARTITIONS, Map.of());
        produce(topic, PARTITIONS, RECORDS, Map.of("acks", "0", "enable.idempotence", false, "batch.size", 1_000));
        consume(topic, upTo(PARTITIONS), 0, RECORDS, Map.of());
    }

    /** A batch larger than every limit of the fetch still arrives, alone (KIP-74). */
    private void smallFetches() {
        Map<String, Object> limits = Map.of("fetch.max.bytes", 4_000, "max.partition.fetch.bytes", 2_000);
        consume(Scenario.topic("zstd-plain"), upTo(PARTITIONS), 0, RECORDS, limits);
    }

    /** A consumer at the end is woken by the next record, long before its fetch.max.wait.ms is over. */
    private void longPoll() throws Exception {
        String topic = Scenario.topic("poll");
        admin.create(topic, 1, Map.of());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("fetch.max.wait.ms", 5_000))) {
            TopicPartition at = new TopicPartition(topic, 0);
            consumer.assign(List.of(at));
            consumer.seek(at, 0);
            holds(consumer.poll(Duration.ofSeconds(1)).isEmpty(), "the partition is empty");
            produce(topic, 1, 1, Map.of());
            holds(consumer.poll(Duration.ofSeconds(3)).count() == 1, "woken within 3 s of the acknowledgement");
            holds(consumer.poll(Duration.ofSeconds(1)).isEmpty(), "nothing twice");
        }
    }

    private void logAppendTime() throws Exception {
        String topic = Scenario.topic("append-time");
        admin.create(topic, 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        produce(topic, 1, RECORDS, Map.of("compression.type", "lz4"));
        long after = System.currentTimeMillis();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            TopicPartition at = new TopicPartition(topic, 0);
            consumer.assign(List.of(at));
            consumer.seek(at, 0);
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(DEADLINE)) {
                equal(record.timestampType().name, "LogAppendTime", "timestamp type");
                holds(before <= record.timestamp() && record.timestamp() <= after, "stamped by the broker: " + record.timestamp());
            }
            holds(consumer.position(at) > 0, "records arrived");
        }
    }

    private void tooLarge() throws Exception {
        String topic = Scenario.topic("too-large");
        admin.create(topic, 1, Map.of("max.message.bytes", "50000"));
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            ProducerRecord<byte[], byte[]> large = new ProducerRecord<>(topic, 0, null, new byte[60_000]);
            Checks.refused(RecordTooLargeException.class, () -> producer.send(large).get());
            equal(producer.send(Scenario.record(topic, 0, 0)).get().offset(), 0L, "offset after the refusal");
        }
    }

    /** Enough requests in flight that a broker which reorders or duplicates them is found out. */
    private void manySmallRecords() throws Exception {
        String topic = Scenario.topic("many");
        int count = 50_000;
        admin.create(topic, PARTITIONS, Map.of());
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("linger.ms", 0, "batch.size", 4_000))) {
            for (int number = 0; number < count; number++) {
                producer.send(new ProducerRecord<>(topic, number % PARTITIONS, null, Scenario.bytes("record " + number)));
            }
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            List<TopicPartition> assigned = upTo(PARTITIONS).stream().map(p -> new TopicPartition(topic, p)).toList();
            consumer.assign(assigned);
            assigned.forEach(at -> consumer.seek(at, 0));
            long deadline = System.nanoTime() + DEADLINE.toNanos();
            int got = 0;
            while (got < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    long number = record.offset() * PARTITIONS + record.partition();
                    equal(new String(record.value()), "record " + number, "value at " + record.partition() + ":" + record.offset());
                    got++;
                }
            }
            equal(got, count, "number of records");
        }
    }
}
