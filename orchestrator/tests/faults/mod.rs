//! Faults that are done to real runs of the program.

pub mod checks;
pub mod clock;
pub mod damage;
pub mod disk;
pub mod essence;
pub mod imports;
pub mod kills;
pub mod known;
pub mod network;
pub mod older;
pub mod outside;
pub mod series;
pub mod stage;
pub mod together;
pub mod watch;
