//! The few Kafka messages that a load generator speaks: requests are written,
//! responses are read. It owns the byte layout and nothing else: no sockets,
//! no clocks. It never imports the broker's codec, so that a mistake made
//! there cannot be made here by the same line of code.

pub mod admin;
pub mod batch;
pub mod fetch;
pub mod produce;
pub mod reader;
pub mod writer;

/// Kafka's keys of the APIs spoken here.
pub mod api {
    /// Produce.
    pub const PRODUCE: i16 = 0;
    /// Fetch.
    pub const FETCH: i16 = 1;
    /// ListOffsets.
    pub const LIST_OFFSETS: i16 = 2;
    /// Metadata.
    pub const METADATA: i16 = 3;
    /// ApiVersions.
    pub const API_VERSIONS: i16 = 18;
    /// CreateTopics.
    pub const CREATE_TOPICS: i16 = 19;
    /// DeleteTopics.
    pub const DELETE_TOPICS: i16 = 20;
}

/// The client id in every request.
pub const CLIENT_ID: &str = "corelane-bench";

/// Largest frame that is accepted from a server, in bytes after its length.
pub const FRAME_BYTES_MAX: usize = 128 << 20;

/// Reads the 4-byte length in front of a frame, or `None` when fewer bytes are there.
pub fn frame_length(bytes: &[u8]) -> Option<i32> {
    bytes
        .first_chunk()
        .map(|length| i32::from_be_bytes(*length))
}
