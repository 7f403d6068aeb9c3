//! Boots one kconfig of one tree: base against tip, repeats for what is suspect, then which patch is to blame.
//!
//! This is the order of work only. What is suspect, how many repeats are worth it and where to look next is decided
//! by the compare room.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{Board, bootable, same_artefacts};
use super::booter::{Booted, Booter, Want};
use crate::compare;
use crate::compare::bisect::{self, Symptom};
use crate::compare::findings::BlamedRevision;
use crate::lab::Selection;
use crate::words::{
    BootEnd, BootRecord, BuildOutcome, BuildRecord, Change, Clock, Kconfig, MetricComparison, OperationComparison,
    TestComparison, Verdict,
};

/// What the boots of one kconfig gave.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// Name of the kconfig.
    pub kconfig: String,
    /// Name of the machine.
    pub machine: String,
    /// Why nothing was booted, when nothing was.
    pub not_booted: Option<String>,
    /// Base kernel with base selftests, all repeats.
    pub base: Vec<Booted>,
    /// Patched kernel with patched selftests, all repeats.
    pub patched: Vec<Booted>,
    /// Patched kernel with the base's selftests.
    pub patched_old_tests: Vec<Booted>,
    /// Base kernel with the patched selftests.
    pub base_new_tests: Vec<Booted>,
    /// Revisions in between that were booted to find the patch to blame, by index.
    pub between: BTreeMap<usize, Vec<Booted>>,
    /// Each test, base against patched.
    pub comparisons: Vec<TestComparison>,
    /// The patch that brought each change for the worse.
    pub blame: BTreeMap<Symptom, BlamedRevision>,
    /// Each metric, base against patched.
    pub metrics: Vec<MetricComparison>,
    /// One walk of the page tables against two, on the patched kernel.
    pub walks: Vec<OperationComparison>,
}

impl Examined {
    /// Why it makes no sense to measure the patched kernel: it does not survive the tests.
    pub fn crash(&self) -> Option<String> {
        let fell = |boot: &&Booted| match boot.record.end {
            BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => true,
            BootEnd::Completed | BootEnd::Infra { .. } => false,
        };
        let name = |boot: &Booted| format!("the patched kernel does not survive the tests ({})", boot.unit);
        self.patched.iter().find(fell).map(name)
    }

    /// Every boot of the kconfig.
    pub fn boots(&self) -> impl Iterator<Item = &Booted> {
        let ends = self.base.iter().chain(&self.patched).chain(&self.patched_old_tests).chain(&self.base_new_tests);
        ends.chain(self.between.values().flatten())
    }
}

/// Why nothing is booted when nothing differs.
const IDENTICAL: &str = "kernel and selftests are identical to the base's, bit for bit";

/// Why a build of `what` cannot be booted.
fn unbootable(what: &str, build: &BuildRecord) -> String {
    match &build.outcome {
        BuildOutcome::NotRun { reason } | BuildOutcome::Infra { reason } => format!("{what} was not built: {reason}"),
        BuildOutcome::Built | BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => {
            format!("{what} does not build with this kconfig")
        }
    }
}

/// Plain records.
pub fn records(boots: &[Booted]) -> Vec<BootRecord> {
    boots.iter().map(|boot| boot.record.clone()).collect()
}

