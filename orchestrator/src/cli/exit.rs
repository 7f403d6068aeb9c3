//! Exit codes, documented in `docs/user-guide.md`.

use crate::report::model::RunVerdict;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: all that was asked for was done, nothing speaks against the series.
    Clean,
    /// 1: at least one finding of severity problem.
    Findings,
    /// 2: infrastructure trouble; there is no verdict.
    Infra,
    /// 64: the command line or a file the user wrote cannot be used.
    Usage,
    /// 130: interrupted; `resume` goes on.
    Interrupted,
}

impl ExitCode {
    /// The number for the shell.
    pub fn number(self) -> u8 {
        match self {
            ExitCode::Clean => 0,
            ExitCode::Findings => 1,
            ExitCode::Infra => 2,
            ExitCode::Usage => 64,
            ExitCode::Interrupted => 130,
        }
    }
}

impl From<RunVerdict> for ExitCode {
    fn from(verdict: RunVerdict) -> ExitCode {
        match verdict {
            RunVerdict::Clean => ExitCode::Clean,
            RunVerdict::Findings => ExitCode::Findings,
            RunVerdict::Infra => ExitCode::Infra,
            RunVerdict::Interrupted => ExitCode::Interrupted,
        }
    }
}
