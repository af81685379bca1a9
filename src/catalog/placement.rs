//! Which shard owns a partition. A pure function of the ids and the number of
//! shards, so that every shard and every start agrees without asking.

use crate::base::{ShardId, TopicPartition};

/// The shard that owns `partition` among `shards` of them: a topic's partitions
/// go round all shards, from a first one that its id chooses.
///
/// `shards` is at least 1. A negative partition index, which no topic has, lands
/// somewhere without a panic.
pub fn owner(partition: TopicPartition, shards: u16) -> ShardId {
    debug_assert!(shards > 0, "a broker has at least one shard");
    let shards = u64::from(shards.max(1));
    // Reduced before the addition, which then cannot overflow.
    let first = partition.topic.spread() % shards;
    let shard = (first + u64::from(partition.partition.unsigned_abs())) % shards;
    ShardId(u16::try_from(shard).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_topic_spreads_evenly_and_every_partition_has_an_owner(
            id: [u8; 16], shards in 1u16..=64, partitions in 1i32..500,
        ) {
            let mut counts = vec![0usize; usize::from(shards)];
            for partition in 0..partitions {
                let owner = owner(TopicPartition { topic: TopicId(id), partition }, shards);
                counts[usize::from(owner.0)] += 1;
            }
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{counts:?}");
        }

        #[test]
        fn any_input_has_an_owner(id: [u8; 16], partition: i32, shards in 1u16..) {
            let tp = TopicPartition { topic: TopicId(id), partition };
            prop_assert!(owner(tp, shards).0 < shards);
        }
    }

    #[test]
    fn topics_of_one_partition_spread_over_the_shards() {
        let mut counts = [0usize; 8];
        for n in 0..8000u64 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let topic = TopicId::from_random(bytes);
            counts[usize::from(
                owner(
                    TopicPartition {
                        topic,
                        partition: 0,
                    },
                    8,
                )
                .0,
            )] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }
}
