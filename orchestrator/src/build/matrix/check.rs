//! From the matrix file to complete kconfigs, with everything that is wrong named.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::file::{MatrixEntry, MatrixFile};
use crate::build::kconfig::parse;
use crate::config::{ConfigError, Document, Home, Problem, closest, parse_document};
use crate::words::{Fragment, Kconfig, Kind};

/// Make variables that the program itself sets.
const RESERVED: [&str; 9] =
    ["O", "ARCH", "CROSS_COMPILE", "LLVM", "LOCALVERSION", "KBUILD_OUTPUT", "KCONFIG_CONFIG", "CC", "LD"];

/// Reads `kconfigs/matrix.yaml` and its fragments; the kconfigs come in the order of the file.
///
/// # Errors
/// Every problem of the matrix and of the fragments it names, each with file and line.
pub fn matrix(home: &Home) -> Result<Vec<Kconfig>, ConfigError> {
    let folder = home.kconfigs_dir();
    let file = folder.join("matrix.yaml");
    let text = fs_err::read_to_string(&file).map_err(|error| {
        ConfigError::from(Problem::of_file(&file, format!("cannot be read: {error}"), "write it, or name another home"))
    })?;
    let mut fragments = BTreeMap::new();
    let entries = folder.read_dir_utf8().map_err(|error| {
        ConfigError::from(Problem::of_file(&folder, format!("cannot be read: {error}"), "check its permissions"))
    })?;
    for entry in entries.flatten().filter(|entry| entry.file_name().ends_with(".config")) {
        let text = fs_err::read_to_string(entry.path()).map_err(|error| {
            ConfigError::from(Problem::of_file(entry.path(), format!("cannot be read: {error}"), "check the file"))
        })?;
        fragments.insert(entry.file_name().to_owned(), text);
    }
    parse_matrix(&file, &text, &fragments)
}

/// As [`matrix`] for texts that were read already: `file` is for messages, `fragments` are by file name.
///
/// # Errors
/// As [`matrix`].
pub fn parse_matrix(
    file: &Utf8Path,
    text: &str,
    fragments: &BTreeMap<String, String>,
) -> Result<Vec<Kconfig>, ConfigError> {
    let (matrix, document) = parse_document::<MatrixFile>(file, text)?;
    let mut reader =
        Reader { matrix: &matrix, document: &document, fragments, problems: Vec::new(), read: BTreeSet::new() };
    let mut names: Vec<&String> = matrix.kconfigs.keys().collect();
    names.sort_by_key(|name| document.position(&["kconfigs", name]));
    let kconfigs: Vec<Kconfig> = names.into_iter().filter_map(|name| reader.kconfig(name)).collect();
    let mut problems = reader.problems;
    if matrix.kconfigs.is_empty() {
        problems.push(document.problem(&["kconfigs"], "there is no kconfig", Some("write at least one".to_owned())));
    }
    ConfigError::unless_empty(problems)?;
    Ok(kconfigs)
}

struct Reader<'a> {
    matrix: &'a MatrixFile,
    document: &'a Document,
    fragments: &'a BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// Fragments whose lines were checked.
    read: BTreeSet<String>,
}

