//! Machine and suite files.

use camino::{Utf8Component, Utf8Path};

use super::{LabError, matching};
use crate::config::{ConfigError, Document, Problem, load_document};
use crate::words::{Hardware, Machine, Parser, Suite};

/// Stem of the file of engines.
const ENGINES: &str = "engines";

/// How often a suite may run each of its tests in one boot.
const MOST_REPEATS: u32 = 16;

/// Reads `lab/<name>.yaml` below `home`.
///
/// # Errors
/// [`LabError::File`] names everything that is wrong with it.
pub fn machine(home: &Utf8Path, name: &str) -> Result<Machine, LabError> {
    let (file, document) = load_document(&home.join("lab").join(format!("{name}.yaml")))?;
    let mut check = Check { document, problems: Vec::new() };
    let mut machine = check.machine(file, name);
    if let Some(Machine { hardware: Hardware::Lava(lava), .. }) = &mut machine {
        for (path, message, hint) in super::lava::check(lava, &home.join("lab")) {
            check.unless(false, &path, &message, &hint);
        }
    }
    ConfigError::unless_empty(check.problems)?;
    machine.ok_or_else(|| LabError::NoMachine { name: name.to_owned() })
}

/// Names of all machine files below `home`, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn machine_names(home: &Utf8Path) -> Result<Vec<String>, LabError> {
    let folder = home.join("lab");
    let io = |source| LabError::Io { file: folder.clone(), source };
    let mut names = Vec::new();
    match folder.read_dir_utf8() {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(io)?;
                names.extend(entry.file_name().strip_suffix(".yaml").map(str::to_owned));
            }
        }
        // A home folder need not have machines of its own.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    // The engines' file lies beside those of machines.
    names.retain(|name| !name.starts_with('.') && name != ENGINES);
    names.sort();
    Ok(names)
}

/// Reads all machine files below `home`, in the order in which machines are chosen.
///
/// # Errors
/// [`LabError::File`] names everything that is wrong with any of them.
pub fn machines(home: &Utf8Path) -> Result<Vec<Machine>, LabError> {
    let mut machines = Vec::new();
    let mut problems = Vec::new();
    for name in machine_names(home)? {
        match machine(home, &name) {
            Ok(machine) => machines.push(machine),
            Err(LabError::File(error)) => problems.extend(error.problems),
            Err(error) => return Err(error),
        }
    }
    ConfigError::unless_empty(problems)?;
    machines.sort_by_key(matching::preference);
    Ok(machines)
}

/// Reads `lab/suites/<name>.yaml` below `home`.
///
/// # Errors
/// [`LabError::File`] names everything that is wrong with it.
pub fn suite(home: &Utf8Path, name: &str) -> Result<Suite, LabError> {
    let (suite, document) = load_document(&home.join("lab/suites").join(format!("{name}.yaml")))?;
    let mut check = Check { document, problems: Vec::new() };
    check.suite(&suite, name);
    ConfigError::unless_empty(check.problems)?;
    Ok(suite)
}

/// What the types alone cannot say.
pub(super) struct Check {
    pub(super) document: Document,
    pub(super) problems: Vec<Problem>,
}

impl Check {
    pub(super) fn unless(&mut self, good: bool, path: &[&str], message: &str, hint: &str) {
        if !good {
            self.problems.push(self.document.problem(path, message, Some(hint.to_owned())));
        }
    }

    fn suite(&mut self, suite: &Suite, stem: &str) {
        self.name(&suite.name, stem);
        let plain = !suite.name.contains('.') && !suite.name.contains(char::is_whitespace);
        self.unless(plain, &["name"], "must hold no dot and no space", "both separate the names of tests");
        let hint = "write a path below tools/testing/selftests, e.g. mm/hmm-tests";
        if let Some(selftest) = &suite.selftest {
            let inside = Utf8Path::new(selftest).components().all(|part| matches!(part, Utf8Component::Normal(_)));
            self.unless(inside && !selftest.is_empty(), &["selftest"], "is no path of a selftest", hint);
        }
        let programs = [suite.selftest.is_some(), suite.builtin.is_some(), !suite.command.is_empty()];
        let one = programs.into_iter().filter(|given| *given).count() == 1;
        self.unless(one, &["name"], "needs one of `selftest`, `builtin` and `command`", hint);
        self.reading(suite);
        self.metrics(suite);
        self.words(&["append"], &suite.append);
        for (index, module) in suite.modules.iter().enumerate() {
            self.words(&["modules", &index.to_string(), "params"], &module.params);
        }
        for (index, nodes) in suite.nodes.iter().enumerate() {
            let index = index.to_string();
            self.guest_path(&["nodes", &index, "path"], &nodes.path);
            let possible = (1..=256).contains(&nodes.count);
            self.unless(possible, &["nodes", &index, "count"], "that many nodes cannot be made", "1 to 256 can");
        }
        for (index, setting) in suite.settings.iter().enumerate() {
            self.guest_path(&["settings", &index.to_string(), "path"], &setting.path);
        }
        let possible = (1..=MOST_REPEATS).contains(&suite.repeat);
        self.unless(possible, &["repeat"], "is no number of runs", &format!("1 to {MOST_REPEATS} are possible"));
        self.seconds(&["test_deadline"], suite.test_deadline);
        self.unless(suite.output_limit >= 1024, &["output_limit"], "is too small", "keep at least 1024 bytes");
    }

