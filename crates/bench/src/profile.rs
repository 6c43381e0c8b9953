//! What callgrind wrote, summed up by whose code it is.

use std::collections::{BTreeMap, BTreeSet};

/// What the counted part of a case executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Instructions of this program's own code, Rust's standard library among it.
    pub instructions: u64,
    /// Calls from it into shared libraries: allocating, copying, comparing.
    ///
    /// Their instructions are left out: the C library picks its functions by the processor, and
    /// every version of it has others, which moved some cases' sums by 8 %.
    pub library_calls: u64,
}

/// Sums up a profile whose positions are instructions' addresses; none if it does not add up to
/// what it says itself.
///
/// `own` is the file of the program that was run.
///
/// Source: Valgrind's manual, "Callgrind Format Specification".
#[must_use]
pub fn sum(text: &str, own: &str) -> Option<Counts> {
    let mut objects = Names::default();
    let (mut object, mut called) = ("", None);
    let (mut executed, mut leaving) = (BTreeMap::<&str, u64>::new(), BTreeSet::new());
    let (mut all, mut total) = (0, None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match line.split_once(['=', ':']) {
            Some(("ob", name)) => object = objects.resolve(name)?,
            // Named where it differs from the caller's.
            Some(("cob", name)) => called = Some(objects.resolve(name)?),
            Some(("calls", _)) => {
                let into = called.take().unwrap_or(object);
                // What the call cost is the called function's own; what counts is from where.
                let (place, _) = lines.next()?.split_once(' ')?;
                if object == own && into != own {
                    leaving.insert(place);
                }
            }
            Some(("totals", count)) => total = count.trim().parse().ok(),
            None if line.starts_with("0x") => {
                let (place, cost) = line.split_once(' ')?;
                let cost: u64 = cost.parse().ok()?;
                all += cost;
                if object == own {
                    *executed.entry(place).or_default() += cost;
                }
            }
            Some(_) | None => {}
        }
    }
    // The number that stands with a call is of the whole run, before and after what is counted;
    // how often the calling instruction was executed is not.
    let calls = leaving.iter().filter_map(|place| executed.get(place));
    (total == Some(all)).then(|| Counts {
        instructions: executed.values().sum(),
        library_calls: calls.sum(),
    })
}

/// Names are written out once, with a number, and are that number from then on.
#[derive(Default)]
struct Names<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    fn resolve(&mut self, text: &'a str) -> Option<&'a str> {
        let (number, name) = text.strip_prefix('(')?.split_once(')')?;
        match name.strip_prefix(' ') {
            Some(name) => {
                self.0.insert(number, name);
                Some(name)
            }
            None => self.0.get(number).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
version: 1
cmd: /a/own --case x=y
positions: instr
events: Ir
summary: 1050

ob=(1) /a/own
fl=(1) main.rs
fn=(1) (below main)
cob=(2) /lib/libc.so.6
cfn=(2) start
calls=1 0x9000
0x1000 1050

fn=(3) work
0x1100 30
0x1108 3
cob=(2)
cfn=(4) malloc
calls=2007 0x9100
0x1108 900
0x1110 7
cfn=(5) help
calls=2 0x1200
0x1110 10

fn=(5)
0x1200 10

ob=(2)
fn=(4)
0x9100 900
cob=(1)
cfn=(5)
calls=1 0x1200
0x9110 0
0x9110 100
totals: 1050
";

    #[test]
    fn own_instructions_and_calls_out_of_it_are_told_apart_from_the_libraries() {
        let counts = Counts {
            instructions: 50,
            library_calls: 3,
        };
        assert_eq!(sum(PROFILE, "/a/own"), Some(counts));
    }

    #[test]
    fn a_profile_that_does_not_add_up_is_none() {
        let wrong = PROFILE.replace("0x1110 7", "0x1110 8");
        assert_eq!(sum(&wrong, "/a/own"), None);
        assert_eq!(sum("events: Ir\n", "/a/own"), None);
    }
}
