use orchestrator_protocol::{Frame, Message, Status, VERSION};

use super::*;
use crate::words::{Accel, BootEnd, BootRecord, Crash, Parser, Revision, Verdict};

const CONFIG: &str = "CONFIG_PRINTK=y\nCONFIG_BUG=y\nCONFIG_KALLSYMS=y\n";

/// A boot under construction: frames and console.
#[derive(Clone)]
struct Boot {
    frames: Vec<Frame>,
    problems: Vec<String>,
    console: String,
    only: Vec<String>,
    modules: Vec<String>,
    end: BootEnd,
    /// How the suite is read.
    readers: Vec<(String, Parser)>,
    idle: Vec<(String, Vec<String>)>,
}

impl Boot {
    /// Came up and listed these tests.
    fn new(tests: &[&str]) -> Self {
        Boot::bare().say(Message::Listed { suite: "hmm".into(), tests: tests.iter().map(|t| t.to_string()).collect() })
    }

    fn bare() -> Self {
        let boot = Boot {
            frames: Vec::new(),
            problems: Vec::new(),
            console: "[    0.000000] Linux version 6.12.117\n".into(),
            only: Vec::new(),
            modules: Vec::new(),
            end: BootEnd::Completed,
            readers: Vec::new(),
            idle: Vec::new(),
        };
        boot.say(Message::Hello {
            version: VERSION,
            uname: "6.12.117 #1".into(),
            cmdline: String::new(),
            mem_kib: 1,
            cpus: 2,
            build_id: String::new(),
        })
    }

    fn say(mut self, message: Message) -> Self {
        let seq = self.frames.last().map_or(0, |frame| frame.seq + 1);
        self.frames.push(Frame { seq, ms: seq * 10, message });
        self
    }

    fn begin(mut self, test: &str) -> Self {
        self.console.push_str(&format!("[    1.0] orchestrator: begin hmm {test} round 1\n"));
        self.say(Message::Begin { suite: "hmm".into(), test: test.into(), round: 1 })
    }

    fn out(mut self, text: &str) -> Self {
        for line in text.lines() {
            self = self.say(Message::Output { err: false, text: line.into() });
        }
        self
    }

    fn end(self, test: &str, status: Status) -> Self {
        self.end_tainted(test, status, 0)
    }

    fn end_tainted(mut self, test: &str, status: Status, tainted: u64) -> Self {
        self.console.push_str(&format!("[    2.0] orchestrator: end hmm {test} round 1\n"));
        let message = Message::End { suite: "hmm".into(), test: test.into(), round: 1, status, dropped: 0, tainted };
        self.say(message)
    }

    /// One good test.
    fn pass(self, test: &str) -> Self {
        self.begin(test).out(&format!("TAP version 13\n1..1\nok 1 {test}\n")).end(test, Status::Code(0))
    }

    fn fail(self, test: &str) -> Self {
        self.begin(test).out(&format!("TAP version 13\n1..1\nnot ok 1 {test}\n")).end(test, Status::Code(1))
    }

    fn console(mut self, text: &str) -> Self {
        self.console.push_str(text);
        self
    }

    fn ends(mut self, end: BootEnd) -> Self {
        self.end = end;
        self
    }

    fn only(mut self, tests: &[&str]) -> Self {
        self.only = tests.iter().map(|test| test.to_string()).collect();
        self
    }

    fn modules(mut self, modules: &[&str]) -> Self {
        self.modules = modules.iter().map(|module| module.to_string()).collect();
        self
    }

    fn fatal(self, what: &str, error: &str) -> Self {
        self.say(Message::Setup { what: what.into(), error: Some(error.into()), fatal: true })
    }

    fn judge(&self) -> BootRecord {
        let input = JudgeInput {
            readers: &self.readers,
            readings: &[],
            idle: &self.idle,
            frames: &self.frames,
            problems: &self.problems,
            end: &self.end,
            console: &self.console,
            suites: &["hmm".to_owned()],
            only: &self.only,
            skip: &[],
            modules: &self.modules,
            config: CONFIG,
        };
        let meta = BootMeta {
            kernel: Revision::Base,
            selftests: Revision::Base,
            kconfig: "hmm".into(),
            machine: "qemu-x86_64".into(),
            accel: Accel::Tcg,
            attempt: 1,
            dir: "boots/x/1".into(),
            wall_ms: 1,
            cpu_ms: 1,
            replay: "qemu".into(),
        };
        judge(input, meta)
    }
}

