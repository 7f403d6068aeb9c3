//! The table of a kernel's functions, as the plugin reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use object::read::elf::{ElfFile64, ElfSymbol64};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};
use regex::Regex;

use super::inlines::{InlinesError, Stretch, inlined_code};

/// First address of the kernel's half.
const KERNEL: u64 = 1 << 63;
/// Bytes that a name may have; with what it is inlined in it must fit into what the plugin takes.
const MAX_NAME: usize = 250;
/// Functions that a table may have.
const MAX_FUNCTIONS: usize = 1_000_000;
/// Name of what no function covers.
pub(super) const UNKNOWN: &str = "(unknown)";
/// Between an inlined function and the one that it is inlined in.
pub(super) const INLINED_IN: char = '@';

/// Suffixes of the parts and copies that gcc and clang make of functions.
static CLONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(.+?)(?:\.(?:isra|constprop|part|cold|lto_priv|llvm|localalias)(?:\.\d+)?)+$").expect("it is a regex")
});

/// Why a kernel has no table.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// It is no ELF file of 64 bits.
    #[error("not a kernel image with symbols: {0}")]
    Elf(#[from] object::Error),
    /// It has been stripped.
    #[error("the kernel image has no symbols of functions; it must not be stripped")]
    None,
    /// No kernel has so many.
    #[error("the kernel image has more than {MAX_FUNCTIONS} functions")]
    TooMany,
    /// It has debug information that is none.
    #[error(transparent)]
    Inlines(#[from] InlinesError),
}

/// The functions of a `vmlinux` as text, `HEXADDR NAME` a line, ascending: each reaches to the next line.
///
/// * Symbols in executable sections are taken, functions and the labels of assembler code alike; a label inside a
///   function that has a size belongs to that function.
/// * Of several names for one address the best is taken: a function with a size before a label, then the fewest leading
///   underscores, global before local, the alphabet. So `memcpy` is `memcpy`, in every build.
/// * The compiler's parts and copies (`f.isra.0`, `f.part.0`, `f.cold`, ...) count as `f`: which it makes changes with
///   every build. Functions of one name in several files are one.
/// * Between sections lies [`UNKNOWN`], and so do modules, which are loaded anywhere.
/// * Where the kernel has debug information, code of inlined functions has lines of its own, `HEXADDR INLINED@NAME`
///   (see [`inlined_code`]). Without the parts before `@` the table is the same as without debug information.
///
/// # Errors
/// When the file is not one, or has no symbols.
pub fn symbol_table(vmlinux: &[u8]) -> Result<String, SymbolsError> {
    let file = ElfFile64::<Endianness>::parse(vmlinux)?;
    let mut code: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        let end = section.address().saturating_add(section.size());
        if sh_flags.0 & object::elf::SHF_EXECINSTR.0 != 0 && section.address() >= KERNEL {
            code.insert(section.index().0, (section.address(), end));
        }
    }
    let symbols = file.symbols().filter_map(|symbol| {
        let (start, end) = *code.get(&symbol.section_index()?.0)?;
        (start..end).contains(&symbol.address()).then(|| Candidate::new(&symbol)).flatten()
    });
    let starts = best(symbols.take(MAX_FUNCTIONS + 1).collect());
    match starts.len() {
        0 => return Err(SymbolsError::None),
        count if count > MAX_FUNCTIONS => return Err(SymbolsError::TooMany),
        _ => {}
    }
    let starts = with_gaps(starts, code.into_values());
    Ok(lines(&starts, &inlined_code(&file)?))
}

/// Whether a function's name can stand in a table, and in the JSON that the plugin makes of it.
pub(super) fn is_name(name: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' && byte != INLINED_IN as u8;
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(harmless)
}

/// The name that a function's compiler-made parts and copies share.
fn base_name(name: &str) -> &str {
    CLONE.captures(name).and_then(|captures| captures.get(1)).map_or(name, |base| base.as_str())
}

/// A symbol that may name an address. The order of the fields is the order of preference.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    address: u64,
    sizeless: bool,
    label: bool,
    underscores: usize,
    local: bool,
    name: String,
    size: u64,
}

impl Candidate {
    fn new(symbol: &ElfSymbol64<'_, '_, Endianness>) -> Option<Candidate> {
        let name = symbol.name().ok()?;
        let label = match symbol.kind() {
            SymbolKind::Text => false,
            SymbolKind::Unknown | SymbolKind::Label => true,
            _ => return None,
        };
        let size = symbol.size();
        // `.L` and mapping symbols are the assembler's; padding before functions is not executed.
        let foreign = name.starts_with(['.', '$']) || name.starts_with("__pfx_") || name.starts_with("__cfi_");
        // The linker script's marks: `__sched_text_start` is the address of whatever comes first.
        let mark = label && size == 0 && (name.ends_with("_start") || name.ends_with("_end") || name.ends_with("text"));
        if foreign || mark || !is_name(name) {
            return None;
        }
        Some(Candidate {
            address: symbol.address(),
            sizeless: size == 0,
            label,
            underscores: name.len() - name.trim_start_matches('_').len(),
            local: symbol.is_local(),
            name: base_name(name).to_owned(),
            size,
        })
    }
}

