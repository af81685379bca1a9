//! The writer of everything that goes to a socket. Small fields are collected in
//! one buffer, record data is kept as the `Bytes` it already is, uncopied; the
//! finished frame is the list of both in order, for a vectored write.

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::LENGTH_BYTES;
use super::varint;
use crate::base::limits;

/// Record data up to this size is copied into the small fields: below it a
/// chunk of its own costs more than the copy.
pub const INLINE_BYTES_MAX: usize = 512;

/// Writes one frame.
///
/// `scratch` is the caller's and reused from frame to frame, typically one per
/// connection: frames are split off its front, and its memory is taken up again
/// once they have been sent. While its capacity lasts a frame without record data
/// costs no allocation at all.
#[derive(Debug)]
pub struct Rope<'s> {
    small: &'s mut BytesMut,
    /// Record data, each with the position in `small` it goes before.
    inserts: Vec<(usize, Bytes)>,
    insert_bytes: usize,
}

/// One frame ready for the socket, its 4-byte length in front.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    head: Bytes,
    tail: Vec<Bytes>,
}

impl<'s> Rope<'s> {
    /// A writer of a new frame; whatever `scratch` held is dropped.
    pub fn new(scratch: &'s mut BytesMut) -> Self {
        scratch.clear();
        scratch.put_bytes(0, LENGTH_BYTES);
        Rope {
            small: scratch,
            inserts: Vec::new(),
            insert_bytes: 0,
        }
    }

    /// The frame. Panics only above 2 GiB, which no response can reach:
    /// Fetch is bounded by [`limits::FETCH_BYTES_MAX`] plus one batch.
    pub fn finish(self) -> EncodedFrame {
        let length = self.small.len() - LENGTH_BYTES + self.insert_bytes;
        assert!(i32::try_from(length).is_ok(), "a frame of {length} bytes");
        if let Some(prefix) = self.small.first_chunk_mut() {
            *prefix = (length as i32).to_be_bytes();
        }
        let mut rest = self.small.split().freeze();
        let mut inserts = self.inserts.into_iter().peekable();
        let head = match inserts.peek() {
            Some(&(position, _)) => rest.split_to(position),
            None => std::mem::take(&mut rest),
        };
        let mut position = head.len();
        let mut tail = Vec::with_capacity(2 * inserts.len());
        while let Some((_, insert)) = inserts.next() {
            tail.push(insert);
            let end = inserts
                .peek()
                .map_or(position + rest.len(), |&(next, _)| next);
            if end > position {
                tail.push(rest.split_to(end - position));
                position = end;
            }
        }
        EncodedFrame { head, tail }
    }

    /// Bytes written so far, the length in front included.
    pub fn len(&self) -> usize {
        self.small.len() + self.insert_bytes
    }

    /// Never: the length in front is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// An `int8`.
    pub fn i8(&mut self, value: i8) {
        self.small.put_i8(value);
    }

    /// An `int16`.
    pub fn i16(&mut self, value: i16) {
        self.small.put_i16(value);
    }

    /// An `int32`.
    pub fn i32(&mut self, value: i32) {
        self.small.put_i32(value);
    }

    /// An `int64`.
    pub fn i64(&mut self, value: i64) {
        self.small.put_i64(value);
    }

    /// Bytes without a length, copied.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.small.put_slice(bytes);
    }

    /// Bytes without a length, kept uncopied unless they are few.
    pub fn share(&mut self, bytes: &Bytes) {
        if bytes.len() <= INLINE_BYTES_MAX {
            return self.raw(bytes);
        }
        self.insert_bytes += bytes.len();
        self.inserts.push((self.small.len(), bytes.clone()));
    }

    /// An unsigned varint of flexible versions.
    pub fn uvarint(&mut self, value: u32) {
        varint::write_u32(self.small, value);
    }

    /// A string or null. One above [`limits::STRING_BYTES_MAX`] is cut there: only
    /// an error message that quotes a client's words can be so long.
    pub fn string(&mut self, text: Option<&str>, compact: bool) {
        let text = text.map(|text| within_limit(text).as_bytes());
        match (text, compact) {
            (_, true) => self.length(text.map(<[u8]>::len), true),
            (Some(text), false) => self.i16(text.len() as i16),
            (None, false) => self.i16(-1),
        }
        self.raw(text.unwrap_or_default());
    }

    /// The length of an array or of bytes, or null.
    pub fn length(&mut self, length: Option<usize>, compact: bool) {
        match (length, compact) {
            (Some(n), true) => self.uvarint(n as u32 + 1),
            (None, true) => self.uvarint(0),
            (Some(n), false) => self.i32(n as i32),
            (None, false) => self.i32(-1),
        }
    }

    /// A tagged field: its tag, its size, then what `contents` writes. Tagged
    /// fields hold small fields only, never record data.
    pub fn tagged(&mut self, tag: u32, contents: impl FnOnce(&mut Self)) {
        self.uvarint(tag);
        let start = self.small.len();
        // Most fit the one size byte; a longer one moves up to make room.
        self.small.put_u8(0);
        contents(self);
        let size = self.small.len() - start - 1;
        let extra = varint::u32_bytes(size as u32) - 1;
        if extra > 0 {
            self.small.put_bytes(0, extra);
            self.small
                .copy_within(start + 1..start + 1 + size, start + 1 + extra);
        }
        if let Some(mut prefix) = self.small.get_mut(start..=start + extra) {
            varint::write_u32(&mut prefix, size as u32);
        }
    }
}

fn within_limit(text: &str) -> &str {
    let mut end = text.len().min(limits::STRING_BYTES_MAX);
    loop {
        match text.get(..end) {
            Some(kept) => return kept,
            None => end -= 1,
        }
    }
}

