//! The uploader: when it cuts, what it costs, and that everything durable is recorded once, in
//! order, whatever the store does.

use std::collections::BTreeMap;

use corelane::base::limits::{
    STORE_RETRY_MS_MAX, UPLOAD_SPAN_BYTES_MAX, UPLOADS_IN_FLIGHT_MAX, UPLOADS_OPEN_MAX,
};
use corelane::base::{SegmentId, TopicPartition};
use corelane::object::Numbers;
use corelane::object::upload::{
    Cut, Pace, Part, Pending, PutError, StateNeeds, UploadConfig, UploadWork, Uploader,
};
use proptest::prelude::*;

use crate::random::Random;
use crate::records::tp;

const KIB: u64 = 1024;
const CONFIG: UploadConfig = UploadConfig {
    object_bytes: 1024 * KIB,
    interval_ms: 10_000,
    seed: 7,
};

fn segment(sequence: u64) -> SegmentId {
    SegmentId { wal: 0, sequence }
}

fn part(tp: TopicPartition, base: i64, end: i64, bytes: u64) -> Part {
    Part {
        tp,
        base,
        end,
        bytes,
    }
}

fn all_live(_: TopicPartition) -> Option<i64> {
    Some(0)
}

/// An uploader and its numbers.
struct Rig {
    uploader: Uploader,
    numbers: Numbers,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            uploader: Uploader::new(CONFIG),
            numbers: Numbers::new(),
        }
    }

    fn poll(&mut self, now_ms: u64) -> Option<UploadWork> {
        self.uploader.poll(now_ms, &mut self.numbers, &all_live)
    }

    fn cut(&mut self, now_ms: u64) -> Option<Cut> {
        match self.poll(now_ms)? {
            UploadWork::Put(cut) => Some(cut),
            again @ UploadWork::Again(_) => panic!("{again:?}"),
        }
    }

    /// Puts and records everything that is due, without an error; gives the cuts.
    fn drain(&mut self, now_ms: u64) -> Vec<Cut> {
        let mut cuts = Vec::new();
        while let Some(cut) = self.cut(now_ms) {
            self.uploader.on_put(now_ms, cut.number, Ok(()));
            while let Some(number) = self.uploader.poll_record() {
                self.uploader.on_recorded(number, &mut self.numbers);
            }
            cuts.push(cut);
        }
        cuts
    }
}

#[test]
fn a_cut_is_made_at_its_size_its_age_or_in_need() {
    let mut rig = Rig::new();
    let half = part(tp(1, 0), 0, 10, 512 * KIB);
    rig.uploader.on_durable(1000, segment(1), half);
    assert_eq!(rig.poll(10_999), None);
    assert_eq!(rig.uploader.deadline_ms(), Some(11_000));
    assert_eq!(rig.cut(11_000).unwrap().parts, [half], "by age");

    rig.uploader
        .on_durable(11_000, segment(1), part(tp(1, 0), 10, 20, 512 * KIB));
    assert_eq!(rig.poll(11_000), None);
    rig.uploader
        .on_durable(11_000, segment(1), part(tp(2, 0), 0, 1, 512 * KIB));
    assert_eq!(rig.cut(11_000).unwrap().parts.len(), 2, "by size");
    assert_eq!(rig.uploader.deadline_ms(), None);

    let mut rig = Rig::new();
    rig.uploader
        .on_durable(0, segment(1), part(tp(1, 0), 0, 10, 1));
    rig.uploader.set_urgent(true);
    assert!(rig.cut(0).is_some(), "in need");
    rig.uploader
        .on_durable(0, segment(1), part(tp(1, 0), 10, 20, 1));
    assert_eq!(rig.poll(0), None, "one small object at a time");
}

#[test]
fn the_oldest_segment_is_uploaded_first() {
    let mut rig = Rig::new();
    for (sequence, n) in [(1, 9), (1, 4), (2, 2), (3, 1)] {
        rig.uploader
            .on_durable(0, segment(sequence), part(tp(n, 0), 0, 1, 512 * KIB));
    }
    let cut = |rig: &mut Rig| -> Vec<u8> {
        let parts = rig.cut(0).unwrap().parts;
        parts.iter().map(|part| part.tp.topic.0[0]).collect()
    };
    assert_eq!(cut(&mut rig), [4, 9], "in the order of the object");
    assert_eq!(cut(&mut rig), [1, 2]);
}

