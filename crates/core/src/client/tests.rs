//! The clients' protocol, rule by rule.
