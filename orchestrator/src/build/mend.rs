//! Mending an `O=` folder whose build was stopped or killed.
//!
//! A compiler that was killed leaves half an object, which kbuild takes for a whole one. So while make works in a
//! folder it bears a mark, and what was written since the mark is believed only where the build's log proves that it is
//! whole: make prints what a recipe says after the recipe ended (`--output-sync=target`), so that every target in the
//! log, but for the last one, whose words may be cut off, was made to its end, and what the compiler said of it is known.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::diagnostics::{Reader, Said};
use super::state::{STATE, State};

const MARKER: &str = ".orchestrator-building";
/// Longest log that is read; one that is longer proves nothing.
const LOG_LIMIT: u64 = 256 * 1024 * 1024;

/// What kbuild makes, whole, before it compiles the first object of the kernel proper.
const PREPARED: [&str; 3] = ["scripts", "tools", "include"];
/// Folders whose objects kbuild compiles only then.
const PROPER: [&str; 4] = ["init/", "kernel/", "mm/", "fs/"];

/// Marks `out` as being built in. While the mark is there, nothing newer than it can be trusted.
#[derive(Debug)]
pub(super) struct Marker {
    path: Utf8PathBuf,
}

/// What a mark holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// Log of the build.
    #[serde(default)]
    log: Utf8PathBuf,
    /// Folder of the source that the log speaks of.
    #[serde(default)]
    source: Utf8PathBuf,
}

impl Marker {
    /// Sets the mark for a build that is logged to `log`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set(out: &Utf8Path, source: &Utf8Path, log: &Utf8Path) -> std::io::Result<Marker> {
        let path = out.join(MARKER);
        let mark = Mark { log: log.to_owned(), source: source.to_owned() };
        fs_err::write(&path, serde_json::to_vec(&mark).map_err(std::io::Error::other)?)?;
        Ok(Marker { path })
    }

    /// Whether `out` bears the mark.
    pub fn is_set(out: &Utf8Path) -> bool {
        out.join(MARKER).exists()
    }

    /// Removes it: make ended by itself, so that every file it left is whole.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn clear(self) -> std::io::Result<()> {
        fs_err::remove_file(&self.path)
    }
}

/// Removes from `out` every file that was written since a build that never ended began, unless the build's log proves
/// that it is whole. What the compiler said of those goes into the folder's state.
///
/// The state goes, too, when mending is not enough: the configuration itself was being rewritten, and the files by
/// which kbuild knows which objects that concerns are among those removed.
///
/// # Errors
/// When the disk refuses.
pub(super) fn mend(out: &Utf8Path) -> std::io::Result<()> {
    let marker = out.join(MARKER);
    let since = match fs_err::metadata(&marker) {
        Ok(data) => changed(&data)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // A mark of the future: the clock was set back since, so that times tell nothing and only the log does.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = if since > now { Duration::ZERO } else { since };
    let mark: Mark = serde_json::from_slice(&fs_err::read(&marker)?).unwrap_or_default();
    let proof = Proof::read(out, &mark);
    let mut enough = true;
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8()? {
            let entry = entry?;
            let path = entry.path();
            let data = path.symlink_metadata()?;
            if data.is_dir() {
                folders.push(path.to_owned());
                continue;
            }
            let written = changed(&data)?;
            let own = path == marker || path == out.join(STATE);
            let relative = path.strip_prefix(out).unwrap_or(path);
            if written >= since && !own && !proof.is_whole(relative, written) {
                enough &= !relative.starts_with("include/config");
                fs_err::remove_file(path)?;
            }
        }
    }
    match State::read(out) {
        Some(mut state) if enough => {
            state.absorb(&proof.said, out);
            if !out.join(".config").exists() {
                state.resolved = None;
            }
            state.save(out)?;
        }
        Some(_) => fs_err::remove_file(out.join(STATE))?,
        None => {}
    }
    fs_err::remove_file(&marker)
}

/// What a log proves.
#[derive(Debug, Default)]
struct Proof {
    /// Targets that were made to their end, and what was said of them.
    said: Said,
    /// Files that belong to them.
    whole: BTreeSet<Utf8PathBuf>,
    /// When the first object of the kernel proper was there; all that kbuild prepares was whole by then.
    prepared: Option<Duration>,
}

