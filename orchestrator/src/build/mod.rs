//! Room `build`: makes kernels and selftests of a revision with a kconfig.
//!
//! [`build()`] is the whole of it: it resolves the configuration, makes, reads the diagnostics and leaves the result in
//! the cache under its [`key()`]. [`lookup`] finds what an earlier run left. [`matrix()`] reads `kconfigs/`.

mod compare;
mod key;
mod request;
mod store;
#[cfg(test)]
mod testing;
mod toolchain;

pub use compare::{DiagnosticSignature, new_diagnostics, signature};
pub use key::key;
pub use request::{BuildOptions, BuildRequest};
pub use store::{folder, lookup, relabel};
pub use toolchain::{ToolchainError, toolchain, toolchains};
