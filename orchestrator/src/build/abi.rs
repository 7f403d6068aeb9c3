//! Numbers of the HMM test driver's interface, read from the revision's own header.
//!
//! A series may renumber ioctls and change their structures. A benchmark that is not built from the revision learns
//! them from `hmm-abi.json`: every constant `HMM_DMIRROR_*` by its name, `struct NAME` with its size and `NAME.FIELD`
//! with its offset for every structure `hmm_dmirror_*`.
//!
//! The compiler of the kconfig says what they are, for its architecture: it fills a section of an object file, which
//! is read and never executed. The header comes from a patch, so it is bounded, and what it cannot say in a plain way
//! is left out.

use std::collections::BTreeSet;

use object::{Object, ObjectSection};
use regex::Regex;

/// The header, below the root of a tree.
pub(super) const HEADER: &str = "lib/test_hmm_uapi.h";

/// Section of the object file that holds the numbers.
const SECTION: &str = ".hmm_abi";
/// First number in it.
const MAGIC: u64 = 0x1abe_11ed_ab1e_5eed;

const HEADER_LIMIT: usize = 256 * 1024;
const ENTRIES_LIMIT: usize = 512;
const NAME_LIMIT: usize = 64;
const OBJECT_LIMIT: usize = 1024 * 1024;

/// Something that has a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    /// A macro; it may turn out not to be defined.
    Macro(String),
    /// An enumeration constant.
    Constant(String),
    /// A structure: its size.
    Structure(String),
    /// A field of a structure: its offset.
    Field(String, String),
}

impl Entry {
    /// Its name in the file.
    fn name(&self) -> String {
        match self {
            Entry::Macro(name) | Entry::Constant(name) => name.clone(),
            Entry::Structure(name) => format!("struct {name}"),
            Entry::Field(structure, field) => format!("{structure}.{field}"),
        }
    }
}

