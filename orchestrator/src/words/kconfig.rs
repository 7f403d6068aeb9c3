//! Kconfigs: named kernel configurations and what is done with them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tag::{TagValue, Tags, tags};

/// How far a kconfig goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Compile the objects that the series can reach.
    Compile,
    /// Link a whole vmlinux.
    Link,
    /// Link, boot and run suites.
    Boot,
}

/// Which runs a kconfig belongs to. Each profile holds those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The default: a verdict within half an hour on a laptop.
    Quick,
    /// Everything an author would want before sending.
    Full,
    /// Everything that any host can do.
    Nightly,
    /// Everything, and what needs a machine that only your lab has.
    Lab,
}

/// The file of a kernel that a machine boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BootImage {
    /// What kexec, boot loaders and boot servers of PCs take.
    #[serde(rename = "bzImage")]
    BzImage,
}

/// What a boot of a kconfig asks of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BootSpec {
    /// Machine file in `lab/`, without `.yaml`. Without one, the first machine whose architecture fits and whose tags
    /// meet `needs`.
    pub machine: Option<String>,
    /// What the machine must have, where none is named, e.g. `gpu: xe`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "tags")]
    #[schemars(with = "BTreeMap<String, TagValue>")]
    pub needs: Tags,
    /// File of the kernel that it boots; what QEMU takes for the architecture when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<BootImage>,
    /// Memory of the guest in MiB; of a box, what it must have at least.
    pub memory_mib: u32,
    /// Virtual CPUs.
    pub cpus: u32,
    /// NUMA nodes to split memory and CPUs over; 1 means no NUMA topology.
    pub numa_nodes: u32,
    /// Further kernel command line.
    pub append: Vec<String>,
    /// Files of the guest and a word that each must say, e.g. `/sys/kernel/mm/transparent_hugepage/enabled`: `[never]`.
    /// A guest that says otherwise runs no test.
    pub expect: BTreeMap<String, String>,
    /// Factor on every deadline of the boot (KASAN and lockdep kernels are slow).
    pub slowness: u32,
    /// Suites to run, by file name in `lab/suites/` without `.yaml`.
    pub suites: Vec<String>,
    /// Suites that measure, in the same place. They run in boots of their own, on the clocks of the run.
    pub benchmarks: Vec<String>,
}

impl Default for BootSpec {
    fn default() -> Self {
        BootSpec {
            machine: None,
            needs: Tags::new(),
            image: None,
            memory_mib: 3072,
            cpus: 2,
            numa_nodes: 1,
            append: Vec::new(),
            expect: BTreeMap::new(),
            slowness: 1,
            suites: vec!["hmm".to_owned()],
            benchmarks: Vec::new(),
        }
    }
}

impl BootSpec {
    /// Name of the machine; empty where none is named.
    pub fn machine(&self) -> &str {
        self.machine.as_deref().unwrap_or_default()
    }
}

/// One fragment, read from `kconfigs/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    /// File name in `kconfigs/`, e.g. `hmm.config`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A named configuration, complete: nothing further is read to build it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kconfig {
    /// Name in the matrix, e.g. `hmm-kasan`.
    pub name: String,
    /// What it is for, one line.
    pub about: String,
    /// How far it goes.
    pub kind: Kind,
    /// First profile that holds it.
    pub profile: Profile,
    /// Kernel `ARCH`, e.g. `x86_64`, `arm64`.
    pub arch: String,
    /// Base target: `tinyconfig`, `allnoconfig`, `defconfig`, `allmodconfig`, `randconfig`.
    pub base: String,
    /// Seed of a `randconfig` (`KCONFIG_SEED`).
    pub seed: Option<u32>,
    /// Fragments in order; later ones win.
    pub fragments: Vec<Fragment>,
    /// Symbols which must end up so (`y`, `m`, `n` or a literal), beside all that the fragments set.
    pub require: BTreeMap<String, String>,
    /// Symbols of the fragments that may be dropped (they do not exist in every tree).
    pub optional: Vec<String>,
    /// `gcc` or `clang`.
    pub toolchain: String,
    /// Prefix of the cross compiler, e.g. `aarch64-linux-gnu-`; empty for the host's.
    pub cross_compile: String,
    /// Further make variables, e.g. `W=1`.
    pub make: Vec<String>,
    /// How to boot it; present exactly for kind boot.
    pub boot: Option<BootSpec>,
}
