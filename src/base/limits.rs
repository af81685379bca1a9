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
/// Partitions of `__consumer_offsets`, among which groups are spread (Kafka's default of
/// `offsets.topic.num.partitions`). Another number would send groups to other partitions.
pub const OFFSETS_PARTITIONS: i32 = 50;
/// A coordinator's log is not written again before it is so long, bytes.
pub const GROUP_LOG_BYTES_MIN: u64 = 64 * KIB as u64;
/// Most config overrides of one topic; Kafka has fewer than forty to set.
pub const CONFIGS_PER_TOPIC_MAX: usize = 256;
/// Most groups that have configs of their own.
pub const GROUPS_WITH_CONFIGS_MAX: usize = 10_000;
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
/// A segment that an earlier run left with more than one in this many of its bytes unused is
/// shortened. What it keeps can have another life when it is reclaimed, which saves filling a
/// new file with zeroes; what is cut off can be used at once.
pub const WAL_UNUSED_ONE_IN: u32 = 4;
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
/// cannot hold up all that are merely larger than a chunk.
pub const LARGE_REQUEST_BYTES: usize = 2 * MIB;
/// Part of a shard's memory that large requests may have, one in so many: the largest request
/// that is read is what fits there. As much again is for requests that merely fit no chunk.
pub const REQUEST_MEMORY_PARTS: usize = 16;
/// Memory for requests that fit no chunk is taken in multiples of this, bytes.
pub const REQUEST_ROUNDING_BYTES: usize = 64 * KIB;
/// What a request may have besides its largest batch: header, topic name, other fields.
pub const REQUEST_OVERHEAD_BYTES: usize = 64 * KIB;
/// A request that holds memory must come on without a pause of this length, milliseconds.
pub const REQUEST_STALL_MS_MAX: u64 = 30 * 1000;
/// The same while others wait for that memory.
pub const REQUEST_STALL_CONTENDED_MS_MAX: u64 = 1000;
/// A request that holds memory must have come whole after this many milliseconds, and one more
/// for each [`REQUEST_BYTES_PER_MS_MIN`] of it. While others wait, what is due must be here.
pub const REQUEST_MS_MAX: u64 = 60 * 1000;
/// See [`REQUEST_MS_MAX`].
pub const REQUEST_BYTES_PER_MS_MIN: usize = 256;
/// Descriptors that connections never get: for the process, and for each shard's rings, WAL
/// segments and manifests.
pub const DESCRIPTORS_KEPT: u64 = 32;
/// See [`DESCRIPTORS_KEPT`].
pub const DESCRIPTORS_KEPT_PER_SHARD: u64 = 96;
/// Most connections on one shard.
pub const CONNECTIONS_PER_SHARD_MAX: usize = 10_000;
/// Bytes of the memory that the connections of a shard read into together, one at a time.
pub const READ_CHUNK_BYTES: usize = 512 * KIB;
/// Most memory that a shard has in chunks, bytes, whatever its share.
pub const READ_CHUNKS_BYTES_MAX: u64 = 64 * MIB as u64;
/// Requests up to this size, their length included, end in the chunk where they begin: so much
/// of each is kept for the last one in it.
pub const READ_IN_PLACE_BYTES_MAX: usize = 128 * KIB;
/// Bytes of one read from a socket at first, and most, as a connection turns out to be busy.
pub const READ_BYTES_MIN: usize = 4 * KIB;
/// See [`READ_BYTES_MIN`].
pub const READ_BYTES_MAX: usize = 256 * KIB;
/// Bytes of a half-read request, or of a request that is being handled, that a connection may
/// keep in memory of its own, outside of every budget.
pub const READ_CARRIED_BYTES_MAX: usize = 4 * KIB;
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
/// A connection without traffic is probed after so many seconds, to find peers that have gone
/// without a word (TCP_KEEPIDLE), ...
pub const KEEPALIVE_IDLE_S: u64 = 120;
/// ... then every so many seconds (TCP_KEEPINTVL), ...
pub const KEEPALIVE_INTERVAL_S: u64 = 15;
/// ... and given up after so many probes without an answer (TCP_KEEPCNT).
pub const KEEPALIVE_PROBES: u32 = 8;
/// Most fetch sessions on one shard (Kafka: `max.incremental.fetch.session.cache.slots`).
pub const FETCH_SESSIONS_MAX: usize = 1000;
/// Most bytes in one Fetch response (Kafka: `fetch.max.bytes`, 55 MiB).
pub const FETCH_BYTES_MAX: usize = 55 * MIB;
/// Longest long poll honoured, milliseconds.
pub const FETCH_WAIT_MS_MAX: u64 = 5 * 60 * 1000;
/// The same for a request above [`READ_CARRIED_BYTES_MAX`], which holds memory that others may
/// wait for (Kafka's default of `fetch.max.wait.ms`); the client asks again.
pub const LARGE_FETCH_WAIT_MS_MAX: i32 = 500;
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
/// Most producers of one shard that are remembered because their first batch was refused.
pub const REFUSED_PRODUCERS_MAX: usize = 10_000;
/// How long such a producer is waited for after its last try, milliseconds: longer than a client
/// pauses between two (librdkafka and Kafka's producer: `retry.backoff.max.ms`, 1 s) and a try
/// may be held back (`request.timeout.ms`, 30 s), and shorter than those behind would go on
/// (Kafka's producer: `delivery.timeout.ms`, 2 min).
pub const PRODUCER_REFUSED_MS_MAX: u64 = 60 * 1000;
/// Batches remembered per producer for duplicate detection (Kafka: 5, KIP-98).
pub const PRODUCER_BATCHES_KEPT: usize = 5;
/// Most leader epochs remembered by one partition; the oldest goes first.
pub const EPOCHS_PER_PARTITION_MAX: usize = 1024;
/// Heap bytes that the index takes for one batch: its slot, and its part of a chunk.
pub const INDEX_BYTES_PER_BATCH: usize = 18;
/// One part in this many of its budget is the tail's even when the index needs the rest.
pub const TAIL_PARTS_KEPT_IN: usize = 8;
/// Batches described by one chunk of a partition's index.
pub const INDEX_CHUNK_ENTRIES: usize = 256;
/// Most batches one partition contributes to one fetch.
pub const READ_PIECES_MAX: usize = 4096;
/// Largest encoded checkpoint of one partition's state.
pub const CHECKPOINT_BYTES_MAX: usize = 2 * MIB;

