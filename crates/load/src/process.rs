//! What a process costs, from /proc.

use std::{fs, io, time::Duration};

/// A process that is being measured.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// What a process has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// CPU time in user and kernel mode.
    pub cpu: Duration,
}

impl Process {
    /// The process with this number.
    #[must_use]
    pub fn new(pid: u32) -> Process {
        Process { pid }
    }

    /// Resident memory, bytes, counted page by page: `status` has it from counters that may lag
    /// by some pages a processor, which shows where a socket costs a few bytes.
    ///
    /// # Errors
    /// If the process is gone, or this is not Linux.
    pub fn resident_bytes(self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let kib = kib(&rollup, "Rss:").ok_or_else(|| unreadable("smaps_rollup"))?;
        Ok(kib * 1024)
    }

    /// Whether none of its threads runs or wants to.
    ///
    /// # Errors
    /// If the process is gone, or this is not Linux.
    pub fn is_at_rest(self) -> io::Result<bool> {
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            if let Ok(stat) = fs::read_to_string(task?.path().join("stat"))
                && is_busy(&stat).ok_or_else(|| unreadable("stat"))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What it has cost so far.
    ///
    /// # Errors
    /// If the process is gone, or this is not Linux.
    pub fn cost(self) -> io::Result<Cost> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let kib = kib(&status, "VmRSS:").ok_or_else(|| unreadable("status"))?;
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread that ended meanwhile takes its time with it; servers keep theirs.
            if let Ok(schedstat) = fs::read_to_string(task?.path().join("schedstat")) {
                nanos += cpu_nanos(&schedstat).ok_or_else(|| unreadable("schedstat"))?;
            }
        }
        Ok(Cost {
            resident_bytes: kib * 1024,
            cpu: Duration::from_nanos(nanos),
        })
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::other(format!(
        "/proc/PID/{what} does not read as expected: has the process ended?"
    ))
}

/// The first field of /proc/PID/task/TID/schedstat: time on a processor, in the kernel and out
/// of it. /proc/PID/stat has it too, in hundredths of a second, which is too coarse here.
fn cpu_nanos(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether the state in /proc/PID/task/TID/stat, behind the name in parentheses, says that it
/// runs, wants to, or waits for a disk.
fn is_busy(stat: &str) -> Option<bool> {
    let (_, behind) = stat.rsplit_once(") ")?;
    Some(behind.starts_with(['R', 'D']))
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_the_first_of_three() {
        assert_eq!(cpu_nanos("1207 88 3\n"), Some(1207));
        assert_eq!(cpu_nanos(""), None);
    }

    #[test]
    fn a_state_is_behind_the_name() {
        assert_eq!(is_busy("7 (a (b) R) S 1 7"), Some(false));
        assert_eq!(is_busy("7 (a (b) S) R 1 7"), Some(true));
        assert_eq!(is_busy(""), None);
    }

    #[test]
    fn resident_memory_is_in_kib() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\n";
        assert_eq!(kib(status, "VmRSS:"), Some(2048));
        assert_eq!(kib("", "VmRSS:"), None);
    }

    #[test]
    fn the_own_process_costs_something() {
        let own = Process::new(std::process::id());
        assert!(own.resident_bytes().expect("its own /proc entry") > 0);
        let cost = own.cost().expect("its own /proc entry");
        assert!(cost.resident_bytes > 0);
        assert!(cost.cpu > Duration::ZERO);
    }
}
