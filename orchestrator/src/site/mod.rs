//! The history of all nights as pages that any web server, or none, can show: `results/site/`.
//!
//! [`gather()`] reads the run folders and the journal of the nights, [`pages()`] makes every page of them, purely, and
//! [`write()`] puts them in place at once. No script, nothing loaded from anywhere, all links relative.

mod days;
mod findings;
mod gather;
mod index;
mod layout;
mod metrics;
mod series;
mod strip;
mod tests_page;
mod trees;
mod write;

use std::collections::BTreeMap;

pub use gather::{Gathered, gather};
pub use write::write;

/// Every page by its path below `results/site/`.
pub fn pages(gathered: &Gathered) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    pages.insert("index.html".to_owned(), index::page(gathered));
    pages.insert("tests.html".to_owned(), tests_page::page(gathered));
    pages.insert("metrics.html".to_owned(), metrics::page(gathered));
    for name in gathered.series() {
        pages.insert(layout::series_path(&name), series::page(gathered, &name));
    }
    for name in gathered.trees() {
        pages.insert(layout::tree_path(&name), trees::page(gathered, &name));
    }
    pages
}

#[cfg(test)]
mod site_tests;
