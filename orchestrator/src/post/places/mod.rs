//! `series/places.yaml`: the places beside mail that may hear of a run, and what each is called there.
//!
//! As shipped the file names none. Nothing is sent to a place that is not in it.

mod file;
mod token;

pub use file::{Github, Kcidb, Patchwork, Places, PlacesFile, load};
pub use token::{Token, TokenError};