fn verdicts(record: &BootRecord) -> Vec<(&str, &'static str)> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail { .. } => "fail",
        Verdict::Timeout => "timeout",
        Verdict::Skip { .. } => "skip",
        Verdict::Xfail => "xfail",
        Verdict::Crashed { crash: Crash::Panic } => "panic",
        Verdict::Crashed { crash: Crash::Hang } => "hang",
        Verdict::Crashed { crash: Crash::Reset } => "reset",
        Verdict::Infra { .. } => "infra",
    };
    record.tests.iter().map(|test| (test.test.as_str(), word(&test.verdict))).collect()
}

fn infra_reason<'a>(record: &'a BootRecord, test: &str) -> &'a str {
    match &record.tests.iter().find(|record| record.test == test).unwrap().verdict {
        Verdict::Infra { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn hung(deadline: &str) -> BootEnd {
    BootEnd::Hung { deadline: deadline.into() }
}

#[test]
fn a_boot_that_goes_well() {
    let record = Boot::new(&["a", "b"]).pass("a").fail("b").say(Message::Beat).say(Message::Done).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", "fail")]);
    assert_eq!(record.remaining, Vec::<String>::new());
    assert_eq!(record.log_checked, Ok(()));
    assert_eq!(record.uname, "6.12.117 #1");
    assert_eq!(record.tests[0].output, "TAP version 13\n1..1\nok 1 a\n");
    assert_eq!(record.tests[0].guest_ms, 40);
}

#[test]
fn the_open_test_gets_what_happened_and_the_rest_remains() {
    let boot = || Boot::new(&["a", "b", "c"]).pass("a").begin("b").out("TAP version 13\n1..1\n");
    for (end, word) in [(BootEnd::Panicked, "panic"), (hung("silence"), "hang"), (BootEnd::Reset, "reset")] {
        let record = boot().ends(end.clone()).judge();
        assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", word)]);
        assert_eq!(record.remaining, ["hmm.c"]);
        assert_eq!(record.end, end);
    }
    let infra = boot().ends(BootEnd::Infra { reason: "QEMU was killed".into() }).judge();
    assert_eq!(verdicts(&infra), [("hmm.a", "pass"), ("hmm.b", "infra")]);
    let strange = boot().ends(BootEnd::Completed).judge();
    assert_eq!(infra_reason(&strange, "hmm.b"), "its end was never reported");
}

#[test]
fn a_test_beyond_its_deadline_hangs_and_others_go_on() {
    let record = Boot::new(&["a", "b"]).begin("a").end("a", Status::Deadline).pass("b").say(Message::Done).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "hang"), ("hmm.b", "pass")]);
}

#[test]
fn reports_after_a_test_that_could_not_be_stopped_are_its_own() {
    let lockup = "[   40.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [hmm:40]\n";
    let stuck = Boot::new(&["a", "b"]).pass("a").begin("b").end("b", Status::Deadline).console(lockup);
    let record = stuck.ends(hung("test")).judge();
    assert_eq!(record.splats[0].test.as_deref(), Some("hmm.b"));
    let boot = Boot::new(&["a"]).console(lockup).begin("a").end("a", Status::Deadline).ends(hung("test")).judge();
    assert_eq!(boot.splats[0].test, None, "it came before the test");
}

#[test]
fn the_end_of_the_suites_time_is_no_hang() {
    let record = Boot::new(&["a", "b"]).pass("a").begin("b").ends(hung("suite")).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", "infra")]);
    assert!(matches!(record.end, BootEnd::Infra { .. }));
}

