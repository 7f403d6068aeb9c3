//! Selftest programs of the same revision as the kernel, linked statically, and the interface of its test driver.
//!
//! The tree's own Makefiles build them, because they know which files belong to a program. Those Makefiles write into
//! their folder, and the source must stay as it is; so they run in a shadow of the tree: real folders down to that of
//! the program, links for everything else.
//!
//! All kconfigs of an architecture share one folder of headers and programs, and nothing is made again that no change
//! between two revisions concerns.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::abi;
use super::changes::{affects_headers, affects_selftests, changed_paths};
use super::make::{arguments, tool_arguments};
use super::mend::Marker;
use super::session::{Job, Made, Session};
use super::{BuildRequest, reason, work};
use crate::words::{Artefacts, Diagnostic, Kind};

/// Where selftests live in a tree.
const SELFTESTS: &str = "tools/testing/selftests";
const STATE: &str = "state.json";

/// What is in the shared folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Shared {
    identity: String,
    /// Git tree the headers were installed from.
    headers: Option<String>,
    /// Programs by path below `tools/testing/selftests`.
    programs: BTreeMap<String, Program>,
    /// Numbers of the test driver's interface.
    #[serde(default)]
    abi: Option<Interface>,
}

/// The numbers of a revision's test driver.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Interface {
    /// Git tree they were read from.
    tree: String,
    /// Why there is no file of them, when there is none.
    missing: Option<String>,
}

/// A program that was built.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Program {
    /// Git tree it was built from.
    tree: String,
    diagnostics: Vec<Diagnostic>,
    notes: Vec<String>,
}

/// How building the selftests ended, when not by trouble of ours.
#[derive(Debug, Default)]
pub(super) struct Selftests {
    /// Why they could not be built.
    pub failed: Option<String>,
    /// What the tools said, also in earlier revisions about programs that are still the same.
    pub diagnostics: Vec<Diagnostic>,
    /// For the record.
    pub notes: Vec<String>,
}

/// Builds the selftests of `request`, copies them to `staging` and notes them in `artefacts`.
///
/// # Errors
/// Trouble of ours; one line.
pub(super) async fn selftests(
    session: &mut Session<'_>,
    request: &BuildRequest,
    tools: &str,
    staging: &Utf8Path,
    artefacts: &mut Artefacts,
) -> Result<Selftests, String> {
    let io = |error: std::io::Error| error.to_string();
    let wanted = request.selftests();
    if wanted.is_empty() && !has_interface(request) {
        return Ok(Selftests::default());
    }
    let shared = shared_folder(request);
    let _lock = work::lock(request, &shared).await?;
    let identity = format!("{}\n{tools}", request.source);
    let mut state = open(&shared, &identity).map_err(io)?;
    let marker = Marker::set(&shared, &request.source, Utf8Path::new("")).map_err(io)?;
    let mut inner = session.beside(&shared);
    let result = make(&mut inner, request, &shared, &mut state, &wanted).await;
    session.cpu += inner.cpu;
    let done = result?;
    fs_err::write(shared.join(STATE), serde_json::to_vec(&state).map_err(|error| error.to_string())?).map_err(io)?;
    if !inner.stopped {
        marker.clear().map_err(io)?;
    }
    if done.failed.is_none() {
        let abi = state.abi.as_ref().is_some_and(|abi| abi.missing.is_none());
        collect(&shared, staging, &wanted, abi, artefacts).map_err(io)?;
    }
    Ok(done)
}

/// The folder that all kconfigs with the same tools share, beside their `O=` folders.
fn shared_folder(request: &BuildRequest) -> Utf8PathBuf {
    let kconfig = &request.kconfig;
    let parent = request.out.parent().unwrap_or(Utf8Path::new("."));
    parent.join(format!(".selftests-{}-{}{}", kconfig.arch, kconfig.cross_compile, kconfig.toolchain))
}

/// The state of the shared folder, which costs little to make and is emptied when it is another's or a build was killed in it.
fn open(shared: &Utf8Path, identity: &str) -> std::io::Result<Shared> {
    let text = fs_err::read_to_string(shared.join(STATE)).unwrap_or_default();
    let known: Option<Shared> = serde_json::from_str(&text).ok();
    match known.filter(|known| known.identity == identity && !Marker::is_set(shared)) {
        Some(known) => Ok(known),
        None => {
            if shared.exists() {
                fs_err::remove_dir_all(shared)?;
            }
            fs_err::create_dir_all(shared)?;
            Ok(Shared { identity: identity.to_owned(), ..Shared::default() })
        }
    }
}

/// Whether what was made from the tree `old` is as good as made from the request's.
fn still_good(request: &BuildRequest, old: &str, concerns: fn(&str) -> bool) -> bool {
    let changed = changed_paths(&request.source, old, &request.revision.tree);
    changed.is_some_and(|paths| !paths.iter().any(|path| concerns(path)))
}

