//! What can go wrong in the lab before a guest runs.

use camino::Utf8PathBuf;

use crate::config::ConfigError;

/// Trouble with the lab itself. Trouble during a boot is a [`crate::words::BootEnd::Infra`].
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A machine or suite file is wrong; all its problems at once.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A machine file describes no machine.
    #[error("lab/{name}.yaml describes no machine: it needs `qemu`, `lava`, or `power`, `console`, `ssh` and `boot`")]
    NoMachine {
        /// Stem of the file.
        name: String,
    },
    /// A file cannot be read or written.
    #[error("{file}: {source}")]
    Io {
        /// Which file.
        file: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// No guest can be started on this host.
    #[error("{binary} cannot run a guest on this host: {reason}")]
    NoGuest {
        /// QEMU's program name.
        binary: String,
        /// What it said, and what to do.
        reason: String,
    },
}
