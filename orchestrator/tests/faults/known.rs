//! A run of which everything is known, so that it costs a second: the stage for faults that need no work.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::checks;
use super::essence;
use super::stage::{Ended, Stage, finish, program, repository};

/// The mark of that run; its results stay in the cache.
pub const MARK: u32 = 1;

/// The run, done once.
pub struct Known {
    stage: Stage,
    pub series: PathBuf,
    /// Its report.
    pub report: Value,
}

impl Deref for Known {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Known {
    pub fn new() -> Known {
        let stage = Stage::warm();
        let series = stage.series(MARK);
        let ended = stage.run(&series, &[]);
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        let report = stage.report();
        stage.fresh_results();
        Known { stage, series, report }
    }

    /// The run again.
    pub fn again(&self) -> Ended {
        self.run(&self.series, &[])
    }

    /// Asserts that the last run said what the undisturbed one said, and that nothing is left of it.
    pub fn is_the_same(&self) {
        self.says_the_same();
        checks::nothing_was_done_twice(&self.latest());
    }

    /// The same where what was made before went with a mount, so that it had to be made again.
    pub fn says_the_same(&self) {
        essence::same(&self.report, &self.stage.report());
        checks::nothing_is_left(self);
        checks::nothing_is_half(self);
    }

    /// Results of this kind (`builds`, `boots`) that the last run used, without those of the base.
    pub fn results_of(&self, kind: &str) -> Vec<PathBuf> {
        let folder = self.cache.join(kind);
        let mut all: Vec<PathBuf> =
            checks::used(&self.latest(), &kind[..kind.len() - 1]).map(|key| folder.join(key)).collect();
        all.sort();
        all.dedup();
        assert!(!all.is_empty(), "the run used {kind}");
        all
    }

    /// Forgets the results of this kind, so that they are made again.
    pub fn forget(&self, kind: &str) {
        self.forget_all(&[kind]);
    }

    /// The same for several kinds.
    pub fn forget_all(&self, kinds: &[&str]) {
        self.fresh_results();
        let ended = self.again();
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        let all = kinds.iter().flat_map(|kind| self.results_of(kind));
        all.for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
        self.fresh_results();
    }

    /// Runs a script in a mount namespace of its own, whose mounts go with it. In it `run` tests the series, `resume` goes
    /// on with it; `$RESULTS` and `$CACHE` are the folders, `$FILES` is one for what is to be kept.
    pub fn mounted(&self, script: &str) -> Ended {
        let files = self.folder().join("files");
        std::fs::create_dir_all(&files).unwrap();
        let words = Stage::run_words(&self.series);
        let prelude = r#"
            program=$1; shift
            run() { "$program" "$@"; }
            resume() { "$program" resume latest; }
        "#;
        let script = format!("{prelude}\n{script}").replace("TEST", r#"run "$@""#);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-uc", &script, "sh"]).arg(program()).args(words);
        command
            .env("ORCHESTRATOR_RESULTS", self.results())
            .env("ORCHESTRATOR_CACHE", &self.cache)
            .env("RESULTS", self.results())
            .env("CACHE", &self.cache)
            .env("FILES", files)
            .env("TMPDIR", self.temporary())
            .current_dir(repository());
        finish(command)
    }

    /// A file that a script kept.
    pub fn kept(&self, name: &str) -> PathBuf {
        self.folder().join("files").join(name)
    }
}

/// Whether mounts can be made here; says so when not.
pub fn can_mount() -> bool {
    let can = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success());
    if !can {
        println!("left out: only root can mount");
    }
    can
}

/// One line of the table.
pub fn row(fault: &str, tries: usize, saw: &str) {
    println!("| {fault} | {tries} | {saw} |");
}

/// The line of what the program said that has this word.
pub fn line_with(ended: &Ended, word: &str) -> String {
    let line = ended.said.lines().find(|line| line.contains(word));
    line.unwrap_or_else(|| panic!("`{word}` was not said:\n{}", ended.said)).trim().to_owned()
}
