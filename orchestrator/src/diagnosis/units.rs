//! What a unit at work waits for.

use super::explain::{Explanation, Weight, age};
use super::{Facts, LockWait, Process, Program, UnitAtWork};

/// Nothing printed for this long by what uses no CPU is called hanging, in milliseconds.
const QUIET: i64 = 60_000;

/// What is to be said about a unit at work.
pub(super) fn unit(unit: &UnitAtWork, facts: &Facts) -> Explanation {
    if let Some(wait) = unit.waits.first() {
        return lock_wait(&unit.unit, wait, facts);
    }
    if let Some(stopped) = processes(unit).find(|process| matches!(process.state, 'T' | 't')) {
        return halted(unit, stopped, facts);
    }
    let since = age(facts.now_ms - unit.since_ms);
    let cpu: u64 = processes(unit).map(|process| process.cpu_ms).sum();
    let quiet = unit.said.as_ref().map_or(facts.now_ms - unit.since_ms, |said| facts.now_ms - said.at_ms);
    if unit.programs.is_empty() {
        return no_program(unit, facts, &since);
    }
    let names = names(&unit.programs);
    if let Some(stuck) = processes(unit).find(|process| process.state == 'D').filter(|_| cpu == 0 && quiet > QUIET) {
        let what =
            format!("{} (process {}) waits for a disk or file system that does not answer", stuck.name, stuck.pid);
        let remedy = "see `dmesg`; a network file system may be gone";
        return with_signs(Explanation::new(Weight::Trouble, &unit.unit, what), unit, facts).remedy(remedy);
    }
    if cpu == 0 && quiet > QUIET {
        let leaves: Vec<String> = processes(unit).filter(|process| process.is_leaf).take(3).map(named).collect();
        let what = format!("{names} hangs: no output for {}, and no CPU time used while it was watched", age(quiet));
        let because = format!("at the end of the chain waits {}", leaves.join(", "));
        let first = unit.programs[0].pid;
        let remedy = format!(
            "see what it waits for: `ps -ef --forest`, `cat /proc/PID/wchan`; to end it now: kill -TERM {first}, \
             it is tried again by `orchestrator resume {}`",
            facts.run
        );
        let explanation = Explanation::new(Weight::Trouble, &unit.unit, what).because(because);
        return with_signs(explanation, unit, facts).remedy(remedy);
    }
    let what = format!("{names} is at work for {since}");
    with_signs(Explanation::new(Weight::Good, &unit.unit, what), unit, facts)
}

/// A process that somebody stopped.
fn halted(unit: &UnitAtWork, stopped: &Process, facts: &Facts) -> Explanation {
    let what = format!("{} (process {}) is stopped by a signal and does nothing", stopped.name, stopped.pid);
    let because = "its state is `T`: SIGSTOP, or a debugger";
    let remedy = format!("kill -CONT {}", stopped.pid);
    with_signs(Explanation::new(Weight::Trouble, &unit.unit, what).because(because), unit, facts).remedy(remedy)
}

/// Nothing runs for it that is known.
fn no_program(unit: &UnitAtWork, facts: &Facts, since: &str) -> Explanation {
    let engine = facts.engine.as_deref().unwrap_or(crate::engine::LOCAL);
    if engine != crate::engine::LOCAL {
        let what = format!("engine `{engine}` has it since {since}");
        let name = crate::process::quote(&format!("{}/{}", facts.run, unit.unit));
        let remedy = format!("squeue --name {name} says what it waits for");
        return with_signs(Explanation::new(Weight::Waits, &unit.unit, what), unit, facts).remedy(remedy);
    }
    let what = format!("begun {since} ago; no program runs for it at this moment");
    let own = facts.worker.as_ref().map_or(0, |worker| worker.cpu_ms);
    let because = match own {
        0 => "the orchestrator waits for a disk or a network itself, or the debug log is off (--log)".to_owned(),
        own => format!("the orchestrator works itself: {own} ms of CPU time while it was watched"),
    };
    with_signs(Explanation::new(Weight::Good, &unit.unit, what).because(because), unit, facts)
}

