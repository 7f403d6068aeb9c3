//! A device of LAVA's, with a real kernel: the server is a stand-in that does with a job what LAVA does, down to its
//! log; with LAVA_URL, LAVA_TOKEN_FILE and LAVA_DEVICE_TYPE (`scripts/lab/lava-real up DIR` writes them) the real one.
//! `cargo test --test real_lava -- --ignored`

mod lava_lab;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use camino::{Utf8Path, Utf8PathBuf};
use lava_lab::Server;
use orchestrator::lab::{BootRequest, RawBoot, Selection, boot};
use orchestrator::suite::{BootMeta, JudgeInput, judge};
use orchestrator::words::{
    Accel, BootEnd, BootRecord, BootSpec, Event, EventSink, Hardware, Machine, Parser, Revision, Suite, Timeouts,
    Verdict,
};
use tokio_util::sync::CancellationToken;

/// A kernel to boot: ORCHESTRATOR_TEST_KERNEL, or the newest of the user's cache that QEMU starts without a boot loader.
fn kernel() -> Utf8PathBuf {
    if let Ok(kernel) = std::env::var("ORCHESTRATOR_TEST_KERNEL") {
        return kernel.into();
    }
    let variable = |name: &str| std::env::var(name).ok().map(PathBuf::from);
    let cache = variable("ORCHESTRATOR_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("orchestrator")))
        .unwrap_or_else(|| variable("HOME").expect("HOME is set").join(".cache/orchestrator"));
    let builds = std::fs::read_dir(cache.join("builds")).expect("a run has built kernels here");
    let pvh = |build: &PathBuf| {
        std::fs::read_to_string(build.join("config")).is_ok_and(|text| text.lines().any(|line| line == "CONFIG_PVH=y"))
    };
    let images = builds.flatten().map(|build| build.path()).filter(pvh).map(|build| build.join("vmlinux"));
    let newest = images.filter_map(|image| Some((image.metadata().ok()?.modified().ok()?, image))).max();
    Utf8PathBuf::try_from(newest.expect("a build has a vmlinux with PVH").1).expect("UTF-8")
}

/// A static test program.
fn program(dir: &Utf8Path, name: &str, source: &str) -> Utf8PathBuf {
    let (file, program) = (dir.join(format!("{name}.c")), dir.join(name));
    std::fs::write(&file, source).unwrap();
    let done = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    program
}

/// Results with a dot, a skip, quotes and a line that is longer than a record of the kernel's log.
const TESTS: &str = r#"
#include <stdio.h>
int main(void)
{
    puts("TAP version 13\n1..4\nok 1 a.b.c\n# it says \"no\" \\ and {more}");
    for (int i = 0; i < 3000; i++) putchar('a' + i % 26);
    puts("\nnot ok 2 broken\nok 3 device # SKIP no such device\nok 4 last");
    return 1;
}
"#;

/// A kernel that dies under its test.
const PANIC: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    puts("TAP version 13\n1..2\nok 1 first");
    fflush(stdout);
    sleep(1);
    int fd = open("/proc/sysrq-trigger", O_WRONLY);
    if (write(fd, "c", 1) != 1) puts("not ok 2 sysrq");
    pause();
    return 0;
}
"#;

struct Lab {
    _folder: tempfile::TempDir,
    dir: Utf8PathBuf,
    server: Server,
}

impl Lab {
    async fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        let server = Server::new(&dir).await;
        Lab { _folder: folder, dir, server }
    }

    fn request(&self, program: Utf8PathBuf, events: EventSink) -> BootRequest {
        let suite: Suite =
            serde_yaml::from_str("name: sample\nabout: x\nselftest: x/y\nstyle: ktap\ntest_deadline: 120\n").unwrap();
        let machine = Machine {
            name: "lava-qemu".into(),
            tags: [("arch".to_owned(), "x86_64".to_owned())].into(),
            hardware: Hardware::Lava(self.server.lava.clone()),
            timeouts: Timeouts { boot: 300, silence: 300, suite: 600, ..Timeouts::default() },
        };
        BootRequest {
            build_id: None,
            unit: "boot sample".into(),
            kernel: kernel(),
            modules: Vec::new(),
            selftests: vec![("sample".into(), program)],
            files: Vec::new(),
            suites: vec![suite],
            spec: BootSpec { memory_mib: 1024, ..BootSpec::default() },
            machine,
            selection: Selection::default(),
            accel: Accel::Native,
            counting: None,
            deadline_factor: 1,
            cache: self.dir.join("cache"),
            dir: self.dir.join("boot"),
            events,
            cancel: CancellationToken::new(),
        }
    }

    fn published(&self) -> usize {
        std::fs::read_dir(&self.server.lava.publish_dir).map_or(0, Iterator::count)
    }
}

