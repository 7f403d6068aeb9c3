//! Telling how far a boot is.

use orchestrator_protocol::Message;

use super::BootRequest;
use crate::words::Event;

/// Counts tests and tells about them.
pub(super) struct Progress<'a> {
    request: &'a BootRequest,
    done: u64,
    total: u64,
}

impl<'a> Progress<'a> {
    /// Nothing was done yet.
    pub(super) fn new(request: &'a BootRequest) -> Self {
        Progress { request, done: 0, total: 0 }
    }

    /// Something is going on beside tests.
    pub(super) fn say(&self, message: &str) {
        (self.request.events)(Event::UnitProgress {
            unit: self.request.unit.clone(),
            done: self.done,
            total: self.total,
            message: message.to_owned(),
        });
    }

    /// A frame came.
    pub(super) fn frame(&mut self, message: &Message) {
        match message {
            Message::Hello { .. } => self.say("preparing the guest"),
            Message::Listed { suite, tests } => {
                self.total += self.chosen(suite, tests);
                self.say(suite);
            }
            Message::Begin { suite, test, .. } => self.say(&full_name(suite, test)),
            Message::End { suite, test, .. } => {
                self.done += 1;
                self.say(&full_name(suite, test));
            }
            Message::Done => self.say("power off"),
            Message::Setup { .. } | Message::Output { .. } | Message::Beat | Message::Unloaded { .. } => {}
        }
    }

    /// How many tests of a list will run.
    fn chosen(&self, suite: &str, tests: &[String]) -> u64 {
        let selection = &self.request.selection;
        let whole = [String::new()];
        let tests = if tests.is_empty() { &whole } else { tests };
        let wanted = |test: &&String| {
            let name = full_name(suite, test);
            (selection.only.is_empty() || selection.only.contains(&name)) && !selection.skip.contains(&name)
        };
        tests.iter().filter(wanted).count() as u64 * u64::from(selection.repeat)
    }
}

/// Name of a test as in selections and records; a program that runs whole has its suite's.
fn full_name(suite: &str, test: &str) -> String {
    if test.is_empty() { suite.to_owned() } else { format!("{suite}.{test}") }
}
