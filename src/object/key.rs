//! Names in the store. `../FORMAT.md` says why they never collide; here is how
//! they are written, read, and ordered so that what is newest is found first.

use std::fmt;

use crate::base::ShardId;

/// The cluster that a bucket's prefix belongs to: 16 random bytes, made once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

/// One data object, for ever. Ordered as a listing of the store is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The shard that wrote it.
    pub shard: ShardId,
    /// The start of the broker in which it did, from 1: the leader epoch.
    pub start: u32,
    /// Its number in that shard and start, from 0.
    pub number: u32,
}

/// One snapshot of a shard's manifest. Ordered by age, oldest first; its name is the reverse.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SnapshotId {
    /// The shard whose manifest it is.
    pub shard: ShardId,
    /// The start of the broker that wrote it.
    pub start: u32,
    /// Its number in that shard and start, from 0.
    pub count: u32,
}

/// What a name in the store, behind the prefix, stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A data object.
    Data(ObjectId),
    /// A snapshot of a manifest.
    Snapshot(SnapshotId),
}

const DATA: &str = "data";
const DATA_SUFFIX: &str = ".obj";
const MANIFEST: &str = "manifest";
const SNAPSHOT_SUFFIX: &str = ".snap";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CLUSTER_CHARACTERS: usize = 22;

impl ObjectId {
    /// Which of two objects was begun later; shards of one start have no order among them.
    pub fn age(self) -> (u32, u32) {
        (self.start, self.number)
    }
}

impl Key {
    /// Its name under the prefix.
    pub fn name(&self, cluster: ClusterId) -> String {
        match self {
            Key::Data(ObjectId {
                shard,
                start,
                number,
            }) => format!(
                "{}{start:08x}/{number:08x}{DATA_SUFFIX}",
                data_prefix(cluster, *shard)
            ),
            Key::Snapshot(SnapshotId {
                shard,
                start,
                count,
            }) => {
                let newest_first = !(u64::from(*start) << 32 | u64::from(*count));
                let prefix = snapshot_prefix(cluster, *shard);
                format!("{prefix}{newest_first:016x}{SNAPSHOT_SUFFIX}")
            }
        }
    }

    /// The cluster and the key of a name; `None` for one that [`Key::name`] never gives.
    pub fn parse(name: &str) -> Option<(ClusterId, Key)> {
        let mut parts = name.split('/');
        let cluster = ClusterId::parse(parts.next()?)?;
        let kind = parts.next()?;
        let shard = ShardId(u16::try_from(hex(parts.next()?)?).ok()?);
        let key = match kind {
            DATA => {
                let start = u32::try_from(hex(parts.next()?)?).ok()?;
                let number = hex(parts.next()?.strip_suffix(DATA_SUFFIX)?)?;
                Key::Data(ObjectId {
                    shard,
                    start,
                    number: u32::try_from(number).ok()?,
                })
            }
            MANIFEST => {
                let newest_first = hex(parts.next()?.strip_suffix(SNAPSHOT_SUFFIX)?)?;
                let order = !newest_first;
                Key::Snapshot(SnapshotId {
                    shard,
                    start: (order >> 32) as u32,
                    count: order as u32,
                })
            }
            _ => return None,
        };
        // One spelling only: digits left out, upper case and the like are another's names.
        (key.name(cluster) == name).then_some((cluster, key))
    }
}

/// What the names of a shard's data objects begin with.
pub fn data_prefix(cluster: ClusterId, shard: ShardId) -> String {
    format!("{cluster}/{DATA}/{:04x}/", shard.0)
}

