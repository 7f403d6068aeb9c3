//! `lab/engines.yaml`: engines beside the built-in `local`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Home, closest, load_document};

/// The engine that is always there.
pub const LOCAL: &str = "local";

/// The file `lab/engines.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnginesFile {
    /// Engine of runs that name none; `local` when absent.
    #[serde(default)]
    pub default: Option<String>,
    /// Engines by name; `local` is always there.
    #[serde(default)]
    pub engines: BTreeMap<String, EngineEntry>,
}

/// One engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineEntry {
    /// Jobs of Slurm.
    pub slurm: SlurmFile,
}

/// A cluster of Slurm's whose nodes see the cache under the same path as this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlurmFile {
    /// Configuration file of Slurm, absolute; `SLURM_CONF` or Slurm's own place when absent.
    #[serde(default)]
    pub conf: Option<String>,
    /// This program on the nodes, absolute; the running one when absent.
    #[serde(default)]
    pub program: Option<String>,
    /// Builds at once: chains of revisions, one per kconfig.
    #[serde(default = "builds_at_once")]
    pub builds_at_once: usize,
    /// Jobs in the queue at once.
    #[serde(default = "jobs")]
    pub jobs: usize,
    /// Seconds between two looks at the queue.
    #[serde(default = "poll")]
    pub poll: u64,
    /// What a build gets.
    #[serde(default)]
    pub build: Shape,
    /// What a guest gets.
    #[serde(default)]
    pub boot: Shape,
    /// What the unit of a box gets; its partition and licence are in the machine's file.
    #[serde(default)]
    pub r#box: Shape,
}

fn builds_at_once() -> usize {
    4
}

fn jobs() -> usize {
    200
}

fn poll() -> u64 {
    2
}

/// What a job asks of Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// Partition; the cluster's default when absent.
    pub partition: Option<String>,
    /// Features a node must have, e.g. `qemu&hmm`.
    pub constraint: Option<String>,
    /// Generic resources, e.g. `kvm:1`.
    pub gres: Option<String>,
    /// CPUs; a build runs as many jobs of make.
    pub cpus: usize,
    /// Memory in MiB.
    pub memory: u64,
    /// Longest time in minutes.
    pub minutes: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { partition: None, constraint: None, gres: None, cpus: 2, memory: 2000, minutes: 240 }
    }
}

/// Reads `lab/engines.yaml`; without one there is only `local`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn engines(home: &Home) -> Result<EnginesFile, ConfigError> {
    let path = home.root().join("lab/engines.yaml");
    if !path.exists() {
        return Ok(EnginesFile::default());
    }
    let (file, document) = load_document::<EnginesFile>(&path)?;
    let mut problems = Vec::new();
    let mut unless = |good: bool, path: &[&str], message: String, hint: Option<String>| {
        if !good {
            problems.push(document.problem(path, message, hint));
        }
    };
    for (name, entry) in &file.engines {
        let at = |key| ["engines", name.as_str(), "slurm", key];
        let reserved = format!("`{LOCAL}` is built in and has no settings");
        unless(name != LOCAL, &["engines", name], reserved, Some("give it another name".to_owned()));
        let slurm = &entry.slurm;
        for (key, path) in [("conf", &slurm.conf), ("program", &slurm.program)] {
            let good = path.as_ref().is_none_or(|path| path.starts_with('/') && !path.contains(char::is_whitespace));
            unless(good, &at(key), "must be an absolute path without spaces".to_owned(), None);
        }
        let counts =
            [("builds_at_once", slurm.builds_at_once as u64), ("jobs", slurm.jobs as u64), ("poll", slurm.poll)];
        for (key, value) in counts {
            unless((1..=10_000).contains(&value), &at(key), "must be 1 to 10000".to_owned(), None);
        }
        for (kind, shape) in [("build", &slurm.build), ("boot", &slurm.boot), ("box", &slurm.r#box)] {
            let good = shape.cpus > 0 && shape.memory > 0 && shape.minutes > 0;
            unless(good, &at(kind), "cpus, memory and minutes must be more than 0".to_owned(), None);
        }
    }
    if let Some(name) = &file.default {
        unless(file.has(name), &["default"], format!("there is no engine `{name}`"), file.hint(name));
    }
    ConfigError::unless_empty(problems)?;
    Ok(file)
}

impl EnginesFile {
    fn has(&self, name: &str) -> bool {
        name == LOCAL || self.engines.contains_key(name)
    }

    fn hint(&self, name: &str) -> Option<String> {
        let names = self.engines.keys().map(String::as_str).chain([LOCAL]);
        closest(name, names).map(|near| format!("did you mean `{near}`?"))
    }

    /// The name of the engine that is meant: the one asked for, else the file's, else `local`.
    ///
    /// # Errors
    /// When there is no such engine; one sentence.
    pub fn choose(&self, asked: Option<&str>) -> Result<String, String> {
        let name = asked.or(self.default.as_deref()).unwrap_or(LOCAL);
        if self.has(name) {
            return Ok(name.to_owned());
        }
        let hint = self.hint(name).map(|hint| format!("; {hint}")).unwrap_or_default();
        Err(format!("there is no engine `{name}` in lab/engines.yaml{hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8Path;

    fn home(text: &str) -> (tempfile::TempDir, Home) {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(guard.path()).unwrap().to_owned();
        for folder in ["series", "kconfigs", "lab"] {
            fs_err::create_dir_all(root.join(folder)).unwrap();
        }
        fs_err::write(root.join("lab/engines.yaml"), text).unwrap();
        let home = Home::find(Some(&root), &root, &root.join("cache")).unwrap();
        (guard, home)
    }

    #[test]
    fn an_engine_is_chosen_by_name() {
        let (_guard, home) = home("default: cluster\nengines:\n  cluster:\n    slurm:\n      build: {cpus: 8}\n");
        let file = engines(&home).unwrap();
        assert_eq!(file.choose(None).unwrap(), "cluster");
        assert_eq!(file.choose(Some("local")).unwrap(), "local");
        assert_eq!(file.engines["cluster"].slurm.build.cpus, 8);
        assert!(file.choose(Some("clutser")).unwrap_err().contains("did you mean `cluster`?"));
    }

    #[test]
    fn every_problem_is_named() {
        let text = "default: gone\nengines:\n  local:\n    slurm: {conf: here, poll: 0, boot: {cpus: 0}}\n";
        let (_guard, home) = home(text);
        let said = engines(&home).unwrap_err().to_string();
        for part in ["no engine `gone`", "built in", "absolute path", "1 to 10000", "more than 0"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
