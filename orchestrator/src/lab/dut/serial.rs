//! A box's console: always recorded, whatever happens to the connection.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::files::secret;
use super::power::ipmi_arguments;
use crate::process::{Command, Stream, quote};
use crate::term::text::is_hostile;
use crate::words::{ConsoleLink, Power};

/// Between two tries to open it.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest line that is kept together.
const LINE: usize = 16 * 1024;
/// Size at which the rolling log begins anew; one older part is kept.
const ROLL: u64 = 16 * 1024 * 1024;

/// Takes lines of the console, without line ends and control characters.
pub(super) type OnLine = Arc<dyn Fn(&str) + Send + Sync>;

/// Whether the console is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// It is.
    Open,
    /// It is not (yet, or any more), for this reason.
    Closed(String),
}

/// Reads a console until it is dropped.
pub(super) struct Serial {
    link: watch::Receiver<Link>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Serial {
    /// Begins to read; every line also goes to `log`, which rolls.
    pub(super) fn open(console: &ConsoleLink, power: &Power, log: Utf8PathBuf, on_line: OnLine) -> Serial {
        let (sender, link) = watch::channel(Link::Closed("it was not opened yet".to_owned()));
        let reader =
            Reader { console: console.clone(), power: power.clone(), link: sender, log: RollingLog::new(log), on_line };
        Serial { link, _task: tokio_util::task::AbortOnDropHandle::new(tokio::spawn(reader.run())) }
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// One sentence: why it does not open.
    pub(super) async fn opened(&mut self, within: Duration) -> Result<(), String> {
        let opened = tokio::time::timeout(within, self.link.wait_for(|link| *link == Link::Open)).await;
        match opened.map(|open| open.is_ok()) {
            Ok(true) => Ok(()),
            Ok(false) => Err("nobody reads the console any more".to_owned()),
            Err(_) => match &*self.link.borrow() {
                Link::Open => Ok(()),
                Link::Closed(why) => Err(format!("the console cannot be opened: {why}; nothing is run unrecorded")),
            },
        }
    }
}

struct Reader {
    console: ConsoleLink,
    power: Power,
    link: watch::Sender<Link>,
    log: RollingLog,
    on_line: OnLine,
}

impl Reader {
    /// Opens it again and again: a BMC drops the connection whenever the power is cycled.
    async fn run(mut self) {
        loop {
            let why = match self.console.clone() {
                ConsoleLink::Tcp { host, port } => self.tcp(&host, port).await,
                ConsoleLink::Cmd { command } => self.command(&command).await,
                ConsoleLink::Sol {} => self.sol().await,
            };
            self.link.send_replace(Link::Closed(why));
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tcp(&mut self, host: &str, port: u16) -> String {
        let stream = match tokio::net::TcpStream::connect((host, port)).await {
            Ok(stream) => stream,
            Err(error) => return format!("{host}:{port}: {error}"),
        };
        self.link.send_replace(Link::Open);
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            let bytes = match reader.fill_buf().await {
                Ok([]) => return format!("{host}:{port} closed the connection"),
                Ok(bytes) => bytes,
                Err(error) => return format!("{host}:{port}: {error}"),
            };
            let count = bytes.len();
            for byte in bytes.iter().copied() {
                if byte == b'\n' || line.len() >= LINE {
                    self.take(&String::from_utf8_lossy(&std::mem::take(&mut line)));
                }
                if byte != b'\n' {
                    line.push(byte);
                }
            }
            reader.consume(count);
        }
    }

    async fn command(&mut self, words: &[String]) -> String {
        let Some((program, arguments)) = words.split_first() else { return "the command is empty".to_owned() };
        let command = Command::new(program, "/").args(arguments.to_vec()).inherit("HOME");
        self.link.send_replace(Link::Open);
        self.follow(&command, |_| true).await
    }

    /// Serial over LAN; ipmitool wants a terminal, which `script` gives it, and an input that stays open.
    async fn sol(&mut self) -> String {
        let Power::Ipmi { password, .. } = &self.power else { return "serial over LAN needs IPMI".to_owned() };
        let password = match secret(password) {
            Ok(password) => password,
            Err(error) => return error,
        };
        let words = |action| ipmi_arguments(&self.power, &["sol", action]);
        let end = Command::new("ipmitool", "/").args(words("deactivate")).env("IPMI_PASSWORD", &password);
        // It fails when no session was open, which is what is wanted.
        let _ = end.deadline(Duration::from_secs(20)).output(&CancellationToken::new()).await;
        let Ok((input, _keep)) = std::io::pipe() else { return "no pipe for ipmitool".to_owned() };
        let command = sol_command(&words("activate")).env("IPMI_PASSWORD", password).env("TERM", "dumb");
        self.follow(&command.stdin_pipe(input), |line| line.contains("SOL Session operational")).await
    }

    /// Takes a program's lines until it ends; it is open at the first line that says so.
    async fn follow(&mut self, command: &Command, says_open: impl Fn(&str) -> bool) -> String {
        let never = CancellationToken::new();
        let mut last = String::new();
        let exit = command
            .run(&never, |stream, line| {
                if says_open(line) {
                    self.link.send_replace(Link::Open);
                }
                match stream {
                    Stream::Out => self.take(line),
                    Stream::Err => {}
                }
                if !line.trim().is_empty() {
                    last = printable(line);
                }
            })
            .await;
        match exit {
            Ok(exit) => format!("its program ended ({:?}): {last}", exit.end),
            Err(error) => error.to_string(),
        }
    }

    fn take(&mut self, line: &str) {
        let line = printable(line.trim_end_matches('\r'));
        self.log.line(&line);
        (self.on_line)(&line);
    }
}

fn sol_command(words: &[String]) -> Command {
    let line: Vec<String> = std::iter::once("ipmitool".to_owned()).chain(words.iter().cloned()).collect();
    let line: Vec<String> = line.iter().map(|word| quote(word)).collect();
    Command::new("script", "/").args(["-q", "-e", "-f", "-c", &line.join(" "), "/dev/null"])
}

/// A line without escape sequences and control characters: what a box prints must not reach a terminal.
pub fn printable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while characters.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                Some(_) | None => {}
            },
            '\t' => text.push(c),
            // What was printed before a carriage return within a line was meant to be overwritten.
            '\r' if characters.peek().is_some() => text.clear(),
            c if is_hostile(c) => {}
            c => text.push(c),
        }
    }
    text
}

