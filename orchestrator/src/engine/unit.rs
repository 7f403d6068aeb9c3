//! `orchestrator unit`: does the job of a folder and leaves the result there.

use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::job::FORMAT;
use super::{Done, Job, Surroundings, UnitResult, Work};
use crate::words::Event;

/// File of a job.
pub(super) const JOB: &str = "job.json";
/// File of its result.
pub(super) const RESULT: &str = "result.json";

/// A unit that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// Its folder cannot be used.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Its job cannot be read.
    #[error("{path}: {why}")]
    Job {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// It was stopped: there is no result.
    #[error("the unit was stopped")]
    Stopped,
}

/// Does the job in `folder` as attempt `id` on `node`. The first attempt that ends leaves the result; a later one is
/// for nothing. What was stopped leaves none.
///
/// # Errors
/// When the folder cannot be used, the job is another program's, or `cancel` came.
pub async fn perform(
    folder: &Utf8Path,
    cache: &Utf8Path,
    node: &str,
    id: &str,
    cancel: CancellationToken,
) -> Result<(), UnitError> {
    let path = folder.join(JOB);
    let job = read(&path)?;
    let digest = job.digest();
    if folder.join(RESULT).exists() {
        return Ok(());
    }
    let notes = Arc::new(Mutex::new(Vec::new()));
    let heard = notes.clone();
    let at = Surroundings {
        cache: cache.to_owned(),
        node: Some(node.to_owned()),
        events: Arc::new(move |event| {
            if let Event::Note { message } = event {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            }
        }),
        cancel,
    };
    let done = match job.work_in(cache) {
        Work::Build(work) => Done::Build(Box::new(super::build(&work, &job.unit, &at, &mut None).await)),
        Work::Boot(work) => {
            let dir = cache.join("boots").join(&work.key).join(format!("{}-{id}", job.attempt));
            Done::Boot(Box::new(super::boot(&work, &job.unit, job.attempt, &dir, &at).await))
        }
    };
    if at.cancel.is_cancelled() {
        return Err(UnitError::Stopped);
    }
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let done = done.without_cache(cache);
    let result = UnitResult { format: FORMAT, digest, id: id.to_owned(), node: node.to_owned(), notes, done };
    publish(folder, &result)?;
    Ok(())
}

fn read(path: &Utf8Path) -> Result<Job, UnitError> {
    let broken = |why: String| UnitError::Job { path: path.to_string(), why };
    let value: serde_json::Value =
        serde_json::from_slice(&fs_err::read(path)?).map_err(|error| broken(error.to_string()))?;
    let own = env!("CARGO_PKG_VERSION");
    if value["format"] != FORMAT || value["program"] != own {
        let (format, program) = (&value["format"], &value["program"]);
        return Err(broken(format!("it is format {format} of program {program}; this is format {FORMAT} of {own}")));
    }
    serde_json::from_value(value).map_err(|error| broken(error.to_string()))
}

/// Leaves the result, unless another attempt was first. A link is there whole or not at all, on NFS too.
fn publish(folder: &Utf8Path, result: &UnitResult) -> std::io::Result<()> {
    let own = folder.join(format!("attempt-{}.json", result.id));
    let text = serde_json::to_vec_pretty(result).map_err(std::io::Error::other)?;
    let mut file = fs_err::File::create(&own)?;
    std::io::Write::write_all(&mut file, &text)?;
    file.sync_all()?;
    match fs_err::hard_link(&own, folder.join(RESULT)) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::build_record;

    fn result(id: &str) -> UnitResult {
        UnitResult {
            format: FORMAT,
            digest: "d".into(),
            id: id.into(),
            node: "n".into(),
            notes: Vec::new(),
            done: Done::Build(Box::new(build_record(0, 1))),
        }
    }

    #[test]
    fn the_first_result_stays() {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(guard.path()).unwrap();
        publish(folder, &result("7.0")).unwrap();
        publish(folder, &result("7.1")).unwrap();
        let kept: UnitResult = serde_json::from_slice(&fs_err::read(folder.join(RESULT)).unwrap()).unwrap();
        assert_eq!(kept.id, "7.0");
        assert!(folder.join("attempt-7.1.json").exists(), "every attempt is kept");
    }

    #[tokio::test]
    async fn the_job_of_another_program_is_refused() {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(guard.path()).unwrap();
        fs_err::write(folder.join(JOB), r#"{"format": 99, "program": "0.0"}"#).unwrap();
        let done = perform(folder, folder, "n1", "1.0", CancellationToken::new()).await;
        assert!(done.unwrap_err().to_string().contains("format 99"), "no result of it may be taken");
        assert!(!folder.join(RESULT).exists());
    }
}
