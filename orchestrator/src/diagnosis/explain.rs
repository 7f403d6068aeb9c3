//! From what was seen to sentences: why a run stands still or ended as it did, and what to do.

use serde::Serialize;

use super::causes::remedy_of;
use super::units::{lock_wait, unit};
use super::{Disk, Facts, Standing, Worker};
use crate::term::text::{count, duration};

/// How much an explanation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// As it should be.
    Good,
    /// It goes on by itself when what it waits for is over.
    Waits,
    /// It does not go on by itself, or has ended badly, or is about to.
    Trouble,
}

/// One thing that is to be said about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// How much it weighs.
    pub weight: Weight,
    /// `run`, a unit or a disk.
    pub about: String,
    /// One sentence.
    pub what: String,
    /// What shows it.
    pub because: Vec<String>,
    /// What ends it if nobody does anything.
    pub ends: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
}

impl Explanation {
    /// A sentence about something.
    pub(super) fn new(weight: Weight, about: &str, what: impl Into<String>) -> Explanation {
        let (about, what) = (about.to_owned(), what.into());
        Explanation { weight, about, what, because: Vec::new(), ends: None, remedy: None }
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Explanation {
        self.because.push(reason.into());
        self
    }

    pub(super) fn ends(mut self, how: impl Into<String>) -> Explanation {
        self.ends = Some(how.into());
        self
    }

    pub(super) fn remedy(mut self, what: impl Into<String>) -> Explanation {
        self.remedy = Some(what.into());
        self
    }
}

/// Less than this free on a disk ends builds, in bytes.
const DISK_LOW: u64 = 2 << 30;

/// Less than this free and the host begins to kill, in MiB.
const MEMORY_LOW: u64 = 512;

/// Nothing said for this long is long, in milliseconds.
const LONG: i64 = 60_000;

/// A run whose units show nothing for this long is looked at, in milliseconds.
const VERY_LONG: i64 = 600_000;

/// What is to be said, in the order in which a person should read it: the run, its units, its host.
pub fn explain(facts: &Facts) -> Vec<Explanation> {
    let mut all = vec![run(facts)];
    if facts.worker.is_some() {
        all.extend(facts.waits.iter().map(|wait| lock_wait("run", wait, facts)));
        all.extend(facts.at_work.iter().map(|one| unit(one, facts)));
    }
    all.extend(infra(facts));
    let matters = facts.worker.is_some() || !is_over(facts);
    if matters {
        all.extend(facts.disks.iter().filter_map(disk));
        all.extend(facts.memory_mib.and_then(memory));
    }
    all
}

/// Whether nothing is left to do.
fn is_over(facts: &Facts) -> bool {
    match &facts.standing {
        Standing::Ended { verdict, .. } => verdict == "clean" || verdict == "findings",
        Standing::Unbegun | Standing::Open | Standing::Unreadable(_) => false,
    }
}

fn run(facts: &Facts) -> Explanation {
    if let Err(why) = &facts.engine {
        let what = "its plan cannot be used: nothing can go on with it";
        let remedy = "run the series again (what was built and booted is taken from the cache); move the folder away";
        return Explanation::new(Weight::Trouble, "run", what).because(why).remedy(remedy);
    }
    if let Some(worker) = &facts.worker {
        return at_work(facts, worker);
    }
    let resume = format!("orchestrator resume {}", facts.run);
    let show = format!("orchestrator show {}", facts.run);
    match &facts.standing {
        Standing::Unreadable(why) => {
            let what = "what it left cannot be read";
            Explanation::new(Weight::Trouble, "run", what)
                .because(why)
                .remedy(format!("{resume} writes its report anew"))
        }
        Standing::Unbegun => {
            let what = "it was prepared and never began";
            with_words(Explanation::new(Weight::Trouble, "run", what), facts).remedy(resume)
        }
        Standing::Ended { verdict, at_ms, headline } => {
            let when = moment(*at_ms);
            let ended = |weight, what: String| {
                let explanation = Explanation::new(weight, "run", what);
                headline.iter().fold(explanation, |explanation, line| explanation.because(line))
            };
            match verdict.as_str() {
                "clean" | "findings" => {
                    let what = format!("nothing wrong: it ended at {when} with the verdict `{verdict}`");
                    ended(Weight::Good, what).remedy(show)
                }
                "interrupted" => {
                    let what = format!("it was stopped at {when}; nothing that was done is lost");
                    with_words(ended(Weight::Trouble, what), facts).remedy(resume)
                }
                _ => {
                    let what = format!("it ended at {when} without a verdict (`{verdict}`)");
                    let next = format!("{resume} does what got no answer again, and nothing else");
                    ended(Weight::Trouble, what).remedy(next)
                }
            }
        }
        Standing::Open => dead(facts, &resume),
    }
}

/// No process works on it and it has no end.
fn dead(facts: &Facts, resume: &str) -> Explanation {
    let who = facts.last_worker.map(|pid| format!(" {pid}")).unwrap_or_default();
    let words = &facts.last_words;
    let what = if words.panicked.is_some() {
        format!("its process{who} ended by a bug of the program; nothing that was done is lost")
    } else if words.failed.is_some() {
        format!("its process{who} gave up; nothing that was done is lost")
    } else {
        format!(
            "its process{who} is gone and said no end: it was killed, or the machine went down; nothing that was done is lost"
        )
    };
    let mut explanation = with_words(Explanation::new(Weight::Trouble, "run", what), facts);
    if let Some(at) = facts.last_sign_ms {
        explanation = explanation.because(format!("its last sign is of {}", moment(at)));
    }
    let names: Vec<&str> = facts.at_work.iter().map(|unit| unit.unit.as_str()).collect();
    if !names.is_empty() {
        explanation = explanation.because(format!("it was at {}", names.join(", ")));
    }
    explanation.remedy(resume.to_owned())
}

/// What the last process said of its end.
fn with_words(explanation: Explanation, facts: &Facts) -> Explanation {
    let words = &facts.last_words;
    let signal = words.signal.as_ref().map(|name| format!("signal {name} asked it to stop"));
    let failed = words.failed.as_ref().map(|error| format!("it said: {error}"));
    let panicked = words.panicked.as_ref().map(|panic| format!("it said: {panic} (please report it with debug.jsonl)"));
    [signal, failed, panicked].into_iter().flatten().fold(explanation, Explanation::because)
}

/// A process works on it.
fn at_work(facts: &Facts, worker: &Worker) -> Explanation {
    let Some(pid) = worker.pid else {
        let what = "a process works on it that cannot be seen from here (another container or host)";
        return Explanation::new(Weight::Waits, "run", what)
            .remedy("look on the host or in the container that began it");
    };
    let done = format!("{} of {} done", facts.ended, count(facts.planned as u64, "unit"));
    if matches!(worker.state, Some('T' | 't')) {
        let what = format!("the orchestrator itself, process {pid}, is stopped: nobody watches its guests and builds");
        let because = format!("its state is `T` (Ctrl-Z, SIGSTOP or a debugger); {done}");
        let remedy = format!("kill -CONT {pid}, or `fg` in its terminal");
        return Explanation::new(Weight::Trouble, "run", what).because(because).remedy(remedy);
    }
    let silent = facts.last_sign_ms.map_or(0, |at| facts.now_ms - at);
    let shows_nothing = facts.at_work.is_empty() && facts.waits.is_empty();
    let last = format!("its last sign is {} old", age(silent));
    if worker.state.is_none() {
        let what = format!("process {pid} works on it, which cannot be seen from here (another container)");
        return Explanation::new(Weight::Waits, "run", what).because(last);
    }
    if let Some(signal) = &facts.last_words.signal {
        let what = format!("process {pid} was asked to stop and is ending");
        let remedy =
            format!("if it does not end: kill -KILL {pid}; nothing is lost, `orchestrator resume {}`", facts.run);
        return Explanation::new(Weight::Waits, "run", what).because(format!("signal {signal}")).remedy(remedy);
    }
    if shows_nothing && silent > VERY_LONG {
        let what = format!("process {pid} works on it and has no unit at work");
        let remedy = format!("kill -TERM {pid}, then orchestrator resume {}", facts.run);
        return Explanation::new(Weight::Trouble, "run", what).because(last).because(done).remedy(remedy);
    }
    let explanation = Explanation::new(Weight::Good, "run", format!("process {pid} works on it; {done}"));
    if shows_nothing && silent > LONG { explanation.because(last) } else { explanation }
}

/// Units that ended in trouble of ours, those with one reason together.
fn infra(facts: &Facts) -> Vec<Explanation> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (unit, reason) in &facts.infra {
        match groups.iter_mut().find(|(other, _)| *other == reason.as_str()) {
            Some((_, units)) => units.push(unit),
            None => groups.push((reason, vec![unit])),
        }
    }
    let explain = |(reason, units): (&str, Vec<&str>)| {
        let more = if units.len() > 1 { format!(" (and {} more)", units.len() - 1) } else { String::new() };
        let what = format!("no answer through trouble of the host{more}: {reason}");
        let log = format!("orchestrator log {} {}", facts.run, units[0]);
        let remedy = remedy_of(reason).map_or(format!("look at: {log}"), |remedy| format!("{remedy}; look at: {log}"));
        Explanation::new(Weight::Trouble, units[0], what).remedy(remedy)
    };
    groups.into_iter().map(explain).collect()
}

