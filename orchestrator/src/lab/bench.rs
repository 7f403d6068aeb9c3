//! The benchmark program that this program carries.

use camino::{Utf8Path, Utf8PathBuf};

use super::carried;

/// The benchmarks: a static program for x86_64 guests, built from `lab/bench` by the build script.
static BENCH: &[u8] = include_bytes!(env!("ORCHESTRATOR_BENCH"));

/// Content hash of the benchmark program (blake3, hex): part of what determines what a boot measures.
pub fn bench_hash() -> String {
    blake3::hash(BENCH).to_hex().to_string()
}

/// Name of the program's file in the folder `programs` of the cache.
pub fn bench_file() -> String {
    format!("hmm-bench-{}", &bench_hash()[..16])
}

/// Puts the benchmark program into the cache and says where it lies.
///
/// # Errors
/// When the disk refuses; the error names the file.
pub fn place_bench(cache: &Utf8Path) -> std::io::Result<Utf8PathBuf> {
    let path = cache.join("programs").join(bench_file());
    carried::place(&path, BENCH)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_placed_once_and_replaced_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let path = place_bench(cache).unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), BENCH);
        fs_err::write(&path, "damaged").unwrap();
        assert_eq!(place_bench(cache).unwrap(), path);
        assert_eq!(fs_err::read(&path).unwrap(), BENCH);
        assert_eq!(path.parent().unwrap().read_dir_utf8().unwrap().count(), 1);
    }

    /// What the guest has for it, and what `-l` of a program linked statically does without any guest.
    #[test]
    fn the_shipped_quick_set_names_metrics_that_the_program_has() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        // Copied by another process: a child that another test starts meanwhile holds open what this one is writing,
        // and what is open for writing cannot be executed.
        let path = cache.join("hmm-bench");
        let place = place_bench(cache).unwrap();
        let copied = std::process::Command::new("install").args(["-m", "755", place.as_str(), path.as_str()]).status();
        assert!(copied.unwrap().success());
        let output = std::process::Command::new(&path).arg("-l").output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        let mut names = Vec::new();
        let (mut fixture, mut variant) = ("", "");
        for line in table.lines().skip(1).filter(|line| !line.starts_with('-')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [first, second, _] = words[..] {
                (fixture, variant) = (first, second);
            }
            names.push(format!("{fixture}.{variant}.{}", words[words.len() - 1]));
        }
        let home = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let suite = crate::lab::suite(home, "hmm-bench").unwrap();
        assert!((20..=28).contains(&suite.quick.len()), "{}", suite.quick.len());
        for name in &suite.quick {
            assert!(names.contains(name), "{name} is no metric of hmm-bench");
            let two = name.replace("migrate-on-fault", "fault-then-migrate");
            assert!(suite.quick.contains(&two), "{name} has nothing to be compared with");
        }
    }
}