    fn metrics(&mut self, suite: &Suite) {
        for (index, metric) in suite.metrics.iter().enumerate() {
            let (at, hint) = (index.to_string(), "write one group around the number: `latency: ([0-9.]+) us`");
            match regex::Regex::new(&metric.regex) {
                Ok(regex) => {
                    self.unless(regex.captures_len() == 2, &["metrics", &at, "regex"], "needs one group", hint)
                }
                Err(error) => {
                    // Its last line says what; those before show where.
                    let text = error.to_string();
                    let message = format!("is no regular expression: {}", text.lines().last().unwrap_or_default());
                    self.unless(false, &["metrics", &at, "regex"], &message, hint);
                }
            }
            let word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            let good = !metric.name.is_empty() && metric.name.chars().all(word);
            let hint = "use letters, digits, `-` and `_`";
            self.unless(good, &["metrics", &at, "name"], &format!("`{}` is no name of a metric", metric.name), hint);
            let twice = suite.metrics[..index].iter().any(|other| other.name == metric.name);
            self.unless(!twice, &["metrics", &at, "name"], "stands here twice", "give each metric a name of its own");
            let some = metric.pages != Some(0);
            self.unless(some, &["metrics", &at, "pages"], "must not be 0", "leave it away where there are no pages");
        }
    }

    fn reading(&mut self, suite: &Suite) {
        let one = suite.style.is_some() != suite.parser.is_some();
        self.unless(one, &["name"], "needs one of `style` and `parser`", "docs/suites.md tells the parsers");
        let listing = suite.reads() == Parser::KselftestHarness;
        let hint = "use `ktap` for a command that prints KTAP";
        let lists = suite.command.len() < 2 || !listing;
        self.unless(lists, &["command"], "a program that lists its tests takes no further words", hint);
        let hint = "use `command` for a program that writes a file of results";
        let file = suite.reads().file().map(str::to_owned);
        self.unless(file.is_none() || !suite.command.is_empty(), &["parser"], "is for a `command`", hint);
        if let Some(file) = file {
            self.guest_path(&["parser"], &file);
        }
        for (index, word) in suite.command.iter().enumerate() {
            let bad = word.contains('\0') || (index == 0 && word.is_empty());
            self.unless(!bad, &["command", &index.to_string()], "is no word of a command", "leave it away");
        }
        for (index, file) in suite.files.iter().enumerate() {
            let index = index.to_string();
            self.guest_path(&["files", &index, "to"], &file.to);
            let taken = ["/init", "/orchestrator", "/modules", "/proc", "/sys", "/dev", "/tmp"];
            let ours = taken.iter().any(|place| Utf8Path::new(&file.to).starts_with(place));
            self.unless(!ours, &["files", &index, "to"], "is not yours to fill", "use /bin, /tests or /data");
            self.unless(!file.from.is_empty(), &["files", &index, "from"], "must not be empty", "name a file");
        }
    }

    pub(super) fn name(&mut self, name: &str, stem: &str) {
        let message = format!("is `{name}`, but the file is called `{stem}.yaml`");
        self.unless(name == stem, &["name"], &message, &format!("write `name: {stem}`"));
    }

    pub(super) fn seconds(&mut self, path: &[&str], seconds: u64) {
        self.unless(seconds > 0, path, "must be at least one second", "give seconds");
    }

    pub(super) fn guest_path(&mut self, path: &[&str], value: &str) {
        let good = value.starts_with('/') && !value.split('/').any(|part| part == "..");
        self.unless(good, path, &format!("`{value}` is no path in the guest"), "write an absolute path without `..`");
    }

