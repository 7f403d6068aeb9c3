//! Preparing the machine: mounts, modules, device nodes, settings.

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Result, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use orchestrator_protocol::{Expectation, Message, Module, Nodes, Plan, Setting};

/// File system, where, options, whether tests cannot do without it.
const MOUNTS: [(&str, &str, &str, bool); 6] = [
    ("proc", "/proc", "", true),
    ("sysfs", "/sys", "", true),
    ("devtmpfs", "/dev", "", true),
    ("tmpfs", "/tmp", "mode=1777", true),
    ("tmpfs", "/dev/shm", "mode=1777", true),
    ("debugfs", "/sys/kernel/debug", "", false),
];

/// Mounts the kernel's file systems, and keeps dead tests from filling `/tmp` with cores.
pub fn mounts() -> Vec<Message> {
    let cores = step("no core files".to_owned(), setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(Error::from), false);
    std::iter::once(cores).chain(MOUNTS.iter().map(mount_one)).collect()
}

/// Mounts what a running system lacks. What is there stays as it is.
pub fn missing_mounts() -> Vec<Message> {
    let mounted = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let has = |target: &str| mounted.lines().any(|line| line.split(' ').nth(1) == Some(target));
    let lacks = |target: &str| match target {
        "/dev" => !std::path::Path::new("/dev/null").exists(),
        "/tmp" => !std::path::Path::new("/tmp").is_dir(),
        other => !has(other),
    };
    let cores = step("no core files".to_owned(), setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(Error::from), false);
    let missing = MOUNTS.iter().filter(|(_, target, _, _)| lacks(target)).map(mount_one);
    std::iter::once(cores).chain(missing).collect()
}

fn mount_one(&(kind, target, options, fatal): &(&str, &str, &str, bool)) -> Message {
    let result = std::fs::create_dir_all(target).and_then(|()| {
        match mount(Some(kind), target, Some(kind), MsFlags::empty(), Some(options)) {
            // The kernel may have mounted devtmpfs itself.
            Ok(()) | Err(Errno::EBUSY) => Ok(()),
            Err(error) => Err(error.into()),
        }
    });
    step(format!("mount {kind} on {target}"), result, fatal)
}

/// Everything the plan wants prepared, done as the iterator is drawn.
pub fn steps(plan: &Plan) -> impl Iterator<Item = Message> + '_ {
    let modules = plan.modules.iter().map(load);
    let nodes = plan.nodes.iter().map(make_nodes);
    let settings = plan.settings.iter().map(set);
    let expectations = plan.expect.iter().map(expect);
    modules.chain(nodes).chain(settings).chain(expectations)
}

/// Unloads a module.
pub fn unload(module: &Module) -> Message {
    let result = c_string(&module.name).and_then(|name| Ok(delete_module(&name, DeleteModuleFlags::O_NONBLOCK)?));
    Message::Unloaded { module: module.name.clone(), error: result.err().map(|error| error.to_string()) }
}

fn step(what: String, result: Result<()>, fatal: bool) -> Message {
    Message::Setup { what, error: result.err().map(|error| error.to_string()), fatal }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(Error::other)
}

fn load(module: &Module) -> Message {
    let result = File::open(&module.file)
        .and_then(|file| Ok(finit_module(&file, &c_string(&module.params)?, ModuleInitFlags::empty())?));
    step(format!("module {} {}", module.name, module.params).trim_end().to_owned(), result, true)
}

fn make_nodes(nodes: &Nodes) -> Message {
    let result = std::fs::read_to_string("/proc/devices").and_then(|devices| {
        let numbers = numbers(&devices, &nodes.driver, nodes.count);
        if numbers.is_empty() {
            return Err(Error::other(format!("the kernel has no driver {} (see /proc/devices)", nodes.driver)));
        }
        numbers.into_iter().try_for_each(|(index, major, minor)| node(&format!("{}{index}", nodes.path), major, minor))
    });
    step(format!("{} nodes {} of {}", nodes.count, nodes.path, nodes.driver), result, true)
}

