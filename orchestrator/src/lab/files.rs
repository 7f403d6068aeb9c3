//! Machine and suite files.

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;

use super::LabError;
use crate::words::{Machine, Suite};

/// Largest machine or suite file, in bytes.
const SIZE_LIMIT: usize = 256 * 1024;

/// Reads `lab/<name>.yaml` below `home`.
///
/// # Errors
/// [`LabError::File`] names everything that is wrong with it.
pub fn machine(home: &Utf8Path, name: &str) -> Result<Machine, LabError> {
    let file = home.join("lab").join(format!("{name}.yaml"));
    let machine: Machine = read(&file)?;
    reject(file, machine_problems(&machine, name))?;
    Ok(machine)
}

/// Reads `lab/suites/<name>.yaml` below `home`.
///
/// # Errors
/// [`LabError::File`] names everything that is wrong with it.
pub fn suite(home: &Utf8Path, name: &str) -> Result<Suite, LabError> {
    let file = home.join("lab/suites").join(format!("{name}.yaml"));
    let suite: Suite = read(&file)?;
    reject(file, suite_problems(&suite, name))?;
    Ok(suite)
}

fn read<T: DeserializeOwned>(file: &Utf8Path) -> Result<T, LabError> {
    let text = fs_err::read_to_string(file).map_err(|source| LabError::Io { file: file.to_owned(), source })?;
    let wrong = |problem| LabError::File { file: file.to_owned(), problems: vec![problem] };
    if text.len() > SIZE_LIMIT {
        return Err(wrong(format!("it is larger than {SIZE_LIMIT} bytes")));
    }
    serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn reject(file: Utf8PathBuf, problems: Vec<String>) -> Result<(), LabError> {
    if problems.is_empty() { Ok(()) } else { Err(LabError::File { file, problems }) }
}

fn name_problem(found: &str, stem: &str) -> Option<String> {
    (found != stem).then(|| format!("name is `{found}`, but the file is called `{stem}.yaml`"))
}

/// A word of the kernel command line must not contain white space or quotes.
fn append_problems(append: &[String]) -> impl Iterator<Item = String> {
    let bad = |word: &&String| word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"');
    append.iter().filter(bad).map(|word| format!("append: `{word}` is not one word of a kernel command line"))
}

fn path_problem(what: &str, path: &str) -> Option<String> {
    let plain = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    (!plain).then(|| format!("{what}: `{path}` must be an absolute path without `..`"))
}

fn machine_problems(machine: &Machine, stem: &str) -> Vec<String> {
    let mut problems: Vec<String> = name_problem(&machine.name, stem).into_iter().collect();
    let qemu = &machine.qemu;
    for (key, value) in [
        ("binary", &qemu.binary),
        ("arch", &qemu.arch),
        ("machine", &qemu.machine),
        ("cpu", &qemu.cpu),
        ("image", &qemu.image),
    ] {
        if value.trim().is_empty() {
            problems.push(format!("qemu.{key} is empty"));
        }
    }
    problems.extend(path_problem("qemu.results_tty", &qemu.results_tty));
    problems.extend(append_problems(&qemu.append));
    let timeouts = machine.timeouts;
    for (key, value) in [("boot", timeouts.boot), ("silence", timeouts.silence), ("suite", timeouts.suite)] {
        if value == 0 {
            problems.push(format!("timeouts.{key} must be at least one second"));
        }
    }
    problems
}

fn suite_problems(suite: &Suite, stem: &str) -> Vec<String> {
    let mut problems: Vec<String> = name_problem(&suite.name, stem).into_iter().collect();
    let selftest = Utf8Path::new(&suite.selftest);
    let plain = |part| matches!(part, camino::Utf8Component::Normal(_));
    if suite.selftest.is_empty() || !selftest.components().all(plain) {
        problems.push(format!("selftest: `{}` must be a path below tools/testing/selftests", suite.selftest));
    }
    if suite.name.contains('.') || suite.name.contains(char::is_whitespace) {
        problems.push(format!("name: `{}` must hold no dot and no space; both separate names of tests", suite.name));
    }
    problems.extend(append_problems(&suite.append));
    for module in &suite.modules {
        problems.extend(append_problems(&module.params));
    }
    for nodes in &suite.nodes {
        problems.extend(path_problem("nodes", &nodes.path));
        if nodes.count == 0 || nodes.count > 256 {
            problems.push(format!("nodes: {} of {} asked for; 1 to 256 are possible", nodes.count, nodes.path));
        }
    }
    for setting in &suite.settings {
        problems.extend(path_problem("settings", &setting.path));
    }
    if suite.test_deadline == 0 {
        problems.push("test_deadline must be at least one second".to_owned());
    }
    if suite.output_limit < 1024 {
        problems.push("output_limit must be at least 1024 bytes".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
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
        assert_eq!(machine.qemu.arch, "x86_64");
        let suite = suite(&home(), "hmm").unwrap();
        assert_eq!(suite.selftest, "mm/hmm-tests");
        assert_eq!(suite.nodes[0].count, 4);
    }

    #[test]
    fn all_problems_of_a_suite_are_told_at_once() {
        let text = "name: other\nabout: x\nselftest: ../../sh\nstyle: ktap\nappend: [a b]\ntest_deadline: 0\n\
                    nodes: [{driver: D, path: dev/x, count: 0}]\nsettings: [{path: /a/../b, value: '1'}]\n";
        let (_dir, home) = temporary("suites/bad.yaml", text);
        let error = suite(&home, "bad").unwrap_err();
        let LabError::File { problems, .. } = error else { panic!("{error}") };
        let expected = ["`other`", "tools/testing/selftests", "`a b`", "`dev/x`", "256", "`/a/../b`", "test_deadline"];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, word) in problems.iter().zip(expected) {
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let (_dir, home) = temporary("m.yaml", "name: m\nbord: 1\n");
        let error = machine(&home, "m").unwrap_err().to_string();
        assert!(error.contains("m.yaml") && error.contains("bord") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let (_dir, home) = temporary("m.yaml", "");
        assert!(machine(&home, "none").unwrap_err().to_string().contains("lab/none.yaml"));
    }
}
