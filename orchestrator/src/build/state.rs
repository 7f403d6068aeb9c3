//! What is remembered of an `O=` folder between builds.
//!
//! make keeps its objects between revisions, but says a warning only while it compiles. So the warnings are kept here,
//! by target, as long as the target is.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::diagnostics::Said;
use super::mend::mend;
use crate::words::{Diagnostic, DroppedSymbol, Level};

/// Raised when [`State`] changes its meaning; older folders are then emptied.
const FORMAT: u32 = 1;
pub(super) const STATE: &str = ".orchestrator-state.json";

/// A resolved configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resolved {
    /// Git tree it was resolved for.
    pub tree: String,
    /// Hash of everything else that went in: kconfig, toolchain.
    pub inputs: String,
    /// Hash of the `.config` that came out.
    pub config: String,
    /// What scripts/kconfig said.
    pub diagnostics: Vec<Diagnostic>,
    /// Symbols that did not end up as asked.
    pub dropped: Vec<DroppedSymbol>,
}

/// What is remembered of an `O=` folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    format: u32,
    identity: String,
    /// The configuration in `.config`; `None` when there is none that can be relied on.
    pub resolved: Option<Resolved>,
    /// Warnings of targets that exist, by target.
    warnings: BTreeMap<String, Kept>,
    /// What the tools answered kbuild in the last build that ended well; `None` when the next may answer otherwise.
    #[serde(default)]
    pub answers: Option<Answers>,
    /// Step lines of the last build from nothing.
    pub full_steps: u64,
    /// Step lines of the last build on top of another.
    pub last_steps: u64,
}

/// Warnings of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    diagnostics: Vec<Diagnostic>,
    /// Whether an archive or module listed the target when it was made.
    listed: bool,
}

/// Whether the state was found or begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The folder is empty now.
    Fresh,
    /// Objects of an earlier build are there.
    Kept,
}

impl State {
    /// Prepares `out` for a build of `identity` (source folder, architecture, toolchain: whatever makes old objects
    /// useless when it changes).
    ///
    /// A folder that a killed build left behind is mended first; one that is unknown or of another identity is
    /// emptied.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(out: &Utf8Path, identity: &str) -> std::io::Result<(State, Found)> {
        fs_err::create_dir_all(out)?;
        mend(out)?;
        if let Some(state) = State::read(out).filter(|state| state.identity == identity) {
            return Ok((state, Found::Kept));
        }
        for entry in fs_err::read_dir(out)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() { fs_err::remove_dir_all(path)? } else { fs_err::remove_file(path)? }
        }
        Ok((State { format: FORMAT, identity: identity.to_owned(), ..State::default() }, Found::Fresh))
    }

    /// The state that `out` has, when this program can read it.
    pub fn read(out: &Utf8Path) -> Option<State> {
        let text = fs_err::read_to_string(out.join(STATE)).ok()?;
        serde_json::from_str(&text).ok().filter(|state: &State| state.format == FORMAT)
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, out: &Utf8Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        let partial = out.join(format!("{STATE}.partial"));
        fs_err::write(&partial, text)?;
        fs_err::rename(partial, out.join(STATE))
    }

    /// Takes over what a make said and gives all diagnostics that hold now: those it said, and the warnings of targets
    /// that it did not touch and that are still part of the build.
    ///
    /// Only warnings are remembered. A target with an error does not exist, so that make tries it again and the error
    /// is said again, if it still is one.
    pub fn absorb(&mut self, said: &Said, out: &Utf8Path) -> Vec<Diagnostic> {
        self.warnings.retain(|target, kept| !said.targets.contains_key(target) && alive(out, target, kept.listed));
        let mut all: BTreeMap<&String, &Vec<Diagnostic>> = said.targets.iter().collect();
        all.extend(self.warnings.iter().map(|(target, kept)| (target, &kept.diagnostics)));
        let diagnostics = all.into_values().flatten().chain(&said.loose).cloned().collect();
        for (target, found) in &said.targets {
            let warnings: Vec<_> = found.iter().filter(|d| d.level == Level::Warning).cloned().collect();
            if !warnings.is_empty() {
                let kept = Kept { diagnostics: warnings, listed: listed(out, target) };
                self.warnings.insert(target.clone(), kept);
            }
        }
        diagnostics
    }
}

/// Whether a target that was not made this time still is part of the build: its file is there, the source it was made
/// from is, and what listed it lists it still.
fn alive(out: &Utf8Path, target: &str, was_listed: bool) -> bool {
    let path = Utf8Path::new(target);
    // sparse is said under the name of the source; what it checked became this object.
    let object = if target.ends_with(".c") { path.with_extension("o") } else { path.to_owned() };
    if !out.join(&object).exists() {
        return false;
    }
    let record = object.with_file_name(format!(".{}.cmd", object.file_name().unwrap_or_default()));
    let command = fs_err::read_to_string(out.join(record)).unwrap_or_default();
    let source = command.lines().find_map(|line| line.strip_prefix("source_")?.split_once(" := "));
    let source_there = source.is_none_or(|(_, source)| out.join(source.trim()).exists());
    source_there && (!was_listed || listed(out, object.as_str()))
}

