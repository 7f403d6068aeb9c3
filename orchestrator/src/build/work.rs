//! One build from beginning to end.

use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::answers::Answers;
use super::diagnostics::Said;
use super::make::{arguments, goals, source_arch};
use super::mend::{Marker, mend};
use super::reason::{first_error, without_echoes};
use super::resolve::{Unresolved, dropped_diagnostics, resolve};
use super::selftests::selftests;
use super::session::{Job, Made, Session};
use super::state::{Found, State};
use super::{
    BuildRequest, ToolchainError, artefacts, compile, escapes, key, lookup, relabel, sources, store, toolchain,
};
use crate::words::{BuildOutcome, BuildRecord, Kind, Level, NotCompiled};

/// Makes what `request` asks for, or finds it in the cache.
///
/// The record says how it ended, whatever happened: trouble of ours is an outcome too. Results about the kernel are
/// kept in `builds/<key>/`; of others only the log is, in `builds/<key>.infra/`.
pub async fn build(request: &BuildRequest) -> BuildRecord {
    let start = Instant::now();
    let tools = match toolchain(&request.kconfig, request.options, &request.cancel).await {
        Ok(tools) => tools,
        Err(error) => {
            let outcome = match &error {
                ToolchainError::Missing { .. } => BuildOutcome::NotRun { reason: error.to_string() },
                ToolchainError::Broken { .. } => BuildOutcome::Infra { reason: error.to_string() },
            };
            return BuildRecord::unbuilt(request.revision.revision, &request.kconfig, outcome);
        }
    };
    let key = key(request, &tools);
    if let Some(record) = lookup(&request.cache, &key).filter(|_| !request.fresh) {
        return relabel(record, request.revision.revision, &request.kconfig);
    }
    let staging = request.cache.join("builds").join(format!(".making-{key}-{}", place(&request.out)));
    let mut record = blank(request, &tools, key);
    let result = make_all(request, &staging, &mut record).await;
    if let Err(reason) = result {
        record.outcome = BuildOutcome::Infra { reason };
    }
    record.wall_ms = milliseconds(start.elapsed());
    let kept = if store::is_final(&record.outcome) {
        record.artefacts.dir = store::folder(&request.cache, &record.key);
        store::publish(&request.cache, &staging, &record, request.fresh)
    } else {
        record.artefacts.dir = request.cache.join("builds").join(format!("{}.infra", record.key));
        replace(&staging, &record.artefacts.dir)
    };
    if let Err(error) = kept {
        record.outcome = BuildOutcome::Infra { reason: format!("keeping the result: {error}") };
    }
    record
}

/// A record with nothing in it yet.
fn blank(request: &BuildRequest, tools: &str, key: String) -> BuildRecord {
    let outcome = BuildOutcome::Infra { reason: "not begun".to_owned() };
    let (toolchain, log) = (tools.to_owned(), "build.log".to_owned());
    let unbuilt = BuildRecord::unbuilt(request.revision.revision, &request.kconfig, outcome);
    BuildRecord { key, toolchain, log, node: request.node.clone(), ..unbuilt }
}

