//! Doing a unit on the spot.

use camino::{Utf8Path, Utf8PathBuf};

use super::{BootJob, BuildJob, Slot, Surroundings};
use crate::build::{self, BuildRequest};
use crate::lab;
use crate::suite;
use crate::words::{BootEnd, BootRecord, BuildOutcome, BuildRecord, Event};

/// Makes a build. `slot` is taken when there is none yet, and kept for the next build of the same tree.
pub async fn build(job: &BuildJob, unit: &str, at: &Surroundings, slot: &mut Option<Slot>) -> BuildRecord {
    let unbuilt = |reason| {
        let outcome = BuildOutcome::Infra { reason };
        BuildRecord::unbuilt(job.revision.revision, &job.kconfig, outcome)
    };
    let folder = match switch(job, at, slot).await {
        Ok(folder) => folder,
        Err(reason) => return unbuilt(reason),
    };
    let request = BuildRequest {
        source: folder.join("src"),
        revision: job.revision.clone(),
        kconfig: job.kconfig.clone(),
        suites: job.suites.clone(),
        out: folder.join(&job.kconfig.name),
        cache: at.cache.clone(),
        jobs: job.jobs,
        options: job.options,
        touched: job.touched.clone(),
        fresh: job.fresh,
        unit: unit.to_owned(),
        events: at.events.clone(),
        cancel: at.cancel.clone(),
    };
    let record = build::build(&request).await;
    if !record.key.is_empty() && record.key != job.key {
        let node = at.node.as_deref().unwrap_or("this host");
        return unbuilt(format!(
            "{node} has other tools than the host of the run ({}); install the same compilers",
            record.toolchain.replace('\n', ", ")
        ));
    }
    record
}

/// Brings a slot's worktree to the revision and gives the slot's folder.
async fn switch(job: &BuildJob, at: &Surroundings, slot: &mut Option<Slot>) -> Result<Utf8PathBuf, String> {
    if slot.is_none() {
        *slot = Some(Slot::take(&job.tree, at).await?);
    }
    let slot = slot.as_mut().ok_or("no work folder was taken")?;
    slot.switch(&job.revision, &at.cancel).await?;
    Ok(slot.folder().to_owned())
}

/// Boots into the folder `dir` and judges what came of it.
pub async fn boot(job: &BootJob, unit: &str, attempt: u32, dir: &Utf8Path, at: &Surroundings) -> BootRecord {
    let note = |message: String| (at.events)(Event::Note { message });
    // Logs of an earlier boot are hard links in other runs' folders: they must not be written into.
    let _ = fs_err::remove_dir_all(dir);
    let request = lab::BootRequest {
        unit: unit.to_owned(),
        kernel: job.image.clone(),
        build_id: job.build_id.clone(),
        modules: job.modules.clone(),
        selftests: job.programs.clone(),
        suites: job.suites.clone(),
        spec: job.spec.clone(),
        machine: job.machine.clone(),
        selection: job.selection.clone(),
        accel: job.accel,
        counting: job.counting.clone(),
        files: job.files.clone(),
        deadline_factor: 1,
        cache: at.cache.clone(),
        dir: dir.to_owned(),
        events: at.events.clone(),
        cancel: at.cancel.clone(),
    };
    let raw = lab::boot(&request).await;
    let config = fs_err::read_to_string(&job.config).unwrap_or_default();
    let console = fs_err::read(&raw.console).unwrap_or_default();
    let names: Vec<String> = job.suites.iter().map(|suite| suite.name.clone()).collect();
    let readers: Vec<_> = job.suites.iter().map(|suite| (suite.name.clone(), suite.reads())).collect();
    let readings: Vec<_> = job.suites.iter().map(|suite| (suite.name.clone(), suite.metrics.clone())).collect();
    let modules: Vec<String> = job.modules.iter().map(|file| module_name(file)).collect();
    let input = suite::JudgeInput {
        frames: &raw.frames,
        problems: &raw.problems,
        end: &raw.end,
        console: &String::from_utf8_lossy(&console),
        suites: &names,
        readers: &readers,
        readings: &readings,
        only: &job.selection.only,
        skip: &job.selection.skip,
        modules: &modules,
        config: &config,
    };
    let meta = suite::BootMeta {
        kernel: job.kernel,
        selftests: job.selftests,
        kconfig: job.kconfig.clone(),
        machine: job.machine.name.clone(),
        accel: raw.accel,
        attempt,
        dir: raw.dir.clone(),
        wall_ms: raw.wall_ms,
        cpu_ms: raw.cpu_ms,
        replay: raw.replay.clone(),
    };
    let mut record = suite::judge(input, meta);
    if job.measures && raw.accel != job.accel {
        // Another clock than that of the other side.
        record.metrics.clear();
    }
    if job.counting.is_some() && !record.metrics.is_empty() {
        let counts = fs_err::read(raw.dir.join("counts.jsonl")).map_err(|error| error.to_string());
        match counts.and_then(|bytes| lab::Counts::read(&bytes)) {
            Ok(counts) if counts.complete || record.end != BootEnd::Completed => {
                let problems = counts.rejected.iter().cloned().chain(counts.attach(&mut record.metrics));
                for problem in problems.take(3) {
                    note(format!("{unit}: instructions by function: {problem}"));
                }
            }
            Ok(_) => record.end = uncounted("the plugin's file has no end"),
            Err(error) => record.end = uncounted(&error),
        }
    }
    record
}

/// A boot whose instructions were not counted: trouble of ours, which is tried again and never kept.
fn uncounted(why: &str) -> BootEnd {
    BootEnd::Infra { reason: format!("instructions by function were not counted: {why}") }
}

/// The name that a module file has in the kernel.
fn module_name(file: &Utf8Path) -> String {
    file.file_stem().unwrap_or(file.as_str()).replace('-', "_")
}
