//! What can be measured, and what it is called.

use std::fmt;

/// Bytes of a base page.
pub const PAGE: usize = 4096;
/// Bytes of a huge page.
pub const HUGE: usize = 2 << 20;

/// Whose memory: the fixture in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Device memory that the CPU cannot reach (`/dev/hmm_dmirror0`).
    Private,
    /// Device memory that the CPU can reach (`/dev/hmm_dmirror2`).
    Coherent,
    /// No device: system memory of two nodes.
    System,
}

/// What is done: the variant in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Memory migrates to the device.
    ToDevice,
    /// Memory on the device migrates back when asked to.
    ToSystem,
    /// Memory on the device comes back because the CPU touches it.
    FaultBack,
    /// The device faults memory in and then has it migrated: the page tables are walked twice.
    FaultThenMigrate,
    /// The same in one walk: migration by `hmm_range_fault()`, then the access.
    MigrateOnFault,
    /// The same in one walk: migration by `migrate_vma_setup()` that faults, then the access.
    SetupFault,
    /// The device looks at page tables.
    Snapshot,
    /// The device reads memory where it is.
    Read,
    /// The device writes memory where it is.
    Write,
    /// `move_pages(2)` to another node.
    MovePages,
}

/// What the memory is like before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Base pages that were written to.
    Present,
    /// Huge pages that were written to.
    Thp,
    /// The zero page, mapped by reading.
    Zero,
    /// Base pages shared with a child.
    Cow,
    /// Base pages shared with a child, and the device wants to write.
    CowWrite,
    /// Never touched.
    Absent,
    /// Never touched, and the device wants to write.
    AbsentWrite,
    /// On the device.
    Device,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Whose memory.
    pub place: Place,
    /// What is done.
    pub operation: Operation,
    /// To what memory.
    pub memory: Memory,
    /// How much, in bytes.
    pub size: usize,
}

const K: usize = 1 << 10;
const M: usize = 1 << 20;
const ALL: &[usize] = &[4 * K, 64 * K, 2 * M, 16 * M, 64 * M, 256 * M];
const TO_64M: &[usize] = &[4 * K, 64 * K, 2 * M, 16 * M, 64 * M];
const TO_16M: &[usize] = &[4 * K, 64 * K, 2 * M, 16 * M];
const TO_2M: &[usize] = &[4 * K, 64 * K, 2 * M];
const HUGE_ALL: &[usize] = &[2 * M, 16 * M, 64 * M, 256 * M];
const HUGE_64M: &[usize] = &[2 * M, 16 * M, 64 * M];
const HUGE_16M: &[usize] = &[2 * M, 16 * M];

/// Kinds of memory, each with its sizes.
type Kinds = &'static [(Memory, &'static [usize])];

/// What a device can do with which memory in which sizes.
const DEVICE: &[(Operation, Kinds)] = {
    use Memory::*;
    &[
        (Operation::ToDevice, &[(Present, ALL), (Thp, HUGE_ALL), (Zero, TO_16M), (Cow, TO_16M), (Absent, TO_16M)]),
        (Operation::ToSystem, &[(Present, ALL), (Thp, HUGE_ALL)]),
        (Operation::FaultBack, &[(Present, TO_16M), (Thp, HUGE_16M)]),
        (Operation::FaultThenMigrate, ON_FAULT),
        (Operation::MigrateOnFault, ON_FAULT),
        (Operation::SetupFault, SETUP_FAULT),
        (Operation::Snapshot, &[(Present, TO_16M), (Thp, HUGE_16M), (Absent, TO_16M), (Device, TO_16M)]),
        (Operation::Read, &[(Present, TO_16M), (Thp, HUGE_16M), (Absent, TO_16M), (Device, TO_2M)]),
        (Operation::Write, &[(Present, TO_16M), (Thp, HUGE_16M), (Absent, TO_16M), (Cow, TO_2M), (Device, TO_2M)]),
    ]
};

const SETUP_FAULT: Kinds = &[
    (Memory::Present, TO_16M),
    (Memory::Thp, HUGE_16M),
    (Memory::Zero, TO_2M),
    (Memory::Cow, TO_2M),
    (Memory::Absent, TO_16M),
];

const ON_FAULT: Kinds = &[
    (Memory::Present, TO_64M),
    (Memory::Thp, HUGE_64M),
    (Memory::Zero, TO_16M),
    (Memory::Cow, TO_16M),
    (Memory::CowWrite, TO_2M),
    (Memory::Absent, TO_64M),
    (Memory::AbsentWrite, TO_16M),
];

