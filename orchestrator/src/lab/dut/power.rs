//! Switching a box on and off.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::files::secret;
use super::redfish::Redfish;
use crate::process::Command;
use crate::words::Power;

/// How long one command of a power driver may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Tries at a BMC that does not answer.
const TRIES: u32 = 3;
/// Between two tries, and between two looks at a state that is to change.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a box may take to be off or on, once told so.
const FLIP: Duration = Duration::from_secs(90);
/// How long a box stays off in a cycle: capacitors must be empty.
const OFF: Duration = Duration::from_secs(1);

/// Whether a box is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerState {
    /// It is.
    On,
    /// It is not.
    Off,
    /// On its way from one to the other.
    Changing,
    /// Its driver cannot tell.
    Unknown,
}

impl PowerState {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            PowerState::On => "on",
            PowerState::Off => "off",
            PowerState::Changing => "changing",
            PowerState::Unknown => "unknown",
        }
    }
}

/// Switches one box.
#[derive(Debug, Clone)]
pub struct PowerDriver {
    power: Power,
}

/// What is done in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    On,
    Off,
    Nmi,
    Status,
}

impl PowerDriver {
    /// A driver for what the machine file says.
    pub fn new(power: &Power) -> Self {
        PowerDriver { power: power.clone() }
    }

    /// Switches it on and waits until it is.
    ///
    /// # Errors
    /// One sentence: who did not answer and what to do.
    pub async fn on(&self, cancel: &CancellationToken) -> Result<(), String> {
        self.tried(Act::On, cancel).await?;
        self.until(PowerState::On, cancel).await
    }

    /// Switches it off and waits until it is.
    ///
    /// # Errors
    /// One sentence: who did not answer and what to do.
    pub async fn off(&self, cancel: &CancellationToken) -> Result<(), String> {
        self.tried(Act::Off, cancel).await?;
        self.until(PowerState::Off, cancel).await
    }

    /// Off, and on again.
    ///
    /// # Errors
    /// One sentence: who did not answer and what to do.
    pub async fn cycle(&self, cancel: &CancellationToken) -> Result<(), String> {
        self.off(cancel).await?;
        tokio::time::sleep(OFF).await;
        self.on(cancel).await
    }

    /// Sends an interrupt that makes a hanging kernel say where it hangs. Tried once: it is a help, no more.
    ///
    /// # Errors
    /// One sentence: the driver has none, or did not do as told.
    pub async fn nmi(&self, cancel: &CancellationToken) -> Result<(), String> {
        match &self.power {
            Power::Ipmi { .. } | Power::Redfish { .. } => self.once(Act::Nmi, cancel).await.map(drop),
            Power::Pdudaemon { .. } | Power::Cmd { .. } => Err("this kind of power has no interrupt".to_owned()),
        }
    }

    /// Whether it is on.
    ///
    /// # Errors
    /// One sentence: who did not answer and what to do.
    pub async fn status(&self, cancel: &CancellationToken) -> Result<PowerState, String> {
        self.tried(Act::Status, cancel).await
    }

    async fn until(&self, wanted: PowerState, cancel: &CancellationToken) -> Result<(), String> {
        let end = tokio::time::Instant::now() + FLIP;
        loop {
            match self.status(cancel).await? {
                PowerState::Unknown => return Ok(()),
                state if state == wanted => return Ok(()),
                _ if tokio::time::Instant::now() >= end => {
                    let (who, seconds) = (self.who(), FLIP.as_secs());
                    return Err(format!("{who} accepted `{}`, but nothing changed in {seconds} s", wanted.word()));
                }
                _ => pause(cancel).await?,
            }
        }
    }

    /// A BMC that does not answer is asked again, not for ever.
    async fn tried(&self, act: Act, cancel: &CancellationToken) -> Result<PowerState, String> {
        let mut tries = 1;
        loop {
            match self.once(act, cancel).await {
                Ok(state) => return Ok(state),
                Err(_) if cancel.is_cancelled() => return Err("interrupted".to_owned()),
                Err(error) if tries >= TRIES => {
                    let next = "look whether it is reachable from here and whether its user and password are right";
                    return Err(format!("{} does not do as told ({TRIES} tries): {error}; {next}", self.who()));
                }
                Err(_) => tries += 1,
            }
            pause(cancel).await?;
        }
    }

