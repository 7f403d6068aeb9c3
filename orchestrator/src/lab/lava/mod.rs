//! Devices of LAVA's: a job boots the kernel with our initramfs, and its log is read by ourselves.
//!
//! LAVA owns the device. We publish two files, submit a job, read its log as it grows, and take the agent's frames out
//! of the console in it: LAVA's own result parser turns skips into passes and dots into underscores.

mod boot;
mod client;
mod definition;
mod ending;
mod file;
#[cfg(any(test, feature = "fuzz"))]
pub(in crate::lab) mod fuzz;
mod job;
mod log;
mod publish;
mod remember;
#[cfg(test)]
mod tests;
mod token;
mod untangle;

pub(super) use boot::boot_device;
pub(super) use file::check;