fn judged(raw: &RawBoot) -> BootRecord {
    let console = std::fs::read_to_string(&raw.console).unwrap();
    let suites = ["sample".to_owned()];
    let readers = [("sample".to_owned(), Parser::Ktap)];
    let input = JudgeInput {
        readers: &readers,
        readings: &[],
        frames: &raw.frames,
        problems: &raw.problems,
        end: &raw.end,
        console: &console,
        suites: &suites,
        only: &[],
        skip: &[],
        modules: &[],
        config: "CONFIG_PRINTK=y\nCONFIG_BUG=y\n",
    };
    let meta = BootMeta {
        kernel: Revision::Base,
        selftests: Revision::Base,
        kconfig: "k".into(),
        machine: "lava-qemu".into(),
        accel: raw.accel,
        attempt: 1,
        dir: raw.dir.clone(),
        wall_ms: raw.wall_ms,
        cpu_ms: raw.cpu_ms,
        replay: raw.replay.clone(),
    };
    judge(input, meta)
}

/// Test and verdict, in one word each.
fn verdicts(record: &BootRecord) -> Vec<(String, &'static str)> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail { .. } => "fail",
        Verdict::Skip { .. } => "skip",
        Verdict::Crashed { .. } => "crashed",
        Verdict::Timeout | Verdict::Xfail | Verdict::Infra { .. } => "other",
    };
    record.tests.iter().map(|test| (test.test.clone(), word(&test.verdict))).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots a kernel"]
async fn a_job_boots_a_kernel_and_its_log_is_judged_by_our_own_parser() {
    let lab = Lab::new().await;
    let notes = Arc::new(Mutex::new(Vec::new()));
    let sink = notes.clone();
    let events: EventSink = Arc::new(move |event| {
        if let Event::Note { message } = event {
            sink.lock().unwrap().push(message);
        }
    });
    let request = lab.request(program(&lab.dir, "tests", TESTS), events);
    let raw = boot(&request).await;
    let console = std::fs::read_to_string(&raw.console).unwrap_or_default();
    assert_eq!(raw.end, BootEnd::Completed, "{:?}\n{console}", notes.lock().unwrap());
    assert!(raw.problems.is_empty(), "{:?}", raw.problems);
    assert!(console.contains("Linux version") && !console.contains("@orchestrator-frame"), "{console}");
    let record = judged(&raw);
    let expected =
        [("sample.a.b.c", "pass"), ("sample.broken", "fail"), ("sample.device", "skip"), ("sample.last", "pass")];
    assert_eq!(verdicts(&record), expected.map(|(name, verdict)| (name.to_owned(), verdict)));
    let output: String = record.tests.iter().map(|test| test.output.as_str()).collect();
    assert!(output.contains(r#"it says "no" \ and {more}"#), "{output}");
    assert!(output.contains(&"abcdefghijklmnopqrstuvwxyz".repeat(40)), "a long line is whole");
    assert!(notes.lock().unwrap().iter().any(|note| note.contains("LAVA job")), "{notes:?}");
    assert_eq!(lab.published(), 0, "nothing is left for LAVA to fetch");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots a kernel"]
async fn a_kernel_that_panics_is_the_kernels_fault() {
    let lab = Lab::new().await;
    let request = lab.request(program(&lab.dir, "panic", PANIC), Arc::new(|_| ()));
    let raw = boot(&request).await;
    let console = std::fs::read_to_string(&raw.console).unwrap_or_default();
    assert_eq!(raw.end, BootEnd::Panicked, "{console}");
    let record = judged(&raw);
    assert!(record.splats.iter().any(|splat| splat.title.contains("sysrq")), "{:?}", record.splats);
    assert!(record.splats.iter().any(|splat| splat.test.as_deref().is_some_and(|test| test.starts_with("sample"))));
    assert_eq!(lab.published(), 0);
}
