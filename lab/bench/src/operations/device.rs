//! Operations of the test driver's devices.

use nix::errno::Errno;

use crate::abi::Abi;
use crate::area::{Area, Content, Slot};
use crate::child::Child;
use crate::device::{Command, Device, Flags, Seen};
use crate::measure::{Stop, Work};
use crate::metric::{HUGE, Memory, Metric, Operation, PAGE};

/// What a device works with.
pub struct DeviceWork {
    metric: Metric,
    device: Device,
    flags: Flags,
    to_device: Command,
    snapshot: Command,
    /// The measured ioctls, called in this order.
    steps: Vec<Command>,
    /// What the device reads goes here.
    mirror: Area,
    /// What the device writes comes from here.
    source: Area,
    subject: Option<Area>,
    child: Option<Child>,
    seen: Vec<u8>,
}

/// How the measured part ended: the first step that failed.
type Done = Result<(), (usize, Errno)>;

impl DeviceWork {
    /// Opens the device and makes the buffers.
    pub fn new(metric: &Metric, abi: &Abi) -> Result<Self, Stop> {
        let steps = steps(metric, abi)?;
        let device = Device::open(metric.place)?;
        let mut work = DeviceWork {
            metric: *metric,
            device,
            flags: Flags::of(abi, metric.place)?,
            to_device: required(abi, "HMM_DMIRROR_MIGRATE_TO_DEV")?,
            snapshot: required(abi, "HMM_DMIRROR_SNAPSHOT")?,
            steps,
            mirror: Area::buffer(Slot::Mirror, metric.size, Content::Stale)?,
            source: Area::buffer(Slot::Source, if writes(metric) { metric.size } else { PAGE }, Content::Device)?,
            subject: None,
            child: None,
            seen: vec![0; metric.pages()],
        };
        work.aim();
        Ok(work)
    }

    /// The memory worked on is always at the same place.
    fn aim(&mut self) {
        let (subject, pages) = (Slot::Subject.address(), self.metric.pages());
        let (mirror, source) = (self.mirror.address(), self.source.address());
        self.to_device.aim(subject, pages, mirror);
        self.snapshot.aim(subject, pages, self.seen.as_mut_ptr() as u64);
        for step in &mut self.steps {
            let buffer = match step.name() {
                "HMM_DMIRROR_WRITE" => source,
                "HMM_DMIRROR_SNAPSHOT" => self.seen.as_mut_ptr() as u64,
                _ => mirror,
            };
            step.aim(subject, pages, buffer);
        }
    }

    /// Looks at the memory through the device.
    fn look(&mut self, seen: Seen) -> Result<(), Stop> {
        self.seen.fill(0xff);
        self.device.call(&mut self.snapshot).map_err(|error| failed(&self.snapshot, error))?;
        self.flags.all(&self.seen, seen)
    }

    fn migrate_to_device(&mut self) -> Result<(), Stop> {
        self.device.call(&mut self.to_device).map_err(|error| failed(&self.to_device, error))?;
        all_done(&self.to_device, &[self.metric.pages()])?;
        self.look(Seen::Device)
    }

    fn subject(&self) -> Result<&Area, Stop> {
        self.subject.as_ref().ok_or_else(|| Stop::Fail("the memory is gone".to_owned()))
    }
}

impl Work for DeviceWork {
    type Done = Done;

    fn prepare(&mut self, first: bool) -> Result<(), Stop> {
        let memory = self.metric.memory;
        let area = self.subject.insert(Area::map(Slot::Subject, self.metric.size, memory == Memory::Thp)?);
        let seen = match memory {
            Memory::Present | Memory::Device => {
                area.fill(Content::Cpu);
                Seen::System
            }
            Memory::Thp => {
                area.fill(Content::Cpu);
                if first {
                    area.must_be_huge()?;
                }
                Seen::SystemHuge
            }
            Memory::Zero => {
                area.touch();
                Seen::Zero
            }
            Memory::Cow | Memory::CowWrite => {
                area.fill(Content::Cpu);
                self.child = Some(Child::new()?);
                Seen::System
            }
            Memory::Absent | Memory::AbsentWrite => Seen::Absent,
        };
        if first {
            self.look(seen)?;
        }
        if begins_on_device(&self.metric) {
            self.migrate_to_device()?;
        }
        self.mirror.fill(Content::Stale);
        self.seen.fill(0xff);
        Ok(())
    }

