//! One shard's uploads, from the cut to the record.

use std::collections::BTreeMap;

use super::pace::{Pace, PutError};
use super::pending::{Part, Pending};
use crate::base::limits::{UPLOADS_IN_FLIGHT_MAX, UPLOADS_OPEN_MAX};
use crate::base::{SegmentId, TopicPartition};
use crate::object::numbers::Numbers;

/// How a shard uploads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UploadConfig {
    /// Bytes of records that make an object (`--object-bytes`).
    pub object_bytes: u64,
    /// Age at which less than that is uploaded too, milliseconds (`--upload-interval`).
    pub interval_ms: u64,
    /// For the jitter of retries: any number, another for each shard.
    pub seed: u64,
}

/// What goes into one object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The object's number.
    pub number: u32,
    /// Its chunks, by partition.
    pub parts: Vec<Part>,
}

/// What the driver does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UploadWork {
    /// Make this object and put it. It stays as it was made until it is recorded.
    Put(Cut),
    /// Put the object of this number again.
    Again(u32),
}

/// Figures for whoever watches.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UploadStats {
    /// Bytes of records that are durable and in no cut.
    pub pending_bytes: u64,
    /// Objects that are cut and not recorded.
    pub open: usize,
    /// Puts under way.
    pub in_flight: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    InFlight,
    Waiting { until_ms: u64 },
    Put,
    Recorded,
}

#[derive(Debug)]
struct Upload {
    state: State,
    failures: u32,
}

/// The uploads of one shard.
#[derive(Debug)]
pub struct Uploader {
    config: UploadConfig,
    pending: Pending,
    uploads: BTreeMap<u32, Upload>,
    pace: Pace,
    is_urgent: bool,
}

impl Uploader {
    /// Nothing to upload yet.
    pub fn new(config: UploadConfig) -> Uploader {
        Uploader {
            config,
            pending: Pending::new(config.object_bytes),
            uploads: BTreeMap::new(),
            pace: Pace::new(UPLOADS_IN_FLIGHT_MAX, config.seed),
            is_urgent: false,
        }
    }

    /// Records have become durable, or were found in the WAL at start: in the order of their
    /// offsets, and segment by segment, the oldest first.
    pub fn on_durable(&mut self, now_ms: u64, segment: SegmentId, part: Part) {
        self.pending.push(now_ms, segment, part);
    }

    /// Whether the disk needs room: then nothing waits for more to come.
    pub fn set_urgent(&mut self, is_urgent: bool) {
        self.is_urgent = is_urgent;
    }

    /// What to put now: what failed before first, since everything else waits for it to be
    /// recorded. `log_start` tells where partitions begin; `None` for one that is deleted.
    pub fn poll(
        &mut self,
        now_ms: u64,
        numbers: &mut Numbers,
        log_start: &dyn Fn(TopicPartition) -> Option<i64>,
    ) -> Option<UploadWork> {
        if self.in_flight() >= self.pace.window(now_ms) {
            return None;
        }
        let mut uploads = self.uploads.iter_mut();
        let due = uploads.find(
            |(_, upload)| matches!(upload.state, State::Waiting { until_ms } if until_ms <= now_ms),
        );
        if let Some((number, upload)) = due {
            upload.state = State::InFlight;
            return Some(UploadWork::Again(*number));
        }
        while self.is_cut_due(now_ms) {
            let parts = self.pending.take(self.config.object_bytes, log_start);
            if parts.is_empty() {
                continue;
            }
            let number = numbers.take();
            self.uploads.insert(
                number,
                Upload {
                    state: State::InFlight,
                    failures: 0,
                },
            );
            return Some(UploadWork::Put(Cut { number, parts }));
        }
        None
    }

    fn is_cut_due(&self, now_ms: u64) -> bool {
        let Some(since_ms) = self.pending.since_ms() else {
            return false;
        };
        let is_old = now_ms.saturating_sub(since_ms) >= self.config.interval_ms;
        // One small object at a time makes room as well as many.
        let is_needed = self.is_urgent && self.uploads.is_empty();
        let is_whole = self.pending.bytes() >= self.config.object_bytes;
        self.uploads.len() < UPLOADS_OPEN_MAX && (is_whole || is_old || is_needed)
    }

    /// When [`Uploader::poll`] has something without further news, monotonic milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        let retries = self
            .uploads
            .values()
            .filter_map(|upload| match upload.state {
                State::Waiting { until_ms } => Some(until_ms),
                _ => None,
            });
        let has_room = self.uploads.len() < UPLOADS_OPEN_MAX;
        let since_ms = self.pending.since_ms().filter(|_| has_room);
        let cut = since_ms.map(|since_ms| since_ms.saturating_add(self.config.interval_ms));
        let next = retries.chain(cut).min()?;
        let may_put = self.in_flight() < self.pace.open_window();
        may_put.then(|| next.max(self.pace.blocked_until_ms()))
    }

    /// A put has ended. One that was cut off may have taken effect: it is made again with the
    /// same bytes and the same name.
    ///
    /// # Panics
    /// When none of this number is under way.
    pub fn on_put(&mut self, now_ms: u64, number: u32, result: Result<(), PutError>) {
        let upload = self.uploads.get_mut(&number);
        let upload = upload.filter(|upload| upload.state == State::InFlight);
        let upload = upload.expect("a put that is under way");
        match result {
            Ok(()) => {
                upload.state = State::Put;
                self.pace.on_success();
            }
            Err(error) => {
                upload.failures = upload.failures.saturating_add(1);
                let until_ms = self.pace.on_error(now_ms, error, upload.failures);
                upload.state = State::Waiting { until_ms };
            }
        }
    }

    /// The next object whose Uploaded record is to be written: each once, in the order of the
    /// cuts, whatever the order of the puts.
    pub fn poll_record(&mut self) -> Option<u32> {
        let mut open = self.uploads.iter_mut();
        let (number, upload) = open.find(|(_, upload)| upload.state != State::Recorded)?;
        let is_put = upload.state == State::Put;
        if is_put {
            upload.state = State::Recorded;
        }
        is_put.then_some(*number)
    }

    /// The WAL had no room for the record that [`Uploader::poll_record`] asked for. It asks
    /// again; records behind it were not asked for yet, or must be given up as well.
    pub fn on_record_refused(&mut self, number: u32) {
        if let Some(upload) = self.uploads.get_mut(&number) {
            upload.state = State::Put;
        }
    }

    /// The record is durable: the object is the manifest's.
    pub fn on_recorded(&mut self, number: u32, numbers: &mut Numbers) {
        self.uploads.remove(&number);
        numbers.end(number);
    }

    /// Nothing is left of what was cut: its topics were deleted before the object was made.
    pub fn on_given_up(&mut self, number: u32, numbers: &mut Numbers) {
        self.on_recorded(number, numbers);
    }

    fn in_flight(&self) -> usize {
        let uploads = self.uploads.values();
        uploads
            .filter(|upload| upload.state == State::InFlight)
            .count()
    }

    /// Its figures.
    pub fn stats(&self) -> UploadStats {
        UploadStats {
            pending_bytes: self.pending.bytes(),
            open: self.uploads.len(),
            in_flight: self.in_flight(),
        }
    }
}
