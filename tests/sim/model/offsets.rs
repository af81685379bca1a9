//! What groups have committed, as far as the broker has said so. Every client has keys of its
//! own and commits ever larger numbers: what is found may be the last that was acknowledged, or
//! one in doubt that was asked for since, and never less than was found before.

use std::collections::BTreeMap;

/// A group and a partition.
pub type Key = (String, i32);

#[derive(Clone, Copy, Default, Debug)]
struct Committed {
    /// Acknowledged, or found; 0 for never.
    known: i64,
    /// Asked for, whatever came of it.
    asked: i64,
}

/// All keys.
#[derive(Default)]
pub struct Offsets(BTreeMap<Key, Committed>);

impl Offsets {
    /// The number to commit next.
    pub fn ask(&mut self, key: &Key) -> i64 {
        let committed = self.0.entry(key.clone()).or_default();
        committed.asked += 1;
        committed.asked
    }

    /// It was acknowledged.
    pub fn acknowledge(&mut self, key: &Key, offset: i64) {
        let committed = self.0.entry(key.clone()).or_default();
        committed.known = committed.known.max(offset);
    }

    /// The least that a fetch from now on may find.
    pub fn known(&self, key: &Key) -> i64 {
        self.0.get(key).map_or(0, |committed| committed.known)
    }

    /// A fetch that was asked for when `known` was known has found this; -1 for nothing.
    pub fn check(&mut self, key: &Key, known: i64, found: i64) {
        let committed = self.0.entry(key.clone()).or_default();
        let found = found.max(0);
        assert!(
            known <= found && found <= committed.asked,
            "{key:?}: {found} is found, {known} was known and {} asked for",
            committed.asked
        );
        committed.known = committed.known.max(found);
    }

    /// Every key that anything was asked for.
    pub fn keys(&self) -> Vec<Key> {
        self.0.keys().cloned().collect()
    }
}
