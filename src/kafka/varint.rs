//! Variable-length integers, as in Protocol Buffers: seven bits per byte, least
//! significant first. Kafka uses unsigned 32-bit ones in flexible versions
//! (KIP-482) and zigzag 32- and 64-bit ones inside records.

use bytes::BufMut;

use super::reader::WireError;

/// Most bytes of a 32-bit varint.
pub const U32_BYTES_MAX: usize = 5;
/// Most bytes of a 64-bit varint.
pub const U64_BYTES_MAX: usize = 10;

/// Takes an unsigned 32-bit varint from the front of `rest`.
#[inline]
pub fn read_u32(rest: &mut &[u8]) -> Result<u32, WireError> {
    // Nearly all are lengths and tags below 127.
    if let Some((&first, after)) = rest.split_first()
        && first < 0x80
    {
        *rest = after;
        return Ok(u32::from(first));
    }
    let value = read_bits(rest, U32_BYTES_MAX)?;
    u32::try_from(value).map_err(|_| WireError::Varint)
}

/// Takes a zigzag 32-bit varint from the front of `rest`.
#[inline]
pub fn read_i32(rest: &mut &[u8]) -> Result<i32, WireError> {
    let raw = read_u32(rest)?;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Takes a zigzag 64-bit varint from the front of `rest`.
#[inline]
pub fn read_i64(rest: &mut &[u8]) -> Result<i64, WireError> {
    let raw = read_bits(rest, U64_BYTES_MAX)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn read_bits(rest: &mut &[u8], bytes_max: usize) -> Result<u64, WireError> {
    let mut value = 0u64;
    for index in 0..bytes_max {
        let (&byte, after) = rest.split_first().ok_or(WireError::Truncated)?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        // The tenth byte has room for one bit only.
        if shift == 63 && bits > 1 {
            return Err(WireError::Varint);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(WireError::Varint)
}

/// Appends an unsigned 32-bit varint.
#[inline]
pub fn write_u32(out: &mut impl BufMut, value: u32) {
    write_u64(out, u64::from(value));
}

/// Appends a zigzag 32-bit varint.
#[inline]
pub fn write_i32(out: &mut impl BufMut, value: i32) {
    write_u32(out, ((value << 1) ^ (value >> 31)) as u32);
}

/// Appends a zigzag 64-bit varint.
#[inline]
pub fn write_i64(out: &mut impl BufMut, value: i64) {
    write_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn write_u64(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Bytes that [`write_u32`] takes for `value`.
pub fn u32_bytes(value: u32) -> usize {
    (32 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        for (value, bytes) in [
            (0u32, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (300, &[0xac, 0x02]),
            (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            write_u32(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(read_u32(&mut &*out), Ok(value));
        }
        let mut out = Vec::new();
        write_i32(&mut out, -1);
        write_i64(&mut out, i64::MIN);
        let rest = &mut &*out;
        assert_eq!(read_i32(rest), Ok(-1));
        assert_eq!(read_i64(rest), Ok(i64::MIN));
        assert!(rest.is_empty());
    }

    #[test]
    fn too_long_or_too_large_is_refused() {
        assert_eq!(
            read_u32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]),
            Err(WireError::Varint)
        );
        assert_eq!(read_u32(&mut &[0x80; 6][..]), Err(WireError::Varint));
        assert_eq!(read_u32(&mut &[0x80; 3][..]), Err(WireError::Truncated));
        assert_eq!(read_u32(&mut &[][..]), Err(WireError::Truncated));
        let mut eleven_bits = [0xff; 10];
        eleven_bits[9] = 0x02;
        assert_eq!(read_i64(&mut &eleven_bits[..]), Err(WireError::Varint));
    }

    proptest! {
        #[test]
        fn round_trip(u in any::<u32>(), i in any::<i32>(), l in any::<i64>()) {
            let mut out = Vec::new();
            write_u32(&mut out, u);
            prop_assert_eq!(out.len(), u32_bytes(u));
            write_i32(&mut out, i);
            write_i64(&mut out, l);
            let rest = &mut &*out;
            prop_assert_eq!(read_u32(rest), Ok(u));
            prop_assert_eq!(read_i32(rest), Ok(i));
            prop_assert_eq!(read_i64(rest), Ok(l));
            prop_assert!(rest.is_empty());
        }
    }
}
