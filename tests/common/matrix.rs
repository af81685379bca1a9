//! The setups that black-box tests run over: topology `per-core` and `single`, 1, 2 and 5
//! shards, direct writes and the buffered fallback. A module lists its tests once:
//!
//! ```ignore
//! matrix! {
//!     every cell: a_cheap_test, another;
//!     every pair: one_that_takes_seconds;
//!     every value: one_that_takes_many;
//!     own shards, "it damages the files of two WALs": one_with_a_topology_of_its_own;
//! }
//! ```
//!
//! and each becomes a module of `#[test]`s named after their cells. *Every cell* is all twelve.
//! *Every pair* is six: each topology with each number of shards; the write modes alternate so
//! that every pair of values occurs. *Every value* is three, one for each number of shards, with
//! both topologies and both write modes among them. *Own shards* is for tests that choose the
//! number of shards themselves, and says why: both write modes. What is not named is drawn from
//! the test's name, so it is the same in every run. `CORELANE_TEST_MATRIX=full` runs all cells
//! of every test.

use std::fmt;

use corelane::base::checksum;

use super::broker::{Broker, Options};

/// Shards of a broker in the matrix: alone, as many as there are cores, more than there are.
const SHARDS: [u16; 3] = [1, 2, 5];
/// What each shard has, MiB.
const MEMORY_MIB_PER_SHARD: u32 = 64;
/// See [`MEMORY_MIB_PER_SHARD`].
const WAL_DISK_MIB_PER_SHARD: u32 = 64;

/// One cell of the matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Topology `single` instead of `per-core`.
    pub single: bool,
    /// How many shards.
    pub shards: u16,
    /// As on a file system that refuses O_DIRECT.
    pub buffered: bool,
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topology = if self.single { "single" } else { "per-core" };
        let mode = if self.buffered { "buffered" } else { "direct" };
        write!(
            f,
            "topology {topology}, {} shards, {mode} writes",
            self.shards
        )
    }
}

impl Setup {
    /// What a broker of this setup is started with.
    pub fn options(self) -> Options {
        self.with_per_shard(MEMORY_MIB_PER_SHARD, WAL_DISK_MIB_PER_SHARD)
    }

    /// The same with other shares of memory and WAL disk for each shard, MiB.
    pub fn with_per_shard(self, memory_mib: u32, wal_disk_mib: u32) -> Options {
        let shards = u32::from(self.shards);
        Options {
            cores: self.shards,
            single: self.single,
            buffered: self.buffered,
            memory_mib: memory_mib * shards,
            wal_disk_mib: wal_disk_mib * shards,
            ..Options::default()
        }
    }

    /// A running broker with an empty data directory.
    pub fn start(self) -> Broker {
        Broker::start_with(self.options())
    }

    /// How many nodes clients see.
    pub fn nodes(self) -> u16 {
        if self.single { 1 } else { self.shards }
    }
}

/// The part of the matrix that one `#[test]` stands for; `None` is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Cells {
    /// See [`Setup::single`].
    pub single: Option<bool>,
    /// See [`Setup::shards`].
    pub shards: Option<u16>,
    /// See [`Setup::buffered`].
    pub buffered: Option<bool>,
}

impl Cells {
    /// The one that is drawn for a test.
    fn drawn(self, test: &str) -> Setup {
        let draw = checksum::crc32c(test.as_bytes());
        let shards = self.shards.unwrap_or(2);
        let row = SHARDS.iter().position(|n| *n == shards).unwrap_or(0) as u32;
        // Of three rows one has another topology, and one another mode, than the other two.
        // With shards of its own a test has two rows, the modes.
        let row = match self.shards {
            Some(_) => row,
            None => u32::from(self.buffered.unwrap_or(false)),
        };
        let single = self.single.unwrap_or((draw + row).is_multiple_of(2));
        let buffered = self.buffered.unwrap_or(match self.single {
            Some(single) => (draw + row + u32::from(single)).is_multiple_of(2),
            None => (draw / 2 + row.min(1)).is_multiple_of(2),
        });
        Setup {
            single,
            shards,
            buffered,
        }
    }

    /// All of them.
    fn all(self) -> Vec<Setup> {
        let mut all = Vec::new();
        for single in [false, true] {
            for buffered in [false, true] {
                for shards in SHARDS {
                    all.push(Setup {
                        single,
                        shards,
                        buffered,
                    });
                }
            }
        }
        all.retain(|setup| {
            self.single.is_none_or(|single| single == setup.single)
                && self.shards.unwrap_or(2) == setup.shards
                && self.buffered.is_none_or(|mode| mode == setup.buffered)
        });
        all
    }
}

/// Runs a test in the cells that one `#[test]` stands for.
pub fn run(test: &str, cells: Cells, body: fn(Setup)) {
    let full = std::env::var("CORELANE_TEST_MATRIX").is_ok_and(|value| value == "full");
    let setups = match full {
        true => cells.all(),
        false => vec![cells.drawn(test)],
    };
    for setup in setups {
        // Shown when the test fails: the last one is the one that did.
        println!("{test} with {setup}");
        body(setup);
    }
}

