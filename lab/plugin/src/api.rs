//! The part of QEMU's plugin interface that is used, and its differences between versions.
//!
//! | API | QEMU | difference |
//! |---|---|---|
//! | 1 | 6.0 to 8.2 | inline additions go to an address |
//! | 2 | 9.0 | inline additions go to a scoreboard, an array with one element for each virtual CPU |
//! | 3 to 6 | 9.1 to 10.2 | an instruction's bytes are copied to the caller |
//! | 7 | 11 | callbacks get no plugin id |

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

/// QEMU's number for a plugin.
pub type Id = u64;
/// A block in translation.
pub type Block = *mut c_void;
/// An instruction of one.
pub type Instruction = *mut c_void;
/// Called at the translation of a block; see [`Api::block`].
pub type OnBlock = extern "C" fn(*mut c_void, *mut c_void);
/// Called when an instruction is executed, with the CPU's number and our data.
pub type OnInstruction = extern "C" fn(c_uint, *mut c_void);
/// Called when QEMU ends. The arguments differ between versions; none is used.
pub type OnExit = extern "C" fn(*mut c_void, *mut c_void);

/// Versions that are known.
const KNOWN: std::ops::RangeInclusive<c_int> = 1..=7;
/// `QEMU_PLUGIN_CB_NO_REGS`
const NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_INLINE_ADD_U64`
const ADD: c_int = 0;

/// `qemu_info_t`
#[repr(C)]
pub struct Info {
    target: *const c_char,
    oldest: c_int,
    /// Version of the interface.
    pub current: c_int,
    /// Whether a whole machine is emulated.
    pub system: bool,
    /// Virtual CPUs at start.
    pub vcpus: c_int,
    /// Virtual CPUs that there can be.
    pub max_vcpus: c_int,
}

impl Info {
    /// The emulated architecture.
    ///
    /// # Safety
    /// `self` is what QEMU passed to `qemu_plugin_install`, during that call.
    pub unsafe fn target(&self) -> &CStr {
        // SAFETY: QEMU passes a C string.
        unsafe { CStr::from_ptr(self.target) }
    }
}

/// `qemu_plugin_u64`: a number in each element of a scoreboard.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    scoreboard: *mut c_void,
    offset: usize,
}

type AddToAddress = unsafe extern "C" fn(Block, c_int, *mut c_void, u64);
type AddToEntry = unsafe extern "C" fn(Block, c_int, Entry, u64);
type Find = unsafe extern "C" fn(*mut c_void, c_uint) -> *mut c_void;
type NewScoreboard = unsafe extern "C" fn(usize) -> *mut c_void;
type DataPointer = unsafe extern "C" fn(Instruction) -> *const u8;
type DataCopy = unsafe extern "C" fn(Instruction, *mut u8, usize) -> usize;
type RegisterOnBlock = unsafe extern "C" fn(Id, OnBlock, *mut c_void);
type RegisterOnInstruction = unsafe extern "C" fn(Instruction, OnInstruction, c_int, *mut c_void);
type RegisterOnExit = unsafe extern "C" fn(Id, OnExit, *mut c_void);
type BlockLength = unsafe extern "C" fn(Block) -> usize;
type BlockInstruction = unsafe extern "C" fn(Block, usize) -> Instruction;
type InstructionAddress = unsafe extern "C" fn(Instruction) -> u64;
type InstructionSize = unsafe extern "C" fn(Instruction) -> usize;

/// Where the counters live.
enum Counters {
    /// In memory of ours, which lives as long as QEMU.
    Ours { first: *mut u64, add: AddToAddress, add_single: AddToAddress },
    /// In an element for each virtual CPU, which may move when CPUs are added.
    Scoreboard { scoreboard: *mut c_void, vcpus: c_uint, add: AddToEntry, add_single: AddToEntry, find: Find },
}

/// How an instruction's bytes are had.
enum Data {
    Pointer(DataPointer),
    Copy(DataCopy),
}

/// QEMU's functions.
pub struct Api {
    version: c_int,
    on_block: RegisterOnBlock,
    on_instruction: RegisterOnInstruction,
    on_exit: RegisterOnExit,
    length: BlockLength,
    instruction: BlockInstruction,
    address: InstructionAddress,
    size: InstructionSize,
    data: Data,
    counters: Counters,
}

// SAFETY: function pointers, and counters that QEMU's CPU threads may all use; who reads them while another CPU adds
// gets an old value, never an invalid one.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Looks a function up among those of the process (`RTLD_DEFAULT`).
pub fn lookup(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is a C string, and a null handle means all objects that the process has loaded.
    let address = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// Looks up a function of a known type.
macro_rules! function {
    ($name:literal, $type:ty) => {
        match lookup($name) {
            // SAFETY: QEMU documents this type for the versions for which the function is looked up.
            Some(address) => unsafe { std::mem::transmute::<*mut c_void, $type>(address) },
            None => return Err(format!("this QEMU has no {}", $name.to_string_lossy())),
        }
    };
}

/// Where a counter lies in each element of a scoreboard.
fn entry(scoreboard: *mut c_void, counter: usize) -> Entry {
    Entry { scoreboard, offset: counter * size_of::<u64>() }
}

impl Api {
    /// Finds QEMU's functions, and makes `counters` counters of zero.
    pub fn new(info: &Info, counters: usize) -> Result<Api, String> {
        let version = info.current;
        if !KNOWN.contains(&version) {
            return Err(format!("plugin API {version} is not known, only {} to {}", KNOWN.start(), KNOWN.end()));
        }
        let counters = if version == 1 {
            let first = Box::leak(vec![0u64; counters].into_boxed_slice()).as_mut_ptr();
            Counters::Ours {
                first,
                add: function!(c"qemu_plugin_register_vcpu_tb_exec_inline", AddToAddress),
                add_single: function!(c"qemu_plugin_register_vcpu_insn_exec_inline", AddToAddress),
            }
        } else {
            let new = function!(c"qemu_plugin_scoreboard_new", NewScoreboard);
            // SAFETY: QEMU allows it while a plugin is installed.
            let scoreboard = unsafe { new(counters * size_of::<u64>()) };
            Counters::Scoreboard {
                scoreboard,
                vcpus: c_uint::try_from(info.max_vcpus).unwrap_or(1).max(1),
                add: function!(c"qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu", AddToEntry),
                add_single: function!(c"qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu", AddToEntry),
                find: function!(c"qemu_plugin_scoreboard_find", Find),
            }
        };
        let data = if version < 3 {
            Data::Pointer(function!(c"qemu_plugin_insn_data", DataPointer))
        } else {
            Data::Copy(function!(c"qemu_plugin_insn_data", DataCopy))
        };
        Ok(Api {
            version,
            on_block: function!(c"qemu_plugin_register_vcpu_tb_trans_cb", RegisterOnBlock),
            on_instruction: function!(c"qemu_plugin_register_vcpu_insn_exec_cb", RegisterOnInstruction),
            on_exit: function!(c"qemu_plugin_register_atexit_cb", RegisterOnExit),
            length: function!(c"qemu_plugin_tb_n_insns", BlockLength),
            instruction: function!(c"qemu_plugin_tb_get_insn", BlockInstruction),
            address: function!(c"qemu_plugin_insn_vaddr", InstructionAddress),
            size: function!(c"qemu_plugin_insn_size", InstructionSize),
            data,
            counters,
        })
    }

    /// Has the callbacks called from now on.
    pub fn start(&self, id: Id, on_block: OnBlock, on_exit: OnExit) {
        // SAFETY: the callbacks are functions of this library, which stays loaded. Versions before 7 take no data for
        // the first; a further argument is ignored by C's calling convention.
        unsafe {
            (self.on_block)(id, on_block, ptr::null_mut());
            (self.on_exit)(id, on_exit, ptr::null_mut());
        }
    }

    /// The block among the arguments of [`OnBlock`].
    pub fn block(&self, first: *mut c_void, second: *mut c_void) -> Block {
        if self.version < 7 { second } else { first }
    }

    /// The instructions of a block.
    ///
    /// # Safety
    /// `block` is what QEMU passed to the callback, during the callback.
    pub unsafe fn instructions(&self, block: Block) -> impl Iterator<Item = Instruction> {
        // SAFETY: as the caller promises; the indices are in range.
        let length = unsafe { (self.length)(block) };
        (0..length).map(move |index| unsafe { (self.instruction)(block, index) }).filter(|found| !found.is_null())
    }

    /// Address of an instruction.
    ///
    /// # Safety
    /// `instruction` is one of [`Api::instructions`], during the callback.
    pub unsafe fn address(&self, instruction: Instruction) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { (self.address)(instruction) }
    }

    /// Bytes of an instruction, if it has exactly `N`.
    ///
    /// # Safety
    /// `instruction` is one of [`Api::instructions`], during the callback.
    pub unsafe fn bytes<const N: usize>(&self, instruction: Instruction) -> Option<[u8; N]> {
        // SAFETY: as the caller promises; the size is asked first.
        unsafe {
            if (self.size)(instruction) != N {
                return None;
            }
            let mut bytes = [0; N];
            match self.data {
                Data::Pointer(data) => ptr::copy_nonoverlapping(data(instruction), bytes.as_mut_ptr(), N),
                Data::Copy(data) if data(instruction, bytes.as_mut_ptr(), N) != N => return None,
                Data::Copy(_) => {}
            }
            Some(bytes)
        }
    }

    /// Adds `amount` to a counter whenever the block is executed.
    ///
    /// # Safety
    /// `block` is what QEMU passed to the callback, during the callback; the counter exists.
    pub unsafe fn add(&self, block: Block, counter: usize, amount: u64) {
        // SAFETY: as the caller promises.
        unsafe {
            match self.counters {
                Counters::Ours { first, add, .. } => add(block, ADD, first.add(counter).cast(), amount),
                Counters::Scoreboard { scoreboard, add, .. } => add(block, ADD, entry(scoreboard, counter), amount),
            }
        }
    }

    /// Adds 1 to a counter whenever the instruction is executed.
    ///
    /// # Safety
    /// `instruction` is one of [`Api::instructions`], during the callback; the counter exists.
    pub unsafe fn add_single(&self, instruction: Instruction, counter: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            match self.counters {
                Counters::Ours { first, add_single, .. } => {
                    add_single(instruction, ADD, first.add(counter).cast(), 1);
                }
                Counters::Scoreboard { scoreboard, add_single, .. } => {
                    add_single(instruction, ADD, entry(scoreboard, counter), 1);
                }
            }
        }
    }

    /// Calls `callback` with `data` before the instruction is executed.
    ///
    /// # Safety
    /// `instruction` is one of [`Api::instructions`], during the callback.
    pub unsafe fn call(&self, instruction: Instruction, callback: OnInstruction, data: *mut c_void) {
        // SAFETY: as the caller promises; the callback is a function of this library.
        unsafe { (self.on_instruction)(instruction, callback, NO_REGISTERS, data) }
    }

    /// Value of a counter, over all virtual CPUs.
    ///
    /// # Safety
    /// The counter exists, and a virtual CPU runs.
    pub unsafe fn read(&self, counter: usize) -> u64 {
        // SAFETY: as the caller promises. The translated code writes the same memory, so it is read as volatile.
        unsafe {
            match self.counters {
                Counters::Ours { first, .. } => first.add(counter).read_volatile(),
                Counters::Scoreboard { scoreboard, vcpus, find, .. } => (0..vcpus)
                    .map(|vcpu| find(scoreboard, vcpu).cast::<u64>())
                    .map(|element| element.add(counter).read_volatile())
                    .fold(0, u64::wrapping_add),
            }
        }
    }
}
