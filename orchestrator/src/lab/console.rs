//! Watching the kernel log as it comes, for what decides how a boot ended.

/// What the kernel log has shown so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Console {
    /// Anything at all.
    pub alive: bool,
    /// The first line of a panic.
    pub panic: Option<String>,
    /// The first line of an oops.
    pub oops: Option<String>,
    /// The last line of the agent that marks no test: when it cannot use its channel, it complains here.
    pub agent: Option<String>,
    /// How often the kernel said of a CPU that it has been stuck for at least [`STUCK`] guest seconds.
    pub lockups: u32,
}

/// The kernel's own watchdog first speaks after about 25 seconds, and again every 25. Only its second word counts: a
/// host that is short of CPU time may make the first one come for no reason of the guest.
const STUCK: u64 = 40;

impl Console {
    /// Looks at a line.
    pub(super) fn see(&mut self, line: &str) {
        self.alive |= !line.trim().is_empty();
        let text = without_time(line);
        if text.starts_with("Kernel panic - not syncing") {
            self.panic.get_or_insert_with(|| text.to_owned());
        } else if is_oops(text) {
            self.oops.get_or_insert_with(|| text.to_owned());
        } else if stuck_for(text).is_some_and(|seconds| seconds >= STUCK) {
            self.lockups = self.lockups.saturating_add(1);
        } else if let Some(said) = text.strip_prefix("orchestrator: ")
            && !said.starts_with("begin ")
            && !said.starts_with("end ")
        {
            self.agent = Some(said.to_owned());
        }
    }
}

/// First words of an oops: `Oops: 0002 [#1]`, `general protection fault, ...: 0000 [#1]`.
fn is_oops(text: &str) -> bool {
    text.starts_with("Oops: ")
        || (text.contains(": 0000 [#") && text.ends_with(|c: char| c.is_ascii_uppercase() || c == ']'))
}

/// The guest seconds of `watchdog: BUG: soft lockup - CPU#0 stuck for 52s! [hmm:40]`.
fn stuck_for(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("watchdog: BUG: soft lockup - CPU#")?;
    rest.split_once(" stuck for ")?.1.split_once("s!")?.0.parse().ok()
}

/// A line without the kernel's time stamp (and, where it prints one, the caller's id).
fn without_time(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((bracket, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        let stamp = |c: char| c.is_ascii_digit() || c == '.' || c == ' ' || c == 'T' || c == 'C';
        if bracket.is_empty() || !bracket.chars().all(stamp) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Console {
        let mut console = Console::default();
        lines.iter().for_each(|line| console.see(line));
        console
    }

    #[test]
    fn a_panic_is_seen_with_and_without_time() {
        for line in [
            "Kernel panic - not syncing: sysrq triggered crash",
            "[    1.234567] Kernel panic - not syncing: sysrq triggered crash",
            "[    1.234567][   T12] Kernel panic - not syncing: sysrq triggered crash",
        ] {
            assert_eq!(after(&[line]).panic.unwrap(), "Kernel panic - not syncing: sysrq triggered crash");
        }
        assert_eq!(after(&["[ 1.0] ---[ end Kernel panic - not syncing: x ]---"]).panic, None);
        assert_eq!(after(&["[ 1.0] foo: Kernel panic - not syncing"]).panic, None);
    }

    #[test]
    fn an_oops_is_seen() {
        assert!(after(&["[    2.0] Oops: Oops: 0002 [#1] PREEMPT SMP"]).oops.is_some());
        assert!(
            after(&["[    2.0] general protection fault, probably for non-canonical address: 0000 [#1] SMP"])
                .oops
                .is_some()
        );
        assert!(after(&["[    2.0] WARNING: CPU: 0 PID: 1 at mm/x.c:1"]).oops.is_none());
    }

    #[test]
    fn the_agents_complaints_are_told_from_its_markers() {
        let console = after(&[
            "[    2.0] orchestrator: results tty /dev/ttyS1: No such device (os error 19)",
            "[    2.1] orchestrator: begin hmm a round 1",
        ]);
        assert!(console.agent.unwrap().starts_with("results tty"));
    }

    #[test]
    fn a_cpu_that_is_stuck_counts_from_the_second_word_of_the_watchdog() {
        let console = after(&[
            "[   32.513570] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hmm:40]",
            "[   40.000000] rcu: INFO: rcu_sched self-detected stall on CPU",
            "[   60.513570] watchdog: BUG: soft lockup - CPU#1 stuck for 52s! [hmm:40]",
            "[   60.513571] hmm: watchdog: BUG: soft lockup - CPU#1 stuck for 99s! [hmm:40]",
            "[   88.513570] watchdog: BUG: soft lockup - CPU#1 stuck for 78s! [hmm:40]",
        ]);
        assert_eq!(console.lockups, 2);
    }

    #[test]
    fn only_a_word_is_life() {
        assert!(!after(&["", "  "]).alive);
        assert!(after(&["x"]).alive);
    }
}