/// See the [module](self).
macro_rules! matrix {
    () => {};
    (every cell: $($test:ident),+; $($rest:tt)*) => {
        $(mod $test { $crate::common::matrix::tests! { $test:
            per_core_1_direct(Some(false), Some(1), Some(false));
            per_core_1_buffered(Some(false), Some(1), Some(true));
            per_core_2_direct(Some(false), Some(2), Some(false));
            per_core_2_buffered(Some(false), Some(2), Some(true));
            per_core_5_direct(Some(false), Some(5), Some(false));
            per_core_5_buffered(Some(false), Some(5), Some(true));
            single_1_direct(Some(true), Some(1), Some(false));
            single_1_buffered(Some(true), Some(1), Some(true));
            single_2_direct(Some(true), Some(2), Some(false));
            single_2_buffered(Some(true), Some(2), Some(true));
            single_5_direct(Some(true), Some(5), Some(false));
            single_5_buffered(Some(true), Some(5), Some(true));
        } })+
        $crate::common::matrix::matrix! { $($rest)* }
    };
    (every pair: $($test:ident),+; $($rest:tt)*) => {
        $(mod $test { $crate::common::matrix::tests! { $test:
            per_core_1(Some(false), Some(1), None);
            per_core_2(Some(false), Some(2), None);
            per_core_5(Some(false), Some(5), None);
            single_1(Some(true), Some(1), None);
            single_2(Some(true), Some(2), None);
            single_5(Some(true), Some(5), None);
        } })+
        $crate::common::matrix::matrix! { $($rest)* }
    };
    (every value: $($test:ident),+; $($rest:tt)*) => {
        $(mod $test { $crate::common::matrix::tests! { $test:
            shards_1(None, Some(1), None);
            shards_2(None, Some(2), None);
            shards_5(None, Some(5), None);
        } })+
        $crate::common::matrix::matrix! { $($rest)* }
    };
    (own shards, $why:literal: $($test:ident),+; $($rest:tt)*) => {
        $(mod $test { $crate::common::matrix::tests! { $test:
            direct(None, None, Some(false));
            buffered(None, None, Some(true));
        } })+
        $crate::common::matrix::matrix! { $($rest)* }
    };
}

/// One `#[test]` for each row: its name, and its [`Cells`].
macro_rules! tests {
    ($test:ident: $($name:ident($single:expr, $shards:expr, $buffered:expr);)+) => { $(
        #[test]
        fn $name() {
            let cells = $crate::common::matrix::Cells {
                single: $single,
                shards: $shards,
                buffered: $buffered,
            };
            $crate::common::matrix::run(stringify!($test), cells, super::$test);
        }
    )+ };
}

pub(crate) use {matrix, tests};

#[cfg(test)]
mod the_draw {
    use super::*;

    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

    fn setups(test: &str, parts: &[(Option<bool>, Option<u16>)]) -> Vec<Setup> {
        let cells = parts.iter().map(|&(single, shards)| Cells {
            single,
            shards,
            buffered: None,
        });
        cells.map(|cells| cells.drawn(test)).collect()
    }

    #[test]
    fn three_cells_have_every_value() {
        for test in NAMES {
            let drawn = setups(test, &[(None, Some(1)), (None, Some(2)), (None, Some(5))]);
            for value in [false, true] {
                assert!(drawn.iter().any(|setup| setup.single == value), "{drawn:?}");
                assert!(
                    drawn.iter().any(|setup| setup.buffered == value),
                    "{drawn:?}"
                );
            }
            assert!(SHARDS.iter().eq(drawn.iter().map(|setup| &setup.shards)));
        }
    }

    #[test]
    fn six_cells_have_every_pair_of_values() {
        let both = [false, true].map(Some);
        let parts = both.map(|single| SHARDS.map(|shards| (single, Some(shards))));
        for test in NAMES {
            let drawn = setups(test, parts.as_flattened());
            for buffered in [false, true] {
                let with = || drawn.iter().filter(|setup| setup.buffered == buffered);
                for single in [false, true] {
                    assert!(with().any(|setup| setup.single == single), "{drawn:?}");
                }
                for shards in SHARDS {
                    assert!(with().any(|setup| setup.shards == shards), "{drawn:?}");
                }
            }
        }
    }

    #[test]
    fn all_cells_are_twelve() {
        let all = |single, shards| {
            let cells = Cells {
                single,
                shards,
                buffered: None,
            };
            cells.all().len()
        };
        assert_eq!(all(None, Some(5)), 4);
        assert_eq!(all(Some(true), Some(1)), 2);
        assert_eq!(SHARDS.map(|shards| all(None, Some(shards))), [4; 3]);
    }
}
