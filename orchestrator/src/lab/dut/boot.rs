//! One boot of a box, from request to record.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::lock::BoxLock;
use super::send::{self, Item, RUN};
use super::session::{PAUSE, Session};
use super::starting;
use super::state::{Evidence, Running, Safe, prove_default, prove_test};
use super::tests_run::{self, Collector};
use crate::lab::agent::AGENT;
use crate::lab::ending::{Seen, Stop, decide};
use crate::lab::progress::Progress;
use crate::lab::recorder::{Bounded, LIMIT, Recorder};
use crate::lab::reserve::{Holder, acquire};
use crate::lab::watch::Limits;
use crate::lab::{BootRequest, RawBoot, plan, record};
use crate::process::End;
use crate::words::{Accel, BootEnd, BootMethod, Dut, Event};

/// How long a box that stopped speaking may take to say why on its console.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Most lines of kept results that are fetched.
const KEPT_LINES: usize = 200_000;

/// How a box looks after ssh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The test kernel still runs.
    SameBoot,
    /// Another boot answers.
    OtherBoot,
    /// Nothing answers.
    Silent,
}

/// Boots a box and runs the suites on it.
///
/// This never fails: trouble of ours is a [`BootEnd::Infra`] that says what to do. Whatever happens, the box is brought
/// back to its default kernel before it is given back, and when that does not work, that counts as a missed check.
pub(in crate::lab) async fn boot_box(request: &BootRequest, dut: &Dut) -> RawBoot {
    let start = Instant::now();
    let mut boot = match attempt(request, dut).await {
        Ok(boot) => boot,
        Err(reason) => crate::lab::boot::failed(request, Accel::Native, reason),
    };
    boot.wall_ms = start.elapsed().as_millis() as u64;
    boot.confined = Err("a real machine".to_owned());
    if let Err(error) = record::write(request, &boot) {
        boot.end = BootEnd::Infra { reason: error };
    }
    boot
}

async fn attempt(request: &BootRequest, dut: &Dut) -> Result<RawBoot, String> {
    let name = &request.machine.name;
    fs_err::create_dir_all(&request.dir).map_err(|error| error.to_string())?;
    let guest = plan::guest(request).map_err(|problems| problems.join("; "))?;
    let Some(build_id) = request.build_id.clone() else {
        return Err(
            "the build tells no build id, so that nobody could prove that its kernel runs; build it anew".into()
        );
    };
    let progress = Progress::new(request);
    let waiting = |held: &super::Held| {
        progress.say(&format!("waiting for {name}, which is held {held}"));
    };
    progress.say(&format!("reserving {name}"));
    let lock = BoxLock::take(&request.cache, name, &request.unit, &request.cancel, waiting).await?;
    let holder = Holder::new(&request.unit);
    let place = acquire(&dut.reserve, &holder, &request.events, &request.cancel).await;
    let place = place.map_err(|error| error.to_string())?;
    let used = use_box(request, dut, &guest, &build_id, lock);
    match place {
        None => used.await,
        Some(place) => {
            // Whoever gets the box next begins with a power cycle, as our next attempt does.
            let done = place.while_held(used).await;
            place.release().await;
            done.map_err(|lost| lost.to_string())?
        }
    }
}

