//! Calling Slurm's programs.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::process::{Command, End, Stream};

/// A program of Slurm's that does not answer for this long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes kept of what a program complains.
const WORDS: usize = 4096;

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Exit code; `None` when it was stopped or could not be started.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error, or why there is no answer.
    pub err: String,
}

/// Whoever runs Slurm's programs.
pub trait Caller: Send + Sync {
    /// Runs `program` with these arguments and this standard input.
    fn call<'a>(&'a self, program: &'a str, arguments: Vec<String>, input: String) -> BoxFuture<'a, Answer>;
}

/// The programs of this host.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// `SLURM_CONF`; that of the environment, or Slurm's own place, when absent.
    pub conf: Option<String>,
}

impl Caller for Programs {
    fn call<'a>(&'a self, program: &'a str, arguments: Vec<String>, input: String) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let command = Command::new(program, "/").args(arguments).stdin(input.into_bytes()).deadline(PATIENCE);
            let command = ["HOME", "USER", "SLURM_CONF"].iter().fold(command, |command, name| command.inherit(name));
            let command = match &self.conf {
                Some(conf) => command.env("SLURM_CONF", conf),
                None => command,
            };
            let (mut out, mut err) = (String::new(), String::new());
            // A submission that is stopped half-way may have been accepted: it always comes to its end.
            let never = CancellationToken::new();
            let ran = command.run(&never, |stream, line| {
                let text = if stream == Stream::Out { &mut out } else { &mut err };
                if stream == Stream::Out || text.len() < WORDS {
                    text.push_str(line);
                    text.push('\n');
                }
            });
            match ran.await {
                Ok(exit) => match exit.end {
                    End::Code(code) => Answer { code: Some(code), out, err },
                    End::Deadline => Answer { code: None, out, err: format!("{program} did not answer in time") },
                    End::Signal(_) | End::Cancelled => Answer { code: None, out, err: format!("{program} was killed") },
                },
                Err(error) => Answer { code: None, out, err: error.to_string() },
            }
        })
    }
}
