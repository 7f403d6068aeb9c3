//! Taking the readings of one metric.

use std::time::Duration;

use crate::clock::Timer;
use crate::metric::{HUGE, Metric};
use crate::window::{self, Span};

/// Long enough for the kernel to do what it put off (RCU callbacks, work queues), for programs that wait to run, and
/// for a child to go to sleep.
const SETTLE: Duration = Duration::from_millis(20);

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Where in the timer's period it began.
    pub phase: u32,
    /// What it took.
    pub span: Span,
}

/// Why there are no readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// This machine cannot do it.
    Skip(String),
    /// It should have worked and did not.
    Fail(String),
}

/// Work that can be measured. Each reading calls the functions in this order.
pub trait Work {
    /// What the measured part leaves for the check.
    type Done;

    /// Makes the memory what the metric says. `first` is true for the warm-up, which also checks that it is.
    fn prepare(&mut self, first: bool) -> Result<(), Stop>;

    /// The measured part.
    fn run(&mut self) -> Self::Done;

    /// Whether everything happened that was asked for.
    fn check(&mut self, done: Self::Done) -> Result<(), Stop>;

    /// Gives the memory back.
    fn clean_up(&mut self) -> Result<(), Stop>;
}

/// Warm-ups before the first reading: what the kernel makes when it is first needed is then there, and its caches of
/// free objects have settled.
fn warm_ups(metric: &Metric) -> u32 {
    if metric.size <= HUGE { 3 } else { 1 }
}

/// Warm-ups, then one reading at each phase.
pub fn readings(metric: &Metric, work: &mut impl Work) -> Result<Vec<Reading>, Stop> {
    let timer = Timer::find()?;
    let name = metric.to_string();
    let phases = metric.phases();
    let mut readings = Vec::with_capacity(phases as usize);
    for first in (0..warm_ups(metric)).map(|at| at == 0) {
        work.prepare(first)?;
        reading(&timer, None, phases, work)?;
    }
    for phase in 0..phases {
        work.prepare(false)?;
        let span = reading(&timer, Some((&name, phase)), phases, work)?;
        readings.push(Reading { phase, span });
    }
    Ok(readings)
}

/// One reading of memory that is prepared; without a name it is a warm-up, in which nothing watches.
fn reading<W: Work>(timer: &Timer, named: Option<(&str, u32)>, phases: u32, work: &mut W) -> Result<Span, Stop> {
    std::thread::sleep(SETTLE);
    let phase = match named {
        Some((name, phase)) => {
            window::announce(window::name(name, phase));
            phase
        }
        None => 0,
    };
    timer.align(phase, phases)?;
    let (span, done) = match named {
        Some(_) => window::timed(|| work.run()),
        None => (Span { ticks: 0, ns: 0 }, work.run()),
    };
    work.check(done)?;
    work.clean_up()?;
    Ok(span)
}