/// All that is done with a box while it is ours.
async fn use_box(
    request: &BootRequest,
    dut: &Dut,
    guest: &plan::Guest,
    build_id: &str,
    lock: BoxLock,
) -> Result<RawBoot, String> {
    let name = &request.machine.name;
    let progress = Progress::new(request);
    let note = |message: String| (request.events)(Event::Note { message });
    let mut session = Session::with(&request.machine, dut, &request.cache, lock, &request.cancel)?;
    session.in_service()?;
    progress.say("power cycle");
    let fenced = session.fenced().await;
    tell_when_out(&session, &note);
    let safe = fenced?;
    let plan_text = serde_json::to_vec_pretty(&guest.plan).map_err(|error| error.to_string())?;
    fs_err::write(request.dir.join("plan.json"), &plan_text).map_err(|error| error.to_string())?;
    progress.say("sending kernel and tests");
    let items = items(request, dut, guest, plan_text)?;
    send::send(&safe, &session.shell, &dut.state_dir, &items, &request.cancel).await?;
    session.reach(Evidence::Sent)?;
    session.shell.run(&starting::load(&dut.boot, &dut.state_dir, &guest.command_line), &request.cancel).await?;

    progress.say("starting the kernel");
    let results = Bounded::create(request.dir.join("results.jsonl"), LIMIT)?;
    session.tape.put(Some(Recorder::create(&request.dir, LIMIT)?));
    let mut raw = tested(&mut session, request, build_id, &safe, (&guest.command_line, results)).await;
    // The way back is gone even when the run was interrupted: the box must not be left with a test kernel.
    session.cancel = tokio_util::sync::CancellationToken::new();
    let back = if request.cancel.is_cancelled() {
        // Its next user proves what comes up; nobody wants to wait for it now.
        session.saw(Evidence::Failed);
        session.power.cycle(&session.cancel).await
    } else {
        let well = matches!(raw.end, BootEnd::Completed);
        bring_back(&mut session, well).await
    };
    match &back {
        Ok(()) => raw.fetch_kept(&session, dut).await,
        Err(error) => note(format!("{name} could not be brought back after {}: {error}", request.unit)),
    }
    tell_when_out(&session, &note);
    Ok(raw.finish(request))
}

fn tell_when_out(session: &Session, note: &impl Fn(String)) {
    if let Err(error) = session.in_service() {
        note(error);
    }
}

/// All that goes to the box.
fn items(request: &BootRequest, dut: &Dut, guest: &plan::Guest, plan: Vec<u8>) -> Result<Vec<Item>, String> {
    let read = |path: &Utf8Path| fs_err::read(path).map_err(|error| error.to_string());
    let run = format!("{}/{RUN}", dut.state_dir);
    let mut items = vec![
        Item { path: format!("{run}/agent"), bytes: AGENT.to_vec() },
        Item { path: format!("{run}/plan.json"), bytes: plan },
    ];
    if dut.boot.method != BootMethod::Netboot {
        items.push(Item { path: format!("{run}/{}", starting::KERNEL), bytes: read(&request.kernel)? });
    }
    for (file, path) in &guest.files {
        items.push(Item { path: path.clone(), bytes: read(file)? });
    }
    Ok(items)
}

/// A boot in the making.
struct Raw<'a> {
    end: BootEnd,
    collector: Mutex<Collector<'a>>,
    command_line: String,
}

impl Raw<'_> {
    /// Takes from the box what the agent kept there and ssh did not bring: among it, the test that took it down.
    async fn fetch_kept(&mut self, session: &Session, dut: &Dut) {
        let collector = self.collector.get_mut().expect("no holder panics");
        if collector.said.done || collector.problem().is_some() {
            return;
        }
        let file = format!("{}/{RUN}/results.jsonl", dut.state_dir);
        let first = collector.frames.len() + 1;
        let script = format!("if [ -e {file} ]; then tail -n +{first} {file} | head -n {KEPT_LINES}; fi");
        match session.shell.run(&script, &session.cancel).await {
            Ok(text) => {
                let count = collector.kept(&text);
                tracing::debug!(count, "frames that the box kept");
            }
            Err(error) => tracing::debug!(error, "what the box kept cannot be read"),
        }
    }

    fn finish(self, request: &BootRequest) -> RawBoot {
        let collector = self.collector.into_inner().expect("no holder panics");
        RawBoot {
            end: self.end,
            problems: collector.problem().into_iter().collect(),
            frames: collector.frames,
            dir: request.dir.clone(),
            console: request.dir.join("console.log"),
            accel: Accel::Native,
            confined: Err(String::new()),
            wall_ms: 0,
            cpu_ms: 0,
            replay: format!(
                "orchestrator lab run {} --kernel {}  # {}",
                request.machine.name, request.kernel, self.command_line
            ),
        }
    }
}

