//! What the kernel says of this process.

use std::{fs, io};

/// Resident memory of this process.
pub fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))
}

/// CPU time of the thread with this name, in the kernel and out of it.
pub fn cpu_nanos(thread: &str) -> io::Result<u64> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == thread {
            let stat = fs::read_to_string(path.join("schedstat"))?;
            return stat
                .split(' ')
                .next()
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| io::Error::other("no number in schedstat"));
        }
    }
    Err(io::Error::other(format!("no thread is called {thread}")))
}