impl EncodedFrame {
    /// The frame's parts in order; together they are what goes on the wire.
    pub fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.head).chain(&self.tail)
    }

    /// The parts, given away.
    pub fn into_chunks(self) -> impl Iterator<Item = Bytes> {
        std::iter::once(self.head).chain(self.tail)
    }

    /// How many parts there are, at least one.
    pub fn chunk_count(&self) -> usize {
        1 + self.tail.len()
    }

    /// Bytes of the frame, its 4-byte length included.
    pub fn len(&self) -> usize {
        self.chunks().map(Bytes::len).sum()
    }

    /// Never: the length in front is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The whole frame in one piece, copied: for tests and blocking clients.
    pub fn to_bytes(&self) -> Bytes {
        let mut all = BytesMut::with_capacity(self.len());
        self.chunks().for_each(|chunk| all.put_slice(chunk));
        all.freeze()
    }

    /// As [`to_bytes`](Self::to_bytes) without the 4-byte length.
    pub fn body(&self) -> Bytes {
        self.to_bytes().slice(LENGTH_BYTES..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(byte: u8) -> Bytes {
        Bytes::from(vec![byte; INLINE_BYTES_MAX + 1])
    }

    #[test]
    fn record_data_is_not_copied_and_stays_in_order() {
        let (first, second) = (big(1), big(2));
        let mut scratch = BytesMut::new();
        let mut rope = Rope::new(&mut scratch);
        rope.i32(7);
        rope.share(&first);
        rope.share(&second);
        rope.share(&Bytes::from_static(b"few"));
        rope.share(&first);
        let length = rope.len();
        let frame = rope.finish();

        assert_eq!(frame.len(), length);
        let chunks: Vec<_> = frame.chunks().cloned().collect();
        assert_eq!(chunks.len(), 5);
        assert_eq!(chunks[1].as_ptr(), first.as_ptr());
        assert_eq!(chunks[2].as_ptr(), second.as_ptr());
        assert_eq!(&chunks[3][..], b"few");
        assert_eq!(chunks[4].as_ptr(), first.as_ptr());
        let whole = frame.to_bytes();
        assert_eq!(whole[..4], (whole.len() as i32 - 4).to_be_bytes());
        assert_eq!(whole[4..8], 7i32.to_be_bytes());
        assert_eq!(frame.into_chunks().collect::<Vec<_>>(), chunks);
    }

    #[test]
    fn a_frame_may_begin_and_end_with_record_data() {
        let mut scratch = BytesMut::new();
        let mut rope = Rope::new(&mut scratch);
        rope.share(&big(3));
        let frame = rope.finish();
        assert_eq!(frame.chunk_count(), 2);
        assert_eq!(frame.body(), big(3));
    }

    #[test]
    fn scratch_is_taken_up_again() {
        let mut scratch = BytesMut::with_capacity(256);
        let place = scratch.as_ptr();
        for n in 0..1000 {
            let mut rope = Rope::new(&mut scratch);
            rope.i64(n);
            let frame = rope.finish();
            assert_eq!(frame.chunk_count(), 1);
            assert_eq!(frame.body(), n.to_be_bytes().as_slice());
            drop(frame);
            scratch.reserve(64);
            assert!((place as usize..place as usize + 256).contains(&(scratch.as_ptr() as usize)));
        }
    }

    #[test]
    fn an_abandoned_frame_leaves_nothing_behind() {
        let mut scratch = BytesMut::new();
        Rope::new(&mut scratch).i64(1);
        let mut rope = Rope::new(&mut scratch);
        assert!(!rope.is_empty(), "there is the length in front");
        rope.i8(2);
        assert_eq!(&rope.finish().to_bytes()[..], &[0, 0, 0, 1, 2]);
        let frame = Rope::new(&mut scratch).finish();
        assert!(!frame.is_empty() && frame.body().is_empty());
    }

    #[test]
    fn tagged_fields_of_every_size_of_size() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let contents: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let mut scratch = BytesMut::new();
            let mut rope = Rope::new(&mut scratch);
            rope.tagged(9, |rope| rope.raw(&contents));
            let body = rope.finish().body();
            let mut rest = &body[..];
            assert_eq!(varint::read_u32(&mut rest), Ok(9));
            assert_eq!(varint::read_u32(&mut rest), Ok(size as u32));
            assert_eq!(rest, contents);
        }
    }

    #[test]
    fn strings_and_lengths_in_both_forms() {
        let write = |f: &dyn Fn(&mut Rope<'_>)| {
            let mut scratch = BytesMut::new();
            let mut rope = Rope::new(&mut scratch);
            f(&mut rope);
            rope.finish().body().to_vec()
        };
        assert_eq!(write(&|r| r.string(Some("ab"), false)), [0, 2, b'a', b'b']);
        assert_eq!(write(&|r| r.string(Some("ab"), true)), [3, b'a', b'b']);
        assert_eq!(write(&|r| r.string(None, false)), [0xff, 0xff]);
        assert_eq!(write(&|r| r.string(None, true)), [0]);
        assert_eq!(write(&|r| r.length(Some(1), false)), [0, 0, 0, 1]);
        assert_eq!(write(&|r| r.length(Some(127), true)), [0x80, 1]);
        assert_eq!(write(&|r| r.length(None, false)), [0xff; 4]);
    }

    #[test]
    fn an_overlong_string_is_cut_between_characters() {
        let text = "é".repeat(limits::STRING_BYTES_MAX);
        let mut scratch = BytesMut::new();
        let mut rope = Rope::new(&mut scratch);
        rope.string(Some(&text), false);
        let body = rope.finish().body();
        assert_eq!(
            body[..2],
            (limits::STRING_BYTES_MAX as i16 - 1).to_be_bytes()
        );
        assert!(std::str::from_utf8(&body[2..]).is_ok());
    }
}
