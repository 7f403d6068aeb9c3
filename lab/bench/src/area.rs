//! Memory to work on, always at the same addresses.

use std::num::NonZeroUsize;
use std::os::raw::c_void;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::measure::Stop;
use crate::metric::{HUGE, PAGE};

/// Offsets of the words of a page that are written and looked at.
const WORDS: [usize; 3] = [0, 2040, PAGE - 8];

/// Places of areas, far from each other and from what the C library maps. All are aligned to huge pages.
#[derive(Debug, Clone, Copy)]
pub enum Slot {
    /// What the operation works on.
    Subject,
    /// Where the device puts what it reads.
    Mirror,
    /// What the device writes.
    Source,
}

impl Slot {
    /// Where it begins.
    pub fn address(self) -> u64 {
        match self {
            Slot::Subject => 0x1000_0000_0000,
            Slot::Mirror => 0x1100_0000_0000,
            Slot::Source => 0x1200_0000_0000,
        }
    }
}

/// Which contents a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing but zeroes.
    Zero,
    /// What the CPU wrote.
    Cpu,
    /// What the device wrote.
    Device,
    /// What is in a buffer before the device writes into it.
    Stale,
}

impl Content {
    fn word(self, page: usize, word: usize) -> u64 {
        match self {
            Content::Zero => 0,
            Content::Cpu => mix((page * WORDS.len() + word) as u64 + 1),
            Content::Device => mix((page * WORDS.len() + word) as u64 + (1 << 40)),
            Content::Stale => 0xa5a5_a5a5_a5a5_a5a5,
        }
    }
}

/// A bijection that makes neighbouring numbers look nothing like each other (the finaliser of splitmix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// A private anonymous mapping.
#[derive(Debug)]
pub struct Area {
    start: NonNull<c_void>,
    size: usize,
}

impl Area {
    /// Maps memory that is not there yet and will come in base pages; in huge pages when `huge`.
    pub fn map(slot: Slot, size: usize, huge: bool) -> Result<Area, Stop> {
        let fail = |what: &str, error: Errno| Stop::Fail(format!("{what} of {size} bytes: {error}"));
        let length = NonZeroUsize::new(size).ok_or_else(|| Stop::Fail("an area of no size".to_owned()))?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE | MapFlags::MAP_FIXED_NOREPLACE;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: nothing is mapped over (NOREPLACE).
        let start = unsafe { mmap_anonymous(NonZeroUsize::new(slot.address() as usize), length, access, flags) }
            .map_err(|error| fail("mmap", error))?;
        let area = Area { start, size };
        let advice = if huge { MmapAdvise::MADV_HUGEPAGE } else { MmapAdvise::MADV_NOHUGEPAGE };
        match area.advise(advice) {
            Ok(()) => Ok(area),
            // A kernel without huge pages does not know the advice, and has base pages anyway.
            Err(Errno::EINVAL) if huge => Err(Stop::Skip("this kernel has no transparent huge pages".to_owned())),
            Err(Errno::EINVAL) => Ok(area),
            Err(error) => Err(fail("madvise", error)),
        }
    }

    /// A buffer that is there, and that a child does not share.
    pub fn buffer(slot: Slot, size: usize, content: Content) -> Result<Area, Stop> {
        let area = Area::map(slot, size, false)?;
        area.advise(MmapAdvise::MADV_DONTFORK).map_err(|error| Stop::Fail(format!("madvise: {error}")))?;
        area.fill(content);
        Ok(area)
    }

    fn advise(&self, advice: MmapAdvise) -> nix::Result<()> {
        // SAFETY: the range is ours, and none of the advices used changes what it holds.
        unsafe { madvise(self.start, self.size, advice) }
    }

    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Base pages in it.
    pub fn pages(&self) -> usize {
        self.size / PAGE
    }

    fn word(&self, page: usize, offset: usize) -> *mut u64 {
        debug_assert!(page < self.pages() && offset < PAGE);
        // SAFETY: within the mapping, as asserted.
        unsafe { self.start.as_ptr().byte_add(page * PAGE + offset).cast() }
    }

    /// Writes to every page.
    pub fn fill(&self, content: Content) {
        for page in 0..self.pages() {
            for (word, offset) in WORDS.into_iter().enumerate() {
                // SAFETY: mapped, writable and aligned.
                unsafe { self.word(page, offset).write_volatile(content.word(page, word)) };
            }
        }
    }

