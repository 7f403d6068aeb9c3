//! The states of a box, what moves it from one to the next, and the proofs that steps ask for. Nothing here does I/O.

/// What is known of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: it was just reserved.
    Unknown,
    /// Its power was cycled; what comes up is to be proven.
    Cycled,
    /// Its default kernel is proven to run.
    Default,
    /// All that the test needs is on it.
    Loaded,
    /// The test kernel was started and not yet proven.
    Starting,
    /// The test kernel is proven to run.
    Testing,
    /// A transition failed, or the kernel died: only a power cycle helps.
    Poisoned,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The power went off and on again.
    PowerCycled,
    /// The default kernel answered by ssh, in a boot that was not seen before.
    DefaultProven,
    /// Everything that was sent arrived, by its hash.
    Sent,
    /// The test kernel was told to start.
    Started,
    /// A kernel with the build's own build id answered by ssh, in a boot that was not seen before.
    TestProven,
    /// A step failed: a wrong kernel, a panic, silence, a lost connection.
    Failed,
}

impl State {
    /// The state after a piece of evidence. Evidence that does not belong to the state poisons it.
    pub(super) fn after(&self, evidence: Evidence) -> State {
        use Evidence as E;
        match (self, evidence) {
            (_, E::PowerCycled) => State::Cycled,
            // The way back leads from a test to the default kernel, too, when the box resets itself.
            (State::Cycled | State::Starting | State::Testing, E::DefaultProven) => State::Default,
            (State::Default, E::Sent) => State::Loaded,
            (State::Loaded, E::Started) => State::Starting,
            (State::Starting, E::TestProven) => State::Testing,
            (
                State::Unknown
                | State::Cycled
                | State::Default
                | State::Loaded
                | State::Starting
                | State::Testing
                | State::Poisoned,
                E::DefaultProven | E::Sent | E::Started | E::TestProven | E::Failed,
            ) => State::Poisoned,
        }
    }
}

/// What a box answered when it was asked by ssh what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    /// `uname -r`.
    pub uname: String,
    /// `/proc/sys/kernel/random/boot_id`: another one in every boot.
    pub boot_id: String,
    /// Build id of the kernel in hex; empty when it has none.
    pub build_id: String,
}

/// The proof that a box runs its default kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Safe {
    /// The boot it was proven in.
    pub boot_id: String,
}

/// The proof that a box runs the kernel that is to be tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// The boot it was proven in.
    pub boot_id: String,
}

/// Proves the default kernel. `before` are boots that were seen before the power cycle or by a test kernel.
///
/// # Errors
/// One sentence: why this is no proof.
pub(super) fn prove_default(answer: &Answer, pattern: &str, before: &[String]) -> Result<Safe, String> {
    if !fresh(&answer.boot_id, before) {
        return Err(format!("the box did not start anew: it is still in boot {}", answer.boot_id));
    }
    if !matches(pattern, &answer.uname) {
        return Err(format!("the box runs {}, but its default kernel is {pattern}", answer.uname));
    }
    Ok(Safe { boot_id: answer.boot_id.clone() })
}

/// Proves the test kernel, which `safe` started.
///
/// # Errors
/// One sentence: why this is no proof.
pub(super) fn prove_test(answer: &Answer, build_id: &str, safe: &Safe) -> Result<Running, String> {
    if !fresh(&answer.boot_id, std::slice::from_ref(&safe.boot_id)) {
        return Err("the test kernel did not start: the default kernel still runs".to_owned());
    }
    if build_id.is_empty() || answer.build_id != build_id {
        let has = if answer.build_id.is_empty() { "none" } else { &answer.build_id };
        return Err(format!("a wrong kernel runs: {} with build id {has} instead of {build_id}", answer.uname));
    }
    Ok(Running { boot_id: answer.boot_id.clone() })
}

fn fresh(boot_id: &str, before: &[String]) -> bool {
    !boot_id.is_empty() && !before.iter().any(|known| known == boot_id)
}

