//! The real hands: manifests, trees of the cache, runs on this host.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::file::Followed;
use super::hands::{Newest, Runner, TreeState, Trees, Versions};
use super::words::Target;
use crate::intake::{Choice, Intake, Wanted};
use crate::report::model::Report;
use crate::run::{self, Options, RunFolder, TreeArgument, TreePlan};
use crate::series::{self, SeriesSource};
use crate::term::{Live, Mode, Styles};
use crate::tree::{self, FetchOptions};
use crate::words::{Clock, EventSink, Series};

/// Archives, trees and runs of this host.
pub struct Desk {
    /// Manifests, kconfigs, machines; trees and results by key.
    pub places: run::Places,
    /// Runs.
    pub results: Utf8PathBuf,
    /// The command, for the run's folder.
    pub command: String,
    /// The engine of its runs.
    pub engine: String,
    /// How runs are watched.
    pub mode: Mode,
    /// Colours of that.
    pub styles: Styles,
}

impl Versions for Desk {
    fn newest<'a>(
        &'a self,
        _name: &'a str,
        followed: &'a Followed,
        trees: &'a [String],
    ) -> BoxFuture<'a, Result<Newest, String>> {
        Box::pin(async move {
            match followed {
                Followed::Manifest(name) => self.manifest(name, trees),
                Followed::ChangeId(id) => self.posted(Wanted::Change(id.clone()), trees).await,
                Followed::MessageId(id) => self.posted(Wanted::Message { id: id.clone(), archive: None }, trees).await,
            }
        })
    }
}

impl Desk {
    /// The newest version of a posted series; the same mails for every tree.
    async fn posted(&self, wanted: Wanted, trees: &[String]) -> Result<Newest, String> {
        let (home, cache) = (&self.places.home, &self.places.cache);
        let intake = Intake::open(home, cache, &CancellationToken::new()).map_err(|error| error.to_string())?;
        let series = intake.fetch(&wanted, Choice::Latest).await.map_err(|error| error.to_string())?;
        let version = series.version.or(Some(1));
        Ok(Newest { version, patches: trees.iter().map(|tree| (tree.clone(), Ok(series.clone()))).collect() })
    }

    fn manifest(&self, name: &str, trees: &[String]) -> Result<Newest, String> {
        let home = &self.places.home;
        let manifest = series::Manifest::load(home, name).map_err(|error| error.to_string())?;
        let source = SeriesSource::Name(name.to_owned());
        let load =
            |tree: &String| (tree.clone(), series::load(home, &source, Some(tree)).map_err(|error| error.to_string()));
        let patches: BTreeMap<_, _> = trees.iter().map(load).collect();
        Ok(Newest { version: Some(manifest.upstream.version), patches })
    }
}

impl Trees for Desk {
    fn refresh<'a>(&'a self, tree: &'a str, cancel: &'a CancellationToken) -> BoxFuture<'a, Result<TreeState, String>> {
        Box::pin(async move {
            let catalogue = tree::catalogue(&self.places.home).map_err(|error| error.to_string())?;
            let spec = catalogue.iter().find(|spec| spec.name == tree).ok_or("it is not in series/trees.yaml")?;
            let nobody: EventSink = Arc::new(|_| {});
            let options = FetchOptions { refresh: true };
            let unit = format!("fetch/{tree}");
            let fetched = tree::fetch(spec, &self.places.cache, &unit, options, &nobody, cancel).await;
            let fetched = fetched.map_err(|error| error.to_string())?;
            Ok(TreeState { commit: fetched.commit, kernel_version: fetched.kernel_version })
        })
    }
}

impl Runner for Desk {
    fn begin(&self, target: &Target, series: &Series) -> Result<String, String> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let tree = TreeArgument::Name(target.tree.clone());
        let options = Options {
            series: target.series.clone(),
            trees: vec![tree.clone()],
            profile: target.profile,
            kconfigs: Vec::new(),
            machines: Vec::new(),
            machines_with: Default::default(),
            tests: Vec::new(),
            w1: false,
            sparse: false,
            no_boot: false,
            clocks: vec![Clock::Instructions],
            fresh: false,
            // The night has asked already.
            refresh: false,
            prerequisites: Vec::new(),
            reproduces: false,
            engine: self.engine.clone(),
            by_itself: true,
            jobs: cores,
            guests: (cores / 2).max(1),
        };
        run::select_kconfigs(&self.places.home, &options).map_err(|error| error.to_string())?;
        let plans = vec![TreePlan { tree, series: Ok(series.clone()), base: Default::default() }];
        let folder = RunFolder::create(&self.results, &self.command, options, plans);
        Ok(folder.map_err(|error| error.to_string())?.run)
    }

    fn carry_out<'a>(&'a self, run: &'a str, cancel: CancellationToken) -> BoxFuture<'a, Result<Report, String>> {
        Box::pin(async move {
            let folder = RunFolder::open(&self.results, run).map_err(|error| error.to_string())?;
            let _lock = folder.lock().map_err(|error| error.to_string())?;
            let live = Live::start(self.mode, self.styles);
            run::execute(&self.places, &folder, live, cancel).await.map_err(|error| error.to_string())
        })
    }

    fn exists(&self, run: &str) -> bool {
        RunFolder::open(&self.results, run).is_ok_and(|folder| folder.run == run)
    }
}
