package clients;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;

/** The records that every suite writes and expects back; the rules are in ../README.md. */
final class Scenario {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final int PARTITIONS = 4;
    /** In each partition. */
    static final int RECORDS = 40;
    /** Bytes of a value, by index. */
    private static final int[] SIZES = {0, 1, 10, 100, 1_000, 10_000, 100_000, 300_000};
    /** Keeps the topics of two runs apart. */
    private static final String RUN =
            Long.toHexString(System.currentTimeMillis() / 1000) + "-" + Long.toHexString(ProcessHandle.current().pid());
    /** In the past, so that no record is newer than the broker's clock, and well inside the default retention. */
    private static final long FIRST_TIMESTAMP = System.currentTimeMillis() - 3_600_000;

    private Scenario() {}

    static String topic(String what) {
        return "java-" + what + "-" + RUN;
    }

    /** Rises by a second a record, except that every tenth record is late by six seconds. */
    static long timestamp(int index) {
        return FIRST_TIMESTAMP + 1_000L * (index % 10 == 9 ? index - 6 : index);
    }

    static byte[] key(int partition, int index) {
        return switch (index % 5) {
            case 0 -> null;
            case 1 -> new byte[0];
            default -> bytes("key-" + partition + "-" + index);
        };
    }

    /** Even records are text that compresses, odd ones are digests that do not; every eleventh is null. */
    static byte[] value(int partition, int index) {
        if (index % 11 == 7) {
            return null;
        }
        int size = SIZES[index % SIZES.length];
        String name = partition + "-" + index + "-";
        ByteArrayOutputStream content = new ByteArrayOutputStream(size + 32);
        for (int block = 0; content.size() < size; block++) {
            content.writeBytes(index % 2 == 0 ? bytes(name) : sha256(bytes(name + block)));
        }
        return Arrays.copyOf(content.toByteArray(), size);
    }

    static List<Header> headers(int partition, int index) {
        return switch (index % 4) {
            case 0 -> List.of();
            case 1 -> List.of(new RecordHeader("trace", bytes(partition + "-" + index)));
            case 2 -> List.of(
                    new RecordHeader("twice", new byte[] {0, (byte) 0xff, (byte) 0x80, '\n'}),
                    new RecordHeader("twice", bytes("again")));
            default -> List.of(new RecordHeader("null", (byte[]) null), new RecordHeader("empty", new byte[0]));
        };
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int partition, int index) {
        return new ProducerRecord<>(
                topic, partition, timestamp(index), key(partition, index), value(partition, index), headers(partition, index));
    }

    /** Checks a whole partition: nothing missing, nothing twice, dense offsets, every field equal. */
    static void compare(int partition, List<ConsumerRecord<byte[], byte[]>> got, int first, int end) {
        for (int at = 0; at < Math.min(got.size(), end - first); at++) {
            ConsumerRecord<byte[], byte[]> record = got.get(at);
            int index = first + at;
            String where = "partition " + partition + " record " + index + " ";
            Checks.equal(record.offset(), (long) index, where + "offset");
            Checks.equal(record.timestampType(), TimestampType.CREATE_TIME, where + "timestamp type");
            Checks.equal(record.timestamp(), timestamp(index), where + "timestamp");
            Checks.equal(outline(record.key()), outline(key(partition, index)), where + "key");
            Checks.equal(outline(record.value()), outline(value(partition, index)), where + "value");
            Checks.equal(outlines(List.of(record.headers().toArray())), outlines(headers(partition, index)), where + "headers");
        }
        Checks.equal(got.size(), end - first, "partition " + partition + " number of records");
    }

    private static List<String> outlines(List<Header> headers) {
        List<String> outlines = new ArrayList<>();
        headers.forEach(header -> outlines.add(header.key() + "=" + outline(header.value())));
        return outlines;
    }

    /** Equal exactly when the contents are (short ones in full, long ones by digest). */
    private static String outline(byte[] content) {
        if (content == null || content.length <= 32) {
            return Objects.toString(content == null ? null : "0x" + HexFormat.of().formatHex(content));
        }
        return content.length + " bytes, sha256 " + HexFormat.of().formatHex(sha256(content));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] sha256(byte[] content) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(content);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
