//! What a crash leaves of groups.

use corelane::kafka::ErrorCode;

use crate::common::groups::{Member, commit, fetch_offsets};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::create_topic;
use crate::rig::{coordinator, start};

matrix! {
    own shards, "they go from one number of shards to another":
        a_crash_in_mid_rebalance_leaves_a_group_that_goes_on,
        commits_in_flight_at_a_crash_are_there_or_not_but_never_go_back;
}

fn a_crash_in_mid_rebalance_leaves_a_group_that_goes_on(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let (session, rebalance) = (10_000, 20_000);
    let mut member = Member::of("g");
    assert_eq!(
        member.join(&mut coordinator(&broker, "g"), session, rebalance),
        ErrorCode::NONE
    );
    assert!(member.sync(&mut coordinator(&broker, "g")).is_ok());
    assert_eq!(
        member.commit(&mut coordinator(&broker, "g"), "t", 0, 11),
        ErrorCode::NONE
    );
    for cores in [2, 5, 1] {
        // Somebody else waits to join when the process is killed.
        let mut other = Member::of("g");
        let mut client = coordinator(&broker, "g");
        other.send_join(&mut client, session, rebalance);
        assert_eq!(
            other.receive_join(&mut client),
            ErrorCode::MEMBER_ID_REQUIRED
        );
        other.send_join(&mut client, session, rebalance);
        let heartbeat = member.heartbeat(&mut coordinator(&broker, "g"));
        assert!(
            [ErrorCode::NONE, ErrorCode::REBALANCE_IN_PROGRESS].contains(&heartbeat),
            "{heartbeat}"
        );
        broker.kill();
        broker.options().cores = cores;
        broker.start_again();
        // The members that were in the last whole generation are still in it.
        assert_eq!(
            member.heartbeat(&mut coordinator(&broker, "g")),
            ErrorCode::NONE,
            "{cores}"
        );
        assert_eq!(
            member.commit(&mut coordinator(&broker, "g"), "t", 0, 12),
            ErrorCode::NONE
        );
        assert_eq!(
            other.heartbeat(&mut coordinator(&broker, "g")),
            ErrorCode::UNKNOWN_MEMBER_ID
        );
        assert_eq!(
            member.join(&mut coordinator(&broker, "g"), session, rebalance),
            ErrorCode::NONE
        );
        assert!(member.sync(&mut coordinator(&broker, "g")).is_ok());
    }
}

fn commits_in_flight_at_a_crash_are_there_or_not_but_never_go_back(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut acknowledged = -1;
    for round in 0..5 {
        let mut client = coordinator(&broker, "g");
        let from = acknowledged + 1;
        for offset in from..from + 50 {
            assert_eq!(commit(&mut client, "g", "t", 0, offset), ErrorCode::NONE);
            acknowledged = offset;
        }
        // One more is sent, and the process killed before its answer is read.
        let request = crate::common::groups::commit_request("g", "t", 0, acknowledged + 1);
        client.send(crate::common::groups::COMMIT_BY_NAME, &request);
        broker.kill();
        broker.options().cores = [1, 3, 2, 4, 2][round];
        broker.start_again();
        let found = fetch_offsets(&mut coordinator(&broker, "g"), "g").unwrap();
        let found = found[&("t".to_owned(), 0)];
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "{found} after {acknowledged}"
        );
        acknowledged = found;
    }
}
