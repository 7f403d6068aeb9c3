//! The objects of KCIDB 5.3 as far as a run can fill them. What is not known is left out: nulls are not allowed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Version of the format.
    pub version: Version,
    /// States of source code.
    pub checkouts: Vec<Checkout>,
    /// What was built of them.
    pub builds: Vec<Build>,
    /// What was run on the builds.
    pub tests: Vec<Test>,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// Where that shows.
    pub incidents: Vec<Incident>,
}

/// Version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// 5.
    pub major: u32,
    /// 3.
    pub minor: u32,
}

/// How a build or test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It found the tested code faulty.
    Fail,
    /// It did not complete through a fault of the test.
    Error,
    /// It did not run through a fault of the harness.
    Miss,
    /// It found the tested code right.
    Pass,
    /// It completed and judges nothing: a measurement.
    Done,
    /// It did not apply.
    Skip,
}

/// A state of source code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkout {
    /// `<origin>:<hash>`.
    pub id: String,
    /// This CI system.
    pub origin: String,
    /// Name of the tree.
    pub tree_name: String,
    /// Where the base is from; only `https` addresses are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_repository_url: Option<String>,
    /// Branch there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_repository_branch: Option<String>,
    /// The base commit, 40 hex digits; only of git sources: an imported package has a commit that nobody else has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_commit_hash: Option<String>,
    /// Hash of the applied patches; empty for the base.
    pub patchset_hash: String,
    /// Message-ID of the mail that brought the patches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// For people.
    pub comment: String,
    /// When the run began, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// Why the patches could not be put on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_excerpt: Option<String>,
    /// Whether they could.
    pub valid: bool,
    /// Whatever else.
    pub misc: Map<String, Value>,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// `<origin>:<hash>`.
    pub id: String,
    /// This CI system.
    pub origin: String,
    /// Its checkout.
    pub checkout_id: String,
    /// `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// `gcc 12.2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// What repeats it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Name of the kconfig.
    pub config_name: String,
    /// Seconds.
    pub duration: f64,
    /// How it ended.
    pub status: Status,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Its log, where run folders are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// Lines that tell why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_excerpt: Option<String>,
}

/// A test, a boot or a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// `<origin>:<hash>`.
    pub id: String,
    /// This CI system.
    pub origin: String,
    /// Its build.
    pub build_id: String,
    /// Where it ran.
    pub environment: Environment,
    /// `hmm.hmm.hmm_device_private.anon_read`.
    pub path: String,
    /// How it ended.
    pub status: Status,
    /// What was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Its log, where run folders are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// Whatever else.
    pub misc: Map<String, Value>,
}

/// Where a test ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// For people.
    pub comment: String,
}

/// A measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// The value.
    pub value: f64,
    /// What it counts, without a prefix.
    pub unit: String,
    /// How it may be scaled for people.
    pub prefix: Prefix,
}

/// How a number may be scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefix {
    /// By powers of 1000.
    Metric,
    /// By powers of 1024.
    Binary,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// `<origin>:<hash>`.
    pub id: String,
    /// 1: what a finding is about never changes under its id.
    pub version: u32,
    /// This CI system.
    pub origin: String,
    /// One line.
    pub report_subject: String,
    /// Who is to blame.
    pub culprit: Culprit,
    /// For people.
    pub comment: String,
}

/// Who is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// The tested code.
    pub code: bool,
    /// The test or the toolchain.
    pub tool: bool,
    /// The orchestrator or its host.
    pub harness: bool,
}

/// A place where an issue shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// `<origin>:<hash>`.
    pub id: String,
    /// This CI system.
    pub origin: String,
    /// The issue.
    pub issue_id: String,
    /// Its version.
    pub issue_version: u32,
    /// The build that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// The test that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_id: Option<String>,
    /// Always true here.
    pub present: bool,
}
