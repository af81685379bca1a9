//! Every limit of the program in one place, related by const asserts. A length
//! from a socket, a file or the store is compared with one of these before it
//! is believed, and none of them sizes an allocation up front.

/// Kibibyte, mebibyte, gibibyte in bytes.
pub const KIB: usize = 1024;
/// See [`KIB`].
pub const MIB: usize = 1024 * KIB;
/// See [`KIB`].
pub const GIB: usize = 1024 * MIB;

/// Largest request frame after its 4-byte length (Kafka's `socket.request.max.bytes`).
pub const FRAME_BYTES_MAX: usize = 100 * MIB;
/// Largest record batch a topic may be configured for (`max.message.bytes`).
pub const BATCH_BYTES_MAX: usize = 64 * MIB;
/// Kafka's default of `max.message.bytes`: 1 MiB plus the batch overhead.
pub const BATCH_BYTES_DEFAULT: usize = MIB + 12;
/// Longest string the decoder accepts where Kafka gives no tighter bound.
pub const STRING_BYTES_MAX: usize = 32 * KIB - 1;
/// Most array elements in one request, all its arrays together: a byte on the wire
/// may become 24 in memory, so the frame's own limit alone would not do.
pub const MESSAGE_ELEMENTS_MAX: usize = 1_000_000;
/// Elements for which an array is allocated at once; a longer one grows as it is read.
pub const ARRAY_PRESIZE_MAX: usize = 256;
/// Most bytes a compressed batch may grow to when it is searched by timestamp: what
/// an uncompressed one could have.
pub const DECOMPRESSED_BYTES_MAX: usize = BATCH_BYTES_MAX;
/// Longest topic name (Kafka: `Topic.MAX_NAME_LENGTH`).
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Most partitions in one topic.
pub const TOPIC_PARTITIONS_MAX: i32 = 100_000;
/// Most partitions on the host, all topics together.
pub const PARTITIONS_MAX: usize = 1_000_000;
/// Most config overrides of one topic; Kafka has fewer than forty to set.
pub const CONFIGS_PER_TOPIC_MAX: usize = 256;
/// Most topics that one request may create, change or delete (Kafka: 10,000 records).
pub const CATALOG_CHANGES_PER_REQUEST_MAX: usize = 10_000;
/// Most partitions in one DescribeTopicPartitions response
/// (Kafka: `max.request.partition.size.limit`).
pub const DESCRIBED_PARTITIONS_MAX: i32 = 2000;
/// Most bytes of client metrics in one push (Kafka: `telemetry.max.bytes`).
pub const TELEMETRY_BYTES_MAX: usize = MIB;
/// Most shards of one broker.
pub const SHARDS_MAX: u16 = 1024;

/// Alignment of every WAL write in position, length and memory (O_DIRECT).
pub const WAL_ALIGN: usize = 4 * KIB;
/// A WAL block is sealed once it holds this many bytes; one larger batch still fits whole.
pub const WAL_BLOCK_BYTES_TARGET: usize = MIB;
/// Most WAL block writes in flight on one shard.
pub const WAL_WRITES_IN_FLIGHT_MAX: usize = 8;
/// Smallest and largest WAL segment file.
pub const WAL_SEGMENT_BYTES_MIN: usize = 4 * MIB;
/// See [`WAL_SEGMENT_BYTES_MIN`].
pub const WAL_SEGMENT_BYTES_MAX: usize = 512 * MIB;
/// Bytes the pending WAL block must hold, per write already in flight, before it goes out too.
pub const WAL_GROUP_BYTES_PER_WRITE: usize = 64 * KIB;
/// Largest WAL block: one record with the largest batch, with room for the block's and the
/// record's own headers.
pub const WAL_BLOCK_BYTES_MAX: usize = BATCH_BYTES_MAX + WAL_ALIGN;
/// Appended bytes of one WAL that are not yet durable, past which data must wait. Records of the
/// broker's own may go on to twice as many.
pub const WAL_PENDING_BYTES_MAX: usize = 32 * MIB;
/// WAL segments kept ready ahead of the active one, so that rolling never waits for the disk.
pub const WAL_SPARE_SEGMENTS: usize = 2;
/// WAL segments of the disk budget that only the broker's own records may roll into: what frees
/// space is itself a record.
pub const WAL_RESERVE_SEGMENTS: usize = 1;
/// Fewest segments a WAL's disk budget may amount to.
pub const WAL_SEGMENTS_MIN: usize = 4;
/// Most segment files in one WAL.
pub const WAL_SEGMENTS_MAX: usize = 65_536;
/// Bytes asked for at a time when a WAL is recovered.
pub const WAL_READ_BYTES: usize = MIB;

