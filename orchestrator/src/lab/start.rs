//! The one way into a boot, whatever the machine is made of.

use futures::FutureExt;

use super::boot::boot_guest;
use super::dut::boot_box;
use super::lava::boot_device;
use super::{BootRequest, RawBoot};
use crate::words::Hardware;

/// Boots a machine and runs the suites on it.
///
/// This never fails: trouble of ours is a [`crate::words::BootEnd::Infra`] that says what to do.
pub async fn boot(request: &BootRequest) -> RawBoot {
    match &request.machine.hardware {
        Hardware::Qemu(qemu) => boot_guest(request, qemu).await,
        // Behind a pointer: proving that all of it may move between threads is done here, once.
        Hardware::Dut(dut) => boot_box(request, dut).boxed().await,
        Hardware::Lava(lava) => boot_device(request, lava).boxed().await,
    }
}
