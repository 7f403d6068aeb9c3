//! From lines to a document.

use std::collections::BTreeSet;

use super::line::{Line, is_version, read};
use super::{Ktap, Plan, Problem, TestResult};

/// Levels of nesting that are followed.
const DEPTH_LIMIT: usize = 16;

/// Reads the output of one program. Lines may precede the version line.
///
/// Never fails: what is wrong is in [`Ktap::problems`]. Linear in the size of the output.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Ktap {
    let mut parser = Parser { levels: Vec::new(), before: Vec::new(), line: 0 };
    for line in lines {
        parser.line += 1;
        parser.feed(line.trim_end_matches(['\r', '\n']));
    }
    parser.finish()
}

/// A document under construction.
struct Level {
    /// What every line of it starts with.
    prefix: String,
    doc: Ktap,
    numbers: BTreeSet<u32>,
    /// Diagnostics since the last result.
    pending: Vec<String>,
    /// Nested results since the last result: they belong to the next one.
    nested: Option<Ktap>,
}

impl Level {
    fn new(prefix: &str, version: Option<&str>) -> Self {
        Level {
            prefix: prefix.to_owned(),
            doc: Ktap { version: version.map(str::to_owned), ..Ktap::default() },
            numbers: BTreeSet::new(),
            pending: Vec::new(),
            nested: None,
        }
    }

    /// Ends the document: counts, and takes what is left over.
    fn close(mut self) -> Ktap {
        if let Some(nested) = self.nested.take() {
            self.doc.problems.extend(nested.problems);
            self.doc.problems.push(Problem::Orphaned);
        }
        let seen = self.doc.results.len();
        let within = String::new();
        match &self.doc.plan {
            // A program that bails out before its plan has said all it had to say.
            None if self.doc.bail_out.is_some() => {}
            None => self.doc.problems.push(Problem::NoPlan { within }),
            Some(plan) if (seen as u64) < u64::from(plan.count) => {
                self.doc.problems.push(Problem::Short { planned: plan.count, seen, within });
            }
            Some(plan) if seen as u64 > u64::from(plan.count) => {
                self.doc.problems.push(Problem::Over { planned: plan.count, seen, within });
            }
            Some(_) => {}
        }
        self.doc.diagnostics.append(&mut self.pending);
        self.doc
    }
}

struct Parser {
    /// From the outermost document to the innermost that is open.
    levels: Vec<Level>,
    /// Lines before the first version line.
    before: Vec<String>,
    line: usize,
}

impl Parser {
    fn feed(&mut self, line: &str) {
        let indent = line.len() - line.trim_start_matches([' ', '\t', '#']).len();
        let (prefix, body) = line.split_at(indent);
        if is_version(body) {
            self.version(prefix, body);
            return;
        }
        if self.levels.is_empty() {
            self.before.push(line.to_owned());
            return;
        }
        if let Some(indent) = subtest_indent(line) {
            self.subtest(indent, line);
            return;
        }
        if let Some(prefix) = self.bare_plan(line) {
            self.open(&prefix, None);
        }
        let depth = self.depth_of(line);
        let body = &line[self.levels[depth].prefix.len().min(line.len())..];
        match read(body) {
            Line::Version(_) | Line::Other => self.levels[depth].pending.push(line.to_owned()),
            Line::Plan(plan) => {
                self.pop_to(depth);
                let line = self.line;
                let level = &mut self.levels[depth];
                if level.doc.plan.is_some() {
                    level.doc.problems.push(Problem::SecondPlan { line, within: String::new() });
                } else {
                    level.doc.plan = Some(plan);
                }
            }
            Line::BailOut(reason) => {
                self.pop_to(depth);
                let doc = &mut self.levels[depth].doc;
                doc.problems.push(Problem::BailOut { reason: reason.clone() });
                doc.bail_out = Some(reason);
            }
            Line::Result { ok, number, name, directive, detail } => {
                self.pop_to(depth);
                let line = self.line;
                let level = &mut self.levels[depth];
                let expected = u32::try_from(level.doc.results.len() + 1).unwrap_or(u32::MAX);
                let within = String::new();
                if !level.numbers.insert(number) {
                    level.doc.problems.push(Problem::Duplicate { line, number, within });
                } else if number != expected {
                    level.doc.problems.push(Problem::OutOfOrder { line, number, expected, within });
                }
                let mut nested = level.nested.take();
                if let Some(doc) = &mut nested {
                    let mut problems = std::mem::take(&mut doc.problems);
                    // KUnit has no plan for a test with parameters; it says afterwards how many there were.
                    if level.pending.iter().any(|line| kunit_total(line, &name) == Some(doc.results.len())) {
                        problems.retain(|problem| !matches!(problem, Problem::NoPlan { within } if within.is_empty()));
                        let count = u32::try_from(doc.results.len()).unwrap_or(u32::MAX);
                        doc.plan.get_or_insert(Plan { count, skip: None });
                    }
                    level.doc.problems.extend(problems.into_iter().map(|problem| placed(problem, &name)));
                    if let (true, None, Some(failed)) = (ok, directive, doc.results.iter().find(|r| r.fails())) {
                        let (parent, nested) = (name.clone(), failed.name.clone());
                        level.doc.problems.push(Problem::HiddenFailure { parent, nested });
                    }
                }
                let diagnostics = std::mem::take(&mut level.pending);
                let nested = nested.map(Box::new);
                level.doc.results.push(TestResult { ok, number, name, directive, detail, diagnostics, nested });
            }
        }
    }

