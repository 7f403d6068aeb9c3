//! How the kernel under test numbers its ioctls and lays out their structures.
//!
//! Series change both. The file comes from the revision's own `lib/test_hmm_uapi.h`: names of constants with their
//! values, `struct NAME` with the size, `NAME.FIELD` with the offset.

use std::collections::BTreeMap;

/// Where the file lies inside the machine.
pub const PATH: &str = "/tests/hmm-abi.json";

/// Largest structure that is passed to an ioctl.
pub const ARGUMENT: usize = 256;

/// Constants, sizes and offsets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abi(BTreeMap<String, u64>);

impl Abi {
    /// Reads the file.
    pub fn read() -> Result<Abi, String> {
        let text = std::fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        Abi::parse(&text).map_err(|error| format!("{PATH}: {error}"))
    }

    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Abi, String> {
        serde_json::from_str(text).map(Abi).map_err(|error| error.to_string())
    }

    /// A constant, when the revision has it.
    pub fn constant(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// The structure of this name, when the revision has it.
    pub fn layout(&self, name: &str) -> Option<Layout<'_>> {
        let size = usize::try_from(self.constant(&format!("struct {name}"))?).ok()?;
        Some(Layout { abi: self, name: name.to_owned(), size })
    }
}

/// A structure's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout<'a> {
    abi: &'a Abi,
    name: String,
    /// Its size in bytes.
    pub size: usize,
}

impl Layout<'_> {
    /// Offset of a field of 64 bits, when the structure has it and it lies inside.
    pub fn field(&self, field: &str) -> Option<usize> {
        let offset = usize::try_from(self.abi.constant(&format!("{}.{field}", self.name))?).ok()?;
        (offset.checked_add(8)? <= self.size.min(ARGUMENT)).then_some(offset)
    }
}

/// Size that an ioctl number gives for its argument.
pub fn argument_size(request: u64) -> usize {
    const SHIFT: u32 = 16;
    const MASK: u64 = 0x3fff;
    (request >> SHIFT & MASK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"HMM_DMIRROR_READ": 3223865344, "struct hmm_dmirror_cmd": 40, "hmm_dmirror_cmd.addr": 0,
        "hmm_dmirror_cmd.faults": 32, "hmm_dmirror_cmd.wild": 36, "hmm_dmirror_cmd.wilder": 18446744073709551615}"#;

    #[test]
    fn constants_and_layouts_are_found_by_name() {
        let abi = Abi::parse(TEXT).unwrap();
        let read = abi.constant("HMM_DMIRROR_READ").unwrap();
        assert_eq!(argument_size(read), 40);
        assert_eq!(abi.constant("HMM_DMIRROR_MIGRATE_ON_FAULT"), None);
        let layout = abi.layout("hmm_dmirror_cmd").unwrap();
        assert_eq!((layout.size, layout.field("addr"), layout.field("faults")), (40, Some(0), Some(32)));
        assert_eq!(abi.layout("hmm_dmirror_migrate_cmd"), None);
    }

    #[test]
    fn a_field_outside_of_its_structure_is_none() {
        let abi = Abi::parse(TEXT).unwrap();
        let layout = abi.layout("hmm_dmirror_cmd").unwrap();
        assert_eq!((layout.field("wild"), layout.field("wilder"), layout.field("none")), (None, None, None));
    }

    #[test]
    fn what_is_no_table_of_numbers_is_refused() {
        for text in ["", "[]", r#"{"a": -1}"#, r#"{"a": "1"}"#, r#"{"a": 1"#] {
            assert!(Abi::parse(text).is_err(), "{text}");
        }
    }
}
