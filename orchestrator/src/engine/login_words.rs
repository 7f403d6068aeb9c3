//! What a login node is told: scripts and argument lists, pure.

use camino::{Utf8Path, Utf8PathBuf};

use super::Item;
use crate::process::quote;

/// Most seconds that a transfer may stand still.
const STILL: u32 = 120;

/// Makes room for a job and says which files are missing, one hash a line, then `end`. What nodes have under another
/// name with the same content is linked.
pub(super) fn offer(cache: &Utf8Path, folder: &Utf8Path, items: &[Item]) -> String {
    let mut script = format!(
        "set -e; umask 022; mkdir -p {} {}; cd {}; have() {{ [ -e \"$2\" ] && return; \
         if [ -f \"$3\" ] && [ \"$(sha256sum < \"$3\" | cut -c1-64)\" = \"$1\" ]; then mkdir -p \"files/$1\"; \
         ln -f \"$3\" \"$2\"; else echo \"$1\"; fi; }}; ",
        quote(cache.join("files").as_str()),
        quote(cache.join(folder).as_str()),
        quote(cache.as_str()),
    );
    for item in items {
        let known = item.known.as_deref().map_or("", Utf8Path::as_str);
        let words = [item.hash.as_str(), item.to.as_str(), known].map(quote);
        script.push_str(&format!("have {}; ", words.join(" ")));
    }
    script.push_str("echo end");
    script
}

/// Makes a repository that takes what is pushed to it.
pub(super) fn repository(path: &Utf8Path) -> String {
    let path = quote(path.as_str());
    format!(
        "set -e; [ -f {path}/HEAD ] || git init -q --bare {path}; git -C {path} config receive.shallowUpdate true; \
         git -C {path} config receive.autogc false; git -C {path} config gc.auto 0; echo end"
    )
}

/// Names the folders below `jobs` that hold a result, one a line, then `end`.
pub(super) fn arrivals(jobs: &Utf8Path) -> String {
    format!(
        "cd {} 2>/dev/null || {{ echo end; exit 0; }}; for file in */result.json; do [ -f \"$file\" ] && \
         echo \"${{file%/*}}\"; done; echo end",
        quote(jobs.as_str())
    )
}

/// Removes the result of a job.
pub(super) fn forget(folder: &Utf8Path) -> String {
    format!("rm -f {}; echo end", quote(folder.join("result.json").as_str()))
}

/// Prints the last line of the newest log of a job, then `end`.
pub(super) fn last_words(folder: &Utf8Path) -> String {
    let folder = quote(folder.as_str());
    format!("cd {folder} && newest=$(ls -t *.log | head -n 1) && tail -c 2000 \"$newest\" | tail -n 1; echo; echo end")
}

/// The lines before the last one, which must be `end`: an answer that was cut off says nothing.
///
/// # Errors
/// One sentence: it was cut off.
pub(super) fn whole(answer: &str) -> Result<Vec<&str>, String> {
    let mut lines: Vec<&str> = answer.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.pop() {
        Some("end") => Ok(lines),
        _ => Err(format!("the login node's answer was cut off: {:?}", answer.trim())),
    }
}

/// A command for the login node's shell, with Slurm's configuration where one is named.
pub(super) fn called(conf: Option<&str>, program: &str, arguments: &[String]) -> String {
    let conf = conf.map(|conf| format!("env SLURM_CONF={} ", quote(conf))).unwrap_or_default();
    let words = std::iter::once(program).chain(arguments.iter().map(String::as_str)).map(quote);
    format!("{conf}{}", words.collect::<Vec<_>>().join(" "))
}

/// Arguments of `rsync` that copy the folder `from` into `to`, one of them on the login node. A file is there whole or
/// not at all; those that are there stay as they are when `keep` says so, since their names are their content.
pub(super) fn rsync(transport: &str, from: &str, to: &str, keep: bool) -> Vec<String> {
    let mut words: Vec<String> = ["--recursive", "--times", "--perms"].map(str::to_owned).into();
    // What is sent is a folder of links to the files; what comes back holds no links that would be followed here.
    words.extend(keep.then(|| ["--copy-links", "--ignore-existing"].map(str::to_owned)).into_iter().flatten());
    words.push(format!("--timeout={STILL}"));
    words.extend(["--rsh".to_owned(), transport.to_owned(), "--".to_owned(), from.to_owned(), to.to_owned()]);
    words
}

/// A folder on the login node in the words of `rsync`.
pub(super) fn remote(host: &str, path: &Utf8Path) -> String {
    format!("{host}:{path}/")
}

/// Address of a repository on the login node, for `git push`; port and user are the transport's.
pub(super) fn address(host: &str, path: &Utf8Path) -> String {
    format!("ssh://{host}{path}")
}

