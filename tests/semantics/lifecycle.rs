//! The broker's own comings and goings, as far as its data is concerned.

use std::process::Command;

use corelane::kafka::ErrorCode;
use rustix::process::Signal;

use crate::common::batches::one;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, delete_topic, fetch, leaders, must_produce, produce_request,
    produced, read_all,
};

matrix! {
    every cell: a_stop_answers_what_was_asked, a_deleted_topic_never_comes_back;
    every pair: a_second_broker_on_the_same_data_is_refused;
    every value: a_second_broker_on_the_same_port_is_refused;
    own shards, "it goes from one number of shards and one topology to another":
        any_number_of_cores_and_either_topology_serve_the_same_data;
}

fn values(client: &mut Client, topic: &str, partition: i32) -> Vec<Vec<u8>> {
    let batches = read_all(client, topic, partition, 0);
    let values = batches.iter().flat_map(|batch| batch.values());
    values.map(Option::unwrap).collect()
}

fn any_number_of_cores_and_either_topology_serve_the_same_data(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), "kept", 5, &[]);
    let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 5];
    for (round, (cores, single)) in [
        (2, false),
        (3, false),
        (1, false),
        (4, true),
        (1, true),
        (2, false),
    ]
    .into_iter()
    .enumerate()
    {
        if round % 2 == 0 {
            broker.stop();
        } else {
            broker.kill();
        }
        broker.options().cores = cores;
        broker.options().single = single;
        broker.start_again();
        let mut client = broker.client_of(if single { 0 } else { cores - 1 });
        let nodes = leaders(&mut client, "kept");
        let nodes_max = if single { 1 } else { i32::from(cores) };
        assert!(nodes.iter().all(|node| (0..nodes_max).contains(node)));
        for (partition, expected) in expected.iter_mut().enumerate() {
            assert_eq!(&values(&mut client, "kept", partition as i32), expected);
            let value = format!("{round}/{partition}").into_bytes();
            must_produce(&mut client, "kept", partition as i32, one(&value));
            expected.push(value);
        }
    }
    let (report, is_sound) = {
        broker.kill();
        broker.inspect()
    };
    assert!(is_sound, "{report}");
}

fn a_stop_answers_what_was_asked(setup: Setup) {
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "stop", 2, &[]);
    for round in 0..5 {
        let mut client = broker.client();
        const REQUESTS: i64 = 100;
        for i in 0..REQUESTS {
            let request = produce_request("stop", (i % 2) as i32, one(&[round; 2000]));
            client.send(PRODUCE_BY_NAME, &request);
        }
        // The broker has all of them when it has answered the last.
        assert_eq!(produced(&client.receive()).error, ErrorCode::NONE);
        // What systemd sends, and what Ctrl-C does.
        broker.stop_on([Signal::TERM, Signal::INT][usize::from(round) % 2]);
        let mut acknowledged = 1;
        while let Ok(frame) = client.try_receive() {
            assert_eq!(produced(&frame).error, ErrorCode::NONE);
            acknowledged += 1;
        }
        broker.start_again();
        let mut client = broker.client();
        let found: i64 = (0..2)
            .map(|p| fetch(&mut client, "stop", p, 0).high_watermark)
            .sum();
        let least = i64::from(round) * REQUESTS + acknowledged;
        assert!(found >= least, "{found} of {least}");
        if acknowledged < REQUESTS {
            // What the broker had not read is not there, and nothing in between.
            println!("round {round}: {acknowledged} of {REQUESTS} answered");
        }
        while found < (i64::from(round) + 1) * REQUESTS {
            // Fill up, so that the next round counts from the same number.
            let total: i64 = (0..2)
                .map(|p| fetch(&mut client, "stop", p, 0).high_watermark)
                .sum();
            if total >= (i64::from(round) + 1) * REQUESTS {
                break;
            }
            must_produce(&mut client, "stop", 0, one(b"filler"));
        }
    }
}

fn a_second_broker_on_the_same_data_is_refused(setup: Setup) {
    let mut broker = setup.start();
    let output = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["--listen", "127.0.0.1:1", "--cores", "1"])
        .args(["--wal-disk", "64MiB", "--memory", "64MiB", "--data-dir"])
        .arg(broker.data_dir())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("in use"), "{text}");
    broker.assert_running();
    create_topic(&mut broker.client(), "unharmed", 1, &[]);
    broker.stop();
}

fn a_second_broker_on_the_same_port_is_refused(setup: Setup) {
    let broker = setup.start();
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let topology = if setup.single { "single" } else { "per-core" };
    let output = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["--listen", &broker.bootstrap(), "--cores", "1"])
        .args(["--topology", topology])
        .args(["--wal-disk", "64MiB", "--memory", "64MiB", "--data-dir"])
        .arg(elsewhere.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot listen on"), "{text}");
}

fn a_deleted_topic_never_comes_back(setup: Setup) {
    let mut broker = setup.start();
    let mut ids = Vec::new();
    for round in 0..4u8 {
        let mut client = broker.client();
        ids.push(create_topic(&mut client, "again", 4, &[]));
        for partition in 0..4 {
            let offset = must_produce(&mut client, "again", partition, one(&[round]));
            assert_eq!(offset, 0, "a topic of that name begins anew");
            assert_eq!(values(&mut client, "again", partition), [vec![round]]);
        }
        if round % 2 == 1 {
            broker.kill();
            broker.options().cores = u16::from(round / 2) + 1;
            broker.start_again();
            let mut client = broker.client();
            for partition in 0..4 {
                assert_eq!(values(&mut client, "again", partition), [vec![round]]);
            }
        }
        delete_topic(&mut broker.client(), "again");
        if round % 2 == 0 {
            broker.kill();
            broker.start_again();
        }
        let gone = fetch(&mut broker.client(), "again", 0, 0);
        assert_eq!(gone.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "every one had its own id");
}
