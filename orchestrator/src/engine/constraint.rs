//! Which features of Slurm's a node must have for a guest, from the tags of its machine.

use std::collections::BTreeMap;

use crate::words::Tags;

/// Tags that a guest gets from QEMU and the kconfig, whatever node it runs on.
const OF_THE_GUEST: [&str; 4] = ["arch", "cpus", "memory", "numa"];
/// What a feature is mapped to that nodes need not have.
const NONE: &str = "none";

/// What `--constraint` says: the `own` words of the engine's file and a feature per tag. A tag `gpu: xe` is the feature
/// `gpu-xe`, `kvm: true` is `kvm`, unless `names` has another name for it, or `none`.
pub(super) fn constraint(own: Option<&str>, tags: &Tags, names: &BTreeMap<String, String>) -> Option<String> {
    let tags = tags.iter().filter(|(key, _)| !OF_THE_GUEST.contains(&key.as_str()));
    let features = tags.flat_map(|(key, value)| {
        let words = value.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        words.filter_map(|word| feature(key, word)).collect::<Vec<_>>()
    });
    let features = features.map(|feature| names.get(&feature).cloned().unwrap_or(feature));
    // Alternatives of the file stay together.
    let own = own.map(|own| if own.contains('|') { format!("({own})") } else { own.to_owned() });
    let mut all: Vec<String> = own.into_iter().collect();
    for feature in features.filter(|feature| feature != NONE) {
        if !all.iter().any(|known| known.split('&').any(|word| word == feature)) {
            all.push(feature);
        }
    }
    match all.as_slice() {
        [] => None,
        [one] => Some(one.trim_start_matches('(').trim_end_matches(')').to_owned()),
        several => Some(several.join("&")),
    }
}

fn feature(key: &str, word: &str) -> Option<String> {
    let name = match word {
        "false" => return None,
        "true" => key.to_owned(),
        word => format!("{key}-{word}"),
    };
    Some(name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect())
}

/// Whether Slurm takes this word for a feature.
pub(super) fn is_feature(word: &str) -> bool {
    !word.is_empty() && word.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_features_unless_they_are_mapped() {
        let names = BTreeMap::from([("gpu-amd".into(), "mi300".into()), ("rack-7".into(), "none".into())]);
        type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: &[Case<'_>] = &[
            (None, &[], None),
            (Some("qemu"), &[], Some("qemu")),
            (Some("a|b"), &[], Some("a|b")),
            (None, &[("hmm", "svm")], Some("hmm-svm")),
            (None, &[("kvm", "true"), ("nested", "false")], Some("kvm")),
            (Some("qemu"), &[("gpu", "xe, amd")], Some("qemu&gpu-xe&mi300")),
            (Some("a|b"), &[("gpu", "xe")], Some("(a|b)&gpu-xe")),
            (Some("qemu&kvm"), &[("kvm", "true")], Some("qemu&kvm")),
            (None, &[("rack", "7")], None),
            // QEMU gives a guest those on any node.
            (None, &[("arch", "x86_64"), ("cpus", "4"), ("memory", "8g"), ("numa", "2")], None),
            (None, &[("gpu", "a&b|c")], Some("gpu-a-b-c")),
        ];
        for (own, tags, meant) in cases {
            let tags: Tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(constraint(*own, &tags, &names).as_deref(), *meant, "{own:?} {tags:?}");
        }
    }
}
