//! The engine of a run.

use std::sync::Arc;

use camino::Utf8Path;

use super::constraint::constraint;
use super::hands::OwnHands;
use super::{
    BootJob, BuildJob, Caller, Carrier, Demand, Done, EnginesFile, Hands, Job, LOCAL, Login, LoginFile, LoginStart,
    Programs, Shared, Slot, Slurm, SlurmFile, Start, Stopped, Surroundings, Work,
};
use crate::words::{BootRecord, BuildOutcome, BuildRecord, Hardware, Machine, Reserve};

/// Where a run's units are done.
pub struct Engine {
    /// For everything, or only for boxes that are licences.
    slurm: Option<(String, Slurm)>,
    everything: bool,
    /// For what is done in this process.
    hands: Arc<dyn Hands>,
}

impl Engine {
    /// Everything in this process.
    pub fn local() -> Engine {
        Engine::by(Arc::new(OwnHands))
    }

    /// Everything in this process, by these hands.
    pub fn by(hands: Arc<dyn Hands>) -> Engine {
        Engine { slurm: None, everything: false, hands }
    }

    /// The engine called `name`. A box that is a licence of Slurm's is driven through the first engine of Slurm's
    /// there is, whatever `name` says.
    ///
    /// # Errors
    /// When there is no such engine, or this program cannot be found; one sentence.
    pub fn open(file: &EnginesFile, name: &str, run: &str, at: &Surroundings) -> Result<Engine, String> {
        let name = file.choose(Some(name))?;
        let everything = name != LOCAL;
        let entry = if everything { file.engines.get_key_value(&name) } else { file.engines.iter().next() };
        let Some((name, entry)) = entry else { return Ok(Engine::local()) };
        let (caller, carrier) = ways(name, &entry.slurm, at)?;
        let start = Start {
            caller,
            carrier,
            setup: entry.slurm.clone(),
            cache: at.cache.clone(),
            run: run.to_owned(),
            events: at.events.clone(),
            cancel: at.cancel.clone(),
        };
        Ok(Engine { slurm: Some((name.clone(), Slurm::new(start))), everything, ..Engine::local() })
    }

    /// To be called when no more units come.
    pub async fn finish(&self) {
        if let Some((_, slurm)) = &self.slurm {
            slurm.finish(self.everything).await;
        }
    }

    /// Builds that may be under way at once.
    pub fn builds_at_once(&self) -> usize {
        self.whole().map_or_else(|| self.hands.builds_at_once(), |(_, slurm)| slurm.setup().builds_at_once)
    }

    /// Jobs of make in one build, when the engine says so.
    pub fn make_jobs(&self) -> Option<usize> {
        self.whole().map(|(_, slurm)| slurm.setup().build.cpus)
    }

    /// Whether this machine is booted by this process, so that it counts against the guests of this host.
    pub fn is_here(&self, machine: &Machine) -> bool {
        self.whole().is_none() && licence(machine).is_none()
    }

    fn whole(&self) -> Option<&(String, Slurm)> {
        self.slurm.as_ref().filter(|_| self.everything)
    }

    /// Makes a build. `slot` is for builds in this process.
    pub async fn build(&self, job: BuildJob, unit: &str, at: &Surroundings, slot: &mut Option<Slot>) -> BuildRecord {
        let Some((name, slurm)) = self.whole() else { return self.hands.build(&job, unit, at, slot).await };
        let (revision, kconfig) = (job.revision.revision, job.kconfig.clone());
        let unbuilt = |reason| BuildRecord::unbuilt(revision, &kconfig, BuildOutcome::Infra { reason });
        let demand = Demand { shape: slurm.setup().build.clone(), ..Demand::default() };
        let job = Job::new(unit, 1, Work::Build(Box::new(job)), &at.cache).of_engine(name);
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
        let (name, slurm) = match (&licence, self.whole()) {
            (None, None) => return Ok(self.hands.boot(&job, unit, attempt, dir, at).await),
            (None, Some(slurm)) => slurm,
            (Some(_), _) => self.slurm.as_ref().ok_or_else(|| {
                format!("{} is a licence of Slurm's, and lab/engines.yaml has no engine of Slurm's", job.machine.name)
            })?,
        };
        let demand = demand(slurm.setup(), licence, &job);
        let job = Job::new(unit, attempt, Work::Boot(Box::new(job)), &at.cache).of_engine(name);
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

type Ways = (Arc<dyn Caller>, Arc<dyn Carrier>);

/// Who runs Slurm's programs, and who brings jobs to the nodes.
fn ways(name: &str, setup: &SlurmFile, at: &Surroundings) -> Result<Ways, String> {
    let (conf, program) = (setup.conf.clone(), setup.program.clone());
    if let Some(LoginFile { ssh, cache }) = setup.login.clone() {
        let (there, here, engine) = (cache.into(), at.cache.clone(), name.to_owned());
        let start = LoginStart { ssh, there, here, conf, program, engine, cancel: at.cancel.clone() };
        let login = Arc::new(Login::new(start)?);
        return Ok((login.clone(), login));
    }
    let own = || std::env::current_exe().map(|path| path.display().to_string());
    let program = program.map_or_else(own, Ok);
    let program = program.map_err(|error| format!("this program's own file cannot be found: {error}"))?;
    Ok((Arc::new(Programs { conf }), Arc::new(Shared { cache: at.cache.clone(), program })))
}

fn demand(setup: &SlurmFile, licence: Option<(String, String)>, job: &BootJob) -> Demand {
    match licence {
        None => {
            let mut shape = setup.boot.clone();
            shape.constraint = constraint(shape.constraint.as_deref(), &job.machine.tags, &setup.features);
            Demand { shape, license: None, exclusive: job.exclusive }
        }
        Some((license, partition)) => {
            // The box has the tags; the node only drives it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::boot_job;

    #[test]
    fn a_guest_asks_for_the_features_of_its_machine_and_a_box_for_its_licence() {
        let mut setup = SlurmFile::default();
        setup.boot.constraint = Some("qemu".into());
        setup.r#box.constraint = Some("control".into());
        let mut job = boot_job();
        job.machine.tags.insert("gpu".into(), "xe".into());
        assert_eq!(demand(&setup, None, &job).shape.constraint.as_deref(), Some("qemu&gpu-xe"));
        let box_of = demand(&setup, Some(("dut-1".into(), "lab".into())), &job);
        assert_eq!(box_of.shape.constraint.as_deref(), Some("control"), "the box has the GPU, not the node");
        assert_eq!((box_of.license.as_deref(), box_of.shape.partition.as_deref()), (Some("dut-1"), Some("lab")));
    }
}
