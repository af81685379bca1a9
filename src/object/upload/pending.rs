//! What is durable and not cut yet, in the order of the WAL. One entry for each partition
//! in each segment (and one more for every 8 MiB, or eighth of an object), however many
//! batches there are.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::base::limits::{OBJECT_CHUNKS_MAX, UPLOAD_SPAN_BYTES_MAX};
use crate::base::{SegmentId, TopicPartition};

/// Records of one partition that go into an object together. Those that are deleted by the time
/// the object is made are left out at its front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Whose.
    pub tp: TopicPartition,
    /// Offset of the first.
    pub base: i64,
    /// Offset after the last.
    pub end: i64,
    /// Bytes of their batches.
    pub bytes: u64,
}

/// What waits to be cut.
#[derive(Debug)]
pub struct Pending {
    /// Most bytes of one span, a single batch aside.
    span_bytes: u64,
    spans: VecDeque<Span>,
    /// How many spans have left the front.
    gone: u64,
    /// The newest span of each partition in the newest segment, counted from the very first.
    open: HashMap<TopicPartition, u64>,
    newest: Option<SegmentId>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    part: Part,
    since_ms: u64,
}

impl Pending {
    /// Nothing waits. Objects are to be of `object_bytes`; spans are small beside that.
    pub fn new(object_bytes: u64) -> Pending {
        Pending {
            span_bytes: (object_bytes / 8).min(UPLOAD_SPAN_BYTES_MAX),
            spans: VecDeque::new(),
            gone: 0,
            open: HashMap::new(),
            newest: None,
            bytes: 0,
        }
    }

    /// Records have become durable. They come in the order of their offsets, and segment by
    /// segment.
    pub fn push(&mut self, now_ms: u64, segment: SegmentId, part: Part) {
        if self.newest != Some(segment) {
            self.newest = Some(segment);
            self.open.clear();
        }
        self.bytes += part.bytes;
        let span_bytes = self.span_bytes;
        if let Some(span) = self.open_span(part.tp)
            && span.part.end == part.base
            && span.part.bytes + part.bytes <= span_bytes
        {
            span.part.end = part.end;
            span.part.bytes += part.bytes;
            return;
        }
        let place = self.gone + self.spans.len() as u64;
        self.open.insert(part.tp, place);
        self.spans.push_back(Span {
            part,
            since_ms: now_ms,
        });
    }

    fn open_span(&mut self, tp: TopicPartition) -> Option<&mut Span> {
        let place = self.open.get(&tp)?.checked_sub(self.gone)?;
        self.spans.get_mut(usize::try_from(place).ok()?)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Spans that wait.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// When the first of what waits became durable, monotonic milliseconds.
    pub fn since_ms(&self) -> Option<u64> {
        self.spans.front().map(|span| span.since_ms)
    }

    /// Takes from the front as much as `bytes_max` allows, a single span aside, ordered by
    /// partition. What `log_start` says is deleted (or whose partition is: `None`) is dropped.
    pub fn take(
        &mut self,
        bytes_max: u64,
        log_start: &dyn Fn(TopicPartition) -> Option<i64>,
    ) -> Vec<Part> {
        let mut parts: BTreeMap<TopicPartition, Part> = BTreeMap::new();
        let mut bytes = 0;
        while let Some(Span { part, .. }) = self.spans.front().copied() {
            let is_live = log_start(part.tp).is_some_and(|log_start| part.end > log_start);
            let fits = parts.is_empty()
                || (bytes + part.bytes <= bytes_max && parts.len() < OBJECT_CHUNKS_MAX);
            if is_live && !fits {
                break;
            }
            self.spans.pop_front();
            self.gone += 1;
            self.bytes -= part.bytes;
            if !is_live {
                continue;
            }
            bytes += part.bytes;
            let joined = parts.entry(part.tp).or_insert(Part { bytes: 0, ..part });
            joined.end = part.end;
            joined.bytes += part.bytes;
        }
        parts.into_values().collect()
    }
}
