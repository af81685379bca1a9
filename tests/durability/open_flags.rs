//! How segments are open, as the kernel tells it: that a write is on the disk when it returns
//! cannot be seen from its bytes, which outlive a SIGKILL in the page cache anyway. What follows
//! each write where segments are not open that way is for `power_cut.rs`.

use std::time::{Duration, Instant};

use crate::common::batches::one;
use crate::common::broker::Broker;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, must_produce};
use crate::common::skip::skip;

matrix! {
    every pair: segments_are_open_for_durable_writes;
}

/// How long a segment may be in the middle of being opened on a busy machine.
const OPENING_MAX: Duration = Duration::from_secs(5);

/// The flags of every segment that the broker has open for writing.
fn flags_of_segments(broker: &Broker) -> Vec<i32> {
    let process = format!("/proc/{}", broker.process_id());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("{process}/fd")).unwrap() {
        let number = entry.unwrap().file_name().into_string().unwrap();
        // Between the two looks it may have been closed.
        let target = std::fs::read_link(format!("{process}/fd/{number}"));
        let is_segment = target.is_ok_and(|path| path.extension().is_some_and(|e| e == "wal"));
        let info = std::fs::read_to_string(format!("{process}/fdinfo/{number}"));
        let Some(info) = info.ok().filter(|_| is_segment) else {
            continue;
        };
        let line = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = i32::from_str_radix(line.unwrap().trim(), 8).unwrap();
        // One that is being filled with zeroes is open for nothing but that.
        if flags & libc::O_ACCMODE == libc::O_RDWR {
            found.push(flags);
        }
    }
    found
}

fn segments_are_open_for_durable_writes(setup: Setup) {
    let mut broker = setup.start();
    let partitions = i32::from(setup.shards);
    create_topic(&mut broker.client(), "flags", partitions, &[]);
    for round in 0..2 {
        for partition in 0..partitions {
            must_produce(&mut broker.client(), "flags", partition, one(&[round]));
        }
        let wanted = match broker.writes_directly() {
            true => libc::O_DIRECT | libc::O_DSYNC,
            false => 0,
        };
        // O_DIRECT comes a moment after open(2), before anything is written.
        let deadline = Instant::now() + OPENING_MAX;
        loop {
            let open = flags_of_segments(&broker);
            assert!(open.len() >= usize::from(setup.shards), "{open:?}");
            let is_wanted = |flags: &i32| flags & (libc::O_DIRECT | libc::O_DSYNC) == wanted;
            if open.iter().all(is_wanted) {
                break;
            }
            assert!(Instant::now() < deadline, "segments are open with {open:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        // Those of the start before are opened again, and others are new.
        broker.kill();
        broker.start_again();
    }
    if !setup.buffered && !broker.writes_directly() {
        skip("how a segment is open for direct writes");
    }
    broker.stop();
}