/// Examines one kconfig as its builds come in.
pub async fn examine(kconfig: &Kconfig, board: &Board, booter: &Booter, tests: &[String]) -> Examined {
    let machine = kconfig.boot.as_ref().map_or("", |spec| spec.machine()).to_owned();
    let mut examined = Examined { kconfig: kconfig.name.clone(), machine, ..Examined::default() };
    let worth = board.any_differs().await;
    let (Some(base), tip) = (board.wait(0).await, board.tip) else {
        examined.not_booted = Some("the base was not built".to_owned());
        return examined;
    };
    if !bootable(&base) {
        examined.not_booted = Some(unbootable("the base", &base));
        return examined;
    }
    if !worth {
        examined.not_booted = Some(match board.wait(tip).await {
            Some(patched) if bootable(&patched) => IDENTICAL.to_owned(),
            Some(patched) => unbootable("the last patch", &patched),
            None => "the last patch was not built".to_owned(),
        });
        return examined;
    }
    let plain = Selection { only: tests.to_vec(), ..Selection::default() };
    let job = Job { kconfig, board, booter, clock: None, plain: plain.clone() };
    // The base boots while the patches are still being built.
    let (base_boots, patched) = tokio::join!(job.boot(&base, &base, &plain, 0, ""), async {
        let patched = board.wait(tip).await.ok_or_else(|| "the last patch was not built".to_owned())?;
        if !bootable(&patched) {
            return Err(unbootable("the last patch", &patched));
        }
        let boots = job.boot(&patched, &patched, &plain, 0, "").await;
        Ok::<_, String>((patched, boots))
    });
    examined.base = base_boots;
    let (patched, patched_boots) = match patched {
        Ok(patched) => patched,
        Err(why) => {
            examined.not_booted = Some(why);
            return examined;
        }
    };
    if same_artefacts(&base, &patched) {
        examined.not_booted = Some(IDENTICAL.to_owned());
        return examined;
    }
    examined.patched = patched_boots;
    job.cross(&base, &patched, &plain, &mut examined).await;
    job.repeat(&base, &patched, &mut examined).await;
    examined.comparisons = compare::compare_boots(&records(&examined.base), &records(&examined.patched));
    compare::note_needless(&mut examined.comparisons, &records(&examined.base_new_tests));
    job.blame(&base, &mut examined).await;
    examined
}

/// What all boots of an examination have in common.
pub(super) struct Job<'a> {
    /// The kconfig.
    pub kconfig: &'a Kconfig,
    /// Its builds as they come in.
    pub board: &'a Board,
    /// Boots them.
    pub booter: &'a Booter,
    /// Measures on this clock instead of testing.
    pub clock: Option<Clock>,
    /// Everything that is tested or measured.
    pub plain: Selection,
}

