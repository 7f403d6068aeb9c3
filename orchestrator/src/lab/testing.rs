//! Requests, frames and a QEMU that does as told, for the tests of this room.

use std::io::Write;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use orchestrator_protocol::{Frame, Message, VERSION};
use tokio_util::sync::CancellationToken;

use super::{BootRequest, Selection, machine as read_machine, suite as read_suite};
use crate::words::{Accel, BootSpec, Hardware, Machine, QemuMachine, Suite};

fn home() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The shipped machine.
pub(super) fn machine() -> Machine {
    read_machine(&home(), "qemu-x86_64").unwrap()
}

/// Its hardware.
pub(super) fn qemu() -> QemuMachine {
    machine().qemu().unwrap().clone()
}

/// Makes a guest run another program for QEMU.
pub(super) fn set_binary(machine: &mut Machine, binary: String) {
    let Hardware::Qemu(qemu) = &mut machine.hardware else { panic!("no guest") };
    qemu.binary = binary;
}

/// The shipped suite.
pub(super) fn suite() -> Suite {
    read_suite(&home(), "hmm").unwrap()
}

/// The first frame of an agent.
pub(super) fn hello() -> Message {
    Message::Hello {
        version: VERSION,
        uname: "6.12.0 #1".into(),
        cmdline: "a=1".into(),
        mem_kib: 1,
        cpus: 2,
        build_id: String::new(),
    }
}

/// Frames as the agent would send them.
pub(super) fn frames(messages: &[Message]) -> String {
    let line = |(seq, message): (usize, &Message)| {
        let frame = Frame { seq: seq as u64, ms: seq as u64, message: message.clone() };
        serde_json::to_string(&frame).unwrap() + "\n"
    };
    messages.iter().enumerate().map(line).collect()
}

/// A request for the shipped suite on the shipped machine, in a new folder `boot` below `dir`.
pub(super) fn request(dir: &Utf8Path) -> BootRequest {
    let boot = dir.join("boot");
    std::fs::create_dir_all(&boot).unwrap();
    for file in ["vmlinux", "hmm-tests"] {
        std::fs::write(dir.join(file), file).unwrap();
    }
    BootRequest {
        unit: "boot t".into(),
        kernel: dir.join("vmlinux"),
        build_id: Some("ab".into()),
        modules: Vec::new(),
        selftests: vec![("hmm".into(), dir.join("hmm-tests"))],
        suites: vec![suite()],
        spec: BootSpec::default(),
        machine: machine(),
        selection: Selection::default(),
        accel: Accel::Tcg,
        counting: None,
        files: Vec::new(),
        deadline_factor: 1,
        cache: dir.join("cache"),
        dir: boot,
        events: Arc::new(|_| ()),
        cancel: CancellationToken::new(),
    }
}

/// Writes a shell script that plays QEMU. In it, `frames` sends its standard input on the results channel, and
/// `--version` is answered.
pub(super) fn fake_qemu(file: &Utf8Path, script: &str) {
    let text = format!(
        "#!/bin/sh\n\
         case \"$1\" in --version) echo fake; exit 0;; esac\n\
         frames() {{ perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un(\"results.sock\")) \
         or die \"connect: $!\"; print S while <STDIN>'; }}\n\
         {script}\n"
    );
    // Written by another process: a file that this one had open for writing might not be executable for a moment,
    // because children that other tests start meanwhile hold it open, too.
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh", file.as_str()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}
