use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use orchestrator_protocol::{Message, Status};
use tokio::sync::Notify;

use super::super::boot;
use super::super::testing::{self, frames, hello};
use super::*;

struct Lab {
    _dir: tempfile::TempDir,
    request: BootRequest,
}

/// A boot whose QEMU is a script; `script` may send `frames.jsonl`.
fn lab(script: &str, messages: &[Message]) -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
    let mut request = testing::request(&root);
    let qemu = request.dir.join("qemu");
    testing::fake_qemu(&qemu, script);
    std::fs::write(request.dir.join("frames.jsonl"), frames(messages)).unwrap();
    testing::set_binary(&mut request.machine, qemu.into_string());
    Lab { _dir: dir, request }
}

fn end(test: &str, status: Status, tainted: u64) -> Message {
    Message::End { suite: "hmm".into(), test: test.into(), round: 1, status, dropped: 0, tainted }
}

fn hung(deadline: &str) -> BootEnd {
    BootEnd::Hung { deadline: deadline.into() }
}

fn reason(boot: &RawBoot) -> &str {
    let BootEnd::Infra { reason } = &boot.end else { panic!("{:?}", boot.end) };
    reason
}

/// Boots, and moves the clock by `seconds` whenever a progress message is `message`.
async fn boot_until(lab: &mut Lab, message: &'static str, seconds: u64) -> RawBoot {
    let seen = Arc::new(Notify::new());
    let news = seen.clone();
    lab.request.events = Arc::new(move |event| {
        if matches!(event, Event::UnitProgress { message: said, .. } if said == message) {
            news.notify_one();
        }
    });
    let moved = async {
        loop {
            seen.notified().await;
            tokio::time::advance(Duration::from_secs(seconds)).await;
        }
    };
    let _frozen = Frozen::new();
    tokio::select! {
        boot = boot(&lab.request) => boot,
        () = moved => unreachable!("it never ends"),
    }
}

/// While this lives, the paused clock moves only when it is told to: tokio moves it by itself when all tasks wait,
/// unless a blocking task runs.
struct Frozen(#[expect(dead_code, reason = "its end is the signal")] std::sync::mpsc::Sender<()>);

impl Frozen {
    fn new() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || receiver.recv().is_ok());
        Frozen(sender)
    }
}

const SEND: &str = "echo '[ 0.1] Linux version'; frames < frames.jsonl; ";

#[tokio::test]
async fn done_and_a_clean_exit_complete_a_boot_and_leave_all_files() {
    let lab = lab(SEND, &[hello(), Message::Beat, Message::Done]);
    let boot = boot(&lab.request).await;
    assert_eq!(boot.end, BootEnd::Completed);
    assert_eq!(boot.frames.len(), 3);
    let text = |name: &str| std::fs::read_to_string(boot.dir.join(name)).unwrap();
    assert_eq!(text("console.log"), "[ 0.1] Linux version\n");
    assert_eq!(text("results.jsonl"), text("frames.jsonl"));
    assert!(text("plan.json").contains("/tests/hmm") && text("boot.json").contains("\"completed\""));
    assert!(text("qemu.log").is_empty() && !boot.dir.join("results.sock").exists());
    assert!(boot.replay.contains("replay.jsonl"));
}

#[tokio::test]
async fn a_panic_while_powering_off_is_a_panic() {
    let script = format!("{SEND} echo '[ 9.0] Kernel panic - not syncing: x'");
    assert_eq!(boot(&lab(&script, &[hello(), Message::Done]).request).await.end, BootEnd::Panicked);
}

#[tokio::test]
async fn an_end_without_a_word_is_a_reset_and_an_oops_is_not() {
    assert_eq!(boot(&lab(SEND, &[hello(), Message::Beat]).request).await.end, BootEnd::Reset);
    let script = format!("{SEND} echo '[ 9.0] Oops: 0002 [#1] SMP'");
    assert_eq!(boot(&lab(&script, &[hello()]).request).await.end, BootEnd::Panicked);
    let died = [hello(), end("a", Status::Code(0), 0x80)];
    assert_eq!(boot(&lab(SEND, &died).request).await.end, BootEnd::Panicked);
}

#[tokio::test]
async fn a_test_that_could_not_be_killed_is_a_hang() {
    let boot = boot(&lab(SEND, &[hello(), end("a", Status::Deadline, 0)]).request).await;
    assert_eq!(boot.end, hung("test"));
}

#[tokio::test]
async fn trouble_of_qemu_is_ours() {
    let failing = boot(&lab("echo 'could not allocate memory' >&2; exit 1", &[]).request).await;
    assert!(reason(&failing).contains("exit code 1: could not allocate memory"), "{}", reason(&failing));
    let mut lab = lab("", &[]);
    std::fs::remove_file(&lab.request.kernel).unwrap();
    lab.request.kernel = "/nonexistent/vmlinux".into();
    lab.request.selftests.clear();
    let missing = boot(&lab.request).await;
    assert!(reason(&missing).contains("no selftest program for suite hmm"), "{}", reason(&missing));
}

