//! A cluster whose nodes do not see the cache: all goes through its login node, by ssh.
//!
//! Files are named by their content there, so that each travels once; what nodes built themselves does not travel back
//! to them. The source travels by `git push`, everything else by `rsync`, and nothing is trusted but the pinned host key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::login_words::{
    address, arrivals, called, forget, last_words, offer, remote, repository, rsync, staged, transport, whole,
};
use super::parcel::{folder_of, packed, place};
use super::unit::{JOB, RESULT};
use super::{Answer, Caller, Carrier, Item, Job, Parcel, Source, UnitResult, Work};
use crate::lab;
use crate::process::{Command, End, Stream};
use crate::tree;
use crate::words::Ssh;

/// How long a short command may take.
const SHORT: Duration = Duration::from_secs(120);
/// How long a transfer may take.
const LONG: Duration = Duration::from_secs(3600);
/// Connections at once: an sshd turns further ones away.
const CONNECTIONS: usize = 6;
/// Exit code of `ssh` when the connection itself failed.
const NO_CONNECTION: i32 = 255;

/// Size and time of a file when it was hashed, and its hash.
type Hashed = (u64, SystemTime, String);

/// A login node.
pub struct Login {
    ssh: Ssh,
    options: Vec<String>,
    /// The cache of the nodes.
    there: Utf8PathBuf,
    /// The cache of this host.
    here: Utf8PathBuf,
    conf: Option<String>,
    /// This program on the nodes; when absent, it is sent.
    program: Option<String>,
    connections: Semaphore,
    hashes: Mutex<BTreeMap<Utf8PathBuf, Hashed>>,
    /// Commits that are there; held while one is pushed.
    pushed: tokio::sync::Mutex<BTreeSet<String>>,
    cancel: CancellationToken,
}

/// What a login node is made of.
pub struct LoginStart {
    /// How it is logged into.
    pub ssh: Ssh,
    /// The cache of the nodes, a path there.
    pub there: Utf8PathBuf,
    /// The cache of this host.
    pub here: Utf8PathBuf,
    /// Slurm's configuration file there.
    pub conf: Option<String>,
    /// This program on the nodes; the running one is sent when absent.
    pub program: Option<String>,
    /// Name of the engine.
    pub engine: String,
    /// Comes when the user wants to stop.
    pub cancel: CancellationToken,
}