async fn make(
    session: &mut Session<'_>,
    request: &BuildRequest,
    shared: &Utf8Path,
    state: &mut Shared,
    wanted: &[String],
) -> Result<Selftests, String> {
    let io = |error: std::io::Error| error.to_string();
    let mut done = Selftests::default();
    let stale = |name: &&String| {
        let good = |program: &Program| still_good(request, &program.tree, affects_selftests);
        !(state.programs.get(*name).is_some_and(good) && program_file(shared, name).is_file())
    };
    let missing: Vec<String> = wanted.iter().filter(stale).cloned().collect();
    if !missing.is_empty() {
        if let Some(failed) = headers(session, request, shared, state, &mut done).await? {
            return Ok(Selftests { failed: Some(failed), ..done });
        }
        for name in &missing {
            state.programs.remove(name);
            match program(session, request, shared, name).await? {
                Ok(program) => drop(state.programs.insert(name.clone(), program)),
                Err((failed, diagnostics)) => {
                    done.failed.get_or_insert(failed);
                    done.diagnostics.extend(diagnostics);
                }
            }
        }
    }
    if has_interface(request) && done.failed.is_none() {
        interface(session, request, shared, state, &mut done).await?;
    } else {
        state.abi = None;
    }
    for name in wanted {
        if let Some(program) = state.programs.get_mut(name) {
            program.tree.clone_from(&request.revision.tree);
            done.diagnostics.extend(program.diagnostics.iter().cloned());
            done.notes.extend(program.notes.iter().cloned());
        }
    }
    let scratch = shared.join("tree");
    if scratch.exists() {
        fs_err::remove_dir_all(scratch).map_err(io)?;
    }
    Ok(done)
}

/// Whether the revision has a test driver whose interface a benchmark may want to know.
fn has_interface(request: &BuildRequest) -> bool {
    match request.kconfig.kind {
        Kind::Boot => request.source.join(abi::HEADER).is_file(),
        Kind::Compile | Kind::Link => false,
    }
}

fn interface_file(shared: &Utf8Path) -> Utf8PathBuf {
    shared.join("abi/hmm-abi.json")
}

/// Has the compiler say the numbers of the test driver's interface, unless they are known. A header that does not
/// compile fails the programs that use it; here it is only noted.
async fn interface(
    session: &mut Session<'_>,
    request: &BuildRequest,
    shared: &Utf8Path,
    state: &mut Shared,
    done: &mut Selftests,
) -> Result<(), String> {
    let good = |known: &Interface| {
        still_good(request, &known.tree, affects_selftests)
            && (known.missing.is_some() || interface_file(shared).is_file())
    };
    let missing = match state.abi.take().filter(good) {
        Some(known) => known.missing,
        None => {
            if let Some(failed) = headers(session, request, shared, state, done).await? {
                done.failed = Some(failed);
                return Ok(());
            }
            read_interface(session, request, shared).await?.err()
        }
    };
    done.notes.extend(missing.iter().map(|why| format!("benchmarks of the HMM test driver cannot run: {why}")));
    state.abi = Some(Interface { tree: request.revision.tree.clone(), missing });
    Ok(())
}

/// Writes the file of numbers; the inner error says why the header gives none.
async fn read_interface(
    session: &mut Session<'_>,
    request: &BuildRequest,
    shared: &Utf8Path,
) -> Result<Result<(), String>, String> {
    let io = |error: std::io::Error| error.to_string();
    let folder = shared.join("abi");
    if folder.exists() {
        fs_err::remove_dir_all(&folder).map_err(io)?;
    }
    fs_err::create_dir_all(&folder).map_err(io)?;
    let header = fs_err::read(request.source.join(abi::HEADER)).map_err(io)?;
    let entries = match abi::entries(&String::from_utf8_lossy(&header)) {
        Ok(entries) => entries,
        Err(why) => return Ok(Err(why)),
    };
    fs_err::write(folder.join("abi.c"), abi::source(&entries)).map_err(io)?;
    let (program, arguments) = interface_compiler(request, shared);
    let job = Job { program: Some(program), arguments, about: "interface of the test driver", ..Job::default() };
    let made = session.make(&job).await?;
    if !made.complete {
        return Ok(Err(format!("{}: {}", abi::HEADER, failure(made).0)));
    }
    let object = fs_err::read(folder.join("abi.o")).map_err(io)?;
    Ok(match abi::json(&object, &entries) {
        Ok(text) => {
            fs_err::write(interface_file(shared), text).map_err(io)?;
            Ok(())
        }
        Err(why) => Err(format!("{}: {why}", abi::HEADER)),
    })
}