    /// The innermost document that the line can belong to; the outermost has no prefix, so there always is one.
    fn depth_of(&self, line: &str) -> usize {
        self.levels.iter().rposition(|level| line.starts_with(&level.prefix)).unwrap_or(0)
    }

    /// What the lines of a program start with that prints a plan without a version line, as the first that it prints: the
    /// kselftest runner names the program in the line before.
    fn bare_plan(&self, line: &str) -> Option<String> {
        let level = &self.levels[self.depth_of(line)];
        let plan = line.get(level.prefix.len()..)?.strip_prefix("# ")?;
        let before = level.pending.last()?.strip_prefix(&level.prefix)?;
        let bare = before.starts_with("# selftests: ") && matches!(read(plan), Line::Plan(_));
        bare.then(|| format!("{}# ", level.prefix))
    }

    fn version(&mut self, prefix: &str, version: &str) {
        if self.levels.is_empty() {
            if prefix.is_empty() {
                self.levels.push(Level::new("", Some(version.trim_end())));
            } else {
                self.before.push(format!("{prefix}{version}"));
            }
            return;
        }
        if prefix.is_empty() {
            let line = self.line;
            self.levels[0].doc.problems.push(Problem::SecondVersion { line, within: String::new() });
            return;
        }
        self.open(prefix, Some(version.trim_end()));
    }

    /// `    # Subtest: name`: opens a document, unless its version line has just done so.
    fn subtest(&mut self, indent: &str, line: &str) {
        let innermost = self.levels.last_mut().filter(|level| level.prefix == indent);
        match innermost {
            Some(level) if level.doc.results.is_empty() => level.pending.push(line.to_owned()),
            Some(_) | None => self.open(indent, None),
        }
    }

    fn open(&mut self, prefix: &str, version: Option<&str>) {
        // Documents at this depth or deeper end here; if their parent gave no result in between, they are orphans.
        let parent = self
            .levels
            .iter()
            .rposition(|level| level.prefix.len() < prefix.len() && prefix.starts_with(&level.prefix))
            .unwrap_or(0);
        self.pop_to(parent);
        if let Some(orphan) = self.levels[parent].nested.take() {
            self.levels[parent].doc.problems.extend(orphan.problems);
            self.levels[parent].doc.problems.push(Problem::Orphaned);
        }
        if self.levels.len() >= DEPTH_LIMIT {
            let problem = Problem::TooDeep { line: self.line, limit: DEPTH_LIMIT };
            self.levels[parent].doc.problems.push(problem);
            return;
        }
        self.levels.push(Level::new(prefix, version));
    }

    /// Closes all documents deeper than `depth`; each becomes the nested results of the one around it.
    fn pop_to(&mut self, depth: usize) {
        while self.levels.len() > depth + 1 {
            if let (Some(inner), Some(outer)) = (self.levels.pop(), self.levels.last_mut()) {
                outer.nested = Some(inner.close());
            }
        }
    }

    fn finish(mut self) -> Ktap {
        self.pop_to(0);
        let Some(root) = self.levels.pop() else {
            return Ktap {
                diagnostics: self.before,
                problems: vec![Problem::NoVersion { lines: self.line }],
                ..Ktap::default()
            };
        };
        let mut doc = root.close();
        doc.diagnostics.splice(0..0, self.before);
        doc
    }
}

/// The indentation of a `# Subtest:` line, when it has one.
fn subtest_indent(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches([' ', '\t']);
    let indent = &line[..line.len() - rest.len()];
    (!indent.is_empty() && rest.starts_with("# Subtest:")).then_some(indent)
}

/// The total in `    # name: pass:2 fail:0 skip:2 total:4`.
fn kunit_total(line: &str, name: &str) -> Option<usize> {
    let counts = line.trim_start().strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(": pass:")?;
    counts.rsplit_once(" total:")?.1.trim_end().parse().ok()
}

/// Says in a nested problem which test it is in.
fn placed(problem: Problem, name: &str) -> Problem {
    let join = |within: String| if within.is_empty() { name.to_owned() } else { format!("{name}.{within}") };
    match problem {
        Problem::SecondVersion { line, within } => Problem::SecondVersion { line, within: join(within) },
        Problem::NoPlan { within } => Problem::NoPlan { within: join(within) },
        Problem::SecondPlan { line, within } => Problem::SecondPlan { line, within: join(within) },
        Problem::Short { planned, seen, within } => Problem::Short { planned, seen, within: join(within) },
        Problem::Over { planned, seen, within } => Problem::Over { planned, seen, within: join(within) },
        Problem::Duplicate { line, number, within } => Problem::Duplicate { line, number, within: join(within) },
        Problem::OutOfOrder { line, number, expected, within } => {
            Problem::OutOfOrder { line, number, expected, within: join(within) }
        }
        Problem::NoVersion { .. }
        | Problem::Orphaned
        | Problem::HiddenFailure { .. }
        | Problem::BailOut { .. }
        | Problem::TooDeep { .. } => problem,
    }
}

impl TestResult {
    /// True when the line says that the test failed, and no directive takes it back.
    pub fn fails(&self) -> bool {
        use super::Directive::{Error, Skip, Timeout, Todo, Xfail};
        match self.directive {
            Some(Skip | Todo | Xfail) => false,
            Some(Timeout | Error) => true,
            None => !self.ok,
        }
    }
}
