//! The format, version 1, byte for byte. When one of these fails, what is in people's buckets
//! can no longer be read: a new format version is needed, and this one stays readable.

use corelane::object::format::Footer;

use crate::format::{is_sound, read, verify};
use crate::records::{small, whole};

const OBJECT: &[u8] = include_bytes!("golden/object-v1.obj");

#[test]
fn version_1_is_written_as_ever() {
    assert_eq!(whole(&small()), OBJECT);
}

#[test]
fn version_1_is_read_as_ever() {
    let footer: Footer = read(OBJECT);
    assert_eq!(footer, small().footer);
    assert!(verify(OBJECT).iter().all(is_sound));
}
