//! SMTP, with an answer per recipient.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::secret::{self, Secret};
use crate::post::failpoint::{Step, reached};
use crate::post::lists::{Security, SmtpEntry};
use crate::post::mail::Message;
use crate::post::outbox::{Gate, OutboxError, Outcome, Receipt, Reception};
use crate::term::text::{truncate, visible};

/// How long the conversation before the mail itself may take.
const TALK: Duration = Duration::from_secs(120);

/// How long the server may take to accept the mail (RFC 5321 asks for 10 minutes).
const ACCEPT: Duration = Duration::from_secs(600);

/// A mail server to talk to.
#[derive(Debug)]
pub(super) struct Smtp {
    entry: SmtpEntry,
    password: Option<Secret>,
    hello: String,
}

/// Why a conversation ended before the mail was handed over.
enum Stop {
    /// Try again later.
    Later(String),
    /// Never like this.
    Never(String),
}

impl Smtp {
    /// Reads the password. `domain` is the sender's, to greet with where nothing else was named.
    pub fn new(entry: &SmtpEntry, domain: &str) -> Result<Smtp, String> {
        let password = match (&entry.password_env, &entry.password_file) {
            (Some(variable), _) => Some(secret::from_variable(variable)?),
            (None, Some(file)) => Some(secret::from_file(file)?),
            (None, None) => None,
        };
        let hello = entry.hello.clone().unwrap_or_else(|| domain.to_owned());
        Ok(Smtp { entry: entry.clone(), password, hello })
    }

    /// The server, for people.
    pub fn name(&self) -> String {
        format!("{}:{}", self.entry.host, self.port())
    }