/// What the names of the snapshots of a shard's manifest begin with; the first is the newest.
pub fn snapshot_prefix(cluster: ClusterId, shard: ShardId) -> String {
    format!("{cluster}/{MANIFEST}/{:04x}/", shard.0)
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

impl ClusterId {
    /// The id from its 22 characters.
    pub fn parse(text: &str) -> Option<ClusterId> {
        if text.len() != CLUSTER_CHARACTERS {
            return None;
        }
        let mut bits: u128 = 0;
        let mut last = 0;
        for (at, character) in text.bytes().enumerate() {
            let digit = BASE64URL.iter().position(|c| *c == character)? as u128;
            match at + 1 < CLUSTER_CHARACTERS {
                true => bits = bits << 6 | digit,
                // 22 characters have 132 bits: the last four of them are zero.
                false => {
                    bits = bits << 2 | digit >> 4;
                    last = digit & 0xf;
                }
            }
        }
        (last == 0).then_some(ClusterId(bits.to_be_bytes()))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for at in 0..CLUSTER_CHARACTERS {
            let digit = match 122_usize.checked_sub(6 * at) {
                Some(shift) => bits >> shift,
                None => bits << 4,
            };
            let character = BASE64URL.get((digit & 0x3f) as usize).copied();
            write!(f, "{}", char::from(character.unwrap_or(b'?')))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectId {
            shard,
            start,
            number,
        } = self;
        write!(f, "{:04x}/{start:08x}/{number:08x}", shard.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(shard: u16, start: u32, number: u32) -> ObjectId {
        ObjectId {
            shard: ShardId(shard),
            start,
            number,
        }
    }

    fn snapshot(start: u32, count: u32) -> SnapshotId {
        SnapshotId {
            shard: ShardId(3),
            start,
            count,
        }
    }

    const CLUSTER: ClusterId = ClusterId([0xfb; 16]);

    #[test]
    fn names_are_as_documented() {
        assert_eq!(ClusterId([0; 16]).to_string(), "A".repeat(22));
        assert_eq!(
            ClusterId([255; 16]).to_string(),
            format!("{}w", "_".repeat(21))
        );
        assert_eq!(CLUSTER.to_string(), "-_v7-_v7-_v7-_v7-_v7-w");
        assert_eq!(
            Key::Data(object(3, 17, 0xabc)).name(CLUSTER),
            "-_v7-_v7-_v7-_v7-_v7-w/data/0003/00000011/00000abc.obj"
        );
        assert_eq!(
            Key::Snapshot(snapshot(1, 2)).name(CLUSTER),
            "-_v7-_v7-_v7-_v7-_v7-w/manifest/0003/fffffffefffffffd.snap"
        );
    }

    #[test]
    fn foreign_names_are_not_ours() {
        let good = Key::Data(object(3, 17, 0xabc)).name(CLUSTER);
        let foreign = [
            good.to_uppercase(),
            good.replace("0003", "3"),
            good.replace("0003", "+003"),
            good.replace("0003", "10003"),
            good.replace(".obj", ""),
            good.replace(".obj", ".obj/"),
            good.replace("data", "manifest"),
            good.replace("w/data", "x/data"),
            good.replace("-_v7-w", "-_v7"),
            format!("/{good}"),
            String::new(),
        ];
        assert!(Key::parse(&good).is_some());
        for name in foreign {
            assert_eq!(Key::parse(&name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn names_go_both_ways_and_order_as_keys_do(
            cluster: [u8; 16], a: (u16, u32, u32), b: (u16, u32, u32),
        ) {
            let cluster = ClusterId(cluster);
            let data = [a, b].map(|(shard, start, number)| object(shard, start, number));
            let names = data.map(|id| Key::Data(id).name(cluster));
            prop_assert_eq!(Key::parse(&names[0]), Some((cluster, Key::Data(data[0]))));
            prop_assert_eq!(names[0].cmp(&names[1]), data[0].cmp(&data[1]));
            let snapshots = [a, b].map(|(_, start, count)| snapshot(start, count));
            let names = snapshots.map(|id| Key::Snapshot(id).name(cluster));
            prop_assert_eq!(Key::parse(&names[0]), Some((cluster, Key::Snapshot(snapshots[0]))));
            prop_assert_eq!(names[1].cmp(&names[0]), snapshots[0].cmp(&snapshots[1]));
            prop_assert!(names[0].starts_with(&snapshot_prefix(cluster, ShardId(3))));
        }

        #[test]
        fn any_text_is_a_key_or_none(text in ".{0,80}", id in "[A-Za-z0-9_-]{22}") {
            if let Some((cluster, key)) = Key::parse(&text) {
                prop_assert_eq!(key.name(cluster), text);
            }
            if let Some(cluster) = ClusterId::parse(&id) {
                prop_assert_eq!(cluster.to_string(), id);
            }
        }
    }
}
