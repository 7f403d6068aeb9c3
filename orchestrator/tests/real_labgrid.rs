//! Reserving by the real labgrid: coordinator and exporter from PyPI, on loopback.
//! `cargo test --test real_labgrid -- --ignored`

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator::lab::{Holder, Reservation, ReserveError, acquire, standing};
use orchestrator::words::{Event, EventSink, Reserve};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that must happen.
const DEADLINE: Duration = Duration::from_secs(180);

const PLACE: &str = "box-01";

/// A process that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// labgrid's programs in a folder of the test; installed once for all tests of this file.
fn programs() -> PathBuf {
    static ONCE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        if let Some(bin) = std::env::var_os("LABGRID_BIN") {
            return PathBuf::from(bin);
        }
        let venv = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("labgrid");
        let run = |command: &mut Command| {
            let done = command.output().expect("it can be started");
            assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        run(Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "-q", "labgrid"]));
        venv.join("bin")
    })
    .clone()
}

/// A coordinator that can be killed and started again at the same address.
struct Lab {
    folder: tempfile::TempDir,
    address: String,
    coordinator: Option<Server>,
    exporter: Option<Server>,
}

impl Lab {
    async fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let exported = "box:\n  NetworkService:\n    address: 127.0.0.1\n    username: root\n";
        std::fs::write(folder.path().join("exporter.yaml"), exported).unwrap();
        // What a coordinator reads when it starts: one that is killed has not always written it.
        let places = format!(
            "{PLACE}:\n  aliases: []\n  comment: ''\n  tags: {{}}\n  matches:\n  - {{exporter: lab1, group: box, cls: '*', \
             name: null, rename: null}}\n  created: 0.0\n  changed: 0.0\n"
        );
        std::fs::write(folder.path().join("places.yaml"), places).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut lab = Lab { folder, address: format!("127.0.0.1:{port}"), coordinator: None, exporter: None };
        lab.start().await;
        lab.exporter = Some(lab.spawn("labgrid-exporter", &["-c", &lab.address, "-n", "lab1", "exporter.yaml"]));
        lab
    }

    fn spawn(&self, program: &str, arguments: &[&str]) -> Server {
        let log = std::fs::File::create(self.folder.path().join(format!("{program}.log"))).unwrap();
        let child = Command::new(programs().join(program))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Server(child)
    }

    async fn start(&mut self) {
        self.coordinator = Some(self.spawn("labgrid-coordinator", &["-l", &self.address]));
        let connected = async {
            while tokio::net::TcpStream::connect(&self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(DEADLINE, connected).await.expect("the coordinator listens");
    }

    /// labgrid's own command.
    fn client(&self, arguments: &[&str]) -> String {
        let done = Command::new(programs().join("labgrid-client"))
            .args(["-x", &self.address])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&done.stderr));
        text
    }

    async fn holder(&self) -> Option<String> {
        standing(&self.address, PLACE).await.unwrap().holder
    }
}

/// Notes, and a way to wait for one.
#[derive(Clone, Default)]
struct Notes(Arc<(Mutex<Vec<String>>, Notify)>);

impl Notes {
    fn sink(&self) -> EventSink {
        let own = self.clone();
        Arc::new(move |event| {
            if let Event::Note { message } = event {
                own.0.0.lock().unwrap().push(message);
                own.0.1.notify_waiters();
            }
        })
    }

    async fn wait_for(&self, word: &str) -> String {
        let find = async {
            loop {
                let news = self.0.1.notified();
                let found = self.0.0.lock().unwrap().iter().find(|note| note.contains(word)).cloned();
                match found {
                    Some(note) => return note,
                    None => news.await,
                }
            }
        };
        let said = || self.0.0.lock().unwrap().clone();
        tokio::time::timeout(DEADLINE, find).await.unwrap_or_else(|_| panic!("no note with {word}: {:?}", said()))
    }
}

