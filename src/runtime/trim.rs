//! Gives memory back to the kernel. The allocator keeps what it gets back (see
//! [`process::keep_freed_memory`](super::process::keep_freed_memory)), which is right under
//! load and wrong afterwards: a broker that has become idle holds no memory for long.

use std::io;
use std::thread;
use std::time::Duration;

/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// CPU time between two looks, milliseconds, below which the process counts as idle.
const IDLE_CPU_MS_MAX: u64 = 50;
/// CPU time since the last time, milliseconds, below which there is nothing to give back.
const WORK_CPU_MS_MIN: u64 = 20;

/// Looks after the memory for the life of the process, on a thread of its own: the allocator
/// may take milliseconds over it.
pub fn start() -> io::Result<()> {
    let work = || {
        let (mut last_ms, mut trimmed_ms) = (cpu_ms(), 0);
        loop {
            thread::sleep(LOOK_PAUSE);
            let now_ms = cpu_ms();
            let is_idle = now_ms - last_ms <= IDLE_CPU_MS_MAX;
            if is_idle && now_ms - trimmed_ms >= WORK_CPU_MS_MIN {
                trim();
                trimmed_ms = cpu_ms();
            }
            last_ms = now_ms;
        }
    };
    thread::Builder::new()
        .name("trim".into())
        .spawn(work)
        .map(drop)
}

/// Hands all free pages of the heap to the kernel.
#[allow(
    unsafe_code,
    reason = "there is no safe call for the allocator's functions"
)]
fn trim() {
    // SAFETY: malloc_trim takes an integer, touches free memory only, and takes the
    // allocator's own locks.
    unsafe { libc::malloc_trim(0) };
}

/// CPU time of the whole process, milliseconds.
#[allow(
    unsafe_code,
    reason = "there is no safe call for the process's CPU time"
)]
fn cpu_ms() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: clock_gettime writes one timespec into the place given, which is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    debug_assert_eq!(result, 0);
    time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000
}
