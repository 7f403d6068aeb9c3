//! Kind compile: only the objects that a series can reach, as far as the kconfig enables them.

use camino::Utf8Path;

use super::BuildRequest;
use super::make::source_arch;
use super::reach::{Enabled, arch_folders, listing_makefile, load, parse_listing, reached};
use super::session::Session;
use crate::words::NotCompiled;

/// Most objects compiled; a header that everything includes would otherwise mean the whole kernel. The nearest are taken.
const OBJECT_LIMIT: usize = 400;
/// Most source files looked at.
const CANDIDATE_LIMIT: usize = 6000;

/// What to compile and what cannot be.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Targets for make.
    pub targets: Vec<String>,
    /// Touched paths that are not covered.
    pub not_compiled: Vec<NotCompiled>,
    /// For the record.
    pub notes: Vec<String>,
}

/// Finds the objects to compile for the configuration in `O=`.
///
/// # Errors
/// Trouble of ours; one line.
pub(super) async fn select(
    session: &mut Session<'_>,
    request: &BuildRequest,
    config: &str,
) -> Result<Selection, String> {
    let parent = request.out.parent().unwrap_or(Utf8Path::new("."));
    let _lock = super::work::lock(request, &parent.join("includes")).await?;
    let (source, tree, file) = (request.source.clone(), request.revision.tree.clone(), parent.join(".includes.txt"));
    let touched = request.touched.clone();
    let units = tokio::task::spawn_blocking(move || {
        let includes = load(&source, &tree, &file)?;
        // Each touched path apart as well, to say which one nothing enabled reaches.
        let apart: Vec<(String, Vec<String>)> = touched
            .iter()
            .filter(|path| [".c", ".h", ".S"].iter().any(|end| path.ends_with(end)))
            .filter(|path| !path.starts_with("tools/") && !path.starts_with("Documentation/"))
            .map(|path| (path.clone(), reached(&includes, std::slice::from_ref(path))))
            .collect();
        std::io::Result::Ok((reached(&includes, &touched), apart))
    });
    let (mut units, apart) =
        units.await.map_err(|error| error.to_string())?.map_err(|error| format!("reading includes: {error}"))?;
    let mut selection = Selection::default();
    if units.len() > CANDIDATE_LIMIT {
        let cut = units.len() - CANDIDATE_LIMIT;
        selection
            .notes
            .push(format!("{cut} source files that include touched headers most indirectly were not looked at"));
        units.truncate(CANDIDATE_LIMIT);
    }
    let enabled = ask(session, request, config, &units).await?;
    selection.targets = units.iter().filter_map(|unit| enabled.target(&object(unit))).map(str::to_owned).collect();
    if selection.targets.len() > OBJECT_LIMIT {
        let cut = selection.targets.len() - OBJECT_LIMIT;
        selection
            .notes
            .push(format!("{cut} enabled objects that include touched headers most indirectly were not compiled"));
        selection.targets.truncate(OBJECT_LIMIT);
    }
    for folder in &enabled.unreadable {
        let folder = if folder.is_empty() { "the top folder" } else { folder };
        selection.notes.push(format!("make could not read the Makefile of {folder}; what it enables was not compiled"));
    }
    for (path, units) in apart {
        if units.iter().any(|unit| enabled.target(&object(unit)).is_some()) {
            continue;
        }
        let reason = if !request.source.join(&path).exists() {
            "does not exist in this revision"
        } else if path.ends_with(".h") {
            "nothing that this kconfig enables includes it"
        } else {
            "not enabled in this kconfig"
        };
        selection.not_compiled.push(NotCompiled { path, reason: reason.to_owned() });
    }
    Ok(selection)
}

/// The object of a source file.
fn object(unit: &str) -> String {
    Utf8Path::new(unit).with_extension("o").into_string()
}

