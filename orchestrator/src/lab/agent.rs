//! The agent that this program carries.

/// The agent: a static program for x86_64 guests, built from `lab/agent` by the build script.
pub(super) static AGENT: &[u8] = include_bytes!(env!("ORCHESTRATOR_AGENT"));

/// Content hash of the agent (blake3, hex): part of what determines a boot's result.
pub fn agent_hash() -> String {
    blake3::hash(AGENT).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_a_static_x86_64_program() {
        assert_eq!(&AGENT[..5], b"\x7fELF\x02");
        let half = |at: usize| u16::from_le_bytes([AGENT[at], AGENT[at + 1]]);
        assert_eq!(half(18), 62, "EM_X86_64");
        const PT_INTERP: u8 = 3;
        let (first, size, count) = (AGENT[32] as usize, half(54) as usize, half(56) as usize);
        let kinds: Vec<u8> = (0..count).map(|n| AGENT[first + n * size]).collect();
        assert!(!kinds.is_empty() && !kinds.contains(&PT_INTERP), "it must not need a dynamic loader: {kinds:?}");
    }
}
