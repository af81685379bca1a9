//! How many shards there are by default, where they run, and with how much memory: what the
//! process may really use, by its affinity and by the limits of its cgroup, and not what the
//! machine has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use corelane::kafka::messages::metadata::{MetadataRequest, MetadataResponse};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::temp;
use crate::common::broker::{Broker, Options};
use crate::common::skip::skip;

/// The CPUs that this process may run on.
fn cpus() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    let is_in = |cpu: &usize| set.is_set(*cpu);
    (0..CpuSet::MAX_CPU).filter(is_in).collect()
}

/// Does something on a thread that may run on these CPUs only, as may what it starts.
fn confined<R: Send>(cpus: &[usize], run: impl FnOnce() -> R + Send) -> R {
    let confined = || {
        let mut set = CpuSet::new();
        cpus.iter().for_each(|cpu| set.set(*cpu));
        sched_setaffinity(None, &set).unwrap();
        run()
    };
    std::thread::scope(|scope| scope.spawn(confined).join().unwrap())
}

/// A broker that nobody tells how many shards to have, and that comes to `cores`.
fn counting(cores: u16) -> Options {
    Options {
        cores,
        counts_cores: true,
        ..Options::default()
    }
}

/// How many brokers clients see.
fn nodes(broker: &Broker) -> usize {
    let frame = broker.client().call(12, &MetadataRequest::default());
    let response: MetadataResponse<'_> = frame.decode();
    response.brokers.len()
}

/// The CPUs that each thread of the shards may run on, as the kernel lists them.
fn cpus_of_shards(broker: &Broker) -> BTreeSet<String> {
    let tasks = PathBuf::from(format!("/proc/{}/task", broker.process_id()));
    let mut lists = BTreeSet::new();
    for task in std::fs::read_dir(tasks).unwrap().flatten() {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("shard-") {
            let status = read("status");
            let prefix = "Cpus_allowed_list:";
            let list = status.lines().find_map(|line| line.strip_prefix(prefix));
            lists.extend(list.map(|list| list.trim().to_owned()));
        }
    }
    lists
}

/// `--cores` left out, as under `taskset`.
#[test]
fn the_affinity_decides_how_many_shards_there_are_and_where() {
    let all = cpus();
    // Not the first one, if there are several: the numbers count, not only how many.
    let last = *all.last().unwrap();
    let mut broker = confined(&[last], || Broker::start_with(counting(1)));
    assert_eq!(nodes(&broker), 1);
    assert_eq!(cpus_of_shards(&broker), [last.to_string()].into());
    broker.stop();
    if all.len() < 2 {
        return skip("one CPU is all there is, so none can be left out");
    }
    let two = &all[all.len() - 2..];
    let mut broker = confined(two, || Broker::start_with(counting(2)));
    assert_eq!(nodes(&broker), 2);
    let pinned: BTreeSet<_> = two.iter().map(usize::to_string).collect();
    assert_eq!(cpus_of_shards(&broker), pinned);
    broker.stop();
}

#[test]
fn more_shards_than_cpus_run_unpinned() {
    let all = cpus();
    let one = *all.first().unwrap();
    let options = Options {
        cores: 3,
        memory_mib: 128,
        ..Options::default()
    };
    let mut broker = confined(&[one], || Broker::start_with(options.clone()));
    assert_eq!(nodes(&broker), 3);
    broker.stop();
    let cores = u16::try_from(all.len()).unwrap() + 1;
    if cores > 15 {
        return skip("more shards than this host has CPUs need more ports than a test has");
    }
    let mut broker = Broker::start_with(Options {
        cores,
        memory_mib: 32 * u32::from(cores),
        wal_disk_mib: 32 * u32::from(cores),
        ..options
    });
    assert_eq!(nodes(&broker), usize::from(cores));
    let lists = cpus_of_shards(&broker);
    assert_eq!(lists.len(), 1, "each may run wherever the others may");
    let list = corelane::config::parse_cpu_list(lists.first().unwrap());
    assert_eq!(list, Some(all));
    broker.stop();
}

/// A cgroup with a limit; removed in the end.
struct Cgroup(PathBuf);

/// A limit as the second kind of cgroups has it, and as the first: the file and what is in it.
struct Limit {
    controller: &'static str,
    second: (&'static str, &'static str),
    first: (&'static str, &'static str),
}

const ONE_CPU_AND_A_HALF: Limit = Limit {
    controller: "cpu",
    second: ("cpu.max", "150000 100000"),
    first: ("cpu.cfs_quota_us", "150000"),
};

const ONE_GIB: Limit = Limit {
    controller: "memory",
    second: ("memory.max", "1073741824"),
    first: ("memory.limit_in_bytes", "1073741824"),
};

impl Cgroup {
    /// One of either kind; `None` where a test may not, or cannot, have one.
    fn with(limit: &Limit) -> Option<Cgroup> {
        let root = Path::new("/sys/fs/cgroup");
        let handed_down = std::fs::read_to_string(root.join("cgroup.subtree_control"));
        let is_handed_down = |names: String| {
            names
                .split_whitespace()
                .any(|name| name == limit.controller)
        };
        let of_first_kind = root.join(limit.controller);
        let (above, (file, value)) = if handed_down.is_ok_and(is_handed_down) {
            (root, limit.second)
        } else if of_first_kind.join(limit.first.0).exists() {
            (&*of_first_kind, limit.first)
        } else {
            skip(&format!(
                "no cgroup here has the {} controller",
                limit.controller
            ));
            return None;
        };
        let dir = above.join(format!(
            "corelane-test-{}-{}",
            limit.controller,
            std::process::id()
        ));
        if let Err(error) = std::fs::create_dir(&dir) {
            skip(&format!("no cgroup may be created: {error}"));
            return None;
        }
        let cgroup = Cgroup(dir);
        std::fs::write(cgroup.0.join(file), value).unwrap();
        Some(cgroup)
    }

    /// What `corelane doctor` says in it.
    fn doctor(&self) -> String {
        let script = "echo $$ > \"$0\"/cgroup.procs && exec \"$1\" doctor";
        let output = Command::new("sh")
            .args(["-c", script])
            .arg(&self.0)
            .arg(env!("CARGO_BIN_EXE_corelane"))
            .current_dir(temp().path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It is empty once our child has ended; the kernel may need a moment.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn a_quota_of_the_cgroup_decides_how_many_shards_there_are() {
    if cpus().len() < 2 {
        return skip("one CPU cannot be cut in two");
    }
    let Some(cgroup) = Cgroup::with(&ONE_CPU_AND_A_HALF) else {
        return;
    };
    let out = cgroup.doctor();
    let expected = "1 shard(s) run unpinned: a quota of 1 CPU(s)";
    assert!(out.contains(expected), "{out}");
    let mut broker = Broker::start_with(Options {
        cgroup: Some(cgroup.0.clone()),
        ..counting(1)
    });
    assert_eq!(nodes(&broker), 1);
    let lists = cpus_of_shards(&broker);
    let list = corelane::config::parse_cpu_list(lists.first().unwrap());
    assert_eq!(list, Some(cpus()), "a quota says how much, not where");
    broker.stop();
}

/// `--memory` left out: of what the cgroup gives, or of the RAM, a quarter.
#[test]
fn the_budget_of_memory_is_a_quarter_of_what_there_is() {
    let Some(cgroup) = Cgroup::with(&ONE_GIB) else {
        return;
    };
    let out = cgroup.doctor();
    let shards = cpus().len();
    // So many shards need more than that.
    let expected = format!("a budget of {} MiB", (32 * shards).max(256));
    assert!(out.contains(&expected), "{out}");
}
