//! A mail server, an archive and a run for the tests of mail.
//!
//! The server is Debian's Exim with a configuration of its own, one process per connection, so that nothing runs when no
//! test does. It keeps what it takes in its queue until [`MailLab::deliver`] puts it into a maildir. The archive is a
//! public-inbox of its own.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use camino::Utf8Path;
use orchestrator::config::Home;
use orchestrator::report::Report;
use orchestrator::report::model::{
    Coverage, HostInfo, PatchInfo, RunInfo, RunVerdict, SCHEMA, SeriesInfo, Timing, TreeInfo,
};
use orchestrator::run::{Options, RunFolder, TreeArgument, TreePlan};
use orchestrator::series::{self, SeriesSource};
use orchestrator::words::{Accel, Finding, FindingKind, Profile, Severity};

/// Message-ID of the cover letter.
pub const COVER: &str = "20260401080000.1-1-author@example.org";

/// The posted thread: a cover letter and one patch.
const THREAD: &str = "\
From mboxrd@z Thu Jan  1 00:00:00 1970
From: A. Author <author@example.org>
To: linux-mm@kvack.org
Subject: [PATCH v2 0/1] mm: a series
Date: Wed, 1 Apr 2026 08:00:00 +0000
Message-ID: <20260401080000.1-1-author@example.org>

About it.

A. Author (1):
  mm: a patch

From mboxrd@z Thu Jan  1 00:00:00 1970
From: A. Author <author@example.org>
To: linux-mm@kvack.org
Subject: [PATCH v2 1/1] mm: a patch
Date: Wed, 1 Apr 2026 08:00:01 +0000
Message-ID: <20260401080000.1-2-author@example.org>
In-Reply-To: <20260401080000.1-1-author@example.org>
References: <20260401080000.1-1-author@example.org>

Why.

Signed-off-by: A. Author <author@example.org>
---
 mm/a.c | 1 +
 1 file changed, 1 insertion(+)

diff --git a/mm/a.c b/mm/a.c
index 1234567..89abcde 100644
--- a/mm/a.c
+++ b/mm/a.c
@@ -1 +1,2 @@
 int a;
+int b;
";

/// What secures the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secured {
    /// Nothing: mail from this host is taken.
    No,
    /// STARTTLS and a login.
    Login,
}

/// All that one test needs.
pub struct MailLab {
    folder: tempfile::TempDir,
    port: u16,
    archive: Option<(Child, u16)>,
}

