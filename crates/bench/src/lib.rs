//! Counting instructions: what is counted, by whom, and how it compares with the record.

mod counted;
pub mod record;
pub mod valgrind;

pub use counted::measure;
