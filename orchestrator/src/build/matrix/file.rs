//! The matrix file as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{BootSpec, Kind, Profile};

/// `kconfigs/matrix.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatrixFile {
    /// The kconfigs by name, in the order they are built.
    pub kconfigs: BTreeMap<String, MatrixEntry>,
}

/// Which compiler builds a kconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// gcc and binutils.
    Gcc,
    /// clang and all of LLVM (`LLVM=1`).
    Clang,
}

impl Compiler {
    /// As in [`crate::words::Kconfig::toolchain`].
    pub(super) fn name(self) -> &'static str {
        match self {
            Compiler::Gcc => "gcc",
            Compiler::Clang => "clang",
        }
    }
}

/// One kconfig of the matrix. `kind`, `profile`, `base` and `about` must be given here or in the entry it is `like`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MatrixEntry {
    /// Name of another kconfig; what is not given here is taken from it.
    pub like: Option<String>,
    /// What it is for, one line.
    pub about: Option<String>,
    /// How far it goes: compile the objects a series can reach, link a kernel, or boot it.
    pub kind: Option<Kind>,
    /// First profile that holds it.
    pub profile: Option<Profile>,
    /// Kernel `ARCH`; x86_64 when not given.
    pub arch: Option<String>,
    /// Base target: `tinyconfig`, `allnoconfig`, `defconfig`, `allmodconfig`, `randconfig`.
    pub base: Option<String>,
    /// Seed of a `randconfig`.
    pub seed: Option<u32>,
    /// Files in `kconfigs/`, in order; later ones win.
    pub fragments: Option<Vec<String>>,
    /// Symbols (without `CONFIG_`) that must end up so, beside all that the fragments set: `y`, `m`, `n` or a literal.
    pub require: Option<BTreeMap<String, String>>,
    /// Symbols of the fragments that may be dropped, because not every tree has them.
    pub optional: Option<Vec<String>>,
    /// Compiler; gcc when not given.
    pub toolchain: Option<Compiler>,
    /// Prefix of the cross compiler, e.g. `aarch64-linux-gnu-`.
    pub cross_compile: Option<String>,
    /// Further make variables, e.g. `W=1`.
    pub make: Option<Vec<String>>,
    /// How to boot it; only for kind boot.
    pub boot: Option<BootSpec>,
}

impl MatrixEntry {
    /// This entry with what it does not give taken from `other`.
    pub(super) fn over(self, other: MatrixEntry) -> MatrixEntry {
        MatrixEntry {
            like: self.like,
            about: self.about.or(other.about),
            kind: self.kind.or(other.kind),
            profile: self.profile.or(other.profile),
            arch: self.arch.or(other.arch),
            base: self.base.or(other.base),
            seed: self.seed.or(other.seed),
            fragments: self.fragments.or(other.fragments),
            require: self.require.or(other.require),
            optional: self.optional.or(other.optional),
            toolchain: self.toolchain.or(other.toolchain),
            cross_compile: self.cross_compile.or(other.cross_compile),
            make: self.make.or(other.make),
            boot: self.boot.or(other.boot),
        }
    }
}
