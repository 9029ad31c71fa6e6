//! What processes cost, read from `/proc`: this one's memory, and whole programs that it runs.
//!
//! Source: proc(5). Processor time of children counts in ticks of 10 ms, exact in sum, so many runs
//! are measured together. Peak memory is read again and again while a program runs, because it is
//! gone with the program; the last reading misses at most what was touched in its final moments.

use std::cell::RefCell;
use std::fs;
use std::process::{Command, Stdio};

use super::turns::{Costs, seconds};

/// Ticks of processor time in a second; every Linux reports in this unit, whatever its own.
const TICKS_PER_SECOND: f64 = 100.0;

/// Kibibytes of this process that are in memory now.
pub fn resident_kib() -> f64 {
    status_kib("self", "VmRSS:").expect("a process that runs has memory")
}

/// Processor time of this thread so far, in seconds.
fn thread_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

/// The time that `work` takes; the processor time of this thread in it is noted, both in seconds.
pub fn on_both_clocks(cpu: &RefCell<Costs>, work: impl FnOnce()) -> f64 {
    let before = thread_cpu_seconds();
    let elapsed = seconds(work);
    cpu.borrow_mut().push(thread_cpu_seconds() - before);
    elapsed
}

/// Processor time that one run of `command` takes, in seconds: the mean of `runs`.
pub fn cpu_seconds(command: &mut Command, runs: usize) -> f64 {
    let before = children_cpu_seconds();
    for _ in 0..runs {
        let status = silenced(command).status().unwrap();
        assert!(status.success(), "{command:?} failed");
    }
    (children_cpu_seconds() - before) / runs as f64
}

/// The most memory that one run of `command` has at a time, in kibibytes.
pub fn peak_kib(command: &mut Command) -> f64 {
    let mut child = silenced(command).spawn().unwrap();
    let pid = child.id().to_string();
    let mut peak = 0.0;
    while let Some(seen) = status_kib(&pid, "VmHWM:") {
        peak = seen;
    }
    child.wait().unwrap();
    peak
}

/// The same command with no terminal and nobody to read it.
pub fn silenced(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null())
}

/// User and system time of all children that were waited for.
fn children_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // The name in parentheses may hold spaces; the state follows as field 3.
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(16 - 3).take(2);
    ticks.map(|text| text.parse::<f64>().unwrap()).sum::<f64>() / TICKS_PER_SECOND
}

fn status_kib(pid: &str, name: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
