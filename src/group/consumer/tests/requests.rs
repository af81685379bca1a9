//! What is refused before any group is looked for, in Kafka's order and words.

use super::super::{Assignor, Assignors};
use super::*;
use crate::kafka::ErrorCode;

fn refused(request: ConsumerHeartbeat) -> (ErrorCode, String) {
    let refusal = request.check().unwrap_err();
    (refusal.error, refusal.message)
}

fn invalid(message: &str) -> (ErrorCode, String) {
    (ErrorCode::INVALID_REQUEST, message.to_owned())
}

#[test]
fn ids_must_not_be_blank() {
    let case = |change: fn(&mut ConsumerHeartbeat)| {
        let mut request = join("a", &["t"]);
        change(&mut request);
        refused(request)
    };
    let no_member = invalid("MemberId can't be empty.");
    // The member's id comes before the group's.
    let both = |request: &mut ConsumerHeartbeat| {
        (request.member_id, request.group_id) = (" ".into(), "".into());
    };
    assert_eq!(case(both), no_member);
    assert_eq!(
        case(|r| r.group_id = " ".into()),
        invalid("GroupId can't be empty.")
    );
    assert_eq!(
        case(|r| r.instance_id = Some("".into())),
        invalid("InstanceId can't be empty.")
    );
    assert_eq!(
        case(|r| r.rack_id = Some("\t".into())),
        invalid("RackId can't be empty.")
    );
    for (epoch, is_fine) in [(0, true), (3, false), (-1, false)] {
        let request = ConsumerHeartbeat {
            makes_own_id: false,
            member_epoch: epoch,
            ..join("", &["t"])
        };
        assert_eq!(request.check().is_ok(), is_fine, "version 0, epoch {epoch}");
    }
}

#[test]
fn who_joins_must_say_everything_and_have_nothing() {
    let timeout = ConsumerHeartbeat {
        rebalance_timeout_ms: -1,
        ..join("a", &["t"])
    };
    let message = "RebalanceTimeoutMs must be provided in first request.";
    assert_eq!(refused(timeout), invalid(message));
    for owned in [None, Some(of_t(&[0]))] {
        let request = ConsumerHeartbeat {
            owned,
            ..join("a", &["t"])
        };
        let message = "TopicPartitions must be empty when (re-)joining.";
        assert_eq!(refused(request), invalid(message));
    }
    let nothing = ConsumerHeartbeat {
        topics: None,
        ..join("a", &[])
    };
    let message = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null \
                   when (re-)joining.";
    assert_eq!(refused(nothing), invalid(message));
}

#[test]
fn epochs_and_assignors_are_checked() {
    let instance = invalid("InstanceId can't be null.");
    assert_eq!(refused(heartbeat("a", -2)), instance);
    assert_eq!(
        refused(heartbeat("a", -3)),
        invalid("MemberEpoch is invalid.")
    );
    let sticky = ConsumerHeartbeat {
        assignor: Some("sticky".into()),
        ..join("a", &["t"])
    };
    let refusal = |assignors| {
        let config = ConsumerConfig {
            assignors,
            ..ConsumerConfig::default()
        };
        sticky.check_assignor(&config).unwrap_err()
    };
    for (assignors, supported) in [
        (Assignors::default(), "uniform, range"),
        (Assignors::of([Assignor::Range]), "range"),
    ] {
        let message =
            format!("ServerAssignor sticky is not supported. Supported assignors: {supported}.");
        let expected = Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message);
        assert_eq!(refusal(assignors), expected);
    }
    let only_range = Assignors::of([Assignor::Range]);
    assert_eq!(only_range.named("uniform"), None);
    assert_eq!(only_range.named("range"), Some(Assignor::Range));
}
