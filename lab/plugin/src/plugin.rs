//! What QEMU calls.
//!
//! A panic ends the counting with a message, never QEMU: the guest's results are worth more than the counts.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::api::{Api, Block, Id, Info, lookup};
use crate::arguments::Arguments;
use crate::count::{Counting, Place};
use crate::mark::{self, Mark};
use crate::output::Output;
use crate::symbols::Symbols;

/// Bytes that a symbol table may have.
const MAX_SYMBOLS: u64 = 256 << 20;

/// All that the callbacks use.
struct Plugin {
    api: Api,
    symbols: Arc<Symbols>,
    /// `None` after a panic.
    counting: Mutex<Option<Counting<File>>>,
}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

/// The interface version that this plugin says it was made for. QEMU reads it after loading and before installing the
/// plugin, and refuses what is older than it supports or newer than it is: [`choose_version`] sets it.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut qemu_plugin_version: c_int = 1;

/// Run by the dynamic loader, before anything of QEMU looks at the plugin.
#[used]
#[unsafe(link_section = ".init_array")]
static CHOOSE_VERSION: extern "C" fn() = choose_version;

extern "C" fn choose_version() {
    // Scoreboards came with version 2, which ended the support of version 1.
    if lookup(c"qemu_plugin_scoreboard_new").is_some() {
        // SAFETY: the dynamic loader runs this once, before anyone else can know of the library.
        unsafe { qemu_plugin_version = 2 };
    }
}

/// Installs the plugin: QEMU's entry. Returns 0, or 1 after a message; then QEMU does not start.
///
/// # Safety
/// For QEMU to call, with what its documentation says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    info: *const Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let result = catch_unwind(|| {
        // SAFETY: QEMU passes a valid description, and `argc` C strings.
        let (info, words) = unsafe {
            let argc = usize::try_from(argc).unwrap_or(0);
            let words = (0..argc).map(|index| CStr::from_ptr(*argv.add(index)));
            (&*info, words.map(|word| word.to_str().map_err(|_| "arguments must be UTF-8".to_owned())).collect())
        };
        let words: Vec<&str> = match words {
            Ok(words) => words,
            Err(error) => return Err::<(), String>(error),
        };
        install(id, info, &words)
    });
    match result {
        Ok(Ok(())) => 0,
        Ok(Err(message)) => {
            eprintln!("orchestrator plugin: {message}");
            1
        }
        Err(_) => 1,
    }
}

fn install(id: Id, info: &Info, words: &[&str]) -> Result<(), String> {
    let arguments = Arguments::parse(words.iter().copied())?;
    // SAFETY: called from `qemu_plugin_install`.
    let target = unsafe { info.target() }.to_string_lossy();
    if !info.system || target != "x86_64" {
        return Err(format!("only qemu-system-x86_64 is supported, not {target}"));
    }
    let path = arguments.symbols.display();
    let size = std::fs::metadata(&arguments.symbols).map_err(|error| format!("{path}: {error}"))?.len();
    if size > MAX_SYMBOLS {
        return Err(format!("{path}: too large"));
    }
    let text = std::fs::read_to_string(&arguments.symbols).map_err(|error| format!("{path}: {error}"))?;
    let symbols = Arc::new(Symbols::parse(&text).map_err(|error| format!("{path}: {error}"))?);
    let api = Api::new(info, symbols.functions())?;
    // Opened now: QEMU may lose the right to open files before the guest starts.
    let out = |error| format!("{}: {error}", arguments.out.display());
    let file = File::create(&arguments.out).map_err(out)?;
    let output = Output::new(file, info.current, info.vcpus).map_err(out)?;
    let counting = Mutex::new(Some(Counting::new(Arc::clone(&symbols), output)));
    if PLUGIN.set(Plugin { api, symbols, counting }).is_err() {
        return Err("it is loaded twice".to_owned());
    }
    if let Some(plugin) = PLUGIN.get() {
        plugin.api.start(id, on_block, on_exit);
    }
    Ok(())
}

/// Calls `work` with the plugin; a panic in it ends the counting.
fn guarded(work: impl FnOnce(&Plugin)) {
    let Some(plugin) = PLUGIN.get() else { return };
    if catch_unwind(AssertUnwindSafe(|| work(plugin))).is_err() {
        // The panic's own message is on standard error. Without its last line the file is known to be cut off.
        *plugin.lock() = None;
    }
}

extern "C" fn on_block(first: *mut c_void, second: *mut c_void) {
    guarded(|plugin| {
        let block = plugin.api.block(first, second);
        // SAFETY: QEMU passed the block to this callback.
        unsafe { plugin.instrument(block) }
    });
}