    /// Each must be one word of a kernel command line.
    pub(super) fn words(&mut self, path: &[&str], words: &[String]) {
        for (index, word) in words.iter().enumerate() {
            let good = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '"');
            let index = index.to_string();
            let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
            let message = format!("`{word}` is not one word of a kernel command line");
            self.unless(good, &path, &message, "give each parameter an entry of its own");
        }
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn home() -> Utf8PathBuf {
        Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    fn temporary(file: &str, text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let home = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        fs_err::create_dir_all(home.join("lab/suites")).unwrap();
        fs_err::write(home.join("lab").join(file), text).unwrap();
        (dir, home)
    }

    #[test]
    fn the_shipped_files_are_valid() {
        let machine = machine(&home(), "qemu-x86_64").unwrap();
        assert_eq!(machine.arch(), "x86_64");
        let suite = suite(&home(), "hmm").unwrap();
        assert_eq!(suite.selftest.as_deref(), Some("mm/hmm-tests"));
        assert_eq!(suite.nodes[0].count, 4);
    }

    #[test]
    fn the_suites_for_gpus_and_the_example_are_valid() {
        for (name, file) in [("xe-svm", "/tmp/igt-xe-svm/results.json"), ("kfd-svm", "/tmp/kfd-svm.xml")] {
            let suite = suite(&home(), name).unwrap();
            assert_eq!((suite.reads().file(), suite.needs["hmm"].as_str()), (Some(file), "svm"));
            assert!(suite.command.iter().any(|word| word.contains(file) || file.contains(word.as_str())), "{name}");
        }
        assert_eq!(suite(&home(), "nouveau-svm").unwrap().reads(), Parser::ExitCode);
        let text = fs_err::read_to_string(home().join("docs/example-suite/swap-free.yaml")).unwrap();
        let (_dir, home) = temporary("suites/swap-free.yaml", &text);
        assert_eq!(suite(&home, "swap-free").unwrap().files.len(), 2);
    }

    #[test]
    fn mistakes_in_commands_are_told_at_once() {
        let text = "name: bad\nabout: x\ncommand: ['', -l]\nselftest: mm/a\nstyle: ktap\nparser: {junit: tmp/x}\n\
                    files: [{from: '', to: /init}]\ntest_deadline: 1\n";
        let (_dir, home) = temporary("suites/bad.yaml", text);
        let error = suite(&home, "bad").unwrap_err().to_string();
        let words = ["needs one of `selftest`", "needs one of `style`", "`tmp/x`", "no word", "not yours", "be empty"];
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
        assert_eq!(error.lines().count(), words.len(), "{error}");
    }

    #[test]
    fn all_problems_of_a_suite_are_told_at_once_with_their_lines() {
        let text = "name: other\nabout: x\nselftest: ../../sh\nstyle: ktap\nappend: [a b]\ntest_deadline: 0\n\
                    nodes: [{driver: D, path: dev/x, count: 0}]\nsettings: [{path: /a/../b, value: '1'}]\n";
        let (_dir, home) = temporary("suites/bad.yaml", text);
        let LabError::File(error) = suite(&home, "bad").unwrap_err() else { panic!("not about the file") };
        let told: Vec<(usize, &str)> =
            error.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
        let expected = [
            (1, "`other`"),
            (3, "no path of a selftest"),
            (5, "`a b`"),
            (6, "one second"),
            (7, "`dev/x`"),
            (7, "that many nodes"),
            (8, "`/a/../b`"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for ((line, message), (expected_line, word)) in told.iter().zip(expected) {
            assert!(*line == expected_line && message.contains(word), "{line}: {message}");
        }
    }

    #[test]
    fn what_is_no_metric_is_told_with_its_line() {
        let text = "name: m\nabout: x\ncommand: [sh]\nparser: exit-code\ntest_deadline: 9\nmetrics:\n\
                    - {name: a b, regex: '([0-9]+', unit: ns}\n- {name: c, regex: '[0-9]+', unit: us, pages: 0}\n\
                    - {name: c, regex: '([0-9]+)', unit: per-second, pages: 4}\n";
        let (_dir, home) = temporary("suites/m.yaml", text);
        let LabError::File(error) = suite(&home, "m").unwrap_err() else { panic!("not about the file") };
        let told: Vec<(usize, &str)> =
            error.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
        let expected = [
            (7, "no regular expression: error: unclosed group"),
            (7, "`a b` is no name"),
            (8, "needs one group"),
            (8, "must not be 0"),
            (9, "stands here twice"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (line, words) in expected {
            assert!(told.iter().any(|told| told.0 == line && told.1.contains(words)), "{line} {words}: {told:#?}");
        }
    }

    #[test]
    fn all_problems_of_a_machine_are_told_at_once() {
        let text = "name: m\nqemu: {binary: '', arch: x86_64, machine: pc, cpu: max, image: vmlinux, \
                    append: ['a=\"b c\"'], results_tty: ttyS1}\ntimeouts: {silence: 0}\n";
        let (_dir, home) = temporary("m.yaml", text);
        let LabError::File(error) = machine(&home, "m").unwrap_err() else { panic!("not about the file") };
        assert_eq!(error.problems.len(), 4, "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let (_dir, home) = temporary("m.yaml", "name: m\nbord: 1\n");
        let error = machine(&home, "m").unwrap_err().to_string();
        assert!(error.contains("m.yaml:2:") && error.contains("bord"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let (_dir, home) = temporary("m.yaml", "");
        assert!(machine(&home, "none").unwrap_err().to_string().contains("lab/none.yaml"));
    }
}