impl Job<'_> {
    /// Boots once, and again for what a crash left over.
    pub async fn boot(
        &self,
        kernel: &BuildRecord,
        selftests: &BuildRecord,
        selection: &Selection,
        repetition: u32,
        purpose: &str,
    ) -> Vec<Booted> {
        let (kconfig, clock) = (self.kconfig, self.clock);
        let want = Want { kconfig, kernel, selftests, selection, clock, repetition, purpose };
        self.booter.boot(want).await
    }

    /// Each kernel with the other side's selftests, where both kernel and selftests differ: old programs on the new
    /// kernel show whether the interface still holds, new tests on the old kernel whether they test the series.
    async fn cross(&self, base: &BuildRecord, patched: &BuildRecord, plain: &Selection, examined: &mut Examined) {
        let kernels_differ = base.artefacts.image != patched.artefacts.image;
        let tests_differ = base.artefacts.selftests != patched.artefacts.selftests;
        let up = |boots: &[Booted]| boots.iter().any(|boot| !boot.record.tests.is_empty());
        if !kernels_differ || !tests_differ || !up(&examined.base) || !up(&examined.patched) {
            return;
        }
        (examined.patched_old_tests, examined.base_new_tests) =
            tokio::join!(self.boot(patched, base, plain, 0, ""), self.boot(base, patched, plain, 0, ""),);
    }

    /// Repeats what is suspect, and only that, on both sides until the rates decide.
    async fn repeat(&self, base: &BuildRecord, patched: &BuildRecord, examined: &mut Examined) {
        let mut round = 1;
        loop {
            let (old, new) = (records(&examined.base), records(&examined.patched));
            // Tests that want the same number of repeats share a boot; what crashed the machine gets its own.
            let mut wanted: BTreeMap<(u32, u32, Option<String>), Vec<String>> = BTreeMap::new();
            for (test, next) in compare::repeats(&old, &new) {
                let alone = crashed(&new, &test) || crashed(&old, &test);
                wanted.entry((next.base, next.patched, alone.then(|| test.clone()))).or_default().push(test);
            }
            if wanted.is_empty() || self.booter.cancelled() {
                return;
            }
            for ((base_tries, patched_tries, alone), tests) in wanted {
                let purpose = match &alone {
                    None => format!("repeat-{round}"),
                    Some(_) => format!("repeat-{round}-alone"),
                };
                let (more_base, more_patched) = tokio::join!(
                    self.rounds(base, &tests, base_tries, alone.is_some(), round, &purpose),
                    self.rounds(patched, &tests, patched_tries, alone.is_some(), round, &purpose),
                );
                let answered = |boot: &Booted| !matches!(boot.record.end, BootEnd::Infra { .. });
                let any = more_base.iter().chain(&more_patched).any(answered);
                examined.base.extend(more_base);
                examined.patched.extend(more_patched);
                if !any {
                    // Trouble of ours tells nothing about a test, however often it is met.
                    return;
                }
            }
            round += 1;
        }
    }

    /// `tries` more tries of some tests: in one boot, or one boot each where a try may take the machine down.
    async fn rounds(
        &self,
        build: &BuildRecord,
        tests: &[String],
        tries: u32,
        alone: bool,
        round: u32,
        purpose: &str,
    ) -> Vec<Booted> {
        let mut all = Vec::new();
        let (boots, repeat) = if alone { (tries, 1) } else { (u32::from(tries > 0), tries) };
        for count in 0..boots {
            let selection = Selection { only: tests.to_vec(), skip: Vec::new(), repeat };
            let purpose = if boots > 1 { format!("{purpose}-{}", count + 1) } else { purpose.to_owned() };
            all.extend(self.boot(build, build, &selection, round * 100 + count, &purpose).await);
        }
        all
    }

    /// Finds the patch that brought each change for the worse, measuring only what is needed.
    pub async fn blame(&self, base: &BuildRecord, examined: &mut Examined) {
        let tip = self.board.tip;
        let ends = BTreeMap::from([(0, bisect::Answer::Good), (tip, bisect::Answer::Bad)]);
        let followers = compare::followers(&records(&examined.base), &records(&examined.patched));
        let follows = |symptom: &Symptom| matches!(symptom, Symptom::Test { test } if followers.contains_key(test));
        let mut known: BTreeMap<Symptom, BTreeMap<usize, bisect::Answer>> = symptoms(examined)
            .into_iter()
            .filter(|symptom| !follows(symptom))
            .map(|symptom| (symptom, ends.clone()))
            .collect();
        loop {
            // Symptoms that want the same revision next share its boot.
            let mut wanted: BTreeMap<usize, BTreeSet<Symptom>> = BTreeMap::new();
            for (symptom, answers) in &known {
                match bisect::next_revision(answers, tip) {
                    bisect::Step::Measure(index) => {
                        wanted.entry(index).or_default().insert(symptom.clone());
                    }
                    bisect::Step::Found { first_bad, earliest, confident } => {
                        examined
                            .blame
                            .insert(symptom.clone(), BlamedRevision { patch: first_bad, earliest, confident });
                    }
                    bisect::Step::NotInSeries => {}
                }
            }
            if wanted.is_empty() || self.booter.cancelled() {
                return follow(&followers, &mut examined.blame);
            }
            for (index, symptoms) in wanted {
                let answers = self.measure(index, &symptoms, base, examined).await;
                for (symptom, answer) in answers {
                    known.entry(symptom).or_default().insert(index, answer);
                }
            }
        }
    }

    /// Asks one revision about several symptoms with as few boots as possible.
    async fn measure(
        &self,
        index: usize,
        symptoms: &BTreeSet<Symptom>,
        base: &BuildRecord,
        examined: &mut Examined,
    ) -> Vec<(Symptom, bisect::Answer)> {
        let all = |answer: bisect::Answer| symptoms.iter().map(|symptom| (symptom.clone(), answer)).collect();
        let Some(build) = self.board.wait(index).await.filter(bootable) else {
            return all(bisect::Answer::Untestable);
        };
        if same_artefacts(base, &build) {
            return all(bisect::Answer::Good);
        }
        if self.clock.is_some() {
            // What was measured before a metric matters to it: a part of them would not give the same numbers.
            let boots = self.boot(&build, &build, &self.plain, 0, "").await;
            let seen = records(&boots);
            examined.between.insert(index, boots);
            return symptoms.iter().map(|symptom| (symptom.clone(), bisect::answer(symptom, &seen))).collect();
        }
        let (old, new) = (records(&examined.base), records(&examined.patched));
        let tip = self.board.wait(self.board.tip).await;
        if tip.is_some_and(|tip| same_artefacts(&tip, &build)) {
            return all(bisect::Answer::Bad);
        }
        let mut together = BTreeSet::new();
        let mut alone = BTreeSet::new();
        for symptom in symptoms {
            let tests: Vec<String> = match symptom {
                Symptom::Test { test } | Symptom::Missing { test } => vec![test.clone()],
                Symptom::Splat { signature } => splat_tests(&new, signature),
                // Any test will do: the question is whether the kernel comes up and stays up.
                Symptom::Boot | Symptom::Death => compare::listed(&old).into_iter().take(1).collect(),
            };
            let crashes = tests.iter().any(|test| crashed(&new, test));
            if crashes { &mut alone } else { &mut together }.extend(tests);
        }
        let mut boots = Vec::new();
        if !together.is_empty() || alone.is_empty() {
            let selection =
                Selection { only: together.into_iter().collect(), skip: Vec::new(), repeat: compare::CONFIRM_TRIES };
            boots.extend(self.boot(&build, &build, &selection, 0, "bisect").await);
        }
        for (count, test) in alone.into_iter().enumerate() {
            let selection = Selection { only: vec![test], skip: Vec::new(), repeat: 1 };
            let purpose = format!("bisect-alone-{}", count + 1);
            boots.extend(self.boot(&build, &build, &selection, 0, &purpose).await);
        }
        let seen = records(&boots);
        examined.between.entry(index).or_default().extend(boots);
        symptoms.iter().map(|symptom| (symptom.clone(), bisect::answer(symptom, &seen))).collect()
    }
}

