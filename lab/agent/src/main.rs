//! The orchestrator's agent: init of the machine under test.

fn main() {}
