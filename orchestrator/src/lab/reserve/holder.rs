//! Who holds a box.

/// Between the user's name and the number that no two holders share.
const MARK: &str = ":orchestrator:";

/// One use of a box by this program, under a name that no other use has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Host and user as labgrid's own client names them, and a number: `lab1/alice:orchestrator:1f3a90bc`.
    pub name: String,
    /// What for, for notes: a unit's name.
    pub purpose: String,
}

impl Holder {
    /// A holder on this host, for this user.
    pub fn new(purpose: &str) -> Self {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
        Holder::named(&host.unwrap_or_default(), &user.unwrap_or_default(), purpose)
    }

    fn named(host: &str, user: &str, purpose: &str) -> Self {
        let word = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        let mut number = [0; 4];
        // Random bytes of the kernel; a host without them gives the time, which differs, too.
        match std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut number))
        {
            Ok(()) => {}
            Err(_) => number = jiff::Timestamp::now().subsec_nanosecond().to_be_bytes(),
        }
        let number = u32::from_be_bytes(number);
        let name = format!("{}/{}{MARK}{number:08x}", word(host), word(user));
        Holder { name, purpose: purpose.to_owned() }
    }
}

/// Whether a name is one of this program's, whose lock ends with its lease; people's locks end when they say so.
pub(super) fn is_ours(name: &str) -> bool {
    name.rsplit_once(MARK).is_some_and(|(who, number)| {
        !who.is_empty() && number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_holders_have_one_name_and_each_is_known_as_ours() {
        let (one, two) = (Holder::named("lab1", "alice", "a"), Holder::named("lab1", "alice", "a"));
        assert_ne!(one.name, two.name);
        assert!(is_ours(&one.name) && one.name.starts_with("lab1/alice:orchestrator:"), "{}", one.name);
        assert!(Holder::named("", "", "a").name.starts_with("unknown/unknown:"));
        assert!(is_ours(&Holder::new("a").name));
    }

    #[test]
    fn a_person_is_not_taken_for_us() {
        for name in
            ["lab1/alice", "lab1/orchestrator", "x:orchestrator:", "x:orchestrator:12", ":orchestrator:12345678"]
        {
            assert!(!is_ours(name), "{name}");
        }
    }
}