#[test]
fn puts_follow_bytes_and_time_and_not_partitions() {
    let puts = |partitions: i32| {
        let mut rig = Rig::new();
        let mut cuts = 0;
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        // A trickle, for a minute: 10,000 batches of 100 bytes each second.
        for second in 0..60 {
            for n in 0..10_000 {
                let partition = n % partitions;
                let end = ends.entry(partition).or_default();
                let part = part(tp(1, partition), *end, *end + 1, 100);
                *end += 1;
                rig.uploader
                    .on_durable(second * 1000, segment(1 + second / 20), part);
            }
            cuts += rig.drain(second * 1000).len();
        }
        cuts
    };
    let (few, many) = (puts(10), puts(10_000));
    assert!(many <= few, "{many} puts, {few} for fewer partitions");
    assert!((57..65).contains(&few), "{few}: a MB each");
}

#[test]
fn what_waits_is_counted_by_partition_and_segment_and_not_by_batch() {
    let mut pending = Pending::new(u64::MAX);
    for base in 0..100_000 {
        pending.push(
            0,
            segment(1),
            part(tp(1, base as i32 % 3), base / 3, base / 3 + 1, 300),
        );
    }
    assert_eq!(
        pending.len() as u64,
        3 * (100_000 * 100 / UPLOAD_SPAN_BYTES_MAX + 1)
    );
    pending.push(0, segment(2), part(tp(1, 0), 40_000, 40_001, 300));
    assert_eq!(
        pending.len() as u64,
        3 * (100_000 * 100 / UPLOAD_SPAN_BYTES_MAX + 1) + 1
    );
    let parts = pending.take(u64::MAX, &all_live);
    assert_eq!(parts.len(), 3);
    assert!(pending.is_empty() && pending.bytes() == 0);
}

#[test]
fn what_was_deleted_meanwhile_is_not_uploaded() {
    let mut rig = Rig::new();
    for n in 0..3 {
        rig.uploader
            .on_durable(0, segment(1), part(tp(n, 0), 0, 10, 100));
    }
    let log_start = |of| match of {
        of if of == tp(0, 0) => None,
        of if of == tp(1, 0) => Some(10),
        _ => Some(9),
    };
    let work = rig.uploader.poll(10_000, &mut rig.numbers, &log_start);
    let Some(UploadWork::Put(cut)) = work else {
        panic!("{work:?}");
    };
    assert_eq!(cut.parts, [part(tp(2, 0), 0, 10, 100)]);
    for n in 0..2 {
        rig.uploader
            .on_durable(0, segment(1), part(tp(n, 0), 10, 20, 100));
    }
    let gone = rig.uploader.poll(20_000, &mut rig.numbers, &|_| None);
    assert_eq!(gone, None, "no object of nothing");
    assert_eq!(rig.uploader.stats().pending_bytes, 0);
    rig.uploader
        .on_put(20_000, cut.number, Err(PutError::Transient));
    assert_eq!(rig.numbers.lowest_under_way(), cut.number);
    rig.uploader.on_given_up(cut.number, &mut rig.numbers);
    assert_eq!(rig.numbers.lowest_under_way(), cut.number + 1);
}

#[test]
fn records_follow_the_cuts_and_not_the_puts() {
    let mut rig = Rig::new();
    rig.uploader
        .on_durable(0, segment(1), part(tp(1, 0), 0, 1, 1024 * KIB));
    rig.uploader
        .on_durable(0, segment(1), part(tp(1, 0), 1, 2, 1024 * KIB));
    rig.uploader
        .on_durable(0, segment(1), part(tp(1, 0), 2, 3, 1024 * KIB));
    let numbers = [0, 1, 2].map(|_| rig.cut(0).unwrap().number);
    rig.uploader.on_put(0, numbers[2], Ok(()));
    rig.uploader.on_put(0, numbers[1], Ok(()));
    assert_eq!(rig.uploader.poll_record(), None);
    rig.uploader.on_put(0, numbers[0], Ok(()));
    assert_eq!(rig.uploader.poll_record(), Some(numbers[0]));
    assert_eq!(rig.uploader.poll_record(), Some(numbers[1]));
    rig.uploader.on_record_refused(numbers[1]);
    assert_eq!(
        rig.uploader.poll_record(),
        Some(numbers[1]),
        "the WAL was full"
    );
    assert_eq!(rig.uploader.poll_record(), Some(numbers[2]));
    assert_eq!(rig.uploader.poll_record(), None);
    assert_eq!(
        rig.numbers.lowest_under_way(),
        numbers[0],
        "none is durable"
    );
    rig.uploader.on_recorded(numbers[0], &mut rig.numbers);
    assert_eq!(rig.numbers.lowest_under_way(), numbers[1]);
}

