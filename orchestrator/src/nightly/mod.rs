//! The nightly run: follows series and trees, and tests what changed.
