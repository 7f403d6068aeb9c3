//! The places beside mail, by name, and what is said at each.

use super::github::{self, Target};
use super::message::{Message, Unsaid};
use super::places::Places;
use super::said::Said;
use super::{kcidb, patchwork};

/// A place beside mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Checks of patches.
    Patchwork,
    /// Status, check run, comment, issue.
    Github,
    /// KernelCI's database.
    Kcidb,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 3] = [Place::Patchwork, Place::Github, Place::Kcidb];

    /// Its name on the command line and in `series/places.yaml`.
    pub fn word(self) -> &'static str {
        match self {
            Place::Patchwork => "patchwork",
            Place::Github => "github",
            Place::Kcidb => "kcidb",
        }
    }

    /// The place of this name.
    pub fn named(name: &str) -> Option<Place> {
        Place::ALL.into_iter().find(|place| place.word() == name)
    }

    /// What is said of a run there; `None` where `series/places.yaml` does not name the place.
    ///
    /// # Errors
    /// Why nothing can be said there.
    pub fn messages(self, said: &Said<'_>, target: &Target, places: &Places) -> Option<Result<Vec<Message>, Unsaid>> {
        match self {
            Place::Patchwork => places.patchwork.as_ref().map(|place| patchwork::messages(said, place, places)),
            Place::Github => places.github.as_ref().map(|place| github::messages(said, target, place, places)),
            Place::Kcidb => places.kcidb.as_ref().map(|place| kcidb::messages(said, place, places)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_their_words() {
        for place in Place::ALL {
            assert_eq!(Place::named(place.word()), Some(place));
        }
        assert_eq!(Place::named("mail"), None);
    }
}