/// The command that `rsync` and git log in with.
pub(super) fn transport(options: &[String]) -> String {
    std::iter::once("ssh").chain(options.iter().map(String::as_str)).map(quote).collect::<Vec<_>>().join(" ")
}

/// Where the missing files lie, in a folder that looks as the nodes' cache is to look.
pub(super) fn staged<'a>(items: &'a [Item], missing: &[&str]) -> Vec<(&'a Utf8PathBuf, &'a Utf8PathBuf)> {
    let wanted = items.iter().filter(|item| missing.contains(&item.hash.as_str()));
    wanted.map(|item| (&item.from, &item.to)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn shell(script: &str) -> String {
        let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn item(content: &str, name: &str, known: Option<&str>) -> Item {
        let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        let to = super::super::parcel::place(&hash, name.into());
        Item { hash, from: format!("/here/{name}").into(), to, known: known.map(Into::into) }
    }

    #[test]
    fn only_what_is_missing_travels() {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(guard.path()).unwrap().join("it's a cache");
        let items = [
            item("built here", "vmlinux", Some("builds/k/vmlinux")),
            item("old", "config", Some("builds/k/config")),
            item("new", "tool", None),
        ];
        std::fs::create_dir_all(cache.join("builds/k")).unwrap();
        std::fs::write(cache.join("builds/k/vmlinux"), "built here").unwrap();
        std::fs::write(cache.join("builds/k/config"), "another one's").unwrap();
        let script = offer(&cache, "jobs/r/1".into(), &items);
        let said = shell(&script);
        let missing = whole(&said).unwrap();
        assert_eq!(missing, [items[1].hash.as_str(), items[2].hash.as_str()]);
        assert_eq!(std::fs::read_to_string(cache.join(&items[0].to)).unwrap(), "built here");
        assert_eq!(staged(&items, &missing)[1], (&"/here/tool".into(), &items[2].to));
        for item in &items[1..] {
            std::fs::create_dir_all(cache.join(&item.to).parent().unwrap()).unwrap();
            std::fs::write(cache.join(&item.to), "sent").unwrap();
        }
        assert_eq!(shell(&script), "end\n", "nothing travels again");
    }

    #[test]
    fn results_are_listed_whole_and_forgotten() {
        let guard = tempfile::tempdir().unwrap();
        let jobs = Utf8Path::from_path(guard.path()).unwrap().join("jobs");
        assert_eq!(whole(&shell(&arrivals(&jobs))).unwrap(), [""; 0], "no job was ever sent");
        std::fs::create_dir_all(jobs.join("done")).unwrap();
        std::fs::create_dir_all(jobs.join("running")).unwrap();
        assert_eq!(whole(&shell(&arrivals(&jobs))).unwrap(), [""; 0]);
        std::fs::write(jobs.join("done/result.json"), "{}").unwrap();
        std::fs::write(jobs.join("done/7.log"), "first\nlast\n").unwrap();
        assert_eq!(whole(&shell(&arrivals(&jobs))).unwrap(), ["done"]);
        assert_eq!(whole(&shell(&last_words(&jobs.join("done")))).unwrap(), ["last"]);
        assert_eq!(whole(&shell(&last_words(&jobs.join("running")))).unwrap(), [""; 0]);
        shell(&forget(&jobs.join("done")));
        assert_eq!(whole(&shell(&arrivals(&jobs))).unwrap(), [""; 0]);
        assert!(whole("done\n").is_err() && whole("").is_err(), "cut off");
    }

    #[test]
    fn words_are_quoted_for_the_shell_at_the_other_end() {
        let arguments = ["--job-name=r/boot/t/base/it's", "-o", "%i|%j"].map(str::to_owned);
        let script = called(Some("/etc/my slurm.conf"), "printf", &arguments);
        assert_eq!(script, r"env SLURM_CONF='/etc/my slurm.conf' printf '--job-name=r/boot/t/base/it'\''s' -o '%i|%j'");
        let said = shell(&called(None, "printf", &["%s\n".into(), "a|b".into(), "it's".into()]));
        assert_eq!(said, "a|b\nit's\n");
        assert_eq!(transport(&["-i".into(), "/my key".into()]), "ssh -i '/my key'");
        assert_eq!(
            rsync("ssh -p 1", "/a/", "h:/b/", true).join(" "),
            "--recursive --times --perms --copy-links --ignore-existing --timeout=120 --rsh ssh -p 1 -- /a/ h:/b/"
        );
        assert!(!rsync("ssh", "h:/b/", "/a/", false).join(" ").contains("links"));
    }
}
