//! Reading the whole output of make.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::line::{Head, Line, classify, step};
use crate::build::reason::bounded;
use crate::words::{Diagnostic, Level, Tool};

/// Longest text of one diagnostic in bytes.
const TEXT_LIMIT: usize = 4096;
/// Longest message, file or function name in bytes.
const FIELD_LIMIT: usize = 1024;
/// Most diagnostics kept of one build; a build that prints more has one cause.
const COUNT_LIMIT: usize = 2000;

/// All that make said.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Diagnostics by the target they were printed for. Every target that was made is here, also silent ones.
    pub targets: BTreeMap<String, Vec<Diagnostic>>,
    /// Diagnostics that belong to no target.
    pub loose: Vec<Diagnostic>,
    /// Objects compiled or assembled, in the order of the log.
    pub objects: Vec<String>,
    /// Step lines seen.
    pub steps: u64,
    /// Diagnostics beyond the limit that were left out.
    pub omitted: u64,
}

impl Said {
    /// Number of targets that make gave up on.
    pub fn failed_targets(&self) -> usize {
        self.loose.iter().filter(|d| d.tool == Tool::Make && d.level == Level::Error).count()
    }
}

/// Takes lines, gives [`Said`].
#[derive(Debug)]
pub(crate) struct Reader {
    source: Utf8PathBuf,
    out: Utf8PathBuf,
    /// Folder that bare file names are relative to, inside the tree; empty for the kernel's own build.
    base: String,
    step: Option<(String, String)>,
    function: Option<String>,
    preface: String,
    open: Option<Diagnostic>,
    count: usize,
    said: Said,
}

impl Reader {
    /// A reader for make with this source and `O=` folder. File names that are not absolute are relative to `out`, or,
    /// when `base` is not empty, to that folder of the source.
    pub fn new(source: &Utf8Path, out: &Utf8Path, base: &str) -> Self {
        Reader {
            source: source.to_owned(),
            out: out.to_owned(),
            base: base.to_owned(),
            step: None,
            function: None,
            preface: String::new(),
            open: None,
            count: 0,
            said: Said::default(),
        }
    }

    /// Reads one line (without newline); says the target when it is a step line.
    pub fn line(&mut self, line: &str) -> Option<String> {
        if let Some((tool, target)) = step(line) {
            self.close();
            let target = self.relative(target);
            self.said.steps += 1;
            self.said.targets.insert(target.clone(), Vec::new());
            if matches!(tool, "CC" | "AS" | "RUSTC") {
                self.said.objects.push(target.clone());
            }
            self.step = Some((tool.to_owned(), target.clone()));
            self.function = None;
            self.preface.clear();
            return Some(target);
        }
        match classify(line, self.step.as_ref().map(|(tool, _)| tool.as_str())) {
            Line::Head(head) => self.begin(head, line),
            Line::Function(function) => {
                self.close();
                self.function = function.map(|name| bounded(&name, FIELD_LIMIT));
                self.preface = bounded(line, TEXT_LIMIT);
                self.preface.push('\n');
            }
            Line::Preface => {
                if !line.starts_with(char::is_whitespace) {
                    self.close();
                    self.preface.clear();
                }
                if self.preface.len() + line.len() < TEXT_LIMIT {
                    self.preface.push_str(line);
                    self.preface.push('\n');
                }
            }
            Line::Noise => self.close(),
            Line::Other => {
                if let Some(open) = &mut self.open
                    && open.text.len() + line.len() < TEXT_LIMIT
                {
                    open.text.push('\n');
                    open.text.push_str(line);
                }
            }
        }
        None
    }

    /// Everything read.
    pub fn finish(mut self) -> Said {
        self.close();
        self.said
    }

    /// What was read so far.
    pub fn so_far(&self) -> &Said {
        &self.said
    }

    fn begin(&mut self, head: Head, line: &str) {
        self.close();
        let prefixed = format!("{}{line}", std::mem::take(&mut self.preface));
        let file = if head.file.is_empty() { String::new() } else { self.relative(&head.file) };
        let function = match head.tool {
            Tool::Compiler | Tool::Linker => self.function.clone(),
            Tool::Modpost | Tool::Kconfig | Tool::Objtool | Tool::Sparse | Tool::Make => None,
        };
        self.open = Some(Diagnostic {
            level: head.level,
            tool: head.tool,
            file: bounded(&file, FIELD_LIMIT),
            line: head.line,
            function,
            message: bounded(&self.without_roots(&head.message), FIELD_LIMIT),
            option: head.option.map(|option| bounded(&option, FIELD_LIMIT)),
            text: bounded(&prefixed, TEXT_LIMIT),
        });
    }

    fn close(&mut self) {
        let Some(mut diagnostic) = self.open.take() else { return };
        if self.count >= COUNT_LIMIT {
            self.said.omitted += 1;
            return;
        }
        self.count += 1;
        diagnostic.text = self.without_roots(&diagnostic.text);
        let target = match diagnostic.tool {
            // make speaks about a target in its own output, after that of others.
            Tool::Make => None,
            Tool::Compiler | Tool::Linker | Tool::Modpost | Tool::Kconfig | Tool::Objtool | Tool::Sparse => {
                self.step.as_ref().map(|(_, target)| target)
            }
        };
        match target.and_then(|target| self.said.targets.get_mut(target)) {
            Some(list) => list.push(diagnostic),
            None => self.said.loose.push(diagnostic),
        }
    }

    /// Removes the host's folders from a text.
    fn without_roots(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.source), "").replace(&format!("{}/", self.out), "")
    }

    /// A path as the tools print it, relative to the tree (or to `O=` for generated files).
    fn relative(&self, printed: &str) -> String {
        let path = Utf8Path::new(printed);
        if printed.starts_with(['{', '<']) {
            return printed.to_owned();
        }
        let absolute = if path.is_absolute() {
            path.to_owned()
        } else if self.base.is_empty() {
            self.out.join(path)
        } else {
            self.source.join(&self.base).join(path)
        };
        let mut clean = Utf8PathBuf::new();
        for component in absolute.components() {
            match component {
                Utf8Component::ParentDir => {
                    clean.pop();
                }
                Utf8Component::CurDir => {}
                Utf8Component::Prefix(_) | Utf8Component::RootDir | Utf8Component::Normal(_) => clean.push(component),
            }
        }
        let inside = clean.strip_prefix(&self.source).or_else(|_| clean.strip_prefix(&self.out));
        inside.map_or_else(|_| clean.to_string(), ToString::to_string)
    }
}
