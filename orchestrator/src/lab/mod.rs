//! The lab: machines that boot builds.
//!
//! A [`BootRequest`] says all that determines a boot. [`boot`] writes an initramfs with the agent and the selftests,
//! starts QEMU, reads the kernel log and the results channel as they come, ends what overruns its deadline, and
//! tells apart a guest that finished, panicked, hung or reset from trouble of our own. It judges no test: that is the
//! suite's business.

mod accel;
mod agent;
mod bench;
mod boot;
mod carried;
mod console;
mod copying;
mod counts;
mod dut;
mod ending;
mod error;
mod files;
mod follow;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod initramfs;
mod inlines;
mod lava;
mod machine_file;
pub mod matching;
mod plan;
mod plugin;
mod progress;
mod qemu;
mod record;
mod recorder;
mod request;
mod reserve;
mod results;
mod sockets;
mod ssh_file;
mod start;
mod supervisor;
mod symbols;
#[cfg(test)]
mod testing;
mod tiny;
mod watch;

pub use accel::probe_accel;
pub use agent::{ARM64_REMEDY, agent_for, agent_hash, agent_hash_for};
pub use bench::{bench_file, bench_hash, place_bench};
pub use counts::{Counts, Window, metric_hash};
pub use dut::{
    BoxLock, BoxState, HealthWatch, Held, PowerDriver, PowerState, Session, known_hosts_line, printable, ssh_options,
};
pub use error::LabError;
pub use files::{machine, machine_names, machines, suite};
pub use plugin::{install_plugin, plugin_file, plugin_hash};
pub use request::{AccelChoice, BootRequest, Counting, RawBoot, Selection};
pub use reserve::{Holder, Lost, Reservation, ReserveError, Standing, acquire, standing};
pub use ssh_file::ssh_problems;
pub use start::boot;
pub use symbols::{SymbolsError, symbol_table};