impl Login {
    /// Writes the node's host key into a file of ours: no other key is taken.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub fn new(start: LoginStart) -> Result<Login, String> {
        let LoginStart { ssh, there, here, conf, program, engine, cancel } = start;
        let folder = here.join("engines");
        fs_err::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let known_hosts = folder.join(format!("{engine}.known_hosts"));
        let new = folder.join(format!("{engine}.known_hosts.{}", std::process::id()));
        fs_err::write(&new, lab::known_hosts_line(&ssh))
            .and_then(|()| fs_err::rename(&new, &known_hosts))
            .map_err(|error| error.to_string())?;
        Ok(Login {
            options: lab::ssh_options(&ssh, &known_hosts),
            ssh,
            there,
            here,
            conf,
            program,
            connections: Semaphore::new(CONNECTIONS),
            hashes: Mutex::default(),
            pushed: tokio::sync::Mutex::default(),
            cancel,
        })
    }

    fn shell(&self, script: &str) -> Command {
        let words = ["--", self.ssh.host.as_str(), script].map(str::to_owned);
        Command::new("ssh", "/").args(self.options.iter().cloned().chain(words))
    }

    /// Runs a script that prints `end` last; the lines before.
    async fn ask(&self, script: &str) -> Result<Vec<String>, String> {
        let answer = self.through(&self.shell(script).deadline(SHORT)).await?;
        whole(&answer).map(|lines| lines.into_iter().map(str::to_owned).collect())
    }

    /// Runs a command that connects; what it prints.
    async fn through(&self, command: &Command) -> Result<String, String> {
        let _connection = self.connections.acquire().await.map_err(|error| error.to_string())?;
        command.output(&self.cancel).await.map_err(|error| {
            let (host, port) = (&self.ssh.host, self.ssh.port);
            let said = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            format!("login node {host}:{port}: {said}")
        })
    }

    async fn rsync(&self, from: &str, to: &str, keep: bool) -> Result<(), String> {
        let words = rsync(&transport(&self.options), from, to, keep);
        self.through(&Command::new("rsync", "/").args(words).deadline(LONG)).await.map(drop)
    }

    /// Hash of a file, read once as long as it stays as it is.
    fn hash(&self, path: &Utf8Path) -> std::io::Result<String> {
        let meta = fs_err::metadata(path)?;
        let (size, time) = (meta.len(), meta.modified()?);
        let known = self.hashes.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((_, _, hash)) = known.filter(|(known, at, _)| (*known, *at) == (size, time)) {
            return Ok(hash);
        }
        let mut hasher = Sha256::new();
        let (mut file, mut buffer) = (fs_err::File::open(path)?, vec![0; 1 << 16]);
        loop {
            match std::io::Read::read(&mut file, &mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        let hash: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let entry = (size, time, hash.clone());
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), entry);
        Ok(hash)
    }

    /// This program on the nodes, and its file when it has to be sent.
    fn program(&self) -> Result<(String, Option<Item>), String> {
        if let Some(program) = &self.program {
            return Ok((program.clone(), None));
        }
        let own = std::env::current_exe().map_err(|error| format!("this program's own file: {error}"))?;
        let from = Utf8PathBuf::from_path_buf(own).map_err(|path| format!("{} is no text", path.display()))?;
        let hash = self.hash(&from).map_err(|error| error.to_string())?;
        let to = place(&hash, &from);
        Ok((self.there.join(&to).into_string(), Some(Item { hash, from, to, known: None })))
    }

    async fn deliver(&self, parcel: &Parcel, folder: &Utf8Path) -> Result<(), String> {
        let missing = self.ask(&offer(&self.there, folder, &parcel.items)).await?;
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        let staging = self.here.join(folder).join("outgoing");
        let staged = stage(&staging, &staged(&parcel.items, &missing), (&self.here.join(folder), folder));
        staged.map_err(|error| error.to_string())?;
        self.rsync(&format!("{staging}/"), &remote(&self.ssh.host, &self.there), true).await?;
        fs_err::remove_dir_all(&staging).map_err(|error| error.to_string())?;
        match &parcel.source {
            Some(source) => self.push(source).await,
            None => Ok(()),
        }
    }

    async fn push(&self, source: &Source) -> Result<(), String> {
        let mut pushed = self.pushed.lock().await;
        if pushed.contains(&source.commit) {
            return Ok(());
        }
        let to = self.there.join(&source.to);
        self.ask(&repository(&to)).await?;
        let url = address(&self.ssh.host, &to);
        let command = tree::push(&source.repo, &transport(&self.options), &url, &source.commit).deadline(LONG);
        self.through(&command).await?;
        pushed.insert(source.commit.clone());
        Ok(())
    }

    async fn bring(&self, job: &Job, folder: &Utf8Path) -> Result<(), String> {
        let io = |error: std::io::Error| error.to_string();
        let (own, host) = (self.here.join(folder), self.ssh.host.as_str());
        fs_err::create_dir_all(&own).map_err(io)?;
        let incoming = own.join("incoming.json");
        let path = self.there.join(folder).join(RESULT);
        let text = self.through(&self.shell(&called(None, "cat", &[path.into_string()])).deadline(SHORT)).await?;
        let result: UnitResult = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if let Some(dir) = folder_of(&result, job)? {
            let place = self.here.join(&dir);
            let fresh = matches!(&job.work, Work::Build(build) if build.fresh);
            // Same key, same result: somebody may be reading it.
            if fresh || !place.join("record.json").is_file() {
                let new = own.join("incoming");
                let _ = fs_err::remove_dir_all(&new);
                fs_err::create_dir_all(&new).map_err(io)?;
                self.rsync(&remote(host, &self.there.join(&dir)), &format!("{new}/"), false).await?;
                replace(&new, &place, &own.join("outdated")).map_err(io)?;
            }
        }
        fs_err::write(&incoming, text).map_err(io)?;
        fs_err::rename(&incoming, own.join(RESULT)).map_err(io)
    }
}