#[test]
fn a_panic_before_the_first_frame_of_a_test_is_that_tests() {
    let boot = Boot::new(&["a", "b", "c"]).pass("a").console("[    3.0] orchestrator: begin hmm b round 1\n");
    let record = boot.ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", "panic")]);
    assert_eq!(record.remaining, ["hmm.c"]);
    let between = Boot::new(&["a", "b"]).pass("a").ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&between), [("hmm.a", "pass")], "nobody ran");
    let forged = Boot::new(&["a"]).pass("a").console("[    3.0] orchestrator: begin who cares round 1\n");
    assert_eq!(verdicts(&forged.ends(BootEnd::Panicked).judge()), [("hmm.a", "pass")]);
}

#[test]
fn when_the_console_knows_a_later_test_the_frames_of_the_first_were_lost() {
    let boot = Boot::new(&["a", "b"]).begin("a").console("[    3.0] orchestrator: begin hmm b round 1\n");
    let record = boot.ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "infra"), ("hmm.b", "panic")]);
}

#[test]
fn a_problem_of_the_channel_is_not_the_kernels_unless_it_panicked() {
    let mut boot = Boot::new(&["a"]).begin("a").ends(hung("silence"));
    boot.problems.push("line 9 is no frame".into());
    assert_eq!(infra_reason(&boot.judge(), "hmm.a"), "results channel: line 9 is no frame");
    let panicked = boot.ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&panicked), [("hmm.a", "panic")], "a panic cuts the last line");
}

#[test]
fn frames_that_are_missing_or_come_twice_spoil_the_test_they_belong_to() {
    let good = Boot::new(&["a", "b"]).pass("a").pass("b").say(Message::Done);
    let at =
        good.frames.iter().position(|f| matches!(&f.message, Message::Output { text, .. } if text == "1..1")).unwrap();

    let mut gap = good.clone();
    gap.frames.remove(at);
    assert_eq!(verdicts(&gap.judge()), [("hmm.a", "infra"), ("hmm.b", "pass")]);
    assert!(infra_reason(&gap.judge(), "hmm.a").contains("are missing"));

    let mut twice = good.clone();
    let forged = Frame { message: Message::Output { err: false, text: "ok 1 a".into() }, ..good.frames[at].clone() };
    twice.frames.insert(at, forged);
    assert_eq!(verdicts(&twice.judge()), [("hmm.a", "infra"), ("hmm.b", "pass")]);
    assert!(infra_reason(&twice.judge(), "hmm.a").contains("came twice"));
}

#[test]
fn a_program_that_forges_its_end_convinces_nobody() {
    let mut boot = Boot::new(&["a", "b"]).begin("a").out("TAP version 13\n1..1\nok 1 a");
    // Written by the test itself, with the number the agent will use next.
    let seq = boot.frames.last().unwrap().seq + 1;
    let end = |seq| Frame {
        seq,
        ms: 1,
        message: Message::End {
            suite: "hmm".into(),
            test: "a".into(),
            round: 1,
            status: Status::Code(0),
            dropped: 0,
            tainted: 0,
        },
    };
    boot.frames.push(end(seq));
    boot.frames.push(Frame { seq, ms: 1, message: Message::Output { err: true, text: "boom".into() } });
    boot.frames.push(end(seq + 1));
    let record = boot.judge();
    assert!(verdicts(&record).iter().all(|(_, word)| *word == "infra"), "{record:?}");
}

#[test]
fn rounds_are_tries_and_the_same_round_twice_is_not() {
    let mut boot = Boot::new(&["a"]).pass("a").pass("a").say(Message::Done);
    assert_eq!(verdicts(&boot.judge()), [("hmm.a", "infra"), ("hmm.a", "infra")]);
    let mut begins = 0;
    for frame in &mut boot.frames {
        if let Message::Begin { round, .. } = &mut frame.message {
            begins += 1;
            *round = begins;
        }
        if let Message::End { round, .. } = &mut frame.message {
            *round = begins;
        }
    }
    assert_eq!(verdicts(&boot.judge()), [("hmm.a", "pass"), ("hmm.a", "pass")]);
}

