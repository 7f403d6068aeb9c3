//! The guest's marks: NOPs with a number in their displacement.

/// `nopl disp32(%rax,%rax,1)`, without the displacement.
const OPCODE: [u8; 4] = [0x0f, 0x1f, 0x84, 0x00];

/// Bytes of a mark.
pub const SIZE: usize = 8;

/// Upper half of a mark's displacement.
const MAGIC: u32 = 0x4d4d;

/// What a mark asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Shift a bit into the name of the next window.
    Bit(bool),
    /// Open a window with the name sent so far.
    Open,
    /// Close it.
    Close,
}

impl Mark {
    /// The mark that an instruction is, if it is one.
    pub fn decode(instruction: &[u8]) -> Option<Mark> {
        let displacement = instruction.strip_prefix(&OPCODE)?;
        let displacement = u32::from_le_bytes(displacement.try_into().ok()?);
        if displacement >> 16 != MAGIC {
            return None;
        }
        match displacement & 0xffff {
            0 => Some(Mark::Bit(false)),
            1 => Some(Mark::Bit(true)),
            0x100 => Some(Mark::Open),
            0x101 => Some(Mark::Close),
            _ => None,
        }
    }
}

/// Name of a window, as the guest sends it: 32 bits for the metric, 8 for the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Hash of the metric's name.
    pub metric: u32,
    /// Phase of the reading.
    pub phase: u8,
}

impl Name {
    /// From the bits sent; only the last 40 count, whatever a program that died left before them.
    pub fn from_bits(bits: u64) -> Name {
        Name { metric: (bits >> 8) as u32, phase: bits as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nop(displacement: u32) -> Vec<u8> {
        [&OPCODE[..], &displacement.to_le_bytes()].concat()
    }

    #[test]
    fn marks_and_what_only_looks_like_them() {
        assert_eq!(Mark::decode(&nop(0x4d4d_0000)), Some(Mark::Bit(false)));
        assert_eq!(Mark::decode(&nop(0x4d4d_0001)), Some(Mark::Bit(true)));
        assert_eq!(Mark::decode(&nop(0x4d4d_0100)), Some(Mark::Open));
        assert_eq!(Mark::decode(&nop(0x4d4d_0101)), Some(Mark::Close));
        for other in [0, 1, 0x4d4d_0002, 0x4d4d_0102, 0x4d4c_0100, 0x0001_4d4d] {
            assert_eq!(Mark::decode(&nop(other)), None, "{other:#x}");
        }
        assert_eq!(Mark::decode(&nop(0x4d4d_0100)[..7]), None);
        assert_eq!(Mark::decode(&[&nop(0x4d4d_0100)[..], &[0x90]].concat()), None);
        assert_eq!(Mark::decode(&[0x0f, 0x1f, 0x44, 0x00, 0, 1, 0x4d, 0x4d]), None);
    }

    #[test]
    fn a_name_is_the_last_forty_bits() {
        assert_eq!(Name::from_bits(0xffff_ff12_3456_7803), Name { metric: 0x1234_5678, phase: 3 });
    }
}