    #[inline(always)]
    fn run(&mut self) -> Done {
        if self.metric.operation == Operation::FaultBack {
            if let Some(area) = &self.subject {
                area.touch();
            }
            return Ok(());
        }
        for (at, step) in self.steps.iter_mut().enumerate() {
            self.device.call(step).map_err(|error| (at, error))?;
        }
        Ok(())
    }

    fn check(&mut self, done: Done) -> Result<(), Stop> {
        done.map_err(|(at, error)| failed(&self.steps[at], error))?;
        let pages = self.metric.pages();
        // A kernel that migrates huge pages as a whole counts each once.
        let huge = if self.metric.memory == Memory::Thp { pages * PAGE / HUGE } else { pages };
        for step in &self.steps {
            let counts = if step.name() == "HMM_DMIRROR_MIGRATE_TO_SYS" { &[pages, huge][..] } else { &[pages] };
            all_done(step, counts)?;
        }
        match self.metric.operation {
            Operation::ToDevice => self.migrated(before(self.metric.memory)),
            Operation::FaultThenMigrate | Operation::MigrateOnFault | Operation::SetupFault => {
                self.check_faults()?;
                self.migrated(after(&self.metric))?;
                if writes(&self.metric) {
                    self.subject()?.holds(Content::Device, "what the device wrote")?;
                }
                Ok(())
            }
            Operation::ToSystem | Operation::FaultBack => {
                self.look(Seen::System)?;
                self.subject()?.holds(Content::Cpu, "memory that came back from the device")
            }
            Operation::Snapshot => self.flags.all(
                &self.seen,
                match self.metric.memory {
                    Memory::Thp => Seen::SystemHuge,
                    Memory::Absent | Memory::AbsentWrite => Seen::Absent,
                    Memory::Device => Seen::Device,
                    Memory::Zero => Seen::Zero,
                    Memory::Present | Memory::Cow | Memory::CowWrite => Seen::System,
                },
            ),
            Operation::Read => {
                self.mirror.holds(after(&self.metric), "what the device read")?;
                self.look(match self.metric.memory {
                    Memory::Device => Seen::Device,
                    Memory::Absent | Memory::AbsentWrite | Memory::Zero => Seen::Zero,
                    Memory::Present | Memory::Thp | Memory::Cow | Memory::CowWrite => Seen::System,
                })
            }
            Operation::Write => {
                self.look(if self.metric.memory == Memory::Device { Seen::Device } else { Seen::System })?;
                self.subject()?.holds(Content::Device, "what the device wrote")
            }
            Operation::MovePages => Err(Stop::Fail("move-pages needs no device".to_owned())),
        }
    }

    fn clean_up(&mut self) -> Result<(), Stop> {
        self.child = None;
        self.subject = None;
        Ok(())
    }
}

impl DeviceWork {
    /// All is on the device, which sees `content`.
    fn migrated(&mut self, content: Content) -> Result<(), Stop> {
        self.look(Seen::Device)?;
        self.mirror.holds(content, "what the device has")
    }

    /// Where access comes first, it must have faulted; after a migration on fault nothing is left to be faulted in.
    fn check_faults(&self) -> Result<(), Stop> {
        let expected = if self.metric.operation == Operation::FaultThenMigrate { 1 } else { 0 };
        let access = self.steps.iter().find(|step| ["HMM_DMIRROR_READ", "HMM_DMIRROR_WRITE"].contains(&step.name()));
        match access.map(Command::faults) {
            Some(faults) if faults == expected => Ok(()),
            faults => Err(Stop::Fail(format!("the device took {faults:?} faults to access it instead of {expected}"))),
        }
    }
}

