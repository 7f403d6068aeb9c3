use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::driver::{Cases, corpus};
use super::{TARGETS, Target, assert_harmless};

/// Cases of a target in `make test`.
const CASES: usize = 2000;

pub(super) fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("a target of this name")
}

/// Runs one case; says what it was when it fails.
fn run(target: &Target, name: &str, case: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(case))) {
        let path = std::env::temp_dir().join(format!("orchestrator-fuzz-{}", target.name));
        let kept = std::fs::write(&path, case).map(|()| path.display().to_string());
        eprintln!("target {}, {name}; the input is kept in {kept:?}", target.name);
        std::panic::resume_unwind(panic);
    }
}

fn drive(name: &str) {
    let target = target(name);
    let inputs = corpus(&target).unwrap();
    assert!(!inputs.is_empty(), "target {name} has no inputs");
    for (file, input) in &inputs {
        run(&target, file, input);
    }
    run(&target, "nothing", b"");
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, input)| input).collect();
    for (number, case) in Cases::new(inputs, 1).take(CASES).enumerate() {
        run(&target, &format!("case {number}"), &case);
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            drive(stringify!($name));
        })*

        #[test]
        fn every_target_is_driven() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(mail, patch, make, ktap, reports, klog, config, agent, boot, counts, answers, labs, records);

#[test]
fn cases_are_the_same_every_time_and_differ_from_each_other() {
    let cases = || Cases::new(vec![b"one\ntwo 2\n".to_vec(), b"three\n".to_vec()], 7).take(200);
    assert!(cases().eq(cases()));
    assert!(cases().collect::<BTreeSet<_>>().len() > 100);
}

#[test]
fn a_control_character_in_a_text_for_people_is_found() {
    assert_harmless("two\nlines");
    assert!(catch_unwind(|| assert_harmless("\u{1b}[31m")).is_err());
    assert!(catch_unwind(|| assert_harmless("a\u{202e}b")).is_err());
}

#[test]
fn good_files_and_records_are_among_the_inputs() {
    let of = |name: &str| corpus(&target(name)).unwrap().into_iter().map(|(_, input)| input);
    let files: BTreeSet<&str> = of("config").filter_map(|input| super::config::good(&input)).collect();
    // The others name files of a whole project.
    let wanted = ["authors", "engines", "lists", "machine", "places", "sources", "suite", "trees"];
    assert!(wanted.iter().all(|kind| files.contains(kind)), "{files:?}");
    let records: BTreeSet<&str> =
        of("records").flat_map(|input| super::records::kinds(&String::from_utf8_lossy(&input))).collect();
    let wanted = ["approval", "boot", "build", "finding", "report", "series", "state of a box"];
    assert!(wanted.iter().all(|kind| records.contains(kind)), "{records:?}");
}

/// CPU time of this thread so far: what others do on this machine does not count.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("a thread knows its own time");
    let times = [usage.user_time(), usage.system_time()];
    times.iter().map(|time| Duration::from_micros(time.num_microseconds().unsigned_abs())).sum()
}

/// The least time of some runs.
fn time(target: &Target, case: &[u8], runs: usize) -> Duration {
    let once = |_| {
        let start = cpu_time();
        run(target, "a long input", case);
        cpu_time() - start
    };
    (0..runs).map(once).min().unwrap_or_default()
}

/// Inputs of a target whose work is measured.
const MEASURED: usize = 4;

#[test]
fn more_of_the_same_takes_about_as_many_times_longer() {
    const SHORT: usize = 4 * 1024;
    const TIMES: usize = 16;
    for target in TARGETS {
        let mut inputs = corpus(&target).unwrap();
        inputs.retain(|(_, input)| !input.is_empty());
        for (number, (name, input)) in inputs.iter().step_by(inputs.len().div_ceil(MEASURED)).enumerate() {
            // The whole again and again; or its longest line, where it stands.
            let longest =
                input.split_inclusive(|byte| *byte == b'\n').max_by_key(|line| line.len()).unwrap_or_default();
            let at = longest.as_ptr() as usize - input.as_ptr() as usize;
            let (before, middle, after) = match number % 2 {
                0 => (&[][..], &input[..], &[][..]),
                _ => (&input[..at], longest, &input[at + longest.len()..]),
            };
            let long = |size: usize| [before, &middle.repeat(size.div_ceil(middle.len().max(1))), after].concat();
            let short = time(&target, &long(SHORT), 3);
            // Work that grows with the square takes 256 times as long, however fast the machine is.
            let limit = (short * (4 * TIMES as u32)).max(Duration::from_millis(200));
            let case = long(SHORT * TIMES);
            let mut took = time(&target, &case, 1);
            if took >= limit {
                took = time(&target, &case, 3);
            }
            assert!(took < limit, "{}, {name}: {short:?}, but {took:?} for {TIMES} times as much", target.name);
        }
    }
}
