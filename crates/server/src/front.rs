//! The HTTP side: accepts sockets, answers requests, and hands upgraded ones to the edge.

mod admission;

pub use admission::{Admission, AdmissionLimits, Loopback, NotAdmitted, Permit};
