//! Whether a box is fit for use, remembered between runs.

use std::time::Duration;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::files::{folder, write};
use super::lock::{BoxLock, now};
use super::session::Session;
use crate::lab::machine_file::seconds;
use crate::words::{Dut, Event, EventSink, Hardware, Health, HealthRemedy, Machine, Reserve};

/// What is remembered of a box: `lab/<name>/state.json` in the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxState {
    /// Checks in a row that it missed.
    #[serde(default)]
    pub misses: u32,
    /// What the last miss was.
    #[serde(default)]
    pub last_miss: Option<String>,
    /// When it was last proven to be well.
    #[serde(default)]
    pub well: Option<String>,
    /// Why it was taken out, when it was.
    #[serde(default)]
    pub out: Option<String>,
}

/// What a miss leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Its power is to be cycled.
    Cycle,
    /// It is out.
    Out,
}

impl BoxState {
    /// Reads it; a box of which nothing is known is well.
    ///
    /// # Errors
    /// When the file is there and cannot be read: then nobody knows whether the box was taken out.
    pub fn load(cache: &Utf8Path, name: &str) -> Result<BoxState, String> {
        let path = folder(cache, name)?.join("state.json");
        match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}; remove it")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BoxState::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn save(&self, cache: &Utf8Path, name: &str) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        write(&folder(cache, name)?.join("state.json"), &text)
    }

    /// The box was proven to be well. That brings none back that was taken out.
    pub(super) fn good(&mut self) {
        (self.misses, self.last_miss, self.well) = (0, None, Some(now()));
    }

    /// The box missed a check. `cycled`: the check came after a power cycle.
    pub(super) fn miss(&mut self, why: &str, health: &Health, cycled: bool) -> Verdict {
        self.misses = self.misses.saturating_add(1);
        self.last_miss = Some(why.to_owned());
        if self.misses < health.misses {
            return Verdict::Wait;
        }
        match health.then {
            HealthRemedy::PowerCycle if !cycled => Verdict::Cycle,
            HealthRemedy::PowerCycle | HealthRemedy::TakeOut => {
                self.out = Some(format!("{} checks in a row missed, last: {why} ({})", self.misses, now()));
                Verdict::Out
            }
        }
    }

    /// Somebody vouches for it with fresh evidence.
    pub(super) fn back(&mut self) {
        self.out = None;
        self.good();
    }
}

/// Why a box cannot be used.
pub(super) fn out_message(name: &str, why: &str) -> String {
    format!("{name} was taken out: {why}; mend it, then `orchestrator lab check {name} --return` brings it back")
}

/// Checks the health of boxes between units until it is dropped.
#[derive(Debug)]
pub struct HealthWatch {
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl HealthWatch {
    /// Begins to check every box among `machines`, as often as its file says, whenever nobody has it.
    pub fn start<'a>(
        machines: impl IntoIterator<Item = &'a Machine>,
        cache: &Utf8Path,
        events: &EventSink,
        cancel: &CancellationToken,
    ) -> HealthWatch {
        let mut tasks = Vec::new();
        for machine in machines {
            let Hardware::Dut(dut) = &machine.hardware else { continue };
            // Between our units a box that an engine shares is somebody else's: its next unit's power cycle is the check.
            if dut.reserve != (Reserve::Local {}) {
                continue;
            }
            let Some(every) = seconds(&dut.health.every) else { continue };
            let (machine, dut, cache) = (machine.clone(), dut.clone(), cache.to_owned());
            let (events, cancel) = (events.clone(), cancel.clone());
            tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(every)).await;
                    check_once(&machine, &dut, &cache, &events, &cancel).await;
                }
            })));
        }
        HealthWatch { _tasks: tasks }
    }
}

