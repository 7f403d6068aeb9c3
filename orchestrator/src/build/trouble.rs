//! Trouble of ours in what a build prints: the disk, the memory, the compiler itself. It says nothing about the kernel.

/// What this line says about the host, if anything.
///
/// A patch can make the compiler print whatever it likes, but only after `file:line:`, and such lines do not count.
pub(super) fn trouble(line: &str) -> Option<String> {
    let line = line.trim_end();
    if line.starts_with(char::is_whitespace) {
        // A step line or an excerpt of a source.
        return None;
    }
    if said_by_a_source(line) {
        return internal_error(line).or_else(|| missing_header(line));
    }
    if line.contains("please install libelf-dev") {
        return Some(HOST_LIBRARIES.to_owned());
    }
    let endings = [
        ("No space left on device", "the disk is full: free some space, or let `orchestrator gc` do it"),
        ("Disk quota exceeded", "the disk quota is used up: free some space, or let `orchestrator gc` do it"),
        ("Cannot allocate memory", "memory ran out: build with fewer jobs"),
        ("virtual memory exhausted", "memory ran out: build with fewer jobs"),
    ];
    if let Some((ending, advice)) = endings.iter().find(|(ending, _)| line.ends_with(ending)) {
        return Some(format!("{ending} ({advice})"));
    }
    if line.contains("Killed signal terminated program")
        || line.ends_with(" Killed")
        || line.contains(" Killed  ")
        || line == "Killed"
    {
        return Some(format!("a process of the build was killed, most likely for want of memory: {line}"));
    }
    if line.contains("out of memory allocating") {
        return Some("memory ran out: build with fewer jobs".to_owned());
    }
    if line.starts_with("bwrap: ") {
        return Some(format!("the sandbox failed: {line}"));
    }
    internal_error(line)
}

const HOST_LIBRARIES: &str = "the host lacks libraries that kernel builds need: apt-get install libelf-dev libssl-dev";

/// A header of the host that the kernel's own build programs want; the kernel itself never includes those.
fn missing_header(line: &str) -> Option<String> {
    let (place, rest) = line.split_once(": fatal error: ")?;
    let header = rest.strip_suffix(": No such file or directory")?;
    let program = ["/scripts/", "/tools/", "/certs/", "<stdin>"].iter().any(|part| place.contains(part));
    let known = ["elf.h", "gelf.h", "libelf.h", "zlib.h"].contains(&header) || header.starts_with("openssl/");
    (program && known).then(|| format!("{HOST_LIBRARIES} ({header})"))
}

/// `file:12:` or `file:12:3:` at the start.
fn said_by_a_source(line: &str) -> bool {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(number)) = (parts.next(), parts.next()) else { return false };
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// gcc: `x.c:1:2: internal compiler error: ...`, clang: `PLEASE submit a bug report to ...`.
fn internal_error(line: &str) -> Option<String> {
    let at = line.find("internal compiler error: ")?;
    // `#error internal compiler error: ` has its own words before it.
    let before = line[..at].trim_end();
    (before.is_empty() || before.ends_with(':') && !before.ends_with("error:") && !before.ends_with("warning:"))
        .then(|| format!("the compiler itself failed: {}", &line[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_host_is_recognised() {
        for line in [
            "ld: final link failed: No space left on device",
            "/tmp/ccX.s: Fatal error: can't close mm/hmm.o: No space left on device",
            "gcc: fatal error: Killed signal terminated program cc1",
            "/bin/sh: line 1: 1234 Killed                  gcc -c",
            "/src/mm/hmm.c:12:3: internal compiler error: Segmentation fault",
            "gcc: internal compiler error: Segmentation fault signal terminated program cc1",
            "cc1: out of memory allocating 65536 bytes after a total of 1 bytes",
            "/src/tools/objtool/include/objtool/elf.h:10:10: fatal error: gelf.h: No such file or directory",
            "/src/certs/extract-cert.c:21:10: fatal error: openssl/bio.h: No such file or directory",
            "bwrap: Can't mkdir /x: Permission denied",
        ] {
            assert!(trouble(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_a_patch_prints_is_not_trouble() {
        for line in [
            "/src/mm/hmm.c:1:2: warning: #warning No space left on device",
            "/src/mm/hmm.c:1:2: error: #error internal compiler error: none",
            "/src/mm/hmm.c:1:2: error: internal compiler error: none",
            "    1 | #warning No space left on device",
            "  CC      mm/hmm.o",
            "/src/mm/hmm.c:5: note: Killed",
            "/src/mm/hmm.c:5:10: fatal error: gelf.h: No such file or directory",
            "/src/scripts/a.c:5:10: fatal error: planted.h: No such file or directory",
        ] {
            assert_eq!(trouble(line), None, "{line}");
        }
    }
}
