//! Named places between two steps of a driver: what if the process dies here? The black-box
//! tests ask that at every one of them, by starting the broker with `DIE_AT_STEP=NAME:N` in
//! its environment: it then kills itself when it comes to that place for the N-th time.
//! What if it takes long? With `SLOW_STEP=NAME:MS` whoever comes to a slow step waits that many
//! milliseconds there, and everybody else on the core goes on.
//!
//! As [marks](crate::base::mark), steps are there where debug assertions are. The released
//! program has none, and does not know the variables.

/// The process may die here.
macro_rules! step {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::runtime::steps::passed($name);
    };
}

/// The process may die here, and the one who comes by may be slow; for what awaits.
macro_rules! slow_step {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::runtime::steps::linger($name).await;
    };
}

pub(crate) use {slow_step, step};

#[cfg(debug_assertions)]
pub use {death::passed, slowness::linger};

#[cfg(debug_assertions)]
mod slowness {
    use std::sync::OnceLock;

    use super::super::sleep_ms;

    const VARIABLE: &str = "SLOW_STEP";

    /// A step was taken, and takes as long as it is to.
    pub async fn linger(name: &'static str) {
        static PLACE: OnceLock<Option<(String, u64)>> = OnceLock::new();
        super::passed(name);
        let place = PLACE.get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            let (name, ms) = text.rsplit_once(':')?;
            Some((name.to_owned(), ms.parse().ok()?))
        });
        match place {
            Some((place, ms)) if place == name => sleep_ms(*ms).await,
            _ => {}
        }
    }
}

#[cfg(debug_assertions)]
mod death {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    const VARIABLE: &str = "DIE_AT_STEP";

    /// Where the process is to die.
    struct Place {
        name: String,
        /// How often it may still be passed, the last time included.
        left: AtomicU64,
    }

    /// A step was taken, on any thread.
    pub fn passed(name: &'static str) {
        static PLACE: OnceLock<Option<Place>> = OnceLock::new();
        let place = PLACE.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?));
        let Some(place) = place.as_ref().filter(|place| place.name == name) else {
            return;
        };
        if place.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // SIGKILL comes before this returns, and ends all threads at once.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    fn parse(text: &str) -> Option<Place> {
        let (name, times) = text.rsplit_once(':')?;
        Some(Place {
            name: name.to_owned(),
            left: AtomicU64::new(times.parse().ok()?),
        })
    }
}
