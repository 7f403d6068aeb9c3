//! Deciding how a boot ended, from everything that was seen of it.

use super::console::Console;
use super::watch::Deadline;
use crate::process::End;
use crate::words::BootEnd;

/// Why the orchestrator stopped QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The run was interrupted.
    Cancelled,
    /// A deadline was over.
    Deadline(Deadline),
    /// The guest broke the protocol.
    Protocol(String),
    /// The guest wrote more than is kept of it.
    Flood(&'static str),
    /// A file of ours could not be written.
    Trouble(String),
}

/// What the frames said about the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `Hello` came.
    pub hello: bool,
    /// `Done` came.
    pub done: bool,
    /// A set-up step failed that spoils the results.
    pub fatal: Option<String>,
    /// The last test that ended overran its deadline.
    pub deadline: bool,
    /// The kernel oopsed, by its taint flags.
    pub died: bool,
}

/// Everything that was seen of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Why we stopped it, if we did.
    pub stop: Option<Stop>,
    /// How QEMU ended; the error is one of running it at all.
    pub exit: Result<End, String>,
    /// QEMU's last words on standard error.
    pub qemu: String,
    /// The kernel log up to the moment when we stopped it.
    pub console: Console,
    /// What broke the protocol.
    pub problem: Option<String>,
    /// The frames.
    pub said: Said,
}

/// What decides before anything that an agent, QEMU or LAVA says: our own interruption, then the kernel's word, then why
/// we stopped it.
pub(super) fn stopped(stop: Option<&Stop>, console: &Console) -> Option<BootEnd> {
    Some(match stop {
        Some(Stop::Cancelled) => infra("interrupted"),
        Some(Stop::Trouble(trouble)) => infra(trouble),
        _ if console.panic.is_some() => BootEnd::Panicked,
        Some(Stop::Flood(_)) => BootEnd::Hung { deadline: "flood".to_owned() },
        Some(Stop::Protocol(problem)) => infra(&format!("protocol: {problem}")),
        Some(Stop::Deadline(deadline)) => BootEnd::Hung { deadline: deadline.name().to_owned() },
        None => return None,
    })
}

/// How it ended.
///
/// Our own interruption comes first; then the kernel's word, which explains everything after it; then trouble of
/// ours; then what the agent and QEMU say. Nothing but `Done` and a clean exit is a completed boot.
pub(super) fn decide(seen: &Seen) -> BootEnd {
    if let Some(end) = stopped(seen.stop.as_ref(), &seen.console) {
        return end;
    }
    if let Some(problem) = &seen.problem {
        return infra(&format!("protocol: {problem}"));
    }
    match &seen.exit {
        Ok(End::Code(0)) => left(seen),
        // A confined QEMU is waited for by bwrap, which says 128 + N for signal N.
        Ok(End::Code(code @ 129..=159)) => killed(seen, code - 128),
        Ok(End::Code(code)) => infra(&with_words(&format!("QEMU ended with exit code {code}"), &seen.qemu)),
        Ok(End::Signal(signal)) => killed(seen, *signal),
        Ok(End::Deadline | End::Cancelled) => infra("QEMU was stopped for no known reason"),
        Err(error) => infra(error),
    }
}

/// QEMU ended by itself and is content.
fn left(seen: &Seen) -> BootEnd {
    let said = &seen.said;
    if said.done {
        return BootEnd::Completed;
    }
    if let Some(fatal) = &said.fatal {
        return infra(&format!("the guest could not be prepared: {fatal}"));
    }
    if said.died || seen.console.oops.is_some() {
        return BootEnd::Panicked;
    }
    if said.deadline {
        return BootEnd::Hung { deadline: "test".to_owned() };
    }
    match &seen.console.agent {
        Some(complaint) if !said.hello => infra(&format!("the agent could not work: {complaint}")),
        Some(_) | None => BootEnd::Reset,
    }
}

fn killed(seen: &Seen, signal: i32) -> BootEnd {
    let hint = if signal == 9 { " (by hand, or by the host for want of memory)" } else { "" };
    infra(&with_words(&format!("QEMU was killed by signal {signal}{hint}"), &seen.qemu))
}

fn with_words(what: &str, words: &str) -> String {
    if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") }
}

