//! Points between two steps of the outbox at which tests end the program.
//!
//! A debug build kills itself with SIGKILL at the step that the environment variable `ORCHESTRATOR_FAILPOINT` names
//! (`record-written`, or `record-written:2` for the second time); a unit test makes a step fail with [`arm`]. A release
//! build has none of it.

/// The points, in the order in which a message passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message is written under a temporary name.
    ItemWritten,
    /// A message is in the outbox.
    ItemKept,
    /// A record is written under a temporary name.
    RecordWritten,
    /// A record is in the outbox.
    RecordKept,
    /// The receiving side is ready to take the message; nothing left yet.
    Prepared,
    /// The receiving side has the message; the outbox does not know yet.
    Accepted,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] =
        [Step::ItemWritten, Step::ItemKept, Step::RecordWritten, Step::RecordKept, Step::Prepared, Step::Accepted];

    /// The word for the environment variable.
    pub fn word(self) -> &'static str {
        match self {
            Step::ItemWritten => "item-written",
            Step::ItemKept => "item-kept",
            Step::RecordWritten => "record-written",
            Step::RecordKept => "record-kept",
            Step::Prepared => "prepared",
            Step::Accepted => "accepted",
        }
    }
}

/// Says that the program got here.
///
/// # Errors
/// In unit tests that armed the step.
pub fn reached(step: Step) -> std::io::Result<()> {
    #[cfg(debug_assertions)]
    killed::perhaps(step);
    #[cfg(test)]
    armed::perhaps(step)?;
    #[cfg(not(debug_assertions))]
    let _ = step;
    Ok(())
}

#[cfg(debug_assertions)]
mod killed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Step;

    /// The step of the environment variable, and how often it is still to be passed.
    static POINT: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let text = std::env::var("ORCHESTRATOR_FAILPOINT").ok()?;
        let (step, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((step.to_owned(), AtomicU32::new(times.parse().unwrap_or(1))))
    });

    pub(super) fn perhaps(step: Step) {
        if let Some((word, times)) = &*POINT
            && word == step.word()
            && times.fetch_sub(1, Ordering::SeqCst) == 1
        {
            // As `kill -9` does: nothing of ours runs after it.
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
pub(crate) use armed::arm;

#[cfg(test)]
mod armed {
    use std::cell::Cell;

    use super::Step;

    thread_local! {
        static ARMED: Cell<Option<(Step, u32)>> = const { Cell::new(None) };
    }

    /// Makes a step fail in this thread, the `times`th time that it is reached; `None` makes all succeed.
    pub(crate) fn arm(point: Option<(Step, u32)>) {
        ARMED.set(point);
    }

    pub(super) fn perhaps(step: Step) -> std::io::Result<()> {
        match ARMED.get() {
            Some((armed, 1)) if armed == step => {
                ARMED.set(None);
                Err(std::io::Error::other(format!("failpoint {}", step.word())))
            }
            Some((armed, times)) if armed == step => {
                ARMED.set(Some((armed, times - 1)));
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }
}