/// Starts the test kernel, proves it, lets the agent work, and says how it ended.
async fn tested<'a>(
    session: &mut Session,
    request: &'a BootRequest,
    build_id: &str,
    safe: &Safe,
    (command_line, results): (&str, Bounded),
) -> Raw<'a> {
    let limits = Limits::new(&request.machine.timeouts, Accel::Native, request.spec.slowness, request.deadline_factor);
    let collector = Mutex::new(Collector::new(results, Progress::new(request), limits));
    let end = match start(session, request, build_id, safe).await {
        Ok(running) => {
            session.remember(&running.boot_id);
            match session.reach(Evidence::TestProven) {
                Ok(()) => run_tests(session, &running, &collector).await,
                Err(reason) => BootEnd::Infra { reason },
            }
        }
        Err(end) => {
            session.saw(Evidence::Failed);
            end
        }
    };
    if matches!(end, BootEnd::Hung { .. }) && session.power.nmi(&session.cancel).await.is_ok() {
        // Where it hangs, when its command line has unknown_nmi_panic.
        tokio::time::sleep(LAST_WORDS / 4).await;
    }
    session.tape.put(None);
    Raw { end, collector, command_line: command_line.to_owned() }
}

/// Starts what was loaded and waits until it is proven to run.
async fn start(session: &mut Session, request: &BootRequest, build_id: &str, safe: &Safe) -> Result<Running, BootEnd> {
    let infra = |reason: String| BootEnd::Infra { reason };
    let boot = session.dut.boot.clone();
    if boot.method == BootMethod::Netboot {
        let line = plan::guest(request).map_err(|problems| infra(problems.join("; ")))?.command_line;
        starting::offer(&boot, &request.kernel, &line).map_err(infra)?;
        let cycled = session.power.cycle(&session.cancel).await;
        if let Err(error) = cycled {
            starting::withdraw(&boot).map_err(infra)?;
            return Err(infra(error));
        }
    } else {
        session.shell.run(starting::start(boot.method), &session.cancel).await.map_err(infra)?;
    }
    session.reach(Evidence::Started).map_err(infra)?;
    let proven = until_proven(session, request, build_id, safe).await;
    if boot.method == BootMethod::Netboot {
        starting::withdraw(&boot).map_err(infra)?;
    }
    proven
}

