//! Time and memory.
