//! Random histories: appends, completions in any order, reclaims, crashes and
//! restarts, a full disk. After each restart everything acknowledged is there,
//! once, in order, byte for byte; after each history the WAL still works.

use corelane::wal::{AppendError, Priority};
use proptest::prelude::*;

use crate::records::{self, Rng};
use crate::rig::{Rig, config};

#[derive(Clone, Debug)]
enum Op {
    Append {
        body_bytes_max: usize,
        internal: bool,
    },
    Pump,
    Complete {
        pick: usize,
    },
    Settle,
    Reclaim,
    Pin {
        pick: usize,
    },
    Unpin,
    Attest,
    Close,
    Reopen {
        power_cut: bool,
    },
    Full {
        is_full: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![Just(100), Just(6_000), Just(30_000)];
    prop_oneof![
        30 => (size, any::<bool>())
            .prop_map(|(body_bytes_max, internal)| Op::Append { body_bytes_max, internal }),
        15 => Just(Op::Pump),
        25 => any::<usize>().prop_map(|pick| Op::Complete { pick }),
        3 => Just(Op::Settle),
        5 => Just(Op::Reclaim),
        2 => any::<usize>().prop_map(|pick| Op::Pin { pick }),
        2 => Just(Op::Unpin),
        2 => Just(Op::Attest),
        1 => Just(Op::Close),
        3 => any::<bool>().prop_map(|power_cut| Op::Reopen { power_cut }),
        2 => prop::bool::weighted(0.3).prop_map(|is_full| Op::Full { is_full }),
    ]
}

fn run(seed: u64, ops: Vec<Op>) {
    let mut rng = Rng(seed);
    let mut rig = Rig::new(config(64 * 1024, 6));
    let mut pins = Vec::new();
    let mut offset = 0;
    for op in ops {
        match op {
            Op::Append {
                body_bytes_max,
                internal,
            } => {
                offset += 5;
                let record = records::any(&mut rng, offset, body_bytes_max);
                let priority = if internal {
                    Priority::Internal
                } else {
                    Priority::Data
                };
                let _ = rig.append(record, priority);
            }
            Op::Pump => rig.pump(),
            Op::Complete { pick } => {
                if let Some(index) = pick.checked_rem(rig.disk.flights.len()) {
                    rig.complete(index);
                }
            }
            Op::Settle => rig.settle(&mut rng),
            Op::Reclaim => drop(rig.reclaim_oldest()),
            Op::Pin { pick } => {
                let live: Vec<_> = rig.wal.live_segments().collect();
                if let Some(i) = pick.checked_rem(live.len()) {
                    let slot = rig.wal.pin(live[i].id).unwrap();
                    let is_whole = live[i].end_lsn.is_some_and(|end| end <= rig.acked.next());
                    let whole_bytes = if is_whole {
                        live[i].bytes_used as usize
                    } else {
                        4096
                    };
                    pins.push((slot, rig.disk.files[&slot][..whole_bytes].to_vec()));
                }
            }
            Op::Unpin => {
                if let Some((slot, before)) = pins.pop() {
                    // Whatever happened since, the reader finds what was there.
                    assert_eq!(rig.disk.files[&slot][..before.len()], before);
                    rig.wal.unpin(slot);
                }
            }
            Op::Attest => drop(rig.wal.attest_durable()),
            Op::Close => rig.wal.close(),
            Op::Reopen { power_cut } => {
                rig.reopen(&mut rng, power_cut);
                pins.clear();
            }
            Op::Full { is_full } => {
                rig.disk.is_full = is_full;
                rig.wal.retry();
            }
        }
    }
    // The end of every history: with space and time enough, data is taken again.
    rig.disk.is_full = false;
    rig.wal.retry();
    for (slot, ..) in pins {
        rig.wal.unpin(slot);
    }
    rig.settle(&mut rng);
    while rig.reclaim_oldest() {}
    rig.settle(&mut rng);
    for i in 0..40 {
        let record = records::batch(records::tp(9), i, rng.bytes(10_000));
        match rig.append(record, Priority::Data) {
            Ok(_) | Err(AppendError::Busy) => {}
            Err(error) => {
                assert!(
                    rig.reclaim_oldest(),
                    "{error} with nothing to reclaim: {:?}",
                    rig.wal
                );
            }
        }
        rig.settle(&mut rng);
    }
    assert_eq!(rig.acked, rig.wal.durable());
    assert!(
        rig.appended
            .iter()
            .any(|record| record.tp == records::tp(9))
    );
    rig.restart();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_records_survive(seed: u64, ops in prop::collection::vec(op(), 1..250)) {
        run(seed, ops);
    }
}
