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
            Message::Setup { .. }
            | Message::Output { .. }
            | Message::Result { .. }
            | Message::Beat
            | Message::Unloaded { .. } => {}
        }
    }

    /// How many tests of a list will run.
    fn chosen(&self, suite: &str, tests: &[String]) -> u64 {
        let selection = &self.request.selection;
        let own = self.request.suites.iter().find(|own| own.name == suite).map_or(1, |own| own.repeat);
        let whole = [String::new()];
        let tests = if tests.is_empty() { &whole } else { tests };
        let wanted = |test: &&String| {
            let name = full_name(suite, test);
            (selection.only.is_empty() || selection.only.contains(&name)) && !selection.skip.contains(&name)
        };
        tests.iter().filter(wanted).count() as u64 * u64::from(selection.repeat * own)
    }
}

/// Name of a test as in selections and records; a program that runs whole has its suite's.
fn full_name(suite: &str, test: &str) -> String {
    if test.is_empty() { suite.to_owned() } else { format!("{suite}.{test}") }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use camino::Utf8Path;
    use orchestrator_protocol::Status;

    use super::super::testing::{self, hello};
    use super::*;

    #[test]
    fn tests_are_counted_against_those_that_were_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let mut request = testing::request(Utf8Path::from_path(dir.path()).unwrap());
        request.selection.skip = vec!["hmm.c".into()];
        request.selection.repeat = 2;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        request.events = Arc::new(move |event| {
            if let Event::UnitProgress { done, total, message, .. } = event {
                sink.lock().unwrap().push(format!("{done}/{total} {message}"));
            }
        });
        let mut progress = Progress::new(&request);
        let suite = || "hmm".to_owned();
        let end = Message::End {
            suite: suite(),
            test: "a".into(),
            round: 1,
            status: Status::Code(0),
            dropped: 0,
            tainted: 0,
        };
        for message in [
            hello(),
            Message::Listed { suite: suite(), tests: vec!["a".into(), "b".into(), "c".into()] },
            Message::Begin { suite: suite(), test: "a".into(), round: 1 },
            Message::Beat,
            end,
            Message::Listed { suite: "whole".into(), tests: Vec::new() },
            Message::Begin { suite: "whole".into(), test: String::new(), round: 1 },
        ] {
            progress.frame(&message);
        }
        let expected = ["0/0 preparing the guest", "0/4 hmm", "0/4 hmm.a", "1/4 hmm.a", "1/6 whole", "1/6 whole"];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
