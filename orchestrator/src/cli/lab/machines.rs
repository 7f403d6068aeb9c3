//! Machines by name, for every subcommand.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Failure;
use super::start::{Places, write_note};
use crate::lab;
use crate::words::{Dut, Event, EventSink, Hardware, Machine, Reserve};

/// Names of all machine files, sorted.
pub fn names(places: &Places) -> Result<Vec<String>, Failure> {
    lab::machine_names(places.home.root()).map_err(Failure::infra)
}

/// One machine.
pub fn machine(places: &Places, name: &str) -> Result<Machine, Failure> {
    let known = names(places)?;
    if !known.iter().any(|known| known == name) {
        let near = crate::config::closest(name, known.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Failure::usage(format!("there is no machine `{name}` in {}{hint}", places.home.lab_dir())));
    }
    lab::machine(places.home.root(), name).map_err(Failure::usage)
}

/// One machine that must be a box.
pub fn dut(places: &Places, name: &str) -> Result<(Machine, Box<Dut>), Failure> {
    let machine = machine(places, name)?;
    match &machine.hardware {
        Hardware::Dut(dut) => Ok((machine.clone(), dut.clone())),
        Hardware::Qemu(_) => {
            Err(Failure::usage(format!("{name} is a guest: it has no power switch and needs no care")))
        }
        Hardware::Lava(_) => Err(Failure::usage(format!("{name} is a device of LAVA's, which takes care of it"))),
    }
}

/// Refuses a box that an engine shares: holding it by hand is that engine's business.
pub fn own(name: &str, dut: &Dut) -> Result<(), Failure> {
    match &dut.reserve {
        Reserve::Local {} => Ok(()),
        Reserve::Labgrid { coordinator, place } => Err(Failure::usage(format!(
            "{name} is a place of labgrid's: `labgrid-client -x {coordinator} -p {place} acquire` holds it by hand, \
             `release` gives it back"
        ))),
        Reserve::Slurm { .. } => Err(shared_by_slurm(name, &dut.reserve)),
    }
}

/// Has a box from the engine that shares it for as long as what this gives lives; `None` for one of this host's alone.
pub async fn place(
    name: &str,
    dut: &Dut,
    purpose: &str,
    cancel: &CancellationToken,
) -> Result<Option<lab::Reservation>, Failure> {
    if matches!(dut.reserve, Reserve::Slurm { .. }) && std::env::var_os("SLURM_JOB_ID").is_none() {
        return Err(shared_by_slurm(name, &dut.reserve));
    }
    let events: EventSink = Arc::new(|event| {
        if let Event::Note { message } = event {
            write_note(&message);
        }
    });
    let holder = lab::Holder::new(purpose);
    lab::acquire(&dut.reserve, &holder, &events, cancel).await.map_err(Failure::infra)
}

fn shared_by_slurm(name: &str, reserve: &Reserve) -> Failure {
    let how = match reserve {
        Reserve::Slurm { license, partition } => format!("srun -p {partition} -L {license}:1 orchestrator lab ..."),
        Reserve::Local {} | Reserve::Labgrid { .. } => "srun".to_owned(),
    };
    Failure::usage(format!("{name} is shared by Slurm, whose jobs hold it: run this as one, `{how}`"))
}
