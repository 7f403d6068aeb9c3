//! Which parts of a cache go so that it fits its budget: the least recently used first.

use camino::Utf8PathBuf;

/// A part of the disk that can be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Folder or file.
    pub path: Utf8PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last used, in seconds since the Unix epoch.
    pub used: u64,
    /// How much it hurts.
    pub value: Value,
    /// Why it must stay.
    pub held: Option<&'static str>,
}

/// What it takes to have a part again. Cheap ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// The program makes it again.
    Made,
    /// It must be downloaded again.
    Fetched,
}

/// What goes, and what is left then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// In the order in which they go.
    pub goes: Vec<Part>,
    /// Bytes that stay.
    pub stays: u64,
    /// Of these, bytes that nobody may take now, with the reasons.
    pub held: Vec<(&'static str, u64)>,
}

/// Chooses parts that go until no more than `budget` bytes stay.
pub fn choose(parts: &[Part], budget: u64) -> Choice {
    let mut stays: u64 = parts.iter().map(|part| part.bytes).sum();
    let mut free: Vec<&Part> = parts.iter().filter(|part| part.held.is_none() && part.bytes > 0).collect();
    free.sort_by_key(|part| (part.value, part.used, &part.path));
    let mut goes = Vec::new();
    for part in free {
        if stays <= budget {
            break;
        }
        stays -= part.bytes;
        goes.push(part.clone());
    }
    let mut held: Vec<(&'static str, u64)> = Vec::new();
    for (why, bytes) in parts.iter().filter_map(|part| Some((part.held?, part.bytes))) {
        match held.iter_mut().find(|(other, _)| *other == why) {
            Some((_, sum)) => *sum += bytes,
            None => held.push((why, bytes)),
        }
    }
    Choice { goes, stays, held }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(name: &str, bytes: u64, used: u64, value: Value, held: Option<&'static str>) -> Part {
        Part { path: name.into(), bytes, used, value, held }
    }

    fn names(choice: &Choice) -> String {
        choice.goes.iter().map(|part| part.path.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_oldest_and_cheapest_go_until_the_rest_fits() {
        let parts = [
            part("new", 10, 9, Value::Made, None),
            part("old", 10, 1, Value::Made, None),
            part("run", 10, 0, Value::Made, Some("kept runs")),
            part("tree", 10, 0, Value::Fetched, None),
            part("busy", 10, 0, Value::Made, Some("a run uses it")),
        ];
        for (budget, goes, stays) in
            [(50, "", 50), (49, "old", 40), (30, "old new", 30), (20, "old new tree", 20), (0, "old new tree", 20)]
        {
            let choice = choose(&parts, budget);
            assert_eq!((names(&choice).as_str(), choice.stays), (goes, stays), "{budget}");
            assert_eq!(choice.held, [("kept runs", 10), ("a run uses it", 10)]);
        }
    }

    proptest! {
        #[test]
        fn nothing_held_goes_and_nothing_goes_in_vain(
            sizes in proptest::collection::vec((0u64..100, 0u64..9, any::<bool>()), 0..20),
            budget in 0u64..1000,
        ) {
            let parts: Vec<Part> = sizes.iter().enumerate().map(|(index, (bytes, used, held))| {
                part(&index.to_string(), *bytes, *used, Value::Made, held.then_some("held"))
            }).collect();
            let choice = choose(&parts, budget);
            prop_assert!(choice.goes.iter().all(|part| part.held.is_none()));
            let gone: u64 = choice.goes.iter().map(|part| part.bytes).sum();
            prop_assert_eq!(gone + choice.stays, parts.iter().map(|part| part.bytes).sum::<u64>());
            if let Some(last) = choice.goes.last() {
                prop_assert!(choice.stays + last.bytes > budget, "the last one was needed");
            }
            let free_left = parts.iter().any(|part| part.held.is_none() && part.bytes > 0 && !choice.goes.contains(part));
            prop_assert!(choice.stays <= budget || !free_left);
        }
    }
}
