//! Marks at the branches that only faults reach, so that the simulation can tell which of
//! them it has been to. A mark counts how often it was passed, and nothing depends on it.
//!
//! Marks are there where debug assertions are: in every test of the usual profile, whatever
//! links the library, without a feature that a build could forget or take along. The released
//! program has none.

/// Counts that this place was reached.
macro_rules! mark {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        {
            static PASSED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            if PASSED.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                $crate::base::mark::reached($name, &PASSED);
            }
        }
    };
}

pub(crate) use mark;

#[cfg(debug_assertions)]
pub use registry::{all, reached};

#[cfg(debug_assertions)]
mod registry {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    static REACHED: Mutex<BTreeMap<&'static str, &'static AtomicU64>> = Mutex::new(BTreeMap::new());

    /// A mark is passed for the first time.
    pub fn reached(name: &'static str, passed: &'static AtomicU64) {
        let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
        reached.insert(name, passed);
    }

    /// The marks that were passed in this process, and how often.
    pub fn all() -> BTreeMap<&'static str, u64> {
        let reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = reached.iter();
        counts
            .map(|(name, passed)| (*name, passed.load(Ordering::Relaxed)))
            .collect()
    }
}
