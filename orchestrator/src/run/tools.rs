//! What the orchestrator itself brings into a guest: benchmark programs, and what counts instructions beside them.

use camino::{Utf8Path, Utf8PathBuf};

use super::{boots, write_atomically};
use crate::build;
use crate::lab::{self, Counting};
use crate::words::{BuildRecord, Builtin, Clock, Suite};

/// Where a benchmark finds the numbers of the test driver's ioctls.
const ABI_IN_GUEST: &str = "/tests/hmm-abi.json";

/// File of a build that holds them.
const ABI: &str = "hmm-abi.json";

/// Why a benchmark cannot run.
const NO_DRIVER: &str = "the revision has no test driver (lib/test_hmm_uapi.h) to measure with";

/// Programs and files for one boot.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// Program of each suite, by suite name; a suite whose program the build lacks is missing.
    pub programs: Vec<(String, Utf8PathBuf)>,
    /// Further files: where each is on the host, and its path in the guest.
    pub files: Vec<(Utf8PathBuf, String)>,
    /// Counts instructions by function.
    pub counting: Option<Counting>,
    /// Hash of everything here that is not of the build; empty when all of it is.
    pub hash: String,
}

/// Raised whenever copying functions, symbol tables or readings are told apart in another way.
const RULES: u32 = 2;

impl Tools {
    /// Something else that the boot's numbers depend on.
    pub fn depends_on(&mut self, what: &str) {
        self.hash = blake3::hash(format!("{}\n{what}", self.hash).as_bytes()).to_hex().to_string();
    }
}

/// What tells one version of a program from another: size and time of its file, wherever it is found in the path.
pub fn program_version(program: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find_map(|file| file.metadata().ok());
    found.map_or_else(String::new, |file| format!("{} {}", file.len(), file.mtime()))
}

/// Gathers what a boot of `kernel` with these suites needs.
///
/// # Errors
/// One sentence: the cache cannot be written, or the revision lacks what a benchmark needs.
pub fn gather(
    (home, cache): (&Utf8Path, &Utf8Path),
    kernel: &BuildRecord,
    selftests: &BuildRecord,
    suites: &[Suite],
    clock: Option<Clock>,
) -> Result<Tools, String> {
    let mut tools = Tools::default();
    let mut hasher = blake3::Hasher::new();
    let mut own = false;
    let mut brought = false;
    for suite in suites {
        for file in &suite.files {
            let from = home.join("lab/suites").join(&file.from);
            let content = fs_err::read(&from).map_err(|error| format!("suite {}: {error}", suite.name))?;
            hasher.update(file.to.as_bytes()).update(blake3::hash(&content).as_bytes());
            tools.files.push((from, file.to.clone()));
            brought = true;
        }
        let program = match suite.builtin {
            None => boots::program(selftests, suite),
            Some(Builtin::HmmBench) => {
                let abi = abi(selftests).ok_or(NO_DRIVER)?;
                let content = fs_err::read(&abi).map_err(|error| error.to_string())?;
                tools.files.push((abi, ABI_IN_GUEST.to_owned()));
                let bench = lab::place_bench(cache).map_err(|error| error.to_string())?;
                hasher.update(blake3::hash(&content).as_bytes()).update(lab::bench_hash().as_bytes());
                own = true;
                Some(bench)
            }
        };
        tools.programs.extend(program.map(|program| (suite.name.clone(), program)));
    }
    match clock {
        Some(Clock::Instructions) if own => {
            let symbols = symbols(cache, kernel)?;
            let table = fs_err::read(&symbols).map_err(|error| error.to_string())?;
            let plugin = lab::install_plugin(cache).map_err(|error| error.to_string())?;
            hasher.update(lab::plugin_hash().as_bytes()).update(&RULES.to_le_bytes());
            // Kernels that differ by nothing but debug information are booted alike and counted differently.
            hasher.update(blake3::hash(&table).as_bytes());
            tools.counting = Some(Counting { plugin, symbols });
        }
        // Nobody else's program marks its readings.
        Some(Clock::Instructions | Clock::Wall) | None => {}
    }
    if own || brought {
        tools.hash = hasher.finalize().to_hex().to_string();
    }
    Ok(tools)
}

/// The symbol table of a build, kept by its key.
fn symbols(cache: &Utf8Path, build: &BuildRecord) -> Result<Utf8PathBuf, String> {
    let path = cache.join("symbols").join(format!("{}-{RULES}.txt", build.key));
    let whole = fs_err::read(&path).is_ok_and(|table| build::is_intact(&path, &table));
    if !whole {
        undamaged(build, ["vmlinux"])?;
        let vmlinux = build.artefacts.dir.join("vmlinux");
        let elf = fs_err::read(&vmlinux).map_err(|error| error.to_string())?;
        let table = lab::symbol_table(&elf).map_err(|error| format!("{vmlinux}: {error}"))?;
        fs_err::create_dir_all(cache.join("symbols")).map_err(|error| error.to_string())?;
        let (place, seal) = build::seal_beside(&path, table.as_bytes());
        write_atomically(&place, seal.as_bytes()).map_err(|error| error.to_string())?;
        write_atomically(&path, table.as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

/// Reads these files of a build before they are used. A build of which one is damaged is thrown away, so that the next
/// run makes it anew.
///
/// # Errors
/// One sentence.
pub fn undamaged<'a>(record: &BuildRecord, files: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let dir = &record.artefacts.dir;
    build::check(dir, files).map_err(|damaged| match build::discard(dir) {
        Ok(()) => format!("{damaged}; the build was thrown away, and `orchestrator resume` makes it anew"),
        Err(error) => format!("{damaged}; remove {dir} ({error})"),
    })
}

/// Why a build cannot be measured with these suites, when it cannot.
pub fn missing(build: &BuildRecord, suites: &[Suite]) -> Option<String> {
    let needs_abi = suites.iter().any(|suite| match suite.builtin {
        Some(Builtin::HmmBench) => true,
        None => false,
    });
    (needs_abi && abi(build).is_none()).then(|| NO_DRIVER.to_owned())
}

fn abi(build: &BuildRecord) -> Option<Utf8PathBuf> {
    let file = build.artefacts.selftest_files.iter().find(|file| Utf8Path::new(file).file_name() == Some(ABI))?;
    Some(build.artefacts.dir.join(file))
}
