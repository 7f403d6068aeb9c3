//! `git send-email`, for hosts on which git knows the mail server and nobody else does.

use std::io::Write;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;

use crate::post::failpoint::{Step, reached};
use crate::post::lists::GitSendEmailEntry;
use crate::post::mail::Message;
use crate::post::outbox::{Gate, OutboxError, Outcome};
use crate::process::{Command, End, Stream};
use crate::term::text::{truncate, visible};

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(600);

/// The arguments before the file. Message-ID, In-Reply-To and References are taken from the file's head as they are (git
/// makes none of its own with `--no-thread`); recipients are these and no others, whatever git's configuration adds.
fn arguments(entry: &GitSendEmailEntry, message: &Message, recipients: &[String]) -> Vec<String> {
    let mut words = vec!["send-email".to_owned()];
    words.extend(entry.identity.iter().map(|identity| format!("--identity={identity}")));
    for flag in [
        "--no-to",
        "--no-cc",
        "--no-bcc",
        "--suppress-cc=all",
        "--confirm=never",
        "--no-thread",
        "--no-chain-reply-to",
        "--no-validate",
        "--no-format-patch",
        "--no-annotate",
        "--no-xmailer",
        "--quiet",
    ] {
        words.push(flag.to_owned());
    }
    words.push(format!("--from={}", message.sender));
    let to = message.to.iter().filter(|address| recipients.contains(address));
    words.extend(to.map(|address| format!("--to={address}")));
    let cc = message.cc.iter().filter(|address| recipients.contains(address));
    words.extend(cc.map(|address| format!("--cc={address}")));
    words
}

/// The file that is handed over: the mail with the line ends of this host.
fn file_text(message: &Message) -> String {
    message.text.replace("\r\n", "\n")
}

/// Hands a mail over.
pub(super) async fn deliver(
    entry: &GitSendEmailEntry,
    message: &Message,
    recipients: &[String],
    gate: Gate<'_>,
) -> Result<Outcome, OutboxError> {
    let later = |why: String| Ok(Outcome::Deferred { why, retry_after: None, receipts: Vec::new() });
    let cancel = CancellationToken::new();
    match Command::new("git", "/").arg("--exec-path").output(&cancel).await {
        Err(error) => return later(error.to_string()),
        Ok(path) if !Utf8PathBuf::from(path.trim()).join("git-send-email").exists() => {
            return later("git send-email is not installed (Debian: git-email)".to_owned());
        }
        Ok(_) => {}
    }
    let folder = tempfile::tempdir()?;
    let folder = Utf8PathBuf::from_path_buf(folder.path().to_owned())
        .map_err(|path| std::io::Error::other(format!("{}: not UTF-8", path.display())))
        .map(|path| (path, folder))?;
    let file = folder.0.join("mail.eml");
    std::fs::File::create(&file)?.write_all(file_text(message).as_bytes())?;
    let mut command = Command::new("git", folder.0.clone()).deadline(DEADLINE);
    for name in ["HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
        command = command.inherit(name);
    }
    command = command.args(arguments(entry, message, recipients)).arg(file.as_str());
    let passed = gate.pass("handed to git send-email", Vec::new())?;
    reached(Step::Prepared)?;
    let mut words = Vec::new();
    let exit = command
        .run(&cancel, |stream, line| {
            if stream == Stream::Err && words.len() < 20 {
                words.push(visible(line));
            }
        })
        .await;
    let words = truncate(&words.join(" "), 300);
    match exit {
        Ok(exit) if exit.success() => {
            reached(Step::Accepted)?;
            let why = format!("git send-email took it for {} recipients", recipients.len());
            Ok(Outcome::Delivered { passed, why, receipts: Vec::new(), reference: Some(message.message_id.clone()) })
        }
        Ok(exit) => {
            let how = match exit.end {
                End::Code(code) => format!("exit code {code}"),
                End::Signal(signal) => format!("signal {signal}"),
                End::Deadline => format!("no end within {} s", DEADLINE.as_secs()),
                End::Cancelled => "interrupted".to_owned(),
            };
            let why = format!("git send-email: {how}; it does not say whether the mail had left: {words}");
            Ok(Outcome::Unknown { passed, why })
        }
        Err(error) => Ok(Outcome::Unknown { passed, why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::mail::Standing;

    #[test]
    fn recipients_are_named_and_nothing_is_added() {
        let message = Message {
            message_id: "x@example.org".into(),
            from: "robot@example.org".into(),
            sender: "Robot <robot@example.org>".into(),
            to: vec!["a@example.org".into()],
            cc: vec!["list@example.org".into(), "got-it@example.org".into()],
            text: "Subject: s\r\n\r\nbody\r\n".into(),
            standing: Standing::default(),
        };
        let words = arguments(
            &GitSendEmailEntry { identity: Some("robot".into()) },
            &message,
            &["a@example.org".into(), "list@example.org".into()],
        );
        insta::assert_snapshot!(words.join(" "), @"send-email --identity=robot --no-to --no-cc --no-bcc --suppress-cc=all --confirm=never --no-thread --no-chain-reply-to --no-validate --no-format-patch --no-annotate --no-xmailer --quiet --from=Robot <robot@example.org> --to=a@example.org --cc=list@example.org");
        assert_eq!(file_text(&message), "Subject: s\n\nbody\n");
    }
}