impl MailLab {
    /// A server, an archive that holds the thread, and no run yet.
    pub fn new(secured: Secured) -> MailLab {
        let folder = tempfile::Builder::new().prefix("orchestrator-mail-").tempdir().unwrap();
        let root = folder.path();
        for name in ["spool", "log", "config"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        certificates(root);
        succeed(Command::new("chown").args(["-R", "Debian-exim"]).arg(root));
        // Exim takes a configuration from root alone.
        std::fs::write(root.join("exim.conf"), exim_configuration(root, secured)).unwrap();
        std::fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = serve(root.join("exim.conf"));
        let mut lab = MailLab { folder, port, archive: None };
        lab.start_archive();
        lab
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn results(&self) -> PathBuf {
        self.path().join("results")
    }

    /// The program under test; the results are this lab's, the user's own files are none.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("ORCHESTRATOR_RESULTS", self.results())
            .env("ORCHESTRATOR_CACHE", self.path().join("cache"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The user's own lists.yaml: this server, this archive, and Message-IDs of a domain of the test's own.
    pub fn configure(&self, domain: &str, smtp: &str) {
        let archive = self.archive.as_ref().map(|(_, port)| format!("archive: http://127.0.0.1:{port}/mm/\n"));
        let text = format!(
            "sender: {{name: Test robot, email: robot@example.org}}\n\
             message_id_domain: {domain}\n\
             {}\
             smtp: {{host: localhost, port: {}{smtp}}}\n\
             lists:\n  linux-mm@kvack.org: {{when: always, audience: list, moderation: false}}\n",
            archive.unwrap_or_default(),
            self.port
        );
        let folder = self.path().join("config/orchestrator");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("lists.yaml"), text).unwrap();
    }

    pub fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    /// Adds a run with a report to the results, as `latest`.
    pub fn add_run(&self, findings: bool) {
        let results = self.results();
        let results = Utf8Path::from_path(&results).unwrap();
        let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let home = Home::find(Some(root), root, root).unwrap();
        let mbox = self.file("thread.mbox", THREAD, 0o644);
        let source = SeriesSource::guess(mbox.to_str().unwrap(), &home).unwrap();
        let series = series::load(&home, &source, None).unwrap();
        let tree = TreeArgument::Name("mainline".into());
        let options = Options {
            series: "thread.mbox".into(),
            trees: vec![tree.clone()],
            profile: Profile::Quick,
            kconfigs: Vec::new(),
            machines: Vec::new(),
            machines_with: Default::default(),
            tests: Vec::new(),
            w1: false,
            sparse: false,
            no_boot: false,
            clocks: Vec::new(),
            fresh: false,
            refresh: false,
            prerequisites: Vec::new(),
            reproduces: false,
            by_itself: false,
            engine: "local".into(),
            jobs: 1,
            guests: 1,
        };
        let plans = vec![TreePlan { tree, series: Ok(series), base: Default::default() }];
        let folder = RunFolder::create(results, "orchestrator run series thread.mbox", options, plans).unwrap();
        folder.write("report.json", report(&folder.run, findings).to_json().as_bytes()).unwrap();
    }

    /// Puts what the server holds into the maildir, and gives all mails in it.
    pub fn deliver(&self) -> Vec<String> {
        succeed(Command::new("/usr/sbin/exim4").arg("-C").arg(self.path().join("exim.conf")).arg("-qf"));
        let Ok(entries) = std::fs::read_dir(self.path().join("maildir/new")) else { return Vec::new() };
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// Gives a mail to the archive.
    pub fn archive(&self, mail: &str) {
        let mut child = Command::new("public-inbox-mda")
            .arg("--no-precheck")
            .env("PI_CONFIG", self.path().join("inbox.config"))
            .env("HOME", self.path())
            .env("ORIGINAL_RECIPIENT", "linux-mm@kvack.org")
            .stdin(Stdio::piped())
            .spawn()
            .expect("public-inbox-mda is installed (scripts/deps --mail)");
        child.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// A page of the archive.
    pub fn page(&self, path: &str) -> String {
        let (_, port) = self.archive.as_ref().unwrap();
        let url = format!("http://127.0.0.1:{port}/mm/{path}");
        let curl = ["-sS", "--retry", "30", "--retry-connrefused", "--retry-delay", "1"];
        let out = Command::new("curl").args(curl).arg(url).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn start_archive(&mut self) {
        let (root, config) = (self.path().to_owned(), self.path().join("inbox.config"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/mm/");
        let environment = |command: &mut Command| {
            command.env("HOME", &root).env("PI_CONFIG", &config);
        };
        let mut init = Command::new("public-inbox-init");
        init.args(["-V2", "mm"]).arg(root.join("mm")).args([&url, "linux-mm@kvack.org"]);
        environment(&mut init);
        succeed(&mut init);
        let mut git = Command::new("git");
        git.args(["config", "-f"]).arg(&config).args(["publicinboxmda.spamcheck", "none"]);
        succeed(&mut git);
        let mut httpd = Command::new("public-inbox-httpd");
        httpd.args(["-W0", "-l", &format!("127.0.0.1:{port}")]).stdout(Stdio::null()).stderr(Stdio::null());
        environment(&mut httpd);
        self.archive = Some((httpd.spawn().unwrap(), port));
        for mail in THREAD.split("From mboxrd@z Thu Jan  1 00:00:00 1970\n").filter(|mail| !mail.is_empty()) {
            self.archive(mail);
        }
        assert!(self.page(&format!("{COVER}/raw")).contains("About it."));
    }

    /// Git's configuration for `git send-email` to this server.
    pub fn git_configuration(&self) -> PathBuf {
        let text = format!(
            "[sendemail]\n\tsmtpServer = localhost\n\tsmtpServerPort = {}\n\tsmtpEncryption = none\n\tcc = other@example.org\n\
             \tsmtpDomain = example.org\n",
            self.port
        );
        self.file("gitconfig", &text, 0o644)
    }

    pub fn authority(&self) -> PathBuf {
        self.path().join("ca.pem")
    }
}

impl Drop for MailLab {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.archive {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error} (scripts/deps --mail)"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Hands every connection to a server process of its own; the port.
fn serve(configuration: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            let (input, output) = (connection.try_clone().unwrap(), connection);
            let mut server = Command::new("/usr/sbin/exim4");
            server.arg("-C").arg(&configuration).arg("-bs");
            server.stdin(OwnedFd::from(input)).stdout(OwnedFd::from(output)).stderr(Stdio::null());
            let mut child = server.spawn().expect("exim4 is installed (scripts/deps --mail)");
            std::thread::spawn(move || child.wait());
        }
    });
    port
}

fn exim_configuration(root: &Path, secured: Secured) -> String {
    let root = root.display();
    let (advertise, accept) = match secured {
        Secured::No => ("", "accept"),
        Secured::Login => ("*", "accept authenticated = *\n  deny message = log in first"),
    };
    format!(
        "primary_hostname = localhost
spool_directory = {root}/spool
log_file_path = {root}/log/%slog
queue_only = true
keep_environment =
host_lookup =
acl_smtp_rcpt = rcpt
tls_advertise_hosts = {advertise}
tls_certificate = {root}/server.pem
tls_privatekey = {root}/server.key
begin acl
rcpt:
  deny recipients = refused@example.org
       message = no such user
  defer recipients = later@example.org
       message = come back later
  {accept}
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {root}/maildir
  maildir_format
  batch_max = 100
  user = Debian-exim
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{robot}}}}{{eq{{$auth3}}{{secret}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"
    )
}

/// An authority and a certificate for `localhost` signed by it.
fn certificates(root: &Path) {
    let openssl = |args: &[&str]| succeed(Command::new("openssl").args(args).current_dir(root));
    let key = ["-newkey", "rsa:2048", "-nodes"];
    openssl(
        &[&["req", "-x509"][..], &key, &["-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=CA"]]
            .concat(),
    );
    openssl(&[&["req"][..], &key, &["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"]].concat());
    std::fs::write(root.join("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "extensions",
        "-out",
        "server.pem",
    ]);
}

fn report(run: &str, findings: bool) -> Report {
    let finding = Finding {
        kind: FindingKind::BuildFailed,
        severity: Severity::Problem,
        tree: "mainline".into(),
        revision: "patch 1/1".into(),
        patch: None,
        kconfig: None,
        machine: None,
        test: None,
        metric: None,
        function: None,
        summary: "mm/a.c:2: 'b' is not used.".into(),
        evidence: Vec::new(),
        reproduce: "orchestrator reproduce".into(),
    };
    Report {
        schema: SCHEMA.into(),
        series: SeriesInfo {
            name: "thread".into(),
            title: "mm: a series".into(),
            version: Some(2),
            patches: vec![PatchInfo {
                number: 1,
                subject: "mm: a patch".into(),
                author: "A. Author <author@example.org>".into(),
                message_id: Some("20260401080000.1-2-author@example.org".into()),
            }],
            upstream: None,
            port: false,
            posting: None,
            notes: Vec::new(),
        },
        verdict: if findings { RunVerdict::Findings } else { RunVerdict::Clean },
        headline: if findings { "1 problem.".into() } else { "1 patch builds everywhere.".into() },
        trees: vec![TreeInfo {
            name: "mainline".into(),
            kernel_version: Some("6.18".into()),
            source: None,
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            skipped_sources: Vec::new(),
            base: None,
            error: None,
            applied: Vec::new(),
            notes: Vec::new(),
        }],
        findings: if findings { vec![finding] } else { Vec::new() },
        coverage: Coverage::default(),
        timing: Timing::default(),
        run: RunInfo {
            id: run.into(),
            started: "2026-04-01T10:15:00Z".into(),
            command: "orchestrator run series thread.mbox".into(),
            version: "0.1.0".into(),
            profile: Profile::Quick,
            resumed: false,
            host: HostInfo {
                os: "Debian".into(),
                arch: "x86_64".into(),
                cores: 1,
                memory_mib: 1,
                accel: Accel::Tcg,
                accel_why: String::new(),
                toolchains: Vec::new(),
                sandboxed: true,
                sandbox: String::new(),
            },
            notes: Vec::new(),
        },
        kconfigs: Vec::new(),
        builds: Vec::new(),
        tests: Vec::new(),
        boots: Vec::new(),
        metrics: Vec::new(),
        walks: Vec::new(),
        metric_history: Vec::new(),
        previous: None,
    }
}
