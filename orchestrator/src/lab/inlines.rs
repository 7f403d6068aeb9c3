//! Which instructions of a kernel come from inlined functions: what its debug information says.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use gimli::{
    AttributeValue, DW_AT_abstract_origin, DW_AT_decl_file, DW_AT_name, DW_TAG_inlined_subroutine, EndianSlice,
    LittleEndian, UnitOffset,
};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, SectionFlags};

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
type Entry<'a> = gimli::DebuggingInformationEntry<Slice<'a>>;

/// Ranges of inlined code that a kernel may have.
const MAX_RANGES: usize = 8_000_000;

/// Why the inlined code of a kernel is not known although it has debug information.
#[derive(Debug, thiserror::Error)]
pub enum InlinesError {
    /// It is cut off or of an unknown kind.
    #[error("the debug information cannot be read: {0}")]
    Dwarf(#[from] gimli::Error),
    /// A section of the file lies outside of it.
    #[error("the debug information cannot be read: {0}")]
    Elf(#[from] object::Error),
    /// It is compressed.
    #[error("the debug information is compressed; set DEBUG_INFO_COMPRESSED_NONE")]
    Compressed,
    /// No kernel has so much.
    #[error("the kernel has more than {MAX_RANGES} ranges of inlined code")]
    TooMany,
}

/// Code of one inlined function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// The inlined function.
    pub function: Rc<str>,
}

/// The inlined code of a `vmlinux`, ascending and without overlaps; empty without debug information.
///
/// Functions are inlined into one another, several deep. An instruction counts for the innermost function of a `.c`
/// file; where all are from headers, for the outermost. So what accessors and atomic operations cost is told by those
/// who use them, a helper among a file's own functions by itself.
///
/// # Errors
/// When there is debug information that cannot be read.
pub(super) fn inlined_code(file: &ElfFile64<'_, Endianness>) -> Result<Vec<Stretch>, InlinesError> {
    let dwarf = Dwarf::load(|id| -> Result<Slice<'_>, InlinesError> {
        let Some(section) = file.section_by_name(id.name()) else { return Ok(Slice::default()) };
        match section.flags() {
            SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & object::elf::SHF_COMPRESSED.0 != 0 => {
                Err(InlinesError::Compressed)
            }
            _ => Ok(EndianSlice::new(section.data()?, LittleEndian)),
        }
    })?;
    let mut ranges = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        of_unit(&dwarf, &dwarf.unit(header)?, &mut ranges)?;
        if ranges.len() > MAX_RANGES {
            return Err(InlinesError::TooMany);
        }
    }
    Ok(flat(&ranges))
}

/// Inlined code as the debug information has it: ranges lie inside others.
#[derive(Debug)]
struct Range {
    start: u64,
    end: u64,
    /// How many functions deep.
    depth: usize,
    function: Rc<str>,
}

/// A function that is inlined somewhere.
#[derive(Debug, Clone)]
struct Origin {
    name: Rc<str>,
    /// Whether it stands in a `.c` file.
    in_source: bool,
}

/// Takes the inlined code of one object file.
fn of_unit<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, ranges: &mut Vec<Range>) -> gimli::Result<()> {
    let mut origins: HashMap<UnitOffset, Option<Origin>> = HashMap::new();
    // The inlined functions around the entry: how deep in the tree, and for whom their instructions count.
    let mut around: Vec<(isize, Option<Rc<str>>)> = Vec::new();
    let mut entries = unit.entries();
    while let Some(entry) = entries.next_dfs()? {
        while around.last().is_some_and(|(depth, _)| *depth >= entry.depth()) {
            around.pop();
        }
        if entry.tag() != DW_TAG_inlined_subroutine {
            continue;
        }
        let outer = around.last().and_then(|(_, function)| function.clone());
        let own = match origin_of(entry, unit) {
            Some(offset) => origins.entry(offset).or_insert_with(|| origin(dwarf, unit, offset)).clone(),
            None => None,
        };
        let function = match own {
            Some(own) if own.in_source || outer.is_none() => Some(own.name),
            Some(_) | None => outer.clone(),
        };
        around.push((entry.depth(), function.clone()));
        let Some(function) = function.filter(|function| Some(function) != outer.as_ref()) else { continue };
        let mut of_entry = dwarf.die_ranges(unit, entry)?;
        while let Some(range) = of_entry.next()? {
            let (start, end, depth) = (range.begin, range.end, around.len());
            ranges.push(Range { start, end, depth, function: Rc::clone(&function) });
        }
    }
    Ok(())
}

