//! What every page has: marks, links, the way between the pages.

use std::fmt::Write as _;

use crate::nightly::{BaseStanding, RunOutcome};

/// A mark, a word and the class of its tone: nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// One character.
    pub mark: &'static str,
    /// The word.
    pub word: &'static str,
    /// `good`, `bad`, `warn`, `dim`.
    pub class: &'static str,
}

/// The mark of a run.
pub fn outcome(outcome: RunOutcome) -> Mark {
    let (mark, class) = match outcome {
        RunOutcome::Clean => ("✓", "good"),
        RunOutcome::Findings => ("✗", "bad"),
        RunOutcome::Infra => ("!", "warn"),
        RunOutcome::BaseBroken => ("▽", "warn"),
        RunOutcome::Interrupted => ("◦", "dim"),
    };
    Mark { mark, word: outcome.word(), class }
}

/// The mark of a base.
pub fn standing(standing: BaseStanding) -> Mark {
    let (mark, class) = match standing {
        BaseStanding::Good => ("✓", "good"),
        BaseStanding::Failing => ("=", "warn"),
        BaseStanding::Broken => ("▽", "bad"),
        BaseStanding::Unknown => ("?", "dim"),
    };
    Mark { mark, word: standing.word(), class }
}

/// A link between pages.
pub struct Link {
    /// Where to, relative to the page.
    pub href: String,
    /// The text.
    pub text: String,
    /// Whether it is the page itself.
    pub here: bool,
}

/// The links at the top of a page that lies at `path`.
pub fn nav(path: &str, series: impl IntoIterator<Item = String>, trees: impl IntoIterator<Item = String>) -> Vec<Link> {
    let root = root(path);
    let link = |target: String, text: String| Link { here: target == path, href: format!("{root}{target}"), text };
    let mut links = vec![link("index.html".into(), "Nights".into())];
    links.extend(series.into_iter().map(|name| link(series_path(&name), name)));
    links.extend(trees.into_iter().map(|name| link(tree_path(&name), name)));
    links.push(link("tests.html".into(), "Tests".into()));
    links.push(link("metrics.html".into(), "Metrics".into()));
    links
}

/// The way from a page to the folder of all pages.
pub fn root(path: &str) -> &'static str {
    if path.contains('/') { "../" } else { "" }
}

/// The page of a series.
pub fn series_path(name: &str) -> String {
    format!("series/{}.html", file_name(name))
}

/// The page of a tree.
pub fn tree_path(name: &str) -> String {
    format!("tree/{}.html", file_name(name))
}

/// The report of a run, from a page at `path`.
pub fn report_href(path: &str, run: &str) -> String {
    format!("{}../{}/report.html", root(path), encode(run))
}

/// A name as a file name; names that do not fit are told apart by a hash.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) && name.len() <= 80 {
        return name.to_owned();
    }
    let kept: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect();
    format!("{kept}_{}", &blake3::hash(name.as_bytes()).to_hex()[..8])
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to memory does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The first digits of a commit.
pub fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_leave_their_folder() {
        assert_eq!(series_path("v6"), "series/v6.html");
        for hostile in ["../../etc/passwd", "a/b", "", ".", "..", "<script>", "ä", "a\u{0}b"] {
            let path = series_path(hostile);
            assert_eq!(path.matches('/').count(), 1, "{path}");
            assert!(!path.contains("..") && !path.contains('<'), "{path}");
        }
        assert_ne!(tree_path("a/b"), tree_path("ab/"));
        assert_eq!(report_href("series/v6.html", "20260131-020000-v6"), "../../20260131-020000-v6/report.html");
        assert_eq!(report_href("index.html", "a\"b/c"), "../a%22b%2Fc/report.html");
    }
}
