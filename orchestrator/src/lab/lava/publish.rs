//! Files that LAVA fetches: put where a web server of the user's shows them, and taken away again.

use camino::{Utf8Path, Utf8PathBuf};

use crate::words::Lava;

/// Files of one job. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Published {
    files: Vec<Utf8PathBuf>,
}

/// Name of a file of a job: by job, so that the end of one takes no file from another, and by content, so that no
/// cache between here and LAVA gives an old one.
fn name(job: &str, kind: &str, hash: &str) -> String {
    format!("{job}-{kind}-{}", &hash[..hash.len().min(16)])
}

/// Content hash of a file (blake3, hex).
///
/// # Errors
/// When it cannot be read; the error names it.
pub(super) fn hash(file: &Utf8Path) -> Result<String, String> {
    let mut hasher = blake3::Hasher::new();
    let mut source = fs_err::File::open(file).map_err(|error| error.to_string())?;
    std::io::copy(&mut source, &mut hasher).map_err(|error| format!("{file}: {error}"))?;
    Ok(hasher.finalize().to_hex().to_string())
}

impl Published {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Published { files: Vec::new() }
    }

    /// Puts a file into the folder; its address. A file that is there is one of an earlier try of the same job.
    ///
    /// # Errors
    /// When the disk refuses; the error names the file.
    pub(super) fn add(
        &mut self,
        lava: &Lava,
        job: &str,
        kind: &str,
        file: &Utf8Path,
        hash: &str,
    ) -> Result<String, String> {
        let folder = Utf8Path::new(&lava.publish_dir);
        let name = name(job, kind, hash);
        let (path, new) = (folder.join(&name), folder.join(format!(".{name}.new")));
        fs_err::create_dir_all(folder).map_err(|error| error.to_string())?;
        self.files.push(path.clone());
        // A web server runs as somebody else.
        fs_err::copy(file, &new).map_err(|error| error.to_string())?;
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs_err::set_permissions(&new, readable).map_err(|error| error.to_string())?;
        fs_err::rename(&new, &path).map_err(|error| error.to_string())?;
        Ok(format!("{}/{name}", lava.publish_url.trim_end_matches('/')))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        for file in &self.files {
            // Nobody can do anything about one that stays.
            let _ = std::fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::SecretPlace;

    #[test]
    fn files_are_there_for_as_long_as_they_are_needed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let lava = Lava {
            url: "http://lava".into(),
            device_type: "qemu".into(),
            token: SecretPlace::default(),
            publish_dir: dir.join("www").to_string(),
            publish_url: "http://here/files/".into(),
            template: None,
        };
        let file = dir.join("vmlinux");
        std::fs::write(&file, "kernel").unwrap();
        let hash = hash(&file).unwrap();
        let mut published = Published::new();
        let url = published.add(&lava, "job", "kernel", &file, &hash).unwrap();
        let name = format!("job-kernel-{}", &hash[..16]);
        assert_eq!(url, format!("http://here/files/{name}"));
        assert_eq!(std::fs::read_to_string(dir.join("www").join(&name)).unwrap(), "kernel");
        assert_eq!(std::fs::read_dir(dir.join("www")).unwrap().count(), 1);
        drop(published);
        assert_eq!(std::fs::read_dir(dir.join("www")).unwrap().count(), 0);
        assert!(super::hash(&dir.join("none")).unwrap_err().contains("none"));
    }
}
