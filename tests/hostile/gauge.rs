//! Watches the resident memory of a broker: it stays in its budget (`--memory`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::common::broker::{Broker, resident_bytes_of};

/// What a process may have beside its budget, MiB: its code (some 9 of a build for tests), a few
/// for each shard's rings and stacks, and for what has no units of its own.
const BESIDE_MIB: u32 = 24;

/// The same of a shard with a small budget under a load of large requests. The blocks that are
/// being written (up to nine, of a MiB and more) are not in the tail yet, and the allocator cannot
/// use again all that was freed in other sizes. Neither grows with the budget.
pub const BESIDE_SMALL_SHARES_MIB: u32 = 64;

/// The watch.
pub struct Gauge {
    budget_mib: u32,
    done: Arc<AtomicBool>,
    highest: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Gauge {
    /// Begins.
    pub fn start(broker: &Broker) -> Gauge {
        let (done, highest) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let process = broker.process_id();
        let thread = std::thread::spawn({
            let (done, highest) = (done.clone(), highest.clone());
            move || {
                while !done.load(Ordering::SeqCst) {
                    if let Some(bytes) = resident_bytes_of(process) {
                        highest.fetch_max(bytes, Ordering::SeqCst);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Gauge {
            budget_mib: broker.memory_mib(),
            done,
            highest,
            thread,
        }
    }

    /// Fails if there was more than the budget and what may be beside it.
    pub fn finish(self, what: &str) {
        self.finish_with(what, BESIDE_MIB);
    }

    /// The same with so many MiB beside the budget.
    pub fn finish_with(self, what: &str, beside_mib: u32) {
        self.done.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        let highest = self.highest.load(Ordering::SeqCst) >> 20;
        let budget = self.budget_mib;
        println!("{what}: at most {highest} MiB resident with --memory {budget}MiB");
        let allowed = u64::from(budget + beside_mib);
        assert!(highest <= allowed, "{what}: {highest} MiB resident");
    }
}