/// The log of a box over all its uses: bounded, for people.
struct RollingLog {
    path: Utf8PathBuf,
    file: Mutex<Option<(std::fs::File, u64)>>,
}

impl RollingLog {
    fn new(path: Utf8PathBuf) -> RollingLog {
        RollingLog { path, file: Mutex::new(None) }
    }

    /// A disk that refuses costs this log only: the attempt's own decides.
    fn line(&self, line: &str) {
        let Ok(mut slot) = self.file.lock() else { return };
        if slot.as_ref().is_some_and(|(_, size)| *size > ROLL) {
            let _ = fs_err::rename(&self.path, format!("{}.1", self.path));
            *slot = None;
        }
        if slot.is_none() {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path);
            *slot = file.ok().and_then(|file| Some((file.try_clone().ok()?, file.metadata().ok()?.len())));
        }
        if let Some((file, size)) = slot.as_mut() {
            *size += line.len() as u64 + 1;
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_is_left() {
        for (line, expected) in [
            ("plain\ttext", "plain\ttext"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("10%\r20%", "20%"),
            ("end\r", "end"),
            ("a\u{0}\u{8}b", "ab"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(printable(line), expected, "{line:?}");
        }
    }

    #[test]
    fn serial_over_lan_runs_on_a_terminal() {
        let line = sol_command(&["-U".into(), "a b".into(), "sol".into(), "activate".into()]).replay();
        assert!(line.contains("script -q -e -f -c 'ipmitool -U '\\''a b'\\'' sol activate' /dev/null"), "{line}");
    }

    #[tokio::test]
    async fn a_console_that_closes_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8PathBuf::try_from(dir.path().join("log")).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let on_line: OnLine = Arc::new(move |line| drop(sender.send(line.to_owned())));
        let console = ConsoleLink::Tcp { host: "127.0.0.1".into(), port };
        let power = Power::Cmd { on: vec![], off: vec![], status: vec![] };
        let mut serial = Serial::open(&console, &power, log.clone(), on_line);
        for word in ["one", "two"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(format!("{word}\r\n").as_bytes()).await.unwrap();
            assert_eq!(lines.recv().await.unwrap(), word);
        }
        serial.opened(Duration::from_secs(60)).await.unwrap();
        assert_eq!(std::fs::read_to_string(log).unwrap(), "one\ntwo\n");
    }

    #[tokio::test]
    async fn one_that_does_not_open_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8PathBuf::try_from(dir.path().join("log")).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let console = ConsoleLink::Tcp { host: "127.0.0.1".into(), port: free };
        let power = Power::Cmd { on: vec![], off: vec![], status: vec![] };
        let mut serial = Serial::open(&console, &power, log, Arc::new(|_| ()));
        let error = serial.opened(Duration::from_millis(300)).await.unwrap_err();
        assert!(error.contains("unrecorded"), "{error}");
    }
}
