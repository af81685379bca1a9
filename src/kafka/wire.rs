//! How one value looks on the wire, both directions. Every type that a message
//! field may have implements [`Wire`] here; structs get theirs from
//! [`wire_struct!`](crate::wire_struct).

use std::borrow::Cow;

use bytes::Bytes;

use super::error_code::ErrorCode;
use super::reader::{Reader, WireError};
use super::rope::Rope;
use crate::base::{TopicId, limits};

/// The version a message is read or written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// The API's version number.
    pub number: i16,
    /// Whether that version is flexible (KIP-482): compact lengths, tagged fields.
    pub flexible: bool,
}

/// A value that can be read from and written to a message.
///
/// Writing cannot fail: a field that the version does not have is left out, and
/// null in a version that forbids it becomes the empty value.
pub trait Wire<'a>: Sized {
    /// Reads the value. Borrowed parts live as long as the frame.
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError>;
    /// Writes the value.
    fn write(&self, rope: &mut Rope<'_>, version: Version);
}

/// A value that may be null in some versions and not in others.
pub trait Nullable {
    /// Whether it is null.
    fn is_null(&self) -> bool;
    /// What stands for null in a version that has none.
    fn empty(&self) -> Self;
}

/// Marks the structs of [`wire_struct!`](crate::wire_struct), which may be null as a whole.
pub trait Struct {}

/// The record data of a Fetch response: whole batches, each its own `Bytes`,
/// one after the other under one length. Never null on the wire, which
/// librdkafka would take for a size error.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records(pub Vec<Bytes>);

impl Records {
    /// Bytes of all batches together.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! wire_number {
    ($($type:ty: $method:ident),*) => {$(
        impl Wire<'_> for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>, _: Version) -> Result<Self, WireError> {
                reader.$method()
            }
            #[inline]
            fn write(&self, rope: &mut Rope<'_>, _: Version) {
                rope.$method(*self);
            }
        }
    )*};
}

wire_number!(i8: i8, i16: i16, i32: i32, i64: i64);

impl Wire<'_> for bool {
    /// Any byte but zero is true, as Kafka reads it.
    fn read(reader: &mut Reader<'_>, _: Version) -> Result<Self, WireError> {
        Ok(reader.i8()? != 0)
    }
    fn write(&self, rope: &mut Rope<'_>, _: Version) {
        rope.i8(i8::from(*self));
    }
}

impl Wire<'_> for ErrorCode {
    fn read(reader: &mut Reader<'_>, _: Version) -> Result<Self, WireError> {
        reader.i16().map(ErrorCode)
    }
    fn write(&self, rope: &mut Rope<'_>, _: Version) {
        rope.i16(self.0);
    }
}

impl Wire<'_> for TopicId {
    fn read(reader: &mut Reader<'_>, _: Version) -> Result<Self, WireError> {
        reader.uuid()
    }
    fn write(&self, rope: &mut Rope<'_>, _: Version) {
        rope.raw(&self.0);
    }
}

impl<'a> Wire<'a> for &'a str {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        reader.string(version.flexible)?.ok_or(WireError::Null)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.string(Some(self), version.flexible);
    }
}

impl<'a> Wire<'a> for Option<&'a str> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        reader.string(version.flexible)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.string(*self, version.flexible);
    }
}

impl<'a> Wire<'a> for Cow<'a, str> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        <&str>::read(reader, version).map(Cow::Borrowed)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.string(Some(self), version.flexible);
    }
}

impl<'a> Wire<'a> for Option<Cow<'a, str>> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        Ok(reader.string(version.flexible)?.map(Cow::Borrowed))
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.string(self.as_deref(), version.flexible);
    }
}

/// Opaque bytes that are never null.
impl<'a> Wire<'a> for &'a [u8] {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        reader.bytes(version.flexible)?.ok_or(WireError::Null)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.length(Some(self.len()), version.flexible);
        rope.raw(self);
    }
}