/// A folder that looks as the nodes' cache is to look: links to what has to be sent.
fn stage(
    staging: &Utf8Path,
    files: &[(&Utf8PathBuf, &Utf8PathBuf)],
    (own, folder): (&Utf8Path, &Utf8Path),
) -> std::io::Result<()> {
    let _ = fs_err::remove_dir_all(staging);
    let job = (&own.join(JOB), &folder.join(JOB));
    for (from, to) in files.iter().chain([&job]) {
        let link = staging.join(to);
        if let Some(parent) = link.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::os::unix::fs::symlink(from, link)?;
    }
    Ok(())
}

/// Puts the folder `new` to its `place`; one that was there goes to `old` in one step and then away.
fn replace(new: &Utf8Path, place: &Utf8Path, old: &Utf8Path) -> std::io::Result<()> {
    if let Some(parent) = place.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if place.exists() {
        let _ = fs_err::remove_dir_all(old);
        fs_err::rename(place, old)?;
        fs_err::rename(new, place)?;
        return fs_err::remove_dir_all(old);
    }
    fs_err::rename(new, place)
}

impl Carrier for Login {
    fn cache(&self) -> &Utf8Path {
        &self.there
    }

    fn pack<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Parcel, String>> {
        Box::pin(async move {
            let (program, item) = self.program()?;
            let (job, mut items, source) = packed(job, &self.here, |path| self.hash(path))?;
            items.extend(item);
            Ok(Parcel { job, items, source, program })
        })
    }

    fn send<'a>(&'a self, parcel: &'a Parcel, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.deliver(parcel, folder))
    }

    fn arrived<'a>(&'a self, jobs: &'a Utf8Path) -> BoxFuture<'a, Result<BTreeSet<String>, String>> {
        Box::pin(async move { Ok(self.ask(&arrivals(&self.there.join(jobs))).await?.into_iter().collect()) })
    }

    fn fetch<'a>(&'a self, job: &'a Job, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.bring(job, folder))
    }

    fn forget<'a>(&'a self, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.ask(&forget(&self.there.join(folder))).await.map(drop) })
    }

    fn last_words<'a>(&'a self, folder: &'a Utf8Path) -> BoxFuture<'a, String> {
        Box::pin(async move {
            let said = self.ask(&last_words(&self.there.join(folder))).await.unwrap_or_default();
            said.last().cloned().unwrap_or_default()
        })
    }
}

impl Caller for Login {
    fn call<'a>(&'a self, program: &'a str, arguments: Vec<String>, input: String) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let none = |err: String| Answer { code: None, out: String::new(), err };
            let Ok(_connection) = self.connections.acquire().await else { return none("no connection".to_owned()) };
            let script = called(self.conf.as_deref(), program, &arguments);
            let command = self.shell(&script).stdin(input.into_bytes()).deadline(SHORT);
            let (mut out, mut err) = (String::new(), String::new());
            // A submission that is stopped half-way may have been accepted: it always comes to its end.
            let never = CancellationToken::new();
            let ran = command.run(&never, |stream, line| {
                let text = if stream == Stream::Out { &mut out } else { &mut err };
                text.push_str(line);
                text.push('\n');
            });
            match ran.await.map(|exit| exit.end) {
                Ok(End::Code(NO_CONNECTION)) => none(format!("login node {}: {}", self.ssh.host, err.trim())),
                Ok(End::Code(code)) => Answer { code: Some(code), out, err },
                Ok(End::Deadline) => none(format!("{program} did not answer in time")),
                Ok(End::Signal(_) | End::Cancelled) => none(format!("{program} was killed")),
                Err(error) => none(error.to_string()),
            }
        })
    }
}
