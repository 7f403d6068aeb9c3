//! The engine of a run.

use std::sync::Arc;

use camino::Utf8Path;

use super::{
    BootJob, BuildJob, Demand, Done, EnginesFile, Job, LOCAL, Programs, Slot, Slurm, SlurmFile, Start, Stopped,
    Surroundings, Work,
};
use crate::words::{BootRecord, BuildOutcome, BuildRecord, Hardware, Machine, Reserve};

/// Where a run's units are done.
pub struct Engine {
    /// For everything, or only for boxes that are licences.
    slurm: Option<Slurm>,
    everything: bool,
}

impl Engine {
    /// Everything in this process.
    pub fn local() -> Engine {
        Engine { slurm: None, everything: false }
    }

    /// The engine called `name`. A box that is a licence of Slurm's is driven through the first engine of Slurm's
    /// there is, whatever `name` says.
    ///
    /// # Errors
    /// When there is no such engine, or this program cannot be found; one sentence.
    pub fn open(file: &EnginesFile, name: &str, run: &str, at: &Surroundings) -> Result<Engine, String> {
        let name = file.choose(Some(name))?;
        let everything = name != LOCAL;
        let entry = if everything { file.engines.get(&name) } else { file.engines.values().next() };
        let Some(entry) = entry else { return Ok(Engine::local()) };
        let own = || std::env::current_exe().map(|path| path.display().to_string());
        let program = entry.slurm.program.clone().map_or_else(own, Ok);
        let program = program.map_err(|error| format!("this program's own file cannot be found: {error}"))?;
        let start = Start {
            caller: Arc::new(Programs { conf: entry.slurm.conf.clone() }),
            setup: entry.slurm.clone(),
            cache: at.cache.clone(),
            run: run.to_owned(),
            program,
            events: at.events.clone(),
            cancel: at.cancel.clone(),
        };
        Ok(Engine { slurm: Some(Slurm::new(start)), everything })
    }

    /// Builds that may be under way at once.
    pub fn builds_at_once(&self) -> usize {
        self.whole().map_or(1, |slurm| slurm.setup().builds_at_once)
    }

    /// Jobs of make in one build, when the engine says so.
    pub fn make_jobs(&self) -> Option<usize> {
        self.whole().map(|slurm| slurm.setup().build.cpus)
    }

    /// Whether this machine is booted by this process, so that it counts against the guests of this host.
    pub fn is_here(&self, machine: &Machine) -> bool {
        self.whole().is_none() && licence(machine).is_none()
    }

    fn whole(&self) -> Option<&Slurm> {
        self.slurm.as_ref().filter(|_| self.everything)
    }

    /// Makes a build. `slot` is for builds in this process.
    pub async fn build(&self, job: BuildJob, unit: &str, at: &Surroundings, slot: &mut Option<Slot>) -> BuildRecord {
        let Some(slurm) = self.whole() else { return super::build(&job, unit, at, slot).await };
        let (revision, kconfig) = (job.revision.revision, job.kconfig.clone());
        let unbuilt = |reason| BuildRecord::unbuilt(revision, &kconfig, BuildOutcome::Infra { reason });
        let demand = Demand { shape: slurm.setup().build.clone(), ..Demand::default() };
        let job = Job::new(unit, 1, Work::Build(Box::new(job)), &at.cache);
        match slurm.run(&job, &demand).await.map(|result| result.done) {
            Ok(Done::Build(record)) => *record,
            Ok(Done::Boot(_)) => unbuilt("the result of the job is that of a boot".to_owned()),
            Err(stopped) => unbuilt(reason(stopped)),
        }
    }

    /// Boots a machine; one that this process boots uses the folder `dir`.
    ///
    /// # Errors
    /// When nothing was booted; one sentence.
    pub async fn boot(
        &self,
        job: BootJob,
        unit: &str,
        attempt: u32,
        dir: &Utf8Path,
        at: &Surroundings,
    ) -> Result<BootRecord, String> {
        let licence = licence(&job.machine);
        let slurm = match (&licence, self.whole()) {
            (None, None) => return Ok(super::boot(&job, unit, attempt, dir, at).await),
            (None, Some(slurm)) => slurm,
            (Some(_), _) => self.slurm.as_ref().ok_or_else(|| {
                format!("{} is a licence of Slurm's, and lab/engines.yaml has no engine of Slurm's", job.machine.name)
            })?,
        };
        let demand = demand(slurm.setup(), licence, job.exclusive);
        let job = Job::new(unit, attempt, Work::Boot(Box::new(job)), &at.cache);
        match slurm.run(&job, &demand).await.map(|result| result.done) {
            Ok(Done::Boot(record)) => Ok(*record),
            Ok(Done::Build(_)) => Err("the result of the job is that of a build".to_owned()),
            Err(stopped) => Err(reason(stopped)),
        }
    }
}

/// Licence and partition of a box that is reserved so.
fn licence(machine: &Machine) -> Option<(String, String)> {
    match &machine.hardware {
        Hardware::Dut(dut) => match &dut.reserve {
            Reserve::Slurm { license, partition } => Some((license.clone(), partition.clone())),
            Reserve::Local {} | Reserve::Labgrid { .. } => None,
        },
        Hardware::Qemu(_) | Hardware::Lava(_) => None,
    }
}

fn demand(setup: &SlurmFile, licence: Option<(String, String)>, exclusive: bool) -> Demand {
    match licence {
        None => Demand { shape: setup.boot.clone(), license: None, exclusive },
        Some((license, partition)) => {
            let mut shape = setup.r#box.clone();
            shape.partition = Some(partition);
            Demand { shape, license: Some(license), exclusive: false }
        }
    }
}

fn reason(stopped: Stopped) -> String {
    match stopped {
        Stopped::Cancelled => "interrupted".to_owned(),
        Stopped::Trouble(why) => why,
    }
}