/// Asks the Makefiles which of these source files are enabled.
async fn ask(
    session: &mut Session<'_>,
    request: &BuildRequest,
    config: &str,
    units: &[String],
) -> Result<Enabled, String> {
    let arch = source_arch(&request.kconfig.arch);
    let makefile = fs_err::read_to_string(request.source.join(format!("arch/{arch}/Makefile"))).unwrap_or_default();
    let mut enabled = Enabled::new(units.iter().map(|unit| object(unit)).collect(), arch_folders(&makefile, config));
    let bits = if config.lines().any(|line| line == "CONFIG_64BIT=y") { 64 } else { 32 };
    // make reads its Makefile from standard input, once per folder.
    let script = "text=$(cat); for dir; do echo \"F $dir\"; printf '%s\\n' \"$text\" | \
                  make -s -r -R --no-print-directory -f - \"$LIST\" dir=\"${dir:-.}\" listing || echo \"E $dir\"; done";
    loop {
        let folders = enabled.questions();
        if folders.is_empty() {
            return Ok(enabled);
        }
        let variables = [
            ("srctree", request.source.to_string()),
            ("config", request.out.join(".config").to_string()),
            ("ARCH", request.kconfig.arch.clone()),
            ("SRCARCH", arch.to_owned()),
            ("BITS", bits.to_string()),
        ];
        let script = script.replace("\"$LIST\"", &variables.map(|(name, value)| format!("{name}='{value}'")).join(" "));
        let words = ["-c".to_owned(), script, "sh".to_owned()].into_iter().chain(folders).collect::<Vec<_>>();
        let text = session.output("sh", &words, listing_makefile().as_bytes().to_vec()).await?;
        enabled.answer(parse_listing(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::{folder, request};

    fn write(root: &Utf8Path, path: &str, text: &str) {
        fs_err::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs_err::write(root.join(path), text).unwrap();
    }

    #[tokio::test]
    async fn enabled_users_of_touched_files_are_selected() {
        let (_guard, root) = folder();
        let source = root.join("source");
        for (path, text) in [
            ("Kbuild", "obj-y += mm/\nobj-y += drivers/\nobj-$(CONFIG_NET) += net/\n"),
            // A rule of its own must not become the goal.
            ("lib/Makefile", "$(obj)/table.h: $(src)/gen\nobj-$(CONFIG_TEST_HMM) += test_hmm.o\nlib-y := always.o\n"),
            ("mm/Makefile", "ifdef CONFIG_HMM_MIRROR\nmm-extra := hmm.o\nendif\nobj-y := gup.o $(mm-extra)\n"),
            ("drivers/Makefile", "obj-y += gpu/\n"),
            (
                "drivers/gpu/Makefile",
                "gpu-y := main.o\ngpu-$(CONFIG_SVM) += svm.o\nobj-m += gpu.o\nobj-$(CONFIG_OFF) += off.o\n",
            ),
            ("net/Makefile", "obj-y += net.o\n"),
            ("arch/x86/Makefile", "drivers-$(CONFIG_PCI) += arch/x86/pci/\n"),
            ("arch/x86/pci/Makefile", "obj-y += pci.o\n"),
            ("include/linux/hmm.h", ""),
            ("include/linux/unused.h", ""),
            ("mm/hmm.c", "#include <linux/hmm.h>\n"),
            ("mm/gup.c", ""),
            ("lib/test_hmm.c", "#include <linux/hmm.h>\n"),
            ("lib/always.c", "#include <linux/hmm.h>\n"),
            ("drivers/gpu/svm.c", "#include <linux/hmm.h>\n"),
            ("drivers/gpu/off.c", "#include <linux/hmm.h>\n"),
            ("net/net.c", "#include <linux/hmm.h>\n"),
            ("arch/x86/pci/pci.c", "#include <linux/hmm.h>\n"),
        ] {
            write(&source, path, text);
        }
        let mut request = request();
        request.source = source;
        request.out = root.join("work/users");
        let touched =
            ["include/linux/hmm.h", "drivers/gpu/off.c", "include/linux/unused.h", "mm/new.c", "Documentation/hmm.rst"];
        request.touched = touched.map(str::to_owned).into();
        let config = "CONFIG_HMM_MIRROR=y\nCONFIG_SVM=y\nCONFIG_PCI=y\n";
        write(&request.out, ".config", config);
        let mut session = Session::new(&request, &request.out, &root.join("build.log"));
        let selection = select(&mut session, &request, config).await.unwrap();
        let mut targets = selection.targets.clone();
        targets.sort();
        assert_eq!(targets, ["arch/x86/pci/pci.o", "drivers/gpu/svm.o", "lib/always.o", "mm/hmm.o"]);
        let missing: Vec<_> = selection.not_compiled.iter().map(|n| format!("{}: {}", n.path, n.reason)).collect();
        assert_eq!(
            missing,
            [
                "drivers/gpu/off.c: not enabled in this kconfig",
                "include/linux/unused.h: nothing that this kconfig enables includes it",
                "mm/new.c: does not exist in this revision",
            ]
        );
        assert_eq!(selection.notes, [""; 0]);
    }
}