extern "C" fn on_mark(_vcpu: c_uint, data: *mut c_void) {
    guarded(|plugin| {
        let (mark, place) = unpack(data as usize as u64);
        if let Some(counting) = plugin.lock().as_mut() {
            // SAFETY: a virtual CPU runs, it just executed the mark, and functions have counters.
            counting.mark(mark, place, |function| unsafe { plugin.api.read(function) });
        }
    });
}

extern "C" fn on_exit(_first: *mut c_void, _second: *mut c_void) {
    guarded(|plugin| {
        if let Some(counting) = plugin.lock().as_mut() {
            counting.end();
        }
    });
}

impl Plugin {
    /// The counting; a panic that left it poisoned also ends it.
    fn lock(&self) -> MutexGuard<'_, Option<Counting<File>>> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the instructions of a block counted, and its marks noticed.
    ///
    /// # Safety
    /// `block` is what QEMU passed to the translation callback, during that callback.
    unsafe fn instrument(&self, block: Block) {
        // SAFETY: as the caller promises; functions have counters.
        unsafe {
            let mut marks: Vec<(*mut c_void, Mark, u32)> = Vec::new();
            let mut runs: Vec<(u32, u64)> = Vec::new();
            let mut stretch: Option<Stretch> = None;
            let mut length = 0;
            let mut instructions = self.api.instructions(block).peekable();
            while let Some(instruction) = instructions.next() {
                let address = self.api.address(instruction);
                let mark = self.api.bytes::<{ mark::SIZE }>(instruction).and_then(|bytes| Mark::decode(&bytes));
                if mark.is_none() && length > 0 && instructions.peek().is_none() && may_be_cut(address) {
                    self.api.add_single(instruction, self.symbols.at(address).0 as usize);
                    break;
                }
                length += 1;
                let function = match &stretch {
                    // Code flows forwards in a block, but the guest decides where its addresses wrap.
                    Some(stretch) if address < stretch.end => stretch.function,
                    _ => {
                        let (function, end) = self.symbols.at(address);
                        stretch = Some(Stretch { function, end });
                        function
                    }
                };
                // A function that is inlined in another one alternates with it: one addition each is enough.
                match runs.iter_mut().find(|(known, _)| *known == function) {
                    Some((_, instructions)) => *instructions += 1,
                    None => runs.push((function, 1)),
                }
                if let Some(mark) = mark {
                    marks.push((instruction, mark, length));
                }
            }
            for (function, instructions) in runs {
                self.api.add(block, function as usize, instructions);
            }
            let Some(Stretch { function, .. }) = stretch else { return };
            for (instruction, mark, position) in marks {
                let place = Place { function, after: length - position };
                self.api.call(instruction, on_mark, pack(mark, place) as usize as *mut c_void);
            }
        }
    }
}

/// Where the instructions of a block lie just now.
struct Stretch {
    function: u32,
    /// First address that may be another's.
    end: u64,
}

/// Whether an instruction may reach into the next page. When it is not a block's first, QEMU leaves it to the next
/// block; 7.2 shows it to plugins all the same. What is added when that very instruction is executed is left out with
/// it.
fn may_be_cut(address: u64) -> bool {
    const PAGE: u64 = 4096;
    const LONGEST: u64 = 15;
    address % PAGE > PAGE - LONGEST
}

/// A mark and its place as a number: no memory to keep for each, however many the guest makes.
fn pack(mark: Mark, place: Place) -> u64 {
    let mark = match mark {
        Mark::Bit(false) => 0,
        Mark::Bit(true) => 1,
        Mark::Open => 2,
        Mark::Close => 3,
    };
    u64::from(place.function) << 32 | u64::from(place.after & 0xfff_ffff) << 4 | mark
}

fn unpack(data: u64) -> (Mark, Place) {
    let mark = match data & 0xf {
        0 => Mark::Bit(false),
        1 => Mark::Bit(true),
        2 => Mark::Open,
        _ => Mark::Close,
    };
    (mark, Place { function: (data >> 32) as u32, after: (data >> 4) as u32 & 0xfff_ffff })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_travels_as_a_number() {
        for mark in [Mark::Bit(false), Mark::Bit(true), Mark::Open, Mark::Close] {
            for place in [Place { function: 0, after: 0 }, Place { function: 3_999_999, after: 511 }] {
                assert_eq!(unpack(pack(mark, place)), (mark, place));
            }
        }
    }

    #[test]
    fn a_process_without_scoreboards_has_the_first_version() {
        choose_version();
        assert_eq!(unsafe { qemu_plugin_version }, 1);
        assert!(lookup(c"qemu_plugin_scoreboard_new").is_none() && lookup(c"malloc").is_some());
    }
}
