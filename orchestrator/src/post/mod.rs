//! Posting: the answer of a run to the people who review the series, each exactly once.
