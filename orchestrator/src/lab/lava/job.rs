//! Getting a job: one that was submitted before the program was killed, or a new one. Never two.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{Client, JobState, Trouble};
use super::remember::{Memory, Open};

/// How fast things go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two questions.
    pub poll: Duration,
    /// How long the server may be unreachable.
    pub patience: Duration,
    /// How much later than the device printed it a line may reach us.
    pub lag: Duration,
    /// How long the end of a job may take after the agent's last words.
    pub finish: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Pace { poll: seconds(5), patience: seconds(600), lag: seconds(45), finish: seconds(600) }
    }
}

/// Why there is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The run was interrupted.
    Cancelled,
    /// Trouble that does not go away; one sentence.
    Trouble(String),
}

/// Asks again after trouble that may go away, until patience ends.
pub(super) struct Patient<'a> {
    pub pace: &'a Pace,
    pub cancel: &'a CancellationToken,
    /// Since when nothing works.
    pub since: Option<Instant>,
}

impl Patient<'_> {
    /// The answer, or a pause: `None` says to ask again.
    ///
    /// # Errors
    /// When it is of no use to ask again.
    pub(super) async fn answer<T>(&mut self, result: Result<T, Trouble>) -> Result<Option<T>, Stopped> {
        let why = match result {
            Ok(answer) => {
                self.since = None;
                return Ok(Some(answer));
            }
            Err(Trouble::Never(why)) => return Err(Stopped::Trouble(format!("LAVA: {why}"))),
            Err(Trouble::Later(why)) => why,
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.pace.patience {
            return Err(Stopped::Trouble(format!("LAVA does not answer: {why}")));
        }
        self.pause().await?;
        Ok(None)
    }

    /// Waits for a moment.
    ///
    /// # Errors
    /// When the run is interrupted.
    pub(super) async fn pause(&self) -> Result<(), Stopped> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stopped::Cancelled),
            () = tokio::time::sleep(self.pace.poll) => Ok(()),
        }
    }
}

/// Finds the job of this name or submits it; its state, and whether it is an earlier one.
///
/// That it may have been submitted is on the disk before it can be; its number as soon as it is known.
///
/// # Errors
/// When there is no job.
pub(super) async fn get(
    client: &Client,
    memory: &Memory,
    url: &str,
    name: &str,
    definition: &str,
    patient: &mut Patient<'_>,
) -> Result<(u64, bool), Stopped> {
    let mut open = match memory.read(url) {
        Some(open) => open,
        None => {
            let open = Open { url: url.to_owned(), id: None };
            memory.write(&open).map_err(Stopped::Trouble)?;
            return submit(client, memory, open, name, definition, patient).await.map(|id| (id, false));
        }
    };
    if let Some(id) = open.id {
        return Ok((id, true));
    }
    loop {
        let Some(found) = patient.answer(client.find(name).await).await? else { continue };
        match found.filter(is_ours) {
            Some(job) => {
                open.id = Some(job.id);
                memory.write(&open).map_err(Stopped::Trouble)?;
                return Ok((job.id, true));
            }
            None => return submit(client, memory, open, name, definition, patient).await.map(|id| (id, false)),
        }
    }
}

/// A job that was canceled has no result to wait for.
fn is_ours(job: &JobState) -> bool {
    job.health != "Canceled" && job.state != "Canceling"
}

async fn submit(
    client: &Client,
    memory: &Memory,
    mut open: Open,
    name: &str,
    definition: &str,
    patient: &mut Patient<'_>,
) -> Result<u64, Stopped> {
    loop {
        let answer = match client.submit(definition).await {
            // It may have been accepted although no answer came.
            Err(Trouble::Later(why)) => match client.find(name).await {
                Ok(Some(job)) if is_ours(&job) => Ok(job.id),
                Ok(_) | Err(_) => Err(Trouble::Later(why)),
            },
            other => other,
        };
        let refused = matches!(answer, Err(Trouble::Never(_)));
        match patient.answer(answer).await {
            Ok(Some(id)) => {
                open.id = Some(id);
                memory.write(&open).map_err(Stopped::Trouble)?;
                return Ok(id);
            }
            Ok(None) => {}
            Err(stopped) => {
                if refused {
                    memory.forget();
                }
                return Err(stopped);
            }
        }
    }
}
