//! Which threads go first where there are fewer processors than threads.

use std::io;

/// Lets every other thread go before this one. Does nothing but on Linux: elsewhere a weight is
/// of a whole process.
///
/// # Errors
/// If the system refuses.
pub fn give_way() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::nice(LAST)?;
    Ok(())
}

/// The least weight that a thread may have.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// The calling thread's niceness.
    fn niceness() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").expect("its own /proc entry");
        // The name, in parentheses, may have spaces; niceness is the seventeenth field behind it.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let field = fields.split_ascii_whitespace().nth(16).expect("niceness");
        field.parse().expect("a number")
    }

    #[test]
    fn a_thread_gives_way_without_the_others() {
        let before = niceness();
        let given = thread::spawn(|| give_way().map(|()| niceness()));
        let given = given.join().expect("the thread does not panic");
        assert_eq!(given.expect("nobody forbids it"), LAST);
        assert_eq!(niceness(), before);
    }
}
