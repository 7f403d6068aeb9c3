//! The report as one self-contained page: no script, nothing loaded from anywhere, light and dark, narrow and wide.

mod builds;
mod charts;
mod link;
mod metrics;
mod page;
mod plot;
mod since;
mod test_tables;

use askama::Template;

use super::harmless::harmless;
use super::model::Report;

/// The report as an HTML page. It belongs into the run folder: its links to logs are relative.
pub fn html(report: &Report) -> String {
    page::Page::new(&harmless(report)).render().expect("writing to memory does not fail")
}

#[cfg(test)]
mod html_tests;
