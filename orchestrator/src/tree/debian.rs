//! Kernel source from Debian packages.
//!
//! What the host has installed is used as it is. Everything else is downloaded by the host's own apt, told to keep
//! its lists, cache and (for another suite) sources in a folder of ours: nothing of the host is changed and no
//! privilege is needed.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::error::SourceError;
use super::file::DebianEntry;
use super::git::with_proxies;
use crate::process::{Command, End, Stream};

/// Keys that sign Debian's archive.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Longest time for the lists of a suite (some 10 MB).
const UPDATE_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// Longest time for a package (some 150 MB).
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// A package with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    /// Name, with metapackages resolved: `linux-source-6.12`.
    pub(super) name: String,
    /// Debian version.
    pub(super) version: String,
}

/// The tarball that `package` has installed on this host under `root` (`/`), with the package's version.
pub(super) async fn installed(
    entry: &DebianEntry,
    cancel: &CancellationToken,
) -> Result<Option<(Package, Utf8PathBuf)>, SourceError> {
    let tarball = Utf8PathBuf::from(format!("/usr/src/{}.tar.xz", entry.package));
    if entry.metapackage || entry.suite.is_some() || !tarball.is_file() {
        return Ok(None);
    }
    let mut said = String::new();
    let query = Command::new("dpkg-query", "/")
        .args(["--show", "--showformat=${db:Status-Status} ${Version}\\n", &entry.package])
        .deadline(Duration::from_secs(30));
    let exit = query.run(cancel, |stream, line| {
        if stream == Stream::Out {
            said = line.to_owned();
        }
    });
    match exit.await?.end {
        End::Cancelled => Err(SourceError::Cancelled),
        // Any other exit: dpkg does not know the package, so nobody vouches for the file.
        End::Code(_) | End::Signal(_) | End::Deadline => Ok(said
            .strip_prefix("installed ")
            .map(|version| (Package { name: entry.package.clone(), version: version.trim().to_owned() }, tarball))),
    }
}

/// An apt that keeps everything in one folder.
pub(super) struct Apt {
    folder: Utf8PathBuf,
    suite: Option<String>,
}

impl Apt {
    /// An apt for `suite`, or for the host's own sources, that keeps its files in `folder`.
    pub(super) fn new(folder: &Utf8Path, suite: Option<&str>) -> Result<Apt, SourceError> {
        for sub in ["lists/partial", "cache/archives/partial", "download"] {
            fs_err::create_dir_all(folder.join(sub)).map_err(|source| SourceError::io(folder, source))?;
        }
        if let Some(suite) = suite {
            if !Utf8Path::new(KEYRING).is_file() {
                return Err(SourceError::Refused(format!(
                    "{KEYRING} is missing, so packages of {suite} cannot be verified; install debian-archive-keyring"
                )));
            }
            fs_err::write(folder.join("sources.list"), sources_list(suite))
                .and_then(|()| fs_err::write(folder.join("status"), ""))
                .map_err(|source| SourceError::io(folder, source))?;
        }
        Ok(Apt { folder: folder.to_owned(), suite: suite.map(str::to_owned) })
    }

    fn command(&self, program: &str) -> Command {
        let options = options(&self.folder, self.suite.is_some());
        with_proxies(Command::new(program, self.folder.join("download")).args(options))
    }

    /// Reads the lists of the suite.
    pub(super) async fn update(&self, cancel: &CancellationToken) -> Result<(), SourceError> {
        let command = self.command("apt-get").args(["--error-on=any", "update"]).deadline(UPDATE_DEADLINE);
        run(&command, "apt-get update", cancel, |_| ()).await.map(drop)
    }

    /// The package that holds the source and its newest version and size, with a metapackage resolved.
    pub(super) async fn resolve(
        &self,
        entry: &DebianEntry,
        cancel: &CancellationToken,
    ) -> Result<(Package, u64), SourceError> {
        let record = self.show(&entry.package, cancel).await?;
        if !entry.metapackage {
            return found(&record, &entry.package);
        }
        let target = source_dependency(&record).ok_or_else(|| {
            SourceError::Refused(format!("package {} depends on no linux-source-N.M package", entry.package))
        })?;
        let record = self.show(&target, cancel).await?;
        found(&record, &target)
    }

