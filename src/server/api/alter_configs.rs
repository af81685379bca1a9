//! AlterConfigs (33), versions 0-2: replaces all overrides of topics. Shard 0 decides, the
//! answer comes when every shard goes by them.
//!
//! Configs of brokers are settings and fixed while the broker runs; other kinds of
//! resources have none. Each is told INVALID_REQUEST, and so is a resource named twice, at
//! both places.

use std::borrow::Cow;
use std::collections::HashMap;

use super::changing::{self, Verdict};
use super::config_resource::{self, BROKER, TOPIC};
use crate::catalog::configs::refuse_broker_change;
use crate::catalog::{self, AlterTopic, CatalogReply, CatalogRequest};
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
    let change = |topics| CatalogRequest::AlterConfigs {
        topics,
        validate_only: request.validate_only,
    };
    let topics: Vec<_> = altering
        .topics(&request.resources)
        .map(alter_topic)
        .collect();
    let responses = altering.carry_out(services, topics, change).await;
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

/// The resources of a request, be it incremental or not: what is wrong with each before
/// the catalogue is asked, `None` for the topics it is to be asked about.
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

    /// Those of `items`, one per resource, that the catalogue is to be asked about.
    pub fn topics<'b, T>(&'b self, items: &'b [T]) -> impl Iterator<Item = &'b T> {
        let items = items.iter().zip(&self.refusals);
        items.filter_map(|(item, refusal)| refusal.is_none().then_some(item))
    }

    /// Asks the catalogue for the change of `topics`, and answers for every resource.
    pub async fn carry_out<T>(
        self,
        services: &Services,
        topics: Vec<T>,
        change: impl FnOnce(Vec<T>) -> CatalogRequest,
    ) -> Vec<AlterConfigsResourceResponse<'a>> {
        if topics.is_empty() {
            return self.respond(std::iter::empty(), &changing::stopping());
        }
        let count = topics.len();
        match changing::change(services, count, || change(topics)).await {
            Ok(CatalogReply::ConfigsAltered(outcomes)) => {
                let outcomes = outcomes.into_iter().map(|o| changing::verdict(o.result));
                self.respond(outcomes, &changing::stopping())
            }
            Ok(_) => self.respond(std::iter::empty(), &changing::stopping()),
            Err(verdict) => self.respond(std::iter::empty(), &verdict),
        }
    }

    /// One answer per resource: its refusal, or the next of `outcomes`, or `otherwise`.
    fn respond(
        self,
        mut outcomes: impl Iterator<Item = Verdict>,
        otherwise: &Verdict,
    ) -> Vec<AlterConfigsResourceResponse<'a>> {
        let resources = self.resources.into_iter().zip(self.refusals);
        let answer = |((resource_type, name), refusal): ((i8, &'a str), Option<Verdict>)| {
            let verdict = refusal.or_else(|| outcomes.next());
            let (error_code, error_message) = verdict.unwrap_or_else(|| otherwise.clone());
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

/// Why no configs can be altered there.
fn refusal((resource_type, name): (i8, &str)) -> Option<Verdict> {
    match resource_type {
        TOPIC if name.is_empty() => Some(config_resource::invalid(
            "There are no configs of all topics together.",
        )),
        TOPIC => catalog::validate_name(name).err().map(changing::refusal),
        BROKER => Some(changing::refusal(refuse_broker_change())),
        other => Some(config_resource::refuse_type(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ErrorCode;
    use crate::kafka::messages::alter_configs::AlterableConfig;

    const RESOURCES: [(i8, &str); 8] = [
        (TOPIC, "a"),
        (BROKER, "0"),
        (TOPIC, "twice"),
        (TOPIC, "b"),
        (TOPIC, "no/slash"),
        (TOPIC, ""),
        (TOPIC, "twice"),
        (16, "a"),
    ];

    fn told(outcomes: impl IntoIterator<Item = Verdict>, otherwise: &Verdict) -> Vec<ErrorCode> {
        let altering = Altering::new(RESOURCES.into_iter());
        let asked: Vec<_> = altering.topics(&RESOURCES).map(|(_, name)| *name).collect();
        assert_eq!(asked, ["a", "b"]);
        let responses = altering.respond(outcomes.into_iter(), otherwise);
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
        ];
        assert_eq!(told(outcomes, &changing::stopping()), expected);
        let stopping = ErrorCode::NOT_CONTROLLER;
        let expected = [
            stopping, invalid, invalid, stopping, name, invalid, invalid, invalid,
        ];
        assert_eq!(told([], &changing::stopping()), expected);
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
