//! `boot.json`: what one attempt was and how it ended. It is written last; an attempt without it is half done.

use serde::Serialize;

use super::agent::agent_hash;
use super::{BootRequest, RawBoot};
use crate::words::{Accel, BootEnd};

/// Name in the folder of the attempt.
pub(super) const FILE: &str = "boot.json";

#[derive(Serialize)]
struct Record<'a> {
    format: u32,
    unit: &'a str,
    end: &'a BootEnd,
    kernel: &'a str,
    machine: &'a str,
    agent: String,
    accel: Accel,
    confined: &'a Result<(), String>,
    problems: &'a [String],
    frames: usize,
    wall_ms: u64,
    cpu_ms: u64,
    replay: &'a str,
}

/// Writes it under another name and renames it.
///
/// # Errors
/// One sentence that names the file.
pub(super) fn write(request: &BootRequest, boot: &RawBoot) -> Result<(), String> {
    let record = Record {
        format: 1,
        unit: &request.unit,
        end: &boot.end,
        kernel: request.kernel.as_str(),
        machine: &request.machine.name,
        agent: agent_hash(),
        accel: boot.accel,
        confined: &boot.confined,
        problems: &boot.problems,
        frames: boot.frames.len(),
        wall_ms: boot.wall_ms,
        cpu_ms: boot.cpu_ms,
        replay: &boot.replay,
    };
    let file = boot.dir.join(FILE);
    let new = boot.dir.join(format!("{FILE}.new"));
    let text = serde_json::to_vec_pretty(&record).map_err(|error| format!("{file}: {error}"))?;
    fs_err::create_dir_all(&boot.dir).map_err(|error| error.to_string())?;
    fs_err::write(&new, text).map_err(|error| error.to_string())?;
    fs_err::rename(&new, &file).map_err(|error| error.to_string())
}
