//! The smallest guest: a kernel image of a few bytes that says it is alive and ends.
//!
//! A host may have a `/dev/kvm` that opens, makes virtual machines and then never executes them. Only running
//! something tells. This image is an ELF file with a PVH note, as QEMU's `-kernel` takes it; the machine's firmware
//! runs before it.

/// What the guest writes to the `isa-debug-exit` device.
pub(super) const SIGN: u8 = 0x2a;

/// Exit code of QEMU when the guest came to life: the device shifts the value and sets the lowest bit.
pub(super) const EXIT_CODE: i32 = ((SIGN as i32) << 1) | 1;

/// The option that gives the guest its exit.
pub(super) const EXIT_DEVICE: [&str; 2] = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x01"];

/// Where the image lies in the guest's memory.
const BASE: u64 = 0x10_0000;

/// 32-bit protected mode code, as PVH starts it.
const CODE: [u8; 14] = [
    0xb9, 0x00, 0x00, 0x01, 0x00, // mov ecx, 65536
    0xe2, 0xfe, // loop to itself
    0xb0, SIGN, // mov al, SIGN
    0xe6, 0xf4, // out 0xf4, al
    0xf4, // hlt
    0xeb, 0xfd, // jump to hlt
];

const FILE_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// Three words, `Xen\0`, and an address.
const NOTE: usize = 24;

/// The image.
pub(super) fn image() -> Vec<u8> {
    image_of(&CODE)
}

/// An image that executes `code`, 32-bit protected mode code that does not depend on where it lies.
pub(super) fn image_of(code: &[u8]) -> Vec<u8> {
    const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
    let note_at = FILE_HEADER + 2 * PROGRAM_HEADER;
    let code_at = note_at + NOTE;
    let size = (code_at + code.len()) as u64;
    let entry = BASE + code_at as u64;
    let mut image = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |image: &mut Vec<u8>, words: &[u16]| words.iter().for_each(|word| image.extend(word.to_le_bytes()));
    let word = |image: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|word| image.extend(word.to_le_bytes()));
    let long = |image: &mut Vec<u8>, words: &[u64]| words.iter().for_each(|word| image.extend(word.to_le_bytes()));
    half(&mut image, &[2, 62]); // ET_EXEC, EM_X86_64
    word(&mut image, &[1]); // EV_CURRENT
    long(&mut image, &[entry, FILE_HEADER as u64, 0]); // entry, program headers, no section headers
    word(&mut image, &[0]); // flags
    half(&mut image, &[FILE_HEADER as u16, PROGRAM_HEADER as u16, 2, 0, 0, 0]);
    word(&mut image, &[1, 7]); // PT_LOAD, read write execute
    long(&mut image, &[0, BASE, BASE, size, size, 4096]);
    word(&mut image, &[4, 4]); // PT_NOTE, read
    let note_address = BASE + note_at as u64;
    long(&mut image, &[note_at as u64, note_address, note_address, NOTE as u64, NOTE as u64, 4]);
    word(&mut image, &[4, 8, XEN_ELFNOTE_PHYS32_ENTRY]);
    image.extend(b"Xen\0");
    long(&mut image, &[entry]);
    image.extend(code);
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(image: &[u8], at: usize) -> usize {
        u64::from_le_bytes(image[at..at + 8].try_into().unwrap()) as usize
    }

    #[test]
    fn entry_and_note_point_at_the_code() {
        let image = image();
        let entry = long(&image, 24);
        let code_at = entry - BASE as usize;
        assert_eq!(&image[code_at..], &CODE);
        // The load segment holds the whole file, the note segment exactly the note.
        let load = FILE_HEADER;
        assert_eq!((long(&image, load + 8), long(&image, load + 32)), (0, image.len()));
        let note = FILE_HEADER + PROGRAM_HEADER;
        let note_at = long(&image, note + 8);
        assert_eq!(long(&image, note + 32), NOTE);
        assert_eq!(&image[note_at + 12..note_at + 16], b"Xen\0");
        assert_eq!(long(&image, note_at + 16), entry);
        assert_eq!(note_at + NOTE, code_at);
    }

    #[test]
    fn the_exit_code_is_none_of_qemus_own() {
        assert_eq!(EXIT_CODE, 85);
    }
}