fn infra(reason: &str) -> BootEnd {
    BootEnd::Infra { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            stop: None,
            exit: Ok(End::Code(0)),
            qemu: String::new(),
            console: Console { alive: true, ..Console::default() },
            problem: None,
            said: Said { hello: true, ..Said::default() },
        }
    }

    fn with(change: impl FnOnce(&mut Seen)) -> BootEnd {
        let mut seen = seen();
        change(&mut seen);
        decide(&seen)
    }

    fn hung(deadline: &str) -> BootEnd {
        BootEnd::Hung { deadline: deadline.to_owned() }
    }

    fn reason(end: BootEnd) -> String {
        let BootEnd::Infra { reason } = end else { panic!("{end:?}") };
        reason
    }

    #[test]
    fn only_done_and_a_clean_exit_complete_a_boot() {
        assert_eq!(with(|seen| seen.said.done = true), BootEnd::Completed);
        assert_eq!(with(|_| ()), BootEnd::Reset);
        assert_eq!(with(|seen| seen.said = Said::default()), BootEnd::Reset);
    }

    #[test]
    fn the_kernels_last_words_explain_everything_after_them() {
        let panic = |seen: &mut Seen| seen.console.panic = Some("Kernel panic - not syncing: x".into());
        assert_eq!(with(panic), BootEnd::Panicked);
        let changes: [fn(&mut Seen); 5] = [
            |seen| seen.said.done = true,
            |seen| seen.stop = Some(Stop::Deadline(Deadline::Silence)),
            |seen| seen.stop = Some(Stop::Deadline(Deadline::Panic)),
            |seen| seen.problem = Some("garbage".into()),
            |seen| seen.stop = Some(Stop::Flood("console.log")),
        ];
        for change in changes {
            let end = with(|seen| {
                panic(seen);
                change(seen);
            });
            assert_eq!(end, BootEnd::Panicked);
        }
        assert_eq!(with(|seen| seen.console.oops = Some("Oops: 0".into())), BootEnd::Panicked);
        assert_eq!(with(|seen| seen.said.died = true), BootEnd::Panicked);
    }

    #[test]
    fn an_oops_that_the_kernel_survived_to_the_end_is_no_panic() {
        let end = with(|seen| {
            seen.console.oops = Some("Oops: 0".into());
            seen.said.done = true;
        });
        assert_eq!(end, BootEnd::Completed);
    }

    #[test]
    fn deadlines_are_named() {
        assert_eq!(with(|seen| seen.stop = Some(Stop::Deadline(Deadline::Boot))), hung("boot"));
        assert_eq!(with(|seen| seen.stop = Some(Stop::Deadline(Deadline::PowerOff))), hung("power-off"));
        assert_eq!(with(|seen| seen.said.deadline = true), hung("test"));
        assert_eq!(with(|seen| seen.stop = Some(Stop::Flood("console.log"))), hung("flood"));
    }

    #[test]
    fn trouble_of_ours_is_never_the_kernels() {
        let interrupted = with(|seen| {
            seen.stop = Some(Stop::Cancelled);
            seen.console.panic = Some("Kernel panic".into());
        });
        assert_eq!(reason(interrupted), "interrupted");
        assert!(reason(with(|seen| seen.stop = Some(Stop::Trouble("disk full".into())))).contains("disk full"));
        assert!(reason(with(|seen| seen.problem = Some("gap".into()))).contains("protocol: gap"));
        assert!(reason(with(|seen| seen.stop = Some(Stop::Protocol("gap".into())))).contains("protocol: gap"));
        assert!(reason(with(|seen| seen.exit = Ok(End::Signal(9)))).contains("signal 9"));
        assert!(reason(with(|seen| seen.exit = Ok(End::Code(137)))).contains("signal 9"));
        assert!(reason(with(|seen| seen.exit = Err("qemu is not installed".into()))).contains("not installed"));
        let words = with(|seen| {
            seen.exit = Ok(End::Code(1));
            seen.qemu = "no such machine".into();
        });
        assert_eq!(reason(words), "QEMU ended with exit code 1: no such machine");
    }

    #[test]
    fn a_guest_that_could_not_be_prepared_says_why() {
        let fatal = with(|seen| seen.said.fatal = Some("module test_hmm: ENOENT".into()));
        assert!(reason(fatal).contains("module test_hmm"));
        let mute = with(|seen| {
            seen.said = Said::default();
            seen.console.agent = Some("results tty /dev/ttyS1: No such device".into());
        });
        assert!(reason(mute).contains("/dev/ttyS1"));
    }
}
