//! Telling an emulator where a reading begins and ends.
//!
//! An instruction that does nothing, `nopl disp32(%rax,%rax,1)` with a displacement that no compiler makes up, is seen
//! by a QEMU plugin and costs nothing elsewhere. The displacement is [`MAGIC`] and a command: 0 and 1 shift that bit
//! into an accumulator of 64 bits, [`OPEN`] begins a window named by the accumulator and clears it, [`CLOSE`] ends it.

use std::arch::{asm, x86_64};

/// Upper half of the displacement.
const MAGIC: u32 = 0x4d4d_0000;
/// Command: a window begins.
const OPEN: u32 = 0x100;
/// Command: it ends.
const CLOSE: u32 = 0x101;

/// Bits of a window's name that are sent.
const BITS: u32 = 40;

/// What one reading of the clock gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Difference of the time stamp counter.
    pub ticks: u64,
    /// Nanoseconds of CLOCK_MONOTONIC_RAW.
    pub ns: u64,
}

/// Name of the window for a reading: the metric's name hashed (FNV-1a), then the phase.
pub fn name(metric: &str, phase: u32) -> u64 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    u64::from(metric.bytes().fold(0x811c_9dc5, step)) << 8 | u64::from(phase)
}

#[inline(always)]
fn nop<const COMMAND: u32>() {
    // SAFETY: a no-operation reads no memory and changes no register.
    unsafe {
        asm!(
            ".byte 0x0f, 0x1f, 0x84, 0x00",
            ".long {word}",
            word = const MAGIC | COMMAND,
            options(preserves_flags, nostack),
        );
    }
}

/// Says how the window that opens next is called.
pub fn announce(name: u64) {
    for bit in (0..BITS).rev() {
        match name >> bit & 1 {
            0 => nop::<0>(),
            _ => nop::<1>(),
        }
    }
}

/// The time stamp counter, when all that was written before has happened.
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has both instructions.
    unsafe {
        x86_64::_mm_lfence();
        let ticks = x86_64::_rdtsc();
        x86_64::_mm_lfence();
        ticks
    }
}

/// Runs `work` in a window. The window holds the time stamp counter's readings; nanoseconds are read around it, since
/// that may be a system call.
#[inline(always)]
pub fn timed<T>(work: impl FnOnce() -> T) -> (Span, T) {
    let before = super::clock::raw_ns();
    nop::<OPEN>();
    let start = ticks();
    let result = work();
    let end = ticks();
    nop::<CLOSE>();
    let after = super::clock::raw_ns();
    (Span { ticks: end.wrapping_sub(start), ns: after.saturating_sub(before) }, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Values published with the algorithm.
        assert_eq!(name("", 0), 0x811c_9dc5 << 8);
        assert_eq!(name("a", 0), 0xe40c_292c << 8);
        assert_eq!(name("foobar", 7), 0xbf9c_f968 << 8 | 7);
    }

    #[test]
    fn a_name_fits_the_bits_that_are_sent() {
        assert_eq!(name("foobar", 255) >> BITS, 0);
    }

    #[test]
    fn what_is_done_within_a_window_is_given_back() {
        announce(name("x", 3));
        let (span, value) = timed(|| 7);
        assert_eq!(value, 7);
        assert!(span.ticks > 0);
    }
}