/// Most responses a connection may have outstanding before its requests are not read.
pub const CONNECTION_IN_FLIGHT_MAX: usize = 1024;
/// Smallest share of `--memory` that a shard works with, bytes.
pub const MEMORY_PER_SHARD_MIN: usize = 32 * MIB;
/// Memory that a shard's io_uring locks whatever it is used for, bytes; it counts
/// against RLIMIT_MEMLOCK.
pub const LOCKED_BYTES_PER_SHARD: usize = MIB;
/// Largest and smallest arena of a shard's WAL blocks, registered with its io_uring.
pub const ARENA_BYTES_MAX: usize = 64 * MIB;
/// See [`ARENA_BYTES_MAX`].
pub const ARENA_BYTES_MIN: usize = 4 * MIB;
/// An executor has three rings, and each that the arena is registered with counts it anew.
pub const ARENA_REGISTRATIONS: usize = 3;
/// Open files below which the broker does not start, and below which it warns.
pub const OPEN_FILES_MIN: u64 = 256;
/// See [`OPEN_FILES_MIN`].
pub const OPEN_FILES_WANTED: u64 = 10_000;
/// Smallest share of `--wal-disk` that a shard works with, bytes.
pub const WAL_DISK_PER_SHARD_MIN: usize = WAL_SEGMENTS_MIN * WAL_SEGMENT_BYTES_MIN;
/// Largest `--wal-disk` that is chosen without being asked for, bytes.
pub const WAL_DISK_DEFAULT_MAX: usize = 256 * GIB;
/// Largest configuration file read, bytes.
pub const CONFIG_FILE_BYTES_MAX: usize = MIB;
/// Bytes of responses that wait on one connection before its requests are not read.
pub const RESPONSE_BYTES_QUEUED_MAX: usize = MIB;
/// Bytes that a fetch gets although the budget for responses is used up: enough to go on.
pub const FETCH_BYTES_WITHOUT_BUDGET: usize = 128 * KIB;
/// Requests above this size share a part of the memory of their own, so that a few of them
/// cannot hold up all that are merely larger than a read buffer.
pub const LARGE_REQUEST_BYTES: usize = 2 * MIB;
/// A request larger than a read buffer must come on without a pause of this length,
/// milliseconds: it holds memory that others wait for.
pub const REQUEST_STALL_MS_MAX: u64 = 30 * 1000;
/// Descriptors that connections never get: for the process, and for each shard's rings, WAL
/// segments and manifests.
pub const DESCRIPTORS_KEPT: u64 = 32;
/// See [`DESCRIPTORS_KEPT`].
pub const DESCRIPTORS_KEPT_PER_SHARD: u64 = 96;
/// Most connections on one shard.
pub const CONNECTIONS_PER_SHARD_MAX: usize = 10_000;
/// Bytes a connection's read buffer grows to.
pub const READ_BUFFER_BYTES_MAX: usize = 256 * KIB;
/// Most requests in one shard's mailbox, and most replies one shard waits for.
pub const MAILBOX_REQUESTS_MAX: usize = 1024;
/// Most long polls that one shard has open on others.
pub const MAILBOX_WATCHES_MAX: usize = 16 * 1024;
/// Most bytes of one vectored write to a socket, and most pieces in it (IOV_MAX is 1024).
pub const SOCKET_WRITE_BYTES_MAX: usize = MIB;
/// See [`SOCKET_WRITE_BYTES_MAX`].
pub const SOCKET_WRITE_PIECES_MAX: usize = 256;
/// A socket that takes no byte of its responses for this long is closed, milliseconds.
pub const SOCKET_STALL_MS_MAX: u64 = 60 * 1000;
/// A connection that sends nothing for this long is closed (Kafka: `connections.max.idle.ms`).
pub const CONNECTION_IDLE_MS_MAX: u64 = 10 * 60 * 1000;
/// Read buffers that a connection keeps to use again; more than this are in use only while
/// the disk is behind.
pub const READ_BUFFERS_KEPT: usize = 8;
/// Bytes of a fresh connection's read buffer.
pub const READ_BUFFER_BYTES_MIN: usize = 4 * KIB;
/// Most fetch sessions on one shard (Kafka: `max.incremental.fetch.session.cache.slots`).
pub const FETCH_SESSIONS_MAX: usize = 1000;
/// Most bytes in one Fetch response (Kafka: `fetch.max.bytes`, 55 MiB).
pub const FETCH_BYTES_MAX: usize = 55 * MIB;
/// Longest long poll honoured, milliseconds.
pub const FETCH_WAIT_MS_MAX: u64 = 5 * 60 * 1000;
/// Bytes of foreign records between two batches that are read along rather than apart.
pub const COLD_READ_GAP_BYTES_MAX: u32 = 64 * KIB as u32;
/// Most bytes of one read from a WAL segment for consumers; one batch may be larger.
pub const COLD_READ_BYTES_MAX: u32 = MIB as u32;
/// Bytes of the newest WAL blocks that a shard keeps in memory though no consumer asks for them,
/// if its budget allows: whoever follows closely reads from memory from the first fetch on.
pub const TAIL_BYTES_MIN: usize = 32 * MIB;
/// How long the distance of a consumer from the end of the log counts for how much of the tail
/// is kept, milliseconds; up to twice as long.
pub const TAIL_READS_REMEMBERED_MS: u64 = 10 * 1000;
/// Bytes of cold reads that one shard has under way on the disk, a larger single batch aside:
/// enough to keep a disk busy, and little enough that a write of the WAL, which queues up with
/// them, is done soon.
pub const COLD_READS_BYTES_MAX: usize = 2 * MIB;
/// Disk reads that one fetch has under way at a time.
pub const COLD_READS_IN_FLIGHT_MAX: usize = 8;
/// The same for one read ahead.
pub const READ_AHEAD_IN_FLIGHT_MAX: usize = 4;
/// Places at which one shard expects a consumer that reads from the WAL.
pub const COLD_READERS_MAX: usize = 4096;
/// How long such a consumer is expected, and what was read ahead for it kept, milliseconds; up to
/// a round of upkeep longer.
pub const COLD_READER_IDLE_MS: u64 = 2000;
/// Reads ahead that one shard has under way.
pub const READS_AHEAD_MAX: usize = 2;
/// Most memory of one read ahead while it is under way, bytes: what is read and what is kept of it.
pub const READ_AHEAD_BYTES_MAX: usize = 4 * MIB;
/// Most disk reads in one read ahead.
pub const READ_AHEAD_DISK_READS_MAX: usize = 32;
/// Most batches in one read ahead.
pub const READ_AHEAD_PIECES_MAX: usize = READ_PIECES_MAX;
/// Most producer ids remembered by one partition; the longest idle goes first.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Batches remembered per producer for duplicate detection (Kafka: 5, KIP-98).
pub const PRODUCER_BATCHES_KEPT: usize = 5;
/// Most leader epochs remembered by one partition; the oldest goes first.
pub const EPOCHS_PER_PARTITION_MAX: usize = 1024;
/// Batches described by one chunk of a partition's index.
pub const INDEX_CHUNK_ENTRIES: usize = 256;
/// Most batches one partition contributes to one fetch.
pub const READ_PIECES_MAX: usize = 4096;
/// Largest encoded checkpoint of one partition's state.
pub const CHECKPOINT_BYTES_MAX: usize = 2 * MIB;