    /// Reads from every page.
    #[inline(always)]
    pub fn touch(&self) {
        for page in 0..self.pages() {
            // SAFETY: mapped, readable and aligned.
            unsafe { self.word(page, 0).read_volatile() };
        }
    }

    /// Whether every page has this content; else where it does not.
    pub fn holds(&self, content: Content, what: &str) -> Result<(), Stop> {
        for page in 0..self.pages() {
            for (word, offset) in WORDS.into_iter().enumerate() {
                // SAFETY: mapped, readable and aligned.
                let found = unsafe { self.word(page, offset).read_volatile() };
                let expected = content.word(page, word);
                if found != expected {
                    return Err(Stop::Fail(format!(
                        "{what}: page {page} of {} has {found:#x} at {offset:#x} instead of {expected:#x}",
                        self.pages()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether all of it is mapped by huge pages. Having none is the machine's choice, having some is bad luck.
    pub fn must_be_huge(&self) -> Result<(), Stop> {
        let text = std::fs::read_to_string("/proc/self/smaps")
            .map_err(|error| Stop::Fail(format!("/proc/self/smaps: {error}")))?;
        let (found, all) = (huge_bytes(&text, self.start.as_ptr() as usize), self.size);
        match found {
            Some(found) if found == all => Ok(()),
            Some(0) | None => Err(Stop::Skip("this machine gives no transparent huge pages".to_owned())),
            Some(found) => Err(Stop::Fail(format!("only {} of {} huge pages were given", found / HUGE, all / HUGE))),
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody holds a pointer into it any more.
        let _ = unsafe { munmap(self.start, self.size) };
    }
}

/// Bytes that `smaps` says are in huge pages in the mapping that begins at `start`.
fn huge_bytes(smaps: &str, start: usize) -> Option<usize> {
    let head = format!("{start:x}-");
    let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&head));
    let line = lines.find_map(|line| line.strip_prefix("AnonHugePages:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_differ_between_words_pages_and_writers() {
        let words = |content: Content| (0..4).flat_map(move |page| (0..3).map(move |word| content.word(page, word)));
        let mut all: Vec<u64> = words(Content::Cpu).chain(words(Content::Device)).collect();
        all.extend([0, Content::Stale.word(0, 0)]);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    // One test, because areas have fixed addresses.
    #[test]
    fn an_area_says_where_it_does_not_hold_what_it_should() {
        let area = Area::buffer(Slot::Source, 2 * PAGE, Content::Cpu).unwrap();
        assert_eq!(area.holds(Content::Cpu, "x"), Ok(()));
        let Err(Stop::Fail(why)) = area.holds(Content::Zero, "memory") else { panic!("it is not empty") };
        assert!(why.starts_with("memory: page 0 of 2 has 0x") && why.ends_with(" at 0x0 instead of 0x0"), "{why}");
        // SAFETY: within the area.
        unsafe { area.word(1, PAGE - 8).write_volatile(7) };
        let Err(Stop::Fail(why)) = area.holds(Content::Cpu, "memory") else { panic!("a word was changed") };
        assert!(why.starts_with("memory: page 1 of 2 has 0x7 at 0xff8 instead of"), "{why}");
        assert!(matches!(Area::map(Slot::Source, PAGE, false), Err(Stop::Fail(_))), "nothing is mapped over");
        drop(area);
        assert_eq!(Area::map(Slot::Source, PAGE, false).unwrap().holds(Content::Zero, "x"), Ok(()));
    }

    #[test]
    fn huge_pages_are_read_from_the_right_mapping() {
        let smaps = "10000-20000 rw-p 0 0:0 0\nSize: 64 kB\nAnonHugePages:      2048 kB\n\
                     100000000000-100000400000 rw-p 0 0:0 0\nRss: 1 kB\nAnonHugePages:      4096 kB\nVmFlags: rd\n";
        assert_eq!(huge_bytes(smaps, 0x1000_0000_0000), Some(4 << 20));
        assert_eq!(huge_bytes(smaps, 0x10000), Some(2 << 20));
        assert_eq!(huge_bytes(smaps, 0x30000), None);
    }
}
