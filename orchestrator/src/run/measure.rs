//! Measures one kconfig of one tree on one clock: base against tip, then which patches brought what changed.
//!
//! On the instruction clock one boot of each revision says all there is to say. On the wall clock the boot is the
//! sampling unit: boots of both sides alternate by chance until the numbers decide or enough were made.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{Board, bootable};
use super::booter::{Booted, Booter};
use super::examine::{Examined, Job, records};
use super::metric_past::MetricPast;
use super::tools;
use crate::compare::{self, Attribution};
use crate::lab::Selection;
use crate::stats::steps::{self, Next, Question, Step};
use crate::stats::{self, Kernel, Place};
use crate::words::{
    BootEnd, BuildRecord, Clock, Kconfig, MetricChange, MetricComparison, MetricSamples, Profile, Suite,
};

/// Smallest change that the wall clock is asked to show, relative to the base.
pub const WANTED: f64 = 0.02;

/// Where and what to measure.
#[derive(Clone, Copy)]
pub struct Measurement<'a> {
    /// Tree.
    pub tree: &'a str,
    /// Kconfig.
    pub kconfig: &'a Kconfig,
    /// Its builds as they come in.
    pub board: &'a Board,
    /// Boots them.
    pub booter: &'a Booter,
    /// The clock.
    pub clock: Clock,
    /// Which metrics: the suites' quick ones, or all.
    pub profile: Profile,
    /// Only these metrics, by full name; all of the profile when empty.
    pub only: &'a [String],
    /// Subjects of all patches, in order.
    pub subjects: &'a [String],
    /// What metrics cost in earlier runs.
    pub past: &'a MetricPast,
}

