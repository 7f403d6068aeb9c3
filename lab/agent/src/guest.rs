//! The machine itself: what it is, its log, its end.

use std::io::Write;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::time::{ClockId, clock_gettime};
use orchestrator_protocol::{Message, VERSION};

/// `TAINT_DIE`: the kernel oopsed.
const TAINT_DIE: u64 = 1 << 7;

/// Whether the machine is ours alone: the kernel started us as its first process.
pub fn is_init() -> bool {
    std::process::id() == 1
}

/// Milliseconds since the kernel started.
pub fn uptime_ms() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |now| Duration::from(now).as_millis() as u64)
}

/// Writes a line into the kernel log; to the console when there is no kernel log.
pub fn say(text: &str) {
    if !try_write("/dev/kmsg", &format!("<6>orchestrator: {text}\n")) {
        let _ = writeln!(std::io::stderr(), "orchestrator: {text}");
    }
}

/// Writes to an existing file; false when that fails.
pub fn try_write(path: &str, text: &str) -> bool {
    let file = std::fs::OpenOptions::new().write(true).open(path);
    file.is_ok_and(|mut file| file.write_all(text.as_bytes()).is_ok())
}

/// Kernel taint flags; 0 where the kernel does not tell.
pub fn tainted() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/kernel/tainted").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Whether the flags say that the kernel oopsed: nothing after that can be trusted.
pub fn is_dead(tainted: u64) -> bool {
    tainted & TAINT_DIE != 0
}

/// Lets the kernel log where its tasks are blocked and what its CPUs do.
pub fn show_stuck_tasks() {
    for key in ["w", "l"] {
        if !try_write("/proc/sysrq-trigger", key) {
            say(&format!("no sysrq in this kernel: cannot show stuck tasks ({key})"));
        }
    }
}

/// The first frame.
pub fn hello() -> Message {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let uname = nix::sys::utsname::uname()
        .map(|name| format!("{} {}", name.release().to_string_lossy(), name.version().to_string_lossy()));
    Message::Hello {
        version: VERSION,
        uname: uname.unwrap_or_default(),
        cmdline: read("/proc/cmdline").trim().to_owned(),
        mem_kib: mem_total(&read("/proc/meminfo")),
        cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        build_id: build_id(&std::fs::read("/sys/kernel/notes").unwrap_or_default()),
    }
}

/// Ends the machine. Does not return: when the kernel refuses, the host's deadline ends it.
pub fn power_off() -> ! {
    let error = reboot(RebootMode::RB_AUTOBOOT).unwrap_err();
    say(&format!("power off: {error}"));
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn mem_total(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// The GNU build id among ELF notes, in hex; empty when there is none.
fn build_id(notes: &[u8]) -> String {
    const NT_GNU_BUILD_ID: u32 = 3;
    let mut rest = notes;
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
    };
    while let (Some(name), Some(desc), Some(kind)) = (word(rest, 0), word(rest, 4), word(rest, 8)) {
        let name_end = 12 + name as usize;
        let desc_start = name_end.next_multiple_of(4);
        let desc_end = desc_start + desc as usize;
        let (Some(name), Some(desc)) = (rest.get(12..name_end), rest.get(desc_start..desc_end)) else { break };
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return desc.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        let Some(next) = rest.get(desc_end.next_multiple_of(4)..) else { break };
        rest = next;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, desc: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [name.len() as u32, desc.len() as u32, kind] {
            bytes.extend(word.to_le_bytes());
        }
        for part in [name, desc] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let notes = [note(b"Xen\0", 6, b"linux"), note(b"GNU\0", 3, &[0xab, 0x01]), note(b"Linux\0", 0, b"x")].concat();
        assert_eq!(build_id(&notes), "ab01");
    }

    #[test]
    fn notes_without_a_build_id_give_none() {
        assert_eq!(build_id(&[]), "");
        assert_eq!(build_id(&note(b"GNU\0", 5, &[1])), "");
        let cut = note(b"GNU\0", 3, &[1, 2, 3, 4]);
        assert_eq!(build_id(&cut[..cut.len() - 1]), "");
    }

    #[test]
    fn memory_is_read_from_meminfo() {
        assert_eq!(mem_total("MemTotal:        1004 kB\nMemFree: 3 kB\n"), 1004);
        assert_eq!(mem_total(""), 0);
    }

    #[test]
    fn only_an_oops_makes_a_kernel_dead() {
        assert!(is_dead(0x280));
        assert!(!is_dead(0x200));
    }
}
