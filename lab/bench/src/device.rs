//! The test driver's devices and their commands.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

use crate::abi::{ARGUMENT, Abi, Layout, argument_size};
use crate::measure::Stop;
use crate::metric::Place;

/// Where the fields of a command are.
#[derive(Debug, Clone, Copy)]
struct Fields {
    address: usize,
    buffer: usize,
    pages: usize,
    done: usize,
    faults: usize,
}

impl Fields {
    /// Those of `struct hmm_dmirror_cmd` that begins at `base`.
    fn of(layout: &Layout, base: usize) -> Option<Fields> {
        let field = |name| Some(base + layout.field(name)?);
        let fields = Fields {
            address: field("addr")?,
            buffer: field("ptr")?,
            pages: field("npages")?,
            done: field("cpages")?,
            faults: field("faults")?,
        };
        (base + layout.size <= ARGUMENT).then_some(fields)
    }
}

/// An ioctl and its argument, ready to be called.
#[derive(Debug, Clone)]
pub struct Command {
    name: &'static str,
    request: u64,
    fields: Fields,
    argument: [u64; ARGUMENT / 8],
}

impl Command {
    /// One that takes `struct hmm_dmirror_cmd`; `None` when the revision has none of this name.
    pub fn plain(abi: &Abi, name: &'static str) -> Result<Option<Command>, Stop> {
        let Some(request) = abi.constant(name) else { return Ok(None) };
        let layout = abi.layout("hmm_dmirror_cmd").ok_or_else(|| strange(name))?;
        let fields = Fields::of(&layout, 0).filter(|_| layout.size == argument_size(request));
        let fields = fields.ok_or_else(|| strange(name))?;
        Ok(Some(Command { name, request, fields, argument: [0; ARGUMENT / 8] }))
    }

    /// One that takes `struct hmm_dmirror_migrate_cmd`, with `flags`; `None` when the revision has none of this name
    /// or it takes the plain structure.
    pub fn with_flags(abi: &Abi, name: &'static str, flags: u64) -> Result<Option<Command>, Stop> {
        let Some(request) = abi.constant(name) else { return Ok(None) };
        let (Some(plain), Some(layout)) = (abi.layout("hmm_dmirror_cmd"), abi.layout("hmm_dmirror_migrate_cmd")) else {
            return Ok(None);
        };
        if argument_size(request) == plain.size {
            return Ok(None);
        }
        let fields = layout.field("cmd").filter(|_| layout.size == argument_size(request));
        let fields = fields.and_then(|base| Fields::of(&plain, base));
        let (Some(fields), Some(at)) = (fields, layout.field("flags")) else { return Err(strange(name)) };
        let mut command = Command { name, request, fields, argument: [0; ARGUMENT / 8] };
        command.set(at, flags);
        Ok(Some(command))
    }

    /// Says which pages it is about, and where their contents go or come from.
    pub fn aim(&mut self, address: u64, pages: usize, buffer: u64) {
        let Fields { address: at, buffer: buffer_at, pages: pages_at, .. } = self.fields;
        self.set(at, address);
        self.set(pages_at, pages as u64);
        self.set(buffer_at, buffer);
    }

    /// Pages that were done.
    pub fn done(&self) -> u64 {
        self.get(self.fields.done)
    }

    /// Faults that the device took.
    pub fn faults(&self) -> u64 {
        self.get(self.fields.faults)
    }

    /// Name of the ioctl.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn set(&mut self, offset: usize, value: u64) {
        let mut bytes = self.bytes();
        bytes[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
        self.argument =
            std::array::from_fn(|at| u64::from_ne_bytes(bytes[at * 8..at * 8 + 8].try_into().expect("eight bytes")));
    }

    fn get(&self, offset: usize) -> u64 {
        u64::from_ne_bytes(self.bytes()[offset..offset + 8].try_into().expect("eight bytes"))
    }

