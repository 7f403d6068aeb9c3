//! What a run has to say, and of which series.

use sha2::{Digest, Sha256};

use crate::report::Report;
use crate::words::{Patch, Series};

/// A report and the series it is about, as it was put on the first tree.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The report.
    pub report: &'a Report,
    /// The series.
    pub series: &'a Series,
}

impl Said<'_> {
    /// What makes two versions of a series the same series, as 16 hex digits: the change-id where it has one, else its
    /// title as posted.
    pub fn identity(&self) -> String {
        let series = self.series;
        let title = series.upstream.as_ref().map_or(&series.title, |upstream| &upstream.title);
        let identity = series
            .change_id
            .as_ref()
            .map_or_else(|| format!("title {}", title.trim().to_lowercase()), |change| format!("change-id {change}"));
        blake3::hash(identity.as_bytes()).to_hex()[..16].to_owned()
    }

    /// The hash of all patches, see [`patches_hash`].
    pub fn patches_hash(&self) -> String {
        patches_hash(&self.series.patches)
    }
}

/// KCIDB's hash of a set of patches, `sha256sum *.patch | cut -c-64 | sha256sum`: SHA-256 over the hex digests of the
/// patches, each followed by a newline; empty for no patches. A patch is its diff as it was sent: mail headers differ
/// from archive to archive.
pub fn patches_hash(patches: &[Patch]) -> String {
    if patches.is_empty() {
        return String::new();
    }
    let mut all = Sha256::new();
    for patch in patches {
        all.update(hex(&Sha256::digest(patch.diff.as_bytes())));
        all.update(b"\n");
    }
    hex(&all.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Said;
    use crate::report::Report;
    use crate::words::Series;
    use crate::words::testing::series;

    /// A series that fits a report of the fixtures.
    pub(crate) struct Fitting(Series);

    pub(crate) fn said_of(report: &Report) -> Fitting {
        let diffs: Vec<String> =
            (1..=report.series.patches.len()).map(|n| format!("diff --git a/{n} b/{n}\n")).collect();
        let diffs: Vec<&str> = diffs.iter().map(String::as_str).collect();
        Fitting(Series { title: report.series.title.clone(), ..series(&report.series.name, &diffs) })
    }

    impl Fitting {
        pub(crate) fn said<'a>(&'a self, report: &'a Report) -> Said<'a> {
            Said { report, series: &self.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::words::testing::series;

    #[test]
    fn the_hash_is_that_of_the_shell_command() {
        // printf one > 1.patch; printf two > 2.patch; sha256sum *.patch | cut -c-64 | sha256sum
        let patches = series("x", &["one", "two"]).patches;
        assert_eq!(patches_hash(&patches), "55630d5d5f11663af2f7090957091cd48279571549cc6fc72fe533cf20c1814b");
        assert_eq!(patches_hash(&[]), "");
    }

    #[test]
    fn versions_of_a_series_have_one_identity() {
        let report = fixtures::clean();
        let mut one = series("v5", &["a"]);
        one.title = "Migrate on fault".into();
        let mut two = series("v6", &["b"]);
        two.title = "migrate on fault ".into();
        let id = |series: &Series| Said { report: &report, series }.identity();
        assert_eq!(id(&one), id(&two));
        two.change_id = Some("20260101-x-0123456789ab".into());
        assert_ne!(id(&one), id(&two));
        one.change_id.clone_from(&two.change_id);
        one.title = "another title".into();
        assert_eq!(id(&one), id(&two));
    }
}
