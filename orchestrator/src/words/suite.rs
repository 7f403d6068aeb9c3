//! Suites: tests run on a boot.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tag::{TagValue, Tags, tags};

/// A value written to a file in the guest before the suite, e.g. `/proc/sys/vm/nr_hugepages` = `8`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Absolute path in the guest.
    pub path: String,
    /// Value, written without a newline.
    pub value: String,
    /// True when the suite can do without it (the path may not exist in every kernel).
    #[serde(default)]
    pub optional: bool,
}

/// Device nodes with a dynamic major number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceNodes {
    /// Name in `/proc/devices`.
    pub driver: String,
    /// Path without the minor number, e.g. `/dev/hmm_dmirror`.
    pub path: String,
    /// How many, from minor 0.
    pub count: u32,
}

/// A module the suite needs, loaded when the build has it as a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteModule {
    /// Module name, e.g. `test_hmm`.
    pub name: String,
    /// Its parameters; passed as `name.parameter` on the kernel command line when it is built in.
    #[serde(default)]
    pub params: Vec<String>,
}

/// How the program says what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteStyle {
    /// A `kselftest_harness.h` program: `-l` lists its tests, `-r NAME` runs one, output is KTAP.
    KselftestHarness,
    /// Any program that prints KTAP; it is run once, whole.
    Ktap,
}

/// How what a command says is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parser {
    /// As style `ktap`.
    Ktap,
    /// As style `kselftest-harness`.
    KselftestHarness,
    /// Exit code 0 is a pass, 4 a skip, any other a failure; the suite is one test.
    ExitCode,
    /// JUnit XML (gtest's `--gtest_output=xml` too) in this file of the machine, which the command writes.
    Junit(String),
    /// `results.json` of `igt_runner`, at this path of the machine.
    IgtResults(String),
}

impl Parser {
    /// The file of the machine that holds the results, where there is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Parser::Junit(file) | Parser::IgtResults(file) => Some(file),
            Parser::Ktap | Parser::KselftestHarness | Parser::ExitCode => None,
        }
    }
}

/// What a number in a program's output counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricUnit {
    /// Nanoseconds: less is better.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Things per second: more is better. They are compared as the time that one takes.
    PerSecond,
}

/// Readings among the lines that a program prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteMetric {
    /// Name; the metric is called `<test>.<name>`.
    pub name: String,
    /// A regular expression with one group, the number. Each line that matches is a reading.
    pub regex: String,
    /// What the number counts.
    pub unit: MetricUnit,
    /// Pages of 4 KiB that a reading is about, where it is about some: the cost of one is compared then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
}

/// A file that a suite brings to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// Path on this host; relative to the folder of the suite file.
    pub from: String,
    /// Absolute path on the machine; it can be executed there.
    pub to: String,
}

/// A program that the orchestrator brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Builtin {
    /// Measures page migration and page table walks on the test driver's devices, from `lab/bench`.
    HmmBench,
}

/// A suite file, `lab/suites/<name>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Name; equal to the file's stem.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Selftest program to build from the revision: path below `tools/testing/selftests`, e.g. `mm/hmm-tests`.
    #[serde(default)]
    pub selftest: Option<String>,
    /// Program of the orchestrator's own to run instead. Exactly one of the three is given.
    #[serde(default)]
    pub builtin: Option<Builtin>,
    /// Command to run on the machine instead, a list of words. Where the machine has no such program the suite is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Files to bring along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SuiteFile>,
    /// Tests of the program that belong to the suite, named as the program lists them; all when empty.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Of these, the ones to run in profile quick; all when empty.
    #[serde(default)]
    pub quick: Vec<String>,
    /// Tests of the program that are left to another suite, named in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// How often each test runs in a boot: a benchmark that gives one reading each time needs several, and each begins
    /// elsewhere in the timer's period.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeat: u32,
    /// What the machine must have, e.g. `gpu: xe`; on others it does not run, and the report says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "tags")]
    #[schemars(with = "BTreeMap<String, TagValue>")]
    pub needs: Tags,
    /// How it speaks; or `parser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<SuiteStyle>,
    /// How it is read; or `style`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<Parser>,
    /// Readings in what its tests print. A suite that is to give them is named under `benchmarks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<SuiteMetric>,
    /// Further kernel command line.
    #[serde(default)]
    pub append: Vec<String>,
    /// Modules it needs.
    #[serde(default)]
    pub modules: Vec<SuiteModule>,
    /// Device nodes it needs.
    #[serde(default)]
    pub nodes: Vec<DeviceNodes>,
    /// Settings it needs.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Guest seconds after which one test counts as hung (beyond the test's own limit).
    pub test_deadline: u64,
    /// Bytes of output kept of one test.
    #[serde(default = "default_output_limit")]
    pub output_limit: usize,
}

impl Suite {
    /// How its output is read.
    pub fn reads(&self) -> Parser {
        match (&self.parser, self.style) {
            (Some(parser), _) => parser.clone(),
            (None, Some(SuiteStyle::Ktap)) => Parser::Ktap,
            (None, Some(SuiteStyle::KselftestHarness) | None) => Parser::KselftestHarness,
        }
    }
}

fn once() -> u32 {
    1
}

fn is_once(repeat: &u32) -> bool {
    *repeat == once()
}

fn default_output_limit() -> usize {
    256 * 1024
}
