//! The builds of the page.

use super::super::labels;
use super::super::model::{BuildCell, Report};
use super::super::view;
use super::link;
use super::page::{Mark, one_of_many};
use crate::term::text::{clock, count};
use crate::words::{BuildOutcome, Revision};

/// A build of the grid.
pub struct CellView {
    pub mark: Mark,
    pub detail: String,
    pub node: String,
    pub title: String,
    pub href: Option<String>,
}

/// A kconfig of the grid.
pub struct GridRowView {
    pub kconfig: String,
    pub about: String,
    pub kind: String,
    pub made_by: String,
    pub cells: Vec<Option<CellView>>,
}

/// A column of the grid.
pub struct HeadView {
    pub text: String,
    pub number: usize,
    pub title: String,
}

/// The builds of a tree.
pub struct GridView {
    pub tree: String,
    pub heads: Vec<HeadView>,
    pub rows: Vec<GridRowView>,
}

pub fn grids(report: &Report) -> Vec<GridView> {
    let head = |revision: &Revision| {
        let number = revision.index();
        let subject = report.series.patches.iter().find(|patch| patch.number == number);
        HeadView {
            text: revision.slug(),
            number,
            title: subject.map_or_else(|| revision.to_string(), |patch| format!("{revision}: {}", patch.subject)),
        }
    };
    let row = |row: view::GridRow<'_>| GridRowView {
        kconfig: row.kconfig.to_owned(),
        about: row.info.map(|info| info.about.clone()).unwrap_or_default(),
        kind: row.info.map(|info| labels::word(&info.kind)).unwrap_or_default(),
        made_by: row.info.map(|info| format!("{}, {}{}", info.arch, info.toolchain, objects(&row))).unwrap_or_default(),
        cells: row.cells.into_iter().map(|cell| cell.map(build)).collect(),
    };
    let grid = |grid: view::Grid<'_>| GridView {
        tree: grid.tree.to_owned(),
        heads: grid.revisions.iter().map(head).collect(),
        rows: grid.rows.into_iter().map(row).collect(),
    };
    view::grids(report).into_iter().map(grid).collect()
}

/// What a kconfig of kind compile covers.
fn objects(row: &view::GridRow<'_>) -> String {
    match row.cells.iter().flatten().map(|cell| cell.objects).max() {
        None | Some(0) => String::new(),
        Some(objects) => format!(", {} compiled", count(objects, "object")),
    }
}

fn build(cell: &BuildCell) -> CellView {
    let took = if cell.reused { "reused".to_owned() } else { clock(cell.wall_ms) };
    let ran = !matches!(cell.outcome, BuildOutcome::NotRun { .. });
    let meaning = labels::build_reason(cell).unwrap_or(labels::build_meaning(cell).1);
    let on = |word: &str| cell.node.as_ref().map(|node| format!("{word}{node}")).unwrap_or_default();
    CellView {
        mark: labels::build(cell).into(),
        detail: if ran { took } else { String::new() },
        node: on(""),
        title: format!("{meaning}{}", on("; made on ")),
        href: cell.log.as_deref().and_then(link::file),
    }
}

/// A reason and the builds it holds for.
pub struct ReasonView {
    pub reason: String,
    pub builds: String,
}

/// A command that repeats one build.
pub struct ReplayView {
    pub build: String,
    pub command: String,
}

pub fn reasons(report: &Report) -> Vec<ReasonView> {
    let view = |(reason, cells): (String, Vec<&BuildCell>)| {
        let mut places: Vec<(String, String)> = Vec::new();
        for cell in cells {
            let kconfig = one_of_many(report, &cell.tree, &cell.kconfig);
            match places.iter_mut().find(|(known, _)| *known == kconfig) {
                Some((_, revisions)) => revisions.push_str(&format!(" {}", cell.revision.slug())),
                None => places.push((kconfig, cell.revision.slug())),
            }
        }
        let places: Vec<String> = places.into_iter().map(|(name, revisions)| format!("{name} {revisions}")).collect();
        ReasonView { reason, builds: places.join(", ") }
    };
    view::build_reasons(report).into_iter().map(view).collect()
}

pub fn replays(report: &Report) -> Vec<ReplayView> {
    let view = |cell: &BuildCell| {
        let build = format!("{} {} {}", cell.tree, cell.kconfig, cell.revision.slug());
        Some(ReplayView { build, command: cell.replay.clone()? })
    };
    report.builds.iter().filter_map(view).collect()
}