    async fn show(&self, package: &str, cancel: &CancellationToken) -> Result<String, SourceError> {
        let command = self.command("apt-cache").args(["--no-all-versions", "show", package]);
        let place = self.suite.as_deref().map_or("this host's suite".to_owned(), |suite| format!("suite {suite}"));
        match run(&command.deadline(UPDATE_DEADLINE), "apt-cache show", cancel, |_| ()).await {
            Err(SourceError::Refused(_)) => Err(SourceError::Refused(format!("{place} has no package {package}"))),
            other => other,
        }
    }

    /// Downloads `package` and unpacks it; gives the tarball in it. `progress` gets bytes done.
    pub(super) async fn download(
        &self,
        package: &Package,
        size: u64,
        progress: impl Fn(u64),
        cancel: &CancellationToken,
    ) -> Result<Utf8PathBuf, SourceError> {
        let wanted = format!("{}={}", package.name, package.version);
        let command = self.command("apt-get").args(["--option", "APT::Status-Fd=1", "download", &wanted]);
        run(&command.deadline(DOWNLOAD_DEADLINE), "apt-get download", cancel, |line| {
            if let Some(percent) = download_percent(line) {
                progress((size as f64 * percent / 100.0) as u64);
            }
        })
        .await?;
        let folder = self.folder.join("download");
        let deb = only_deb(&folder)?;
        let unpacked = self.folder.join("unpacked");
        let unpack = Command::new("dpkg-deb", &folder).args(["--extract", deb.as_str(), unpacked.as_str()]);
        run(&unpack.deadline(DOWNLOAD_DEADLINE), "dpkg-deb --extract", cancel, |_| ()).await?;
        fs_err::remove_file(&deb).map_err(|source| SourceError::io(&deb, source))?;
        let tarball = unpacked.join(format!("usr/src/{}.tar.xz", package.name));
        match tarball.is_file() {
            true => Ok(tarball),
            false => Err(SourceError::Refused(format!("package {wanted} holds no usr/src/{}.tar.xz", package.name))),
        }
    }
}

/// Options that keep apt's state in `folder`; with `own_sources` it sees nothing of the host's configuration of
/// sources, pins and installed packages.
fn options(folder: &Utf8Path, own_sources: bool) -> Vec<String> {
    let mut settings = vec![
        format!("Dir::State::Lists={folder}/lists"),
        format!("Dir::Cache={folder}/cache"),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=2".to_owned(),
        "APT::Sandbox::User=".to_owned(),
        "APT::Update::Post-Invoke-Success::=".to_owned(),
        "Quiet::NoProgress=true".to_owned(),
    ];
    if own_sources {
        settings.extend([
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State::Status={folder}/status"),
        ]);
    }
    settings.into_iter().flat_map(|setting| ["--option".to_owned(), setting]).collect()
}

fn sources_list(suite: &str) -> String {
    let archive = if suite.ends_with("-security") { "debian-security" } else { "debian" };
    format!("deb [signed-by={KEYRING}] http://deb.debian.org/{archive} {suite} main\n")
}

/// Runs an apt program; what it says wrong becomes the error.
async fn run(
    command: &Command,
    name: &str,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(&str),
) -> Result<String, SourceError> {
    let (mut out, mut err) = (String::new(), Vec::new());
    let exit = command
        .run(cancel, |stream, line| match stream {
            Stream::Out => {
                on_line(line);
                out.push_str(line);
                out.push('\n');
            }
            Stream::Err if err.len() < 20 => err.push(line.trim().to_owned()),
            Stream::Err => {}
        })
        .await?;
    let told = || err.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    match exit.end {
        End::Code(0) => Ok(out),
        End::Cancelled => Err(SourceError::Cancelled),
        End::Deadline => Err(SourceError::Refused(format!("{name} did not end in time: {}", told()))),
        End::Code(code) => Err(SourceError::Refused(format!("{name} failed with exit code {code}: {}", told()))),
        End::Signal(signal) => Err(SourceError::Refused(format!("{name} was ended by signal {signal}"))),
    }
}

