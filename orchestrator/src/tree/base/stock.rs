//! Where patches that a series builds on may be found.

use camino::Utf8PathBuf;
use futures::future::BoxFuture;

use crate::config::Home;
use crate::series::{self, SeriesSource};
use crate::words::Series;

/// A series that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    /// The series with this change-id.
    Change {
        /// The change-id.
        id: String,
        /// Its version; any when `None`.
        version: Option<u32>,
    },
    /// The series that the mail with this Message-ID (without angle brackets) belongs to.
    Message(String),
}

impl Needed {
    /// Reads `<change-id>:v<version>`, as b4 writes it.
    pub fn change(text: &str) -> Needed {
        let version = text.rsplit_once(":v").and_then(|(id, version)| Some((id, version.parse().ok()?)));
        match version {
            Some((id, version)) => Needed::Change { id: id.to_owned(), version: Some(version) },
            None => Needed::Change { id: text.to_owned(), version: None },
        }
    }

    /// Whether `series` is the one.
    pub fn is(&self, series: &Series) -> bool {
        match self {
            Needed::Change { id, version } => {
                let same_version = version.is_none_or(|version| series.version.unwrap_or(1) == version);
                series.change_id.as_deref() == Some(id) && same_version
            }
            Needed::Message(id) => {
                let cover = series.cover.iter().filter_map(|cover| cover.message_id.as_deref());
                let mut all = cover.chain(series.patches.iter().filter_map(|patch| patch.message_id.as_deref()));
                all.any(|other| other == id)
            }
        }
    }
}

/// A place where series may be found: files that the user named, an archive of mails.
pub trait Stock: Send + Sync {
    /// What people call it.
    fn name(&self) -> String;

    /// All series it holds, where they are few: patches are looked for by their patch id among them.
    fn all(&self) -> Vec<Series>;

    /// One series; `Ok(None)` when it is not there, `Err` with one sentence when that cannot be known.
    fn find<'a>(&'a self, needed: &'a Needed) -> BoxFuture<'a, Result<Option<Series>, String>>;
}

/// A file or folder of patches that the user named.
#[derive(Debug, Clone)]
pub struct LocalStock {
    path: Utf8PathBuf,
    series: Series,
}

impl LocalStock {
    /// Reads the series of an mbox, a patch or a folder.
    ///
    /// # Errors
    /// When it holds no complete series; says why.
    pub fn read(home: &Home, path: &Utf8PathBuf) -> Result<LocalStock, series::SeriesError> {
        let source = if path.is_dir() { SeriesSource::Folder(path.clone()) } else { SeriesSource::Mbox(path.clone()) };
        let series = series::load(home, &source, None)?;
        Ok(LocalStock { path: path.clone(), series })
    }
}

impl Stock for LocalStock {
    fn name(&self) -> String {
        self.path.to_string()
    }

    fn all(&self) -> Vec<Series> {
        vec![self.series.clone()]
    }

    fn find<'a>(&'a self, needed: &'a Needed) -> BoxFuture<'a, Result<Option<Series>, String>> {
        Box::pin(async move { Ok(needed.is(&self.series).then(|| self.series.clone())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Cover;
    use crate::words::testing;

    #[test]
    fn changes_are_read_as_b4_writes_them() {
        let change = |id: &str, version| Needed::Change { id: id.into(), version };
        assert_eq!(Needed::change("20260101-hmm-0123:v4"), change("20260101-hmm-0123", Some(4)));
        assert_eq!(Needed::change("20260101-hmm-0123"), change("20260101-hmm-0123", None));
        assert_eq!(Needed::change("a:vx"), change("a:vx", None));
    }

    #[test]
    fn a_series_is_known_by_its_change_or_by_any_of_its_mails() {
        let mut series = testing::series("x", &["", ""]);
        series.change_id = Some("c".into());
        series.version = Some(2);
        series.patches[1].message_id = Some("p2@example.org".into());
        let author = series.patches[0].author.clone();
        let message_id = Some("cover@example.org".to_owned());
        series.cover = Some(Cover { subject: "s".into(), author, body: String::new(), message_id, envelope: None });
        for (needed, expected) in [
            (Needed::change("c:v2"), true),
            (Needed::change("c"), true),
            (Needed::change("c:v3"), false),
            (Needed::change("d:v2"), false),
            (Needed::Message("p2@example.org".into()), true),
            (Needed::Message("cover@example.org".into()), true),
            (Needed::Message("other@example.org".into()), false),
        ] {
            assert_eq!(needed.is(&series), expected, "{needed:?}");
        }
    }
}
