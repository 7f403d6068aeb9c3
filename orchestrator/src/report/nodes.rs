//! Which node of an engine did which unit.

use std::collections::BTreeMap;

use super::labels;
use super::model::Report;
use crate::words::Node;

/// Kconfigs with their revisions.
type Units = Vec<(String, Vec<String>)>;

/// A line per node, `n1 of cluster: builds hmm base p1, boots hmm p1`. Nothing when the run did all by itself.
pub fn lines(report: &Report) -> Vec<String> {
    // By node, then builds before boots, then by kconfig in the order of the report.
    let mut nodes: BTreeMap<String, [Units; 2]> = BTreeMap::new();
    let mut add = |node: &Node, kind: usize, what: &str, revision: String| {
        let kinds = nodes.entry(node.to_string()).or_default();
        match kinds[kind].iter_mut().find(|(known, _)| known == what) {
            Some((_, revisions)) if revisions.contains(&revision) => {}
            Some((_, revisions)) => revisions.push(revision),
            None => kinds[kind].push((what.to_owned(), vec![revision])),
        }
    };
    for cell in &report.builds {
        if let Some(node) = &cell.node {
            add(node, 0, &cell.kconfig, cell.revision.slug());
        }
    }
    for row in &report.boots {
        if let Some(node) = &row.node {
            add(node, 1, &row.kconfig, labels::short_revision(&row.kernel.to_string()));
        }
    }
    let line = |(node, kinds): (String, [Units; 2])| {
        let kind = |(word, units): (&str, Units)| {
            let units: Vec<String> =
                units.into_iter().map(|(what, revisions)| format!("{what} {}", revisions.join(" "))).collect();
            (!units.is_empty()).then(|| format!("{word} {}", units.join(", ")))
        };
        let kinds: Vec<String> = ["builds", "boots"].into_iter().zip(kinds).filter_map(kind).collect();
        format!("{node}: {}", kinds.join("; "))
    };
    nodes.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn each_node_is_named_with_its_units_and_a_run_by_itself_has_none() {
        let mut report = fixtures::clean();
        assert_eq!(lines(&report), [""; 0]);
        let node = |name: &str| Some(Node { engine: "cluster".into(), name: name.into() });
        report.builds.retain(|cell| cell.kconfig == "hmm");
        report.builds.truncate(3);
        for (cell, name) in report.builds.iter_mut().zip(["n1", "n1", "n2"]) {
            cell.node = node(name);
        }
        report.boots.truncate(1);
        report.boots[0].node = node("n2");
        assert_eq!(
            lines(&report),
            ["n1 of cluster: builds hmm base p1", "n2 of cluster: builds hmm p2; boots hmm base"]
        );
    }
}