const SYSTEM: &[(Operation, Kinds)] = &[(Operation::MovePages, &[(Memory::Present, ALL), (Memory::Thp, HUGE_ALL)])];

/// All metrics: small ones first, because much memory that was freed makes later readings restless; of one size, those
/// of one place and operation together.
pub fn all() -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (place, table) in [(Place::Private, DEVICE), (Place::Coherent, DEVICE), (Place::System, SYSTEM)] {
        for (operation, kinds) in table {
            // What the CPU can reach does not come back because it is touched.
            if place == Place::Coherent && *operation == Operation::FaultBack {
                continue;
            }
            for (memory, sizes) in *kinds {
                let metric = |size: &usize| Metric { place, operation: *operation, memory: *memory, size: *size };
                metrics.extend(sizes.iter().map(metric));
            }
        }
    }
    metrics.sort_by_key(|metric| metric.size.max(HUGE));
    metrics
}

impl Metric {
    /// The metric of this name.
    pub fn find(name: &str) -> Option<Metric> {
        all().into_iter().find(|metric| metric.to_string() == name)
    }

    /// The part of the name that the table calls the test.
    pub fn test(&self) -> String {
        let size = match self.size {
            size if size >= M => format!("{}M", size / M),
            size => format!("{}K", size / K),
        };
        format!("{}-{size}", self.memory)
    }

    /// Base pages.
    pub fn pages(&self) -> usize {
        self.size / PAGE
    }

    /// How many readings are taken. Long ones see many ticks whenever they begin, and cost much; fewer than four give
    /// no verdict.
    pub fn phases(&self) -> u32 {
        if self.size <= 2 * M { 8 } else { 4 }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}.{}.{}", self.place, self.operation, self.test())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Place::Private => "private",
            Place::Coherent => "coherent",
            Place::System => "system",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Operation::ToDevice => "to-device",
            Operation::ToSystem => "to-system",
            Operation::FaultBack => "fault-back",
            Operation::FaultThenMigrate => "fault-then-migrate",
            Operation::MigrateOnFault => "migrate-on-fault",
            Operation::SetupFault => "setup-fault",
            Operation::Snapshot => "snapshot",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::MovePages => "move-pages",
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Memory::Present => "present",
            Memory::Thp => "thp",
            Memory::Zero => "zero",
            Memory::Cow => "cow",
            Memory::CowWrite => "cow-write",
            Memory::Absent => "absent",
            Memory::AbsentWrite => "absent-write",
            Memory::Device => "device",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_unique_and_leads_back_to_its_metric() {
        let metrics = all();
        let names: BTreeSet<String> = metrics.iter().map(Metric::to_string).collect();
        assert_eq!(names.len(), metrics.len());
        for metric in &metrics {
            assert_eq!(Metric::find(&metric.to_string()), Some(*metric));
            assert_eq!(metric.to_string().split('.').count(), 3, "{metric}");
        }
        assert_eq!(Metric::find("private.to-device.present-2m"), None);
    }

    #[test]
    fn names_are_those_of_the_documentation() {
        let metric =
            Metric { place: Place::Private, operation: Operation::ToDevice, memory: Memory::Present, size: 2 * M };
        assert_eq!((metric.to_string().as_str(), metric.pages()), ("private.to-device.present-2M", 512));
        let metric =
            Metric { place: Place::System, operation: Operation::MovePages, memory: Memory::Thp, size: 256 * M };
        assert_eq!(metric.to_string(), "system.move-pages.thp-256M");
        assert!(Metric::find("coherent.fault-then-migrate.absent-write-4K").is_some());
    }

    #[test]
    fn sizes_fit_their_memory() {
        for metric in all() {
            assert_eq!(metric.size % if metric.memory == Memory::Thp { HUGE } else { PAGE }, 0, "{metric}");
            assert!(metric.phases() >= 4);
        }
    }

    #[test]
    fn two_walks_and_one_are_measured_on_the_same_memory() {
        let of = |operation| -> Vec<String> {
            let metrics = all().into_iter().filter(|metric| metric.operation == operation);
            metrics.map(|metric| format!("{} {}", metric.place, metric.test())).collect()
        };
        assert_eq!(of(Operation::FaultThenMigrate), of(Operation::MigrateOnFault));
    }

    #[test]
    fn the_cpu_faults_back_only_what_it_cannot_reach() {
        assert!(all().iter().all(|m| m.operation != Operation::FaultBack || m.place == Place::Private));
    }
}
