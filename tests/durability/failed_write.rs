//! A write of the WAL that fails ends the process at once; what was acknowledged before is
//! there after the next start, and nothing was acknowledged that is not.
//!
//! The write is made to fail by the process's limit of file sizes, which the kernel applies to
//! direct writes too. The signal that goes with it is ignored from the start, as a service
//! manager could have it.

use corelane::kafka::ErrorCode;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, fetch, must_produce, produce_request, produced,
};

matrix! {
    every cell: a_failed_write_ends_the_process_and_loses_nothing;
    every value: a_disk_that_goes_on_failing_is_no_loop_of_crashes;
}

const TOPIC: &str = "failing";

fn a_failed_write_ends_the_process_and_loses_nothing(setup: Setup) {
    let mut broker = Broker::start_with(Options {
        ignores_file_size_signal: true,
        ..setup.options()
    });
    create_topic(&mut broker.client(), TOPIC, 1, &[]);
    let mut acknowledged = 0;
    for round in 0..3 {
        let mut client = broker.client();
        for _ in 0..20 {
            let value = format!("{acknowledged}");
            let offset = must_produce(&mut client, TOPIC, 0, one(value.as_bytes()));
            assert_eq!(offset, acknowledged);
            acknowledged += 1;
        }
        broker.announce("failed; stopping at once");
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let process = Pid::from_raw(broker.process_id() as i32);
        prlimit(process, Resource::Fsize, none).unwrap();
        let request = produce_request(TOPIC, 0, one(b"never acknowledged"));
        client.send(PRODUCE_BY_NAME, &request);
        match client.try_receive() {
            Err(_) => {}
            Ok(frame) => panic!("acknowledged: {:?}", produced(&frame).error),
        }
        broker.wait_for_abort();
        assert!(broker.has_logged("writing to"), "{}", broker.log());
        broker.start_again();
        let found = fetch(&mut broker.client(), TOPIC, 0, 0);
        let values: Vec<_> = found.batches().iter().flat_map(|b| b.values()).collect();
        let expected = (0..acknowledged).map(|i| Some(format!("{i}").into_bytes()));
        assert!(values.into_iter().eq(expected), "in round {round}");
    }
    broker.stop();
}

/// A service manager starts again what has ended, and the fault is still there: no segment can be
/// made any more. Then the broker stays up, serves what it has and refuses what it cannot keep;
/// what goes into segments that were made before is kept.
fn a_disk_that_goes_on_failing_is_no_loop_of_crashes(setup: Setup) {
    const SAYS: &str = "cannot create a WAL segment; producers are held back";
    let options = Options {
        ignores_file_size_signal: true,
        ..setup.options()
    };
    let mut broker = Broker::start_with(options);
    let partitions = i32::from(setup.shards);
    create_topic(&mut broker.client(), TOPIC, partitions, &[]);
    let mut logs: Vec<Vec<String>> = vec![Vec::new(); setup.shards.into()];
    produce_to_all(&broker, "before", &mut logs);
    broker.kill();
    // More than all other files have.
    broker.options().file_kib = Some(512);
    broker.announce(SAYS);
    let starts = ["first", "second", "third"];
    let refused = starts.map(|start| {
        broker.start_again();
        check_all(&broker, &logs);
        let refused = produce_to_all(&broker, start, &mut logs);
        check_all(&broker, &logs);
        broker.assert_running();
        broker.stop();
        refused
    });
    assert_eq!(refused[2], setup.shards.into(), "{refused:?}");
    assert!(broker.has_logged(SAYS));
    broker.options().file_kib = None;
    broker.start_again();
    check_all(&broker, &logs);
    assert_eq!(produce_to_all(&broker, "after", &mut logs), 0);
    check_all(&broker, &logs);
    broker.stop();
}

/// A record to every partition: how many were refused, as by a disk that is full.
fn produce_to_all(broker: &Broker, value: &str, logs: &mut [Vec<String>]) -> usize {
    let mut refused = 0;
    for (partition, log) in (0..).zip(logs) {
        let mut request = produce_request(TOPIC, partition, one(value.as_bytes()));
        request.timeout_ms = 300;
        let answer = produced(&broker.client().call(PRODUCE_BY_NAME, &request));
        match answer.error {
            ErrorCode::NONE => {
                assert_eq!(answer.base_offset, log.len() as i64);
                log.push(value.to_owned());
            }
            ErrorCode::KAFKA_STORAGE_ERROR => refused += 1,
            _ => panic!("{answer:?}"),
        }
    }
    refused
}

/// Every partition has what was acknowledged, and nothing else.
fn check_all(broker: &Broker, logs: &[Vec<String>]) {
    for (partition, log) in (0..).zip(logs) {
        let found = fetch(&mut broker.client(), TOPIC, partition, 0);
        let values: Vec<_> = found.batches().iter().flat_map(|b| b.values()).collect();
        let expected = log.iter().map(|value| Some(value.clone().into_bytes()));
        assert!(values.into_iter().eq(expected), "partition {partition}");
    }
}
