//! Where faults are tried: a cache of its own, with a real kernel tree and a real `O=` folder in it.
//!
//! The cache is kept from one call to the next, since its first build takes minutes: `ORCHESTRATOR_FAULTS_CACHE`, or
//! `orchestrator-faults` beside the ordinary cache, from which the imported tree is copied and which is never written.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::series;

/// Longest that one call of the program may take; a hang is a fault that was not survived.
const DEADLINE: Duration = Duration::from_secs(1800);

/// The cache for faults, and a folder for the runs of one trial.
pub struct Stage {
    pub cache: PathBuf,
    folder: tempfile::TempDir,
}

/// What a call of the program gave.
pub struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub said: String,
}

fn home_cache() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => folder.into(),
        None => Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache"),
    }
}

/// The ordinary cache, which is only read.
fn ordinary_cache() -> PathBuf {
    std::env::var_os("ORCHESTRATOR_CACHE").map_or_else(|| home_cache().join("orchestrator"), PathBuf::from)
}

/// The cache that faults are tried on.
pub fn fault_cache() -> PathBuf {
    let named = std::env::var_os("ORCHESTRATOR_FAULTS_CACHE");
    named.map_or_else(|| home_cache().join("orchestrator-faults"), PathBuf::from)
}

/// The program under test; another copy of it with `ORCHESTRATOR_FAULTS_PROGRAM`, so that a long trial does not stand
/// in the way of the next build.
pub fn program() -> PathBuf {
    let named = std::env::var_os("ORCHESTRATOR_FAULTS_PROGRAM");
    named.map_or_else(|| env!("CARGO_BIN_EXE_orchestrator").into(), PathBuf::from)
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A number of the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

impl Stage {
    /// The cache with the tree, and the base built in it.
    pub fn warm() -> Stage {
        let stage = Stage::in_cache(&fault_cache());
        stage.have_tree();
        stage.forget_dead_trials();
        let ended = stage.run(&stage.series(series::WARM_UP), &["--no-boot"]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        stage.fresh_results();
        stage
    }

    /// Removes what an earlier trial left that was itself killed: nobody goes on with its runs.
    fn forget_dead_trials(&self) {
        for kind in ["builds", "boots"] {
            for name in super::checks::names(&self.cache.join(kind)) {
                let folder = self.cache.join(kind).join(name);
                if !folder.join("record.json").exists() {
                    std::fs::remove_dir_all(folder).unwrap();
                }
            }
        }
    }

    /// A cache elsewhere, as it is.
    pub fn in_cache(cache: &Path) -> Stage {
        std::fs::create_dir_all(cache).unwrap();
        let cache = cache.canonicalize().unwrap();
        let folder = tempfile::Builder::new().prefix("faults-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Stage { cache, folder }
    }

    /// The kernel tree: that of the ordinary cache, or imported anew by the first run.
    fn have_tree(&self) {
        let (from, to) = (ordinary_cache().join("trees/linux-6.12.git"), self.cache.join("trees/linux-6.12.git"));
        if to.join("imported.json").is_file() || !from.join("imported.json").is_file() {
            return;
        }
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
        assert!(copied.success(), "copying {}", from.display());
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    /// Where the program would put what it wants nobody to see.
    pub fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Forgets all runs of this stage.
    pub fn fresh_results(&self) {
        let _ = std::fs::remove_dir_all(self.results());
    }

    /// Writes the series with this mark.
    pub fn series(&self, mark: u32) -> PathBuf {
        series::write(self.folder.path(), &self.cache, mark)
    }

    /// A command of the program on this stage.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .env("ORCHESTRATOR_RESULTS", self.results())
            .env("ORCHESTRATOR_CACHE", &self.cache)
            .env("TMPDIR", self.temporary())
            .stdin(Stdio::null())
            .current_dir(repository());
        command
    }

    /// The words that test a series here.
    pub fn run_words(series: &Path) -> Vec<String> {
        let mut words = vec!["run", "series", series.to_str().unwrap(), "--tree", "linux-6.12"];
        words.extend(["--kconfig", "hmm", "--no-bench"]);
        words.extend(series::TESTS.iter().flat_map(|test| ["--test", test]));
        words.into_iter().map(str::to_owned).collect()
    }

    /// Tests a series to the end.
    pub fn run(&self, series: &Path, more: &[&str]) -> Ended {
        let words = match more {
            // Tests cannot be named where none is run.
            ["--no-boot", ..] => {
                let series = series.to_str().unwrap();
                ["run", "series", series, "--tree", "linux-6.12", "--kconfig", "hmm"].map(str::to_owned).to_vec()
            }
            _ => Stage::run_words(series),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.call(&words)
    }

    /// Runs the program to its end.
    pub fn call(&self, args: &[&str]) -> Ended {
        finish(self.command(args))
    }

    /// Goes on with the last run.
    pub fn resume(&self) -> Ended {
        self.call(&["resume", "latest"])
    }

    /// Folder of the last run.
    pub fn latest(&self) -> PathBuf {
        self.results().join("latest").canonicalize().expect("there is a run")
    }

    pub fn report(&self) -> Value {
        read_json(&self.latest().join("report.json"))
    }
}

/// Runs a command to its end, both streams into one text.
pub fn finish(mut command: Command) -> Ended {
    let said = tempfile::tempfile().unwrap();
    command.stdout(said.try_clone().unwrap()).stderr(said.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let status = wait(&mut child, DEADLINE).unwrap_or_else(|| {
        child.kill().unwrap();
        panic!("{command:?} hangs");
    });
    Ended { code: status.code(), said: text(said) }
}

fn text(mut file: std::fs::File) -> String {
    use std::io::{Read, Seek};
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a child, so long.
pub fn wait(child: &mut std::process::Child, most: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + most;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn read_json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