impl Measurement<'_> {
    /// Nothing was measured, and why.
    pub fn refused(&self, why: String) -> Examined {
        Examined { not_booted: Some(why), ..self.empty() }
    }

    fn empty(&self) -> Examined {
        let machine = self.place().machine.to_owned();
        Examined { kconfig: self.kconfig.name.clone(), machine, ..Examined::default() }
    }

    /// Measures as the builds come in.
    pub async fn run(&self) -> Examined {
        let mut examined = self.empty();
        let suites = self.booter.benchmarks(self.kconfig);
        let worth = self.board.any_kernel_differs().await;
        let Some(base) = self.board.wait(0).await.filter(bootable) else {
            examined.not_booted = Some("the base was not built".to_owned());
            return examined;
        };
        if !worth {
            let patched = self.board.wait(self.board.tip).await.filter(bootable);
            examined.not_booted = Some(match patched {
                Some(_) => "the kernels are identical to the base's, bit for bit".to_owned(),
                None => "the last patch does not build with this kconfig".to_owned(),
            });
            return examined;
        }
        if let Some(why) = tools::missing(&base, &suites) {
            examined.not_booted = Some(why);
            return examined;
        }
        let plain = Selection { only: metric_names(&suites, self.profile, self.only), ..Selection::default() };
        let job = Job { kconfig: self.kconfig, board: self.board, booter: self.booter, clock: Some(self.clock), plain };
        let patched = match self.clock {
            // The base is measured while the patches are still being built: nothing disturbs this clock.
            Clock::Instructions => {
                let (base_boots, patched) =
                    tokio::join!(job.boot(&base, &base, &job.plain, 0, ""), self.tip(&job, &base));
                examined.base = base_boots;
                patched
            }
            Clock::Wall => self.alternate(&job, &base, &mut examined).await,
        };
        match patched {
            Ok(boots) => examined.patched.extend(boots),
            Err(why) => {
                examined.not_booted = Some(why);
                return examined;
            }
        }
        examined.comparisons = compare::compare_boots(&records(&examined.base), &records(&examined.patched));
        let completed = |boots: &[Booted]| boots.iter().all(|boot| boot.record.end == BootEnd::Completed);
        // Metrics that were asked for by name and that nobody has are no gap but an answer that is missing.
        if self.only.is_empty()
            && examined.comparisons.is_empty()
            && completed(&examined.base)
            && completed(&examined.patched)
        {
            let names: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
            examined.not_booted = Some(format!("these kernels have none of the metrics of {}", names.join(", ")));
            return examined;
        }
        job.blame(&base, &mut examined).await;
        examined.metrics = self.compare(&examined.base, &examined.patched);
        self.find_steps(&job, &mut examined).await;
        examined.walks = stats::walks(self.place(), &samples(&examined.patched));
        examined
    }

    /// The build of the tip, or why there is nothing to measure in it.
    async fn tip_build(&self, base: &BuildRecord) -> Result<BuildRecord, String> {
        let Some(tip) = self.board.wait(self.board.tip).await.filter(bootable) else {
            return Err("the last patch does not build with this kconfig".to_owned());
        };
        if tip.artefacts.image == base.artefacts.image {
            return Err("the last patch's kernel is identical to the base's, bit for bit".to_owned());
        }
        match tools::missing(&tip, &self.booter.benchmarks(self.kconfig)) {
            Some(why) => Err(why),
            None => Ok(tip),
        }
    }

    async fn tip(&self, job: &Job<'_>, base: &BuildRecord) -> Result<Vec<Booted>, String> {
        let tip = self.tip_build(base).await?;
        Ok(job.boot(&tip, &tip, &job.plain, 0, "").await)
    }

    /// Boots base and tip in turns, in an order made by chance, until the numbers decide.
    async fn alternate(
        &self,
        job: &Job<'_>,
        base: &BuildRecord,
        examined: &mut Examined,
    ) -> Result<Vec<Booted>, String> {
        let tip = self.tip_build(base).await?;
        let seed = u64::from_str_radix(&tip.key[..16.min(tip.key.len())], 16).unwrap_or(0);
        let mut patched: Vec<Booted> = Vec::new();
        let mut made = 0;
        while let Some(goal) = self.goal(made, examined, &patched) {
            let order = stats::interleaved(goal, seed);
            for (place, kernel) in order.into_iter().enumerate().skip(2 * made) {
                let repetition = place as u32 / 2;
                let purpose = wall_boot(repetition);
                let (build, boots) = match kernel {
                    Kernel::Base => (base, &mut examined.base),
                    Kernel::Patched => (&tip, &mut patched),
                };
                let more = job.boot(build, build, &job.plain, repetition, &purpose).await;
                // A side that falls once falls sixteen times.
                let fell = more.iter().any(|boot| boot.record.end != BootEnd::Completed);
                boots.extend(more);
                if fell || self.booter.cancelled() {
                    return Ok(patched);
                }
            }
            made = goal;
        }
        Ok(patched)
    }

    /// How many boots each side should have next.
    fn goal(&self, made: usize, examined: &Examined, patched: &[Booted]) -> Option<usize> {
        let comparisons = match made {
            0 => Vec::new(),
            _ => self.compare(&examined.base, patched),
        };
        stats::next_boots(made, &comparisons, WANTED)
    }

    fn place(&self) -> Place<'_> {
        let machine = self.kconfig.boot.as_ref().map_or("", |spec| spec.machine());
        Place { tree: self.tree, kconfig: &self.kconfig.name, machine, clock: self.clock }
    }

    fn compare(&self, base: &[Booted], patched: &[Booted]) -> Vec<MetricComparison> {
        let (base, patched) = (samples(base), samples(patched));
        let names = base.iter().flatten().map(|metric| metric.metric.as_str()).collect();
        let history = self.past.of_base(self.place(), &names);
        stats::compare(&stats::Inputs { place: self.place(), base: &base, patched: &patched, history: &history })
    }

    /// Finds the patches behind every metric that changed, measuring only what is needed.
    async fn find_steps(&self, job: &Job<'_>, examined: &mut Examined) {
        let tip = self.board.tip;
        let changed: Vec<usize> =
            (0..examined.metrics.len()).filter(|&at| is_change(examined.metrics[at].change)).collect();
        let mut known = BTreeMap::from([(0, samples(&examined.base)), (tip, samples(&examined.patched))]);
        match self.clock {
            // Boots that looked for the patch behind a failure have measured, too.
            Clock::Instructions => known.extend(examined.between.iter().map(|(index, boots)| (*index, samples(boots)))),
            // One boot is no sample.
            Clock::Wall => {}
        }
        let next = |metric: &MetricComparison, known: &BTreeMap<usize, Readings>| {
            let question = Question { metric: &metric.metric, part: metric.part, clock: self.clock };
            steps::next_of_metric(question, known, tip)
        };
        loop {
            // Metrics that want the same revision next share its boot.
            let wanted: BTreeSet<usize> = changed
                .iter()
                .filter_map(|&at| match next(&examined.metrics[at], &known) {
                    Next::Measure(index) => Some(index),
                    Next::Found(_) => None,
                })
                .collect();
            if wanted.is_empty() || self.booter.cancelled() {
                break;
            }
            for index in wanted {
                let boots = self.between(job, index, examined.base.len()).await;
                known.insert(index, samples(&boots));
                examined.between.entry(index).or_default().extend(boots);
            }
        }
        for at in changed {
            if let Next::Found(steps) = next(&examined.metrics[at], &known) {
                let metric = &examined.metrics[at];
                let steps = self.worth_telling(metric, steps, &known);
                let told = steps.iter().map(|step| {
                    let mut told = steps::with_patches(&[*step], self.subjects);
                    let before = step.revision - 1 - step.unmeasured_before;
                    let attribution = attribution(&metric.metric, &known[&before], &known[&step.revision]);
                    let functions = attribution.map(|attribution| attribution.functions).unwrap_or_default();
                    told.iter_mut().for_each(|told| told.functions.clone_from(&functions));
                    told
                });
                examined.metrics[at].steps = told.flatten().collect();
            }
            let metric = &mut examined.metrics[at];
            if let Some(attribution) = attribution(&metric.metric, &known[&0], &known[&tip]) {
                metric.note = metric.note.take().or_else(|| attribution.note());
                metric.inlined_apart = attribution.inlined_apart;
                metric.functions = attribution.functions;
            }
        }
    }

    /// The steps that are changes by the same rule as the whole; the largest where none is by itself.
    fn worth_telling(
        &self,
        metric: &MetricComparison,
        steps: Vec<Step>,
        known: &BTreeMap<usize, Readings>,
    ) -> Vec<Step> {
        let significant = |step: &Step| {
            let before = step.revision - 1 - step.unmeasured_before;
            let (earlier, later) = (&known[&before], &known[&step.revision]);
            is_change(stats::compare_one(self.clock, &metric.metric, metric.part, earlier, later).change)
        };
        let told: Vec<Step> = steps.iter().copied().filter(significant).collect();
        if !told.is_empty() {
            return told;
        }
        let size = |step: &Step| step.effect.estimate.abs();
        steps.into_iter().max_by(|one, other| size(one).total_cmp(&size(other))).into_iter().collect()
    }

    /// Boots a revision in mid-series as often as the ends on this clock; nothing when it cannot be booted.
    async fn between(&self, job: &Job<'_>, index: usize, boots: usize) -> Vec<Booted> {
        let Some(build) = self.board.wait(index).await.filter(bootable) else { return Vec::new() };
        if tools::missing(&build, &self.booter.benchmarks(self.kconfig)).is_some() {
            return Vec::new();
        }
        match self.clock {
            Clock::Instructions => job.boot(&build, &build, &job.plain, 0, "").await,
            Clock::Wall => {
                let mut all = Vec::new();
                for repetition in 0..boots as u32 {
                    let purpose = wall_boot(repetition);
                    all.extend(job.boot(&build, &build, &job.plain, repetition, &purpose).await);
                }
                all
            }
        }
    }
}