#[test]
fn a_store_that_is_down_holds_up_a_bounded_number_of_objects() {
    let mut rig = Rig::new();
    let mut puts = 0;
    for second in 0..600 {
        let base = second as i64;
        rig.uploader.on_durable(
            second * 1000,
            segment(1),
            part(tp(1, 0), base, base + 1, 1024 * KIB),
        );
        while let Some(work) = rig.poll(second * 1000) {
            let (UploadWork::Again(number) | UploadWork::Put(Cut { number, .. })) = work;
            assert!(rig.uploader.stats().in_flight <= UPLOADS_IN_FLIGHT_MAX);
            rig.uploader
                .on_put(second * 1000, number, Err(PutError::Transient));
            puts += 1;
        }
        assert!(rig.uploader.stats().open <= UPLOADS_OPEN_MAX);
    }
    assert!(puts < 16 * 60, "{puts} tries in ten minutes");
    // It comes back, and all of it is uploaded.
    let mut recorded = 0;
    for now_ms in (600_000..).step_by(1000) {
        while let Some(work) = rig.poll(now_ms) {
            let (UploadWork::Again(number) | UploadWork::Put(Cut { number, .. })) = work;
            rig.uploader.on_put(now_ms, number, Ok(()));
            while let Some(number) = rig.uploader.poll_record() {
                rig.uploader.on_recorded(number, &mut rig.numbers);
                recorded += 1;
            }
        }
        if recorded == 600 {
            break;
        }
        assert!(now_ms < 700_000, "{recorded} of 600 objects");
    }
    assert_eq!(rig.uploader.stats().open, 0);
}

#[test]
fn pauses_grow_differ_and_are_repeatable() {
    let pauses = |seed| {
        let mut pace = Pace::new(4, seed);
        let errors = (1..=12).map(|n| pace.on_error(0, PutError::Transient, n));
        errors.collect::<Vec<u64>>()
    };
    let some = pauses(1);
    assert_eq!(some, pauses(1));
    assert_ne!(some, pauses(2));
    for (n, pause) in some.into_iter().enumerate() {
        let longest = (100 << n).min(STORE_RETRY_MS_MAX);
        assert!((longest / 2..=longest).contains(&pause), "{n}: {pause}");
    }
    let mut pace = Pace::new(4, 1);
    let refused = pace.on_error(0, PutError::Refused, 1);
    assert!(refused >= STORE_RETRY_MS_MAX / 2, "nothing changes soon");
    assert_eq!(pace.window(0), 4, "and nobody else is to wait for it");
}

#[test]
fn when_the_store_asks_to_slow_down_all_wait_and_fewer_go_on() {
    let mut pace = Pace::new(4, 1);
    let until = pace.on_error(1000, PutError::SlowDown, 1);
    assert_eq!(pace.window(until - 1), 0);
    assert_eq!(pace.window(until), 2);
    let until = pace.on_error(until, PutError::SlowDown, 2);
    let until = pace.on_error(until, PutError::SlowDown, 3);
    assert_eq!(pace.window(until), 1, "one goes on");
    let mut windows = Vec::new();
    for _ in 0..9 {
        pace.on_success();
        windows.push(pace.window(until));
    }
    assert_eq!(windows, [2, 2, 3, 3, 3, 4, 4, 4, 4]);
}

#[test]
fn states_are_a_bounded_part_of_what_is_uploaded() {
    let mut states = StateNeeds::default();
    assert!(states.on_chunk(tp(1, 0), 1, 1000), "the first in a start");
    let mut bytes = 0;
    let with_state = (0..10_000).filter(|_| {
        bytes += 100;
        states.on_chunk(tp(1, 0), 100, 1000)
    });
    assert_eq!(with_state.count(), 250, "a quarter of {bytes} bytes");
    states.forget(tp(1, 0));
    assert!(states.on_chunk(tp(1, 0), 1, 1000));
}