impl Proof {
    /// Reads the log that `mark` names. One that is gone proves nothing.
    fn read(out: &Utf8Path, mark: &Mark) -> Proof {
        let mut bytes = Vec::new();
        let file = fs_err::File::open(&mark.log);
        let read = file.and_then(|file| file.take(LOG_LIMIT + 1).read_to_end(&mut bytes));
        if read.is_err() || bytes.len() as u64 > LOG_LIMIT {
            return Proof::default();
        }
        let said = completed(out, &mark.source, &String::from_utf8_lossy(&bytes));
        let times = said.targets.keys().filter(|target| is_proper(target)).filter_map(|target| {
            let data = out.join(target).symlink_metadata().ok()?;
            changed(&data).ok()
        });
        let prepared = times.min();
        let whole = said.targets.keys().flat_map(|target| files_of(target)).collect();
        Proof { said, whole, prepared }
    }

    fn is_whole(&self, file: &Utf8Path, written: Duration) -> bool {
        // What stands at the top is linked from everything else and quickly made.
        let deep = file.components().count() > 1;
        let generated = file.as_str().starts_with("arch/") && file.as_str().contains("/include/generated/");
        let early = generated || PREPARED.iter().any(|folder| file.starts_with(folder));
        deep && (self.whole.contains(file) || early && self.prepared.is_some_and(|prepared| written <= prepared))
    }
}

/// What the log says of all targets but the last: its words may be cut off.
fn completed(out: &Utf8Path, source: &Utf8Path, log: &str) -> Said {
    let mut reader = Reader::new(source, out, "");
    let last = log.lines().filter_map(|line| reader.line(line)).last();
    let mut said = reader.finish();
    if let Some(last) = last {
        said.targets.remove(&last);
    }
    said
}

/// An object that is compiled only after everything that kbuild prepares.
fn is_proper(target: &str) -> bool {
    target.ends_with(".o") && PROPER.iter().any(|folder| target.starts_with(folder))
}

/// A target and what kbuild keeps beside it: the command that made it and what it depends on.
fn files_of(target: &str) -> Vec<Utf8PathBuf> {
    let path = Utf8PathBuf::from(target);
    let name = path.file_name().unwrap_or_default().to_owned();
    let beside = ["cmd", "d"].map(|end| path.with_file_name(format!(".{name}.{end}")));
    std::iter::once(path).chain(beside).collect()
}

