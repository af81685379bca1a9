//! A write of the WAL that fails ends the process at once; what was acknowledged before is
//! there after the next start, and nothing was acknowledged that is not.
//!
//! The write is made to fail by the process's limit of file sizes, which the kernel applies to
//! direct writes too. The signal that goes with it is ignored from the start, as a service
//! manager could have it.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, fetch, must_produce, produce_request, produced,
};

matrix! {
    every cell: a_failed_write_ends_the_process_and_loses_nothing;
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