/// Where the unit describes the function that an entry is a copy of.
fn origin_of(entry: &Entry<'_>, unit: &Unit<'_>) -> Option<UnitOffset> {
    match entry.attr_value(DW_AT_abstract_origin)? {
        AttributeValue::UnitRef(offset) => Some(offset),
        AttributeValue::DebugInfoRef(offset) => offset.to_unit_offset(&unit.header),
        _ => None,
    }
}

/// Name and file of a function; `None` when it has none that can be told.
fn origin<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, offset: UnitOffset) -> Option<Origin> {
    let entry = unit.entry(offset).ok()?;
    let name = dwarf.attr_string(unit, entry.attr_value(DW_AT_name)?).ok()?;
    let name = std::str::from_utf8(name.slice()).ok().filter(|name| super::symbols::is_name(name))?;
    let file = match entry.attr_value(DW_AT_decl_file) {
        Some(AttributeValue::FileIndex(index)) => {
            let file = unit.line_program.as_ref().and_then(|program| program.header().file(index));
            file.and_then(|file| dwarf.attr_string(unit, file.path_name()).ok())
        }
        _ => None,
    };
    Some(Origin { name: name.into(), in_source: file.is_some_and(|file| file.slice().ends_with(b".c")) })
}

/// Ranges inside ranges as stretches one after the other: at each address the deepest one counts.
fn flat(ranges: &[Range]) -> Vec<Stretch> {
    let mut edges: Vec<(u64, bool, usize)> = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| range.start < range.end)
        .flat_map(|(index, range)| [(range.start, true, index), (range.end, false, index)])
        .collect();
    edges.sort_unstable();
    let mut open: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut edges = edges.into_iter().peekable();
    while let Some((at, begins, index)) = edges.next() {
        let key = (ranges[index].depth, index);
        if begins {
            open.insert(key);
        } else {
            open.remove(&key);
        }
        let (Some((end, ..)), Some((_, deepest))) = (edges.peek(), open.last()) else { continue };
        let function = &ranges[*deepest].function;
        match (at.cmp(end), stretches.last_mut()) {
            (Ordering::Equal | Ordering::Greater, _) => {}
            (Ordering::Less, Some(last)) if last.end == at && last.function == *function => last.end = *end,
            (Ordering::Less, _) => {
                stretches.push(Stretch { start: at, end: *end, function: Rc::clone(function) });
            }
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ranges: &[(u64, u64, usize, &str)]) -> Vec<(u64, u64, String)> {
        let range = |&(start, end, depth, function): &(u64, u64, usize, &str)| Range {
            start,
            end,
            depth,
            function: function.into(),
        };
        let ranges: Vec<Range> = ranges.iter().map(range).collect();
        flat(&ranges).into_iter().map(|stretch| (stretch.start, stretch.end, stretch.function.to_string())).collect()
    }

    #[test]
    fn the_deepest_function_has_the_instructions() {
        let stretches = told(&[
            (10, 50, 1, "outer"),
            (20, 30, 2, "inner"),
            (30, 35, 2, "inner"),
            (40, 50, 2, "last"),
            (60, 70, 1, "outer"),
            (70, 80, 1, "outer"),
        ]);
        let expected = [(10, 20, "outer"), (20, 35, "inner"), (35, 40, "outer"), (40, 50, "last"), (60, 80, "outer")];
        assert_eq!(stretches, expected.map(|(start, end, name)| (start, end, name.to_owned())));
    }

    #[test]
    fn ranges_that_cross_lose_nothing() {
        let stretches = told(&[(10, 30, 1, "a"), (20, 40, 2, "b"), (15, 15, 3, "nothing")]);
        assert_eq!(stretches, [(10, 20, "a".to_owned()), (20, 40, "b".to_owned())]);
        assert!(told(&[]).is_empty());
    }
}
