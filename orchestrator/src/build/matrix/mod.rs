//! `kconfigs/matrix.yaml`: which configurations there are.

mod check;
mod file;

pub use check::{matrix, parse_matrix};
pub use file::{Compiler, MatrixEntry, MatrixFile};
