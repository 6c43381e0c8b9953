//! Counting instructions: what is counted, by whom, and how it compares with the record.
//!
//! gungraun would be the library for it. It is not used since its runner is a program of its own
//! that must be compiled and kept at the library's version: 295 s of CPU for gungraun-runner 0.20
//! on the machine that the benchmarks were made on, several times what this crate costs. It also
//! compares with the run before, while here the numbers are committed, each with its reason; and
//! it adds up the C library's instructions, which differ between machines ([`profile::Counts`]).

mod counted;
pub mod profile;
pub mod record;
pub mod valgrind;

pub use counted::measure;
