//! Names of units, and which units cost about the same.

use super::{Revision, UnitKind};

/// Name of the build of a revision with a kconfig: `build/linux-6.12/p3/hmm`.
pub fn build_unit(tree: &str, revision: Revision, kconfig: &str) -> String {
    format!("build/{tree}/{}/{kconfig}", revision.slug())
}

/// Name of the boot of a kernel with the selftests of the same or of another revision:
/// `boot/linux-6.12/p6/hmm/selftests-base`. Repeats add their purpose.
pub fn boot_unit(tree: &str, kernel: Revision, selftests: Revision, kconfig: &str) -> String {
    let name = format!("boot/{tree}/{}/{kconfig}", kernel.slug());
    if kernel == selftests { name } else { format!("{name}/selftests-{}", selftests.slug()) }
}

/// A kconfig on a machine, as names of units have it: the kconfig on the machine of its own, `hmm/on-big` on another.
pub fn boot_place(kconfig: &str, machine: &str, own: &str) -> String {
    if machine == own { kconfig.to_owned() } else { format!("{kconfig}/on-{machine}") }
}

/// Units that take about the same time: same kind and kconfig (for trees: same tree), base or patched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitClass {
    /// Their kind.
    pub kind: UnitKind,
    /// True when a patch is applied: such a build goes on from the one before.
    pub patched: bool,
    /// Kconfig, or tree for units that have none.
    pub what: String,
}

impl UnitClass {
    /// The class of a unit. `None` for names without one, and for repeats, rests and bisection, which run only a part
    /// of the tests.
    pub fn of(unit: &str, kind: UnitKind) -> Option<UnitClass> {
        let words: Vec<&str> = unit.split('/').collect();
        let class = |patched, what: &str| Some(UnitClass { kind, patched, what: what.to_owned() });
        let patched = |revision: &str| revision != Revision::Base.slug();
        let place = |kconfig: &str, machine: &str| format!("{kconfig}/{machine}");
        match (kind, words.as_slice()) {
            (UnitKind::Fetch | UnitKind::Apply, [_, tree]) => class(false, tree),
            (UnitKind::Build, [_, _, revision, kconfig]) => class(patched(revision), kconfig),
            (UnitKind::Boot, [_, _, revision, kconfig]) => class(patched(revision), kconfig),
            (UnitKind::Boot, [_, _, revision, kconfig, tests]) if tests.starts_with("selftests-") => {
                class(patched(revision), kconfig)
            }
            // Another machine takes another time.
            (UnitKind::Boot, [_, _, revision, kconfig, machine]) if machine.starts_with("on-") => {
                class(patched(revision), &place(kconfig, machine))
            }
            (UnitKind::Boot, [_, _, revision, kconfig, machine, tests])
                if machine.starts_with("on-") && tests.starts_with("selftests-") =>
            {
                class(patched(revision), &place(kconfig, machine))
            }
            (UnitKind::Fetch | UnitKind::Apply | UnitKind::Build | UnitKind::Boot, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_do_the_same_work_are_of_one_class() {
        let patch = Revision::Patch { number: 3, total: 6 };
        let class = |patched, what: &str| Some((patched, what.to_owned()));
        let of = |unit: &str, kind| UnitClass::of(unit, kind).map(|class| (class.patched, class.what));
        assert_eq!(of(&build_unit("t", Revision::Base, "hmm"), UnitKind::Build), class(false, "hmm"));
        assert_eq!(of(&build_unit("t", patch, "hmm"), UnitKind::Build), class(true, "hmm"));
        assert_eq!(of(&boot_unit("t", patch, patch, "hmm"), UnitKind::Boot), class(true, "hmm"));
        assert_eq!(of(&boot_unit("t", Revision::Base, patch, "hmm"), UnitKind::Boot), class(false, "hmm"));
        let elsewhere = boot_place("hmm", "big", "qemu-x86_64");
        assert_eq!(boot_place("hmm", "big", "big"), "hmm");
        assert_eq!(of(&boot_unit("t", patch, patch, &elsewhere), UnitKind::Boot), class(true, "hmm/on-big"));
        let crossed = boot_unit("t", patch, Revision::Base, &elsewhere);
        assert_eq!(crossed, "boot/t/p3/hmm/on-big/selftests-base");
        assert_eq!(of(&crossed, UnitKind::Boot), class(true, "hmm/on-big"));
        assert_eq!(of("boot/t/p3/hmm/on-big/repeat-1", UnitKind::Boot), None);
        assert_eq!(of("fetch/mainline", UnitKind::Fetch), class(false, "mainline"));
        assert_eq!(of("boot/t/p3/hmm/repeat-1", UnitKind::Boot), None);
        assert_eq!(of("boot/t/p3/hmm/selftests-base/rest-1", UnitKind::Boot), None);
        assert_eq!(of("build/t/worktree", UnitKind::Build), None);
    }
}