async fn reserve(
    address: &str,
    holder: &Holder,
    notes: &Notes,
    cancel: &CancellationToken,
) -> Result<Reservation, ReserveError> {
    let place = Reserve::Labgrid { coordinator: address.to_owned(), place: PLACE.to_owned() };
    let events = notes.sink();
    let wait = async { Ok(acquire(&place, holder, &events, cancel).await?.expect("a place of labgrid's is reserved")) };
    let said = || notes.0.0.lock().unwrap().clone();
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("no reservation: {:?}", said()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3 and pip"]
async fn a_place_is_reserved_used_and_given_back() {
    let lab = Lab::new().await;
    let (notes, cancel) = (Notes::default(), CancellationToken::new());
    let (first, second) = (Holder::new("boot first"), Holder::new("boot second"));
    let held = reserve(&lab.address, &first, &notes, &cancel).await.unwrap();
    assert_eq!(lab.holder().await.as_ref(), Some(&first.name));
    assert!(lab.client(&["-p", PLACE, "show"]).contains(&first.name), "labgrid's own client says who");
    assert_eq!(held.while_held(async { 7 }).await, Ok(7));

    // Another one waits, and is told for whom.
    let waiting = reserve(&lab.address, &second, &notes, &cancel);
    let release = async {
        let note = notes.wait_for("boot second: waiting for box-01").await;
        assert!(note.ends_with(&format!("held by {}", first.name)), "{note}");
        let queue = standing(&lab.address, PLACE).await.unwrap().queue;
        assert!(queue.iter().eq([&second.name]), "{queue:?}");
        held.release().await;
    };
    let (got, ()) = tokio::join!(waiting, release);
    assert_eq!(lab.holder().await, Some(second.name));

    // Given back to a person, and by a person.
    got.unwrap().release().await;
    assert_eq!(lab.holder().await, None);
    assert_eq!(lab.client(&["reservations"]).trim(), "", "nothing is left in the queue");
    lab.client(&["-p", PLACE, "acquire"]);
    cancel.cancel();
    let error = reserve(&lab.address, &first, &notes, &cancel).await.unwrap_err();
    assert!(matches!(error, ReserveError::Cancelled), "{error}");
    lab.client(&["-p", PLACE, "release"]);
    let fresh = CancellationToken::new();
    let held = reserve(&lab.address, &first, &notes, &fresh).await.unwrap();
    lab.client(&["-p", PLACE, "release", "--kick"]);
    let lost = tokio::time::timeout(DEADLINE, held.lost()).await.unwrap();
    assert!(lost.why.contains("released"), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3 and pip"]
async fn a_coordinator_that_restarts_is_noticed_and_the_place_is_had_again() {
    let mut lab = Lab::new().await;
    let (notes, cancel) = (Notes::default(), CancellationToken::new());
    let holder = Holder::new("boot first");
    let held = reserve(&lab.address, &holder, &notes, &cancel).await.unwrap();
    // The work never ends by itself: only the loss of the lock stops it.
    let work = held.while_held(std::future::pending::<()>());
    let restart = async {
        lab.coordinator = None;
        lab.start().await;
    };
    let (lost, ()) = tokio::time::timeout(DEADLINE, async { tokio::join!(work, restart) }).await.unwrap();
    let lost = lost.unwrap_err();
    assert!(lost.to_string().contains("place box-01 was lost: the connection"), "{lost}");
    assert!(!held.is_still_held());
    held.release().await;
    let again = Holder::new("boot first");
    let held = reserve(&lab.address, &again, &notes, &cancel).await.unwrap();
    assert_eq!(lab.holder().await, Some(again.name));

    // One that waits while the coordinator restarts goes on waiting, and gets its turn.
    let other = Holder::new("boot other");
    let address = lab.address.clone();
    let waiting = reserve(&address, &other, &notes, &cancel);
    let restart = async {
        notes.wait_for("boot other: waiting for box-01: held").await;
        lab.coordinator = None;
        notes.wait_for("boot other: waiting for box-01: labgrid at").await;
        lab.start().await;
        held.release().await;
    };
    let (got, ()) = tokio::join!(waiting, restart);
    assert!(got.unwrap().is_still_held());
    assert_eq!(standing(&address, PLACE).await.unwrap().queue, Vec::<String>::new());
}

/// The child of the next test: takes the place and holds it until it is killed.
#[tokio::test]
#[ignore = "started by another test"]
async fn hold_until_killed() {
    let Ok(address) = std::env::var("ORCHESTRATOR_TEST_HOLD") else { return };
    let holder = Holder::new("boot child");
    let held = reserve(&address, &holder, &Notes::default(), &CancellationToken::new()).await.unwrap();
    println!("held by {}", holder.name);
    let lost = held.lost().await;
    println!("{lost}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3 and pip"]
async fn after_kill_9_of_its_holder_the_next_one_gets_the_place() {
    let lab = Lab::new().await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hold_until_killed", "--nocapture"])
        .env("ORCHESTRATOR_TEST_HOLD", &lab.address)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let child = Server(child);
    let held = async {
        while lab.holder().await.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, held).await.expect("the child takes the place");
    assert!(!standing(&lab.address, PLACE).await.unwrap().abandoned, "it lives");
    // SIGKILL.
    drop(child);
    let (notes, cancel) = (Notes::default(), CancellationToken::new());
    let next = Holder::new("boot next");
    let got = reserve(&lab.address, &next, &notes, &cancel).await.unwrap();
    notes.wait_for("it is taken over").await;
    assert_eq!(lab.holder().await, Some(next.name));
    got.release().await;
    assert_eq!(lab.client(&["reservations"]).trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3 and pip"]
async fn a_place_that_is_not_there_is_no_reason_to_wait() {
    let lab = Lab::new().await;
    let place = Reserve::Labgrid { coordinator: lab.address.clone(), place: "box-0l".to_owned() };
    let holder = Holder::new("boot first");
    let cancel = CancellationToken::new();
    let events = Notes::default().sink();
    let wait = acquire(&place, &holder, &events, &cancel);
    let error = tokio::time::timeout(DEADLINE, wait).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("no place box-0l; did you mean box-01?"), "{error}");
}
