//! AlterConfigs (33), versions 0-2: replaces all overrides of topics and of groups (KIP-848).
//! Shard 0 decides, the answer comes when every shard goes by them.
//!
//! Configs of brokers are settings and fixed while the broker runs; other kinds of
//! resources have none. Each is told INVALID_REQUEST, and so is a resource named twice, at
//! both places.

use std::borrow::Cow;
use std::collections::HashMap;

use super::changing::{self, Verdict};
use super::config_resource::{self, BROKER, GROUP, TOPIC};
use crate::catalog::configs::refuse_broker_change;
use crate::catalog::{self, AlterGroup, AlterTopic, CatalogReply, CatalogRequest, ConfigOp};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use crate::server::Services;

/// Replaces the overrides.
pub async fn handle<'a>(
    services: &Services,
    request: &AlterConfigsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> AlterConfigsResponse<'a> {
    let resources = request.resources.iter();
    let altering = Altering::new(resources.map(|r| (r.resource_type, r.resource_name)));
    let validate_only = request.validate_only;
    let topics = altering.of(TOPIC, &request.resources).map(alter_topic);
    let topics = CatalogRequest::AlterConfigs {
        topics: topics.collect(),
        validate_only,
    };
    let groups = altering.of(GROUP, &request.resources).map(alter_group);
    let groups = CatalogRequest::AlterGroupConfigs {
        groups: groups.collect(),
        validate_only,
    };
    let responses = altering.carry_out(services, topics, groups).await;
    AlterConfigsResponse {
        responses,
        ..Default::default()
    }
}

fn alter_topic(resource: &AlterConfigsResource<'_>) -> AlterTopic {
    let configs = resource.configs.iter();
    AlterTopic {
        name: resource.resource_name.to_owned(),
        configs: configs
            .map(|config| (config.name.to_owned(), config.value.map(str::to_owned)))
            .collect(),
    }
}

fn alter_group(resource: &AlterConfigsResource<'_>) -> AlterGroup {
    let ops = resource.configs.iter().map(|config| ConfigOp {
        name: config.name.to_owned(),
        value: config.value.map(str::to_owned),
        ..ConfigOp::default()
    });
    AlterGroup {
        name: resource.resource_name.to_owned(),
        replaces: true,
        ops: ops.collect(),
    }
}

/// The resources of a request, be it incremental or not: what is wrong with each before
/// the catalogue is asked, `None` for the topics and groups it is to be asked about.
pub(super) struct Altering<'a> {
    resources: Vec<(i8, &'a str)>,
    refusals: Vec<Option<Verdict>>,
}

impl<'a> Altering<'a> {
    /// Looks at kinds and names.
    pub fn new(resources: impl Iterator<Item = (i8, &'a str)>) -> Self {
        let resources: Vec<_> = resources.collect();
        let mut times: HashMap<_, usize> = HashMap::new();
        for resource in &resources {
            *times.entry(*resource).or_default() += 1;
        }
        let refusals = resources.iter().map(|resource| match times.get(resource) {
            Some(1) => refusal(*resource),
            _ => Some(config_resource::invalid(
                "Each resource must appear at most once.",
            )),
        });
        Altering {
            refusals: refusals.collect(),
            resources,
        }
    }

    /// Those of `items`, one per resource, of one kind that the catalogue is to be asked about.
    pub fn of<'b, T>(&'b self, kind: i8, items: &'b [T]) -> impl Iterator<Item = &'b T> {
        let known = self.resources.iter().zip(&self.refusals);
        let is_asked = move |((of, _), refusal): (&(i8, &str), &Option<Verdict>)| {
            *of == kind && refusal.is_none()
        };
        let items = items.iter().zip(known);
        items.filter_map(move |(item, known)| is_asked(known).then_some(item))
    }

    fn count(&self, kind: i8) -> usize {
        self.of(kind, &self.resources).count()
    }

    /// Asks the catalogue for the change of the topics and for that of the groups, and answers
    /// for every resource.
    pub async fn carry_out(
        self,
        services: &Services,
        topics: CatalogRequest,
        groups: CatalogRequest,
    ) -> Vec<AlterConfigsResourceResponse<'a>> {
        let of_topics = change(services, self.count(TOPIC), topics).await;
        let of_groups = change(services, self.count(GROUP), groups).await;
        self.respond(of_topics, of_groups)
    }

