//! Which machine has what a suite or a kconfig needs.
//!
//! A need is a key and a value; a machine has tags of the same form. A value is one or several words, separated by
//! spaces or commas: every word that is needed must be among those that the machine has. A need that is one whole number,
//! with k, m or g for multiples of 1024, is met by any number that is as large.

use crate::words::{BootSpec, Hardware, Machine, Tags};

/// What a machine has: its tags, its `arch`, and what a guest gets by the kconfig: `cpus`, `memory` and `numa` (nodes).
/// What the machine's file says comes before what is derived, but for `arch` of a guest.
pub fn tags_of(machine: &Machine, spec: &BootSpec) -> Tags {
    let mut tags = machine.tags.clone();
    tags.insert("arch".to_owned(), machine.arch().to_owned());
    match machine.hardware {
        Hardware::Qemu(_) => {
            let derived = [
                ("cpus", spec.cpus.to_string()),
                ("memory", format!("{}m", spec.memory_mib)),
                ("numa", spec.numa_nodes.max(1).to_string()),
            ];
            for (key, value) in derived {
                tags.entry(key.to_owned()).or_insert(value);
            }
        }
        Hardware::Dut(_) | Hardware::Lava(_) => {}
    }
    tags
}

/// The needs that are not met, each with what there is instead: `gpu: xe; qemu-x86_64 has none`.
pub fn unmet(needs: &Tags, machine: &str, tags: &Tags) -> Vec<String> {
    let lacks = |(key, value): (&String, &String)| match tags.get(key) {
        Some(has) if meets(value, has) => None,
        Some(has) => Some(format!("{key}: {value}; {machine} has {has}")),
        None => Some(format!("{key}: {value}; {machine} has none")),
    };
    needs.iter().filter_map(lacks).collect()
}

/// Whether a tag's value meets a need.
pub fn meets(need: &str, has: &str) -> bool {
    let mut wanted = words(need).peekable();
    // An empty need asks for the tag alone.
    if wanted.peek().is_none() {
        return true;
    }
    wanted.all(|want| words(has).any(|word| word == want || at_least(want, word)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

/// Whether both are numbers and `has` is as large.
fn at_least(want: &str, has: &str) -> bool {
    matches!((number(want), number(has)), (Some(want), Some(has)) if has >= want)
}

/// A whole number, with k, m or g for multiples of 1024.
fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(1 << shift)
}

/// The order in which machines are chosen where several do: guests before boxes, before what another lab lends; of
/// guests the plain one of its architecture (`qemu-ARCH`) first; then by name.
pub fn preference(machine: &Machine) -> (u8, bool, String) {
    let kind = match machine.hardware {
        Hardware::Qemu(_) => 0,
        Hardware::Dut(_) => 1,
        Hardware::Lava(_) => 2,
    };
    (kind, machine.name != format!("qemu-{}", machine.arch()), machine.name.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    #[test]
    fn needs_are_met_by_words_and_by_numbers_as_large() {
        let cases = [
            ("svm", "svm", true),
            ("svm", "SVM", false),
            ("svm", "svm-2", false),
            ("xe", "amd, xe", true),
            ("xe", "amd xe", true),
            ("xe amd", "amd,xe,nouveau", true),
            ("xe nouveau", "amd xe", false),
            ("", "anything", true),
            ("", "", true),
            ("xe", "", false),
            ("2", "2", true),
            ("2", "4", true),
            ("4", "2", false),
            ("8g", "16g", true),
            ("16g", "8g", false),
            ("1024m", "1g", true),
            ("1g", "1023M", false),
            ("3", "3k", true),
            // What is no number is a word.
            ("1.5", "2", false),
            ("-1", "2", false),
            ("g", "g", true),
            ("0x10", "32", false),
            // One of several values is large enough.
            ("8g", "4g 16g", true),
            // Too large for any machine, hence a word.
            ("99999999999999999999g", "99999999999999999999g", true),
            ("17179869184g", "1g", false),
        ];
        for (need, has, met) in cases {
            assert_eq!(meets(need, has), met, "{need:?} of {has:?}");
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let has = tags(&[("gpu", "amd"), ("vram", "8g")]);
        let needs = tags(&[("gpu", "xe"), ("hmm", "svm"), ("vram", "8g")]);
        assert_eq!(unmet(&needs, "m", &has), ["gpu: xe; m has amd", "hmm: svm; m has none"]);
        assert!(unmet(&Tags::new(), "m", &Tags::new()).is_empty());
    }

    #[test]
    fn a_guest_has_what_the_kconfig_gives_it_and_its_own_architecture() {
        let mut machine = Machine { tags: tags(&[("arch", "sparc"), ("numa", "8")]), ..testing::machine() };
        let spec = BootSpec { memory_mib: 3072, cpus: 4, numa_nodes: 2, ..BootSpec::default() };
        let has = tags_of(&machine, &spec);
        assert_eq!(has, tags(&[("arch", "x86_64"), ("cpus", "4"), ("memory", "3072m"), ("numa", "8")]));
        machine.tags.clear();
        assert!(unmet(&tags(&[("numa", "2"), ("memory", "3g")]), "m", &tags_of(&machine, &spec)).is_empty());
        let plain = BootSpec::default();
        assert_eq!(unmet(&tags(&[("numa", "2")]), "m", &tags_of(&machine, &plain)), ["numa: 2; m has 1"]);
    }

    #[test]
    fn guests_come_first_and_of_them_the_plain_one() {
        let guest = |name: &str| Machine { name: name.into(), ..testing::machine() };
        let mut machines = ["qemu-big", "aaa", "qemu-x86_64"].map(guest).to_vec();
        machines.sort_by_key(preference);
        let names: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
        assert_eq!(names, ["qemu-x86_64", "aaa", "qemu-big"]);
    }

    proptest! {
        #[test]
        fn every_value_meets_itself_and_nothing_panics(one in "[ -~]{0,40}", other in "\\PC{0,40}") {
            prop_assert!(meets(&one, &one));
            let both = format!("{one} {other}");
            prop_assert!(meets(&other, &both));
            let _ = meets(&one, &other);
        }
    }
}