/// One name for each address, without the labels inside functions.
fn best(mut candidates: Vec<Candidate>) -> Vec<(u64, String)> {
    candidates.sort_unstable();
    let mut starts: Vec<(u64, String)> = Vec::new();
    let mut end = 0;
    for candidate in candidates {
        let taken = starts.last().is_some_and(|(address, _)| *address == candidate.address);
        if !(taken || candidate.sizeless && candidate.address < end) {
            end = end.max(candidate.address.saturating_add(candidate.size));
            starts.push((candidate.address, candidate.name));
        }
    }
    starts
}

/// The functions, with what lies between the sections.
fn with_gaps(starts: Vec<(u64, String)>, sections: impl Iterator<Item = (u64, u64)>) -> BTreeMap<u64, String> {
    let mut starts: BTreeMap<u64, String> = starts.into_iter().collect();
    let sections: Vec<(u64, u64)> = sections.collect();
    for (_, end) in &sections {
        let inside = sections.iter().any(|(start, other)| (start..other).contains(&end));
        if !inside {
            starts.entry(*end).or_insert_with(|| UNKNOWN.to_owned());
        }
    }
    starts
}

/// The lines: functions, and inside them what is inlined.
fn lines(starts: &BTreeMap<u64, String>, inlined: &[Stretch]) -> String {
    let mut boundaries: BTreeSet<u64> = starts.keys().copied().collect();
    boundaries.extend(inlined.iter().flat_map(|stretch| [stretch.start, stretch.end]));
    let mut text = String::new();
    let mut last = String::new();
    let (mut outer, mut next) = (None, 0);
    for address in boundaries {
        let begins = starts.get(&address);
        outer = begins.or(outer);
        let Some(outer) = outer else { continue };
        while inlined.get(next).is_some_and(|stretch| stretch.end <= address) {
            next += 1;
        }
        let stretch = inlined.get(next).filter(|stretch| stretch.start <= address);
        // A part of a function that is inlined in another part of it is the function.
        let name = match stretch.filter(|stretch| outer != UNKNOWN && *stretch.function != **outer) {
            Some(stretch) => format!("{}{INLINED_IN}{outer}", stretch.function),
            None => outer.clone(),
        };
        if begins.is_some() || name != last {
            text.push_str(&format!("{address:016x} {name}\n"));
            last = name;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use object::write::{Object as Writer, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, SectionKind, SymbolFlags, SymbolScope};

    use super::*;

    const TEXT: u64 = 0xffff_ffff_8100_0000;

    /// An image with one section of code at [`TEXT`] and these symbols: name, offset, size, function, global.
    fn image(symbols: &[(&str, u64, u64, bool, bool)]) -> Vec<u8> {
        let mut writer = Writer::new(BinaryFormat::Elf, Architecture::X86_64, object::Endianness::Little);
        let text = writer.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        writer.append_section_data(text, &[0x90; 0x100], 16);
        for (name, offset, size, function, global) in symbols {
            writer.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value: TEXT + offset,
                size: *size,
                kind: if *function { SymbolKind::Text } else { SymbolKind::Label },
                scope: if *global { SymbolScope::Linkage } else { SymbolScope::Compilation },
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        let mut bytes = writer.write().unwrap();
        // The writer makes object files, whose sections have no address.
        let headers = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
        let count = u16::from_le_bytes(bytes[60..62].try_into().unwrap()) as usize;
        for header in (0..count).map(|index| headers + index * 64) {
            let flags = u64::from_le_bytes(bytes[header + 8..header + 16].try_into().unwrap());
            if flags & object::elf::SHF_EXECINSTR.0 != 0 {
                bytes[header + 16..header + 24].copy_from_slice(&TEXT.to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn one_name_an_address() {
        let image = image(&[
            ("__memcpy", 0x00, 0x10, true, true),
            ("memcpy", 0x00, 0x10, true, true),
            ("entry", 0x10, 0x20, true, true),
            ("entry_after_frame", 0x18, 0, false, true),
            ("collect.isra.0.constprop.2", 0x30, 0x10, true, false),
            ("asm_label", 0x40, 0, false, false),
            ("__sched_text_start", 0x50, 0, false, true),
            ("schedule", 0x50, 0x10, true, true),
            ("collect.cold", 0x60, 0x04, true, false),
            ("__sched_text_end", 0x70, 0, false, true),
            ("__pfx_late", 0x70, 0x10, true, false),
            ("zz_local", 0x80, 0x10, true, false),
            ("a_global", 0x80, 0x10, true, true),
        ]);
        insta::assert_snapshot!(symbol_table(&image).unwrap(), @"
        ffffffff81000000 memcpy
        ffffffff81000010 entry
        ffffffff81000030 collect
        ffffffff81000040 asm_label
        ffffffff81000050 schedule
        ffffffff81000060 collect
        ffffffff81000080 a_global
        ffffffff81000100 (unknown)
        ");
    }

    #[test]
    fn inlined_code_stands_inside_its_caller() {
        let names = [(0x10, "collect"), (0x40, "other"), (0x60, UNKNOWN)];
        let starts = names.into_iter().map(|(address, name)| (address, name.to_owned())).collect();
        let stretch = |(start, end, function): (u64, u64, &str)| Stretch { start, end, function: function.into() };
        // Before everything, twice inside, over the end of a function, its own part, and where nothing is known.
        let inlined = [
            (0x00, 0x08, "early"),
            (0x18, 0x20, "helper"),
            (0x28, 0x30, "helper"),
            (0x38, 0x44, "accessor"),
            (0x48, 0x50, "other"),
            (0x58, 0x68, "late"),
        ];
        let inlined: Vec<Stretch> = inlined.into_iter().map(stretch).collect();
        insta::assert_snapshot!(lines(&starts, &inlined), @"
        0000000000000010 collect
        0000000000000018 helper@collect
        0000000000000020 collect
        0000000000000028 helper@collect
        0000000000000030 collect
        0000000000000038 accessor@collect
        0000000000000040 accessor@other
        0000000000000044 other
        0000000000000058 late@other
        0000000000000060 (unknown)
        ");
        insta::assert_snapshot!(lines(&starts, &[]), @"
        0000000000000010 collect
        0000000000000040 other
        0000000000000060 (unknown)
        ");
    }

    /// A program linked to where kernels are, by the compiler of this host.
    fn linked(flags: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "a.h",
            "static inline int innermost(volatile int *p) { return *p * 5; }\n\
             static inline int accessor(volatile int *p) { return innermost(p) ^ *p; }\n",
        );
        write(
            "a.c",
            "#include \"a.h\"\n\
             static inline int helper(volatile int *p) { return *p + accessor(p); }\n\
             __attribute__((noinline)) int collect(volatile int *p) { return accessor(p) - helper(p); }\n\
             __attribute__((noinline)) int look(volatile int *p) { return collect(p) + *p; }\n\
             void _start(void) { static int x; look(&x); }\n",
        );
        let fixed = "-O2 -mcmodel=kernel -fno-pie -no-pie -ffreestanding -nostdlib -static -Wl,--build-id=none \
                     -Wl,-Ttext=0xffffffff81000000 -o out a.c";
        let status = std::process::Command::new("gcc")
            .args(flags)
            .args(fixed.split_whitespace())
            .current_dir(dir.path())
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read(dir.path().join("out")).unwrap()
    }

    #[test]
    fn debug_information_makes_the_table_finer_and_changes_nothing_else() {
        let plain = symbol_table(&linked(&[])).unwrap();
        assert!(plain.contains(" collect\n") && !plain.contains('@'), "{plain}");
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let fine = symbol_table(&linked(&[version])).unwrap();
            let names: BTreeSet<&str> =
                fine.lines().filter_map(|line| line.split_once(' ')).map(|(_, name)| name).collect();
            // What comes from headers is its user's, and the outermost one's where nobody else is there.
            let inlined: Vec<&str> = names.into_iter().filter(|name| name.contains('@')).collect();
            assert_eq!(inlined, ["accessor@collect", "helper@collect"], "{fine}");
            let mut last = "";
            let mut coarse = String::new();
            for line in fine.lines() {
                let (address, name) = line.split_once(' ').unwrap();
                let outer = name.split('@').next_back().unwrap();
                if outer != last {
                    coarse.push_str(&format!("{address} {outer}\n"));
                    last = outer;
                }
            }
            assert_eq!(coarse, plain);
        }
        let compressed = symbol_table(&linked(&["-g", "-gz=zlib"]));
        assert!(matches!(compressed, Err(SymbolsError::Inlines(InlinesError::Compressed))));
    }

    #[test]
    fn only_what_compilers_append_is_cut() {
        let cases = [
            ("f.isra.0", "f"),
            ("f.part.12.constprop.3.cold", "f"),
            ("f.llvm.1234567", "f"),
            ("f.cold", "f"),
            ("f.0", "f.0"),
            ("f.coldest", "f.coldest"),
            ("f.isra.x", "f.isra.x"),
            ("cold", "cold"),
        ];
        for (name, base) in cases {
            assert_eq!(base_name(name), base, "{name}");
        }
    }

    #[test]
    fn no_table_without_symbols() {
        assert!(matches!(symbol_table(&image(&[])), Err(SymbolsError::None)));
        assert!(matches!(symbol_table(b"\x7fELF"), Err(SymbolsError::Elf(_))));
    }
}