    fn port(&self) -> u16 {
        self.entry.port.unwrap_or(match self.entry.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }

    /// Hands a mail over for `recipients`.
    pub async fn deliver(
        &self,
        message: &Message,
        recipients: &[String],
        gate: Gate<'_>,
    ) -> Result<Outcome, OutboxError> {
        let talk = tokio::time::timeout(TALK, self.talk(message, recipients)).await;
        let talk = talk.unwrap_or_else(|_| Err(Stop::Later(format!("no answer within {} s", TALK.as_secs()))));
        let (mut connection, receipts) = match talk {
            Ok(ready) => ready,
            Err(Stop::Later(why)) => {
                let why = format!("{}: {why}", self.name());
                return Ok(Outcome::Deferred { why, retry_after: None, receipts: Vec::new() });
            }
            Err(Stop::Never(why)) => {
                return Ok(Outcome::Refused { why: format!("{}: {why}", self.name()), receipts: Vec::new() });
            }
        };
        let accepted = receipts.iter().filter(|receipt| receipt.reception == Reception::Accepted).count();
        if accepted == 0 {
            connection.abort().await;
            return Ok(self.nobody(receipts));
        }
        let data = tokio::time::timeout(TALK, connection.command(Data)).await;
        match data {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_permanent() => {
                return Ok(Outcome::Refused { why: self.said(&error), receipts: Vec::new() });
            }
            Ok(Err(error)) => {
                return Ok(Outcome::Deferred { why: self.said(&error), retry_after: None, receipts: Vec::new() });
            }
            Err(_) => {
                let why = format!("{}: no answer to DATA", self.name());
                return Ok(Outcome::Deferred { why, retry_after: None, receipts: Vec::new() });
            }
        }
        let passed = gate.pass(&format!("handed to {}", self.name()), receipts.clone())?;
        reached(Step::Prepared)?;
        match tokio::time::timeout(ACCEPT, connection.message(message.text.as_bytes())).await {
            Ok(Ok(response)) => {
                reached(Step::Accepted)?;
                // It has the mail; whether it says goodbye does not matter.
                let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
                let words: Vec<&str> = response.message().collect();
                let words = bounded(&words.join(" "));
                if receipts.iter().any(|receipt| receipt.reception == Reception::Deferred) {
                    let why =
                        format!("{} took it for {accepted} of {} recipients: {words}", self.name(), receipts.len());
                    return Ok(Outcome::Deferred { why, retry_after: None, receipts });
                }
                let why = format!("{} took it for {accepted} of {} recipients: {words}", self.name(), receipts.len());
                Ok(Outcome::Delivered { passed, why, receipts, reference: Some(message.message_id.clone()) })
            }
            Ok(Err(error)) if error.is_permanent() => {
                Ok(Outcome::Refused { why: self.said(&error), receipts: Vec::new() })
            }
            Ok(Err(error)) if error.is_transient() => {
                Ok(Outcome::Deferred { why: self.said(&error), retry_after: None, receipts: Vec::new() })
            }
            Ok(Err(error)) => Ok(Outcome::Unknown { passed, why: self.said(&error) }),
            Err(_) => {
                let why = format!("{}: no answer within {} s after the mail", self.name(), ACCEPT.as_secs());
                Ok(Outcome::Unknown { passed, why })
            }
        }
    }

    /// Everything before the mail itself: nothing that happens here leaves a trace at the server.
    async fn talk(
        &self,
        message: &Message,
        recipients: &[String],
    ) -> Result<(AsyncSmtpConnection, Vec<Receipt>), Stop> {
        let mut connection = self.connect().await?;
        let from = address(&message.from)?;
        connection.command(Mail::new(Some(from), Vec::new())).await.map_err(|error| stop(&error))?;
        let mut receipts = Vec::new();
        for recipient in recipients {
            let (reception, reply) = match connection.command(Rcpt::new(address(recipient)?, Vec::new())).await {
                Ok(response) => (Reception::Accepted, response.message().collect::<Vec<_>>().join(" ")),
                Err(error) if error.is_permanent() => (Reception::Refused, error.to_string()),
                Err(error) if error.is_transient() => (Reception::Deferred, error.to_string()),
                Err(error) => return Err(stop(&error)),
            };
            receipts.push(Receipt { to: recipient.clone(), reception, reply: bounded(&reply) });
        }
        Ok((connection, receipts))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Stop> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let hello = ClientId::Domain(self.hello.clone());
        let server = (self.entry.host.as_str(), self.port());
        let tls = match self.entry.security {
            Security::Starttls | Security::Tls => Some(self.tls()?),
            Security::None => None,
        };
        let at_once = tls.clone().filter(|_| self.entry.security == Security::Tls);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, Some(TALK), &hello, at_once, None)
            .await
            .map_err(|error| stop(&error))?;
        if let (Security::Starttls, Some(tls)) = (self.entry.security, tls) {
            if !connection.can_starttls() {
                return Err(Stop::Never("the server offers no STARTTLS, and mail does not go unencrypted".to_owned()));
            }
            connection.starttls(tls, &hello).await.map_err(|error| stop(&error))?;
        }
        if let (Some(user), Some(Secret(password))) = (&self.entry.user, &self.password) {
            let credentials = Credentials::new(user.clone(), password.clone());
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            login.map_err(|error| match stop(&error) {
                Stop::Never(why) => Stop::Never(format!("login of {user}: {why}")),
                Stop::Later(why) => Stop::Later(format!("login of {user}: {why}")),
            })?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Stop> {
        let mut builder = TlsParameters::builder(self.entry.host.clone());
        if let Some(file) = &self.entry.ca_file {
            let pem = fs_err::read(file).map_err(|error| Stop::Never(error.to_string()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| Stop::Never(format!("{file}: {error}")))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| Stop::Never(format!("TLS cannot be set up: {error}")))
    }

    fn said(&self, error: &Error) -> String {
        format!("{}: {}", self.name(), bounded(&error.to_string()))
    }

    /// The outcome when no recipient was accepted.
    fn nobody(&self, receipts: Vec<Receipt>) -> Outcome {
        let first = receipts.first().map(|receipt| format!(" ({}: {})", receipt.to, receipt.reply)).unwrap_or_default();
        if receipts.iter().any(|receipt| receipt.reception == Reception::Deferred) {
            let why = format!("{} takes it for no recipient now{first}", self.name());
            return Outcome::Deferred { why, retry_after: None, receipts };
        }
        Outcome::Refused { why: format!("{} takes it for no recipient{first}", self.name()), receipts }
    }
}

/// What an error before the mail itself means: only a clear no of the server, or of ourselves, is final.
fn stop(error: &Error) -> Stop {
    let text = bounded(&error.to_string());
    if error.is_permanent() || error.is_client() { Stop::Never(text) } else { Stop::Later(text) }
}

fn address(text: &str) -> Result<Address, Stop> {
    text.parse().map_err(|error| Stop::Never(format!("`{}` is no mail address: {error}", visible(text))))
}

/// Words of a server, on one line and of bearable length.
fn bounded(text: &str) -> String {
    truncate(&visible(text), 300)
}