/// Blames for a follower whom its leaders blame, when they agree.
fn follow(followers: &BTreeMap<String, Vec<String>>, blame: &mut BTreeMap<Symptom, BlamedRevision>) {
    for (test, leaders) in followers {
        let mut blamed = leaders.iter().map(|test| blame.get(&Symptom::Test { test: test.clone() }).copied());
        if let Some(first @ Some(revision)) = blamed.next()
            && blamed.all(|other| other == first)
        {
            blame.insert(Symptom::Test { test: test.clone() }, revision);
        }
    }
}

/// Everything for the worse, in the form that any revision can be asked about.
fn symptoms(examined: &Examined) -> BTreeSet<Symptom> {
    let (old, new) = (records(&examined.base), records(&examined.patched));
    let shows = |symptom: &Symptom| {
        bisect::answer(symptom, &new) == bisect::Answer::Bad && bisect::answer(symptom, &old) == bisect::Answer::Good
    };
    if shows(&Symptom::Boot) {
        // Nothing else can be asked of a kernel that does not come up.
        return BTreeSet::from([Symptom::Boot]);
    }
    let mut symptoms: BTreeSet<Symptom> = [Symptom::Death].into_iter().filter(shows).collect();
    for comparison in &examined.comparisons {
        let test = comparison.test.clone();
        match comparison.change {
            Change::Regressed | Change::NewFail => symptoms.insert(Symptom::Test { test }),
            Change::Vanished => symptoms.insert(Symptom::Missing { test }),
            Change::Flaky
            | Change::Unknown
            | Change::StillFailing
            | Change::NotCovered
            | Change::Fixed
            | Change::NewPass
            | Change::StillPassing => false,
        };
    }
    let fresh = compare::new_splats(&old, &new);
    symptoms.extend(fresh.into_iter().map(|new| Symptom::Splat { signature: new.splat.signature }));
    symptoms
}

/// Whether a test took the machine down in any of these boots.
fn crashed(boots: &[BootRecord], test: &str) -> bool {
    let mut tests = boots.iter().flat_map(|boot| &boot.tests);
    tests.any(|record| record.test == test && matches!(record.verdict, Verdict::Crashed { .. }))
}

/// The tests during which a report came, each once.
fn splat_tests(boots: &[BootRecord], signature: &str) -> Vec<String> {
    let splats = boots.iter().flat_map(|boot| &boot.splats).filter(|splat| splat.signature == signature);
    let tests: BTreeSet<String> = splats.filter_map(|splat| splat.test.clone()).collect();
    tests.into_iter().take(4).collect()
}
