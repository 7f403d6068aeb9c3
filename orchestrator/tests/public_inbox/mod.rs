//! A real public-inbox on loopback, and mails as people post them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Name of the list in addresses of the server.
const LIST: &str = "list";
/// Its mail address.
pub const ADDRESS: &str = "list@example.org";

/// An archive of one list.
pub struct PublicInbox {
    folder: tempfile::TempDir,
    server: Option<Child>,
    url: Option<String>,
}

impl PublicInbox {
    /// Makes an empty archive with an index for search. Needs what `scripts/deps --test` installs.
    pub fn new() -> PublicInbox {
        let inbox = PublicInbox { folder: tempfile::tempdir().unwrap(), server: None, url: None };
        let place = inbox.path("inbox");
        let mut init = inbox.command("public-inbox-init");
        init.args(["-V2", "-L", "full", LIST]).arg(place).args(["http://127.0.0.1/list", ADDRESS]);
        done(&mut init, "");
        let mut spam = inbox.command("git");
        done(spam.args(["config", "-f"]).arg(inbox.path("config")).args(["publicinboxmda.spamcheck", "none"]), "");
        inbox
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.folder.path()).env("PI_CONFIG", self.path("config")).current_dir(self.folder.path());
        command
    }

    /// Puts one mail into the archive, as the mail server of the list would.
    pub fn deliver(&self, mail: &str) {
        let mut mda = self.command("public-inbox-mda");
        done(mda.arg("--no-precheck").env("ORIGINAL_RECIPIENT", ADDRESS), mail);
    }

    /// Serves the archive and gives its address.
    pub fn serve(&mut self) -> String {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut httpd = self.command("public-inbox-httpd");
        // One process, so that it can be stopped by its id; the port is the system's choice, told on standard error.
        let mut child = httpd
            .args(["-W0", "-l", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::piped())
            .spawn()
            .expect("public-inbox-httpd starts (scripts/deps --test)");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let bound = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].split_whitespace().next()?.trim_end_matches('/').to_owned())
        });
        // Somebody must read on, or the server stops when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        self.server = Some(child);
        let url = format!("{}/{LIST}", bound.expect("the server tells its port"));
        self.url = Some(url.clone());
        url
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// A folder that is removed with the archive.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for PublicInbox {
    fn drop(&mut self) {
        self.stop();
    }
}

fn done(command: &mut Command, input: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A mail as git format-patch and git send-email make it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Message-ID without angle brackets.
    pub id: String,
    /// Whole subject.
    pub subject: String,
    /// `Name <address>`.
    pub from: String,
    /// Message-IDs of the mails above it, the nearest last.
    pub parents: Vec<String>,
    /// Day of March 2026.
    pub day: u32,
    /// Text.
    pub body: String,
}

impl Letter {
    /// The mail as it is delivered.
    pub fn text(&self) -> String {
        let references = match self.parents.last() {
            None => String::new(),
            Some(parent) => {
                let all: Vec<String> = self.parents.iter().map(|id| format!("<{id}>")).collect();
                format!("In-Reply-To: <{parent}>\nReferences: {}\n", all.join("\n "))
            }
        };
        let Letter { id, subject, from, day, body, .. } = self;
        format!(
            "From: {from}\nTo: {ADDRESS}\nSubject: {subject}\nDate: {day:02} Mar 2026 08:24:07 +0000\n\
             Message-ID: <{id}>\n{references}MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\n{body}"
        )
    }

    /// Text of a patch that adds `word`.
    pub fn patch_body(word: &str) -> String {
        format!(
            "Do {word}.\n\nSigned-off-by: A. Author <author@example.org>\n---\n mm/hmm.c | 1 +\n\n\
             diff --git a/mm/hmm.c b/mm/hmm.c\nindex 1111111..2222222 100644\n--- a/mm/hmm.c\n+++ b/mm/hmm.c\n\
             @@ -1,2 +1,3 @@\n one\n+{word}\n two\n-- \n2.43.0\n"
        )
    }
}

/// A whole posting of `total` patches: cover letter `<stem>-0@example.org`, patches `<stem>-1@example.org` and so on.
pub fn posting(stem: &str, from: &str, prefix: &str, title: &str, total: usize, day: u32) -> Vec<Letter> {
    let id = |number: usize| format!("{stem}-{number}@example.org");
    let letter = |number: usize| Letter {
        id: id(number),
        subject: match number {
            0 => format!("[{prefix} 0/{total}] {title}"),
            _ => format!("[{prefix} {number}/{total}] mm: step {number}"),
        },
        from: from.to_owned(),
        parents: if number == 0 { Vec::new() } else { vec![id(0)] },
        day,
        body: match number {
            0 => "What it is for.\n".to_owned(),
            _ => Letter::patch_body(&format!("{stem}-{number}")),
        },
    };
    (0..=total).map(letter).collect()
}
