//! Ten thousand partitions are a normal day: what one costs.

use super::*;

#[test]
fn an_empty_partition_costs_its_struct() {
    assert!(size_of::<Partition>() <= 384, "{}", size_of::<Partition>());
    let log = Partition::new(TP, LogConfig::default(), 1);
    assert_eq!(log.memory_bytes(), 0);
}

#[test]
fn a_partition_that_was_emptied_costs_little() {
    let mut rig = Rig::new();
    for waiter in 0..100 {
        rig.log.register_waiter(waiter);
    }
    rig.fill((0..3000).map(|i| spec(1).by(i64::from(i % 50), 0, i / 50)));
    assert!(rig.log.memory_bytes() > 100_000);
    (0..100).for_each(|waiter| assert!(rig.log.deregister_waiter(waiter)));
    rig.log.advance_log_start(3000);
    rig.log.expire_producers(now(i64::MAX), 1);
    assert!(rig.log.memory_bytes() < 1024, "{}", rig.log.memory_bytes());
    assert_eq!((rig.log.tail_bytes(), rig.log.log_bytes()), (0, 0));
}

#[test]
fn a_partition_with_one_producer_costs_well_under_a_kilobyte() {
    let mut rig = Rig::new();
    rig.fill([spec(1).by(1, 0, 0)]);
    rig.log.evict_tail_first();
    assert!(rig.log.memory_bytes() < 700, "{}", rig.log.memory_bytes());
}

#[test]
fn a_partition_that_was_full_of_producers_costs_little() {
    use crate::base::limits::PRODUCERS_PER_PARTITION_MAX;
    let mut log = Partition::new(TP, LogConfig::default(), 1);
    for id in 0..=PRODUCERS_PER_PARTITION_MAX as i64 {
        appended(log.append(now(0), spec(1).by(id, 0, 0).build(), Origin::Client));
    }
    assert!(log.memory_bytes() < 300 * PRODUCERS_PER_PARTITION_MAX);
    assert_eq!(log.expire_producers(now(9), 9), PRODUCERS_PER_PARTITION_MAX);
    assert!(log.memory_bytes() < 1024, "{}", log.memory_bytes());
}
