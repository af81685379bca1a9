//! No byte of an object can change, and none can be missing, without being noticed; and a
//! footer that lies with good checksums is refused.

use corelane::base::checksum;
use corelane::object::format::{Finding, Footer, ObjectError, TailRead};

use crate::format::{is_sound, verify};
use crate::records::{small, whole};

#[test]
fn a_flipped_bit_in_any_byte_is_found() {
    let bytes = whole(&small());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let findings = verify(&damaged);
            assert!(!findings.iter().all(is_sound), "byte {at}, bit {bit}");
            // Damage to one chunk hides no other.
            if matches!(findings[0], Finding::Footer(Ok(_))) {
                let unsound = findings.iter().filter(|f| !is_sound(f)).count();
                assert_eq!(unsound, 1, "byte {at}, bit {bit}: {findings:?}");
            }
        }
    }
}

#[test]
fn an_object_cut_off_anywhere_is_found() {
    let bytes = whole(&small());
    for len in 0..bytes.len() {
        let findings = verify(&bytes[..len]);
        assert!(!findings.iter().all(is_sound), "{len} bytes");
        let tail = Footer::read(&bytes[..len]);
        assert!(!matches!(tail, Ok(TailRead::Whole(_))), "{len} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(!verify(&longer).iter().all(is_sound));
    let in_front = [&[0], &bytes[..]].concat();
    assert!(
        !verify(&in_front).iter().all(is_sound),
        "of another size than it says"
    );
}

#[test]
fn zeroes_and_nothing_are_no_objects() {
    for len in [0, 31, 32, 96, 4096] {
        let zeroes = vec![0; len];
        assert_eq!(verify(&zeroes), [Finding::Footer(Err(ObjectError::Shape))]);
    }
}

/// The footer with a change and all checksums made right again.
pub fn resummed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let plan = small();
    let mut bytes = whole(&plan);
    let begins = plan.footer.position() as usize;
    let end = bytes.len() - 32;
    change(&mut bytes[begins..end]);
    let sum = checksum::crc32c(&bytes[begins..end]).to_le_bytes();
    bytes[end + 24..end + 28].copy_from_slice(&sum);
    let sum = checksum::crc32c(&bytes[end..end + 28]).to_le_bytes();
    bytes[end + 28..].copy_from_slice(&sum);
    bytes
}

#[test]
fn a_footer_that_contradicts_itself_is_refused() {
    assert!(verify(&resummed(|_| {})).iter().all(is_sound));
    // Places in the footer: the count, then fields of the first entry.
    let entry = 72;
    type Change = (&'static str, usize, &'static [u8]);
    let changes: [Change; 18] = [
        ("a chunk too many", 64, &[4]),
        ("a chunk too few", 64, &[2]),
        ("chunks without end", 64, &[0xff; 4]),
        ("no zero", 68, &[1]),
        ("another topic", entry, &[9]),
        ("another position", entry + 20, &[65]),
        ("bytes", entry + 24, &[1]),
        ("a negative offset", entry + 32 + 7, &[0x80]),
        ("an end before the base", entry + 40, &[40]),
        ("a timestamp", entry + 56, &[0]),
        ("a negative log start", entry + 64 + 7, &[0x80]),
        ("no batches", entry + 72, &[0]),
        ("more batches than bytes", entry + 72, &[0xff]),
        ("a state elsewhere", entry + 76, &[0]),
        ("an empty state", entry + 80, &[0]),
        ("no marks", entry + 88, &[0]),
        ("marks without end", entry + 88, &[0xff; 4]),
        ("epochs without end", entry + 92, &[0xff; 4]),
    ];
    for (what, at, value) in changes {
        let bytes = resummed(|footer| footer[at..at + value.len()].copy_from_slice(value));
        let found = verify(&bytes).remove(0);
        let is_refused = matches!(found, Finding::Footer(Err(ObjectError::Contradiction(_))));
        assert!(is_refused, "{what}: {found:?}");
    }
    let bytes = resummed(|footer| {
        footer[8] = 2;
        let sum = checksum::crc32c(&footer[..60]).to_le_bytes();
        footer[60..64].copy_from_slice(&sum);
    });
    let version = Finding::Footer(Err(ObjectError::Version(2)));
    assert_eq!(verify(&bytes), [version]);
}

#[test]
fn an_entry_that_differs_from_its_batches_is_found() {
    let entry = 72;
    let mark = entry + 96;
    for (what, at) in [
        ("records", entry + 48),
        ("the first mark's timestamp and the chunk's", entry + 56),
        ("batches", entry + 72),
        ("an epoch's number", mark + 20),
    ] {
        let bytes = resummed(|footer| {
            footer[at] ^= 1;
            if at == entry + 56 {
                footer[mark + 12] ^= 1;
            }
        });
        let findings = verify(&bytes);
        let fault = corelane::object::format::Fault::Entry;
        assert!(
            findings.contains(&Finding::Chunk(0, Err(fault))),
            "{what}: {findings:?}"
        );
    }
}
