//! Names inside a data directory. The WAL of shard 3 is the directory
//! `wal/shard-003`, its segment in slot 17 the file `000017.wal`.

use std::fmt;

/// The file that names a WAL's segments. It is only ever replaced whole.
pub const MANIFEST_FILE: &str = "manifest";
/// What a new manifest is called until it is renamed over the old one.
pub const MANIFEST_TMP_FILE: &str = "manifest.tmp";
/// The directory under the data directory that holds one directory per WAL.
pub const WAL_ROOT_DIR: &str = "wal";

const DIR_PREFIX: &str = "shard-";
const FILE_SUFFIX: &str = ".wal";

/// Name of the directory of one WAL, under [`WAL_ROOT_DIR`].
pub fn dir_name(wal: u16) -> String {
    format!("{DIR_PREFIX}{wal:03}")
}

/// The WAL's number from its directory's name; `None` for a name that [`dir_name`] never gives.
pub fn parse_dir_name(name: &str) -> Option<u16> {
    let wal = name.strip_prefix(DIR_PREFIX)?.parse().ok()?;
    (dir_name(wal) == name).then_some(wal)
}

/// Name of the segment file in `slot`.
pub fn segment_file_name(slot: u32) -> String {
    format!("{slot:06}{FILE_SUFFIX}")
}

/// The slot from a segment file's name; `None` for a name that [`segment_file_name`] never gives.
pub fn parse_segment_file_name(name: &str) -> Option<u32> {
    let slot = name.strip_suffix(FILE_SUFFIX)?.parse().ok()?;
    (segment_file_name(slot) == name).then_some(slot)
}

/// A file of a WAL, written as its path under the data directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePath {
    /// The WAL's number.
    pub wal: u16,
    /// The segment's slot; `None` is the manifest.
    pub slot: Option<u32>,
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WAL_ROOT_DIR}/{}/", dir_name(self.wal))?;
        match self.slot {
            Some(slot) => f.write_str(&segment_file_name(slot)),
            None => f.write_str(MANIFEST_FILE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for slot in [0, 17, 999_999, 1_000_000, u32::MAX] {
            assert_eq!(
                parse_segment_file_name(&segment_file_name(slot)),
                Some(slot)
            );
        }
        for wal in [0, 3, 999, 1023, u16::MAX] {
            assert_eq!(parse_dir_name(&dir_name(wal)), Some(wal));
        }
        assert_eq!(segment_file_name(17), "000017.wal");
        assert_eq!(dir_name(3), "shard-003");
        assert_eq!(
            FilePath {
                wal: 3,
                slot: Some(17)
            }
            .to_string(),
            "wal/shard-003/000017.wal"
        );
    }

    #[test]
    fn foreign_names_are_not_ours() {
        for name in [
            "17.wal",
            "+00017.wal",
            "000017.wal.tmp",
            "0000017.wal",
            ".wal",
            "manifest",
        ] {
            assert_eq!(parse_segment_file_name(name), None, "{name}");
        }
        for name in [
            "shard-3",
            "shard-+03",
            "shard-0003",
            "shard-",
            "shard-65536",
            "x",
        ] {
            assert_eq!(parse_dir_name(name), None, "{name}");
        }
    }
}