/// A field of the first record of `apt-cache show`.
fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    let first = record.split("\n\n").next()?;
    first.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
}

fn found(record: &str, package: &str) -> Result<(Package, u64), SourceError> {
    let version = field(record, "Version")
        .ok_or_else(|| SourceError::Refused(format!("apt-cache names no version of package {package}")))?;
    let size = field(record, "Size").and_then(|size| size.parse().ok()).unwrap_or(0);
    Ok((Package { name: package.to_owned(), version: version.to_owned() }, size))
}

/// `linux-source-7.2` out of the metapackage's `Depends: linux-source-7.2 (= 7.2.4-1)`.
fn source_dependency(record: &str) -> Option<String> {
    let depends = field(record, "Depends")?;
    let names = depends.split([',', '|']).filter_map(|item| item.split_whitespace().next());
    let is_source = |name: &&str| {
        name.strip_prefix("linux-source-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    names.map(|name| name.split(':').next().unwrap_or(name)).find(is_source).map(str::to_owned)
}

/// The percentage of `dlstatus:1:42.5:Retrieving file 1 of 1 (20s remaining)`.
fn download_percent(line: &str) -> Option<f64> {
    let mut parts = line.strip_prefix("dlstatus:")?.split(':').skip(1);
    parts.next()?.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

fn only_deb(folder: &Utf8Path) -> Result<Utf8PathBuf, SourceError> {
    let entries = folder.read_dir_utf8().map_err(|source| SourceError::io(folder, source))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path().to_owned())
        .find(|path| path.extension() == Some("deb"))
        .ok_or_else(|| SourceError::Refused("apt-get download left no package".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = "Package: linux-source
Version: 7.2.4-1
Depends: foo:any (>= 1), linux-source-7.2 (= 7.2.4-1)
Size: 1136
Description: Linux kernel source (meta-package)

Package: linux-source
Version: 7.1.1-1
Depends: linux-source-7.1
";

    #[test]
    fn a_metapackage_names_the_real_one() {
        assert_eq!(source_dependency(META).as_deref(), Some("linux-source-7.2"));
        assert_eq!(source_dependency("Depends: linux-source\n"), None);
        assert_eq!(source_dependency("Version: 1\n\nDepends: linux-source-7.1\n"), None);
    }

    #[test]
    fn version_and_size_come_from_the_first_record() {
        let (package, size) = found(META, "linux-source").unwrap();
        assert_eq!((package.version.as_str(), size), ("7.2.4-1", 1136));
        assert!(found("Package: x\n", "x").is_err());
    }

    #[test]
    fn apt_says_how_far_it_is() {
        assert_eq!(download_percent("dlstatus:1:42.5:Retrieving file 1 of 1"), Some(42.5));
        for other in ["dlstatus:1", "dlstatus:1:x:y", "dlstatus:1:999:y", "Get:1 http://x"] {
            assert_eq!(download_percent(other), None, "{other}");
        }
    }

    #[test]
    fn another_suite_sees_nothing_of_the_host() {
        let own = options(Utf8Path::new("/c/apt"), true).join(" ");
        assert!(own.contains("Dir::Etc::SourceList=/c/apt/sources.list") && own.contains("SourceParts=/dev/null"));
        let host = options(Utf8Path::new("/c/apt"), false).join(" ");
        assert!(host.contains("Dir::State::Lists=/c/apt/lists") && !host.contains("SourceList"));
        assert!(sources_list("bookworm-security").contains("deb.debian.org/debian-security bookworm-security main"));
        assert!(sources_list("unstable").contains("deb.debian.org/debian unstable main"));
    }

    #[tokio::test]
    async fn a_package_nobody_installed_is_not_taken_from_the_host() {
        let cancel = CancellationToken::new();
        let absent = DebianEntry { package: "linux-source-0.0".into(), suite: None, metapackage: false };
        assert_eq!(installed(&absent, &cancel).await.unwrap(), None);
    }
}
