//! Reading files of `/proc`, as texts.

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) name: String,
    /// One letter, as in `ps`.
    pub(super) state: char,
    pub(super) parent: u32,
    /// CPU time used so far, in ticks.
    pub(super) ticks: u64,
}

/// Reads `/proc/PID/stat`. A name may hold blanks and parentheses.
pub(super) fn stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
    })
}

/// A lock that is held, from `/proc/locks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The process that took it; `None` when it is of another namespace.
    pub(super) pid: Option<u32>,
    /// Major and minor number of the file's device.
    pub(super) device: (u64, u64),
    pub(super) inode: u64,
}

/// Reads `/proc/locks`. Lines with an arrow are of those who wait.
pub(super) fn locks(text: &str) -> Vec<Held> {
    text.lines().filter_map(held).collect()
}

fn held(line: &str) -> Option<Held> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, kind, _, _, pid, file, ..] = fields[..] else { return None };
    if kind == "->" {
        return None;
    }
    let mut parts = file.split(':');
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let device = (hex(parts.next()?)?, hex(parts.next()?)?);
    let inode = parts.next()?.parse().ok()?;
    Some(Held { pid: pid.parse().ok().filter(|pid| *pid > 0), device, inode })
}

/// Every process below `root`, itself included, in the order of `all`; `root` is known by its id.
pub(super) fn family(all: &[Stat], root: u32) -> Vec<Stat> {
    let mut ids = std::collections::BTreeSet::from([root]);
    loop {
        let before = ids.len();
        ids.extend(all.iter().filter(|stat| ids.contains(&stat.parent)).map(|stat| stat.pid).collect::<Vec<_>>());
        if ids.len() == before {
            return all.iter().filter(|stat| ids.contains(&stat.pid)).cloned().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let text = "42 (a) R 1 (b) T 7 42 42 0 -1 4194560 99 0 0 0 12 30 0 0 20 0 1 0 5 6 7";
        let expected = Stat { pid: 42, name: "a) R 1 (b".into(), state: 'T', parent: 7, ticks: 42 };
        assert_eq!(stat(text), Some(expected));
        for bad in ["", "42", "42 (a", "x (a) R 1", "42 (a) R 1 2 3"] {
            assert_eq!(stat(bad), None, "{bad}");
        }
    }

    #[test]
    fn holders_are_told_from_those_who_wait() {
        let text = "1: FLOCK  ADVISORY  WRITE 812 fe:00:1311 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 813 fe:00:1311 0 EOF\n\
                    2: POSIX  ADVISORY  READ -1 00:1b:77 128 128\n3: LEASE  ACTIVE    READ  9 fe:00:5 0 EOF\nodd\n";
        let held = |pid, device, inode| Held { pid, device, inode };
        let expected = [held(Some(812), (0xfe, 0), 1311), held(None, (0, 0x1b), 77), held(Some(9), (0xfe, 0), 5)];
        assert_eq!(locks(text), expected);
    }

    #[test]
    fn a_family_is_all_that_descend() {
        let one = |pid, parent| Stat { pid, name: String::new(), state: 'S', parent, ticks: 0 };
        let all = [one(9, 5), one(5, 1), one(6, 1), one(7, 9), one(8, 6)];
        let ids: Vec<u32> = family(&all, 5).iter().map(|stat| stat.pid).collect();
        assert_eq!(ids, [9, 5, 7]);
        assert!(family(&all, 77).is_empty());
    }
}
