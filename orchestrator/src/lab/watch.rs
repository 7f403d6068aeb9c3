//! Deadlines of a boot.

use std::time::Duration;

use tokio::time::Instant;

use crate::words::{Accel, Timeouts};

/// What may take too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// Any output at all; asked only of hardware virtualisation, which may be broken.
    Life,
    /// Until the agent speaks.
    Boot,
    /// Between two frames.
    Silence,
    /// From the first frame to the last.
    Suite,
    /// From the last frame to the end of QEMU.
    PowerOff,
    /// From a panic to the end of QEMU.
    Panic,
}

impl Deadline {
    /// As it stands in records.
    pub(super) fn name(self) -> &'static str {
        match self {
            Deadline::Life => "life",
            Deadline::Boot => "boot",
            Deadline::Silence => "silence",
            Deadline::Suite => "suite",
            Deadline::PowerOff => "power-off",
            Deadline::Panic => "panic",
        }
    }
}

/// How much slower a guest may be under emulation.
const TCG_FACTOR: u32 = 3;

/// The same with one emulated CPU that counts its instructions.
const ICOUNT_FACTOR: u32 = 6;

/// How long the first output may take under hardware virtualisation; a kernel prints within a second.
const LIFE: Duration = Duration::from_secs(20);

/// How long the kernel may take to end the machine, with a trace on a slow console.
const END: Duration = Duration::from_secs(20);

/// How long the agent may be silent after a test that overran; it beats every three seconds while it lives.
const STUCK: Duration = Duration::from_secs(8);

/// How long the agent may be silent once the kernel says that a CPU is stuck.
const LOCKED: Duration = Duration::from_secs(20);

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    life: Option<Duration>,
    boot: Duration,
    silence: Duration,
    suite: Duration,
    stuck: Duration,
    locked: Duration,
    end: Duration,
}

impl Limits {
    /// The machine's timeouts times all factors.
    pub(super) fn new(timeouts: &Timeouts, accel: Accel, slowness: u32, factor: u32) -> Self {
        let factor = slowness.max(1) * factor.max(1);
        let (life, factor) = match accel {
            Accel::Kvm => (Some(LIFE * factor), factor),
            // A box checks what it was sent before it starts it.
            Accel::Native => (None, factor),
            Accel::Tcg => (None, factor * TCG_FACTOR),
            Accel::Icount => (None, factor * ICOUNT_FACTOR),
        };
        let seconds = |seconds| Duration::from_secs(seconds) * factor;
        Limits {
            life,
            boot: seconds(timeouts.boot),
            silence: seconds(timeouts.silence),
            suite: seconds(timeouts.suite),
            stuck: STUCK * factor,
            locked: LOCKED * factor,
            end: END * factor,
        }
    }
}

/// When which deadline is over.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    limits: Limits,
    /// The last word was that a test could not be stopped.
    stuck: bool,
    /// The kernel said since the last frame that a CPU is stuck.
    locked: bool,
    /// How often it had said so.
    lockups: u32,
    start: Instant,
    alive: bool,
    hello: Option<Instant>,
    last: Option<Instant>,
    done: Option<Instant>,
    panicked: Option<Instant>,
}

impl Watch {
    /// A machine was switched on.
    pub(super) fn new(limits: Limits, start: Instant) -> Self {
        Watch {
            limits,
            stuck: false,
            locked: false,
            lockups: 0,
            start,
            alive: false,
            hello: None,
            last: None,
            done: None,
            panicked: None,
        }
    }

    /// Something was printed.
    pub(super) fn alive(&mut self) {
        self.alive = true;
    }

    /// The kernel panicked.
    pub(super) fn panicked(&mut self, now: Instant) {
        self.panicked.get_or_insert(now);
    }

    /// A test overran its deadline and was killed. When it could not be, the agent switches the machine off without
    /// another word, and a kernel with a stuck CPU may never get there.
    pub(super) fn stuck(&mut self) {
        self.stuck = true;
    }

