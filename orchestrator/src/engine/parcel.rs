//! What travels with a job, and what may come back: pure.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::job::each_path;
use super::{Done, Item, Job, Source, UnitResult, Work};

/// Where nodes look for a file with this content.
pub(super) fn place(hash: &str, file: &Utf8Path) -> Utf8PathBuf {
    Utf8Path::new("files").join(hash).join(file.file_name().unwrap_or("file"))
}

/// The job with its files named by content, those files, and the source that it builds. `cache` is that of this host.
///
/// # Errors
/// One sentence: a file cannot be read.
pub(super) fn packed(
    job: &Job,
    cache: &Utf8Path,
    mut hash: impl FnMut(&Utf8Path) -> std::io::Result<String>,
) -> Result<(Job, Vec<Item>, Option<Source>), String> {
    let mut work = job.work_in(cache);
    let (mut items, mut trouble) = (Vec::<Item>::new(), None);
    let mut source = None;
    match &mut work {
        Work::Build(build) => {
            let to = Utf8Path::new("trees").join(format!("{}.git", build.tree.name));
            let repo = std::mem::replace(&mut build.tree.repo, to.clone());
            source = Some(Source { repo, commit: build.revision.commit.clone(), to });
        }
        Work::Boot(_) => each_path(&mut work, |path| match hash(path) {
            Ok(hash) => {
                let to = place(&hash, path);
                let from = std::mem::replace(path, to.clone());
                let known = from.strip_prefix(cache).ok().map(Utf8Path::to_owned);
                if !items.iter().any(|item| item.to == to) {
                    items.push(Item { hash, from, to, known });
                }
            }
            Err(error) => trouble = trouble.take().or(Some(format!("{path}: {error}"))),
        }),
    }
    match trouble {
        Some(why) => Err(why),
        None => Ok((Job { work, ..job.clone() }, items, source)),
    }
}

/// The folder below the cache that belongs to a result; `None` when nothing does.
///
/// # Errors
/// One sentence: the result is not of this job, or names a folder that is not its own.
pub(super) fn folder_of(result: &UnitResult, job: &Job) -> Result<Option<Utf8PathBuf>, String> {
    if result.digest != job.digest() {
        return Err("it answers another job".to_owned());
    }
    let (dir, own) = match (&result.done, &job.work) {
        (Done::Build(record), Work::Build(work)) => {
            let own = Utf8Path::new("builds").join(&work.key);
            (&record.artefacts.dir, record.artefacts.dir == own || record.artefacts.dir == format!("{own}.infra"))
        }
        (Done::Boot(record), Work::Boot(work)) => {
            let own = record.dir.parent() == Some(&Utf8Path::new("boots").join(&work.key));
            (&record.dir, own && matches!(record.dir.components().next_back(), Some(Utf8Component::Normal(_))))
        }
        _ => return Err("it is of another kind than the job".to_owned()),
    };
    match dir.as_str() {
        "" => Ok(None),
        _ if own => Ok(Some(dir.clone())),
        other => Err(format!("it names the folder {other:?}, which is not its own")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{boot_job, build_job};
    use crate::words::testing::{boot_record, build_record};

    #[test]
    fn files_are_named_by_content_and_sent_once() {
        let cache = Utf8Path::new("/cache");
        let mut work = boot_job();
        work.image = "/cache/builds/k/vmlinux".into();
        work.config = "/cache/builds/k/config".into();
        work.programs = vec![("s".into(), "/cache/builds/k/tests/t".into())];
        work.files =
            vec![("/home/data.json".into(), "/data.json".into()), ("/cache/builds/k/config".into(), "/c".into())];
        let job = Job::new("boot/t/base/k", 1, Work::Boot(Box::new(work)), cache);
        let hash = |path: &Utf8Path| Ok(format!("hash-of-{}", path.file_name().unwrap()));
        let (packed, items, source) = packed(&job, cache, hash).unwrap();
        assert_eq!(source, None);
        let to: Vec<&str> = items.iter().map(|item| item.to.as_str()).collect();
        assert_eq!(
            to,
            [
                "files/hash-of-vmlinux/vmlinux",
                "files/hash-of-config/config",
                "files/hash-of-t/t",
                "files/hash-of-data.json/data.json",
            ]
        );
        assert_eq!(items[0].known.as_deref(), Some(Utf8Path::new("builds/k/vmlinux")), "nodes may have built it");
        assert_eq!(items[3].known, None, "a file of the project folder");
        let Work::Boot(work) = packed.work_in("/scratch".into()) else { panic!("a boot") };
        assert_eq!(work.image, "/scratch/files/hash-of-vmlinux/vmlinux");
        assert_eq!(work.files[1].0, "/scratch/files/hash-of-config/config");
        let broken = super::packed(&job, cache, |_| Err(std::io::Error::other("gone"))).unwrap_err();
        assert!(broken.contains("/cache/builds/k/vmlinux: gone"), "{broken}");
    }

    #[test]
    fn a_build_takes_its_commit_along() {
        let mut work = build_job(1);
        work.tree.repo = "/home/me/linux/.git".into();
        let job = Job::new("build/t/base/k", 1, Work::Build(Box::new(work)), "/cache".into());
        let (packed, items, source) = packed(&job, "/cache".into(), |_| unreachable!("no files")).unwrap();
        assert_eq!(items, []);
        let source = source.unwrap();
        assert_eq!((source.repo.as_str(), source.to.as_str()), ("/home/me/linux/.git", "trees/t.git"));
        let Work::Build(work) = packed.work else { panic!("a build") };
        assert_eq!(work.tree.repo, "trees/t.git");
    }

    #[test]
    fn only_its_own_folder_comes_back() {
        let job = Job::new("build/t/base/k", 1, Work::Build(Box::new(build_job(1))), "/cache".into());
        let result = |dir: &str| {
            let mut record = build_record(0, 1);
            record.artefacts.dir = dir.into();
            let done = Done::Build(Box::new(record));
            UnitResult { format: 0, digest: job.digest(), id: "1.0".into(), node: "n".into(), notes: Vec::new(), done }
        };
        assert_eq!(folder_of(&result(""), &job), Ok(None));
        assert_eq!(folder_of(&result("builds/k1"), &job), Ok(Some("builds/k1".into())));
        assert_eq!(folder_of(&result("builds/k1.infra"), &job), Ok(Some("builds/k1.infra".into())));
        for bad in ["builds/k2", "/etc", "builds/k1/../../..", "builds"] {
            assert!(folder_of(&result(bad), &job).is_err(), "{bad}");
        }
        let other = UnitResult { digest: "other".into(), ..result("") };
        assert!(folder_of(&other, &job).unwrap_err().contains("another job"));
        let boot = Job::new("boot/t/base/k", 1, Work::Boot(Box::new(boot_job())), "/cache".into());
        let booted = |dir: &str| {
            let mut record = boot_record(0, 1);
            record.dir = dir.into();
            UnitResult { digest: boot.digest(), done: Done::Boot(Box::new(record)), ..result("") }
        };
        assert_eq!(folder_of(&booted("boots/b/1-7.0"), &boot), Ok(Some("boots/b/1-7.0".into())));
        for bad in ["boots/b", "boots/b/..", "boots/b/../x", "boots/c/1-7.0"] {
            assert!(folder_of(&booted(bad), &boot).is_err(), "{bad}");
        }
        assert!(folder_of(&result("builds/k1"), &boot).is_err());
    }
}
