//! The engine: where units of work are done, in this process or as jobs of Slurm.
//!
//! A [`Job`] is all that a unit needs, as data; [`perform`] does it on the spot and gives its record. [`Engine`] either
//! performs in process or has Slurm start `orchestrator unit` on a node, and takes the result from a file.

mod caller;
mod carrier;
mod choice;
mod constraint;
mod file;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod hands;
mod job;
mod login;
mod login_words;
mod parcel;
mod perform;
#[cfg(test)]
mod sim_tests;
mod slot;
mod slurm;
mod slurm_words;
#[cfg(test)]
mod testing;
mod unit;

pub use caller::{Answer, Caller, Programs};
pub use carrier::{Carrier, Item, Parcel, Shared, Source};
pub use choice::Engine;
pub use file::{EngineEntry, EnginesFile, LOCAL, LoginFile, Shape, SlurmFile, engines};
pub use hands::Hands;
pub use job::{BootJob, BuildJob, Done, Job, Surroundings, UnitResult, Work};
pub use login::{Login, LoginStart};
pub use perform::{boot, build};
pub use slot::Slot;
pub use slurm::{Slurm, Start, Stopped};
pub use slurm_words::{Demand, Row, Submitted, sbatch_arguments, squeue_rows, submitted};
pub use unit::{UnitError, perform};
