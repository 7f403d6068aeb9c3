//! Boots by content key: same kernel, same selftests, same machine, same selection, same result.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::write_atomically;
use crate::build;
use crate::lab::Selection;
use crate::words::{Accel, BootEnd, BootRecord, BootSpec, BuildRecord, Machine, Suite};

/// Raised whenever the agent or the judgement of a boot changes in a way that changes results.
const FORMAT: u32 = 2;

/// Everything that determines a boot, and nothing else.
#[derive(Debug, Clone, Serialize)]
pub struct BootInputs<'a> {
    /// Hash of kernel image and modules.
    pub image: &'a str,
    /// Hash of the selftest programs.
    pub selftests: &'a str,
    /// Hash of what the orchestrator brings along beside the agent.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub tools: &'a str,
    /// Suites.
    pub suites: &'a [Suite],
    /// Hardware.
    pub machine: &'a Machine,
    /// What the kconfig asks of it.
    pub spec: &'a BootSpec,
    /// How instructions are executed.
    pub accel: Accel,
    /// Which tests, how often.
    pub selection: &'a Selection,
    /// Tells repetitions of the same boot apart; 0 for the first.
    pub repetition: u32,
    /// Hash of the agent.
    pub agent: &'a str,
}

/// The content key of a boot, blake3 in hex.
pub fn key(inputs: &BootInputs<'_>) -> String {
    // JSON keeps the fields apart, whatever they contain.
    let text = serde_json::to_string(&(FORMAT, inputs)).expect("plain data always serialises");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Folder of an attempt at the boot with this key.
pub fn attempt_dir(cache: &Utf8Path, key: &str, attempt: u32) -> Utf8PathBuf {
    cache.join("boots").join(key).join(attempt.to_string())
}

fn record_file(cache: &Utf8Path, key: &str) -> Utf8PathBuf {
    cache.join("boots").join(key).join("record.json")
}

/// The result of an earlier boot with this key, its folder where the cache is now. A record that is not what was written
/// counts as none.
pub fn lookup(cache: &Utf8Path, key: &str) -> Option<BootRecord> {
    let file = record_file(cache, key);
    let text = fs_err::read_to_string(&file).ok()?;
    if !build::is_intact(&file, text.as_bytes()) {
        tracing::warn!(file = file.as_str(), "a damaged record of the cache is not used");
        return None;
    }
    let mut record: BootRecord = serde_json::from_str(&text).ok()?;
    // The cache may have been moved since; an engine names the folder of an attempt by more than its number.
    let named = record.dir.file_name().map(|name| cache.join("boots").join(key).join(name));
    record.dir = named.filter(|dir| dir.is_dir()).unwrap_or_else(|| attempt_dir(cache, key, record.attempt));
    record.dir.is_dir().then_some(record)
}

/// Keeps a result. Trouble of ours is not kept: it says nothing about the next try.
///
/// # Errors
/// When the cache cannot be written.
pub fn keep(cache: &Utf8Path, key: &str, record: &BootRecord) -> std::io::Result<()> {
    match record.end {
        BootEnd::Infra { .. } => Ok(()),
        BootEnd::Completed | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => {
            let text = serde_json::to_vec_pretty(record).map_err(std::io::Error::other)?;
            let file = record_file(cache, key);
            // Before the record: with the seal of another record it is no result, which costs a boot and no verdict.
            let (place, seal) = build::seal_beside(&file, &text);
            write_atomically(&place, seal.as_bytes())?;
            write_atomically(&file, &text)
        }
    }
}

/// The selftest program of a suite in a build: its file name is that of the selftest.
pub fn program(build: &BuildRecord, suite: &Suite) -> Option<Utf8PathBuf> {
    let name = Utf8Path::new(suite.selftest.as_deref()?).file_name()?;
    let file = build.artefacts.selftest_files.iter().find(|file| Utf8Path::new(file).file_name() == Some(name))?;
    Some(build.artefacts.dir.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing;

    #[test]
    fn infrastructure_trouble_is_never_taken_for_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(attempt_dir(cache, "k", 1)).unwrap();
        let mut record = testing::boot(0, 1, &[]);
        record.end = BootEnd::Infra { reason: "no memory".into() };
        keep(cache, "k", &record).unwrap();
        assert!(lookup(cache, "k").is_none());
        record.end = BootEnd::Panicked;
        keep(cache, "k", &record).unwrap();
        assert_eq!(lookup(cache, "k").unwrap().end, BootEnd::Panicked);
        let text = fs_err::read_to_string(record_file(cache, "k")).unwrap();
        let other = text.replacen("panicked", "completed", 1);
        assert_ne!(other, text);
        fs_err::write(record_file(cache, "k"), other).unwrap();
        assert!(lookup(cache, "k").is_none(), "readable, but not what was written");
    }

    #[test]
    fn a_repetition_is_another_boot() {
        let selection = Selection::default();
        let machine = testing::machine();
        let spec = BootSpec::default();
        let inputs = |repetition, accel| BootInputs {
            image: "i",
            selftests: "s",
            tools: "",
            suites: &[],
            machine: &machine,
            spec: &spec,
            accel,
            selection: &selection,
            repetition,
            agent: "a",
        };
        assert_eq!(key(&inputs(0, Accel::Tcg)), key(&inputs(0, Accel::Tcg)));
        assert_ne!(key(&inputs(0, Accel::Tcg)), key(&inputs(1, Accel::Tcg)));
        assert_ne!(key(&inputs(0, Accel::Tcg)), key(&inputs(0, Accel::Kvm)));
    }
}