fn disk(disk: &Disk) -> Option<Explanation> {
    let trouble = |what: String| Some(Explanation::new(Weight::Trouble, &disk.what, what));
    let other = format!("or another folder with --{}", disk.what);
    if disk.read_only {
        return trouble(format!("{} cannot be written to: its file system is read-only", disk.path))
            .map(|one| one.remedy(format!("see `dmesg` for why, mount it for writing, {other}")));
    }
    if disk.free < DISK_LOW {
        let what = format!("{} has only {} MiB free: builds and guests will fail", disk.path, disk.free >> 20);
        return trouble(what).map(|one| one.remedy(format!("orchestrator gc --keep-disk 20G, {other}")));
    }
    if disk.files.is_some_and(|files| files < 10_000) {
        let what = format!("the file system of {} has no room for more files (inodes)", disk.path);
        return trouble(what).map(|one| one.remedy(format!("orchestrator gc, {other}")));
    }
    None
}

fn memory(mib: u64) -> Option<Explanation> {
    let what = format!("only {mib} MiB of memory are free: the host may kill a guest or a compiler");
    let remedy = "close something; start again with --guests 1 and a smaller --jobs";
    (mib < MEMORY_LOW).then(|| Explanation::new(Weight::Trouble, "memory", what).remedy(remedy))
}

