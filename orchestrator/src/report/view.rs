//! The tables of a report, arranged for reading: what every rendering shows, without how.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{self, Label};
use super::model::{BuildCell, KconfigInfo, Report, TestRow, TestTable};
use crate::words::{BaseChoice, BlobMatch, Change, Finding, PrerequisiteState, Revision, Severity, TreeBase};

/// The builds of one tree: kconfigs down, revisions across.
pub struct Grid<'a> {
    /// Tree.
    pub tree: &'a str,
    /// Columns, base first.
    pub revisions: Vec<Revision>,
    /// Rows, in the order of the matrix.
    pub rows: Vec<GridRow<'a>>,
}

/// The builds of one kconfig.
pub struct GridRow<'a> {
    /// Its name.
    pub kconfig: &'a str,
    /// What is known of it.
    pub info: Option<&'a KconfigInfo>,
    /// One per revision; `None` where no build was planned.
    pub cells: Vec<Option<&'a BuildCell>>,
}

/// The build grids of all trees, in the order of the report.
pub fn grids(report: &Report) -> Vec<Grid<'_>> {
    let mut trees: Vec<&str> = Vec::new();
    for cell in &report.builds {
        if !trees.contains(&cell.tree.as_str()) {
            trees.push(&cell.tree);
        }
    }
    trees.into_iter().map(|tree| grid(report, tree)).collect()
}

fn grid<'a>(report: &'a Report, tree: &'a str) -> Grid<'a> {
    let cells: Vec<&BuildCell> = report.builds.iter().filter(|cell| cell.tree == tree).collect();
    let revisions: Vec<Revision> =
        cells.iter().map(|cell| cell.revision).collect::<BTreeSet<_>>().into_iter().collect();
    let mut names: Vec<&str> = Vec::new();
    for name in report.kconfigs.iter().map(|info| info.name.as_str()).chain(cells.iter().map(|c| c.kconfig.as_str())) {
        if !names.contains(&name) && cells.iter().any(|cell| cell.kconfig == name) {
            names.push(name);
        }
    }
    let rows = names.into_iter().map(|kconfig| GridRow {
        kconfig,
        info: report.kconfigs.iter().find(|info| info.name == kconfig),
        cells: revisions
            .iter()
            .map(|revision| cells.iter().find(|c| c.kconfig == kconfig && c.revision == *revision).copied())
            .collect(),
    });
    Grid { tree, rows: rows.collect(), revisions }
}

/// The words that occur in build grids and what they mean, each once.
pub fn build_legend(report: &Report) -> Vec<(&'static str, &'static str)> {
    let mut legend = Vec::new();
    for entry in report.builds.iter().map(labels::build_meaning) {
        if !legend.contains(&entry) {
            legend.push(entry);
        }
    }
    legend
}

/// Why builds have no good outcome: the reason, and the builds it holds for.
pub fn build_reasons(report: &Report) -> Vec<(String, Vec<&BuildCell>)> {
    let mut reasons: Vec<(String, Vec<&BuildCell>)> = Vec::new();
    for cell in &report.builds {
        let Some(reason) = labels::build_reason(cell) else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, cells)) => cells.push(cell),
            None => reasons.push((reason.to_owned(), vec![cell])),
        }
    }
    reasons
}

/// The name of a test in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestName<'a> {
    /// Suite and fixture: `hmm.hmm`.
    pub group: &'a str,
    /// Variant of the fixture: `hmm_device_private`; empty where the test has none.
    pub variant: &'a str,
    /// The test itself: `anon_read`.
    pub test: &'a str,
}

/// Takes a name `suite[.fixture[.variant]].test` apart.
pub fn test_name(name: &str) -> TestName<'_> {
    let (rest, test) = name.rsplit_once('.').unwrap_or(("", name));
    match rest.rsplit_once('.') {
        Some((group, variant)) if group.contains('.') => TestName { group, variant, test },
        Some(_) | None => TestName { group: rest, variant: "", test },
    }
}

/// The tests of one tree: tests down, kconfig and variant across.
pub struct Matrix<'a> {
    /// Tree.
    pub tree: &'a str,
    /// Columns.
    pub columns: Vec<Column<'a>>,
    /// Rows by fixture.
    pub groups: Vec<Group<'a>>,
}

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Kconfig.
    pub kconfig: &'a str,
    /// Machine.
    pub machine: &'a str,
    /// Variant of the fixture.
    pub variant: &'a str,
}

