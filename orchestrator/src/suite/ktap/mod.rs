//! KTAP, the kernel's way for tests to say what they did, read strictly.
//!
//! See docs.kernel.org/dev-tools/ktap.html. Understood are `KTAP version 1` and `TAP version 13` and `14`, the plan,
//! result lines with their directives, `Bail out!`, and nested results in three forms: indented with a version line of
//! their own (KTAP), indented under a `# Subtest:` line (TAP 14, older KUnit), and prefixed with `# ` (the kselftest
//! runner). Everything else is a diagnostic and belongs to the result line that follows it.
//!
//! Reading strictly means: whatever makes the results incomplete or ambiguous is a [`Problem`], and whoever judges must
//! not take results with problems for a pass. `OK` and `FAIL` in comment lines mean nothing (a skipped test of
//! `kselftest_harness.h` prints `OK`, too).

mod line;
mod parse;

pub use line::Directive;
pub use parse::parse;

/// One document: a version line and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ktap {
    /// The version line; `None` when there is none, and then nothing else was understood either.
    pub version: Option<String>,
    /// The plan.
    pub plan: Option<Plan>,
    /// Results in the order they came.
    pub results: Vec<TestResult>,
    /// The reason of a `Bail out!`.
    pub bail_out: Option<String>,
    /// Lines before the version line and after the last result.
    pub diagnostics: Vec<String>,
    /// What is wrong with this document and those nested in it.
    pub problems: Vec<Problem>,
}

/// How many results are to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The N of `1..N`.
    pub count: u32,
    /// The reason of `1..0 # SKIP reason`.
    pub skip: Option<String>,
}

/// One result line and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// `ok`, not `not ok`.
    pub ok: bool,
    /// Number as printed.
    pub number: u32,
    /// Description, without a leading `- `; may be empty.
    pub name: String,
    /// Directive, when there is one that KTAP knows.
    pub directive: Option<Directive>,
    /// Text after the directive (or after `#` when there is no directive).
    pub detail: String,
    /// Diagnostic lines since the result before it, verbatim.
    pub diagnostics: Vec<String>,
    /// Nested results.
    pub nested: Option<Box<Ktap>>,
}

/// What makes results unfit for a pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing of KTAP at all.
    #[error("no KTAP version line in {lines} lines of output")]
    NoVersion {
        /// How many lines were looked at.
        lines: usize,
    },
    /// A second version line at the same level.
    #[error("line {line}: a second version line{inside}", inside = inside(within))]
    SecondVersion {
        /// Line, from 1.
        line: usize,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// No plan.
    #[error("no plan{inside}", inside = inside(within))]
    NoPlan {
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// Two plans.
    #[error("line {line}: a second plan{inside}", inside = inside(within))]
    SecondPlan {
        /// Line, from 1.
        line: usize,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// Fewer results than planned: cut off, or the program died.
    #[error("{seen} of {planned} planned results{inside}", inside = inside(within))]
    Short {
        /// Planned.
        planned: u32,
        /// Seen.
        seen: usize,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// More results than planned.
    #[error("{seen} results, but only {planned} planned{inside}", inside = inside(within))]
    Over {
        /// Planned.
        planned: u32,
        /// Seen.
        seen: usize,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// The same number twice.
    #[error("line {line}: a second result with number {number}{inside}", inside = inside(within))]
    Duplicate {
        /// Line, from 1.
        line: usize,
        /// The number.
        number: u32,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// A number that does not follow the one before it.
    #[error("line {line}: result number {number} where {expected} should come{inside}", inside = inside(within))]
    OutOfOrder {
        /// Line, from 1.
        line: usize,
        /// The number.
        number: u32,
        /// The number that should have come.
        expected: u32,
        /// Name of the test it is nested in; empty at the top.
        within: String,
    },
    /// Nested results whose parent never got a result line.
    #[error("nested results without a result line of their parent")]
    Orphaned,
    /// A parent that passes over a failed nested test.
    #[error("\"{parent}\" passes although its nested test \"{nested}\" failed")]
    HiddenFailure {
        /// The parent.
        parent: String,
        /// The nested test.
        nested: String,
    },
    /// The program gave up.
    #[error("bail out: {reason}")]
    BailOut {
        /// Its words.
        reason: String,
    },
    /// Nested deeper than anybody nests.
    #[error("line {line}: nested deeper than {limit} levels")]
    TooDeep {
        /// Line, from 1.
        line: usize,
        /// The limit.
        limit: usize,
    },
}

fn inside(within: &str) -> String {
    if within.is_empty() { String::new() } else { format!(" in \"{within}\"") }
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
