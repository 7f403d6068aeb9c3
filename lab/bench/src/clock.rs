//! Clocks, and beginning a reading at a chosen place in the timer's period.

use nix::time::{ClockId, clock_getres, clock_gettime};

use crate::measure::Stop;
use crate::window::ticks;

/// How long to look for a timer tick, in its periods.
const PATIENCE: u64 = 50;

/// Nanoseconds of CLOCK_MONOTONIC_RAW; 0 where a kernel lacks it.
#[inline(always)]
pub fn raw_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_RAW)
}

#[inline(always)]
fn read(clock: ClockId) -> u64 {
    clock_gettime(clock)
        .map_or(0, |time| time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
}

/// The kernel's timer tick, as seen from a program.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    /// Its period, in ticks of the time stamp counter.
    period: u64,
    /// The same in nanoseconds.
    period_ns: u64,
}

impl Timer {
    /// Measures the timer against the time stamp counter.
    pub fn find() -> Result<Timer, Stop> {
        const PERIODS: u64 = 4;
        let resolution = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)
            .map_err(|error| Stop::Fail(format!("the timer's period cannot be read: {error}")))?;
        let period_ns = resolution.tv_nsec().cast_unsigned().max(1);
        let timer = Timer { period: 0, period_ns };
        let start = timer.edge()?;
        let mut end = start;
        for _ in 0..PERIODS {
            end = timer.edge()?;
        }
        let period = end.wrapping_sub(start) / PERIODS;
        Ok(Timer { period, period_ns })
    }

    /// Waits without sleeping for `phase / phases` of a period to pass after a tick.
    pub fn align(&self, phase: u32, phases: u32) -> Result<(), Stop> {
        let edge = self.edge()?;
        let wait = offset(self.period, phase, phases);
        while ticks().wrapping_sub(edge) < wait {
            std::hint::spin_loop();
        }
        Ok(())
    }

    /// Waits for a tick: the coarse clock stands still between ticks. Gives the time stamp counter after it.
    fn edge(&self) -> Result<u64, Stop> {
        let before = read(ClockId::CLOCK_MONOTONIC_COARSE);
        let began = raw_ns();
        loop {
            if read(ClockId::CLOCK_MONOTONIC_COARSE) != before {
                return Ok(ticks());
            }
            if raw_ns().saturating_sub(began) > PATIENCE * self.period_ns {
                let waited = PATIENCE * self.period_ns / 1_000_000;
                return Err(Stop::Fail(format!("there was no timer tick within {waited} ms")));
            }
        }
    }
}

/// Ticks of the time stamp counter between a timer tick and a phase.
fn offset(period: u64, phase: u32, phases: u32) -> u64 {
    period * u64::from(phase) / u64::from(phases.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_share_out_the_period() {
        let offsets: Vec<u64> = (0..8).map(|phase| offset(4_000_000, phase, 8)).collect();
        assert_eq!(offsets, [0, 500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000]);
        assert_eq!(offset(4_000_000, 1, 2), 2_000_000);
        assert_eq!(offset(10, 0, 0), 0);
    }
}
