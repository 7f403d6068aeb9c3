//! Which objects a configuration enables, as the tree's Makefiles say.
//!
//! Kbuild has no question for that. So each folder on the way to a candidate is asked for `obj-y`, `obj-m` and what
//! they consist of, with nothing but the configuration set; that is the part of kbuild that all Makefiles rely on.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::closure::normal;

/// The Makefile that asks one folder. Variables given to it: `srctree`, `config`, `dir`, `ARCH`, `SRCARCH`, `BITS`.
pub(in crate::build) fn listing_makefile() -> &'static str {
    "\
include $(config)
obj := $(dir)
src := $(srctree)/$(dir)
objtree := .
include $(firstword $(wildcard $(src)/Kbuild) $(src)/Makefile)
parts = $($(1:.o=-objs)) $($(1:.o=-y)) $(if $(filter $(1),$(obj-m)),$($(1:.o=-m)))
leaves = $(or $(strip $(call parts,$(1))),$(1))
all-objects := $(filter %.o,$(obj-y) $(obj-m) $(lib-y) $(lib-m))
$(foreach o,$(all-objects),$(foreach l,$(filter %.o,$(call leaves,$(o))),$(info O $(dir)/$(l))))
$(foreach d,$(filter %/,$(obj-y) $(obj-m)) $(addsuffix /,$(filter-out %/,$(subdir-y) $(subdir-m))),$(info D $(dir)/$(d)))
.PHONY: listing
listing: ;
"
}

/// What one folder enables.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::build) struct Listing {
    /// Objects by clean path, as kbuild calls them.
    pub objects: BTreeMap<String, String>,
    /// Folders it descends to.
    pub folders: Vec<String>,
}

/// Reads the answer for several folders: `F <folder>`, then its `O` and `D` lines, then `E <folder>` when it failed.
pub(in crate::build) fn parse_listing(text: &str) -> BTreeMap<String, Option<Listing>> {
    let mut answers: BTreeMap<String, Option<Listing>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once(' ') else { continue };
        let clean = || normal(Utf8Path::new(rest)).into_string();
        match kind {
            "F" => {
                answers.insert(rest.to_owned(), Some(Listing::default()));
                current = Some(rest.to_owned());
            }
            "E" => {
                answers.insert(rest.to_owned(), None);
                current = None;
            }
            "O" | "D" => {
                let listing = current.as_ref().and_then(|folder| answers.get_mut(folder)?.as_mut());
                if let Some(listing) = listing {
                    if kind == "O" {
                        let target = rest.strip_prefix("./").unwrap_or(rest).to_owned();
                        listing.objects.insert(clean(), target);
                    } else {
                        listing.folders.push(clean());
                    }
                }
            }
            _ => {}
        }
    }
    answers
}

/// Finds out, folder by folder, which of some objects are enabled.
#[derive(Debug)]
pub(in crate::build) struct Enabled {
    candidates: Vec<String>,
    entered: BTreeSet<String>,
    asked: BTreeSet<String>,
    objects: BTreeMap<String, String>,
    /// Folders whose Makefile could not be read.
    pub unreadable: Vec<String>,
}

impl Enabled {
    /// For these objects (paths ending in `.o`). `arch_folders` are those that the architecture's Makefile adds to the
    /// build.
    pub fn new(candidates: Vec<String>, arch_folders: impl IntoIterator<Item = String>) -> Self {
        let entered = ["".to_owned(), "lib".to_owned()].into_iter().chain(arch_folders).collect();
        Enabled { candidates, entered, asked: BTreeSet::new(), objects: BTreeMap::new(), unreadable: Vec::new() }
    }

    /// Folders to ask next; empty when everything is known.
    pub fn questions(&mut self) -> Vec<String> {
        let open: Vec<&Utf8Path> = self
            .candidates
            .iter()
            .filter(|candidate| !self.objects.contains_key(*candidate))
            .map(Utf8Path::new)
            .collect();
        let wanted = |folder: &&String| {
            let folder = Utf8Path::new(folder.as_str());
            // A module may be made of objects of the folders beside it (amdgpu of amdkfd).
            let beside = folder.parent().filter(|parent| parent.components().count() >= 4);
            open.iter().any(|object| object.starts_with(folder) || beside.is_some_and(|p| object.starts_with(p)))
        };
        let next: Vec<String> = self.entered.difference(&self.asked).filter(wanted).cloned().collect();
        self.asked.extend(next.iter().cloned());
        next
    }

    /// Takes the answers.
    pub fn answer(&mut self, answers: BTreeMap<String, Option<Listing>>) {
        for (folder, listing) in answers {
            match listing {
                Some(listing) => {
                    self.objects.extend(listing.objects);
                    self.entered.extend(listing.folders);
                }
                None => self.unreadable.push(folder),
            }
        }
    }