/// The rows of one fixture.
pub struct Group<'a> {
    /// Suite and fixture.
    pub name: &'a str,
    /// The tests, in the suite's order.
    pub rows: Vec<MatrixRow<'a>>,
}

/// A row of the matrix.
pub struct MatrixRow<'a> {
    /// The test.
    pub test: &'a str,
    /// One per column.
    pub cells: Vec<Option<&'a TestRow>>,
}

/// The test matrices of all trees, in the order of the report.
pub fn matrices(report: &Report) -> Vec<Matrix<'_>> {
    let mut trees: Vec<&str> = Vec::new();
    for table in &report.tests {
        if !trees.contains(&table.tree.as_str()) {
            trees.push(&table.tree);
        }
    }
    trees.into_iter().map(|tree| matrix(report.tests.iter().filter(|table| table.tree == tree).collect())).collect()
}

fn matrix(tables: Vec<&TestTable>) -> Matrix<'_> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for table in &tables {
        for row in &table.rows {
            let name = test_name(&row.test);
            let column = Column { kconfig: &table.kconfig, machine: &table.machine, variant: name.variant };
            if !columns.contains(&column) {
                columns.push(column);
            }
            if groups.iter().all(|group| group.name != name.group) {
                groups.push(Group { name: name.group, rows: Vec::new() });
            }
            for group in groups.iter_mut().filter(|group| group.name == name.group) {
                if group.rows.iter().all(|row| row.test != name.test) {
                    group.rows.push(MatrixRow { test: name.test, cells: Vec::new() });
                }
            }
        }
    }
    let cells: BTreeMap<(&str, &str, &str), &TestRow> = tables
        .iter()
        .flat_map(|table| table.rows.iter().map(move |row| ((&*table.kconfig, &*table.machine, &*row.test), row)))
        .collect();
    for group in &mut groups {
        for row in &mut group.rows {
            row.cells = columns
                .iter()
                .map(|column| {
                    let variant = if column.variant.is_empty() { "" } else { "." };
                    let name = format!("{}{variant}{}.{}", group.name, column.variant, row.test);
                    cells.get(&(column.kconfig, column.machine, name.trim_start_matches('.'))).copied()
                })
                .collect();
        }
    }
    Matrix { tree: tables[0].tree.as_str(), columns, groups }
}

/// How many tests of a table had which change, worst first.
pub fn counts(table: &TestTable) -> Vec<(Change, usize)> {
    let mut counts: BTreeMap<Change, usize> = BTreeMap::new();
    for row in &table.rows {
        *counts.entry(row.change).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Tests that are not simply good on both sides and have all the same to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<'a> {
    /// What base and patched say together.
    pub change: Change,
    /// Tree.
    pub tree: &'a str,
    /// Kconfig.
    pub kconfig: &'a str,
    /// Machine.
    pub machine: &'a str,
    /// What they did on the base.
    pub base: String,
    /// What they did with the series.
    pub patched: String,
    /// Reasons, notes and cross results, in that order.
    pub remarks: Vec<String>,
    /// Their full names.
    pub tests: Vec<&'a str>,
}

/// All tests that are not simply good on both sides, worst first; those that have the same to say are one entry.
pub fn changed(report: &Report) -> Vec<Changed<'_>> {
    let mut all: Vec<Changed<'_>> = Vec::new();
    for table in &report.tests {
        for row in table.rows.iter().filter(|row| row.change != Change::StillPassing) {
            let new = Changed {
                change: row.change,
                tree: &table.tree,
                kconfig: &table.kconfig,
                machine: &table.machine,
                base: labels::side(row.base_verdict.as_ref(), row.base),
                patched: labels::side(row.patched_verdict.as_ref(), row.patched),
                remarks: remarks(row),
                tests: Vec::new(),
            };
            let entry = match all.iter().position(|known| Changed { tests: Vec::new(), ..known.clone() } == new) {
                Some(at) => &mut all[at],
                None => {
                    all.push(new);
                    all.last_mut().expect("just pushed")
                }
            };
            entry.tests.push(&row.test);
        }
    }
    all.sort_by_key(|changed| changed.change);
    all
}

/// Where tests ran: the kconfig, and the machine where the report has more than one.
pub fn kconfig_on(report: &Report, kconfig: &str, machine: &str) -> String {
    let several = report.tests.iter().any(|table| table.machine != report.tests[0].machine);
    if several { format!("{kconfig} on {machine}") } else { kconfig.to_owned() }
}

