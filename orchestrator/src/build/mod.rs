//! Room `build`: makes kernels and selftests of a revision with a kconfig.
//!
//! [`build()`] is the whole of it: it resolves the configuration, makes, reads the diagnostics and leaves the result in
//! the cache under its [`key()`]. [`lookup`] finds what an earlier run left. [`matrix()`] reads `kconfigs/`.

mod abi;
mod answers;
mod artefacts;
mod changes;
mod compare;
mod compile;
mod diagnostics;
mod escapes;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod image;
mod kconfig;
mod key;
mod make;
mod matrix;
mod mend;
mod reach;
#[cfg(test)]
mod real;
mod reason;
mod request;
mod resolve;
mod seal;
mod selftests;
mod session;
mod sources;
mod state;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod toolchain;
mod trouble;
mod work;

pub use compare::{DiagnosticSignature, new_diagnostics, signature, without_numbers};
pub use image::build_id;
pub use key::key;
pub use matrix::{Compiler, MatrixEntry, MatrixFile, matrix, parse_matrix};
pub use request::{BuildOptions, BuildRequest};
pub use seal::{Damaged, check, is_intact, seal_beside};
pub use store::{discard, folder, lookup, relabel};
pub use toolchain::{ToolchainError, toolchain, toolchains};
pub use work::build;
