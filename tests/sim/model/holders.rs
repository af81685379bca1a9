//! Who reads which partition in groups whose coordinator assigns: never two members at once. A
//! member has what it was given until it gives it up, and no longer than its session can last for
//! sure; one that vanished has it as long.

use std::collections::BTreeMap;
use std::sync::Arc;

use corelane::base::TopicId;

/// A partition.
pub type Partition = (TopicId, i32);

#[derive(Clone, Debug)]
struct Holder {
    member: Arc<str>,
    /// It knows that it has lost everything after this, simulated microseconds.
    until_us: u64,
}

/// All partitions of all groups.
#[derive(Default)]
pub struct Holders(BTreeMap<(Arc<str>, Partition), Holder>);

impl Holders {
    /// A member was given a partition, or still has it; until when for sure.
    pub fn hold(
        &mut self,
        group: &Arc<str>,
        partition: Partition,
        member: &Arc<str>,
        now_us: u64,
        until_us: u64,
    ) {
        let key = (group.clone(), partition);
        if let Some(other) = self.0.get(&key).filter(|other| other.member != *member) {
            assert!(
                other.until_us < now_us,
                "group {group}: {member} is given {partition:?}, which {other:?} has"
            );
        }
        let member = member.clone();
        self.0.insert(key, Holder { member, until_us });
    }

    /// A member has given a partition up.
    pub fn release(&mut self, group: &Arc<str>, partition: Partition, member: &Arc<str>) {
        let key = (group.clone(), partition);
        if self.0.get(&key).is_some_and(|h| h.member == *member) {
            self.0.remove(&key);
        }
    }
}