    /// One answer per resource: its refusal, or the next of what became of its kind.
    fn respond(
        self,
        mut of_topics: impl Iterator<Item = Verdict>,
        mut of_groups: impl Iterator<Item = Verdict>,
    ) -> Vec<AlterConfigsResourceResponse<'a>> {
        let resources = self.resources.into_iter().zip(self.refusals);
        let answer = |((resource_type, name), refusal): ((i8, &'a str), Option<Verdict>)| {
            let verdict = refusal.or_else(|| match resource_type {
                TOPIC => of_topics.next(),
                _ => of_groups.next(),
            });
            let (error_code, error_message) = verdict.unwrap_or_else(changing::stopping);
            AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name: Cow::Borrowed(name),
            }
        };
        resources.map(answer).collect()
    }
}

/// What becomes of a change of so many resources: one verdict for each, and if there is none of
/// any, the same for all.
async fn change(
    services: &Services,
    count: usize,
    request: CatalogRequest,
) -> impl Iterator<Item = Verdict> + use<> {
    let reply = match count {
        0 => Ok(CatalogReply::ConfigsAltered(Vec::new())),
        _ => changing::change(services, count, || request).await,
    };
    let (outcomes, rest) = match reply {
        Ok(CatalogReply::ConfigsAltered(outcomes)) => (outcomes, None),
        Ok(_) => (Vec::new(), None),
        Err(verdict) => (Vec::new(), Some(verdict)),
    };
    let outcomes = outcomes
        .into_iter()
        .map(|outcome| changing::verdict(outcome.result));
    outcomes.chain(rest.into_iter().cycle())
}

/// Why no configs can be altered there.
fn refusal((resource_type, name): (i8, &str)) -> Option<Verdict> {
    match resource_type {
        TOPIC if name.is_empty() => Some(config_resource::invalid(
            "There are no configs of all topics together.",
        )),
        TOPIC => catalog::validate_name(name).err().map(changing::refusal),
        BROKER => Some(changing::refusal(refuse_broker_change())),
        GROUP if name.is_empty() => Some(config_resource::invalid(
            "There are no configs of all groups together.",
        )),
        GROUP => None,
        other => Some(config_resource::refuse_type(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ErrorCode;
    use crate::kafka::messages::alter_configs::AlterableConfig;

    const RESOURCES: [(i8, &str); 10] = [
        (TOPIC, "a"),
        (BROKER, "0"),
        (TOPIC, "twice"),
        (TOPIC, "b"),
        (TOPIC, "no/slash"),
        (TOPIC, ""),
        (TOPIC, "twice"),
        (16, "a"),
        (GROUP, "a"),
        (GROUP, ""),
    ];

    fn told(
        of_topics: impl IntoIterator<Item = Verdict>,
        of_groups: impl IntoIterator<Item = Verdict>,
    ) -> Vec<ErrorCode> {
        let altering = Altering::new(RESOURCES.into_iter());
        let asked: Vec<_> = altering
            .of(TOPIC, &RESOURCES)
            .map(|(_, name)| *name)
            .collect();
        assert_eq!(asked, ["a", "b"]);
        assert_eq!((altering.count(TOPIC), altering.count(GROUP)), (2, 1));
        let responses = altering.respond(of_topics.into_iter(), of_groups.into_iter());
        for (response, (kind, name)) in responses.iter().zip(RESOURCES) {
            assert_eq!(
                (response.resource_type, &*response.resource_name),
                (kind, name)
            );
            let failed = response.error_code.is_error();
            assert_eq!(response.error_message.is_some(), failed);
        }
        responses
            .iter()
            .map(|response| response.error_code)
            .collect()
    }

    #[test]
    fn every_resource_has_its_answer() {
        let invalid = ErrorCode::INVALID_REQUEST;
        let name = ErrorCode::INVALID_TOPIC_EXCEPTION;
        let bad = (ErrorCode::INVALID_CONFIG, Some(Cow::Borrowed("bad")));
        let outcomes = [(ErrorCode::NONE, None), bad];
        let expected = [
            ErrorCode::NONE,
            invalid,
            invalid,
            ErrorCode::INVALID_CONFIG,
            name,
            invalid,
            invalid,
            invalid,
            ErrorCode::POLICY_VIOLATION,
            invalid,
        ];
        let full = (ErrorCode::POLICY_VIOLATION, Some(Cow::Borrowed("full")));
        assert_eq!(told(outcomes, [full]), expected);
        let stopping = ErrorCode::NOT_CONTROLLER;
        let expected = [
            stopping, invalid, invalid, stopping, name, invalid, invalid, invalid, stopping,
            invalid,
        ];
        assert_eq!(told([], []), expected);
    }

    #[test]
    fn a_resource_becomes_a_topic_of_the_catalogue() {
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t",
            configs: vec![AlterableConfig {
                name: "retention.ms",
                value: None,
            }],
        };
        let topic = alter_topic(&resource);
        assert_eq!(topic.name, "t");
        assert_eq!(topic.configs, [("retention.ms".to_owned(), None)]);
    }
}