#[test]
fn an_end_belongs_to_the_test_that_has_begun() {
    let end = |suite: &str, test: &str, round: u32| Message::End {
        suite: suite.into(),
        test: test.into(),
        round,
        status: Status::Code(0),
        dropped: 0,
        tainted: 0,
    };
    let output = "TAP version 13\n1..1\nok 1 a";
    let right = Boot::new(&["a"]).begin("a").out(output).say(end("hmm", "a", 1)).say(Message::Done).judge();
    assert_eq!(verdicts(&right), [("hmm.a", "pass")]);
    for (suite, test, round) in [("mmh", "a", 1), ("hmm", "b", 1), ("hmm", "a", 2)] {
        let record = Boot::new(&["a"]).begin("a").out(output).say(end(suite, test, round)).say(Message::Done).judge();
        let name = format!("{suite}.{test}");
        assert_eq!(infra_reason(&record, "hmm.a"), "results channel: another test ended before its end");
        let stray = record.tests.last().unwrap();
        assert_eq!(stray.test, name);
        let reason = "results channel: it ended without having begun".to_owned();
        assert_eq!(stray.verdict, Verdict::Infra { reason });
    }
}

#[test]
fn an_agent_that_starts_twice_is_not_believed() {
    let again = || Message::Hello {
        version: VERSION,
        uname: "other".into(),
        cmdline: String::new(),
        mem_kib: 1,
        cpus: 2,
        build_id: String::new(),
    };
    let record = Boot::new(&["a", "b"]).pass("a").say(again()).pass("b").say(Message::Done).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", "infra")]);
    assert_eq!(infra_reason(&record, "hmm.b"), "results channel: the agent started twice");
    assert_eq!(record.uname, "6.12.117 #1");
}

#[test]
fn a_machine_that_is_lost_to_its_preparation_takes_the_open_test_along() {
    let record = Boot::new(&["a", "b"]).begin("a").fatal("module dep", "EBUSY").ends(BootEnd::Reset).judge();
    assert_eq!(infra_reason(&record, "hmm.a"), "module dep: EBUSY");
}

#[test]
fn a_suite_that_ran_is_not_spoilt_by_what_came_after() {
    let mut whole = Boot::new(&[]).begin("").end("", Status::Code(0)).fatal("module dep", "EBUSY");
    whole.readers = vec![("hmm".into(), Parser::ExitCode)];
    assert_eq!(verdicts(&whole.judge()), [("hmm", "pass")]);
    let single = Boot::new(&["a"]).pass("a").fatal("module dep", "EBUSY");
    assert_eq!(verdicts(&single.judge()), [("hmm.a", "pass")]);
}

#[test]
fn unloading_is_not_asked_of_a_machine_that_could_not_be_prepared() {
    let boot = Boot::bare().fatal("module dep", "EBUSY").modules(&["test_hmm"]);
    let record = boot.only(&["hmm.a", "hmm.unload-test_hmm"]).judge();
    assert_eq!(verdicts(&record)[0], ("hmm.a", "infra"));
    assert_eq!(verdicts(&record).len(), 1, "{record:#?}");
}

#[test]
fn the_console_knows_of_a_later_round() {
    let later = Boot::new(&["a"]).pass("a").console("[    3.0] orchestrator: begin hmm a round 2\n");
    assert_eq!(verdicts(&later.clone().ends(BootEnd::Panicked).judge()), [("hmm.a", "pass"), ("hmm.a", "panic")]);
    let same = Boot::new(&["a"]).pass("a").console("[    3.0] orchestrator: begin hmm a round 1\n");
    assert_eq!(verdicts(&same.ends(BootEnd::Panicked).judge()), [("hmm.a", "pass")]);
}

#[test]
fn a_file_of_results_comes_in_pieces_and_its_end_is_missed() {
    let padding = " ".repeat(700 * 1024);
    let good = "<testsuite><testcase name='a'/></testsuite>";
    let judged = |pieces: &[(&str, u64)]| {
        let mut boot = Boot::new(&[]).begin("");
        boot.readers = vec![("hmm".into(), Parser::Junit("/tmp/r.xml".into()))];
        for (text, dropped) in pieces {
            boot = boot.say(Message::Result { text: (*text).into(), dropped: *dropped });
        }
        boot.end("", Status::Code(0)).say(Message::Done).judge().tests.remove(0).verdict
    };
    assert_eq!(judged(&[(&padding, 0), (good, 0), (&padding, 0)]), Verdict::Pass);
    let too_long = |bytes: usize| Verdict::Infra {
        reason: format!("the program exited with 0: /tmp/r.xml is {bytes} bytes too long: it printed nothing"),
    };
    assert_eq!(judged(&[(good, 0), ("", 7)]), too_long(7));
    let huge = " ".repeat(40 * 1024 * 1024);
    assert_eq!(judged(&[(&huge, 0), (&huge, 0), (&huge, 0)]), too_long(2 * huge.len()));
}

