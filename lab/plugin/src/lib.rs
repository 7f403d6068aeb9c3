//! A TCG plugin for QEMU: which function executed how many instructions between two marks of the guest.
//!
//! ```text
//! qemu-system-x86_64 -plugin file=liborchestrator_plugin.so,symbols=PATH,out=PATH ...
//! ```
//!
//! The guest marks a window by executing NOPs that nothing else executes ([`mark`]). Every function of the symbol
//! file ([`symbols`]) has one counter. When QEMU translates a block, the plugin asks it to add the number of the
//! block's instructions to the counter of the function that they belong to, inline, each time the block is executed.
//! Opening a window copies the counters, closing it writes the differences as one line ([`count`], [`output`]).
//! Blocks that are translated again, or modified, or flushed cost no memory: the counters belong to functions.
//!
//! **What is counted.** Instructions after the opening NOP and before the closing NOP, exactly, also where a NOP lies
//! in the middle of a block. An iteration of a repeated string instruction is an instruction, as it is for QEMU's
//! instruction clock. A block that is left early (a page fault, a device access under `-icount`) counts whole: the
//! sum over all functions exceeds the instruction clock by the rest of such blocks, four instructions for the page
//! fault of a loop that touches pages. Time that the guest spends waiting passes on the clock and executes nothing.
//! The counts are the same in every run of a deterministic guest. Nothing here changes what the guest executes or
//! what its instruction clock says.
//!
//! **Limits.** The guest may be hostile: windows and written bytes are bounded, and what the guest sends is a number,
//! never text. With one virtual CPU the counts are exact; with more, QEMU's additions race, and the first line of the
//! file tells how many there are. Modules are loaded anywhere and count as `(unknown)`. The symbol file tells where the
//! kernel was linked: the guest must be booted with `nokaslr`.
//!
//! **QEMU.** API version 1 (QEMU 6.0 to 8.2) and 2 to 7 (QEMU 9.0 to 11), told apart when the plugin is loaded;
//! anything else is refused with a message. All of QEMU's functions are looked up by name, so a QEMU that lacks one
//! is a message, too. Proven with QEMU 7.2 (version 1) and 10.0 (version 4).

mod api;
mod arguments;
mod count;
mod mark;
mod output;
mod plugin;
mod symbols;
