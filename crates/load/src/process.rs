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

    /// What it has cost so far.
    ///
    /// # Errors
    /// If the process is gone, or this is not Linux.
    pub fn cost(self) -> io::Result<Cost> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let ticks = cpu_ticks(&stat).ok_or_else(|| unreadable("stat"))?;
        let kib = resident_kib(&status).ok_or_else(|| unreadable("status"))?;
        Ok(Cost {
            resident_bytes: kib * 1024,
            cpu: Duration::from_millis(ticks * 1000 / TICKS_A_SECOND),
        })
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::other(format!("/proc/PID/{what} does not read as expected"))
}

/// Fields 14 and 15 of /proc/PID/stat, counted after the name in parentheses, which may itself
/// hold spaces. Source: proc(5).
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// USER_HZ, which Linux fixes for user space.
const TICKS_A_SECOND: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 900 1 2";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn resident_memory_is_in_kib() {
        assert_eq!(resident_kib("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2048));
    }

    #[test]
    fn the_own_process_costs_something() {
        let cost = Process::new(std::process::id())
            .cost()
            .expect("its own /proc entry");
        assert!(cost.resident_bytes > 0);
    }
}
