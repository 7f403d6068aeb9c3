//! The symbol table: which function an address belongs to.
//!
//! A text file, one `HEXADDR NAME` a line, ascending; a name holds up to the next line's address. A name that occurs
//! more than once is one function. Addresses below the first line, and those of user space, have names of their own.

use std::collections::HashMap;

/// Addresses of the guest's programs.
const USER: &str = "(user)";
/// Kernel addresses that no symbol covers.
const UNKNOWN: &str = "(unknown)";
/// First address of the kernel's half.
const KERNEL: u64 = 1 << 63;
/// Lines that a table may have.
const MAX_LINES: usize = 4_000_000;
/// Bytes that a name may have.
const MAX_NAME: usize = 512;

/// The table. Functions are numbers, from 0 to [`Symbols::functions`].
#[derive(Debug)]
pub struct Symbols {
    starts: Vec<(u64, u32)>,
    names: Vec<String>,
}

impl Symbols {
    /// Reads a table; the error names the line.
    pub fn parse(text: &str) -> Result<Symbols, String> {
        let mut symbols = Symbols { starts: Vec::new(), names: Vec::new() };
        let mut known: HashMap<&str, u32> = HashMap::new();
        for name in [USER, UNKNOWN] {
            known.insert(name, symbols.names.len() as u32);
            symbols.names.push(name.to_owned());
        }
        let mut last = None;
        for (number, line) in text.lines().enumerate() {
            let at = |what: &str| format!("line {}: {what}", number + 1);
            if number >= MAX_LINES {
                return Err(at("too many lines"));
            }
            let (address, name) = line.split_once(' ').ok_or_else(|| at("not `HEXADDR NAME`"))?;
            let address = u64::from_str_radix(address, 16).map_err(|_| at("not a hexadecimal address"))?;
            if address < KERNEL {
                return Err(at("not a kernel address"));
            }
            if last.is_some_and(|last| address <= last) {
                return Err(at("addresses are not ascending"));
            }
            last = Some(address);
            // Names go into JSON as they are.
            let harmless = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(harmless) {
                return Err(at("not a symbol's name"));
            }
            let function = *known.entry(name).or_insert_with(|| {
                symbols.names.push(name.to_owned());
                symbols.names.len() as u32 - 1
            });
            symbols.starts.push((address, function));
        }
        Ok(symbols)
    }

    /// The function at an address, and the first address that may be another's.
    pub fn at(&self, address: u64) -> (u32, u64) {
        let next = self.starts.partition_point(|(start, _)| *start <= address);
        let end = self.starts.get(next).map_or(u64::MAX, |(start, _)| *start);
        match next.checked_sub(1) {
            Some(index) => (self.starts[index].1, end),
            None if address < KERNEL => (0, end.min(KERNEL)),
            None => (1, end),
        }
    }

    /// How many functions there are.
    pub fn functions(&self) -> usize {
        self.names.len()
    }

    /// Name of a function.
    pub fn name(&self, function: usize) -> &str {
        &self.names[function]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "ffffffff81000000 startup\nffffffff81000010 copy_page\nffffffff81000020 other\n\
                         ffffffff81000030 copy_page\nffffffff81000040 (unknown)\n";

    #[test]
    fn addresses_and_their_names() {
        let symbols = Symbols::parse(TABLE).unwrap();
        let name = |address: u64| symbols.name(symbols.at(address).0 as usize);
        let cases = [
            (0, USER),
            (0x7fff_ffff_ffff, USER),
            (0xffff_8880_0000_0000, UNKNOWN),
            (0xffff_ffff_80ff_ffff, UNKNOWN),
            (0xffff_ffff_8100_0000, "startup"),
            (0xffff_ffff_8100_000f, "startup"),
            (0xffff_ffff_8100_0010, "copy_page"),
            (0xffff_ffff_8100_0031, "copy_page"),
            (0xffff_ffff_8100_0040, UNKNOWN),
            (u64::MAX, UNKNOWN),
        ];
        for (address, expected) in cases {
            assert_eq!(name(address), expected, "{address:#x}");
        }
        assert_eq!(symbols.functions(), 5, "equal names are one function");
        assert_eq!(symbols.at(0xffff_ffff_8100_0012).1, 0xffff_ffff_8100_0020);
    }

    #[test]
    fn bad_tables_are_refused_with_their_line() {
        let cases = [
            ("ffffffff81000000", "line 1: not `HEXADDR NAME`"),
            ("x a", "line 1: not a hexadecimal address"),
            ("1000 a", "line 1: not a kernel address"),
            ("ffffffff81000000 a\nffffffff81000000 b", "line 2: addresses are not ascending"),
            ("ffffffff81000000 a\"b", "line 1: not a symbol's name"),
            ("ffffffff81000000 ", "line 1: not a symbol's name"),
        ];
        for (text, message) in cases {
            assert_eq!(Symbols::parse(text).unwrap_err(), message);
        }
    }
}
