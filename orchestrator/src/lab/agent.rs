//! The agent that this program carries.

/// The agent: a static program for x86_64 guests, built from `lab/agent` by the build script.
pub(super) static AGENT: &[u8] = include_bytes!(env!("ORCHESTRATOR_AGENT"));

/// The same for arm64; empty where this program was built without the Rust target or the cross compiler.
static AGENT_ARM64: &[u8] = include_bytes!(env!("ORCHESTRATOR_AGENT_ARM64"));

/// What it takes to carry the agent for arm64.
pub const ARM64_REMEDY: &str = "rustup target add aarch64-unknown-linux-gnu; on Debian apt-get install \
     gcc-aarch64-linux-gnu libc6-dev-arm64-cross; then touch orchestrator/build.rs and build again";

/// The agent for machines that boot kernels of this `ARCH`.
///
/// # Errors
/// One sentence: this program carries none, and what would change that.
pub fn agent_for(arch: &str) -> Result<&'static [u8], String> {
    match arch {
        "x86_64" => Ok(AGENT),
        "arm64" if !AGENT_ARM64.is_empty() => Ok(AGENT_ARM64),
        "arm64" => Err(format!("this program was built without the agent for arm64 ({ARM64_REMEDY})")),
        other => Err(format!("there is no agent for {other}")),
    }
}

/// Content hash of the agent for an `ARCH` (blake3, hex): part of what determines a boot's result.
///
/// # Errors
/// As [`agent_for`].
pub fn agent_hash_for(arch: &str) -> Result<String, String> {
    Ok(blake3::hash(agent_for(arch)?).to_hex().to_string())
}

/// Content hash of the agent for x86_64.
pub fn agent_hash() -> String {
    blake3::hash(AGENT).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_are_static_programs_of_their_architectures() {
        static_program(AGENT, 62);
        match agent_for("arm64") {
            Ok(agent) => static_program(agent, 183),
            Err(why) => assert!(why.contains("rustup target add"), "{why}"),
        }
        assert!(agent_for("sparc").is_err());
    }

    fn static_program(agent: &[u8], machine: u16) {
        assert_eq!(&agent[..5], b"\x7fELF\x02");
        let half = |at: usize| u16::from_le_bytes([agent[at], agent[at + 1]]);
        assert_eq!(half(18), machine);
        const PT_INTERP: u8 = 3;
        let (first, size, count) = (agent[32] as usize, half(54) as usize, half(56) as usize);
        let kinds: Vec<u8> = (0..count).map(|n| agent[first + n * size]).collect();
        assert!(!kinds.is_empty() && !kinds.contains(&PT_INTERP), "it must not need a dynamic loader: {kinds:?}");
    }
}
