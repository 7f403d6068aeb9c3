//! Who uses a cache: runs of any results folder register in `<cache>/users/`, so that gc takes nothing from under them.
//!
//! A file there names a run's folder and is locked as long as the run's process lives; the kernel frees it. Whoever collects
//! holds the gate meanwhile, and a run that begins waits for it.

use std::fs::{File, TryLockError};

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::{try_lock, try_lock_shared};

/// Held while a run is at work.
#[derive(Debug)]
pub struct User {
    _file: File,
    path: Utf8PathBuf,
}

impl Drop for User {
    fn drop(&mut self) {
        // One that stays is found to be free by the next gc.
        let _ = fs_err::remove_file(&self.path);
    }
}

/// Held while a cache is collected.
#[derive(Debug)]
pub struct Gate {
    _file: File,
}

/// Says that the run in `folder` uses the cache from now on. Waits as long as the cache is being collected.
///
/// # Errors
/// When the cache cannot be written.
pub fn register(cache: &Utf8Path, folder: &Utf8Path) -> std::io::Result<User> {
    let gate = gate(cache)?;
    gate.lock_shared()?;
    let name = folder.file_name().unwrap_or("run");
    let path = cache.join("users").join(format!("{name}.{}", std::process::id()));
    let file = File::options().create(true).truncate(true).write(true).read(true).open(&path)?;
    let unlocked = |error: TryLockError| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => std::io::Error::other(format!("{path} is locked by another process")),
    };
    try_lock(&file).map_err(unlocked)?;
    std::io::Write::write_all(&mut &file, folder.as_str().as_bytes())?;
    Ok(User { _file: file, path })
}

/// Closes the gate: no run begins until it is dropped. Waits for another collector.
///
/// # Errors
/// When the cache cannot be written.
pub fn close_gate(cache: &Utf8Path) -> std::io::Result<Gate> {
    let file = gate(cache)?;
    file.lock()?;
    Ok(Gate { _file: file })
}

fn gate(cache: &Utf8Path) -> std::io::Result<File> {
    let users = cache.join("users");
    fs_err::create_dir_all(&users)?;
    File::options().create(true).truncate(false).write(true).read(true).open(users.join(".gate"))
}

/// Folders of the runs that use the cache now. What dead processes left is removed.
///
/// # Errors
/// When the cache cannot be read.
pub fn users(cache: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let mut folders = Vec::new();
    let entries = match cache.join("users").read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(folders),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().starts_with('.') {
            continue;
        }
        let file = match File::open(entry.path()) {
            Ok(file) => file,
            // It ended this moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match try_lock_shared(&file) {
            Err(TryLockError::WouldBlock) => folders.push(fs_err::read_to_string(entry.path())?.into()),
            Ok(()) => {
                let _ = fs_err::remove_file(entry.path());
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    folders.sort();
    Ok(folders)
}

/// Says that a result of the cache was used now: what was used last goes last.
pub fn touch(path: &Utf8Path) {
    // A cache that cannot be written to is of use all the same; gc knows a little less.
    let _ = File::open(path).and_then(|folder| folder.set_modified(std::time::SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_user_as_long_as_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(users(cache).unwrap(), Vec::<Utf8PathBuf>::new());
        let user = register(cache, Utf8Path::new("/elsewhere/results/r1")).unwrap();
        assert_eq!(users(cache).unwrap(), ["/elsewhere/results/r1"]);
        drop(user);
        assert_eq!(users(cache).unwrap(), Vec::<Utf8PathBuf>::new());
    }

    #[test]
    fn what_a_dead_process_left_is_no_user() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(cache.join("users")).unwrap();
        fs_err::write(cache.join("users/r2.77"), "/elsewhere/r2").unwrap();
        assert_eq!(users(cache).unwrap(), Vec::<Utf8PathBuf>::new());
        assert!(!cache.join("users/r2.77").exists());
    }

    #[test]
    fn while_a_cache_is_collected_no_run_begins() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let gate = close_gate(&cache).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let place = cache.clone();
        let run = std::thread::spawn(move || {
            let user = register(&place, Utf8Path::new("/r")).unwrap();
            tell.send(()).unwrap();
            drop(user);
        });
        assert_eq!(users(&cache).unwrap(), Vec::<Utf8PathBuf>::new());
        assert!(told.try_recv().is_err(), "it waits at the gate");
        drop(gate);
        told.recv().unwrap();
        run.join().unwrap();
    }
}
