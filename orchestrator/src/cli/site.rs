//! `orchestrator site`: the history of all runs as pages.

use clap::Args;
use jiff::civil::Date;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::{nightly, site};

/// Arguments of `site`.
#[derive(Debug, Args)]
pub struct SiteArgs {}

/// Nights after which a known issue that matches nothing is reported, where `series/nightly.yaml` does not say.
const STALE_NIGHTS: u32 = 14;

/// Writes the pages and says where they are.
pub fn site(global: &Global, _args: &SiteArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let config = nightly::read_file(&places.home).ok();
    let stale = config.map_or(STALE_NIGHTS, |config| config.stale_nights);
    let folder = make(&places, today(), stale)?;
    say!("{}", folder.join("index.html"));
    Ok(ExitCode::Clean)
}

/// The day it is now, UTC.
pub fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Makes the pages anew.
pub fn make(places: &start::Places, today: Date, stale_nights: u32) -> Result<camino::Utf8PathBuf, Failure> {
    let stale = usize::try_from(stale_nights).unwrap_or(usize::MAX);
    let gathered = site::gather(&places.results, today, stale).map_err(Failure::infra)?;
    site::write(&places.results, &site::pages(&gathered)).map_err(Failure::infra)
}