    /// What kbuild calls this object, when it is enabled.
    pub fn target(&self, object: &str) -> Option<&str> {
        self.objects.get(object).map(String::as_str)
    }
}

/// Folders that `arch/<arch>/Makefile` adds to the build in a configuration: `drivers-$(CONFIG_PCI) += arch/x86/pci/`.
pub(in crate::build) fn arch_folders(makefile: &str, config: &str) -> Vec<String> {
    let enabled =
        |symbol: &str| ["y", "m"].iter().any(|value| config.lines().any(|line| line == format!("{symbol}={value}")));
    let mut folders = Vec::new();
    for line in makefile.lines() {
        let Some((variable, value)) = line.split_once('=') else { continue };
        let variable = variable.trim().trim_end_matches(['+', ':']).trim();
        let Some((list, condition)) = variable.split_once('-') else { continue };
        let symbol = condition.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
        let holds = condition == "y" || symbol.is_some_and(enabled);
        if matches!(list, "core" | "drivers" | "libs" | "head") && holds {
            let named = value.split_whitespace().filter(|word| word.starts_with("arch/") && word.ends_with('/'));
            folders.extend(named.map(|word| word.trim_end_matches('/').to_owned()));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(objects: &[(&str, &str)], folders: &[&str]) -> Option<Listing> {
        let own = |text: &&str| (*text).to_owned();
        let objects = objects.iter().map(|(clean, target)| (own(clean), own(target))).collect();
        Some(Listing { objects, folders: folders.iter().map(own).collect() })
    }

    #[test]
    fn answers_are_read() {
        let text = "F .\nD ./mm/\nD ./drivers/\nF mm\nO mm/hmm.o\nnoise\nO mm/../lib/x.o\nF bad\nO bad/y.o\nE bad\n";
        let found = parse_listing(text);
        assert_eq!(found["."], listing(&[], &["mm", "drivers"]));
        assert_eq!(found["mm"], listing(&[("mm/hmm.o", "mm/hmm.o"), ("lib/x.o", "mm/../lib/x.o")], &[]));
        assert_eq!(found["bad"], None);
    }

    #[test]
    fn only_folders_on_the_way_are_asked() {
        let amd = "drivers/gpu/drm/amd/amdkfd/kfd_migrate.o";
        let mut enabled = Enabled::new(vec!["mm/hmm.o".into(), amd.into(), "net/off.o".into()], []);
        assert_eq!(enabled.questions(), [""]);
        enabled.answer([("".to_owned(), listing(&[], &["mm", "drivers", "fs"]))].into());
        assert_eq!(enabled.questions(), ["drivers", "mm"]);
        enabled.answer(
            [
                ("mm".to_owned(), listing(&[("mm/hmm.o", "mm/hmm.o")], &["mm/kasan"])),
                ("drivers".to_owned(), listing(&[], &["drivers/gpu", "drivers/net"])),
            ]
            .into(),
        );
        assert_eq!(enabled.questions(), ["drivers/gpu"]);
        enabled.answer([("drivers/gpu".to_owned(), listing(&[], &["drivers/gpu/drm"]))].into());
        assert_eq!(enabled.questions(), ["drivers/gpu/drm"]);
        let beside = ["drivers/gpu/drm/amd/amdgpu", "drivers/gpu/drm/xe"];
        enabled.answer([("drivers/gpu/drm".to_owned(), listing(&[], &beside))].into());
        assert_eq!(enabled.questions(), ["drivers/gpu/drm/amd/amdgpu"]);
        let target = "drivers/gpu/drm/amd/amdgpu/../amdkfd/kfd_migrate.o";
        enabled.answer([("drivers/gpu/drm/amd/amdgpu".to_owned(), listing(&[(amd, target)], &[]))].into());
        assert_eq!(enabled.questions(), [""; 0]);
        assert_eq!((enabled.target("mm/hmm.o"), enabled.target(amd)), (Some("mm/hmm.o"), Some(target)));
        assert_eq!(enabled.target("net/off.o"), None);
    }

    #[test]
    fn architectures_add_folders() {
        let makefile = "libs-y  += arch/x86/lib/\ndrivers-$(CONFIG_PCI)            += arch/x86/pci/\n\
                        drivers-$(CONFIG_PM) += arch/x86/power/\nKBUILD_CFLAGS += -m64\nlibs-y := arch/arm64/lib/ $(libs-y)\n";
        assert_eq!(
            arch_folders(makefile, "CONFIG_PCI=y\n# CONFIG_PM is not set\n"),
            ["arch/x86/lib", "arch/x86/pci", "arch/arm64/lib"]
        );
    }
}