#[test]
fn every_flag_that_comes_with_a_report_is_missed_in_a_quiet_log() {
    for (bit, word) in [(5, "bad page"), (7, "oops"), (9, "WARN"), (14, "soft lockup")] {
        let boot = Boot::new(&["a"]).begin("a").out("TAP version 13\n1..1\nok 1 a");
        let record = boot.end_tainted("a", Status::Code(0), 1 << bit).say(Message::Done).judge();
        let why = record.log_checked.unwrap_err();
        assert!(why.contains(&format!("tainted ({word}), but its log has no report")), "{why}");
    }
    let other = Boot::new(&["a"]).begin("a").out("TAP version 13\n1..1\nok 1 a");
    // An out-of-tree module.
    let record = other.end_tainted("a", Status::Code(0), 1 << 12).say(Message::Done).judge();
    assert_eq!(record.log_checked, Ok(()));
}

#[test]
fn an_oops_in_a_program_that_runs_whole_is_its_own_and_its_results_stay() {
    let boot = Boot::new(&[]).begin("").out("TAP version 13\n1..2\nok 1 x\nok 2 y");
    let record = boot.end_tainted("", Status::Code(1), 1 << 7).ends(BootEnd::Reset).judge();
    assert_eq!(verdicts(&record), [("hmm.x", "pass"), ("hmm.y", "pass"), ("hmm", "panic")]);
}

#[test]
fn frames_after_the_last_one_are_not_believed() {
    let record = Boot::new(&["a"]).say(Message::Done).pass("a").judge();
    assert!(infra_reason(&record, "hmm.a").contains("after the last one"));
}

#[test]
fn a_machine_that_could_not_be_prepared_is_trouble_of_ours() {
    let boot = Boot::bare().fatal("node /dev/hmm_dmirror0", "HMM_DMIRROR is not in /proc/devices").ends(BootEnd::Reset);
    let record = boot.clone().judge();
    assert_eq!(verdicts(&record), [("hmm", "infra")]);
    assert_eq!(infra_reason(&record, "hmm"), "node /dev/hmm_dmirror0: HMM_DMIRROR is not in /proc/devices");
    assert!(matches!(record.end, BootEnd::Infra { .. }), "{:?}", record.end);
    let only = boot.only(&["hmm.a", "other.b"]).judge();
    assert_eq!(verdicts(&only), [("hmm.a", "infra")]);
    assert_eq!(only.remaining, Vec::<String>::new());
}

#[test]
fn an_oops_during_the_set_up_stays_the_kernels() {
    let console =
        "[ 1.0] BUG: kernel NULL pointer dereference, address: 0\n[ 1.1] RIP: 0010:hmm_dmirror_init+0x1/0x2\n";
    let record = Boot::bare().fatal("module test_hmm", "killed").console(console).ends(BootEnd::Reset).judge();
    assert_eq!(record.end, BootEnd::Reset);
    assert_eq!(record.splats[0].function.as_deref(), Some("hmm_dmirror_init"));
}

#[test]
fn tests_after_which_the_kernel_has_oopsed_crashed() {
    let died = |b: Boot| {
        b.begin("b").out("TAP version 13\n1..1\nok 1 b").end_tainted("b", Status::Code(0), 1 << 7).ends(BootEnd::Reset)
    };
    let record = died(Boot::new(&["a", "b", "c"]).pass("a"))
        .console("[ 1.0] BUG: kernel NULL pointer dereference, address: 0\n")
        .judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.b", "panic")]);
    assert_eq!(record.remaining, ["hmm.c"]);
}