async fn until_proven(
    session: &Session,
    request: &BootRequest,
    build_id: &str,
    safe: &Safe,
) -> Result<Running, BootEnd> {
    let factor = u64::from(request.spec.slowness.max(1) * request.deadline_factor.max(1));
    let limit = Duration::from_secs(session.timeouts.boot * factor);
    let end = tokio::time::Instant::now() + limit;
    let mut panicked = None;
    loop {
        let seen = session.tape.look(|recorder| (recorder.console.panic.is_some(), recorder.stop.clone()));
        match seen {
            Some((_, Some(Stop::Flood(_)))) => return Err(BootEnd::Hung { deadline: "flood".to_owned() }),
            Some((_, Some(stop))) => return Err(BootEnd::Infra { reason: format!("the console's log: {stop:?}") }),
            Some((true, None)) => panicked = panicked.or(Some(tokio::time::Instant::now())),
            Some((false, None)) | None => {}
        }
        // A kernel that panicked prints where, and then nothing more.
        if panicked.is_some_and(|at| at.elapsed() >= LAST_WORDS / 4) {
            return Err(BootEnd::Panicked);
        }
        if panicked.is_none()
            && let Ok(answer) = session.shell.who(&session.cancel).await
            && answer.boot_id != safe.boot_id
        {
            return prove_test(&answer, build_id, safe).map_err(|why| {
                let default = prove_default(&answer, &session.dut.boot.default_kernel.uname, &[]).is_ok();
                // Back in the default kernel without a word: the test kernel reset the box.
                if default && session.dut.boot.method == BootMethod::Kexec {
                    BootEnd::Reset
                } else {
                    BootEnd::Infra { reason: why }
                }
            });
        }
        if tokio::time::Instant::now() >= end {
            let stays = session.shell.who(&session.cancel).await.is_ok_and(|answer| answer.boot_id == safe.boot_id);
            return Err(if stays {
                BootEnd::Infra { reason: "the test kernel did not start: the default kernel still runs".to_owned() }
            } else {
                BootEnd::Hung { deadline: "boot".to_owned() }
            });
        }
        tokio::select! {
            () = session.cancel.cancelled() => return Err(BootEnd::Infra { reason: "interrupted".to_owned() }),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Lets the agent work on the proven kernel, and says how that ended.
async fn run_tests(session: &mut Session, running: &Running, collector: &Mutex<Collector<'_>>) -> BootEnd {
    let folder = format!("{}/{RUN}", session.dut.state_dir);
    collector.lock().expect("no holder panics").begin();
    let script = format!("exec {folder}/agent run {folder}/plan.json");
    let ended = match tests_run::run(session, &script, collector).await {
        Ok(ended) => ended,
        Err(reason) => return BootEnd::Infra { reason },
    };
    let said = collector.lock().expect("no holder panics").said.clone();
    let after = if ended && !said.done { look_after(session, running).await } else { After::SameBoot };
    let console = session.tape.look(|recorder| recorder.console.clone()).unwrap_or_default();
    let collector = collector.lock().expect("no holder panics");
    let seen = Seen {
        stop: collector.stop.clone(),
        exit: Ok(End::Code(0)),
        qemu: String::new(),
        console,
        problem: collector.problem(),
        said,
    };
    judge(&seen, after)
}

/// ssh ended before the agent was done. The kernel gets time to say why.
async fn look_after(session: &Session, running: &Running) -> After {
    let end = tokio::time::Instant::now() + LAST_WORDS;
    loop {
        let panicked = session.tape.look(|recorder| recorder.console.panic.is_some()).unwrap_or(false);
        if panicked {
            // The rest of its words.
            tokio::time::sleep(LAST_WORDS / 8).await;
            return After::Silent;
        }
        if let Ok(answer) = session.shell.who(&session.cancel).await {
            return if answer.boot_id == running.boot_id { After::SameBoot } else { After::OtherBoot };
        }
        if tokio::time::Instant::now() >= end || session.cancel.is_cancelled() {
            return After::Silent;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// As for a guest; only that a box which went away without a word may have done so in three ways.
fn judge(seen: &Seen, after: After) -> BootEnd {
    let end = decide(seen);
    match (end, after) {
        (BootEnd::Reset, After::SameBoot) => {
            let reason = "the agent ended, or ssh was lost, while the test kernel lived".to_owned();
            BootEnd::Infra { reason }
        }
        (BootEnd::Reset, After::OtherBoot) => BootEnd::Reset,
        (BootEnd::Reset, After::Silent) => BootEnd::Hung { deadline: "ssh".to_owned() },
        (end, _) => end,
    }
}

/// Back to the default kernel: by a reset where all went well, else by a power cycle.
async fn bring_back(session: &mut Session, well: bool) -> Result<(), String> {
    if well && session.shell.run(starting::LEAVE, &session.cancel).await.is_ok() {
        match session.default_kernel().await {
            Ok(_) => return Ok(()),
            Err(error) => tracing::debug!(error, "the box did not come back by a reset"),
        }
    }
    session.saw(Evidence::Failed);
    session.fence().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::console::Console;
    use crate::lab::ending::Said;
    use crate::lab::watch::Deadline;

    fn seen(said: Said) -> Seen {
        Seen {
            stop: None,
            exit: Ok(End::Code(0)),
            qemu: String::new(),
            console: Console { alive: true, ..Console::default() },
            problem: None,
            said,
        }
    }

    fn hung(deadline: &str) -> BootEnd {
        BootEnd::Hung { deadline: deadline.to_owned() }
    }

    #[test]
    fn a_box_that_goes_away_is_told_from_a_lost_connection() {
        let hello = Said { hello: true, ..Said::default() };
        assert!(matches!(judge(&seen(hello.clone()), After::SameBoot), BootEnd::Infra { .. }));
        assert_eq!(judge(&seen(hello.clone()), After::OtherBoot), BootEnd::Reset);
        assert_eq!(judge(&seen(hello.clone()), After::Silent), hung("ssh"));
        let done = Said { done: true, ..hello.clone() };
        assert_eq!(judge(&seen(done), After::SameBoot), BootEnd::Completed);
        let stuck = Said { deadline: true, ..hello.clone() };
        assert_eq!(judge(&seen(stuck), After::SameBoot), hung("test"));
        for after in [After::SameBoot, After::OtherBoot, After::Silent] {
            let mut panicked = seen(hello.clone());
            panicked.console.panic = Some("Kernel panic - not syncing: x".into());
            assert_eq!(judge(&panicked, after), BootEnd::Panicked);
            let mut silent = seen(hello.clone());
            silent.stop = Some(Stop::Deadline(Deadline::Silence));
            assert_eq!(judge(&silent, after), hung("silence"));
        }
    }
}
