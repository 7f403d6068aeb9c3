//! Prerequisites from where they were posted.

use futures::future::BoxFuture;

use crate::intake::{Choice, Intake, Wanted};
use crate::tree::{Needed, Stock};
use crate::words::Series;

/// The archives of `series/sources.yaml`.
pub struct PostedStock {
    /// Asks them.
    pub intake: Intake,
}

impl Stock for PostedStock {
    fn name(&self) -> String {
        "the sources of series/sources.yaml".to_owned()
    }

    /// An archive has far too many to list.
    fn all(&self) -> Vec<Series> {
        Vec::new()
    }

    fn find<'a>(&'a self, needed: &'a Needed) -> BoxFuture<'a, Result<Option<Series>, String>> {
        let (wanted, choice) = match needed {
            Needed::Change { id, version: Some(version) } => (Wanted::Change(id.clone()), Choice::Version(*version)),
            Needed::Change { id, version: None } => (Wanted::Change(id.clone()), Choice::Latest),
            Needed::Message(id) => (Wanted::Message { id: id.clone(), archive: None }, Choice::AsNamed),
        };
        Box::pin(async move {
            let series = self.intake.fetch(&wanted, choice).await.map_err(|error| error.to_string())?;
            // An archive may answer with another version or another thread than was asked for.
            Ok(needed.is(&series).then_some(series))
        })
    }
}