/// One check of a box that nobody uses. One that is used is watched by its user.
async fn check_once(machine: &Machine, dut: &Dut, cache: &Utf8Path, events: &EventSink, cancel: &CancellationToken) {
    let name = &machine.name;
    let tell = |message: String| (events)(Event::Note { message });
    match BoxState::load(cache, name) {
        Ok(state) if state.out.is_none() => {}
        Ok(_) | Err(_) => return,
    }
    let Ok(Ok(lock)) = BoxLock::try_take(cache, name, "checking its health") else { return };
    let mut session = match Session::with(machine, dut, cache, lock, cancel) {
        Ok(session) => session,
        Err(error) => return tell(format!("{name}: its health cannot be checked: {error}")),
    };
    match session.check().await {
        Ok(_) => {}
        Err(_) if cancel.is_cancelled() => {}
        Err(error) => tell(format!("{name} missed a health check: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_misses_in_a_row_lead_to_a_power_cycle_and_then_out() {
        let health = Health::default();
        let mut state = BoxState::default();
        assert_eq!(state.miss("no ssh", &health, false), Verdict::Wait);
        state.good();
        assert_eq!(state.miss("no ssh", &health, false), Verdict::Wait);
        assert_eq!(state.miss("no ssh", &health, false), Verdict::Wait);
        assert_eq!(state.miss("no ssh", &health, false), Verdict::Cycle);
        assert_eq!(state.out, None);
        assert_eq!(state.miss("no ssh", &health, true), Verdict::Out);
        assert!(state.out.as_deref().unwrap().contains("no ssh"));
        state.good();
        assert!(state.out.is_some(), "only a person brings it back");
        state.back();
        assert_eq!((state.out, state.misses), (None, 0));
    }

    #[test]
    fn a_box_may_be_taken_out_at_once() {
        let health = Health { misses: 1, then: HealthRemedy::TakeOut, ..Health::default() };
        assert_eq!(BoxState::default().miss("x", &health, false), Verdict::Out);
    }

    #[test]
    fn what_cannot_be_read_is_not_well() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(BoxState::load(cache, "b").unwrap(), BoxState::default());
        let mut state = BoxState::default();
        state.miss("x", &Health::default(), false);
        state.save(cache, "b").unwrap();
        assert_eq!(BoxState::load(cache, "b").unwrap(), state);
        fs_err::write(cache.join("lab/b/state.json"), "{").unwrap();
        assert!(BoxState::load(cache, "b").unwrap_err().contains("state.json"));
    }

    /// A box whose power obeys and whose ssh never answers.
    fn dead_box(file: &Utf8Path) -> (Machine, Dut) {
        use crate::words::{BootMethod, ConsoleLink, DefaultKernel, DutBoot, Power, Reserve, Ssh, Timeouts};
        let words = |script: String| vec!["sh".to_owned(), "-c".to_owned(), script];
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dut = Dut {
            arch: "x86_64".into(),
            reserve: Reserve::Local {},
            power: Power::Cmd {
                on: words(format!("echo on >> {file}")),
                off: words(format!("echo off >> {file}")),
                status: words(format!("tail -n 1 {file}")),
            },
            console: ConsoleLink::Cmd { command: words("exec sleep 1000".into()) },
            ssh: Ssh {
                host: "127.0.0.1".into(),
                port: free,
                user: "root".into(),
                identity: "/nonexistent".into(),
                host_key: "ssh-ed25519 AAAA".into(),
            },
            boot: DutBoot {
                method: BootMethod::Kexec,
                default_kernel: DefaultKernel { uname: "6.*".into() },
                append: String::new(),
                initrd: "none".into(),
                netboot_dir: None,
                grub_entry: None,
            },
            health: Health { misses: 2, ..Health::default() },
            state_dir: "/var/lib/x".into(),
        };
        let timeouts = Timeouts { power_on: 1, ..Timeouts::default() };
        let hardware = Hardware::Dut(Box::new(dut.clone()));
        (Machine { name: "b".into(), tags: std::collections::BTreeMap::new(), hardware, timeouts }, dut)
    }

    #[tokio::test]
    async fn a_dead_box_is_power_cycled_and_then_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let file = cache.join("power");
        let (machine, dut) = dead_box(&file);
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = told.clone();
        let events: EventSink = std::sync::Arc::new(move |event| {
            if let Event::Note { message } = event {
                sink.lock().unwrap().push(message);
            }
        });
        let cancel = CancellationToken::new();
        for _ in 0..3 {
            check_once(&machine, &dut, cache, &events, &cancel).await;
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "off\non\n", "one power cycle");
        assert!(BoxState::load(cache, "b").unwrap().out.is_some());
        // The third check found it taken out and left it alone.
        assert_eq!(told.lock().unwrap().len(), 2, "{told:?}");
        assert!(told.lock().unwrap()[1].contains("after a power cycle"), "{told:?}");
    }
}
