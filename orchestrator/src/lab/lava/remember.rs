//! Remembering a job on disk, so that a program that was killed finds it again instead of submitting it twice.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// A job that was or may have been submitted, and whose result nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    /// Server.
    pub url: String,
    /// Its number, once LAVA gave one. Without it the server must be asked by name.
    pub id: Option<u64>,
}

/// Where a job is remembered.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    file: Utf8PathBuf,
}

impl Memory {
    /// Of the job of this name.
    pub(super) fn of(cache: &Utf8Path, job: &str) -> Self {
        Memory { file: cache.join("lava").join(format!("{job}.json")) }
    }

    /// What is remembered of it. What cannot be read is nothing that was finished: the server is asked by name.
    pub(super) fn read(&self, url: &str) -> Option<Open> {
        let text = std::fs::read(&self.file).ok()?;
        let open = serde_json::from_slice(&text).unwrap_or(Open { url: url.to_owned(), id: None });
        (open.url == url).then_some(open)
    }

    /// Remembers; on the disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses; the error names the file.
    pub(super) fn write(&self, open: &Open) -> Result<(), String> {
        let said = |error: std::io::Error| error.to_string();
        let folder = self.file.parent().unwrap_or(Utf8Path::new("."));
        fs_err::create_dir_all(folder).map_err(said)?;
        let text = serde_json::to_vec(open).map_err(|error| error.to_string())?;
        let new = self.file.with_extension("new");
        let mut file = fs_err::File::create(&new).map_err(said)?;
        std::io::Write::write_all(&mut file, &text).map_err(said)?;
        file.sync_all().map_err(said)?;
        fs_err::rename(&new, &self.file).map_err(said)
    }

    /// Its result is known, or it never was.
    pub(super) fn forget(&self) {
        // One that stays leads to a question by name, no more.
        let _ = std::fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_remembered_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::of(Utf8Path::from_path(folder.path()).unwrap(), "orchestrator-1");
        assert_eq!(memory.read("http://a"), None);
        let open = Open { url: "http://a".into(), id: Some(7) };
        memory.write(&open).unwrap();
        assert_eq!(memory.read("http://a"), Some(open));
        assert_eq!(memory.read("http://b"), None, "another server has other jobs");
        std::fs::write(&memory.file, "half").unwrap();
        assert_eq!(memory.read("http://a"), Some(Open { url: "http://a".into(), id: None }));
        memory.forget();
        assert_eq!(memory.read("http://a"), None);
    }
}