/// When a file was last written or put in its place, since the epoch. The change time cannot be set by a tool.
fn changed(data: &std::fs::Metadata) -> std::io::Result<Duration> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(data.ctime()).unwrap_or(0);
    let change = Duration::new(seconds, u32::try_from(data.ctime_nsec()).unwrap_or(0));
    let written = data.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(change.max(written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::state::Found;
    use crate::build::testing::folder;

    /// A folder that was being built in when its build was killed, with the log of that build.
    struct Killed {
        _guards: [tempfile::TempDir; 2],
        out: Utf8PathBuf,
        log: Utf8PathBuf,
        state: State,
    }

    fn killed(log: &str, before: &[&str], since: &[&str]) -> Killed {
        let (one, out) = folder();
        let (two, other) = folder();
        let (state, _) = State::open(&out, "gcc").unwrap();
        let write = |file: &&str| {
            fs_err::create_dir_all(out.join(file).parent().unwrap()).unwrap();
            fs_err::write(out.join(file), "x").unwrap();
        };
        before.iter().for_each(write);
        state.save(&out).unwrap();
        let path = other.join("build.log");
        fs_err::write(&path, log).unwrap();
        wait_for_a_tick(&out);
        drop(Marker::set(&out, Utf8Path::new("/src"), &path).unwrap());
        for file in since {
            write(file);
            wait_for_a_tick(&out);
        }
        Killed { _guards: [one, two], out, log: path, state }
    }

    impl Killed {
        fn open(&self) -> (State, Found) {
            State::open(&self.out, "gcc").unwrap()
        }

        fn left<'f>(&self, files: &[&'f str]) -> Vec<&'f str> {
            files.iter().filter(|file| self.out.join(file).exists()).copied().collect()
        }
    }

    /// Sets a file's times well before now.
    fn age(path: &Utf8Path) {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    }

    /// Writes files until the file system's clock (a few milliseconds coarse) has moved on.
    fn wait_for_a_tick(out: &Utf8Path) {
        let probe = out.join("probe");
        let stamp = || {
            fs_err::write(&probe, "x").unwrap();
            changed(&fs_err::metadata(&probe).unwrap()).unwrap()
        };
        let first = stamp();
        while stamp() == first {}
        fs_err::remove_file(&probe).unwrap();
    }

    #[test]
    fn when_the_clock_was_set_back_nothing_is_believed_without_proof() {
        let killed = killed("", &["mm/old.o"], &["mm/half.o"]);
        let file = std::fs::File::options().append(true).open(killed.out.join(MARKER)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(86_400)).unwrap();
        killed.open();
        assert_eq!(killed.left(&["mm/old.o", "mm/half.o"]), [""; 0]);
    }

    #[test]
    fn without_a_log_only_what_is_older_than_the_mark_is_kept() {
        let killed = killed("", &["mm/old.o"], &["mm/half.o"]);
        fs_err::remove_file(&killed.log).unwrap();
        age(&killed.out.join("mm/half.o"));
        assert_eq!(killed.open(), (killed.state.clone(), Found::Kept));
        assert_eq!(killed.left(&["mm/old.o", "mm/half.o", MARKER]), ["mm/old.o"], "a set time must not hide it");
    }

    #[test]
    fn what_the_log_proves_whole_is_kept_with_what_was_said_of_it() {
        let log = "  CC      mm/gup.o\n/src/mm/gup.c:1:2: warning: unused variable 'a' [-Wunused-variable]\n  \
                   CC      mm/hmm.o\n  CC      mm/last.o\n";
        let files = ["mm/gup.o", "mm/.gup.o.cmd", "mm/hmm.o", "mm/.hmm.o.d", "mm/last.o", "mm/quiet.o", "vmlinux"];
        let killed = killed(log, &[], &files);
        let (mut state, found) = killed.open();
        assert_eq!(found, Found::Kept);
        assert_eq!(killed.left(&files), &files[..4]);
        let told = state.absorb(&Said::default(), &killed.out);
        assert_eq!(told.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(), ["unused variable 'a'"]);
    }

    #[test]
    fn what_kbuild_prepares_is_whole_once_the_kernel_proper_is_begun() {
        let log = "  UPD     include/generated/bounds.h\n  CC      init/main.o\n  CC      mm/last.o\n";
        let early = ["include/config/HMM", "scripts/conf", "arch/x86/include/generated/asm/a.h", "init/main.o"];
        let late = ["include/generated/late.h", "mm/last.o", "arch/x86/boot/b.h"];
        let since = [early.as_slice(), late.as_slice()].concat();
        let killed = killed(log, &["old.o"], &since);
        assert_eq!(killed.open().1, Found::Kept);
        assert_eq!(killed.left(&since), early);
    }

    #[test]
    fn a_kill_while_the_configuration_changed_costs_the_whole_folder() {
        let killed = killed("  SYNC    include/config/auto.conf.cmd\n", &["old.o"], &["include/config/HMM_MIRROR"]);
        assert_eq!(killed.open().1, Found::Fresh);
        assert_eq!(killed.left(&["old.o"]), [""; 0]);
    }

    #[test]
    fn a_cleared_mark_removes_nothing() {
        let (_guard, out) = folder();
        let (state, _) = State::open(&out, "gcc").unwrap();
        let marker = Marker::set(&out, Utf8Path::new("/src"), Utf8Path::new("/log")).unwrap();
        fs_err::write(out.join("new.o"), "whole").unwrap();
        state.save(&out).unwrap();
        marker.clear().unwrap();
        assert_eq!(State::open(&out, "gcc").unwrap().1, Found::Kept);
        assert!(out.join("new.o").exists());
    }
}