/// Something waits for a lock.
pub(super) fn lock_wait(about: &str, wait: &LockWait, facts: &Facts) -> Explanation {
    let since = age(facts.now_ms - wait.since_ms);
    let what = format!("waits for {since} for {}", wait.path);
    let Some(holder) = wait.holders.first() else {
        let because = "nobody seen from here holds it: it was freed this moment, or a container or another host has it";
        return Explanation::new(Weight::Waits, about, what).because(because);
    };
    let run = holder.run.as_ref().map(|run| format!(", run {run}")).unwrap_or_default();
    let command = if holder.command.is_empty() { String::new() } else { format!(": {}", holder.command) };
    let held = format!("held by process {}{run}{command}", holder.pid);
    let explanation = Explanation::new(Weight::Waits, about, what).because(held);
    match (holder.state, &holder.run) {
        (Some('T' | 't'), _) => {
            let remedy = format!("that process is stopped: kill -CONT {}", holder.pid);
            Explanation { weight: Weight::Trouble, ..explanation }.remedy(remedy)
        }
        (None, _) => explanation.ends("the kernel frees it when the last child of that process ends"),
        (Some(_), Some(run)) => explanation
            .ends("it goes on by itself when that run frees it")
            .remedy(format!("orchestrator doctor --run {run}")),
        (Some(_), None) => explanation.ends("it goes on by itself when that process frees it"),
    }
}

/// Adds the last line, its age, and which deadline ends it.
fn with_signs(mut explanation: Explanation, unit: &UnitAtWork, facts: &Facts) -> Explanation {
    if let Some(said) = &unit.said {
        let when = age(facts.now_ms - said.at_ms);
        let line =
            if said.line.trim().is_empty() { "nothing yet".to_owned() } else { format!("`{}`", said.line.trim()) };
        explanation = explanation.because(format!("last line, {when} ago: {line} ({})", said.file));
    }
    let programs = unit.programs.iter().filter_map(|program| Some((program.name.clone(), program.deadline_ms?)));
    let guest = unit.guest_deadline.iter().map(|(name, at)| (format!("guest, `{name}`"), *at));
    match guest.chain(programs).min_by_key(|(_, at)| *at) {
        Some((name, at)) if at > facts.now_ms => {
            explanation.ends(format!("the deadline of {name} ends it in {}", age(at - facts.now_ms)))
        }
        Some((name, _)) => explanation.ends(format!("the deadline of {name} is over: it is being ended")),
        None => explanation,
    }
}

fn processes(unit: &UnitAtWork) -> impl Iterator<Item = &Process> {
    unit.programs.iter().flat_map(|program| &program.processes)
}

fn names(programs: &[Program]) -> String {
    let names: Vec<String> =
        programs.iter().map(|program| format!("{} (process {})", program.name, program.pid)).collect();
    names.join(", ")
}

