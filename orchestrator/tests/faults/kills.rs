//! Kills the program again and again at random moments of a real run, and resumes it until it is done.

use orchestrator::stats::random::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use super::checks;
use super::essence;
use super::known;
use super::stage::{Stage, number, wait};
use super::watch::{Phase, Watch};

/// The build of the last patch.
pub const TIP: &str = "build/linux-6.12/p1/hmm";

/// How a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// `kill -9` of the program.
    Kill,
    /// `kill -9` of its whole process group.
    KillGroup,
    /// What a service manager sends.
    Term,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-C twice.
    InterruptTwice,
}

/// Numbers that look random and are the same for the same seed.
pub struct Dice(SplitMix64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(SplitMix64::new(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn blow(&mut self) -> Blow {
        match self.below(10) {
            0..=5 => Blow::Kill,
            6..=7 => Blow::KillGroup,
            8 => Blow::Term,
            _ if self.below(4) == 0 => Blow::InterruptTwice,
            _ => Blow::Interrupt,
        }
    }

    /// The phase to strike in: any that is still to come. `None`: this one is let be.
    fn target(&mut self, left: Left) -> Option<Phase> {
        // Long phases more often than short ones, and every phase sometimes.
        const WEIGHTS: [(Option<Phase>, u64); 9] = [
            (None, 2),
            (Some(Phase::Start), 4),
            (Some(Phase::Prepare), 5),
            (Some(Phase::Configure), 4),
            (Some(Phase::Make), 4),
            (Some(Phase::MakeAndBoot), 1),
            (Some(Phase::Boot), 6),
            (Some(Phase::Between), 5),
            (Some(Phase::Report), 3),
        ];
        let comes = |phase: Phase| match phase {
            Phase::Start | Phase::Prepare | Phase::Report | Phase::End => true,
            Phase::Configure | Phase::Make | Phase::MakeAndBoot => left == Left::Builds,
            Phase::Boot | Phase::Between => left != Left::Nothing,
        };
        let open: Vec<_> = WEIGHTS.into_iter().filter(|(phase, _)| phase.is_none_or(comes)).collect();
        let mut at = self.below(open.iter().map(|(_, weight)| weight).sum());
        for (phase, weight) in open {
            if at < weight {
                return phase;
            }
            at -= weight;
        }
        None
    }
}

/// What a run has left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Builds,
    Boots,
    Nothing,
}

/// How long each visit of a phase takes, as far as known.
type Usual = BTreeMap<Phase, Duration>;

/// One process of the program from start to end.
struct Life {
    child: std::process::Child,
    lines: Receiver<String>,
    started: Instant,
    watch: Watch,
}

impl Life {
    fn begin(stage: &Stage, words: &[String]) -> Life {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--json"]).collect();
        let mut command = stage.command(&words);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // A reader that went away, or half a line of a killed process: nothing more to tell.
            out.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Life { child, lines, started: Instant::now(), watch: Watch::default() }
    }

    /// Lets it run to its end and tells how long each visit of each phase took.
    fn ends_by_itself(mut self) -> (Option<i32>, Vec<(Phase, Duration)>) {
        let mut visits = Vec::new();
        let (mut phase, mut since) = (Phase::Start, self.started);
        while let Ok(line) = self.lines.recv() {
            self.watch.line(&line);
            let now = self.watch.phase();
            if now != phase {
                visits.push((phase, since.elapsed()));
                (phase, since) = (now, Instant::now());
            }
        }
        let status = wait(&mut self.child, Duration::from_secs(60)).expect("it ends with its output");
        (status.code(), visits)
    }

    /// Strikes it at a moment of `target` (`share` of the way through the usual visit). `None` when it ended before.
    fn strike(&mut self, target: Option<Phase>, share: f64, usual: &Usual, blow: Blow) -> Option<Phase> {
        let Some(target) = target else {
            // Until it closes its output.
            while self.lines.recv().is_ok() {}
            return None;
        };
        let most = usual.get(&target).copied().unwrap_or(Duration::from_millis(300));
        // All moments of a visit, the early ones of a long one more often: more blows in the same time.
        let wait_for = most.mul_f64(if most > Duration::from_secs(20) { share.powi(3) } else { share });
        let mut due = (target == Phase::Start).then(|| self.started + wait_for);
        loop {
            let left = due.map_or(Duration::from_secs(1800), |due| due.saturating_duration_since(Instant::now()));
            match self.lines.recv_timeout(left) {
                Ok(line) => self.watch.line(&line),
                Err(RecvTimeoutError::Timeout) => {
                    assert!(due.is_some(), "no event in half an hour");
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            if due.is_none() && self.watch.phase() == target {
                due = Some(Instant::now() + wait_for);
            }
        }
        if self.child.try_wait().unwrap().is_some() {
            return None;
        }
        let pid = Pid::from_raw(self.child.id().cast_signed());
        match blow {
            Blow::Kill => kill(pid, Signal::SIGKILL).unwrap(),
            Blow::KillGroup => killpg(pid, Signal::SIGKILL).unwrap(),
            Blow::Term => kill(pid, Signal::SIGTERM).unwrap(),
            Blow::Interrupt => kill(pid, Signal::SIGINT).unwrap(),
            Blow::InterruptTwice => {
                kill(pid, Signal::SIGINT).unwrap();
                std::thread::sleep(Duration::from_millis(20));
                // It may have heard the first one and be gone.
                let _ = kill(pid, Signal::SIGINT);
            }
        }
        Some(self.watch.phase())
    }
}

/// What a series of kills showed.
#[derive(Debug, Default)]
pub struct Toll {
    pub blows: usize,
    pub cycles: usize,
    by_phase: BTreeMap<Phase, usize>,
    by_blow: BTreeMap<Blow, usize>,
    finished: usize,
    slowest: Duration,
    longest_stop: Duration,
    /// Folders of the builds that were made on the way.
    builds: BTreeSet<PathBuf>,
}

impl Toll {
    pub fn print(&self) {
        println!("{} blows in {} runs; finished results at the blows: {}", self.blows, self.cycles, self.finished);
        println!("last survivor gone after {} ms at most", self.slowest.as_millis());
        println!("asked to stop, it ended after {} ms at most", self.longest_stop.as_millis());
        for phase in Phase::ALL {
            let count = self.by_phase.get(&phase).copied().unwrap_or(0);
            println!("{:>24} {count:>4} {}", phase.name(), "#".repeat(count));
        }
        for (blow, count) in &self.by_blow {
            println!("{:>24} {count:>4}", format!("{blow:?}"));
        }
    }
}

/// Strikes at least `count` times, over as many runs as that takes.
pub fn kill_and_resume(count: usize, seed: u64) -> Toll {
    let stage = Stage::warm();
    let mut dice = Dice::new(seed);
    let (reference, usual) = undisturbed(&stage);
    println!("usual visits: {usual:?}");
    let mut toll = Toll::default();
    // Boots are had anew in each run; a kernel is built in every tenth, since that takes longest.
    let every = usize::try_from(number("FAULTS_BUILD_EVERY", 10)).unwrap();
    let mut mark = known::MARK;
    while toll.blows < count {
        if every > 0 && toll.cycles % every == 0 {
            forget_builds(&mut toll);
            mark = mark_of(&mut dice);
        }
        one_cycle(&stage, mark, &mut dice, &usual, &reference, &mut toll);
        toll.print();
    }
    forget_builds(&mut toll);
    toll
}

/// Forgets the builds that were made, so that the cache does not grow.
fn forget_builds(toll: &mut Toll) {
    for folder in std::mem::take(&mut toll.builds) {
        std::fs::remove_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
}

fn mark_of(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(0xffff_fff0)).unwrap() + 1
}

/// A run that nobody disturbs: its report, and how long a run stays in each phase when nothing is known. Its results stay
/// in the cache, and the times with them, so that this is quick the next time.
fn undisturbed(stage: &Stage) -> (Value, Usual) {
    let series = stage.series(known::MARK);
    let (code, visits) = Life::begin(stage, &Stage::run_words(&series)).ends_by_itself();
    assert_eq!(code, Some(1), "the series breaks a test");
    checks::nothing_is_left(stage);
    checks::no_leftovers(stage);
    let mut usual: BTreeMap<Phase, Vec<Duration>> = BTreeMap::new();
    for (phase, time) in visits {
        usual.entry(phase).or_default().push(time);
    }
    let mean = |times: &Vec<Duration>| times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    let mut usual: Usual = usual.iter().map(|(phase, times)| (*phase, mean(times))).collect();
    let file = stage.cache.join("usual.json");
    let known: BTreeMap<String, f64> =
        std::fs::read(&file).map_or_else(|_| BTreeMap::new(), |text| serde_json::from_slice(&text).unwrap());
    for phase in Phase::ALL {
        if let Some(seconds) = known.get(phase.name()) {
            usual.entry(phase).or_insert(Duration::from_secs_f64(*seconds));
        }
    }
    let now: BTreeMap<&str, f64> = usual.iter().map(|(phase, time)| (phase.name(), time.as_secs_f64())).collect();
    std::fs::write(file, serde_json::to_vec(&now).unwrap()).unwrap();
    let report = stage.report();
    stage.fresh_results();
    (report, usual)
}

/// One run, struck and resumed until it comes to its end.
fn one_cycle(stage: &Stage, mark: u32, dice: &mut Dice, usual: &Usual, reference: &Value, toll: &mut Toll) {
    let series = stage.series(mark);
    let to_build = mark != known::MARK && toll.builds.is_empty();
    let begin = Stage::run_words(&series);
    let resume = ["resume", "latest"].map(str::to_owned).to_vec();
    loop {
        // A run that was struck before it had a folder is begun again.
        let begun = stage.results().join("latest/run.json").exists();
        let before = checks::finished(stage);
        let mut life = Life::begin(stage, if begun { &resume } else { &begin });
        let left = left(stage, begun, to_build);
        let (target, share, blow) = (dice.target(left), dice.share(), dice.blow());
        let struck = life.strike(target, share, usual, blow);
        let at = Instant::now();
        let status = wait(&mut life.child, Duration::from_secs(120)).expect("it ends after a blow");
        let code = status.code();
        let ended_by_itself = struck.is_none() || code == Some(1);
        if let Some(phase) = struck {
            toll.blows += 1;
            *toll.by_phase.entry(phase).or_default() += 1;
            *toll.by_blow.entry(blow).or_default() += 1;
            match blow {
                Blow::Kill | Blow::KillGroup => assert!(code.is_none() || ended_by_itself, "{code:?}"),
                Blow::Term | Blow::Interrupt => {
                    toll.longest_stop = toll.longest_stop.max(at.elapsed());
                    // The handler of the signal may not have been there yet.
                    let early = code.is_none() && matches!(phase, Phase::Start);
                    assert!(code == Some(130) || ended_by_itself || early, "{phase:?} {blow:?}: {code:?}");
                    if code == Some(130) {
                        an_interrupted_report_blames_nobody(stage);
                    }
                }
                Blow::InterruptTwice => assert!(code.is_none_or(|code| code == 130) || ended_by_itself, "{code:?}"),
            }
        }
        toll.slowest = toll.slowest.max(checks::nothing_is_left(stage));
        checks::nothing_is_half(stage);
        let after = checks::finished(stage);
        checks::nothing_is_lost(&before, &after);
        if struck.is_some() {
            toll.finished += after.len();
        }
        if struck.is_none() {
            assert_eq!(code, Some(1), "the series breaks a test");
            break;
        }
    }
    toll.cycles += 1;
    let report = stage.report();
    essence::same(reference, &report);
    let run = stage.latest();
    if mark != known::MARK {
        toll.builds.extend(checks::used(&run, "build").map(|key| stage.cache.join("builds").join(key)));
    }
    checks::nothing_was_done_twice(&run);
    checks::no_leftovers(stage);
    objects_were_kept(&run);
    checks::forget_its_boots(stage);
    stage.fresh_results();
}

/// What is left of the run, when it has begun.
fn left(stage: &Stage, begun: bool, to_build: bool) -> Left {
    let first = if to_build { Left::Builds } else { Left::Boots };
    if !begun {
        return first;
    }
    let events = checks::events(&stage.latest());
    let built =
        events.iter().any(|event| event["event"] == "unit-ended" && event["unit"] == TIP && event["key"].is_string());
    let ended = events.iter().any(|event| event["event"] == "run-ended" && event["verdict"] != "interrupted");
    match (ended, built) {
        (true, _) => Left::Nothing,
        (false, true) => Left::Boots,
        (false, false) => first,
    }
}

/// What was not done because the user stopped it is no trouble of ours.
fn an_interrupted_report_blames_nobody(stage: &Stage) {
    let path = stage.results().join("latest/report.json");
    let Ok(bytes) = std::fs::read(path) else { return };
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    if report["verdict"] != "interrupted" {
        return;
    }
    for build in report["builds"].as_array().unwrap() {
        assert_ne!(build["outcome"]["how"], "infra", "{build}");
    }
    for finding in report["findings"].as_array().unwrap() {
        // What the boots that were had say is said.
        assert_eq!(finding["kind"], "test-regressed", "{finding}");
    }
}

/// Nothing but what the series touches is compiled: the objects of the base survive every blow.
fn objects_were_kept(run: &std::path::Path) {
    let log = run.join("units").join(TIP).join("build.log");
    let text = std::fs::read_to_string(&log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    let compiled = text.lines().filter(|line| line.trim_start().starts_with("CC ")).count();
    assert!(compiled < 200, "{} compiled {compiled} objects", log.display());
}

#[test]
fn the_same_seed_gives_the_same_blows() {
    let throw = |seed| {
        let mut dice = Dice::new(seed);
        (0..20).map(|_| (dice.target(Left::Builds), dice.blow())).collect::<Vec<_>>()
    };
    assert_eq!(throw(1), throw(1));
    assert_ne!(throw(1), throw(2));
    let mut dice = Dice::new(3);
    let seen: BTreeSet<Phase> = (0..300).filter_map(|_| dice.target(Left::Builds)).collect();
    assert_eq!(seen.len(), Phase::ALL.len() - 1, "every phase but the end is aimed at");
}