/// Makes a character device, unless the kernel made the same one.
fn node(path: &str, major: u64, minor: u64) -> Result<()> {
    let number = makedev(major, minor);
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if found.file_type().is_char_device() && found.rdev() == number {
            return Ok(());
        }
        std::fs::remove_file(path)?;
    }
    Ok(mknod(path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), number)?)
}

/// Index in the name, major and minor number of each node.
///
/// A driver has either one major number and many minors, or one major for each device (`NAME0`, `NAME1`, ...).
fn numbers(devices: &str, driver: &str, count: u32) -> Vec<(u64, u64, u64)> {
    let characters = devices.split("Block devices:").next().unwrap_or("");
    let mut single = Vec::new();
    for line in characters.lines() {
        let mut words = line.split_whitespace();
        let (Some(Ok(major)), Some(name)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
        let Some(index) = name.strip_prefix(driver) else { continue };
        if index.is_empty() {
            return (0..u64::from(count)).map(|minor| (minor, major, minor)).collect();
        }
        if let Ok(index) = index.parse::<u64>()
            && index < u64::from(count)
        {
            single.push((index, major, 0));
        }
    }
    single
}

fn set(setting: &Setting) -> Message {
    let open = std::fs::OpenOptions::new().write(true).open(&setting.path);
    let result = open.and_then(|mut file| file.write_all(setting.value.as_bytes()));
    step(format!("{} = {}", setting.path, setting.value), result, !setting.optional)
}

fn expect(expectation: &Expectation) -> Message {
    let Expectation { path, word } = expectation;
    let result = std::fs::read_to_string(path).and_then(|text| {
        let said = text.split_whitespace().any(|said| said == word);
        let shown: String = text.trim().chars().take(80).collect();
        if said { Ok(()) } else { Err(Error::other(format!("it says `{shown}`"))) }
    });
    step(format!("{path} must say {word}"), result, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: &str =
        "Character devices:\n  1 mem\n  4 ttyS\n241 HMM_DMIRROR\n\nBlock devices:\n  8 sd\n242 BLOCKY\n";

    #[test]
    fn one_major_gives_many_minors() {
        assert_eq!(numbers(DEVICES, "HMM_DMIRROR", 2), [(0, 241, 0), (1, 241, 1)]);
    }

    #[test]
    fn block_devices_and_longer_names_are_not_meant() {
        assert!(numbers(DEVICES, "BLOCKY", 1).is_empty());
        assert!(numbers(DEVICES, "HMM", 1).is_empty());
        assert!(numbers("", "HMM", 1).is_empty());
    }

    #[test]
    fn numbered_drivers_have_a_major_each() {
        let devices = "Character devices:\n240 D0\n239 D1\n238 D7\n";
        assert_eq!(numbers(devices, "D", 2), [(0, 240, 0), (1, 239, 0)]);
    }

    #[test]
    fn a_setting_of_a_missing_file_fails_and_creates_nothing() {
        let dir = std::env::temp_dir().join(format!("agent-setting-{}", std::process::id()));
        let path = dir.join("x").to_string_lossy().into_owned();
        let message = set(&Setting { path: path.clone(), value: "1".into(), optional: true });
        let Message::Setup { error, fatal, .. } = message else { panic!("{message:?}") };
        assert!(error.is_some() && !fatal && !std::path::Path::new(&path).exists());
    }

    #[test]
    fn a_machine_that_is_not_as_expected_runs_no_test() {
        let dir = std::env::temp_dir().join(format!("agent-expect-{}", std::process::id()));
        std::fs::write(&dir, "always madvise [never]\n").unwrap();
        let path = dir.to_string_lossy().into_owned();
        let outcome = |word: &str, path: &str| match expect(&Expectation { path: path.into(), word: word.into() }) {
            Message::Setup { error, fatal, .. } => (error, fatal),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome("[never]", &path), (None, true));
        assert_eq!(outcome("never", &path), (Some("it says `always madvise [never]`".into()), true));
        assert!(outcome("0-1", "/nowhere/has_memory").0.is_some());
        std::fs::remove_file(dir).unwrap();
    }
}
