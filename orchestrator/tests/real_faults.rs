//! Faults: the program is killed, its disk is filled, its files are damaged, its tools hang and die while it builds and
//! boots a real kernel. Each ends in a resume with the same report, or in a clear error; see docs/reliability.md.
//!
//! These tests share a cache of their own and run one after the other: `make faults`, and those whose name begins with
//! `short` with `make test`. `FAULTS_KILLS` and `FAULTS_SEED` say how often, and with which luck, the program is killed.

mod faults;
#[allow(dead_code, reason = "the faults need only one way to write a series")]
mod planted;

use faults::known::Known;
use faults::stage::number;
use faults::{clock, damage, disk, imports, kills, network, older, outside, together};

/// The seed of all luck.
fn seed() -> u64 {
    number("FAULTS_SEED", 20_261_125)
}

#[test]
#[ignore = "builds and boots a real kernel"]
fn short_a_killed_at_any_moment_and_resumed() {
    let toll = kills::kill_and_resume(10, seed());
    toll.print();
    assert!(toll.blows >= 10);
}

#[test]
#[ignore = "boots a real kernel"]
fn short_b_results_full_damaged_and_old() {
    let known = Known::new();
    disk::results_fill_up(&known);
    damage::runs(&known);
    damage::boots(&known);
}

#[test]
#[ignore = "needs curl and git"]
fn short_c_network_gone_in_the_middle() {
    network::fetch_is_cut();
}

#[test]
#[ignore = "builds and boots a real kernel"]
fn long_a_killed_at_any_moment_and_resumed() {
    let count = usize::try_from(number("FAULTS_KILLS", 200)).unwrap();
    let toll = kills::kill_and_resume(count, seed());
    toll.print();
    assert!(toll.blows >= count);
}

#[test]
#[ignore = "imports a real kernel"]
fn long_b_killed_while_it_imports() {
    imports::killed(usize::try_from(number("FAULTS_IMPORTS", 10)).unwrap(), seed());
}

#[test]
#[ignore = "boots a real kernel"]
fn long_c_disks() {
    let known = Known::new();
    disk::read_only(&known);
    disk::cache_fills_up(&known);
}

#[test]
#[ignore = "boots a real kernel"]
fn long_d_guests_that_die_and_hang() {
    let known = Known::new();
    outside::qemu_dies(&known);
    outside::no_memory_for_a_guest(&known);
    outside::qemu_hangs(&known);
}

#[test]
#[ignore = "boots a real kernel"]
fn long_e_the_clock_jumps() {
    clock::jumps(&Known::new());
}

#[test]
#[ignore = "boots a real kernel"]
fn long_f_two_boot_at_once() {
    let known = Known::new();
    together::one_run_twice(&known);
    together::two_runs(&known, &["boots"]);
}

#[test]
#[ignore = "builds and boots a real kernel"]
fn long_g_builds_that_die_and_hang() {
    let known = Known::new();
    outside::make_dies(&known);
    outside::make_hangs(&known);
    outside::no_memory_for_a_build(&known);
}

#[test]
#[ignore = "builds and boots a real kernel"]
fn long_h_damaged_and_old_builds() {
    let known = Known::new();
    damage::builds(&known);
    damage::notes_of_the_cache(&known);
    older::stores(&known);
}

#[test]
#[ignore = "builds and boots a real kernel"]
fn long_i_two_build_at_once_and_disks_without_room() {
    let known = Known::new();
    together::two_runs(&known, &["boots", "builds"]);
    disk::no_room_for_a_build(&known);
    disk::damaged_pack(&known);
}
