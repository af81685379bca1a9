//! The process as a whole: how it dies when it must, its random bits, its limits.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Ends the process at once, after one ERROR line. For a failed write or flush: what is on
/// the disk is unknown then, and only recovery finds out.
pub fn abort(what: &str, error: &io::Error) -> ! {
    tracing::error!(%error, "{what}; stopping at once, the next start recovers from the disk");
    std::process::abort();
}

/// Has a panic on any shard end the process: the others must not go on beside a shard
/// whose state nobody knows.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        tracing::error!("{panic}; this is a bug, stopping at once\n{backtrace}");
        std::process::abort();
    }));
}

/// `N` bytes from the kernel's random source.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        abort(
            "no random bytes from the kernel",
            &io::Error::other(error.to_string()),
        );
    }
    bytes
}

/// Has the allocator keep large blocks it gets back, instead of returning each to the
/// kernel: a WAL block or a read buffer would otherwise cost a page fault every 4 KiB, half
/// of the CPU time of a produce. Memory stays within the budgets that bound the blocks.
#[allow(
    unsafe_code,
    reason = "there is no safe call for the allocator's settings"
)]
pub fn keep_freed_memory() {
    // The largest threshold that glibc accepts: 32 MiB on 64-bit hosts.
    const MMAP_THRESHOLD: libc::c_int = 32 << 20;
    const TRIM_THRESHOLD: libc::c_int = 1 << 30;
    // SAFETY: mallopt takes two integers and changes settings only; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
    }
}

/// Bytes of memory that this process may lock once it has raised its limit; `u64::MAX` is any
/// amount.
pub fn lockable_bytes() -> u64 {
    let privileged = rustix::thread::capabilities(None).is_ok_and(|sets| {
        sets.effective
            .contains(rustix::thread::CapabilitySet::IPC_LOCK)
    });
    if privileged {
        return u64::MAX;
    }
    getrlimit(Resource::Memlock).maximum.unwrap_or(u64::MAX)
}

/// Raises the soft limit of open files to the hard one: every connection and every WAL
/// segment in use needs a descriptor. Returns what it is now.
pub fn raise_open_files() -> io::Result<u64> {
    raise(Resource::Nofile)
}

/// Raises the soft limit of locked memory to the hard one, for the WAL's buffers. The executors
/// look at this limit even where a capability lifts it.
pub fn raise_locked_memory() -> io::Result<u64> {
    raise(Resource::Memlock)
}

fn raise(resource: Resource) -> io::Result<u64> {
    let limit = getrlimit(resource);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(resource, raised)?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