#[test]
fn a_tainted_kernel_with_a_quiet_log_was_not_checked() {
    let record = Boot::new(&["a"])
        .begin("a")
        .out("TAP version 13\n1..1\nok 1 a")
        .end_tainted("a", Status::Code(0), 1 << 9)
        .say(Message::Done)
        .judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass")]);
    assert!(record.log_checked.unwrap_err().contains("tainted (WARN), but its log has no report"));
    let mut silent = Boot::new(&["a"]).pass("a").say(Message::Done);
    silent.console.clear();
    assert!(silent.judge().log_checked.unwrap_err().contains("console is empty"));
}

#[test]
fn splats_are_attributed_through_the_markers() {
    let boot = Boot::new(&["a", "b"])
        .begin("a")
        .console("[    1.5] BUG: Bad rss-counter state mm:00000000abcdef01 type:MM_ANONPAGES val:1\n");
    let record = boot.out("TAP version 13\n1..1\nok 1 a").end("a", Status::Code(0)).pass("b").judge();
    assert_eq!(record.splats[0].test.as_deref(), Some("hmm.a"));
}

#[test]
fn only_what_was_asked_for_and_exists_can_remain() {
    let record = Boot::new(&["a", "b", "c"]).only(&["hmm.c", "hmm.gone", "other.x", "hmm.a"]).pass("c").judge();
    assert_eq!(verdicts(&record), [("hmm.c", "pass")]);
    assert_eq!(record.remaining, ["hmm.a"]);
    let early = Boot::bare().only(&["hmm.c", "hmm.a"]).ends(BootEnd::Panicked).judge();
    assert_eq!(early.remaining, ["hmm.c", "hmm.a"]);
}

#[test]
fn unloading_is_a_test_of_its_own() {
    let unloaded = |module: &str, error: Option<&str>| Message::Unloaded {
        module: module.into(),
        error: error.map(str::to_owned),
    };
    let boot = || Boot::new(&["a"]).pass("a").modules(&["dep", "test_hmm"]);
    let record = boot().say(unloaded("test_hmm", Some("EBUSY"))).say(unloaded("dep", None)).say(Message::Done).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass"), ("hmm.unload-test_hmm", "fail"), ("hmm.unload-dep", "pass")]);
    let died = boot().ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&died), [("hmm.a", "pass"), ("hmm.unload-test_hmm", "panic")]);
    assert_eq!(died.remaining, ["hmm.unload-dep"]);
    let earlier = Boot::new(&["a"]).begin("a").modules(&["test_hmm"]).ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&earlier), [("hmm.a", "panic")]);
    assert_eq!(earlier.remaining, ["hmm.unload-test_hmm"]);
}

#[test]
fn a_program_that_runs_whole() {
    let output = "TAP version 13\n1..2\nok 1 x\nnot ok 2 y";
    let record = Boot::new(&[]).begin("").out(output).end("", Status::Code(1)).say(Message::Done).judge();
    assert_eq!(verdicts(&record), [("hmm.x", "pass"), ("hmm.y", "fail")]);
    let cut = Boot::new(&[]).begin("").out("TAP version 13\n1..2\nok 1 x").ends(BootEnd::Panicked).judge();
    assert_eq!(verdicts(&cut), [("hmm.x", "pass"), ("hmm", "panic")]);
}

#[test]
fn endless_output_keeps_its_beginning_and_its_end() {
    let flood = "x".repeat(1000);
    let mut boot = Boot::new(&["a"]).begin("a").out("first");
    for _ in 0..200 {
        boot = boot.out(&flood);
    }
    let record = boot.out("TAP version 13\n1..1\nok 1 a").end("a", Status::Code(0)).judge();
    assert_eq!(verdicts(&record), [("hmm.a", "pass")]);
    let output = &record.tests[0].output;
    assert!(output.len() < 70_000 && output.starts_with("first\n") && output.ends_with("ok 1 a\n"));
    assert!(output.contains("bytes left out]"));
}

#[test]
fn nothing_said_is_nothing_judged() {
    let mut boot = Boot::bare().ends(BootEnd::Panicked);
    boot.frames.clear();
    let record = boot.judge();
    assert_eq!((record.tests, record.remaining, record.uname.as_str()), (vec![], vec![], ""));
}