#[derive(Clone, Debug)]
enum Op {
    Durable {
        of: u8,
        bytes: u64,
        roll: bool,
    },
    Wait {
        ms: u64,
    },
    Poll,
    Put {
        pick: usize,
        error: Option<PutError>,
    },
    Record,
    Recorded,
    Urgent(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let error = prop::sample::select(vec![
        None,
        None,
        None,
        Some(PutError::SlowDown),
        Some(PutError::Transient),
        Some(PutError::Refused),
    ]);
    prop_oneof![
        10 => (0u8..5, 1u64..700 * KIB, prop::bool::weighted(0.2))
            .prop_map(|(of, bytes, roll)| Op::Durable { of, bytes, roll }),
        3 => (1u64..20_000).prop_map(|ms| Op::Wait { ms }),
        10 => Just(Op::Poll),
        8 => (any::<usize>(), error).prop_map(|(pick, error)| Op::Put { pick, error }),
        4 => Just(Op::Record),
        4 => Just(Op::Recorded),
        1 => any::<bool>().prop_map(Op::Urgent),
    ]
}

/// What a naive uploader would know.
#[derive(Default)]
struct Model {
    now_ms: u64,
    sequence: u64,
    ends: BTreeMap<u8, i64>,
    in_flight: Vec<u32>,
    cuts: BTreeMap<u32, Vec<Part>>,
    recording: Vec<u32>,
    /// Up to where each partition is recorded.
    recorded: BTreeMap<TopicPartition, i64>,
}

impl Model {
    fn run(&mut self, rig: &mut Rig, op: &Op) {
        match *op {
            Op::Durable { of, bytes, roll } => {
                self.sequence += u64::from(roll);
                let end = self.ends.entry(of).or_default();
                let part = part(tp(of, 0), *end, *end + 3, bytes);
                *end += 3;
                rig.uploader
                    .on_durable(self.now_ms, segment(self.sequence), part);
            }
            Op::Wait { ms } => self.now_ms += ms,
            Op::Poll => self.poll(rig),
            Op::Put { pick, error } => {
                if let Some(at) = pick.checked_rem(self.in_flight.len()) {
                    let number = self.in_flight.swap_remove(at);
                    rig.uploader
                        .on_put(self.now_ms, number, error.map_or(Ok(()), Err));
                }
            }
            Op::Record => {
                if let Some(number) = rig.uploader.poll_record() {
                    for part in &self.cuts[&number] {
                        let end = self.recorded.entry(part.tp).or_default();
                        assert_eq!(*end, part.base, "in order, once, without a gap");
                        *end = part.end;
                    }
                    self.recording.push(number);
                }
            }
            Op::Recorded => {
                for number in self.recording.drain(..) {
                    rig.uploader.on_recorded(number, &mut rig.numbers);
                }
            }
            Op::Urgent(is_urgent) => rig.uploader.set_urgent(is_urgent),
        }
        let stats = rig.uploader.stats();
        assert_eq!(stats.in_flight, self.in_flight.len());
        assert!(stats.in_flight <= UPLOADS_IN_FLIGHT_MAX && stats.open <= UPLOADS_OPEN_MAX);
    }

    fn poll(&mut self, rig: &mut Rig) {
        match rig.poll(self.now_ms) {
            Some(UploadWork::Put(Cut { number, parts })) => {
                assert!(
                    parts.is_sorted_by(|a, b| a.tp < b.tp),
                    "by partition, one each"
                );
                let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
                assert!(bytes <= CONFIG.object_bytes || parts.len() == 1);
                assert_eq!(self.cuts.insert(number, parts), None, "a number twice");
                self.in_flight.push(number);
            }
            Some(UploadWork::Again(number)) => {
                assert!(!self.in_flight.contains(&number) && !self.recording.contains(&number));
                self.in_flight.push(number);
            }
            // Nobody is to ask again and again.
            None => assert!(
                rig.uploader
                    .deadline_ms()
                    .is_none_or(|at_ms| at_ms > self.now_ms)
            ),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn everything_durable_is_recorded_once_and_in_order(
        ops in prop::collection::vec(op(), 1..200), seed: u64,
    ) {
        let (mut rig, mut model) = (Rig::new(), Model::default());
        for op in &ops {
            model.run(&mut rig, op);
        }
        // From here on the store works, and nothing more comes.
        let mut random = Random::new(seed);
        for _ in 0..10_000 {
            if rig.uploader.stats() == Default::default() {
                break;
            }
            let pick = random.next() as usize;
            for op in [Op::Poll, Op::Put { pick, error: None }, Op::Record, Op::Recorded] {
                model.run(&mut rig, &op);
            }
            match rig.uploader.deadline_ms() {
                Some(at_ms) if at_ms > model.now_ms => model.now_ms = at_ms,
                _ => model.now_ms += 1,
            }
        }
        let ends = model.ends.iter().map(|(of, end)| (tp(*of, 0), *end));
        prop_assert_eq!(ends.collect::<BTreeMap<_, _>>(), model.recorded);
    }
}
