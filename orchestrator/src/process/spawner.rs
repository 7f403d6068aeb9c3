//! A thread that lives as long as the program and forks all children.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that forked the child ends, not when the process does. The worker
//! threads of the async runtime come and go, so children are forked from a thread of our own.

use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};

use tokio::sync::oneshot;

type Job = (Command, oneshot::Sender<std::io::Result<Child>>);

/// Spawns `command` from the long-lived thread.
pub(super) async fn spawn(command: Command) -> std::io::Result<Child> {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for (mut command, reply) in receiver {
                    if let Err(Ok(mut child)) = reply.send(command.spawn()) {
                        // The asker is gone (its future was dropped): nobody would ever reap this child.
                        let _ = child.kill();
                        let _ = child.wait();
                    }
                }
            })
            .expect("the operating system can start a thread");
        sender
    });
    let (reply, answer) = oneshot::channel();
    jobs.send((command, reply)).map_err(|_| std::io::Error::other("the spawner thread ended"))?;
    answer.await.map_err(|_| std::io::Error::other("the spawner thread ended"))?
}