    fn bytes(&self) -> [u8; ARGUMENT] {
        let mut bytes = [0; ARGUMENT];
        for (to, from) in bytes.chunks_exact_mut(8).zip(self.argument) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        bytes
    }
}

fn strange(name: &str) -> Stop {
    Stop::Fail(format!("{name}: its argument is not laid out as this program knows it"))
}

/// An open device. It mirrors this process's memory for as long as it is open.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens the first device of a kind.
    pub fn open(place: Place) -> Result<Device, Stop> {
        let path = match place {
            Place::Private => "/dev/hmm_dmirror0",
            Place::Coherent => "/dev/hmm_dmirror2",
            Place::System => return Err(Stop::Fail("system memory is no device".to_owned())),
        };
        match std::fs::OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Ok(Device(file)),
            Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENXIO) => {
                Err(Stop::Skip(format!("there is no {path}: {error}")))
            }
            Err(error) => Err(Stop::Fail(format!("{path}: {error}"))),
        }
    }

    /// Calls a command. Allocates nothing.
    #[inline(always)]
    pub fn call(&self, command: &mut Command) -> Result<(), Errno> {
        // SAFETY: the argument is as large as the number says (checked when the command was made), and lives.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), command.request, command.argument.as_mut_ptr()) };
        Errno::result(result).map(drop)
    }
}

/// What a snapshot says about pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// On this device.
    Device,
    /// In system memory.
    System,
    /// In system memory, in huge pages.
    SystemHuge,
    /// The zero page.
    Zero,
    /// Nothing.
    Absent,
}

/// The meaning of a snapshot's bytes.
#[derive(Debug, Clone, Copy)]
pub struct Flags {
    read: u8,
    write: u8,
    huge: u8,
    zero: u8,
    device: u8,
}

impl Flags {
    /// Those of the revision, for a device of this kind.
    pub fn of(abi: &Abi, place: Place) -> Result<Flags, Stop> {
        let flag = |name: &str| {
            let name = format!("HMM_DMIRROR_PROT_{name}");
            let value = abi.constant(&name).and_then(|value| u8::try_from(value).ok());
            value.ok_or_else(|| Stop::Fail(format!("lib/test_hmm_uapi.h has no usable {name}")))
        };
        let device = match place {
            Place::Private | Place::System => "DEV_PRIVATE_LOCAL",
            Place::Coherent => "DEV_COHERENT_LOCAL",
        };
        Ok(Flags {
            read: flag("READ")?,
            write: flag("WRITE")?,
            huge: flag("PMD")?,
            zero: flag("ZERO")?,
            device: flag(device)?,
        })
    }

    /// Whether a byte says so.
    fn matches(self, byte: u8, seen: Seen) -> bool {
        let access = byte & (self.read | self.write) != 0;
        let kind = byte & !(self.read | self.write | self.huge);
        match seen {
            Seen::Device => kind == self.device && access,
            Seen::System => kind == 0 && access,
            Seen::SystemHuge => kind == 0 && access && byte & self.huge != 0,
            Seen::Zero => kind == self.zero && access,
            Seen::Absent => byte == 0,
        }
    }

    /// Whether all pages are seen so; else how many are not, and the first of them.
    pub fn all(self, bytes: &[u8], seen: Seen) -> Result<(), Stop> {
        let mut others = bytes.iter().enumerate().filter(|(_, byte)| !self.matches(**byte, seen));
        let Some((page, byte)) = others.next() else { return Ok(()) };
        Err(Stop::Fail(format!(
            "{} of {} pages are not {}: the snapshot has {byte:#04x} for page {page}",
            others.count() + 1,
            bytes.len(),
            seen.text()
        )))
    }
}

