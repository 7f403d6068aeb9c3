use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::driver::{Cases, corpus};
use super::{TARGETS, Target, assert_harmless};

/// Cases of a target in `make test`.
const CASES: usize = 2000;

fn target(name: &str) -> Target {
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

targets!(mail, patch, ktap, klog, config, agent, boot, counts, answers, records);

#[test]
fn cases_are_the_same_every_time_and_differ_from_each_other() {
    let cases = || Cases::new(vec![b"one\ntwo 2\n".to_vec(), b"three\n".to_vec()], 7).take(200);
    assert!(cases().eq(cases()));
    assert!(cases().collect::<BTreeSet<_>>().len() > 150);
}

#[test]
fn a_control_character_in_a_text_for_people_is_found() {
    assert_harmless("two\nlines");
    assert!(catch_unwind(|| assert_harmless("\u{1b}[31m")).is_err());
    assert!(catch_unwind(|| assert_harmless("a\u{202e}b")).is_err());
}
