//! `move_pages(2)` from one node to another.

use std::os::raw::{c_int, c_void};

use nix::errno::Errno;
use nix::libc;

use crate::area::{Area, Content, Slot};
use crate::measure::{Stop, Work};
use crate::metric::{HUGE, Memory, Metric, PAGE};

/// Nodes that have memory.
const NODES: &str = "/sys/devices/system/node/has_memory";

/// Only pages that nobody else maps.
const MPOL_MF_MOVE: c_int = 1 << 1;

/// Moves an area from the first node to the second.
pub struct MovePages {
    huge: bool,
    size: usize,
    from: Vec<c_int>,
    to: Vec<c_int>,
    addresses: Vec<usize>,
    status: Vec<c_int>,
    area: Option<Area>,
}

impl MovePages {
    /// Finds two nodes.
    pub fn new(metric: &Metric) -> Result<Self, Stop> {
        let text = std::fs::read_to_string(NODES).unwrap_or_default();
        let [from, to, ..] = numbers(&text)[..] else {
            return Err(Stop::Skip("it takes two nodes with memory (boot a NUMA kconfig)".to_owned()));
        };
        let huge = metric.memory == Memory::Thp;
        // A huge page moves as a whole and is asked for once.
        let count = metric.size / if huge { HUGE } else { PAGE };
        Ok(MovePages {
            huge,
            size: metric.size,
            from: vec![from; count],
            to: vec![to; count],
            addresses: vec![0; count],
            status: vec![0; count],
            area: None,
        })
    }

    fn check_status(&self, target: &[c_int], what: &str) -> Result<(), Stop> {
        match self.status.iter().zip(target).filter(|(found, wanted)| found != wanted).count() {
            0 => Ok(()),
            wrong => Err(Stop::Fail(format!("{what}: {wrong} of {} are not on node {}", target.len(), target[0]))),
        }
    }
}

/// Calls the system call; without nodes it only asks where the pages are.
#[inline(always)]
fn move_pages(addresses: &[usize], nodes: Option<&[c_int]>, status: &mut [c_int]) -> Result<i64, Errno> {
    let nodes = nodes.map_or(std::ptr::null(), <[c_int]>::as_ptr);
    // SAFETY: all three have the same length; the kernel writes to `status` alone.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_pages,
            0,
            addresses.len(),
            addresses.as_ptr().cast::<*const c_void>(),
            nodes,
            status.as_mut_ptr(),
            MPOL_MF_MOVE,
        )
    };
    Errno::result(result)
}

/// The numbers of a list like `0-1,3`.
fn numbers(list: &str) -> Vec<c_int> {
    const MOST: usize = 1024;
    let range = |part: &str| -> Option<std::ops::RangeInclusive<c_int>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().take(MOST).collect()
}

impl Work for MovePages {
    type Done = Result<i64, Errno>;

    fn prepare(&mut self, first: bool) -> Result<(), Stop> {
        let area = self.area.insert(Area::map(Slot::Subject, self.size, self.huge)?);
        area.fill(Content::Cpu);
        let step = if self.huge { HUGE } else { PAGE };
        for (at, address) in self.addresses.iter_mut().enumerate() {
            *address = area.address() as usize + at * step;
        }
        if first && self.huge {
            area.must_be_huge()?;
        }
        match move_pages(&self.addresses, Some(&self.from), &mut self.status) {
            Ok(_) => self.check_status(&self.from, "before"),
            Err(Errno::ENOSYS) => Err(Stop::Skip("this kernel has no move_pages()".to_owned())),
            Err(error) => Err(Stop::Fail(format!("move_pages() to the first node: {error}"))),
        }
    }

    #[inline(always)]
    fn run(&mut self) -> Self::Done {
        move_pages(&self.addresses, Some(&self.to), &mut self.status)
    }

    fn check(&mut self, done: Self::Done) -> Result<(), Stop> {
        match done {
            Ok(0) => {}
            Ok(left) => return Err(Stop::Fail(format!("move_pages() left {left} behind"))),
            Err(error) => return Err(Stop::Fail(format!("move_pages(): {error}"))),
        }
        self.check_status(&self.to, "as move_pages() said")?;
        move_pages(&self.addresses, None, &mut self.status)
            .map_err(|error| Stop::Fail(format!("asking where the pages are: {error}")))?;
        self.check_status(&self.to, "asked afterwards")?;
        self.area.as_ref().map_or(Ok(()), |area| area.holds(Content::Cpu, "memory after it moved"))
    }

    fn clean_up(&mut self) -> Result<(), Stop> {
        self.area = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_nodes_are_read() {
        let cases = [("0\n", vec![0]), ("0-1\n", vec![0, 1]), ("0,2-3", vec![0, 2, 3]), ("", vec![]), ("x", vec![])];
        for (text, expected) in cases {
            assert_eq!(numbers(text), expected, "{text}");
        }
        assert_eq!(numbers("0-999999999").len(), 1024);
    }

    #[test]
    fn pages_on_another_node_are_counted() {
        let work = MovePages {
            huge: false,
            size: 0,
            from: vec![0; 3],
            to: vec![1; 3],
            addresses: vec![],
            status: vec![1, 0, -2],
            area: None,
        };
        let expected = "before: 2 of 3 are not on node 0".to_owned();
        assert_eq!(work.check_status(&work.from, "before"), Err(Stop::Fail(expected)));
    }
}
