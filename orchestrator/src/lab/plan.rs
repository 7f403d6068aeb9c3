//! From a request to what the guest gets: the agent's plan, the files of the initramfs, the kernel command line.

use camino::Utf8PathBuf;
use orchestrator_protocol::console::CONSOLE;
use orchestrator_protocol::{Expectation, Job, Module, Nodes, PLAN_PATH, Plan, Setting, Style, VERSION};

use super::BootRequest;
use super::initramfs::Archive;
use crate::words::{Accel, Hardware, Machine, Parser, Suite};

/// Longest command line an x86 kernel takes, less room for what QEMU adds.
const COMMAND_LINE_LIMIT: usize = 1900;

/// All that is put into a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    /// For the agent.
    pub plan: Plan,
    /// Host files and their place in the guest.
    pub files: Vec<(Utf8PathBuf, String)>,
    /// Kernel command line.
    pub command_line: String,
}

/// Works out what the guest gets.
///
/// # Errors
/// One sentence per thing that cannot work.
pub(super) fn guest(request: &BootRequest) -> Result<Guest, Vec<String>> {
    let mut problems = Vec::new();
    let mut files = request.files.clone();
    let mut jobs = Vec::new();
    let root = root(&request.machine);
    for suite in &request.suites {
        if let Some((program, args)) = suite.command.split_first() {
            let job = job(request, suite, program.clone());
            jobs.extend(job.map(|job| Job { args: args.to_vec(), may_be_missing: true, ..job }));
            continue;
        }
        let Some((_, program)) = request.selftests.iter().find(|(name, _)| *name == suite.name) else {
            problems.push(format!("the build has no selftest program for suite {}", suite.name));
            continue;
        };
        let path = format!("{root}/tests/{}", suite.name);
        files.push((program.clone(), path.clone()));
        jobs.extend(job(request, suite, path));
    }
    let mut modules = Vec::new();
    for file in &request.modules {
        let name = module_name(file);
        let path = format!("{root}/modules/{name}.ko");
        files.push((file.clone(), path.clone()));
        modules.push(Module { file: path, params: params(request, &name).join(" "), name });
    }
    let words = command_line(request, &modules);
    problems.extend(words.iter().filter_map(|word| memmap_problem(word, request.spec.memory_mib)));
    let command_line = words.join(" ");
    if command_line.len() > COMMAND_LINE_LIMIT {
        problems.push(format!(
            "the kernel command line has {} bytes; a kernel takes {COMMAND_LINE_LIMIT}",
            command_line.len()
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let nodes = request.suites.iter().flat_map(|suite| &suite.nodes).map(|nodes| Nodes {
        driver: nodes.driver.clone(),
        path: nodes.path.clone(),
        count: nodes.count,
    });
    let settings = request.suites.iter().flat_map(|suite| &suite.settings).map(|setting| Setting {
        path: setting.path.clone(),
        value: setting.value.clone(),
        optional: setting.optional,
    });
    let expect = request.spec.expect.iter().map(|(path, word)| Expectation { path: path.clone(), word: word.clone() });
    let plan = Plan {
        version: VERSION,
        results: results(&request.machine),
        unload: !modules.is_empty(),
        nodes: each_once(nodes),
        settings: each_once(settings),
        expect: expect.collect(),
        modules,
        jobs,
    };
    Ok(Guest { plan, files, command_line })
}

/// Suites may want the same thing; it is done once.
fn each_once<T: PartialEq>(wanted: impl Iterator<Item = T>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for thing in wanted {
        if !once.contains(&thing) {
            once.push(thing);
        }
    }
    once
}

impl Guest {
    /// The initramfs. `contents` are those of `files`, in order; `plan` is the plan as JSON.
    pub(super) fn initramfs(&self, agent: &[u8], plan: &[u8], contents: &[Vec<u8>]) -> Vec<u8> {
        let mut archive = Archive::new();
        for folder in ["/proc", "/sys", "/dev", "/tmp", "/bin"] {
            archive.directory(folder);
        }
        archive.character_device("/dev/console", 5, 1);
        archive.file("/init", 0o755, agent);
        archive.file(PLAN_PATH, 0o644, plan);
        for ((_, path), content) in self.files.iter().zip(contents) {
            archive.file(path, 0o755, content);
        }
        archive.finish()
    }
}

/// What to run of a suite; nothing when only other suites' tests are asked for.
fn job(request: &BootRequest, suite: &Suite, program: String) -> Option<Job> {
    let selection = &request.selection;
    let own = |names: &[String]| -> Vec<String> {
        let prefix = format!("{}.", suite.name);
        // A program that runs whole is asked for by the suite's name; the agent knows it by an empty one.
        let short =
            |name: &String| if *name == suite.name { Some("") } else { name.strip_prefix(&prefix) }.map(str::to_owned);
        names.iter().filter_map(short).collect()
    };
    let mut only = own(&selection.only);
    if only.is_empty() && !selection.only.is_empty() {
        return None;
    }
    let style = match suite.reads() {
        Parser::KselftestHarness => {
            if only.iter().any(String::is_empty) {
                // The suite's name stands for all of its tests.
                only.clear();
            }
            Style::KselftestHarness
        }
        Parser::Ktap | Parser::ExitCode | Parser::Junit(_) | Parser::IgtResults(_) => {
            // It cannot run less than all of itself.
            only.clear();
            Style::Whole
        }
    };
    Some(Job {
        suite: suite.name.clone(),
        program,
        args: Vec::new(),
        result: suite.reads().file().map(str::to_owned),
        may_be_missing: false,
        style,
        only,
        skip: own(&selection.skip),
        repeat: selection.repeat * suite.repeat,
        test_deadline: suite.test_deadline * u64::from(request.spec.slowness.max(1)),
        output_limit: suite.output_limit,
    })
}

/// Where the agent sends its frames: a serial port of its own, the console that LAVA records, else its standard output.
fn results(machine: &Machine) -> String {
    match &machine.hardware {
        Hardware::Qemu(qemu) => qemu.results_tty.clone(),
        Hardware::Dut(_) => "-".to_owned(),
        Hardware::Lava(_) => CONSOLE.to_owned(),
    }
}

/// Folder below which tests and modules lie: a guest has nothing else, a box has a place of ours.
fn root(machine: &Machine) -> String {
    match &machine.hardware {
        Hardware::Dut(dut) => format!("{}/run", dut.state_dir),
        Hardware::Qemu(_) | Hardware::Lava(_) => String::new(),
    }
}

/// Kernel command line that every boot of the machine gets.
fn machine_append(machine: &Machine) -> Vec<String> {
    match &machine.hardware {
        Hardware::Qemu(qemu) => qemu.append.clone(),
        Hardware::Dut(dut) => dut.boot.append.split_whitespace().map(str::to_owned).collect(),
        Hardware::Lava(_) => Vec::new(),
    }
}

/// A module is called by its file name, with `_` for `-`.
fn module_name(file: &Utf8PathBuf) -> String {
    file.file_stem().unwrap_or("module").replace('-', "_")
}

/// Parameters that the suites want for a module.
fn params(request: &BootRequest, module: &str) -> Vec<String> {
    let modules = request.suites.iter().flat_map(|suite| &suite.modules);
    each_once(modules.filter(|wanted| wanted.name == module).flat_map(|wanted| wanted.params.clone()))
}

fn command_line(request: &BootRequest, modules: &[Module]) -> Vec<String> {
    // Without this the kernel drops most of the lines that mark where a test begins.
    let mut words = vec!["printk.devkmsg=on".to_owned()];
    match request.accel {
        Accel::Kvm | Accel::Tcg | Accel::Native => {}
        // Where things lie in memory must not be left to chance.
        Accel::Icount => words.extend(["nokaslr".to_owned(), "norandmaps".to_owned()]),
    }
    let mut add = |word: String| {
        if !words.contains(&word) {
            words.push(word);
        }
    };
    machine_append(&request.machine).iter().chain(&request.spec.append).cloned().for_each(&mut add);
    for suite in &request.suites {
        suite.append.iter().cloned().for_each(&mut add);
        for wanted in &suite.modules {
            if !modules.iter().any(|module| module.name == wanted.name) {
                wanted.params.iter().for_each(|param| add(format!("{}.{param}", wanted.name)));
            }
        }
    }
    words
}

/// A reserved range must lie in memory that the guest has: beyond it there is nothing to hold device pages.
fn memmap_problem(word: &str, memory_mib: u32) -> Option<String> {
    let (size, start) = word.strip_prefix("memmap=")?.split_once('$')?;
    let (Some(size), Some(start)) = (number(size), number(start)) else {
        return Some(format!("`{word}` is not memmap=SIZE$START"));
    };
    let need = start.checked_add(size)?.div_ceil(1024 * 1024);
    (need > u64::from(memory_mib)).then(|| {
        format!("`{word}` needs a guest of {need} MiB, but it has {memory_mib} MiB (memory_mib of the kconfig)")
    })
}

/// A number as the kernel reads it: decimal or hex, with K, M or G.
fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        _ => (text, 0),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    value.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::super::testing;
    use super::*;

    fn request() -> (tempfile::TempDir, BootRequest) {
        let dir = tempfile::tempdir().unwrap();
        let request = testing::request(Utf8Path::from_path(dir.path()).unwrap());
        (dir, request)
    }

    #[test]
    fn a_built_in_module_gets_its_parameters_on_the_command_line() {
        let (_dir, request) = request();
        let guest = guest(&request).unwrap();
        let words: Vec<&str> = guest.command_line.split(' ').collect();
        assert!(words.contains(&"test_hmm.spm_addr_dev0=0x80000000"), "{words:?}");
        assert!(words.contains(&"memmap=1G$0x80000000") && words.contains(&"console=ttyS0"), "{words:?}");
        assert!(!guest.plan.unload && guest.plan.modules.is_empty());
        assert_eq!(guest.plan.results, "/dev/ttyS1");
        assert_eq!((guest.plan.nodes[0].count, guest.plan.jobs[0].test_deadline), (4, 60));
    }

    #[test]
    fn a_module_file_gets_them_when_it_is_loaded() {
        let (_dir, mut request) = request();
        request.modules = vec!["/build/lib/other-thing.ko".into(), "/build/lib/test_hmm.ko".into()];
        let guest = guest(&request).unwrap();
        assert!(!guest.command_line.contains("spm_addr"), "{}", guest.command_line);
        let names: Vec<_> = guest.plan.modules.iter().map(|module| (&*module.name, &*module.params)).collect();
        assert_eq!(names, [("other_thing", ""), ("test_hmm", "spm_addr_dev0=0x80000000 spm_addr_dev1=0xa0000000")]);
        assert!(guest.plan.unload);
    }

    #[test]
    fn a_selection_is_cut_to_the_suite_and_slowness_stretches_deadlines() {
        let (_dir, mut request) = request();
        request.selection.only = vec!["hmm.b".into(), "other.a".into(), "hmm.a.c".into()];
        request.selection.skip = vec!["hmm.z".into()];
        request.selection.repeat = 3;
        request.suites[0].repeat = 2;
        request.spec.slowness = 4;
        request.spec.expect = [("/sys/f".to_owned(), "0-1".to_owned())].into();
        let mut plan = guest(&request).unwrap().plan;
        assert_eq!(plan.expect, [Expectation { path: "/sys/f".into(), word: "0-1".into() }]);
        let job = plan.jobs.remove(0);
        assert_eq!((job.only, job.skip, job.repeat), (vec!["b".into(), "a.c".into()], vec!["z".into()], 6));
        assert_eq!(job.test_deadline, 240);
        request.selection.only = vec!["other.a".into()];
        assert!(guest(&request).unwrap().plan.jobs.is_empty());
        request.suites[0].style = Some(crate::words::SuiteStyle::Ktap);
        request.selection.only = vec!["hmm".into()];
        let job = guest(&request).unwrap().plan.jobs.remove(0);
        assert_eq!((job.style, job.only.len()), (Style::Whole, 0));
    }

    #[test]
    fn all_that_cannot_work_is_told_at_once() {
        let (_dir, mut request) = request();
        request.selftests.clear();
        request.spec.memory_mib = 2048;
        request.spec.append = vec!["x".repeat(COMMAND_LINE_LIMIT), "memmap=what$1G".into()];
        let problems = guest(&request).unwrap_err();
        let words = ["no selftest program", "memmap=SIZE$START", "needs a guest of 3072 MiB, but it has 2048", "bytes"];
        assert_eq!(problems.len(), words.len(), "{problems:#?}");
        for (problem, word) in problems.iter().zip(words) {
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        let cases = [("1G", Some(1 << 30)), ("0x80000000", Some(1 << 31)), ("512m", Some(1 << 29)), ("7", Some(7))];
        for (text, value) in cases {
            assert_eq!(number(text), value);
        }
        assert_eq!(number("G"), None);
        assert_eq!(number(""), None);
    }

    #[test]
    fn the_initramfs_holds_agent_plan_and_files() {
        let (_dir, request) = request();
        let guest = guest(&request).unwrap();
        let bytes = guest.initramfs(b"AGENT", b"PLAN", &[b"TESTS".to_vec()]);
        for word in ["init\0", "AGENT", "orchestrator/plan.json\0", "PLAN", "tests/hmm\0", "TESTS", "dev/console\0"] {
            assert!(bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
}
