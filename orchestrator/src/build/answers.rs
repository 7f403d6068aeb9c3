//! What the compiler and the linker answered when kbuild asked them for their options.
//!
//! kbuild tries an option and goes without it when the tool fails. A tool that was killed in that moment fails, too: the build goes on
//! with other options to another kernel, without a word. So the commands that made files which every kernel has are remembered
//! with what decides them; they may not change by themselves.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

/// Where kbuild keeps the commands: of a compiler, and of the linker (until 6.14, and later).
const COMMANDS: [&str; 3] = ["init/.main.o.cmd", ".vmlinux.cmd", ".vmlinux.unstripped.cmd"];

/// Hashes of commands and of what decides them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answers {
    /// Of the configuration, the Makefiles and the words that make is given.
    inputs: String,
    /// By file, of the commands that are there.
    commands: BTreeMap<String, String>,
}

impl Answers {
    /// Those in `out`, after a make that ended well. `words` are what make is given beside its goals.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(out: &Utf8Path, source: &Utf8Path, source_arch: &str, words: &[String]) -> std::io::Result<Answers> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(words.join(" ").as_bytes());
        let mut files = vec![out.join(".config"), source.join("Makefile"), source.join("init/Makefile")];
        files.extend(files_of(&source.join("scripts"), |_| true)?);
        files.extend(files_of(&source.join("arch").join(source_arch), |name| name.starts_with("Makefile"))?);
        for file in files.iter().filter(|file| file.is_file()) {
            hasher.update(file.as_str().as_bytes());
            hasher.update(&fs_err::read(file)?);
        }
        let mut commands = BTreeMap::new();
        for name in COMMANDS {
            let file = out.join(name);
            if file.is_file() {
                // The lines after the command name headers, which may come and go.
                let text = fs_err::read(&file)?;
                let command = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                commands.insert(name.to_owned(), blake3::hash(command).to_hex().to_string());
            }
        }
        Ok(Answers { inputs: hasher.finalize().to_hex().to_string(), commands })
    }

    /// The file whose command is another than before although nothing that decides it has changed.
    pub fn contradiction(&self, before: &Answers) -> Option<&str> {
        let same = self.inputs == before.inputs;
        let changed =
            |(name, command): &(&String, &String)| before.commands.get(*name).is_some_and(|old| old != *command);
        self.commands.iter().filter(|_| same).find(changed).map(|(name, _)| name.as_str())
    }
}

/// The files of a folder with such names, in order; none when it is not there.
fn files_of(folder: &Utf8Path, wanted: fn(&str) -> bool) -> std::io::Result<Vec<camino::Utf8PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if wanted(entry.file_name()) && entry.file_type()?.is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder;

    #[test]
    fn commands_change_only_with_what_decides_them() {
        let (_dir, root) = folder();
        let (out, source) = (root.join("out"), root.join("src"));
        let write = |path: &Utf8Path, text: &str| {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        let words = |text: &str| vec![text.to_owned()];
        let read = |extra: &str| Answers::read(&out, &source, "x86", &words(extra)).unwrap();
        write(&out.join(".config"), "CONFIG_A=y\n");
        write(&source.join("scripts/Makefile.compiler"), "try-run\n");
        write(&source.join("arch/x86/Makefile"), "KBUILD_CFLAGS\n");
        write(&out.join("init/.main.o.cmd"), "savedcmd_init/main.o := gcc -O2 -fno-x\n\ndeps := a.h\n");
        let before = read("LOCALVERSION=");
        assert_eq!(before.contradiction(&before), None);
        // Another header, and a command that was not there before.
        write(&out.join("init/.main.o.cmd"), "savedcmd_init/main.o := gcc -O2 -fno-x\n\ndeps := b.h\n");
        write(&out.join(".vmlinux.cmd"), "savedcmd_vmlinux := link ld --no-warn-rwx-segments\n");
        let linked = read("LOCALVERSION=");
        assert_eq!(linked.contradiction(&before), None);
        // The linker was killed while it was asked.
        write(&out.join(".vmlinux.cmd"), "savedcmd_vmlinux := link ld\n");
        assert_eq!(read("LOCALVERSION=").contradiction(&linked), Some(".vmlinux.cmd"));
        // What decides it has changed.
        assert_eq!(read("W=1").contradiction(&linked), None);
        for file in [source.join("scripts/Makefile.compiler"), source.join("arch/x86/Makefile"), out.join(".config")] {
            let old = fs_err::read_to_string(&file).unwrap();
            write(&file, "changed\n");
            assert_eq!(read("LOCALVERSION=").contradiction(&linked), None, "{file}");
            write(&file, &old);
        }
        assert_eq!(read("LOCALVERSION=").contradiction(&linked), Some(".vmlinux.cmd"));
    }
}
