//! Subscriptions by regular expression, with RE2's rules as in Kafka: an expression must match the
//! whole name of a topic, and takes time in proportion to it, whatever the expression.
//!
//! What an expression matches is found when it first comes and whenever topics change, once for
//! all members that say the same. It is not kept on disk: a start finds it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::topics::Topics;
use crate::base::limits::GROUP_EXPRESSION_PROGRAM_BYTES_MAX;

/// What an expression costs beside its text and topics, bytes, about.
const EXPRESSION_OVERHEAD: usize = 256;
/// What a topic that it matches costs, bytes, about: names are shared with the catalogue.
const MATCH_BYTES: usize = 32;

/// The expressions of a group.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    all: BTreeMap<Arc<str>, Expression>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Expression {
    /// How many members subscribe with it. One without members goes at the next look at topics.
    members: usize,
    topics: BTreeSet<Arc<str>>,
    /// The version of the topics that it was matched with.
    seen: Option<u64>,
}

impl Expressions {
    /// A member subscribes with `text`.
    pub(super) fn add(&mut self, text: &Arc<str>) {
        let added = EXPRESSION_OVERHEAD + text.len();
        let expression = self.all.entry(text.clone()).or_insert_with(|| {
            self.bytes += added;
            Expression::default()
        });
        expression.members += 1;
    }

    /// A member does no more.
    pub(super) fn remove(&mut self, text: &str) {
        if let Some(expression) = self.all.get_mut(text) {
            expression.members -= 1;
        }
    }

    /// Forgets what nobody subscribes with, and matches what is new or was matched with other
    /// topics.
    pub(super) fn resolve(&mut self, topics: &dyn Topics) {
        self.all.retain(|_, expression| expression.members > 0);
        let version = topics.version();
        for (text, expression) in &mut self.all {
            if expression.seen != Some(version) {
                expression.topics = matches(text, topics);
                expression.seen = Some(version);
            }
        }
        let bytes = |(text, expression): (&Arc<str>, &Expression)| {
            EXPRESSION_OVERHEAD + text.len() + MATCH_BYTES * expression.topics.len()
        };
        self.bytes = self.all.iter().map(bytes).sum();
    }

    /// The topics that an expression matched when it was last looked at.
    pub(super) fn topics_of(&self, text: &str) -> impl Iterator<Item = &Arc<str>> {
        let expression = self.all.get(text);
        expression
            .into_iter()
            .flat_map(|expression| &expression.topics)
    }

    /// The topics that any of them matched.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.values().flat_map(|expression| &expression.topics)
    }

    /// Whether any of them matched a topic.
    pub(super) fn has_topic(&self, name: &str) -> bool {
        let mut all = self.all.values();
        all.any(|expression| expression.members > 0 && expression.topics.contains(name))
    }

    /// Whether some member subscribes with `text`.
    pub(super) fn has(&self, text: &str) -> bool {
        self.all
            .get(text)
            .is_some_and(|expression| expression.members > 0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        let all = self.all.values();
        all.filter(|expression| expression.members > 0).count()
    }

    /// Bytes of memory that they take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether a text is an expression; if not, why.
pub(super) fn check(text: &str) -> Result<(), String> {
    // By itself first: what is put around it must not make one of it.
    let alone = build(text).map(drop);
    alone
        .and_then(|()| whole(text).map(drop))
        .map_err(|error| error.to_string())
}

fn matches(text: &str, topics: &dyn Topics) -> BTreeSet<Arc<str>> {
    let mut matched = BTreeSet::new();
    // Only what another version has taken and kept may be no expression.
    if let Ok(regex) = whole(text) {
        topics.for_each(&mut |name| {
            if regex.is_match(name.as_bytes()) {
                matched.insert(name.clone());
            }
        });
    }
    matched
}

fn whole(text: &str) -> Result<Regex, regex::Error> {
    build(&format!(r"\A(?:{text})\z"))
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(pattern);
    // Names of topics are ASCII, and so are RE2's classes such as `\w`.
    let builder = builder.unicode(false);
    builder
        .size_limit(GROUP_EXPRESSION_PROGRAM_BYTES_MAX)
        .build()
}
