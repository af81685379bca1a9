//! Ports for the brokers of tests that run at the same time.

use std::net::TcpListener;

use super::random::{self, Random};

/// Ports of one broker, of which the harness holds the first as a lock.
const PORTS: u16 = 16;
/// Below the ports that the kernel gives to outgoing connections.
const PORT_BASES: std::ops::Range<u16> = 10_000 / PORTS..32_000 / PORTS;

/// A range of ports, this harness's own as long as it holds the lock.
pub struct Ports {
    first: u16,
    _lock: TcpListener,
}

impl Ports {
    /// The port number `step` of the range.
    pub fn at(&self, step: u16) -> u16 {
        assert!(step < PORTS - 1);
        self.first + step
    }

    /// A range that nobody uses.
    pub fn reserve() -> Ports {
        let mut random = Random::new(random::fresh());
        for _ in 0..1000 {
            let span = u64::from(PORT_BASES.end - PORT_BASES.start);
            let base = (PORT_BASES.start + random.below(span) as u16) * PORTS;
            // Other tests respect the lock, other programs are asked.
            let Ok(lock) = TcpListener::bind(("127.0.0.1", base)) else {
                continue;
            };
            let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if (base + 1..base + PORTS).all(free) {
                return Ports {
                    first: base + 1,
                    _lock: lock,
                };
            }
        }
        panic!("no free range of ports found");
    }
}