/// The ioctls that are measured.
///
/// Two walks and one do the same work but for the walk: the device accesses the memory, all of it ends on the device,
/// and the contents are read back once (a migration does that by itself). With two walks the access comes first and
/// faults; with one walk it comes second and finds everything in place.
fn steps(metric: &Metric, abi: &Abi) -> Result<Vec<Command>, Stop> {
    let write = writes(metric);
    let access = || required(abi, if write { "HMM_DMIRROR_WRITE" } else { "HMM_DMIRROR_READ" });
    let migrate = || required(abi, "HMM_DMIRROR_MIGRATE_TO_DEV");
    Ok(match metric.operation {
        Operation::ToDevice => vec![migrate()?],
        Operation::ToSystem => vec![required(abi, "HMM_DMIRROR_MIGRATE_TO_SYS")?],
        Operation::FaultThenMigrate => vec![access()?, migrate()?],
        Operation::MigrateOnFault => vec![on_fault(abi, write, false)?, access()?],
        Operation::SetupFault => vec![on_fault(abi, write, true)?, access()?],
        Operation::Snapshot => vec![required(abi, "HMM_DMIRROR_SNAPSHOT")?],
        Operation::Read | Operation::Write => vec![access()?],
        Operation::FaultBack | Operation::MovePages => Vec::new(),
    })
}

/// The ioctl that migrates on fault, by `hmm_range_fault()` or by `migrate_vma_setup()`.
fn on_fault(abi: &Abi, write: bool, setup: bool) -> Result<Command, Stop> {
    const NAME: &str = "HMM_DMIRROR_MIGRATE_ON_FAULT";
    let mut flags = 0;
    for (wanted, name) in [(write, "HMM_DMIRROR_MIGRATE_WRITE"), (setup, "HMM_DMIRROR_MIGRATE_SETUP")] {
        if wanted && abi.constant(NAME).is_some() {
            flags |= abi
                .constant(name)
                .ok_or_else(|| Stop::Skip(format!("the test driver of this kernel has no {name}")))?;
        }
    }
    if let Some(command) = Command::with_flags(abi, NAME, flags)? {
        return Ok(command);
    }
    // Other versions of the interface take the plain structure, and always ask for write access.
    let plain = if setup { None } else { Command::plain(abi, "HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV")? };
    plain.ok_or_else(|| Stop::Skip(format!("the test driver of this kernel has no {NAME}")))
}

fn required(abi: &Abi, name: &'static str) -> Result<Command, Stop> {
    Command::plain(abi, name)?.ok_or_else(|| Stop::Fail(format!("lib/test_hmm_uapi.h has no {name}")))
}

/// Whether the device writes.
fn writes(metric: &Metric) -> bool {
    metric.operation == Operation::Write || matches!(metric.memory, Memory::AbsentWrite | Memory::CowWrite)
}

/// Whether the memory is on the device when the reading begins.
fn begins_on_device(metric: &Metric) -> bool {
    metric.memory == Memory::Device || matches!(metric.operation, Operation::ToSystem | Operation::FaultBack)
}

/// What memory holds at first.
fn before(memory: Memory) -> Content {
    match memory {
        Memory::Zero | Memory::Absent | Memory::AbsentWrite => Content::Zero,
        Memory::Present | Memory::Thp | Memory::Cow | Memory::CowWrite | Memory::Device => Content::Cpu,
    }
}

/// What the device reads last from memory it accessed.
///
/// A write that comes after the migration is not read back: the migration's own reading came before it.
fn after(metric: &Metric) -> Content {
    let read_back = metric.operation == Operation::FaultThenMigrate;
    if writes(metric) && read_back { Content::Device } else { before(metric.memory) }
}

fn failed(command: &Command, error: Errno) -> Stop {
    Stop::Fail(format!("{}: {error}", command.name()))
}

/// Whether a command did as many pages as one of `counts`.
fn all_done(command: &Command, counts: &[usize]) -> Result<(), Stop> {
    let done = command.done();
    if counts.iter().any(|count| done == *count as u64) {
        return Ok(());
    }
    Err(Stop::Fail(format!("{} did {done} of {} pages", command.name(), counts[0])))
}