#[tokio::test]
async fn a_qemu_that_somebody_kills_is_trouble_of_ours() {
    let mut lab = lab("frames < frames.jsonl; sleep 1000", &[hello()]);
    let program = lab.request.machine.qemu().unwrap().binary.clone();
    lab.request.events = Arc::new(move |event| {
        if matches!(event, Event::UnitProgress { message, .. } if message == "preparing the guest") {
            kill_script(&program);
        }
    });
    let boot = boot(&lab.request).await;
    assert!(reason(&boot).contains("killed by signal 9"), "{}", reason(&boot));
}

/// Kills the shell that runs this script, not bwrap around it.
fn kill_script(program: &str) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if words.starts_with(format!("/bin/sh\0{program}\0").as_bytes()) {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
}

#[tokio::test]
async fn a_broken_protocol_is_ours_and_stops_the_guest() {
    let script = "frames < frames.jsonl; sleep 1000";
    let boot = boot(&lab(script, &[hello(), Message::Done, Message::Beat]).request).await;
    assert!(reason(&boot).starts_with("protocol: "), "{}", reason(&boot));
    assert_eq!((boot.frames.len(), boot.problems.len()), (2, 1));
}

#[tokio::test]
async fn an_agent_without_a_channel_is_heard_on_the_console() {
    let script = "echo '[ 1.0] orchestrator: results tty /dev/ttyS1: No such device'";
    let boot = boot(&lab(script, &[]).request).await;
    assert!(reason(&boot).contains("/dev/ttyS1"), "{}", reason(&boot));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_never_speaks_hangs_at_boot() {
    let boot = boot_until(&mut lab("sleep 1000", &[]), "starting the kernel", 10_000).await;
    assert_eq!(boot.end, hung("boot"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_falls_silent_hangs() {
    let mut lab = lab("frames < frames.jsonl; sleep 1000", &[hello()]);
    assert_eq!(boot_until(&mut lab, "preparing the guest", 181).await.end, hung("silence"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_power_off_hangs() {
    let mut lab = lab("frames < frames.jsonl; sleep 1000", &[hello(), Message::Done]);
    assert_eq!(boot_until(&mut lab, "power off", 10_000).await.end, hung("power-off"));
}

#[tokio::test]
async fn an_interrupted_boot_is_ours() {
    let mut lab = lab("frames < frames.jsonl; sleep 1000", &[hello()]);
    let cancel = lab.request.cancel.clone();
    lab.request.events = Arc::new(move |event| {
        if matches!(event, Event::UnitProgress { message, .. } if message == "preparing the guest") {
            cancel.cancel();
        }
    });
    assert_eq!(reason(&boot(&lab.request).await), "interrupted");
}

#[tokio::test(start_paused = true)]
async fn a_silent_kvm_is_tried_again_by_emulation_and_not_trusted_any_more() {
    let script = format!("case \"$*\" in *'-accel kvm'*) sleep 1000;; esac; {SEND}");
    let mut lab = lab(&script, &[hello(), Message::Done]);
    lab.request.accel = Accel::Kvm;
    let boot = boot_until(&mut lab, "starting the kernel", 21).await;
    assert_eq!((&boot.end, boot.accel), (&BootEnd::Completed, Accel::Tcg));
    assert!(std::fs::read_to_string(boot.dir.join("kvm/boot.json")).unwrap().contains("\"life\""));
    let host = std::fs::read_to_string(lab.request.cache.join("host.json")).unwrap();
    assert!(host.contains("did not boot under KVM"), "{host}");
}

#[tokio::test]
async fn a_kvm_on_which_qemu_fails_is_not_trusted_any_more() {
    let script = format!("case \"$*\" in *'-accel kvm'*) echo KVM internal error >&2; exit 1;; esac; {SEND}");
    let mut lab = lab(&script, &[hello(), Message::Done]);
    lab.request.accel = Accel::Kvm;
    let boot = boot(&lab.request).await;
    assert_eq!((&boot.end, boot.accel), (&BootEnd::Completed, Accel::Tcg));
    assert!(lab.request.cache.join("host.json").exists());
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_is_silent_under_emulation_too_is_no_fault_of_kvm() {
    let mut lab = lab("sleep 1000", &[]);
    lab.request.accel = Accel::Kvm;
    let boot = boot_until(&mut lab, "starting the kernel", 10_000).await;
    assert_eq!((&boot.end, boot.accel), (&hung("boot"), Accel::Tcg));
    assert!(!lab.request.cache.join("host.json").exists());
}
