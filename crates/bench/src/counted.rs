//! The one function whose instructions are counted.

use std::hint::black_box;

/// Runs `work` on `input` and counts what it executes; the result is dropped uncounted.
pub fn measure<I, O>(input: I, work: impl FnOnce(I) -> O) -> O {
    let mut waiting = Some((work, input));
    let mut output = None;
    instructions_counted_in(&mut || {
        if let Some((work, input)) = waiting.take() {
            output = Some(work(black_box(input)));
        }
    });
    black_box(output).expect("the work was done")
}

/// Valgrind starts and stops counting where this is entered and left: see
/// [`crate::valgrind`], which names it.
#[inline(never)]
fn instructions_counted_in(work: &mut dyn FnMut()) {
    black_box(work)();
}

/// What valgrind knows the counted function by.
pub const PATTERN: &str = "*instructions_counted_in*";