/// The kconfig's compiler, for its architecture.
fn interface_compiler(request: &BuildRequest, shared: &Utf8Path) -> (String, Vec<String>) {
    let prefix = &request.kconfig.cross_compile;
    let mut arguments: Vec<String> = ["-c", "-w"].map(str::to_owned).into();
    let program = if request.kconfig.toolchain == "clang" {
        arguments.extend(prefix.strip_suffix('-').map(|target| format!("--target={target}")));
        "clang".to_owned()
    } else {
        format!("{prefix}gcc")
    };
    arguments.extend(["-isystem".to_owned(), shared.join("headers/usr/include").to_string()]);
    arguments.extend(["-iquote".to_owned(), request.source.join("lib").to_string()]);
    arguments.extend(["-o".to_owned(), shared.join("abi/abi.o").to_string(), shared.join("abi/abi.c").to_string()]);
    (program, arguments)
}

/// Makes the headers user programs see, unless they are there. Says why they cannot be made.
async fn headers(
    session: &mut Session<'_>,
    request: &BuildRequest,
    shared: &Utf8Path,
    state: &mut Shared,
    done: &mut Selftests,
) -> Result<Option<String>, String> {
    if state.headers.as_ref().is_some_and(|tree| still_good(request, tree, affects_headers)) {
        state.headers = Some(request.revision.tree.clone());
        return Ok(None);
    }
    state.headers = None;
    let out = shared.join("headers");
    fs_err::create_dir_all(&out).map_err(|error| error.to_string())?;
    let job =
        Job { arguments: arguments(request, &out, &["headers".to_owned()]), about: "make headers", ..Job::default() };
    let made = session.make(&job).await?;
    if made.complete {
        state.headers = Some(request.revision.tree.clone());
        return Ok(None);
    }
    let (failed, diagnostics) = failure(made);
    done.diagnostics.extend(diagnostics);
    Ok(Some(format!("make headers: {failed}")))
}

/// First error and all diagnostics of a make that failed.
fn failure(made: Made) -> (String, Vec<Diagnostic>) {
    let diagnostics: Vec<_> = made.said.targets.into_values().flatten().chain(made.said.loose).collect();
    (reason::first_error(&diagnostics).unwrap_or(made.last_line), reason::without_echoes(diagnostics))
}

fn program_file(shared: &Utf8Path, name: &str) -> Utf8PathBuf {
    shared.join("programs").join(name)
}

/// Builds one program with the tree's Makefile, or, where that has no rule for it, with the compiler alone.
async fn program(
    session: &mut Session<'_>,
    request: &BuildRequest,
    shared: &Utf8Path,
    name: &str,
) -> Result<Result<Program, (String, Vec<Diagnostic>)>, String> {
    let io = |error: std::io::Error| error.to_string();
    let file = program_file(shared, name);
    if file.exists() {
        fs_err::remove_file(&file).map_err(io)?;
    }
    let (folder, base) = name.rsplit_once('/').ok_or_else(|| format!("{name}: a selftest is <folder>/<program>"))?;
    fs_err::create_dir_all(shared.join("programs").join(folder)).map_err(io)?;
    let tree = shared.join("tree");
    let within = format!("{SELFTESTS}/{folder}");
    if !request.source.join(&within).is_dir() {
        return Ok(Err((format!("{within} does not exist in this revision"), Vec::new())));
    }
    shadow(&request.source, &tree, &within, &shared.join("headers/usr/include")).map_err(io)?;
    let job = Job {
        arguments: makefile_arguments(request, shared, folder, &file),
        base: within.clone(),
        root: Some(tree.clone()),
        about: "selftests",
        ..Job::default()
    };
    let mut made = session.make(&job).await?;
    let mut notes = Vec::new();
    let no_rule = made.said.loose.iter().any(|d| d.message.starts_with("No rule to make target"));
    let sources = helpers(&request.source.join(&within), base);
    if !made.complete && no_rule && !sources.is_empty() {
        notes.push(format!("the Makefile of {within} has no rule for {base}; it was compiled without it"));
        let job = Job {
            program: Some(format!("{}gcc", request.kconfig.cross_compile)),
            arguments: compiler_arguments(shared, &tree.join(&within), &sources, &file),
            ..job
        };
        fs_err::write(tree.join(&within).join("local_config.h"), "").map_err(io)?;
        made = session.make(&job).await?;
    }
    if !made.complete || !file.is_file() {
        if let Some(library) = missing_libc(&made.said.loose) {
            return Err(format!("the host has no static lib{library}: apt-get install libc6-dev"));
        }
        return Ok(Err(failure(made)));
    }
    let diagnostics = made.said.targets.into_values().flatten().chain(made.said.loose).collect();
    Ok(Ok(Program { tree: request.revision.tree.clone(), diagnostics, notes }))
}