impl Reader<'_> {
    fn problem(&mut self, path: &[&str], message: String, hint: Option<String>) {
        let path: Vec<&str> = std::iter::once("kconfigs").chain(path.iter().copied()).collect();
        self.problems.push(self.document.problem(&path, message, hint));
    }

    /// The entry with all it is like filled in; `None` when that cannot be said.
    fn inherited(&mut self, name: &str) -> Option<MatrixEntry> {
        let mut entry = self.matrix.kconfigs.get(name)?.clone();
        let mut seen = vec![name.to_owned()];
        while let Some(like) = entry.like.take() {
            // Each mistake is named where it is written, once.
            let own = seen.len() == 1;
            let Some(other) = self.matrix.kconfigs.get(&like) else {
                if own {
                    let near = closest(&like, self.matrix.kconfigs.keys().map(String::as_str));
                    let hint = near.map(|near| format!("did you mean `{near}`?"));
                    self.problem(&[name, "like"], format!("there is no kconfig `{like}`"), hint);
                }
                return None;
            };
            if seen.contains(&like) {
                if like == name {
                    let circle = seen.join(" -> ");
                    let hint = Some("write one of them out".to_owned());
                    self.problem(&[name, "like"], format!("it is like itself: {circle} -> {like}"), hint);
                }
                return None;
            }
            let next = other.clone();
            seen.push(like);
            let like = next.like.clone();
            entry = MatrixEntry { like, ..entry.over(next) };
        }
        Some(entry)
    }

    fn kconfig(&mut self, name: &str) -> Option<Kconfig> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
            let hint = Some("use small letters, digits and -".to_owned());
            self.problem(&[name], format!("`{name}` cannot be the name of a kconfig"), hint);
        }
        let own = self.matrix.kconfigs.get(name)?.clone();
        let entry = self.inherited(name)?;
        for (key, missing) in [
            ("about", entry.about.is_none()),
            ("kind", entry.kind.is_none()),
            ("profile", entry.profile.is_none()),
            ("base", entry.base.is_none()),
        ] {
            if missing {
                self.problem(&[name], format!("the key `{key}` is missing in {name}"), None);
            }
        }
        let kind = entry.kind?;
        if own.boot.is_some() && kind != Kind::Boot {
            let hint = Some("remove it, or make it `kind: boot`".to_owned());
            self.problem(&[name, "boot"], format!("{name} has a `boot` but is not of kind boot"), hint);
        }
        if own.boot.as_ref().is_some_and(|spec| spec.machine.is_some() && !spec.needs.is_empty()) {
            let hint = Some("keep one of the two".to_owned());
            self.problem(&[name, "boot"], format!("{name} names a machine and says what any must have"), hint);
        }
        self.base(name, &entry);
        self.make_words(name, &own);
        for symbol in own.require.iter().flat_map(BTreeMap::keys).chain(own.optional.iter().flatten()) {
            if symbol.starts_with("CONFIG_") {
                self.problem(&[name], format!("`{symbol}` in {name}"), Some("leave `CONFIG_` away".to_owned()));
            }
        }
        let fragments = self.fragments(name, own.fragments.is_some(), &entry);
        Some(Kconfig {
            name: name.to_owned(),
            about: entry.about?,
            kind,
            profile: entry.profile?,
            arch: entry.arch.unwrap_or_else(|| "x86_64".to_owned()),
            base: entry.base?,
            seed: entry.seed,
            fragments,
            require: entry.require.unwrap_or_default(),
            optional: entry.optional.unwrap_or_default(),
            toolchain: entry.toolchain.unwrap_or(super::Compiler::Gcc).name().to_owned(),
            cross_compile: entry.cross_compile.unwrap_or_default(),
            make: entry.make.unwrap_or_default(),
            boot: (kind == Kind::Boot).then(|| entry.boot.unwrap_or_default()),
        })
    }

    fn base(&mut self, name: &str, entry: &MatrixEntry) {
        let Some(base) = entry.base.as_deref() else { return };
        if !base.ends_with("config") || base.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let hint = Some("for example tinyconfig, defconfig, allmodconfig".to_owned());
            self.problem(&[name, "base"], format!("`{base}` is no configuration target of make"), hint);
        }
        match (base == "randconfig", entry.seed) {
            (true, None) => {
                let hint = Some("without it no two builds are of the same kernel".to_owned());
                self.problem(&[name, "base"], format!("{name} is a randconfig and needs a `seed`"), hint);
            }
            (false, Some(_)) => {
                let hint = Some("remove it, or make the base randconfig".to_owned());
                self.problem(&[name, "seed"], format!("{name} has a `seed` but is no randconfig"), hint);
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn make_words(&mut self, name: &str, own: &MatrixEntry) {
        for (index, word) in own.make.iter().flatten().enumerate() {
            let variable = word.split_once('=').map(|(variable, _)| variable);
            let index = index.to_string();
            match variable {
                Some(variable) if RESERVED.contains(&variable) => {
                    let hint = Some("use `arch`, `toolchain` or `cross_compile`".to_owned());
                    self.problem(&[name, "make", &index], format!("`{word}`: {variable} is not yours to set"), hint);
                }
                Some(variable) if !variable.is_empty() && !variable.starts_with('-') => {}
                Some(_) | None => {
                    let hint = Some("write NAME=value".to_owned());
                    self.problem(&[name, "make", &index], format!("`{word}` is no make variable"), hint);
                }
            }
        }
    }

    fn fragments(&mut self, name: &str, own: bool, entry: &MatrixEntry) -> Vec<Fragment> {
        let mut found = Vec::new();
        for (index, file) in entry.fragments.iter().flatten().enumerate() {
            match self.fragments.get(file) {
                Some(text) => {
                    self.lines(file, text);
                    found.push(Fragment { name: file.clone(), text: text.clone() });
                }
                // An inherited mistake is named where it is written.
                None if own => {
                    let near = closest(file, self.fragments.keys().map(String::as_str));
                    let hint = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "write it beside matrix.yaml".to_owned(),
                    };
                    let index = index.to_string();
                    self.problem(&[name, "fragments", &index], format!("there is no fragment `{file}`"), Some(hint));
                }
                None => {}
            }
        }
        found
    }

    /// Lines of a fragment that nothing would read.
    fn lines(&mut self, name: &str, text: &str) {
        if !self.read.insert(name.to_owned()) {
            return;
        }
        let file = self.document.file().with_file_name(name);
        for (line, text) in parse(text).1 {
            let message = format!("`{text}` is no line of a kernel configuration");
            let hint = Some("write CONFIG_NAME=value or # CONFIG_NAME is not set".to_owned());
            self.problems.push(Problem { file: file.clone(), line, column: 1, message, hint });
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
