//! Versions of the files that the program keeps.

/// A file of another version of the program, which is refused whole: reading half of it would be worse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatTrouble {
    /// A newer program wrote it.
    #[error(
        "{file} is of format {found}, and this program reads formats up to {reads}: a newer orchestrator wrote it; \
         use that one, or another folder"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
        /// The newest version that is read.
        reads: u32,
    },
    /// An older program wrote it, and nobody reads that any more.
    #[error(
        "{file} is of format {found}, and this program reads format {reads}: an older orchestrator wrote it; use the \
         version that did, or move it away"
    )]
    Older {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
        /// The version that is read.
        reads: u32,
    },
    /// It does not say its version.
    #[error("{file} does not say its format; this program reads format {reads}, and no orchestrator wrote this")]
    Unsaid {
        /// The file.
        file: String,
        /// The version that is read.
        reads: u32,
    },
}

impl FormatTrouble {
    /// Whether a file that says `found` can be read by what reads version `reads`.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(file: &str, found: Option<u64>, reads: u32) -> Result<(), FormatTrouble> {
        let file = file.to_owned();
        match found {
            None => Err(FormatTrouble::Unsaid { file, reads }),
            Some(found) if found > u64::from(reads) => Err(FormatTrouble::Newer { file, found, reads }),
            Some(found) if found < u64::from(reads) => Err(FormatTrouble::Older { file, found, reads }),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_that_is_read_passes() {
        assert_eq!(FormatTrouble::check("f", Some(2), 2), Ok(()));
        let words = |found| FormatTrouble::check("run.json", found, 2).unwrap_err().to_string();
        assert!(words(Some(3)).contains("run.json is of format 3") && words(Some(3)).contains("a newer orchestrator"));
        assert!(words(Some(1)).contains("an older orchestrator"));
        assert!(words(None).contains("does not say its format"));
    }
}