/// Does the work in `staging` and fills in `record`, outcome included. An error is trouble of ours.
async fn make_all(request: &BuildRequest, staging: &Utf8Path, record: &mut BuildRecord) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    let _lock = lock(request, &request.out).await?;
    // A build that was killed had nobody to look behind it.
    let escapes = escapes::sweep(&request.out, &request.source).map_err(io)?;
    record.notes.extend(escapes.iter().map(|what| format!("an earlier build left {what}; removed")));
    // Before the staging folder is emptied: it may hold the log of the build that was stopped here.
    let (mut state, found) = State::open(&request.out, &identity(request, &record.toolchain)).map_err(io)?;
    if staging.exists() {
        fs_err::remove_dir_all(staging).map_err(io)?;
    }
    fs_err::create_dir_all(staging).map_err(io)?;
    let log = staging.join(&record.log);
    let marker = Marker::set(&request.out, &request.source, &log).map_err(io)?;
    let mut session = Session::new(request, &request.out, &log);
    record.sandbox.clone_from(&session.sandbox);
    let made = make_kernel(request, &mut session, (&mut state, found), &log, record).await;
    record.cpu_ms = milliseconds(session.cpu);
    if let Err(reason) = made {
        // Now, while the log that tells what is whole lies where the mark says.
        mend(&request.out).map_err(io)?;
        return Err(reason);
    }
    state.save(&request.out).map_err(io)?;
    if session.stopped {
        mend(&request.out).map_err(io)?;
    } else {
        // make ended by itself, so that every file in O= is whole or absent.
        marker.clear().map_err(io)?;
    }
    let config = request.out.join(".config");
    if config.exists() {
        fs_err::copy(&config, staging.join("config")).map_err(io)?;
    }
    if record.outcome == BuildOutcome::Built {
        let kconfig = &request.kconfig;
        record.artefacts = artefacts::collect(&request.out, staging, kconfig)?;
        if kconfig.kind != Kind::Compile || !record.compiled.is_empty() {
            let used = sources::used(&request.out, &request.source, &record.compiled).map_err(io)?;
            fs_err::write(staging.join(sources::FILE), sources::text(&used)).map_err(io)?;
            record.artefacts.sources = Some(sources::FILE.to_owned());
        }
        let tools = record.toolchain.clone();
        let done = selftests(&mut session, request, &tools, staging, &mut record.artefacts).await;
        record.cpu_ms = milliseconds(session.cpu);
        let done = done?;
        record.diagnostics.extend(done.diagnostics);
        record.notes.extend(done.notes);
        if let Some(reason) = done.failed {
            record.outcome = BuildOutcome::SelftestsFailed { reason };
        }
    }
    Ok(())
}

/// Configures and makes the kernel.
async fn make_kernel(
    request: &BuildRequest,
    session: &mut Session<'_>,
    (state, found): (&mut State, Found),
    log: &Utf8Path,
    record: &mut BuildRecord,
) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    let resolved = match resolve(session, request, &record.toolchain, state).await {
        Ok(resolved) => resolved,
        Err(Unresolved::Infra(reason)) => return Err(reason),
        Err(Unresolved::Failed { reason, diagnostics }) => {
            state.resolved = None;
            record.diagnostics = diagnostics;
            record.outcome = BuildOutcome::Failed { reason };
            return Ok(());
        }
    };
    record.dropped.clone_from(&resolved.dropped);
    record.diagnostics = resolved.diagnostics.iter().cloned().chain(dropped_diagnostics(&resolved)).collect();
    state.resolved = Some(resolved);
    // What make finishes from here on is worth keeping, should it be stopped.
    state.save(&request.out).map_err(io)?;
    Marker::set(&request.out, &request.source, log).map_err(io)?;
    if let Some(first) = record.dropped.first() {
        record.outcome = BuildOutcome::Failed { reason: first.to_string() };
        return Ok(());
    }
    let config = fs_err::read_to_string(request.out.join(".config")).map_err(io)?;
    let goals = match request.kconfig.kind {
        Kind::Compile => {
            let selection = compile::select(session, request, &config).await?;
            record.not_compiled = selection.not_compiled;
            record.notes.extend(selection.notes);
            record.compiled.clone_from(&selection.targets);
            if selection.targets.is_empty() {
                record.outcome = BuildOutcome::Built;
                return Ok(());
            }
            selection.targets
        }
        Kind::Link | Kind::Boot => goals(&request.kconfig, &config),
    };
    let total = match found {
        Found::Fresh => state.full_steps,
        Found::Kept => state.last_steps,
    };
    let job = Job { arguments: arguments(request, &request.out, &goals), total, about: "make", ..Job::default() };
    record.replay = session.command(&job).replay();
    let mut made = session.make(&job).await?;
    match found {
        Found::Fresh => state.full_steps = made.said.steps,
        Found::Kept => state.last_steps = made.said.steps,
    }
    if made.complete {
        same_answers(request, state)?;
    }
    note_omitted(&made.said, record);
    if request.kconfig.kind == Kind::Compile {
        unknown_targets(&mut made, record);
    }
    record.diagnostics.extend(without_echoes(state.absorb(&made.said, &request.out)));
    record.outcome = if made.complete {
        BuildOutcome::Built
    } else {
        BuildOutcome::Failed { reason: first_error(&record.diagnostics).unwrap_or(made.last_line) }
    };
    Ok(())
}