/// Largest object in the store, bytes: positions in it are u32.
pub const OBJECT_BYTES_MAX: usize = 2 * GIB;
/// Most chunks in one object.
pub const OBJECT_CHUNKS_MAX: usize = 64 * KIB;
/// Largest footer of an object, bytes: read no more for one.
pub const OBJECT_FOOTER_BYTES_MAX: usize = 32 * MIB;
/// Bytes asked for at the end of an object when its footer's size is not known.
pub const OBJECT_TAIL_BYTES: usize = 256 * KIB;
/// Bytes asked for at a time when an object is verified.
pub const OBJECT_VERIFY_READ_BYTES: usize = MIB;
/// Distance of the marks in a chunk, bytes: what a read may take more than it needs, and the
/// unit of reading from the store.
pub const OBJECT_MARK_BYTES: u32 = MIB as u32;
/// Most bytes of one partition's records in one WAL segment that the uploader counts together.
pub const UPLOAD_SPAN_BYTES_MAX: u64 = 8 * MIB as u64;
/// Most uploads of one shard under way.
pub const UPLOADS_IN_FLIGHT_MAX: usize = 4;
/// Most cuts of one shard that are put, or wait for an earlier one to be recorded.
pub const UPLOADS_OPEN_MAX: usize = 16;
/// First and longest pause before a request to the store is made again, milliseconds.
pub const STORE_RETRY_MS_MIN: u64 = 100;
/// See [`STORE_RETRY_MS_MIN`].
pub const STORE_RETRY_MS_MAX: u64 = 30 * 1000;
/// A partition's state is uploaded again when so many times its size was uploaded since.
pub const STATE_DATA_FACTOR: u64 = 4;
/// Neighbouring extents of one level that are joined.
pub const MERGE_FAN_IN: usize = 16;
/// Bytes from which on an extent is long enough.
pub const MERGE_RUN_BYTES: u64 = 64 * MIB as u64;
/// Bytes of one merged object, about.
pub const MERGE_OBJECT_BYTES: u64 = 512 * MIB as u64;
/// A merged extent covers at most one part in so many of its partition's `retention.ms`.
pub const MERGE_SPAN_PARTS: u64 = 16;
/// And need not cover less than this, milliseconds.
pub const MERGE_SPAN_MS_MIN: u64 = 60 * 60 * 1000;
/// How long an object that nobody wants stays in the store, milliseconds: longer than any read
/// that was planned before takes.
pub const OBJECT_GRACE_MS: u64 = 10 * 60 * 1000;
/// Objects deleted by one request (S3: DeleteObjects).
pub const OBJECT_DELETES_MAX: usize = 1000;
/// Most bytes of one ranged GET, a larger single block aside.
pub const STORE_GET_BYTES_MAX: u32 = 8 * MIB as u32;
/// From this size on the CRC of two parts is combined from theirs, bytes: combining costs as much
/// as a pass over so many, about.
pub const CRC_COMBINE_BYTES_MIN: usize = 256 * KIB;

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
const _: () = assert!(READ_BYTES_MIN <= READ_BYTES_MAX && READ_CARRIED_BYTES_MAX <= READ_BYTES_MIN);
// What is carried, and a read, fit a chunk beside the room for the last request in it.
const _: () = assert!(READ_IN_PLACE_BYTES_MAX + READ_CHUNK_BYTES / 4 <= READ_CHUNK_BYTES);
const _: () = assert!(READ_CARRIED_BYTES_MAX < READ_CHUNK_BYTES / 32);
const _: () = assert!(READ_IN_PLACE_BYTES_MAX < LARGE_REQUEST_BYTES);
/// Bytes of records that a group coordinator gives at once when nobody asked, about; what is more
/// comes with the next step.
pub const GROUP_STEP_BYTES_MAX: usize = MIB;
/// Largest record of a group, with all its members and their assignments, and largest commit.
pub const GROUP_RECORD_BYTES_MAX: usize = 8 * MIB;
/// Most bytes that one member may say about itself, all its protocols together.
pub const GROUP_MEMBER_BYTES_MAX: usize = MIB;
/// Most different regular expressions that members of one group subscribe with.
pub const GROUP_EXPRESSIONS_MAX: usize = 64;
/// Most bytes that a regular expression may take once it is compiled.
pub const GROUP_EXPRESSION_PROGRAM_BYTES_MAX: usize = 256 * KIB;
/// Most protocols that one member may know; consumers know two or three.
pub const GROUP_PROTOCOLS_MAX: usize = 64;
/// Most bytes that the groups of one partition of `__consumer_offsets` may take in memory.
pub const GROUP_STATE_BYTES_MAX: usize = 32 * MIB;

