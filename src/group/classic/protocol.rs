//! The members' own protocols: which one all of them know, and what they say in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::state::Classic;
use crate::group::request::Protocol;
use crate::kafka::reader::Reader;

/// The protocol type of consumers.
pub(in crate::group) const CONSUMER: &str = "consumer";

impl Classic {
    /// Whether a member that knows these protocols can be in the group; one that joins again is
    /// measured by what it said before as well, as Kafka does.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|protocol| self.all_know(&protocol.name))
    }

    fn all_know(&self, name: &str) -> bool {
        let knows = |protocols: &[Protocol]| protocols.iter().any(|known| &*known.name == name);
        self.members.values().all(|member| knows(&member.protocols))
    }

    /// The protocol that most members prefer among those that all know. Between equals the one
    /// that the first of the members would rather have.
    pub(super) fn choose_protocol(&self) -> Option<Arc<str>> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut known = member.protocols.iter();
            if let Some(choice) = known.find(|protocol| self.all_know(&protocol.name)) {
                *votes.entry(&choice.name).or_default() += 1;
            }
        }
        let most = votes.values().max()?;
        let first = self.members.values().next()?;
        let mut preferred = first.protocols.iter();
        let chosen = preferred.find(|protocol| votes.get(&*protocol.name) == Some(most))?;
        Some(chosen.name.clone())
    }
}

/// The topics of a `ConsumerProtocolSubscription`; `None` if it is none. Its first fields are
/// the same in all versions.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    reader.i16().ok()?;
    let count = reader.array_length(false).ok()??;
    (0..count)
        .map(|_| Some(reader.string(false).ok()??.to_owned()))
        .collect()
}