fn remarks(row: &TestRow) -> Vec<String> {
    let base = labels::verdict_reason(row.base_verdict.as_ref());
    let patched = labels::verdict_reason(row.patched_verdict.as_ref());
    let mut remarks = Vec::new();
    match (base, patched) {
        (Some(base), Some(patched)) if base == patched => remarks.push(base.to_owned()),
        (base, patched) => {
            remarks.extend(base.map(|reason| format!("base: {reason}")));
            remarks.extend(patched.map(|reason| format!("patched: {reason}")));
        }
    }
    remarks.extend(row.note.clone());
    remarks.extend(row.cross.iter().map(|cross| {
        let did = labels::side(Some(&cross.verdict), cross.rate);
        format!("{} kernel with {} selftests: {did}", cross.kernel.word(), cross.selftests.word())
    }));
    remarks
}

/// The names of tests in short, at most `max` of them: `hmm.hmm.hmm_device_private.{exclusive, exclusive_cow}`.
pub fn names(tests: &[&str], max: usize) -> String {
    let mut families: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in &tests[..tests.len().min(max)] {
        let (family, test) = name.rsplit_once('.').unwrap_or(("", name));
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, tests)) => tests.push(test),
            None => families.push((family, vec![test])),
        }
    }
    let mut texts: Vec<String> = families
        .into_iter()
        .map(|(family, tests)| match (family, tests.as_slice()) {
            ("", tests) => tests.join(", "),
            (family, [test]) => format!("{family}.{test}"),
            (family, tests) => format!("{family}.{{{}}}", tests.join(", ")),
        })
        .collect();
    if tests.len() > max {
        texts.push(format!("and {} more", tests.len() - max));
    }
    texts.join(", ")
}

/// Where a finding was seen, most general first: tree, patch or revision, kconfig, machine, test.
pub fn place(finding: &Finding) -> Vec<&str> {
    let mut place = vec![finding.tree.as_str(), finding.revision.as_str()];
    place.extend(finding.kconfig.as_deref());
    place.extend(finding.machine.as_deref());
    place.extend(finding.test.as_deref());
    place.extend(finding.metric.as_deref());
    place
}

/// The base of a tree: which commit and why, and what became of what the series builds on. One line, or a few where it
/// builds on something.
pub fn base_lines(base: &TreeBase) -> Vec<String> {
    let commit = short_id(&base.commit);
    let blobs = match (&base.blobs, base.chosen) {
        // There the reason tells the numbers.
        (None, _) | (Some(_), BaseChoice::Blobs) => String::new(),
        (Some(BlobMatch { matched, asked }), BaseChoice::BaseCommit | BaseChoice::Named | BaseChoice::TreeList) => {
            format!("; {matched} of {asked} blobs matched")
        }
    };
    let mut lines = vec![format!("base {commit} ({}): {}{blobs}", labels::word(&base.chosen), base.why)];
    lines.extend(base.prerequisites.iter().map(|one| {
        let what = match &one.state {
            PrerequisiteState::InBase { commit: Some(commit) } => format!("in the base as {}", short_id(commit)),
            PrerequisiteState::InBase { commit: None } => "in the base already".to_owned(),
            PrerequisiteState::Applied { patches, from } => {
                format!("applied below the series ({}; from {from})", patches.join("; "))
            }
            PrerequisiteState::Unmet { why } => format!("MISSING: {why}"),
        };
        let name: Vec<&str> = one.name.split(' ').map(short_id).collect();
        format!("{}: {what}", name.join(" "))
    }));
    lines
}

/// The first digits of an id of git; any other word as it is.
fn short_id(word: &str) -> &str {
    let is_id = word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { &word[..12] } else { word }
}

/// Numbers of problems and notices.
pub fn weigh(report: &Report) -> (usize, usize) {
    let problems = report.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    (problems, report.findings.len() - problems)
}

