//! Watches the resident memory of a broker: it stays in its budget (`--memory`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::common::broker::{Broker, resident_bytes_of};

/// What the process may have beyond its budget: the program, the allocator's own waste,
/// the stacks and the connections.
const SLACK_MIB: u32 = 64;

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

    /// Fails if there was more than the budget and the slack.
    pub fn finish(self, what: &str) {
        self.done.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        let highest = self.highest.load(Ordering::SeqCst) >> 20;
        let budget = self.budget_mib;
        println!("{what}: at most {highest} MiB resident with --memory {budget}MiB");
        let allowed = u64::from(budget + SLACK_MIB);
        assert!(highest <= allowed, "{what}: {highest} MiB resident");
    }
}
