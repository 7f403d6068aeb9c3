//! Which earlier run a run is compared with.

use crate::report::model::RunVerdict;
use crate::words::Series;

/// What a run is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Run id.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// `change-id` of the series.
    pub change_id: Option<String>,
    /// Title of the series.
    pub title: String,
    /// Address of its author.
    pub author: String,
    /// Its version.
    pub version: u32,
    /// Trees.
    pub trees: Vec<String>,
    /// What it said; `None` while there is no report.
    pub verdict: Option<RunVerdict>,
}

impl Head {
    /// The head of a run of `series`.
    pub fn new(run: &str, started: &str, series: &Series, trees: Vec<String>, verdict: Option<RunVerdict>) -> Head {
        let cover = series.cover.as_ref().map(|cover| &cover.author);
        let author = cover.or(series.patches.first().map(|patch| &patch.author));
        let posted = series.upstream.as_ref().map(|upstream| upstream.version);
        Head {
            run: run.to_owned(),
            started: started.to_owned(),
            change_id: series.change_id.clone(),
            title: series.title.clone(),
            author: author.map(|author| author.email.to_ascii_lowercase()).unwrap_or_default(),
            version: series.version.or(posted).unwrap_or(1),
            trees,
            verdict,
        }
    }

    /// Whether both runs tested versions of one series: the same change-id; where one of them has none, the same title
    /// by the same author. A title alone never is enough.
    pub fn same_series(&self, other: &Head) -> bool {
        match (&self.change_id, &other.change_id) {
            (Some(one), Some(other)) => one == other,
            (Some(_), None) | (None, Some(_)) | (None, None) => {
                let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
                !self.author.is_empty() && self.author == other.author && plain(&self.title) == plain(&other.title)
            }
        }
    }
}

/// Which earlier run is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One of an earlier version; the newest version that was tested, and of that the newest run.
    EarlierVersion,
    /// The newest earlier run of the same version.
    SameVersion,
}

/// The run among `runs` that `this` is compared with: of the same series, with an answer, begun before it, on at least
/// one of its trees.
pub fn earlier<'a>(runs: &'a [Head], this: &Head, which: Which) -> Option<&'a Head> {
    let fits = |head: &&Head| {
        let answered = match head.verdict {
            Some(RunVerdict::Clean | RunVerdict::Findings) => true,
            Some(RunVerdict::Infra | RunVerdict::Interrupted) | None => false,
        };
        let version = match which {
            Which::EarlierVersion => head.version < this.version,
            Which::SameVersion => head.version == this.version,
        };
        let before = (&head.started, &head.run) < (&this.started, &this.run);
        let on_tree = head.trees.iter().any(|tree| this.trees.contains(tree));
        answered && version && before && on_tree && head.run != this.run && head.same_series(this)
    };
    runs.iter().filter(fits).max_by_key(|head| (head.version, &head.started, &head.run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(run: &str, version: u32) -> Head {
        Head {
            run: run.into(),
            started: format!("2026-01-{run}T00:00:00Z"),
            change_id: None,
            title: "mm: a title".into(),
            author: "a@example.org".into(),
            version,
            trees: vec!["t".into()],
            verdict: Some(RunVerdict::Clean),
        }
    }

    #[test]
    fn the_newest_run_of_the_newest_earlier_version_is_taken() {
        let this = head("20", 6);
        let runs =
            [head("01", 4), head("02", 5), head("03", 5), head("04", 4), head("05", 6), head("06", 7), head("20", 6)];
        let which = |which| earlier(&runs, &this, which).map(|head| head.run.as_str());
        assert_eq!(which(Which::EarlierVersion), Some("03"));
        assert_eq!(which(Which::SameVersion), Some("05"));
    }

    #[test]
    fn a_run_that_is_another_series_or_has_no_answer_is_none() {
        let change = |id: &str| Some(id.to_owned());
        let good = head("01", 5);
        let table: [(&str, Head, bool); 11] = [
            ("same", good.clone(), true),
            ("title alone", Head { author: "b@example.org".into(), ..good.clone() }, false),
            ("author alone", Head { title: "mm: another".into(), ..good.clone() }, false),
            ("title in other spacing", Head { title: "MM:  a\ttitle".into(), ..good.clone() }, true),
            ("change-id on one side", Head { change_id: change("c"), ..good.clone() }, true),
            ("later", Head { started: "2026-02-01T00:00:00Z".into(), ..good.clone() }, false),
            ("another tree", Head { trees: vec!["u".into()], ..good.clone() }, false),
            ("one common tree", Head { trees: vec!["u".into(), "t".into()], ..good.clone() }, true),
            ("no answer", Head { verdict: Some(RunVerdict::Infra), ..good.clone() }, false),
            ("interrupted", Head { verdict: Some(RunVerdict::Interrupted), ..good.clone() }, false),
            ("no report", Head { verdict: None, ..good.clone() }, false),
        ];
        for (name, other, expected) in table {
            let found = earlier(std::slice::from_ref(&other), &head("20", 6), Which::EarlierVersion);
            assert_eq!(found.is_some(), expected, "{name}");
        }
        let this = Head { change_id: change("c"), ..head("20", 6) };
        let other = Head { change_id: change("d"), ..good.clone() };
        assert!(earlier(&[other], &this, Which::EarlierVersion).is_none(), "same title and author, another change");
        let renamed = Head { change_id: change("c"), title: "x".into(), author: "x".into(), ..good.clone() };
        assert!(earlier(&[renamed], &this, Which::EarlierVersion).is_some(), "the change-id is enough");
        let nobody = Head { author: String::new(), ..good };
        let this = Head { author: String::new(), ..head("20", 6) };
        assert!(earlier(&[nobody], &this, Which::EarlierVersion).is_none());
    }
}