    async fn once(&self, act: Act, cancel: &CancellationToken) -> Result<PowerState, String> {
        match &self.power {
            Power::Ipmi { password, .. } => {
                let arguments = ipmi_arguments(&self.power, ipmi_words(act));
                let command = Command::new("ipmitool", "/").args(arguments).env("IPMI_PASSWORD", secret(password)?);
                let said = command.deadline(DEADLINE).output(cancel).await.map_err(|error| error.to_string())?;
                Ok(ipmi_state(act, &said))
            }
            Power::Redfish { url, system, user, password, ca_file } => {
                let login = user.as_ref().map(|user| Ok::<_, String>((user.clone(), secret(password)?))).transpose()?;
                let redfish = Redfish::new(url, system, login, ca_file.as_deref())?;
                match act {
                    Act::On => redfish.reset("On").await.map(|()| PowerState::On),
                    Act::Off => redfish.reset("ForceOff").await.map(|()| PowerState::Off),
                    Act::Nmi => redfish.act("Nmi").await.map(|()| PowerState::On),
                    Act::Status => redfish.state().await,
                }
            }
            Power::Pdudaemon { url, pdu, outlet } => match pdu_url(url, pdu, outlet, act)? {
                None => Ok(PowerState::Unknown),
                Some(url) => super::redfish::get(&url).await.map(|_| PowerState::Unknown),
            },
            Power::Cmd { on, off, status } => {
                let words = match act {
                    Act::On => on,
                    Act::Off => off,
                    Act::Nmi => return Err("a command sends no interrupt".to_owned()),
                    Act::Status => status,
                };
                let Some((program, arguments)) = words.split_first() else { return Ok(PowerState::Unknown) };
                let command = Command::new(program, "/").args(arguments.to_vec()).inherit("HOME").deadline(DEADLINE);
                let said = command.output(cancel).await.map_err(|error| error.to_string())?;
                match act {
                    Act::On | Act::Off | Act::Nmi => Ok(PowerState::Unknown),
                    Act::Status => word_state(&said).ok_or_else(|| format!("`{program}` said neither on nor off")),
                }
            }
        }
    }

    /// Who switches, for messages.
    fn who(&self) -> String {
        match &self.power {
            Power::Ipmi { host, port, .. } => format!("the BMC {host}:{port} (IPMI)"),
            Power::Redfish { url, .. } => format!("the BMC {url} (Redfish)"),
            Power::Pdudaemon { url, pdu, outlet } => format!("outlet {outlet} of {pdu} (pdudaemon at {url})"),
            Power::Cmd { on, .. } => format!("the command {}", on.first().map_or("", String::as_str)),
        }
    }
}

async fn pause(cancel: &CancellationToken) -> Result<(), String> {
    tokio::select! {
        () = cancel.cancelled() => Err("interrupted".to_owned()),
        () = tokio::time::sleep(PAUSE) => Ok(()),
    }
}

/// ipmitool's arguments; the password goes by `IPMI_PASSWORD`. None for another kind of power.
pub(super) fn ipmi_arguments(power: &Power, words: &[&str]) -> Vec<String> {
    let Power::Ipmi { host, port, user, cipher, .. } = power else { return Vec::new() };
    let (port, cipher) = (port.to_string(), cipher.to_string());
    // Few repeats of short waits: a dead BMC is told as such in seconds.
    let fixed = ["-I", "lanplus", "-C", &cipher, "-H", host, "-p", &port, "-U", user, "-E", "-N", "2", "-R", "2"];
    fixed.iter().chain(words).map(|word| (*word).to_owned()).collect()
}

