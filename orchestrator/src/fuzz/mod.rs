//! Fuzz targets: what strangers write goes in, and what must hold for every input is checked.
//!
//! A [`Target`] is a plain function. It panics when something does not hold that must: not only when a parser panics, but
//! also when a text for people holds control characters, when garbage becomes a pass, when what is written does not
//! read back. Two drivers call it: a small one of our own, which is the same every time (`make test`), and libFuzzer, which
//! is led by coverage (`make fuzz`, the crate in `orchestrator/fuzz`).
//!
//! A new target is a function in the room that it is about, a line in [`TARGETS`], and a folder with inputs in
//! `orchestrator/tests/fuzz/<name>`. See `docs/reliability.md`.

mod boot;
mod config;
#[cfg(test)]
mod driver;
mod page;
mod records;

use crate::term::text::is_hostile;
use crate::{build, engine, intake, lab, post, series, suite, tree};

/// Something that reads what strangers write.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name, and of the folder with its inputs.
    pub name: &'static str,
    /// What it reads.
    pub about: &'static str,
    /// Reads one input. Panics when something does not hold.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 13] = [
    Target { name: "mail", about: "mails and mboxes, versions of one series, the answer to a mail", run: mail },
    Target { name: "patch", about: "diffs: vetting, and what git reads of them", run: patch },
    Target { name: "make", about: "what make prints, Kconfig files, fragments", run: build::fuzz::make },
    Target { name: "ktap", about: "output of test programs", run: suite::fuzz::ktap },
    Target { name: "reports", about: "files of results: JUnit XML, igt's results.json", run: suite::fuzz::reports },
    Target { name: "klog", about: "kernel logs", run: suite::fuzz::log },
    Target { name: "config", about: "the files that a user writes, of every kind", run: config::config },
    Target { name: "agent", about: "frames of the agent", run: lab::fuzz::agent },
    Target { name: "boot", about: "frames, console and end of a boot, judged and compared", run: boot::boot },
    Target { name: "counts", about: "the file of the plugin", run: lab::fuzz::counts },
    Target { name: "answers", about: "answers of servers: archives, patchwork, GitHub", run: answers },
    Target { name: "labs", about: "answers of LAVA, labgrid, Slurm, BMCs and boxes", run: labs },
    Target { name: "records", about: "records, events, reports: what results and cache hold", run: records::records },
];

fn mail(data: &[u8]) {
    if let Some(series) = series::fuzz::mail(data) {
        post::fuzz::reply(&series);
    }
    intake::fuzz::thread(data);
}

fn patch(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let vetted = series::fuzz::vetted(&text);
    tree::fuzz::patch(&text, vetted);
}

fn answers(data: &[u8]) {
    intake::fuzz::answers(data);
    post::http::fuzz::answers(data);
}

fn labs(data: &[u8]) {
    lab::fuzz::labs(data);
    engine::fuzz::slurm(data);
}

/// Panics when a text for people holds a character that moves the cursor, or hides or reorders text.
pub(crate) fn assert_harmless(text: &str) {
    if let Some(hostile) = text.chars().find(|c| *c != '\n' && is_hostile(*c)) {
        panic!("a text for people holds {hostile:?}: {text:?}");
    }
}

#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;