/// What the header declares, in its order, each name once.
///
/// # Errors
/// When it is larger than any such header should be; one line.
pub(super) fn entries(header: &str) -> Result<Vec<Entry>, String> {
    if header.len() > HEADER_LIMIT {
        return Err(format!("{HEADER} has {} bytes; {HEADER_LIMIT} are read", header.len()));
    }
    let plain = pattern(r"(?s)/\*.*?\*/|//[^\n]*").replace_all(header, " ");
    let plain = plain.replace("\\\n", " ");
    let (directives, code): (Vec<&str>, Vec<&str>) = plain.lines().partition(|line| line.trim_start().starts_with('#'));
    let mut found = Vec::new();
    // A macro with parameters has its parenthesis right behind its name; strings and statements are no numbers.
    let object_like = pattern(r#"^\s*#\s*define\s+(HMM_DMIRROR_\w+)\s+[^\s"{};][^"{};]*$"#);
    found.extend(directives.iter().filter_map(|line| Some(Entry::Macro(object_like.captures(line)?[1].to_owned()))));
    let code = code.join("\n");
    let constant = pattern(r"^\s*(HMM_DMIRROR_\w+)\s*(?:=|$)");
    for body in pattern(r"\benum\b\s*\w*\s*\{([^{}]*)\}").captures_iter(&code) {
        let items = body.get(1).map_or("", |body| body.as_str()).split(',');
        found.extend(items.filter_map(|item| Some(Entry::Constant(constant.captures(item)?[1].to_owned()))));
    }
    let field = pattern(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$");
    for structure in pattern(r"\bstruct\s+(hmm_dmirror_\w+)\s*\{([^{}]*)\}").captures_iter(&code) {
        found.push(Entry::Structure(structure[1].to_owned()));
        // A bit field has no offset.
        let fields = structure[2].split(';').filter(|field| !field.contains(':'));
        let names = fields.filter_map(|text| Some(field.captures(text.trim())?[1].to_owned()));
        found.extend(names.map(|name| Entry::Field(structure[1].to_owned(), name)));
    }
    let mut seen = BTreeSet::new();
    found.retain(|entry| entry.name().len() <= NAME_LIMIT && seen.insert(entry.name()));
    if found.len() > ENTRIES_LIMIT {
        return Err(format!("{HEADER} declares {} names; {ENTRIES_LIMIT} are read", found.len()));
    }
    Ok(found)
}

/// A pattern of this file.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file is valid")
}

/// C that puts the numbers into a section: the magic number, then for each entry whether it exists and its number.
pub(super) fn source(entries: &[Entry]) -> String {
    let mut text = String::from("#include \"test_hmm_uapi.h\"\n");
    text += "static const unsigned long long hmm_abi[]\n";
    text += &format!("__attribute__((used, aligned(8), section(\"{SECTION}\"))) = {{\n\t{MAGIC:#x}ULL,\n");
    for entry in entries {
        text += &match entry {
            Entry::Macro(name) => {
                format!("#ifdef {name}\n\t1, (unsigned long long)({name}),\n#else\n\t0, 0,\n#endif\n")
            }
            Entry::Constant(name) => format!("\t1, (unsigned long long)({name}),\n"),
            Entry::Structure(name) => format!("\t1, sizeof(struct {name}),\n"),
            Entry::Field(structure, field) => format!("\t1, __builtin_offsetof(struct {structure}, {field}),\n"),
        };
    }
    text + "};\n"
}

/// The file from the object that the compiler made of [`source`].
///
/// # Errors
/// When the object is not what that gives; one line.
pub(super) fn json(object: &[u8], entries: &[Entry]) -> Result<String, String> {
    if object.len() > OBJECT_LIMIT {
        return Err(format!("the object has {} bytes; {OBJECT_LIMIT} are read", object.len()));
    }
    let file = object::File::parse(object).map_err(|error| error.to_string())?;
    let mut sections = file.sections().filter(|section| section.name() == Ok(SECTION));
    let (Some(section), None) = (sections.next(), sections.next()) else {
        return Err(format!("the object has not exactly one section {SECTION}"));
    };
    if section.relocations().next().is_some() {
        return Err("a constant is the address of something".to_owned());
    }
    let data = section.data().map_err(|error| error.to_string())?;
    let (words, rest) = data.as_chunks::<8>();
    let big = file.endianness() == object::Endianness::Big;
    let mut words = words.iter().map(|word| if big { u64::from_be_bytes(*word) } else { u64::from_le_bytes(*word) });
    if words.len() != 1 + 2 * entries.len() || !rest.is_empty() || words.next() != Some(MAGIC) {
        return Err(format!("section {SECTION} does not hold what was asked for"));
    }
    let mut table = serde_json::Map::new();
    for entry in entries {
        match (words.next(), words.next()) {
            (Some(1), Some(value)) => drop(table.insert(entry.name(), value.into())),
            (Some(0), Some(0)) => {}
            _ => return Err(format!("section {SECTION} is damaged at {}", entry.name())),
        }
    }
    let mut text = serde_json::to_string_pretty(&table).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
/* #define HMM_DMIRROR_COMMENTED 1 and enum { HMM_DMIRROR_IN_COMMENT }; */
#ifndef _LIB_TEST_HMM_UAPI_H
#define _LIB_TEST_HMM_UAPI_H
#define HMM_DMIRROR_EMPTY
#define HMM_DMIRROR_READ		_IOWR('H', 0x00, struct hmm_dmirror_cmd)
#  define HMM_DMIRROR_TWO \
	2 // two
#define HMM_DMIRROR_CALL(x) (x)
#define HMM_DMIRROR_TEXT "text"
#define HMM_DMIRROR_CODE do { } while (0)
#define HMM_OTHER 3
#undef HMM_DMIRROR_TWO
#define HMM_DMIRROR_TWO 22
struct hmm_dmirror_cmd {
	__u64		addr;
	struct other	inner;
	__u32 a[2] [3], flag : 1;
	__u8 pad[4];
};
struct other { int x; };
struct hmm_dmirror_nested { struct { int a; } b; };
enum {
	HMM_DMIRROR_PROT_ERROR			= 0xFF,
	HMM_DMIRROR_PROT_NONE,
	HMM_ELSE = HMM_DMIRROR_PROT_NONE,
	HMM_DMIRROR_PROT_LAST
};
enum tag { HMM_DMIRROR_TAGGED = 1 };
#endif
"#;

    fn names(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(Entry::name).collect()
    }

    #[test]
    fn numbers_of_the_interface_are_found_and_nothing_else() {
        let expected = [
            "HMM_DMIRROR_READ",
            "HMM_DMIRROR_TWO",
            "HMM_DMIRROR_PROT_ERROR",
            "HMM_DMIRROR_PROT_NONE",
            "HMM_DMIRROR_PROT_LAST",
            "HMM_DMIRROR_TAGGED",
            "struct hmm_dmirror_cmd",
            "hmm_dmirror_cmd.addr",
            "hmm_dmirror_cmd.inner",
            "hmm_dmirror_cmd.pad",
        ];
        assert_eq!(names(&entries(TEXT).unwrap()), expected);
        assert_eq!(entries("").unwrap(), []);
    }

    #[test]
    fn a_flood_is_refused() {
        let many: String = (0..=ENTRIES_LIMIT).map(|n| format!("#define HMM_DMIRROR_{n} {n}\n")).collect();
        assert!(entries(&many).unwrap_err().contains("513 names"));
        assert!(entries(&" ".repeat(HEADER_LIMIT + 1)).unwrap_err().contains("bytes"));
        let long = format!("#define HMM_DMIRROR_{} 1\n", "X".repeat(NAME_LIMIT));
        assert_eq!(entries(&long).unwrap(), []);
    }

    fn compile(header: &str, entries: &[Entry], flags: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("test_hmm_uapi.h"), header).unwrap();
        std::fs::write(dir.path().join("abi.c"), source(entries)).unwrap();
        let mut gcc = std::process::Command::new("gcc");
        gcc.current_dir(dir.path()).args(["-c", "-o", "abi.o", "abi.c"]).args(flags);
        assert!(gcc.status().unwrap().success());
        std::fs::read(dir.path().join("abi.o")).unwrap()
    }

    const SMALL: &str = "#define HMM_DMIRROR_A (1 << 4)\n#define HMM_DMIRROR_GONE 1\n#undef HMM_DMIRROR_GONE\n\
        struct hmm_dmirror_s { char a; long long b; };\nenum { HMM_DMIRROR_LAST = 7 };\n";

    #[test]
    fn the_compiler_says_the_numbers() {
        let entries = entries(SMALL).unwrap();
        let expected = "{\n  \"HMM_DMIRROR_A\": 16,\n  \"HMM_DMIRROR_LAST\": 7,\n  \"struct hmm_dmirror_s\": 16,\n  \
                        \"hmm_dmirror_s.a\": 0,\n  \"hmm_dmirror_s.b\": 8\n}\n";
        assert_eq!(json(&compile(SMALL, &entries, &[]), &entries).unwrap(), expected);
        assert_eq!(json(&compile(SMALL, &entries, &["-g", "-O2", "-fPIC"]), &entries).unwrap(), expected);
    }

    #[test]
    fn an_object_of_something_else_is_refused() {
        let all = entries(SMALL).unwrap();
        let object = compile(SMALL, &all, &[]);
        assert!(json(&object, &all[1..]).unwrap_err().contains("does not hold"));
        assert!(json(&object[..100], &all).is_err());
        assert!(json(b"", &all).is_err());
        let address = "static int x;\n#define HMM_DMIRROR_A &x\n";
        let all = entries(address).unwrap();
        assert!(json(&compile(address, &all, &[]), &all).unwrap_err().contains("address"));
        let twice = "#define HMM_DMIRROR_A 1\n\
                     __asm__(\".section .hmm_abi,\\\"aw\\\",@nobits,unique,1\\n.quad 0\\n.text\");\n";
        let all = entries(twice).unwrap();
        assert!(json(&compile(twice, &all, &[]), &all).is_err());
    }
}
