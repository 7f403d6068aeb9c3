//! Deciding how a boot on a device of LAVA's ended. Pure.

use crate::lab::console::Console;
use crate::lab::ending::{Said, Stop, stopped};
use crate::term::text::is_hostile;
use crate::words::BootEnd;

/// LAVA's last word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// Health of the job: `Complete`, `Incomplete`, `Canceled`.
    pub health: String,
    /// Kind of its error.
    pub kind: String,
    /// Its words.
    pub message: String,
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Number of the job, for messages.
    pub job: u64,
    /// Why we ended the job, if we did.
    pub stop: Option<Stop>,
    /// LAVA's last word.
    pub verdict: Verdict,
    /// A kernel printed its first line.
    pub started: bool,
    /// A second one did.
    pub restarted: bool,
    /// The kernel log.
    pub console: Console,
    /// What the frames said.
    pub said: Said,
    /// What broke the protocol, or frames that are missing.
    pub problem: Option<String>,
}

/// How it ended. As with a guest: our own interruption first, then the kernel's word, then trouble of ours, then the
/// agent's. Where LAVA and the device disagree, nobody knows, and it is tried again.
pub(super) fn decide(seen: &Seen) -> BootEnd {
    if let Some(end) = stopped(seen.stop.as_ref(), &seen.console) {
        return end;
    }
    let Seen { job, verdict, said, .. } = seen;
    if said.done && seen.problem.is_none() {
        return BootEnd::Completed;
    }
    if seen.restarted {
        let died = said.died || seen.console.oops.is_some();
        return if died { BootEnd::Panicked } else { BootEnd::Reset };
    }
    if let Some(problem) = &seen.problem {
        return infra(&format!("protocol: {problem} (LAVA job {job})"));
    }
    if let Some(fatal) = &said.fatal {
        return infra(&format!("the device could not be prepared: {fatal}"));
    }
    if verdict.health == "Canceled" {
        return infra(&format!("LAVA job {job} was canceled: {}", words(&verdict.message)));
    }
    if said.died || seen.console.oops.is_some() {
        return BootEnd::Panicked;
    }
    if said.deadline {
        return BootEnd::Hung { deadline: "test".to_owned() };
    }
    if verdict.health == "Complete" {
        return match &seen.console.agent {
            Some(complaint) if !said.hello && complaint != "finished" => {
                infra(&format!("the agent could not work: {complaint}"))
            }
            Some(_) | None => {
                infra(&format!("LAVA job {job} is complete, but the agent's last frames are not in its log"))
            }
        };
    }
    match (verdict.kind.as_str(), seen.started) {
        ("Job" | "Test", true) => BootEnd::Hung { deadline: if said.hello { "suite" } else { "boot" }.to_owned() },
        ("Job" | "Test", false) => {
            infra(&format!("LAVA job {job} printed nothing of a kernel: {}", words(&verdict.message)))
        }
        (kind, _) => {
            let kind = if kind.is_empty() { "no reason given" } else { kind };
            infra(&format!("LAVA job {job} failed ({kind}): {}", words(&verdict.message)))
        }
    }
}

/// LAVA's words in one printable line.
pub(super) fn words(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    let text: String = text.join(" ").chars().filter(|c| !is_hostile(*c)).take(300).collect();
    if text.is_empty() { "it says nothing more".to_owned() } else { text }
}

fn infra(reason: &str) -> BootEnd {
    BootEnd::Infra { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::watch::Deadline;

    fn with(change: impl FnOnce(&mut Seen)) -> BootEnd {
        let mut seen = Seen {
            job: 17,
            stop: None,
            verdict: Verdict { health: "Incomplete".into(), kind: "Job".into(), message: "timed out".into() },
            started: true,
            restarted: false,
            console: Console { alive: true, ..Console::default() },
            said: Said { hello: true, ..Said::default() },
            problem: None,
        };
        change(&mut seen);
        decide(&seen)
    }

    fn reason(end: BootEnd) -> String {
        let BootEnd::Infra { reason } = end else { panic!("{end:?}") };
        reason
    }

    fn hung(deadline: &str) -> BootEnd {
        BootEnd::Hung { deadline: deadline.to_owned() }
    }

    #[test]
    fn only_the_agents_last_frame_completes_a_boot() {
        assert_eq!(with(|seen| seen.said.done = true), BootEnd::Completed);
        let missing = with(|seen| seen.verdict = Verdict { health: "Complete".into(), ..Verdict::default() });
        assert_eq!(reason(missing), "LAVA job 17 is complete, but the agent's last frames are not in its log");
        let gap = with(|seen| {
            seen.said.done = true;
            seen.problem = Some("frame 4 is missing".into());
        });
        assert!(reason(gap).contains("frame 4 is missing"));
    }

    #[test]
    fn what_the_kernel_did_is_the_kernels() {
        assert_eq!(with(|seen| seen.console.panic = Some("x".into())), BootEnd::Panicked);
        assert_eq!(with(|seen| seen.console.oops = Some("x".into())), BootEnd::Panicked);
        assert_eq!(with(|seen| seen.restarted = true), BootEnd::Reset);
        assert_eq!(with(|_| ()), hung("suite"));
        assert_eq!(with(|seen| seen.said.hello = false), hung("boot"));
        assert_eq!(with(|seen| seen.said.deadline = true), hung("test"));
        assert_eq!(with(|seen| seen.stop = Some(Stop::Deadline(Deadline::Silence))), hung("silence"));
        assert_eq!(with(|seen| seen.stop = Some(Stop::Flood("console.log"))), hung("flood"));
    }

    #[test]
    fn what_the_lab_did_is_never_the_kernels() {
        assert_eq!(reason(with(|seen| seen.stop = Some(Stop::Cancelled))), "interrupted");
        for kind in ["Infrastructure", "Bug", "Configuration", "Canceled", ""] {
            assert!(reason(with(|seen| seen.verdict.kind = kind.into())).contains("timed out"), "{kind}");
        }
        let canceled = with(|seen| seen.verdict.health = "Canceled".into());
        assert!(reason(canceled).contains("was canceled"));
        let nothing = with(|seen| {
            seen.started = false;
            seen.said.hello = false;
        });
        assert!(reason(nothing).contains("printed nothing of a kernel"));
        let fatal = with(|seen| seen.said.fatal = Some("module x".into()));
        assert!(reason(fatal).contains("module x"));
        let mute = with(|seen| {
            seen.said.hello = false;
            seen.verdict.health = "Complete".into();
            seen.console.agent = Some("plan.json: version 3".into());
        });
        assert!(reason(mute).contains("version 3"));
    }
}
