//! CRC-32C (Castagnoli), the checksum of Kafka's record batches of our WAL and
//! of our objects.

/// CRC-32C of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// CRC-32C of what `crc` covers followed by `bytes`; a seed is a first `crc`.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// CRC-32C of two stretches, one behind the other, from theirs and the length of the second in
/// bytes. Takes some ten microseconds, whatever the length.
pub fn crc32c_combine(first: u32, second: u32, second_bytes: usize) -> u32 {
    crc32c::crc32c_combine(first, second, second_bytes)
}