/// Bytes of one remembered producer in a checkpoint, at most.
const CHECKPOINT_PRODUCER_BYTES: usize = 19 + PRODUCER_BATCHES_KEPT * 24;
const _: () = assert!(
    PRODUCERS_PER_PARTITION_MAX * CHECKPOINT_PRODUCER_BYTES + EPOCHS_PER_PARTITION_MAX * 12 + KIB
        <= CHECKPOINT_BYTES_MAX
);
const _: () = assert!(CHECKPOINT_BYTES_MAX < BATCH_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_DEFAULT < BATCH_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX + MIB < WAL_SEGMENT_BYTES_MAX);
const _: () = assert!(WAL_BLOCK_BYTES_TARGET < WAL_SEGMENT_BYTES_MIN);
const _: () = assert!(WAL_SEGMENT_BYTES_MIN.is_multiple_of(WAL_ALIGN));
const _: () = assert!(WAL_BLOCK_BYTES_TARGET < WAL_BLOCK_BYTES_MAX);
const _: () = assert!(WAL_BLOCK_BYTES_MAX + WAL_ALIGN < WAL_SEGMENT_BYTES_MAX);
const _: () = assert!(WAL_SPARE_SEGMENTS + WAL_RESERVE_SEGMENTS < WAL_SEGMENTS_MIN);
const _: () = assert!(COLD_READ_BYTES_MAX as usize <= COLD_READS_BYTES_MAX);
const _: () = assert!(COLD_READS_BYTES_MAX <= MEMORY_PER_SHARD_MIN / 16);
const _: () = assert!(COLD_READ_BYTES_MAX as usize <= READ_AHEAD_BYTES_MAX / 2);
const _: () = assert!(READ_BUFFER_BYTES_MAX <= FRAME_BYTES_MAX);
