//! The range assignor: each topic is cut into as many runs of neighbours as it has readers, the
//! first ones longer by one where it does not divide. Readers stand in the same order for every
//! topic, so topics that are read by the same members are cut alike, and who joins them finds
//! equal keys in one place.

use super::{Candidate, Counts};
use crate::group::consumer::request::Partitions;

/// See [`super::assign`].
pub(super) fn assign(members: &[Candidate<'_>], counts: &Counts) -> Vec<Partitions> {
    let mut targets = vec![Partitions::new(); members.len()];
    let mut order: Vec<usize> = (0..members.len()).collect();
    // A static member keeps its place when it comes back under another id.
    order.sort_by_key(|&i| {
        (
            members[i].instance_id.is_none(),
            members[i].instance_id,
            members[i].id,
        )
    });
    for (topic, &count) in counts {
        let readers = order.iter().filter(|&&i| members[i].topics.contains(topic));
        let readers: Vec<usize> = readers.copied().collect();
        let Ok(among) = i32::try_from(readers.len()) else {
            continue;
        };
        let mut start = 0;
        for (place, reader) in (0..among).zip(readers) {
            let end = start + count / among + i32::from(place < count % among);
            if start < end {
                targets[reader].insert(*topic, (start..end).collect());
            }
            start = end;
        }
    }
    targets
}
