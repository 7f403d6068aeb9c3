//! From frames to runs of programs, trusting none of them blindly.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orchestrator_protocol::{Frame, Message, Status};

/// Bytes kept of a file of results: what the agent sends at most, and what its replacement characters add.
const FILE_BYTES: usize = 16 * 1024 * 1024;

/// One `Begin`, what followed, and its `End`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub suite: String,
    /// As the program names it; empty for a program that runs whole.
    pub test: String,
    pub round: u32,
    /// Standard error?, line.
    pub lines: Vec<(bool, String)>,
    /// The file that the program wrote its results into, and how many bytes of it were dropped.
    pub file: Option<(String, u64)>,
    /// `None` when the run has no end.
    pub ended: Option<Ended>,
    pub begin_ms: u64,
    pub last_ms: u64,
    /// Why the frames of this run cannot be believed.
    pub distrust: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub status: Status,
    pub dropped: u64,
    pub tainted: u64,
}

impl Run {
    /// `<suite>.<test>`, or the suite for a program that runs whole.
    pub fn name(&self) -> String {
        full_name(&self.suite, &self.test)
    }
}

pub(super) fn full_name(suite: &str, test: &str) -> String {
    if test.is_empty() { suite.to_owned() } else { format!("{suite}.{test}") }
}

/// All that the agent said, sorted.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub uname: String,
    /// Set-up steps that spoil the results: what, and the error.
    pub fatal: Vec<(String, String)>,
    /// Full names by suite, in order.
    pub listed: BTreeMap<String, Vec<String>>,
    pub runs: Vec<Run>,
    /// Module and error.
    pub unloaded: Vec<(String, Option<String>)>,
    pub done: bool,
}

/// Sorts the frames. A run is believed only when its frames are there without a gap, none of their numbers came twice,
/// it begins and ends once, and the agent had neither finished nor started anew before.
pub(super) fn sort(frames: &[Frame]) -> Said {
    let mut said = Said::default();
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for frame in frames {
        *counts.entry(frame.seq).or_default() += 1;
    }
    let mut open: Option<Run> = None;
    let mut before: Option<u64> = None;
    let mut hellos = 0;
    for frame in frames {
        let gap = before.is_some_and(|before| frame.seq != before.wrapping_add(1));
        before = Some(frame.seq);
        let doubt = if counts.get(&frame.seq).copied().unwrap_or(0) > 1 {
            Some(format!("frame {} came twice", frame.seq))
        } else if gap && open.is_some() {
            Some(format!("frames before {} are missing", frame.seq))
        } else if said.done {
            Some(format!("frame {} came after the last one", frame.seq))
        } else if hellos > 1 {
            Some("the agent started twice".to_owned())
        } else {
            None
        };
        if let Some(run) = &mut open {
            run.last_ms = frame.ms;
            run.distrust = run.distrust.take().or_else(|| doubt.clone());
        }
        match &frame.message {
            Message::Hello { uname, .. } => {
                hellos += 1;
                if hellos == 1 {
                    said.uname = uname.clone();
                }
            }
            Message::Setup { what, error, fatal } => {
                if let (Some(error), true) = (error, *fatal) {
                    said.fatal.push((what.clone(), error.clone()));
                }
            }
            Message::Listed { suite, tests } => {
                let names = tests.iter().map(|test| full_name(suite, test)).collect();
                said.listed.entry(suite.clone()).or_insert(names);
            }
            Message::Begin { suite, test, round } => {
                if let Some(mut cut) = open.take() {
                    cut.distrust.get_or_insert_with(|| "another test began before its end".to_owned());
                    said.runs.push(cut);
                }
                open = Some(Run {
                    suite: suite.clone(),
                    test: test.clone(),
                    round: *round,
                    lines: Vec::new(),
                    file: None,
                    ended: None,
                    begin_ms: frame.ms,
                    last_ms: frame.ms,
                    distrust: doubt,
                });
            }
            Message::Output { err, text } => {
                if let Some(run) = &mut open {
                    run.lines.push((*err, text.clone()));
                }
            }
            Message::Result { text, dropped } => {
                if let Some(run) = &mut open {
                    let (whole, cut) = run.file.get_or_insert_default();
                    if whole.len() + text.len() <= FILE_BYTES {
                        whole.push_str(text);
                    } else {
                        *cut += text.len() as u64;
                    }
                    *cut = (*cut).max(*dropped);
                }
            }
            Message::End { suite, test, round, status, dropped, tainted } => {
                let ended = Ended { status: *status, dropped: *dropped, tainted: *tainted };
                match open.take() {
                    Some(mut run) if run.suite == *suite && run.test == *test && run.round == *round => {
                        run.ended = Some(ended);
                        said.runs.push(run);
                    }
                    other => {
                        if let Some(mut cut) = other {
                            cut.distrust.get_or_insert_with(|| "another test ended before its end".to_owned());
                            said.runs.push(cut);
                        }
                        said.runs.push(Run {
                            suite: suite.clone(),
                            test: test.clone(),
                            round: *round,
                            lines: Vec::new(),
                            file: None,
                            ended: Some(ended),
                            begin_ms: frame.ms,
                            last_ms: frame.ms,
                            distrust: Some("it ended without having begun".to_owned()),
                        });
                    }
                }
            }
            Message::Beat => {}
            Message::Unloaded { module, error } => said.unloaded.push((module.clone(), error.clone())),
            Message::Done => said.done = true,
        }
    }
    said.runs.extend(open);
    distrust_repeated(&mut said.runs);
    said
}

/// The same round of the same test twice: one of them is forged.
fn distrust_repeated(runs: &mut [Run]) {
    let key = |run: &Run| (run.name(), run.round);
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> = runs.iter().map(key).filter(|key| !seen.insert(key.clone())).collect();
    for run in runs.iter_mut().filter(|run| twice.contains(&key(run))) {
        run.distrust.get_or_insert_with(|| format!("round {} of it was reported twice", run.round));
    }
}
