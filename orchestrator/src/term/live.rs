//! The rim: owns the streams while a run goes on.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Progress, Styles, lines};
use crate::words::Event;

/// How often the moving part is drawn anew when nothing happens, so that its clocks go on.
const TICK: Duration = Duration::from_millis(500);

/// Least time between two progress lines of one unit in a log.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Least time between two progress events of one unit in the JSON stream.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// How a run shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lines that move, on a terminal (standard error).
    Bars,
    /// Lines with a time in front (standard error).
    Plain,
    /// Events, one JSON object per line (standard output).
    Json,
    /// Nothing.
    Quiet,
}

impl Mode {
    /// The mode the options and standard error ask for; `--json` wins over `--quiet`.
    pub fn choose(json: bool, quiet: bool) -> Mode {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Mode::decide(json, quiet, io::stderr().is_terminal() && !dumb)
    }

    fn decide(json: bool, quiet: bool, terminal: bool) -> Mode {
        match (json, quiet, terminal) {
            (true, _, _) => Mode::Json,
            (false, true, _) => Mode::Quiet,
            (false, false, true) => Mode::Bars,
            (false, false, false) => Mode::Plain,
        }
    }
}

/// Time since the run began, as the one thing here that is not a function of the events.
type Clock = Box<dyn Fn() -> Duration + Send>;

/// Columns of the terminal, asked before every drawing because windows change.
type Columns = Box<dyn Fn() -> usize + Send>;

/// Shows a run while it goes on. Dropping it leaves a clean terminal.
pub struct Live {
    screen: Arc<Mutex<Screen>>,
    ticker: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Live {
    /// Begins to show a run on the streams of this process.
    pub fn start(mode: Mode, styles: Styles) -> Live {
        let began = Instant::now();
        let clock: Clock = Box::new(move || began.elapsed());
        let stream: Stream = match mode {
            Mode::Bars => Stream::Bars(Bars::new(ProgressDrawTarget::stderr())),
            Mode::Plain => Stream::Plain(Throttled::new(Box::new(io::stderr()), PLAIN_EVERY)),
            Mode::Json => Stream::Json(Throttled::new(Box::new(io::stdout()), JSON_EVERY)),
            Mode::Quiet => Stream::Quiet,
        };
        let screen = Screen::new(stream, styles, clock, Box::new(super::stderr_width));
        let screen = Arc::new(Mutex::new(screen));
        let ticker = (mode == Mode::Bars).then(|| tick(screen.clone()));
        Live { screen, ticker }
    }

    /// Shows an event.
    pub fn on_event(&mut self, event: &Event) {
        lock(&self.screen).on_event(event);
    }

    /// Prints a line above the moving part, for messages that are no event. The line must be fit for a terminal
    /// (see [`super::text::visible`]).
    pub fn print(&mut self, line: &str) {
        lock(&self.screen).print(line);
    }

    /// Removes the moving part.
    ///
    /// # Errors
    /// The first error of writing, kept until now so that a closed pipe does not stop a run in the middle.
    pub fn finish(mut self) -> io::Result<()> {
        self.stop();
        lock(&self.screen).trouble.take().map_or(Ok(()), Err)
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // The ticker only draws; should it have panicked, the terminal is still cleared below.
            let _ = thread.join();
        }
        lock(&self.screen).clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws every [`TICK`] until the sender is dropped.
fn tick(screen: Arc<Mutex<Screen>>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            lock(&screen).redraw();
        }
    });
    (stop, thread)
}

/// Where lines go.
enum Stream {
    Bars(Bars),
    Plain(Throttled),
    Json(Throttled),
    Quiet,
}

/// All that is shown, behind one lock.
struct Screen {
    stream: Stream,
    progress: Progress,
    styles: Styles,
    clock: Clock,
    columns: Columns,
    trouble: Option<io::Error>,
}

impl Screen {
    fn new(stream: Stream, styles: Styles, clock: Clock, columns: Columns) -> Screen {
        Screen { stream, progress: Progress::default(), styles, clock, columns, trouble: None }
    }