fn named(process: &Process) -> String {
    format!("{} (process {})", process.name, process.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{NOW, facts, program, unit as at_work};
    use crate::diagnosis::{Holder, Said};

    fn of(change: impl FnOnce(&mut UnitAtWork)) -> Explanation {
        let mut one = at_work("boot/t/base/hmm");
        change(&mut one);
        unit(&one, &facts())
    }

    fn said(age_ms: i64) -> Option<Said> {
        Some(Said { file: "/c/console.log".into(), line: " [ 5.1] hello ".into(), at_ms: NOW - age_ms })
    }

    #[test]
    fn a_stopped_guest_is_named_with_its_deadline_and_last_line() {
        let told = of(|unit| {
            unit.programs = vec![program("qemu-system-x86_64", 77, 'T', 0)];
            unit.said = said(180_000);
            unit.guest_deadline = Some(("silence".into(), NOW + 123_000));
        });
        assert_eq!(told.weight, Weight::Trouble);
        assert_eq!(told.what, "qemu-system-x86_64 (process 77) is stopped by a signal and does nothing");
        assert_eq!(told.because[1], "last line, 3 min 00 s ago: `[ 5.1] hello` (/c/console.log)");
        assert_eq!(told.ends.unwrap(), "the deadline of guest, `silence` ends it in 2 min 03 s");
        assert_eq!(told.remedy.unwrap(), "kill -CONT 77");
    }

    #[test]
    fn what_prints_nothing_and_uses_no_cpu_hangs_and_nothing_else_does() {
        let weigh = |state, cpu_ms, quiet| {
            of(|unit| {
                unit.programs = vec![program("make", 9, state, cpu_ms)];
                unit.said = said(quiet);
            })
        };
        assert_eq!(weigh('S', 0, QUIET + 1).weight, Weight::Trouble);
        assert!(weigh('S', 0, QUIET + 1).what.contains("hangs: no output for 1 min 00 s"));
        assert!(weigh('D', 0, QUIET + 1).what.contains("waits for a disk"));
        for (state, cpu, quiet) in [('S', 10, QUIET + 1), ('S', 0, QUIET), ('R', 900, 0), ('D', 5, QUIET + 1)] {
            assert_eq!(weigh(state, cpu, quiet).weight, Weight::Good, "{state} {cpu} {quiet}");
        }
    }

    #[test]
    fn the_earliest_deadline_counts_and_one_that_is_over_is_said() {
        let ends = |program_at: Option<i64>, guest_at: i64| {
            let told = of(|unit| {
                unit.programs = vec![Program { deadline_ms: program_at, ..program("make", 9, 'R', 9) }];
                unit.guest_deadline = Some(("boot".into(), guest_at));
            });
            told.ends.unwrap()
        };
        assert!(ends(Some(NOW + 10_000), NOW + 20_000).starts_with("the deadline of make ends it in 10 s"));
        assert!(ends(None, NOW + 20_000).starts_with("the deadline of guest, `boot`"));
        assert!(ends(Some(NOW - 1), NOW + 20_000).contains("is over"));
    }

    #[test]
    fn a_lock_is_told_with_who_has_it() {
        let holder = |state: Option<char>, run: Option<&str>| Holder {
            pid: 8,
            state,
            command: "orchestrator run series v5".into(),
            run: run.map(str::to_owned),
        };
        let wait = |holders: Vec<Holder>| {
            of(|unit| unit.waits = vec![LockWait { path: "/c/t.lock".into(), since_ms: NOW - 5000, holders }])
        };
        let told = wait(vec![holder(Some('S'), Some("r5"))]);
        assert_eq!(told.what, "waits for 5.0 s for /c/t.lock");
        assert_eq!(told.because, ["held by process 8, run r5: orchestrator run series v5"]);
        assert_eq!((told.weight, told.remedy.as_deref()), (Weight::Waits, Some("orchestrator doctor --run r5")));
        let stopped = wait(vec![holder(Some('T'), None)]);
        assert!(stopped.weight == Weight::Trouble && stopped.remedy.unwrap().ends_with("kill -CONT 8"));
        assert!(wait(vec![holder(None, None)]).ends.unwrap().contains("last child"));
        assert!(wait(Vec::new()).because[0].contains("nobody seen from here"));
    }

    #[test]
    fn a_unit_without_a_program_is_with_the_engine_or_in_our_hands() {
        assert!(of(|_| ()).what.contains("no program runs"));
        let mut facts = facts();
        facts.worker.as_mut().unwrap().cpu_ms = 700;
        assert!(unit(&at_work("apply/t"), &facts).because[0].contains("700 ms of CPU time"));
        facts.engine = Ok("cluster".into());
        let told = unit(&at_work("build/t/p1/hmm"), &facts);
        assert!(told.what.starts_with("engine `cluster`"), "{}", told.what);
        assert!(told.remedy.unwrap().contains("20260102-030405-v6/build/t/p1/hmm"));
    }
}