/// Whether an archive or module in the target's folder lists it.
fn listed(out: &Utf8Path, target: &str) -> bool {
    let path = Utf8Path::new(target).with_extension("o");
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let member = format!("\n{name}/\n");
    let in_archive = |archive: &str| {
        let text = fs_err::read(out.join(folder).join(archive)).unwrap_or_default();
        // The first name follows the header of the name table.
        let text = String::from_utf8_lossy(&text).replace("`\n", "\n\n");
        text.contains(&member)
    };
    let in_module = || {
        let entries = out.join(folder).read_dir_utf8().into_iter().flatten().flatten();
        let mods = entries.filter(|entry| entry.file_name().ends_with(".mod"));
        mods.into_iter().any(|entry| {
            let text = fs_err::read_to_string(entry.path()).unwrap_or_default();
            text.split_whitespace().any(|object| object == path.as_str())
        })
    };
    in_archive("built-in.a") || in_archive("lib.a") || in_module()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder;
    use crate::words::testing::warning;

    fn said(target: &str, diagnostics: Vec<Diagnostic>) -> Said {
        Said { targets: BTreeMap::from([(target.to_owned(), diagnostics)]), ..Said::default() }
    }

    #[test]
    fn warnings_stay_with_targets_that_were_not_rebuilt() {
        let (_guard, out) = folder();
        for file in ["lib/test_hmm.o", "mm/hmm.o"] {
            fs_err::create_dir_all(out.join(file).parent().unwrap()).unwrap();
            fs_err::write(out.join(file), "").unwrap();
        }
        let mut state = State::default();
        let one = warning("lib/test_hmm.c", 1, "big frame", "-Wframe-larger-than=");
        let two = warning("mm/hmm.c", 2, "unused", "-Wunused-variable");
        assert_eq!(state.absorb(&said("lib/test_hmm.o", vec![one.clone()]), &out), std::slice::from_ref(&one));
        assert_eq!(state.absorb(&said("mm/hmm.o", vec![two.clone()]), &out), [one.clone(), two.clone()]);
        assert_eq!(state.absorb(&said("mm/hmm.o", vec![]), &out), [one], "rebuilt without the warning");
        fs_err::remove_file(out.join("lib/test_hmm.o")).unwrap();
        assert_eq!(state.absorb(&Said::default(), &out), [], "the object is gone");
        assert_eq!(state.warnings, BTreeMap::new());
    }

    #[test]
    fn warnings_go_with_the_source_and_with_the_line_of_the_makefile() {
        let (_guard, out) = folder();
        let source = out.join("hmm.c");
        let write = |file: &str, text: &str| {
            fs_err::create_dir_all(out.join(file).parent().unwrap()).unwrap();
            fs_err::write(out.join(file), text).unwrap();
        };
        write("hmm.c", "");
        write("mm/hmm.o", "");
        write("mm/.hmm.o.cmd", &format!("savedcmd_mm/hmm.o := gcc\n\nsource_mm/hmm.o := {source}\n"));
        write("mm/built-in.a", "!<thin>\n//   20        `\nhmm.o/\ngup.o/\n\n/0   0  ");
        let found = warning("mm/hmm.c", 1, "unused", "-Wunused-variable");
        let mut state = State::default();
        state.absorb(&said("mm/hmm.o", vec![found.clone()]), &out);
        assert_eq!(state.clone().absorb(&Said::default(), &out), std::slice::from_ref(&found));
        write("mm/built-in.a", "!<thin>\n//   20        `\ngup.o/\n\n/0   0  ");
        assert_eq!(state.clone().absorb(&Said::default(), &out), [], "no longer in the Makefile");
        write("mm/hmm.mod", "mm/hmm.o\n");
        assert_eq!(state.clone().absorb(&Said::default(), &out), [found], "in a module instead");
        fs_err::remove_file(&source).unwrap();
        assert_eq!(state.absorb(&Said::default(), &out), [], "the source is gone, the object forgotten");
    }

    #[test]
    fn errors_are_said_but_not_remembered() {
        let (_guard, out) = folder();
        fs_err::create_dir(out.join("mm")).unwrap();
        fs_err::write(out.join("mm/hmm.o"), "").unwrap();
        let mut state = State::default();
        let error = Diagnostic { level: Level::Error, ..warning("mm/hmm.c", 2, "undeclared", "") };
        assert_eq!(state.absorb(&said("mm/hmm.o", vec![error.clone()]), &out), [error]);
        assert_eq!(state.absorb(&Said::default(), &out), []);
    }

    #[test]
    fn a_known_folder_is_kept_and_an_unknown_one_emptied() {
        let (_guard, out) = folder();
        let (state, found) = State::open(&out, "gcc 12").unwrap();
        assert_eq!(found, Found::Fresh);
        fs_err::write(out.join("vmlinux"), "x").unwrap();
        state.save(&out).unwrap();
        let (again, found) = State::open(&out, "gcc 12").unwrap();
        assert_eq!((again, found), (state, Found::Kept));
        assert!(out.join("vmlinux").exists());
        let (_, found) = State::open(&out, "gcc 13").unwrap();
        assert_eq!(found, Found::Fresh);
        assert!(!out.join("vmlinux").exists());
        fs_err::create_dir(out.join("mm")).unwrap();
        fs_err::write(out.join("mm/foreign.o"), "x").unwrap();
        assert_eq!(State::open(&out, "gcc 13").unwrap().1, Found::Fresh, "objects without a state are not believed");
        assert!(!out.join("mm").exists());
    }
}
