//! The operations.

mod device;
mod move_pages;

use crate::abi::Abi;
use crate::measure::{Reading, Stop, readings};
use crate::metric::{Metric, Operation};

/// Takes all readings of a metric.
pub fn run(metric: &Metric) -> Result<Vec<Reading>, Stop> {
    match metric.operation {
        Operation::MovePages => readings(metric, &mut move_pages::MovePages::new(metric)?),
        Operation::ToDevice
        | Operation::ToSystem
        | Operation::FaultBack
        | Operation::FaultThenMigrate
        | Operation::MigrateOnFault
        | Operation::SetupFault
        | Operation::Snapshot
        | Operation::Read
        | Operation::Write => {
            let abi = Abi::read().map_err(Stop::Fail)?;
            readings(metric, &mut device::DeviceWork::new(metric, &abi)?)
        }
    }
}
