//! What the orchestrator and its agent inside a machine say to each other.
//!
//! The orchestrator puts a [`Plan`] as JSON into the initramfs (`/orchestrator/plan.json`). The agent answers on the
//! results channel with one [`Frame`] per line as JSON. Nothing flows the other way, so a guest needs no input.

pub mod console;

use serde::{Deserialize, Serialize};

/// Version of this protocol; both sides refuse another.
pub const VERSION: u32 = 2;

/// Where the plan lies inside the machine.
pub const PLAN_PATH: &str = "/orchestrator/plan.json";

/// All the agent has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// Device of the results channel, e.g. `/dev/ttyS1`; [`console::CONSOLE`] for the kernel's own console.
    pub results: String,
    /// Module files to load first, in order.
    pub modules: Vec<Module>,
    /// Whether to unload them again at the end, and report it as a test of its own.
    pub unload: bool,
    /// Device nodes to make.
    pub nodes: Vec<Nodes>,
    /// Files to write.
    pub settings: Vec<Setting>,
    /// What the machine must then be like.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// Programs to run, in order.
    pub jobs: Vec<Job>,
}

/// A module file and its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Absolute path in the initramfs.
    pub file: String,
    /// Module name, for unloading.
    pub name: String,
    /// Parameters separated by spaces.
    pub params: String,
}

/// Character device nodes whose major number is read from `/proc/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// Driver name in `/proc/devices`. Several drivers may match by prefix followed by digits.
    pub driver: String,
    /// Path without the minor number.
    pub path: String,
    /// How many.
    pub count: u32,
}

/// A file to write before the jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Absolute path.
    pub path: String,
    /// Value.
    pub value: String,
    /// Failure is reported but does not matter.
    pub optional: bool,
}

/// A file that must say something, or this is not the machine that was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Absolute path.
    pub path: String,
    /// A word that its content must have.
    pub word: String,
}

/// How a program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Listed with `-l`, then each test by itself with `-r NAME`; run whole when it knows no `-l`.
    KselftestHarness,
    /// Run once, whole.
    Whole,
}

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Suite name; test names are `<suite>.<name as the program gives it>`.
    pub suite: String,
    /// Absolute path in the initramfs.
    pub program: String,
    /// Its arguments, when it runs whole.
    #[serde(default)]
    pub args: Vec<String>,
    /// Absolute path of a file that it writes its results into; sent after its end.
    #[serde(default)]
    pub result: Option<String>,
    /// Without the program the suite does not run, and nothing is wrong with the machine.
    #[serde(default)]
    pub may_be_missing: bool,
    /// How to run it.
    pub style: Style,
    /// Run only these tests (names as the program gives them), in this order; all when empty.
    pub only: Vec<String>,
    /// Leave these out.
    pub skip: Vec<String>,
    /// Run every chosen test this many times, round by round.
    pub repeat: u32,
    /// Guest seconds one test may take before it counts as hung.
    pub test_deadline: u64,
    /// Bytes of output passed on per test; the rest is counted and dropped.
    pub output_limit: usize,
}

/// One line on the results channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Counts from 0 without a gap; a gap means that the channel lost or forged something.
    pub seq: u64,
    /// Guest milliseconds since the kernel started (CLOCK_BOOTTIME).
    pub ms: u64,
    /// What is said.
    #[serde(flatten)]
    pub message: Message,
}

/// How a program in the machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Exit code.
    Code(i32),
    /// Signal.
    Signal(i32),
    /// It overran [`Job::test_deadline`]; it may still exist, unkillable.
    Deadline,
    /// There is no such program, and [`Job::may_be_missing`] allows that.
    Missing,
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum Message {
    /// First frame.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// `uname -r` and `-v`, separated by a space.
        uname: String,
        /// `/proc/cmdline`.
        cmdline: String,
        /// MemTotal in KiB.
        mem_kib: u64,
        /// CPUs online.
        cpus: u32,
        /// GNU build id of the running kernel in hex, from `/sys/kernel/notes`; empty when it has none.
        build_id: String,
    },
    /// One step of the set-up: mount, module, node, setting, expectation.
    Setup {
        /// What was tried.
        what: String,
        /// Error text, when it failed.
        error: Option<String>,
        /// Whether the failure spoils the results.
        fatal: bool,
    },
    /// Tests that a program has, in its order.
    Listed {
        /// Suite.
        suite: String,
        /// Names as the program gives them. Empty when it cannot list.
        tests: Vec<String>,
    },
    /// A test (or a whole program, then `test` is empty) begins. The same words go to `/dev/kmsg` first.
    Begin {
        /// Suite.
        suite: String,
        /// Test name as the program gives it; empty when the program runs whole.
        test: String,
        /// Round, from 1.
        round: u32,
    },
    /// One line of output of the test that runs.
    Output {
        /// True for standard error.
        err: bool,
        /// The line, invalid UTF-8 replaced.
        text: String,
    },
    /// A piece of the file of [`Job::result`], in order, after the program's end and before `End`.
    Result {
        /// The piece, invalid UTF-8 replaced.
        text: String,
        /// Bytes of the file beyond what is sent; they are dropped.
        dropped: u64,
    },
    /// The test ended.
    End {
        /// Suite.
        suite: String,
        /// Test, as in `Begin`.
        test: String,
        /// Round.
        round: u32,
        /// How.
        status: Status,
        /// Bytes of output that were dropped.
        dropped: u64,
        /// Kernel taint flags after it (`/proc/sys/kernel/tainted`).
        tainted: u64,
    },
    /// Sign of life, every few seconds.
    Beat,
    /// A module was unloaded (or would not).
    Unloaded {
        /// Module name.
        module: String,
        /// Error text, when it failed.
        error: Option<String>,
    },
    /// Last frame: everything asked for was done; the machine powers off now.
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_flat_json_line() {
        let frame = Frame { seq: 1, ms: 2, message: Message::Output { err: false, text: "ok 1 a\u{1b}".into() } };
        let line = serde_json::to_string(&frame).unwrap();
        assert_eq!(line, r#"{"seq":1,"ms":2,"say":"output","err":false,"text":"ok 1 a\u001b"}"#);
        assert_eq!(serde_json::from_str::<Frame>(&line).unwrap(), frame);
    }
}
