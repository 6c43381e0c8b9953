//! The outbox's rules, one by one.
