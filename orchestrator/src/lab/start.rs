//! The one way into a boot, whatever the machine is made of.

use super::boot::{boot_guest, failed};
use super::lava::boot_device;
use super::{BootRequest, RawBoot};
use crate::words::Hardware;

/// Boots a machine and runs the suites on it.
///
/// This never fails: trouble of ours is a [`crate::words::BootEnd::Infra`] that says what to do.
pub async fn boot(request: &BootRequest) -> RawBoot {
    match &request.machine.hardware {
        Hardware::Qemu(qemu) => boot_guest(request, qemu).await,
        Hardware::Dut(_) => failed(request, request.accel, "boxes cannot be driven by this version".to_owned()),
        Hardware::Lava(lava) => boot_device(request, lava).await,
    }
}
