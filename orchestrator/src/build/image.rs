//! What of a kernel is loaded, hashed; and modules in the order they can be loaded.

use std::collections::{BTreeMap, BTreeSet};

use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection, SectionFlags};

/// Note type of a build id.
const NT_GNU_BUILD_ID: u32 = 3;

/// Adds the parts of an ELF file that end up in memory to `hasher`. What else a file holds (debug information, the
/// build id that is a hash over it) may differ without the kernel being another.
///
/// # Errors
/// When it is no ELF file of 64 or 32 bits; one line.
pub(super) fn hash_loaded(hasher: &mut blake3::Hasher, bytes: &[u8]) -> Result<(), String> {
    match object::FileKind::parse(bytes).map_err(|error| error.to_string())? {
        object::FileKind::Elf64 => hash_elf::<object::elf::FileHeader64<Endianness>>(hasher, bytes),
        object::FileKind::Elf32 => hash_elf::<object::elf::FileHeader32<Endianness>>(hasher, bytes),
        other => Err(format!("not an ELF file: {other:?}")),
    }
}

fn hash_elf<H: FileHeader<Endian = Endianness>>(hasher: &mut blake3::Hasher, bytes: &[u8]) -> Result<(), String> {
    let file = object::read::elf::ElfFile::<H>::parse(bytes).map_err(|error| error.to_string())?;
    let relocatable = file.kind() == object::ObjectKind::Relocatable;
    for section in file.sections() {
        let name = section.name().unwrap_or_default();
        let flags = match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.0,
            _ => 0,
        };
        // A module is relocated when it is loaded: symbols and relocations belong to it.
        let debug = [".debug_", ".rela.debug_", ".comment", ".gnu"].iter().any(|prefix| name.starts_with(prefix));
        let loaded = flags & object::elf::SHF_ALLOC.0 != 0;
        if name == ".note.gnu.build-id" || !(loaded || relocatable && !debug) {
            continue;
        }
        let mut data = section.data().map_err(|error| format!("section {name}: {error}"))?.to_vec();
        if name.starts_with(".note") {
            blank_build_id(&mut data);
        }
        let place = (name, section.address(), section.size(), flags, data.len());
        hasher.update(format!("{place:?}\n").as_bytes());
        hasher.update(&data);
    }
    Ok(())
}

/// Overwrites build ids in a section of notes (little endian, as on every architecture that boots here).
fn blank_build_id(data: &mut [u8]) {
    let word = |data: &[u8], at: usize| {
        let bytes = data.get(at..at + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let aligned = |length: u32| (length as usize).next_multiple_of(4);
    let mut at = 0;
    while let (Some(name), Some(desc), Some(kind)) = (word(data, at), word(data, at + 4), word(data, at + 8)) {
        let start = at + 12 + aligned(name);
        let end = start + desc as usize;
        if end > data.len() {
            return;
        }
        if kind == NT_GNU_BUILD_ID && data[at + 12..].starts_with(b"GNU\0") {
            data[start..end].fill(0);
        }
        at = start + aligned(desc);
    }
}

/// The GNU build id of a kernel in hex, which the running kernel tells in `/sys/kernel/notes`; `None` when it has none.
///
/// # Errors
/// When it is no ELF file; one line.
pub fn build_id(bytes: &[u8]) -> Result<Option<String>, String> {
    let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
    // A kernel has all its notes in one section.
    let section = [".notes", ".note.gnu.build-id"].iter().find_map(|name| file.section_by_name(name));
    let Some(section) = section else { return Ok(None) };
    let data = section.data().map_err(|error| error.to_string())?;
    let word = |at: usize| data.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")));
    let mut at = 0;
    while let (Some(name), Some(desc), Some(kind)) = (word(at), word(at + 4), word(at + 8)) {
        let start = at + 12 + (name as usize).next_multiple_of(4);
        let Some(id) = data.get(start..start + desc as usize) else { break };
        if kind == NT_GNU_BUILD_ID && data[at + 12..].starts_with(b"GNU\0") {
            return Ok(Some(id.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        at = start + (desc as usize).next_multiple_of(4);
    }
    Ok(None)
}

/// Names (`test_hmm`) a module depends on, from the `depends=` entry of its `.modinfo`.
///
/// # Errors
/// When it is no 64-bit ELF file.
pub(super) fn module_depends(bytes: &[u8]) -> Result<Vec<String>, String> {
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(|error| error.to_string())?;
    let Some(section) = file.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    let data = section.data().map_err(|error| error.to_string())?;
    let entries = data.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let depends = entries.filter_map(|entry| entry.strip_prefix("depends=").map(str::to_owned));
    Ok(depends
        .flat_map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>())
        .filter(|n| !n.is_empty())
        .collect())
}

/// Orders modules so that each comes after those it depends on; otherwise the order given is kept.
pub(super) fn load_order(modules: &[String], depends: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    fn visit(
        module: &String,
        known: &BTreeSet<&String>,
        depends: &BTreeMap<String, Vec<String>>,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) {
        if !known.contains(module) || !seen.insert(module.clone()) {
            return;
        }
        for other in depends.get(module).into_iter().flatten() {
            visit(other, known, depends, seen, order);
        }
        order.push(module.clone());
    }
    let known: BTreeSet<&String> = modules.iter().collect();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for module in modules {
        visit(module, &known, depends, &mut seen, &mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_is_blanked_and_nothing_else() {
        let mut notes = Vec::new();
        for (kind, name, desc) in [(3_u32, b"GNU\0", [7_u8; 8]), (1, b"Xen\0", [9; 8])] {
            notes.extend(4_u32.to_le_bytes());
            notes.extend(8_u32.to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(name);
            notes.extend(desc);
        }
        let before = notes.clone();
        blank_build_id(&mut notes);
        assert_eq!(notes[16..24], [0; 8]);
        assert_eq!(notes[24..], before[24..]);
        assert_eq!(notes[..16], before[..16]);
        let mut cut = before[..20].to_vec();
        blank_build_id(&mut cut);
        assert_eq!(cut, before[..20], "a cut-off note is left alone");
    }

    #[test]
    fn our_own_program_hashes_and_text_does_not() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut hasher = blake3::Hasher::new();
        hash_loaded(&mut hasher, &program).unwrap();
        assert!(hash_loaded(&mut hasher, b"no ELF file at all, but long enough to be one").is_err());
        let id = build_id(&program).unwrap().unwrap_or_default();
        assert!(id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(build_id(b"no ELF file at all, but long enough to be one").is_err());
    }

    #[test]
    fn modules_come_after_what_they_need() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let depends =
            BTreeMap::from([("a".to_owned(), names(&["c", "built-in"])), ("c".to_owned(), names(&["b", "a"]))]);
        assert_eq!(load_order(&names(&["a", "b", "c"]), &depends), names(&["b", "c", "a"]));
    }
}