/// Labels of all changes that occur in the report's tests, worst first.
pub fn changes(report: &Report) -> Vec<(Change, Label)> {
    let changes: BTreeSet<Change> =
        report.tests.iter().flat_map(|table| table.rows.iter().map(|row| row.change)).collect();
    changes.into_iter().map(|change| (change, labels::change(change))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::words::Prerequisite;

    #[test]
    fn names_of_tests_come_apart() {
        let table = [
            ("hmm.hmm.hmm_device_private.anon_read", ("hmm.hmm", "hmm_device_private", "anon_read")),
            ("hmm.hmm2.double_map", ("hmm.hmm2", "", "double_map")),
            ("kunit.x", ("kunit", "", "x")),
            ("alone", ("", "", "alone")),
        ];
        for (name, (group, variant, test)) in table {
            assert_eq!(test_name(name), TestName { group, variant, test });
        }
    }

    #[test]
    fn names_of_one_family_share_it() {
        let tests = ["s.f.v.a", "s.f.v.b", "s.f.w.a", "x", "y"];
        assert_eq!(names(&tests, 9), "s.f.v.{a, b}, s.f.w.a, x, y");
        assert_eq!(names(&tests, 1), "s.f.v.a, and 4 more");
        assert_eq!(names(&[], 1), "");
    }

    #[test]
    fn a_base_is_told_in_a_line_and_each_prerequisite_in_another() {
        let one = |name: &str, state| Prerequisite { name: name.into(), state };
        let (commit, patches) = (Some("d".repeat(40)), vec!["mm: a".into(), "mm: b".into()]);
        let mut base = TreeBase {
            commit: "c".repeat(40),
            chosen: BaseChoice::BaseCommit,
            why: "the series names it".into(),
            blobs: Some(BlobMatch { matched: 3, asked: 4 }),
            prerequisites: vec![
                one(&format!("a: {}", "e".repeat(40)), PrerequisiteState::InBase { commit }),
                one("b", PrerequisiteState::Applied { patches, from: "p.mbox".into() }),
                one("c", PrerequisiteState::Unmet { why: "it is nowhere".into() }),
            ],
        };
        assert_eq!(
            base_lines(&base),
            [
                "base cccccccccccc (base-commit): the series names it; 3 of 4 blobs matched",
                "a: eeeeeeeeeeee: in the base as dddddddddddd",
                "b: applied below the series (mm: a; mm: b; from p.mbox)",
                "c: MISSING: it is nowhere",
            ]
        );
        (base.chosen, base.why) = (BaseChoice::Blobs, "3 of 4 blobs fit".into());
        assert_eq!(base_lines(&base)[0], "base cccccccccccc (blobs): 3 of 4 blobs fit");
    }

    #[test]
    fn the_grid_holds_every_build_once() {
        let report = fixtures::findings();
        let grids = grids(&report);
        assert_eq!(grids.len(), 1);
        assert_eq!(grids[0].revisions.len(), 7);
        let names: Vec<&str> = grids[0].rows.iter().map(|row| row.kconfig).collect();
        assert_eq!(names, ["hmm", "no-hmm-mirror", "hmm-kasan", "arm64"]);
        let cells: usize = grids[0].rows.iter().map(|row| row.cells.iter().flatten().count()).sum();
        assert_eq!(cells, report.builds.len());
    }

    #[test]
    fn the_matrix_holds_every_test_once() {
        let mut report = fixtures::findings();
        let mut alone = report.tests[0].rows[0].clone();
        alone.test = "alone".into();
        report.tests[0].rows.push(alone);
        let matrices = matrices(&report);
        assert_eq!(matrices.len(), 1);
        let columns: Vec<(&str, &str)> = matrices[0].columns.iter().map(|c| (c.kconfig, c.variant)).collect();
        assert_eq!(
            columns,
            [
                ("hmm", "hmm_device_private"),
                ("hmm", "hmm_device_coherent"),
                ("hmm", ""),
                ("hmm-kasan", "hmm_device_private"),
                ("hmm-kasan", "hmm_device_coherent")
            ]
        );
        let shown: usize =
            matrices[0].groups.iter().flat_map(|g| &g.rows).map(|row| row.cells.iter().flatten().count()).sum();
        assert_eq!(shown, report.tests.iter().map(|table| table.rows.len()).sum::<usize>());
    }

    #[test]
    fn changed_tests_are_grouped_and_none_is_lost() {
        let report = fixtures::findings();
        let changed = changed(&report);
        let tests: usize = changed.iter().map(|changed| changed.tests.len()).sum();
        let expected = report.tests.iter().flat_map(|t| &t.rows).filter(|r| r.change != Change::StillPassing).count();
        assert_eq!(tests, expected);
        assert_eq!(changed[0].change, Change::Regressed);
        let skipped = changed.iter().find(|changed| changed.change == Change::NotCovered).unwrap();
        assert_eq!((skipped.tests.len(), skipped.remarks.len()), (27, 1));
    }
}
