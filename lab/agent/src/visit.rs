//! The agent as an ordinary program on a real machine.
//!
//! `hello` says which kernel runs. `run PLAN` does what a plan asks, speaks on its standard output, keeps a copy of that
//! beside the plan, and ends as soon as nobody listens any more: whoever observes it writes to its standard input now
//! and then. A test that runs unobserved could take the machine down without anybody knowing why.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orchestrator_protocol::{Message, Plan};

use crate::channel::Channel;
use crate::{guest, program, setup};

/// How long the observer may be silent.
const SILENCE: Duration = Duration::from_secs(45);

/// Name of the copy, beside the plan.
const COPY: &str = "results.jsonl";

const USAGE: i32 = 64;
const UNFINISHED: i32 = 1;
const UNOBSERVED: i32 = 3;

/// Runs with these arguments; gives the exit code.
pub fn main(arguments: &[String]) -> i32 {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hello"] => match Channel::to(std::io::stdout()).send(guest::hello()) {
            Ok(()) => 0,
            Err(_) => UNFINISHED,
        },
        ["run", plan] => visit(Path::new(plan)),
        _ => {
            eprintln!("usage: orchestrator-agent hello | run PLAN (as init of a machine it takes no arguments)");
            USAGE
        }
    }
}

fn visit(path: &Path) -> i32 {
    let watcher = std::thread::Builder::new().name("observer".to_owned()).spawn(|| {
        let why = until_unobserved();
        guest::say(&format!("nobody observes the tests any more ({why}); they end here"));
        program::kill_descendants();
        std::process::exit(UNOBSERVED);
    });
    let result = watcher.map_err(|error| format!("a thread: {error}")).and_then(|_| run(path));
    program::kill_descendants();
    match result {
        Ok(true) => 0,
        Ok(false) => UNFINISHED,
        Err(error) => {
            guest::say(&error);
            eprintln!("orchestrator-agent: {error}");
            UNFINISHED
        }
    }
}

/// Whether everything was done. The error is one sentence.
fn run(path: &Path) -> Result<bool, String> {
    let plan: Plan = crate::read_plan(&path.to_string_lossy())?;
    // Orphans come to us as they come to init.
    nix::sys::prctl::set_child_subreaper(true).map_err(|error| format!("becoming the parent of orphans: {error}"))?;
    let copy = path.with_file_name(COPY);
    let mut channel =
        Channel::kept(std::io::stdout(), &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    let mounts: Vec<Message> = setup::missing_mounts();
    let result = crate::work(&plan, mounts, &mut channel);
    channel.drain();
    result.map_err(|error| format!("the results cannot be sent: {error}"))
}

/// Returns, with the reason, when the observer is gone.
fn until_unobserved() -> String {
    let input = std::io::stdin();
    let timeout = PollTimeout::from(SILENCE.as_millis() as u16);
    loop {
        let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) => return format!("{} s of silence", SILENCE.as_secs()),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return error.to_string(),
            Ok(_) => {}
        }
        match nix::unistd::read(input.as_fd(), &mut [0; 256]) {
            Ok(0) => return "the connection was closed".to_owned(),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_mean_nothing_are_refused() {
        for arguments in [vec![], vec!["run".to_owned()], vec!["fly".to_owned(), "x".to_owned()]] {
            assert_eq!(main(&arguments), USAGE);
        }
    }

    #[test]
    fn a_plan_that_is_not_there_is_named() {
        assert!(run(Path::new("/nonexistent/plan.json")).unwrap_err().contains("/nonexistent/plan.json"));
    }
}