    /// The kernel has said so often that a CPU is stuck. Programs on such a machine may never run again, nor the
    /// agent; when it is silent, too, there is nothing to wait for.
    pub(super) fn lockups(&mut self, count: u32) {
        self.locked |= count > self.lockups;
        self.lockups = count;
    }

    /// A frame came.
    pub(super) fn frame(&mut self, now: Instant, done: bool) {
        self.stuck = false;
        self.locked = false;
        self.alive = true;
        self.hello.get_or_insert(now);
        self.last = Some(now);
        if done {
            self.done.get_or_insert(now);
        }
    }

    /// The next deadline.
    pub(super) fn next(&self) -> (Instant, Deadline) {
        let limits = &self.limits;
        if let Some(panicked) = self.panicked {
            return (panicked + limits.end, Deadline::Panic);
        }
        if let Some(done) = self.done {
            return (done + limits.end, Deadline::PowerOff);
        }
        if let (Some(hello), Some(last)) = (self.hello, self.last) {
            let silence = match (self.stuck, self.locked) {
                (true, _) => limits.stuck,
                (false, true) => limits.locked.min(limits.silence),
                (false, false) => limits.silence,
            };
            let (silence, suite) = (last + silence, hello + limits.suite);
            return if silence <= suite { (silence, Deadline::Silence) } else { (suite, Deadline::Suite) };
        }
        let boot = self.start + limits.boot;
        match limits.life {
            Some(life) if !self.alive && self.start + life < boot => (self.start + life, Deadline::Life),
            Some(_) | None => (boot, Deadline::Boot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts { boot: 60, silence: 50, suite: 100, power_on: 1 };

    fn at(start: Instant, watch: &Watch) -> (u64, Deadline) {
        let (when, which) = watch.next();
        ((when - start).as_secs(), which)
    }

    #[test]
    fn every_step_has_its_deadline() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut watch = Watch::new(Limits::new(&TIMEOUTS, Accel::Kvm, 1, 1), start);
        assert_eq!(at(start, &watch), (20, Deadline::Life));
        watch.alive();
        assert_eq!(at(start, &watch), (60, Deadline::Boot));
        watch.frame(second(10), false);
        assert_eq!(at(start, &watch), (60, Deadline::Silence));
        watch.frame(second(59), false);
        assert_eq!(at(start, &watch), (109, Deadline::Silence));
        watch.frame(second(70), false);
        assert_eq!(at(start, &watch), (110, Deadline::Suite));
        watch.stuck();
        assert_eq!(at(start, &watch), (78, Deadline::Silence));
        watch.frame(second(75), false);
        assert_eq!(at(start, &watch), (110, Deadline::Suite));
        watch.frame(second(80), true);
        assert_eq!(at(start, &watch), (100, Deadline::PowerOff));
        watch.panicked(second(81));
        watch.panicked(second(90));
        assert_eq!(at(start, &watch), (101, Deadline::Panic));
    }

    #[test]
    fn a_stuck_cpu_shortens_the_silence_until_the_agent_speaks() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut watch = Watch::new(Limits::new(&TIMEOUTS, Accel::Kvm, 1, 1), start);
        watch.frame(second(1), false);
        watch.lockups(0);
        assert_eq!(at(start, &watch), (51, Deadline::Silence));
        watch.lockups(1);
        assert_eq!(at(start, &watch), (21, Deadline::Silence));
        watch.frame(second(10), false);
        watch.lockups(1);
        assert_eq!(at(start, &watch), (60, Deadline::Silence), "it lives");
        watch.lockups(2);
        assert_eq!(at(start, &watch), (30, Deadline::Silence));
    }

    #[test]
    fn factors_multiply_and_emulation_is_not_asked_for_life() {
        let start = Instant::now();
        let watch = Watch::new(Limits::new(&TIMEOUTS, Accel::Tcg, 4, 2), start);
        assert_eq!(at(start, &watch), (60 * 4 * 2 * 3, Deadline::Boot));
        let watch = Watch::new(Limits::new(&TIMEOUTS, Accel::Kvm, 0, 0), start);
        assert_eq!(at(start, &watch), (20, Deadline::Life));
    }
}