/// A command that is read so: its file of results, and how it ended.
fn command(reader: Parser, file: Option<&str>, status: Status) -> Vec<(String, Verdict)> {
    let mut boot = Boot::new(&[]).begin("").out("words\n");
    boot.readers = vec![("hmm".into(), reader)];
    for text in file.into_iter().flat_map(|file| [&file[..file.len() / 2], &file[file.len() / 2..]]) {
        boot = boot.say(Message::Result { text: text.into(), dropped: 0 });
    }
    let record = boot.end("", status).say(Message::Done).judge();
    record.tests.into_iter().map(|test| (test.test, test.verdict)).collect()
}

#[test]
fn a_command_is_read_by_its_exit_code() {
    let verdict = |status| command(Parser::ExitCode, None, status).remove(0);
    assert_eq!(verdict(Status::Code(0)), ("hmm".into(), Verdict::Pass));
    assert_eq!(verdict(Status::Code(4)).1, Verdict::Skip { reason: "words".into() });
    assert!(matches!(verdict(Status::Code(127)).1, Verdict::Fail { reason } if reason.contains("127: words")));
    assert!(matches!(verdict(Status::Code(1)).1, Verdict::Fail { reason } if reason.contains("words")));
    assert!(matches!(verdict(Status::Signal(11)).1, Verdict::Fail { .. }));
    assert_eq!(verdict(Status::Deadline).1, Verdict::Crashed { crash: Crash::Hang });
    let missing = Verdict::Skip { reason: "command not found on the machine".into() };
    assert_eq!(verdict(Status::Missing).1, missing);
    assert_eq!(command(Parser::Ktap, None, Status::Missing), [("hmm".into(), missing)]);
}

#[test]
fn a_command_is_read_by_the_file_it_writes() {
    let junit = || Parser::Junit("/tmp/r.xml".into());
    let good = "<testsuite><testcase name='a'/><testcase name='b'><skipped/></testcase></testsuite>";
    let bad = "<testsuite><testcase name='a'><failure message='no'/></testcase></testsuite>";
    let names = |tests: &[(String, Verdict)]| tests.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&command(junit(), Some(good), Status::Code(0))), ["hmm.a", "hmm.b"]);
    assert_eq!(names(&command(junit(), Some(bad), Status::Code(1))), ["hmm.a"]);
    let mut boot = Boot::new(&[]).begin("");
    boot.readers = vec![("hmm".into(), junit())];
    let boot = boot.say(Message::Result { text: bad.into(), dropped: 0 }).end("", Status::Code(1));
    assert_eq!(boot.say(Message::Done).judge().tests[0].output, "no\n", "a failure's words are its proof");
    // What the program says and how it ends do not fit together.
    assert_eq!(names(&command(junit(), Some(good), Status::Code(1))), ["hmm.a", "hmm.b", "hmm"]);
    assert_eq!(names(&command(junit(), Some(good), Status::Signal(6))), ["hmm.a", "hmm.b", "hmm"]);
    for file in [None, Some(&good[..60]), Some("")] {
        let tests = command(junit(), file, Status::Code(0));
        assert!(matches!(&tests[..], [(name, Verdict::Infra { .. })] if name == "hmm"), "{tests:?}");
    }
    let igt = r#"{"tests": {"igt@a@b": {"result": "pass"}, "igt@a@c": {"result": "skip"}}}"#;
    let tests = command(Parser::IgtResults("/tmp/r/results.json".into()), Some(igt), Status::Code(1));
    assert_eq!(names(&tests), ["hmm.a.b", "hmm.a.c"]);
}