/// Whether `text` is what `pattern` says, where `*` is anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], Some(part));
    }
    match last {
        // No star at all.
        None => rest.is_empty(),
        Some(part) => part.is_empty() || text.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 7] = [
        State::Unknown,
        State::Cycled,
        State::Default,
        State::Loaded,
        State::Starting,
        State::Testing,
        State::Poisoned,
    ];
    const EVIDENCE: [Evidence; 6] = [
        Evidence::PowerCycled,
        Evidence::DefaultProven,
        Evidence::Sent,
        Evidence::Started,
        Evidence::TestProven,
        Evidence::Failed,
    ];

    #[test]
    fn every_transition() {
        let good = [
            (State::Cycled, Evidence::DefaultProven, State::Default),
            (State::Starting, Evidence::DefaultProven, State::Default),
            (State::Testing, Evidence::DefaultProven, State::Default),
            (State::Default, Evidence::Sent, State::Loaded),
            (State::Loaded, Evidence::Started, State::Starting),
            (State::Starting, Evidence::TestProven, State::Testing),
        ];
        for state in &STATES {
            for evidence in EVIDENCE {
                let listed = good.iter().find(|(from, seen, _)| from == state && *seen == evidence);
                let expected = match (evidence, listed) {
                    (Evidence::PowerCycled, _) => State::Cycled,
                    (_, Some((_, _, to))) => to.clone(),
                    (_, None) => State::Poisoned,
                };
                assert_eq!(state.after(evidence), expected, "{state:?} {evidence:?}");
            }
        }
    }

    #[test]
    fn what_is_poisoned_stays_so_until_its_power_is_cycled() {
        for evidence in EVIDENCE.into_iter().filter(|evidence| *evidence != Evidence::PowerCycled) {
            assert_eq!(State::Poisoned.after(evidence), State::Poisoned);
        }
    }

    fn answer(uname: &str, boot_id: &str, build_id: &str) -> Answer {
        Answer { uname: uname.into(), boot_id: boot_id.into(), build_id: build_id.into() }
    }

    #[test]
    fn a_default_kernel_is_proven_by_its_name_in_a_new_boot() {
        let old = ["b1".to_owned()];
        assert_eq!(prove_default(&answer("6.1.0-lab", "b2", ""), "6.1.*-lab", &old).unwrap().boot_id, "b2");
        assert!(prove_default(&answer("6.1.0-lab", "b1", ""), "6.1.*-lab", &old).unwrap_err().contains("anew"));
        assert!(prove_default(&answer("6.1.0-lab", "", ""), "6.1.*-lab", &old).is_err());
        assert!(prove_default(&answer("6.12.0", "b2", ""), "6.1.*-lab", &old).unwrap_err().contains("6.12.0"));
    }

    #[test]
    fn a_test_kernel_is_proven_by_its_build_id_in_a_new_boot() {
        let safe = Safe { boot_id: "b2".into() };
        assert_eq!(prove_test(&answer("6.12.0", "b3", "ab"), "ab", &safe).unwrap().boot_id, "b3");
        assert!(prove_test(&answer("6.12.0", "b2", "ab"), "ab", &safe).unwrap_err().contains("did not start"));
        assert!(prove_test(&answer("6.12.0", "b3", "cd"), "ab", &safe).unwrap_err().contains("wrong kernel"));
        assert!(prove_test(&answer("6.12.0", "b3", ""), "", &safe).is_err(), "two unknowns are no proof");
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("6.1.*-lab", "6.1.0-56-lab", true),
            ("6.1.*-lab", "6.1.0-56-cloud", false),
            ("6.1.*", "6.1.0", true),
            ("6.1.*", "6.12.0", false),
            ("*-lab", "x-lab", true),
            ("6.1.0", "6.1.0", true),
            ("6.1.0", "6.1.0-1", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
