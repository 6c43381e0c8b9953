//! The frame budget's promises.