/// `cannot find -lc`: a part of libc that the linker misses. Other libraries are the selftest's own affair.
fn missing_libc(said: &[Diagnostic]) -> Option<&'static str> {
    let missed = |diagnostic: &Diagnostic| {
        let rest = diagnostic.message.strip_prefix("cannot find -l")?;
        let library = rest.split([' ', ':']).next()?;
        ["c", "m", "rt", "pthread"].into_iter().find(|part| *part == library)
    };
    said.iter().find_map(missed)
}

fn makefile_arguments(request: &BuildRequest, shared: &Utf8Path, folder: &str, file: &Utf8Path) -> Vec<String> {
    let mut arguments = vec!["-C".to_owned(), format!("{shared}/tree/{SELFTESTS}/{folder}")];
    arguments.extend(tool_arguments(&request.kconfig));
    arguments.extend(["--no-print-directory", "LDFLAGS=-static"].map(str::to_owned));
    arguments.push(format!("OUTPUT={shared}/programs/{folder}"));
    arguments.push(format!("KHDR_INCLUDES=-isystem {shared}/headers/usr/include"));
    arguments.push(file.to_string());
    arguments
}

/// Sources of a program whose Makefile does not say: its own and the helpers that kernels of all ages have beside it.
fn helpers(folder: &Utf8Path, program: &str) -> Vec<String> {
    let names = [format!("{program}.c"), "vm_util.c".into(), "thp_settings.c".into(), "hugepage_settings.c".into()];
    if !folder.join(&names[0]).is_file() {
        return Vec::new();
    }
    names.into_iter().filter(|name| folder.join(name).is_file()).collect()
}

fn compiler_arguments(shared: &Utf8Path, folder: &Utf8Path, sources: &[String], file: &Utf8Path) -> Vec<String> {
    let tree = shared.join("tree");
    let mut arguments: Vec<String> =
        ["-static", "-O2", "-Wall", "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE="].map(str::to_owned).into();
    for system in [shared.join("headers/usr/include"), tree.join("tools/include/uapi")] {
        arguments.extend(["-isystem".to_owned(), system.to_string()]);
    }
    arguments.extend([format!("-I{tree}"), format!("-I{tree}/{SELFTESTS}"), format!("-I{folder}")]);
    arguments.extend(sources.iter().map(|source| folder.join(source).to_string()));
    arguments.extend(["-o".to_owned(), file.to_string()]);
    arguments.extend(["-lrt", "-lpthread", "-lm"].map(str::to_owned));
    arguments
}

/// Makes `shadow` look like `source`: real folders on the way to `within` and for `usr/`, links for all else.
fn shadow(source: &Utf8Path, shadow: &Utf8Path, within: &str, headers: &Utf8Path) -> std::io::Result<()> {
    if shadow.exists() {
        fs_err::remove_dir_all(shadow)?;
    }
    let mut relative = Utf8PathBuf::new();
    let mut next: Vec<Option<&str>> = within.split('/').map(Some).collect();
    next.push(None);
    for step in next {
        link_entries(&source.join(&relative), &shadow.join(&relative), &[step.unwrap_or_default(), ".git", "usr"])?;
        relative.push(step.unwrap_or_default());
    }
    // Old Makefiles look for installed headers in the tree.
    link_entries(&source.join("usr"), &shadow.join("usr"), &["include"])?;
    std::os::unix::fs::symlink(headers, shadow.join("usr/include"))
}

fn link_entries(from: &Utf8Path, to: &Utf8Path, except: &[&str]) -> std::io::Result<()> {
    fs_err::create_dir_all(to)?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        if !except.contains(&entry.file_name()) {
            std::os::unix::fs::symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn collect(
    shared: &Utf8Path,
    staging: &Utf8Path,
    wanted: &[String],
    abi: bool,
    artefacts: &mut Artefacts,
) -> std::io::Result<()> {
    let mut hasher = blake3::Hasher::new();
    fs_err::create_dir_all(staging.join("selftests"))?;
    let programs = wanted.iter().map(|name| (name.as_str(), program_file(shared, name)));
    // What the numbers are determines what a benchmark does: they belong to the tests.
    let abi = abi.then(|| (abi::HEADER, interface_file(shared)));
    for (name, file) in programs.chain(abi) {
        let inside = format!("selftests/{}", file.file_name().unwrap_or(name));
        hasher.update(name.as_bytes()).update(&[0]).update(&fs_err::read(&file)?);
        fs_err::copy(&file, staging.join(&inside))?;
        artefacts.selftest_files.push(inside);
    }
    if artefacts.selftest_files.is_empty() {
        return Ok(());
    }
    artefacts.selftests = Some(hasher.finalize().to_hex().to_string());
    Ok(())
}

#[cfg(test)]
#[path = "selftests_tests.rs"]
mod tests;