impl Seen {
    fn text(self) -> &'static str {
        match self {
            Seen::Device => "on the device",
            Seen::System => "in system memory",
            Seen::SystemHuge => "in huge pages of system memory",
            Seen::Zero => "the zero page",
            Seen::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi(json: &str) -> Abi {
        Abi::parse(json).unwrap()
    }

    const HEADER: &str = r#"{"HMM_DMIRROR_READ": 3223865344, "HMM_DMIRROR_MIGRATE_ON_FAULT": 3225438216,
        "HMM_DMIRROR_SHORT": 3223341056,
        "struct hmm_dmirror_cmd": 40, "hmm_dmirror_cmd.addr": 0, "hmm_dmirror_cmd.ptr": 8, "hmm_dmirror_cmd.npages": 16,
        "hmm_dmirror_cmd.cpages": 24, "hmm_dmirror_cmd.faults": 32, "struct hmm_dmirror_migrate_cmd": 64,
        "hmm_dmirror_migrate_cmd.cmd": 0, "hmm_dmirror_migrate_cmd.flags": 40, "hmm_dmirror_migrate_cmd.empty": 48,
        "HMM_DMIRROR_PROT_READ": 1, "HMM_DMIRROR_PROT_WRITE": 2, "HMM_DMIRROR_PROT_PMD": 4, "HMM_DMIRROR_PROT_ZERO": 16,
        "HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL": 32, "HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL": 64}"#;

    #[test]
    fn a_command_is_laid_out_as_the_header_says() {
        let mut command = Command::plain(&abi(HEADER), "HMM_DMIRROR_READ").unwrap().unwrap();
        command.aim(0x1000, 3, 0x2000);
        assert_eq!(command.argument[..5], [0x1000, 0x2000, 3, 0, 0]);
        command.argument[3..5].copy_from_slice(&[7, 8]);
        assert_eq!((command.done(), command.faults()), (7, 8));
        let mut command = Command::with_flags(&abi(HEADER), "HMM_DMIRROR_MIGRATE_ON_FAULT", 2).unwrap().unwrap();
        command.aim(0x1000, 3, 0);
        assert_eq!(command.argument[..8], [0x1000, 0, 3, 0, 0, 2, 0, 0]);
    }

    #[test]
    fn what_the_revision_lacks_is_none_and_what_does_not_fit_is_refused() {
        let abi = abi(HEADER);
        assert!(Command::plain(&abi, "HMM_DMIRROR_NEW").unwrap().is_none());
        assert!(Command::with_flags(&abi, "HMM_DMIRROR_READ", 0).unwrap().is_none(), "it takes the plain structure");
        assert!(Command::plain(&abi, "HMM_DMIRROR_MIGRATE_ON_FAULT").is_err());
        assert!(Command::plain(&abi, "HMM_DMIRROR_SHORT").is_err());
    }

    #[test]
    fn snapshots_are_understood() {
        let private = Flags::of(&abi(HEADER), Place::Private).unwrap();
        let coherent = Flags::of(&abi(HEADER), Place::Coherent).unwrap();
        let cases = [
            (private, 0x22, Seen::Device, true),
            (private, 0x32, Seen::Device, false),
            (private, 0x26, Seen::Device, true),
            (coherent, 0x41, Seen::Device, true),
            (coherent, 0x51, Seen::Device, false),
            (private, 0x02, Seen::System, true),
            (private, 0x22, Seen::System, false),
            (private, 0x06, Seen::SystemHuge, true),
            (private, 0x02, Seen::SystemHuge, false),
            (private, 0x11, Seen::Zero, true),
            (private, 0x01, Seen::Zero, false),
            (private, 0x00, Seen::Absent, true),
            (private, 0x00, Seen::System, false),
            (private, 0xff, Seen::Device, false),
        ];
        for (flags, byte, seen, expected) in cases {
            assert_eq!(flags.matches(byte, seen), expected, "{byte:#x} {seen:?}");
        }
        let Err(Stop::Fail(why)) = private.all(&[0x22, 0x02, 0x22, 0x02], Seen::Device) else { panic!("two are not") };
        assert_eq!(why, "2 of 4 pages are not on the device: the snapshot has 0x02 for page 1");
        assert!(Flags::of(&abi("{}"), Place::Private).is_err());
    }
}