    fn on_event(&mut self, event: &Event) {
        let now = (self.clock)();
        self.progress.apply(event, now);
        let result = match &mut self.stream {
            Stream::Bars(bars) => bars.print(&lines::event(event, (self.columns)(), &self.styles)),
            Stream::Plain(out) => out.write_event(event, now, |event| Ok(lines::plain(event, now))),
            Stream::Json(out) => out.write_event(event, now, |event| Ok(vec![serde_json::to_string(event)?])),
            Stream::Quiet => Ok(()),
        };
        self.keep(result);
        // Progress comes by the thousand; the ticker shows it soon enough.
        if !matches!(event, Event::UnitProgress { .. }) {
            self.redraw();
        }
    }

    fn print(&mut self, line: &str) {
        let result = match &mut self.stream {
            Stream::Bars(bars) => bars.print(&[line.to_owned()]),
            Stream::Plain(out) => out.write(&[line.to_owned()]),
            // Standard output belongs to the events, and quiet is quiet.
            Stream::Json(_) | Stream::Quiet => Ok(()),
        };
        self.keep(result);
    }

    fn redraw(&mut self) {
        if let Stream::Bars(bars) = &mut self.stream {
            // The last column stays free: some terminals wrap as soon as it is filled.
            let columns = (self.columns)().saturating_sub(1);
            bars.draw(&lines::status(&self.progress, (self.clock)(), columns, &self.styles));
        }
    }

    fn clear(&mut self) {
        let result = match &mut self.stream {
            Stream::Bars(bars) => bars.clear(),
            Stream::Plain(out) | Stream::Json(out) => out.out.flush(),
            Stream::Quiet => Ok(()),
        };
        self.keep(result);
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.trouble.get_or_insert(error);
        }
    }
}

/// A stream of lines on which no unit may flood.
struct Throttled {
    out: Box<dyn Write + Send>,
    every: Duration,
    last: HashMap<String, Duration>,
}

impl Throttled {
    fn new(out: Box<dyn Write + Send>, every: Duration) -> Throttled {
        Throttled { out, every, last: HashMap::new() }
    }

    /// Whether an event is to be written: all but progress that comes too soon after the unit's last line.
    fn is_due(&mut self, event: &Event, now: Duration) -> bool {
        match event {
            Event::UnitStarted { unit, .. } => {
                self.last.insert(unit.clone(), now);
                true
            }
            Event::UnitProgress { unit, .. } => {
                let last = self.last.entry(unit.clone()).or_insert(now);
                let due = now.saturating_sub(*last) >= self.every;
                if due {
                    *last = now;
                }
                due
            }
            Event::UnitEnded { unit, .. } => {
                self.last.remove(unit);
                true
            }
            Event::RunStarted { .. }
            | Event::Planned { .. }
            | Event::Found { .. }
            | Event::Note { .. }
            | Event::RunEnded { .. } => true,
        }
    }

    fn write_event(
        &mut self,
        event: &Event,
        now: Duration,
        lines: impl FnOnce(&Event) -> io::Result<Vec<String>>,
    ) -> io::Result<()> {
        if self.is_due(event, now) { self.write(&lines(event)?) } else { Ok(()) }
    }

    fn write(&mut self, lines: &[String]) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

/// The moving part. indicatif moves the cursor; every line's text is ours.
struct Bars {
    multi: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Bars {
    fn new(target: ProgressDrawTarget) -> Bars {
        Bars { multi: MultiProgress::with_draw_target(target), lines: Vec::new() }
    }

    fn draw(&mut self, lines: &[String]) {
        while self.lines.len() > lines.len() {
            if let Some(bar) = self.lines.pop() {
                self.multi.remove(&bar);
            }
        }
        while self.lines.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}").expect("the template is constant");
            self.lines.push(self.multi.add(ProgressBar::no_length().with_style(style)));
        }
        for (bar, line) in self.lines.iter().zip(lines) {
            bar.set_message(line.clone());
        }
    }

    fn print(&mut self, lines: &[String]) -> io::Result<()> {
        lines.iter().try_for_each(|line| self.multi.println(line))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.lines.clear();
        self.multi.clear()
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