fn ipmi_words(act: Act) -> &'static [&'static str] {
    match act {
        Act::On => &["chassis", "power", "on"],
        Act::Off => &["chassis", "power", "off"],
        Act::Nmi => &["chassis", "power", "diag"],
        Act::Status => &["chassis", "power", "status"],
    }
}

/// `Chassis Power is on`.
pub(super) fn ipmi_state(act: Act, said: &str) -> PowerState {
    match act {
        Act::On | Act::Off | Act::Nmi => PowerState::Unknown,
        Act::Status => {
            said.trim().strip_prefix("Chassis Power is ").and_then(word_state).unwrap_or(PowerState::Unknown)
        }
    }
}

fn word_state(said: &str) -> Option<PowerState> {
    match said.trim() {
        "on" => Some(PowerState::On),
        "off" => Some(PowerState::Off),
        _ => None,
    }
}

/// What pdudaemon is asked; it cannot tell a state.
///
/// # Errors
/// When the address of the machine file is none.
fn pdu_url(url: &str, pdu: &str, outlet: &str, act: Act) -> Result<Option<String>, String> {
    let verb = match act {
        Act::On => "on",
        Act::Off => "off",
        Act::Nmi | Act::Status => return Ok(None),
    };
    let address = format!("{}/power/control/{verb}", url.trim_end_matches('/'));
    let mut address = url::Url::parse(&address).map_err(|error| format!("{url}: {error}"))?;
    address.query_pairs_mut().append_pair("hostname", pdu).append_pair("port", outlet);
    Ok(Some(address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::SecretPlace;

    fn ipmi() -> Power {
        let password = SecretPlace { env: Some("NO_SUCH_VARIABLE_HERE".into()), file: None };
        Power::Ipmi { host: "bmc".into(), port: 623, user: "lab".into(), password, cipher: 3 }
    }

    #[test]
    fn ipmitool_gets_no_password_on_its_command_line() {
        let line = ipmi_arguments(&ipmi(), ipmi_words(Act::Status)).join(" ");
        assert_eq!(line, "-I lanplus -C 3 -H bmc -p 623 -U lab -E -N 2 -R 2 chassis power status");
    }

    #[test]
    fn answers_are_read() {
        for (said, expected) in [
            ("Chassis Power is on\n", PowerState::On),
            ("Chassis Power is off", PowerState::Off),
            ("Unable to get Chassis Power Status", PowerState::Unknown),
        ] {
            assert_eq!(ipmi_state(Act::Status, said), expected);
        }
        assert_eq!(word_state(" off\n"), Some(PowerState::Off));
        assert_eq!(word_state("maybe"), None);
    }

    #[test]
    fn pdudaemon_is_asked_by_query() {
        let url = |act| pdu_url("http://lab:16421/", "pdu 1", "4", act).unwrap();
        assert_eq!(url(Act::Off).unwrap(), "http://lab:16421/power/control/off?hostname=pdu+1&port=4");
        assert_eq!(url(Act::Status), None);
    }

    #[tokio::test]
    async fn commands_switch_and_tell() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("power").to_string_lossy().into_owned();
        let words = |script: &str| vec!["sh".into(), "-c".into(), script.replace("FILE", &file)];
        let power =
            Power::Cmd { on: words("echo on > FILE"), off: words("echo off > FILE"), status: words("cat FILE") };
        let (driver, cancel) = (PowerDriver::new(&power), CancellationToken::new());
        driver.cycle(&cancel).await.unwrap();
        assert_eq!(driver.status(&cancel).await.unwrap(), PowerState::On);
        driver.off(&cancel).await.unwrap();
        assert_eq!(driver.status(&cancel).await.unwrap(), PowerState::Off);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_is_named_after_some_tries() {
        let words = vec!["sh".to_owned(), "-c".to_owned(), "echo no line >&2; exit 3".to_owned()];
        let power = Power::Cmd { on: words.clone(), off: words, status: Vec::new() };
        let error = PowerDriver::new(&power).on(&CancellationToken::new()).await.unwrap_err();
        assert!(error.contains("the command sh") && error.contains("3 tries") && error.contains("no line"), "{error}");
    }
}
