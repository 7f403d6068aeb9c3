//! Builds: what making one revision with one kconfig gave.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kconfig, Kind, Revision};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A warning; the build goes on.
    Warning,
    /// An error; the build fails.
    Error,
}

/// Which tool spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// gcc or clang.
    Compiler,
    /// ld.
    Linker,
    /// scripts/mod/modpost.
    Modpost,
    /// scripts/kconfig.
    Kconfig,
    /// objtool.
    Objtool,
    /// sparse.
    Sparse,
    /// make itself or an unknown tool.
    Make,
}

/// One message of a build tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Severity.
    pub level: Level,
    /// Who said it.
    pub tool: Tool,
    /// Source path relative to the tree; empty when the tool named none.
    pub file: String,
    /// Line, 0 when unknown.
    pub line: u32,
    /// Function it was "In function", when the tool said so.
    pub function: Option<String>,
    /// Message, without file and option.
    pub message: String,
    /// Option that enables it, e.g. `-Wunused-variable`.
    pub option: Option<String>,
    /// The lines as printed (message, source excerpt, notes).
    pub text: String,
}

/// A symbol that a kconfig asks for and that did not end up so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DroppedSymbol {
    /// Name without `CONFIG_`.
    pub symbol: String,
    /// Value asked for (`y`, `m`, `n` or a literal).
    pub wanted: String,
    /// Value it has (`n` when it is not set).
    pub got: String,
    /// Who asked: `hmm.config:12`, or `require` of the matrix.
    pub asked_by: String,
    /// Why: the dependencies that are not met, what selects it, or that no Kconfig file defines it.
    pub why: String,
}

impl std::fmt::Display for DroppedSymbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { symbol, wanted, got, asked_by, why } = self;
        let how = if got == "n" { "was dropped".to_owned() } else { format!("ended up ={got}") };
        write!(f, "CONFIG_{symbol}={wanted} ({asked_by}) {how}: {why}")
    }
}

/// A path that the series touches and that a build of kind compile could not cover.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NotCompiled {
    /// Path relative to the tree.
    pub path: String,
    /// Why, e.g. `not enabled in this kconfig`.
    pub reason: String,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum BuildOutcome {
    /// Everything asked for was made.
    Built,
    /// The kernel's own fault: it does not compile, link or configure.
    Failed {
        /// One line: the first error.
        reason: String,
    },
    /// The kernel is fine but the selftests of this revision do not build.
    SelftestsFailed {
        /// One line: the first error.
        reason: String,
    },
    /// Trouble of ours or the host's (disk full, killed, sandbox): says nothing about the series.
    Infra {
        /// One line.
        reason: String,
    },
    /// Not tried.
    NotRun {
        /// Why, e.g. `cross compiler missing: apt-get install gcc-aarch64-linux-gnu`.
        reason: String,
    },
}

/// What a build left, all content-hashed with blake3 (hex).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefacts {
    /// Folder in the cache that holds them.
    pub dir: Utf8PathBuf,
    /// Hash of the bootable image and modules together; `None` for kind compile or a failed build.
    pub image: Option<String>,
    /// File name of the image inside `dir`.
    pub image_file: Option<String>,
    /// GNU build id of the kernel (hex), by which a running one is known.
    #[serde(default)]
    pub build_id: Option<String>,
    /// Module files inside `dir`, in load order.
    pub modules: Vec<String>,
    /// Hash of the selftest programs together.
    pub selftests: Option<String>,
    /// Selftest files inside `dir`, e.g. `selftests/hmm-tests`.
    pub selftest_files: Vec<String>,
    /// File inside `dir` that lists the sources and headers of the tree that the build was made of, one per line.
    #[serde(default)]
    pub sources: Option<String>,
}

/// The record of one build. Same key, same record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// Content key (blake3 hex) of everything that determines the result.
    pub key: String,
    /// Revision built.
    pub revision: Revision,
    /// Kconfig name.
    pub kconfig: String,
    /// Kind of the kconfig.
    pub kind: Kind,
    /// How it ended.
    pub outcome: BuildOutcome,
    /// All diagnostics that hold for this revision: those printed now and those of objects that did not need
    /// rebuilding.
    pub diagnostics: Vec<Diagnostic>,
    /// For kind compile: the objects compiled. Empty otherwise.
    pub compiled: Vec<String>,
    /// For kind compile: touched paths that were not compiled, and why.
    #[serde(default)]
    pub not_compiled: Vec<NotCompiled>,
    /// Symbols the kconfig asks for that did not end up so; when there are any, nothing was compiled.
    #[serde(default)]
    pub dropped: Vec<DroppedSymbol>,
    /// Things a person should know: fallbacks taken, limits reached. One sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Compiler, linker and their versions, as in the key.
    #[serde(default)]
    pub toolchain: String,
    /// What was left.
    pub artefacts: Artefacts,
    /// Whether the build ran without network, credentials and home directory; else why not.
    pub sandbox: Result<(), String>,
    /// Log file in `artefacts.dir`.
    pub log: String,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// CPU time of all children in milliseconds.
    pub cpu_ms: u64,
    /// The command line that repeats it.
    pub replay: String,
}

impl BuildRecord {
    /// The record of a build that was not tried, or has only begun.
    pub fn unbuilt(revision: Revision, kconfig: &Kconfig, outcome: BuildOutcome) -> BuildRecord {
        BuildRecord {
            key: String::new(),
            revision,
            kconfig: kconfig.name.clone(),
            kind: kconfig.kind,
            outcome,
            diagnostics: Vec::new(),
            compiled: Vec::new(),
            not_compiled: Vec::new(),
            dropped: Vec::new(),
            notes: Vec::new(),
            toolchain: String::new(),
            artefacts: Artefacts::default(),
            sandbox: Err("nothing was built".to_owned()),
            log: String::new(),
            wall_ms: 0,
            cpu_ms: 0,
            replay: String::new(),
        }
    }
}
