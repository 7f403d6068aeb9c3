//! The tests of the page.

use super::super::labels::{self, Label};
use super::super::model::{Report, TestTable};
use super::super::view::{self, Changed};
use super::page::{Mark, one_of_many};
use crate::words::Change;

/// How many tests of a table had which change.
pub struct TableView {
    pub tree: String,
    pub kconfig: String,
    pub machine: String,
    pub counts: Vec<(usize, Mark)>,
    pub note: String,
}

pub fn table(table: &TestTable) -> TableView {
    TableView {
        tree: table.tree.clone(),
        kconfig: table.kconfig.clone(),
        machine: table.machine.clone(),
        counts: view::counts(table).into_iter().map(|(change, n)| (n, labels::change(change).into())).collect(),
        note: table.note.clone().unwrap_or_default(),
    }
}

/// A change that occurs, for filters and the legend.
pub struct ChangeView {
    pub id: String,
    pub mark: Mark,
    pub meaning: &'static str,
    pub tests: usize,
}

/// Tests that have the same to say.
pub struct ChangedView {
    pub number: usize,
    pub id: String,
    pub mark: Mark,
    pub first: String,
    pub more: Vec<String>,
    pub place: String,
    pub base: String,
    pub patched: String,
    pub remarks: Vec<String>,
}

/// Tests of one row that are shown at once.
const SHOWN: usize = 3;

fn change_id(change: Change) -> String {
    labels::word(&change).to_ascii_lowercase()
}

pub fn changed(report: &Report, index: usize, changed: &Changed<'_>) -> ChangedView {
    let shown = if changed.tests.len() <= SHOWN + 1 { changed.tests.len() } else { SHOWN };
    ChangedView {
        number: index + 1,
        id: change_id(changed.change),
        mark: labels::change(changed.change).into(),
        first: view::names(&changed.tests[..shown], shown),
        more: changed.tests[shown..].iter().map(|test| (*test).to_owned()).collect(),
        place: one_of_many(report, changed.tree, &view::kconfig_on(report, changed.kconfig, changed.machine)),
        base: changed.base.clone(),
        patched: changed.patched.clone(),
        remarks: changed.remarks.clone(),
    }
}

/// The tests of a tree.
pub struct MatrixView {
    pub tree: String,
    pub kconfigs: Vec<(String, usize)>,
    pub variants: Vec<String>,
    pub groups: Vec<(String, Vec<MatrixRowView>)>,
}

/// One test in all kconfigs and variants.
pub struct MatrixRowView {
    pub test: String,
    pub same: bool,
    pub cells: Vec<Option<MatrixCellView>>,
}

/// One test in one kconfig and variant.
pub struct MatrixCellView {
    pub mark: Mark,
    /// Number of its entry among the changed tests; 0 when it is simply good.
    pub number: usize,
}

pub fn matrices(report: &Report, all: &[Changed<'_>]) -> Vec<MatrixView> {
    let view = |matrix: view::Matrix<'_>| {
        let mut kconfigs: Vec<(String, usize)> = Vec::new();
        for column in &matrix.columns {
            let name = view::kconfig_on(report, column.kconfig, column.machine);
            match kconfigs.last_mut() {
                Some((last, columns)) if *last == name => *columns += 1,
                _ => kconfigs.push((name, 1)),
            }
        }
        let cell = |column: usize, row: &Change, test: &str| {
            let column = matrix.columns[column];
            let number = all.iter().position(|changed| {
                changed.tree == matrix.tree
                    && changed.kconfig == column.kconfig
                    && changed.machine == column.machine
                    && changed.tests.contains(&test)
            });
            MatrixCellView { mark: labels::change(*row).into(), number: number.map_or(0, |index| index + 1) }
        };
        let row = |row: &view::MatrixRow<'_>| MatrixRowView {
            test: row.test.to_owned(),
            same: row.cells.iter().flatten().all(|row| row.change == Change::StillPassing),
            cells: (0..)
                .zip(&row.cells)
                .map(|(at, test)| test.map(|test| cell(at, &test.change, &test.test)))
                .collect(),
        };
        let groups = matrix.groups.iter().map(|group| (group.name.to_owned(), group.rows.iter().map(row).collect()));
        MatrixView {
            tree: matrix.tree.to_owned(),
            kconfigs,
            variants: matrix.columns.iter().map(|column| column.variant.to_owned()).collect(),
            groups: groups.collect(),
        }
    };
    view::matrices(report).into_iter().map(view).collect()
}

pub fn changes(report: &Report) -> Vec<ChangeView> {
    let rows = || report.tests.iter().flat_map(|table| &table.rows);
    let view = |(change, label): (Change, Label)| ChangeView {
        id: change_id(change),
        mark: label.into(),
        meaning: labels::change_meaning(change),
        tests: rows().filter(|row| row.change == change).count(),
    };
    view::changes(report).into_iter().map(view).collect()
}
