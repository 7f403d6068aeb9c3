//! Manifests: the series known by name.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigError, Home};
use crate::words::Upstream;

/// Files of `series/` that are no manifests.
const OTHER_FILES: [&str; 5] = ["lists", "nightly", "places", "sources", "trees"];

/// A series file, `series/<name>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the series; equal to the file's stem.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What was posted.
    pub upstream: ManifestUpstream,
    /// Tree to use when the user names none.
    pub default_tree: String,
    /// Folders with the patches for trees to which the posted mails do not apply, by tree, relative to `series/`.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
}

/// The posted series behind a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestUpstream {
    /// Subject of the cover letter without its prefix.
    pub title: String,
    /// Version, the `6` of `[PATCH v6 0/3]`.
    pub version: u32,
    /// Message-ID of the cover letter without angle brackets.
    pub message_id: String,
    /// Names of the trees to which the posted mails apply.
    pub trees: Vec<String>,
}

impl From<ManifestUpstream> for Upstream {
    fn from(upstream: ManifestUpstream) -> Self {
        let ManifestUpstream { title, version, message_id, trees } = upstream;
        Upstream { title, version, message_id, trees }
    }
}

impl Manifest {
    /// Reads `series/<name>.yaml`.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load(home: &Home, name: &str) -> Result<Manifest, ConfigError> {
        let folder = home.series_dir();
        let file = folder.join(format!("{name}.yaml"));
        let (manifest, document) = config::load_document::<Manifest>(&file)?;
        let mut problems = Vec::new();
        if manifest.name != name {
            let hint = format!("write `name: {name}`, or rename the file to {}.yaml", manifest.name);
            problems.push(document.problem(&["name"], "the name is not that of the file", Some(hint)));
        }
        if manifest.upstream.message_id.contains(['<', '>', ' ']) || !manifest.upstream.message_id.contains('@') {
            let hint = "write it as in the Message-ID header, without angle brackets".to_owned();
            problems.push(document.problem(&["upstream", "message_id"], "this is no Message-ID", Some(hint)));
        }
        for (tree, port) in &manifest.ports {
            let path = ["ports", tree.as_str()];
            if !is_inside(Utf8Path::new(port)) {
                let hint = format!("name a folder below {folder}, such as {name}/{tree}");
                problems.push(document.problem(
                    &path,
                    format!("the folder `{port}` leads outside series/"),
                    Some(hint),
                ));
            } else if !folder.join(port).is_dir() {
                let hint = format!("put the patches into {}", folder.join(port));
                problems.push(document.problem(&path, format!("the folder `{port}` does not exist"), Some(hint)));
            }
        }
        ConfigError::unless_empty(problems)?;
        Ok(manifest)
    }

    /// Folder with the patches for `tree`, when there is a port to it.
    pub fn port_dir(&self, home: &Home, tree: &str) -> Option<Utf8PathBuf> {
        self.ports.get(tree).map(|port| home.series_dir().join(port))
    }

    /// Names of all manifests, sorted.
    ///
    /// # Errors
    /// When `series/` cannot be listed.
    pub fn names(home: &Home) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in home.series_dir().read_dir_utf8()? {
            let entry = entry?;
            let path = entry.path();
            if let (Some("yaml"), Some(stem)) = (path.extension(), path.file_stem())
                && !OTHER_FILES.contains(&stem)
                && path.is_file()
            {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

fn is_inside(path: &Utf8Path) -> bool {
    path.components().all(|component| matches!(component, camino::Utf8Component::Normal(_)))
        && !path.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
name: v9
title: A title
upstream: {title: Posted, version: 9, message_id: a@b, trees: [mainline]}
default_tree: linux-6.12
ports: {linux-6.12: v9/linux-6.12}
";

    fn home(manifests: &[(&str, &str)]) -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        std::fs::create_dir_all(root.join("series/v9/linux-6.12")).unwrap();
        std::fs::create_dir_all(root.join("kconfigs")).unwrap();
        for (name, text) in manifests {
            std::fs::write(root.join("series").join(name), text).unwrap();
        }
        let home = Home::find(Some(&root), &root, &root).unwrap();
        (folder, home)
    }

    #[test]
    fn a_manifest_is_read_and_its_port_found() {
        let others = OTHER_FILES.map(|name| format!("{name}.yaml"));
        let others = others.iter().map(|name| (name.as_str(), ""));
        let files: Vec<(&str, &str)> = [("v9.yaml", GOOD), ("v8.yaml", "")].into_iter().chain(others).collect();
        let (_keep, home) = home(&files);
        let manifest = Manifest::load(&home, "v9").unwrap();
        assert_eq!(manifest.port_dir(&home, "linux-6.12"), Some(home.series_dir().join("v9/linux-6.12")));
        assert_eq!(manifest.port_dir(&home, "mainline"), None);
        assert_eq!(Manifest::names(&home).unwrap(), ["v8", "v9"]);
    }

    #[test]
    fn what_types_cannot_say_is_checked_too() {
        let text = GOOD
            .replace("name: v9", "name: v8")
            .replace("a@b", "<a@b>")
            .replace("v9/linux-6.12}", "../elsewhere, next: v9/next}");
        let (_keep, home) = home(&[("v9.yaml", &text)]);
        let error = Manifest::load(&home, "v9").unwrap_err().to_string().replace(home.root().as_str(), "HOME");
        insta::assert_snapshot!(error, @r"
        HOME/series/v9.yaml:1:1: the name is not that of the file (write `name: v9`, or rename the file to v8.yaml)
        HOME/series/v9.yaml:3:39: this is no Message-ID (write it as in the Message-ID header, without angle brackets)
        HOME/series/v9.yaml:5:9: the folder `../elsewhere` leads outside series/ (name a folder below HOME/series, such as v9/linux-6.12)
        HOME/series/v9.yaml:5:35: the folder `v9/next` does not exist (put the patches into HOME/series/v9/next)
        ");
    }
}