// Of the smallest budget, one request of every kind can always be read: a batch of Kafka's
// default size, and each that is not large.
const _: () = assert!(
    BATCH_BYTES_DEFAULT + REQUEST_OVERHEAD_BYTES + REQUEST_ROUNDING_BYTES <= LARGE_REQUEST_BYTES
);
const _: () = assert!(LARGE_REQUEST_BYTES * REQUEST_MEMORY_PARTS <= MEMORY_PER_SHARD_MIN);
const _: () = assert!(MEMORY_PER_SHARD_MIN / 8 >= 4 * READ_CHUNK_BYTES);
const _: () = assert!(COLD_READ_BYTES_MAX as usize <= COLD_READS_BYTES_MAX);
const _: () = assert!(COLD_READS_BYTES_MAX <= MEMORY_PER_SHARD_MIN / 16);
const _: () = assert!(COLD_READ_BYTES_MAX as usize <= READ_AHEAD_BYTES_MAX / 2);
const _: () = assert!(OBJECT_BYTES_MAX < u32::MAX as usize);
const _: () = assert!(2 * BATCH_BYTES_MAX + CHECKPOINT_BYTES_MAX < OBJECT_BYTES_MAX);
const _: () = assert!(OBJECT_CHUNKS_MAX * 128 < OBJECT_FOOTER_BYTES_MAX);
// The run of the most extents, each just short of long enough, fits an object, with its neighbours.
const _: () =
    assert!(MERGE_OBJECT_BYTES + MERGE_FAN_IN as u64 * MERGE_RUN_BYTES < OBJECT_BYTES_MAX as u64);
const _: () = assert!(UPLOADS_IN_FLIGHT_MAX <= UPLOADS_OPEN_MAX);
const _: () = assert!(OBJECT_MARK_BYTES <= STORE_GET_BYTES_MAX);