/// The record data of a Produce request: shares the frame's memory.
impl Wire<'_> for Option<Bytes> {
    fn read(reader: &mut Reader<'_>, version: Version) -> Result<Self, WireError> {
        reader.shared_bytes(version.flexible)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.length(self.as_ref().map(Bytes::len), version.flexible);
        if let Some(bytes) = self {
            rope.share(bytes);
        }
    }
}

impl Wire<'_> for Records {
    fn read(reader: &mut Reader<'_>, version: Version) -> Result<Self, WireError> {
        Ok(Records(
            reader.shared_bytes(version.flexible)?.into_iter().collect(),
        ))
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        rope.length(Some(self.len()), version.flexible);
        self.0.iter().for_each(|chunk| rope.share(chunk));
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        read_array(reader, version)?.ok_or(WireError::Null)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        write_array(self, rope, version);
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<Vec<T>> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        read_array(reader, version)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        match self {
            Some(elements) => write_array(elements, rope, version),
            None => rope.length(None, version.flexible),
        }
    }
}

/// Numbers that the writer may borrow: replica lists, one slice for all partitions.
impl<'a> Wire<'a> for Cow<'a, [i32]> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        Vec::read(reader, version).map(Cow::Owned)
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        write_array(self, rope, version);
    }
}

impl<'a> Wire<'a> for Option<Cow<'a, [i32]>> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        Ok(read_array(reader, version)?.map(Cow::Owned))
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        match self {
            Some(elements) => write_array(elements, rope, version),
            None => rope.length(None, version.flexible),
        }
    }
}

/// A struct that may be null: one byte in front, negative for null.
impl<'a, T: Wire<'a> + Struct> Wire<'a> for Option<T> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, WireError> {
        match reader.i8()? {
            ..0 => Ok(None),
            _ => T::read(reader, version).map(Some),
        }
    }
    fn write(&self, rope: &mut Rope<'_>, version: Version) {
        match self {
            Some(value) => {
                rope.i8(1);
                value.write(rope, version);
            }
            None => rope.i8(-1),
        }
    }
}

impl<T: Default> Nullable for Option<T> {
    fn is_null(&self) -> bool {
        self.is_none()
    }
    fn empty(&self) -> Self {
        Some(T::default())
    }
}

fn read_array<'a, T: Wire<'a>>(
    reader: &mut Reader<'a>,
    version: Version,
) -> Result<Option<Vec<T>>, WireError> {
    let Some(count) = reader.array_length(version.flexible)? else {
        return Ok(None);
    };
    let mut elements = Vec::with_capacity(count.min(limits::ARRAY_PRESIZE_MAX));
    for _ in 0..count {
        elements.push(T::read(reader, version)?);
    }
    Ok(Some(elements))
}