/// What a boot on the wall clock is for: its number among those of one revision, from 0.
pub fn wall_boot(repetition: u32) -> String {
    format!("boot-{}", repetition + 1)
}

/// All metrics of each boot of a revision.
type Readings = Vec<Vec<MetricSamples>>;

fn is_change(change: MetricChange) -> bool {
    match change {
        MetricChange::Regressed | MetricChange::Improved => true,
        MetricChange::Unchanged | MetricChange::New | MetricChange::Vanished | MetricChange::NotEnoughData => false,
    }
}

/// What each kernel function costs more or less; `None` where nobody counted.
fn attribution(metric: &str, earlier: &Readings, later: &Readings) -> Option<Attribution> {
    let of = |boots: &Readings| boots.iter().flatten().find(|samples| samples.metric == metric).cloned();
    compare::attribute(&of(earlier)?, &of(later)?)
}

/// All metrics of each boot.
pub fn samples(boots: &[Booted]) -> Readings {
    boots.iter().map(|boot| boot.record.metrics.clone()).collect()
}

/// Full names of the metrics to measure: those asked for, or those of the profile.
pub fn metric_names(suites: &[Suite], profile: Profile, only: &[String]) -> Vec<String> {
    if !only.is_empty() {
        // The name of a suite stands for all of it, which may be less than its program has.
        let all = |name: &String| -> Vec<String> {
            let suite = suites.iter().find(|suite| suite.name == *name && !suite.tests.is_empty());
            let tests = suite.map(|suite| suite.tests.iter().map(|test| format!("{name}.{test}")).collect());
            tests.unwrap_or_else(|| vec![name.clone()])
        };
        return only.iter().flat_map(all).collect();
    }
    let list = |suite: &Suite| -> Vec<String> {
        let quick = match profile {
            Profile::Quick => &suite.quick,
            Profile::Full | Profile::Nightly | Profile::Lab => &suite.tests,
        };
        let names = if quick.is_empty() { &suite.tests } else { quick };
        // A suite is all of its tests.
        let whole = names.is_empty().then(|| suite.name.clone());
        names.iter().map(|name| format!("{}.{name}", suite.name)).chain(whole).collect()
    };
    suites.iter().flat_map(list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_suite_stands_for_what_it_lists() {
        let home = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let suites = ["numa-bench", "hmm-bench"].map(|name| crate::lab::suite(home, name).unwrap());
        let asked = |only: &str| metric_names(&suites, Profile::Quick, &[only.to_owned()]);
        let numa = asked("numa-bench");
        assert_eq!(numa.len(), suites[0].tests.len());
        assert!(numa.iter().all(|name| name.starts_with("numa-bench.system.move-pages.")), "{numa:?}");
        let one = "hmm-bench.private.to-device.present-2M";
        assert_eq!(asked(one), [one]);
    }
}