#[test]
fn exit_code_127_is_a_missing_command_only_where_a_shell_says_so() {
    let readers = [
        Parser::ExitCode,
        Parser::Junit("/tmp/r.xml".into()),
        Parser::IgtResults("/tmp/r.json".into()),
        Parser::OpenclCts("/tmp/r.json".into()),
        Parser::Ktap,
    ];
    let says = |reader: &Parser, words: &str, code: i32| {
        let mut boot = Boot::new(&[]).begin("").out(words);
        boot.readers = vec![("hmm".into(), reader.clone())];
        boot.end("", Status::Code(code)).say(Message::Done).judge().tests.remove(0).verdict
    };
    for reader in &readers {
        for words in [
            "sh: exec: line 1: kfdtest: not found",
            "env: 'test_svm': No such file or directory",
            "kfdtest: error while loading shared libraries: libhsakmt.so: cannot open: No such file or directory",
        ] {
            let verdict = says(reader, words, 127);
            assert!(matches!(&verdict, Verdict::Skip { reason } if reason.contains(words)), "{reader:?}: {verdict:?}");
            let verdict = says(reader, words, 1);
            assert!(!matches!(verdict, Verdict::Skip { .. } | Verdict::Pass), "{reader:?}: {verdict:?}");
        }
        let verdict = says(reader, "127 pages are lost", 127);
        assert!(!matches!(verdict, Verdict::Skip { .. } | Verdict::Pass), "{reader:?}: {verdict:?}");
    }
    // A file that was written is what counts.
    let bad = "<testsuite><testcase name='a'><failure message='no'/></testcase></testsuite>";
    let tests = command(Parser::Junit("/tmp/r.xml".into()), Some(bad), Status::Code(127));
    assert!(matches!(&tests[..], [(_, Verdict::Fail { .. })]), "{tests:?}");
}

#[test]
fn a_pass_of_kfdtest_that_did_nothing_is_a_skip() {
    let xml = "<testsuites><testsuite name='KFDSVMRangeTest'>\
               <testcase name='MigrateTest/0' status='run' time='0.1' classname='KFDSVMRangeTest' />\
               <testcase name='MigrateTest/1' status='run' time='0.1' classname='KFDSVMRangeTest' />\
               </testsuite></testsuites>";
    let words = "[ RUN      ] KFDSVMRangeTest.MigrateTest/0\n[          ] Skipping test: No VRAM found.\n\
                 [       OK ] KFDSVMRangeTest.MigrateTest/0 (1 ms)\n[ RUN      ] KFDSVMRangeTest.MigrateTest/1\n\
                 [       OK ] KFDSVMRangeTest.MigrateTest/1 (90 ms)\n";
    let mut boot = Boot::new(&[]).begin("").out(words);
    boot.readers = vec![("hmm".into(), Parser::Junit("/tmp/r.xml".into()))];
    boot.idle = vec![("hmm".into(), vec!["(?i)skipp(ing|ed)".into()])];
    let boot = boot.say(Message::Result { text: xml.into(), dropped: 0 }).end("", Status::Code(0)).say(Message::Done);
    let record = boot.judge();
    let [off, on] = ["hmm.KFDSVMRangeTest.MigrateTest/0", "hmm.KFDSVMRangeTest.MigrateTest/1"];
    assert_eq!(verdicts(&record), [(off, "skip"), (on, "pass")]);
    assert!(record.tests[1].output.contains("90 ms"), "{}", record.tests[1].output);
}

#[test]
fn opencl_conformance_tests_say_why_in_what_they_print() {
    let file = r#"{"cmd": "test_svm", "results": {"svm_a": "pass", "svm_b": "fail", "svm_c": "pass"}}"#;
    let words = "svm_a...\nRequested SVM level not supported by any device on this platform, test not executed.\n\
                 svm_a passed\nsvm_b...\nERROR: wrong value\nsvm_b FAILED\nsvm_c...\nsvm_c passed\n";
    let mut boot = Boot::new(&[]).begin("").out(words);
    boot.readers = vec![("hmm".into(), Parser::OpenclCts("/tmp/r.json".into()))];
    boot.idle = vec![("hmm".into(), vec!["test not executed".into()])];
    let boot = boot.say(Message::Result { text: file.into(), dropped: 0 }).end("", Status::Code(1)).say(Message::Done);
    let record = boot.judge();
    assert_eq!(verdicts(&record), [("hmm.svm_a", "skip"), ("hmm.svm_b", "fail"), ("hmm.svm_c", "pass")]);
    assert_eq!(record.tests[1].verdict, Verdict::Fail { reason: "ERROR: wrong value".into() });
}