fn write_array<'a, T: Wire<'a>>(elements: &[T], rope: &mut Rope<'_>, version: Version) {
    rope.length(Some(elements.len()), version.flexible);
    elements
        .iter()
        .for_each(|element| element.write(rope, version));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use std::fmt::Debug;

    const PLAIN: Version = Version {
        number: 0,
        flexible: false,
    };
    const FLEXIBLE: Version = Version {
        number: 9,
        flexible: true,
    };

    fn written<'a>(value: &impl Wire<'a>, version: Version) -> Bytes {
        let mut scratch = BytesMut::new();
        let mut rope = Rope::new(&mut scratch);
        value.write(&mut rope, version);
        rope.finish().body()
    }

    fn both_ways<'a, T: Wire<'a> + PartialEq + Debug>(
        value: T,
        version: Version,
        bytes: &'a Bytes,
    ) {
        assert_eq!(written(&value, version), bytes);
        assert_eq!(T::read(&mut Reader::new(bytes), version), Ok(value));
    }

    #[test]
    fn every_value_in_bytes() {
        let wire = |bytes: &'static [u8]| Bytes::from_static(bytes);
        both_ways(-2i8, PLAIN, &wire(&[0xfe]));
        both_ways(0x0102i16, PLAIN, &wire(&[1, 2]));
        both_ways(0x0102_0304i32, PLAIN, &wire(&[1, 2, 3, 4]));
        both_ways(
            0x0102_0304_0506_0708i64,
            PLAIN,
            &wire(&[1, 2, 3, 4, 5, 6, 7, 8]),
        );
        both_ways(true, PLAIN, &wire(&[1]));
        both_ways(false, PLAIN, &wire(&[0]));
        both_ways(ErrorCode::UNKNOWN_SERVER_ERROR, PLAIN, &wire(&[0xff, 0xff]));
        both_ways(TopicId([7; 16]), PLAIN, &wire(&[7; 16]));
        both_ways("ab", PLAIN, &wire(&[0, 2, b'a', b'b']));
        both_ways("ab", FLEXIBLE, &wire(&[3, b'a', b'b']));
        both_ways(None::<&str>, PLAIN, &wire(&[0xff, 0xff]));
        both_ways(Some("a"), FLEXIBLE, &wire(&[2, b'a']));
        both_ways(Cow::from("a"), FLEXIBLE, &wire(&[2, b'a']));
        both_ways(None::<Cow<'_, str>>, FLEXIBLE, &wire(&[0]));
        both_ways(&b"ab"[..], PLAIN, &wire(&[0, 0, 0, 2, b'a', b'b']));
        both_ways(Some(Bytes::from("a")), FLEXIBLE, &wire(&[2, b'a']));
        both_ways(None::<Bytes>, PLAIN, &wire(&[0xff; 4]));
        both_ways(vec![1i16, 2], PLAIN, &wire(&[0, 0, 0, 2, 0, 1, 0, 2]));
        both_ways(vec![1i8], FLEXIBLE, &wire(&[2, 1]));
        both_ways(None::<Vec<i8>>, FLEXIBLE, &wire(&[0]));
        both_ways(Some(vec![0i8]), PLAIN, &wire(&[0, 0, 0, 1, 0]));
        both_ways(Cow::from(vec![1i32]), FLEXIBLE, &wire(&[2, 0, 0, 0, 1]));
        both_ways(None::<Cow<'_, [i32]>>, FLEXIBLE, &wire(&[0]));
        assert_eq!(
            bool::read(&mut Reader::new(&wire(&[0x80])), PLAIN),
            Ok(true)
        );
    }

    #[test]
    fn what_must_not_be_null() {
        let null = Bytes::from_static(&[0]);
        let reader = || Reader::new(&null);
        assert_eq!(<&str>::read(&mut reader(), FLEXIBLE), Err(WireError::Null));
        assert_eq!(<&[u8]>::read(&mut reader(), FLEXIBLE), Err(WireError::Null));
        assert_eq!(
            Vec::<i8>::read(&mut reader(), FLEXIBLE),
            Err(WireError::Null)
        );
        assert_eq!(
            Cow::<[i32]>::read(&mut reader(), FLEXIBLE),
            Err(WireError::Null)
        );
    }

    #[test]
    fn record_sets_are_chunks_under_one_length_and_never_null() {
        let records = Records(vec!["ab".into(), Bytes::new(), "c".into()]);
        assert_eq!((records.len(), records.is_empty()), (3, false));
        assert!(Records(vec![Bytes::new()]).is_empty());
        assert_eq!(&written(&records, PLAIN)[..], b"\0\0\0\x03abc");
        assert_eq!(&written(&records, FLEXIBLE)[..], b"\x04abc");
        assert_eq!(&written(&Records::default(), PLAIN)[..], [0; 4]);
        assert_eq!(&written(&Records::default(), FLEXIBLE)[..], [1]);
        for (bytes, chunks) in [(&[0u8][..], vec![]), (b"\x04abc", vec![Bytes::from("abc")])] {
            let frame = Bytes::copy_from_slice(bytes);
            assert_eq!(
                Records::read(&mut Reader::new(&frame), FLEXIBLE),
                Ok(Records(chunks))
            );
        }
    }
}
