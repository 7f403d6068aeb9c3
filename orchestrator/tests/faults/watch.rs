//! Where in its work a run is, as its events tell.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the first event: reads its files, takes its locks.
    Start,
    /// Chooses the base, fetches the tree, applies the patches, looks up what is known.
    Prepare,
    /// Builds: the worktree is switched, make configures.
    Configure,
    /// Builds: make is at work.
    Make,
    /// Builds and boots at once.
    MakeAndBoot,
    /// Boots.
    Boot,
    /// Between two units: keeps results, judges, decides what comes next.
    Between,
    /// Writes the report.
    Report,
    /// Has said that the run ended.
    End,
}

impl Phase {
    pub const ALL: [Phase; 9] = [
        Phase::Start,
        Phase::Prepare,
        Phase::Configure,
        Phase::Make,
        Phase::MakeAndBoot,
        Phase::Boot,
        Phase::Between,
        Phase::Report,
        Phase::End,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Prepare => "fetch, apply, look up",
            Phase::Configure => "worktree, configure",
            Phase::Make => "make",
            Phase::MakeAndBoot => "make and boot at once",
            Phase::Boot => "boot",
            Phase::Between => "keep, judge, plan",
            Phase::Report => "findings, report, index",
            Phase::End => "end",
        }
    }
}

/// Follows the events of one process.
#[derive(Debug, Default)]
pub struct Watch {
    begun: bool,
    ended: bool,
    reporting: bool,
    /// Units at work with their kind, and of builds whether make compiles.
    units: BTreeMap<String, (String, bool)>,
    /// Whether a build or boot was ever at hand.
    worked: bool,
}

impl Watch {
    /// Takes one line of `--json`.
    pub fn line(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap_or_default() {
            "run-started" => self.begun = true,
            "unit-started" => {
                let kind = word("kind");
                self.worked |= kind == "build" || kind == "boot";
                self.units.insert(word("unit"), (kind, false));
            }
            "unit-ended" => {
                let kind = word("kind");
                self.worked |= kind == "build" || kind == "boot";
                self.units.remove(&word("unit"));
            }
            "unit-progress" => {
                if let Some((_, compiles)) = self.units.get_mut(&word("unit")) {
                    *compiles |= event["done"].as_u64().unwrap_or(0) > 0;
                }
            }
            "found" => self.reporting = true,
            "run-ended" => self.ended = true,
            _ => {}
        }
    }

    pub fn phase(&self) -> Phase {
        let any = |wanted: &str| self.units.values().any(|(kind, _)| kind == wanted);
        let compiles = self.units.values().any(|(kind, compiles)| kind == "build" && *compiles);
        match (self.begun, any("build"), any("boot")) {
            (false, ..) => Phase::Start,
            (true, ..) if self.ended => Phase::End,
            (true, ..) if self.reporting => Phase::Report,
            (true, true, true) => Phase::MakeAndBoot,
            (true, true, false) if compiles => Phase::Make,
            (true, true, false) => Phase::Configure,
            (true, false, true) => Phase::Boot,
            (true, false, false) if self.worked => Phase::Between,
            (true, false, false) => Phase::Prepare,
        }
    }
}

#[test]
fn phases_follow_the_events() {
    let mut watch = Watch::default();
    let mut say = |line: &str| {
        watch.line(line);
        watch.phase()
    };
    assert_eq!(say("no event"), Phase::Start);
    assert_eq!(say(r#"{"event":"run-started"}"#), Phase::Prepare);
    assert_eq!(say(r#"{"event":"unit-started","unit":"fetch/t","kind":"fetch"}"#), Phase::Prepare);
    assert_eq!(say(r#"{"event":"unit-started","unit":"b","kind":"build"}"#), Phase::Configure);
    assert_eq!(say(r#"{"event":"unit-progress","unit":"b","done":0}"#), Phase::Configure);
    assert_eq!(say(r#"{"event":"unit-progress","unit":"b","done":1}"#), Phase::Make);
    assert_eq!(say(r#"{"event":"unit-started","unit":"c","kind":"boot"}"#), Phase::MakeAndBoot);
    assert_eq!(say(r#"{"event":"unit-ended","unit":"b","kind":"build"}"#), Phase::Boot);
    assert_eq!(say(r#"{"event":"unit-ended","unit":"c","kind":"boot"}"#), Phase::Between);
    assert_eq!(say(r#"{"event":"found"}"#), Phase::Report);
    assert_eq!(say(r#"{"event":"run-ended"}"#), Phase::End);
}