/// Trouble when a tool answered kbuild otherwise than in the build before, for no reason that can be seen. The next build asks again
/// and is believed.
fn same_answers(request: &BuildRequest, state: &mut State) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    let arch = source_arch(&request.kconfig.arch);
    let answers = Answers::read(&request.out, &request.source, arch, &request.extra_make()).map_err(io)?;
    let before = state.answers.take();
    match before.as_ref().and_then(|before| answers.contradiction(before)) {
        None => state.answers = Some(answers),
        Some(file) => {
            state.save(&request.out).map_err(io)?;
            return Err(format!(
                "{file} holds another command than after the build before, although neither the configuration nor a Makefile \
                 changed: a compiler or linker was killed or failed while kbuild asked it for its options"
            ));
        }
    }
    Ok(())
}

/// Objects that kbuild does not know after all say nothing about the kernel: our reading of its Makefiles was wrong.
/// They are noted, and the make counts as complete when nothing else went wrong.
fn unknown_targets(made: &mut Made, record: &mut BuildRecord) {
    let errors =
        || made.said.loose.iter().chain(made.said.targets.values().flatten()).filter(|d| d.level == Level::Error);
    let unknown = |record: &BuildRecord, text: &str| {
        let rest = text.strip_prefix("No rule to make target '")?;
        let target = rest.split('\'').next()?;
        record.compiled.iter().find(|compiled| compiled.as_str() == target).cloned()
    };
    let targets: Vec<String> = errors().filter_map(|d| unknown(record, &d.message)).collect();
    let others =
        errors().filter(|d| !d.message.ends_with(": Error 2") && unknown(record, &d.message).is_none()).count();
    if targets.is_empty() || others > 0 {
        return;
    }
    made.complete = true;
    made.said.loose.retain(|d| d.level != Level::Error);
    record.compiled.retain(|target| !targets.contains(target));
    for path in targets {
        record.not_compiled.push(NotCompiled { path, reason: "kbuild has no rule for it in this kconfig".to_owned() });
    }
}

fn note_omitted(said: &Said, record: &mut BuildRecord) {
    if said.omitted > 0 {
        record.notes.push(format!("{} further diagnostics were left out; they are in {}", said.omitted, record.log));
    }
}

/// What makes old objects in `O=` useless when it changes.
fn identity(request: &BuildRequest, tools: &str) -> String {
    let kconfig = &request.kconfig;
    // sparse looks at a source when its object is made, and does not make kbuild do so again.
    let sparse = if request.extra_make().iter().any(|word| word == "C=1") { "with sparse" } else { "without sparse" };
    format!("{} {} {} {}\n{sparse}\n{tools}", request.source, kconfig.arch, kconfig.toolchain, kconfig.cross_compile)
}

/// Waits until no other process builds in `folder`. The lock lies beside it, since the folder may be emptied.
pub(super) async fn lock(request: &BuildRequest, folder: &Utf8Path) -> Result<fs_err::File, String> {
    let io = |error: std::io::Error| error.to_string();
    let parent = folder.parent().unwrap_or(Utf8Path::new("."));
    fs_err::create_dir_all(parent).map_err(io)?;
    let path = parent.join(format!(".{}.lock", folder.file_name().unwrap_or("out").trim_start_matches('.')));
    let file = fs_err::File::create(&path).map_err(io)?;
    loop {
        match file.file().try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(format!("locking {path}: {error}")),
        }
        tokio::select! {
            () = request.cancel.cancelled() => return Err("interrupted".to_owned()),
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
    }
}

/// Tells apart what is made in several work folders at once.
fn place(out: &Utf8Path) -> String {
    blake3::hash(out.as_str().as_bytes()).to_hex()[..8].to_owned()
}

fn replace(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    if to.exists() {
        fs_err::remove_dir_all(to)?;
    }
    if from.exists() { fs_err::rename(from, to) } else { Ok(()) }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