/// A moment as people write it.
fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long something has lasted.
pub(super) fn age(ms: i64) -> String {
    duration(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{NOW, facts, unit};
    use crate::diagnosis::{LastWords, LockWait};

    fn of(change: impl FnOnce(&mut Facts)) -> Vec<Explanation> {
        let mut facts = facts();
        change(&mut facts);
        explain(&facts)
    }

    fn ended(verdict: &str) -> Standing {
        Standing::Ended { verdict: verdict.into(), at_ms: NOW, headline: Some("h".into()) }
    }

    fn dead(standing: Standing) -> impl FnOnce(&mut Facts) {
        move |facts| (facts.worker, facts.standing) = (None, standing)
    }

    #[test]
    fn the_standing_of_a_run_decides_what_is_said_and_done() {
        let resume = Some("orchestrator resume 20260102-030405-v6");
        let table: [(Standing, Weight, &str, Option<&str>); 7] = [
            (ended("clean"), Weight::Good, "nothing wrong", Some("orchestrator show")),
            (ended("findings"), Weight::Good, "nothing wrong", Some("orchestrator show")),
            (ended("interrupted"), Weight::Trouble, "it was stopped", resume),
            (ended("infra"), Weight::Trouble, "without a verdict", resume),
            (Standing::Unbegun, Weight::Trouble, "never began", resume),
            (Standing::Open, Weight::Trouble, "is gone and said no end", resume),
            (Standing::Unreadable("cut".into()), Weight::Trouble, "cannot be read", resume),
        ];
        for (standing, weight, what, remedy) in table {
            let all = of(dead(standing.clone()));
            assert_eq!((all.len(), all[0].weight), (1, weight), "{standing:?}");
            assert!(all[0].what.contains(what), "{}", all[0].what);
            assert!(all[0].remedy.as_deref().unwrap().starts_with(remedy.unwrap()), "{:?}", all[0]);
        }
    }

    #[test]
    fn a_dead_process_is_told_with_its_last_words_and_what_it_was_at() {
        let with = |words: LastWords| {
            let all = of(|facts| {
                (facts.worker, facts.last_words) = (None, words);
                facts.at_work = vec![unit("build/t/p1/hmm")];
            });
            (all[0].what.clone(), all[0].because.join("; "))
        };
        let (what, because) = with(LastWords::default());
        assert!(what.contains("process 40 is gone"), "{what}");
        assert_eq!(because, "its last sign is of 2026-01-02 03:04:04 UTC; it was at build/t/p1/hmm");
        let (what, because) = with(LastWords { panicked: Some("index 3".into()), ..LastWords::default() });
        assert!(what.contains("a bug") && because.starts_with("it said: index 3"), "{what} {because}");
        let (what, because) = with(LastWords { failed: Some("no space".into()), ..LastWords::default() });
        assert!(what.contains("gave up") && because.starts_with("it said: no space"), "{what} {because}");
    }

    #[test]
    fn a_living_process_is_judged_by_its_state_and_signs() {
        let worker = |state: Option<char>| Worker { pid: Some(40), state, command: String::new(), cpu_ms: 0 };
        let run = |change: &dyn Fn(&mut Facts)| of(change).remove(0);
        let good = run(&|_| ());
        assert_eq!((good.weight, good.what.as_str()), (Weight::Good, "process 40 works on it; 3 of 10 units done"));
        let stopped = run(&|facts| facts.worker = Some(worker(Some('T'))));
        assert!(stopped.weight == Weight::Trouble && stopped.remedy.unwrap().starts_with("kill -CONT 40"));
        let far = run(&|facts| facts.worker = Some(worker(None)));
        assert!(far.weight == Weight::Waits && far.what.contains("cannot be seen"));
        let unknown =
            run(&|facts| facts.worker = Some(Worker { pid: None, state: None, command: String::new(), cpu_ms: 0 }));
        assert_eq!(unknown.weight, Weight::Waits);
        let silent = run(&|facts| facts.last_sign_ms = Some(NOW - VERY_LONG - 1));
        assert!(silent.weight == Weight::Trouble && silent.what.contains("no unit at work"));
        let busy = run(&|facts| {
            facts.last_sign_ms = Some(NOW - VERY_LONG - 1);
            facts.waits = vec![LockWait { path: "/l".into(), since_ms: NOW, holders: Vec::new() }];
        });
        assert_eq!(busy.weight, Weight::Good);
        let ending = run(&|facts| facts.last_words.signal = Some("TERM".into()));
        assert!(ending.weight == Weight::Waits && ending.what.contains("is ending"));
    }

    #[test]
    fn trouble_with_one_reason_is_told_once() {
        let infra = |unit: &str, reason: &str| (unit.to_owned(), reason.to_owned());
        let all = of(|facts| {
            dead(ended("infra"))(facts);
            facts.infra =
                vec![infra("a", "No space left on device"), infra("b", "odd"), infra("c", "No space left on device")];
        });
        let told: Vec<_> = all.iter().map(|one| (one.about.as_str(), one.what.as_str())).collect();
        assert_eq!(told[1].0, "a");
        assert!(told[1].1.contains("(and 1 more): No space left"), "{}", told[1].1);
        assert!(all[1].remedy.as_deref().unwrap().contains("orchestrator gc"), "{:?}", all[1].remedy);
        assert_eq!(all[2].remedy.as_deref(), Some("look at: orchestrator log 20260102-030405-v6 b"));
    }

    #[test]
    fn the_host_matters_while_there_is_something_to_do() {
        let short = |facts: &mut Facts| {
            facts.disks[0].free = 900 << 20;
            facts.disks[1].read_only = true;
            facts.memory_mib = Some(100);
        };
        let about = |all: &[Explanation]| all.iter().map(|one| one.about.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(about(&of(short)), "run cache results memory");
        let over = of(|facts| {
            short(facts);
            dead(ended("clean"))(facts);
        });
        assert_eq!(about(&over), "run");
        let inodes = of(|facts| facts.disks[0].files = Some(3));
        assert!(inodes[1].what.contains("inodes"));
        let none = of(|facts| facts.disks[0].files = None);
        assert_eq!(about(&none), "run", "a file system without a limit");
    }

    #[test]
    fn a_plan_that_cannot_be_used_is_said_first() {
        let all = of(|facts| {
            facts.engine = Err("run.json is of format 9".into());
            facts.worker = None;
        });
        assert!(all[0].weight == Weight::Trouble && all[0].because == ["run.json is of format 9"]);
    }
}
